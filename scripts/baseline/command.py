"""What the scripts of baselines share: their command line, the data that it names, what their numbers hold for."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from dlcourse.commands.arguments import usage
from dlcourse.config.build import call
from dlcourse.config.check import check
from dlcourse.config.compose import compose
from dlcourse.config.overrides import split
from dlcourse.data.base import DataSet
from dlcourse.errors import UserError, block
from dlcourse.run.environment import version
from dlcourse.training.runtime import processor

RESULTS = Path(__file__).parents[1] / "results"


def answer(
    argv: Sequence[str], *, name: str, purpose: str, arguments: type, work: Callable[[Sequence[str]], None]
) -> int:
    """Print the help that is asked for, or do the work; gives the exit code.

    Args:
        argv: the words of the command line.
        name: the script's file name.
        purpose: what stands above its arguments.
        arguments: the dataclass of what it takes beside `data=` and `data.*`.
        work: what the script does with its words.
    """
    if {"--help", "-h"} & set(argv):
        print(usage(arguments, command=name, purpose=purpose).replace("dlcourse ", "python scripts/", 1), end="")
        return 0
    try:
        work(argv)
    except UserError as error:
        print(block(error), file=sys.stderr)
        return error.exit_code
    return 0


def apart(argv: Sequence[str]) -> tuple[str, list[str], list[str]]:
    """The name of the data, the words that say which data, and the other words."""
    of_data = [word for word in argv if word.startswith(("data=", "data."))]
    name = next((word.removeprefix("data=") for word in of_data if word.startswith("data=")), "data")
    return name, of_data, [word for word in argv if word not in of_data]


def data_set(words: Sequence[str]) -> DataSet:
    """The data set that such words name, nothing of it read yet; ConfigError if there is none."""
    data: DataSet = call(compose(check(split(words)).overrides)["data"], at="data")
    return data


def circumstances(
    argv: Sequence[str], *, name: str, places: Collection[str], packages: Collection[str]
) -> dict[str, Any]:
    """What the numbers hold for.

    Args:
        argv: the words of the command line.
        name: the script's file name.
        places: keys of words that only say where things lie on this machine, which are left out.
        packages: whose versions matter.
    """
    words = [word for word in argv if "=" in word and word.partition("=")[0] not in places]
    return {
        "command": f"python scripts/{name} {' '.join(words)}",
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": {"processor": processor(), "cores": os.cpu_count(), "system": platform.platform()},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
    }
