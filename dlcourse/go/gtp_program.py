"""Another Go program, run beside this one and asked in the Go Text Protocol (GTP version 2, draft 2)."""

from __future__ import annotations

import queue
import shlex
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import IO, Self

from dlcourse.errors import ConfigError, RunError

LAST_WORDS = 5
"""So many lines of what a program wrote to its standard error are quoted when it fails."""
LONGEST_LINE = 1 << 16  # bytes; a program that never ends a line must not fill the memory
LONGEST_ANSWER = 10_000  # lines


class ProgramFault(RunError):
    """A program ended, kept silent, or does not speak the protocol."""


class Refused(Exception):
    """A program answered a command with `?`.

    Args:
        command: what it was asked.
        answer: its reason.
    """

    def __init__(self, command: str, answer: str) -> None:
        super().__init__(f"{command}: {answer}")
        self.command = command
        self.answer = answer


def split_command(text: str) -> list[str]:
    """The words of a command line, quotes as in a shell; no shell ever sees it.

    Raises:
        ConfigError: a quote is open, or there is no word.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"{text!r} is no command line: {str(error).lower()}") from error
    if not words:
        raise ConfigError("the command line of a Go program is empty; such as: gnugo --mode gtp")
    return words


class GtpProgram:
    """A running program; use it in a `with` statement, so that it ends.

    Args:
        words: the program and its arguments.
        timeout: seconds that any answer may take.

    Raises:
        ConfigError: it cannot be started.
        ProgramFault: it does not answer as the protocol wants.
    """

    def __init__(self, words: Sequence[str], *, timeout: float = 60.0) -> None:
        self.words = tuple(words)
        self.timeout = timeout
        try:
            self._process = subprocess.Popen(
                self.words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as error:
            raise ConfigError(f"{self}: it cannot be started ({error.strerror or error})") from error
        self._lines: queue.Queue[bytes | None] = queue.Queue(maxsize=LONGEST_ANSWER)
        self._errors: deque[bytes] = deque(maxlen=LAST_WORDS)
        self._closed = threading.Event()
        self._readers = [
            threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._overhear, args=(self._process.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        try:
            self.commands = frozenset(self.ask("list_commands").split())
            """All that it says it understands."""
            self.name = " ".join(self.ask("name").split())
        except Refused as refused:
            self.close()
            raise ProgramFault(f"{self}: it refuses a command that every GTP program knows: {refused}") from refused
        except BaseException:
            self.close()
            raise

    def __str__(self) -> str:
        return shlex.join(self.words)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def ask(self, command: str) -> str:
        """Its answer to a command, without the sign and the empty line around it.

        Raises:
            Refused: it answers with `?`.
            ProgramFault: it ended, took longer than the timeout, or answered something that is no GTP.
        """
        if "\n" in command or "\r" in command:
            raise ValueError(f"command must be one line, not {command!r}")
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(f"{command}\n".encode())
            stdin.flush()
        except OSError as error:
            raise self._ended(command) from error
        sign, *rest = self._answer(command)
        text = "\n".join([sign[1:].strip(), *rest]).strip("\n")
        if sign.startswith("?"):
            raise Refused(command, text)
        return text

    def close(self) -> None:
        """Let it end: a word, then a second, then force. Nothing happens the second time."""
        if self._closed.is_set():
            return
        self._closed.set()
        process = self._process
        assert process.stdin is not None
        try:
            process.stdin.write(b"quit\n")
            process.stdin.close()
            process.wait(1)
        except OSError:  # it has ended
            pass
        except subprocess.TimeoutExpired:
            process.terminate()
        try:
            process.wait(1)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # Its own children may hold the pipes open; then the readers, who would be the ones to close them, are left.
        for reader, stream in zip(self._readers, (process.stdout, process.stderr), strict=True):
            reader.join(1)
            if stream is not None and not reader.is_alive():
                stream.close()

    def _answer(self, command: str) -> list[str]:
        """The lines up to the empty one; what stands before a line with a sign is none of the protocol's."""
        until = time.monotonic() + self.timeout
        found: list[str] = []
        stray = 0
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                raise ProgramFault(f"{self}: no answer to {command!r} within {self.timeout:g} s") from None
            if line is None:
                raise self._ended(command)
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if found and not text.strip():
                return found
            if found or text.startswith(("=", "?")):
                found.append(text)
            elif text.strip():
                stray += 1
            if stray + len(found) > LONGEST_ANSWER:
                raise ProgramFault(f"{self}: its answer to {command!r} has no end; does it speak GTP?")

    def _ended(self, command: str) -> ProgramFault:
        """The fault of a program that is no more, with what it said last."""
        for reader in self._readers:
            reader.join(1)
        try:
            code: object = self._process.wait(1)
        except subprocess.TimeoutExpired:  # it has only closed its pipes
            code = "not yet known"
        words = [line.decode("utf-8", "replace").strip() for line in self._errors.copy()]
        said = "; ".join(word for word in words if word)
        return ProgramFault(
            f"{self}: it ended (exit code {code}) when it was asked {command!r}",
            *([f"it said: {said}"] if said else []),
        )

    def _listen(self, stream: IO[bytes]) -> None:
        """Put its lines into the queue, and None at their end."""
        for line in _lines(stream):
            self._put(line)
        self._put(None)

    def _put(self, line: bytes | None) -> None:
        """Wait for room, but not for a reader who has left."""
        while not self._closed.is_set():
            try:
                self._lines.put(line, timeout=0.2)
            except queue.Full:
                continue
            return

    def _overhear(self, stream: IO[bytes]) -> None:
        """Read what it complains of, so that it need not wait, and keep the end."""
        self._errors.extend(_lines(stream))


def _lines(stream: IO[bytes]) -> Iterable[bytes]:
    """Its lines to the end, too long ones in pieces."""
    return iter(lambda: stream.readline(LONGEST_LINE), b"")
