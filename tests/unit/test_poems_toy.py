"""The generated poems: the rules they keep by a table that is not theirs, and that they never change."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from dlcourse.data.poems_toy import COUNT, ENDS, OBLIQUE_ENDS, THEMES, VOCABULARY_SIZE, ToyPoems, generate
from dlcourse.verse.judge import judge
from dlcourse.verse.table import rhyme_table


def test_every_poem_keeps_form_rhyme_and_tone_by_the_whole_rhyme_table() -> None:
    table = rhyme_table()
    for poem in generate(80):
        assert judge(poem.lines, form=poem.form, table=table, strict=True).all, poem.text


def test_the_words_have_the_tones_and_the_ends_the_rhymes_that_they_stand_under() -> None:
    table = rhyme_table()
    for tones, word in words():
        assert [table.level(char) for char in word] == [{tone == "平"} for tone in tones], word
    for rhyme, ends in ENDS.items():
        assert all(table.level(end) == {True} and rhyme in table.rhymes(end) for end in ends), rhyme
        assert len(set(ends)) == len(ends) > 8
    assert all(table.level(end) == {False} for end in OBLIQUE_ENDS)


def words() -> list[tuple[str, str]]:
    return [(tones, word) for theme in THEMES for tones, some in theme.items() for word in some.split()]


def test_no_word_stands_twice_in_the_list_and_the_examples_of_the_guide_can_be_written() -> None:
    known = [word for _, word in words()]
    assert len(set(known)) == len(known) == 350 and "明月" in known
    firsts = {word[0] for word in known}
    assert set("春夏秋冬明山花") <= firsts


def test_every_line_is_words_and_an_end() -> None:
    known = {word for _, word in words()}
    for poem in generate(200):
        for line in poem.lines:
            assert {line[at : at + 2] for at in range(0, len(line) - 1, 2)} <= known, line


def test_a_theme_shows_in_the_words_of_a_poem() -> None:
    of_theme = [{word for some in theme.values() for word in some.split()} for theme in THEMES]
    shares: list[float] = []
    for poem in generate(200):
        found = [line[at : at + 2] for line in poem.lines for at in range(0, len(line) - 1, 2)]
        shares.append(max(sum(word in theme for word in found) for theme in of_theme) / len(found))
    assert sum(shares) / len(shares) > 0.6  # without themes 0.45


def test_no_two_poems_are_alike_and_none_repeats_a_character() -> None:
    poems = ToyPoems().read()
    assert len({poem.text for poem in poems}) == COUNT
    assert Counter(poem.form for poem in poems) == dict.fromkeys(("5jue", "7jue", "5lv", "7lv"), COUNT // 4)
    for poem in poems:
        chars = "".join(poem.lines)
        assert len(set(chars)) == len(chars)


def test_the_poems_never_change() -> None:
    text = "\n".join(poem.text for poem in generate(200))
    assert hashlib.sha256(text.encode()).hexdigest().startswith("3c5c1af2e3c43063")


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
