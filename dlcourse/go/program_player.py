"""A Go program behind GTP as a player: it is told what happened on the board since it was asked last."""

from __future__ import annotations

from dlcourse.go.board import Board
from dlcourse.go.gtp_program import GtpProgram, ProgramFault, Refused
from dlcourse.go.player import RESIGN
from dlcourse.go.points import LETTERS, from_vertex, pass_point, to_vertex

CLEANUP = "kgs-genmove_cleanup"
"""What asks for a move after both have passed, until dead stones are gone; not every program knows it."""


class ProgramPlayer:
    """A player whose moves come from a program.

    Args:
        program: the program, running.
    """

    size = None

    def __init__(self, program: GtpProgram) -> None:
        self.program = program
        self.name = program.name
        self._told: list[tuple[int, int]] = []
        self._setting: tuple[int, float] | None = None

    @property
    def cleans_up(self) -> bool:
        """Whether it can be asked to capture dead stones before the count."""
        return CLEANUP in self.program.commands

    def choose(self, board: Board, colour: int, *, komi: float, cleanup: bool = False) -> int:
        """As `Player` has it. A program that cannot clean up passes then.

        Raises:
            ProgramFault: it ended, keeps silent, refuses a move or answers with no vertex.
        """
        self._catch_up(board, komi=komi)
        if cleanup and not self.cleans_up:
            return self._pass(board, colour)
        vertex = self._obey(f"{CLEANUP if cleanup else 'genmove'} {LETTERS[colour]}")
        if vertex.lower() == "resign":
            return RESIGN
        try:
            point = from_vertex(vertex, size=board.size)
        except ValueError as error:
            raise ProgramFault(f"{self.program}: it answered genmove with {vertex[:40]!r}, which is no move") from error
        self._told = [*board.moves, (colour, point)]
        return point

    def _pass(self, board: Board, colour: int) -> int:
        """Pass for it."""
        self._obey(f"play {LETTERS[colour]} pass")
        self._told = [*board.moves, (colour, pass_point(board.size))]
        return pass_point(board.size)

    def _catch_up(self, board: Board, *, komi: float) -> None:
        """Tell it what it does not know; from the start if the board is none that follows from what it knows.

        Raises:
            ProgramFault: it refuses something.
        """
        known = self._told
        follows = self._setting == (board.size, komi) and 0 < len(known) <= len(board.moves)
        if not follows or board.moves[: len(known)] != known:
            for command in (f"boardsize {board.size}", "clear_board", f"komi {komi:g}"):
                self._obey(command)
            known = []
        for colour, point in board.moves[len(known) :]:
            self._obey(f"play {LETTERS[colour]} {to_vertex(point, size=board.size)}")
        self._told, self._setting = list(board.moves), (board.size, komi)

    def _obey(self, command: str) -> str:
        try:
            return self.program.ask(command)
        except Refused as refused:
            raise ProgramFault(f"{self.program}: it refused {refused.command!r}: {refused.answer}") from refused
