"""The learning curves of a comparison, for the terminal and for a figure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlcourse.results.counted import counted
from dlcourse.results.curves import Band, Curve, Split, band, read_curve
from dlcourse.results.letters import letters
from dlcourse.results.plots import Panel
from dlcourse.results.spark import span_of, spark

if TYPE_CHECKING:
    from dlcourse.results.comparison import Comparison, Stratum
    from dlcourse.results.record import RunRecord

MOST_SPARKS = 20
TALL = 4  # curves that get two lines of the terminal each, when there are no more


def bands(stratum: Stratum, *, split: Split, metric: str) -> dict[str, Band]:
    """The mean curve of each group that has one, over the very runs that its numbers count."""
    asked = stratum.question
    found: dict[str, Band] = {}
    for group in stratum.groups:
        runs = counted(group, split=asked.split, metric=asked.metric).values()
        curves = [curve for repeats in runs if (curve := mean_curve(repeats, split=split, metric=metric)) is not None]
        if curves:
            found[group.name] = band(curves)
    return found


def mean_curve(repeats: Sequence[RunRecord], *, split: Split, metric: str) -> Curve | None:
    """The curve of one measurement, over runs that repeat each other; None if none recorded it."""
    curves = [read_curve(record, split=split, metric=metric) for record in repeats]
    known = [curve for curve in curves if len(curve.steps)]
    if len(known) < 2:
        return known[0] if known else None
    middle, first = band(known), known[0]
    return Curve(middle.steps.astype("int64"), np.interp(middle.steps, first.steps, first.epochs), middle.mean)


def panels(comparison: Comparison) -> list[Panel]:
    """Validation by what the groups are compared by, and the training loss; those without any curve are left out."""
    found: list[Panel] = []
    for stratum in comparison.strata:
        metric = stratum.question.metric
        val = bands(stratum, split="val", metric=metric)
        found.append(Panel(f"validation {metric}", metric, val))
        loss = bands(stratum, split="train", metric="loss")
        found.append(Panel("training loss", "loss", loss))
    return [panel for panel in found if panel.named]


def shade(drawn: Iterable[Panel]) -> str:
    """What the shades around the lines are, in a sentence; empty without any."""
    counts = {one.n for panel in drawn for one in panel.named.values() if isinstance(one, Band) and one.n > 1}
    kinds = [
        *(["95 % interval of the mean over runs"] if max(counts, default=0) > 2 else []),
        *(["of two runs what lies between them"] if 2 in counts else []),
    ]
    return f"Shade: {'; '.join(kinds)}." if kinds else ""


def sparks(comparison: Comparison, *, width: int) -> Iterator[str]:
    """Lines for the terminal: the validation curves of each stratum, all on one scale."""
    own = letters(comparison.groups)
    for stratum in comparison.strata:
        metric = stratum.question.metric
        drawn = bands(stratum, split="val", metric=metric)
        if not drawn:
            continue
        span, last = span_of(list(drawn.values())), max(float(one.steps[-1]) for one in drawn.values())
        yield f"validation {metric}, {span[0]:.4g} to {span[1]:.4g} over {last:,.0f} steps"
        shown = list(drawn.items())[:MOST_SPARKS]
        for name, one in shown:
            lines = spark(one, width=width, height=2 if len(shown) <= TALL else 1, span=span, last=last)
            yield from (f"   {line}".rstrip() for line in lines[:-1])
            yield f"{own[name]:2} {lines[-1]} {one.mean[-1]:.4g}"
        yield from (f"{own[name]}: {one.limits}" for name, one in shown if one.limits)
        if len(drawn) > len(shown):
            yield f"... and {len(drawn) - len(shown)} more"
        yield ""
