"""argv -> command, and the one place where a user's faults become lines and exit codes."""

from __future__ import annotations

import importlib
import io
import os
import sys
import traceback
from collections.abc import Sequence

from dlcourse import __version__
from dlcourse.commands import COMMANDS, COMPOSED
from dlcourse.errors import ConfigError, UserError, block, suggestion

USAGE = """\
usage: dlcourse COMMAND [key=value ...]

{commands}

  dlcourse COMMAND --help    what a command takes
  dlcourse --version         the version
  DLCOURSE_DEBUG=1           show where a fault was found

examples:
  dlcourse train
  dlcourse train model=resnet18 data=cifar10 optimizer.lr=0.05 epochs=30
  dlcourse train -m data=mnist model=lenet5,resnet18 seed=1,2,3
  dlcourse board
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and give its exit code: 0 done, 2 a fault before the first step, 1 one after it.

    Args:
        argv: the words after the program's name; None takes those of this process.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a path may hold letters that the terminal's encoding lacks
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _dispatch(words)
        sys.stdout.flush()
    except UserError as error:
        if os.environ.get("DLCOURSE_DEBUG"):
            traceback.print_exc()
        print(block(error), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        # The interpreter flushes stdout once more when it ends; let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def usage() -> str:
    """What `dlcourse` alone prints."""
    width = max(map(len, COMMANDS))
    return USAGE.format(commands="\n".join(f"  {name:{width}}  {purpose}" for name, purpose in COMMANDS.items()))


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("--help", "-h", "help"):
        print(usage(), end="")
        return 0
    if words[0] == "--version":
        print(f"dlcourse {__version__}")
        return 0
    name, rest = words[0], words[1:]
    if name in COMPOSED and {"--help", "-h"} & set(rest):
        name, rest = "help", words
    for flag in ("-sc", "--shell-completion"):  # Hydra's spelling reaches the same completer
        if name.startswith("-") or name in COMPOSED:
            name, rest = ("completion", words[words.index(flag) :]) if flag in words else (name, rest)
    if name not in (*COMMANDS, "help"):
        hint = f"; to train write dlcourse train {name}" if "=" in name else suggestion(name, COMMANDS)
        raise ConfigError(f"{name}: there is no such command{hint}")
    command = importlib.import_module(f"dlcourse.commands.{name}")
    code: int = command.main(rest)
    return code
