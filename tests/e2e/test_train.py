"""The whole program in one process: what a run leaves behind, what eval repeats, what bad input costs."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from sklearn.metrics import accuracy_score, log_loss
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator as Shown
from tensorboard.plugins.hparams import api_pb2, metadata

from dlcourse.cli import main
from dlcourse.folders import RunFolder, all_runs

TINY = ("model.width=2", "max_steps=30", "log_every=10", "batch_size=64", "runtime.threads=1")


@dataclass(frozen=True)
class Done:
    """A run that ended, and what the program printed."""

    folder: RunFolder
    out: str


def train(runs: Path, *words: str) -> RunFolder:
    """One small run; its folder."""
    before = set(all_runs(runs))
    assert main(["train", *TINY, f"runs={runs}", *words]) == 0
    [folder] = set(all_runs(runs)) - before
    return folder


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    runs = tmp_path_factory.mktemp("e2e") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        lines: list[str] = []
        patch.setattr("builtins.print", lambda *words, **rest: lines.append(" ".join(map(str, words))))
        folder = train(runs, "seed=5")
    return Done(folder, "\n".join(lines))


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than training here; `done` alone has figures."""
    monkeypatch.setattr("dlcourse.run.drive.show", lambda run, stats: {})


def lines_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def points(folder: Path) -> Mapping[str, list[int]]:
    """Tag -> steps, of all that TensorBoard shows of a folder."""
    accumulator = Shown(str(folder), tensor_size_guidance=dict.fromkeys(("scalars", "images", "pr_curves"), 0))
    accumulator.Reload()
    return {tag: [event.step for event in accumulator.Tensors(tag)] for tag in accumulator.Tags()["tensors"]}


def hashes(folder: RunFolder) -> str:
    saved = torch.load(folder.checkpoints / "last.pt", weights_only=True)
    return hashlib.sha256(b"".join(value.numpy().tobytes() for value in saved["model"].values())).hexdigest()


def test_a_run_leaves_what_the_design_names(done: Done) -> None:
    names = {path.relative_to(done.folder.path).as_posix() for path in done.folder.path.rglob("*") if path.is_file()}
    events = {name for name in names if name.startswith("events.out.tfevents")}
    assert len(events) == 1
    assert names - events == {
        "config.yaml", "overrides.txt", "environment.json", "data.json", "task.json", "metrics.jsonl", "timing.jsonl",
        "predictions.npz", "status.json", "checkpoints/last.pt", "checkpoints/previous.pt", "checkpoints/best.pt",
        "figures/test_confusion.png", "figures/test_mistakes.png",
    }  # fmt: skip
    assert done.folder.path.parent.name == "resnet18-digits"
    assert done.folder.read_status()["state"] == "done"
    assert done.folder.read_status()["exit_code"] == 0


def test_config_says_what_auto_chose(done: Done) -> None:
    config = yaml.safe_load(done.folder.config.read_text(encoding="utf-8"))
    assert (config["seed"], config["model"]["width"]) == (5, 2)
    assert config["runtime"]["device"] in ("cpu", "cuda")
    assert "auto" not in config["runtime"].values()
    assert config["choices"]["model"] == "resnet18"
    assert "seed=5" in (done.folder.path / "overrides.txt").read_text().splitlines()


def test_metrics_hold_step_epoch_split_and_scalars_and_no_time(done: Done) -> None:
    lines = lines_of(done.folder.metrics)
    assert all(list(line) == ["step", "epoch", "split", "scalars"] for line in lines)
    assert [line["step"] for line in lines if line["split"] == "train"] == [10, 20, 30]
    assert [line["step"] for line in lines if line["split"] == "val"] == [20, 30]
    assert [line["step"] for line in lines if line["split"] == "test"] == [30]
    train = lines[0]["scalars"]
    assert isinstance(train, dict)
    assert set(train) == {"loss", "lr", "grad_norm"}
    timing = lines_of(done.folder.timing)
    machine = timing[0]["timing"]
    assert isinstance(machine, dict)
    assert set(machine) == {"seconds", "cpu_seconds", "samples_per_second", "peak_memory_bytes"}
    assert min(machine.values()) > 0


def test_predictions_agree_with_the_metrics_by_scikit_learn(done: Done) -> None:
    arrays = np.load(done.folder.predictions)
    assert set(arrays) == {"index", "label", "scores"}
    [test] = [line["scalars"] for line in lines_of(done.folder.metrics) if line["split"] == "test"]
    assert isinstance(test, dict)
    assert arrays["index"].tolist() == list(range(len(arrays["label"])))
    assert accuracy_score(arrays["label"], arrays["scores"].argmax(1)) == pytest.approx(test["accuracy"])
    scores = arrays["scores"].astype(np.float64)
    assert log_loss(arrays["label"], scores / scores.sum(1, keepdims=True)) == pytest.approx(test["loss"], rel=1e-4)


def test_one_run_is_one_folder_in_tensorboard(done: Done) -> None:
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(done.folder.path.parents[1]))
    multiplexer.Reload()
    assert len(multiplexer.Runs()) == 1


def test_tensorboard_has_curves_pictures_and_the_numbers_of_the_metrics(done: Done) -> None:
    tags = points(done.folder.path)
    assert tags["train/loss"] == tags["lr"] == tags["grad_norm"] == tags["samples_per_second"] == [10, 20, 30]
    assert tags["val/accuracy"] == tags["val/loss"] == [20, 30]
    assert tags["test/accuracy"] == tags["test/confusion"] == tags["test/mistakes"] == [30]
    assert any(tag.startswith("test/precision_recall/") for tag in tags)


def test_tensorboard_compares_runs_by_hyperparameters_and_final_metrics(done: Done) -> None:
    accumulator = EventAccumulator(str(done.folder.path))
    accumulator.Reload()
    contents = accumulator.PluginTagToContent("hparams")
    start = metadata.parse_session_start_info_plugin_data(contents[metadata.SESSION_START_INFO_TAG])
    assert start.hparams["model"].string_value == "resnet18"
    assert start.hparams["model.width"].number_value == 2
    experiment = metadata.parse_experiment_plugin_data(contents[metadata.EXPERIMENT_TAG])
    assert {info.name.tag for info in experiment.metric_infos} >= {"val/accuracy", "test/accuracy"}
    assert {info.name.tag for info in experiment.metric_infos} <= set(accumulator.Tags()["scalars"])
    end = metadata.parse_session_end_info_plugin_data(contents[metadata.SESSION_END_INFO_TAG])
    assert end.status == api_pb2.STATUS_SUCCESS


def test_the_next_commands_are_printed_and_are_true(done: Done, capsys: pytest.CaptureFixture[str]) -> None:
    [command] = re.findall(r"dlcourse (eval run=\S+)", done.out)
    assert main(command.split()) == 0
    assert "identical to what the run recorded" in capsys.readouterr().out


def test_eval_gives_json_on_any_split(done: Done, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(done.folder.path), "split=val", "format=json"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    last = [line["scalars"] for line in lines_of(done.folder.metrics) if line["split"] == "val"]
    assert numbers["accuracy"] in [line["accuracy"] for line in last if isinstance(line, dict)]


def test_eval_says_when_the_numbers_are_others(done: Done, capsys: pytest.CaptureFixture[str]) -> None:
    text = done.folder.metrics.read_text()
    done.folder.metrics.write_text(re.sub(r'("split": "test".*?"accuracy": )[0-9.]+', r"\g<1>0.123", text))
    try:
        assert main(["eval", str(done.folder.path)]) == 1
    finally:
        done.folder.metrics.write_text(text)
    assert "differs from what the run recorded in accuracy" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(done: Done, tmp_path: Path) -> None:
    same, other = train(tmp_path, "seed=5"), train(tmp_path, "seed=6")
    assert same.metrics.read_bytes() == done.folder.metrics.read_bytes()
    assert hashes(same) == hashes(done.folder)
    assert hashes(other) != hashes(done.folder)


def test_a_resumed_run_is_one_unbroken_curve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = train(tmp_path, "max_steps=20")
    for words in (["max_steps=30"], []):  # the second has nothing left to train, and tests again
        time.sleep(1.1)  # TensorBoard orders event files by the second in their name
        assert main(["train", f"resume={folder.path}", *words]) == 0
    assert "not bit for bit" in capsys.readouterr().out
    steps = points(folder.path)
    assert steps["train/loss"] == [10, 20, 30]
    assert steps["val/loss"] == [20, 30]
    assert steps["test/loss"][-1] == 30
    doubled = {tag for tag, found in steps.items() if len(set(found)) < len(found)}
    assert not {tag for tag in doubled if not tag.startswith("_hparams_/")}
    other = EventAccumulator(str(folder.path)).Reload()
    assert [event.step for event in other.Scalars("train/loss")] == [10, 20, 30]
    assert [line["step"] for line in lines_of(folder.metrics) if line["split"] == "test"] == [30]


def test_a_changed_length_is_kept_for_the_next_resume(tmp_path: Path) -> None:
    folder = train(tmp_path, "max_steps=4")
    assert main(["train", f"resume={folder.path}", "max_steps=6"]) == 0
    config = yaml.safe_load(folder.config.read_text())
    assert config["max_steps"] == 6
    assert "resume" not in config or config["resume"] is None


def test_the_test_split_is_left_alone_until_a_later_look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = train(tmp_path, "test=false")
    assert "test" not in [record["split"] for record in folder.records()]
    assert not folder.predictions.exists()
    assert "│ accuracy" in capsys.readouterr().out
    main(["train", f"resume={folder.path}", "test=true"])
    assert [record["split"] for record in folder.records()].count("test") == 1
    assert folder.predictions.exists()


def test_a_run_may_have_any_path(tmp_path: Path) -> None:
    path = tmp_path / "李明 的 (1)" / "lr=0.1"
    assert main(["train", *TINY, "max_steps=2", f"run={path}"]) == 0
    assert RunFolder(path).read_status()["state"] == "done"
    assert main(["eval", f"run={path}"]) == 0
    assert main(["train", f"resume={path}", "max_steps=3"]) == 0


def test_max_minutes_ends_with_a_test_even_before_the_first_validation(tmp_path: Path) -> None:
    folder = train(tmp_path, "max_steps=null", "epochs=1000", "max_minutes=0.0001")
    assert [line["split"] for line in lines_of(folder.metrics)][-2:] == ["val", "test"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["optimizer.lr=-1"], "optimizer.lr must be positive, not -1"),
        (["scheduler.warmup=soon", "optimizer.momentum=2"], "optimizer.momentum must lie in 0 <= momentum < 1"),
        (["batch_size=1"], "model: ResNet18 cannot take a training step on this data (Expected more than 1 value"),
    ],
)
def test_what_cannot_be_ends_with_2_and_leaves_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["train", *TINY, f"runs={tmp_path / 'runs'}", *words]) == 2
    errors = capsys.readouterr().err
    assert f"dlcourse: {said}" in errors
    assert "Traceback" not in errors
    assert not list(tmp_path.iterdir())


def test_a_model_that_does_not_fit_names_those_that_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "model=lenet5", "data=digits", f"runs={tmp_path / 'runs'}"]) == 2
    errors = capsys.readouterr().err
    assert "image_size must be at least 12 pixels, not 8; models that fit: resnet18" in errors
    assert len(errors.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_model_for_another_kind_of_data_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "data=reviews_toy", f"runs={tmp_path}"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "dlcourse: model=resnet18 does not fit data=reviews_toy: it takes images, and the data gives texts; "
        "models that fit: bigru_attention, bigru_lm"
    ]


def test_cuda_without_cuda_is_said_and_nothing_falls_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *TINY, f"runs={tmp_path / 'runs'}", "runtime.device=cuda"]) == 2
    assert "runtime.device: cuda is not available" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_runs_that_cannot_be_written_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["train", *TINY, f"runs={tmp_path / 'file'}"]) == 2
    assert "a run folder cannot be made there" in capsys.readouterr().err


def test_a_full_disk_in_mid_run_is_one_error_and_the_last_checkpoint_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from dlcourse.training.observers import history

    append = history.append

    def full(file: object, line: dict[str, object]) -> None:
        if line["step"] == 30:
            raise OSError(errno.ENOSPC, "No space left on device")
        append(file, line)  # type: ignore[arg-type]

    monkeypatch.setattr(history, "append", full)
    assert main(["train", *TINY, f"runs={tmp_path}"]) == 1
    errors = capsys.readouterr().err
    assert "No space left on device after step 30" in errors
    assert "Traceback" not in errors
    [folder] = all_runs(tmp_path)
    assert folder.read_status()["state"] == "failed"
    monkeypatch.undo()
    assert main(["train", f"resume={folder.path}"]) == 0


@pytest.mark.parametrize("word", ["nothing-here", "latest", "."])
def test_resuming_what_is_no_run_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", f"resume={word}"]) == 2
    assert capsys.readouterr().err.startswith(f"dlcourse: {word}: ")
    assert not list(tmp_path.iterdir())


def test_a_resumed_run_keeps_its_settings(done: Done, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", f"resume={done.folder.path}", "optimizer.lr=1", "batch_size=8"]) == 2
    errors = capsys.readouterr().err
    assert "optimizer.lr: a resumed run keeps its settings" in errors
    assert "batch_size: a resumed run keeps its settings" in errors


def test_other_data_is_refused_unless_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = train(tmp_path, "max_steps=4")
    config = yaml.safe_load(folder.config.read_text())
    config["data"]["split_seed"] = 9
    folder.config.write_text(yaml.safe_dump(config))
    assert main(["train", f"resume={folder.path}", "max_steps=6"]) == 2
    errors = capsys.readouterr().err
    assert "data: the train split is not the one that this run was trained with" in errors
    assert "resume_anyway=true" in errors
    assert main(["train", f"resume={folder.path}", "max_steps=6", "resume_anyway=true"]) == 0


def test_another_models_weights_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = train(tmp_path, "max_steps=4")
    config = yaml.safe_load(folder.config.read_text())
    config["model"]["width"] = 3
    folder.config.write_text(yaml.safe_dump(config))
    assert main(["train", f"resume={folder.path}"]) == 2
    assert "the checkpoint's weights are another model's: conv1.weight is [2, 1, 3, 3]" in capsys.readouterr().err


MYNET = '''"""My own network."""

from torch import Tensor, nn


class MyNet(nn.Module):
    def __init__(self, *, num_classes: int, in_channels: int, image_size: int, hidden: int = 8) -> None:
        super().__init__()
        inputs = in_channels * image_size**2
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, num_classes))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)
'''
MYNET_YAML = """# A network of my own
_target_: mynet.MyNet
num_classes: null
in_channels: null
image_size: null
hidden: 8
"""


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import sys

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "mynet", raising=False)
    (tmp_path / "configs" / "model").mkdir(parents=True)
    (tmp_path / "configs" / "model" / "mynet.yaml").write_text(MYNET_YAML)
    (tmp_path / "mynet.py").write_text(MYNET)
    return tmp_path


def test_a_students_own_model_is_two_files(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "model=mynet", "model.hidden=16", "max_steps=4", "runtime.threads=1"]) == 0
    [folder] = all_runs(Path("runs"))
    assert folder.path.parent.name == "mynet-digits"
    capsys.readouterr()
    assert main(["train", "resume=latest", "max_steps=6"]) == 2
    assert "would run" in (errors := capsys.readouterr().err)
    assert "add allow_code=true" in errors
    assert main(["train", "resume=latest", "max_steps=6", "allow_code=true"]) == 0
    assert yaml.safe_load(folder.config.read_text()).get("allow_code") is not True
    assert main(["eval", "latest"]) == 2
    assert main(["eval", "latest", "allow_code=true"]) == 0


def test_a_model_of_the_wrong_shape_is_one_error(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own_folder / "mynet.py").write_text(MYNET.replace("image_size**2", "image_size"))
    assert main(["train", "model=mynet", "max_steps=4"]) == 2
    errors = capsys.readouterr().err
    assert "dlcourse: model: MyNet cannot take a training step on this data (" in errors
    assert "mat1 and mat2 shapes cannot be multiplied" in errors
    assert not (own_folder / "runs").exists()
