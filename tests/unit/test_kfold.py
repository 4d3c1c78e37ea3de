"""`train kfold=` and `sweep kfold=` with trainings that are faked: every fold once, and the spread told."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Sequence
from pathlib import Path

import pytest
from faked_sweeps import BASE, fake, journal, lives, place

from dlcourse.cli import main
from dlcourse.commands import kfold
from dlcourse.commands.completion import complete
from dlcourse.errors import UserError
from dlcourse.sweep import folded
from dlcourse.sweep.folded import Folded, whole
from dlcourse.sweep.search import Tried

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and locks")


@pytest.fixture(autouse=True)
def faked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """No training and no reading; gives the words whose data would have been read."""
    read: list[str] = []
    fake(monkeypatch, tmp_path)

    def note(words: Sequence[str], job: object) -> int:
        read.append(" ".join(words))
        return 0

    monkeypatch.setattr(folded, "run_hydra", note)
    return read


def problems(words: Sequence[str]) -> Sequence[str]:
    with pytest.raises(UserError) as caught:
        kfold.main(list(words))
    assert caught.value.exit_code == 2
    assert not Path("runs/lives.txt").exists()
    return caught.value.problems


def test_each_fold_is_an_ordinary_run_and_mean_and_spread_are_told(
    capsys: pytest.CaptureFixture[str], faked: list[str]
) -> None:
    assert main(["train", *BASE, "kfold=3", "jobs=2", "name=cv"]) == 0
    folders = [Path(f"runs/resnet18-digits/cv-{number:03}-seed1") for number in range(3)]
    assert [json.loads((one / "config.yaml").read_text())["data"]["fold"] for one in folders] == ["1/3", "2/3", "3/3"]
    assert len(faked) == 1
    assert faked[0].endswith(" data.fold=1/3")
    out = capsys.readouterr().out
    values = [1 + (1 - 10 * number) / 1000 for number in (1, 2, 3)]
    row = next(line for line in out.splitlines() if line.startswith("best validation accuracy")).split()
    told = [statistics.fmean(values), statistics.stdev(values), min(values), max(values)]
    assert row[3:] == ["3", *(f"{value:.4g}" for value in told)]
    assert [line.split()[:2] for line in out.splitlines() if "resnet18-digits/cv-" in line] == [
        [f"{number}/3", f"{value:.4g}"] for number, value in zip((1, 2, 3), values, strict=True)
    ]
    assert "share training data" in out
    assert "Bengio and Grandvalet 2004" in out


def test_the_same_command_does_what_is_missing_and_reads_no_data_first(faked: list[str]) -> None:
    words = ["train", *BASE, "kfold=2", "name=cv"]
    assert main(words) == 0
    lines = place("cv").read_text().splitlines(keepends=True)
    place("cv").write_text("".join(lines[:-1]))  # killed before the last line
    before = len(lives())
    assert main(words) == 0
    assert len(lives()) == before
    assert len(faked) == 1


def test_a_failed_fold_is_told_and_counts_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *BASE, "kfold=2", "optimizer.lr=9", "name=cv"]) == 1
    out = capsys.readouterr().out
    assert "2 of the folds failed, so their parts are not validated on (retry=true tries again):" in out
    assert "data.fold=2/2 seed=1: exit code 1" in out


def test_what_cannot_be_is_told_before_anything_is_trained() -> None:
    assert "kfold must be 2 or more, not 1" in problems([*BASE, "kfold=1"])[0]
    assert "kfold must be 2 or more, not 0" in problems([*BASE, "kfold=0"])[0]
    assert "kfold must be a whole number, not 'five'" in problems([*BASE, "kfold=five"])[0]
    found = "\n".join(problems([*BASE, "kfold=3", "resume=latest", "-m", "data.fold=1/3", "run=here"]))
    assert "resume: kfold= goes on by itself" in found
    assert "-m: kfold= trains one setting" in found
    assert "run: each fold has a run folder of its own" in found
    assert "data.fold: kfold= trains every fold" in "\n".join(problems([*BASE, "kfold=3", "data.fold=1/3"]))
    assert "optimizer.lr: several values make a sweep" in problems([*BASE, "kfold=3", "optimizer.lr=0.1,0.2"])[0]
    assert "seed: several values make a sweep" in problems([*BASE, "kfold=3", "seed=1,2"])[0]
    assert "optimizer.lrr" in problems([*BASE, "kfold=3", "optimizer.lrr=1"])[0]


def test_a_sweep_trains_every_arm_on_every_fold_and_compares_in_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["sweep", *BASE, "optimizer.lr=0.1,0.01", "kfold=3", "name=cv", "jobs=2"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert sum(line.endswith(" done") for line in lives()) == 6
    assert "(low, high: 95 % over folds)" in out
    assert "t test over 3 pairs of the same fold" in out or "differs from the others of its group" in out
    assert "chosen on validation: dlcourse train model=resnet18 data=digits max_steps=4 optimizer.lr=0.01\n" in out
    assert main(["kfold=2" if word == "kfold=3" else word for word in words]) == 2
    assert "it was begun with kfold=3" in capsys.readouterr().err


def test_random_arms_get_all_folds_and_halving_takes_none(capsys: pytest.CaptureFixture[str]) -> None:
    axis = "optimizer.lr=tag(log,interval(1e-3,1))"
    assert main(["sweep", *BASE, axis, "search=random", "trials=2", "kfold=2", "name=cv"]) == 0
    arms = [line["words"] for line in journal("cv")[1:5]]
    assert [words[1] for words in arms] == ["data.fold=1/2", "data.fold=2/2"] * 2
    assert arms[0][0] == arms[1][0] != arms[2][0] == arms[3][0]
    assert main(["sweep", *BASE, axis, "search=random", "trials=4", "kfold=2", "halving=2", "name=other"]) == 2
    assert "kfold: halving judges an arm by one training" in capsys.readouterr().err


def test_a_search_by_scores_sees_the_mean_over_folds() -> None:
    asked: list[list[Tried]] = []

    class Asked:
        by_scores = True

        def propose(self, tried: Sequence[Tried]) -> tuple[str, ...] | None:
            asked.append(list(tried))
            return (f"ema=0.{len(tried)}",)

    search = Folded(Asked(), 2)
    tried = [Tried(("ema=0.0", f"data.fold={number}/2"), score, ended=True) for number, score in ((1, 0.5), (2, 0.7))]
    assert search.propose(tried[:1]) == ("ema=0.0", "data.fold=2/2")
    assert search.propose(tried) == ("ema=0.1", "data.fold=1/2")
    assert asked == [[Tried(("ema=0.0",), (0.5 + 0.7) / 2, ended=True)]]
    assert search.by_scores
    assert whole(("ema=0", "data.fold=1/2")) == ("ema=0",)


def test_it_is_completed() -> None:
    assert complete("dlcourse train kf") == ["kfold="]
