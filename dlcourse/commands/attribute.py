"""`dlcourse attribute run=RUN`: delete the words that attention or gradients point to, and count which labels flip."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dlcourse.commands.arguments import argument, read
from dlcourse.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table
    from torch import Tensor

    from dlcourse.data.base import Split
    from dlcourse.run.classifier import Classifier
    from dlcourse.tasks.faithfulness import Mean, Report

BATCH = 32  # documents
PURPOSE = (
    "Test by deletion which words decide: by attention, gradient x input, integrated gradients and at random.\n"
    "comprehensiveness: how far the label's probability falls without the top words (high is good);\n"
    "sufficiency: how far it falls with nothing but them (low is good)."
)


@dataclass(frozen=True)
class Arguments:
    """What `dlcourse attribute` takes."""

    run: str = argument("The run: a path, <model>-<data>/<time>, a unique end of it, or latest.", bare=True)
    split: Literal["train", "val", "test"] = argument("Where the documents come from.", default="test")
    documents: int = argument("How many, drawn at random; all if there are fewer.", default=500)
    seed: int = argument("Draws the documents, the random control and the intervals.", default=0)
    format: Literal["text", "json"] = argument("How to print the numbers.", default="text")
    out: Path | None = argument("Folder for attribution.json and flips.png; null is RUN/attribution.", default=None)
    device: str | None = argument("Another device than the run's, such as cpu.", default=None, key="runtime.device")
    runs: Path = argument("Folder that holds the runs.", default=Path("runs"))
    allow_code: bool = argument("Run Python files of this folder that the run's config names.", default=False)


def main(argv: list[str]) -> int:
    """Run the test, print it, and keep it beside the run."""
    given = read(Arguments, argv, command="attribute", purpose=PURPOSE)
    if given.documents < 1:
        raise ConfigError(f"documents must be 1 or more, not {given.documents}")
    from dlcourse.files import make_output, write_json  # torch, imported below, takes two seconds
    from dlcourse.media import Picture
    from dlcourse.pages.curves import flip_curves
    from dlcourse.run.classifier import load_classifier
    from dlcourse.run.verdict import write_png
    from dlcourse.tasks.attribution import require_captum
    from dlcourse.training.observers.tensorboard import render

    require_captum()
    classifier = load_classifier(
        given.run,
        runs=given.runs,
        command="attribute",
        device=given.device,
        allow_code=given.allow_code,
        calibrated=False,  # what is measured is the model, and no flip depends on it
    )
    out = given.out or classifier.folder.path / "attribution"
    make_output(out)
    found = test(classifier, given)
    write_json(out / "attribution.json", found.to_plain())
    write_png(out / "flips.png", render(Picture(partial(flip_curves, found))))
    if given.format == "json":
        print(json.dumps(found.to_plain(), ensure_ascii=False, allow_nan=False))
        return 0
    from rich.console import Console

    terminal = Console(highlight=False)
    terminal.print(table(found))
    print(f"\nattention's normalised entropy: {interval(found.entropy, scale=1)} (1 is flat)")
    print(f"\n{found.conclusion}\n")
    print(f"kept in {out / 'attribution.json'} and {out / 'flips.png'}")
    return 0


def test(classifier: Classifier, given: Arguments) -> Report:
    """The report on documents drawn from the split."""
    import torch
    from rich.console import Console
    from rich.progress import track

    from dlcourse.run.prepare import read_splits
    from dlcourse.tasks.faithfulness import Trial, report, try_out

    split: Split[Any] = getattr(read_splits(classifier.parts), given.split)
    generator = torch.Generator().manual_seed(given.seed)
    batches = drawn(split, given.documents, generator=generator)
    told = Console(stderr=True)
    trials = [
        try_out(classifier.model, *split.fetch(indices).inputs, generator=generator)
        for indices in track(batches, description="deleting words", console=told, disable=not sys.stderr.isatty())
    ]
    return report(Trial.join(trials), run=classifier.name, split=given.split, seed=given.seed)


def drawn(split: Split[Any], documents: int, *, generator: Any) -> Sequence[Tensor]:
    """Batches of as many documents, drawn at random, similar lengths together."""
    import torch

    chosen = torch.randperm(len(split), generator=generator)[:documents]
    ranks = torch.empty(len(split), dtype=torch.int64)
    ranks[torch.cat(list(split.batches_in_order(BATCH)))] = torch.arange(len(split))
    return chosen[ranks[chosen].argsort()].split(BATCH)


def table(report: Report) -> Table:
    """The numbers in per cent, a row for each method and share of the words; it fits into 80 columns."""
    from rich import box
    from rich.table import Table

    from dlcourse.tasks.faithfulness import TITLES

    title = f"{report.documents:,} documents of {report.split}, in % [95 % interval]"
    shown = Table(title=title, box=box.SIMPLE_HEAD, padding=0)
    for column in ("words deleted", "labels flipped", "comprehensiveness", "sufficiency"):
        shown.add_column(column, justify="left" if column == "words deleted" else "right", no_wrap=True)
    for share in dict.fromkeys(row.share for row in report.rows):
        shown.add_row(f"top {100 * share:g} % by", style="bold")
        for row in report.rows:
            if row.share == share:
                measures = (row.flips, row.comprehensiveness, row.sufficiency)
                shown.add_row(TITLES[row.method], *(interval(measure) for measure in measures))
    return shown


def interval(mean: Mean, *, scale: float = 100) -> str:
    """A mean with the ends of its interval."""
    digits = 1 if scale == 100 else 3
    values = (f"{scale * value:.{digits}f}" for value in (mean.mean, mean.low, mean.high))
    return "{} [{},{}]".format(*values)
