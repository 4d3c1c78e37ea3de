"""The policy network: its shapes, its start, both heads by hand, and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from dlcourse.models.go_policy import Block, GoPolicy, PointHead, SqueezeExcitation


def small(**settings: Any) -> GoPolicy:
    torch.manual_seed(1)
    chosen: dict[str, Any] = {"in_channels": 3, "board_size": 5, "width": 8, "depth": 2, **settings}
    return GoPolicy(**chosen)


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("size", [2, 9, 19, 25])
@pytest.mark.parametrize("settings", [{}, {"head": "dense"}, {"squeeze_excitation": 4}, {"stem": 1, "depth": 0}])
def test_every_point_and_the_pass_have_a_logit(size: int, settings: dict[str, Any]) -> None:
    model = small(board_size=size, in_channels=7, **settings)
    assert model(torch.zeros(3, 7, size, size)).shape == (3, size * size + 1)


def test_the_default_has_as_many_weights_as_its_layers_say() -> None:
    stem, block, head = 7 * 64 * 25 + 2 * 64, 2 * (64 * 64 * 9 + 2 * 64), 64 + 361 + 64 + 1
    assert count(GoPolicy(in_channels=7, board_size=19)) == stem + 6 * block + head == 455_722


def test_the_plain_net_is_three_convolutions_and_a_full_connection() -> None:
    model = small(head="dense", stem=3)
    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert [type(layer) for layer in layers] == [nn.Conv2d, nn.Conv2d, nn.Conv2d, nn.Linear]
    assert layers[-1].weight.shape == (26, 8 * 25)
    assert count(small(head="dense", depth=0)) == count(small(head="dense", depth=9))


@pytest.mark.parametrize("settings", [{}, {"squeeze_excitation": 2}])
def test_it_starts_undecided_and_learns_with_every_weight(settings: dict[str, Any]) -> None:
    model, planes, moves = small(**settings), torch.randn(16, 3, 5, 5), torch.arange(16) + 10
    losses: list[float] = []
    for _ in range(6):
        model.zero_grad()
        loss = cross_entropy(model(planes), moves)
        loss.backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.zeros(()) if parameter.grad is None else parameter.grad, alpha=-0.05)
        losses.append(loss.item())
    assert losses[0] == pytest.approx(math.log(26))
    assert losses[-1] < losses[0]
    assert not [name for name, one in model.named_parameters() if one.grad is None or not one.grad.any()]


def test_blocks_start_as_their_shortcuts() -> None:
    deep, flat, planes = small(depth=3).eval(), small(depth=0).eval(), torch.randn(4, 3, 5, 5)
    flat.stem.load_state_dict(deep.stem.state_dict())
    assert torch.equal(deep.blocks(deep.stem(planes)), flat.stem(planes))


def test_the_head_by_hand() -> None:
    head = PointHead(2, board_size=2)
    with torch.no_grad():
        head.point.weight.copy_(torch.tensor([1.0, -2.0]).view(1, 2, 1, 1))
        head.bias.copy_(torch.tensor([0.0, 10.0, 20.0, 30.0]))
        head.pass_move.weight.copy_(torch.tensor([[2.0, 4.0]]))
        head.pass_move.bias.fill_(0.5)
    first, second = [[1.0, 2.0], [3.0, 6.0]], [[1.0, 0.0], [0.0, 1.0]]
    logits = head(torch.tensor([[first, second]]))
    # The means of the channels are 3 and 0.5.
    assert logits.tolist() == [[1 - 2, 2 + 10, 3 + 20, 6 - 2 + 30, 2 * 3 + 4 * 0.5 + 0.5]]


def test_squeeze_excitation_is_its_formula() -> None:
    torch.manual_seed(1)
    layer, x = SqueezeExcitation(6, ratio=4), torch.randn(3, 6, 5, 5)
    assert layer.squeeze.weight.shape == (1, 6)
    for board, scaled in zip(x, layer(x), strict=True):
        means = torch.stack([channel.sum() / 25 for channel in board])
        scales = torch.sigmoid(
            layer.excite.weight @ torch.relu(layer.squeeze.weight @ means + layer.squeeze.bias) + layer.excite.bias
        )
        torch.testing.assert_close(scaled, torch.stack([s * channel for s, channel in zip(scales, board, strict=True)]))
    assert isinstance(Block(6, squeeze_excitation=4).scale, SqueezeExcitation)


def test_a_position_is_judged_alone_once_trained() -> None:
    model, planes = small(squeeze_excitation=2), torch.randn(12, 3, 5, 5)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    model(planes)
    model.eval()
    each = torch.cat([model(one[None]) for one in planes])
    torch.testing.assert_close(model(planes), each, rtol=1e-4, atol=1e-5)


def test_logits_are_single_precision_in_a_half_precision_context() -> None:
    model = small().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  torch's stubs
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(torch.randn(4, 3, 5, 5))
    assert logits.dtype == torch.float32


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"in_channels": 0}, "in_channels must be at least 1, not 0"),
        ({"board_size": 1}, "board_size must be at least 2, not 1"),
        ({"width": 0}, "width must be at least 1, not 0"),
        ({"depth": -1}, "depth must be at least 0, not -1"),
        ({"stem": 4}, "stem must be odd, so that its window has a middle, not 4"),
        ({"stem": -1}, "stem must be at least 1, not -1"),
        ({"squeeze_excitation": -2}, "squeeze_excitation must be at least 0, not -2"),
        (
            {"squeeze_excitation": 2, "head": "dense"},
            "squeeze_excitation must be 0 where head=dense has no blocks, not 2",
        ),
    ],
)
def test_what_cannot_be_built_is_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{problem}$"):
        small(**settings)
