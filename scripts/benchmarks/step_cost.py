"""What a training step of a pillar costs: CPU time (user and system), wall time, and the process's peak memory.

Each is trained in a process of its own, on random data of the real shape.
"""

from __future__ import annotations

import math
import resource
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.bucketing import drawn as drawn_reviews
from benchmarks.go_reading import drawn as drawn_games
from benchmarks.go_reading import reading
from benchmarks.table import COST, SAVING, Comparison, Row
from dlcourse.config.compose import compose
from dlcourse.data.base import Split, Splits
from dlcourse.data.go_positions import GoSplit
from dlcourse.data.image_set import ImageSet
from dlcourse.data.images import ImageSplit
from dlcourse.data.poems import PoemSplit
from dlcourse.data.sgf import Sgf
from dlcourse.data.texts import TextSplit
from dlcourse.run.parts import Parts, assemble
from dlcourse.run.prepare import begin
from dlcourse.text.characters import EOP_ID, FORM_IDS, RESERVED, CharacterEncoder
from dlcourse.text.ragged import Ragged
from dlcourse.training.loop import Requests, fit
from dlcourse.verse.forms import FORMS

CHARACTERS = 7_300  # about as many occur twice in the training poems of data=tang


def noise(parts: Parts, count: int) -> ImageSplit:
    """Random pixels, as many as CIFAR-10 has an image, augmented as the config says."""
    assert isinstance(parts.data, ImageSet)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (count, 32, 32, 3), dtype=torch.uint8, generator=generator)
    labels = torch.randint(10, (count,), generator=generator)
    mean, std = (128.0,) * 3, (74.0,) * 3
    return ImageSplit(images, labels, tuple("abcdefghij"), mean, std, parts.data.augmentation)


def reviews(parts: Parts, count: int) -> TextSplit:
    """Random words, in documents whose lengths are spread as those of IMDB are."""
    return drawn_reviews(count, parts=parts)


def poems(parts: Parts, count: int) -> PoemSplit:
    """Random characters in the four regulated forms, whose lengths three of four poems of data=tang have."""
    generator = np.random.default_rng(0)
    encoder = CharacterEncoder([*RESERVED, *(chr(0x4E00 + number) for number in range(CHARACTERS - len(RESERVED)))])
    forms = [list(FORMS)[number] for number in generator.integers(len(FORMS), size=count)]
    sizes = [FORMS[form].positions + FORMS[form].lines for form in forms]
    rows = [generator.integers(len(RESERVED), CHARACTERS, size=size).tolist() for size in sizes]
    documents = Ragged.of([[FORM_IDS[form], *row, EOP_ID] for form, row in zip(forms, rows, strict=True)])
    return PoemSplit(documents, texts=[""] * count, forms=forms, encoder=encoder)


def positions(parts: Parts, count: int) -> GoSplit:
    """Positions of games played at random."""
    assert isinstance(parts.data, Sgf)
    with tempfile.TemporaryDirectory() as name:
        # At least one game each to train, to validate and to test on.
        games = drawn_games(Path(name) / "games", count=max(3, math.ceil(count / 100)))
        data = Sgf(root=str(games), planes=parts.data.planes, min_moves=1, val_fraction=0.05, test_fraction=0.05)
        return reading(data, cache=Path(name) / "kept")


@dataclass(frozen=True)
class Pillar:
    """What is trained.

    Args:
        label: how the table names it.
        words: of the command line.
        choices: the options that they choose.
        data: makes the training split.
        warm: steps before the clock starts.
        steps: steps that are timed.
    """

    label: str
    words: tuple[str, ...]
    choices: Mapping[str, str]
    data: Callable[[Parts, int], Split[Any]]
    warm: int
    steps: int


PILLARS = (
    Pillar(
        "speednet, 2,000 images", ("experiment=cifar10_cpu", "init=none", "data.sizes=[]"),
        {"model": "speednet", "data": "cifar10"}, noise, 1, 3,
    ),
    Pillar(
        "speednet, 500 images", ("experiment=cifar10_cpu", "init=none", "data.sizes=[]", "batch_size=500"),
        {"model": "speednet", "data": "cifar10"}, noise, 2, 5,
    ),
    Pillar(
        "resnet18, 128 images", ("model=resnet18", "data=cifar10"), {"model": "resnet18", "data": "cifar10"},
        noise, 1, 3,
    ),
    Pillar(
        "BiGRU with attention, 64 reviews", ("experiment=imdb_course",), {"model": "bigru_attention", "data": "imdb"},
        reviews, 3, 8,
    ),
    Pillar(
        "LSTM, 64 poems", ("experiment=tang_course", "init=none"), {"model": "poetry_lstm", "data": "tang"},
        poems, 3, 8,
    ),
    Pillar(
        "Go network, 128 positions", ("experiment=go19_course", "data.epoch_size=null"),
        {"model": "go_policy", "data": "sgf"}, positions, 3, 8,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """Of a step, in seconds: CPU time, what of it the kernel took, wall time; of its process: the peak in MiB."""

    cpu: float
    kernel: float
    wall: float
    peak: float


def cost(pillar: Pillar, words: Sequence[str], *, quick: bool) -> Cost:
    """The steps of `fit` behind those that warm up, without validation and observers.

    Args:
        pillar: what is trained, on the CPU.
        words: further ones of the command line.
        quick: two steps of eight samples, to see that everything runs.
    """
    words = ["runtime.device=cpu", *pillar.words, *words, *(["batch_size=8"] if quick else [])]
    parts = assemble(compose(words), choices=pillar.choices)
    parts.runtime.apply()
    warm, steps = (1, 1) if quick else (pillar.warm, pillar.steps)
    size, last = parts.settings.batch_size, warm + steps
    settings = replace(parts.settings, max_steps=last, validate_every=f"{last}st", log_every=last)
    data = pillar.data(parts, size * last).to(parts.runtime.place, memory_format=parts.runtime.memory_format)
    splits = Splits(data, data, data)
    plan, state = begin(replace(parts, settings=settings), splits)
    before = clocks()
    for event in fit(parts.task, splits, state, plan=plan, runtime=parts.runtime, requests=Requests()):
        if event.step == warm:
            before = clocks()
        if event.step == last:
            break
    user, kernel, wall = ((now - then) / steps for now, then in zip(clocks(), before, strict=True))
    return Cost(user + kernel, kernel, wall, parts.runtime.peak_memory() / 2**20)


def clocks() -> tuple[float, float, float]:
    """Seconds of this process's own work, of the kernel's work for it, and by the clock on the wall."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime, used.ru_stime, time.perf_counter()


def in_its_own(pillar: Pillar, words: Sequence[str], *, quick: bool) -> Cost:
    """`cost` in a process of its own: what an allocator was told holds for all of it."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(cost, pillar, words, quick=quick).result()


def alternating(
    pillar: Pillar, arms: Mapping[str, Sequence[str]], *, repetitions: int, quick: bool
) -> dict[str, list[Cost]]:
    """The costs of every arm, round for round; every other round goes backwards.

    Args:
        pillar: what is trained.
        arms: name -> the words that make it.
        repetitions: rounds.
        quick: as `cost` has it.
    """
    taken: dict[str, list[Cost]] = {name: [] for name in arms}
    for number in range(repetitions):
        for name in list(arms) if number % 2 == 0 else reversed(arms):
            taken[name].append(in_its_own(pillar, arms[name], quick=quick))
    return taken


def row(name: str, unit: str, taken: Mapping[str, list[Cost]], of: Callable[[Cost], float], how: Comparison) -> Row:
    """One number of the first arm's costs against the second's."""
    ours, peer = (tuple(map(of, costs)) for costs in taken.values())
    return Row(name, unit, ours, peer, how)


def rows(name: str, taken: Mapping[str, list[Cost]]) -> list[Row]:
    """Of the first arm's costs against the second's: CPU time, wall time and peak memory."""
    return [
        row(f"{name}: CPU time", "CPU s/step", taken, lambda cost: cost.cpu, SAVING),
        row(f"{name}: wall time", "s/step", taken, lambda cost: cost.wall, SAVING),
        row(f"{name}: peak memory", "MiB", taken, lambda cost: cost.peak, COST),
    ]
