"""What a decoder may choose from: plans for a vocabulary, wishes, and wishes that cannot be."""

import sys

import numpy as np
import pytest

from dlcourse.errors import ConfigError
from dlcourse.verse.constraints import plans
from dlcourse.verse.forms import FORMS
from dlcourse.verse.table import rhyme_table
from dlcourse.verse.wishes import in_script, refuse_unknown, wished_characters

TABLE = rhyme_table()
VOCABULARY = list(dict.fromkeys(["<pad>", "，", "。", "囗", *"春夏秋冬明月東風", *sorted(TABLE.known)[::3]]))
EVERYTHING = sorted(TABLE.known)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("strict", [True, False])
def test_every_position_of_every_plan_has_a_choice(form: str, strict: bool) -> None:
    found = plans(form, EVERYTHING, TABLE, strict=strict)
    assert len(found) == 4 * 30
    for plan in found:
        assert plan.allowed.shape == (FORMS[form].positions, len(EVERYTHING))
        assert plan.allowed.any(axis=1).all()


def test_masks_are_shared_by_all_plans() -> None:
    found = plans("7lv", EVERYTHING, TABLE, strict=False)
    assert all(plan.bank is found[0].bank for plan in found)
    assert len(found[0].bank) == 4 + 30
    assert found[0].rows.dtype == np.int64


def test_a_plan_by_hand() -> None:
    vocabulary = ["，", "東", "風", "月", "看", "寒"]
    (plan,) = plans("5jue", vocabulary, TABLE, strict=False, rhyme="寒", start="月", least=2)[:1]
    assert plan.template.lines[0] == "中仄中平仄"
    line = ["".join(char for char, allowed in zip(vocabulary, row, strict=True) if allowed) for row in plan.allowed]
    level, oblique, either = "東風看寒", "月看", "東風月看寒"
    assert line[:5] == ["月", oblique, either, level, oblique]
    assert line[5:10] == [level, level, either, oblique, "看寒"]


def test_strict_line_ends_have_one_tone_and_other_places_any() -> None:
    at = EVERYTHING.index("看")
    for strict in (True, False):
        plan = plans("5jue", EVERYTHING, TABLE, strict=strict, rhyme="寒")[0]
        assert bool(plan.allowed[9, at]) != strict
        assert plan.allowed[8, at] and plan.allowed[1, at]


def test_nothing_but_characters_of_the_table_is_allowed() -> None:
    for plan in plans("7jue", VOCABULARY, TABLE, strict=False):
        assert not plan.allowed[:, :4].any()


def test_an_acrostic_and_a_start_settle_their_places() -> None:
    found = plans("5lv", VOCABULARY, TABLE, strict=False, acrostic="春夏秋冬春夏秋冬", start="春月")
    assert found
    for plan in found:
        for at, char in {0: "春", 1: "月", 5: "夏", 15: "冬", 35: "冬"}.items():
            assert [VOCABULARY[index] for index in np.flatnonzero(plan.allowed[at])] == [char]


def test_regular_patterns_come_first_and_a_rescue_only_where_a_wish_needs_it() -> None:
    assert all(plan.template.rescues == 0 for plan in plans("5jue", EVERYTHING, TABLE, strict=False, start="明月"))
    rescued = plans("5jue", EVERYTHING, TABLE, strict=False, start="無人寄書信")
    assert {plan.template.lines[0] for plan in rescued} == {"平平仄平仄"}


def test_categories_with_too_few_known_characters_are_left_out() -> None:
    vocabulary = [*"東風中空紅同窮通弓宮終蟲", "月", "日", "江", "雙"]
    assert {plan.rhyme for plan in plans("5jue", vocabulary, TABLE, strict=False)} == {"東"}
    assert {plan.rhyme for plan in plans("5jue", vocabulary, TABLE, strict=False, least=2)} == {"東", "江"}


@pytest.mark.parametrize(
    ("wish", "problem"),
    [
        ({"acrostic": "春夏"}, "acrostic=春夏: 5jue has 4 lines, so give 4 characters"),
        ({"acrostic": "春，秋冬"}, "acrostic=春，秋冬: only Chinese characters"),
        ({"start": "moon"}, "start=moon: only Chinese characters"),
        ({"start": "月" * 21}, "21 characters, but a whole 5jue has 20"),
        ({"start": "囗月"}, "囗: the rhyme table lacks it"),
        ({"start": "㐂"}, "㐂: the model's vocabulary lacks it; choose another, such as 囗 春 夏 秋 冬"),
        ({"start": ""}, "start= holds no Chinese character: give some, or leave it out"),
        ({"start": "，。 "}, "start= holds no Chinese character"),
        ({"acrostic": ""}, "acrostic= holds no Chinese character"),
        ({"start": "明月", "acrostic": "春夏秋冬"}, "line 1 cannot begin with both 春"),
        ({"start": "東風東風東風東風東風"}, "start=東風東風東風東風東風: no tone pattern of 5jue allows it"),
        (
            {"rhyme": "月"},
            "rhyme=月: no level-tone category has this name; there is 一東|rhyme=月: no level-tone category",
        ),
        ({"rhyme": "江", "least": 10_000}, r"rhyme=江: the vocabulary knows \d+ characters of it, 10000 are needed"),
    ],
)
def test_impossible_wishes_get_one_line(wish: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        plans("5jue", VOCABULARY, TABLE, strict=False, **wish)  # type: ignore[arg-type]
    assert len(caught.value.problems) == 1 and "\n" not in str(caught.value)


def test_punctuation_and_spaces_of_a_start_are_passed_over() -> None:
    assert wished_characters(FORMS["5jue"], acrostic=None, start="床前明月光，\n疑 。") == dict(
        enumerate("床前明月光疑")
    )


@pytest.mark.parametrize("wish", [{"start": "東風"}, {"start": "鬱"}, {"acrostic": "東風東風"}])
def test_that_the_vocabulary_is_too_small_is_told_before_a_wish_is_looked_at(wish: dict[str, str]) -> None:
    for vocabulary in (["東", "風", "月"], [*"東風紅同窮弓宮終蟲翁鴻叢"]):
        with pytest.raises(ConfigError, match=f"^form=5jue: a vocabulary of {len(vocabulary)} cannot fill its rules"):
            plans("5jue", vocabulary, TABLE, strict=False, **wish)  # type: ignore[arg-type]


def test_a_wish_is_found_in_the_other_script_where_it_stands_for_one_character() -> None:
    pytest.importorskip("opencc")
    assert in_script("学明发为", ["明", "學", "爲", "為", "發", "髮"]) == {"学": "學", "为": "爲"}
    assert in_script("學髮月", ["学", "发"]) == {"學": "学", "髮": "发"}
    with pytest.raises(ConfigError, match="^发: the model's vocabulary lacks it; it stands for 發 or 髮, so write"):
        refuse_unknown({0: "发"}, ["髮", "發"][::-1], table=None)


def test_without_opencc_no_other_script_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opencc", None)
    assert in_script("学", ["學"]) == {}
    with pytest.raises(ConfigError, match="^学: the model's vocabulary lacks it; choose another, such as 學$"):
        refuse_unknown({0: "学"}, ["，", "學"], table=None)


def test_a_form_that_does_not_exist_and_a_vocabulary_too_small_are_refused() -> None:
    with pytest.raises(ConfigError, match="form=6jue: there is no such form"):
        plans("6jue", VOCABULARY, TABLE, strict=False)
    with pytest.raises(ConfigError, match="form=5jue: a vocabulary of 2 cannot fill its rules.*12 characters of one"):
        plans("5jue", ["東", "風"], TABLE, strict=False)
    with pytest.raises(ConfigError, match="form=5jue: a vocabulary of 0 cannot fill its rules"):
        plans("5jue", [], TABLE, strict=False)
