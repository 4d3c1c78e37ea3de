"""Cross-validation with real trainings: two folds of digits, their mean, and what cannot be folded."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcourse.cli import main
from dlcourse.folders import RunFolder
from dlcourse.results.groups import grouped
from dlcourse.results.record import read_record

TINY = ("model=resnet18", "data=digits", "model.width=2", "max_steps=4", "batch_size=64", "runtime.threads=1")


@pytest.mark.slow
def test_two_folds_of_digits_are_trained_and_told_as_one_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", *TINY, "kfold=2", "name=cv"]) == 0
    out = capsys.readouterr().out
    assert "share training data" in out
    runs = Path("runs")
    folders = [RunFolder(runs / f"resnet18-digits/cv-{number:03}-seed1") for number in range(2)]
    records = [read_record(folder, runs=runs) for folder in folders]
    (group,) = grouped(records)
    assert group.folds == ("1/2", "2/2")
    assert records[0].fingerprints["test"] == records[1].fingerprints["test"]
    assert records[0].fingerprints["val"] != records[1].fingerprints["val"]
    mean = sum(record.test["accuracy"] for record in records) / 2
    row = next(line for line in out.splitlines() if line.startswith("test accuracy")).split()
    assert row[2:4] == ["2", f"{mean:.4g}"]
    assert main(["report", *(record.name for record in records)]) == 0
    page = next(Path("runs/reports").glob("*_2_folds.html")).read_text()
    assert "The folds share training data" in page
    assert "1 (fold 2/2)" in page


def test_more_folds_than_items_are_told_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.csv").write_text("text,label\n" + "".join(f"a text {number},{number % 2}\n" for number in range(10)))
    words = ("model=bigru_attention", "data=reviews", "data.path=own.csv", "data.min_freq=1", "max_steps=4")
    assert main(["train", *words, "kfold=9"]) == 2
    assert capsys.readouterr().err == (
        "dlcourse: fold 1/9: the 8 items to train on fill only 8 of 9 parts; take fewer folds, or add data\n"
    )
    assert not Path("runs").exists()
