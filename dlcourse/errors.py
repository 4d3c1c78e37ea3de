"""Faults that a user can cause, each told in one block without a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A fault that the user can mend; every problem is one line: what was given, what is allowed, what to do.

    Args:
        problems: one line each; all of them are shown together.
        exit_code: 2 if found before the first optimizer step, 1 after it.
    """

    def __init__(self, *problems: str, exit_code: int = 2) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        self.exit_code = exit_code


class ConfigError(UserError):
    """The command line or a config file asks for something that cannot be."""


class NotAvailable(ConfigError):
    """The device cannot compute what was asked for; another one, or another precision, can."""


class DataError(UserError):
    """A data set is missing, damaged or not what its format promises."""


class CheckpointError(UserError):
    """A checkpoint or run folder cannot be used."""


class RunError(UserError):
    """A run had to stop after its first step; its last good checkpoint stands."""

    def __init__(self, *problems: str, exit_code: int = 1) -> None:
        super().__init__(*problems, exit_code=exit_code)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name closest to `word`, or None if none is close."""
    names = sorted(set(known))
    folded = {name.lower(): name for name in names}
    if word.lower() in folded:
        return folded[word.lower()]
    found = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def suggestion(word: str, known: Iterable[str], *, most: int = 12) -> str:
    """The end of an error line: the nearest name, or what there is to choose from."""
    names = sorted(set(known))
    if close := nearest(word, names):
        return f"; did you mean '{close}'?"
    if not names:
        return ""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return f"; there is {', '.join(names[:most])}{rest}"


def block(error: UserError) -> str:
    """What stands on stderr: the program's name before every problem, each on one line whatever it quotes."""
    lines = ["\\n".join(problem.splitlines()) for problem in error.problems]
    return "\n".join(f"dlcourse: {line}" for line in lines)
