"""A policy network for Go: residual blocks under AlphaGo's head (Silver et al. 2016, Nature 529), or a plain net."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn


class SqueezeExcitation(nn.Module):
    """Scales each channel by what the whole board says of it (Hu et al. 2018): [B, W, S, S] -> the same shape."""

    def __init__(self, width: int, *, ratio: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(width, max(1, width // ratio))
        self.excite = nn.Linear(max(1, width // ratio), width)

    def forward(self, x: Tensor) -> Tensor:
        scales = self.excite(self.squeeze(x.mean((2, 3))).relu()).sigmoid()
        return x * scales[:, :, None, None]


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut: [B, W, S, S] -> the same shape."""

    def __init__(self, width: int, *, squeeze_excitation: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.scale = SqueezeExcitation(width, ratio=squeeze_excitation) if squeeze_excitation else nn.Identity()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.scale(self.bn2(self.conv2(x))) + shortcut)


class PointHead(nn.Module):
    """[B, W, S, S] -> logits [B, S * S + 1]: one weighing of the channels for all points, a bias for each point.

    The pass, last, is judged by the channels' means over the board.
    """

    def __init__(self, width: int, *, board_size: int) -> None:
        super().__init__()
        self.point = nn.Conv2d(width, 1, 1, bias=False)
        self.bias = nn.Parameter(torch.zeros(board_size * board_size))
        self.pass_move = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        # The biases are float32 even under autocast, so the logits are too.
        points = self.point(x).flatten(1) + self.bias
        return torch.cat([points, self.pass_move(x.mean((2, 3))).to(points.dtype)], 1)


class GoPolicy(nn.Module):
    """What a player would do: planes [B, C, S, S] -> logits [B, S * S + 1] of every point and, last, of a pass.

    Every move has a logit, also one that the rules forbid: a player masks those.

    Args:
        in_channels: planes of a position; the data set says it.
        board_size: lines of the board; the data set says it.
        width: channels between stem and head; a multiple of 16 computes fastest.
        depth: residual blocks of two convolutions; head=dense has two plain convolutions in their place.
        stem: side of the first convolution's window in points, odd.
        head: conv judges all points alike; dense is the course's plain net, three convolutions and a full connection.
        squeeze_excitation: how many channels each block squeezes into one to weigh its channels; 0 leaves that out.

    Raises:
        ValueError: an argument is out of range, or squeeze_excitation is asked of the plain net.
    """

    takes: ClassVar[str] = "positions"

    def __init__(
        self,
        *,
        in_channels: int,
        board_size: int,
        width: int = 64,
        depth: int = 6,
        stem: int = 5,
        head: Literal["conv", "dense"] = "conv",
        squeeze_excitation: int = 0,
    ) -> None:
        super().__init__()
        for name, value, least in (
            ("in_channels", in_channels, 1),
            ("board_size", board_size, 2),
            ("width", width, 1),
            ("depth", depth, 0),
            ("stem", stem, 1),
            ("squeeze_excitation", squeeze_excitation, 0),
        ):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, not {value}")
        if stem % 2 == 0:
            raise ValueError(f"stem must be odd, so that its window has a middle, not {stem}")
        dense = head == "dense"
        if dense and squeeze_excitation:
            raise ValueError(f"squeeze_excitation must be 0 where head=dense has no blocks, not {squeeze_excitation}")
        self.stem = _convolution(in_channels, width, side=stem)
        self.blocks = nn.Sequential(
            *(_convolution(width, width, side=3) for _ in range(2 * dense)),
            *(Block(width, squeeze_excitation=squeeze_excitation) for _ in range(0 if dense else depth)),
        )
        self.head = (
            nn.Sequential(nn.Flatten(), nn.Linear(width * board_size**2, board_size**2 + 1))
            if dense
            else PointHead(width, board_size=board_size)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if isinstance(module, Block):
                # A deep sum of blocks then starts as a shallow net (Goyal et al. 2017, arXiv:1706.02677, section 5.1).
                nn.init.zeros_(module.bn2.weight)
        if isinstance(self.head, PointHead):
            # All moves start equally likely.
            for parameter in self.head.parameters():
                nn.init.zeros_(parameter)

    def forward(self, planes: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(planes)))


def _convolution(in_channels: int, out_channels: int, *, side: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, side, padding=side // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
