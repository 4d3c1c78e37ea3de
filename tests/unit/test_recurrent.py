"""Bidirectional recurrent layers: torch's packed sequences are the oracle, and padding is never read."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from dlcourse.models.recurrent import CELLS, BiRecurrent, Cell, Rearranged, mirror, word_mask


def packed_twin(layer: BiRecurrent, *, cell: str) -> nn.RNNBase:
    """torch's own bidirectional layer with the same weights."""
    twin = CELLS[cell](layer.ahead.input_size, layer.hidden_size, bidirectional=True, batch_first=True)
    with torch.no_grad():
        for direction, ending in ((layer.ahead, ""), (layer.back, "_reverse")):
            for name, weight in direction.named_parameters():
                twin.get_parameter(name + ending).copy_(weight)
    return twin


def packed_states(twin: nn.RNNBase, inputs: Tensor, lengths: Tensor) -> Tensor:
    packed = nn.utils.rnn.pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
    return nn.utils.rnn.pad_packed_sequence(twin(packed)[0], batch_first=True, total_length=inputs.shape[1])[0]


@pytest.mark.parametrize("cell", list(CELLS))
def test_states_and_gradients_are_those_of_packed_sequences(cell: Cell) -> None:
    torch.manual_seed(0)
    layer = BiRecurrent(input_size=5, hidden_size=6, cell=cell, gate_bias=0.0 if cell == "elman" else 1.0)
    inputs, lengths = torch.randn(4, 9, 5), torch.tensor([7, 5, 1, 8])
    own, other = inputs.clone().requires_grad_(), inputs.clone().requires_grad_()
    states, oracle = layer(own, lengths), packed_states(packed_twin(layer, cell=cell), other, lengths)
    torch.testing.assert_close(states, oracle)
    factor = torch.randn_like(states)
    (states * factor).sum().backward()
    (oracle * factor).sum().backward()
    torch.testing.assert_close(own.grad, other.grad)


def test_the_backward_direction_starts_at_the_last_word() -> None:
    layer = BiRecurrent(input_size=2, hidden_size=3, cell="elman")
    inputs = torch.randn(1, 6, 2)
    one_word = layer.back(inputs[:, 3:4])[0]
    torch.testing.assert_close(layer(inputs, torch.tensor([4]))[:, 3, 3:], one_word[:, 0])


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 9), st.sampled_from(list(CELLS)))
def test_padding_changes_no_state(lengths: list[int], more: int, cell: Cell) -> None:
    torch.manual_seed(1)
    layer = BiRecurrent(input_size=3, hidden_size=4, cell=cell).eval()
    time = max(lengths)
    inputs = torch.randn(len(lengths), time, 3)
    padded = torch.cat([inputs, torch.full((len(lengths), more, 3), 7.0)], dim=1)
    states, long = layer(inputs, torch.tensor(lengths)), layer(padded, torch.tensor(lengths))
    torch.testing.assert_close(long[:, :time], states)
    assert not long[:, time:].any()


@given(st.lists(st.integers(1, 7), min_size=1, max_size=6))
def test_reading_backwards_twice_changes_nothing(lengths: list[int]) -> None:
    order = mirror(torch.tensor(lengths), 7)
    rows = torch.arange(len(lengths) * 7.0).view(len(lengths), 7, 1)
    once = Rearranged.apply(rows, order)
    torch.testing.assert_close(Rearranged.apply(once, order), rows)
    for place, length in enumerate(lengths):
        assert once[place, :length, 0].tolist() == rows[place, :length, 0].flip(0).tolist()
        assert once[place, length:, 0].tolist() == rows[place, length:, 0].tolist()


def test_the_gradient_of_a_rearrangement_is_right() -> None:
    rows = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Rearranged.apply, (rows, mirror(torch.tensor([4, 5]), 5)))


def test_where_words_stand() -> None:
    assert word_mask(torch.tensor([1, 3]), 3).tolist() == [[True, False, False], [True, True, True]]


@pytest.mark.parametrize(("cell", "block"), [("gru", 1), ("lstm", 1)])
def test_the_gate_bias_reaches_the_gate_that_keeps_the_state(cell: Cell, block: int) -> None:
    layer = BiRecurrent(input_size=2, hidden_size=3, cell=cell, gate_bias=2.5)
    for direction in (layer.ahead, layer.back):
        biases = direction.get_parameter("bias_ih_l0").view(-1, 3)
        assert biases[block].tolist() == [2.5] * 3
        assert biases.sum() == 7.5


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_gate_bias_lets_gradients_reach_further_back(cell: Cell) -> None:
    reach: list[float] = []
    for bias in (0.0, 3.0):
        torch.manual_seed(0)
        layer = BiRecurrent(input_size=4, hidden_size=16, cell=cell, gate_bias=bias)
        inputs = torch.randn(1, 60, 4, requires_grad=True)
        layer(inputs, torch.tensor([60]))[:, -1, :16].sum().backward()
        assert inputs.grad is not None
        reach.append(float(inputs.grad[0, 0].norm()))
    assert reach[1] > 100 * reach[0]


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        ({"hidden_size": 0}, "hidden_size"),
        ({"cell": "gruu"}, "cell"),
        ({"cell": "elman", "gate_bias": 1.0}, "gate_bias"),
        ({"gate_bias": float("nan")}, "gate_bias"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, object], start: str) -> None:
    with pytest.raises(ValueError, match=f"^{start} must"):
        BiRecurrent(**{"input_size": 2, "hidden_size": 3, **arguments})  # type: ignore[arg-type]
