"""All faults of a command line at once, found without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dlcourse.config.check import check
from dlcourse.config.compose import Where, compose, run_hydra
from dlcourse.config.overrides import split
from dlcourse.errors import ConfigError, RunError


def problems(*argv: str) -> tuple[str, ...]:
    """The lines that a command line is answered with."""
    try:
        check(split(argv))
    except ConfigError as error:
        return error.problems
    return ()


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("optimizer.lrr=0.1", "optimizer.lrr: sgd takes no such argument; did you mean 'lr'?"),
        ("optimizer.learning_rate=1", "optimizer.learning_rate: sgd takes no such argument; did you mean 'lr'?"),
        ("optimizer.wd=1", "optimizer.wd: sgd takes no such argument; did you mean 'weight_decay'?"),
        ("learning_rate=1", "learning_rate: there is no such setting; did you mean 'optimizer.lr'?"),
        ("lr=1", "lr: there is no such setting; did you mean 'optimizer.lr'?"),
        ("bs=1", "bs: there is no such setting; did you mean 'batch_size'?"),
        ("num_epochs=1", "num_epochs: there is no such setting; did you mean 'epochs'?"),
        ("optimizer.epochs=1", "optimizer.epochs: sgd takes no such argument; did you mean 'epochs'?"),
        ("device=cpu", "device: there is no such setting; did you mean 'runtime.device'?"),
        ("precision=bf16", "precision: there is no such setting; did you mean 'runtime.precision'?"),
        ("label_smoothing=0.1", "label_smoothing: there is no such setting; did you mean 'task.label_smoothing'?"),
        ("optimiser.lr=1", "optimiser.lr: there is no such setting; did you mean 'optimizer.lr'?"),
        ("modle=lenet5", "modle: there is no such setting; did you mean 'model'?"),
        ("dataset=mnist", "dataset: there is no such setting; did you mean 'data'?"),
        ("model=resnet81", "model=resnet81: there is no such option; did you mean 'resnet18'?"),
        ("checkpoint.evry_steps=3", "checkpoint.evry_steps: there is no such setting; did you mean 'every_steps'?"),
        ("epochs=ten", "epochs must be a whole number, not 'ten'"),
        ("epochs=0", "epochs must be 1 or more, not 0"),
        ("max_steps=1.5", "max_steps must be a whole number or null, not 1.5"),
        ("optimizer.lr=fast", "optimizer.lr must be a number, not 'fast'"),
        ("optimizer.nesterov=1", "optimizer.nesterov must be true or false, not 1"),
        ("model.width=1.5", "model.width must be a whole number, not 1.5"),
        ("checkpoint=3", "checkpoint is a group of settings; write checkpoint.every_minutes=VALUE"),
        ("+epochs=3", "+epochs: it is there already; write epochs=3"),
        ("++epochs=0", "epochs must be 1 or more, not 0"),
        ("~optimizer.lrr", "optimizer.lrr: sgd takes no such argument; did you mean 'lr'?"),
        ("~epochs", "~epochs: a run needs this setting; write epochs=VALUE"),
        ("~model", "~model: a run needs one; write model=NAME"),
        ("experiment=null", "experiment=null: that is what it is; leave it out"),
        (
            "model=null",
            "model=null: there is no such option; there is bigru_attention, bigru_lm, go_policy, lenet5, poetry_lstm, "
            "resnet18, speednet",
        ),
        ("seed=1,2", "seed=1,2: several values make a sweep; add -m, or quote a comma that belongs to the value"),
        ("--config-dir=/nowhere", "--config-dir=/nowhere: there is no such folder"),
    ],
)
def test_a_fault_is_one_line_that_says_what_to_do(word: str, line: str) -> None:
    assert problems(word) == (line,)


@pytest.mark.parametrize(
    "target", ["os.system", "torch.hub.load", "dlcourse.cli.os.system", "builtins.eval", "eval", "a.__b__"]
)
def test_a_target_outside_the_allowed_modules_is_refused_before_torch(target: str) -> None:
    (line,) = problems(f"model._target_={target}")
    assert line.startswith("model._target_")


def test_all_faults_are_told_together() -> None:
    assert len(problems("optimizer.lrr=1", "epochs=ten", "model=resnet81", "--lr", "3", "bs=1", "name", "seed=-1")) == 7


def test_settings_that_contradict_each_other_are_told() -> None:
    assert problems("accumulate=256", "batch_size=128") == ("accumulate (256) must be at most batch_size (128)",)


def test_keys_are_those_of_the_chosen_option() -> None:
    assert problems("optimizer=adamw", "optimizer.betas=[0.9,0.99]") == ()
    (line,) = problems("optimizer=sgd", "optimizer.betas=[0.9,0.99]")
    assert line.startswith("optimizer.betas: sgd takes no such argument; there is ")


def test_every_value_of_a_sweep_is_checked() -> None:
    assert problems("-m", "optimizer=sgd,adam", "epochs=1,ten,0", "optimizer.momentum=0.5") == (
        "epochs must be a whole number, not 'ten'",
        "epochs must be 1 or more, not 0",
        "optimizer.momentum: adam takes no such argument; there is betas, decay_all, eps, lr, weight_decay",
    )
    assert problems("-m", "model=lenet5,resnet81", "seed=range(-1,2)") == (
        "model=resnet81: there is no such option; did you mean 'resnet18'?",
        "seed must be 0 or more, not -1",
    )
    assert problems("-m", "model=glob(*)", "seed=range(1,4)", "optimizer.lr=choice(0.1,0.2)") == ()
    assert "interval" in problems("-m", "optimizer.lr=interval(0,1)")[0]


@pytest.mark.parametrize(
    "words",
    [["optimizer.lr=1"], ["epochs=3", "max_steps=null"], ["run=/home/李明/a (1)"], ["+optimizer.extra=1"],
     ["~optimizer.lr"], ["checkpoint.every_minutes=null"], ["runtime.threads=2"], ["epochs=${oc.env:NOWHERE}"],
     ["hydra.run.dir=a b"], ["--cfg", "job"], ["checkpoint={keep: 2}"]],
)  # fmt: skip
def test_what_is_right_passes(words: list[str]) -> None:
    assert problems(*words) == ()


def test_a_users_file_with_a_shipped_name_is_refused_when_it_is_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs" / "model").mkdir(parents=True)
    (tmp_path / "configs" / "model" / "resnet18.yaml").write_text("_target_: mynet.MyNet\n", encoding="utf-8")
    assert "bears the name of the shipped model=resnet18" in problems()[0]
    assert problems("model=lenet5") == ()


def test_faults_in_a_users_own_files_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs" / "experiment").mkdir(parents=True)
    path = tmp_path / "configs" / "experiment" / "e.yaml"
    path.write_text(
        "# @package _global_\n# e\nepochs: ten\nepoch: 3\nmodel:\n  _target_: os.system\n", encoding="utf-8"
    )
    assert len(problems("experiment=e")) == 3


def test_a_users_file_that_is_no_yaml_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs" / "model").mkdir(parents=True)
    (tmp_path / "configs" / "model" / "mynet.yaml").write_text("a: [1\nb: 2", encoding="utf-8")
    (line,) = problems("model=mynet")
    assert "mynet.yaml" in line


def test_a_whole_number_in_a_users_yaml_may_become_any_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs" / "optimizer").mkdir(parents=True)
    (tmp_path / "configs" / "optimizer" / "mine.yaml").write_text(
        "_target_: torch.optim.SGD\nlr: 1\n", encoding="utf-8"
    )
    assert problems("optimizer=mine", "optimizer.lr=0.5") == ()
    assert problems("optimizer=mine", "optimizer.lr=x") == ("optimizer.lr must be a whole number, not 'x'",)


def test_a_group_of_the_users_is_added_with_a_plus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs" / "size").mkdir(parents=True)
    path = tmp_path / "configs" / "size" / "tiny.yaml"
    path.write_text("# @package _global_\n# tiny\nepochs: 1\nmodel:\n  width: 8\n", encoding="utf-8")
    assert problems("+size=tiny") == ()
    assert problems("+size=tinny") == ("size=tinny: there is no such option; did you mean 'tiny'?",)
    jobs = Jobs()
    assert run_hydra(["+size=tiny"], jobs) == 0
    assert (jobs.seen[0][0]["epochs"], jobs.seen[0][0]["model"]["width"]) == (1, 8)


class Jobs:
    """Remembers the jobs that it was called for; fails where it is told to."""

    def __init__(self, *, fails_at: int | None = None) -> None:
        self.seen: list[tuple[dict[str, Any], Where]] = []
        self.fails_at = fails_at

    def __call__(self, config: dict[str, Any], where: Where) -> int:
        self.seen.append((config, where))
        if self.fails_at == len(self.seen) - 1:
            raise RunError("loss is not finite")
        return 0


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_job_gets_a_plain_config_and_where_it_stands(here: Path) -> None:
    jobs = Jobs()
    assert run_hydra(["model=lenet5", "run=/home/李明/a (1)", "epochs=3"], jobs) == 0
    ((config, where),) = jobs.seen
    assert config == compose(["model=lenet5", "run=/home/李明/a (1)", "epochs=3"])
    assert type(config["model"]) is dict
    assert where.folder is None and where.job is None
    assert where.overrides == ["model=lenet5", "run='/home/李明/a (1)'", "epochs=3"]
    assert where.choices["model"] == "lenet5" and where.choices["experiment"] is None
    assert list(here.iterdir()) == []


def test_a_sweep_leaves_nothing_of_hydras_own(here: Path) -> None:
    jobs = Jobs()
    assert run_hydra(["seed=1,2", "-m", "model=lenet5"], jobs) == 0
    assert [(config["seed"], where.job) for config, where in jobs.seen] == [(1, 0), (2, 1)]
    assert list(here.iterdir()) == []


def test_hydras_own_folders_are_handed_on(here: Path) -> None:
    jobs = Jobs()
    run_hydra(["hydra.run.dir=a (1)/${model.width}"], jobs)
    run_hydra(["-m", "seed=1,2", "hydra.sweep.dir=b 李"], jobs)
    assert [where.folder for _, where in jobs.seen] == [Path("a (1)/64"), Path("b 李/0"), Path("b 李/1")]


def test_a_job_that_never_began_leaves_no_folder(here: Path) -> None:
    def refuse(config: dict[str, Any], where: Where) -> int:
        raise ConfigError("model does not fit")

    with pytest.raises(ConfigError, match="does not fit"):
        run_hydra(["hydra.run.dir=a/b"], refuse)
    assert list(here.iterdir()) == []


def test_a_failing_job_ends_a_single_run_but_not_a_sweep(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RunError, match="not finite"):
        run_hydra([], Jobs(fails_at=0))
    jobs = Jobs(fails_at=0)
    assert run_hydra(["-m", "seed=1,2"], jobs) == 1
    assert len(jobs.seen) == 2
    assert "dlcourse: loss is not finite" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [[], ["-m", "seed=1,2"]])
def test_leaving_by_signal_passes_through(here: Path, argv: list[str]) -> None:
    def leave(config: dict[str, Any], where: Where) -> int:
        raise SystemExit(143)

    with pytest.raises(SystemExit) as left:
        run_hydra(argv, leave)
    assert left.value.code == 143


def test_a_job_that_was_told_to_stop_ends_the_sweep(here: Path) -> None:
    seen: list[int | None] = []

    def interrupted(config: dict[str, Any], where: Where) -> int:
        seen.append(where.job)
        return 130

    with pytest.raises(SystemExit) as left:
        run_hydra(["-m", "seed=1,2"], interrupted)
    assert left.value.code == 130
    assert seen == [0]


def test_a_bug_in_a_job_is_raised_as_it_is(here: Path) -> None:
    def stumble(config: dict[str, Any], where: Where) -> int:
        raise ZeroDivisionError("a bug")

    for argv in ([], ["-m", "seed=1,2"]):
        with pytest.raises(ZeroDivisionError, match="a bug"):
            run_hydra(argv, stumble)


def test_the_config_can_be_shown(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_hydra(["--cfg", "job", "--resolve", "optimizer.lr=0.25"], Jobs()) == 0
    assert "lr: 0.25" in capsys.readouterr().out


def test_a_run_folder_that_cannot_be_made_is_one_line(here: Path) -> None:
    (here / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="file") as caught:
        run_hydra(["hydra.run.dir=file/x"], Jobs())
    assert len(caught.value.problems) == 1


def test_an_interpolation_that_leads_nowhere_is_one_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        run_hydra(["epochs=${oc.env:NOWHERE_AT_ALL}"], Jobs())
    assert len(caught.value.problems) == 1
    assert capsys.readouterr().err == ""
