"""What a condition on runs says: comparisons joined by and, or and not, in a logic of three values."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol, cast

from dlcourse.results.fields import MISSING, shown, value_of
from dlcourse.results.record import RunRecord

ORDER: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Condition(Protocol):
    """What holds of a run, does not, or (None) is neither, since the run lacks what it speaks of."""

    def holds(self, record: RunRecord) -> bool | None: ...

    def comparisons(self) -> Iterable[Comparison]: ...


@dataclass(frozen=True)
class Comparison:
    """A name compared with a value; `value` is another name if `by_name`."""

    name: str
    sign: str
    value: object
    by_name: bool = False

    def holds(self, record: RunRecord) -> bool | None:
        mine = value_of(record, self.name)
        other = value_of(record, str(self.value)) if self.by_name else self.value
        return None if mine is MISSING or other is MISSING else _compare(mine, self.sign, other)

    def comparisons(self) -> Iterable[Comparison]:
        yield self


@dataclass(frozen=True)
class Not:
    """The opposite; what a run lacks is still neither."""

    inner: Condition

    def holds(self, record: RunRecord) -> bool | None:
        held = self.inner.holds(record)
        return None if held is None else not held

    def comparisons(self) -> Iterable[Comparison]:
        return self.inner.comparisons()


@dataclass(frozen=True)
class Joined:
    """Several conditions, `all` of them or any."""

    parts: tuple[Condition, ...]
    all: bool

    def holds(self, record: RunRecord) -> bool | None:
        held = [part.holds(record) for part in self.parts]
        if (not self.all) in held:
            return not self.all
        return None if None in held else self.all

    def comparisons(self) -> Iterable[Comparison]:
        return (one for part in self.parts for one in part.comparisons())


def never_comparable(one: Comparison, records: Sequence[RunRecord]) -> str | None:
    """What is wrong if no run's value can stand in this order to the other."""
    if one.sign not in ORDER:
        return None
    values = [value for record in records if (value := value_of(record, one.name)) not in (MISSING, None)]
    if one.by_name or not values or any(_compare(value, one.sign, one.value) is not None for value in values):
        return None
    return f"{one.name} is {shown(values[0])}, which {one.sign} cannot order against {shown(one.value)}; use == or ~"


def _compare(mine: object, sign: str, other: object) -> bool | None:
    if sign == "in":
        return any(_compare(mine, "==", one) for one in cast("Sequence[object]", other))
    if sign == "!=":
        return not _compare(mine, "==", other)
    if isinstance(mine, list | tuple) and not isinstance(other, list | tuple):  # tags, betas: any of them
        held = [_compare(one, sign, other) for one in cast("Sequence[object]", mine)]
        return None if held and all(one is None for one in held) else True in held
    if sign == "==":
        return _equal(mine, other)
    if sign == "~":
        return None if mine is None else fnmatchcase(shown(mine).casefold(), f"*{shown(other).casefold()}*")
    if isinstance(mine, bool) or isinstance(other, bool):
        return None
    if (isinstance(mine, str) and isinstance(other, str)) or (_is_number(mine) and _is_number(other)):
        return ORDER[sign](cast("float", mine), cast("float", other))
    return None


def _equal(mine: object, other: object) -> bool:
    if isinstance(mine, list | tuple) and isinstance(other, list | tuple):
        pairs = zip(cast("Sequence[object]", mine), cast("Sequence[object]", other), strict=False)
        return len(cast("Sequence[object]", mine)) == len(cast("Sequence[object]", other)) and all(
            _equal(one, two) for one, two in pairs
        )
    return mine == other and isinstance(mine, bool) == isinstance(other, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)
