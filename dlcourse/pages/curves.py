"""The deletion test as a plot: how many labels flip when so many words are deleted by each method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcourse.tasks.faithfulness import TITLES, Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {  # of Okabe and Ito, which every eye can tell apart
    "attention": "#E69F00",
    "gradient_x_input": "#009E73",
    "integrated_gradients": "#0072B2",
    "random": "#777777",
}


def flip_curves(report: Report) -> Figure:
    """One curve a method with its 95 % interval, over the share of the words on a logarithmic axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    for method, title in TITLES.items():
        rows = [row for row in report.rows if row.method == method]
        shares = [100 * row.share for row in rows]
        axes.fill_between(
            shares, [100 * row.flips.low for row in rows], [100 * row.flips.high for row in rows],
            color=COLOURS[method], alpha=0.18, linewidth=0,
        )  # fmt: skip
        dashes = "--" if method == "random" else "-"
        axes.plot(
            shares, [100 * row.flips.mean for row in rows], dashes, marker="o", color=COLOURS[method], label=title
        )
    shares = sorted({100 * row.share for row in report.rows})
    axes.set_xscale("log")
    axes.set_xticks(shares, [f"{share:g} %" for share in shares])
    axes.minorticks_off()
    axes.set_ylim(-2, 102)
    axes.set_xlabel("words deleted, those that the method ranks first")
    axes.set_ylabel("labels that flip, % (bands: 95 % intervals)")
    axes.set_title(f"{report.run}: {report.documents:,} documents of {report.split}", parse_math=False, fontsize=10)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    return figure
