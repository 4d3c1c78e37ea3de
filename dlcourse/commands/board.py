"""`dlcourse board`: TensorBoard on the folder of runs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from dlcourse.commands.arguments import argument, read
from dlcourse.errors import ConfigError


@dataclass(frozen=True)
class Arguments:
    """What `dlcourse board` takes."""

    runs: Path = argument("Folder that holds the runs.", default=Path("runs"), bare=True)
    port: int = argument("Port to listen on; 0 takes a free one.", default=6006)
    host: str = argument("Address to listen on; 0.0.0.0 lets other machines look.", default="localhost")


def main(argv: list[str]) -> int:
    """Run TensorBoard until Ctrl-C; gives its exit code."""
    given = read(Arguments, argv, command="board", purpose="TensorBoard on the folder of runs.")
    if not given.runs.is_dir():
        raise ConfigError(f"{given.runs}: there is no such folder; train first, or name another with runs=")
    words = ["--logdir", str(given.runs), "--port", str(given.port), "--host", given.host]
    return subprocess.call([sys.executable, "-m", "tensorboard.main", *words])
