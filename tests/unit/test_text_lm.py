"""The bidirectional language model: no head sees the word that it is to tell."""

from __future__ import annotations

import pytest
import torch

from dlcourse.models.bigru_attention import BiGRUAttention
from dlcourse.models.text_lm import BiLanguageModel

TOKENS = torch.tensor([[4, 5, 6, 7, 8, 0, 0, 0]])
LENGTHS = torch.tensor([5])


def model() -> BiLanguageModel:
    torch.manual_seed(0)
    return BiLanguageModel(vocab_size=12, embedding_size=6, hidden_size=5).eval()


def test_heads_are_as_wide_as_the_table() -> None:
    network = model()
    states = network.states(TOKENS, LENGTHS)
    ahead, behind = network.heads(states)
    assert states.shape == (1, 8, 10)
    assert ahead.shape == behind.shape == (1, 8, 6)
    assert (ahead @ network.encoder.embedding.weight.T + network.output_bias).shape == (1, 8, 12)
    assert all(torch.equal(*pair) for pair in zip(network(TOKENS, LENGTHS), (ahead, behind), strict=True))


@pytest.mark.parametrize("place", range(5))
def test_no_head_sees_the_word_that_it_is_to_tell(place: int) -> None:
    network = model()
    other = TOKENS.clone()
    other[0, place] = 11
    (ahead, behind), (new_ahead, new_behind) = network(TOKENS, LENGTHS), network(other, LENGTHS)
    assert torch.equal(ahead[:, :place], new_ahead[:, :place])  # the one at place - 1 tells it
    assert torch.allclose(behind[:, place + 1 : 5], new_behind[:, place + 1 : 5], atol=1e-7)
    assert not torch.allclose(ahead[:, place:5], new_ahead[:, place:5])


def test_its_encoder_is_that_of_the_classifier() -> None:
    classifier = BiGRUAttention(vocab_size=12, num_classes=2, embedding_size=6, hidden_size=5)
    shapes = {name: value.shape for name, value in classifier.encoder.state_dict().items()}
    assert shapes == {name: value.shape for name, value in model().encoder.state_dict().items()}


def test_a_second_layer_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^layers must be 1 .* not 2$"):
        BiLanguageModel(vocab_size=12, layers=2)
