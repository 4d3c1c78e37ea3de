"""The seeded stratified cut."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.data.split import stratified


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
