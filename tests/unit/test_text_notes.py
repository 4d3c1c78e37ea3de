"""What is said of a set of texts before training: its vocabulary, unknown words, empty texts, small classes."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.data.reviews import Reviews
from dlcourse.data.text_notes import class_notes, empty_notes, uncut_notes, unknown_notes, vocabulary_notes
from dlcourse.text.ragged import Ragged


def notes_of(path: Path, rows: list[tuple[str, str]], **options: Any) -> list[str]:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    data = Reviews(path=str(path), **options)
    data.load()
    return [note for note in data.notes() if "word for word" not in note]


def test_a_table_that_is_mostly_empty_is_told_and_the_number_given_fills_it(tmp_path: Path) -> None:
    rows = [("one two three", "bad"), ("four five", "good")] * 10
    assert notes_of(tmp_path / "a.csv", rows) == [
        "5 words and 2 marks in a table of 30,000 rows; data.max_tokens=7 takes no more"
    ]
    assert notes_of(tmp_path / "a.csv", rows, max_tokens=7) == []
    settings = [Reviews(path=str(tmp_path / "a.csv"), max_tokens=size) for size in (7, 30_000)]
    first, second = (data.load().keepsakes for data in settings)
    assert first == second


def test_a_table_that_is_half_full_is_not_told() -> None:
    assert vocabulary_notes(35, rows=70) == []
    assert vocabulary_notes(35, rows=71) == [
        "33 words and 2 marks in a table of 71 rows; data.max_tokens=35 takes no more"
    ]
    assert vocabulary_notes(2, rows=100) == [], "a table of 2 would be refused"


def test_unknown_words_of_validation_are_told_above_a_tenth(tmp_path: Path) -> None:
    rows = [(f"same word{number}", ("bad", "good")[number % 2]) for number in range(40)]
    (note,) = notes_of(tmp_path / "a.csv", rows, max_tokens=5)
    assert note.startswith("50.0 % of the tokens to validate on are unknown words")
    assert unknown_notes(Ragged.of([[1] + [2] * 9])) == []
    assert len(unknown_notes(Ragged.of([[1, 1] + [2] * 17]))) == 1
    assert unknown_notes(Ragged.of([[], []])) == []


def test_empty_texts_and_small_classes_are_counted(tmp_path: Path) -> None:
    rows = [("same", "bad"), ("same", "good"), ("", "bad"), (' " ', "good")] * 5 + [("same", "odd")] * 2
    assert notes_of(tmp_path / "a.csv", rows, max_tokens=4) == [
        "classes of fewer than 3 texts, too few for train, validation and test: odd 2",
        "10 of the 22 texts are empty: each is read as one unknown word",
    ]


def test_only_a_few_small_classes_are_named() -> None:
    (note,) = class_notes(torch.arange(8), classes=list("abcdefgh"))
    assert note.endswith("test: a 1, b 1, c 1, d 1, e 1 and 3 more")
    assert class_notes(torch.tensor([0, 0, 0]), classes=["a", "b"])[0].endswith(": b 0")


@given(st.lists(st.lists(st.integers(1, 5), max_size=3), max_size=8))
def test_empty_texts_are_those_without_a_token(documents: list[list[int]]) -> None:
    count = sum(not document for document in documents)
    notes = empty_notes([Ragged.of(documents[:3]), Ragged.of(documents[3:])])
    assert notes == (
        [f"{count} of the {len(documents)} texts are empty: each is read as one unknown word"] * bool(count)
    )


CHINESE = [("这部电影很好看，推荐大家去看！", "好"), ("剧情太差了，不推荐。", "差")] * 10


@pytest.mark.parametrize("tokenizer", ["basic_english", "words"])
def test_chinese_that_is_not_cut_is_told_and_characters_cut_it(tmp_path: Path, tokenizer: str) -> None:
    *_, note = notes_of(tmp_path / "a.csv", CHINESE, tokenizer=tokenizer)
    assert note == (
        f"100 % of the tokens are runs of Chinese or Japanese characters, which {tokenizer} does not cut; "
        "data.tokenizer=characters makes each a token"
    )
    assert notes_of(tmp_path / "a.csv", CHINESE, tokenizer="characters", max_tokens=40) == []


@pytest.mark.parametrize(
    "text",
    [
        "这 部 电影 很 好看 ， 推荐 大家 去 看 ！",
        "an English text that quotes 这部电影很好看 once and then goes on and on",
        "",
        "영화 좋다",
    ],
)
def test_words_that_stand_apart_or_a_rare_quotation_are_not_told(text: str) -> None:
    assert uncut_notes([text] * 5, tokenizer="words") == []
    assert uncut_notes([], tokenizer="words") == []
