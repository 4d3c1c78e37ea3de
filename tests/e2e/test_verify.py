"""`dlcourse verify resume`: right runs pass, and whatever a resume would lose or change is found and named."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dlcourse.cli import main
from dlcourse.commands import verify
from dlcourse.commands.verify import covering, divide
from dlcourse.run.compare import digests, first_difference, part
from dlcourse.run.lives import Moment, Nursery, moments

TINY = ("model.width=2", "max_steps=9", "batch_size=200", "runtime.threads=1")


def test_own_words_are_told_from_those_of_train() -> None:
    argv = ["resume", "model=lenet5", "kills=2", "-m", "--all", "--cfg", "job", "+x=1", "~y"]
    assert divide(argv) == (["resume", "kills=2", "--all"], ["model=lenet5", "-m", "--cfg", "job", "+x=1", "~y"])


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["resum"], "what must be resume, not 'resum'"),
        (["kills=0"], "kills must be 1 or more, not 0"),
        (["resume", "runs=x"], "runs: verify makes and removes runs of its own; leave it out"),
        (["resume", "optimizer.lrr=1"], "optimizer.lrr: sgd takes no such argument; did you mean 'lr'?"),
    ],
)
def test_a_wrong_word_is_one_line(words: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", *words]) == 2
    assert capsys.readouterr().err == f"dlcourse: {line}\n"


def test_the_help_has_its_own_arguments_and_those_of_train(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--help"]) == 0
    out = capsys.readouterr().out
    assert "kill_seed" in out
    assert "optimizer   sgd, adam" in out


def test_every_two_values_meet_in_the_table() -> None:
    axes = {"a": ("1", "2", "3"), "b": ("1", "2"), "c": ("1", "2"), "d": ("1", "2")}
    rows = list(covering(axes))
    for (one, ones), (other, others) in itertools.combinations(axes.items(), 2):
        for first, second in itertools.product(ones, others):
            assert any({f"{one}={first}", f"{other}={second}"} <= set(row) for row in rows)
    assert len(rows) < 12
    assert sorted(covering({"a": ("1", "2")})) == [("a=1",), ("a=2",)]


def test_kills_come_in_order_and_every_second_hits_a_checkpoint() -> None:
    found = moments(4, steps=20, seed=1)
    assert [moment.kind for moment in found] == ["step", "save", "step", "save"]
    assert [moment.step for moment in found] == sorted({moment.step for moment in found})
    assert all(1 <= moment.step < 20 for moment in found)
    assert found == moments(4, steps=20, seed=1)
    assert len(moments(9, steps=4, seed=1)) == 3


def test_the_first_thing_that_differs_is_named() -> None:
    state = {"optimizer": {"state": {0: {"momentum": torch.zeros(3)}}, "groups": [{"lr": 0.1}]}}
    other = {"optimizer": {"state": {0: {"momentum": torch.tensor([0.0, 0, 1])}}, "groups": [{"lr": 0.1}]}}
    assert first_difference([part("last", state)], [part("last", state)]) is None
    assert first_difference([part("last", state)], [part("last", other)]) == "last.optimizer.state.0.momentum"
    assert first_difference([part("a", {"x": 1})], [part("a", {"x": 1, "y": 2})]) == "a.y"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (torch.tensor(0.0), torch.tensor(-0.0)),
        (torch.zeros(2, 3), torch.zeros(3, 2)),
        (torch.zeros(2), torch.zeros(2, dtype=torch.float64)),
        (1, 1.0),
        ([], [[]]),
        (True, 1),
    ],
)
def test_what_has_other_bits_has_another_digest(one: object, other: object) -> None:
    assert dict(digests(one, at="x")) != dict(digests(other, at="x"))


@pytest.mark.slow
def test_a_resumed_training_is_bit_exact(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "resume", *TINY, "ema=0.9", "accumulate=3", "runtime.precision=fp16"]) == 0
    out = capsys.readouterr().out
    assert out.count("\nkilled    ") == 3
    assert "while the checkpoint of step" in out
    for name in ("weights", "ema", "optimizer", "scaler", "best so far", "best.pt", "metrics.jsonl"):
        assert f"\n{name} " in out
    assert out.endswith("bit-exact: yes\n")


def images(root: Path) -> Path:
    chance = np.random.default_rng(1)
    for name in ("one", "two"):
        (root / name).mkdir(parents=True)
        for number in range(30):
            Image.fromarray(chance.integers(0, 256, (12, 12, 3), np.uint8)).save(root / name / f"{number}.png")
    return root


@pytest.mark.slow
def test_a_sweep_over_workers_is_one_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-m", "data=folder", f"data.root={images(tmp_path)}", "data.size=8", "data.workers=1,2"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(verify.SHORT, "max_steps", "6")  # type: ignore[misc]
        code = main(["verify", "resume", *words, "model.width=2", "batch_size=16", "runtime.threads=1", "kills=2"])
    assert code == 0
    out = capsys.readouterr().out
    assert "data.workers=2: 2 kills, bit-exact: yes" in out
    assert "bit-exact: yes (2 of 2 combinations, 0 not available here, 4 kills" in out


OWN = '''"""Two models that cannot be verified."""

import os

import torch
from torch import Tensor, nn


class Restless(nn.Module):
    """Its forward pass depends on which process computes it."""

    def __init__(self, *, num_classes: int, in_channels: int, image_size: int) -> None:
        super().__init__()
        self.layer = nn.Linear(in_channels * image_size**2, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images.flatten(1)) * (1 + os.getpid() % 1000 / 1000)


class Integral(nn.Module):
    """Its matrices are multiplied in a precision that nothing computes."""

    def __init__(self, *, num_classes: int, in_channels: int, image_size: int) -> None:
        super().__init__()
        self.layer = nn.Linear(in_channels * image_size**2, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        if torch.is_autocast_enabled("cpu"):
            raise RuntimeError('"lstm" not implemented for Half')
        return self.layer(images.flatten(1))
'''


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "configs/model").mkdir(parents=True)
    (tmp_path / "ownnet.py").write_text(OWN)
    for name in ("Restless", "Integral"):
        text = f"# own\n_target_: ownnet.{name}\nnum_classes: null\nin_channels: null\nimage_size: null\n"
        (tmp_path / f"configs/model/{name.lower()}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where runs that differ are kept
    return tmp_path


@pytest.mark.slow
def test_what_a_resume_changes_is_found(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["model=restless", "max_steps=9", "runtime.threads=1", "runtime.precision=fp32"]
    assert main(["verify", "resume", *words]) == 1
    assert "bit-exact: no, the first difference is in weights.model.layer.weight" in capsys.readouterr().out


@pytest.mark.slow
def test_a_precision_that_cannot_be_computed_is_not_available(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["model=integral", "runtime.precision=fp16", "runtime.device=cpu", "runtime.threads=1"]
    assert main(["verify", "resume", *words]) == 0
    assert "not available (runtime.precision: fp16 cannot be computed for this model on cpu" in capsys.readouterr().out


def stuck(watching: object) -> int:
    raise ZeroDivisionError("a bug")


def test_a_training_that_dies_by_itself_is_told_from_a_killed_one(tmp_path: Path) -> None:
    nursery = Nursery((), tmp_path / "output.txt")
    assert nursery.live(stuck, checkpoints=tmp_path, until=Moment("step", 3)).how == "died"
    assert "ZeroDivisionError: a bug" in (tmp_path / "output.txt").read_text()
