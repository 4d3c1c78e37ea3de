"""Figures of Go boards with how probable each move is; drawing imports matplotlib and leaves its global state alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlcourse.fonts import families
from dlcourse.go.points import BLACK, COLUMNS, WHITE, pass_point

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BESIDE = 3  # boards in a row
SIDE = 4.0  # of a board, inches
LINE = 0.25  # inches of height for a line of text
NUMBERED = 5  # of the most probable moves
LEAST_NUMBERED = 0.01  # a rarer move would be a bare 0
WOOD, HEAT, PLAYED = (0.93, 0.79, 0.55), (0.10, 0.35, 0.80), (0.80, 0.10, 0.15)


@dataclass(frozen=True)
class Board:
    """A position and what somebody thinks of it.

    Args:
        title: what stands above it.
        stones: of each point from the top left, row by row: 0 none, 1 black, 2 white.
        chances: of each point and, last, of a pass, how probable a move it is.
        played: the move that was made there, or None.
        last: the point of the move before, or None.
    """

    title: str
    stones: Sequence[int]
    chances: Sequence[float]
    played: int | None = None
    last: int | None = None

    def __post_init__(self) -> None:
        if len(self.stones) != self.size**2:
            raise ValueError(f"stones must be those of a square board, not {len(self.stones)}")
        if len(self.chances) != len(self.stones) + 1:
            raise ValueError(f"chances must be {len(self.stones) + 1}, one a point and a pass, not {len(self.chances)}")

    @property
    def size(self) -> int:
        """Lines of the board."""
        return math.isqrt(len(self.stones))


def draw_boards(boards: Sequence[Board], *, note: str = "") -> Figure:
    """Boards side by side: the bluer a point the more probable, the best moves with their percentages.

    Args:
        boards: one or more.
        note: a line below them.

    Raises:
        ValueError: there is no board.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not boards:
        raise ValueError("boards must be one or more")
    columns = min(BESIDE, len(boards))
    rows = math.ceil(len(boards) / columns)
    titled = LINE * max(board.title.count("\n") + 1 for board in boards)
    below = LINE * (note.count("\n") + 1) if note else 0.0
    # The coordinates take as much height as a line.
    height = (SIDE + LINE + titled) * rows + below
    figure = Figure(figsize=(SIDE * columns, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    for place, board in enumerate(boards, 1):
        _draw(figure.add_subplot(rows, columns, place), board)
    if note:
        figure.supxlabel(note, fontsize=9, color="gray")
    return figure


def _draw(axes: Axes, board: Board) -> None:
    """One board; what lies above other things is drawn later."""
    from matplotlib.collections import LineCollection

    size, end = board.size, board.size - 1
    axes.set_facecolor(WOOD)
    best = sorted(range(len(board.chances)), key=lambda move: -board.chances[move])[:NUMBERED]
    named = [move for move in best if board.chances[move] >= LEAST_NUMBERED]
    # A pass has no point to be written at.
    passing = f", pass {percent(board.chances[pass_point(size)])}" if pass_point(size) in named else ""
    axes.set_title(board.title + passing, parse_math=False, fontfamily=families(), fontsize=9)

    across = [((0, line), (end, line)) for line in range(size)]
    down = [((line, 0), (line, end)) for line in range(size)]
    axes.add_collection(LineCollection([*across, *down], colors="black", linewidths=0.5, zorder=1))
    _circles(axes, stars(size), size=size, diameter=0.22, zorder=1, facecolors="black")

    largest = max(board.chances) or 1.0
    shades = [(*HEAT, 0.9 * math.sqrt(max(0.0, chance) / largest)) for chance in board.chances]
    rows = [shades[row * size : (row + 1) * size] for row in range(size)]
    axes.imshow(rows, interpolation="nearest", zorder=2)
    for colour, face in ((BLACK, "black"), (WHITE, "white")):
        stones = [point for point, stone in enumerate(board.stones) if stone == colour]
        _circles(axes, stones, size=size, diameter=0.92, zorder=3, facecolors=face, edgecolors="black", linewidths=0.5)
    for move in named:
        if move != pass_point(size):
            row, column = divmod(move, size)
            text = percent(board.chances[move]).removesuffix(" %")
            axes.text(column, row, text, ha="center", va="center", fontsize=6, color="white", weight="bold", zorder=5)
    for move, colour, diameter in ((board.last, HEAT, 0.35), (board.played, PLAYED, 0.92)):
        if move is not None and move != pass_point(size):
            ring = {"facecolors": "none", "edgecolors": [colour], "linewidths": 1.5}
            _circles(axes, [move], size=size, diameter=diameter, zorder=4, **ring)

    axes.set_xlim(-0.7, end + 0.7)
    axes.set_ylim(end + 0.7, -0.7)
    axes.set_xticks(range(size), list(COLUMNS[:size]), fontsize=6)
    axes.set_yticks(range(size), [str(size - row) for row in range(size)], fontsize=6)
    axes.tick_params(length=0)


def _circles(axes: Axes, points: Sequence[int], *, size: int, diameter: float, zorder: int, **look: Any) -> None:
    """Circles around points; the diameter is in the lines' distances."""
    from matplotlib.collections import EllipseCollection

    if not points:
        return
    places, sides = [divmod(point, size)[::-1] for point in points], [diameter] * len(points)
    circles = EllipseCollection(
        sides,
        sides,
        [0] * len(points),
        units="x",
        offsets=places,
        offset_transform=axes.transData,
        zorder=zorder,
        **look,
    )
    axes.add_collection(circles)


def stars(size: int) -> list[int]:
    """The points that a board of so many lines marks: corners, on odd boards the middle, from 13 lines on the sides."""
    if size < 7:
        return []
    edge = 2 if size < 13 else 3
    lines = sorted({edge, size // 2, size - 1 - edge}) if size % 2 else [edge, size - 1 - edge]
    crossings = [(row, column) for row in lines for column in lines]
    if size < 13:
        crossings = [(row, column) for row, column in crossings if (row == size // 2) == (column == size // 2)]
    return [row * size + column for row, column in crossings]


def percent(chance: float) -> str:
    """Rounded down, so that 100 % means that nothing was left for other moves; never 0, which would mean impossible."""
    return f"{math.floor(100 * chance)} %" if chance >= 0.01 else "<1 %"
