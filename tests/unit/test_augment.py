"""Batched augmentation against torchvision's transforms and against counts by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torchvision.transforms import functional

from dlcourse.data.augment import (
    Augmentation,
    PaddingMode,
    alternately_mirrored,
    augment,
    below,
    crop,
    cut_out,
    flip,
    random_bits,
)
from dlcourse.data.base import Draw

DRAW = Draw(seed=3, epoch=5)
GREY = torch.tensor([7, 8, 9], dtype=torch.uint8)
FULL = Augmentation(crop_padding=2, flip=True, cutout=3)
ALTERNATING = Augmentation(flip="alternating")


def pictures(count: int, *, height: int = 6, width: int = 5, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(1, 256, (count, height, width, channels), generator=generator, dtype=torch.uint8)


def chi_square(values: torch.Tensor, *, cells: int) -> float:
    """The p-value of the values (0 to cells - 1) being uniform."""
    return float(stats.chisquare(torch.bincount(values.flatten(), minlength=cells).numpy()).pvalue)


@pytest.mark.parametrize("mode", ["constant", "reflect"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("padding", "size"), [(1, None), (3, None), (4, None), (0, 4), (2, 4), (1, 7), (0, 1)])
def test_every_crop_has_the_pixels_of_torchvisions_pad_and_crop(
    channels: int, padding: int, size: int | None, mode: PaddingMode
) -> None:
    image, (tall, wide) = pictures(1, channels=channels), (size or 6, size or 5)
    offsets = torch.cartesian_prod(torch.arange(6 + 2 * padding - tall + 1), torch.arange(5 + 2 * padding - wide + 1))
    images = image.expand(len(offsets), -1, -1, -1)
    cropped = crop(images, top=offsets[:, 0], left=offsets[:, 1], padding=padding, size=size, mode=mode)
    padded = functional.pad(image[0].permute(2, 0, 1), [padding], padding_mode=mode)
    for (top, left), found in zip(offsets.tolist(), cropped, strict=True):
        assert torch.equal(found.permute(2, 0, 1), functional.crop(padded, top, left, tall, wide))


def test_small_crops_come_from_everywhere_in_the_image_and_in_its_border() -> None:
    # Each pixel is its own place, so that a crop's first one says where it was cut.
    places = torch.arange(1, 31, dtype=torch.uint8).view(1, 6, 5, 1).expand(3_000, -1, -1, -1).contiguous()
    cut = Augmentation(crop_size=4)
    cropped = augment(places, torch.arange(3_000), augmentation=cut, draw=DRAW, fill=torch.tensor([0]))
    assert cropped.shape == (3_000, 4, 4, 1)
    top, left = (cropped[:, 0, 0, 0].long() - 1) // 5, (cropped[:, 0, 0, 0].long() - 1) % 5
    assert chi_square(top * 2 + left, cells=6) > 1e-3
    assert set((top * 2 + left).tolist()) == set(range(6))
    padded = Augmentation(crop_size=4, crop_padding=1, cutout=2)
    assert augment(places, torch.arange(3_000), augmentation=padded, draw=DRAW, fill=GREY[:1]).shape == (3_000, 4, 4, 1)


def test_marked_images_are_flipped_as_torchvision_flips_them() -> None:
    images = pictures(4)
    flipped = flip(images, mirrored=torch.tensor([0, 1, 1, 0]))
    for number, mirrored in enumerate([False, True, True, False]):
        seen = images[number].permute(2, 0, 1)
        assert torch.equal(flipped[number].permute(2, 0, 1), functional.hflip(seen) if mirrored else seen)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 30])
def test_cutout_paints_the_square_around_every_centre_clipped_at_the_border(size: int) -> None:
    centres = torch.cartesian_prod(torch.arange(6), torch.arange(5))
    images = pictures(len(centres))
    painted = cut_out(images, row=centres[:, 0], column=centres[:, 1], size=size, fill=GREY)
    for (row, column), before, after in zip(centres.tolist(), images, painted, strict=True):
        top, left = max(row - size // 2, 0), max(column - size // 2, 0)
        expected = before.clone()
        expected[top : row - size // 2 + size, left : column - size // 2 + size] = GREY
        assert torch.equal(after, expected)


def test_crop_offsets_are_uniform_over_all_windows_like_torchvisions() -> None:
    offsets = below(random_bits(torch.arange(40_000), draw=DRAW, count=2), 9)
    assert chi_square(offsets[0] * 9 + offsets[1], cells=81) > 1e-3


def test_half_of_the_images_are_flipped_whatever_their_crop() -> None:
    bits = random_bits(torch.arange(40_000), draw=DRAW, count=3)
    assert chi_square(below(bits[2], 2) * 9 + below(bits[0], 9), cells=18) > 1e-3


@pytest.mark.parametrize("shift", [0, 8, 16, 24])
def test_every_byte_of_the_random_bits_is_uniform_over_samples_and_over_epochs(shift: int) -> None:
    over_samples = random_bits(torch.arange(20_000), draw=DRAW, count=5)
    over_epochs = torch.stack([random_bits(torch.arange(10), draw=Draw(0, e), count=5) for e in range(2_000)])
    assert chi_square(over_samples >> shift & 255, cells=256) > 1e-4
    assert chi_square(over_epochs >> shift & 255, cells=256) > 1e-4


def test_neighbours_in_sample_epoch_seed_and_draw_number_are_uncorrelated() -> None:
    def numbers(seed: int, epoch: int) -> torch.Tensor:
        return random_bits(torch.arange(20_001), draw=Draw(seed, epoch), count=2).double()

    here = numbers(0, 0)
    pairs = [
        (here[0, 1:], here[0, :-1]),
        (here[0], here[1]),
        (here[0], numbers(0, 1)[0]),
        (here[0], numbers(1, 0)[0]),
    ]
    assert all(abs(float(torch.corrcoef(torch.stack(pair))[0, 1])) < 0.03 for pair in pairs)


def test_the_hash_is_murmur3s_finaliser_in_plain_whole_numbers() -> None:
    from dlcourse.data.base import mix

    def finalise(number: int) -> int:
        number = (number ^ number >> 16) * 0x85EBCA6B % 2**32
        number = (number ^ number >> 13) * 0xC2B2AE35 % 2**32
        return number ^ number >> 16

    indices = [0, 1, 77, 49_999, 2**32 - 1]
    high, low = divmod(mix(3, 5), 2**32)
    expected = [
        [finalise((finalise(finalise(i ^ low) ^ high) + k * 0x9E3779B9) % 2**32) for i in indices] for k in range(5)
    ]
    assert random_bits(torch.tensor(indices), draw=DRAW, count=5).tolist() == expected


def test_a_sample_is_augmented_alike_whatever_else_is_in_the_batch() -> None:
    images, indices = pictures(50), torch.arange(50) * 7
    whole = augment(images, indices, augmentation=FULL, draw=DRAW, fill=GREY)
    some = torch.tensor([30, 4, 4, 17])
    alone = augment(images[some], indices[some], augmentation=FULL, draw=DRAW, fill=GREY)
    assert torch.equal(whole[some], alone)


def test_epochs_and_seeds_augment_differently() -> None:
    images, indices = pictures(50), torch.arange(50)
    seen = [
        augment(images, indices, augmentation=FULL, draw=draw, fill=GREY)
        for draw in (DRAW, Draw(seed=3, epoch=6), Draw(seed=4, epoch=5))
    ]
    different = [(a != b).flatten(1).any(dim=1).float().mean() for a, b in ((seen[0], seen[1]), (seen[0], seen[2]))]
    assert min(different) > 0.9
    assert torch.equal(seen[0], augment(images, indices, augmentation=FULL, draw=DRAW, fill=GREY))


def test_augmenting_leaves_the_originals_alone() -> None:
    images = pictures(8)
    before = images.clone()
    augment(images, torch.arange(8), augmentation=FULL, draw=DRAW, fill=GREY)
    assert torch.equal(images, before)
    untouched = augment(images, torch.arange(8), augmentation=Augmentation(), draw=DRAW, fill=GREY)
    assert torch.equal(untouched, before)


def test_negative_sizes_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"^crop_padding must be 0 or more pixels, not -1"):
        Augmentation(crop_padding=-1)
    with pytest.raises(ValueError, match=r"^crop_size must be 1 or more pixels, or null, not 0"):
        Augmentation(crop_size=0)
    with pytest.raises(ValueError, match=r"^padding_mode must be constant or reflect, not 'edge'"):
        Augmentation(padding_mode="edge")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^cutout must be 0 or more pixels, not -2"):
        Augmentation(cutout=-2)
    with pytest.raises(ValueError, match=r"^flip must be true, false or alternating, not 'random'"):
        Augmentation(flip="random")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^sizes must be 1 or more pixels each, not \[16, 0\]"):
        Augmentation(sizes=(16, 0))


def mirrored(count: int, *, augmentation: Augmentation, draw: Draw) -> torch.Tensor:
    """Bool [count]: which images of a training split come out mirrored."""
    images = torch.arange(2, dtype=torch.uint8).view(1, 1, 2, 1).expand(count, -1, -1, -1).contiguous()
    fill = torch.zeros(1, dtype=torch.uint8)
    seen = augment(images, torch.arange(count), augmentation=augmentation, draw=draw, fill=fill)
    return seen[:, 0, 0, 0] == 1


def test_alternating_begins_as_independent_throws_do_and_takes_turns_from_then_on() -> None:
    epochs = [mirrored(200, augmentation=ALTERNATING, draw=Draw(3, epoch)) for epoch in range(4)]
    assert torch.equal(epochs[0], mirrored(200, augmentation=Augmentation(flip=True), draw=Draw(3, 0)))
    assert torch.equal(epochs[1], ~epochs[0])
    assert torch.equal(epochs[2], epochs[0])
    assert torch.equal(epochs[3], ~epochs[0])


def test_two_epochs_show_every_image_both_ways_where_throws_repeat_half() -> None:
    def both_ways(augmentation: Augmentation) -> float:
        first, second = (mirrored(4_000, augmentation=augmentation, draw=Draw(3, epoch)) for epoch in (6, 7))
        return float((first != second).float().mean())

    assert both_ways(ALTERNATING) == 1.0
    assert 0.45 < both_ways(Augmentation(flip=True)) < 0.55


@given(st.integers(0, 2**31), st.integers(0, 10_000), st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=9))
def test_alternating_depends_on_seed_epoch_and_sample_alone(seed: int, epoch: int, indices: list[int]) -> None:
    whole = alternately_mirrored(torch.tensor(indices), draw=Draw(seed, epoch))
    assert set(whole.tolist()) <= {0, 1}
    for place, index in enumerate(indices):
        alone = torch.tensor([index])
        assert alternately_mirrored(alone, draw=Draw(seed, epoch)) == whole[place]
        assert alternately_mirrored(alone, draw=Draw(seed, epoch + 1)) == 1 - whole[place]


def test_half_of_the_images_begin_mirrored_and_seeds_choose_others() -> None:
    first, other = (alternately_mirrored(torch.arange(40_000), draw=Draw(seed, 0)) for seed in (3, 4))
    assert chi_square(first * 2 + other, cells=4) > 1e-3
