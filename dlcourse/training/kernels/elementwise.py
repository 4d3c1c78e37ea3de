"""What a training step does to each number or window of pixels, on a CPU: GELU of bf16 by table, and 2x2 max pooling.

The results are torch's own, and so are pooling's gradients; those of GELU differ in the last bit of few.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from dlcourse.training.kernels import native, openmp

LEAST = 2**18
"""Numbers; with fewer, handing them to threads takes longer than it saves."""
WINDOW = 2


def gelu(numbers: Tensor, *, approximate: str = "none") -> Tensor:
    """GELU of each number, by a table of all 65,536 (Hendrycks and Gimpel 2016, arXiv:1606.08415).

    Args:
        numbers: [...] of bf16, dense in memory, in any order of the dimensions.
        approximate: none or tanh.
    """
    return _Gelu.apply(numbers, approximate)  # pyright: ignore[reportReturnType]  torch has no types here


def pool(images: Tensor) -> Tensor:
    """The maximum of each 2x2 pixels; an odd last row or column is left out.

    No indices are kept: the way back looks for the maximum again.

    Args:
        images: [N, C, H, W] of float32 or bf16, the channels innermost. C is a multiple of 16.

    Returns:
        [N, C, H // 2, W // 2], the channels innermost.
    """
    return _Pool.apply(images)  # pyright: ignore[reportReturnType]


class _Gelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, numbers: Tensor, approximate: str) -> Tensor:
        ctx.save_for_backward(numbers)
        ctx.approximate = approximate
        values, _ = _tables(approximate)
        return _look_up("look_up", [numbers], values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        [numbers] = ctx.saved_tensors
        _, slopes = _tables(ctx.approximate)
        gradient = gradients[0]
        if gradient.stride() != numbers.stride():
            gradient = torch.empty_like(numbers).copy_(gradient)
        return _look_up("look_up_times", [numbers, gradient], slopes), None


@lru_cache(maxsize=2)
def _tables(approximate: str) -> tuple[Tensor, Tensor]:
    """GELU's values in bf16 and its slopes in float32 at all numbers of bf16, in the order of their bits."""
    bits = torch.arange(2**16, dtype=torch.int32)
    points = (bits << 16).view(torch.float32).requires_grad_()
    with torch.enable_grad():
        values = functional.gelu(points, approximate=approximate)
        [slopes] = torch.autograd.grad(values.sum(), points)
    return values.detach().to(torch.bfloat16), slopes


def _look_up(kernel: str, sources: list[Tensor], table: Tensor) -> Tensor:
    """Call `kernel` for ranges of the numbers as they lie in memory."""
    made = torch.empty_like(sources[0])
    flat = [tensor.as_strided((tensor.numel(),), (1,)) for tensor in (*sources, made)]

    def part(first: int, last: int) -> None:
        native.run(kernel, *(tensor[first:] for tensor in flat), table, last - first)

    openmp.split(part, made.numel())
    return made


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        ctx.save_for_backward(images)
        maps = images.permute(0, 2, 3, 1)
        count, height, width, channels = maps.shape
        found = torch.empty(  # no view: torch would let nothing be changed in place behind it
            (count, channels, height // WINDOW, width // WINDOW),
            dtype=images.dtype, device="cpu", memory_format=torch.channels_last,
        )  # fmt: skip
        made = found.permute(0, 2, 3, 1)

        def part(first: int, last: int) -> None:
            native.run("pool", maps[first:], made[first:], last - first, height, width, channels)

        openmp.split(part, count)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        [images] = ctx.saved_tensors
        maps, slopes = images.permute(0, 2, 3, 1), gradients[0].permute(0, 2, 3, 1).contiguous()
        count, height, width, channels = maps.shape
        made = torch.empty_like(maps)

        def part(first: int, last: int) -> None:
            native.run("pool_back", maps[first:], slopes[first:], made[first:], last - first, height, width, channels)

        openmp.split(part, count)
        return made.permute(0, 3, 1, 2)
