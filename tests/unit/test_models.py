"""LeNet-5 and ResNet18, with the paper's count and torchvision as oracles."""

from __future__ import annotations

import pytest
import torch
import torchvision

from dlcourse.models.lenet import LeNet5
from dlcourse.models.resnet import ResNet18


def test_resnet18_with_the_large_stem_is_torchvisions() -> None:
    torch.manual_seed(1)
    theirs = torchvision.models.resnet18(num_classes=7).eval()
    ours = ResNet18(num_classes=7, in_channels=3, image_size=224).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        assert torch.equal(ours(images), theirs(images))


def test_resnet18_starts_as_torchvisions_does() -> None:
    torch.manual_seed(1)
    theirs = torchvision.models.resnet18(num_classes=3).state_dict()
    ours = ResNet18(num_classes=3, in_channels=3, image_size=224).state_dict()
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert ours[name].shape == value.shape
        if value.ndim == 4:
            assert float(ours[name].std()) == pytest.approx(float(value.std()), rel=0.05), name


@pytest.mark.parametrize(("size", "side"), [(8, 8), (32, 32), (64, 64), (65, 17), (224, 56)])
def test_the_stem_fits_the_image(size: int, side: int) -> None:
    model = ResNet18(num_classes=2, in_channels=1, image_size=size, width=2)
    stem = model.maxpool(model.conv1(torch.zeros(1, 1, size, size)))
    assert stem.shape == (1, 2, side, side)
    assert model.eval()(torch.zeros(3, 1, size, size)).shape == (3, 2)


def test_a_stem_can_be_asked_for() -> None:
    assert ResNet18(num_classes=2, image_size=32, stem="large", width=2).conv1.kernel_size == (7, 7)
    assert ResNet18(num_classes=2, image_size=224, stem="small", width=2).conv1.kernel_size == (3, 3)


def test_lenet5_has_the_papers_61706_weights() -> None:
    model = LeNet5(num_classes=10, in_channels=1, image_size=32)
    assert sum(parameter.numel() for parameter in model.parameters()) == 61_706


@pytest.mark.parametrize("size", [12, 13, 28, 31, 32, 33, 64])
@pytest.mark.parametrize("pooling", ["max", "average"])
def test_lenet5_takes_every_image_of_12_pixels_or_more(size: int, pooling: str) -> None:
    model = LeNet5(num_classes=4, in_channels=3, image_size=size, pooling=pooling, activation="tanh")  # type: ignore[arg-type]
    assert model(torch.zeros(2, 3, size, size)).shape == (2, 4)


@pytest.mark.parametrize("model", [LeNet5, ResNet18])
def test_one_class_is_refused(model: type[LeNet5] | type[ResNet18]) -> None:
    with pytest.raises(ValueError, match=r"^num_classes must be at least 2, not 1"):
        model(num_classes=1)


def test_too_small_an_image_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^image_size must be at least 12 pixels, not 11"):
        LeNet5(num_classes=10, image_size=11)


def test_a_width_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^width must be at least 1, not 0"):
        ResNet18(num_classes=10, width=0)
