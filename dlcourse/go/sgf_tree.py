"""The bracket structure of SGF, found in bytes: where each game begins and ends, and its main line.

SGF FF[4], https://www.red-bean.com/sgf/sgf4.html. Moves come in runs, one match of a regular expression for many
nodes, so that a game without comments costs a handful of matches.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

ROOT_ONLY: Final = frozenset({b"GM", b"FF", b"SZ", b"CA", b"AP"})
"""Properties of a game's first node alone: one after a move shows that brackets are missing before it."""
INFO: Final = frozenset({b"GM", b"SZ", b"KM", b"HA", b"RE", b"RU", b"PB", b"PW", b"BR", b"WR", b"CA"})
SETUP: Final = frozenset({b"AB", b"AW", b"AE", b"PL"})
_WANTED: Final = ROOT_ONLY | INFO | SETUP | {b"B", b"W"}

_VALUE: Final = rb"\[[^\]\\]*(?:\\.[^\]\\]*)*\]"
VALUE: Final = re.compile(_VALUE, re.DOTALL)
_TOKEN: Final = re.compile(
    rb"""\s*+ (?:
        # Nodes with one move and clocks alone. Further values, as in "B[aa][bb]", end the run before their node.
        ( (?: ; \s*+ [BW]\[ (?:[a-z][a-z])? \] \s*+ (?: (?:[BW]L|O[BW])\[[^\]\\;]*\] \s*+ )* (?!\[) )+ )
      | ([A-Za-z]++) \s*+ ( (?: %b \s*+ )+ )
      | ([;()])
    )"""
    % _VALUE,
    re.VERBOSE | re.DOTALL,
)
_RUN, _NAME, _VALUES, _MARK = 1, 2, 3, 4
# The letter after the semicolon keeps a smiley in the text around the games from being one.
_START: Final = re.compile(rb"\(\s*+;\s*+(?=[A-Za-z;()]|\Z)")
ROOT_START: Final = re.compile(rb"\(\s*+;\s*+(?:GM|FF|SZ|CA|AP)\[[^\]\\]{0,40}\]")
"""The beginning of a game that shows in any surroundings."""
_STRAY_MOVE: Final = re.compile(rb"(?<![A-Za-z])[BW]\s*+\[(?:[a-z][a-z])?\]")
_STRAY_TEXT: Final = re.compile(rb"\s*+([^();\[]*+)")


class Reason(StrEnum):
    """Why a game cannot be read."""

    NO_TREE = "no game tree"
    NOT_CLOSED = "no closing bracket"
    STRAY_TEXT = "text that is not SGF"
    STRAY_MOVES = "moves outside a game"
    AFTER_VARIATION = "a node after a variation"
    OTHER_GAME = "another game than Go"
    BAD_SIZE = "size out of range"
    BAD_MOVE = "a move that names no point"
    MOVE_OFF_BOARD = "a move off the board"
    BAD_STONE = "a setup stone off the board"
    LATE_SETUP = "stones set during the game"
    NO_HANDICAP = "handicap stones missing"


@dataclass(slots=True)
class Tree:
    """What the main line of one game says, still in bytes."""

    info: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    """The first value of each property of `INFO`, escapes and all."""
    setup: list[tuple[bytes, list[bytes]]] = field(default_factory=list[tuple[bytes, list[bytes]]])
    """Properties of `SETUP` before the first move, in order."""
    runs: list[bytes] = field(default_factory=list[bytes])
    """Moves in order: each is `;B[aa]`, `;W[]`, with white space and clocks between."""
    fault: Reason | None = None
    """What is wrong first."""
    detail: str = ""
    """The text at the fault."""
    end: int = 0
    """Where the next game may begin."""

    def blame(self, reason: Reason, text: bytes) -> None:
        """Remember a fault, unless an earlier one is known: it may be why."""
        if self.fault is None:
            self.fault = reason
            self.detail = excerpt(text)

    def take(self, name: bytes, values: list[bytes]) -> None:
        """Note one property of the main line."""
        if name in (b"B", b"W"):
            for value in values:
                if value and not (len(value) == 2 and value.isalpha() and value.islower()):
                    self.blame(Reason.BAD_MOVE, name + b"[" + value + b"]")
                else:
                    self.runs.append(b";%b[%b]" % (name, value))
        elif name in INFO:
            self.info.setdefault(name, values[0])
        elif name in SETUP and not self.runs:
            self.setup.append((name, values))
        elif name in SETUP and name != b"PL":
            self.blame(Reason.LATE_SETUP, name + b"[" + values[0] + b"]")


def excerpt(text: bytes) -> str:
    """The beginning of some bytes as one line that can be printed."""
    return ascii(b" ".join(text[:60].split())[:40].decode("latin-1"))[1:-1]


def trees(data: bytes) -> Iterator[Tree]:
    """Every game in some bytes; at least one tree comes, with a fault if there is no game.

    Text before, between and after the games is passed over, but moves there are a fault of the game before them.
    A game whose last brackets are missing is sound only if its main line is closed: else moves may be lost.
    """
    tree: Tree | None = None
    position = 0
    while start := _START.search(data, position):
        tree, before = _Walk(data, start.start()).tree(), tree
        stray = _STRAY_MOVE.search(data, position, start.start())
        if stray:
            before = before or Tree()
            before.blame(Reason.STRAY_MOVES, data[stray.start() : start.start()])
        if before:
            yield before
        position = tree.end
    tree = tree or Tree(fault=Reason.NO_TREE, detail=excerpt(data))
    if stray := _STRAY_MOVE.search(data, position):
        tree.blame(Reason.STRAY_MOVES, data[stray.start() :])
    yield tree


class _Walk:
    """The way through one game, from the bracket at `start` to the one that closes it."""

    def __init__(self, data: bytes, start: int) -> None:
        self.data = data
        self.position = start
        self.found = Tree()
        self.depth = 0
        self.main_line = True  # the first branch everywhere, so the first closing bracket ends it
        self.after_variation = False
        self.in_node = False
        self.opened: int | None = None  # in the first node of a variation: where its bracket is

    def tree(self) -> Tree:
        """Walk to the end, or to where the game must have ended."""
        going = True
        while going:
            token = _TOKEN.match(self.data, self.position)
            going = self._step(token) if token else self._pass_over_text()
        self.found.end = self.position
        return self.found

    def _step(self, token: re.Match[bytes]) -> bool:
        """Take one token; False if the game ends with it, or before it."""
        self.position = token.end()
        kind = token.lastindex
        if self.after_variation and token[_MARK] not in (b"(", b")"):
            self._blame(Reason.AFTER_VARIATION, token.start())
        self.after_variation = token[_MARK] == b")"
        if kind == _MARK:
            return self._mark(token)
        if kind == _VALUES:
            return self._property(token)
        self.opened = None
        if self.main_line:
            self.found.runs.append(token[_RUN])
        return True

    def _mark(self, token: re.Match[bytes]) -> bool:
        if token[_MARK] == b"(":
            self.depth += 1
            self.opened, self.in_node = token.start(_MARK), False
        elif token[_MARK] == b";":
            self.opened, self.in_node = (None if self.in_node else self.opened), True
        else:
            self.depth -= 1
            self.main_line = False
        return self.depth > 0

    def _property(self, token: re.Match[bytes]) -> bool:
        name = token[_NAME]
        if not name.isupper():
            # FF[1] to FF[3] allowed small letters: "AddBlack".
            name = bytes(letter for letter in name if letter < ord("a")) or name.upper()
        if name in ROOT_ONLY and (self.found.runs or name in self.found.info):
            if self.depth > 1 and self.opened is not None:
                return self._break_off(self.opened)
            self._blame(Reason.NOT_CLOSED, token.start(_NAME))
        if self.main_line and name in _WANTED:
            self.found.take(name, [value[1:-1].strip() for value in VALUE.findall(token[_VALUES])])
        return True

    def _pass_over_text(self) -> bool:
        """Step over what is no SGF; False at the end of the data or at a value that is never closed."""
        text = _STRAY_TEXT.match(self.data, self.position)
        assert text is not None  # it matches nothing, too
        value = VALUE.match(self.data, text.end())
        if text.end() == len(self.data):
            return self._break_off(text.end())
        if self.data[text.end()] == ord("[") and not value:
            following = ROOT_START.search(self.data, text.end())
            return self._break_off(following.start() if following else len(self.data))
        self._blame(Reason.STRAY_TEXT, text.start(1))
        self.position = value.end() if value else text.end()
        return True

    def _break_off(self, end: int) -> bool:
        """End the game without its last bracket."""
        if self.main_line:
            self._blame(Reason.NOT_CLOSED, max(self.position - 40, 0))
        self.position = end
        return False

    def _blame(self, reason: Reason, place: int) -> None:
        self.found.blame(reason, self.data[place : place + 60])
