"""Where a command may write a file, checked before any work."""

from __future__ import annotations

from pathlib import Path

from dlcourse.errors import ConfigError


def check_file(path: Path, *, argument: str, example: str) -> None:
    """ConfigError unless a file can stand there.

    Args:
        path: the file.
        argument: what names it on the command line.
        example: a name for it, told where a folder was named.
    """
    if path.is_dir():
        raise ConfigError(f"{argument}: {path} is a folder; name a file, such as {argument}={path / example}")
    if not path.parent.is_dir():
        raise ConfigError(f"{argument}: there is no folder {path.parent}; make it, or name another file")


def check_picture(path: Path, *, argument: str) -> None:
    """ConfigError unless a PNG can stand there."""
    if path.suffix.lower() != ".png":
        raise ConfigError(f"{argument}: {path} does not end in .png, and the picture is a PNG; name it {path.stem}.png")
    check_file(path, argument=argument, example="curves.png")
