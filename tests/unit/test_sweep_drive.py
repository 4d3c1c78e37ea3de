"""A sweep with trainings that are faked: killed anywhere it does only what is missing, and no process outlives it."""

from __future__ import annotations

import json
import os
import random
import shlex
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from faked_sweeps import BASE, begin, begun, done, fake, journal, lives, place, wait

from dlcourse.cli import main
from dlcourse.folders import all_runs
from dlcourse.sweep import trial
from dlcourse.sweep.journal import Ended

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and locks")
WORDS = (*BASE, "name=lr")


@pytest.fixture(autouse=True)
def faked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(monkeypatch, tmp_path)


def sweep(*words: str) -> int:
    return main(["sweep", *WORDS, *words])


def begin_sweep(*words: str, step: float = 0.05) -> subprocess.Popen[str]:
    return begin(*WORDS, *words, step=step)


def test_every_arm_is_trained_with_every_seed_and_the_best_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep("optimizer.lr=0.1,0.01", "seeds=2", "jobs=2") == 0
    names = {folder.path.relative_to("runs").as_posix() for folder in all_runs(Path("runs"))}
    assert names == {f"resnet18-digits/lr-{arm:03}-seed{seed}" for arm in (0, 1) for seed in (1, 2)}
    first = json.loads(Path("runs/resnet18-digits/lr-000-seed2/config.yaml").read_text())
    assert (first["optimizer"]["lr"], first["seed"]) == (0.1, 2)
    out = capsys.readouterr().out
    assert "2 arms with 2 seeds each, 2 at once" in out
    assert "[4/4]" in out
    assert "optimizer.lr=0.01" in out
    assert "chosen on validation: dlcourse train model=resnet18 data=digits max_steps=4 optimizer.lr=0.01" in out
    assert "runtime.threads=" in Path("runs/resnet18-digits/lr-000-seed1/overrides.txt").read_text()


def test_a_sweep_without_tests_leaves_the_one_test_to_what_was_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["model=resnet18", "data=mnist", "max_steps=4", "data.root='/a b/数 据'"]
    assert main(["sweep", *words, "optimizer.lr=0.1,0.01", "test=False"]) == 0
    chosen, told = capsys.readouterr().out.splitlines()[-2:]
    wanted = ["dlcourse", "train", *words[:3], "data.root=/a b/数 据", "optimizer.lr=0.01"]
    assert shlex.split(chosen) == ["chosen", "on", "validation:", *wanted]
    assert told == "(without the test=false of the sweep, so that the test is made now, once)"


def test_the_same_command_again_trains_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep("optimizer.lr=0.1,0.01") == 0
    before, first = lives(), capsys.readouterr().out
    assert sweep("optimizer.lr=0.1,0.01", "jobs=2") == 0
    assert lives() == before
    assert capsys.readouterr().out.split("\n\n")[1] == first.split("\n\n")[1]  # the table and what follows


def test_more_seeds_and_more_trials_go_on_where_it_ended() -> None:
    words = ("optimizer.lr=tag(log,interval(1e-3,1))", "search=random")
    assert sweep(*words, "trials=2") == 0
    assert sweep(*words, "trials=3", "seeds=2") == 0
    assert done() == Counter({f"lr-{arm:03}-seed{seed}": 1 for arm in range(3) for seed in (1, 2)})
    assert sweep(*words, "trials=1") == 0
    assert sum(done().values()) == 6


def test_a_failing_trial_is_noted_and_the_others_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep("optimizer.lr=9,0.01,8", "jobs=2") == 1
    out = capsys.readouterr().out
    assert "2 trials failed (retry=true tries again):" in out
    assert "optimizer.lr=9 seed=1: exit code 1: lr-000-seed1: the loss is not finite; runs/sweeps/lr/output/000" in out
    assert "optimizer.lr=8 seed=1: killed by SIGKILL" in out
    assert done() == Counter(["lr-001-seed1"])
    ended = {line["arm"]: line["exit_code"] for line in journal() if line["kind"] == "ended"}
    assert ended == {0: 1, 1: 0, 2: -9}
    count = len(lives())
    assert sweep("optimizer.lr=9,0.01,8") == 1
    assert len(lives()) == count


def failed(folder: Path, said: str) -> Ended | None:
    """How a sweep finds a trial that failed and said this."""
    one = trial.Trial(0, 1, (), folder, folder / "run", folder / "000.out")
    one.path.mkdir(exist_ok=True)
    one.err.write_text(said)
    status = {"state": "failed", "exit_code": 1, "seconds": 3.7}
    (one.path / "status.json").write_text(json.dumps(status))
    return one.settled()


def test_what_a_failed_trial_says_first_and_how_long_it_worked_are_noted(tmp_path: Path) -> None:
    told = "a warning\ndlcourse: the loss is nan at step 3\ndlcourse: its batch held the train samples 5, 7\n"
    assert failed(tmp_path, told) == Ended(1, 3.7, problem="the loss is nan at step 3")
    assert failed(tmp_path, f"dlcourse: resumed\nepoch 1\n{told}") == Ended(1, 3.7, problem="the loss is nan at step 3")
    assert failed(tmp_path, "Traceback\n  File x\nKeyError: 5\n") == Ended(1, 3.7, problem="KeyError: 5")
    assert failed(tmp_path, "") == Ended(1, 3.7, problem="it said nothing")


def test_retry_goes_on_with_what_failed() -> None:
    assert sweep("optimizer.lr=9,0.01") == 1
    folder = Path("runs/resnet18-digits/lr-000-seed1")
    config = json.loads((folder / "config.yaml").read_text())
    (folder / "config.yaml").write_text(json.dumps({**config, "optimizer": {"lr": 0.5}}))  # as if the fault was mended
    assert sweep("optimizer.lr=9,0.01", "retry=true") == 0
    assert done() == Counter(["lr-000-seed1", "lr-001-seed1"])
    assert "lr-000-seed1 from 1" in lives()  # from its checkpoint


def test_a_sweep_that_failed_throughout_has_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep("optimizer.lr=8,9") == 1
    assert "2 trials failed" in capsys.readouterr().out


@pytest.mark.parametrize("number", [1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 13))])
def test_killed_at_any_moment_it_loses_nothing_and_repeats_nothing(number: int) -> None:
    words = ("optimizer.lr=0.1,0.01,0.03", "jobs=2")
    chance = random.Random(number)
    for _ in range(2):
        process = begin_sweep(*words)
        if chance.random() < 0.7:
            wait(place().exists)
        time.sleep(chance.random() * 0.4)
        process.kill()
        process.communicate()
    assert sweep(*words) == 0
    assert done() == Counter(f"lr-{arm:03}-seed1" for arm in range(3))
    assert all(" another process" not in path.read_text() for path in Path("runs/sweeps/lr/output").glob("*.err"))
    ended = [line["arm"] for line in journal() if line["kind"] == "ended"]
    assert sorted(ended) == [0, 1, 2]


def test_a_training_that_outlived_its_sweep_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    process = begin_sweep("optimizer.lr=0.1", step=0.3)
    wait(begun())
    process.kill()
    process.communicate()
    assert sweep("optimizer.lr=0.1") == 0
    assert "seed=1: still runs, since before this command; waiting for it" in capsys.readouterr().out
    assert lives() == ["lr-000-seed1 from 0", "lr-000-seed1 done"]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.slow),
    ],
)
def test_a_signal_lets_every_training_save_and_says_how_to_go_on(number: signal.Signals, code: int) -> None:
    process = begin_sweep("optimizer.lr=0.1,0.01,0.03", "jobs=2", step=0.2)
    wait(begun(2))
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == code
    assert "stopping 2 trials, which save first" in out
    assert f"stopped by {number.name}; go on with:\n  dlcourse sweep model=resnet18 data=digits" in out
    assert sum(" saved " in line for line in lives()) == 2  # and none is running any more
    assert sweep("optimizer.lr=0.1,0.01,0.03") == 0
    assert done() == Counter(f"lr-{arm:03}-seed1" for arm in range(3))
    assert not [line for line in lives() if " from 0" in line and line.startswith(("lr-000", "lr-001"))][2:]


def test_a_signal_stops_a_training_that_outlived_an_earlier_sweep_too() -> None:
    first = begin_sweep("optimizer.lr=0.1", step=5)
    wait(begun())
    first.kill()
    first.communicate()
    second = begin_sweep("optimizer.lr=0.1")
    assert second.stdout is not None
    wait(lambda: "still runs" in second.stdout.readline())  # type: ignore[union-attr]
    second.send_signal(signal.SIGTERM)
    out, _ = second.communicate(timeout=20)
    assert second.returncode == 143
    assert "stopping 1 trial, which saves first (Ctrl-C again kills it)" in out
    assert any(" saved " in line for line in lives())


def test_a_reader_that_has_seen_enough_stops_the_trainings_too() -> None:
    process = begin_sweep("optimizer.lr=0.1,0.01,0.03", "jobs=2", step=0.1)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.wait(timeout=20)
    assert len(lives()) == 4  # two began, and each saved or was done
    assert all(path.stat().st_size == 0 for path in Path("runs/sweeps/lr/output").glob("*.err"))


def test_a_training_killed_before_its_head_was_written_begins_anew() -> None:
    for name, kept in {"000": ["status.json"], "001": ["status.json", "config.yaml", "task.json"]}.items():
        folder = Path("runs/resnet18-digits") / f"lr-{name}-seed1"
        folder.mkdir(parents=True)
        for file in kept:
            (folder / file).touch()
    assert sweep("optimizer.lr=0.1,0.01") == 0


def test_a_folder_that_holds_other_things_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("runs/resnet18-digits/lr-000-seed1")
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("years of work")
    assert sweep("optimizer.lr=0.1") == 2
    assert "this folder is not empty, and no run; move it away" in capsys.readouterr().err
    assert (folder / "thesis.txt").exists()


def test_a_metric_that_no_run_has_is_told_after_the_first_and_can_be_mended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("optimizer.lr=0.1,0.01,0.03", "search=tpe", "trials=3")
    pytest.importorskip("optuna")
    assert sweep(*words, "metric=acuracy") == 2
    assert "metric=acuracy: no validation has such a number; did you mean 'accuracy'?" in capsys.readouterr().err
    assert sum(done().values()) == 1
    assert sweep(*words, "metric=val.loss") == 0
    assert sum(done().values()) == 3
    assert "optimizer.lr=0.01" in capsys.readouterr().out.split("chosen on validation")[1]


def test_tpe_goes_on_after_a_kill_with_what_it_would_have_proposed() -> None:
    pytest.importorskip("optuna")
    words = ("optimizer.lr=tag(log,interval(1e-4,0.9))", "search=tpe", "trials=4")
    assert main(["sweep", *BASE, *words, "name=straight"]) == 0
    process = begin_sweep(*words)
    wait(lambda: Path("runs/lives.txt").exists() and "lr-001-seed1 from 0" in lives())
    process.kill()
    process.communicate()
    assert sweep(*words) == 0
    arms = [[line["words"] for line in journal(name) if line["kind"] == "arm"] for name in ("straight", "lr")]
    assert arms[0] == arms[1]


def test_dry_prints_the_trials_and_makes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep("optimizer.lr=0.1,9", "seeds=2", "dry=true") == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert not Path("runs").exists()
    assert sweep("optimizer.lr=0.1,9") == 1
    capsys.readouterr()
    assert sweep("optimizer.lr=0.1,9", "seeds=2", "dry=true") == 0
    assert capsys.readouterr().out.splitlines() == [
        "done    optimizer.lr=0.1 seed=1",
        "missing optimizer.lr=0.1 seed=2",
        "failed  optimizer.lr=9 seed=1",
        "missing optimizer.lr=9 seed=2",
    ]


def test_another_sweep_under_the_name_is_refused_before_anything_is_trained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert sweep("optimizer.lr=0.1") == 0
    count = len(lives())
    assert sweep("optimizer.lr=0.2") == 2
    error = capsys.readouterr().err
    assert "name=lr is another sweep: it was begun with optimizer.lr=0.1" in error
    assert "now there is optimizer.lr=0.2" in error
    assert len(lives()) == count


def test_without_a_name_the_same_words_find_their_sweep_again(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["sweep", "max_steps=4", "optimizer.lr=0.1,0.01"]
    assert main(words) == 0
    count = len(lives())
    assert main([words[0], *reversed(words[1:])]) == 0
    assert len(lives()) == count
    [name] = [path.name for path in Path("runs/sweeps").iterdir()]
    assert name.startswith("lr-")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("jobs=0",), "jobs must be 1 or more, not 0"),
        (("seeds=0",), "seeds must be 1 or more, not 0"),
        (("search=random", "trials=0", "ema=0,0.9"), "trials must be 1 or more, not 0"),
        (("search=random", "ema=0,0.9"), "trials is missing"),
        (("trials=3", "ema=0,0.9"), "trials: a grid tries every combination"),
        (("search=random", "trials=3"), "nothing is varied"),
        (("ema=interval(0,0.5)",), "ema: a grid cannot walk an interval; write search=random trials=20"),
        (("seeds=2", "seed=4"), "leave one of them out"),
        (("split=test",), "split must be val, not 'test'"),
        (("metric=test.accuracy",), "arms are judged on validation"),
        (("name=../x",), "name must be letters"),
        (("search=guess",), "search must be grid, random or tpe, not 'guess'"),
        (("batch_size=4,64", "accumulate=1,8"), "batch_size=4 accumulate=8: accumulate (8) must be at most"),
    ],
)
def test_bad_words_are_refused_before_anything_is_made(
    words: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", *words]) == 2
    assert line in capsys.readouterr().err
    assert not Path("runs").exists()


def test_runs_that_cannot_be_written_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    Path("runs").write_text("a file")
    assert sweep("optimizer.lr=0.1") == 2
    assert "name another folder with runs=" in capsys.readouterr().err


def test_a_path_with_any_letters_in_it_works() -> None:
    place = "it's (new), 图片=1"
    assert sweep(f"runs={place}", "optimizer.lr=0.1") == 0
    assert len(list(all_runs(Path(place)))) == 1
