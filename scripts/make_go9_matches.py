"""Makes the games of data=go9 data.matches=true: games of GNU Go 3.8 at level 1 against networks that learned from it.

dlcourse match run=RUN against="gnugo --mode gtp --level 1 --chinese-rules --positional-superko \
--capture-all-dead --never-resign" games=500 seed=11 out=FOLDER/11      as often as wished, with other seeds
python scripts/make_go9_matches.py games=FOLDER                         write dlcourse/data/go9_matches.npz

All games on 9x9 below the folder are taken that have a winner and begin with Black on the empty board, each once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from baseline.command import answer
from make_go9 import SIZE, Games, put

from dlcourse.commands.arguments import argument, read
from dlcourse.errors import DataError
from dlcourse.go.points import BLACK, WHITE
from dlcourse.go.record import GameRecord
from dlcourse.go.results import winner_of
from dlcourse.go.sgf import Unreadable, read_games

NAME = "make_go9_matches.py"


@dataclass(frozen=True)
class Arguments:
    """What the script takes."""

    games: Path = argument("Folder that holds the games, in folders as deep as wished.")
    out: Path | None = argument("The file to write; null is the package's go9_matches.npz.", default=None)


def main(argv: Sequence[str]) -> int:
    """Do that; gives the exit code."""
    return answer(argv, name=NAME, purpose=(__doc__ or "").strip(), arguments=Arguments, work=make)


def make(argv: Sequence[str]) -> None:
    """Read the games, write the file, say what is in it.

    Raises:
        DataError: there is no such game.
    """
    given = read(Arguments, argv, command=NAME)
    found = {record.moves.tobytes(): record for record in records(given.games) if fits(record)}
    if not found:
        raise DataError(f"{given.games}: holds no game on 9x9 with a winner")
    put(Games.join([game_of(record) for record in found.values()]), given.out, name="go9_matches.npz")


def records(folder: Path) -> Iterator[GameRecord]:
    """What can be read below a folder, in the order of the paths."""
    for path in sorted(folder.rglob("*.sgf")):
        for record in read_games(path.read_bytes(), source=str(path)):
            if not isinstance(record, Unreadable):
                yield record


def fits(record: GameRecord) -> bool:
    """Whether the package's file can hold the game."""
    alternate = np.resize([BLACK, WHITE], len(record.colours))
    return (
        record.size == SIZE
        and not len(record.black)
        and not len(record.white)
        and len(record.moves) > 0
        and bool((record.colours == alternate).all())
        and winner_of(record.result) is not None
    )


def game_of(record: GameRecord) -> Games:
    """One game as the file holds it; a player chose all of its moves."""
    result = np.array([1 if winner_of(record.result) == BLACK else -1], dtype=np.int8)
    starts = np.array([0, len(record.moves)], dtype=np.int32)
    return Games(record.moves.astype(np.uint8), starts, result, np.zeros(1, dtype=np.int8))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
