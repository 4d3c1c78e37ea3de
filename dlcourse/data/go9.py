"""Games of GNU Go on 9x9 that come with the package (scripts/make_go9.py and make_go9_matches.py make them)."""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dlcourse.data.go_games import Games, gather_games
from dlcourse.data.go_planes import Planes
from dlcourse.data.go_set import GoSet, Mask, Moves
from dlcourse.errors import DataError
from dlcourse.go.points import BLACK, WHITE
from dlcourse.go.record import GameRecord
from dlcourse.go.results import by_score

PATH: Final = Path(__file__).with_name("go9.npz")
MATCHES: Final = Path(__file__).with_name("go9_matches.npz")
SIZE: Final = 9


class Go9(GoSet):
    """The positions of 9x9 games that two GNU Go programs played after a few random moves, which are not learned from.

    There are also games of GNU Go against networks that had learned from it: the positions that such networks reach.

    Args:
        planes: What a network sees: basic (stones), history (and the last 4 moves) or full (8 moves, ko, liberties).
        matches: Whether games of GNU Go against networks are learned from and validated on, too; the test has none.
        moves: Whose moves are learned: all, or winner, those of each game's winner alone; the test asks for all.
        val_fraction: Share of the other games that is held out for validation.
        test_fraction: Share of the games that is the test split; it never moves.
        split_seed: Names the validation cut.
        fold: Validates on this part of so many instead, such as 2/5; null holds out val_fraction.
        symmetry: Whether training turns or mirrors each position by one of the eight symmetries.
        epoch_size: Positions of an epoch of training, others in each; null is all.
        val_positions: Positions that validation takes, spread over its games; null is all.
        test_positions: Positions that the test takes, spread over its games; null is all.
    """

    def __init__(
        self,
        *,
        planes: Planes = "history",
        matches: bool = False,
        moves: Moves = "all",
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        split_seed: int = 0,
        fold: str | None = None,
        symmetry: bool = True,
        epoch_size: int | None = None,
        val_positions: int | None = None,
        test_positions: int | None = None,
    ) -> None:
        super().__init__(
            size=SIZE,
            planes=planes,
            moves=moves,
            symmetry=symmetry,
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            split_seed=split_seed,
            fold=fold,
            epoch_size=epoch_size,
            val_positions=val_positions,
            test_positions=test_positions,
        )
        self.matches = matches

    def read(self) -> Games:
        """Replay the games of the file, or take them from the cache."""
        content = self._content
        digest = hashlib.sha256(b"".join(array.tobytes() for array in content)).hexdigest()
        return gather_games(lambda: records(content), digest=digest, size=SIZE, where=str(PATH))

    def testable(self, games: Games) -> Mask:
        """Those of GNU Go against itself: numbers with and without matches stand side by side."""
        return games.order < len(self._between_programs.results)

    def meant(self, games: Games) -> Mask:
        """All but the random moves at the beginning of each game."""
        return games.table.numbers.numpy() >= self._content.random[games.order].repeat(games.lengths)

    @cached_property
    def _between_programs(self) -> Embedded:
        return embedded(PATH)

    @cached_property
    def _content(self) -> Embedded:
        return joined(self._between_programs, embedded(MATCHES)) if self.matches else self._between_programs


class Embedded(NamedTuple):
    """What the file holds of G games.

    Args:
        moves: uint8, of all games, one after the other; 81 is a pass.
        starts: int64 [G + 1], where each game begins, and how many moves there are.
        random: int64 [G], how many moves at the beginning were drawn at random.
        results: int8 [G], 1 where Black has won, -1 where White has, 0 for a draw.
    """

    moves: NDArray[np.uint8]
    starts: NDArray[np.int64]
    random: NDArray[np.int64]
    results: NDArray[np.int8]


def embedded(path: Path) -> Embedded:
    """The games in an .npz file.

    Raises:
        DataError: it is missing or damaged.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            starts, random = (file[name].astype(np.int64) for name in ("starts", "random"))
            content = Embedded(file["moves"], starts, random, file["results"])
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: is missing or damaged ({error}): install dlcourse again") from None
    if not _fits(content):
        raise DataError(f"{path}: is damaged (its arrays do not fit each other): install dlcourse again")
    return content


def joined(first: Embedded, second: Embedded) -> Embedded:
    """The games of both, in order."""
    return Embedded(
        np.concatenate([first.moves, second.moves]),
        np.concatenate([first.starts, second.starts[1:] + len(first.moves)]),
        np.concatenate([first.random, second.random]),
        np.concatenate([first.results, second.results]),
    )


def _fits(content: Embedded) -> bool:
    """Whether the arrays describe one game at least, each of points of the board."""
    moves, starts, random, results = content
    return (
        moves.dtype == np.uint8
        and all(array.ndim == 1 for array in content)
        and len(starts) == len(random) + 1 == len(results) + 1 > 1
        and results.dtype == np.int8
        and starts[0] == 0
        and starts[-1] == len(moves)
        and bool((np.diff(starts) >= 0).all())
        and int(moves.max(initial=0)) <= SIZE**2
    )


def records(content: Embedded) -> Iterator[GameRecord]:
    """The games, Black first and in turn."""
    none = np.empty(0, dtype=np.int16)
    for game, (start, end) in enumerate(zip(content.starts[:-1], content.starts[1:], strict=True)):
        colours = np.full(end - start, BLACK, dtype=np.int8)
        colours[1::2] = WHITE
        moves = content.moves[start:end].astype(np.int16)
        result = by_score(float(content.results[game]))  # by how much is not kept
        yield GameRecord(SIZE, moves, colours, none, none, BLACK, result=result, source=f"game {game}")
