"""Whether a repetition came out as before, how far off it may be, and what changed around it."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_folders import make_run, record
from scipy import stats

from dlcourse.results.index import read_all
from dlcourse.results.record import RunRecord
from dlcourse.results.repeat import Repetition, Tolerance, beside, repetition, tolerance_of

NARROW = Tolerance(0.01, "as you said")


def numbers(
    accuracy: float, *, steps: tuple[int, ...] = (10, 20), tested_at: int = 20, loss: float = 0.5
) -> list[dict[str, Any]]:
    """The records of a run with this accuracy of its test."""
    told = [record(step, split, {"loss": loss / step, "accuracy": 0.5}) for step in steps for split in ("train", "val")]
    return [*told, record(tested_at, "test", {"accuracy": accuracy, "loss": loss})] if tested_at else told


def compared(before: list[dict[str, Any]], now: list[dict[str, Any]], *, by: Tolerance = NARROW) -> Repetition:
    return repetition(before, now, decisive="accuracy", tolerance=by)


def test_equal_records_are_identical() -> None:
    found = compared(numbers(0.8), numbers(0.8))
    assert (found.verdict, found.records, found.first, found.rows) == ("identical", 5, "", ())
    assert found.sentence == "identical: all 5 records have the same numbers to the last bit"


def test_one_bit_is_a_difference() -> None:
    found = compared(numbers(0.8), numbers(math.nextafter(0.8, 1)))
    assert (found.verdict, found.first) == ("within tolerance", "test/accuracy")
    assert found.rows == (("test/accuracy", 0.8, math.nextafter(0.8, 1)),)


def test_the_first_difference_is_named() -> None:
    found = compared(numbers(0.8), numbers(0.805, loss=0.6))
    assert found.first == "train/loss at step 10"
    assert found.verdict == "within tolerance"
    assert found.sentence == (
        "within tolerance: test/accuracy was 0.8, is 0.805, within the tolerance of 0.01 (as you said); the runs part "
        "in train/loss at step 10"
    )


def test_beyond_the_tolerance_is_not_reproduced() -> None:
    found = compared(numbers(0.8), numbers(0.82))
    assert found.verdict == "not reproduced"
    assert "beyond the tolerance of 0.01" in found.sentence


def test_tests_at_other_steps_are_compared() -> None:
    found = compared(numbers(0.8), numbers(0.805, tested_at=10))
    assert (found.verdict, found.metric, found.now) == ("within tolerance", "test/accuracy", 0.805)


def test_of_a_run_that_was_stopped_only_what_it_recorded_counts() -> None:
    found = compared(numbers(0.8, steps=(10,), tested_at=0), numbers(0.8))
    assert (found.verdict, found.records) == ("identical", 2)


def test_a_repetition_that_recorded_less_is_not_identical() -> None:
    found = compared(numbers(0.8), numbers(0.8, steps=(10,)))
    assert found.verdict == "within tolerance"
    assert found.first == "train/accuracy at step 20"


def test_without_a_validation_in_common_nothing_is_reproduced() -> None:
    found = compared([record(5, "train", {"loss": 1.0})], [record(5, "train", {"loss": 2.0})])
    assert found.verdict == "not reproduced"
    assert found.sentence == "not reproduced: the two runs share neither a test nor a validation"
    assert compared([], []).verdict == "not reproduced"


def test_not_a_number_repeats_itself() -> None:
    assert compared(numbers(math.nan), numbers(math.nan)).verdict == "identical"
    assert compared(numbers(0.8), numbers(math.nan)).verdict == "not reproduced"


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_the_verdict_is_the_same_both_ways(one: float, other: float, limit: float) -> None:
    by = Tolerance(limit, "")
    there, back = compared(numbers(one), numbers(other), by=by), compared(numbers(other), numbers(one), by=by)
    assert there.verdict == back.verdict
    assert (there.verdict == "not reproduced") == (abs(one - other) > limit)


def seeds(runs: Path, values: list[float], *, name: str = "accuracy") -> list[RunRecord]:
    for seed, value in enumerate(values, start=1):
        at = f"resnet18-digits/2026-01-{seed:02}_00-00-00-000000"
        make_run(runs, at, settings={"seed": seed}, val=[{name: 0.5}], test={name: value}, best=(name, "max"))
    return sorted(read_all(runs).records, key=lambda one: one.name)


def test_seeds_say_how_far_two_runs_are_apart(tmp_path: Path) -> None:
    records = seeds(tmp_path, [0.80, 0.82, 0.84])
    found = tolerance_of(records[0], records, items=100)
    assert found.value == pytest.approx(stats.t.isf(0.025, 2) * 0.02 * math.sqrt(2))
    assert "the spread of 3 seeds" in found.reason


def test_the_spread_of_seeds_covers_two_runs_as_often_as_it_says() -> None:
    chance = stats.norm(0, 1)
    drawn = chance.rvs(size=(4000, 5), random_state=1)  # three seeds and two new runs
    reach = stats.t.isf(0.025, 2) * drawn[:, :3].std(axis=1, ddof=1) * math.sqrt(2)
    assert abs((abs(drawn[:, 3] - drawn[:, 4]) <= reach).mean() - 0.95) < 0.012


def test_without_seeds_the_items_say_it(tmp_path: Path) -> None:
    records = seeds(tmp_path, [0.8, 0.9])
    found = tolerance_of(records[0], records, items=10_000)
    assert found.value == pytest.approx(1.96 * 0.4 / 100)
    assert "10,000 items" in found.reason


def test_of_another_metric_it_is_a_share_of_it(tmp_path: Path) -> None:
    (one,) = seeds(tmp_path, [80.0], name="perplexity")
    assert tolerance_of(one, [], items=100).value == pytest.approx(0.8)


def test_a_run_that_is_not_there_is_told_before_torch_is_imported(tmp_path: Path) -> None:
    words = ["reproduce", "latest", f"runs={tmp_path}"]
    code = f"import sys; from dlcourse.cli import main; print(main({words!r}), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.splitlines()[-1] == "2 False"
    assert f"there are no runs in {tmp_path}" in done.stderr


BEFORE = {
    "torch": "2.6.0", "cuda": None, "platform": "Linux", "packages": {"numpy": "2.0", "torch": "2.6.0"},
    "git": {"commit": "a" * 40, "dirty": True},
}  # fmt: skip


def test_nothing_changed_but_files_that_no_commit_holds() -> None:
    assert beside(BEFORE, BEFORE) == ["the files of the source revision had been changed, and no commit holds them so"]
    assert beside({}, {}) == []


def test_what_changed_around_a_run_is_told_once() -> None:
    now = {**BEFORE, "packages": {"numpy": "2.1", "torch": "2.7.0"}, "git": {"commit": "b" * 40, "dirty": False}}
    assert beside({**BEFORE, "git": {"commit": "a" * 40, "dirty": False}}, {**now, "cuda": "12.4"}) == [
        "numpy was 2.0, is 2.1",
        "the source revision was aaaaaaaaaaaa, is bbbbbbbbbbbb",
        "cuda was None, is 12.4",
    ]
