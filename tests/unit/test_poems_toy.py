"""The generated poems: the rules they keep by a table that is not theirs, and that they never change."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from dlcourse.data.poems_toy import CHARS, COUNT, VOCABULARY_SIZE, ToyPoems, generate, toy_table
from dlcourse.verse.judge import judge
from dlcourse.verse.table import rhyme_table


def test_every_poem_keeps_form_rhyme_and_tone_by_the_whole_rhyme_table() -> None:
    table = rhyme_table()
    for poem in generate(80):
        assert judge(poem.lines, form=poem.form, table=table, strict=True).all, poem.text
    for char in "".join(CHARS.values()):
        assert table.readings(char) == toy_table().readings(char), char


def test_no_two_poems_are_alike_and_none_repeats_a_character() -> None:
    poems = ToyPoems().read()
    assert len({poem.text for poem in poems}) == COUNT
    assert Counter(poem.form for poem in poems) == dict.fromkeys(("5jue", "7jue", "5lv", "7lv"), COUNT // 4)
    for poem in poems:
        chars = "".join(poem.lines)
        assert len(set(chars)) == len(chars)


def test_the_poems_never_change() -> None:
    text = "\n".join(poem.text for poem in generate(200))
    assert hashlib.sha256(text.encode()).hexdigest().startswith("18ac3ad2b40df181")


def test_the_splits_hold_all_poems_and_the_vocabulary_is_as_large_as_the_config_says() -> None:
    toy = ToyPoems()
    splits = toy.load()
    assert [len(part) for part in (splits.train, splits.val, splits.test)] == [1_620, 180, 200]
    assert splits.train.encoder.size == VOCABULARY_SIZE == toy.facts()["vocab_size"]
    assert 1 not in splits.test.documents.values
    assert (toy.gives, toy.notes()) == ("poems", [])


def test_the_test_split_does_not_move_with_the_validation_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcourse.data.poems_toy.COUNT", 200)
    one, other = (ToyPoems(split_seed=seed).load() for seed in (0, 1))
    assert list(one.test.texts) == list(other.test.texts)
    assert list(one.val.texts) != list(other.val.texts)
