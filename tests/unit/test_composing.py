"""Poems from random weights: what the rules promise, who decides between plans, likelihoods, wishes that cannot be."""

from __future__ import annotations

import math
from collections import Counter
from functools import cache

import numpy as np
import pytest
import torch
from independent_verse import SIZES, check

from dlcourse.errors import ConfigError
from dlcourse.models.poetry_lstm import PoetryLSTM
from dlcourse.tasks.composing import ROWS, Composition, compose
from dlcourse.tasks.outlines import LONGEST, Outline, Request, outline
from dlcourse.tasks.sampling import Sampling
from dlcourse.text.characters import EOP_ID, FORM_IDS, RESERVED
from dlcourse.verse.constraints import plans
from dlcourse.verse.judge import judge
from dlcourse.verse.table import rhyme_table

TABLE = rhyme_table()
KNOWN = [char for char in sorted(TABLE.known) if ord(char) % 3 == 0 or char in "春夏秋冬明月東同"]
VOCABULARY = [*RESERVED, *KNOWN, "囗", "a"]
"""囗 is not in the rhyme table, and a is no Chinese character."""


@cache
def model() -> PoetryLSTM:
    """Some characters are far more likely than others; there is room for more tokens than the vocabulary has."""
    torch.manual_seed(0)
    made = PoetryLSTM(vocab_size=len(VOCABULARY) + 5, embedding_size=8, hidden_size=8)
    torch.nn.init.normal_(made.output_bias, std=2.0)
    torch.nn.init.normal_(made.embedding.weight)
    return made


def sketch(form: str = "5jue", rules: str = "all", **wishes: str | bool) -> Outline:
    return outline(Request(form, rules, **wishes), VOCABULARY, table=TABLE)  # type: ignore[arg-type]


def poems(form: str = "5jue", rules: str = "all", *, count: int = 40, **wishes: str | bool) -> list[Composition]:
    return compose(model(), sketch(form, rules, **wishes), count=count, seed=1)


@pytest.mark.parametrize("form", SIZES)
@pytest.mark.parametrize("strict", [False, True])
def test_every_poem_keeps_every_rule_by_a_judge_of_its_own(form: str, strict: bool) -> None:
    found = poems(form, strict=strict)
    for poem in found:
        assert check(poem.lines, form, strict=strict) == (True, True, True)
        assert judge(poem.lines, form=form, table=TABLE, strict=strict).all
        ends = [line[-1] for line in poem.lines[1::2]]
        assert len(set(ends)) == len(ends)
    assert len({poem.text for poem in found}) == len(found) == 40


def test_less_is_kept_where_less_is_asked_for() -> None:
    rhymed, formed = poems(rules="rhyme", count=64), poems(rules="form", count=64)
    kept = [check(poem.lines, "5jue") for poem in rhymed]
    assert all(one.form and one.rhyme for one in kept) and not all(one.tone for one in kept)
    kept = [check(poem.lines, "5jue") for poem in formed]
    assert all(one.form for one in kept) and not any(one.rhyme for one in kept[:20])
    assert all(check(poem.lines, "5jue", strict=True).rhyme for poem in poems(rules="rhyme", strict=True))
    assert all(len({line[-1] for line in poem.lines[1::2]}) == 2 for poem in rhymed)


@pytest.mark.parametrize("rules", ["none", "form", "rhyme", "all"])
def test_marks_stand_where_they_belong_and_no_special_token_is_written(rules: str) -> None:
    for poem in poems("7jue", rules):
        assert all(char in KNOWN or char in "囗，。" for char in poem.text)
        if rules == "none":
            assert len(poem.tokens) == LONGEST or poem.tokens[-1] == EOP_ID
            assert EOP_ID not in poem.tokens[:-1]
        else:
            assert [poem.text[at] for at in range(7, 32, 8)] == list("，。，。") and poem.tokens[-1] == EOP_ID


@torch.no_grad()
def test_the_log_probabilities_are_the_models_own() -> None:
    for poem in [*poems(rules="none", count=5), *poems("7lv", count=5, start="明月")]:
        tokens = torch.tensor([[FORM_IDS[poem.form], *poem.tokens]])
        logits = model().eval()(tokens[:, :-1], torch.tensor([tokens.shape[1] - 1]))
        wanted = logits.log_softmax(2)[0].gather(1, tokens[0, 1:, None])[:, 0]
        torch.testing.assert_close(torch.tensor(poem.log_probs), wanted, atol=1e-4, rtol=1e-4)
        assert poem.log_prob == pytest.approx(float(wanted.sum()), rel=1e-4)
        own = [float(one) for one, token in zip(wanted, poem.tokens, strict=True) if token >= len(RESERVED)]
        assert poem.character_log_prob == pytest.approx(np.mean(own), rel=1e-4)
        assert poem.mean_log_prob == pytest.approx(float(wanted.mean()), rel=1e-4)


@torch.no_grad()
def test_what_the_rules_cost_is_the_chance_that_they_leave() -> None:
    """Plan by plan in numpy, along the poem that was written."""
    every = plans("5jue", VOCABULARY, TABLE, strict=False)
    for poem in poems(count=6):
        tokens = torch.tensor([[2, *poem.tokens]])
        chances = model().eval()(tokens[:, :-1], torch.tensor([tokens.shape[1] - 1])).double().softmax(2)[0].numpy()
        followed, cost, place, ends = every, 0.0, 0, list[int]()
        for at, token in enumerate(poem.tokens):
            if token < len(RESERVED):
                cost -= math.log(chances[at, token])
                continue
            mask = np.any([plan.allowed[place] for plan in followed], axis=0)
            mask[ends if place in (9, 19) else []] = False
            cost -= math.log(chances[at, : len(mask)][mask].sum())
            followed = [plan for plan in followed if plan.allowed[place, token]]
            ends += [token] if place % 5 == 4 else []
            place += 1
        assert followed and poem.price == pytest.approx(cost, rel=1e-4)


def test_what_is_allowed_may_be_as_unlikely_as_can_be() -> None:
    """Its chances are 0 in single precision, and still the model decides among them."""
    made = PoetryLSTM(vocab_size=len(VOCABULARY), embedding_size=4, hidden_size=4)
    with torch.no_grad():
        made.output_bias[EOP_ID] = 300.0
        made.output_bias[[index for index, char in enumerate(VOCABULARY) if "尤" in TABLE.rhymes(char)]] = 30.0
    found = compose(made, sketch(strict=True), count=32, seed=0)
    assert all("尤" in TABLE.rhymes(line[-1]) for poem in found for line in poem.lines[1::2])
    assert all(-400 < one / 24 < -200 for one in (poem.log_prob for poem in found))
    assert all(-20 < math.fsum(poem.allowed_log_probs) / 20 < 0 for poem in found)


def test_the_model_decides_in_which_category_it_rhymes() -> None:
    made = PoetryLSTM(vocab_size=len(VOCABULARY), embedding_size=4, hidden_size=4)
    with torch.no_grad():
        made.output_bias[[index for index, char in enumerate(VOCABULARY) if "尤" in TABLE.rhymes(char)]] = 4.0
    found = compose(made, sketch(strict=True), count=64, seed=0)
    assert Counter(judge(poem.lines, form="5jue", table=TABLE).category for poem in found)["尤"] > 40


def test_a_poem_depends_on_seed_and_number_alone() -> None:
    many = poems(count=ROWS + 6)
    assert poems(count=3) == many[:3]
    assert poems(count=ROWS + 1)[ROWS] == many[ROWS]
    assert compose(model(), sketch(), count=3, seed=2) != many[:3]


def test_the_best_of_several_is_the_likeliest_of_them() -> None:
    single, best = poems(count=20), compose(model(), sketch(), count=20, seed=1, best_of=5)
    gains = [two.log_prob - one.log_prob for one, two in zip(single, best, strict=True)]
    assert min(gains) > -1e-3 and max(gains) > 1  # the first candidate is the poem that would stand alone


def test_a_penalty_leaves_fewer_repeated_characters() -> None:
    def repeated(penalty: float) -> int:
        found = compose(model(), sketch("7lv"), count=40, seed=0, sampling=Sampling(repetition=penalty))
        return sum(56 - len({*poem.text} - {*"，。"}) for poem in found)

    assert repeated(20.0) == 0 < repeated(0.0)


def test_the_penalty_leaves_punctuation_alone() -> None:
    plain = poems(rules="none", count=ROWS)
    fined = compose(model(), sketch(rules="none"), count=ROWS, seed=1, sampling=Sampling(repetition=50.0))
    marks = [sum(poem.text.count(mark) for poem in found for mark in "，。") for found in (plain, fined)]
    assert marks[1] > marks[0] / 2 > 0


def test_wishes_are_fulfilled_under_all_rules() -> None:
    for rules in ("form", "rhyme", "all"):
        for poem in poems("7jue", rules, count=5, acrostic="春夏秋冬", start="春月"):
            assert [line[0] for line in poem.lines] == list("春夏秋冬") and poem.text.startswith("春月")
    whole = "春夏秋冬月東同春夏秋"
    assert all(poem.text.startswith(f"{whole[:5]}，{whole[5:]}") for poem in poems(rules="none", count=5, start=whole))
    assert all(poem.text.startswith("春夏秋冬月，東") for poem in poems(rules="none", count=5, start="春夏秋冬月東"))


def test_a_start_may_repeat_its_own_rhyme_word_and_settles_the_category() -> None:
    start = "月月月月月" + "月月月月東" + "月月月月月" + "月月月月東"
    (poem,) = poems(rules="rhyme", count=1, start=start)
    assert "".join(poem.lines) == start and poem.allowed_log_probs == (0.0,) * 25
    found = poems(rules="rhyme", start="月月月月月月月月月東")
    assert all("東" in TABLE.rhymes(poem.lines[3][-1]) and poem.lines[3][-1] != "東" for poem in found)


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"form": "7ju"}, "form=7ju: there is no such form; did you mean '7jue'?"),
        ({"acrostic": "春夏秋"}, "acrostic=春夏秋: 5jue has 4 lines, so give 4 characters"),
        ({"start": "春" * 21}, "21 characters, but a whole 5jue has 20"),
        ({"start": "月", "acrostic": "春夏秋冬"}, "line 1 cannot begin with both 春 (acrostic) and 月 (start)"),
        ({"start": "ab"}, "start=ab: only Chinese characters without punctuation are allowed"),
        ({"start": "龘"}, "龘: the model's vocabulary lacks it; choose another"),
        ({"start": "龘", "rules": "none"}, "龘: the model's vocabulary lacks it; choose another"),
        ({"start": "囗"}, "囗: the rhyme table lacks it"),
        ({"start": "東東東東"}, "start=東東東東: no tone pattern of 5jue allows it; change it, or choose rules=form"),
        ({"start": "月" * 10, "rules": "rhyme"}, "its even lines do not rhyme in a level tone"),
        ({"acrostic": "春夏秋冬", "rules": "none"}, "acrostic: without rules nobody knows where lines begin"),
    ],
)
def test_a_wish_that_cannot_be_is_told(wish: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError) as error:
        sketch(**wish)
    assert len(error.value.problems) == 1 and told in error.value.problems[0]


def test_simplified_characters_have_no_rhyme() -> None:
    for rules in ("rhyme", "all"):
        with pytest.raises(ConfigError, match=f"^rules={rules}: rhyme and tone of this run"):
            outline(Request("5jue", rules), VOCABULARY, table=None)  # type: ignore[arg-type]
    assert outline(Request("5jue", "form"), VOCABULARY, table=None).plans == 1


@pytest.mark.parametrize("wrong", ["count", "best_of"])
def test_a_number_of_poems_below_one_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=f"^{wrong} must be 1 or more, not 0"):
        compose(model(), sketch(), **({"count": 1, "seed": 0} | {wrong: 0}))  # type: ignore[arg-type]
