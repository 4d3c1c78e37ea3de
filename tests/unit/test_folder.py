"""One's own image folders: layouts, decoding, and everything that can be wrong with them."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import functional

from dlcourse.data import decode, folder
from dlcourse.data.folder import ImageFolder
from dlcourse.data.images import ImageSplit
from dlcourse.errors import DataError

COLOURS = {"cat": (200, 10, 10), "dog": (10, 200, 10), "鸟 a=(1)": (10, 10, 200)}


def save(path: Path, *, colour: tuple[int, int, int] = (1, 2, 3), size: tuple[int, int] = (20, 14)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def fill(top: Path, *, count: int = 10, classes: dict[str, tuple[int, int, int]] = COLOURS) -> Path:
    """`count` plain images in each class folder."""
    for name, colour in classes.items():
        for number in range(count):
            save(top / name / f"{number:02}.png", colour=(*colour[:2], colour[2] + number))
    return top


def noise(path: Path, *, width: int, height: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    return path


def test_class_folders_become_labels_and_the_test_split_never_moves(tmp_path: Path) -> None:
    root = str(fill(tmp_path / "图 a=(1)"))
    data = ImageFolder(root=root, size=8)
    splits = data.load()
    assert (len(splits.train), len(splits.val), len(splits.test)) == (21, 3, 6)
    assert data.facts() == {"num_classes": 3, "in_channels": 3, "image_size": 8, "classes": tuple(COLOURS)}
    for split in (splits.train, splits.val, splits.test):
        assert isinstance(split, ImageSplit)
        for pixels, label in zip(split.pixels(torch.arange(len(split))), split.labels.tolist(), strict=True):
            colour = list(COLOURS.values())[label]
            assert pixels[0, 0, :2].tolist() == list(colour[:2])
            assert bool((pixels == pixels[0, 0]).all())
    other = ImageFolder(root=root, size=8, split_seed=1).load()
    assert other.test.fingerprint == splits.test.fingerprint
    assert other.val.fingerprint != splits.val.fingerprint


@pytest.mark.parametrize("with_val", [False, True])
def test_train_test_and_val_folders_are_taken_as_they_are(tmp_path: Path, with_val: bool) -> None:
    fill(tmp_path / "train", count=10)
    fill(tmp_path / "test", count=2)
    if with_val:
        fill(tmp_path / "val", count=3)
    splits = ImageFolder(root=str(tmp_path), size=8).load()
    assert (len(splits.train), len(splits.val), len(splits.test)) == ((30, 9, 6) if with_val else (27, 3, 6))


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    fill(tmp_path, classes={"car": (1, 1, 1), "train": (2, 2, 2)})
    assert ImageFolder(root=str(tmp_path)).facts()["classes"] == ("car", "train")


def test_the_middle_square_is_what_torchvision_resizes_and_crops(tmp_path: Path) -> None:
    gradient = np.linspace(0, 255, 90)[None, :, None] * np.ones((60, 1, 3))
    path = tmp_path / "x.png"
    Image.fromarray(gradient.astype(np.uint8)).save(path)
    found = decode.decode(path, size=12, channels=3)
    image = Image.open(path)
    expected = functional.center_crop(functional.resize(image, [12], functional.InterpolationMode.BILINEAR), [12, 12])
    assert np.abs(found.astype(int) - np.asarray(expected).astype(int)).max() <= 2


def test_grey_is_the_luma_of_colour(tmp_path: Path) -> None:
    found = decode.decode(save(tmp_path / "x.png", colour=(255, 0, 0)), size=4, channels=1)
    assert found.shape == (4, 4, 1)
    assert found[0, 0, 0] == 76  # 0.299 * 255


def test_a_photograph_taken_sideways_stands_upright(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 3), dtype=np.uint8)
    pixels[:4] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by half a turn
    Image.fromarray(pixels).save(tmp_path / "x.png", exif=exif)
    found = decode.decode(tmp_path / "x.png", size=8, channels=1)
    assert found[:3].max() == 0
    assert found[5:].min() == 255


def test_sixteen_bits_transparency_and_animation_become_eight_bit_colour(tmp_path: Path) -> None:
    Image.fromarray(np.full((5, 5), 40_000, dtype=np.uint16)).save(tmp_path / "deep.png")
    Image.new("RGBA", (5, 5), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    frames = [Image.new("RGB", (5, 5), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert decode.decode(tmp_path / "deep.png", size=4, channels=3).flatten().tolist() == [156] * 48
    assert decode.decode(tmp_path / "clear.png", size=4, channels=1).flatten().tolist() == [255] * 16
    assert decode.decode(tmp_path / "moving.gif", size=4, channels=3)[0, 0].tolist() == [255, 0, 0]


def test_every_promised_format_is_read(tmp_path: Path) -> None:
    for extension in folder.EXTENSIONS:
        save(tmp_path / "a" / f"x{extension.upper()}", colour=(100, 100, 100))
    found = decode.decode_all(sorted((tmp_path / "a").iterdir()), size=4, channels=1, workers=2)
    assert found.shape == (len(folder.EXTENSIONS), 4, 4, 1)
    assert int((found.int() - 100).abs().max()) <= 2


def test_the_number_of_workers_changes_nothing(tmp_path: Path) -> None:
    paths = [noise(tmp_path / f"{n}.jpg", width=30 + n, height=40) for n in range(12)]
    alone, many = (decode.decode_all(paths, size=16, channels=3, workers=workers) for workers in (1, 5))
    assert torch.equal(alone, many)


def test_hidden_and_other_files_are_passed_over_and_nested_ones_are_not(tmp_path: Path) -> None:
    fill(tmp_path)
    for name in (".hidden.png", ".thumbs/a.png", "notes.txt"):
        path = tmp_path / "cat" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("no image")
    save(tmp_path / ".git" / "a.png")
    save(tmp_path / "cat" / "below" / "a.png")
    parts = ImageFolder(root=str(tmp_path), size=8).read()
    assert torch.bincount(torch.cat([parts.train.labels, parts.test.labels])).tolist() == [11, 10, 10]


def test_a_folder_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    for look in (ImageFolder(root=str(tmp_path / "no")).facts, ImageFolder(root=str(tmp_path / "no")).load):
        with pytest.raises(DataError, match=r"no such folder of images: give data.root=FOLDER"):
            look()


def test_an_empty_folder_says_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds 0 class folders.*ROOT/CLASS"):
        ImageFolder(root=str(tmp_path)).facts()


def test_one_class_is_not_enough(tmp_path: Path) -> None:
    fill(tmp_path, classes={"cat": (1, 1, 1)})
    with pytest.raises(DataError, match=r"holds 1 class folders"):
        ImageFolder(root=str(tmp_path)).load()


def test_train_without_test_is_half_a_set(tmp_path: Path) -> None:
    fill(tmp_path / "train")
    with pytest.raises(DataError, match=r"has train but no test folder"):
        ImageFolder(root=str(tmp_path)).load()


def test_up_to_five_classes_without_images_are_named(tmp_path: Path) -> None:
    fill(tmp_path)
    for number in range(7):
        (tmp_path / f"none{number}").mkdir()
    with pytest.raises(DataError) as caught:
        ImageFolder(root=str(tmp_path)).load()
    assert "none4 and 2 more" in str(caught.value)
    assert "none5" not in str(caught.value)


def test_train_and_test_must_have_the_same_classes(tmp_path: Path) -> None:
    fill(tmp_path / "train")
    fill(tmp_path / "test", classes={"cat": (1, 1, 1), "cow": (2, 2, 2)})
    with pytest.raises(DataError, match=r"other classes than in train; it alone has cow; it lacks dog, 鸟"):
        ImageFolder(root=str(tmp_path)).load()


def test_damaged_images_are_named_all_at_once(tmp_path: Path) -> None:
    fill(tmp_path)
    whole = noise(tmp_path / "cat" / "cut.png", width=40, height=40)
    whole.write_bytes(whole.read_bytes()[:2000])
    (tmp_path / "dog" / "text.jpg").write_text("not an image")
    (tmp_path / "dog" / "empty.png").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        ImageFolder(root=str(tmp_path)).load()
    (line,) = caught.value.problems
    assert line.startswith("3 of 33 images cannot be decoded: ")
    assert "\n" not in line
    assert all(name in line for name in ("cut.png", "text.jpg", "empty.png"))


def test_more_than_five_damaged_images_are_counted(tmp_path: Path) -> None:
    fill(tmp_path)
    for number in range(8):
        (tmp_path / "cat" / f"bad{number}.png").write_bytes(b"x")
    with pytest.raises(DataError, match=r"8 of 38 images .* and 3 more"):
        ImageFolder(root=str(tmp_path)).load()


def test_an_image_of_too_many_pixels_is_refused_undecoded(tmp_path: Path) -> None:
    fill(tmp_path)
    Image.new("1", (9000, 9000)).save(tmp_path / "cat" / "bomb.png")
    assert (tmp_path / "cat" / "bomb.png").stat().st_size < 20_000
    with pytest.raises(DataError, match=r"bomb.png \(9000 x 9000 pixels, more than 64,000,000\)"):
        ImageFolder(root=str(tmp_path)).load()


def test_more_images_than_memory_are_refused_before_any_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path)
    monkeypatch.setattr(decode, "free_memory", lambda: 10_000)
    monkeypatch.setattr(folder, "decode_all", lambda *_, **__: pytest.fail("decoded"))
    with pytest.raises(DataError, match=r"30 images of 64 x 64 x 3 need 1 MiB of memory.*choose a smaller data.size"):
        ImageFolder(root=str(tmp_path)).load()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    fill(tmp_path)
    tmp_path.chmod(0)
    try:
        with pytest.raises(DataError, match=str(tmp_path)):
            ImageFolder(root=str(tmp_path)).load()
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"size": 0}, "size must be 1 to 4096"),
        ({"channels": 2}, "channels must be 3"),
        ({"workers": 0}, "workers must be 1"),
        ({"test_fraction": 1.0}, "test_fraction must lie between"),
        ({"val_fraction": 0.0}, "val_fraction must lie between"),
        ({"crop_padding": -1}, "crop_padding must be"),
        ({"cutout": -1}, "cutout must be"),
        ({"root": ""}, "root must be"),
    ],
)
def test_a_wrong_argument_is_refused_by_name(arguments: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=rf"^{text}"):
        ImageFolder(**arguments)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_the_crop_padding_follows_the_size_unless_given() -> None:
    assert ImageFolder(size=64).augmentation.crop_padding == 8
    assert ImageFolder(size=64, crop_padding=0).augmentation.crop_padding == 0
