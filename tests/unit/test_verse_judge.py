"""Famous poems before the judge: which rules they keep, and where they do not."""

import pytest
from independent_verse import check

from dlcourse.verse.judge import judge
from dlcourse.verse.table import rhyme_table

TANG = {
    "王之渙 登鸛雀樓": ("5jue", "尤", "白日依山盡 黃河入海流 欲窮千里目 更上一層樓"),
    "李白 早發白帝城": ("7jue", "刪", "朝辭白帝彩雲間 千里江陵一日還 兩岸猿聲啼不住 輕舟已過萬重山"),
    "杜甫 春望": (
        "5lv",
        "侵",
        "國破山河在 城春草木深 感時花濺淚 恨別鳥驚心 烽火連三月 家書抵萬金 白頭搔更短 渾欲不勝簪",
    ),
    "王維 山居秋暝": (
        "5lv",
        "尤",
        "空山新雨後 天氣晚來秋 明月松間照 清泉石上流 竹喧歸浣女 蓮動下漁舟 隨意春芳歇 王孫自可留",
    ),
    "杜甫 登高": (
        "7lv",
        "灰",
        "風急天高猿嘯哀 渚清沙白鳥飛迴 無邊落木蕭蕭下 不盡長江滾滾來 "
        "萬里悲秋常作客 百年多病獨登臺 艱難苦恨繁霜鬢 潦倒新停濁酒杯",
    ),
}


@pytest.mark.parametrize("title", TANG)
def test_poems_that_keep_every_rule(title: str) -> None:
    form, category, poem = TANG[title]
    verdict = judge(poem.split(), form=form, table=rhyme_table())
    assert verdict.all and verdict.category == category and not verdict.faults
    assert check(poem.split(), form) == (True, True, True)


def test_each_start_is_told_apart() -> None:
    starts = {}
    for title, (form, _, poem) in TANG.items():
        template = judge(poem.split(), form=form, table=rhyme_table()).template
        starts[title] = template and template.start
    assert starts == {
        "王之渙 登鸛雀樓": "仄起",
        "李白 早發白帝城": "平起首句入韻",
        "杜甫 春望": "仄起",
        "王維 山居秋暝": "平起",
        "杜甫 登高": "仄起首句入韻",
    }


@pytest.mark.parametrize(
    ("why", "form", "kept", "poem"),
    [
        (
            "失粘: 勸 agrees not with 舍",
            "7jue",
            (True, True, False),
            "渭城朝雨浥輕塵 客舍青青柳色新 勸君更盡一杯酒 西出陽關無故人",
        ),
        ("an oblique rhyme", "5jue", (True, False, False), "春眠不覺曉 處處聞啼鳥 夜來風雨聲 花落知多少"),
        ("old style", "5jue", (True, True, False), "牀前明月光 疑是地上霜 舉頭望明月 低頭思故鄉"),
        ("孤平: 來 alone", "5jue", (True, True, False), "白日依山盡 客來入海流 欲窮千里目 更上一層樓"),
        (
            "neighbours 東 and 冬 do not rhyme",
            "5jue",
            (True, False, True),
            "白日依山盡 黃河入海東 欲窮千里目 更上一層冬",
        ),
        ("三平調: 層高樓", "5jue", (True, True, False), "白日依山盡 黃河入海流 欲窮千里目 更上層高樓"),
        ("a line too short", "5jue", (False, False, False), "白日依山盡 黃河入海流 欲窮千里目 更上層樓"),
        ("a special b line: 平平仄平仄", "5jue", (True, True, True), "白日依山盡 黃河入海流 無人寄書信 更上一層樓"),
        (
            "a rescue across lines: 千 mends 欲",
            "5jue",
            (True, True, True),
            "白日欲落盡 黃河千里流 欲窮千里目 更上一層樓",
        ),
        ("no rescue", "5jue", (True, True, False), "白日欲落盡 黃河入海流 欲窮千里目 更上一層樓"),
    ],
)
def test_rules_are_judged_one_by_one(why: str, form: str, kept: tuple[bool, bool, bool], poem: str) -> None:
    verdict = judge(poem.split(), form=form, table=rhyme_table())
    assert (verdict.form, verdict.rhyme, verdict.tone) == kept, why
    assert check(poem.split(), form) == kept
    assert verdict.all == all(kept) == (not verdict.faults)


def test_strict_wants_one_tone_at_the_ends_of_lines_alone() -> None:
    lines = ["白日依山盡", "黃河入海看", "欲窮千里目", "更上一層寒"]
    assert judge(lines, form="5jue", table=rhyme_table()).all
    strict = judge(lines, form="5jue", table=rhyme_table(), strict=True)
    assert not strict.rhyme and not strict.tone
    assert strict.faults == ("看 at a rhyming end is not surely level", "line 2: 看 in place 5 of 平平中仄平")
    assert check(lines, "5jue", strict=True) == (True, False, False)
    inside = ["白日依山盡", "黃河看海流", "欲窮千里目", "更上一層樓"]
    assert judge(inside, form="5jue", table=rhyme_table(), strict=True).all


def test_faults_name_the_place() -> None:
    verdict = judge(["白日依山盡", "黃河入海流", "欲窮萬里目", "更上一層樓"], form="5jue", table=rhyme_table())
    assert verdict.faults == ("line 3: 萬 in place 3 of 中平平仄仄",)
    assert judge(["風"], form="5jue", table=rhyme_table()).faults == ("1 is not 4 lines of 5",)


def test_a_character_without_a_reading_fits_only_where_either_tone_does() -> None:
    free = ["囗日依山盡", "黃河入海流", "欲窮千里目", "更上一層樓"]
    assert judge(free, form="5jue", table=rhyme_table()).tone
    assert not judge(["白囗依山盡", *free[1:]], form="5jue", table=rhyme_table()).tone
