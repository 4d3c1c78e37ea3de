"""What a data set gives a run to keep: written into its folder under plain names, refused under any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dlcourse.cli import main
from dlcourse.data.base import Splits
from dlcourse.data.digits import Digits
from dlcourse.errors import DataError
from dlcourse.folders import all_runs
from dlcourse.run.prepare import OWN_NAMES, check_keepsakes

WORDS = ("model.width=2", "max_steps=2", "batch_size=64", "runtime.threads=1", "runtime.device=cpu")


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcourse.run.drive.show", lambda run, stats: {})


def keeping(monkeypatch: pytest.MonkeyPatch, keepsakes: dict[str, str]) -> None:
    load = Digits.load

    def loaded(self: Digits) -> Splits:
        splits: Any = load(self)
        return Splits(splits.train, splits.val, splits.test, keepsakes)

    monkeypatch.setattr(Digits, "load", loaded)


def test_a_run_keeps_them_to_the_letter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeping(monkeypatch, {"vocabulary.json": '["猫", "a\\n"]', "notes": ""})
    assert main(["train", f"runs={tmp_path}", *WORDS]) == 0
    [folder] = all_runs(tmp_path)
    assert (folder.path / "vocabulary.json").read_text(encoding="utf-8") == '["猫", "a\\n"]'
    assert (folder.path / "notes").read_text(encoding="utf-8") == ""


@pytest.mark.parametrize(
    "name", ["../x", "/tmp/x", "a/b", "a\\b", "", ".", "..", ".hidden", "a..b", "c:x", "a\n", "x\0"]
)
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    with pytest.raises(
        DataError, match=r"^data: a run cannot keep .*; it takes a plain file name that is not its own$"
    ):
        check_keepsakes(["fine.json", name])


@pytest.mark.parametrize("name", [*sorted(OWN_NAMES), "Config.YAML"])
def test_what_a_run_writes_itself_is_not_replaced(name: str) -> None:
    with pytest.raises(DataError, match="a run cannot keep"):
        check_keepsakes([name])


def test_a_wrong_name_is_said_before_the_first_step_and_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keeping(monkeypatch, {"../../escaped": "x", "config.yaml": "y"})
    assert main(["train", f"runs={tmp_path / 'runs'}", *WORDS]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(";")[0] for line in lines] == [
        "dlcourse: data: a run cannot keep '../../escaped'",
        "dlcourse: data: a run cannot keep 'config.yaml'",
    ]
    assert not list(tmp_path.iterdir())
