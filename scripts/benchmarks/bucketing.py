"""What batches of similar length save a BiGRU with attention: reviews a second against random batches, and memory."""

from __future__ import annotations

import math
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from benchmarks.loop import warm_interleaved
from benchmarks.table import COST, GAIN, Row
from dlcourse.config.compose import compose
from dlcourse.config.settings import Settings
from dlcourse.data.base import Splits
from dlcourse.data.buckets import POOL_BATCHES
from dlcourse.data.texts import TextSplit
from dlcourse.run.parts import Parts, assemble
from dlcourse.text.encoders import build_encoder
from dlcourse.text.ragged import Ragged
from dlcourse.training.loop import Requests, fit
from dlcourse.training.plan import Plan
from dlcourse.training.state import State

CHOICES = {"model": "bigru_attention", "data": "imdb"}
WORDS = ("model=bigru_attention", "data=imdb", "runtime.device=cpu")
LONGEST = (400, 800)  # of imdb_course and of imdb_best
MEAN_LENGTH, SPREAD = 270, 0.64  # tokens of a review in IMDB, and the standard deviation of their logarithm


def parts_of(*words: str) -> Parts:
    """What `dlcourse train model=bigru_attention data=imdb` builds; no data is read."""
    return assemble(compose([*WORDS, *words]), choices=CHOICES)


def drawn(count: int, *, parts: Parts) -> TextSplit:
    """As many random documents as asked for, whose lengths are spread as those of IMDB are."""
    generator = np.random.default_rng(0)
    lengths = generator.lognormal(math.log(MEAN_LENGTH) - SPREAD**2 / 2, SPREAD, size=count).astype(np.int64) + 1
    offsets = np.concatenate([[0], lengths.cumsum()])
    ids = generator.integers(2, int(str(parts.data.facts()["vocab_size"])), size=offsets[-1], dtype=np.int32)
    encoder = build_encoder(["a"], tokenizer="words", max_tokens=3, min_freq=1)  # nobody asks which words these are
    labels = torch.from_numpy(generator.integers(2, size=count))
    return TextSplit(
        documents=Ragged(ids, offsets), labels=labels, classes=("neg", "pos"), encoder=encoder, max_length=400
    )


def real(count: int, *, parts: Parts) -> TextSplit:
    """So many reviews of the training split, drawn at random."""
    train = parts.data.load().train
    assert isinstance(train, TextSplit)
    chosen = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[:count]
    return replace(train, documents=train.documents.select(chosen.numpy()), labels=train.labels[chosen])


def epoch_seconds(data: TextSplit, *, bucket: bool, settings: Settings) -> float:
    """Wall seconds of one epoch of `fit`, from the order of its batches to its last optimizer step."""
    parts = parts_of()
    data = replace(data, bucket=bucket)
    steps = data.steps(settings.batch_size)
    plan = Plan.make(replace(settings, max_steps=steps, validate_every=f"{steps}st"), steps_per_epoch=steps)
    parts.runtime.apply()
    model = parts.runtime.placed(parts.model)
    state = State(
        model=model, optimizer=parts.optimizer, schedule=parts.schedule(plan.clock), scaler=parts.runtime.scaler()
    )
    splits = Splits(data, data, data)
    began = time.perf_counter()
    for event in fit(parts.task, splits, state, plan=plan, runtime=parts.runtime, requests=Requests()):
        if event.step == steps:
            break
    return time.perf_counter() - began


def reviews_per_second(data: TextSplit, *, bucket: bool, settings: Settings) -> float:
    """Training reviews a second over one epoch: both arms see the same reviews, each once."""
    reviews = data.steps(settings.batch_size) * settings.batch_size
    return reviews / epoch_seconds(data, bucket=bucket, settings=settings)


def peak_memory(*, bucket: bool, root: Path | None, quick: bool, longest: int) -> float:
    """MiB: the most that a process has held after a few epochs of one arm."""
    data, settings = prepared(root, quick=quick)
    data = replace(data, max_length=longest)
    for epoch in range(1 if quick else 3):
        # Another seed is another order, so that every epoch brings shapes of its own, as in a run.
        epoch_seconds(data, bucket=bucket, settings=replace(settings, seed=epoch))
    return parts_of().runtime.peak_memory() / 2**20


def prepared(root: Path | None, *, quick: bool) -> tuple[TextSplit, Settings]:
    """One sorted pool of batches, of real reviews if `root` says where they lie, and the settings of the run."""
    parts = parts_of(*([] if root is None else [f"data.root={root}"]))
    settings = replace(parts.settings, batch_size=4) if quick else parts.settings
    count = (2 if quick else POOL_BATCHES) * settings.batch_size
    return (drawn if root is None else real)(count, parts=parts), settings


def in_its_own(*, bucket: bool, root: Path | None, quick: bool, longest: int) -> float:
    """`peak_memory` in a process of its own."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(peak_memory, bucket=bucket, root=root, quick=quick, longest=longest).result()


def measure(*, repetitions: int, quick: bool, root: Path | None = None) -> list[Row]:
    """An epoch is one sorted pool of batches, as long as in a run, so that the arms differ as they do there.

    Args:
        repetitions: rounds of both arms.
        quick: two small batches, to see that everything runs.
        root: the folder of the real reviews; None draws documents of such lengths.
    """
    # First, because a process on Linux begins with the peak of the one that started it.
    peaks = {
        longest: [in_its_own(bucket=bucket, root=root, quick=quick, longest=longest) for bucket in (True, False)]
        for longest in LONGEST
    }
    data, settings = prepared(root, quick=quick)
    rows: list[Row] = []
    for longest, (ours, peer) in peaks.items():
        speed = partial(reviews_per_second, replace(data, max_length=longest), settings=settings)
        taken = warm_interleaved(
            {"bucketed": partial(speed, bucket=True), "random": partial(speed, bucket=False)}, repetitions=repetitions
        )
        label = f"bucketing, {longest} words of {'lengths as IMDB has' if root is None else 'IMDB'}"
        rows.append(Row(label, "reviews/s", taken["bucketed"], taken["random"], GAIN, 1.8))
        rows.append(Row(f"{label}: peak memory", "MiB", (ours,), (peer,), COST))
    return rows
