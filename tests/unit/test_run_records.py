"""What a run folder says of its run: numbers by hand, states, times, and folders that are damaged."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from run_folders import make_run, record, write_json, write_lines

from dlcourse.folders import NoSuchRun, RunFolder, find_run, held
from dlcourse.results.record import MECHANICS, DamagedRun, RunRecord, read_record
from dlcourse.status import worked

NAME = "resnet18-digits/2026-01-02_03-04-05-000000"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def read(folder: RunFolder, runs: Path) -> RunRecord:
    return read_record(folder, runs=runs)


def test_a_record_says_what_stands_in_the_folder(runs: Path) -> None:
    val = [{"accuracy": 0.5, "loss": 0.7}, {"accuracy": 0.8, "loss": 0.6}, {"accuracy": 0.7, "loss": 0.5}]
    folder = make_run(runs, NAME, settings={"optimizer.lr": 0.05}, val=val, test={"accuracy": 0.75}, seconds=90)
    write_json(folder.notes, {"name": "第一 次", "tags": ["b", "a", "a"]})
    found = read(folder, runs)
    assert (found.path, found.name, found.title, found.tags) == (folder.path, NAME, "第一 次", ("a", "b"))
    assert found.choices["model"] == found.settings["model"] == "resnet18"
    assert "experiment" not in found.choices
    assert found.settings["optimizer.lr"] == 0.05
    assert found.settings["optimizer.betas"] == [0.9, 0.999]
    assert found.settings["max_steps"] is None
    assert not [name for name in found.settings if "_target_" in name]
    assert (found.state, found.exit_code, found.seconds) == ("done", 0, 90.0)
    assert (found.step, found.epoch, found.decisive) == (30, 3.0, ("accuracy", "max"))
    assert found.val == {"accuracy": 0.8, "loss": 0.6}
    assert found.test == {"accuracy": 0.75}
    assert set(found.fingerprints) == {"train", "val", "test"}


def test_a_number_to_be_small_is_best_at_its_smallest_and_of_equals_the_later_counts(runs: Path) -> None:
    val = [{"loss": 2.0, "accuracy": 0.9}, {"loss": 1.0, "accuracy": 0.1}, {"loss": 1.0, "accuracy": 0.2}]
    found = read(make_run(runs, NAME, val=val, best=("loss", "min")), runs)
    assert found.val == val[2]


@pytest.mark.parametrize(
    ("numbers", "decisive"),
    [
        ({"loss": 1.0, "accuracy": 0.5}, ("accuracy", "max")),
        ({"loss": 1.0, "perplexity": 9.0}, ("perplexity", "min")),
        ({"loss": 1.0}, ("loss", "min")),
    ],
)
def test_runs_of_version_0_1_are_judged_by_what_they_have(
    runs: Path, numbers: dict[str, float], decisive: tuple[str, str]
) -> None:
    assert read(make_run(runs, NAME, val=[numbers], best=None), runs).decisive == decisive


def test_the_last_record_tells_the_step_even_if_it_is_of_training(runs: Path) -> None:
    folder = make_run(runs, NAME, state="interrupted", test={})
    with folder.metrics.open("a") as lines:
        lines.write(json.dumps(record(25, "train", {"loss": 0.1})) + "\n")
        lines.write('{"step": 30, "epoch": 3.0, "split": "train", "scal')
    found = read(folder, runs)
    assert (found.step, found.epoch, found.test) == (25, 2.5, {})  # what was cut off is no record
    assert (found.state, found.exit_code) == ("interrupted", 130)


@pytest.mark.parametrize("separators", [(", ", ": "), (",", ":")])
@pytest.mark.parametrize("end", ["", "\n", '\n{"step": 99, "spl'])
def test_metrics_in_any_form_of_json_read_alike(
    runs: Path, separators: tuple[str, str], end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json, "dumps", partial(json.dumps, separators=separators))
    numbers = {"accuracy": 0.5, 'odd "split": "val"': 1.0}
    folder = make_run(runs, NAME, val=[{"accuracy": 0.9}, numbers], test=numbers, state="interrupted")
    folder.metrics.write_text(folder.metrics.read_text().rstrip() + end)
    found = read(folder, runs)
    assert (found.step, found.val, found.test) == (20, {"accuracy": 0.9}, numbers)


def test_a_run_that_says_running_is_killed_unless_a_process_holds_its_folder(runs: Path) -> None:
    folder = make_run(runs, NAME, state="running", val=[])
    assert read(folder, runs).state == "killed"
    with held(folder):
        assert read(folder, runs).state == "running"
    assert read(folder, runs).state == "killed"


def test_two_who_look_at_once_do_not_take_each_other_for_a_training(runs: Path) -> None:
    import fcntl

    folder = make_run(runs, NAME, state="running")
    other = os.open(folder.path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_SH)
    assert read(folder, runs).state == "killed"
    os.close(other)


def test_a_run_whose_status_is_still_empty_was_killed_before_its_first_step(runs: Path) -> None:
    folder = make_run(runs, NAME, val=[], test={})
    folder.status.write_text("")
    found = read(folder, runs)
    assert (found.state, found.seconds, found.step, found.val) == ("killed", 0.0, 0, {})
    assert found.began.strftime("%Y-%m-%d_%H-%M-%S") == "2026-01-02_03-04-05"


def test_seconds_are_those_of_all_lives(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    old = {
        "state": "interrupted",
        "started": hour_ago.isoformat(),
        "changed": (hour_ago + timedelta(minutes=5)).isoformat(),
    }
    write_json(folder.status, old)  # version 0.1 counted none
    folder.set_status("running")
    status = folder.read_status()
    assert (status["seconds"], status["began"]) == (300.0, hour_ago.isoformat())
    write_json(folder.status, {**status, "started": (datetime.now(UTC) - timedelta(seconds=60)).isoformat()})
    folder.set_status("done", exit_code=0)
    assert folder.read_status()["seconds"] == pytest.approx(360, abs=5)
    assert folder.read_status()["began"] == hour_ago.isoformat()


def test_a_life_that_was_killed_counts_up_to_its_last_record(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    started = datetime.now(UTC) - timedelta(hours=2)
    write_json(folder.status, {"state": "running", "started": started.isoformat(), "seconds": 100.0})
    write_lines(folder.metrics, [record(5, "train", {"loss": 1.0})])
    for path, minutes in ((folder.status, 0), (folder.metrics, 10)):
        stamp = (started + timedelta(minutes=minutes)).timestamp()
        os.utime(path, (stamp, stamp))
    folder.set_status("running")
    assert folder.read_status()["seconds"] == pytest.approx(700, abs=1)


@pytest.mark.parametrize(
    "status", [{}, {"seconds": "x"}, {"seconds": -1}, {"started": 5, "state": []}, {"state": "running", "started": "?"}]
)
def test_a_status_that_says_nothing_of_time_is_no_time(status: dict[str, object]) -> None:
    assert worked(status, until=datetime.now(UTC)) == 0.0


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("config.yaml", "", "does not hold keys and values"),
        ("config.yaml", "seed: [1", "expected"),
        ("config.yaml", "seed: 1\n", "does not say which options"),
        ("config.yaml", "choices: {model: 3}\n", "no name"),
        ("config.yaml", "[" * 100_000, "nested more than 20 deep"),
        ("config.yaml", "a: &a [1]\nb: &b [*a, *a]\nchoices: {}\nc: &c {x: *c}\n", "nested more than 20 deep"),
        ("config.yaml", "x" * 300_000, "more than 200,000 bytes"),
        ("status.json", "{", "Expecting"),
        ("status.json", "[1]", "no JSON object"),
        ("status.json", '{"state": "asleep"}', "'asleep' is no state"),
        ("status.json", "[" * 100_000, "recursion"),
        ("data.json", "\x00", "Expecting"),
        ("notes.json", "nothing", "Expecting"),
        ("task.json", '{"best": ["accuracy"]}', "best is no name"),
        ("metrics.jsonl", '{"step": 1}\n{"step": 2', "line 1 is no record"),
        ("metrics.jsonl", "\x00\x00\n", "line 1 is no record"),
    ],
)
def test_a_damaged_file_is_named(runs: Path, name: str, text: str, reason: str) -> None:
    folder = make_run(runs, NAME)
    (folder.path / name).write_text(text)
    with pytest.raises(DamagedRun) as told:
        read(folder, runs)
    assert told.value.path == folder.path / name
    assert reason in told.value.reason
    assert "\n" not in str(told.value)


def test_a_run_that_is_done_is_damaged_if_its_numbers_were_cut_off(runs: Path) -> None:
    folder = make_run(runs, NAME)
    whole = folder.metrics.read_text()
    *others, _ = whole.splitlines(keepends=True)
    cases = {
        whole[:-30]: "its last line is cut off, though the run is done",
        whole[:-1]: "its last line is cut off, though the run is done",
        "".join(others): "it ends before the test, though the run is done",
        "": "it ends before the test, though the run is done",
    }
    for text, reason in cases.items():
        folder.metrics.write_text(text)
        write_json(folder.status, {"state": "done"})
        with pytest.raises(DamagedRun) as told:
            read(folder, runs)
        assert (told.value.path, told.value.reason) == (folder.metrics, reason)
        for state in ("running", "killed", "interrupted", "failed"):
            write_json(folder.status, {"state": state})
            assert not read(folder, runs).test or text == whole[:-1]
    folder.metrics.unlink()
    write_json(folder.status, {"state": "done"})
    with pytest.raises(DamagedRun, match="ends before the test"):
        read(folder, runs)


def test_a_run_that_was_not_to_be_tested_is_whole_without_a_test(runs: Path) -> None:
    assert read(make_run(runs, NAME, settings={"test": False}, test={}), runs).state == "done"


def test_dates_and_nested_lists_of_a_config_are_text(runs: Path) -> None:
    folder = make_run(runs, NAME)
    with folder.config.open("a") as config:
        config.write("when: 2026-01-02\nnested: [[1, 2], x]\n")
    found = read(folder, runs)
    assert found.settings["when"] == "2026-01-02"
    assert found.settings["nested"] == ["[1, 2]", "x"]


def test_a_run_outside_bears_its_path(runs: Path, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "elsewhere", "mine")
    assert read(folder, runs).name == folder.path.as_posix()


def test_a_run_is_found_by_the_name_that_its_user_gave_it(runs: Path) -> None:
    folder = make_run(runs, NAME)
    other = make_run(runs, "lenet5-digits/2026-01-02_03-04-06-000000")
    write_json(folder.notes, {"name": "第一 次", "tags": []})
    assert find_run("第一 次", runs=runs).path == folder.path
    with pytest.raises(NoSuchRun, match="did you mean '第一 次'"):
        find_run("第一次", runs=runs)
    write_json(other.notes, {"name": "第一 次", "tags": []})
    with pytest.raises(NoSuchRun, match="it names 2 runs"):
        find_run("第一 次", runs=runs)


def test_mechanics_are_settings_that_change_no_result() -> None:
    assert {"runs", "log_every", "data.root"} <= MECHANICS
    assert not {"seed", "optimizer.lr", "epochs"} & MECHANICS
