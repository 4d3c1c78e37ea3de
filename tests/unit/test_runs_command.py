"""`dlcourse runs`: the table, and what is done with single runs."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from run_folders import make_run, write_json

from dlcourse.cli import main
from dlcourse.commands.run_actions import counted
from dlcourse.config.overrides import parse
from dlcourse.errors import UserError
from dlcourse.folders import NoSuchRun, RunFolder, find_run, held
from dlcourse.results import trash
from dlcourse.results.columns import duration, short_name

FIRST = "resnet18-digits/2026-01-01_00-00-00-111111"
SECOND = "resnet18-digits/2026-01-01_00-00-01-222222"
THIRD = "lenet5-mnist/2026-01-02_00-00-00-333333"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "runs"
    make_run(folder, FIRST, settings={"optimizer.lr": 0.1}, val=[{"accuracy": 0.9}], test={"accuracy": 0.8}, seconds=75)
    make_run(folder, SECOND, settings={"optimizer.lr": 0.01}, val=[{"accuracy": 0.7}], test={})
    make_run(folder, THIRD, val=[], test={}, state="failed", settings={"runs": "elsewhere"})
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    return folder


def lines(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> list[str]:
    assert main(["runs", *words]) == code
    told = capsys.readouterr()
    return (told.err if code else told.out).splitlines()


def test_the_table_shows_what_differs_and_the_deciding_numbers(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head, names, _, *rows = lines(capsys)
    assert head.split() == ["optimizer.", "val.", "test."]
    assert names.split() == ["name", "model", "data", "lr", "accuracy", "accuracy", "state", "began", "time"]
    cells = [row.split() for row in rows]
    assert [row[0] for row in cells] == ["333333", "222222", "111111"]
    assert cells[0][1:7] == ["lenet5", "mnist", "0.001", "-", "-", "failed"]
    assert cells[2][3:7] == ["0.1", "0.9", "0.8", "done"]
    assert cells[2][-1] == "1m15s"


def test_csv_has_whole_names_and_plain_seconds(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n".join(
        lines(capsys, "format=csv", "where=test.accuracy>0", "columns=name,time,optimizer.lr,tags,max_steps")
    )
    assert list(csv.reader(io.StringIO(text)))[1] == [FIRST, "75.0", "0.1", "", ""]


def test_runs_are_chosen_ordered_and_counted(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def names(*words: str) -> list[str]:
        return [row["name"] for row in json.loads("\n".join(lines(capsys, "format=json", *words)))]

    assert names("where=model==resnet18 and optimizer.lr<0.05") == [SECOND]
    assert names("sort=accuracy") == [SECOND, FIRST, THIRD]
    assert names("sort=-accuracy") == [FIRST, SECOND, THIRD]
    assert names("sort=model", "limit=1") == [THIRD]
    assert "1 of 3 runs; limit=0 shows all" in lines(capsys, "limit=1")


@pytest.mark.parametrize("form", ["table", "csv", "json", "md", "latex"])
def test_a_question_that_no_run_answers_is_an_empty_table(
    runs: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    lines(capsys, "where=seed==99", f"format={form}")


@pytest.mark.parametrize("width", [40, 80, 140])
def test_a_table_fits_its_terminal_and_says_what_it_left_out(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    make_run(runs, "resnet18-digits/long", settings={f"model.{name}": 1 for name in "abcdefgh"})
    make_run(runs, "resnet18-digits/wide", settings={f"model.{name}": 12345678 for name in "abcdefgh"})
    monkeypatch.setenv("COLUMNS", str(width))
    *rows, _, note = lines(capsys)
    assert width < 60 or all(len(row) <= width for row in rows)
    assert note.startswith("too wide for this terminal: ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["where=optimizer.lrr<1"], "where: no run has optimizer.lrr; did you mean 'optimizer.lr'?"),
        (["where=__import__('os')"], "a condition is NAME OP VALUE"),
        (["columns=name,modle"], "columns: no run has modle; did you mean 'model'?"),
        (["columns=,"], "columns must be names with commas"),
        (["sort=acuracy"], "sort: no run has acuracy; did you mean 'accuracy'?"),
        (["limit=-1"], "limit must be 0 or more, not -1"),
        (["format=xml"], "format must be table, csv, json, md or latex"),
        (["shwo", "x"], "runs shwo: there is no such action; did you mean 'show'?"),
        (["runs=none"], "none: there are no runs here yet"),
        (["show", "resnet18"], "it names 2 runs"),
        (["rename", "111111"], "name is missing; write dlcourse runs rename RUN NAME"),
        (["rename", "111111", "latest"], "this word has a meaning of its own"),
        (["rename", "111111", "333333"], "333333: it already names lenet5-mnist/"),
        (["rename", "111111", "resnet18"], "resnet18: it already names several runs"),
        (["rename", "111111", "a/b"], "a name is one line"),
        (["rename", "111111", "name=a=b"], "a name is one line"),
        (["rename", "111111", "x" * 101], "a name is one line"),
        (["tag", "111111"], "there is no word to put on it"),
        (["tag", "111111", "a b"], "a tag is one word"),
        (["tag"], "words is missing"),
        (["rm", "nothing"], "nothing: there is no such run"),
        (["restore", "111111"], "there are no runs in"),
    ],
)
def test_bad_words_are_told_in_a_line(
    runs: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert message in "\n".join(lines(capsys, *words, code=2))


def test_seeds_are_a_column_where_they_differ_even_on_a_small_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in (1, 2):
        wide = {f"model.wide_{name}": f"{name}{seed}" * 8 for name in "abcd"}
        make_run(tmp_path, f"resnet18-digits/{seed}", settings={"seed": seed, **wide})
    monkeypatch.setenv("COLUMNS", "90")
    told = lines(capsys, f"runs={tmp_path}")
    assert "seed" in told[1].split()
    assert told[-1].startswith("too wide for this terminal: model.wide_")


def test_damaged_runs_are_named_beside_the_rest(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / FIRST / "config.yaml").write_text("{")
    assert main(["runs", "format=csv"]) == 0
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 3
    assert f"dlcourse: runs/{FIRST}/config.yaml: damaged" in told.err


def test_show_tells_settings_numbers_files_and_the_end(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n".join(lines(capsys, "show", "111111"))
    for wanted in (FIRST, "done, exit code 0", "1m15s, 10 steps", "dlcourse train model=resnet18", "optimizer.lr"):
        assert wanted in text
    assert "metrics.jsonl" in text
    words = ["model=resnet18", "run='runs/a/b'", "note='a b'", "tag='1'", "texts='a,b'", "data.root='it\\'s'"]
    (runs / FIRST / "overrides.txt").write_text("\n".join(words))
    (command,) = [line for line in lines(capsys, "show", "111111") if line.startswith("command")]
    shown = shlex.split(command)[3:]
    assert shown[:5] == ["model=resnet18", "run=runs/a/b", "note=a b", "tag='1'", "texts='a,b'"]
    assert "run=runs/a/b 'note=a b'" in command
    assert [parse(word).value() for word in shown] == [parse(word).value() for word in words]
    assert "go on with dlcourse train resume=lenet5-mnist" in "\n".join(lines(capsys, "show", "333333"))


def test_a_name_with_spaces_and_chinese_letters_stays_with_the_run(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines(capsys, "rename", "111111", "第一 次")
    lines(capsys, "tag", "第一 次", "good", "slow")
    assert lines(capsys, "tag", "第一 次", "-slow", "first")[-1] == f"{FIRST}: first good"
    assert find_run("第一 次", runs=runs).path == runs / FIRST
    asked = ("where=tags==good", "columns=name,title,tags")
    assert lines(capsys, *asked, "format=csv")[1] == f"{FIRST},第一 次,first good"
    assert lines(capsys, *asked)[2].split() == ["第一", "次", "第一", "次", "first", "good"]
    told = json.loads("\n".join(lines(capsys, "format=json")))
    assert {row["name"]: row["title"] for row in told} == {FIRST: "第一 次", SECOND: "", THIRD: ""}
    lines(capsys, "rename", "第一 次", "第一 次")
    assert "already names" in lines(capsys, "rename", "222222", "第一 次", code=2)[0]
    lines(capsys, "rename", "第一 次", "")
    assert RunFolder(runs / FIRST).notes.read_text().count("good") == 1
    with pytest.raises(NoSuchRun):
        find_run("第一 次", runs=runs)


def test_rm_puts_into_the_trash_and_restore_brings_back(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(path.relative_to(runs) for path in runs.rglob("*"))
    lines(capsys, "rm", "111111", "333333", FIRST)
    assert not (runs / "lenet5-mnist").exists()
    assert [row["name"] for row in json.loads("\n".join(lines(capsys, "format=json")))] == [SECOND]
    with pytest.raises(NoSuchRun):
        find_run("111111", runs=runs)
    lines(capsys, "restore", "111111")
    lines(capsys, "restore", "333333")
    after = [path.relative_to(runs) for path in runs.rglob("*")]
    assert sorted(path for path in after if not path.parts[0].startswith(".")) == before


def test_a_run_thrown_away_twice_is_kept_twice(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines(capsys, "rm", "111111")
    make_run(runs, FIRST)
    assert "111111~2" in lines(capsys, "rm", "111111")[0]
    make_run(runs, FIRST)
    assert "another run stands there" in lines(capsys, "restore", FIRST, code=2)[0]


def test_a_name_that_another_run_took_meanwhile_bars_the_way_back(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines(capsys, "rename", "111111", "best")
    lines(capsys, "rm", "best")
    lines(capsys, "rename", "222222", "best")
    assert "another run has this name" in lines(capsys, "restore", "best", code=2)[0]


def test_a_run_in_training_or_elsewhere_is_not_thrown_away(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path / "other", "mine/run")
    with held(RunFolder(runs / FIRST)):
        assert "it is being trained; stop it first" in lines(capsys, "rm", "222222", "111111", code=2)[0]
    for word in (tmp_path / "other" / "mine" / "run", "runs/../other/mine/run"):
        assert "it does not stand in runs" in lines(capsys, "rm", str(word), code=2)[0]
    assert (runs / FIRST).is_dir()
    assert (runs / SECOND).is_dir()


def test_prune_throws_away_what_never_reached_a_validation(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    *_, row, last = lines(capsys, "prune", "dry=true")
    assert row.split()[0] == THIRD and row.endswith("kB")
    assert last.startswith("1 run without a validation would be moved to the trash: ")
    assert lines(capsys, "prune", "dry=true", "where=model==resnet18")[0].startswith("0 runs")
    assert (runs / THIRD).is_dir()
    with held(RunFolder(runs / THIRD)):
        write_json(runs / THIRD / "status.json", {"state": "running"})
        assert lines(capsys, "prune")[-1].startswith("0 runs")
    assert lines(capsys, "prune")[-1].startswith("1 run without a validation was moved")
    assert not (runs / THIRD).exists()
    for number in range(25):
        make_run(runs, f"a-b/{number}", val=[], state="failed")
    told = lines(capsys, "prune", "dry=true")
    assert (len(told), told[-2]) == (2 + 20 + 2, "and 5 more")
    assert lines(capsys, "prune")[-1].startswith("25 runs without a validation were moved")
    assert (runs / FIRST).is_dir()


def test_prune_drops_all_checkpoints_but_the_best_of_runs_that_are_done(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (FIRST, SECOND, THIRD):
        for checkpoint in ("last.pt", "previous.pt", *(["best.pt"] if name != SECOND else [])):
            (runs / name / "checkpoints" / checkpoint).write_bytes(b"x" * 100_000)
    *_, row, last = lines(capsys, "prune", "checkpoints=true", "dry=true")
    assert row.split() == [FIRST, "0.2", "MB"]
    assert last.startswith("0.2 MB would be freed: 2 checkpoints that no test used; runs that are not done keep theirs")
    assert "0 checkpoints" in lines(capsys, "prune", "checkpoints=true", "dry=true", "where=model==lenet5")[-1]
    assert len(list(runs.rglob("*.pt"))) == 8
    lines(capsys, "prune", "checkpoints=true")
    kept = {name: len(list((runs / name / "checkpoints").iterdir())) for name in (FIRST, SECOND, THIRD)}
    assert kept == {FIRST: 1, SECOND: 2, THIRD: 3}


def test_the_trash_is_emptied_only_when_asked(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines(capsys, "rm", "111111")
    *_, row, last = lines(capsys, "prune", "trash=true", "dry=true")
    assert (row.split()[0], row[-2:]) == (FIRST, "kB")
    assert "1 run in the trash" in last
    assert "0 runs" in lines(capsys, "prune", "trash=true", "where=accuracy>0.85")[-1]
    assert len(trash.thrown(runs=runs)) == 1
    assert lines(capsys, "restore", "latest", code=2)[0].startswith("dlcourse: latest: there is no such run in")
    assert "latest" not in lines(capsys, "restore", "nosuch", code=2)[0]
    lines(capsys, "rm", "222222")
    lines(capsys, "prune", "trash=true", "where=accuracy>=0.8")
    assert [folder.path.name[-6:] for folder in trash.thrown(runs=runs)] == ["222222"]
    lines(capsys, "prune", "trash=true")
    assert not (runs / ".trash").exists()
    assert "0 runs in the trash" in lines(capsys, "prune", "trash=true")[0]


def test_what_cannot_be_moved_is_told(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Read-only file system")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(UserError, match="it cannot be moved to .* \\(Read-only file system\\)"):
        trash.throw([RunFolder(runs / FIRST)], runs=runs)


def test_short_names_are_ends_that_name_one_run() -> None:
    names = ["a-b/2026-01-01_00-00-00-111111", "a-c/2026-01-01_00-00-01-111111", "killed", "x/lr=0.1", "y/lr=0.1"]
    short = [short_name(name, names=names) for name in names]
    assert short == ["0-111111", "1-111111", "killed", "x/lr=0.1", "y/lr=0.1"]


def test_durations_are_said_as_people_say_them() -> None:
    assert [duration(seconds) for seconds in (0.4, 45, 59.6, 796, 7500)] == ["0s", "45s", "1m00s", "13m16s", "2h05m"]


def test_the_command_imports_neither_torch_nor_scipy(runs: Path) -> None:
    code = "import sys; from dlcourse.cli import main; main(['runs']); print({'torch', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 steps"), (1, "1 step"), (1.0, "1 step"), (0.5, "0.5 steps"), (1234, "1,234 steps")]
)
def test_one_thing_is_not_called_several(number: float, words: str) -> None:
    assert counted(number, "step") == words
