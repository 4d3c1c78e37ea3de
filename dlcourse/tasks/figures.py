"""Figures of what a classifier takes for what; drawing imports matplotlib and leaves its global state alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from dlcourse.fonts import characters, families

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_NUMBERED = 20  # classes; with more, the counts would be too small to read
LONGEST_NAME = 18  # characters
COLUMNS = 5


def confusion_matrix(counts: Tensor, *, classes: Sequence[str]) -> Figure:
    """How often the row's class was taken for the column's; the colour is the share of the row.

    Args:
        counts: int64 [K, K], the truth in rows.
        classes: K names.
    """
    from matplotlib.colors import PowerNorm

    size = len(classes)
    side = min(4 + 0.32 * size, 14)  # inches
    cell = 0.72 * side * 72 / size  # points, about: the rest of the side is for the names
    shares = counts.double() / counts.sum(1, keepdim=True).clamp(min=1)
    total = int(counts.sum())
    accuracy = int(counts.diagonal().sum()) / max(total, 1)

    figure = _figure(side, 0.9 * side)
    axes = figure.add_subplot()
    # By the square root, so that a share of 2 % can still be told from none.
    picture = axes.imshow(shares.numpy(), cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1), interpolation="nearest")
    bar = figure.colorbar(picture, ax=axes, shrink=0.6, ticks=[0, 0.05, 0.2, 0.5, 1])
    bar.set_label("share of the true class")
    labels, fonts, points = _labels(classes), families(), max(4.0, min(10.0, 0.8 * cell))
    # Upright names need the height of a line each, level ones their whole width.
    turn = 0 if max(map(len, labels)) * 7 <= cell else 90
    axes.set_xticks(range(size), labels, rotation=turn, parse_math=False, fontfamily=fonts, fontsize=points)
    axes.set_yticks(range(size), labels, parse_math=False, fontfamily=fonts, fontsize=points)
    axes.tick_params(length=2 if size <= MOST_NUMBERED else 0)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(f"{total:,} items, accuracy {accuracy:.2%}")
    if size <= MOST_NUMBERED:
        for row, column in counts.nonzero().tolist():
            axes.text(
                column,
                row,
                str(int(counts[row, column])),
                ha="center",
                va="center",
                fontsize=max(5.0, min(11.0, 0.33 * cell)),
                color="white" if shares[row, column] > 0.35 else "black",
            )
    return figure


def mistakes(
    pixels: Tensor,
    *,
    truths: Sequence[int],
    predictions: Sequence[int],
    probabilities: Sequence[float],
    classes: Sequence[str],
) -> Figure:
    """A grid of images that were taken for something else, up to five in a row.

    Args:
        pixels: uint8 [B, H, W, C], C being 1 or 3.
        truths: B classes, what they are.
        predictions: B classes, what they were taken for.
        probabilities: B numbers in 0..1, how surely.
        classes: K names.
    """
    columns = min(COLUMNS, math.ceil(math.sqrt(len(pixels))))
    rows = math.ceil(len(pixels) / columns)
    labels = _labels(classes)
    figure = _figure(max(3.6, 1.7 * columns), 0.5 + 2.0 * rows)
    figure.suptitle("true → predicted, the worst first", fontsize=10)
    items = zip(pixels.cpu(), truths, predictions, probabilities, strict=True)
    for place, (image, truth, prediction, probability) in enumerate(items, 1):
        axes = figure.add_subplot(rows, columns, place)
        # One channel is drawn in grey; matplotlib ignores the colour map of three.
        axes.imshow(image.squeeze(-1).numpy(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        # Rounded down: "100%" shall mean that nothing was left for the truth.
        caption = f"{labels[truth]}\n→ {labels[prediction]} {math.floor(100 * probability)}%"
        axes.set_title(caption, parse_math=False, fontfamily=families(), fontsize=8)
        axes.set_axis_off()
    return figure


def _figure(width: float, height: float) -> Figure:
    """An empty figure, inches, that no global list of figures knows and that needs no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _labels(names: Sequence[str]) -> list[str]:
    """The names as they can be drawn: long ones lose their middle; `#3` for one that no font here can write."""
    return [
        _shortened(name) if characters().issuperset(map(ord, name)) else f"#{place}" for place, name in enumerate(names)
    ]


def _shortened(name: str) -> str:
    # The end tells `maple_tree_1` from `maple_tree_2`, so it is the middle that goes.
    half = LONGEST_NAME // 2
    return name if len(name) <= LONGEST_NAME else f"{name[:half]}…{name[1 - half :]}"
