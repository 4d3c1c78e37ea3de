"""The engine's side of the Go Text Protocol (GTP version 2, draft 2): a line in, an answer out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from dlcourse.errors import UserError
from dlcourse.go.gtp_analysis import ANALYSIS
from dlcourse.go.gtp_files import FILES
from dlcourse.go.gtp_game import GAME
from dlcourse.go.gtp_session import Command, Failure, Session
from dlcourse.go.gtp_setup import SETUP
from dlcourse.go.player import Adviser

CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What section 3.1 strikes out of a line; a tab becomes a space."""
ID = re.compile(r"[0-9]{1,10}")


class Engine:
    """Answers a controller, such as a Go board on the screen.

    Args:
        session: the game and the player.
        version: of this program.
    """

    def __init__(self, session: Session, *, version: str = "") -> None:
        self.session = session
        self.version = version
        self.closed = False
        """Whether it was told to quit."""
        advises = isinstance(session.player, Adviser)
        self._commands: Mapping[str, Command] = {
            **self._own(),
            **SETUP,
            **GAME,
            **FILES,
            **(ANALYSIS if advises else {}),
        }

    def answer(self, line: str) -> str | None:
        """What the protocol answers to a line, with the empty line at its end; None to a line that says nothing."""
        words = CONTROL.sub("", line.replace("\t", " ").partition("#")[0]).split(" ")
        words = [word for word in words if word]
        number = words.pop(0) if words and ID.fullmatch(words[0]) else ""
        if not words:
            return f"?{number} syntax error\n\n" if number else None
        name, *rest = words
        if name not in self._commands:
            return f"?{number} unknown command\n\n"
        try:
            text = self._commands[name](self.session, rest)
        except Failure as failure:
            return f"?{number} {failure}\n\n"
        except UserError as error:  # such as a network that gives no numbers: the controller hears of it
            return f"?{number} {'; '.join(error.problems)}\n\n"
        return f"={number} {text}".rstrip() + "\n\n"

    def _own(self) -> Mapping[str, Command]:
        """The commands about the engine itself."""

        def quit_(_session: Session, _words: list[str]) -> str:
            self.closed = True
            return ""

        def known(_session: Session, words: list[str]) -> str:
            return "true" if words and words[0] in self._commands else "false"

        def constant(text: str) -> Command:
            return lambda _session, _words: text

        return {
            "protocol_version": constant("2"),
            "name": constant(self.session.player.name),
            "version": constant(self.version),
            "known_command": known,
            "list_commands": lambda _session, _words: "\n".join(sorted(self._commands)),
            "quit": quit_,
        }


def serve(engine: Engine, lines: Iterable[str], *, write: Callable[[str], object]) -> None:
    """Answer line after line until there is none, or until the engine is told to quit."""
    for line in lines:
        if (text := engine.answer(line)) is not None:
            write(text)
        if engine.closed:
            return
