"""The journal of a sweep: what is written can be read again, cut off anywhere, and damage is named."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.errors import ConfigError, UserError
from dlcourse.sweep.journal import Arm, Ended, Head, Journal, JournalError, look, opened

HEAD = Head(("ema=0,0.9", "max_steps=4"), "grid", 1)
ARMS = (Arm(0, ("ema=0",), "resnet18-digits"), Arm(1, ("ema=0.9",), "resnet18-digits"))
DONE = Ended(0, 12.5, {"accuracy": 0.9, "loss": float("nan")}, ("accuracy", "max"))
FAILED = Ended(-9, 1.0, problem="killed by SIGKILL \u2028 \n ø")


def write(path: Path) -> None:
    with opened(path, head=HEAD) as journal:
        for arm in ARMS:
            journal.add_arm(arm)
        journal.add_beginning((0, 1), pid=77)
        journal.add_end((0, 1), DONE)
        journal.add_end((1, 1), FAILED)


def same(one: Journal, other: Journal) -> bool:
    return repr((one.head, one.arms, one.began, one.ended)) == repr((other.head, other.arms, other.began, other.ended))


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "sweeps" / "x" / "journal.jsonl"
    assert look(path, head=HEAD).arms == []
    assert not path.parent.exists()
    write(path)
    journal = look(path, head=HEAD)
    assert tuple(journal.arms) == ARMS
    assert journal.began == {(0, 1): 77}
    assert journal.ended[1, 1, 0] == FAILED
    assert repr(journal.ended[0, 1, 0]) == repr(DONE)  # nan is not equal to itself


@settings(max_examples=40)
@given(st.data())
def test_a_journal_cut_off_anywhere_keeps_its_whole_lines_and_goes_on(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("cut") / "journal.jsonl"
    write(path)
    content = path.read_bytes()
    head = content.index(b"\n") + 1  # it is put in place whole, so no kill cuts it
    path.write_bytes(content[: data.draw(st.integers(head, len(content)))])
    whole = path.read_bytes().count(b"\n")
    with opened(path, head=HEAD) as journal:
        lines = 1 + len(journal.arms) + len(journal.began) + len(journal.ended)
        assert lines == whole
        for arm in ARMS[len(journal.arms) :]:
            journal.add_arm(arm)
    again = look(path, head=HEAD)
    assert same(again, journal)
    assert tuple(again.arms) == ARMS


def test_a_last_line_of_zeros_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path)
    whole = path.read_bytes()
    path.write_bytes(whole + b"\0" * 40 + b"\n")
    with opened(path, head=HEAD) as journal:
        assert len(journal.ended) == 2
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"kind": "arm", "arm": 7, "words": [], "group": "x"}', '{"kind": "x", "arm": 0}']
)
def test_damage_in_the_middle_is_named_and_nothing_is_changed(line: str, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], line, *lines[3:]]) + "\n")
    before = path.read_bytes()
    with pytest.raises(JournalError, match=r"line 3 is damaged; delete that line"), opened(path, head=HEAD):
        pass
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", ["", "x\n", "{}\n", '{"kind": "sweep"}\n'])
def test_a_damaged_first_line_asks_for_another_name(content: str, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(content)
    with pytest.raises(JournalError, match=r"line 1 is damaged; give the sweep another name="):
        look(path, head=HEAD)


def test_a_journal_of_another_version_is_not_guessed_at(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"kind": "sweep", "version": 99}\n')
    with pytest.raises(JournalError, match="another version of dlcourse"):
        look(path, head=HEAD)


def test_another_sweep_of_the_same_name_is_refused_with_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "lr" / "journal.jsonl"
    write(path)
    with pytest.raises(JournalError) as caught:
        look(path, head=Head(("ema=0,0.5", "max_steps=4"), "random", 1))
    text = "\n".join(caught.value.problems)
    assert "name=lr is another sweep: it was begun with ema=0,0.9" in text
    assert "now there is ema=0,0.5" in text
    assert "search=grid, not random" in text
    assert "max_steps" not in text
    assert "another name=" in text


def hold(path: Path, ready: multiprocessing.synchronize.Event, done: multiprocessing.synchronize.Event) -> None:
    with opened(path, head=HEAD):
        ready.set()
        done.wait(20)


@pytest.mark.skipif(os.name == "nt", reason="locks")
def test_two_processes_cannot_run_one_sweep(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    process = context.Process(target=hold, args=(path, ready, done))
    process.start()
    try:
        assert ready.wait(20)
        with pytest.raises(JournalError, match="another process runs this sweep"), opened(path, head=HEAD):
            pass
        assert look(path, head=HEAD).arms == []  # dry=true may look
    finally:
        done.set()
        process.join()
    with opened(path, head=HEAD):
        pass


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    path = tmp_path / "runs" / "sweeps" / "x" / "journal.jsonl"
    with pytest.raises(ConfigError, match="name another folder with runs="), opened(path, head=HEAD):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_full_disk_stops_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with opened(path, head=HEAD) as journal, Path("/dev/full").open("wb", buffering=0) as full:
        journal.file = full
        for problem in ("No space left on device; mend that", "nothing more can be written"):
            with pytest.raises(UserError, match=problem):
                journal.add_arm(ARMS[0])
        assert journal.arms == []
