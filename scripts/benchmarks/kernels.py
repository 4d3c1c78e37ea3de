"""What runtime.kernels saves and costs in a training step of the networks with 3x3 convolutions, all threads."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.step_cost import PILLARS, Pillar, alternating, rows
from benchmarks.table import Row

ARMS = {word: (f"runtime.kernels={word}",) for word in ("own", "torch")}
FROZEN = "freeze=[whiten.bias@1st]"
"""As the speed run is behind its third epoch."""


def variant(pillar: Pillar, label: str, *words: str) -> Pillar:
    """The same with further words."""
    return replace(pillar, label=label, words=(*pillar.words, *words))


SPEEDNET, _, RESNET, _, _, GO = PILLARS
SPEED_RUN = replace(SPEEDNET, warm=5)  # as many steps as it takes to have all the memory that later ones use
CASES = (
    variant(SPEED_RUN, "speednet, 2,000 images of 32 pixels", FROZEN),
    variant(SPEED_RUN, "the same of 28 pixels", FROZEN, "data.sizes=[28,28,28,28,28,28,28,28,28]"),
    variant(SPEED_RUN, "the same of 24 pixels", FROZEN, "data.sizes=[24,24,24,24,24,24,24,24,24]"),
    RESNET,
    variant(RESNET, f"{RESNET.label} in fp32", "runtime.precision=fp32"),
    GO,
)


def measure(*, repetitions: int, quick: bool) -> list[Row]:
    """Ours is runtime.kernels=own, the peer runtime.kernels=torch.

    Args:
        repetitions: rounds of both arms of every pillar.
        quick: two steps of eight samples, to see that everything runs.
    """
    made: list[Row] = []
    for pillar in CASES:
        taken = alternating(pillar, ARMS, repetitions=repetitions, quick=quick)
        made += rows(f"kernels, {pillar.label}", taken)
    return made
