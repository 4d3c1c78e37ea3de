"""Whatever is chosen from a plan keeps every rule, and two judges that share no code agree on any poem."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from independent_verse import SIZES, check

from dlcourse.verse.constraints import plans
from dlcourse.verse.forms import recognise
from dlcourse.verse.judge import judge
from dlcourse.verse.table import rhyme_table

TABLE = rhyme_table()
VOCABULARY = sorted(TABLE.known)
PLANS = {(form, strict): plans(form, VOCABULARY, TABLE, strict=strict) for form in SIZES for strict in (True, False)}
CASES = st.sampled_from(sorted(PLANS))
SEEDS = st.integers(0, 2**32 - 1)


def written(form: str, strict: bool, generator: np.random.Generator) -> tuple[list[str], str]:
    """A poem drawn from a plan, and the rhyme category of the plan."""
    choices = PLANS[form, strict]
    plan = choices[generator.integers(len(choices))]
    chars = "".join(VOCABULARY[generator.choice(np.flatnonzero(row))] for row in plan.allowed)
    length = SIZES[form][1]
    return [chars[at : at + length] for at in range(0, len(chars), length)], plan.rhyme


@settings(max_examples=80, deadline=None)
@given(case=CASES, seed=SEEDS)
def test_whatever_a_plan_allows_keeps_every_rule(case: tuple[str, bool], seed: int) -> None:
    form, strict = case
    lines, rhyme = written(form, strict, np.random.default_rng(seed))
    assert recognise(lines) == form
    assert check(lines, form, strict=strict) == (True, True, True)
    assert judge(lines, form=form, table=TABLE, strict=strict).all
    assert all(rhyme in TABLE.rhymes(line[-1]) for line in lines[1::2])


@settings(max_examples=150, deadline=None)
@given(case=CASES, judged_strictly=st.booleans(), changes=st.integers(0, 3), seed=SEEDS)
def test_two_judges_agree_on_poems_that_nearly_keep_the_rules(
    case: tuple[str, bool], judged_strictly: bool, changes: int, seed: int
) -> None:
    form, strict = case
    generator = np.random.default_rng(seed)
    lines, _ = written(form, strict, generator)
    for _ in range(changes):
        line, at = generator.integers(len(lines)), generator.integers(len(lines[0]))
        char = VOCABULARY[generator.integers(len(VOCABULARY))]
        lines[line] = lines[line][:at] + char + lines[line][at + 1 :]
    verdict = judge(lines, form=form, table=TABLE, strict=judged_strictly)
    assert (verdict.form, verdict.rhyme, verdict.tone) == check(lines, form, strict=judged_strictly)
    assert verdict.all == (not verdict.faults)


@settings(max_examples=20, deadline=None)
@given(case=CASES, start=st.text(st.sampled_from(VOCABULARY), min_size=1, max_size=3), seed=SEEDS)
def test_a_wish_is_fulfilled_by_every_plan(case: tuple[str, bool], start: str, seed: int) -> None:
    form, strict = case
    ids = [VOCABULARY.index(char) for char in start]
    possible = [plan for plan in PLANS[form, strict] if plan.bank[plan.rows[: len(ids)], ids].all()]
    assume(possible)
    found = plans(form, VOCABULARY, TABLE, strict=strict, start=start)
    assert len(found) == len(possible)
    plan = found[seed % len(found)]
    assert [list(np.flatnonzero(row)) for row in plan.allowed[: len(ids)]] == [[index] for index in ids]
