"""Perplexities that a poetry model has to beat, on any set of poems: even chances, unigrams, Kneser-Ney n-grams.

python scripts/poetry_baselines.py data=tang data.root=FOLDER                 on the split and vocabulary of a run
python scripts/poetry_baselines.py data=tang data.root=FOLDER against=RUN     how far below it a run is
python scripts/poetry_baselines.py data=tang data.root=FOLDER modified=false  one discount an order, not three

What is predicted is what a run predicts: every token but the form token that a poem begins with.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from baseline.command import RESULTS, answer, apart, circumstances, data_set
from baseline.kneser_ney import Floats, KneserNey, predicted, unigram_log_chances

from dlcourse.commands.arguments import argument, read
from dlcourse.data.poems import PoemSplit
from dlcourse.errors import ConfigError
from dlcourse.files import read_json, write_json
from dlcourse.folders import RunFolder, find_run
from dlcourse.tasks.poetry import PoetryStats, are_characters
from dlcourse.text.characters import FORM_IDS
from dlcourse.text.ragged import Ragged

NAME = "poetry_baselines.py"
PACKAGES = ("dlcourse", "numpy")
PLACES = ("data.root", "data.path", "against", "runs", "result")
NEVER_PREDICTED = 1 + len(FORM_IDS)  # padding and the form tokens
KINDS = {"perplexity": "all tokens", "perplexity_characters": "characters only"}
"""Each number's name and what it is over."""
COUNTED = ("predicted_tokens", "predicted_characters")


@dataclass(frozen=True)
class Arguments:
    """What the script takes beside `data=` and `data.*`."""

    order: Literal[2, 3, 4, 5] = argument("Tokens of the longest n-gram.", default=4)
    modified: bool = argument("Three discounts an order (Chen and Goodman) in place of one.", default=True)
    against: tuple[str, ...] = argument("Runs to compare with.", default=(), bare=True)
    runs: Path = argument("Folder that holds the runs.", default=Path("runs"))
    result: Path | None = argument(
        "File for the numbers; null is scripts/results/poetry_baselines_DATA.json.", default=None
    )


def main(argv: Sequence[str]) -> int:
    """Count, predict, compare, write; gives the exit code."""
    return answer(argv, name=NAME, purpose=(__doc__ or "").strip(), arguments=Arguments, work=measure)


def measure(argv: Sequence[str]) -> None:
    """Fit the baselines on train, show their perplexities on validation and test beside the runs', write.

    Raises:
        UserError: the words, the data or a run to compare with are not as they must be.
    """
    name, of_data, rest = apart(argv)
    given = read(Arguments, rest, command=NAME)
    folders = [find_run(word, runs=given.runs) for word in given.against]
    began = time.monotonic()
    train, parts = read_poems(of_data)
    recorded = {f"{one.path.parent.name}/{one.path.name}": test_numbers(one, parts["test"]) for one in folders}
    read_by = time.monotonic()
    found = perplexities(train, parts, order=given.order, modified=given.modified)
    ended = time.monotonic()

    for line in table(found):
        print(line)
    best = list(found)[-1]
    strongest = found[best]["test"].summary()
    against = {run: compared(numbers, strongest) for run, numbers in recorded.items()}
    for run, numbers in against.items():
        shares = [f"{numbers[kind]:.1f}, {numbers[f'{kind}_share']:.1%} of {best}'s" for kind in KINDS]
        print(f"{run}, test: all tokens {shares[0]}; characters only {shares[1]}")
    seconds = {"reading": round(read_by - began, 1), "fitting_and_testing": round(ended - read_by, 1)}
    print(f"{ended - began:.0f} s, {read_by - began:.0f} of them to read the data")
    result = given.result or RESULTS / f"poetry_baselines_{name}.json"
    result.parent.mkdir(parents=True, exist_ok=True)
    of_splits = {
        part: {"poems": len(one), **dict(zip(COUNTED, found[best][part].counts.tolist(), strict=True))}
        for part, one in parts.items()
    }
    numbers = {
        "train_poems": len(train),
        "vocabulary": train.encoder.size,
        "order": given.order,
        "modified": given.modified,
        "splits": of_splits,
        "baselines": {name: {part: one.summary() for part, one in stats.items()} for name, stats in found.items()},
        "against": against,
    }
    write_json(
        result, {**circumstances(argv, name=NAME, places=PLACES, packages=PACKAGES), **numbers, "seconds": seconds}
    )
    print(f"written: {result}")


def read_poems(words: Sequence[str]) -> tuple[PoemSplit, Mapping[str, PoemSplit]]:
    """Train, and validation and test, of the set of poems that these words of a command line name.

    Raises:
        ConfigError: they name none.
        DataError: it cannot be read.
    """
    data = data_set(words)
    if data.gives != "poems":
        raise ConfigError(f"data: it gives {data.gives}; name a set of poems")
    splits = data.load()
    return splits.train, {"val": splits.val, "test": splits.test}  # pyright: ignore[reportReturnType]  as `gives` says


def perplexities(
    train: PoemSplit, parts: Mapping[str, PoemSplit], *, order: int, modified: bool
) -> dict[str, dict[str, PoetryStats]]:
    """Baseline -> split -> its statistics there, the strongest baseline last.

    Raises:
        ConfigError: n-grams of such an order do not fit.
    """
    size, corpus = train.encoder.size, train.corpus()
    predictable = size - NEVER_PREDICTED
    try:
        model = KneserNey.fit(corpus, order=order, vocabulary=size, predictable=predictable, modified=modified)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    # fmt: off
    baselines: Mapping[str, Callable[[Ragged], Floats]] = {
        "uniform": lambda poems: np.full(int(predicted(poems).sum()), -np.log(predictable)),
        "unigram": lambda poems: unigram_log_chances(corpus, poems, vocabulary=size, predictable=predictable),
        f"kneser_ney_{order}": model.log_chances,
    }
    # fmt: on
    return {
        name: {part: judged(log_chances(one.documents), one.documents) for part, one in parts.items()}
        for name, log_chances in baselines.items()
    }


def judged(log_chances: Floats, poems: Ragged) -> PoetryStats:
    """The statistics that a run has of the same predictions."""
    targets = torch.from_numpy(poems.values[predicted(poems)])
    kinds = torch.stack([torch.ones(len(targets), dtype=torch.bool), are_characters(targets)])
    return PoetryStats(torch.where(kinds, -torch.from_numpy(log_chances), 0.0).sum(1), kinds.sum(1))


def test_numbers(folder: RunFolder, test: PoemSplit) -> Mapping[str, float]:
    """What a run had on the test split.

    Raises:
        ConfigError: it was of other poems or of another vocabulary, or it was not tested.
    """
    known = read_json(folder.data).get("test")
    if not isinstance(known, dict) or known.get("sha256") != test.fingerprint:
        raise ConfigError(
            f"{folder.path}: it was tested on other poems or has another vocabulary; give the data settings of its "
            "config.yaml"
        )
    tested = [record["scalars"] for record in folder.records() if record["split"] == "test"]
    if not tested or not set(KINDS) <= set(tested[-1]):
        raise ConfigError(f"{folder.path}: it has no perplexities on the test split; let it end, with test=true")
    return tested[-1]


def compared(numbers: Mapping[str, float], baseline: Mapping[str, float]) -> dict[str, float]:
    """A run's perplexities, and what share each is of the baseline's."""
    return {kind: numbers[kind] for kind in KINDS} | {f"{kind}_share": numbers[kind] / baseline[kind] for kind in KINDS}


def table(found: Mapping[str, Mapping[str, PoetryStats]]) -> list[str]:
    """A line for each baseline, its perplexities on each split."""
    parts = list(next(iter(found.values())))
    heads = [f"{part}, {kind}" for part in parts for kind in KINDS.values()]
    lines = [f"{'perplexity':16}" + "".join(f"{head:>24}" for head in heads)]
    for name, stats in found.items():
        cells = [stats[part].summary().get(kind, math.nan) for part in parts for kind in KINDS]
        lines.append(f"{name:16}" + "".join(f"{cell:24,.1f}" for cell in cells))
    return [*lines, "all tokens: characters, punctuation and the end of the poem; never the form token"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
