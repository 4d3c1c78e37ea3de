"""Run folders: claimed by one process alone, found by what a user calls them."""

from __future__ import annotations

import os
import re
import threading
from datetime import datetime
from pathlib import Path

import pytest

from dlcourse import folders
from dlcourse.errors import ConfigError
from dlcourse.folders import RunFolder, all_runs, claim, find_run, release

EARLY, LATE = "2026-01-02_03-04-05-000001", "2026-01-02_03-04-05-000002"


def a_run(path: Path) -> RunFolder:
    path.mkdir(parents=True)
    folder = RunFolder(path)
    folder.config.write_text("seed: 1\n")
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in ("lenet5-mnist", "resnet18-digits"):
        a_run(tmp_path / "runs" / name / EARLY)
    a_run(tmp_path / "runs" / "resnet18-digits" / LATE)
    return tmp_path / "runs"


def test_a_folder_bears_group_and_time(tmp_path: Path) -> None:
    path = claim(tmp_path / "runs", group="resnet18-digits").path
    assert path.is_dir()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d-\d{6}", path.name)
    assert path.parent == tmp_path / "runs" / "resnet18-digits"
    assert claim(tmp_path / "runs", group="a", job=7).path.name.endswith("_7")


def test_claims_in_the_same_microsecond_get_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        ticks = 0

        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            cls.ticks += 1
            return datetime(2026, 1, 1, microsecond=cls.ticks // 4)  # every moment is seen four times

    monkeypatch.setattr(folders, "datetime", Clock)
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.extend(claim(tmp_path, group="g").path for _ in range(20)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 80


def test_two_processes_cannot_claim_the_same_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([datetime(2026, 1, 1), datetime(2026, 1, 1), datetime(2026, 1, 1, microsecond=1)])

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return next(moments)

    monkeypatch.setattr(folders, "datetime", Clock)
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:  # it inherits the first moment and leaves the others to this process
        os.write(writer, str(claim(tmp_path, group="g").path).encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reader, 1000).decode()
    assert theirs.endswith("-000000")
    assert claim(tmp_path, group="g").path.name.endswith("-000001")


def test_a_wanted_folder_is_taken_once(tmp_path: Path) -> None:
    wanted = tmp_path / "a (1)" / "甲=乙"
    assert claim(tmp_path, group="g", wanted=wanted).path == wanted
    with pytest.raises(ConfigError, match="this folder is not empty; name another, or go on with resume="):
        claim(tmp_path, group="g", wanted=wanted)


def test_an_empty_folder_may_be_wanted(tmp_path: Path) -> None:
    assert claim(tmp_path, group="g", wanted=tmp_path).path == tmp_path


@pytest.mark.parametrize("wanted", [True, False])
def test_a_file_in_the_place_of_a_folder_is_one_error(tmp_path: Path, wanted: bool) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"a run folder cannot be made there \(.+\); name another with runs="):
        claim(tmp_path / "file", group="g", wanted=tmp_path / "file" / "x" if wanted else None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_release_takes_back_what_was_made_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    folder = claim(tmp_path / "mine" / "runs", group="g")
    (folder.path / "figures").mkdir()
    folder.config.touch()
    release(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert not list((tmp_path / "mine").iterdir())


def test_release_leaves_an_empty_folder_that_was_there_before(tmp_path: Path) -> None:
    wanted = tmp_path / "mine"
    wanted.mkdir()
    release(claim(tmp_path, group="g", wanted=wanted))
    assert wanted.is_dir()
    assert not list(wanted.iterdir())


def test_release_leaves_what_others_put_beside_it(tmp_path: Path) -> None:
    first, second = (claim(tmp_path / "runs", group="g") for _ in range(2))
    release(first)
    assert second.path.is_dir()
    assert not first.path.exists()


@pytest.mark.parametrize(
    "word",
    [f"resnet18-digits/{LATE}", f"resnet18-digits/{LATE}/", LATE, "000002", "latest"],
)
def test_a_run_is_found_by_its_name_or_a_unique_end_of_it(runs: Path, word: str) -> None:
    assert find_run(word, runs=runs).path == runs / "resnet18-digits" / LATE


def test_a_unique_beginning_names_a_run_too(runs: Path) -> None:
    a_run(runs / "bigru-imdb" / LATE)
    assert find_run("bigru-imdb", runs=runs).path == runs / "bigru-imdb" / LATE


def test_a_run_is_found_by_its_path(runs: Path, tmp_path: Path) -> None:
    path = runs / "lenet5-mnist" / EARLY
    assert find_run(str(path), runs=tmp_path / "elsewhere").path == path


def test_latest_is_by_time_and_not_by_name(runs: Path) -> None:
    own = a_run(runs / "zzz")  # a name of its own stands after every date in the alphabet
    os.utime(own.config, (0, 0))
    assert find_run("latest", runs=runs).path.name == LATE
    os.utime(own.config, (4e9, 4e9))
    assert find_run("latest", runs=runs).path.name == "zzz"


@pytest.mark.parametrize(
    ("word", "words"),
    [
        (EARLY, r"it names 2 runs \(lenet5-mnist/.*, resnet18-digits/.*\); give more of the name"),
        (f"resnet81-digits/{LATE}", f"there is no such run in .*; did you mean 'resnet18-digits/{LATE}'"),
        ("xyz", "there is no such run in .*; there is latest, lenet5-mnist/"),
        ("~nobody-here/runs", "there is no such run in"),
    ],
)
def test_a_word_that_names_no_single_run_says_what_there_is(runs: Path, word: str, words: str) -> None:
    with pytest.raises(folders.NoSuchRun, match=words) as caught:
        find_run(word, runs=runs)
    assert caught.value.exit_code == 2


def test_a_folder_that_is_no_run_is_told(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(folders.NoSuchRun, match=r"this is no run; a run folder holds config\.yaml"):
        find_run(str(tmp_path), runs=runs)
    with pytest.raises(folders.NoSuchRun, match="there are no runs in"):
        find_run("latest", runs=tmp_path / "none")


def test_hidden_folders_hold_no_runs(runs: Path) -> None:
    a_run(runs / ".trash" / LATE)
    assert len(list(all_runs(runs))) == 3


def test_status_says_how_the_run_stands(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.read_status() == {}
    folder.set_status("running")
    started = folder.read_status()["started"]
    folder.set_status("failed", exit_code=1)
    status = folder.read_status()
    assert (status["state"], status["exit_code"], status["pid"]) == ("failed", 1, os.getpid())
    assert status["started"] == started


@pytest.mark.parametrize("damage", ["", "{", "[1]", "\x00"])
def test_a_damaged_status_is_none(tmp_path: Path, damage: str) -> None:
    folder = RunFolder(tmp_path)
    folder.status.write_text(damage)
    assert folder.read_status() == {}


def test_a_line_that_was_cut_off_or_damaged_is_no_record(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    record = '{{"step": {}, "epoch": 0.5, "split": "val", "scalars": {{"loss": 1}}}}\n'
    folder.metrics.write_text(f'{record.format(1)}{{"step": 9}}\n[]\n{record.format(2)}{"[" * 10_000}\n{{"ste')
    assert [record["step"] for record in folder.records()] == [1, 2]
    assert list(RunFolder(tmp_path / "none").records()) == []
