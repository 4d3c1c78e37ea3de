"""Which runs of a group its numbers count, so that numbers and curves are of the same ones."""

from __future__ import annotations

from collections.abc import Hashable

from dlcourse.results.caveats import usable
from dlcourse.results.groups import Group, replicate
from dlcourse.results.record import RunRecord


def counted(group: Group, *, split: str, metric: str) -> dict[Hashable, list[RunRecord]]:
    """Measurement -> its runs: several repeat each other in everything and are one measurement, their mean.

    Runs that did not finish, and those without a finite number, are none.
    """
    found: dict[Hashable, list[RunRecord]] = {}
    for record in group.records:
        if usable(record, split=split, metric=metric) is not None:
            found.setdefault(replicate(record), []).append(record)
    return found
