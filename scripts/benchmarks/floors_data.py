"""Drawn files in the form of the real sets, so that a run reads them by its ordinary way; lengths are as in those."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.bucketing import MEAN_LENGTH, SPREAD
from benchmarks.own_path import noise_files
from dlcourse.data.imdb_files import FOLDER as REVIEWS
from dlcourse.data.tang_files import COLLECTION, FILES
from dlcourse.data.tang_files import FOLDER as POEMS

WORDS, CHARACTERS = 40_000, 7_300
TRAINING = 1_800  # of each class: what is left after validation are the 50 batches that are sorted together
FORMS = ((4, 5), (4, 7), (8, 5), (8, 7))  # lines and characters of a line
POEMS_A_FILE = 70  # all in all 3,600 to train on, more than the 50 batches that are sorted together
GAMES = 30


def zipf(count: int, *, size: int | tuple[int, ...], generator: np.random.Generator) -> NDArray[np.int64]:
    """Numbers below `count`, drawn as often as words of that rank by Zipf's law."""
    chances = (1 / np.arange(1, count + 1)).cumsum()
    return np.searchsorted(chances, generator.random(size) * chances[-1]).clip(max=count - 1)


def images(folder: Path) -> Path:
    """CIFAR-10's six files of random pixels."""
    with noise_files() as root:
        for made in root.iterdir():
            shutil.move(made, folder)
    return folder


def reviews(folder: Path) -> Path:
    """A fourteenth of IMDB's labelled reviews, and a handful of those that training leaves alone."""
    generator = np.random.default_rng(0)
    words = np.array([word(number) for number in range(WORDS)])
    counts = {"train/neg": TRAINING, "train/pos": TRAINING, "train/unsup": 100, "test/neg": 50, "test/pos": 50}
    for part, count in counts.items():
        target = folder / REVIEWS / part
        target.mkdir(parents=True)
        lengths = generator.lognormal(math.log(MEAN_LENGTH) - SPREAD**2 / 2, SPREAD, size=count).astype(np.int64) + 1
        for number, length in enumerate(lengths):
            drawn = words[zipf(WORDS, size=int(length), generator=generator)]
            (target / f"{number}_1.txt").write_text(" ".join(drawn), encoding="utf-8")
    return folder


def word(number: int) -> str:
    """Another one of letters for each number."""
    letters = "" if number >= 26 else "a"
    while number or not letters:
        number, digit = divmod(number, 26)
        letters += chr(ord("a") + digit)
    return letters + "x"


def poems(folder: Path) -> Path:
    """A fourteenth of the Tang poems, all of the four forms."""
    generator = np.random.default_rng(0)
    target = folder / COLLECTION / POEMS
    target.mkdir(parents=True)
    for name in FILES:
        found: list[dict[str, object]] = []
        for _ in range(POEMS_A_FILE):
            lines, length = FORMS[generator.integers(len(FORMS))]
            ids = zipf(CHARACTERS, size=(lines, length), generator=generator)
            text = ["".join(chr(0x4E00 + one) for one in line) for line in ids]
            paragraphs = [f"{first}，{second}。" for first, second in zip(text[::2], text[1::2], strict=True)]
            found.append({"paragraphs": paragraphs, "title": ""})
        (target / name).write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
    return folder


def games(folder: Path) -> Path:
    """Games of legal moves at random on 19 lines."""
    from benchmarks.go_reading import drawn

    return drawn(folder / "sgf", count=GAMES)


MAKERS: Mapping[str, Callable[[Path], Path]] = {"images": images, "reviews": reviews, "poems": poems, "games": games}
"""Each writes below an empty folder and gives what `data.root` is to name."""
