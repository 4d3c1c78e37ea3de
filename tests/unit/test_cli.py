"""argv -> command, faults -> lines and exit codes, and what must never import torch."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

import dlcourse
from dlcourse import cli
from dlcourse.commands import COMMANDS, explain, train
from dlcourse.config.settings import KNOWN
from dlcourse.config.tree import options
from dlcourse.errors import ConfigError

PACKAGE = Path(dlcourse.__file__).parent
WATCH = """
import sys
from dlcourse.cli import main
code = main(sys.argv[1:])
heavy = [name for name in ("torch", "numpy", "sklearn", "rich", "matplotlib") if name in sys.modules]
print("heavy:", *heavy, "hydra" if "hydra" in sys.modules else "", file=sys.stderr)
sys.exit(code)
"""


def run(*argv: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, which says at the end what heavy modules it holds."""
    return subprocess.run(
        [sys.executable, "-c", WATCH, *argv],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)} | environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--help"],
        ["--version"],
        ["train", "--help"],
        ["list"],
        ["list", "model"],
        ["completion", "bash"],
        ["-sc", "query=bash"],
    ],
)
def test_what_must_be_quick_imports_neither_torch_nor_hydra(argv: list[str], tmp_path: Path) -> None:
    answer = run(*argv, cwd=tmp_path, COMP_LINE="dlcourse train optimizer.", COMP_POINT="25")
    assert answer.returncode == 0
    assert answer.stdout.strip()
    assert answer.stderr.split() == ["heavy:"]


def test_faults_of_the_command_line_are_told_without_torch(tmp_path: Path) -> None:
    answer = run("train", "optimizer.lrr=0.1", "epochs=ten", "model=resnet81", cwd=tmp_path)
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.splitlines() == [
        "dlcourse: model=resnet81: there is no such option; did you mean 'resnet18'?",
        "dlcourse: optimizer.lrr: sgd takes no such argument; did you mean 'lr'?",
        "dlcourse: epochs must be a whole number, not 'ten'",
        "heavy: hydra",
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_traceback_is_shown_only_when_it_is_asked_for(tmp_path: Path) -> None:
    assert "Traceback" not in run("train", "epochs=ten", cwd=tmp_path).stderr
    assert "Traceback" in run("train", "epochs=ten", cwd=tmp_path, DLCOURSE_DEBUG="1").stderr


def test_no_command_prints_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    text = capsys.readouterr().out
    for name, purpose in COMMANDS.items():
        assert f"  {name} " in text and purpose in text


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"dlcourse {dlcourse.__version__}\n"


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("trian", "did you mean 'train'?"),
        ("model=lenet5", "dlcourse train model=lenet5"),
        ("xyz", "there is attribute"),
    ],
)
def test_an_unknown_command_gets_a_hint(word: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([word]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"dlcourse: {word}: there is no such command") and hint in error


def test_the_help_of_train_names_every_setting_group_and_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "model=lenet5", "--help"]) == 0
    text = capsys.readouterr().out
    for key in KNOWN:
        assert f"\n  {key}=" in text
    for group, members in options().items():
        assert all(name in text for name in members) and (not members or f"\n  {group} " in text)


def test_hydras_own_help_is_still_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    answer = run("train", "--hydra-help", cwd=tmp_path)
    assert answer.returncode == 0 and "Hydra" in answer.stdout


def test_the_list_has_every_option_with_its_purpose(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for group, members in options().items():
        for name, option in members.items():
            assert any(line.startswith(f"{group}={name} ") and option.purpose in line for line in lines)


def test_the_list_shows_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs" / "model").mkdir(parents=True)
    (tmp_path / "configs" / "model" / "mynet.yaml").write_text("# my net\n_target_: mynet.MyNet\n", encoding="utf-8")
    assert cli.main(["list", "model"]) == 0
    assert "my net  (yours)" in capsys.readouterr().out
    assert cli.main(["list", "modle"]) == 2
    assert "did you mean 'model'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "lines"),
    [
        (
            ["log_every"],
            ["log_every = 50", "type     a whole number", "allowed  1 or more", "default  50", "train.yaml"],
        ),
        (["optimizer.lr"], ["optimizer.lr = ", "type     a number", "sgd.yaml (optimizer=sgd)", "optimizers.sgd"]),
        (["optimizer.lr", "optimizer=adamw"], ["optimizer.lr = ", "adamw.yaml (optimizer=adamw)"]),
        (["optimizer.lr", "model=lenet5"], ["adamw.yaml (optimizer=adamw)"]),
        (["optimizer.momentum", "optimizer.momentum=0.5"], ["momentum = 0.5", "default  0.9", "on the command line"]),
        (["optimizer"], ["optimizer = sgd", "adamw ", "its settings: lr,"]),
        (["checkpoint"], ["checkpoint.keep ", "How many previous checkpoints"]),
        (["data.path", "data=reviews"], ["data.path = null", "reviews.yaml (data=reviews)"]),
        (
            ["reviews_toy"],
            ["data=reviews_toy", "synthetic reviews", "epochs = 8", "data.val_fraction = 0.1", "Share of"],
        ),
        (["init=from_run"], ["init=from_run", "Weights of another run", "init.run = null", "the run to start from"]),
        (["experiment=imdb_course"], ["brings model=bigru_attention, data=imdb", "optimizer.lr = 0.002"]),
        (["optimizer.lr=0.5"], ["optimizer.lr = 0.5", "on the command line"]),
    ],
)
def test_a_setting_is_explained(argv: list[str], lines: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", *argv]) == 0
    text = capsys.readouterr().out
    for line in lines:
        assert line in text


def test_what_cannot_be_explained_gets_the_nearest_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", "optimizer.lrr"]) == 2
    assert "did you mean 'lr'?" in capsys.readouterr().err
    assert cli.main(["explain"]) == 2


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["data.path"], "data.path: data=digits takes no such argument, but lines, reviews do; write dlcourse explain "
                        "data.path data=lines"),
        (["init.run"], "init.run: init=none takes no such argument, but from_run does; write dlcourse explain "
                       "init.run init=from_run"),
        (["optimizer.nesterov", "optimizer=adam"],
         "but sgd does; write dlcourse explain optimizer.nesterov optimizer=sgd"),
    ],
)  # fmt: skip
def test_a_setting_of_another_option_gets_the_options_that_have_it(
    argv: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["explain", *argv]) == 2
    assert line in capsys.readouterr().err


def test_every_option_can_be_asked_for_by_its_group_and_name() -> None:
    for group, members in options().items():
        for name in members:
            (found,) = explain._named(name, available=options(), given={group: name})
            assert (found.group, found.name) == (group, name)
            assert f"{group}={name}" in next(explain._option(found))


def test_the_closing_tables_title_stands_on_one_line() -> None:
    folder = SimpleNamespace(records=lambda: [{"split": "val", "step": 1234, "scalars": {"loss": 0.5}}])
    run = SimpleNamespace(
        state=SimpleNamespace(best=(1234, 0.5), validations=[1] * 100),
        plan=SimpleNamespace(epoch=lambda step: 12.345),
        folder=folder,
    )
    console = Console(file=io.StringIO(), width=80)
    for table in train.tables(cast(Any, run), cast(Any, SimpleNamespace(test={}))):
        console.print(table)
    assert "best of 100 validations: step 1234 (epoch 12.345)" in cast(io.StringIO, console.file).getvalue()


def test_the_closing_tables_show_each_number_once_and_what_was_counted_whole() -> None:
    records = [{"split": "val", "step": 1, "scalars": {"loss": 2, "accuracy_end": 0.5}}]
    run = SimpleNamespace(
        state=SimpleNamespace(best=(1, 0.5), validations=[1]),
        plan=SimpleNamespace(epoch=lambda step: 1.0),
        folder=SimpleNamespace(records=lambda: records),
    )
    test = {"loss": 3.0, "accuracy_end": 0.25, "positions/end": 1234, "accuracy/end": 0.25, "accuracy/opening": 0.0}
    first, second = train.tables(cast(Any, run), cast(Any, SimpleNamespace(test=test)))
    assert [[*column.cells] for column in first.columns] == [["loss"], ["2"], ["3.0000"]]
    assert [column.header for column in second.columns] == ["", "positions", "accuracy"]
    assert [[*column.cells] for column in second.columns] == [["end", "opening"], ["1,234", ""], ["0.2500", "0.0000"]]
    # Without the second table all stand in the first.
    many = test | {f"recall/{place}": 1.0 for place in range(30)}
    (only,) = train.tables(cast(Any, run), cast(Any, SimpleNamespace(test=many)))
    assert [[*column.cells][1] for column in only.columns] == ["accuracy_end", "0.5000", "0.2500"]


def fail(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code when a command raises `error`."""

    def stumble(words: list[str]) -> int:
        raise error

    monkeypatch.setattr(cli, "_dispatch", stumble)
    return cli.main([])


def test_faults_become_exit_codes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(ConfigError("a", "b"), monkeypatch) == 2
    assert capsys.readouterr().err == "dlcourse: a\ndlcourse: b\n"
    assert fail(ConfigError("a", exit_code=1), monkeypatch) == 1
    assert fail(KeyboardInterrupt(), monkeypatch) == 130
    with pytest.raises(ZeroDivisionError):
        fail(ZeroDivisionError(), monkeypatch)


@pytest.mark.skipif(os.name == "nt", reason="no /bin/sh")
def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    answer = subprocess.run(
        ["/bin/sh", "-c", '"$0" -m dlcourse train --help | true', sys.executable],
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stderr == ""
