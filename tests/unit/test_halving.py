"""Successive halving: who goes on is a function of the scores, and a kill at any time costs and repeats nothing."""

from __future__ import annotations

import math
import os
import random
import signal
from collections import Counter
from pathlib import Path

import pytest
from faked_sweeps import BASE, begin, begun, done, fake, journal, lives, wait
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.cli import main
from dlcourse.errors import ConfigError
from dlcourse.sweep.halving import Halving
from dlcourse.sweep.rungs import Training, derived, said

needs_signals = pytest.mark.skipif(os.name == "nt", reason="signals and locks")
WORDS = (*BASE, "name=lr", "halving=3", "rungs=1st,2st")
RATES = ("0.5", "0.01", "0.1", "0.05", "0.3", "0.02", "0.2", "0.7", "0.6")
NINE = f"optimizer.lr={','.join(RATES)}"


@pytest.fixture(autouse=True)
def faked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(monkeypatch, tmp_path, step=0.005)


def sweep(*words: str) -> int:
    return main(["sweep", *WORDS, *words])


def ended() -> list[tuple[object, object, object]]:
    return [(line["arm"], line["seed"], line["rung"]) for line in journal() if line["kind"] == "ended"]


def nine() -> set[tuple[object, object, object]]:
    """What nine arms come to: those nearest to 0.01 are the second, the sixth and the fourth."""
    return {*((arm, 1, 0) for arm in range(9)), (1, 1, 1), (5, 1, 1), (3, 1, 1), (1, 1, 2)}


def test_eight_arms_by_hand() -> None:
    scores = {
        0: dict(enumerate([0.1, 0.5, 0.3, 0.5, -math.inf, 0.2, 0.4, 0.0])),
        1: {1: 0.6, 3: 0.7, 6: 0.9, 2: -math.inf},
    }
    climbed = Halving(2, ("1ep", "2ep")).climbed(range(8), score=lambda arm, rung: scores[rung][arm])
    assert climbed == [list(range(8)), [1, 3, 6, 2], [6, 3]]
    assert Halving(2, ("1ep", "2ep")).sizes([8]) == [8, 4, 2]
    assert Halving(3, ("1ep", "3ep")).sizes([27]) == [27, 9, 3]
    assert Halving().climbed(range(3), score=lambda arm, rung: None) == [[0, 1, 2]]


@given(st.lists(st.one_of(st.none(), st.just(-math.inf), st.floats(0, 1)), min_size=1, max_size=30), st.integers(2, 5))
def test_who_goes_on_is_never_worse_than_who_is_dropped(scores: list[float | None], eta: int) -> None:
    halving = Halving(eta, ("1ep",))
    climbed = halving.climbed(range(len(scores)), score=lambda arm, rung: scores[arm])
    if None in scores:
        assert len(climbed) == 1  # one that is not known yet may still be the best
        return
    kept = [scores[arm] for arm in climbed[1]]
    gone = [score for arm, score in enumerate(scores) if arm not in climbed[1]]
    whole = [score for score in scores if score != -math.inf]
    assert len(kept) == min(len(whole), max(1, len(scores) // eta))
    assert not kept or not gone or min(kept) >= max(gone)  # type: ignore[type-var]
    assert -math.inf not in kept


NINE_EPOCHS = Training(9, "ep", "1ep")


@pytest.mark.parametrize(
    ("training", "eta", "arms", "stops"),
    [
        (NINE_EPOCHS, 3, 27, ("1ep", "3ep")),
        (NINE_EPOCHS, 3, 9, ("1ep", "3ep")),
        (NINE_EPOCHS, 3, 8, ("3ep",)),  # one drop leaves too few for another
        (Training(30, "ep", "1ep"), 3, 81, ("1ep", "3ep", "10ep")),
        (Training(4, "ep", "0.5ep"), 2, 99, ("0.5ep", "1ep", "2ep")),
        (Training(1000, "st", "50st"), 4, 99, ("50st", "250st")),  # 62.5 is not validated, 50 is
        (Training(8, "ep", "25%"), 2, 99, ("2ep", "4ep")),
    ],
)
def test_rungs_divide_the_length_at_validations(
    training: Training, eta: int, arms: int, stops: tuple[str, ...]
) -> None:
    assert derived(training, eta=eta, arms=arms) == stops


@pytest.mark.parametrize(
    ("text", "stops"),
    [("1ep,3ep,9ep", ("1ep", "3ep")), ("2ep", ("2ep",)), ("[1ep, 50%]", ("1ep", "50%")), ("20%,100%", ("20%",))],
)
def test_rungs_are_taken_as_said_and_the_end_may_stand_among_them(text: str, stops: tuple[str, ...]) -> None:
    assert said(text, NINE_EPOCHS) == stops


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("3ep,1ep", "rungs must rise from above 0, not 3ep,1ep"),
        ("0ep,1ep", "rungs must rise"),
        ("1ep,12ep", "12ep lies behind the end, epochs=9"),
        ("9ep", "9ep is the end, epochs=9"),
        ("100st,2ep", "100st cannot be held against epochs=9; write such as 10ep, or 10%"),
        ("0.5ep,2ep", "0.5ep comes before the first validation"),
        ("soon", "rungs: each must be a length such as 2ep"),
    ],
)
def test_rungs_that_cannot_be_are_told(text: str, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        said(text, NINE_EPOCHS)
    assert line in str(caught.value)


@needs_signals
def test_the_best_third_goes_on_from_its_checkpoints_to_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep(NINE, "jobs=2") == 0
    assert set(ended()) == nine()
    assert len(ended()) == 13
    started = Counter(line.split(" from ")[1] for line in lives() if " from " in line)
    assert started == {"0": 9, "1": 3, "2": 1}  # no step twice
    out = capsys.readouterr().out
    assert "halving: 9 to 1st, 3 to 2st, 1 to the end" in out
    assert "[13/13] optimizer.lr=0.01 seed=1 to the end: accuracy 1.001" in out
    assert "1 arm goes on to the end" in out
    table = out.split("\n\n")[2]
    assert table.index("optimizer.lr=0.01") < table.index("optimizer.lr=0.02, dropped at 2st")
    assert table.index("dropped at 2st") < table.index("optimizer.lr=0.1, dropped at 1st")
    assert table.count("dropped at 1st") == 6
    assert "8 of the arms were dropped on the way" in out
    assert "chosen on validation: dlcourse train model=resnet18 data=digits max_steps=4 optimizer.lr=0.01" in out
    count = len(lives())
    assert sweep(NINE) == 0
    assert len(lives()) == count


@needs_signals
def test_an_arm_is_judged_by_the_mean_of_its_seeds_and_out_if_one_fails(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("optimizer.lr=0.1,0.01,9", "halving=2", "rungs=2st", "seeds=2")
    assert main(["sweep", *WORDS[:4], *words]) == 1
    assert set(ended()) == {*((arm, seed, 0) for arm in range(3) for seed in (1, 2)), (1, 1, 1), (1, 2, 1)}
    out = capsys.readouterr().out
    assert "2 trials failed" in out
    assert "optimizer.lr=0.1, dropped at 2st" in out
    assert main(["sweep", *WORDS[:4], *words[:-1], "seeds=3"]) == 1  # more seeds, the same winner
    assert {place for place in ended() if place[1] == 3} == {(0, 3, 0), (1, 3, 0), (2, 3, 0), (1, 3, 1)}


@needs_signals
def test_if_all_fail_none_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", *WORDS[:4], "optimizer.lr=8,9", "halving=2", "rungs=3st"]) == 1
    out = capsys.readouterr().out
    assert "no arm went on: each one failed, or had no validation yet" in out
    assert "2 trials failed" in out


@needs_signals
@pytest.mark.parametrize("number", [1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 10))])
def test_killed_at_any_moment_it_does_only_what_is_missing(number: int) -> None:
    chance = random.Random(number)
    process = begin(*WORDS, NINE, "jobs=2", step=0.02)
    wait(begun(chance.randrange(1, 13)))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert sweep(NINE, "jobs=2") == 0
    assert set(ended()) == nine()
    assert len(ended()) == 13
    ends = Counter(line for line in lives() if " from " not in line)
    # The two that outlived the sweep may be taken up where they stopped, to find that they are there.
    assert sum(ends.values()) <= 15
    assert done() == {"lr-001-seed1": 1}


@needs_signals
def test_more_trials_join_at_the_first_rung_and_who_was_trained_stays() -> None:
    space = ("optimizer.lr=tag(log,interval(1e-3,1))", "search=random")
    assert sweep(*space, "trials=3") == 0
    before = set(ended())
    assert sum(rung == 2 for _, _, rung in before) == 1
    assert sweep(*space, "trials=6") == 0
    assert before <= set(ended())
    assert {arm for arm, _, rung in ended() if rung == 0} == set(range(6))
    assert len(ended()) == len(set(ended()))


@needs_signals
def test_dry_tells_what_is_decided_and_what_the_scores_will_decide(capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep(NINE, "dry=true") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "missing optimizer.lr=0.5 seed=1 to 1st"
    assert lines[9:] == ["then the best 3 to 2st", "then the best 1 to the end"]
    assert not Path("runs").exists()
    assert sweep(NINE) == 0
    capsys.readouterr()
    assert sweep(NINE, "dry=true") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 13
    assert lines[-1] == "done    optimizer.lr=0.01 seed=1 to the end"


@needs_signals
def test_other_rungs_are_another_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*WORDS[:4], "optimizer.lr=0.1,0.01", "halving=2"]
    assert main(["sweep", *words, "rungs=1st"]) == 0
    assert main(["sweep", *words, "rungs=2st"]) == 2
    error = capsys.readouterr().err
    assert "name=lr is another sweep: it was begun with rungs=1st" in error
    assert "now there is rungs=2st" in error


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("halving=1", NINE), "halving must be 2 or more, not 1"),
        (("rungs=1ep", NINE), "rungs say where arms are stopped; write halving=3"),
        (("halving=3",), "halving: nothing is varied"),
        (("halving=3", NINE, "search=tpe", "trials=9"), "halving: tpe proposes arm after arm"),
        (("halving=3", NINE, "epochs=3,9"), "epochs: halving ranks arms by one number"),
        (("halving=3", NINE, "data=digits,mnist"), "data: halving ranks arms by one number"),
        (("halving=3", "ema=0,0.9"), "halving=3 needs 3 arms or more, not 2"),
        (("halving=3", NINE, "epochs=2"), "would come before the first validation"),
        (("halving=3", NINE, "max_steps=90"), "rungs: they cannot be derived from max_steps=90 and validate_every=1ep"),
        (("stop_at=1ep", NINE), "stop_at: halving=3 stops the arms of a sweep that fall behind"),
    ],
)
def test_bad_words_are_refused_before_anything_is_made(
    words: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", *words]) == 2
    assert line in capsys.readouterr().err
    assert not Path("runs").exists()
