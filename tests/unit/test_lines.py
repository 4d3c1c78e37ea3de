"""One's own poems, and what cleaning and choosing make of any: marks, notes, gaps, copies, near copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.data.lines import Lines, poems_of
from dlcourse.data.near_duplicates import near_duplicates
from dlcourse.data.poem_cleaning import Fault, Poem, clean
from dlcourse.data.poem_selection import Selection, select
from dlcourse.data.poem_set import vocabulary_notes
from dlcourse.data.poems import PoemSplit
from dlcourse.data.poems_toy import generate
from dlcourse.errors import DataError
from dlcourse.text.characters import read_characters

TOWER = "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。"


@pytest.mark.parametrize(
    ("printed", "text"),
    [
        (TOWER, TOWER),
        ("白日依山盡？黃河入海流！欲窮千里目；更上一層樓", TOWER),
        ("白日依山盡\n黃河入海流\n欲窮千里目\n更上一層樓\n", TOWER),
        ("白日依山盡,黃河入海流.\n欲窮千里目, 更上一層樓.", TOWER),
        ("[白]日（一作「月」）依山盡，黃河入海[二]流。「欲窮千里目，更上一層樓。」（見《集》（卷一）。）。", TOWER),
        ("白日依、山盡，黃河《入海》流。〖1〗欲窮千里目，更上一層樓。", TOWER),
        ("君不見？黃河之水天上來：奔流到海", "君不見。黃河之水天上來，奔流到海。"),
        ("駱、駱，爾勿嘶", "駱駱，爾勿嘶。"),
        ("一去\n二三里\n煙村", "一去，二三里。煙村。"),
    ],
)
def test_markup_goes_and_punctuation_is_comma_and_stop(printed: str, text: str) -> None:
    assert clean(printed, title="登") == Poem(text, "登")


@pytest.mark.parametrize(
    ("printed", "fault"),
    [
        ("白日依□盡，黃河入海流。", Fault.GAP),
        ("白日依{山/水}盡，黃河入海流。", Fault.GAP),
        ("白日依\ue829盡，黃河入海流。", Fault.GAP),
        ("白日依山盡，river。", Fault.GAP),
        ("白日依山盡，黃河入海流。（見《集》", Fault.NOTE),
        ("白日依山盡。", Fault.FRAGMENT),
        ("（見《集》）。", Fault.FRAGMENT),
        ("", Fault.FRAGMENT),
        ("白日依山盡，" + "黃" * 17 + "。", Fault.PROSE),
    ],
)
def test_damaged_poems_are_told_by_their_fault(printed: str, fault: Fault) -> None:
    assert clean(printed) is fault


@given(st.text(alphabet="山水風月，。？[]（）\n「」□一", max_size=60))
def test_a_cleaned_poem_is_lines_and_marks_and_stays_as_it_is(printed: str) -> None:
    poem = clean(printed)
    if isinstance(poem, Poem):
        assert len("".join(poem.lines)) + len(poem.lines) == len(poem.text)
        assert set(poem.text) <= set("山水風月一，。") and poem.text.endswith("。")
        assert clean(poem.text) == poem


@given(
    st.lists(st.text(alphabet="山水風", max_size=14), max_size=12), st.integers(1, 4), st.sampled_from([0.4, 0.5, 1.0])
)
def test_near_duplicates_are_those_of_the_definition(texts: list[str], size: int, share: float) -> None:
    runs = [{text[at : at + size] for at in range(len(text) - size + 1)} for text in texts]

    def near(one: int, other: int) -> bool:
        common = len(runs[one] & runs[other])
        return common > 0 and common >= share * min(len(runs[one]), len(runs[other]))

    kept: list[int] = []
    for index in sorted(range(len(texts)), key=lambda index: (-len(texts[index]), index)):
        if not any(near(index, other) for other in kept):
            kept.append(index)
    dropped = near_duplicates(texts, size=size, share=share)
    assert np.flatnonzero(~dropped).tolist() == sorted(kept)


def test_a_variant_and_a_part_of_a_poem_are_near_duplicates_and_a_shared_line_is_not() -> None:
    poem = "白日依山盡黃河入海流欲窮千里目更上一層樓"
    variant = "白日依山盡黃河入海流欲窮千里望更上一重樓"
    other = "白日依山盡孤雲獨去閑相看兩不厭只有敬亭山"
    assert near_duplicates([poem[:10], poem, variant, other]).tolist() == [True, False, True, False]


def test_what_is_left_out_is_counted_and_told() -> None:
    variant = TOWER.replace("目", "望")
    printed = [TOWER, TOWER.replace("。", "？"), variant, "山□，水。", "山。", "風吹山下水，月照水邊山。"]
    found = select((text, str(number)) for number, text in enumerate(printed))
    assert [poem.title for poem in found.poems] == ["0", "5"]
    assert (found.repeated, found.near, found.total) == (1, 1, 6)
    (note,) = found.notes()
    assert note.startswith("2 of 6 poems are kept; left out before splitting: 1 with lost characters")
    assert note.endswith("1 of fewer than 2 lines, 1 that repeat another, 1 near duplicates of another")
    assert Selection.of_json(found.to_json()) == found
    assert select([(TOWER, "")]).notes() == []


def test_a_file_has_a_poem_a_line_or_blank_lines_between_poems() -> None:
    assert poems_of("一\n二\n") == ["一", "二"]
    assert poems_of("\n\n一\n二 \n\n\n三\n") == ["一\n二", "三"]
    assert poems_of(" \n") == []


def write(path: Path, *, blocks: bool) -> Path:
    poems = [poem.text for poem in generate(80)]
    lines = ["\n".join(Poem(text).lines) + "\n" for text in poems] if blocks else poems
    path.write_text("\n".join(lines), encoding="utf-8-sig")
    return path


@pytest.mark.parametrize("blocks", [False, True])
def test_a_users_file_becomes_splits_that_share_no_poem(tmp_path: Path, blocks: bool) -> None:
    found = Lines(path=str(write(tmp_path / "詩 a=(1).txt", blocks=blocks))).load()
    parts = (found.train, found.val, found.test)
    assert all(isinstance(part, PoemSplit) for part in parts)
    assert [len(part) for part in parts] == [64, 8, 8]
    assert sorted(text for part in parts for text in part.texts) == sorted(poem.text for poem in generate(80))
    encoder = read_characters(found.keepsakes["vocabulary.json"])
    known = {encoder.token(index) for index in range(10, encoder.size)}
    assert known <= set("".join(found.train.texts)), "the vocabulary knows only what is trained on"
    for part in parts:
        shares = [part.forms.count(form) / len(part) for form in ("5jue", "7jue", "5lv", "7lv")]
        assert shares == [0.25] * 4, "each form keeps its share"


def test_files_that_hold_no_poems_are_refused_with_what_to_do(tmp_path: Path) -> None:
    def load(content: bytes) -> None:
        (tmp_path / "a.txt").write_bytes(content)
        Lines(path=str(tmp_path / "a.txt")).load()

    with pytest.raises(DataError, match=r"2 of fewer than 2 lines[^\n]*\n.*put blank lines between poems"):
        load("白日依山盡\n黃河入海流\n".encode())
    for empty in (b"", b"\n \n"):
        with pytest.raises(DataError, match=r"a\.txt: is empty: write one poem a line") as caught:
            load(empty)
        assert len(caught.value.problems) == 1
    with pytest.raises(DataError, match=r"a\.txt: no line of it has Chinese characters: write") as caught:
        load(b"To be, or not to be.\n" * 120)
    assert len(caught.value.problems) == 1
    for encoding, name in (("gbk", "gbk"), ("utf-16", "utf-16")):
        with pytest.raises(
            DataError, match=rf": not UTF-8; convert it, e\.g\. iconv -f {name} -t utf-8 OLD\.txt"
        ) as caught:
            load("白日依山盡，黃河入海流。".encode(encoding))
        assert "codec" not in str(caught.value)
    for count, told in ((1, "1 poem"), (2, "2 poems")):
        with pytest.raises(DataError, match=f"^{told} cannot be cut into train, validation and test: give 3 or more"):
            load("\n".join([TOWER, "春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。"][:count]).encode())
    with pytest.raises(DataError, match="cannot be read"):
        Lines(path=str(tmp_path / "b.txt")).load()


def test_three_poems_are_the_fewest_and_a_table_that_is_too_large_is_told(tmp_path: Path) -> None:
    poems = [
        TOWER,
        "春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。",
        "千山鳥飛絕，萬徑人蹤滅。孤舟蓑笠翁，獨釣寒江雪。",
    ]
    (tmp_path / "a.txt").write_text("\n".join(poems), encoding="utf-8")
    own = Lines(path=str(tmp_path / "a.txt"), min_freq=1)
    splits = own.load()
    assert [len(part) for part in (splits.train, splits.val, splits.test)] == [1, 1, 1]
    known = len(set(splits.train.texts[0]) - set("，。"))
    told = f"{known} characters and 10 marks in a table of 8,000 rows; data.max_tokens={known + 10} takes no more"
    assert own.notes() == [told]
    own.load()
    assert own.notes() == [told]
    tight = Lines(path=str(tmp_path / "a.txt"), min_freq=1, max_tokens=known + 10)
    assert tight.load().keepsakes == splits.keepsakes and tight.notes() == []
    assert vocabulary_notes(50, rows=100) == [] and len(vocabulary_notes(49, rows=100)) == 1


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"path": None}, "path"),
        ({"val_fraction": 1.0}, "val_fraction"),
        ({"test_fraction": 0.0}, "test_fraction"),
        ({"max_length": 65}, "max_length"),
        ({"max_tokens": 10}, "max_tokens"),
        ({"min_freq": 0}, "min_freq"),
        ({"window": 1}, "window"),
    ],
)
def test_impossible_settings_are_refused_by_name(options: dict[str, object], name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must"):
        Lines(**{"path": "a.txt", **options})  # type: ignore[arg-type]
