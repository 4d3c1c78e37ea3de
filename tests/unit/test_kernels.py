"""Our kernels: Winograd exact on paper, torch's own results up to rounding, and only where they are meant."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d

import dlcourse.training.kernels as package
from dlcourse import cli
from dlcourse.errors import ConfigError, NotAvailable
from dlcourse.run.environment import differences
from dlcourse.training.kernels import Kernels, convolution, elementwise, native, openmp, transforms
from dlcourse.training.kernels.convolution import Region
from dlcourse.training.runtime import Runtime

CONVOLUTION = nn.Conv2d(16, 16, 3, padding=1)
TILES = tuple(transforms.POINTS)
SETS = [(2,), (3,), (4,), (3, 2)]
compiled = pytest.mark.skipif(not native.compiler(), reason="no C++ compiler here")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """No library loaded yet, and an empty folder to keep one in."""
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path / "cache"))
    native.library.cache_clear()
    yield tmp_path / "cache"
    native.library.cache_clear()


# The matrices


def correlated(tile: int, signal: list[int], taps: list[int]) -> list[Fraction]:
    def times(matrix: transforms.Matrix, vector: list[Fraction]) -> list[Fraction]:
        return [sum((a * b for a, b in zip(row, vector, strict=True)), Fraction(0)) for row in matrix]

    spread = times(transforms.data(tile), list(map(Fraction, signal)))
    weights = times(transforms.filter(tile), list(map(Fraction, taps)))
    return times(transforms.output(tile), [a * b for a, b in zip(spread, weights, strict=True)])


def test_four_numbers_under_three_taps_by_hand() -> None:
    assert correlated(2, [1, 2, 3, 5], [1, 10, 100]) == [321, 532]


def test_two_outputs_take_the_sums_and_differences_of_the_paper() -> None:
    assert transforms.output(2) == [[1, 1, 1, 0], [0, 1, -1, 1]]
    half = Fraction(1, 2)
    assert transforms.filter(2)[1:3] == [[half, half, half], [half, -half, half]]


@given(tile=st.sampled_from(TILES), numbers=st.lists(st.integers(-99, 99), min_size=9, max_size=9))
def test_on_paper_the_result_is_exact(tile: int, numbers: list[int]) -> None:
    taps, signal = numbers[:3], numbers[3:][: tile + 2]
    plain = [sum(signal[k + i] * taps[i] for i in range(3)) for k in range(tile)]
    assert correlated(tile, signal, taps) == plain


@pytest.mark.parametrize("tile", TILES)
def test_every_number_of_the_matrices_but_the_filters_is_exact_in_binary(tile: int) -> None:
    for row in [*transforms.data(tile), *transforms.output(tile)]:
        assert all(Fraction(float(number)) == number for number in row)


# The convolution


def both(
    tiles: tuple[int, ...], dtype: torch.dtype, *, size: tuple[int, int] = (7, 5), count: int = 5
) -> list[tuple[Tensor, Tensor]]:
    """Output, gradient of the images and of the weight: ours and, in float64, torch's."""
    draw = torch.Generator().manual_seed(0)
    images = torch.randn(count, 16, *size, generator=draw).to(dtype).requires_grad_()
    weight = torch.randn(32, 16, 3, 3, generator=draw).requires_grad_()
    gradient = torch.randn(count, 32, *size, generator=draw).to(dtype)
    ours = convolution.convolve(images, weight, tiles=tiles)
    exact = [images.detach().double().requires_grad_(), weight.detach().double().requires_grad_()]
    theirs = conv2d(*exact, padding=1)
    pairs = zip(
        [ours, *torch.autograd.grad(ours, (images, weight), gradient)],
        [theirs, *torch.autograd.grad(theirs, exact, gradient.double())],
        strict=True,
    )
    return list(pairs)


def error(ours: Tensor, exact: Tensor) -> float:
    return float((ours.detach().double() - exact.detach()).norm() / exact.detach().norm())


@compiled
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("size", [(7, 5), (6, 6), (1, 9), (3, 3)])
@pytest.mark.parametrize("tiles", SETS)
def test_float32_is_torchs_result_to_six_digits_forward_and_backward(
    tiles: tuple[int, ...], size: tuple[int, int], threads: int
) -> None:
    torch.set_num_threads(threads)
    for ours, exact in both(tiles, torch.float32, size=size):
        assert ours.dtype == torch.float32 and ours.shape == exact.shape
        assert error(ours, exact) < 3e-6


@compiled
@pytest.mark.parametrize(("tiles", "most"), [((2,), 0.008), ((3, 2), 0.018), ((3,), 0.018), ((4,), 0.05)])
def test_bf16_is_as_near_as_its_tiles_allow(tiles: tuple[int, ...], most: float) -> None:
    for ours, exact in both(tiles, torch.bfloat16):
        assert 0 < error(ours, exact) < most


@compiled
def test_more_images_than_the_cache_holds_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(2)
    at_once = [ours for ours, _ in both((3, 2), torch.float32, count=9)]
    monkeypatch.setattr(convolution, "CACHE", 1)
    monkeypatch.setattr(convolution, "LEAST", 1)
    one_by_one = [ours for ours, _ in both((3, 2), torch.float32, count=9)]
    for ours, theirs in zip(at_once, one_by_one, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    assert torch.equal(at_once[0], one_by_one[0])


@compiled
def test_the_same_numbers_give_the_same_bits_again() -> None:
    torch.set_num_threads(3)
    first, second = both((3, 2), torch.bfloat16), both((3, 2), torch.bfloat16)
    assert all(torch.equal(one, other) for (one, _), (other, _) in zip(first, second, strict=True))


@compiled
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_number_stays_visible(dtype: torch.dtype, number: float) -> None:
    images, weight = torch.zeros(1, 16, 6, 6, dtype=dtype), torch.ones(16, 16, 3, 3, requires_grad=True)
    images[0, 3, 2, 2] = number
    made = convolution.convolve(images, weight, tiles=(3, 2))
    made.sum().backward()
    assert not made.isfinite().all()
    assert weight.grad is not None and not weight.grad.isfinite().all()


@compiled
def test_a_batch_of_none_is_none() -> None:
    weight = torch.ones(16, 16, 3, 3, requires_grad=True)
    made = convolution.convolve(torch.ones(0, 16, 4, 4), weight, tiles=(2,))
    made.sum().backward()
    assert made.shape == (0, 16, 4, 4)
    assert weight.grad is not None and not weight.grad.any()


@compiled
def test_its_gradient_has_no_gradient_and_says_so() -> None:
    weight = torch.ones(16, 16, 3, 3, requires_grad=True)
    made = convolution.convolve(torch.ones(1, 16, 4, 4), weight, tiles=(2,))
    [slope] = torch.autograd.grad(made.square().sum(), weight, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()


@pytest.mark.parametrize(
    ("channels", "outputs", "size", "dtype", "tiles"),
    [
        (256, 256, 6, torch.bfloat16, (3, 2)),  # of 3 alone, 4 of them fit
        (256, 256, 7, torch.bfloat16, (3, 2)),  # 169 products in place of 225
        (256, 256, 14, torch.bfloat16, (3,)),  # 576 in place of 625, and four regions
        (256, 256, 14, torch.float32, (4,)),
        (256, 256, 4, torch.float32, (4,)),
        (256, 256, 3, torch.float32, (3, 2)),
        (16, 16, 14, torch.bfloat16, None),  # so few channels are transformed in more time than is saved
        (256, 256, 1, torch.bfloat16, None),  # of one pixel a convolution sees 9 taps, of which 8 are border
    ],
)
def test_the_cheapest_tiles_are_taken_or_none(
    channels: int, outputs: int, size: int, dtype: torch.dtype, tiles: tuple[int, ...] | None
) -> None:
    images, weight = torch.empty(1, channels, size, size), torch.empty(outputs, channels, 3, 3)
    assert convolution.tiles_for(images, weight, dtype) == tiles


def test_seven_pixels_are_three_and_twice_two_by_hand() -> None:
    assert convolution.regions(7, 6, (3, 2)) == (
        Region(tile=(3, 3), begin=(0, 0), counts=(1, 2)),
        Region(tile=(2, 3), begin=(3, 0), counts=(2, 2)),
    )
    assert sum(region.points * region.tiles for region in convolution.regions(7, 7, (3, 2))) == 13**2


@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    tiles=st.sampled_from([(2,), (3,), (4,), (3, 2), (2, 3), (4, 3)]),
)
def test_regions_cover_each_pixel_once_with_the_fewest_products(
    height: int, width: int, tiles: tuple[int, ...]
) -> None:
    seen = torch.zeros(height, width, dtype=torch.int64)
    found = convolution.regions(height, width, tiles)
    for region in found:
        (top, left), (down, along) = region.begin, region.tile
        h, w = region.counts
        seen[top : top + h * down, left : left + w * along] += 1
        assert top + (h - 1) * down < height and left + (w - 1) * along < width  # no tile is all beyond the map
    assert (seen == 1).all()

    def fewest(pixels: int) -> int:
        """Among all mixtures, each tried."""
        counts = [range(-(-pixels // tile) + 1) for tile in tiles]
        mixtures = [dict(zip(tiles, some, strict=True)) for some in product(*counts)]
        enough = [some for some in mixtures if sum(tile * count for tile, count in some.items()) >= pixels]
        return min(sum((tile + 2) * count for tile, count in some.items()) for some in enough)

    assert sum(region.points * region.tiles for region in found) == fewest(height) * fewest(width)


# Where it takes torch's place


IMAGES = torch.randn(2, 64, 6, 6, generator=torch.Generator().manual_seed(1)).contiguous(
    memory_format=torch.channels_last
)


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch) -> list[torch.Size]:
    """Shapes of the weights of all convolutions that were replaced."""
    shapes: list[torch.Size] = []
    plain = convolution.convolve

    def noted(images: Tensor, weight: Tensor, *, tiles: tuple[int, ...]) -> Tensor:
        shapes.append(weight.shape)
        return plain(images, weight, tiles=tiles)

    monkeypatch.setattr(package, "convolve", noted)
    return shapes


@compiled
@pytest.mark.parametrize("padding", [1, (1, 1), "same"])
@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_gives_what_it_gave(replaced: list[torch.Size], padding: object, bias: bool) -> None:
    layer = nn.Conv2d(64, 64, 3, padding=padding, bias=bias)  # type: ignore[arg-type]
    plain = layer(IMAGES)
    with Kernels(torch.float32):
        ours = layer(IMAGES)
    assert replaced == [(64, 64, 3, 3)]
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5)


INNERMOST = torch.randn(2, 16, 8, 8).contiguous(memory_format=torch.channels_last)


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the other functions that were replaced, however few the numbers."""
    names: list[str] = []
    monkeypatch.setattr(elementwise, "LEAST", 1)
    for name in ("pool", "gelu"):
        plain = getattr(elementwise, name)
        monkeypatch.setattr(
            elementwise, name, lambda *args, plain=plain, name=name, **more: names.append(name) or plain(*args, **more)
        )
    return names


@compiled
@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (nn.MaxPool2d(2), "pool"),
        (nn.MaxPool2d((2, 2), stride=2), "pool"),
        (nn.GELU(), "gelu"),
        (nn.GELU(approximate="tanh"), "gelu"),
    ],
)
def test_pooling_and_gelu_give_what_they_gave(others: list[str], layer: nn.Module, name: str) -> None:
    images = INNERMOST.to(torch.bfloat16)
    plain = layer(images)
    with Kernels(torch.bfloat16):
        ours = layer(images)
    assert others == [name]
    assert torch.equal(ours, plain)


@pytest.mark.parametrize(
    ("layer", "images"),
    [
        (nn.MaxPool2d(3), INNERMOST),
        (nn.MaxPool2d(2, stride=1), INNERMOST),
        (nn.MaxPool2d(2, padding=1), INNERMOST),
        (nn.MaxPool2d(2, dilation=2), INNERMOST),
        (nn.MaxPool2d(2, ceil_mode=True), INNERMOST),
        (nn.MaxPool2d(2, return_indices=True), INNERMOST),
        (nn.MaxPool2d(2), INNERMOST.contiguous()),
        (nn.MaxPool2d(2), INNERMOST.double()),
        (nn.MaxPool2d(2), INNERMOST[:, :15].contiguous(memory_format=torch.channels_last)),
        (nn.MaxPool2d(2, stride=(2, 1)), INNERMOST),
        (nn.GELU(), INNERMOST),
        (nn.GELU(), INNERMOST.to(torch.bfloat16)[:, :, ::2]),
    ],
)
def test_other_pooling_and_gelu_stay_torchs(others: list[str], layer: nn.Module, images: Tensor) -> None:
    with Kernels(torch.float32):
        layer(images)
    with Kernels(torch.bfloat16), torch.no_grad():
        nn.GELU()(INNERMOST.to(torch.bfloat16))
    assert not others


@compiled
def test_few_numbers_stay_torchs(others: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elementwise, "LEAST", INNERMOST.numel() + 1)
    with Kernels(torch.bfloat16):
        nn.MaxPool2d(2)(nn.GELU()(INNERMOST.to(torch.bfloat16)))
    assert not others


@compiled
def test_in_bf16_the_images_are_rounded_and_the_weight_keeps_a_float32_gradient(replaced: list[torch.Size]) -> None:
    layer = nn.Conv2d(64, 64, 3, padding=1)
    with torch.autocast("cpu", torch.bfloat16), Kernels(torch.bfloat16):
        made = layer(IMAGES)
    made.sum().backward()
    assert made.dtype == torch.bfloat16 and replaced
    assert layer.weight.grad is not None and layer.weight.grad.dtype == torch.float32


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(64, 64, 3),
        nn.Conv2d(64, 64, 1),
        nn.Conv2d(64, 64, 5, padding=2),
        nn.Conv2d(64, 64, 3, padding=1, stride=2),
        nn.Conv2d(64, 64, 3, padding="same", dilation=2),
        nn.Conv2d(64, 64, 3, padding=1, groups=2),
        nn.Conv2d(64, 24, 3, padding=1),
        nn.Conv2d(64, 64, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(64, 64, 3, padding=1).requires_grad_(False),
    ],
)
def test_other_convolutions_stay_torchs(replaced: list[torch.Size], layer: nn.Module) -> None:
    with Kernels(torch.float32):
        layer(IMAGES)
    assert not replaced


@pytest.mark.parametrize(
    "images",
    [
        IMAGES.contiguous(),  # in another order
        IMAGES[:1],  # fewer than threads
        IMAGES[0],  # not a batch
        IMAGES.double(),
    ],
)
def test_other_images_stay_torchs(replaced: list[torch.Size], images: Tensor) -> None:
    layer = nn.Conv2d(64, 64, 3, padding=1).to(images.dtype)
    with Kernels(torch.float32):
        layer(images)
    assert not replaced


def test_what_torch_refuses_is_refused_in_its_own_words(replaced: list[torch.Size]) -> None:
    layer = nn.Conv2d(64, 64, 3, padding=1)
    with Kernels(torch.float32):
        with pytest.raises(RuntimeError, match="expected input.* to have 64 channels, but got 3 channels"):
            layer(torch.randn(2, 3, 32, 32).contiguous(memory_format=torch.channels_last))
        with pytest.raises(RuntimeError):
            layer(IMAGES.to(torch.bfloat16))
        with pytest.raises(RuntimeError, match="too small"):
            nn.MaxPool2d(2)(torch.randn(2, 2**17, 1, 2).contiguous(memory_format=torch.channels_last))
    assert not replaced


def test_a_block_that_leaves_autocast_keeps_its_precision(replaced: list[torch.Size]) -> None:
    layer = nn.Conv2d(64, 64, 3, padding=1)
    with torch.autocast("cpu", torch.bfloat16), Kernels(torch.bfloat16):
        with torch.autocast("cpu", enabled=False):
            assert layer(IMAGES).dtype == torch.float32
        assert layer.double()(IMAGES.double()).dtype == torch.float64
    assert not replaced


@compiled
def test_what_stands_behind_may_change_the_result_in_place(replaced: list[torch.Size], others: list[str]) -> None:
    net = nn.Sequential(
        nn.Conv2d(64, 64, 3, padding=1, bias=False), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.ReLU(True)
    )
    plain = torch.autograd.grad(net(IMAGES).sum(), net[0].weight)
    with Kernels(torch.float32):
        ours = torch.autograd.grad(net(IMAGES).sum(), net[0].weight)
    assert replaced and others
    torch.testing.assert_close(ours, plain, rtol=1e-3, atol=1e-3)


def test_what_is_not_differentiated_stays_torchs(replaced: list[torch.Size]) -> None:
    layer = nn.Conv2d(64, 64, 3, padding=1)
    with Kernels(torch.float32), torch.no_grad():
        layer(IMAGES)
    with Kernels(torch.float32), torch.inference_mode():
        layer(IMAGES)
    layer(IMAGES)  # outside
    assert not replaced


def test_another_type_of_number_is_refused() -> None:
    with pytest.raises(ValueError, match="dtype must be float32 or bfloat16, not torch.float16"):
        Kernels(torch.float16)


# Pooling and GELU


def pooled(images: Tensor, of: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """The output and the gradient of the images, of a gradient that differs everywhere."""
    images = images.detach().requires_grad_()
    made = of(images)
    gradient = torch.arange(1.0, made.numel() + 1).view(made.shape).to(images.dtype)
    return made, torch.autograd.grad(made, images, gradient)[0]


def theirs(images: Tensor) -> Tensor:
    return max_pool2d(images, 2)


@compiled
def test_the_largest_of_four_pixels_by_hand() -> None:
    images = torch.tensor([[1.0, 7.0], [3.0, 7.0]]).expand(1, 16, 2, 2).contiguous(memory_format=torch.channels_last)
    made, gradient = pooled(images, elementwise.pool)
    assert made.flatten().tolist() == [7.0] * 16
    assert gradient[0, 2].tolist() == [[0, 3], [0, 0]]  # to the first of two


@compiled
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [(6, 8), (7, 5), (2, 3)])
def test_pooling_is_torchs_to_the_bit_with_ties_and_all(
    size: tuple[int, int], dtype: torch.dtype, threads: int
) -> None:
    torch.set_num_threads(threads)
    draw = torch.Generator().manual_seed(0)
    images = (
        torch.randint(-2, 2, (5, 32, *size), generator=draw).to(dtype).contiguous(memory_format=torch.channels_last)
    )
    for ours, exact in zip(pooled(images, elementwise.pool), pooled(images, theirs), strict=True):
        assert torch.equal(ours, exact) and ours.dtype == dtype


@compiled
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("places", [[0], [3], [1, 2], [0, 1, 2, 3]])
def test_what_is_no_number_is_pooled_as_torch_does(dtype: torch.dtype, places: list[int]) -> None:
    images = torch.arange(64.0).view(1, 16, 2, 2).to(dtype).contiguous(memory_format=torch.channels_last)
    for place in places:
        images[:, :, place // 2, place % 2] = float("nan")
    for ours, exact in zip(pooled(images, elementwise.pool), pooled(images, theirs), strict=True):
        torch.testing.assert_close(ours, exact, rtol=0, atol=0, equal_nan=True)


def every_number() -> Tensor:
    """All of bf16, 65,536 of them."""
    return (torch.arange(2**16, dtype=torch.int32) << 16).view(torch.float32).to(torch.bfloat16)


@compiled
@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_is_torchs_at_every_number(approximate: str) -> None:
    numbers = every_number()
    ours = elementwise.gelu(numbers, approximate=approximate)
    exact = torch.nn.functional.gelu(numbers, approximate=approximate)
    smallest = torch.finfo(torch.bfloat16).tiny  # torch's makes 0 of what is smaller
    torch.testing.assert_close(ours, exact, rtol=0, atol=smallest, equal_nan=True)


@compiled
@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_the_slope_of_gelu_is_torchs_but_for_the_last_bit_of_few(approximate: str) -> None:
    draw = torch.Generator().manual_seed(0)
    numbers = torch.randn(3, 5, 400, generator=draw).to(torch.bfloat16).requires_grad_()
    gradient = torch.randn(3, 5, 400, generator=draw).to(torch.bfloat16)
    [ours] = torch.autograd.grad(elementwise.gelu(numbers, approximate=approximate), numbers, gradient)
    [exact] = torch.autograd.grad(torch.nn.functional.gelu(numbers, approximate=approximate), numbers, gradient)
    assert (ours != exact).float().mean() < 0.01
    torch.testing.assert_close(ours, exact, rtol=0.01, atol=1e-6)


@compiled
def test_the_slope_of_gelu_takes_a_gradient_in_another_order() -> None:
    draw = torch.Generator().manual_seed(0)
    numbers = torch.randn(2, 16, 3, 4, generator=draw).to(torch.bfloat16).requires_grad_()
    gradient = torch.randn(2, 16, 3, 4, generator=draw).to(torch.bfloat16)
    made = elementwise.gelu(numbers)
    [one] = torch.autograd.grad(made, numbers, gradient, retain_graph=True)
    [other] = torch.autograd.grad(made, numbers, gradient.contiguous(memory_format=torch.channels_last))
    assert torch.equal(one, other) and one.stride() == numbers.stride()


# The threads


@pytest.mark.parametrize("shares", [0, 1, 2, 7])
def test_shares_come_back_in_their_order(shares: int) -> None:
    assert openmp.side_by_side(lambda share: share * share, shares) == [share * share for share in range(shares)]


@pytest.mark.skipif(not openmp.available(), reason="torch has no OpenMP here")
def test_each_share_has_a_thread_of_its_own_and_no_gradients() -> None:
    meet = threading.Barrier(3, timeout=30)  # is passed only if three are there at once

    def work(share: int) -> tuple[int, bool]:
        meet.wait()
        return threading.get_ident(), torch.is_grad_enabled()

    found = openmp.side_by_side(work, 3)
    assert len({ident for ident, _ in found}) == 3
    assert not any(enabled for _, enabled in found)
    assert torch.is_grad_enabled()


@pytest.mark.skipif(not openmp.available(), reason="torch has no OpenMP here")
def test_a_fault_in_one_thread_is_raised_and_the_others_go_on() -> None:
    meet = threading.Barrier(2, timeout=30)
    done: list[int] = []

    def work(share: int) -> None:
        meet.wait()
        if share == 1:
            raise RuntimeError("no")
        done.append(share)

    with pytest.raises(RuntimeError, match="no"):
        openmp.side_by_side(work, 2)
    assert done == [0]


def test_without_openmp_the_shares_come_one_after_another_and_auto_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openmp, "_parallel", lambda: None)
    assert openmp.side_by_side(lambda share: threading.get_ident(), 3) == [threading.get_ident()] * 3
    assert Runtime(device="cpu", kernels="auto").settle(CONVOLUTION).kernels == "torch"
    with pytest.raises(NotAvailable, match="need a torch that computes by OpenMP"):
        package.prepare()


# The kernels


@compiled
def test_the_kernels_are_compiled_once_and_kept(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package.prepare()
    [kept] = fresh.iterdir()
    native.library.cache_clear()
    monkeypatch.setattr(native, "_compile", lambda *words: pytest.fail("compiled again"))
    package.prepare()
    assert kept.suffix == ".so"


@compiled
@pytest.mark.parametrize("how", ["others may write it", "a link"])
def test_a_library_that_another_could_have_made_is_made_anew(fresh: Path, how: str) -> None:
    package.prepare()
    [kept] = fresh.iterdir()
    if how == "a link":
        kept.rename(fresh / "elsewhere")
        kept.symlink_to(fresh / "elsewhere")
    else:
        kept.chmod(0o777)
    before = kept.lstat().st_ino
    native.library.cache_clear()
    package.prepare()
    assert kept.lstat().st_ino != before and kept.lstat().st_mode == stat.S_IFREG | 0o700


@compiled
def test_a_folder_that_cannot_be_written_costs_a_compilation_alone(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.write_text("a file where the folder would be", encoding="utf-8")
    package.prepare()
    [(ours, exact), *_] = both((3, 2), torch.float32)
    assert error(ours, exact) < 3e-6


def test_without_a_compiler_it_is_one_line(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(fresh))
    assert not package.available()
    with pytest.raises(NotAvailable, match=r"needs a C\+\+ compiler, and none of c\+\+, g\+\+, clang\+\+ is there"):
        package.prepare()
    assert Runtime(device="cpu", precision="fp32", kernels="auto").settle(CONVOLUTION).kernels == "torch"


def test_a_cxx_that_is_not_there_is_named(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "nowhere++ -m64")
    with pytest.raises(NotAvailable, match=r"\$CXX, nowhere\+\+ -m64, is none"):
        package.prepare()


def test_cxx_may_be_a_compiler_behind_another_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own cache"
    own.write_text("#!/bin/sh\n", encoding="utf-8")
    own.chmod(own.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CXX", f"'{own}' g++")
    assert native.compiler() == [str(own), "g++"]


@compiled
def test_a_damaged_library_is_made_anew(fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package.prepare()
    [kept] = fresh.iterdir()
    damaged = tmp_path / "another cache" / kept.name  # where no library is open yet
    damaged.parent.mkdir()
    damaged.write_bytes(b"no library")
    damaged.chmod(0o700)
    monkeypatch.setenv("DLCOURSE_CACHE", str(damaged.parent))
    native.library.cache_clear()
    package.prepare()
    assert damaged.stat().st_size > 1000


def test_a_compiler_that_fails_is_quoted(fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken++"
    broken.write_text("#!/bin/sh\necho 'no such standard' >&2\nexit 1\n", encoding="utf-8")
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CXX", str(broken))
    with pytest.raises(NotAvailable, match=r"broken\+\+ cannot compile the kernels \(no such standard\)"):
        package.prepare()
    assert not list(fresh.iterdir())
    assert Runtime(device="cpu", precision="fp32", kernels="auto").settle(CONVOLUTION).kernels == "torch"


# The setting


def test_auto_is_for_convolutions_on_a_cpu_in_a_precision_that_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "available", lambda: True)

    def settled(model: nn.Module = CONVOLUTION, **settings: object) -> object:
        return Runtime(**{"device": "cpu", "kernels": "auto", **settings}).settle(model).kernels  # type: ignore[arg-type]

    assert settled() == "own"
    assert settled(precision="fp32") == "own"
    assert settled(precision="fp16") == "torch"
    assert settled(compile=True) == "torch"
    assert settled(nn.Linear(1, 1)) == "torch"
    assert settled(nn.Conv2d(16, 24, 3, padding=1)) == "torch"
    assert settled(nn.Conv2d(16, 16, 3, padding=1, padding_mode="reflect")) == "torch"
    assert settled(kernels="torch") == "torch"


def test_by_itself_it_is_off() -> None:
    assert Runtime(device="cpu").settle(CONVOLUTION).kernels == "torch"


def test_own_is_never_left_aside() -> None:
    with pytest.raises(ConfigError, match=r"runtime\.kernels: own .* not for Linear in fp32 on cpu"):
        Runtime(device="cpu", kernels="own").settle(nn.Linear(1, 1))
    with pytest.raises(ConfigError, match="not for Conv2d in fp32 on cpu without channels_last"):
        Runtime(device="cpu", precision="fp32", channels_last=False, kernels="own").settle(CONVOLUTION)
    with pytest.raises(ConfigError, match="not for Conv2d in fp16 on cpu"):
        Runtime(device="cpu", precision="fp16", kernels="own").settle(CONVOLUTION)
    with pytest.raises(ValueError, match="kernels=own and compile=true cannot both be"):
        Runtime(compile=True, kernels="own")


def test_a_run_notes_the_compiler_that_its_bits_hang_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own++"
    own.write_text("#!/bin/sh\necho 'own++ 7.1'; echo 'and its licence'\n", encoding="utf-8")
    own.chmod(own.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CXX", str(own))
    before = Runtime(device="cpu", precision="fp32", kernels="own").describe()
    assert before["kernels"] == "own, by own++ 7.1"
    now = Runtime(device="cpu", precision="fp32").describe()
    assert differences(before, now) == ["kernels was own, by own++ 7.1, is torch"]


@compiled
def test_a_model_that_torchs_kernels_can_train_is_told_so() -> None:
    def penalised(model: nn.Module) -> Tensor:
        images = IMAGES.clone(memory_format=torch.preserve_format).requires_grad_()
        [slope] = torch.autograd.grad(model(images).square().sum(), images, create_graph=True)
        return slope.square().sum()

    runtime = Runtime(device="cpu", precision="fp32", kernels="own").settle(nn.Conv2d(64, 64, 3, padding=1))
    with pytest.raises(NotAvailable, match=r"our own cannot train this model .*say runtime\.kernels=torch"):
        runtime.rehearse(nn.Conv2d(64, 64, 3, padding=1), penalised)


def test_a_model_is_not_computed_to_see_whether_it_suits() -> None:
    layer = torch.nn.utils.parametrizations.spectral_norm(nn.Conv2d(16, 16, 3, padding=1))
    before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    assert package.suits(layer)
    assert all(torch.equal(tensor, before[name]) for name, tensor in layer.state_dict().items())


@compiled
def test_a_context_replaces_only_inside(replaced: list[torch.Size]) -> None:
    layer = nn.Conv2d(64, 64, 3, padding=1)
    runtime = Runtime(device="cpu", precision="bf16", kernels="own")
    context = runtime.autocast()
    layer(IMAGES)
    assert not replaced
    with context:
        layer(IMAGES)
    assert len(replaced) == 1


def test_it_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", "runtime.kernels"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "by Winograd's algorithm" in said
