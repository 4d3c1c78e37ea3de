"""Whitening start values: patches become white, whatever the images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from torch import nn
from torch.nn.functional import unfold

from dlcourse.data.augment import Augmentation
from dlcourse.data.image_set import channel_statistics
from dlcourse.data.images import ImageSplit
from dlcourse.errors import ConfigError
from dlcourse.models.speednet import SpeedNet
from dlcourse.training.starts import whitening as starts
from dlcourse.training.starts.whitening import second_moments, whitening, whitening_filters


def images_of(count: int, *, channels: int = 3, seed: int = 0) -> ImageSplit:
    """Smooth images, whose neighbouring pixels and channels are alike, with an augmentation that must not matter."""
    generator = torch.Generator().manual_seed(seed)
    steps = torch.randn(count, 10, 12, channels, generator=generator)
    smooth = steps.cumsum(1).cumsum(2).cumsum(3)
    pixels = (128 + 40 * smooth / smooth.std()).clamp(0, 255).to(torch.uint8)
    mean, std = channel_statistics(pixels)
    labels = torch.arange(count) % 2
    return ImageSplit(pixels, labels, ("a", "b"), mean, std, Augmentation(crop_padding=2, flip=True, cutout=4))


def model(**changed: Any) -> SpeedNet:
    torch.manual_seed(0)
    given: dict[str, Any] = {"num_classes": 2, "image_size": 10, "widths": (3, 4, 4)}
    return SpeedNet(**(given | changed))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def patches_of(split: ImageSplit) -> torch.Tensor:
    """Float64 [patches, D]."""
    seen = unfold(split.fetch(torch.arange(len(split))).images, 2).double()
    return seen.transpose(1, 2).flatten(0, 1)


@settings(max_examples=10, deadline=None)
@given(st.sampled_from([1, 3]), st.integers(0, 99))
def test_filtered_training_images_are_white(channels: int, seed: int) -> None:
    split, network = images_of(60, channels=channels, seed=seed), model(in_channels=channels, whitening_bias=False)
    whitening(network, split, generator(), eps=1e-9)
    half = 4 * channels
    with torch.no_grad():
        seen = network.whiten(split.fetch(torch.arange(60)).images).double().transpose(0, 1).flatten(1)
    torch.testing.assert_close(seen[half:], -seen[:half])
    moments = seen[:half] @ seen[:half].T / seen.shape[1]
    torch.testing.assert_close(moments, torch.eye(half, dtype=torch.float64), rtol=0, atol=1e-2)


def test_the_filters_are_scikit_learns_principal_components_by_their_roots() -> None:
    split, network = images_of(60), model()
    whitening(network, split, generator(), eps=0.01)
    patches = patches_of(split).numpy()
    fitted = PCA().fit(np.concatenate([patches, -patches]))  # of mean zero, so moments are covariances
    ours = network.whiten.weight.detach().double().flatten(1)[:12]
    theirs = torch.from_numpy(fitted.components_ / np.sqrt(fitted.explained_variance_ + 0.01)[:, None])
    signs = (ours * theirs).sum(1, keepdim=True).sign()
    torch.testing.assert_close(ours, signs * theirs, rtol=1e-2, atol=1e-3)


def test_two_directions_by_hand() -> None:
    # Along (1, 1) the second moment is 3, along (1, -1) it is 1.
    filters = whitening_filters(torch.tensor([[2.0, 1.0], [1.0, 2.0]], dtype=torch.float64), eps=1.0)
    expected = torch.tensor([[1 / 2, 1 / 2], [1 / 2**0.5, 1 / 2**0.5]], dtype=torch.float64) / 2**0.5
    torch.testing.assert_close(filters.abs(), expected)
    assert (filters[0] > 0).all() and filters[1].sum().abs() < 1e-12


def test_a_direction_that_no_patch_has_is_not_blown_up() -> None:
    filters = whitening_filters(torch.zeros(3, 3, dtype=torch.float64), eps=0.0004)
    torch.testing.assert_close(filters.norm(dim=1), torch.full((3,), 50.0, dtype=torch.float64))


def test_counting_in_pieces_is_counting_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    split, indices = images_of(30), torch.tensor([3, 4, 29, 0, 7])
    monkeypatch.setattr(starts, "AT_ONCE", 2)
    patches = unfold(split.fetch(indices).images, (3, 2)).double().transpose(1, 2).flatten(0, 1)
    expected = patches.T @ patches / len(patches)
    torch.testing.assert_close(second_moments(split, indices, kernel_size=(3, 2)), expected)


def test_nothing_but_the_first_weight_is_filled_and_it_stays_as_frozen_as_it_was() -> None:
    for frozen, fate in ((True, "frozen"), (False, "trained on")):
        network = model(freeze_whitening=frozen)
        before = {name: value.clone() for name, value in network.state_dict().items()}
        told = whitening(network, images_of(20), generator(), images=15)
        assert told == f"24 filters from the patches of 15 images, {fate}"
        changed = [name for name, value in network.state_dict().items() if not torch.equal(value, before[name])]
        assert changed == ["whiten.weight"]
        assert network.whiten.weight.requires_grad is not frozen


def test_the_generator_chooses_the_images() -> None:
    split, (one, same, other) = images_of(40), (model() for _ in range(3))
    whitening(one, split, generator(), images=5)
    whitening(same, split, generator(), images=5)
    whitening(other, split, torch.Generator().manual_seed(2), images=5)
    assert torch.equal(one.whiten.weight, same.whiten.weight)
    assert not torch.equal(one.whiten.weight, other.whiten.weight)


@pytest.mark.parametrize(("name", "value"), [("images", 0), ("eps", 0.0), ("eps", float("inf"))])
def test_arguments_out_of_range_are_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be"):
        whitening(model(), images_of(4), generator(), **{name: value})  # type: ignore[arg-type]


def test_models_without_such_a_convolution_are_told() -> None:
    with pytest.raises(ConfigError, match=r"the model has none \(whiten\); try model=speednet"):
        whitening(nn.Linear(2, 2), images_of(4), generator())
    other = model()
    other.whiten = nn.Conv2d(3, 23, 2)
    with pytest.raises(ConfigError, match=r"each number of a patch, 24, and the model's first convolution has 23"):
        whitening(other, images_of(4), generator())
