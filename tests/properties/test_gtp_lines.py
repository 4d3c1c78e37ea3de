"""Ten thousand lines, most of them nonsense: each gets an answer, no move is illegal, nothing breaks."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest

from dlcourse.go.board import Board
from dlcourse.go.gtp import Engine
from dlcourse.go.gtp_session import Session
from dlcourse.go.player import RandomPlayer
from dlcourse.go.points import BLACK, WHITE, from_vertex, to_vertex

LINES = 10_000
ANSWER = re.compile(r"[=?][0-9]*( [^\n]*(\n[^\n]+)*)?\n\n")
JUNK = [
    "",
    "-1",
    "1e9",
    "nan",
    "i9",
    "zz",
    "a0",
    "b",
    "é",
    "\x00",
    "=",
    "?",
    "9" * 5000,
    "\ud800",
    "%s",
    "../x",
    "\t",
    "\n",
]
QUIET = {"quit", "loadsgf", "printsgf"}
"""What would end the engine, and what would read or write files of this machine."""


def words(chance: Random, *, size: int, commands: list[str]) -> str:
    """A line: a command with words that fit or do not, sometimes damaged."""
    vertex = to_vertex(chance.randrange(size * size + 1), size=size)
    fitting = [
        "b",
        "w",
        "black",
        vertex,
        vertex,
        str(chance.randrange(-1, 12)),
        f"{chance.uniform(-9, 9):.1f}",
        "alive",
    ]
    command = chance.choice(["play", "genmove", "genmove", chance.choice(commands)])
    if command == "boardsize":
        fitting = [str(chance.randrange(1, 8))]
    if command in ("play", "genmove") and chance.random() < 0.7:
        parts = [command, chance.choice("bw"), vertex]
    else:
        parts = [command, *(chance.choice([*fitting, chance.choice(JUNK)]) for _ in range(chance.randrange(4)))]
    if chance.random() < 0.2:
        parts.insert(0, str(chance.randrange(1 << 33)))
    line = chance.choice([" ", "\t", "  "]).join(parts)
    if chance.random() < 0.15:
        place = chance.randrange(len(line) + 1)
        line = line[:place] + chance.choice([*JUNK, "#", "\r"]) + line[place + chance.randrange(3) :]
    return line


def fills_an_eye(board: Board, point: int, colour: int) -> bool:
    """A point whose neighbours and diagonals are all one's own stones."""
    row, column = divmod(point, board.size)
    around = [
        board.stones[y * board.size + x]
        for y in range(max(0, row - 1), min(board.size, row + 2))
        for x in range(max(0, column - 1), min(board.size, column + 2))
        if (y, x) != (row, column)
    ]
    return all(stone == colour for stone in around)


def test_every_line_is_answered_and_every_move_is_legal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    chance = Random(2)
    engine = Engine(Session(RandomPlayer(chance.randrange)), version="1")
    listed = engine.answer("list_commands")
    assert listed is not None
    commands = [name for name in listed[2:].split() if name not in QUIET]
    engine.answer("boardsize 5")
    moves = accepted = 0
    for _ in range(LINES):
        line = words(chance, size=engine.session.board.size, commands=commands)
        if any(word in line for word in QUIET):
            continue
        before = engine.session.board.copy()
        answer = engine.answer(line)
        cleaned = re.sub(r"[\x00-\x08\x0a-\x1f\x7f]", "", line.partition("#")[0].replace("\t", " ")).strip(" ")
        assert (answer is None) == (not cleaned), line
        if answer is None:
            continue
        assert ANSWER.fullmatch(answer), (line, answer)
        number = re.match(r"[0-9]{1,10}(?= |$)", cleaned)
        assert answer[1:].startswith(number.group() if number else ("", " ", "\n")), (line, answer)
        accepted += answer.startswith("=")
        played = re.search(r"(?:^|\s)(?:genmove|kgs-genmove_cleanup) +(\S+)", cleaned, re.ASCII)
        if played and answer.startswith("="):
            colour = BLACK if played.group(1).lower().startswith("b") else WHITE
            point = from_vertex(answer.split()[-1], size=before.size)
            assert before.legal(point, colour)
            assert point == before.size**2 or not fills_an_eye(before, point, colour)
            moves += 1
    assert moves > LINES / 10 and LINES / 5 < accepted < LINES
