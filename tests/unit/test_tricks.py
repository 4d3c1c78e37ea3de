"""The table of tricks goes on where it was stopped and says what its journal says; nothing here is trained."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dlcourse.config.check import check
from dlcourse.config.overrides import split

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
tricks = importlib.import_module("tricks")

ARMS = {"base": (), "EMA": ("ema=0.999",)}
WORDS = ["data=imdb", "data.root=/somewhere", "epochs=2"]


class Fake:
    """Gives accuracies that the words decide, and dies when it has been called so often."""

    def __init__(self, *, dies_at: int | None = None) -> None:
        self.calls: list[list[str]] = []
        self.dies_at = dies_at

    def __call__(self, words: Sequence[str]) -> Any:
        if len(self.calls) == self.dies_at:
            raise KeyboardInterrupt
        self.calls.append(list(words))
        seed = int(next(word for word in words if word.startswith("seed=")).removeprefix("seed="))
        return tricks.Measured(0.8 + 0.01 * seed + 0.02 * ("ema=0.999" in words), 100 * seed, 10.0 * seed)


def test_a_script_that_was_stopped_trains_only_what_is_missing(tmp_path: Path) -> None:
    journal = tmp_path / "results" / "tricks.json"
    first, second = Fake(dies_at=3), Fake()
    with pytest.raises(KeyboardInterrupt):
        tricks.measure(ARMS, seeds=[1, 2], words=WORDS, journal=journal, run=first)
    broken = tricks.measure(ARMS, seeds=[1, 2], words=WORDS, journal=journal, run=second)
    assert (len(first.calls), len(second.calls)) == (3, 1)
    assert second.calls == [[*WORDS, "ema=0.999", "seed=2"]]
    whole = tricks.measure(ARMS, seeds=[1, 2], words=WORDS, journal=tmp_path / "other.json", run=Fake())
    assert [(one.arm, one.seed, one.accuracy) for one in broken] == [(one.arm, one.seed, one.accuracy) for one in whole]


def test_every_arm_has_its_first_seed_before_any_has_its_second(tmp_path: Path) -> None:
    found = tricks.measure(ARMS, seeds=[1, 2], words=WORDS, journal=tmp_path / "tricks.json", run=Fake())
    assert [(one.arm, one.seed) for one in found] == [("base", 1), ("EMA", 1), ("base", 2), ("EMA", 2)]


def test_other_words_are_measured_anew_and_nothing_is_lost(tmp_path: Path) -> None:
    journal = tmp_path / "tricks.json"
    tricks.measure(ARMS, seeds=[1], words=WORDS, journal=journal, run=Fake())
    fake = Fake()
    found = tricks.measure(ARMS, seeds=[1], words=[*WORDS, "epochs=3"], journal=journal, run=fake)
    assert len(fake.calls) == 2
    assert {one.words for one in found} == {("data=imdb", "epochs=3"), ("data=imdb", "epochs=3", "ema=0.999")}
    assert len(json.loads(journal.read_text())["runs"]) == 4


def test_the_place_of_the_data_is_neither_written_nor_a_reason_to_train_again(tmp_path: Path) -> None:
    journal, fake = tmp_path / "tricks.json", Fake()
    tricks.measure(ARMS, seeds=[1], words=WORDS, journal=journal, run=Fake())
    tricks.measure(ARMS, seeds=[1], words=["data=imdb", "epochs=2"], journal=journal, run=fake)
    assert not fake.calls
    assert "somewhere" not in journal.read_text()


def test_the_table_by_hand(tmp_path: Path) -> None:
    entries = tricks.measure(ARMS, seeds=[1, 2, 3], words=WORDS, journal=tmp_path / "tricks.json", run=Fake())
    # Two points apart, each with standard deviation 1: 4 degrees of freedom, t = 2.776, sqrt(2 / 3) = 0.816.
    assert tricks.render(entries).splitlines() == [
        "| arm | words | seeds | validation accuracy | sd | against base (95 % Welch) | seconds |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| base | `data=imdb epochs=2` | 3 | 82.00 | 1.00 | - | 20 |",
        "| EMA | `ema=0.999` | 3 | 84.00 | 1.00 | +2.00 (-0.27 to +4.27) | 20 |",
    ]


def test_one_seed_has_no_spread(tmp_path: Path) -> None:
    entries = tricks.measure(ARMS, seeds=[1], words=WORDS, journal=tmp_path / "tricks.json", run=Fake())
    assert tricks.render(entries).splitlines()[-1] == "| EMA | `ema=0.999` | 1 | 83.00 | - | +2.00 | 10 |"


def test_a_run_that_fails_is_shown_with_its_own_words() -> None:
    with pytest.raises(SystemExit, match="there is no such option"):
        tricks.train(["model=resnet81"])


@pytest.mark.parametrize("arm", tricks.ARMS)
def test_the_words_of_every_arm_are_words_of_the_program(arm: str) -> None:
    check(split([*tricks.COMMON, *tricks.ARMS[arm], "seed=1"]))


@pytest.mark.slow
def test_a_run_gives_its_best_validation() -> None:
    found = tricks.train(["model=resnet18", "model.width=2", "data=digits", "max_steps=4", "validate_every=2st"])
    assert 0 < found.accuracy <= 1
    assert found.step in (2, 4)
    assert found.seconds > 0
