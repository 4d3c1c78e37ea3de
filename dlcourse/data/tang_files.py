"""The files of the Complete Tang Poems (全唐詩) in the chinese-poetry collection (MIT), found, fetched and read."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from dlcourse.data.fetch import INSTEAD, Remote, fetch
from dlcourse.data.roots import find_folder, incomplete, not_found
from dlcourse.errors import DataError

COLLECTION, FOLDER = "chinese-poetry", "全唐诗"
FILES = tuple(f"poet.tang.{number}.json" for number in range(0, 58_000, 1_000))
# The collection's own package, which carries its files as they stand in https://github.com/chinese-poetry/chinese-poetry
# at commit 99ebbef7e1345c0985c44b9fd96a3f9e776f117b. GitHub promises no bytes for its archives; the npm registry does:
# https://registry.npmjs.org/chinese-poetry/2.0.1, dist.integrity, here in hex.
ARCHIVE = Remote(
    ("https://registry.npmjs.org/chinese-poetry/-/chinese-poetry-2.0.1.tgz",),
    "sha512:2ad60046f57b09636d6b1d276bdf899fa3e5846812a2277b3d6c83cd72382ac0"
    "849b6a1d65ca84432bda97992868bca066733f110de57c9fffdb92bca77b8736",
)
PUBLISHED = "3f7d2ecd229e8f4cca51255f6cc584509e2ad481f7c13cab8b02e1c656a065a0"
"""SHA-256 (hex) of the files of that revision, one after the other."""
_MEMBER = re.compile(r"package/dist/quantangshi/(poet\.tang\.\d+\.json)")
_LICENSE = "package/LICENSE"


@dataclass(frozen=True)
class TangFiles:
    """The content of all files, in their order.

    Args:
        folder: where they are.
        contents: the bytes of each.
        digest: SHA-256 (hex) of all of them.
    """

    folder: Path
    contents: Sequence[bytes]
    digest: str

    def texts(self) -> Iterator[tuple[str, str]]:
        """(poem as printed, title) of each poem.

        Raises:
            DataError: a file is not what the collection promises.
        """
        for name, content in zip(FILES, self.contents, strict=True):
            try:
                for poem in cast(list[dict[str, Any]], json.loads(content)):
                    yield "".join(poem["paragraphs"]), str(poem["title"])
            except (ValueError, LookupError, TypeError, RecursionError) as error:
                raise DataError(
                    f"{self.folder / name}: is no list of poems with paragraphs and a title ({error}): "
                    f"move the folder away to download it again, or {INSTEAD}"
                ) from None


def find(root: Path, *, download: bool) -> Path:
    """The folder with the files: in `root`, or `root` itself; fetched if it is missing and may be.

    Raises:
        DataError: it is neither there nor to be had.
    """
    found = find_folder(root, names=[f"{COLLECTION}/{FOLDER}", FOLDER], files=FILES)
    if found is not None:
        return found
    if not download:
        raise not_found(root, what=f"{COLLECTION}/{FOLDER} folder")
    packed = fetch(ARCHIVE, folder=root)
    _unpack(packed, folder=root / COLLECTION)
    packed.unlink(missing_ok=True)
    return root / COLLECTION / FOLDER


def read_files(folder: Path) -> TangFiles:
    """All files of the set.

    Raises:
        DataError: one is missing or cannot be read.
    """
    if lacking := [name for name in FILES if not (folder / name).is_file()]:
        more = [f"{len(lacking) - 3} more"] if len(lacking) > 3 else []
        raise incomplete(folder, lacking=[*lacking[:3], *more])
    try:
        contents = [(folder / name).read_bytes() for name in FILES]
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error}): {INSTEAD}") from None
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content)
    return TangFiles(folder, contents, digest.hexdigest())


def _unpack(archive: Path, *, folder: Path) -> None:
    """The set's files and the licence out of the archive of the whole collection, which is 14 times as large."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=folder) as name:
            staging = Path(name) / FOLDER
            staging.mkdir()
            with tarfile.open(archive, mode="r|gz") as members:
                for member in members:
                    wanted = _MEMBER.fullmatch(member.name)
                    content = members.extractfile(member) if wanted or member.name == _LICENSE else None
                    if content is not None:
                        target = staging / wanted[1] if wanted else folder / "LICENSE"
                        with content, target.open("wb") as file:
                            shutil.copyfileobj(content, file)
            staging.replace(folder / FOLDER)
    except (tarfile.TarError, EOFError, zlib.error, OSError, KeyError) as error:
        raise DataError(f"{archive}: cannot be unpacked ({error}): delete it and try again, or {INSTEAD}") from None
