"""What people see: a page that shows every text as text and loads nothing, and a terminal that nothing steers."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.console import Console

from dlcourse.pages.curves import flip_curves
from dlcourse.pages.page import page
from dlcourse.pages.terminal import caution, extent, percent, print_readings
from dlcourse.run.reading import Reading
from dlcourse.tasks.attention_verdict import Contest
from dlcourse.tasks.deletion import SHARES
from dlcourse.tasks.faithfulness import TITLES, Mean, Report, Row

CHINESE = "这部电影很好看"
ATTACK = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>{{ 7*7 }}"
VOID = {"meta", "br", "img", "link", "input", "hr"}


def reading(*words: str, **changes: object) -> Reading:
    even = tuple(1 / len(words) for _ in words)
    signed = tuple((-1.0) ** place * (place + 1) for place in range(len(words)))
    found = Reading(
        text=" ".join(words),
        probabilities={"neg": 0.125, "pos": 0.875},
        words=words,
        unknown=tuple(word == "zzz" for word in words),
        total=len(words),
        attention=even,
        integrated_gradients=signed,
        random=even,
        entropy=0.97,
        without={"attention": 0.8, "integrated_gradients": 0.25, "random": 0.85},
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def report() -> Report:
    rows = tuple(
        Row(method, share, *(Mean(0.25 + share, 0.2, 0.9) for _ in range(3))) for share in SHARES for method in TITLES
    )
    contests = (Contest("random", 90, 2, 0.0001), Contest("integrated_gradients", 3, 300, 0.0001))
    conclusion = "So attention <b>misses</b> much."
    return Report("x/1", "test", 500, 0, Mean(0.967, 0.96, 0.97), rows, contests, conclusion)


class Tree(HTMLParser):
    """Fails on tags that do not close; keeps tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def unexplained(found: Reading) -> Reading:
    return replace(found, attention=(), integrated_gradients=(), random=(), entropy=None, without={})


def test_the_page_shows_every_word_thrice_with_its_colours() -> None:
    tree = Tree(page([reading("good", "film", "zzz")], run="m-d/1", report=None))
    spans = [attributes for tag, attributes in tree.tags if tag == "span" and "style" in attributes]
    assert [one["class"] for one in spans] == [
        "plain", "plain", "plain unknown", "for", "against", "for unknown", "plain", "plain", "plain unknown",
    ]  # fmt: skip
    assert [one["style"] for one in spans[3:6]] == ["--s:0.33", "--s:0.67", "--s:1.00"]
    assert spans[5]["title"] == "+3.000 nats, not in the vocabulary"
    text = " ".join(tree.text)
    for said in ("attention", "integrated gradients", "random control", "entropy 0.97 of 1: nearly flat", "87.5 %",
                 "Attention alone is no explanation", "25.0 %"):  # fmt: skip
        assert said in text


@pytest.mark.parametrize("attack", [ATTACK, "</style></p>", "&lt;b&gt;", '" onmouseover="x'])
def test_whatever_a_text_says_is_shown_as_text(attack: str) -> None:
    hostile = reading(attack, "film", text=attack, probabilities={attack: 0.9, "neg": 0.1})
    found = page([hostile, unexplained(hostile)], run=attack, report=replace(report(), conclusion=attack, split=attack))
    tree = Tree(found)
    assert not {tag for tag, _ in tree.tags} & {"script", "img", "b"}
    assert not [name for _, attributes in tree.tags for name in attributes if name.startswith("on")]
    assert attack in "".join(tree.text)
    assert "49" not in re.sub(r"#\w+|\d+ \d+ \d+", "", found.split("<article>")[1])


def test_the_page_asks_the_network_for_nothing() -> None:
    found = page([reading("good")], run="m-d/1", report=report())
    assert not re.search(r"https?:|//\w|url\(|@import|<link|<script|src=", found)
    assert "default-src 'none'" in found and '<html lang="en">' in found and "prefers-color-scheme: dark" in found


def test_chinese_stays_chinese_and_claims_no_language() -> None:
    found = page([reading(*CHINESE)], run="m-d/1", report=None)
    assert re.sub(r"<[^>]*>| ", "", found.split('class="words"')[1]).split("integrated")[0].strip().endswith(CHINESE)
    assert found.count('class="words" lang="" dir="auto"') == 3


def test_the_deletion_test_stands_under_the_texts_if_there_was_one() -> None:
    without, with_report = (page([reading("good")], run="m-d/1", report=one) for one in (None, report()))
    assert "Deletion test" not in without
    tree = Tree(with_report)
    assert [tag for tag, _ in tree.tags].count("tbody") == len(SHARES)
    assert "So attention <b>misses</b> much." in "".join(tree.text) and "500 documents of test" in "".join(tree.text)
    assert "30.0 " in tree.text


def test_texts_that_were_not_explained_are_a_table() -> None:
    found = [unexplained(reading("word " * 200)), unexplained(reading(""))]
    text = page(found, run="m-d/1", report=None)
    tree = Tree(text)
    assert "article" not in [tag for tag, _ in tree.tags]
    assert ("details", {"open": None}) in tree.tags and "2 texts" in " ".join(tree.text) and "word…" in text


def test_a_missing_captum_is_said_on_the_page() -> None:
    text = page([reading("good", integrated_gradients=())], run="m-d/1", report=None)
    assert "they need captum" in text and "<h3>integrated gradients" not in text


def printed(*readings: Reading, colour: bool = False, width: int = 120, report: Report | None = None) -> str:
    file = io.StringIO()
    console = Console(
        file=file, highlight=False, width=width, force_terminal=colour, color_system="truecolor" if colour else None
    )
    print_readings(readings, console=console, top=2, report=report)
    return file.getvalue()


def test_without_colour_the_top_words_are_named() -> None:
    *lines, caution = printed(reading("good", "film", "zzz")).splitlines()
    assert lines == [
        "pos 87.5 %, neg 12.5 %  (3 words, 1 of them not in the vocabulary)",
        "  attention: good 0.333, film 0.333 (entropy 0.97 of 1: nearly flat)",
        "  integrated gradients: zzz +3.00, film -2.00 (nats; + for pos, - against)",
        "  pos without the top 10 % of the words: "
        "80.0 % by attention, 25.0 % by integrated gradients, 85.0 % at random",
        "",
    ]
    assert caution.startswith("Attention alone is no explanation")


def test_in_colour_the_words_have_backgrounds_side_by_side_or_below() -> None:
    wide = printed(reading("good", "film"), colour=True)
    assert "48;2;255;165;0mgood" in wide and "48;2;255;100;90mfilm" in wide
    plain = [re.sub("\x1b[^m]*m", "", line) for line in wide.splitlines()]
    assert "good film" in plain[2].strip() and plain[2].count("good film") == 2
    assert printed(reading("good", "film"), colour=True, width=80).count("good") == 2


def test_no_text_steers_the_terminal() -> None:
    hostile = "\x1b]0;title\x07\x1b[2J\u202eevil\x9b[31m"
    for colour in (False, True):
        found = printed(
            reading(hostile, text=hostile, probabilities={hostile: 0.9, "a[red]b": 0.1}),
            unexplained(reading(hostile, text=hostile)),
            colour=colour,
        )
        rest = re.sub("\x1b\\[[0-9;]*m", "", found) if colour else found
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", rest)
        assert "a[red]b" in rest


def test_a_cut_text_says_how_much_was_read() -> None:
    assert "(2 of 1,234,567 words read, the first 1 and the last 1)" in printed(
        reading("a", "b", total=1234567, head=1)
    )
    assert "(empty: read as one unknown word)" in printed(reading("<unk>", total=0))
    assert "they need captum" in printed(reading("a", integrated_gradients=(), without={"random": 0.5}))
    assert "So attention <b>misses</b> much." in printed(reading("a"), report=report())
    many = reading("a", probabilities={f"class {number}": 0.1 for number in range(10)})
    assert "class 7 10.0 % and 2 more" in printed(many)


def test_which_words_of_a_long_text_were_read_is_said_and_shown() -> None:
    for head, which, shown in ((2, "the first 2", "a b […"), (0, "the last 2", "…] a b"),
                               (1, "the first 1 and the last 1", "a [… 98 words not read …] b")):  # fmt: skip
        long = reading("a", "b", total=100, head=head)
        assert extent(long) == f"2 of 100 words read, {which}"
        tree = Tree(page([long], run="m-d/1", report=None))
        assert shown in " ".join("".join(tree.text).split())
        assert shown in re.sub("\x1b[^m]*m", "", printed(long, colour=True))


def test_nats_have_one_scale_for_the_whole_page() -> None:
    loud, quiet = reading("good", "film"), reading("dull", "film", integrated_gradients=(0.2, -0.1))
    tree = Tree(page([loud, quiet], run="m-d/1", report=None))
    styles = [one["style"] for tag, one in tree.tags if tag == "span" and one.get("class") in ("for", "against")]
    assert styles == ["--s:0.50", "--s:1.00", "--s:0.10", "--s:0.05"]
    text = "".join(tree.text)
    assert "+2 nats" in text and "one scale for the whole page" in text and "not in the vocabulary" in text
    assert "--s:0.20" in page([quiet], run="m-d/1", report=None) and "+1 nats" in page([quiet], run="r", report=None)
    terminal = printed(loud, quiet, colour=True)
    assert (
        "Full blue or red is 2 nats in every text" in re.sub("\x1b[^m]*m", "", terminal)
        and "48;2;255;100;90mfilm" in terminal
    )
    assert re.search(r"48;2;\d+;\d+;\d+mdull", terminal.split("[2]")[1].split("integrated")[-1]) is None


def test_a_reader_sees_which_text_it_is() -> None:
    texts = [reading("good", "film", text="Good FILM!"), reading("bad", text="Bad. " * 99)]
    page_text = " ".join(Tree(page(texts, run="m-d/1", report=None)).text)
    assert "Good FILM!" in page_text and "Bad. Bad." in page_text and "…" in page_text
    lines = printed(*texts).splitlines()
    assert lines[0] == "[1] Good FILM!" and lines[1].startswith("pos 87.5 %")
    assert any(line.startswith("[2] Bad. Bad.") and len(line) <= 90 for line in lines)


def test_no_probability_is_shown_as_certain() -> None:
    shares = (0.99951, 1 - 1e-9, 1.0, 0.9994, 0.5, 0.0004, 0.0, 0.0006)
    assert [percent(share) for share in shares] == [
        "> 99.9 %", "> 99.9 %", "> 99.9 %", "99.9 %", "50.0 %", "< 0.1 %", "< 0.1 %", "0.1 %",
    ]  # fmt: skip
    sure = reading("good", probabilities={"neg": 1e-9, "pos": 1 - 1e-9}, without={"random": 1 - 1e-9})
    for text in (printed(sure), printed(unexplained(sure)), "".join(Tree(page([sure], run="r", report=None)).text),
                 "".join(Tree(page([unexplained(sure)], run="r", report=None)).text)):  # fmt: skip
        assert "> 99.9 %" in text and "100.0" not in text


def test_one_unknown_word_is_not_one_of_them() -> None:
    assert extent(reading("zzz")) == "1 word, not in the vocabulary"
    assert extent(reading("zzz", "good")) == "2 words, 1 of them not in the vocabulary"


def test_the_caution_does_not_contradict_the_conclusion() -> None:
    """ "No explanation" stands only where nothing was tested."""
    better = replace(report(), conclusion="here attention finds more of the deciding words")
    assert "alone is no explanation" in caution(None) and "alone is no explanation" not in caution(better)
    assert better.conclusion in printed(reading("a"), report=better)
    text = "".join(Tree(page([reading("a")], run="r", report=better)).text)
    assert text.count(better.conclusion) == 1 and "no explanation" not in text


def test_a_true_label_and_notes_are_shown() -> None:
    wrong = reading("good", true_label="neg<b>")
    assert "pos 87.5 %, neg 12.5 % (labelled neg<b>)" in printed(wrong)
    tree = Tree(page([wrong, unexplained(wrong)], run="r", report=None, notes=["logits divided by 1.98"]))
    assert tree.text.count("neg<b>") == 2 and "logits divided by 1.98" in tree.text


def test_what_is_not_explained_is_one_line_each() -> None:
    assert printed(unexplained(reading("a\nb", text="a\nb")), unexplained(reading("long " * 99))).splitlines() == [
        "[1] pos 87.5 %  a b",
        f"[2] pos 87.5 %  {('long ' * 99)[:79]}…",
    ]


def test_the_plot_has_a_curve_and_a_band_for_every_method() -> None:
    axes = flip_curves(report()).axes[0]
    legend = axes.get_legend()
    assert legend is not None and [text.get_text() for text in legend.get_texts()] == list(TITLES.values())
    assert [label.get_text() for label in axes.get_xticklabels()] == ["5 %", "10 %", "20 %", "50 %"]
    assert list(axes.lines[0].get_ydata()) == pytest.approx([30, 35, 45, 75])
    assert len(axes.collections) == 4
