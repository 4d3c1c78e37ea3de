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
    from dlcourse.go.record import GameRecord

PURPOSE = (
    "Show a position of a recorded game with the moves that a trained network would play, such as:\n"
    "dlcourse suggest run=latest game.sgf move=57 shows the position before move 57, and what was played there."
)
MOST = 9
"""So many moves have a digit to be marked with."""


@dataclass(frozen=True)
class Arguments:
    """What `dlcourse suggest` takes."""

    run: str = argument("The run: a path, <model>-<data>/<time>, a unique end of it, or latest.")
    sgf: Path = argument("The record, an SGF file.", bare=True)
    game: int = argument("Which game of the file, from 1.", default=1)
    move: int | None = argument("The move to think about, from 1; null is the one after the last.", default=None)
    top: int = argument("How many moves are shown, up to 9.", default=5)
    png: Path | None = argument("Also draw the board into this file.", default=None)
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
    """

    source: str
    number: int
    board: Board
    chances: NDArray[np.float64]
    played: int | None

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
    if not 1 <= given.top <= MOST:
        raise ConfigError(f"top must be 1 to {MOST}, not {given.top}")
    record = find_game(given.sgf, number=given.game)
    board, played = position(record, move=given.move)
    from dlcourse.run.go_player import load_policy  # torch, imported here, takes two seconds

    policy = load_policy(
        given.run, runs=given.runs, command="suggest", device=given.device, allow_code=given.allow_code
    )
    if policy.size != board.size:
        raise ConfigError(f"{given.sgf}: a board of {board.size} lines; {policy.name} learned {policy.size}")
    chances = policy.probabilities(board, board.to_play)
    opinion = Opinion(record.source, len(board.moves) + 1, board, chances, played)
    if given.png is not None:
        draw(opinion, given.png)
    if given.format == "json":
        print(json.dumps(plain(opinion, top=given.top), ensure_ascii=False, allow_nan=False))
        return 0
    print(told(opinion, top=given.top))
    if given.png is not None:
        print(f"\nwrote {given.png}")
    return 0


def find_game(path: Path, *, number: int) -> GameRecord:
    """The game of a file, counted from 1.

    Raises:
        ConfigError: there are fewer.
        DataError: the file or the game cannot be read.
    """
    from dlcourse.go.record import GameRecord
    from dlcourse.go.sgf import read_games

    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"sgf: {path} cannot be read ({error.strerror})") from error
    games = list(read_games(data, source=str(path)))
    if not 1 <= number <= len(games):
        raise ConfigError(f"game must be 1 to {len(games)}, as many as {path} has, not {number}")
    found = games[number - 1]
    if not isinstance(found, GameRecord):
        raise DataError(f"{found.source}: {found.reason} ({found.detail})")
    return found


def position(record: GameRecord, *, move: int | None) -> tuple[Board, int | None]:
    """The board before a move, and the move; after the last one there is none.

    Raises:
        ConfigError: there is no such move.
        DataError: an illegal move comes before it.
    """
    from dlcourse.go.replaying import board_before

    count = len(record.moves)
    number = count + 1 if move is None else move
    if not 1 <= number <= count + 1:
        raise ConfigError(f"move must be 1 to {count + 1}, the one after the last, not {move}")
    try:
        board = board_before(record, number - 1)
    except ValueError as error:
        raise DataError(f"{record.source}: {error}") from error
    return board, None if number > count else int(record.moves[number - 1])


def told(opinion: Opinion, *, top: int) -> str:
    """The board with the best moves as digits, then those moves."""
    from dlcourse.go.diagram import diagram
    from dlcourse.go.points import pass_point, to_vertex

    board, best = opinion.board, opinion.order[:top]
    size = board.size
    marks = {move: str(rank) for rank, move in enumerate(best, 1) if move != pass_point(size)}
    named = best if opinion.played is None or opinion.played in best else [*best, opinion.played]
    lines = [
        f"{rank_of(move, opinion):>3}  {to_vertex(move, size=size):4} {100 * opinion.chances[move]:5.1f} %"
        + ("  played" if move == opinion.played else "")
        for move in named
    ]
    return "\n".join([opinion.title, "", diagram(board, marks=marks), "", *lines])


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
    """The board as a picture.

    Raises:
        ConfigError: it cannot be written.
    """
    from dlcourse.media import Picture
    from dlcourse.run.verdict import write_png
    from dlcourse.tasks.go_figures import Board as Drawn
    from dlcourse.tasks.go_figures import draw_boards
    from dlcourse.training.observers.tensorboard import render

    board = opinion.board
    last = board.moves[-1][1] if board.moves else None
    shown = Drawn(opinion.title, board.stones.tolist(), opinion.chances.tolist(), played=opinion.played, last=last)
    try:
        write_png(path, render(Picture(partial(draw_boards, [shown]))))
    except OSError as error:
        raise ConfigError(f"png: {path} cannot be written ({error.strerror}); name another file") from error
