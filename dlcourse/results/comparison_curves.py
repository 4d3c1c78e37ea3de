"""The learning curves of a comparison, for the terminal and for a figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from dlcourse.results.curves import Band, Split, band, read_curve
from dlcourse.results.groups import Group
from dlcourse.results.letters import letters
from dlcourse.results.plots import Panel
from dlcourse.results.spark import span_of, spark

if TYPE_CHECKING:
    from dlcourse.results.comparison import Comparison

MOST_SPARKS = 20
TALL = 4  # curves that get two lines of the terminal each, when there are no more


def bands(groups: tuple[Group, ...], *, split: Split, metric: str) -> dict[str, Band]:
    """The mean curve of each group that has one, over all its runs that recorded anything."""
    found: dict[str, Band] = {}
    for group in groups:
        curves = [read_curve(record, split=split, metric=metric) for record in group.records]
        if known := [curve for curve in curves if len(curve.steps)]:
            found[group.name] = band(known)
    return found


def panels(comparison: Comparison) -> list[Panel]:
    """Validation by what the groups are compared by, and the training loss; those without any curve are left out."""
    found: list[Panel] = []
    for stratum in comparison.strata:
        metric = stratum.question.metric
        val = bands(stratum.groups, split="val", metric=metric)
        found.append(Panel(f"validation {metric}{shade(val)}", metric, val))
        loss = bands(stratum.groups, split="train", metric="loss")
        found.append(Panel(f"training loss{shade(loss)}", "loss", loss))
    return [panel for panel in found if panel.named]


def shade(drawn: Mapping[str, Band]) -> str:
    """What the shades around the lines are, in brackets."""
    kinds = sorted({one.kind for one in drawn.values() if one.n > 1})
    return f"\nshade: {'; '.join(kinds)}" if kinds else ""


def sparks(comparison: Comparison, *, width: int) -> Iterator[str]:
    """Lines for the terminal: the validation curves of each stratum, all on one scale."""
    own = letters(comparison.groups)
    for stratum in comparison.strata:
        metric = stratum.question.metric
        drawn = bands(stratum.groups, split="val", metric=metric)
        if not drawn:
            continue
        span, last = span_of(list(drawn.values())), max(float(one.steps[-1]) for one in drawn.values())
        yield f"validation {metric}, {span[0]:.4g} to {span[1]:.4g} over {last:,.0f} steps"
        shown = list(drawn.items())[:MOST_SPARKS]
        for name, one in shown:
            lines = spark(one, width=width, height=2 if len(shown) <= TALL else 1, span=span, last=last)
            yield from (f"   {line}".rstrip() for line in lines[:-1])
            yield f"{own[name]:2} {lines[-1]} {one.mean[-1]:.4g}"
        if len(drawn) > len(shown):
            yield f"... and {len(drawn) - len(shown)} more"
        yield ""
