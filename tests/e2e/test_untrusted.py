"""Nothing that somebody hands on runs: one malicious example of everything that is read.

Archives are in tests/unit/test_fetch.py (traversal, links, devices, tar bombs, gzip bombs), images of too many pixels
in tests/unit/test_folder.py, pickles and zip bombs as checkpoints in tests/unit/test_checkpoint.py, and targets on the
command line in tests/unit/test_build.py and tests/unit/test_check.py. Here are whole run folders.
"""

from __future__ import annotations

import io
import itertools
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from dlcourse.cli import main
from dlcourse.config.compose import compose
from dlcourse.errors import ConfigError
from dlcourse.folders import RunFolder, all_runs
from dlcourse.run.parts import assemble

SMALL = ("model.width=2", "max_steps=4", "batch_size=200", "runtime.threads=1")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dlcourse.run.drive.show", lambda run, stats: {})
        assert main(["train", f"runs={runs}", *SMALL]) == 0
    [folder] = all_runs(runs)
    return folder.path


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> RunFolder:
    """A whole run folder to tamper with."""
    return RunFolder(Path(shutil.copytree(template, tmp_path / "run")))


def refused(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> str:
    """What both commands that build a run from its folder say of it."""
    capsys.readouterr()
    said = ""
    for words in (["train", f"resume={folder.path}", "max_steps=6"], ["eval", f"run={folder.path}"]):
        assert main(words) == 2
        errors = capsys.readouterr().err
        assert all(line.startswith("dlcourse: ") for line in errors.splitlines())
        said += errors
    return said


UNREAD_BY_EVAL = ("optimizer", "scheduler")


@pytest.mark.parametrize("group", ["model", "data", "optimizer", "scheduler", "task", "runtime"])
@pytest.mark.parametrize(
    ("target", "argument"),
    [
        ("os.system", "command"),
        ("torch.utils.collect_env.run", "command"),
        ("torch.hub.load", "repo_or_dir"),
        ("dlcourse.cli.os.system", "command"),
        ("dlcourse.models.resnet.torch.hub.load", "repo_or_dir"),
        ("torch.nn.modules.module.warnings.sys.modules", "x"),
        ("builtins.exec", "source"),
        ("subprocess.run", "args"),
    ],
)
def test_a_config_calls_nothing_outside_of_what_it_may(
    group: str, target: str, argument: str, folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = folder.path / "it-ran"
    config = yaml.safe_load(folder.config.read_text())
    config[group] = {"_target_": target, argument: f"touch {mark}"}
    folder.config.write_text(yaml.safe_dump(config))
    if group in UNREAD_BY_EVAL:
        assert main(["train", f"resume={folder.path}", "max_steps=6"]) == 2
        assert f"{group}._target_" in capsys.readouterr().err
        main(["eval", f"run={folder.path}"])
    else:
        assert f"{group}._target_" in refused(folder, capsys)
    assert not mark.exists()


def test_a_call_nested_in_an_argument_is_held_to_the_same(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    config = yaml.safe_load(folder.config.read_text())
    config["model"]["width"] = {"_target_": "os.system", "command": f"touch {folder.path / 'it-ran'}"}
    folder.config.write_text(yaml.safe_dump(config))
    assert "model.width._target_" in refused(folder, capsys)
    assert not (folder.path / "it-ran").exists()


def test_a_module_beside_the_run_folder_is_not_imported(
    folder: RunFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.path)
    (folder.path / "handed_on.py").write_text("import pathlib\npathlib.Path('it-ran').touch()\n")
    config = yaml.safe_load(folder.config.read_text())
    config["model"]["_target_"] = "handed_on.Net"
    folder.config.write_text(yaml.safe_dump(config))
    assert "if you trust that file, add allow_code=true" in refused(folder, capsys)
    assert not (folder.path / "it-ran").exists()


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch {mark}']",
        "!!python/object/new:os.system ['touch {mark}']",
        "!!python/name:os.system",
        "!!python/module:os",
        "model: !!python/object/apply:subprocess.check_output [['touch', '{mark}']]",
    ],
)
def test_a_yaml_tag_makes_no_object(text: str, folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    mark = folder.path / "it-ran"
    folder.config.write_text(text.format(mark=mark))
    assert "could not determine a constructor for the tag" in refused(folder, capsys)
    assert not mark.exists()


def bomb() -> str:
    lines = ["a0: &a0 {x: 1, y: 1}", *(f"a{n}: &a{n} {{x: *a{n - 1}, y: *a{n - 1}}}" for n in range(1, 18))]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (bomb(), "more than 10,000 values"),
        ("a: &a {x: *a}\n", "nested more than 20 deep"),
        ("[" * 50_000, "damaged"),
        ("#" * 300_000, "more than 200,000 bytes"),
    ],
)
def test_a_yaml_bomb_is_refused_at_once(
    text: str, words: str, folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.config.write_text(text + folder.config.read_text())
    assert words in refused(folder, capsys)


class Malicious:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def as_pickle(value: Malicious) -> bytes:
    return pickle.dumps(value)


def as_checkpoint(value: Malicious) -> bytes:
    buffer = io.BytesIO()
    torch.save({"format": 1, "model": value}, buffer)
    return buffer.getvalue()


def as_old_checkpoint(value: Malicious) -> bytes:
    buffer = io.BytesIO()
    torch.save({"format": 1, "model": value}, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def as_npz(value: Malicious) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=True, model=np.array([value], dtype=object))
    return buffer.getvalue()


def as_torchscript(value: Malicious) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("m/data.pkl", pickle.dumps(value, protocol=2))
        archive.writestr("m/constants.pkl", pickle.dumps(value, protocol=2))
        archive.writestr("m/version", "3")
    return buffer.getvalue()


@pytest.mark.parametrize("write", [as_pickle, as_checkpoint, as_old_checkpoint, as_npz, as_torchscript])
def test_a_pickle_in_any_wrapping_is_not_unpickled(
    write: Callable[[Malicious], bytes], folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    content = write(Malicious(folder.path / "it-ran"))
    for path in (*folder.checkpoints.glob("*.pt"), folder.predictions):
        path.write_bytes(content)
    assert "damaged, or not a checkpoint" in refused(folder, capsys)
    assert not (folder.path / "it-ran").exists()


def test_a_checkpoint_that_is_a_pipe_is_not_waited_for(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    for path in folder.checkpoints.glob("*.pt"):
        path.unlink()
        os.mkfifo(path)
    assert "no regular file" in refused(folder, capsys)


@pytest.mark.parametrize("damage", [b"", b"[" * 20_000, b'{"train": 3}', b"\xff\xfe", b"null"])
def test_what_is_damaged_beside_the_checkpoints_stops_nothing(
    damage: bytes, folder: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dlcourse.run.drive.show", lambda run, stats: {})
    for path in (folder.status, folder.data, folder.metrics, folder.timing, folder.path / "environment.json"):
        path.write_bytes(damage)
    assert main(["train", f"resume={folder.path}", "max_steps=6"]) == 0
    if not damage.startswith(b"["):
        assert "metrics.jsonl is shorter than when the checkpoint was written" in capsys.readouterr().out


GROUPS = ("data", "task", "model", "optimizer", "scheduler", "runtime")
PARTS = (
    "torch.nn.Identity", "torch.nn.Parameter", "torch.nn.init.normal_", "torch.nn.functional.relu",
    "torch.optim.lr_scheduler.StepLR", "dlcourse.data.base.DataSet", "dlcourse.data.base.mix",
    "dlcourse.data.digits.Digits", "dlcourse.tasks.classification.Classification",
)  # fmt: skip


@pytest.mark.parametrize(("group", "target"), list(itertools.product(GROUPS, PARTS)))
def test_a_part_in_the_place_of_another_is_refused(group: str, target: str) -> None:
    config = compose(["model.width=2"])
    choices = {"model": "resnet18", "data": "digits", "task": "classification"}
    home = {"data": "Digits", "task": "Classification", "model": "Identity"}.get(group, "nothing")
    if target.endswith(home):
        pytest.skip("it belongs there")
    with pytest.raises(ConfigError):
        assemble({**config, group: {"_target_": target}}, choices=choices)
