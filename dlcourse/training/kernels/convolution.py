"""Convolutions by Winograd's minimal filtering, forward and backward, on a CPU (Lavin and Gray 2015, arXiv:1509.09308).

A 3x3 convolution of stride 1 becomes (tile + 2)^2 matrix products of all tiles by all filters: 25 products for 9 pixels
in place of 81. The transforms around them cost memory traffic in place of arithmetic, so images are taken some at a
time, as many as the cache holds, and each thread has images of its own. 7 x 7 pixels by tiles of 3 would be 9 x 9, so
tiles of 3 and of 2 may share a map, in four regions.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dlcourse.training.kernels import native, openmp, transforms

TILES = {torch.float32: ((3, 2), (2,), (3,), (4,)), torch.bfloat16: ((3, 2), (2,), (3,))}
"""Sides of tiles that cover a map together, to choose from. In bf16 the error is 0.5, 1.2 and, with 4, 3.3 % of the
output's norm; a plain convolution's is 0.2 %."""
MIXED = 1.16
"""Time of a product where regions of a map have tiles of their own, and read its pixels one after another."""
CACHE = 6 * 2**20
"""Bytes of tiles that a thread works on at once."""
MOST = 8 * CACHE
"""Bytes of the tiles of one image; beyond them the plain convolution is better."""
LEAST = 256
"""Rows that make a matrix product fast."""
TRANSFORM = 18
"""Multiplications in the time of transforming one number, measured on 64 to 256 channels."""


class Region(NamedTuple):
    """A rectangle of a map, covered by tiles of one shape; down comes before along."""

    tile: tuple[int, int]
    """Pixels of a tile."""
    begin: tuple[int, int]
    """The first pixel."""
    counts: tuple[int, int]
    """Tiles; the last may reach beyond the map."""

    @property
    def points(self) -> int:
        """Products that a tile is made of."""
        return (self.tile[0] + 2) * (self.tile[1] + 2)

    @property
    def tiles(self) -> int:
        """How many there are of a map."""
        return self.counts[0] * self.counts[1]


def tiles_for(images: Tensor, weight: Tensor, dtype: torch.dtype) -> tuple[int, ...] | None:
    """The tiles that make a padded 3x3 convolution cheapest, by counting; None if the plain one is no dearer, or if the
    tiles of a single image are too many.

    Args:
        images: [N, C, H, W].
        weight: [K, C, 3, 3]. C and K are multiples of 16.
        dtype: float32 or bf16, of the products.
    """
    outputs, channels = weight.shape[:2]
    height, width = images.shape[2:]
    work = channels * outputs + TRANSFORM * (channels + outputs)

    def cost(tiles: tuple[int, ...]) -> float:
        cover = regions(height, width, tiles)
        products = sum(region.points * region.tiles for region in cover)
        return work * products * (MIXED if len(cover) > 1 else 1)

    best = min(TILES[dtype], key=cost)
    largest = max(region.points * region.tiles for region in regions(height, width, best))
    if largest * (channels + outputs) * dtype.itemsize > MOST:
        return None
    return best if cost(best) < 9 * height * width * channels * outputs else None


@lru_cache(maxsize=1024)
def regions(height: int, width: int, tiles: tuple[int, ...]) -> tuple[Region, ...]:
    """Those that cover a map with the fewest products."""
    return tuple(
        Region((down, along), (top, left), (h, w))
        for down, top, h in _spans(height, tiles)
        for along, left, w in _spans(width, tiles)
    )


def _spans(pixels: int, tiles: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Each tile along one axis with its first pixel and its count; small ones come last, where the rest is smallest."""
    best: list[tuple[int, ...]] = [()]  # what covers 0, 1, ... pixels with the fewest products
    for covered in range(1, pixels + 1):
        candidates = [(*best[max(0, covered - tile)], tile) for tile in tiles]
        best.append(min(candidates, key=lambda sides: sum(side + 2 for side in sides)))
    spans: list[tuple[int, int, int]] = []
    begin = 0
    for tile in sorted(set(best[pixels]), reverse=True):
        count = best[pixels].count(tile)
        spans.append((tile, begin, count))
        begin += tile * count
    return spans


def convolve(images: Tensor, weight: Tensor, *, tiles: tuple[int, ...]) -> Tensor:
    """The 3x3 convolution of stride 1 that keeps the size, up to rounding.

    Args:
        images: [N, C, H, W] of float32 or bf16; best with the channels innermost. The products are of this type.
        weight: [K, C, 3, 3]. C and K are multiples of 16.
        tiles: pixels along a side of the tiles, one of `TILES`, or a part of it.

    Returns:
        [N, K, H, W], the channels innermost.
    """
    return _Convolution.apply(images, weight, tiles)  # pyright: ignore[reportReturnType]  torch has no types here


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, tiles: tuple[int, ...]) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.tiles = tiles
        return _correlate(_inner(images), weight, tiles)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]  the wrapper of once_differentiable
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None]:
        images, weight = ctx.saved_tensors
        gradient = _inner(gradients[0])
        of_images = of_weight = None
        if ctx.needs_input_grad[0]:  # a convolution too, by the filters turned around
            of_images = _correlate(gradient, weight.transpose(0, 1).flip(2, 3), ctx.tiles)
        if ctx.needs_input_grad[1]:
            of_weight = _of_weight(_inner(images), gradient, ctx.tiles).to(weight.dtype)
        return of_images, of_weight, None


def _inner(images: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, H, W, C]; nothing moves if the channels are innermost already."""
    return images.permute(0, 2, 3, 1).contiguous()


def _transform(kernel: str, source: Tensor, to: Tensor, *, maps: tuple[int, int, int, int], region: Region) -> None:
    """Fill `to` from `source`, both contiguous and of one type.

    Args:
        kernel: data, output, output_back, filter or filter_back.
        source: maps [N, H, W, C] or a region's tiles [points, N * tiles, C].
        to: the other of the two.
        maps: N, H, W and C, which is a multiple of 16.
        region: of the maps.
    """
    down, along = region.tile
    native.run(f"{kernel}_{down}x{along}", source, to, *maps, *region.begin, *region.counts)


def _filters(weight: Tensor, region: Region, dtype: torch.dtype) -> Tensor:
    """[K, C, 3, 3] -> [points, C, K]."""
    outputs, channels = weight.shape[:2]
    taps = weight.detach().float().permute(2, 3, 1, 0).contiguous()
    made = taps.new_empty(region.points, channels, outputs)
    _transform("filter", taps, made, **_as_map(channels * outputs, region))
    return made.to(dtype)


def _as_map(filters: int, region: Region) -> Mapping[str, Any]:
    """Of all filters' taps, which are transformed as a map of 3x3 pixels is."""
    whole = Region(region.tile, (0, 0), (1, 1))
    return {"maps": (1, transforms.TAPS, transforms.TAPS, filters), "region": whole}


def _correlate(images: Tensor, weight: Tensor, tiles: tuple[int, ...]) -> Tensor:
    """[N, H, W, C] by [K, C, 3, 3] -> [N, K, H, W], the channels innermost."""
    count, height, width, channels = images.shape
    outputs = weight.shape[0]
    # No view is handed out of an autograd function: torch would let nothing be changed in place behind it.
    found = torch.empty(
        (count, outputs, height, width), dtype=images.dtype, device="cpu", memory_format=torch.channels_last
    )
    made = found.permute(0, 2, 3, 1)
    cover = regions(height, width, tiles)
    filters = [_filters(weight, region, images.dtype) for region in cover]

    def part(first: int, last: int) -> None:
        for region, filter in zip(cover, filters, strict=True):
            room = _Room(images, outputs, region, last - first)
            for begin in range(first, last, room.images):
                some = min(room.images, last - begin)
                before, behind = room.tiles(some)
                _transform("data", images[begin:], before, maps=(some, height, width, channels), region=region)
                torch.bmm(before, filter, out=behind)
                _transform("output", behind, made[begin:], maps=(some, height, width, outputs), region=region)

    openmp.split(part, count)
    return found


def _of_weight(images: Tensor, gradient: Tensor, tiles: tuple[int, ...]) -> Tensor:
    """[N, H, W, C] and the gradient of the outputs [N, H, W, K] -> that of the weight, [K, C, 3, 3] in float32."""
    count, height, width, channels = images.shape
    outputs = gradient.shape[3]
    made = torch.zeros(transforms.TAPS, transforms.TAPS, channels, outputs, dtype=torch.float32, device="cpu")
    one = torch.empty_like(made)
    for region in regions(height, width, tiles):

        def part(first: int, last: int, region: Region = region) -> Tensor:
            total = torch.zeros(region.points, channels, outputs, dtype=torch.float32, device="cpu")
            # The sum is read and written once for every room, so rooms are larger than it.
            room = _Room(images, outputs, region, last - first, held=max(CACHE, 2 * total.nbytes))
            for begin in range(first, last, room.images):
                some = min(room.images, last - begin)
                before, behind = room.tiles(some)
                _transform("data", images[begin:], before, maps=(some, height, width, channels), region=region)
                _transform("output_back", gradient[begin:], behind, maps=(some, height, width, outputs), region=region)
                total += torch.bmm(before.transpose(1, 2), behind)
            return total

        total = torch.stack(openmp.split(part, count)).sum(0)
        _transform("filter_back", total, one, **_as_map(channels * outputs, region))
        made += one
    return made.permute(3, 2, 0, 1)


class _Room:
    """Where one thread keeps the tiles of some images.

    Args:
        like: the maps, [N, H, W, C].
        outputs: channels behind the filters.
        region: of the maps.
        most: images, at most.
        held: bytes of tiles at once.
    """

    def __init__(self, like: Tensor, outputs: int, region: Region, most: int, *, held: int = CACHE) -> None:
        self.region = region
        self.channels = (like.shape[3], outputs)
        numbers = region.points * region.tiles
        fit = held // (numbers * sum(self.channels) * like.element_size())
        self.images = max(1, min(most, max(fit, -(-LEAST // region.tiles))))
        """How many images are taken at once."""
        self._numbers = [like.new_empty(numbers * self.images * size) for size in self.channels]

    def tiles(self, images: int) -> list[Tensor]:
        """Those before and behind the filters, [points, tiles of so many images, C or K] each."""
        shapes = [(self.region.points, self.region.tiles * images, size) for size in self.channels]
        return [
            numbers[: shape[0] * shape[1] * shape[2]].view(shape)
            for numbers, shape in zip(self._numbers, shapes, strict=True)
        ]
