"""The index of run folders: the same as reading them all, never trusted, and fast where nothing changed."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from run_folders import make_run, write_json

from dlcourse.folders import held
from dlcourse.results import index
from dlcourse.results.index import INDEX, Damaged, read_all
from dlcourse.results.record import RunRecord, read_record

NAMES = [f"resnet18-digits/2026-01-0{day}_00-00-00-000000" for day in (1, 2, 3)]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for seed, name in enumerate(NAMES):
        make_run(
            tmp_path / "runs", name, settings={"seed": seed, "model.note": "宽 \n'"}, val=[{"accuracy": 0.1 * seed}]
        )
    return tmp_path / "runs"


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the runs whose files are read."""
    names: list[str] = []
    before = index.read_files

    def counting(folder: index.RunFolder, *, runs: Path) -> RunRecord:
        names.append(folder.path.relative_to(runs).as_posix())
        return before(folder, runs=runs)

    monkeypatch.setattr(index, "read_files", counting)
    return names


def test_the_index_says_what_the_folders_say_newest_first(runs: Path, looked: list[str]) -> None:
    cold = read_all(runs)
    assert [record.name for record in cold.records] == NAMES[::-1]
    assert looked == NAMES
    looked.clear()
    warm = read_all(runs)
    assert warm == cold
    assert looked == []
    assert warm.records == tuple(read_record(index.RunFolder(runs / name), runs=runs) for name in NAMES[::-1])


def test_only_what_changed_is_read_again(runs: Path, looked: list[str]) -> None:
    read_all(runs)
    looked.clear()
    metrics = runs / NAMES[1] / "metrics.jsonl"
    with metrics.open("a") as lines:
        lines.write('{"step": 99, "epoch": 9.9, "split": "val", "scalars": {"accuracy": 0.99}}\n')
    write_json(runs / NAMES[2] / "notes.json", {"name": "x", "tags": []})
    records = {record.name: record for record in read_all(runs).records}
    assert looked == NAMES[1:]
    assert records[NAMES[1]].val == {"accuracy": 0.99}
    assert records[NAMES[2]].title == "x"


def test_a_file_that_replaced_one_of_its_size_and_time_is_seen(runs: Path, looked: list[str]) -> None:
    status = runs / NAMES[0] / "status.json"
    read_all(runs)
    looked.clear()
    told = status.stat()
    beside = status.with_name("other")
    beside.write_text(status.read_text().replace("nowhere", "erehwon"))
    beside.replace(status)
    os.utime(status, ns=(told.st_atime_ns, told.st_mtime_ns))
    read_all(runs)
    assert looked == NAMES[:1]


def test_runs_that_came_and_went_are_seen(runs: Path) -> None:
    read_all(runs)
    (runs / NAMES[0]).rename(runs / "resnet18-digits" / "other")
    make_run(runs, "lenet5-digits/new")
    assert {record.name for record in read_all(runs).records} == {
        *NAMES[1:],
        "resnet18-digits/other",
        "lenet5-digits/new",
    }


def test_a_run_that_ends_without_a_word_is_killed_although_no_file_changed(runs: Path) -> None:
    folder = make_run(runs, "lenet5-digits/going", state="running")
    with held(folder):
        assert {record.state for record in read_all(runs).records} == {"done", "running"}
    assert {record.state for record in read_all(runs).records} == {"done", "killed"}


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\x00\xff", b'{"form": "0", "runs": {}}', b"[" * 100_000])
def test_a_damaged_index_is_made_anew(runs: Path, damage: bytes) -> None:
    cold = read_all(runs)
    whole = (runs / INDEX).read_bytes()
    (runs / INDEX).write_bytes(damage)
    assert read_all(runs) == cold
    assert (runs / INDEX).read_bytes() == whole


@pytest.mark.parametrize("name", ["settings", "val", "tags", "began", "decisive", "seconds", "exit_code", "choices"])
@pytest.mark.parametrize("value", ["x", [1], {"a": []}])
def test_an_entry_that_is_no_record_is_read_from_its_folder(
    runs: Path, looked: list[str], name: str, value: object
) -> None:
    cold = read_all(runs)
    told = json.loads((runs / INDEX).read_text())
    told["runs"][NAMES[0]]["record"].pop(name)
    told["runs"][NAMES[1]]["record"][name] = value
    (runs / INDEX).write_text(json.dumps(told))
    found = read_all(runs)
    assert NAMES[0] in looked
    if name not in ("settings", "exit_code"):
        assert found == cold


def test_a_folder_that_takes_no_files_is_read_without_an_index(runs: Path) -> None:
    (runs / INDEX).mkdir()  # the superuser can write into any folder, but no file over a folder
    (runs / INDEX / "x").touch()
    assert len(read_all(runs).records) == 3
    assert [path.name for path in runs.iterdir() if path.name.startswith(".")] == [INDEX]


def test_damaged_and_half_written_runs_are_named_and_the_rest_shown(runs: Path) -> None:
    (runs / NAMES[0] / "config.yaml").write_text("{")
    (runs / NAMES[1] / "config.yaml").unlink()
    (runs / "deep" / "a").mkdir(parents=True)
    for _ in ("cold", "warm"):
        found = read_all(runs)
        assert [record.name for record in found.records] == NAMES[2:]
        damaged, half = found.damaged
        assert damaged.path == runs / NAMES[0] / "config.yaml"
        assert half == Damaged(runs / NAMES[1], "it has no config.yaml: its training is being set up, or was killed")


def test_no_runs_are_none(tmp_path: Path) -> None:
    assert read_all(tmp_path / "none").records == ()
    assert list(tmp_path.iterdir()) == []


def test_a_hundred_runs_are_listed_from_the_index_in_a_fifth_of_a_second(tmp_path: Path) -> None:
    for number in range(100):
        make_run(tmp_path, f"resnet18-digits/{number}")
    read_all(tmp_path)
    began = time.process_time()
    assert len(read_all(tmp_path).records) == 100
    assert time.process_time() - began < 0.2
