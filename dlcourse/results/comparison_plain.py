"""A comparison as plain data, every number at full precision."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from dlcourse.results.conclusion import TESTS
from dlcourse.results.groups import Group
from dlcourse.results.verdict import Verdict

if TYPE_CHECKING:
    from dlcourse.results.comparison import Stratum
    from dlcourse.results.contrast import Contrast


def group_plain(group: Group) -> dict[str, object]:
    """A group with its runs."""
    runs = [
        {
            "run": one.name,
            "title": one.title,
            "seed": seed,
            "state": one.state,
            "val": finite(one.val),
            "test": finite(one.test),
        }
        for one, seed in zip(group.records, group.seeds, strict=True)
    ]
    return {"name": group.name, "settings": dict(group.differs), "runs": runs}


def stratum_plain(stratum: Stratum, *, names: Mapping[str, str]) -> dict[str, object]:
    """What was compared, the summaries and the differences; `names` are what sentences call the groups."""
    own = {name: group for group, name in names.items()}
    summaries = [
        {"group": group.name, **({} if one is None else asdict(one))}
        for group, one in zip(stratum.groups, stratum.summaries, strict=True)
    ]
    return {
        **asdict(stratum.question),
        "summaries": summaries,
        "differences": [difference_plain(one, own=own) for one in stratum.verdicts],
        "pairs": [pair_plain(one, own=own) for one in stratum.pairs],
    }


def pair_plain(verdict: Verdict, *, own: Mapping[str, str]) -> dict[str, object]:
    """One of all differences, as far as the correction of the p-values needs it; `family` is corrected by itself."""
    one = verdict.contrast
    return {
        "first": own[one.first],
        "second": own[one.second],
        "difference": one.difference,
        "test": TESTS.get(one.basis),
        "p_value": one.p_value,
        "p_holm": verdict.adjusted,
        "family": verdict.kind,
        "comparisons": verdict.family,
    }


def difference_plain(verdict: Verdict, *, own: Mapping[str, str]) -> dict[str, object]:
    """One difference, with everything that was tested; `own` are the groups' names by what sentences call them."""
    one = verdict.contrast
    return {
        "first": own[one.first],
        "second": own[one.second],
        "basis": one.basis,
        **interval_plain(one),
        "p_value": one.p_value,
        "p_holm": verdict.adjusted,
        "comparisons": verdict.family,
        "p_permutation": one.exact,
        "paired": None if one.paired is None else {**asdict(one.paired.interval), "p_value": one.paired.p_value},
        "only_first_right": None if one.discordance is None else one.discordance.only_first,
        "only_second_right": None if one.discordance is None else one.discordance.only_second,
        "items": one.items or None,
        "same_items": verdict.same_items,
        "sentence": verdict.sentence,
    }


def interval_plain(one: Contrast) -> dict[str, float | None]:
    """The difference and the ends of its interval."""
    if one.tested is None:
        return {"difference": one.difference, "low": None, "high": None}
    return asdict(one.tested.interval)


def finite(numbers: object) -> dict[str, float | None]:
    """Numbers of a run; None where one is not finite, for JSON has no such numbers."""
    assert isinstance(numbers, dict)
    return {str(name): value if math.isfinite(value) else None for name, value in numbers.items()}
