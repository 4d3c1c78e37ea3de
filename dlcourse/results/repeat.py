"""Whether a run that was trained again came out as before: identical, within a tolerance, or not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dlcourse.results.groups import experiment, training_data
from dlcourse.results.record import RunRecord

Verdict = Literal["identical", "within tolerance", "not reproduced"]
FEWEST_SEEDS = 3  # whose spread says something of the next one
SHARES = frozenset({"accuracy", "top5", "f1", "precision", "recall"})
"""Metrics that are a share of the items, so that their number says what is chance."""
RELATIVE = 0.01  # of a metric of which nothing is known
ASIDE = frozenset({"torch"})  # packages that are told with what exactness hangs on


@dataclass(frozen=True)
class Tolerance:
    """How far the decisive metric may be off, in its own unit, and why so far."""

    value: float
    reason: str


@dataclass(frozen=True)
class Repetition:
    """What two trainings of one config came to.

    Args:
        verdict: identical if every number of every record is the same to the last bit.
        records: how many records were compared.
        metric: what decides, such as test/accuracy; empty if the two share neither a test nor a validation.
        before: its value in the first training.
        now: its value in the second one.
        tolerance: what was allowed.
        first: where they part, such as "train/loss at step 50"; empty if they never do.
        rows: the numbers of the last validation and of the test that differ: name, before, now.
    """

    verdict: Verdict
    records: int
    metric: str
    before: float
    now: float
    tolerance: Tolerance
    first: str
    rows: tuple[tuple[str, float, float], ...]

    @property
    def sentence(self) -> str:
        """What can be said."""
        if self.verdict == "identical":
            return f"identical: all {self.records} records have the same numbers to the last bit"
        if not self.metric:
            return "not reproduced: the two runs share neither a test nor a validation"
        reached = "within" if self.verdict == "within tolerance" else "beyond"
        return (
            f"{self.verdict}: {self.metric} was {self.before:.6g}, is {self.now:.6g}, {reached} the tolerance of "
            f"{self.tolerance.value:.2g} ({self.tolerance.reason}); the runs part in {self.first}"
        )


def repetition(
    before: Iterable[Mapping[str, Any]], now: Iterable[Mapping[str, Any]], *, decisive: str, tolerance: Tolerance
) -> Repetition:
    """Hold the records of a second training against those of the first.

    What the first did not come to record is left out, since a run that was stopped is repeated to its end.

    Args:
        before: the records of metrics.jsonl.
        now: likewise of the second training.
        decisive: the metric by which the best checkpoint is chosen.
        tolerance: how far it may be off.
    """
    old, new = by_place(before), by_place(now)
    shared = [place for place in old if place in new]
    parting = [
        f"{split}/{name}" + (f" at step {step}" if step else "")
        for split, step in old
        for name in sorted({*old[split, step], *new.get((split, step), {})})
        if not same(old[split, step].get(name), new.get((split, step), {}).get(name))
    ]
    last = {split: (split, step) for split, step in sorted(shared) if split != "train"}
    judged = last.get("test", last.get("val"))
    then, again = (old[judged].get(decisive, math.nan), new[judged].get(decisive, math.nan)) if judged else (0.0, 0.0)
    close = judged is not None and (same(then, again) or abs(then - again) <= tolerance.value)
    return Repetition(
        verdict="identical" if shared and not parting else "within tolerance" if close else "not reproduced",
        records=len(shared),
        metric=f"{judged[0]}/{decisive}" if judged else "",
        before=then,
        now=again,
        tolerance=tolerance,
        first=parting[0] if parting else "",
        rows=tuple(
            (f"{split}/{name}", old[place][name], new[place][name])
            for split, place in last.items()
            for name in old[place]
            if name in new[place] and not same(old[place][name], new[place][name])
        ),
    )


def by_place(records: Iterable[Mapping[str, Any]]) -> dict[tuple[str, int], Mapping[str, float]]:
    """Split and step -> numbers; the test, which each run has at its own best step, stands at 0."""
    return {(one["split"], 0 if one["split"] == "test" else one["step"]): one["scalars"] for one in records}


def same(one: float | None, other: float | None) -> bool:
    """Whether two numbers are the same; not a number is the same as not a number."""
    return one == other or (one is not None and other is not None and math.isnan(one) and math.isnan(other))


def tolerance_of(record: RunRecord, others: Sequence[RunRecord], *, items: int | None) -> Tolerance:
    """How far a second training may be off if neither seed nor settings decided anything but chance.

    Args:
        record: the run that is repeated.
        others: runs among which some may differ from it in the seed alone.
        items: how many the decisive metric was measured on; None if that is unknown.
    """
    name = record.decisive[0]
    seeds = {
        str(one.settings.get("seed")): (one.test or one.val)[name]
        for one in [*others, record]
        if experiment(one) == experiment(record)
        and training_data(one) == training_data(record)
        and one.state == "done"
        and bool(one.test) == bool(record.test)
        and name in (one.test or one.val)
    }
    values = [value for value in seeds.values() if math.isfinite(value)]
    if len(values) >= FEWEST_SEEDS and len(set(values)) > 1:
        from scipy.special import stdtrit

        reach = -float(stdtrit(len(values) - 1, 0.025)) * float(np.std(values, ddof=1)) * math.sqrt(2)
        return Tolerance(reach, f"as far as 95 % of two seeds are apart, by the spread of {len(values)} seeds")
    value = (record.test or record.val).get(name, math.nan)
    if name in SHARES and items and 0 <= value <= 1:
        reach = 1.96 * math.sqrt(value * (1 - value) / items)
        return Tolerance(reach, f"half the 95 % interval of such a share of {items:,} items")
    return Tolerance(abs(RELATIVE * value), f"{RELATIVE:.0%} of it, as there are no {FEWEST_SEEDS} seeds to compare")


def beside(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What else changed in environment.json: packages, CUDA, platform, source revision; one phrase each."""
    old, new = ({**mapping(of.get("packages")), **_git(of)} for of in (before, now))
    found = [
        f"{name} was {old[name]}, is {new.get(name)}"
        for name in old
        if name not in ASIDE and old[name] != new.get(name)
    ]
    found += [
        f"{name} was {before[name]}, is {now.get(name)}"
        for name in ("cuda", "platform")
        if name in before and before[name] != now.get(name)
    ]
    if mapping(before.get("git")).get("dirty"):
        found.append("the files of the source revision had been changed, and no commit holds them so")
    return found


def _git(environment: Mapping[str, Any]) -> dict[str, object]:
    commit = mapping(environment.get("git")).get("commit")
    return {} if commit is None else {"the source revision": str(commit)[:12]}


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}
