"""What the deletion test says of attention: McNemar's test against chance and against gradients, as a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlcourse.statistics import Hits

JUDGED = 0.1  # the share of the words whose deletion the conclusion speaks of
LEVEL = 0.05  # the p-value below which two methods differ
RIVALS = ("random", "integrated_gradients")  # what attention is tested against
FLAT = 0.9  # normalised entropy from which attention is called nearly flat


@dataclass(frozen=True)
class Contest:
    """Attention against another method on the same documents, a tenth of whose words is deleted.

    Args:
        rival: the other method.
        only_attention: in how many documents the label flips by attention alone.
        only_rival: in how many by the other alone.
        p_value: how probable so uneven a split is if both are as good (McNemar's exact test, two-sided).
    """

    rival: str
    only_attention: int
    only_rival: int
    p_value: float

    @property
    def outcome(self) -> int:
        """1: attention flips more labels by more than chance explains, -1: fewer, 0: not resolved."""
        if self.p_value >= LEVEL:
            return 0
        return 1 if self.only_attention > self.only_rival else -1


def contests(flips: Mapping[str, Hits]) -> tuple[Contest, ...]:
    """Attention against chance and against integrated gradients, by McNemar's exact test over the same documents.

    The rival is named before the numbers are seen: the better of two gradients would win more often than it is better.

    Args:
        flips: by method, bool [N]: whose label flips once a tenth of the words is deleted.
    """
    from dlcourse.statistics import mcnemar  # scipy.stats takes a second, and whoever shows a report needs none

    found = {rival: mcnemar(flips["attention"], flips[rival]) for rival in RIVALS}
    return tuple(Contest(rival, one.only_first, one.only_second, one.p_value) for rival, one in found.items())


def conclude(contests: Sequence[Contest], *, rates: Mapping[str, float], documents: int, entropy: float) -> str:
    """One plain sentence about attention.

    Args:
        contests: against each of `RIVALS`.
        rates: by method, the part of the documents whose label flips when a tenth of the words is deleted.
        documents: how many there were.
        entropy: attention's mean normalised entropy.
    """
    chance, gradients = (next(one for one in contests if one.rival == rival) for rival in RIVALS)
    verdict = VERDICTS[chance.outcome, gradients.outcome]
    flat = f"; its weights are nearly flat (normalised entropy {entropy:.2f})" if entropy >= FLAT else ""
    tested = f"{p_text(chance.p_value)} against chance, {p_text(gradients.p_value)} against integrated gradients"
    return (
        f"With {JUDGED:.0%} of the words deleted the label flips in {rates['attention']:.1%} of "
        f"{documents:,} documents by attention, {rates['integrated_gradients']:.1%} by integrated gradients and "
        f"{rates['random']:.1%} at random, so {verdict}{flat} (exact McNemar test on the same documents: {tested})."
    ).replace("%", " %")


def p_text(p_value: float) -> str:
    """`p = 0.034`, or `p < 0.001` where more digits would say no more."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


_UNRESOLVED = "whether it finds as many as integrated gradients is not resolved with so many documents: take more"
_UNTOLD = "with so many documents it is not resolved whether attention does better than chance: take more"
_MISSES = (
    "attention points at words that matter more than chance, but finds fewer of those that decide than integrated "
    "gradients, by more than chance explains: do not read it as the explanation"
)
_UNPROVEN = (
    "attention is not shown to find more of what decides than chance does, and finds less than integrated gradients: "
    "do not read it as an explanation"
)
_MISLEADS = "attention finds less of what decides than chance does: do not read it as an explanation"
VERDICTS: Mapping[tuple[int, int], str] = {
    (1, 1): "here attention finds more of the deciding words than integrated gradients, by more than chance explains",
    (1, 0): f"attention points at words that matter more than chance; {_UNRESOLVED}",
    (1, -1): _MISSES,
    (0, 1): _UNTOLD,
    (0, 0): _UNTOLD,
    (0, -1): _UNPROVEN,
    (-1, 1): _MISLEADS,
    (-1, 0): _MISLEADS,
    (-1, -1): _MISLEADS,
}
"""By attention's outcome against chance and against integrated gradients."""
