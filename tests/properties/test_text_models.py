"""Padding and neighbours change no prediction, whatever the documents, the pooling and the cell."""

from __future__ import annotations

from functools import cache
from typing import get_args

import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.models.bigru_attention import BiGRUAttention, Pooling
from dlcourse.models.recurrent import Cell
from dlcourse.models.text_lm import BiLanguageModel

VOCABULARY = 20
documents = st.lists(st.integers(1, VOCABULARY - 1), min_size=1, max_size=12)


@cache
def classifier(pooling: Pooling, cell: Cell) -> BiGRUAttention:
    torch.manual_seed(0)
    model = BiGRUAttention(
        vocab_size=VOCABULARY, num_classes=3, embedding_size=6, hidden_size=5, layers=2, attention_size=4, cell=cell,
        pooling=pooling, ngrams=3, ngram_buckets=512,
    )  # fmt: skip
    assert model.wide is not None
    torch.nn.init.normal_(model.wide.table, std=0.1)
    torch.nn.init.normal_(model.encoder.embedding.weight)  # the row of padding too: it must not matter
    return model.eval()


def batch(*given: list[int], width: int) -> tuple[torch.Tensor, torch.Tensor]:
    tokens = torch.tensor([[*document, *[0] * (width - len(document))] for document in given])
    return tokens, torch.tensor([len(document) for document in given])


@given(documents, st.lists(documents, max_size=3), st.integers(0, 40), st.sampled_from(get_args(Pooling)),
       st.sampled_from(get_args(Cell)))  # fmt: skip
@torch.no_grad()
def test_padding_and_neighbours_change_no_prediction(
    document: list[int], others: list[list[int]], padding: int, pooling: Pooling, cell: Cell
) -> None:
    model = classifier(pooling, cell)
    width = max(map(len, [document, *others])) + padding
    alone, among = batch(document, width=len(document)), batch(document, *others, width=width)
    assert (model(*alone)[0] - model(*among)[0]).abs().max() < 1e-6
    shares = model.attention(*among)[0]
    assert (model.attention(*alone)[0] - shares[: len(document)]).abs().max() < 1e-6
    assert (shares[len(document) :] == 0).all()


@given(documents, st.integers(0, 40))
@torch.no_grad()
def test_padding_changes_no_head_of_the_language_model(document: list[int], padding: int) -> None:
    torch.manual_seed(0)
    model = BiLanguageModel(vocab_size=VOCABULARY, embedding_size=6, hidden_size=5).eval()
    alone, padded = batch(document, width=len(document)), batch(document, width=len(document) + padding)
    for one, other in zip(model(*alone), model(*padded), strict=True):
        assert (one - other[:, : len(document)]).abs().max() < 1e-6
