"""Files of Go games: a folder of them, a single one, or archives, which are read in memory and never unpacked."""

from __future__ import annotations

import hashlib
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dlcourse.errors import DataError

GAMES: Final = ".sgf"
LARGEST_FILE = 1 << 28
"""Bytes of one file of games, 200 times a collection of a thousand: what is longer is no such file."""

_DAMAGED = (
    OSError, EOFError, ValueError, RuntimeError, NotImplementedError,
    zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile,
)  # fmt: skip

Contents = Iterator[tuple[str, bytes]]


@dataclass(frozen=True)
class GoFiles:
    """Files and archives of games, sorted by name.

    Args:
        root: the folder that holds them, or the only one.
        names: relative to `root`; "" for `root` itself.
        digest: SHA-256 (hex) of every file's name, size and time of change.
    """

    root: Path
    names: Sequence[str]
    digest: str

    def read(self) -> Contents:
        """Name and bytes of every file of games, those inside archives included.

        Raises:
            DataError: a file cannot be read, an archive is damaged or holds a file of more than 256 MiB.
        """
        for name in self.names:
            path = f"{self.root}/{name}" if name else str(self.root)
            own = name or self.root.name
            try:
                for inner, data in _reader(own)(path):
                    yield f"{own}/{inner}" if inner else own, data
            except _DAMAGED as error:
                reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
                raise DataError(f"{path}: cannot be read ({reason}): mend it, or take it away") from None


def find_games(root: Path) -> GoFiles:
    """All files of games and archives below `root`, or `root` itself; those whose name begins with a dot are left out.

    Raises:
        DataError: there are none, or a folder cannot be looked into.
    """
    if not root.exists():
        raise DataError(f"{root}: no such file or folder: give data.root=FOLDER with games of Go")
    try:
        if root.is_dir():
            found = sorted(_scan(str(root), above=""))
        else:
            found = [_line("", root.stat())] if _is_read(root.name) and root.is_file() else []
    except OSError as error:
        raise DataError(f"{root}: cannot be looked into ({error.strerror}): give another data.root") from None
    if not found:
        kinds = f"*{GAMES}, *{', *'.join(_ARCHIVES)}"
        wanted = f"give data.root=FOLDER with {kinds} in it, or one such file"
        raise DataError(f"{root}: holds no games of Go{_instead(root)}: {wanted}")
    digest = hashlib.sha256(repr(found).encode())
    return GoFiles(root, [name for name, _, _ in found], digest.hexdigest())


def _instead(root: Path) -> str:
    """What there is where no file of games is."""
    if not root.is_dir():
        return f", by the end of its name ({root.suffix or 'it has none'})"
    others = [name for _, _, names in os.walk(root) for name in sorted(names)]
    if not others:
        return " and no other file"
    files = "the only file is" if len(others) == 1 else f"its {len(others):,} files are such as"
    return f" ({files} {others[0]})"


def _scan(folder: str, *, above: str) -> Iterator[tuple[str, int, int]]:
    """Name, bytes and nanoseconds of change of each file that is read, in all folders below."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _scan(entry.path, above=f"{above}{entry.name}/")
            elif _is_read(entry.name) and entry.is_file():
                yield _line(f"{above}{entry.name}", entry.stat())


def _line(name: str, about: os.stat_result) -> tuple[str, int, int]:
    return name, about.st_size, about.st_mtime_ns


def _is_read(name: str) -> bool:
    """Whether a file of this name is one of games or an archive; copies of macOS's attributes begin with a dot."""
    return not name.startswith(".") and name.lower().endswith((GAMES, *_ARCHIVES))


def _is_game(name: str) -> bool:
    last = name.rpartition("/")[2]
    return not last.startswith(".") and last.lower().endswith(GAMES)


def _reader(name: str) -> Callable[[str], Contents]:
    return next((read for ending, read in _ARCHIVES.items() if name.lower().endswith(ending)), _read_plain)


def _read_plain(path: str) -> Contents:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123  a Path each costs as much as reading it
        _check_length(os.fstat(file.fileno()).st_size, name="it")
        yield "", file.readall()


def _read_zip(path: str) -> Contents:
    with zipfile.ZipFile(path) as archive:
        for member in sorted(archive.infolist(), key=lambda member: member.filename):
            if not member.is_dir() and _is_game(member.filename):
                _check_length(member.file_size, name=member.filename)
                yield member.filename, archive.read(member)


def _read_tar(path: str) -> Contents:
    # As a stream, so that none is looked for again in the compressed file, and then sorted: the games of a folder are
    # the same games, whichever way they were packed. `tar c .` begins every name with "./".
    found: list[tuple[str, bytes]] = []
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            if member.isreg() and _is_game(member.name):
                _check_length(member.size, name=member.name)
                content = archive.extractfile(member)
                assert content is not None  # a regular file has content
                found.append((member.name.removeprefix("./"), content.read()))
    yield from sorted(found, key=lambda pair: pair[0])


def _check_length(length: int, *, name: str) -> None:
    if length > LARGEST_FILE:
        raise ValueError(f"{name} has more than {LARGEST_FILE >> 20} MiB")


_TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_ARCHIVES: Mapping[str, Callable[[str], Contents]] = {".zip": _read_zip, **dict.fromkeys(_TAR_ENDINGS, _read_tar)}
