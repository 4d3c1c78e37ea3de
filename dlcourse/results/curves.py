"""Learning curves of run folders, and the mean of several with its band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dlcourse.files import parse_object
from dlcourse.folders import RunFolder, is_record
from dlcourse.results.record import RunRecord

Split = Literal["train", "val", "test"]
Numbers = NDArray[np.float64]
MOST_STEPS = 1 << 53  # what a float64 counts exactly


@dataclass(frozen=True)
class Curve:
    """One metric of one run.

    Args:
        steps: int64 [N], optimizer steps, rising.
        epochs: float64 [N], the same in epochs.
        values: float64 [N]; nan or infinite where training was.
    """

    steps: NDArray[np.int64]
    epochs: Numbers
    values: Numbers


@dataclass(frozen=True)
class Band:
    """The mean of several curves.

    Args:
        steps: float64 [N], optimizer steps, rising.
        mean: float64 [N].
        low: float64 [N], the band's lower edge: of the mean's 95 % t interval, or of two curves the lower one.
        high: likewise the upper edge.
        n: how many curves it is of.
        longest: the last step of the longest of them, which may lie behind its own.
        alone: how many curves of a single point were left out, since the others are longer.
    """

    steps: Numbers
    mean: Numbers
    low: Numbers
    high: Numbers
    n: int
    longest: float = 0.0
    alone: int = 0

    @property
    def kind(self) -> str:
        """What lies between its edges, in words."""
        return {1: "one run", 2: "both runs"}.get(self.n, f"95 % interval of the mean of {self.n} runs")

    @property
    def limits(self) -> str:
        """What of its runs the mean does not show, in words; empty if it shows them whole."""
        runs = "1 run" if self.alone == 1 else f"{self.alone} runs"
        parts = [
            *([f"to step {self.steps[-1]:,.0f}, where the shortest ends"] if self.longest > self.steps[-1] else []),
            *([f"without {runs} of a single point"] if self.alone else []),
        ]
        return "; ".join(parts)


def read_curve(record: RunRecord, *, split: Split, metric: str) -> Curve:
    """A metric over a run's records of one split; empty if there is none.

    Damaged lines are left out, and of two records of one step the later counts: a resumed run writes it again.
    """
    mark = f'"{split}"'.encode()
    points: dict[int, tuple[float, float]] = {}
    metrics = RunFolder(record.path).metrics
    if metrics.is_file():
        with metrics.open("rb") as lines:
            for line in lines:
                # A run may have 10,000 lines, and reading one as JSON takes as long as passing over twenty.
                if mark not in line:
                    continue
                found = parse_object(line)
                if is_record(found) and found["split"] == split and metric in found["scalars"]:
                    try:
                        point = float(found["epoch"]), float(found["scalars"][metric])
                    except OverflowError:  # a whole number of hundreds of digits
                        continue
                    if abs(found["step"]) < MOST_STEPS:
                        points[found["step"]] = point
    steps = sorted(points)
    return Curve(
        np.array(steps, dtype=np.int64),
        np.array([points[step][0] for step in steps], dtype=np.float64),
        np.array([points[step][1] for step in steps], dtype=np.float64),
    )


def band(curves: Sequence[Curve]) -> Band:
    """The mean of curves and how far it may be off, at the steps that they share.

    Curves of other steps are interpolated between their own, from the latest start to the earliest end, so that each
    point is a mean of all of them. One of a single point would leave nothing else of the longer ones, so it is left
    out; `limits` says both. Three curves or more have the mean's 95 % t interval as their band; of two that
    would be 13 standard errors wide, so their band is what lies between them, and one has none.

    Raises:
        ValueError: there is no curve, or one of them is empty.
    """
    if not curves or not all(len(curve.steps) for curve in curves):
        raise ValueError(f"curves must hold 1 or more that are not empty, not {[len(curve.steps) for curve in curves]}")
    whole = [curve for curve in curves if len(curve.steps) > 1] or curves
    alone, curves = len(curves) - len(whole), whole
    first, longest = curves[0], float(max(curve.steps[-1] for curve in curves))
    if all(np.array_equal(curve.steps, first.steps) for curve in curves):
        steps = first.steps.astype(np.float64)
        values = np.stack([curve.values for curve in curves])
    else:
        steps = common_steps(curves)
        values = np.stack([np.interp(steps, curve.steps, curve.values) for curve in curves])
    mean, count = values.mean(axis=0), len(curves)
    if count < 3:
        return Band(steps, mean, values.min(axis=0), values.max(axis=0), count, longest, alone)
    from scipy.special import stdtrit

    reach = -stdtrit(count - 1, 0.025) * values.std(axis=0, ddof=1) / np.sqrt(count)
    return Band(steps, mean, mean - reach, mean + reach, count, longest, alone)


def common_steps(curves: Sequence[Curve]) -> Numbers:
    """Every step of any curve, from the latest start to the earliest end; the earliest end alone if they never meet."""
    begin, end = max(curve.steps[0] for curve in curves), min(curve.steps[-1] for curve in curves)
    every = np.unique(np.concatenate([curve.steps for curve in curves])).astype(np.float64)
    within = every[(every >= begin) & (every <= end)]
    return within if len(within) else np.array([end], dtype=np.float64)
