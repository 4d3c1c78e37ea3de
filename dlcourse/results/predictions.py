"""Which test items a run has right, from its predictions.npz."""

from __future__ import annotations

import zipfile
import zlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dlcourse.errors import RunError
from dlcourse.folders import RunFolder
from dlcourse.results.record import RunRecord

if TYPE_CHECKING:
    from dlcourse.statistics import Hits

MOST_BYTES = 4 << 30  # of the arrays, unpacked; ImageNet's test split takes 400 MB


class NoPredictions(RunError):
    """A run's predictions are missing, damaged, or of other items; the text is a reason without the run's name."""


def paired_hits(first: RunRecord, second: RunRecord) -> tuple[Hits, Hits]:
    """Bool [N] of each run, over the same test items in the same order.

    Raises:
        NoPredictions: the test fingerprints do not agree, or one run's predictions cannot be had.
    """
    sums = [record.fingerprints.get("test") for record in (first, second)]
    if sums[0] is None or sums[0] != sums[1]:
        raise NoPredictions("the fingerprints of their test splits differ, so they are not compared item by item")
    (one, label, index), (other, other_label, other_index) = read_hits(first), read_hits(second)
    if not np.array_equal(label, other_label) or not np.array_equal(index, other_index):
        raise NoPredictions("their predictions.npz hold other test items, although the fingerprints agree")
    return one, other


def read_hits(record: RunRecord) -> tuple[Hits, NDArray[np.int64], NDArray[np.int64]]:
    """Hits bool [N], labels int64 [N] and places in the split int64 [N] of a run.

    A file of classification holds `scores`, of move prediction `prediction`.

    Raises:
        NoPredictions: there is no such file, or it is damaged.
    """
    path = RunFolder(record.path).predictions
    try:
        label, index, taken = arrays(path, path.stat().st_mtime_ns)
    except FileNotFoundError as error:
        raise NoPredictions(f"{record.name} has no predictions.npz") from error
    except (OSError, ValueError, KeyError, IndexError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise NoPredictions(f"predictions.npz of {record.name} is damaged ({reason})") from error
    if label.ndim != 1 or not len(label) or not label.shape == index.shape == taken.shape:
        raise NoPredictions(f"predictions.npz of {record.name} is damaged (its arrays do not fit each other)")
    return taken == label, label, index


@lru_cache(maxsize=64)
def arrays(path: Path, stamp: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Label, place and prediction of each item, as the file has them.

    Args:
        path: the file.
        stamp: when it was written; each of many runs is compared with all the others, and read once.

    Raises:
        ValueError: it unpacks to more than a test split takes, and whatever numpy raises of a damaged file.
    """
    check_size(path)
    with np.load(path, allow_pickle=False) as held:
        taken = held["prediction"] if "prediction" in held else np.asarray(held["scores"]).argmax(axis=1)
        return np.asarray(held["label"]), np.asarray(held["index"]), np.asarray(taken)


def check_size(path: Path) -> None:
    """Raise ValueError if an archive unpacks to more than a test split takes."""
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MOST_BYTES:
        raise ValueError(f"it holds {size:,} bytes")
