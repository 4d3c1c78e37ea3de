"""Learning curves as a figure; drawing imports matplotlib and leaves its global state alone."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dlcourse.fonts import characters, families
from dlcourse.results.curves import Band, Curve, Numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

# Of Okabe and Ito, which every eye can tell apart; their yellow is too pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", ":", "-.")
FEW = 40  # points that are marked one by one
FEW_LISTED, MOST_LISTED = 4, 28  # names that one legend has in one column, and at all
LONGEST = 60  # characters of a name, or of a line of a title
PER_INCH = 14  # characters of a note


@dataclass(frozen=True)
class Panel:
    """One plot of several beside each other.

    Args:
        title: stands above it.
        ylabel: what the values are.
        named: name -> its curve, or its mean and band; empty ones are left out.
    """

    title: str
    ylabel: str
    named: Mapping[str, Curve | Band]


def learning_curves(named: Mapping[str, Curve | Band], *, title: str, ylabel: str) -> Figure:
    """Curves over optimizer steps, a band as a line with a shade around it.

    Args:
        named: name -> curve; empty ones are left out.
        title: stands above the plot.
        ylabel: what the values are.
    """
    return side_by_side([Panel(title, ylabel, named)])


def side_by_side(panels: Sequence[Panel], *, title: str = "", note: str = "") -> Figure:
    """Plots in a row, each name in the same colour in all of them, with one legend below.

    Args:
        panels: the plots.
        title: stands above them all.
        note: a sentence that holds of them all; stands once below, over the names.

    Raises:
        ValueError: there is no panel.
    """
    if not panels:
        raise ValueError("panels must hold 1 or more, not 0")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(name for panel in panels for name in panel.named))
    beside = len(panels) if len(names) > FEW_LISTED else 1
    width = 1.5 + 5.5 * len(panels)
    below = textwrap.fill(drawable(note), width=round(PER_INCH * width))
    limits = {name: limits_of(panels, name=name) for name in names}
    lines_each = 2 if any(limits.values()) else 1
    rows = lines_each * math.ceil(min(len(names), MOST_LISTED) / beside) + len(below.splitlines())
    figure = Figure(figsize=(width, 4.4 + 0.2 * rows), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(drawable(title), parse_math=False, fontfamily=families(), fontsize=11)
    lines: dict[str, Line2D] = {}
    for place, panel in enumerate(panels, start=1):
        lines |= draw(figure.add_subplot(1, len(panels), place), panel, names=names)
    add_legend(figure, lines, columns=beside, limits=limits, note=below)
    return figure


def limits_of(panels: Sequence[Panel], *, name: str) -> str:
    """What the curves of this name do not show of their runs, said once if it is the same in all panels."""
    found = [panel.named[name] for panel in panels if name in panel.named]
    told = [one.limits for one in found if isinstance(one, Band) and len(one.steps)]
    return "; ".join(dict.fromkeys(one for one in told if one))


def draw(axes: Axes, panel: Panel, *, names: Sequence[str]) -> dict[str, Line2D]:
    """Draw a panel; name -> line, without the names of which nothing is known.

    Args:
        axes: empty.
        panel: what stands there.
        names: of all panels, whose order gives the colours.
    """
    lines: dict[str, Line2D] = {}
    for name, one in panel.named.items():
        values = one.mean if isinstance(one, Band) else one.values
        if not len(values):
            continue
        colour, dashes = look(names.index(name))
        mark = "." if len(values) <= FEW else ""
        lines[name] = axes.plot(one.steps, finite(values), dashes, marker=mark, color=colour, linewidth=1.5)[0]
        if isinstance(one, Band) and one.n > 1:
            axes.fill_between(one.steps, finite(one.low), finite(one.high), color=colour, alpha=0.15, linewidth=0)
    axes.set_title(
        textwrap.fill(drawable(panel.title), width=LONGEST), parse_math=False, fontfamily=families(), fontsize=10
    )
    axes.set_xlabel("optimizer steps")
    axes.set_ylabel(drawable(panel.ylabel), parse_math=False, fontfamily=families())
    axes.grid(alpha=0.25)
    if not lines:
        axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", va="center", color="#777777")
    return lines


def add_legend(
    figure: Figure, lines: Mapping[str, Line2D], *, columns: int, limits: Mapping[str, str], note: str
) -> None:
    """One legend below all plots; of very many names the first ones.

    Args:
        figure: whose it is.
        lines: name -> line.
        columns: how many names stand beside each other.
        limits: name -> what its curves do not show, which stands in a line below it.
        note: stands over the names.
    """
    listed = list(lines)[:MOST_LISTED]
    if not listed:
        return
    # Matplotlib keeps names that begin with an underscore for itself.
    labels = [f" {label}" if label.startswith("_") else label for label in map(shortened, listed)]
    labels = [
        f"{label}\n({limits[name]})" if limits[name] else label for label, name in zip(labels, listed, strict=True)
    ]
    if len(lines) > len(listed):
        labels[-1] += f" (and {len(lines) - len(listed)} more)"
    handles = [lines[name] for name in listed]
    legend = figure.legend(
        handles, labels, loc="outside lower center", frameon=False, ncols=columns, title=note or None
    )
    for text in (*legend.get_texts(), legend.get_title()):
        text.set_parse_math(False)
        text.set_fontfamily(families())
        text.set_fontsize(8)


def look(place: int) -> tuple[str, str]:
    """Colour and dashes of the curve at this place; 28 differ."""
    return COLOURS[place % len(COLOURS)], DASHES[place // len(COLOURS) % len(DASHES)]


def finite(values: Numbers) -> Numbers:
    """The values, those that are infinite as gaps, since an axis cannot reach there."""
    return np.where(np.isfinite(values), values, np.nan)


def shortened(name: str) -> str:
    """A name of one line that fits under a plot; the end, where names differ most, stays."""
    plain = drawable(" ".join(name.split()))
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST // 3]}…{plain[1 - 2 * LONGEST // 3 :]}"


def drawable(text: str) -> str:
    """The text, escaped where no font of this machine has the letter: matplotlib would draw a box and complain."""
    known = characters()
    return "".join(
        one if ord(one) in known or one == "\n" else one.encode("unicode_escape").decode("ascii") for one in text
    )
