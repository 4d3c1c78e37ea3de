"""`dlcourse play`, `match` and `suggest` on a run that was trained here, without its data."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

import dlcourse
from dlcourse.cli import main
from dlcourse.commands.suggest import probability
from dlcourse.go.match import play_match
from dlcourse.go.player import RandomPlayer
from dlcourse.go.points import from_vertex
from dlcourse.go.record import GameRecord
from dlcourse.go.sgf import read_games
from dlcourse.go.sgf_writer import write_game
from dlcourse.run.go_player import load_policy

ROOT = Path(dlcourse.__file__).parents[1]
SIZE = 5
TINY = ("model.width=4", "model.depth=1", "max_steps=5", "batch_size=16", "test=false")


@pytest.fixture(scope="module")
def games(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with records of random games."""
    folder = tmp_path_factory.mktemp("games")
    player = RandomPlayer(Random(0).randrange)
    for number, game in enumerate(play_match(player, player, games=20, size=SIZE)):
        (folder / f"{number:02}.sgf").write_text(write_game(game.record), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def run(games: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run."""
    folder = tmp_path_factory.mktemp("runs")
    data = ("data=sgf", f"data.root={games}", f"data.size={SIZE}", "data.val_fraction=0.2", "data.test_fraction=0.2")
    common = (f"runs={folder}", "runtime.threads=1", "runtime.device=cpu", "model=go_policy")
    assert main(["train", *data, *common, *TINY]) == 0
    return next(folder.glob("go_policy-sgf/*"))


def ask(
    *lines: str, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """What `dlcourse play` answers to each of the lines."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    capsys.readouterr()
    assert main(["play", *words]) == 0
    return capsys.readouterr().out.split("\n\n")[:-1]


@pytest.mark.usefixtures("unread")
def test_a_run_plays_over_gtp(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["name", "boardsize 9", f"boardsize {SIZE}", "1 genmove b", "2 genmove w", "showboard", "nonsense", "quit"]
    answers = ask(*lines, "name", words=[str(run)], monkeypatch=monkeypatch, capsys=capsys)
    assert len(answers) == 8 and answers[0] == f"= go_policy-sgf/{run.name}"
    assert answers[1] == "? unacceptable size" and answers[2] == "=" and answers[6] == "? unknown command"
    points = [from_vertex(answer.split()[1], size=SIZE) for answer in answers[3:5]]
    assert answers[3].startswith("=1 ") and len(set(points)) == 2
    assert answers[5].count("X") + answers[5].count("O") == 2


def test_a_seed_names_a_game(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    moves = [f"genmove {'bw'[turn % 2]}" for turn in range(12)]

    def played(*words: str) -> list[str]:
        return ask(*moves, words=[str(run), *words], monkeypatch=monkeypatch, capsys=capsys)

    assert played() == played("seed=1") == played()
    assert played("temperature=1", "seed=1") == played("temperature=1", "seed=1") != played("temperature=1", "seed=2")


def test_the_program_itself_answers_at_once_and_ends(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dlcourse", "play", "run=random"],
        input=b"1 boardsize 5\n# \xff\n2 genmove b\n3 quit\n",
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    first, second, third, end = done.stdout.decode().split("\n\n")
    assert (first, second[:3], third, end) == ("=1", "=2 ", "=3", "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run=nowhere"], "nowhere: there are no runs in {folder}/runs; name the folder with runs=, or give a path"),
        (["run=latest", "runs=mine"], "latest: there are no runs in {folder}/mine; name the folder with runs="),
        ([], "run is missing"),
    ],
)
def test_an_engine_that_cannot_start_says_why_to_whoever_started_it(
    words: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO("name\n"))
    assert main(["play", *words]) == 2
    answer = capsys.readouterr()
    assert not answer.out and answer.err.startswith(f"dlcourse: {told.format(folder=tmp_path)}")


def test_a_player_takes_one_thread_however_many_trained_it(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "go_policy-sgf" / "2026-01-01_00-00-00-000000"
    shutil.copytree(run, copy)
    config = (copy / "config.yaml").read_text(encoding="utf-8")
    assert "threads: 1" in config
    (copy / "config.yaml").write_text(config.replace("threads: 1", "threads: 2"), encoding="utf-8")
    policy = load_policy(str(copy), runs=tmp_path, command="play", device=None, allow_code=False)
    assert policy.parts.runtime.threads == torch.get_num_threads() == 1


@pytest.mark.usefixtures("unread")
def test_a_match_is_counted_and_its_games_are_kept(run: Path, tmp_path: Path, answer: Callable[..., Any]) -> None:
    found = answer("match", f"run={run}", "against=random", "games=5", f"out={tmp_path / 'out'}")
    assert found["games"] == 5 == found["won"] + found["lost"] + found["drawn"] and found["size"] == SIZE
    assert found["low"] <= found["share"] == found["won"] / 5 <= found["high"]
    assert (found["games_as_black"], found["games_as_white"]) == (3, 2) and found["distinct"] == 5
    assert found.pop("folder") == str(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "match.json").read_text(encoding="utf-8")) == found
    kept = sorted((tmp_path / "out").glob("*.sgf"))
    assert [path.name for path in kept] == [f"game-00{number}.sgf" for number in range(1, 6)]
    records = [record for path in kept for record in read_games(path.read_bytes(), source=path.name)]
    assert all(isinstance(record, GameRecord) and record.result[0] in "BW" for record in records)
    first = f"go_policy-sgf/{run.name}"
    won = [record.result[0] == "BW"[record.names.index(first)] for record in records if isinstance(record, GameRecord)]
    assert sum(won) == found["won"]


def test_a_match_says_the_same_for_the_same_seed(run: Path, tmp_path: Path, answer: Callable[..., Any]) -> None:
    words = (f"run={run}", f"against={run}", "games=3", "temperature=1")
    for folder in ("one", "two"):
        answer("match", *words, f"out={tmp_path / folder}")
    assert answer("match", *words, "seed=1", f"out={tmp_path / 'three'}")["distinct"] == 3
    kept = {
        name: [path.read_bytes() for path in sorted((tmp_path / name).glob("*.sgf"))]
        for name in ("one", "two", "three")
    }
    assert kept["one"] == kept["two"] != kept["three"]


def test_a_match_against_a_program_is_told_in_words(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    program = shlex.join([sys.executable, str(ROOT / "tests" / "fake_gtp.py")])
    capsys.readouterr()
    assert main(["match", str(run), f"against={program}", "games=2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("game   1: ") and " as black, " in lines[0] and " as white, " in lines[1]
    assert lines[3].endswith("against random on 5x5:") and "% [" in lines[4] and "2 distinct games" in lines[5]
    assert len(list((run / "matches").glob("*/match.json"))) == 1


def test_a_program_that_dies_ends_the_match_and_says_where_the_games_are(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    program = shlex.join([sys.executable, str(ROOT / "tests" / "fake_gtp.py"), "die"])
    capsys.readouterr()
    assert main(["match", str(run), f"against={program}", f"out={tmp_path}"]) == 1
    first, second, third = capsys.readouterr().err.splitlines()
    assert "it ended (exit code 3)" in first and second == "dlcourse: it said: out of; memory"
    assert third == f"dlcourse: 0 of 100 games had been played; they are in {tmp_path}"


@pytest.mark.usefixtures("unread")
def test_moves_are_suggested_before_any_move_of_a_record(
    run: Path, games: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = games / "00.sgf"
    (record,) = read_games(path.read_bytes(), source="")
    assert isinstance(record, GameRecord)
    capsys.readouterr()
    picture = tmp_path / "new" / "board.PNG"
    assert main(["suggest", f"run={run}", str(path), "move=4", f"png={picture}", "top=3"]) == 0
    title, board, moves = capsys.readouterr().out.split("\n\n")[:3]
    assert title == f"{path}#1, move 4: white to play" and "played" in moves
    *board, legend = board.splitlines()
    assert "".join(board).count("X") == 2 and "".join(board).count("O") == 1 and "(X)" in "".join(board)
    assert legend == "X black, O white, ( ) the last move; 1, 2, ...: the ranks of the network's moves"
    assert moves.splitlines()[0] == "rank  move  probability"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main(["suggest", f"run={run}", f"sgf={path}", "move=4", "format=json"]) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found["move"] == 4 and found["to_play"] == "white" and len(found["best"]) == 5
    assert from_vertex(found["played"]["vertex"], size=SIZE) == record.moves[3]
    ranked = [entry["probability"] for entry in found["best"]]
    assert ranked == sorted(ranked, reverse=True) and [entry["rank"] for entry in found["best"]] == [1, 2, 3, 4, 5]
    assert sum(map(sum, found["probabilities"])) + found["pass"] == pytest.approx(1)
    assert main(["suggest", f"run={run}", str(path), "format=json"]) == 0
    last = json.loads(capsys.readouterr().out)
    assert last["move"] == len(record.moves) + 1 and last["played"] is None is last["fault"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("(;SZ[5];B[aa];W[bb];B[aa];W[cc])", "after move 2: A5 is illegal for black: occupied"),
        ("(;SZ[5];B[aa];W[bb];B[c", "after move 2: no closing bracket"),
    ],
)
def test_a_record_is_read_up_to_its_fault(
    text: str, fault: str, run: Path, tmp_path: Path, answer: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "broken.sgf"
    path.write_text(text, encoding="utf-8")
    assert answer("suggest", f"run={run}", f"sgf={path}", "move=2")["played"]["vertex"] == "B4"
    found = answer("suggest", f"run={run}", f"sgf={path}")
    assert found["move"] == 3 and found["played"] is None and found["fault"].startswith(fault)
    assert main(["suggest", f"run={run}", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith(f"the record cannot be read on {fault}")
    assert main(["suggest", f"run={run}", str(path), "move=4"]) == 2
    told = f"dlcourse: move must be 1 to 3, the one after the last that can be read ({fault}"
    assert capsys.readouterr().err.startswith(told)


def test_a_rare_move_is_no_impossible_one() -> None:
    assert [probability(chance) for chance in (0.0, 0.0001, 0.0006, 0.5)] == ["0.0 %", "<0.1 %", "0.1 %", "50.0 %"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["suggest", "run=nowhere", "no.sgf"], ["sgf: no.sgf cannot be read (No such file or directory)"]),
        (["suggest", "run=nowhere", "{small}", "game=2"], ["game must be 1 to 1, as many as {small} has, not 2"]),
        (["suggest", "run=nowhere", "{games}/00.sgf", "top=0"], ["top must be 1 to 9, not 0"]),
        (["suggest", "run={run}", "{small}"], ["{small}: a board of 3 lines; go_policy-sgf/{name} learned 5"]),
        (["suggest", "run=nowhere", "{small}", "move=9"], ["move must be 1 to 3, the one after the last, not 9"]),
        (["suggest", "run=nowhere", "{games}"], ["sgf: {games} is a folder; name a file in it, such as {games}/"]),
        (["suggest", "run=nowhere", "{empty}"], ["sgf: {empty}: this file is empty"]),
        (["suggest", "run=nowhere", "{words}"], ["sgf: {words}: this is no SGF; it begins with 'some words'"]),
        (
            ["suggest", "run=nowhere", "{small}", "top=10", "png=a.txt"],
            ["top must be 1 to 9, not 10", "png must end in .png, not 'a.txt'"],
        ),
        (["suggest", "run=nowhere", "{broken}"], ["{broken}#1: "]),
        (["match", "run={run}", "against=random", "size=9"], ["size=9: go_policy-sgf/{name} learned boards of 5"]),
        (
            ["match", "run={run}", "against=nobody", "runs={games}"],
            ["against: nobody is no program on the PATH, and no run: there are no runs in {games}"],
        ),
        (["match", "run={run}", "against='x"], ['"\'x" is no command line: no closing quotation']),
        (
            ["match", "run=nowhere", "against=random", "games=0", "size=1", "temperature=-1", "timeout=0", "komi=5000"],
            [
                "games must be 1 or more, not 0",
                "size must be 2 to 25, not 1",
                "timeout must be above 0, not 0.0",
                "komi must be a number up to 1000, not 5000.0",
                "temperature must be 0 or more, not -1.0",
            ],
        ),
        (["play", "run=nowhere", "temperature=-1"], ["temperature must be 0 or more, not -1.0"]),
    ],
)
def test_faults_are_told_in_a_line(
    words: list[str], told: list[str], run: Path, games: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"run": run, "name": run.name, "games": games}
    for name, text in (
        ("small", "(;SZ[3];B[aa];W[bb])"),
        ("empty", "\n"),
        ("words", "some words"),
        ("broken", "(;SZ[3];B[zz])"),
    ):
        names[name] = tmp_path / f"{name}.sgf"
        (tmp_path / f"{name}.sgf").write_text(text, encoding="utf-8")
    capsys.readouterr()
    assert main([word.format(**names) for word in words]) == 2
    lines = capsys.readouterr().err.splitlines()
    for line, expected in zip(lines, told, strict=False):
        assert line.startswith(f"dlcourse: {expected.format(**names)}"), lines
    assert len(lines) == len(told)


@pytest.mark.parametrize("command", [["play"], ["match", "against=random"], ["suggest", "sgf={small}"]])
def test_a_run_of_another_kind_is_refused(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = (f"runs={tmp_path}", "runtime.threads=1", "runtime.device=cpu", "max_steps=1", "test=false")
    assert main(["train", "data=digits", "model=resnet18", "model.width=2", *common]) == 0
    small = tmp_path / "small.sgf"
    small.write_text("(;SZ[3];B[aa])", encoding="utf-8")
    capsys.readouterr()
    assert main([*(word.format(small=small) for word in command), "run=latest", f"runs={tmp_path}"]) == 2
    told = f"dlcourse: {command[0]} is for runs that learned Go; latest is resnet18 on digits\n"
    assert capsys.readouterr().err == told
