"""Makes the games of data=go9: GNU Go 3.8 at level 1 against itself on 9x9, each game after a random opening.

python scripts/make_go9.py games=4000 jobs=2        write dlcourse/data/go9.npz; 4,000 games take 40 CPU-minutes
python scripts/make_go9.py games=8000 jobs=2        go on from there: pieces of 100 games are kept and found again

The opening is 0 to `random_moves` moves drawn at random among those that are legal and fill no own eye; they make the
games differ and are not meant to be learned from. GNU Go then plays by area rules until both sides pass and captures
all dead stones before it does, so that counting the board by Tromp-Taylor rules gives the result.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from baseline.command import answer
from numpy.typing import NDArray

import dlcourse.data
from dlcourse.commands.arguments import argument, read
from dlcourse.errors import ConfigError
from dlcourse.files import replace_file
from dlcourse.go.board import Board
from dlcourse.go.gtp_program import GtpProgram, split_command
from dlcourse.go.player import sensible_points
from dlcourse.go.points import LETTERS, from_vertex, to_vertex
from dlcourse.go.scoring import area_score

NAME = "make_go9.py"
SIZE = 9
KOMI = 7.5
PIECE = 100
"""So many games are one program's, one file's, and lost if the script is stopped."""
LONGEST = 3 * SIZE * SIZE
"""A game with more moves, which superko does not forbid, is left out."""


@dataclass(frozen=True)
class Arguments:
    """What the script takes."""

    games: int = argument("How many games; the first ones are the same for every number.", default=4000)
    seed: int = argument("Names the games.", default=1)
    random_moves: int = argument("The longest random opening.", default=8)
    jobs: int = argument("How many programs play at the same time.", default=1)
    program: str = argument(
        "The command line of GNU Go.",
        default="gnugo --mode gtp --level 1 --chinese-rules --positional-superko --capture-all-dead --never-resign",
    )
    pieces: Path = argument("Folder for the pieces.", default=Path("data/go9_pieces"))
    out: Path | None = argument("The file to write; null is the package's go9.npz.", default=None)


class Games(NamedTuple):
    """Games one after the other, as go9.npz keeps them."""

    moves: NDArray[np.uint8]
    """[total] points, row * 9 + column; 81 is a pass; Black begins and turns alternate."""
    starts: NDArray[np.int32]
    """[G + 1] where each game begins in `moves`, and the end."""
    results: NDArray[np.int8]
    """[G] 1 where Black has won, -1 where White has, 0 for a draw."""
    random: NDArray[np.int8]
    """[G] how many moves of the opening were drawn at random."""

    @classmethod
    def join(cls, parts: Sequence[Games]) -> Self:
        """All games of all parts, in order."""
        lengths = np.concatenate([np.diff(part.starts) for part in parts])
        return cls(
            np.concatenate([part.moves for part in parts]),
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
            np.concatenate([part.results for part in parts]),
            np.concatenate([part.random for part in parts]),
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """The games of a file."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{name: arrays[name] for name in cls._fields})

    def save(self, path: Path) -> None:
        """Write them; a file that is there is whole."""

        def write(beside: Path) -> None:
            with beside.open("wb") as file:
                np.savez_compressed(file, **self._asdict())

        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, write)


class Piece(NamedTuple):
    """What one program has to play."""

    number: int
    games: int
    path: Path
    given: Arguments


def main(argv: Sequence[str]) -> int:
    """Do that; gives the exit code."""
    return answer(argv, name=NAME, purpose=(__doc__ or "").strip(), arguments=Arguments, work=make)


def make(argv: Sequence[str]) -> None:
    """Play what is not there yet, join the pieces, write the file.

    Raises:
        UserError: a number is out of range, or the program cannot be used.
    """
    given = read(Arguments, argv, command=NAME)
    least = {"games": 1, "jobs": 1, "random_moves": 0, "seed": 0}
    problems = [
        f"{name} must be {low} or more, not {getattr(given, name)}"
        for name, low in least.items()
        if getattr(given, name) < low
    ]
    if given.random_moves > LONGEST // 4:
        problems.append(f"random_moves must be {LONGEST // 4} or less, not {given.random_moves}")
    if problems:
        raise ConfigError(*problems)
    pieces = list(cut(given))
    missing = [piece for piece in pieces if not piece.path.exists()]
    began = time.monotonic()
    with ThreadPool(given.jobs) as pool:  # the programs compute, the threads wait for them
        for done, left_out in enumerate(pool.imap_unordered(play_piece, missing), 1):
            minutes = (time.monotonic() - began) / 60
            note = f", {left_out} games left out: they had no end" if left_out else ""
            to_go = minutes / done * (len(missing) - done)
            print(f"{done}/{len(missing)} pieces, {minutes:.1f} minutes, {to_go:.1f} to go{note}", flush=True)
    games = Games.join([Games.load(piece.path) for piece in pieces])
    put(games, given.out, name="go9.npz")


def put(games: Games, out: Path | None, *, name: str) -> None:
    """Write the games to `out` or, if that is None, into the package by `name`; say what they are."""
    path = out or Path(next(iter(dlcourse.data.__path__))) / name
    games.save(path)
    print(
        f"{path}: {len(games.results):,} games, {len(games.moves):,} moves, {games.random.sum():,} of them random, "
        f"Black won {(games.results > 0).mean():.1%}, {path.stat().st_size:,} bytes"
    )


def cut(given: Arguments) -> Iterator[Piece]:
    """The pieces that make up as many games."""
    for number, begin in enumerate(range(0, given.games, PIECE)):
        count = min(PIECE, given.games - begin)
        name = f"seed{given.seed}-random{given.random_moves}-{number:04d}-{count}.npz"
        yield Piece(number, count, given.pieces / name, given)


def play_piece(piece: Piece) -> int:
    """Play and save one piece; gives how many games had no end and were left out."""
    with GtpProgram(split_command(piece.given.program)) as program:
        first = piece.number * PIECE
        games = [play(program, game, given=piece.given) for game in range(first, first + piece.games)]
    ended = [game for game in games if game is not None]
    Games.join(ended).save(piece.path)
    return len(games) - len(ended)


def play(program: GtpProgram, game: int, *, given: Arguments) -> Games | None:
    """One game, a function of the seed and the games that the program played before; None if it has no end."""
    draw = np.random.default_rng((given.seed, game))
    for command in (
        f"boardsize {SIZE}",
        "clear_board",
        f"komi {KOMI}",
        f"set_random_seed {draw.integers(1, 1 << 30)}",
    ):
        program.ask(command)
    board = Board(SIZE)
    opening = int(draw.integers(0, given.random_moves + 1))
    for _ in range(opening):
        point = int(draw.choice(sensible_points(board, board.to_play)))
        program.ask(f"play {LETTERS[board.to_play]} {to_vertex(point, size=SIZE)}")
        board.play(point)
    while not board.over:
        if len(board.moves) >= LONGEST:
            return None
        board.play(from_vertex(program.ask(f"genmove {LETTERS[board.to_play]}"), size=SIZE))
    moves = np.array([point for _, point in board.moves], dtype=np.uint8)
    result = np.sign(area_score(board.stones, SIZE, komi=KOMI))
    starts = np.array([0, len(moves)], dtype=np.int32)
    return Games(moves, starts, np.array([result], dtype=np.int8), np.array([opening], dtype=np.int8))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
