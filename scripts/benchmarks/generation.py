"""Writing quatrains that keep all rules, on one core: poems per CPU second, against the bare steps of the model."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from itertools import product

import torch

from benchmarks.table import Row, interleaved
from dlcourse.models.poetry_lstm import PoetryLSTM
from dlcourse.tasks.composing import ROWS, compose
from dlcourse.tasks.outlines import Request, outline
from dlcourse.tasks.sampling import USUAL
from dlcourse.text.characters import FORM_IDS, RESERVED
from dlcourse.verse.forms import form_named
from dlcourse.verse.table import rhyme_table

TOKENS = 7_300  # about as many characters occur twice in the training poems of data=tang
POEMS = 4 * ROWS
WANTED = 200.0


def measure(*, repetitions: int, quick: bool) -> list[Row]:
    """The peer reads as many tokens and makes the same logits, but chooses nothing: no decoder could be faster."""
    torch.set_num_threads(1)
    model = writer(32 if quick else 256)
    count = ROWS if quick else POEMS
    rows: list[Row] = []
    for form, precision in product(("5jue", "7jue"), ("bf16", "fp32")):  # experiment=tang_course takes bf16
        arms = {
            "ours": within(precision, partial(poems_per_second, model, form, count=count)),
            "peer": within(precision, partial(bare, model, form)),
        }
        taken = interleaved(arms, repetitions=repetitions)
        name = f"generation, {form} by all rules, {precision}"
        rows.append(Row(name, "poems/CPU s", taken["ours"], taken["peer"]))
        wanted = (WANTED,) * repetitions
        rows.append(Row(f"{name}, against what is wanted", "poems/CPU s", taken["ours"], wanted, target=1.0))
    return rows


def within(precision: str, measured: Callable[[], float]) -> Callable[[], float]:
    """The same under autocast, if the precision is low."""

    def run() -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            return measured()

    return run


def writer(size: int) -> PoetryLSTM:
    """Two layers of `size` units; its characters are as frequent as words are by Zipf's law."""
    torch.manual_seed(0)
    model = PoetryLSTM(vocab_size=TOKENS, embedding_size=size, hidden_size=size)
    with torch.no_grad():
        model.output_bias[len(RESERVED) :] = -torch.arange(1, TOKENS - len(RESERVED) + 1).log()
    return model


def poems_per_second(model: PoetryLSTM, form: str, *, count: int) -> float:
    """Of one call that writes `count` poems, their plans made within that time."""
    table = rhyme_table()
    vocabulary = [*RESERVED, *sorted(table.known)][:TOKENS]
    began = time.process_time()
    compose(model, outline(Request(form), vocabulary, table=table), count=count, seed=0, sampling=USUAL)
    return count / (time.process_time() - began)


@torch.no_grad()  # as composing does: inference mode would convert the weights anew at every step
def bare(model: PoetryLSTM, form: str) -> float:
    """The model's steps alone."""
    tokens, state = torch.full((ROWS,), FORM_IDS[form]), model.start_state(ROWS)
    shape = form_named(form)
    began = time.process_time()
    for _ in range(shape.positions + shape.lines + 1):
        _, state = model.advance(tokens, state)
    return ROWS / (time.process_time() - began)
