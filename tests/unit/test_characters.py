"""Characters to ids: what comes first, what a text can never say, what a damaged file is."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.errors import CheckpointError
from dlcourse.text.characters import (
    COMMA_ID,
    EOP,
    EOP_ID,
    FORM_IDS,
    RESERVED,
    STOP_ID,
    CharacterEncoder,
    read_characters,
)
from dlcourse.verse.forms import FORMS

TEXTS = ["白日依山盡，黃河入海流。", "山山山白"]


def built(*texts: str, max_tokens: int = 100, min_freq: int = 1) -> CharacterEncoder:
    return CharacterEncoder.build(texts or TEXTS, max_tokens=max_tokens, min_freq=min_freq)


def test_the_reserved_tokens_stand_where_the_contract_has_them() -> None:
    encoder = built()
    assert [encoder.token(index) for index in range(10)] == [
        "<pad>", "<unk>", "<5jue>", "<7jue>", "<5lv>", "<7lv>", "<other>", "<eop>", "，", "。",
    ]  # fmt: skip
    assert {name: encoder.token(index) for name, index in FORM_IDS.items()} == {
        **{name: f"<{name}>" for name in FORMS},
        "other": "<other>",
    }
    assert (encoder.token(EOP_ID), encoder.encode("，。")) == (EOP, [COMMA_ID, STOP_ID])


def test_characters_stand_by_frequency_and_then_by_code_point() -> None:
    encoder = built()
    assert (encoder.token(10), encoder.token(11)) == ("山", "白")
    rest = [encoder.token(index) for index in range(12, encoder.size)]
    assert rest == sorted("日依盡黃河入海流")
    assert built(min_freq=2).size == 12
    assert built(max_tokens=13).size == 13


def test_unknown_characters_are_one_and_specials_cannot_be_written() -> None:
    encoder = built("<pad><eop>")
    ids = encoder.encode("<eop>明")
    assert ids == [*encoder.encode("<"), *encoder.encode("e"), *encoder.encode("op>"), 1]
    assert not set(ids) & {0, EOP_ID, *FORM_IDS.values()}


@given(st.lists(st.text(max_size=20), max_size=8), st.integers(11, 40), st.integers(1, 3))
def test_what_is_written_down_reads_back_the_same(texts: list[str], max_tokens: int, min_freq: int) -> None:
    encoder = built("x", *texts, max_tokens=max_tokens, min_freq=min_freq)
    again = read_characters(encoder.to_json())
    assert again.to_json() == encoder.to_json()
    counts = Counter("".join(["x", *texts]))
    for text in texts:
        assert again.encode(text) == encoder.encode(text)
        for char, index in zip(text, encoder.encode(text), strict=True):
            assert index == 1 or (encoder.token(index) == char and (counts[char] >= min_freq or char in "，。"))
    assert [one.tolist() for one in encoder.encode_all(texts)] == [encoder.encode(text) for text in texts]


def test_there_is_no_token_behind_the_last() -> None:
    for index in (-1, built().size):
        with pytest.raises(IndexError):
            built().token(index)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not JSON"),
        ('{"kind": "characters", "tokens": []}', "not of the format"),
        (json.dumps({"format": "dlcourse vocabulary 1", "kind": "words", "tokens": []}), "of the kind 'words'"),
        (json.dumps({"format": "dlcourse vocabulary 1", "kind": "characters", "tokens": [1]}), "list of strings"),
        (json.dumps({"format": "dlcourse vocabulary 1", "kind": "characters", "tokens": ["山"]}), "must begin with"),
        (
            json.dumps({"format": "dlcourse vocabulary 1", "kind": "characters", "tokens": [*RESERVED, "山", "山"]}),
            "'山' occurs twice",
        ),
        (
            json.dumps({"format": "dlcourse vocabulary 1", "kind": "characters", "tokens": [*RESERVED, "山水"]}),
            "single characters, not '山水'",
        ),
    ],
)
def test_a_damaged_vocabulary_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(CheckpointError, match=why):
        read_characters(text)


@pytest.mark.parametrize(("options", "name"), [({"max_tokens": 10}, "max_tokens"), ({"min_freq": 0}, "min_freq")])
def test_impossible_settings_are_refused_by_name(options: dict[str, int], name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be"):
        built(**options)
