"""`dlcourse compare` from its words to what it prints."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from run_folders import make_run

from dlcourse.cli import main


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for number, (lr, seed, accuracy) in enumerate([(0.1, 1, 0.91), (0.1, 2, 0.92), (0.2, 1, 0.71), (0.2, 2, 0.72)]):
        make_run(
            tmp_path / "runs", f"resnet18-digits/2026-01-01_00-00-0{number}-000000", test={"accuracy": accuracy},
            settings={"optimizer.lr": lr, "seed": seed},
        )  # fmt: skip
    return tmp_path / "runs"


def compare(*words: str, runs: Path) -> int:
    return main(["compare", *words, f"runs={runs}"])


def test_named_runs_are_compared_in_tables_curves_and_a_sentence(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert compare(*(f"00-0{number}-000000" for number in range(4)), runs=runs) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "A - B" in out
    assert "validation accuracy, 0.5 to 0.6 over 20 steps" in out
    assert "optimizer.lr=0.1 has a higher test accuracy" in " ".join(out.split())


def test_a_condition_chooses_and_settings_group(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("where=seed==1", "group_by=optimizer.lr", "format=json", runs=runs) == 0
    found = json.loads(capsys.readouterr().out)
    assert [group["name"] for group in found["groups"]] == ["optimizer.lr=0.2", "optimizer.lr=0.1"]
    assert found["comparisons"][0]["differences"][0]["basis"] == "none"


def test_csv_has_every_number_in_full(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("group_by=optimizer.lr", "metric=val.loss", "format=csv", runs=runs) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {(row["split"], row["metric"], row["n"]) for row in rows} == {("val", "accuracy", "2"), ("val", "loss", "2")}


def test_markdown_and_a_picture(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("group_by=optimizer.lr", "format=md", f"png={tmp_path / 'a.png'}", runs=runs) == 0
    assert "| A - B |" in capsys.readouterr().out
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("new/a.png", "make it, or name another file"),
        ("a.jpg", "does not end in .png"),
        ("runs", "does not end in .png"),
        ("folder.png", "is a folder; name a file"),
    ],
)
def test_a_picture_that_cannot_be_written_is_refused_before_anything_is_printed(
    runs: Path, tmp_path: Path, name: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder.png").mkdir()
    assert compare("group_by=optimizer.lr", f"png={tmp_path / name}", runs=runs) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert shown in err


def test_the_picture_is_written_before_the_text(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("builtins.print", broken)
    with suppress(BrokenPipeError):
        compare("group_by=optimizer.lr", f"png={tmp_path / 'a.png'}", runs=runs)
    assert (tmp_path / "a.png").is_file()


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ([], "run is missing; name two runs or more, or choose them by where= or group_by="),
        (["00-00-000000"], "this is one run (resnet18-digits/2026-01-01_00-00-00-000000), and it takes two to compare"),
        (["00-00-000000", "00-00-000000"], "this is one run"),
        (["00-00-000000", "nothing"], "nothing: there is no such run"),
        (["where=seed==7"], "where: 'seed==7' holds of no run in "),
        (["where=test.accuracy>0.915"], "(resnet18-digits/2026-01-01_00-00-01-000000), and it takes two to compare"),
        (["00-00-000000", "where=seed==7"], "where: 'seed==7' holds of no run of those named"),
        (["where=sed==1"], "did you mean 'seed'?"),
        (["group_by=optimiser.lr"], "group_by=optimiser.lr: no run has such a setting; did you mean 'optimizer.lr'?"),
        (["group_by=seed", "metric=acuracy"], "did you mean 'accuracy'?"),
        (["group_by=seed", "png=/proc/none/a.png"], "png: there is no folder /proc/none; make it"),
    ],
)
def test_a_wrong_word_costs_a_line(
    runs: Path, words: list[str], shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(*words, runs=runs) == 2
    assert shown in capsys.readouterr().err


def test_a_run_named_twice_is_said_and_a_damaged_one_left_out(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("00-00-000000", "00-02-000000", "00-00-000000", runs=runs) == 0
    assert "named more than once, and counted once: resnet18-digits/2026-01-01_00-00-00" in capsys.readouterr().err
    (runs / "resnet18-digits/2026-01-01_00-00-03-000000/config.yaml").write_text("{")
    assert compare("group_by=optimizer.lr", runs=runs) == 0
    assert "left out: " in capsys.readouterr().err


def test_no_runs_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("group_by=model", runs=tmp_path / "none") == 2
    assert "there are no runs in" in capsys.readouterr().err


def test_comparing_imports_neither_torch_nor_scipys_slow_half(runs: Path) -> None:
    program = (
        "import sys; from dlcourse.cli import main; "
        f"main(['compare', 'group_by=optimizer.lr', 'runs={runs}', 'format=json']); "
        "sys.exit(bool({'torch', 'scipy.stats', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0
