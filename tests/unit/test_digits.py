"""The embedded digits against scikit-learn's own reader."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from dlcourse.data.digits import Digits
from dlcourse.data.images import ImageSplit


def test_all_digits_are_there_as_scikit_learn_reads_them() -> None:
    parts = Digits().read()
    images = torch.cat([parts.train.images, parts.test.images])
    labels = torch.cat([parts.train.labels, parts.test.labels])
    official = load_digits()
    expected = np.round(official.images * 255 / 16).astype(np.uint8).reshape(len(official.target), -1)

    def rows(pixels: np.ndarray, targets: np.ndarray) -> list[list[int]]:
        return sorted(np.column_stack([pixels, targets]).tolist())

    assert rows(images.flatten(1).numpy(), labels.numpy()) == rows(expected, official.target)


def test_a_fifth_of_every_class_is_test_and_no_choice_moves_it() -> None:
    parts = Digits().read()
    counts = torch.bincount(torch.cat([parts.train.labels, parts.test.labels]))
    assert torch.bincount(parts.test.labels).tolist() == [round(count * 0.2) for count in counts.tolist()]
    first, second = Digits().load(), Digits(split_seed=1, val_fraction=0.3).load()
    assert first.test.fingerprint == second.test.fingerprint
    assert first.val.fingerprint != second.val.fingerprint


def test_the_facts_are_what_the_data_has() -> None:
    splits, facts = Digits().load(), Digits().facts()
    assert isinstance(splits.train, ImageSplit)
    assert facts == {"num_classes": 10, "in_channels": 1, "image_size": 8, "classes": splits.train.classes}
    assert splits.train.fetch(torch.arange(4)).images.shape == (4, 1, 8, 8)
    assert len(splits.train) + len(splits.val) + len(splits.test) == 1797


def test_reading_them_does_not_import_scikit_learn() -> None:
    code = "import sys; from dlcourse.data.digits import Digits; Digits().load(); sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_wrong_argument_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"^crop_padding must be 0 or more"):
        Digits(crop_padding=-1)
