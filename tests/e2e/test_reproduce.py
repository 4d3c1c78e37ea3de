"""`dlcourse reproduce`: the same numbers from the same config; what differs is said before and after."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from dlcourse.cli import main
from dlcourse.folders import RunFolder, all_runs

TINY = (
    "model=resnet18", "data=digits", "model.width=2", "max_steps=6", "batch_size=200", "validate_every=3st",
    "log_every=2", "runtime.threads=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one short run, trained where no source revision is known."""
    runs = tmp_path_factory.mktemp("trained") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(runs.parent)
        assert main(["train", *TINY, f"runs={runs}"]) == 0
    return runs


@pytest.fixture
def runs(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, beside which the command runs."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(trained, tmp_path / "runs"))


def only(runs: Path) -> RunFolder:
    (found,) = all_runs(runs)
    return found


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_run_is_reproduced_to_the_last_bit(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = only(runs)
    before = {path: path.read_bytes() for path in first.path.rglob("*") if path.is_file()}
    assert main(["reproduce", "latest", f"runs={runs}"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("environment, code and data are those that the run was trained with\n")
    assert out.endswith("\nidentical: all 6 records have the same numbers to the last bit\n")
    (second,) = [folder for folder in all_runs(runs) if folder.path != first.path]
    assert second.metrics.read_bytes() == first.metrics.read_bytes()
    assert {path: path.read_bytes() for path in first.path.rglob("*") if path.is_file()} == before


def test_dry_says_what_differs_and_trains_nothing(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = only(runs)
    data = json.loads(folder.data.read_text())
    edit(folder.data, test={**data["test"], "sha256": "0" * 64})
    packages = json.loads((folder.path / "environment.json").read_text())["packages"]
    edit(folder.path / "environment.json", torch="1.0", packages={**packages, "numpy": "1.0"})
    assert main(["reproduce", str(folder.path), "dry=true", f"runs={runs}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("environment: torch was 1.0, is ")
    assert lines[1].startswith("environment: numpy was 1.0, is ")
    assert lines[2].startswith(
        "data: the test split is not the one that this run was trained with (sha256 000000000000"
    )
    assert len(lines) == 3
    assert only(runs) == folder


def copied(folder: RunFolder, *, gain: float) -> RunFolder:
    """A second run whose test accuracy is higher by so much."""
    other = RunFolder(Path(shutil.copytree(folder.path, folder.path.with_name("again"))))
    lines = [json.loads(line) for line in other.metrics.read_text().splitlines()]
    lines[-1]["scalars"]["accuracy"] += gain
    other.metrics.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return other


@pytest.mark.parametrize(
    ("gain", "words", "code", "verdict"),
    [
        (0.0, [], 0, "identical: all 6 records"),
        (0.001, [], 0, "within tolerance: test/accuracy was"),
        (0.001, ["tolerance=0"], 1, "not reproduced: test/accuracy was"),
        (0.2, [], 1, "not reproduced: test/accuracy was"),
        (0.2, ["tolerance=0.3"], 0, "within tolerance: test/accuracy was"),
    ],
)
def test_a_verdict_on_two_runs_is_an_exit_code(
    gain: float, words: list[str], code: int, verdict: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = only(runs)
    other = copied(first, gain=gain)
    assert main(["reproduce", str(first.path), f"against={other.path}", f"runs={runs}", *words]) == code
    out = capsys.readouterr().out
    assert out.splitlines()[-1].startswith(verdict)
    assert ("test/accuracy" in out) == bool(gain)


def test_a_run_that_stopped_early_is_said_to_have(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(only(runs).status, state="interrupted")
    assert main(["reproduce", "latest", "dry=true", f"runs={runs}"]) == 0
    assert "the run: it is interrupted at step 6; only what it recorded is compared" in capsys.readouterr().out


def test_what_the_folder_names_runs_no_code_of_this_one(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = only(runs)
    (tmp_path / "evil.py").write_text("raise SystemExit('it ran')\n")
    folder.config.write_text(folder.config.read_text().replace("dlcourse.models.resnet.ResNet18", "evil.Net"))
    assert "evil.Net" in folder.config.read_text()
    assert main(["reproduce", str(folder.path), f"runs={runs}"]) == 2
    assert "allow_code=true" in capsys.readouterr().err
    assert only(runs) == folder


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["nothing"], "nothing: there is no such run in "),
        (["latest", "tolerance=-1"], "tolerance must be 0 or more, not -1"),
        ([], "run is missing; write dlcourse reproduce run=RUN"),
        (["latest", "toleranc=1"], "toleranc: there is no such argument; did you mean 'tolerance'?"),
    ],
)
def test_a_wrong_word_is_one_line(words: list[str], line: str, runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", *words, f"runs={runs}"]) == 2
    assert capsys.readouterr().err.startswith(f"dlcourse: {line}")
