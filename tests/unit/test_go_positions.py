"""Splits of packed Go positions: what a batch holds, how epochs are cut, what a draw does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dlcourse.data.base import Draw
from dlcourse.data.go_planes import encode
from dlcourse.data.go_positions import GoSplit, GoTable, unpack
from dlcourse.data.symmetries import symmetry_points, turned

SIZE = 5


def table(lengths: tuple[int, ...] = (12, 1, 30)) -> GoTable:
    """Positions of games of such lengths; stones and moves have no sense."""
    generator = np.random.default_rng(0)
    total = sum(lengths)
    colours = generator.integers(3, size=(total, SIZE * SIZE))
    stones = np.packbits(np.stack([colours == 1, colours == 2], 1), axis=2)
    numbers = np.concatenate([np.arange(length) for length in lengths])
    moves = generator.integers(SIZE * SIZE + 1, size=total)
    ko = generator.integers(-1, SIZE * SIZE, size=total)
    return GoTable(
        SIZE,
        torch.from_numpy(stones),
        *(torch.from_numpy(one.astype(np.int16)) for one in (moves, numbers, ko)),
        digest="a",
    )


def split(**options: object) -> GoSplit:
    made = table()
    return GoSplit(made, torch.arange(len(made)), **options)  # pyright: ignore[reportArgumentType]


@given(
    arrays(np.uint8, st.tuples(st.integers(0, 5), st.integers(1, 3), st.integers(1, 80)), elements=st.integers(0, 1))
)
def test_unpacking_undoes_packbits(bits: np.ndarray) -> None:
    packed = torch.from_numpy(np.packbits(bits, axis=-1))
    assert (unpack(packed, points=bits.shape[-1]).numpy() == bits).all()


def test_a_batch_holds_the_positions_asked_for() -> None:
    one = split(planes="full")
    indices = torch.tensor([40, 3, 12, 3])
    batch = one.fetch(indices)
    assert batch.targets.tolist() == one.table.moves[indices].tolist() and batch.targets.dtype == torch.int64
    assert batch.numbers.tolist() == [27, 3, 0, 3] and batch.numbers.dtype == torch.int64
    assert (batch.weight, batch.size) == (4.0, SIZE)
    (planes,) = batch.inputs
    assert torch.equal(planes, encode(one.positions(indices), size=SIZE, planes="full"))
    bits = np.unpackbits(one.table.stones[40].numpy(), axis=1)[:, : SIZE * SIZE]
    assert (planes[0, :2].flatten(1).numpy() == bits).all()


def test_recent_moves_are_those_of_the_same_game() -> None:
    one = split()
    moves = one.table.moves.tolist()
    recent = one.positions(torch.tensor([11, 12, 13, 15])).recent.tolist()
    assert recent[0] == moves[3:11][::-1]
    assert recent[1] == [-1] * 8  # a game of one move
    assert recent[2] == [-1] * 8
    assert recent[3] == [moves[14], moves[13], *[-1] * 6]


def test_a_split_of_some_rows_knows_the_moves_before_them() -> None:
    whole = split()
    part = GoSplit(whole.table, torch.tensor([5, 20]))
    assert len(part) == 2
    assert torch.equal(part.fetch(torch.tensor([1])).planes, whole.fetch(torch.tensor([20])).planes)


def test_a_draw_turns_position_and_target_together() -> None:
    one = split(planes="full")
    indices = torch.arange(len(one))
    plain, drawn = one.fetch(indices), one.fetch(indices, draw=Draw(seed=3, epoch=1))
    seen: set[int] = set()
    for place in indices.tolist():
        same = [
            k
            for k in range(8)
            if torch.equal(turned(plain.planes[place], k), drawn.planes[place])
            and symmetry_points(SIZE)[k, plain.targets[place]] == drawn.targets[place]
        ]
        assert same
        seen |= set(same)
    assert seen == set(range(8))
    assert torch.equal(drawn.numbers, plain.numbers)


def test_a_draw_depends_on_nothing_but_seed_epoch_and_sample() -> None:
    one = split()
    together = one.fetch(torch.arange(43), draw=Draw(0, 2))
    alone = one.fetch(torch.tensor([17]), draw=Draw(0, 2))
    assert torch.equal(alone.planes[0], together.planes[17])
    assert not torch.equal(together.planes, one.fetch(torch.arange(43), draw=Draw(0, 3)).planes)
    assert torch.equal(
        split(symmetry=False).fetch(torch.arange(43), draw=Draw(0, 2)).planes, one.fetch(torch.arange(43)).planes
    )


def test_epochs_bring_other_positions_until_all_were_seen() -> None:
    one = split(epoch_size=10)
    assert one.steps(4) == 2 and split().steps(4) == 10
    epochs = [torch.cat(list(one.epoch_batches(5, seed=1, epoch=epoch))).tolist() for epoch in range(8)]
    for first in (0, 4):  # 43 positions are four epochs of ten
        assert len({place for epoch in epochs[first : first + 4] for place in epoch}) == 40
    assert sorted(epochs[0]) != sorted(epochs[4])
    assert epochs[3] == torch.cat(list(one.epoch_batches(5, seed=1, epoch=3))).tolist()
    assert epochs[3] != torch.cat(list(one.epoch_batches(5, seed=2, epoch=3))).tolist()


def test_an_epoch_is_never_longer_than_the_split() -> None:
    one = split(epoch_size=1000)
    assert [len(batch) for batch in one.epoch_batches(20, seed=0, epoch=5)] == [20, 20]
    assert [len(batch) for batch in one.epoch_batches(64, seed=0, epoch=5)] == [43]
    assert one.steps(64) == 1


def test_everything_that_training_sees_is_in_the_fingerprint() -> None:
    base = split().fingerprint
    assert base == split().fingerprint and len(base) == 64
    others = [split(planes="basic"), split(symmetry=False), split(epoch_size=9), GoSplit(table(), torch.arange(42))]
    assert len({base, *(other.fingerprint for other in others)}) == 5


def test_splits_share_the_table_on_a_device() -> None:
    one = split()
    elsewhere = torch.device("meta")
    assert one.to(elsewhere).table is one.to(elsewhere).table
    assert one.to(torch.device("cpu")).table is one.table


def test_arguments_out_of_range_are_named() -> None:
    with pytest.raises(ValueError, match="^planes must be one of basic, history, full, not 'colour'"):
        split(planes="colour")
    with pytest.raises(ValueError, match="^epoch_size must be 1 or more positions"):
        split(epoch_size=0)
