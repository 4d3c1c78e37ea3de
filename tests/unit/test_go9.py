"""data=go9: games of the package's own file; the random moves at their beginning are not learned from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dlcourse.data import go9
from dlcourse.data.go9 import Go9, embedded
from dlcourse.errors import DataError

GAMES, MOVES = 30, 12


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path / "cache"))


def arrays(*, seed: int = 0) -> dict[str, np.ndarray]:
    """Games of different points in a row, which are legal; two passes end each."""
    generator = np.random.default_rng(seed)
    games = [np.append(generator.permutation(81)[: MOVES - 2], [81, 81]) for _ in range(GAMES)]
    return {
        "moves": np.concatenate(games).astype(np.uint8),
        "starts": (np.arange(GAMES + 1) * MOVES).astype(np.int32),
        "results": (np.arange(GAMES) % 3 - 1).astype(np.int8),
        "random": (np.arange(GAMES) % 5).astype(np.int8),
    }


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "go9.npz"
    np.savez_compressed(path, **arrays())
    monkeypatch.setattr(go9, "PATH", path)
    return path


def test_random_moves_are_seen_but_not_learned(file: Path) -> None:
    data = Go9(planes="full")
    splits = data.load()
    parts = [splits.train, splits.val, splits.test]
    rows = torch.cat([part.rows for part in parts])
    numbers = splits.train.table.numbers
    assert len(rows) == len(set(rows.tolist())) == GAMES * MOVES - int(arrays()["random"].sum())
    for row in rows.tolist():
        assert int(numbers[row]) >= (row // MOVES) % 5
    batch = splits.train.fetch(torch.arange(len(splits.train)))
    assert batch.planes.shape[1:] == (16, 9, 9) and batch.size == 9
    assert int((batch.targets == 81).sum()) == 2 * len({row // MOVES for row in splits.train.rows.tolist()})
    assert data.notes()[0] == f"{GAMES} games read + 0 skipped = {GAMES} found"
    assert data.facts() == {"in_channels": 16, "board_size": 9}


def test_of_the_winner_alone_the_moves_are_learned_and_the_test_stays(file: Path) -> None:
    data = Go9(moves="winner")
    one, every = data.load(), Go9().load()
    content = arrays()
    for won, whole in ((one.train, every.train), (one.val, every.val)):
        # Black, who has the even moves, won where the result is 1.
        kept = [
            row for row in whole.rows.tolist() if content["results"][row // MOVES] == (-1 if row % MOVES % 2 else 1)
        ]
        assert won.rows.tolist() == kept
    assert torch.equal(one.test.rows, every.test.rows) and one.test.fingerprint == every.test.fingerprint
    assert data.notes()[-1].endswith("the test asks for all; of 10 games the winner is not known")


def test_matches_are_learned_from_and_validated_on_but_never_tested_on(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = arrays(seed=1)
    content["random"][:] = 0
    matches = tmp_path / "go9_matches.npz"
    np.savez_compressed(matches, **content)
    monkeypatch.setattr(go9, "MATCHES", matches)
    alone, both = Go9().load(), Go9(matches=True).load()
    assert torch.equal(both.test.rows, alone.test.rows)
    for with_matches, without in ((both.train, alone.train), (both.val, alone.val)):
        own = with_matches.rows[with_matches.rows < GAMES * MOVES]
        assert torch.equal(own, without.rows)
        assert len(own) < len(with_matches.rows)
    learned = len(both.train.rows) + len(both.val.rows) - len(alone.train.rows) - len(alone.val.rows)
    assert learned == GAMES * MOVES  # of a match every move was a player's choice


def test_of_matches_the_winner_is_known_too(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = arrays(seed=1)
    np.savez_compressed(tmp_path / "go9_matches.npz", **content)
    monkeypatch.setattr(go9, "MATCHES", tmp_path / "go9_matches.npz")
    splits = Go9(matches=True, moves="winner").load()
    for row in torch.cat([splits.train.rows, splits.val.rows]).tolist():
        result = content["results"][row // MOVES % GAMES]
        assert result == (-1 if row % MOVES % 2 else 1)


def test_a_game_that_stands_twice_keeps_the_others_in_their_places(file: Path) -> None:
    content = arrays()
    content["moves"][MOVES : 2 * MOVES] = content["moves"][:MOVES]
    np.savez_compressed(file, **content)
    splits = Go9().load()
    kept = np.delete(np.arange(GAMES), 1)
    for part in (splits.train, splits.val, splits.test):
        for row in part.rows.tolist():
            assert row % MOVES >= content["random"][kept[row // MOVES]]
    assert sum(map(len, (splits.train, splits.val, splits.test))) == int((MOVES - content["random"][kept]).sum())


@pytest.mark.parametrize(
    "change",
    [
        {"moves": np.full(GAMES * MOVES, 82, dtype=np.uint8)},
        {"moves": np.zeros(3, dtype=np.uint8)},
        {"random": np.zeros(2, dtype=np.int8)},
        {"starts": np.zeros(0, dtype=np.int32)},
        {"starts": np.zeros((2, 2), dtype=np.int32)},
        {"random": np.array([None])},
        {"results": np.zeros(2, dtype=np.int8)},
        {"results": np.zeros(GAMES, dtype=np.int64)},
    ],
)
def test_arrays_that_do_not_fit_are_a_damaged_file(tmp_path: Path, change: dict[str, np.ndarray]) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **{**arrays(), **change})
    with pytest.raises(DataError, match="a.npz: is .*damaged .*: install dlcourse again"):
        embedded(path)


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"no archive"])
def test_a_file_that_is_no_archive_is_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="missing or damaged"):
        embedded(path)
    with pytest.raises(DataError, match="missing or damaged"):
        embedded(tmp_path / "none.npz")
