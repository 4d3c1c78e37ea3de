"""What can and what cannot be concluded from a difference, in one plain sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from dlcourse.results.contrast import Contrast
from dlcourse.statistics import holm

LEVEL = 0.05
"""A difference counts as more than chance below this p-value."""
NOT_EQUAL = "that does not show that they are equal."
LOWER = ("loss", "perplexity", "ece", "brier", "error", "nll", "bits")
"""Beginnings of the names of metrics whose lower values are better."""

KINDS = {"seeds": "over runs", "folds": "over runs", "one": "over runs", "items": "over test items", "none": "untested"}
"""Basis of a contrast -> the family of tests that it is corrected with."""

Direction = Literal["max", "min"]


@dataclass(frozen=True)
class Question:
    """What is compared.

    Args:
        split: val (the best validation) or test.
        metric: its name in the records.
        direction: "max" if a higher value is better, else "min".
    """

    split: str
    metric: str
    direction: Direction

    def __str__(self) -> str:
        return f"{self.split} {self.metric}"

    @property
    def better(self) -> str:
        """How a better value compares."""
        return "higher" if self.direction == "max" else "lower"


@dataclass(frozen=True)
class Verdict:
    """A contrast among its family.

    Args:
        contrast: the difference.
        question: of what.
        adjusted: the p-value after Holm's correction over the family; None if there is no test.
        family: how many comparisons of its kind were made at once: over runs, or over test items.
        same_items: whether both sides were tested on data of one fingerprint.
    """

    contrast: Contrast
    question: Question
    adjusted: float | None
    family: int
    same_items: bool = True

    @property
    def kind(self) -> str:
        """The family that it belongs to."""
        return KINDS[self.contrast.basis]

    @property
    def decided(self) -> bool:
        """Whether the difference is more than chance."""
        return self.adjusted is not None and self.adjusted < LEVEL

    @property
    def better(self) -> tuple[str, str]:
        """The names of the better and the worse arm as measured."""
        first, second = self.contrast.first, self.contrast.second
        leads = (self.contrast.difference > 0) == (self.question.direction == "max")
        return (first, second) if leads else (second, first)

    @property
    def sentence(self) -> str:
        """What can and what cannot be concluded."""
        if self.contrast.tested is not None and self.adjusted is None:
            text = without_spread(self)
        else:
            text = SENTENCES[self.contrast.basis](self)
        if self.same_items or self.contrast.basis == "none":
            return text
        return f"If both were tested on the same items, which their fingerprints do not show: {text}"


def judge(contrasts: Sequence[Contrast], *, question: Question) -> list[Verdict]:
    """Verdicts whose p-values are corrected for all the comparisons that were looked at.

    A test over test items asks whether two runs differ, one over runs whether their settings do: each kind is a family
    of its own.

    Args:
        contrasts: every comparison that was made.
        question: of what.
    """
    families: dict[str, list[tuple[int, float]]] = {}
    for place, one in enumerate(contrasts):
        if one.p_value is not None:
            families.setdefault(KINDS[one.basis], []).append((place, one.p_value))
    raised = {
        place: adjusted
        for family in families.values()
        for (place, _), adjusted in zip(family, holm([p_value for _, p_value in family]), strict=True)
    }
    return [
        Verdict(one, question, raised.get(place), max(1, len(families.get(KINDS[one.basis], []))))
        for place, one in enumerate(contrasts)
    ]


def of_families(verdicts: Sequence[Verdict]) -> str:
    """How many comparisons are corrected for, as in: 3 comparisons over runs and, by themselves, 1 over test items."""
    sizes = {one.kind: one.family for one in verdicts if one.adjusted is not None}
    if len(sizes) < 2:
        return f"{max(sizes.values(), default=1)} comparisons"
    first, second = sizes.items()
    return f"{first[1]} comparisons {first[0]} and, by themselves, the {second[1]} {second[0]}"


def over_seeds(verdict: Verdict) -> str:
    """Several runs on both sides."""
    test = "Welch's test, {} and {} runs".format(*ordered(verdict))
    decided = "more than seeds explain, on this data; nothing is said about other data or settings."
    return between_arms(verdict, test=test, decided=decided, rest=NOT_EQUAL)


def over_folds(verdict: Verdict) -> str:
    """The same folds on both sides."""
    test = f"t test over {verdict.contrast.counts[0]} pairs of the same fold"
    decided = "more than the scatter of folds explains; nothing is said about other data, settings or seeds."
    return between_arms(verdict, test=test, decided=decided, rest=NOT_EQUAL)


def one_against_seeds(verdict: Verdict) -> str:
    """One run against several."""
    single = verdict.contrast.first if verdict.contrast.counts[0] == 1 else verdict.contrast.second
    rest = f"{single} is a single run, so this holds only if its seeds scatter as the other side's do: train more."
    test = f"one run against {max(verdict.contrast.counts)}"
    return between_arms(verdict, test=test, decided=f"more than seeds explain; {rest}", rest=rest)


def between_arms(verdict: Verdict, *, test: str, decided: str, rest: str) -> str:
    """A sentence over what the runs measured.

    Args:
        verdict: the difference.
        test: how it was tested.
        decided: what follows if it is more than chance.
        rest: what must be added if it is not.
    """
    one, other = verdict.better
    told = f"{interval(verdict)}, {p_text(verdict)}, {test}"
    if verdict.decided:
        size = plain(abs(verdict.contrast.difference))
        better = f"{verdict.question.better} {verdict.question}"
        return f"{one} has a {better} than {other}, by {size} ({told}), {decided}"
    return (
        f"No difference in {verdict.question} between {one} and {other} can be told from chance ({gap(verdict)}; "
        f"{told}); {rest}"
    )


def over_items(verdict: Verdict) -> str:
    """One run each on the same test items."""
    one, other = verdict.better
    items = f"the {verdict.contrast.items:,} test items"
    told = f"{interval(verdict)}, {p_text(verdict)}, McNemar's test"
    if verdict.decided:
        return (
            f"On {items} this run of {one} is right more often than this run of {other}, by "
            f"{plain(abs(verdict.contrast.difference))} ({told}), more than the choice of the items explains; one run "
            "each says nothing about seeds, so another seed may turn it round."
        )
    return (
        f"On {items} no difference between these runs of {one} and {other} can be told from chance ({gap(verdict)}; "
        f"{told}); one run each says nothing about seeds."
    )


def without_test(verdict: Verdict) -> str:
    """One run each and nothing else."""
    return (
        f"Nothing can be concluded about {verdict.question} of {verdict.contrast.first} and {verdict.contrast.second} "
        f"({gap(verdict)}): one run each says nothing about seeds, and {verdict.contrast.why}; train each with several "
        "seeds."
    )


def without_spread(verdict: Verdict) -> str:
    """Several runs that all measured the same."""
    one, other = verdict.better
    return (
        f"{one} has a {verdict.question.better} {verdict.question} than {other} ({gap(verdict)}), but no run of "
        "either differs from the others of its group, so there is nothing to judge chance by: take more seeds, or more "
        "test data."
    )


SENTENCES: dict[str, Callable[[Verdict], str]] = {
    "seeds": over_seeds,
    "folds": over_folds,
    "one": one_against_seeds,
    "items": over_items,
    "none": without_test,
}


def asides(verdicts: Sequence[Verdict]) -> list[str]:
    """What else a reader of the conclusion should know, a sentence each."""
    found: list[str] = []
    weak = [
        one for one in verdicts if one.decided and one.contrast.basis == "seeds" and not by_permutation(one.contrast)
    ]
    if weak:
        least = min(one.contrast.least for one in weak)
        bound = f"cannot go below {least:.2g} with so few" if least >= LEVEL else "is less sure"
        where = f" in {len(weak)} of these comparisons" if len(verdicts) > 1 else ""
        found.append(
            f"The permutation test, which supposes nothing of how runs scatter, {bound}{where}: the conclusion "
            "rests on runs that scatter normally."
        )
    for verdict in verdicts:
        paired = verdict.contrast.paired
        if paired is not None and paired.p_value is not None and (paired.p_value < LEVEL) != verdict.decided:
            low, middle, high = paired.interval.low, paired.interval.difference, paired.interval.high
            found.append(
                f"{verdict.contrast.first} less {verdict.contrast.second} paired by seed is {signed(middle)} (95 % "
                f"interval {signed(low)} to {signed(high)}, p {small(paired.p_value)}); who picks the kinder of two "
                "tests afterwards errs more often than it says, so Welch's decides."
            )
    return found


def by_permutation(one: Contrast) -> bool:
    """Whether the permutation test agrees that it is more than chance, or was not made for there are many runs."""
    return one.exact is None or one.exact < LEVEL


def ordered(verdict: Verdict) -> tuple[int, int]:
    """How many measurements the better and the worse arm have."""
    counts = verdict.contrast.counts
    return counts if verdict.better[0] == verdict.contrast.first else (counts[1], counts[0])


def gap(verdict: Verdict) -> str:
    """The measured difference."""
    if not verdict.contrast.difference:
        return "both measured the same"
    return f"{verdict.better[0]} is better by {plain(abs(verdict.contrast.difference))}"


def interval(verdict: Verdict) -> str:
    """The interval, in the direction in which the measured difference is positive."""
    assert verdict.contrast.tested is not None
    found = verdict.contrast.tested.interval
    low, high = (found.low, found.high) if verdict.contrast.difference >= 0 else (-found.high, -found.low)
    return f"95 % interval {signed(low)} to {signed(high)}"


def p_text(verdict: Verdict) -> str:
    """The p-value that decides."""
    assert verdict.adjusted is not None
    corrected = f" after Holm's correction for {verdict.family} comparisons" if verdict.family > 1 else ""
    return f"p {small(verdict.adjusted)}{corrected}"


def small(p_value: float) -> str:
    """A p-value as it is written, with its sign of equality."""
    return "< 0.0001" if p_value < 0.0001 else f"= {p_value:.2g}"


def plain(value: float) -> str:
    """A difference to three significant places."""
    return f"{value:.3g}"


def signed(value: float) -> str:
    """A difference with its sign."""
    return f"{value:+.3g}"
