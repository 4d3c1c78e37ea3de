"""Weights that a run names to hold still are those of the model, and leave some to train."""

from __future__ import annotations

import pytest
from torch import nn

from dlcourse.errors import ConfigError
from dlcourse.models.speednet import SpeedNet
from dlcourse.training.state import check_freezing, weights_below


def model() -> nn.Module:
    return SpeedNet(num_classes=3, image_size=16, widths=(4, 5, 6), freeze_whitening=True)


def test_a_name_stands_for_itself_and_all_below_it_and_not_for_names_that_begin_alike() -> None:
    pair = nn.ModuleDict({"one": nn.Linear(2, 3), "one_more": nn.Linear(2, 3)})
    assert [tuple(one.shape) for one in weights_below(pair, "one")] == [(3, 2), (3,)]
    assert [tuple(one.shape) for one in weights_below(pair, "one.bias")] == [(3,)]
    assert weights_below(pair, "one_") == []


@pytest.mark.parametrize("names", [[], ["whiten"], ["whiten.bias", "blocks.0.conv1.weight", "blocks.2"]])
def test_names_of_weights_and_of_modules_are_taken(names: list[str]) -> None:
    check_freezing(model(), names)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["whiten.bais"], r"^freeze: the model has no weights whiten\.bais; did you mean 'whiten\.bias'\?$"),
        (["block.0"], r"^freeze: the model has no weights block\.0; did you mean 'blocks\.0'\?$"),
        (["whiten", "blocks", "head"], "^freeze: it leaves nothing to train; take fewer names$"),
    ],
)
def test_a_wrong_name_and_too_many_names_are_told(names: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_freezing(model(), names)
