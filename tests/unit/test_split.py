"""The seeded cuts: by class, and by group."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.data.split import grouped, stratified


def test_every_class_gives_its_share() -> None:
    labels = torch.tensor([0] * 100 + [1] * 50 + [2] * 10)
    rest, held_out = stratified(labels, 0.1, seed=0)
    assert torch.bincount(labels[held_out]).tolist() == [10, 5, 1]
    assert torch.bincount(labels[rest]).tolist() == [90, 45, 9]


def test_another_seed_is_another_cut_and_the_same_seed_the_same() -> None:
    labels = torch.arange(1000) % 10
    cuts = [stratified(labels, 0.2, seed=seed)[1].tolist() for seed in (0, 0, 1)]
    assert cuts[0] == cuts[1] != cuts[2]


def test_classes_of_equal_size_are_not_cut_at_the_same_places() -> None:
    held_out = stratified(torch.arange(200) // 100, 0.2, seed=0)[1]
    assert held_out[:20].tolist() != (held_out[20:] - 100).tolist()


@given(
    labels=st.lists(st.integers(0, 5), min_size=1, max_size=60),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**40),
)
def test_a_cut_holds_every_index_once_in_order_and_leaves_no_class_empty(
    labels: list[int], fraction: float, seed: int
) -> None:
    given_labels = torch.tensor(labels)
    rest, held_out = stratified(given_labels, fraction, seed=seed)
    assert sorted(rest.tolist() + held_out.tolist()) == list(range(len(labels)))
    assert rest.tolist() == sorted(rest.tolist())
    assert held_out.tolist() == sorted(held_out.tolist())
    for label in set(labels):
        count = labels.count(label)
        held = int((given_labels[held_out] == label).sum())
        assert held == (0 if count == 1 else min(max(round(count * fraction), 1), count - 1))


def test_groups_stay_whole() -> None:
    groups = [f"film {number // 5}" for number in range(100)]
    rest, held_out = grouped(groups, 0.1, seed=0)
    assert len(held_out) == 10
    assert {groups[index] for index in rest} & {groups[index] for index in held_out} == set()


@given(
    groups=st.lists(st.integers(0, 8), min_size=1, max_size=60),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**40),
)
def test_a_cut_by_groups_holds_every_index_once_and_no_more_than_its_share(
    groups: list[int], fraction: float, seed: int
) -> None:
    rest, held_out = grouped(groups, fraction, seed=seed)
    assert sorted(rest.tolist() + held_out.tolist()) == list(range(len(groups)))
    assert {groups[index] for index in rest}.isdisjoint(groups[index] for index in held_out)
    assert len(rest) > 0
    assert (len(held_out) > 0) == (len(set(groups)) > 1)
    if len({groups[index] for index in held_out}) > 1:
        assert len(held_out) <= round(fraction * len(groups))


def test_another_seed_holds_out_other_groups() -> None:
    cuts = [grouped(range(50), 0.2, seed=seed)[1].tolist() for seed in (0, 0, 1)]
    assert cuts[0] == cuts[1] != cuts[2]
