"""data=sgf: files found, games counted, repeated ones left out, whole games cut into splits, the cache."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dlcourse.data import go_games
from dlcourse.data.go_files import find_games
from dlcourse.data.go_games import game_key
from dlcourse.data.go_positions import GoSplit
from dlcourse.data.go_ranks import UNKNOWN, rank_number
from dlcourse.data.go_set import SKIPPED, held_out, spread
from dlcourse.data.sgf import Sgf
from dlcourse.data.symmetries import symmetry_points
from dlcourse.errors import DataError
from dlcourse.go.board import Board
from dlcourse.go.points import BLACK, WHITE, opponent, pass_point
from dlcourse.go.record import GameRecord
from dlcourse.go.sgf_writer import write_game

SIZE = 5
NONE = np.empty(0, dtype=np.int16)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def played(seed: int, *, moves: int = 24, **about: object) -> GameRecord:
    """A game of legal moves drawn at random."""
    generator, board, colour = np.random.default_rng(seed), Board(SIZE), BLACK
    points: list[int] = []
    for _ in range(moves):
        legal = np.flatnonzero(board.legal_mask(colour)[:-1])
        point = int(generator.choice(legal)) if len(legal) else pass_point(SIZE)
        board.play(point, colour)
        points.append(point)
        colour = opponent(colour)
    colours = np.resize(np.array([1, 2], dtype=np.int8), len(points))
    return replace(GameRecord(SIZE, np.array(points, dtype=np.int16), colours, NONE, NONE, BLACK), **about)


def write(folder: Path, games: Sequence[GameRecord | str], *, name: str = "g") -> Path:
    folder.mkdir(exist_ok=True)
    for number, game in enumerate(games):
        text = game if isinstance(game, str) else write_game(game)
        (folder / f"{name}{number:03}.sgf").write_text(text)
    return folder


def loaded(root: Path, **options: object) -> tuple[Sgf, list[GoSplit], str]:
    data = Sgf(root=str(root), **{"size": SIZE, "val_fraction": 0.2, "test_fraction": 0.2, **options})  # pyright: ignore[reportArgumentType]
    splits = data.load()
    return data, [splits.train, splits.val, splits.test], splits.keepsakes.get(SKIPPED, "")  # pyright: ignore[reportReturnType]


def seen(splits: Sequence[GoSplit]) -> Iterator[bytes]:
    """Every position with its move, as bytes that can be sorted."""
    for split in splits:
        batch = split.fetch(torch.arange(len(split)))
        for planes, target in zip(batch.planes, batch.targets, strict=True):
            yield planes.numpy().tobytes() + bytes([int(target)])


def test_every_position_is_the_board_before_its_move(tmp_path: Path) -> None:
    games = [played(seed) for seed in range(8)]
    _, splits, _ = loaded(write(tmp_path / "games", games))
    expected: list[bytes] = []
    for game in games:
        board, colour = Board(SIZE), BLACK
        for move in game.moves.tolist():
            stones = board.stones.reshape(SIZE, SIZE)
            planes = [stones == colour, stones == opponent(colour), stones == 0]
            expected.append(np.stack(planes).astype(np.float32).tobytes() + bytes([move]))
            board.play(move, colour)
            colour = opponent(colour)
    _, basic, _ = loaded(tmp_path / "games", planes="basic")
    assert sorted(seen(basic)) == sorted(expected)
    assert sum(map(len, splits)) == sum(len(game.moves) for game in games)


def test_all_that_was_found_was_read_or_skipped_for_a_reason(tmp_path: Path) -> None:
    games = [played(seed) for seed in range(10)]
    points = symmetry_points(SIZE).numpy()
    mirrored = replace(games[3], moves=points[5][games[3].moves].astype(np.int16))
    occupied = replace(games[4], moves=np.append(games[4].moves[:1], games[4].moves).astype(np.int16)[:24])
    folder = write(
        tmp_path / "games",
        [*games, mirrored, occupied, "no game at all", "(;GM[1]SZ[19];B[aa])", "(;SZ[5])", played(90, moves=7)],
    )
    data, splits, skipped = loaded(folder)
    assert data.notes()[0] == "10 games read + 6 skipped = 16 found"
    assert sum(map(len, splits)) == 10 * 24
    for reason in (
        "fewer than 20 moves 1",
        "the same moves as another game 1",
        "an illegal move 1",
        "another board size 1",
    ):
        assert reason in data.notes()[2], reason
    lines = [line.split("\t") for line in skipped.splitlines()]
    assert ["the same moves as another game", "g010.sgf#1", "g003.sgf#1"] in lines  # and which one is kept
    assert ["another board size", "g013.sgf#1", "19x19"] in lines
    assert ["no SGF", "g012.sgf#1", "no game at all"] in lines
    assert ["fewer than 20 moves", "g015.sgf#1", ""] in lines
    assert any(line[:2] == ["an illegal move", "g011.sgf#1"] and "at move 2" in line[2] for line in lines)
    assert len(lines) == 6


def test_without_anything_skipped_nothing_is_kept_beside_the_run(tmp_path: Path) -> None:
    data, _, skipped = loaded(write(tmp_path / "games", [played(seed) for seed in range(6)]))
    assert skipped == "" and len(data.notes()) == 2


def test_filters_take_what_they_say(tmp_path: Path) -> None:
    games = [played(seed, ranks=("6d", "5d?")) for seed in range(6)]
    games += [played(10, ranks=("9p", "4d")), played(11)]
    handicap = replace(played(20, ranks=("7d", "7d")), handicap=2)
    folder = write(tmp_path / "games", [*games, handicap, played(30, moves=40, ranks=("1p", "2p"))])
    data, splits, skipped = loaded(folder, min_rank="5d", handicap=False, max_moves=30)
    assert data.notes()[0] == "6 games read + 4 skipped = 10 found"
    assert sum(map(len, splits)) == 6 * 24
    assert "a player below 5d or unknown 2" in data.notes()[2]
    assert "handicap 1" in data.notes()[2] and "more than 30 moves 1" in data.notes()[2]
    assert [line.split("\t")[:2] for line in skipped.splitlines()] == [
        ["a player below 5d or unknown", "g006.sgf#1"],
        ["a player below 5d or unknown", "g007.sgf#1"],
        ["handicap", "g008.sgf#1"],
        ["more than 30 moves", "g009.sgf#1"],
    ]


def test_the_moves_of_the_winner_are_his_own_and_a_game_without_one_gives_none(tmp_path: Path) -> None:
    # A handicap game, which White begins, and one where Black moves twice in a row, so that turns tell no colour.
    white_first = replace(played(0), colours=np.resize(np.array([2, 1], dtype=np.int8), 24), result="W+R")
    twice = replace(played(1), result="B+2.5")
    twice.colours[:6] = [1, 1, 2, 2, 1, 2]
    games = [white_first, twice, *(replace(played(seed), result="B+T" if seed % 2 else "?") for seed in range(2, 16))]
    folder = write(tmp_path / "games", games)
    _, every, _ = loaded(folder)
    data, won, _ = loaded(folder, moves="winner")
    assert torch.equal(won[2].rows, every[2].rows)
    expected = [
        int(who == {"W": WHITE, "B": BLACK}.get(game.result[0])) for game in games for who in game.colours.tolist()
    ]
    for part, whole in zip(won[:2], every[:2], strict=True):
        assert part.rows.tolist() == [row for row in whole.rows.tolist() if expected[row]]
    assert "of 7 games the winner is not known" in data.notes()[-1]


def test_without_any_winner_the_user_is_told_to_take_all_moves(tmp_path: Path) -> None:
    folder = write(tmp_path / "games", [played(seed) for seed in range(6)])
    with pytest.raises(DataError, match="6 games of 6 leave none .* of 6 the winner is not known; say data.moves=all"):
        loaded(folder, moves="winner")


def test_max_games_counts_the_games_that_all_settings_take(tmp_path: Path) -> None:
    games = [played(seed, moves=24 if seed % 2 else 7) for seed in range(12)]
    games.insert(4, replace(games[3], names=("a", "b")))  # the same moves
    occupied = np.append(games[1].moves[:1], games[1].moves).astype(np.int16)[:24]
    folder = write(tmp_path / "games", [replace(games[1], moves=occupied), *games])
    data, splits, skipped = loaded(folder, max_games=4)
    assert sum(map(len, splits)) == 4 * 24
    # Of games 0 to 9 four are taken; the fifth would be game 11.
    assert data.notes()[0] == "4 games read + 6 skipped = 10 found"
    assert data.notes()[3] == "not looked at, for data.max_games: g010.sgf#1 and what follows"
    assert skipped.splitlines()[-1] == "not looked at, for data.max_games\tg010.sgf#1\tand what follows"
    assert len(skipped.splitlines()) == 7
    # Other settings take other games, though the number is the same and the first answer is in the cache.
    assert loaded(folder, max_games=4, min_moves=5)[0].notes()[0] == "4 games read + 1 skipped = 5 found"
    data, splits, skipped = loaded(folder, max_games=6)
    assert sum(map(len, splits)) == 6 * 24 and "not looked at" not in skipped and len(data.notes()) == 3


@pytest.mark.parametrize("ending", ["zip", "tar", "tar.gz", "tgz"])
def test_an_archive_gives_what_its_folder_gives(tmp_path: Path, ending: str) -> None:
    folder = write(tmp_path / "games", [played(seed) for seed in range(6)])
    (folder / "._g000.sgf").write_bytes(b"\0attributes")
    (folder / "readme.txt").write_text("(;SZ[5];B[aa])")
    packed = tmp_path / f"games.{ending}"
    if ending == "zip":
        with zipfile.ZipFile(packed, "w") as archive:
            for path in folder.iterdir():
                archive.write(path, f"deep/{path.name}")
    else:
        with tarfile.open(packed, "w" if ending == "tar" else "w:gz") as archive:
            for path in sorted(folder.iterdir()):
                archive.add(path, f"../../deep/{path.name}")  # nothing is unpacked, so no name leads anywhere
    _, plain, _ = loaded(folder)
    _, found, _ = loaded(packed)
    assert [split.fingerprint for split in found] == [split.fingerprint for split in plain]
    packed.rename(folder / packed.name)
    data, both, _ = loaded(folder)
    assert data.notes()[0] == "6 games read + 6 skipped = 12 found"
    assert sorted(seen(both)) == sorted(seen(plain))


def test_the_order_of_a_tar_is_that_of_the_names_in_it(tmp_path: Path) -> None:
    folder = write(tmp_path / "games", [played(seed) for seed in range(6)])
    packed = tmp_path / "games.tar"
    with tarfile.open(packed, "w") as archive:
        for path in sorted(folder.iterdir(), reverse=True):
            archive.add(path, f"./{path.name}")
    names = [name for name, _ in find_games(packed).read()]
    assert names == [f"games.tar/{path.name}" for path in sorted(folder.iterdir())]


def test_one_file_may_hold_all_games(tmp_path: Path) -> None:
    games = [played(seed) for seed in range(6)]
    path = tmp_path / "all.SGF"
    path.write_text("".join(map(write_game, games)))
    _, one, _ = loaded(path)
    _, many, _ = loaded(write(tmp_path / "games", games))
    assert [split.fingerprint for split in one] == [split.fingerprint for split in many]


def test_no_game_stands_in_two_splits_and_none_leaves_test_when_others_come(tmp_path: Path) -> None:
    folder = write(tmp_path / "games", [played(seed) for seed in range(12)])
    _, first, _ = loaded(folder)
    write(folder, [played(seed) for seed in range(50, 80)], name="h")
    _, second, _ = loaded(folder)
    _, other, _ = loaded(folder, split_seed=1)
    parts = [set(split.rows.tolist()) for split in second]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
    assert set(seen(first[2:])) <= set(seen(second[2:]))
    assert sorted(seen(second[2:])) == sorted(seen(other[2:]))
    assert sorted(seen(second[1:2])) != sorted(seen(other[1:2]))
    for split in second:
        numbers = split.table.numbers[split.rows]
        assert int((numbers == 0).sum()) * 24 == len(split)  # games are whole


def test_what_was_read_once_is_taken_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "games", [played(seed) for seed in range(6)])
    data, first, _ = loaded(folder)
    with monkeypatch.context() as patch:
        patch.setattr("dlcourse.data.sgf.read_games", lambda *_, **__: pytest.fail("read again"))
        again, second, _ = loaded(folder, min_moves=2, val_fraction=0.3, planes="full")  # no setting of the reading
        assert again.notes()[0] == data.notes()[0]
    assert first[0].table.digest == second[0].table.digest
    write(folder, [played(99)], name="h")
    assert loaded(folder)[0].notes()[0] == "7 games read + 0 skipped = 7 found"


def test_reading_piece_by_piece_changes_nothing(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "games", [played(seed, moves=20 + seed) for seed in range(7)])
    _, whole, _ = loaded(folder)
    monkeypatch.setattr(go_games, "TOGETHER", 2)
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path / "other"))
    _, pieces, _ = loaded(folder)
    # The pieces are hashed as they come, so only what is in them can be compared.
    for name in ("stones", "moves", "numbers", "ko"):
        assert torch.equal(getattr(whole[0].table, name), getattr(pieces[0].table, name))
    assert [split.rows.tolist() for split in whole] == [split.rows.tolist() for split in pieces]
    assert [path.name[:3] for path in own_cache.iterdir()] == ["go-"]  # nothing half-made is left


def test_without_a_cache_the_games_are_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "games", [played(seed) for seed in range(6)])
    _, first, _ = loaded(folder)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path / "file"))
    _, second, _ = loaded(folder)
    assert sorted(seen(first)) == sorted(seen(second))


def test_max_games_stops_the_reading(tmp_path: Path) -> None:
    folder = write(tmp_path / "games", [played(seed) for seed in range(9)])
    data, splits, _ = loaded(folder, max_games=6)
    assert data.notes()[0] == "6 games read + 0 skipped = 6 found"
    assert sum(map(len, splits)) == 6 * 24


def test_evaluation_takes_positions_from_all_over_its_games(tmp_path: Path) -> None:
    folder = write(tmp_path / "games", [played(seed) for seed in range(12)])
    _, whole, _ = loaded(folder)
    _, part, _ = loaded(folder, val_positions=5, test_positions=10_000, epoch_size=7)
    assert len(part[1]) == 5 and set(part[1].rows.tolist()) < set(whole[1].rows.tolist())
    assert torch.equal(part[2].rows, whole[2].rows) and part[0].steps(7) == 1
    rows = spread(torch.arange(1000), 100)
    assert (rows // 10 == torch.arange(100)).all() and len({int(row) % 10 for row in rows}) > 5


def test_a_game_is_the_same_turned_and_without_its_last_passes() -> None:
    game = played(1)
    key = game_key(game)
    points = symmetry_points(SIZE).numpy()
    for symmetry in range(8):
        assert game_key(replace(game, moves=points[symmetry][game.moves].astype(np.int16))) == key
    passes = np.append(game.moves, [25, 25]).astype(np.int16)
    assert game_key(replace(game, moves=passes, colours=np.append(game.colours, [1, 2]).astype(np.int8))) == key
    others = [
        replace(game, moves=game.moves[:-1], colours=game.colours[:-1]),
        replace(game, colours=game.colours[::-1].copy()),
        replace(game, black=np.array([24], dtype=np.int16)),
        replace(game, white=np.array([24], dtype=np.int16)),
        replace(game, size=6),
    ]
    assert len({key, *map(game_key, others)}) == 6


def test_a_cut_holds_out_about_its_share_and_one_at_least() -> None:
    keys = np.arange(4000, dtype=np.uint64)
    among = keys % 2 == 0
    rest, held = held_out(keys, among, 0.1, seed=7)
    assert 150 < held.sum() < 250 and not (held & ~among).any() and ((rest | held) == among).all()
    assert [part.sum() for part in held_out(keys[:2], np.ones(2, np.bool_), 0.001, seed=0)] == [1, 1]
    assert [part.sum() for part in held_out(keys[:2], np.ones(2, np.bool_), 0.999, seed=0)] == [1, 1]


@pytest.mark.parametrize(
    ("text", "number"),
    [("5d", 5), ("1k", 0), ("30k?", -29), ("9p", 29), ("3 dan", 3), ("8 dan pro", 28), ("七段", 7), ("初段", 1),
     ("2 kyu", -1), ("", UNKNOWN), ("?", UNKNOWN), ("strong", UNKNOWN), ("0d", UNKNOWN), ("NR", UNKNOWN)],
)  # fmt: skip
def test_ranks_are_read_as_they_are_written(text: str, number: int) -> None:
    assert rank_number(text) == number


def test_what_is_no_game_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no games of Go and no other file: give data.root=FOLDER"):
        find_games(tmp_path)
    (tmp_path / "one.gib").touch()
    with pytest.raises(DataError, match=r"holds no games of Go \(the only file is one.gib\): give"):
        find_games(tmp_path)
    (tmp_path / "two.gib").touch()
    with pytest.raises(DataError, match=r"holds no games of Go \(its 2 files are such as one.gib\): give"):
        find_games(tmp_path)
    with pytest.raises(DataError, match=r"one.gib: holds no games of Go, by the end of its name \(.gib\): give"):
        find_games(tmp_path / "one.gib")
    with pytest.raises(DataError, match="missing: no such file or folder: give data.root=FOLDER"):
        find_games(tmp_path / "missing")
    broken = tmp_path / "a.zip"
    broken.write_bytes(b"PK\3\4 and no more")
    with pytest.raises(DataError, match="a.zip: cannot be read .*mend it, or take it away"):
        loaded(tmp_path)
    broken.unlink()
    write(tmp_path, ["(;SZ[9];B[aa])"])
    with pytest.raises(DataError, match="the only game found is 9x9: say data.size=9"):
        loaded(tmp_path)
    write(tmp_path, ["(;SZ[9];B[aa])"] * 3, name="h")
    with pytest.raises(DataError, match="all 4 games found are 9x9: say data.size=9"):
        loaded(tmp_path)
    write(tmp_path, ["no game", " \n"], name="i")
    reasons = r"\(another board size: 4, no SGF: 1, an empty file: 1\)"
    with pytest.raises(
        DataError, match=f"none of 6 games is a legal one of 5x5 {reasons}: say data.size=9 for those of 9x9"
    ):
        loaded(tmp_path)
    write(tmp_path, [played(0)])
    with pytest.raises(DataError, match="1 game of 6 leaves none to train, .*: say data.size=9 for the 3 of 9x9"):
        loaded(tmp_path)
    write(tmp_path / "two", [played(0), played(1)])
    with pytest.raises(DataError, match="2 games of 2 leave none to train, to validate or to test on .*: add games"):
        loaded(tmp_path / "two")
    single = tmp_path / "two" / "g000.sgf"
    with pytest.raises(DataError, match="1 game of 1 leaves none .*g000.sgf is a single file: give the folder"):
        loaded(single)
    single.write_bytes(b"")
    with pytest.raises(DataError, match=r"the only game is no legal one of 5x5 \(an empty file: 1\): give another"):
        loaded(single)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 1}, "size must be 2 to 25 lines"),
        ({"planes": "nine"}, "planes must be one of"),
        ({"moves": "winer"}, "moves must be all or winner, not 'winer'; did you mean 'winner'?"),
        ({"moves": "black"}, "moves must be all or winner, not 'black'$"),
        ({"min_moves": 0}, "min_moves must be 1 or more"),
        ({"max_moves": 10}, "max_moves must be 20 or more"),
        ({"min_rank": "good"}, "min_rank must be a rank such as"),
        ({"max_games": 0}, "max_games must be 1 or more"),
        ({"val_fraction": 1.0}, "val_fraction must lie between 0 and 1"),
        ({"val_positions": 0}, "val_positions must be 1 or more"),
        ({"root": ""}, "root must be"),
    ],
)
def test_arguments_out_of_range_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message.replace('?', '[?]')}"):
        Sgf(**options)  # pyright: ignore[reportArgumentType]


def test_the_facts_are_known_before_anything_is_read() -> None:
    assert Sgf(root="nowhere", planes="full", size=13).facts() == {"in_channels": 16, "board_size": 13}
