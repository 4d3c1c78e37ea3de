"""Encoders: text to ids and back, what a run keeps of them, and what damage does to it."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.errors import CheckpointError, ConfigError
from dlcourse.text.bpe import BpeEncoder
from dlcourse.text.encoders import BUILDERS, Encoder, WordEncoder, build_encoder, read_encoder
from dlcourse.text.vocab import Vocab

NAMES = sorted(BUILDERS)
TEXTS = ["It's a great, well-known movie.<br /><br />Watch it!", "a great great film (2001)", "", "唐诗 watch 😀"]
ODD = [
    "",
    " ",
    "<pad>",
    "<unk> <pad><pad>",
    "\udc80 half",
    "▁ ##",
    "a\x1cb\x85c\u3000d",
    "İ ΣΑΣ",
    "e\u0301 Å",
    "x" * 5000,
]


@cache
def made(name: str) -> Encoder:
    return build_encoder(TEXTS, tokenizer=name, max_tokens=60, min_freq=1)


def test_words_become_ids_by_hand() -> None:
    encoder = build_encoder(["b a a", "a c b"], tokenizer="words", max_tokens=4, min_freq=1)
    assert [encoder.token(index) for index in range(encoder.size)] == ["<pad>", "<unk>", "a", "b"]
    assert encoder.encode("a c b zz") == [2, 1, 3, 1]
    ragged = encoder.encode_all(["a", "", "b c"])
    assert ragged.values.tolist() == [2, 3, 1] and ragged.offsets.tolist() == [0, 1, 1, 3]


@pytest.mark.parametrize("name", NAMES)
@given(texts=st.lists(st.text() | st.sampled_from(TEXTS + ODD), max_size=5))
def test_all_ways_to_ids_agree_and_none_makes_padding(name: str, texts: list[str]) -> None:
    encoder = made(name)
    found = encoder.encode_all(texts)
    assert len(found) == len(texts)
    for text, ids in zip(texts, found, strict=True):
        assert ids.tolist() == encoder.encode(text) == encoder.ids(encoder.pieces(text))
        assert all(0 < index < encoder.size for index in ids)
    assert encoder.ids(["<pad>", "<unk>"]) == [1, 1]


@pytest.mark.parametrize("name", NAMES)
def test_many_texts_are_encoded_in_their_order(name: str) -> None:
    texts = [f"great {'movie ' * (number % 7)}{number}" for number in range(2345)]
    encoder = made(name)
    assert [ids.tolist() for ids in encoder.encode_all(iter(texts))] == [encoder.encode(text) for text in texts]


@pytest.mark.parametrize("name", NAMES)
def test_known_pieces_come_back(name: str) -> None:
    encoder = made(name)
    ids = encoder.encode(TEXTS[0])
    known = [index for index in ids if index != 1]
    assert len(known) > 3
    assert encoder.ids([encoder.token(index) for index in known]) == known
    for index in (-1, encoder.size):
        with pytest.raises(IndexError):
            encoder.token(index)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("max_tokens", [3, 4, 10, 1000])
def test_there_are_never_more_ids_than_allowed(name: str, max_tokens: int) -> None:
    encoder = build_encoder(TEXTS, tokenizer=name, max_tokens=max_tokens, min_freq=1)
    assert 2 < encoder.size <= max_tokens
    assert [encoder.token(0), encoder.token(1)] == ["<pad>", "<unk>"]


@pytest.mark.parametrize("name", NAMES)
def test_a_kept_encoder_is_the_same_encoder(name: str) -> None:
    encoder = made(name)
    kept = encoder.to_json()
    again = read_encoder(kept.encode("utf-8").decode("utf-8"))
    assert again.to_json() == kept
    assert np.array_equal(again.encode_all(TEXTS + ODD).values, encoder.encode_all(TEXTS + ODD).values)
    assert again.size == encoder.size


def test_half_a_character_in_a_word_is_kept() -> None:
    encoder = build_encoder(["\udc80x \\udc81 y"], tokenizer="words", max_tokens=9, min_freq=1)
    again = read_encoder(encoder.to_json().encode("utf-8").decode("utf-8"))
    assert [again.token(index) for index in range(2, 5)] == ["\\udc81", "y", "\udc80x"]


def test_later_changes_of_a_vocabulary_do_not_reach_its_encoder() -> None:
    vocab = Vocab(["<pad>", "<unk>", "a"])
    encoder = WordEncoder("words", vocab)
    vocab.insert_token("b", 2)
    assert encoder.encode("a b") == [2, 1] and encoder.size == 3


def by_hand(word: str, merges: list[tuple[str, str]]) -> list[str]:
    """Byte-pair encoding as its paper has it: as long as there is a pair that merges, the first learned one does."""
    parts = list("▁" + word)
    while pairs := [pair for pair in pairwise(parts) if pair in merges]:
        best = min(pairs, key=merges.index)
        joined: list[str] = []
        for part in parts:
            fits = joined and (joined[-1], part) == best
            joined = [*joined[:-1], joined[-1] + part] if fits else [*joined, part]
        parts = joined
    return parts


@given(st.lists(st.text("aegmrtv", min_size=1, max_size=8)))
def test_subwords_are_those_of_the_papers_algorithm(words: list[str]) -> None:
    model = json.loads(made("bpe").to_json())["tokenizer"]["model"]
    merges = [tuple(pair) for pair in model["merges"]]
    assert made("bpe").pieces(" ".join(words)) == [part for word in words for part in by_hand(word, merges)]


def test_subwords_are_lower_case_and_punctuation_stands_alone() -> None:
    pieces = made("bpe").pieces("GREAT movie,<br />it's")
    assert "".join(pieces).split("▁") == ["", "great", "movie", ",", "it", "'", "s"]


def test_the_library_reads_what_is_kept_of_it() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    alone = tokenizers.Tokenizer.from_str(json.dumps(json.loads(made("bpe").to_json())["tokenizer"]))
    assert alone.encode(TEXTS[0]).ids == made("bpe").encode(TEXTS[0])


def test_subwords_are_learned_alike_every_time() -> None:
    again = build_encoder(iter(TEXTS), tokenizer="bpe", max_tokens=60, min_freq=1)
    assert again.to_json() == made("bpe").to_json()
    rare = build_encoder(TEXTS, tokenizer="bpe", max_tokens=60, min_freq=100)
    assert all(len(rare.token(index)) == 1 for index in range(2, rare.size))


def test_without_the_library_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = made("bpe").to_json()
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ConfigError, match=r'pip install "dlcourse\[bpe\]"'):
        build_encoder(TEXTS, tokenizer="bpe", max_tokens=60, min_freq=1)
    with pytest.raises(ConfigError, match=r'pip install "dlcourse\[bpe\]"'):
        read_encoder(kept)


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"no tokenizer is called 'bp'; did you mean 'bpe'\?"):
        build_encoder(TEXTS, tokenizer="bp", max_tokens=60, min_freq=1)
    with pytest.raises(ValueError, match="^max_tokens must"):
        build_encoder(TEXTS, tokenizer="words", max_tokens=2, min_freq=1)
    with pytest.raises(ValueError, match="^min_freq must"):
        build_encoder(TEXTS, tokenizer="words", max_tokens=60, min_freq=0)
    with pytest.raises(ValueError, match="^vocab must begin with <pad> and <unk>"):
        WordEncoder("words", Vocab(["<unk>", "<pad>"]))
    with pytest.raises(ValueError, match="^vocab must number"):
        BpeEncoder({"<pad>": 0, "<unk>": 2}, [])
    with pytest.raises(ValueError, match="^merges must"):
        BpeEncoder({"<pad>": 0, "<unk>": 1, "a": 2}, [("a", "a")])


WORDS_FILE = {"format": "dlcourse vocabulary 1", "kind": "words", "tokenizer": "words", "tokens": ["<pad>", "<unk>"]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 100_000,
        '{"a":' * 100_000,
        "9" * 5000,
        "null",
        "[]",
        "{}",
        json.dumps(WORDS_FILE | {"format": "dlcourse vocabulary 2"}),
        json.dumps(WORDS_FILE | {"kind": ["words"]}),
        json.dumps(WORDS_FILE | {"kind": "pickle"}),
        json.dumps(WORDS_FILE | {"tokenizer": "os.system"}),
        json.dumps(WORDS_FILE | {"tokens": ["<unk>", "<pad>"]}),
        json.dumps(WORDS_FILE | {"tokens": ["<pad>", "<unk>", 3]}),
        json.dumps(WORDS_FILE | {"tokens": ["<pad>", "<unk>", "<unk>"]}),
        json.dumps(WORDS_FILE | {"kind": "bpe"}),
        '{"format": "dlcourse vocabulary 1", "kind": "bpe", "tokenizer": {"model": {"vocab": '
        '{"<pad>": false, "<unk>": true}, "merges": []}}}',
    ],
    ids=lambda text: text[:40],
)
def test_what_is_no_vocabulary_is_a_checkpoint_error(text: str) -> None:
    with pytest.raises(CheckpointError, match="the vocabulary cannot be used"):
        read_encoder(text)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield from places(part, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], scrap: Any) -> Any:
    if not path:
        return scrap
    changed = copy.copy(value)
    changed[path[0]] = replaced(value[path[0]], path[1:], scrap)
    return changed


SCRAPS = [None, True, -1, 0, 2**70, 1.5, "", "<pad>", "a", "\ud800", "x" * 99, [], {}, [["a", "a"]], ["a", "<unk>"]]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=200)
@given(data=st.data())
def test_damage_is_a_checkpoint_error_or_leaves_an_encoder_that_works(name: str, data: st.DataObject) -> None:
    plain = json.loads(made(name).to_json())
    for _ in range(data.draw(st.integers(1, 3))):
        plain = replaced(plain, data.draw(st.sampled_from(list(places(plain)))), data.draw(st.sampled_from(SCRAPS)))
    try:
        encoder = read_encoder(json.dumps(plain))
    except CheckpointError as error:
        assert len(error.problems) == 1
        return
    assert all(0 < index < encoder.size for text in TEXTS for index in encoder.encode(text))
    encoder.to_json().encode("utf-8")


def test_the_package_loads_neither_torch_nor_the_subword_library() -> None:
    code = "import sys, dlcourse.text.encoders; sys.exit(bool({'torch', 'tokenizers'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)
