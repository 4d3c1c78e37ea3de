"""What a run can be asked by name: its settings, its numbers, and a few facts such as state and time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from dlcourse.results.record import RunRecord


class Missing:
    """What a run says of a name that it lacks; null is a value."""


MISSING = Missing()
FACTS: Mapping[str, Callable[[RunRecord], object]] = {
    "name": lambda record: (record.name, record.title) if record.title else (record.name,),
    "title": lambda record: record.title,
    "state": lambda record: record.state,
    "tags": lambda record: record.tags,
    "time": lambda record: record.seconds,
    "began": lambda record: record.began.isoformat(sep=" ", timespec="seconds")[:19],
    "step": lambda record: record.step,
    "epoch": lambda record: record.epoch,
    "exit_code": lambda record: record.exit_code,
}


def value_of(record: RunRecord, name: str) -> object:
    """The value of a fact, a setting (`optimizer.lr`, `model`) or a number (`test.accuracy`, `val.loss`, `accuracy`).

    A bare number is the test's; of a run without a test, the best validation's.
    """
    if name in FACTS:
        return FACTS[name](record)
    if name in record.settings:
        return record.settings[name]
    split, _, number = name.partition(".")
    of_split = {"test": record.test, "val": record.val}.get(split, {})
    for numbers, key in ((of_split, number), (record.test or record.val, name)):
        if key in numbers:
            return numbers[key]
    return MISSING


def known_names(records: Iterable[RunRecord]) -> set[str]:
    """Every name that `value_of` knows of one run at least."""
    found = set(FACTS)
    for record in records:
        found.update(record.settings)
        for split, numbers in (("test", record.test), ("val", record.val)):
            found.update(numbers)
            found.update(f"{split}.{number}" for number in numbers)
    return found


def shown(value: object) -> str:
    """A value in words as the command line writes it: true, null, [0.9,0.999]."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, list | tuple):
        return f"[{','.join(map(shown, value))}]"  # pyright: ignore[reportUnknownArgumentType]
    return str(value)
