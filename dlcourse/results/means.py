"""Mean and band of runs that differ in their seed or fold, of every number that they recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dlcourse.files import parse_object
from dlcourse.folders import RunFolder, is_record
from dlcourse.results.curves import Band, Curve, band
from dlcourse.results.groups import Group, fold_of, grouped, replicate
from dlcourse.results.record import RunRecord

MOST_POINTS = 500  # of a training curve; TensorBoard draws at most 1,000 and would pick others of each edge
ASIDE = frozenset({"lr", "grad_norm", "loss_scale", "skipped"})
"""What the optimizer does, which no seed is compared by; TensorBoard shows these of single runs."""


@dataclass(frozen=True)
class Mean:
    """One group's curves.

    Args:
        name: the group's.
        records: the runs that the mean is of, 2 or more of them, each with a seed or fold of its own.
        bands: TensorBoard's tag, such as val/accuracy -> mean and band; none is empty.
    """

    name: str
    records: tuple[RunRecord, ...]
    bands: Mapping[str, Band]

    @property
    def over_folds(self) -> bool:
        """Whether its band is over folds, which share training data: it is too narrow then."""
        return len({fold_of(record) for record in self.records}) > 1

    @property
    def complete(self) -> bool:
        """Whether nothing will be added to its curves."""
        return all(record.state == "done" for record in self.records)


def means(records: Sequence[RunRecord], *, by: Sequence[str] = ()) -> list[Mean]:
    """The mean of every group of runs that has one, in the order of the groups.

    Args:
        records: the runs.
        by: dotted settings by which they are grouped; without any, runs that differ in their seed or fold alone are
            a group.

    Raises:
        ConfigError: no run has a setting of such a name.
    """
    found = [(group, averaged(group)) for group in grouped(records, by=by)]
    made = [Mean(group.name, chosen, bands_of(chosen)) for group, chosen in found if len(chosen) > 1]
    return [mean for mean in made if mean.bands]


def averaged(group: Group) -> tuple[RunRecord, ...]:
    """The runs that a group's mean is of: one of each seed and fold, the newest, and as long a curve as there can be.

    A mean ends where its shortest curve does. So runs that broke off are left out, and those that still train too as
    soon as two have come to their end.
    """
    whole = distinct([record for record in group.records if record.state == "done"])
    if len(whole) > 1:
        return whole
    return distinct([record for record in group.records if record.state in ("done", "running") and record.step])


def distinct(records: Sequence[RunRecord]) -> tuple[RunRecord, ...]:
    """The newest of those that repeat each other in everything, which are no independent measurements."""
    newest = {replicate(record): record for record in sorted(records, key=lambda record: record.began)}
    return tuple(record for record in records if newest[replicate(record)] is record)


def bands_of(records: Sequence[RunRecord]) -> dict[str, Band]:
    """TensorBoard's tag -> mean and band, of all numbers that every one of these runs has."""
    every = [curves_of(record) for record in records]
    shared = [tag for tag in every[0] if all(tag in curves for curves in every)]
    # Each run is tested once, at its own best step, so the points of a test are put on one step.
    last = max(record.step for record in records)
    return {
        tag: band([moved(curves[tag], step=last) if tag.startswith("test/") else curves[tag] for curves in every])
        for tag in shared
    }


def moved(curve: Curve, *, step: int) -> Curve:
    """Its last point alone, at another step."""
    return Curve(np.array([step], dtype=np.int64), curve.epochs[-1:], curve.values[-1:])


def curves_of(record: RunRecord) -> dict[str, Curve]:
    """TensorBoard's tag -> curve, of everything in metrics.jsonl but what the optimizer does.

    Of a long training every second line is read, every fourth, and so on, since parsing is what takes the time.
    """
    try:
        lines = RunFolder(record.path).metrics.read_bytes().splitlines()
    except OSError:
        return {}
    steps = [line for line in lines if b'"train"' in line]
    others = [line for line in lines if b'"train"' not in line]
    points: dict[str, dict[int, tuple[float, float]]] = {}
    for line in [*others, *steps[:: stride(len(steps))]]:
        found = parse_object(line)
        if not is_record(found):
            continue
        for name, value in found["scalars"].items():
            if name not in ASIDE:
                # A resumed run writes some steps again: the later line counts.
                points.setdefault(f"{found['split']}/{name}", {})[found["step"]] = (found["epoch"], value)
    return {tag: curve(values) for tag, values in points.items()}


def stride(count: int) -> int:
    """Which power of two keeps at most MOST_POINTS of so many; powers, so that a longer run keeps what it has shown."""
    found = 1
    while count > found * MOST_POINTS:
        found *= 2
    return found


def curve(points: Mapping[int, tuple[float, float]]) -> Curve:
    """Points by step as a curve."""
    steps = sorted(points)
    return Curve(
        np.array(steps, dtype=np.int64),
        np.array([points[step][0] for step in steps], dtype=np.float64),
        np.array([points[step][1] for step in steps], dtype=np.float64),
    )
