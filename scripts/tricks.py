"""What each trick buys on IMDB, one at a time: validation accuracy over seeds against the plain network.

python scripts/tricks.py data.root=FOLDER                              3 seeds of every arm, one run after the other
python scripts/tricks.py data.root=FOLDER max_steps=117 --seeds 1 2    words that every arm is trained with

What init= names reads the whole training split, however few steps follow.

Every finished run stands in the journal, so a script that was stopped goes on with those that are missing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from dlcourse.files import write_json, write_text
from dlcourse.folders import RunFolder
from dlcourse.results.record import MECHANICS
from dlcourse.run.environment import version
from dlcourse.statistics import welch
from dlcourse.training.runtime import processor

BASE = "base"
# Whole films are held out: the test split has other films than train, and reviews of films that training knows flatter.
COMMON = (
    "model=bigru_attention", "data=imdb", "data.val_by=film", "data.truncate=head", "runtime.threads=1", "test=false",
)  # fmt: skip
# fmt: off
ARMS: Mapping[str, tuple[str, ...]] = {
    BASE: (),
    "PPMI-SVD start": ("init=ppmi_svd",),
    "bigrams, trained with it": ("model.ngrams=2", "init=nb_ngrams"),
    "bigrams, beside it": (
        "model.ngrams=2", "model.ngram_train=false", "model.ngram_dropout=1.0", "init=nb_ngrams", "init.c=0.1",
    ),
    "head + tail": ("data.truncate=head_tail",),
    "word dropout": ("model.word_dropout=0.1",),
    "embedding dropout": ("model.embedding_dropout=0.2",),
    "locked dropout": ("model.locked_dropout=0.2",),
    "EMA": ("ema=0.999",),
    "batches of any lengths": ("data.bucket=false",),
}
# fmt: on
RESULT = Path(__file__).parent / "results" / "imdb_tricks.json"
HEAD = ("arm", "words", "seeds", "validation accuracy", "sd", "against base (95 % Welch)", "seconds")


@dataclass(frozen=True)
class Measured:
    """What a run gave: its best validation accuracy, the step of that, and the seconds of the whole command."""

    accuracy: float
    step: int
    seconds: float


@dataclass(frozen=True)
class Entry:
    """One finished run; `words` are all that decide its numbers but the seed."""

    arm: str
    words: tuple[str, ...]
    seed: int
    accuracy: float
    step: int
    seconds: float
    date: str
    processor: str


Runner = Callable[[Sequence[str]], Measured]
"""Trains with these words of a command line."""


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is missing, write and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="KEY=VALUE", help="overrides of `dlcourse train` for every arm")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--result", type=Path, default=RESULT, help="the journal; the table goes beside it as .md")
    given = parser.parse_intermixed_args(argv)
    entries = measure(ARMS, seeds=given.seeds, words=[*COMMON, *given.words], journal=given.result, run=train)
    table = render(entries)
    write_text(given.result.with_suffix(".md"), table + "\n")
    print(table)
    return 0


def measure(
    arms: Mapping[str, Sequence[str]], *, seeds: Sequence[int], words: Sequence[str], journal: Path, run: Runner
) -> list[Entry]:
    """Every arm with every seed, from the journal or trained now; all arms with one seed before the next one.

    Args:
        arms: name -> the words that make it differ.
        seeds: each is one run of every arm.
        words: what all arms are trained with.
        journal: a JSON file; what it holds of other words stays there and is not counted.
        run: trains.
    """
    known = list(read(journal))
    found: list[Entry] = []
    for seed in seeds:
        for arm, own in arms.items():
            deciding = decisive([*words, *own])
            done = [one for one in known if (one.arm, one.words, one.seed) == (arm, deciding, seed)]
            if not done:
                print(f"{arm}, seed {seed}: {' '.join(own) or 'as it is'}", file=sys.stderr, flush=True)
                got = run([*words, *own, f"seed={seed}"])
                now = datetime.now().astimezone().isoformat(timespec="seconds")
                done = [Entry(arm, deciding, seed, got.accuracy, got.step, got.seconds, now, processor())]
                known += done
                write(journal, known)
                print(f"  {got.accuracy:.4f} at step {got.step}, {got.seconds:.0f} s", file=sys.stderr, flush=True)
            found += done[-1:]
    return found


def decisive(words: Sequence[str]) -> tuple[str, ...]:
    """Those that change a result: no folders, and of a setting that is given twice the last word."""
    last = {word.partition("=")[0]: word for word in words}
    return tuple(word for key, word in last.items() if key not in MECHANICS)


def train(words: Sequence[str]) -> Measured:
    """`dlcourse train WORDS` in a process and a run folder of its own, which goes when its numbers are read.

    Raises:
        SystemExit: the run failed; its output has been passed on.
    """
    with tempfile.TemporaryDirectory(prefix="dlcourse-tricks-") as scratch:
        folder = RunFolder(Path(scratch) / "run")
        began = time.monotonic()
        # Each run keeps two checkpoints of a few hundred megabytes, so none outlives its numbers.
        command = [sys.executable, "-m", "dlcourse", "train", *words, f"run={folder.path}", "checkpoint.keep=0"]
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        seconds = time.monotonic() - began
        if ended.returncode:
            raise SystemExit(f"{ended.stdout}\ndlcourse train {' '.join(words)} ended with {ended.returncode}")
        validations = [record for record in folder.records() if record["split"] == "val"]
        best = max(validations, key=lambda record: record["scalars"]["accuracy"])
        return Measured(best["scalars"]["accuracy"], best["step"], round(seconds, 1))


def read(journal: Path) -> Iterator[Entry]:
    """The entries of a journal; none if there is no such file, and a damaged one is an error: it may hold days."""
    for plain in json.loads(journal.read_text(encoding="utf-8"))["runs"] if journal.exists() else ():
        yield Entry(**{**plain, "words": tuple(plain["words"])})


def write(journal: Path, entries: Sequence[Entry]) -> None:
    """Replace the journal by these entries."""
    journal.parent.mkdir(parents=True, exist_ok=True)
    machine = {"processor": processor(), "cores": os.cpu_count(), "system": platform.platform()}
    versions = {"python": platform.python_version(), "torch": version("torch"), "dlcourse": version("dlcourse")}
    write_json(journal, {"machine": machine, "versions": versions, "runs": [asdict(one) for one in entries]})


def render(entries: Sequence[Entry]) -> str:
    """The table in Markdown, accuracies in per cent, differences in points."""
    arms = {entry.arm: [one for one in entries if one.arm == entry.arm] for entry in entries}
    base = [100 * one.accuracy for one in arms[BASE]]
    lines = [HEAD, ("---",) * len(HEAD)]
    for arm, runs in arms.items():
        values = [100 * one.accuracy for one in runs]
        words = " ".join(word for word in runs[0].words if word not in arms[BASE][0].words)
        lines.append((
            arm,
            f"`{words or ' '.join(runs[0].words)}`",
            str(len(runs)),
            f"{statistics.mean(values):.2f}",
            f"{statistics.stdev(values):.2f}" if len(values) > 1 else "-",
            gap(values, base) if arm != BASE else "-",
            f"{statistics.mean(one.seconds for one in runs):.0f}",
        ))  # fmt: skip
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def gap(values: Sequence[float], base: Sequence[float]) -> str:
    """The difference of means in points, with its interval if there are seeds to tell a spread."""
    if min(len(values), len(base)) < 2:
        return f"{statistics.mean(values) - statistics.mean(base):+.2f}"
    found = welch(values, base)
    return f"{found.difference:+.2f} ({found.low:+.2f} to {found.high:+.2f})"


if __name__ == "__main__":
    sys.exit(main())
