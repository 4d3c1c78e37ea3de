"""Games of Go to tensors on one core: positions per CPU second of a first read, of unpacking, of planes turned."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.table import Row, interleaved
from dlcourse.data.base import Draw
from dlcourse.data.go_planes import Positions
from dlcourse.data.go_positions import GoSplit, GoTable
from dlcourse.data.sgf import Sgf
from dlcourse.go.board import Board
from dlcourse.go.points import BLACK, opponent
from dlcourse.go.record import GameRecord
from dlcourse.go.replay import replay
from dlcourse.go.sgf import read_games
from dlcourse.go.sgf_writer import write_game

SIZE, MOVES = 19, 200  # as the games that people play; random ones capture more, which makes them dearer to replay
GAMES, REAL_GAMES = 400, 2000
BATCH = 256


def measure(*, repetitions: int, quick: bool, root: Path | None = None) -> list[Row]:
    """Each arm goes from what lies on the disk or in the cache to what a model or its training takes.

    Args:
        repetitions: rounds of all arms.
        quick: a few games, to see that everything runs.
        root: a folder of SGF files; None draws legal games at random, one a file.
    """
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        games = root or drawn(folder / "games", count=10 if quick else GAMES)
        data = partial(Sgf, root=str(games), min_moves=1, max_games=20 if quick else REAL_GAMES)
        train = reading(data(), cache=folder / "kept")
        files = sorted(games.rglob("*.sgf"))[: len(train.table) // MOVES]
        taken = interleaved(
            {
                "tensors": partial(to_tensors, files),
                "set": partial(first_reads, data, folder),
                "stones": partial(unpacked, train.table),
                "planes": partial(turned_planes, train),
            },
            repetitions=repetitions,
        )
    label = "Go, random games" if root is None else "Go, real games"
    return [
        Row(f"{label}: SGF files to uint8 stones", "positions/CPU s", taken["tensors"]),
        Row(f"{label}: first read of data=sgf, cache written", "positions/CPU s", taken["set"]),
        Row(f"{label}: packed to uint8 stones", "positions/CPU s", taken["stones"]),
        Row(f"{label}: history planes, a symmetry each", "positions/CPU s", taken["planes"]),
    ]


def drawn(folder: Path, *, count: int) -> Path:
    """So many games of legal moves at random, one a file."""
    folder.mkdir()
    nothing = np.empty(0, dtype=np.int16)
    colours = np.resize(np.array([1, 2], dtype=np.int8), MOVES)
    for game in range(count):
        board, colour, moves = Board(SIZE), BLACK, list[int]()
        generator = np.random.default_rng(game)
        while len(moves) < MOVES:
            point = int(generator.integers(SIZE * SIZE))
            if board.legal(point, colour):
                board.play(point, colour)
                moves.append(point)
                colour = opponent(colour)
        record = GameRecord(SIZE, np.array(moves, dtype=np.int16), colours, nothing, nothing, BLACK)
        (folder / f"{game}.sgf").write_text(write_game(record))
    return folder


def reading(data: Sgf, *, cache: Path) -> GoSplit:
    """The training split, read with its cache in this folder."""
    os.environ["DLCOURSE_CACHE"] = str(cache)
    train = data.load().train
    assert isinstance(train, GoSplit)
    return train


def first_reads(data: partial[Sgf], folder: Path) -> float:
    """Positions per CPU second of a whole first read: files found, read, compared, replayed, written, mapped, cut."""
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        began = time.process_time()
        train = reading(data(), cache=Path(cache))
        return len(train.table) / (time.process_time() - began)


def to_tensors(files: list[Path]) -> float:
    """The same of reading and replaying alone, with every position unpacked, nothing written."""
    began = time.process_time()
    games = [game for path in files for game in read_games(path.read_bytes(), source=path.name)]
    records = [game for game in games if isinstance(game, GameRecord) and game.size == SIZE]
    played = replay(records, size=SIZE)
    stones, moves, numbers, ko = (
        torch.from_numpy(one) for one in (played.packed, played.moves, played.numbers, played.ko)
    )
    table = GoTable(SIZE, stones, moves, numbers, ko, digest="")
    count = sum(len(positions.own) for positions in in_batches(table))
    return count / (time.process_time() - began)


def in_batches(table: GoTable) -> Iterator[Positions]:
    """Every position once, in a random order."""
    order = torch.randperm(len(table), generator=torch.Generator().manual_seed(0))
    return (table.positions(rows) for rows in order.split(BATCH))


def unpacked(table: GoTable) -> float:
    """Positions per CPU second from packed bits to stones, recent moves and ko, drawn at random."""
    began = time.process_time()
    count = sum(len(positions.own) for positions in in_batches(table))
    return count / (time.process_time() - began)


def turned_planes(train: GoSplit) -> float:
    """The same of training batches: planes of stones and the last four moves, each turned by its own symmetry."""
    began, count = time.process_time(), 0
    for indices in train.epoch_batches(BATCH, seed=0, epoch=0):
        count += len(train.fetch(indices, draw=Draw(seed=0, epoch=0)).targets)
    return count / (time.process_time() - began)
