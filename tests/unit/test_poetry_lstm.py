"""The poetry LSTM: torch's own LSTM as the oracle, one step at a time like all at once, and what each dropout drops."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from dlcourse.models.poetry_lstm import Memory, PoetryLSTM

V = 20
POEMS = st.lists(st.lists(st.integers(1, V - 1), min_size=1, max_size=9), min_size=1, max_size=5)
NO_DROPOUT = {"input_dropout": 0.0, "layer_dropout": 0.0, "output_dropout": 0.0}


def model(**changed: Any) -> PoetryLSTM:
    torch.manual_seed(0)
    given = {"vocab_size": V, "embedding_size": 6, "hidden_size": 5}
    made = PoetryLSTM(**(given | changed))
    nn.init.normal_(made.embedding.weight)
    nn.init.normal_(made.output_bias)
    return made.eval()


def batch(*poems: list[int], padding: int = 0) -> tuple[Tensor, Tensor]:
    width = max(map(len, poems)) + padding
    return torch.tensor([[*poem, *[0] * (width - len(poem))] for poem in poems]), torch.tensor(list(map(len, poems)))


SHAPES = [{}, {"tied": False}, {"hidden_size": 6}, {"layers": 1}, {"layers": 3, "tied": False, "embedding_size": 3}]
LARGE = batch(*torch.randint(1, V, (8, 12), generator=torch.Generator().manual_seed(0)).tolist())


@pytest.mark.parametrize("shape", SHAPES)
@torch.no_grad()
def test_the_logits_are_those_of_torchs_lstm(shape: dict[str, Any]) -> None:
    network = model(**shape)
    size = shape.get("hidden_size", 5)
    theirs = nn.LSTM(shape.get("embedding_size", 6), size, shape.get("layers", 2), batch_first=True)
    own = network.state_dict()
    for name, weight in theirs.named_parameters():
        kind, _, number = name.rpartition("_l")
        weight.copy_(own[f"layers.{number}.{kind}_l0"])
    tokens, lengths = LARGE
    states = network.projection(theirs(network.embedding(tokens))[0])
    wanted = states @ network.output_weight.T + network.output_bias
    torch.testing.assert_close(network(tokens, lengths), wanted)
    assert network(tokens, lengths).shape == (8, 12, V)
    assert ("output_table" in own) == (not shape.get("tied", True))
    assert ("projection.weight" in own) == (shape.get("tied", True) and size != 6)


@given(POEMS, st.sampled_from(SHAPES))
@torch.no_grad()
def test_one_token_at_a_time_is_all_at_once(poems: list[list[int]], shape: dict[str, Any]) -> None:
    network = model(**shape)
    tokens, lengths = batch(*poems)
    together = network(tokens, lengths)
    state = network.start_state(len(poems))
    for place in range(tokens.shape[1]):
        logits, state = network.advance(tokens[:, place], state)
        torch.testing.assert_close(logits, together[:, place], atol=1e-5, rtol=1e-5)


@given(POEMS, st.integers(0, 9))
@torch.no_grad()
def test_padding_and_neighbours_change_no_logit(poems: list[list[int]], padding: int) -> None:
    network = model()
    together = network(*batch(*poems, padding=padding))
    for row, poem in enumerate(poems):
        torch.testing.assert_close(network(*batch(poem))[0], together[row, : len(poem)], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("place", range(5))
@torch.no_grad()
def test_no_logit_sees_the_token_that_it_is_to_tell(place: int) -> None:
    network = model()
    tokens, lengths = batch([2, 9, 8, 7, 3])
    other = tokens.clone()
    other[0, place] = 11
    before, after = network(tokens, lengths), network(other, lengths)
    assert torch.equal(before[:, :place], after[:, :place])
    assert not torch.allclose(before[:, place:], after[:, place:])


def test_writing_needs_no_gradient_and_no_dropout_and_leaves_the_given_state() -> None:
    network = model(**dict.fromkeys(NO_DROPOUT, 0.5), weight_drop=0.5, embedding_dropout=0.5).train()
    first = network.start_state(2)
    logits, state = network.advance(torch.tensor([2, 3]), first)
    assert not logits.requires_grad and not state.hidden.requires_grad
    assert not any(part.any() for part in first)
    assert [part.shape for part in state] == [(2, 2, 5)] * 2
    wanted = network.eval()(*batch([2], [3]))[:, 0]
    torch.testing.assert_close(logits, wanted.detach())


@torch.no_grad()
def test_poems_can_be_dropped_and_doubled_between_two_steps() -> None:
    network = model()
    _, state = network.advance(torch.tensor([2, 3, 4]), network.start_state(3))
    rows = torch.tensor([2, 0, 2])
    picked = Memory(*(part[:, rows] for part in state))
    logits, _ = network.advance(torch.tensor([9, 9, 9]), picked)
    everything, _ = network.advance(torch.tensor([9, 9, 9]), state)
    torch.testing.assert_close(logits, everything[rows])


def test_the_forget_gates_start_with_their_bias_and_the_others_with_none() -> None:
    for layer in model(gate_bias=2.0, hidden_size=3).layers:
        assert isinstance(layer, nn.LSTM)
        assert layer.bias_ih_l0.tolist() == [0, 0, 0, 2, 2, 2, 0, 0, 0, 0, 0, 0]
        assert not layer.bias_hh_l0.any()


def test_each_dropout_takes_out_what_it_says() -> None:
    tokens, lengths = LARGE
    plain = model(**NO_DROPOUT)
    untouched = plain(tokens, lengths)
    torch.testing.assert_close(plain.train()(tokens, lengths), untouched)
    for name in (*NO_DROPOUT, "embedding_dropout", "weight_drop"):
        network = model(**(NO_DROPOUT | {name: 0.5}))
        torch.testing.assert_close(network(tokens, lengths), untouched, msg=f"{name} outside of training")
        assert not torch.allclose(network.train()(tokens, lengths), untouched), name


def test_locked_dropout_takes_the_same_numbers_throughout_a_poem_and_others_of_another() -> None:
    network = model(**(NO_DROPOUT | {"output_dropout": 0.5}), hidden_size=16, tied=False).train()
    gone = network.outputs(*LARGE) == 0
    assert torch.equal(gone, gone[:, :1].expand_as(gone))
    assert 0 < gone.float().mean() < 1 and not torch.equal(gone[0], gone[1])


def test_embedding_dropout_takes_a_character_everywhere_in_a_poem() -> None:
    network = model(embedding_dropout=0.5).train()
    words = network._embed(torch.tensor([[5, 6, 5, 7, 8, 5]] * 200))
    kept = (words != 0).any(-1)
    assert torch.equal(kept[:, 0], kept[:, 2]) and torch.equal(kept[:, 0], kept[:, 5])
    assert 0.35 < kept[:, 0].float().mean() < 0.65
    torch.testing.assert_close(words[kept], 2 * network.embedding(torch.tensor([[5, 6, 5, 7, 8, 5]] * 200))[kept])


def test_weight_drop_reads_with_recurrent_weights_of_which_some_are_missing() -> None:
    network = model(**NO_DROPOUT, weight_drop=0.4, layers=1, tied=False).train()
    (layer,) = network.layers
    assert isinstance(layer, nn.LSTM)
    tokens, lengths = LARGE
    torch.manual_seed(7)
    found = network.outputs(tokens, lengths)
    torch.manual_seed(7)
    missing = nn.functional.dropout(layer.weight_hh_l0, 0.4)
    theirs = nn.LSTM(6, 5, batch_first=True)
    theirs.load_state_dict({**layer.state_dict(), "weight_hh_l0": missing.detach()})
    torch.testing.assert_close(found, theirs(network.embedding(tokens))[0])
    found.sum().backward()
    gradient = layer.weight_hh_l0.grad
    assert gradient is not None
    assert torch.equal(gradient == 0, missing == 0) and 0 < (missing == 0).float().mean() < 1


def test_the_gradient_reaches_every_weight() -> None:
    network = model(tied=False, layers=3).train()
    network(*LARGE).logsumexp(-1).sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in network.parameters())


@torch.no_grad()
def test_bf16_is_near_enough_in_both_ways_of_reading() -> None:
    network = model(hidden_size=6)
    tokens, lengths = LARGE
    exact = network(tokens, lengths)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        together, state = network(tokens, lengths), network.start_state(8)
        for place in range(12):
            logits, state = network.advance(tokens[:, place], state)
    assert (together.float() - exact).abs().max() < 0.1
    assert (logits.float() - exact[:, -1]).abs().max() < 0.1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vocab_size", 0), ("embedding_size", 0), ("hidden_size", -1), ("layers", 0), ("gate_bias", float("inf")),
        ("embedding_dropout", 1.0), ("input_dropout", -0.1), ("layer_dropout", 1.0), ("output_dropout", 2.0),
        ("weight_drop", 1.0),
    ],
)  # fmt: skip
def test_arguments_out_of_range_are_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be"):
        model(**{name: value})
