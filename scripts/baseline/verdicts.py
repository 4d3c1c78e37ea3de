"""Whether a run differs from the baseline on the same test items, and whether chance explains it."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dlcourse.errors import DataError
from dlcourse.statistics import Discordance, Interval, mcnemar, paired_bootstrap

UNLIKELY = 0.05  # a smaller p-value is not put down to chance


@dataclass(frozen=True, eq=False)
class Predictions:
    """What predictions.npz holds of a test split.

    Args:
        index: int64 [N], the items' places in their split.
        label: int64 [N], their true classes.
        scores: float32 [N, K], the chance of each class.
    """

    index: NDArray[np.int64]
    label: NDArray[np.int64]
    scores: NDArray[np.float32]

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a run's file.

        Raises:
            DataError: it is missing, damaged or not one of a classification.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                found = cls(*(arrays[name] for name in ("index", "label", "scores")))
        except FileNotFoundError as error:
            raise DataError(f"{path}: not there; a run writes it when it has ended") from error
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            raise DataError(f"{path}: damaged, or not of a classification ({' '.join(str(error).split())})") from error
        if (
            found.index.ndim != 1
            or found.label.shape != found.index.shape
            or found.scores.shape[:-1] != found.index.shape
        ):
            raise DataError(f"{path}: damaged (its arrays are not of one length)")
        return found

    def arrays(self) -> Mapping[str, np.ndarray[Any, Any]]:
        """As they are written."""
        return {"index": self.index, "label": self.label, "scores": self.scores}

    @property
    def hits(self) -> NDArray[np.bool_]:
        """Bool [N]: which items are right."""
        return self.scores.argmax(1) == self.label


def verdict(run: str, theirs: Predictions, *, baseline: Predictions) -> dict[str, Any]:
    """A run against the baseline: McNemar's test, the interval of the difference, a sentence.

    Raises:
        DataError: they did not predict the same items.
    """
    for name in ("index", "label"):
        if not np.array_equal(getattr(theirs, name), getattr(baseline, name)):
            raise DataError(
                f"{run}: its test split is not the baseline's ({name} differs); give the baseline the data settings "
                "of the run"
            )
    odds, gap = mcnemar(theirs.hits, baseline.hits), paired_bootstrap(theirs.hits, baseline.hits)
    return {
        "run": run,
        "accuracy": float(theirs.hits.mean()),
        "difference": gap.difference,
        "interval_95": [gap.low, gap.high],
        "run_alone_right": odds.only_first,
        "baseline_alone_right": odds.only_second,
        "mcnemar_p": odds.p_value,
        "sentence": sentence(run, theirs, baseline, odds, gap),
    }


def sentence(run: str, theirs: Predictions, baseline: Predictions, odds: Discordance, gap: Interval) -> str:
    """The conclusion in words, differences in percentage points."""
    better = "better" if gap.difference > 0 else "worse"
    conclusion = (
        f"the run is {better}, by more than chance explains" if odds.p_value < UNLIKELY else "chance may explain it"
    )
    return (
        f"{run}: {theirs.hits.mean():.2%} right, the baseline {baseline.hits.mean():.2%}, {100 * gap.difference:+.2f} "
        f"points (95 % interval {100 * gap.low:+.2f} to {100 * gap.high:+.2f}); the run alone is right on "
        f"{odds.only_first:,} items and the baseline alone on {odds.only_second:,}, McNemar's p = {odds.p_value:.2g}: "
        f"{conclusion}"
    )
