"""Downloads that finish whole or not at all, and archives unpacked without trust."""

from __future__ import annotations

import gzip
import io
import shutil
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from dlcourse.errors import DataError

if TYPE_CHECKING:
    import pooch

INSTEAD = "give data.root=FOLDER with the files in it, or take an embedded set: data=digits, data=reviews_toy"
_TIMEOUT = 30
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Remote:
    """A publisher's file: mirrors, tried in order, and a checksum such as "md5:c32a...", both from a citable source."""

    urls: Sequence[str]
    checksum: str

    @property
    def name(self) -> str:
        """The last part of the first mirror's path."""
        return self.urls[0].rsplit("/", 1)[-1]


def fetch(remote: Remote, *, folder: Path, retries: int = 2) -> Path:
    """Download a file into `folder` unless it is there with the right checksum.

    The file appears only when it is whole: it is written under a temporary name, checked, and renamed. A progress
    bar is drawn only where stderr is a terminal.

    Args:
        remote: what to fetch.
        folder: where it goes; made if missing.
        retries: further attempts at each mirror, some seconds apart, unless the server refuses.

    Raises:
        DataError: no mirror gave the right bytes, or the folder cannot be written.
    """
    import pooch

    reasons: list[str] = []
    made = not folder.exists()
    for url in remote.urls:
        cache = pooch.create(
            path=folder,
            base_url="",
            registry={remote.name: remote.checksum},
            urls={remote.name: url},
            retry_if_failed=retries,
        )
        try:
            return Path(cache.fetch(remote.name, downloader=_download))  # pyright: ignore[reportArgumentType]
        except (OSError, ValueError, _RefusedError) as error:  # requests' errors are OSErrors, pooch's are ValueErrors
            reasons.append(f"{url} ({_reason(error)})")
    if made and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    raise DataError(f"{folder}: does not hold the set; cannot download {' nor '.join(reasons)}: {INSTEAD}")


class _RefusedError(Exception):
    """The server's no, which asking again does not change."""


def _download(url: str, output_file: str, cache: pooch.Pooch) -> None:
    """pooch's downloader, but a refusal (HTTP 4xx) is not tried again."""
    import pooch
    import requests

    bar = sys.stderr is not None and sys.stderr.isatty()
    download = pooch.HTTPDownloader(progressbar=bar, timeout=_TIMEOUT, chunk_size=_CHUNK)
    try:
        download(url, output_file, cache)
    except requests.HTTPError as error:
        if error.response is not None and 400 <= error.response.status_code < 500:
            raise _RefusedError(f"HTTP {error.response.status_code} {error.response.reason}") from None
        raise


def _reason(error: Exception) -> str:
    """Why a download failed, in a few words."""
    import requests

    if isinstance(error, requests.ConnectionError):
        return "no connection"
    if isinstance(error, requests.Timeout):
        return f"no answer for {_TIMEOUT} s"
    if isinstance(error, ValueError) and "hash" in str(error):
        return "wrong checksum"
    return " ".join(str(error).split()) or type(error).__name__


class _Bounded(io.RawIOBase):
    """A stream of which at most `limit` bytes can be read: a small archive may unpack to terabytes."""

    def __init__(self, stream: io.BufferedIOBase, *, limit: int, name: Path) -> None:
        self._stream, self._left, self._limit, self._name = stream, limit, limit, name

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; DataError if they would exceed the limit."""
        # One byte more than allowed tells a stream that is just as long as the limit from a longer one.
        most = self._left + 1
        chunk = self._stream.read(most if size < 0 else min(size, most))
        self._left -= len(chunk)
        if self._left < 0:
            raise DataError(
                f"{self._name}: unpacks to more than {self._limit:,} bytes: not the publisher's file; delete it"
            )
        return chunk


def unpack_tar(archive: Path, *, folder: Path, limit: int) -> None:
    """Unpack a .tar.gz into `folder`: only regular files with plain names, and only as a whole.

    Stricter than tarfile's "data" filter, which Python 3.11.0 to 3.11.3 lack: no links of any kind, no devices, no
    owners, no modes, no entry that replaces something.

    Args:
        archive: the .tar.gz.
        folder: where its top-level entries appear once all of them are unpacked.
        limit: most bytes that the uncompressed archive may have.

    Raises:
        DataError: the archive is damaged, too large or tries to leave the folder, or the folder cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=folder) as name:
            staging = Path(name)
            with gzip.open(archive) as plain:
                stream = _Bounded(plain, limit=limit, name=archive)
                with tarfile.open(fileobj=stream, mode="r|") as members:
                    for member in members:
                        _unpack_member(members, member, staging=staging, archive=archive)
            for entry in sorted(staging.iterdir()):
                if (folder / entry.name).exists():
                    raise DataError(f"{folder / entry.name}: exists already; move it away to unpack {archive.name}")
                entry.replace(folder / entry.name)
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError) as error:
        raise DataError(f"{archive}: cannot be unpacked ({error}): delete it and try again, or {INSTEAD}") from None


def _unpack_member(members: tarfile.TarFile, member: tarfile.TarInfo, *, staging: Path, archive: Path) -> None:
    path = PurePosixPath(member.name)
    plain = not path.is_absolute() and ".." not in path.parts and "\\" not in member.name and ":" not in member.name
    if not plain or not (member.isreg() or member.isdir()):
        raise DataError(f"{archive}: refuses to unpack {member.name!r}, no plain file inside the archive; delete it")
    target = staging / path
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    content = members.extractfile(member)
    assert content is not None  # a regular file has content
    with content, target.open("xb") as file:
        shutil.copyfileobj(content, file)


def gunzip(path: Path, *, limit: int) -> bytes:
    """The content of a .gz file.

    Raises:
        DataError: the file is missing, damaged or holds more than `limit` bytes.
    """
    try:
        with gzip.open(path) as plain:
            stream = _Bounded(plain, limit=limit, name=path)
            return stream.read()
    except (EOFError, zlib.error, OSError) as error:
        raise DataError(f"{path}: cannot be unpacked ({error}): delete it to download it again, or {INSTEAD}") from None
