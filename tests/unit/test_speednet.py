"""The net of the speed runs: the paper's count, its start by hand, and what it trains."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import conv2d, gelu

from dlcourse.models.speednet import Block, SpeedNet

SMALL = (4, 6, 5)


def small(**changed: Any) -> SpeedNet:
    torch.manual_seed(1)
    given: dict[str, Any] = {"num_classes": 3, "image_size": 16, "widths": SMALL}
    return SpeedNet(**(given | changed))


def test_it_has_the_papers_2_million_weights() -> None:
    # 3 * 24 * 4 + 24 whiten, 9 * (24 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256) convolve, 2560 read out.
    model = SpeedNet(num_classes=10)
    shifts_and_scales = 2 * 2 * (64 + 256 + 256)
    by_hand = 288 + 24 + 9 * (24 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256) + 2560 + shifts_and_scales
    assert sum(parameter.numel() for parameter in model.parameters()) == by_hand == 1_972_792


@settings(max_examples=15, deadline=None)
@given(st.integers(9, 40), st.integers(9, 40), st.integers(1, 4))
def test_images_of_9_pixels_or_more_give_logits(height: int, width: int, channels: int) -> None:
    model = small(in_channels=channels, image_size=min(height, width))
    assert model(torch.zeros(2, channels, height, width)).shape == (2, 3)


def test_the_first_layer_has_two_filters_for_each_number_of_a_patch() -> None:
    assert small().whiten.weight.shape == (24, 3, 2, 2)
    assert small(in_channels=1).whiten.weight.shape == (8, 1, 2, 2)
    assert small(whitening_bias=False).whiten.bias is None


@pytest.mark.parametrize(("inputs", "outputs"), [(3, 5), (4, 4), (5, 3)])
def test_convolutions_begin_by_repeating_their_first_inputs(inputs: int, outputs: int) -> None:
    block = Block(inputs, outputs)
    images = torch.randn(2, inputs, 6, 6)
    shared = min(inputs, outputs)
    torch.testing.assert_close(block.conv1(images)[:, :shared], images[:, :shared])
    hidden = torch.randn(2, outputs, 6, 6)
    torch.testing.assert_close(block.conv2(hidden), hidden)
    assert (block.conv1.weight[shared:] != 0).all()


def test_it_computes_what_is_written_out_here() -> None:
    model = small(logit_divisor=5.0).train()
    for name, parameter in model.named_parameters():
        if "bias" in name:
            nn.init.normal_(parameter)

    def normal(x: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), keepdim=True, unbiased=False)
        return (x - mean) / (variance + 1e-12).sqrt() + shift[:, None, None]

    images = torch.randn(4, 3, 16, 16)
    x = gelu(conv2d(images, model.whiten.weight, model.whiten.bias))
    for block in model.blocks:
        assert isinstance(block, Block)
        x = conv2d(x, block.conv1.weight, padding=1)
        pooled = x[:, :, : x.shape[2] // 2 * 2, : x.shape[3] // 2 * 2].unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5))
        x = gelu(normal(pooled, block.norm1.bias))
        x = gelu(normal(conv2d(x, block.conv2.weight, padding=1), block.norm2.bias))
    expected = x.amax((2, 3)) @ model.head.weight.T / 5
    torch.testing.assert_close(model(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("side", [16, 17])
def test_even_maps_leave_off_the_last_row_and_column_of_odd_ones_alone(side: int) -> None:
    plain, even = Block(3, 4).train(), Block(3, 4, even_maps=True).train()
    even.load_state_dict(plain.state_dict())
    maps = torch.randn(2, 3, side, side)
    torch.testing.assert_close(even(maps), plain(maps[:, :, :16, :16]))


def test_even_maps_keep_the_layout_of_maps_and_of_their_gradient() -> None:
    maps = torch.randn(2, 3, 7, 7).contiguous(memory_format=torch.channels_last).requires_grad_()
    seen: list[torch.Tensor] = []
    block = Block(3, 4, even_maps=True).to(memory_format=torch.channels_last)
    block.conv1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    block(maps).square().sum().backward()
    assert seen[0].shape == (2, 3, 6, 6) and seen[0].is_contiguous(memory_format=torch.channels_last)
    assert maps.grad is not None and maps.grad.is_contiguous(memory_format=torch.channels_last)
    assert not maps.grad[:, :, 6].any() and not maps.grad[:, :, :, 6].any()


@pytest.mark.parametrize(("given", "share"), [({}, 0.4), ({"norm_momentum": 0.1}, 0.1)])
def test_batch_norm_renews_a_share_of_its_statistics_in_a_step(given: dict[str, float], share: float) -> None:
    block = Block(2, 2, **given).train()
    images = torch.randn(5, 2, 8, 8)
    pooled = nn.functional.max_pool2d(block.conv1(images), 2)
    block(images)
    torch.testing.assert_close(block.norm1.running_mean, share * pooled.mean((0, 2, 3)))
    model = small(**given)
    assert {norm.momentum for norm in model.modules() if isinstance(norm, nn.BatchNorm2d)} == {share}


def test_the_divisor_changes_how_fast_the_head_learns_and_not_where_it_begins() -> None:
    images = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    moved: list[torch.Tensor] = []
    for divisor in (1.0, 10.0):
        model = small(logit_divisor=divisor).double().eval()
        before = model(images)
        model.zero_grad()
        before.square().sum().backward()
        with torch.no_grad():
            assert model.head.weight.grad is not None
            model.head.weight -= 0.01 * model.head.weight.grad
            moved += [before.detach(), model(images) - before]
    torch.testing.assert_close(moved[2], moved[0])
    torch.testing.assert_close(moved[3] * 100, moved[1])


@pytest.mark.parametrize("frozen", [True, False])
def test_scales_are_never_trained_and_whitening_is_unless_frozen(frozen: bool) -> None:
    model = small(freeze_whitening=frozen)
    fixed = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    scales = {f"blocks.{block}.norm{number}.weight" for block in range(3) for number in (1, 2)}
    assert fixed == scales | ({"whiten.weight"} if frozen else set())
    model(torch.randn(4, 3, 16, 16)).square().sum().backward()
    trained = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert trained == dict(model.named_parameters()).keys() - fixed


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_classes": 1}, r"^num_classes must be at least 2, not 1"),
        ({"image_size": 8}, r"^image_size must be at least 9 pixels, not 8"),
        ({"widths": (4, 4)}, r"^widths must be three numbers of channels, each at least 1, not \[4, 4\]"),
        ({"widths": (4, 0, 4)}, r"^widths must be"),
        ({"norm_momentum": 0.0}, r"^norm_momentum must be above 0 and at most 1, not 0.0"),
        ({"norm_momentum": 1.5}, r"^norm_momentum must be above 0 and at most 1, not 1.5"),
        ({"logit_divisor": 0.0}, r"^logit_divisor must be positive, not 0.0"),
        ({"logit_divisor": float("nan")}, r"^logit_divisor must be positive, not nan"),
    ],
)
def test_arguments_out_of_range_are_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**wrong)
