"""`dlcourse suggest run=RUN game.sgf move=57`: what a trained policy would play in a position of a recorded game."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from dlcourse.commands.arguments import argument, read
from dlcourse.errors import ConfigError, DataError

if TYPE_CHECKING:
    from dlcourse.go.board import Board
    from dlcourse.go.leniently import Opened

PURPOSE = (
    "Show a position of a recorded game with the moves that a trained network would play, such as:\n"
    "dlcourse suggest run=latest game.sgf move=57 shows the position before move 57, and what was played there.\n"
    "A record that is cut short or breaks the rules is read up to there."
)
MOST = 9
"""So many moves have a digit to be marked with."""
LEGEND = "X black, O white, ( ) the last move; 1, 2, ...: the ranks of the network's moves"
HEAD = "rank  move  probability"
NOTE = "numbers: probability of a move in percent\nred ring: the move played; blue ring: the one before"


@dataclass(frozen=True)
class Arguments:
    """What `dlcourse suggest` takes."""

    run: str = argument("The run: a path, <model>-<data>/<time>, a unique end of it, or latest.")
    sgf: Path = argument("The record, an SGF file.", bare=True)
    game: int = argument("Which game of the file, from 1.", default=1)
    move: int | None = argument("The move to think about, from 1; null is the one after the last.", default=None)
    top: int = argument("How many moves are shown, up to 9.", default=5)
    png: Path | None = argument("Also draw the board into this file, which must end in .png.", default=None)
    format: Literal["text", "json"] = argument("How to print the answer.", default="text")
    device: str | None = argument("Another device than the run's, such as cpu.", default=None, key="runtime.device")
    runs: Path = argument("Folder that holds the runs.", default=Path("runs"))
    allow_code: bool = argument("Run Python files of this folder that the run's config names.", default=False)


@dataclass(frozen=True)
class Opinion:
    """A position and what a network makes of it.

    Args:
        source: which game of which file.
        number: of the move that is thought about, from 1.
        board: the position before it.
        chances: [S * S + 1] of every move, the pass last, illegal ones 0.
        played: the move of the record, or None after its end.
        fault: where and why the record could not be read on, or None.
    """

    source: str
    number: int
    board: Board
    chances: NDArray[np.float64]
    played: int | None
    fault: str | None = None

    @property
    def title(self) -> str:
        """Which position it is."""
        from dlcourse.go.points import NAMES

        return f"{self.source}, move {self.number}: {NAMES[self.board.to_play]} to play"

    @cached_property
    def order(self) -> list[int]:
        """Every legal move, the most probable first."""
        legal = np.flatnonzero(self.board.legal_mask())
        return [int(move) for move in legal[np.argsort(-self.chances[legal], kind="stable")]]


def main(argv: list[str]) -> int:
    """Think and print."""
    given = read(Arguments, argv, command="suggest", purpose=PURPOSE)
    check(given)
    opened = find_game(given.sgf, number=given.game)
    board, played = position(opened, move=given.move)
    from dlcourse.run.go_player import load_policy  # torch, imported here, takes two seconds

    policy = load_policy(
        given.run, runs=given.runs, command="suggest", device=given.device, allow_code=given.allow_code
    )
    if policy.size != board.size:
        raise ConfigError(f"{given.sgf}: a board of {board.size} lines; {policy.name} learned {policy.size}")
    chances = policy.probabilities(board, board.to_play)
    opinion = Opinion(opened.record.source, len(board.moves) + 1, board, chances, played, opened.fault)
    if given.png is not None:
        draw(opinion, given.png)
    if given.format == "json":
        print(json.dumps(plain(opinion, top=given.top), ensure_ascii=False, allow_nan=False))
        return 0
    print(told(opinion, top=given.top))
    if given.png is not None:
        print(f"\nwrote {given.png}")
    return 0


def check(given: Arguments) -> None:
    """ConfigError if `top` or `png` cannot be; a line for each."""
    problems = [] if 1 <= given.top <= MOST else [f"top must be 1 to {MOST}, not {given.top}"]
    if given.png is not None and given.png.suffix.lower() != ".png":
        problems.append(f"png must end in .png, not {str(given.png)!r}")
    if problems:
        raise ConfigError(*problems)


def find_game(path: Path, *, number: int) -> Opened:
    """The game of a file, counted from 1, as far as it can be read.

    Raises:
        ConfigError: there are fewer.
        DataError: the file cannot be read, is no SGF, or nothing of the game can be read.
    """
    from dlcourse.go.leniently import read_one
    from dlcourse.go.sgf import Unreadable, read_games
    from dlcourse.go.sgf_tree import Reason

    if path.is_dir():
        inside = next(path.glob("*.sgf"), None)
        raise DataError(f"sgf: {path} is a folder; name a file{f' in it, such as {inside}' if inside else ''}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"sgf: {path} cannot be read ({error.strerror})") from error
    if not data.strip():
        raise DataError(f"sgf: {path}: this file is empty")
    games = list(read_games(data, source=str(path)))
    if isinstance(games[0], Unreadable) and games[0].reason == Reason.NO_TREE:
        raise DataError(f"sgf: {path}: this is no SGF; it begins with {games[0].detail!r}")
    if not 1 <= number <= len(games):
        raise ConfigError(f"game must be 1 to {len(games)}, as many as {path} has, not {number}")
    return read_one(data, source=str(path), number=number)


def position(opened: Opened, *, move: int | None) -> tuple[Board, int | None]:
    """The board before a move, and the move; after the last one that can be read there is none.

    Raises:
        ConfigError: there is no such move.
    """
    from dlcourse.go.replaying import board_before

    record = opened.record
    count = len(record.moves)
    number = count + 1 if move is None else move
    if not 1 <= number <= count + 1:
        last = "the last" if opened.fault is None else f"the last that can be read ({opened.fault})"
        raise ConfigError(f"move must be 1 to {count + 1}, the one after {last}, not {move}")
    return board_before(record, number - 1), None if number > count else int(record.moves[number - 1])


def told(opinion: Opinion, *, top: int) -> str:
    """The board with the best moves as digits, then those moves."""
    from dlcourse.go.diagram import diagram
    from dlcourse.go.points import pass_point, to_vertex

    board, best = opinion.board, opinion.order[:top]
    size = board.size
    marks = {move: str(rank) for rank, move in enumerate(best, 1) if move != pass_point(size)}
    named = best if opinion.played is None or opinion.played in best else [*best, opinion.played]
    lines = [
        f"{rank_of(move, opinion):>4}  {to_vertex(move, size=size):4} {probability(opinion.chances[move]):>7}"
        + ("  played" if move == opinion.played else "")
        for move in named
    ]
    fault = [] if opinion.fault is None else [f"the record cannot be read on {opinion.fault}"]
    return "\n".join([opinion.title, *fault, "", diagram(board, marks=marks), LEGEND, "", HEAD, *lines])


def probability(chance: float) -> str:
    """In percent with one decimal; 0.0 would mean that the rules forbid the move."""
    return f"{100 * chance:.1f} %" if chance >= 0.0005 or not chance else "<0.1 %"


def plain(opinion: Opinion, *, top: int) -> dict[str, Any]:
    """The answer for programs; `probabilities` are those of the points, row by row from the top."""
    from dlcourse.go.points import NAMES, to_vertex

    size = opinion.board.size

    def entry(move: int) -> dict[str, Any]:
        chance = float(opinion.chances[move])
        return {"vertex": to_vertex(move, size=size), "rank": rank_of(move, opinion), "probability": chance}

    played = None if opinion.played is None else entry(opinion.played)
    return {
        "source": opinion.source,
        "move": opinion.number,
        "to_play": NAMES[opinion.board.to_play],
        "fault": opinion.fault,
        "best": [entry(move) for move in opinion.order[:top]],
        "played": played,
        "pass": float(opinion.chances[-1]),
        "probabilities": opinion.chances[:-1].reshape(size, size).tolist(),
    }


def rank_of(move: int, opinion: Opinion) -> int:
    """The place of a move among the legal ones, from 1; behind all of them if it is illegal."""
    order = opinion.order
    return order.index(move) + 1 if move in order else len(order) + 1


def draw(opinion: Opinion, path: Path) -> None:
    """The board as a picture; folders that are missing are made.

    Raises:
        ConfigError: it cannot be written.
    """
    from dlcourse.go.points import to_vertex
    from dlcourse.media import Picture
    from dlcourse.run.verdict import write_png
    from dlcourse.tasks.go_figures import Board as Drawn
    from dlcourse.tasks.go_figures import draw_boards, percent
    from dlcourse.training.observers.tensorboard import render

    board = opinion.board
    last = board.moves[-1][1] if board.moves else None
    title = Path(opinion.title).name
    if opinion.played is not None:
        vertex, chance = to_vertex(opinion.played, size=board.size), percent(opinion.chances[opinion.played])
        title += f"\nplayed: {vertex} (rank {rank_of(opinion.played, opinion)}, {chance})"
    shown = Drawn(title, board.stones.tolist(), opinion.chances.tolist(), played=opinion.played, last=last)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, render(Picture(partial(draw_boards, [shown], note=NOTE))))
    except OSError as error:
        raise ConfigError(f"png: {path} cannot be written ({error.strerror}); name another file") from error
