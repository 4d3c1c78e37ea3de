"""Vocabularies number tokens as torchtext does, and fail where it fails."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.text.vocab import Vocab, build_vocab_from_iterator, vocab

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "torchtext.json").read_text(encoding="utf-8"))
TEXTS = st.lists(st.lists(st.sampled_from(["a", "b", "c", "Z", "é", "<unk>", "😀", ""])))


def answer(made: Vocab, method: str, *arguments: Any) -> Any:
    try:
        return getattr(made, method)(*arguments)
    except RuntimeError:
        return {"error": "RuntimeError"}


@pytest.mark.parametrize("recorded", GOLDEN["vocabs"], ids=lambda recorded: str(recorded["kwargs"]))
def test_a_vocabulary_answers_as_torchtexts_did(recorded: dict[str, Any]) -> None:
    expected = recorded["answer"]
    if "error" in expected:
        with pytest.raises({"AssertionError": AssertionError, "RuntimeError": RuntimeError}[expected["error"]]):
            build_vocab_from_iterator(recorded["texts"], **recorded["kwargs"])
        return
    made = build_vocab_from_iterator(recorded["texts"], **recorded["kwargs"])
    assert made.get_itos() == expected["itos"]
    assert [answer(made, *call) for call in recorded["calls"]] == expected["calls"]


def test_equally_frequent_tokens_come_by_code_point() -> None:
    made = build_vocab_from_iterator([["b", "é", "Z", "a", "b", "a"]], specials=["<pad>", "<unk>"])
    assert made.get_itos() == ["<pad>", "<unk>", "a", "b", "Z", "é"]


def test_a_special_that_is_a_frequent_word_costs_its_place_as_in_torchtext() -> None:
    made = build_vocab_from_iterator([["the"] * 3, ["a"] * 2, ["b"]], specials=["the"], max_tokens=3)
    assert made.get_itos() == ["the", "a"]


def test_a_mapping_keeps_its_order_and_is_left_alone() -> None:
    counts = {"b": 1, "<unk>": 7, "a": 3, "c": 2}
    assert vocab(counts, min_freq=2, specials=["<unk>"], special_first=False).get_itos() == ["a", "c", "<unk>"]
    assert counts == {"b": 1, "<unk>": 7, "a": 3, "c": 2}


@given(TEXTS, st.integers(0, 3), st.none() | st.integers(3, 9))
def test_ids_and_tokens_lead_to_each_other_and_follow_the_counts(
    texts: list[list[str]], min_freq: int, max_tokens: int | None
) -> None:
    made = build_vocab_from_iterator(texts, min_freq=min_freq, specials=["<pad>", "<unk>"], max_tokens=max_tokens)
    itos = made.get_itos()
    assert made.lookup_indices(itos) == list(range(len(made))) == [made.get_stoi()[token] for token in itos]
    assert made.lookup_tokens(range(len(made))) == itos
    counts = Counter(token for tokens in texts for token in tokens)
    words = itos[2:]
    assert words == sorted(words, key=lambda token: (-counts[token], token))
    assert all(counts[token] >= min_freq for token in words)
    assert len(made) <= (max_tokens or len(made))


def test_errors_say_what_torchtexts_say() -> None:
    made = Vocab(["a", "b"])
    with pytest.raises(RuntimeError, match="Token zz not found and default index is not set"):
        made["zz"]
    with pytest.raises(RuntimeError, match="Token zz not found and default index is not set"):
        made(["a", "zz"])
    with pytest.raises(RuntimeError, match="Specified index 2 is out of bounds for vocab of size 2"):
        made.lookup_token(2)
    with pytest.raises(RuntimeError, match="Specified index -1 at position 1 is out of bounds for vocab of size 2"):
        made.lookup_tokens([0, -1])
    with pytest.raises(RuntimeError, match="Token a already exists in the Vocab with index: 0"):
        made.append_token("a")
    with pytest.raises(RuntimeError, match="Duplicate token found in tokens list: a"):
        Vocab(["a", "b", "a"])
    with pytest.raises(AssertionError, match="entirely special tokens"):
        build_vocab_from_iterator([["a"]], specials=["x"], max_tokens=1)


def test_what_is_handed_out_is_a_copy() -> None:
    made = Vocab(["a"])
    made.get_itos().append("b")
    made.get_stoi()["b"] = 1
    assert len(made) == 1 and "b" not in made
