"""Image splits: gathering, normalising, layouts, fingerprints; the cut that image sets share."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from dlcourse.data.augment import Augmentation, scaled
from dlcourse.data.base import Draw
from dlcourse.data.image_set import ImageSet, Labelled, Parts, channel_statistics, check_labels
from dlcourse.data.images import ImageSplit
from dlcourse.errors import ConfigError, DataError

CPU = torch.device("cpu")
AUGMENTATION = Augmentation(crop_padding=2, flip=True, cutout=3)


def labelled(count: int, *, channels: int = 3) -> Labelled:
    generator = torch.Generator().manual_seed(count)
    images = torch.randint(0, 256, (count, 7, 6, channels), generator=generator, dtype=torch.uint8)
    return Labelled(images, torch.arange(count) % 3)


def split(channels: int = 3) -> ImageSplit:
    part = labelled(20, channels=channels)
    mean, std = channel_statistics(part.images)
    return ImageSplit(part.images, part.labels, ("a", "b", "c"), mean, std, AUGMENTATION)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("draw", [None, Draw(1, 2)])
def test_both_layouts_hold_the_same_bits_and_come_out_native(channels: int, draw: Draw | None) -> None:
    indices = torch.tensor([3, 3, 19, 0])
    plain = split(channels).to(CPU).fetch(indices, draw=draw).images
    last = split(channels).to(CPU, memory_format=torch.channels_last).fetch(indices, draw=draw).images
    assert plain.shape == last.shape == (4, channels, 7, 6)
    assert torch.equal(plain, last)
    assert plain.stride() == (channels * 42, 42, 6, 1)
    assert last.stride() == (channels * 42, 1, 6 * channels, channels)
    assert plain.dtype == last.dtype == torch.float32


def test_fetched_images_are_pixels_less_mean_over_std() -> None:
    data, indices = split(), torch.tensor([5, 2])
    batch = data.fetch(indices)
    expected = (data.images[indices].double() - torch.tensor(data.mean)) / torch.tensor(data.std)
    torch.testing.assert_close(batch.images, expected.permute(0, 3, 1, 2).float(), rtol=1e-5, atol=1e-6)
    assert batch.labels.tolist() == [2, 2]
    assert batch.indices.tolist() == [5, 2]
    assert batch.weight == 2.0


def test_the_training_split_is_fetched_with_zero_mean_and_unit_variance() -> None:
    images = split().fetch(torch.arange(20)).images
    torch.testing.assert_close(images.mean(dim=(0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(images.std(dim=(0, 2, 3), unbiased=False), torch.ones(3), rtol=0, atol=1e-5)


def test_only_a_draw_augments() -> None:
    data, indices = split(), torch.arange(20)
    assert torch.equal(data.fetch(indices).images, replace(data, augmentation=Augmentation()).fetch(indices).images)
    assert not torch.equal(data.fetch(indices).images, data.fetch(indices, draw=Draw(0, 0)).images)


def test_cutout_is_zero_once_normalised_up_to_half_a_grey_level() -> None:
    data = replace(split(), augmentation=Augmentation(cutout=20))
    images = data.fetch(torch.arange(20), draw=Draw(0, 0)).images
    assert float((images.abs() * torch.tensor(data.std).view(3, 1, 1)).max()) <= 0.5001


def test_the_first_epochs_have_the_sizes_that_were_named_and_later_ones_the_images_whole() -> None:
    data = replace(split(), augmentation=Augmentation(sizes=(3, 5)))
    indices = torch.arange(4)
    shapes = [data.fetch(indices, draw=Draw(1, epoch)).images.shape[2:] for epoch in range(3)]
    assert shapes == [(3, 3), (5, 5), (7, 6)]
    assert data.fetch(indices).images.shape[2:] == (7, 6)


def test_a_smaller_image_has_the_pixels_of_pillows_antialiased_bilinear_filter() -> None:
    # Pillow rounds to whole grey levels.
    data = replace(split(), augmentation=Augmentation(sizes=(4,)))
    seen = data.fetch(torch.tensor([7]), draw=Draw(1, 0)).images[0].permute(1, 2, 0)
    grey = seen * torch.tensor(data.std) + torch.tensor(data.mean)
    expected = Image.fromarray(data.images[7].numpy()).resize((4, 4), Image.Resampling.BILINEAR)
    torch.testing.assert_close(grey, torch.from_numpy(np.array(expected)).float(), rtol=0, atol=1.01)


@pytest.mark.parametrize("size", [1, 2, 5, 7])
def test_a_constant_image_stays_constant_at_every_size_in_both_layouts(size: int) -> None:
    image = torch.full((2, 3, 7, 7), 1.5)
    for layout in (torch.contiguous_format, torch.channels_last):
        smaller = scaled(image.contiguous(memory_format=layout), size=size)
        torch.testing.assert_close(smaller, torch.full((2, 3, size, size), 1.5))


def test_pixels_are_the_original_images() -> None:
    data = split()
    assert torch.equal(data.pixels(torch.tensor([4, 1])), data.images[[4, 1]])


def test_the_fingerprint_follows_the_content_and_nothing_else() -> None:
    data = split()
    assert data.fingerprint == split().fingerprint
    assert data.fingerprint == data.to(CPU, memory_format=torch.channels_last).fingerprint
    pixels, labels = data.images.clone(), data.labels.clone()
    pixels[3, 2, 1, 0] ^= 1
    labels[0] = 1
    others = [
        replace(data, images=pixels),
        replace(data, labels=labels),
        replace(data, classes=("a", "b", "d")),
        replace(data, images=data.images.view(20, 6, 7, 3)),
    ]
    assert len({data.fingerprint, *(other.fingerprint for other in others)}) == 5


def test_channel_statistics_agree_with_numpy_over_many_chunks() -> None:
    images = torch.randint(0, 256, (600, 5, 4, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images[0] = 255
    mean, std = channel_statistics(images)
    np.testing.assert_allclose(mean, images.numpy().mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(std, images.numpy().std(axis=(0, 1, 2)), rtol=1e-12)


def test_a_constant_channel_is_not_divided_by_zero() -> None:
    assert channel_statistics(torch.full((2, 3, 3, 1), 9, dtype=torch.uint8)) == ((9.0,), (1.0,))


class Fixed(ImageSet):
    """An image set that holds what it is given."""

    def __init__(
        self, parts: Parts, *, val_fraction: float = 0.25, reflected: int | None = None, crop_size: int | None = None
    ) -> None:
        mode = "constant" if reflected is None else "reflect"
        augmentation = Augmentation(crop_padding=reflected or 2, crop_size=crop_size, padding_mode=mode, flip=True)
        super().__init__(val_fraction=val_fraction, split_seed=1, augmentation=augmentation)
        self.parts = parts

    def facts(self) -> dict[str, object]:
        return {}

    def read(self) -> Parts:
        return self.parts


def test_validation_is_cut_from_train_and_only_train_is_augmented() -> None:
    parts = Parts(labelled(24), labelled(9), ("a", "b", "c"))
    splits = Fixed(parts).load()
    assert (len(splits.train), len(splits.val), len(splits.test)) == (18, 6, 9)
    assert isinstance(splits.train, ImageSplit)
    assert isinstance(splits.val, ImageSplit)
    together = torch.cat([splits.train.images, splits.val.images]).flatten(1).tolist()
    assert sorted(together) == sorted(parts.train.images.flatten(1).tolist())
    assert splits.train.mean == splits.val.mean == channel_statistics(splits.train.images)[0]
    assert splits.train.augmentation != Augmentation() == splits.val.augmentation


def test_a_given_validation_part_is_kept() -> None:
    splits = Fixed(Parts(labelled(24), labelled(9), ("a", "b", "c"), val=labelled(5))).load()
    assert (len(splits.train), len(splits.val)) == (24, 5)


def test_one_image_a_class_cannot_be_cut() -> None:
    with pytest.raises(DataError, match=r"leave none to validate on"):
        Fixed(Parts(labelled(3), labelled(9), ("a", "b", "c"))).load()


def test_an_image_is_reflected_less_far_than_it_is_wide() -> None:
    Fixed(Parts(labelled(9), labelled(9), ("a", "b", "c")), reflected=5).load()
    with pytest.raises(ConfigError, match=r"^data.crop_padding must be less than the 6 pixels .* not 6$"):
        Fixed(Parts(labelled(9), labelled(9), ("a", "b", "c")), reflected=6).load()


def test_a_crop_is_no_larger_than_the_image_with_its_padding() -> None:
    parts = Parts(labelled(9), labelled(9), ("a", "b", "c"))
    splits = Fixed(parts, crop_size=10).load()
    drawn = splits.train.fetch(torch.arange(2), draw=Draw(seed=1, epoch=0))
    assert drawn.images.shape[2:] == (10, 10) and splits.val.fetch(torch.arange(2)).images.shape[2:] == (7, 6)
    with pytest.raises(ConfigError, match=r"^data.crop_size must be at most the 10 pixels .* not 11$"):
        Fixed(parts, crop_size=11).load()


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, float("nan")])
def test_a_fraction_outside_0_to_1_is_refused_by_name(value: float) -> None:
    with pytest.raises(ValueError, match=r"^val_fraction must lie between 0 and 1"):
        Fixed(Parts(labelled(3), labelled(3), ("a", "b", "c")), val_fraction=value)


def test_a_label_out_of_range_is_named_with_its_record(tmp_path) -> None:
    with pytest.raises(DataError, match=r"record 2 has label 7, but labels are 0 to 2"):
        check_labels(torch.tensor([0, 2, 7, 9]), path=tmp_path / "x.bin", classes=3)
