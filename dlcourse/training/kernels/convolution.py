"""Convolutions by Winograd's minimal filtering, forward and backward, on a CPU (Lavin and Gray 2015, arXiv:1509.09308).

A 3x3 convolution of stride 1 becomes (tile + 2)^2 matrix products of all tiles by all filters: 25 products for 9 pixels
in place of 81. The transforms around them cost memory traffic in place of arithmetic, so images are taken some at a
time, as many as the cache holds, and each thread has images of its own.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dlcourse.training.kernels import native, openmp, transforms

TILES = {torch.float32: (2, 3, 4), torch.bfloat16: (2, 3)}
"""Sides of tiles to choose from. In bf16 the error is 0.5, 1.2 and, with 4, 3.3 % of the output's norm; a plain
convolution's is 0.2 %."""
CACHE = 6 * 2**20
"""Bytes of tiles that a thread works on at once."""
LEAST = 256
"""Rows that make a matrix product fast."""
TRANSFORM = 18
"""Multiplications in the time of transforming one number, measured on 64 to 256 channels."""


def tile_for(images: Tensor, weight: Tensor, dtype: torch.dtype) -> int | None:
    """The tile that makes a padded 3x3 convolution cheapest, by counting; None if the plain one is no dearer.

    Args:
        images: [N, C, H, W].
        weight: [K, C, 3, 3]. C and K are multiples of 16.
        dtype: float32 or bf16, of the products.
    """
    outputs, channels = weight.shape[:2]
    height, width = images.shape[2:]
    work = channels * outputs + TRANSFORM * (channels + outputs)

    def cost(tile: int) -> int:
        return (tile + 2) ** 2 * _count(height, tile) * _count(width, tile) * work

    best = min(TILES[dtype], key=cost)
    return best if cost(best) < 9 * height * width * channels * outputs else None


def convolve(images: Tensor, weight: Tensor, *, tile: int) -> Tensor:
    """The 3x3 convolution of stride 1 that keeps the size, up to rounding.

    Args:
        images: [N, C, H, W] of float32 or bf16; best with the channels innermost. The products are of this type.
        weight: [K, C, 3, 3]. C and K are multiples of 16.
        tile: pixels along a side of the tiles, 2 to 4.

    Returns:
        [N, K, H, W], the channels innermost.
    """
    return _Convolution.apply(images, weight, tile)  # pyright: ignore[reportReturnType]  torch has no types here


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, tile: int) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.tile = tile
        return _outer(_correlate(_inner(images), _filters(weight, tile, images.dtype), tile))

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]  the wrapper of once_differentiable
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None]:
        images, weight = ctx.saved_tensors
        gradient, tile = _inner(gradients[0]), ctx.tile
        of_images = of_weight = None
        if ctx.needs_input_grad[0]:  # a convolution too, by the filters turned around
            turned = _filters(weight.transpose(0, 1).flip(2, 3), tile, images.dtype)
            of_images = _outer(_correlate(gradient, turned, tile))
        if ctx.needs_input_grad[1]:
            of_weight = _of_weight(_inner(images), gradient, tile).to(weight.dtype)
        return of_images, of_weight, None


def _inner(images: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, H, W, C]; nothing moves if the channels are innermost already."""
    return images.permute(0, 2, 3, 1).contiguous()


def _outer(images: Tensor) -> Tensor:
    return images.permute(0, 3, 1, 2)


def _transform(kernel: str, source: Tensor, to: Tensor, *, tile: int, maps: tuple[int, int, int, int]) -> None:
    """Fill `to` from `source`, both contiguous and of one type.

    Args:
        kernel: data, output, output_back, filter or filter_back.
        source: maps [N, H, W, C] or tiles [(tile + 2)^2, N * h * w, C].
        to: the other of the two.
        tile: pixels along one side of a tile.
        maps: N, H, W and C, which is a multiple of 16.
    """
    side = transforms.TAPS if kernel.startswith("filter") else tile
    native.run(f"{kernel}_{tile}", source, to, *maps, _count(maps[1], side), _count(maps[2], side))


def _count(pixels: int, tile: int) -> int:
    return -(-pixels // tile)


def _filters(weight: Tensor, tile: int, dtype: torch.dtype) -> Tensor:
    """[K, C, 3, 3] -> [(tile + 2)^2, C, K]."""
    outputs, channels = weight.shape[:2]
    taps = weight.detach().float().permute(2, 3, 1, 0).contiguous()
    made = taps.new_empty((tile + 2) ** 2, channels, outputs)
    _transform("filter", taps, made, tile=tile, maps=(1, transforms.TAPS, transforms.TAPS, channels * outputs))
    return made.to(dtype)


def _correlate(images: Tensor, filters: Tensor, tile: int) -> Tensor:
    """[N, H, W, C] by [(tile + 2)^2, C, K] -> [N, H, W, K]."""
    count, height, width, channels = images.shape
    outputs = filters.shape[2]
    made = images.new_empty(count, height, width, outputs)

    def part(first: int, last: int) -> None:
        room = _Room(images, outputs, tile, last - first)
        for begin in range(first, last, room.images):
            some = min(room.images, last - begin)
            before, behind = room.tiles(some)
            _transform("data", images[begin:], before, tile=tile, maps=(some, height, width, channels))
            torch.bmm(before, filters, out=behind)
            _transform("output", behind, made[begin:], tile=tile, maps=(some, height, width, outputs))

    openmp.split(part, count)
    return made


def _of_weight(images: Tensor, gradient: Tensor, tile: int) -> Tensor:
    """[N, H, W, C] and the gradient of the outputs [N, H, W, K] -> that of the weight, [K, C, 3, 3] in float32."""
    count, height, width, channels = images.shape
    outputs = gradient.shape[3]

    def part(first: int, last: int) -> Tensor:
        total = torch.zeros((tile + 2) ** 2, channels, outputs)
        # The sum is read and written once for every room, so rooms are larger than it.
        room = _Room(images, outputs, tile, last - first, held=max(CACHE, 2 * total.nbytes))
        for begin in range(first, last, room.images):
            some = min(room.images, last - begin)
            before, behind = room.tiles(some)
            _transform("data", images[begin:], before, tile=tile, maps=(some, height, width, channels))
            _transform("output_back", gradient[begin:], behind, tile=tile, maps=(some, height, width, outputs))
            total += torch.bmm(before.transpose(1, 2), behind)
        return total

    total = torch.stack(openmp.split(part, count)).sum(0)
    made = total.new_empty(transforms.TAPS, transforms.TAPS, channels, outputs)
    maps = (1, transforms.TAPS, transforms.TAPS, channels * outputs)
    _transform("filter_back", total, made, tile=tile, maps=maps)
    return made.permute(3, 2, 0, 1)


class _Room:
    """Where one thread keeps the tiles of some images.

    Args:
        like: the maps, [N, H, W, C].
        outputs: channels behind the filters.
        tile: pixels along a side of the tiles.
        most: images, at most.
        held: bytes of tiles at once.
    """

    def __init__(self, like: Tensor, outputs: int, tile: int, most: int, *, held: int = CACHE) -> None:
        self.points = (tile + 2) ** 2
        self.channels = (like.shape[3], outputs)
        self.rows = _count(like.shape[1], tile) * _count(like.shape[2], tile)
        fit = held // (self.points * self.rows * sum(self.channels) * like.element_size())
        self.images = max(1, min(most, max(fit, _count(LEAST, self.rows))))
        """How many images are taken at once."""
        self._numbers = [like.new_empty(self.points * self.rows * self.images * size) for size in self.channels]

    def tiles(self, images: int) -> list[Tensor]:
        """Those before and behind the filters, [(tile + 2)^2, tiles of so many images, C or K] each."""
        shapes = [(self.points, self.rows * images, size) for size in self.channels]
        return [
            numbers[: shape[0] * shape[1] * shape[2]].view(shape)
            for numbers, shape in zip(self._numbers, shapes, strict=True)
        ]
