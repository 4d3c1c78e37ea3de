"""Forms and tone patterns, against the handbook's own tables."""

from itertools import product

import pytest
from independent_verse import ORDERS, SIZES, shapes

from dlcourse.errors import ConfigError
from dlcourse.verse.forms import FORMS, form_named, recognise
from dlcourse.verse.tones import templates

HANDBOOK = {
    "5jue": [
        "仄仄平平仄 平平仄仄平 平平平仄仄 仄仄仄平平",
        "平平平仄仄 仄仄仄平平 仄仄平平仄 平平仄仄平",
        "仄仄仄平平 平平仄仄平 平平平仄仄 仄仄仄平平",
        "平平仄仄平 仄仄仄平平 仄仄平平仄 平平仄仄平",
    ],
    "7jue": [
        "平平仄仄平平仄 仄仄平平仄仄平 仄仄平平平仄仄 平平仄仄仄平平",
        "仄仄平平平仄仄 平平仄仄仄平平 平平仄仄平平仄 仄仄平平仄仄平",
        "平平仄仄仄平平 仄仄平平仄仄平 仄仄平平平仄仄 平平仄仄仄平平",
        "仄仄平平仄仄平 平平仄仄仄平平 平平仄仄平平仄 仄仄平平仄仄平",
    ],
}
"""Without any freedom; an eight-line poem is the first or second of these twice, after any of the four."""


def fits(template: str, tones: str) -> bool:
    return len(template) == len(tones) and all(a in ("中", b) for a, b in zip(template, tones, strict=True))


@pytest.mark.parametrize("form", HANDBOOK)
def test_the_regular_quatrains_are_those_of_the_handbook(form: str) -> None:
    regular = [template for template in templates(form) if template.rescues == 0]
    assert [
        fits(" ".join(t.lines).replace(" ", ""), h.replace(" ", ""))
        for t, h in zip(regular, HANDBOOK[form], strict=True)
    ] == [True] * 4


@pytest.mark.parametrize(("form", "half"), [("5lv", "5jue"), ("7lv", "7jue")])
def test_an_eight_line_poem_goes_on_as_if_its_first_line_had_not_rhymed(form: str, half: str) -> None:
    regular = [template.tones for template in templates(form) if template.rescues == 0]
    tables = [table.replace(" ", "") for table in HANDBOOK[half]]
    for number, tones in enumerate(regular):
        assert fits(tones, tables[number] + tables[number % 2])


@pytest.mark.parametrize("form", ["5jue", "7jue", "5lv"])
def test_templates_accept_exactly_the_shapes_written_out_by_hand(form: str) -> None:
    count, length = SIZES[form]
    expected: set[str] = set()
    for order in ORDERS[count]:
        couplets = []
        for at in range(0, count, 2):
            both = [first + second for first, second in shapes(order[at : at + 2])]
            if length == 7:
                both = [
                    x
                    + ("仄" if pair[1] == "平" else "平")
                    + pair[:5]
                    + y
                    + ("仄" if pair[6] == "平" else "平")
                    + pair[5:]
                    for pair in both
                    for x, y in product("平仄", repeat=2)
                ]
            couplets.append(both)
        expected |= {"".join(poem) for poem in product(*couplets)}
    accepted = {
        "".join(poem)
        for template in templates(form)
        for poem in product(*("平仄" if tone == "中" else tone for tone in template.tones))
    }
    assert accepted == expected


@pytest.mark.parametrize("form", FORMS)
def test_no_template_allows_a_lone_level_tone_or_three_alike_at_a_level_end(form: str) -> None:
    for template in templates(form):
        for line in template.lines:
            last = line[-5:]
            assert not fits(last, "仄平仄仄平"), "孤平"
            assert not fits(last, "仄仄平平平") and not fits(last, "平仄平平平"), "三平調"


@pytest.mark.parametrize("form", FORMS)
def test_couplets_oppose_and_neighbours_agree_in_their_second_characters(form: str) -> None:
    for template in templates(form):
        seconds = [line[1] for line in template.lines]
        assert "中" not in seconds
        assert all(a != b for a, b in zip(seconds[::2], seconds[1::2], strict=True)), "對"
        assert all(a == b for a, b in zip(seconds[1::2], seconds[2::2], strict=False)), "粘"


def test_rhyming_lines_are_every_second_and_the_first_where_it_is_level() -> None:
    by_start = {template.start: list(template.rhyming()) for template in templates("7lv") if not template.rescues}
    assert by_start["平起"] == [1, 3, 5, 7]
    assert by_start["平起首句入韻"] == [0, 1, 3, 5, 7]


@pytest.mark.parametrize(
    ("lines", "form"),
    [
        (["白日依山盡", "黃河入海流", "欲窮千里目", "更上一層樓"], "5jue"),
        (["風" * 7] * 4, "7jue"),
        (["風" * 5] * 8, "5lv"),
        (["風" * 7] * 8, "7lv"),
        (["風" * 5] * 6, None),
        (["風" * 5, "風" * 7] * 2, None),
        (["白日依山，", "黃河入海流", "欲窮千里目", "更上一層樓"], None),
        ([], None),
    ],
)
def test_a_form_is_known_by_its_lines(lines: list[str], form: str | None) -> None:
    assert recognise(lines) == form


def test_an_unknown_form_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="form=7jve: there is no such form; did you mean '7jue'"):
        form_named("7jve")
