"""Which script a vocabulary is in, and what simplified characters sound like."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.errors import ConfigError
from dlcourse.verse.judge import judge
from dlcourse.verse.scripts import PAIRS, is_simplified, simplified, table_for
from dlcourse.verse.table import Reading, RhymeTable, rhyme_table

TOWER = ["白日依山尽", "黄河入海流", "欲穷千里目", "更上一层楼"]
HAIR, CLOUD, DRY, TRUNK = Reading("入", "月"), Reading("平", "文"), Reading("平", "寒"), Reading("去", "翰")


def test_a_simplified_character_sounds_like_all_that_it_stands_for() -> None:
    table = RhymeTable({"發": (HAIR,), "髮": (HAIR,), "雲": (CLOUD,), "乾": (DRY,), "幹": (TRUNK,), "干": (DRY,)})
    found = simplified(table, convert=lambda text: text.translate(str.maketrans("發髮雲乾幹", "发发云干干")))
    assert found.readings("发") == (HAIR,) and found.readings("云") == (CLOUD,)
    assert found.readings("干") == (DRY, TRUNK) and found.level("干") == {True, False}
    assert all(found.readings(char) == readings for char, readings in table.known.items() if char != "干")


def test_a_simplified_poem_is_judged_as_the_traditional_one() -> None:
    pytest.importorskip("opencc")
    verdict = judge(TOWER, form="5jue", table=table_for([*"楼风来"]))
    assert verdict.all and verdict.category == "尤"
    assert not judge(TOWER, form="5jue", table=rhyme_table()).rhyme


@given(st.lists(st.tuples(st.sampled_from(PAIRS), st.booleans()), min_size=1, unique_by=lambda one: one[0]))
def test_the_script_is_that_of_most_characters(chosen: list[tuple[tuple[str, str], bool]]) -> None:
    vocabulary = ["，", "山", *(pair[new] for pair, new in chosen)]
    assert is_simplified(vocabulary) == (2 * sum(new for _, new in chosen) > len(chosen))


def test_what_occurs_in_both_scripts_counts_where_it_is_more_frequent() -> None:
    assert is_simplified(["风", "山", "風"]) and not is_simplified(["風", "山", "风"])
    assert not is_simplified([]) and not is_simplified(["山", "水"])
    assert table_for(["風", "山"]) is rhyme_table()


def test_without_opencc_simplified_characters_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opencc", None)
    with pytest.raises(ConfigError, match=r'OpenCC, which is not installed; pip install "dlcourse\[poetry\]"'):
        table_for(["风", "山"])
