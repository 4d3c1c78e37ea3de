"""Games of Go, once: read, freed of repeated ones, replayed and written to the disk piece by piece."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from dlcourse.data.cache import Arrays, cache_folder, cached
from dlcourse.data.go_positions import GoTable
from dlcourse.data.go_ranks import rank_number
from dlcourse.data.go_skipped import OTHER_SIZE, REPEATED, Skipped, none_left, reason_of
from dlcourse.data.symmetries import symmetry_points
from dlcourse.errors import DataError
from dlcourse.go.points import EMPTY, pass_point
from dlcourse.go.record import GameRecord
from dlcourse.go.replay import replay
from dlcourse.go.results import winner_of
from dlcourse.go.sgf import Unreadable

TOGETHER: Final = 2048
"""Games that are in memory at once: 40 MB of positions."""
_FORMAT = 3
"""Of what the cache keeps; a higher number makes every entry anew."""
_TABLE = ("stones", "moves", "numbers", "ko")


class About(NamedTuple):
    """What a setting may ask of a game."""

    moves: int
    """How many."""
    rank: int
    """The weaker player's, as `rank_number` has it."""
    handicap: bool
    """Whether stones were given or set up before the first move."""


@dataclass(frozen=True)
class Limit:
    """When enough games have been read.

    Args:
        games: after so many that count.
        counts: whether a game does; others are read and kept, too.
        settings: names what `counts` depends on.
    """

    games: int
    counts: Callable[[About], bool]
    settings: str


@dataclass(frozen=True)
class Games:
    """G different games of one size, each legal from its first move to its last.

    Args:
        table: the position before every move.
        starts: int64 [G + 1], the row of the table at which each game begins, and the table's length.
        order: int64 [G], which of the games found each is, counted from 0.
        sources: [G], the file of each, and which game in it.
        keys: uint64 [G], a hash of each game that its eight turned or mirrored copies share.
        ranks: int8 [G], the weaker player's, as `rank_number` has it.
        handicaps: bool [G], whether stones were given or set up before the first move.
        won: bool, of every row of the table, whether who made the move won the game; False where that is unknown.
        skipped: the others.
    """

    table: GoTable
    starts: NDArray[np.int64]
    order: NDArray[np.int64]
    sources: Sequence[str]
    keys: NDArray[np.uint64]
    ranks: NDArray[np.int8]
    handicaps: NDArray[np.bool_]
    won: NDArray[np.bool_]
    skipped: Skipped

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Int64 [G]: moves of each game."""
        return np.diff(self.starts)

    @property
    def decided(self) -> NDArray[np.bool_]:
        """Bool [G]: whether it is known who won each game."""
        return np.logical_or.reduceat(self.won, self.starts[:-1])

    def abouts(self) -> Iterator[About]:
        """Of each game what a setting may ask."""
        return map(About, self.lengths.tolist(), self.ranks.tolist(), self.handicaps.tolist())


def gather_games(
    found: Callable[[], Iterable[GameRecord | Unreadable]],
    *,
    digest: str,
    size: int,
    where: str,
    limit: Limit | None = None,
) -> Games:
    """Read and replay games, or take them from the cache if nothing has changed since.

    Args:
        found: gives all games in a fixed order.
        digest: names what they depend on.
        size: lines of the boards; games of another size are skipped.
        where: what an error calls the place where they were looked for.
        limit: when enough have been read; None reads all.

    Raises:
        DataError: no game is left; what `found` raises.
    """
    ends = None if limit is None else (limit.games, limit.settings)
    key = hashlib.sha256(repr((_FORMAT, digest, size, ends)).encode()).hexdigest()[:40]
    # Outside the cache's entry a mapped file may lose its name: on Linux and macOS it lives while it is mapped.
    with tempfile.TemporaryDirectory(prefix=".go-", dir=_scratch_place(), ignore_cleanup_errors=True) as scratch:

        def read() -> Arrays:
            with ExitStack() as stack:
                pieces = _Pieces(Path(scratch), stack=stack, size=size)
                return pieces.finish(_fill(pieces, found(), size=size, limit=limit), where=where)

        return _games_of(cached(f"go-{key}", read), size=size)


class _Pieces:
    """Files that arrays are written to piece by piece, and then mapped."""

    def __init__(self, folder: Path, *, stack: ExitStack, size: int) -> None:
        self.size = size
        self.sources: list[str] = []
        self._folder, self._files, self._stack = folder, dict[str, Any](), stack
        self._forms: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {}
        self._digest = hashlib.sha256(b"%d" % size)

    def add(self, records: Sequence[GameRecord], *, order: Sequence[int], keys: Sequence[int]) -> Mapping[int, str]:
        """Replay and write; gives the places of the records that have an illegal move, with what is wrong."""
        replayed = replay(records, size=self.size)
        wrong = {game: f"{reason} at move {before + 1}" for game, (reason, before) in replayed.errors.items()}
        kept = [game for game in range(len(records)) if game not in wrong]
        table = {
            "stones": replayed.packed, "moves": replayed.moves, "numbers": replayed.numbers, "ko": replayed.ko,
        }  # fmt: skip
        chosen = [records[game] for game in kept]
        abouts = [about(record) for record in chosen]
        lengths = np.array([one.moves for one in abouts], dtype=np.int64)
        winners = np.array([winner_of(record.result) or EMPTY for record in chosen], dtype=np.int8)
        columns = {
            "lengths": lengths,
            "order": np.array([order[game] for game in kept], dtype=np.int64),
            "keys": np.array([keys[game] for game in kept], dtype=np.uint64),
            "ranks": np.array([one.rank for one in abouts], dtype=np.int8),
            "handicaps": np.array([one.handicap for one in abouts], dtype=np.bool_),
            "won": replayed.colours == winners.repeat(lengths),
        }
        for name, array in {**table, **columns}.items():
            if name not in self._files:
                self._files[name] = self._stack.enter_context((self._folder / name).open("wb"))
                self._forms[name] = array.dtype, array.shape[1:]
            np.ascontiguousarray(array).tofile(self._files[name])
        for name in _TABLE:
            self._digest.update(np.ascontiguousarray(table[name]).data)
        self.sources += [record.source for record in chosen]
        return wrong

    def finish(self, skipped: Skipped, *, where: str) -> Arrays:
        """The arrays, mapped, with what was skipped beside them as JSON."""
        if not self.sources:
            raise DataError(f"{where}: {none_left(skipped, size=self.size)}")
        arrays: dict[str, NDArray[Any]] = {}
        for name, (dtype, shape) in self._forms.items():
            self._files[name].close()
            arrays[name] = np.memmap(self._folder / name, dtype=dtype, mode="r").reshape(-1, *shape)
        report = {**vars(skipped), "sources": self.sources, "digest": self._digest.hexdigest()}
        return {**arrays, "report": np.frombuffer(json.dumps(report).encode(), dtype=np.uint8)}


def _fill(pieces: _Pieces, found: Iterable[GameRecord | Unreadable], *, size: int, limit: Limit | None) -> Skipped:
    """Write the games that can be learned from; gives the rest."""
    named: list[tuple[str, str, str]] = []
    known: dict[int, str] = {}
    waiting: list[tuple[int, GameRecord, int]] = []

    def counts(game: GameRecord) -> bool:
        return limit is not None and limit.counts(about(game))

    def flush() -> int:
        """Write what waits; gives how many of it count."""
        numbers, records, keys = zip(*waiting, strict=True)
        wrong = pieces.add(records, order=numbers, keys=keys)
        named.extend(("an illegal move", records[game].source, detail) for game, detail in sorted(wrong.items()))
        waiting.clear()
        return sum(counts(record) for place, record in enumerate(records) if place not in wrong)

    games = iter(found)
    count = hoped = 0
    missing = math.inf if limit is None else limit.games
    while missing and (game := next(games, None)) is not None:
        count += 1
        if isinstance(game, Unreadable):
            named.append((reason_of(game), game.source, game.detail))
            continue
        key = game_key(game)
        if game.size != size:
            named.append((OTHER_SIZE, game.source, f"{game.size}x{game.size}"))
        elif not len(game.moves):
            named.append(("no move", game.source, ""))
        elif key in known:
            named.append((REPEATED, game.source, known[key]))
        else:
            known[key] = game.source
            waiting.append((count - 1, game, key))
            hoped += counts(game)
        # Whether a game is legal shows only when it is replayed.
        if len(waiting) == TOGETHER or hoped == missing:
            missing, hoped = missing - flush(), 0
    if waiting:
        flush()
    left = next(games, None)
    return Skipped(count, named, "" if left is None else left.source)


def about(record: GameRecord) -> About:
    """What a setting may ask of it."""
    set_up = bool(len(record.black) or len(record.white))
    return About(len(record.moves), min(map(rank_number, record.ranks)), bool(record.handicap) or set_up)


def game_key(record: GameRecord) -> int:
    """64 bits that are the same for the game turned or mirrored, and without the passes at its end."""
    size = record.size
    points = symmetry_points(size).numpy()
    made = len(record.moves)
    while made and record.moves[made - 1] == pass_point(size):
        made -= 1
    moves = points[:, record.moves[:made]] * 4 + record.colours[:made]
    black, white = (np.sort(points[:, stones]) for stones in (record.black, record.white))
    forms = np.concatenate([moves, black * 4 + 3, white * 4], 1).astype("<i2")
    first = min(form.tobytes() for form in forms)
    return int.from_bytes(hashlib.blake2b(b"%d " % size + first, digest_size=8).digest(), "little")


def _games_of(arrays: Arrays, *, size: int) -> Games:
    """The games that the cache keeps."""
    report = json.loads(arrays["report"].tobytes())
    stones, moves, numbers, ko = (_shared(arrays[name]) for name in _TABLE)
    table = GoTable(size, stones, moves, numbers, ko, report["digest"])
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(arrays["lengths"])])
    named = [(reason, source, detail) for reason, source, detail in report["named"]]
    skipped = Skipped(report["found"], named, report["rest"])
    order, keys, ranks, handicaps, won = (arrays[name] for name in ("order", "keys", "ranks", "handicaps", "won"))
    return Games(table, starts, order, report["sources"], keys, ranks, handicaps, won, skipped)


def _shared(array: NDArray[Any]) -> torch.Tensor:
    """A tensor on the memory of an array that nobody writes to; torch warns of mapped files, which are read-only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(array)


def _scratch_place() -> Path | None:
    """A folder on the disk of the cache, which has room; None is the system's for temporary files."""
    try:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return folder
