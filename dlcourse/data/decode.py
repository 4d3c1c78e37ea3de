"""Image files of any size, decoded into squares of one size, without trust in what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from dlcourse.errors import DataError

PIXEL_LIMIT = 64_000_000
"""Most pixels that an image may have: a few kilobytes can claim to unpack to gigabytes."""


def decode_all(paths: Sequence[Path], *, size: int, channels: int, workers: int) -> Tensor:
    """All images as uint8 [N, size, size, channels], in the order of `paths` whatever `workers` is.

    Args:
        paths: image files.
        size: the shorter side is resized to it, and the middle is cut out.
        channels: 3 for RGB, 1 for grey.
        workers: how many threads decode.

    Raises:
        DataError: names the images that cannot be decoded.
    """
    images = np.empty((len(paths), size, size, channels), dtype=np.uint8)

    def fill(number: int) -> str | None:
        if not paths[number].is_file():  # opening a pipe would wait for ever
            return f"{paths[number]} (no regular file)"
        try:
            images[number] = decode(paths[number], size=size, channels=channels)
        # Damaged bytes make PIL's decoders raise nearly anything (struct.error, SyntaxError, IndexError, ...).
        except Exception as error:  # noqa: BLE001
            return f"{paths[number]} ({_reason(error)})"
        return None

    with ThreadPoolExecutor(workers) as pool:
        faults = [fault for fault in pool.map(fill, range(len(paths))) if fault]
    if faults:
        raise DataError(f"{len(faults)} of {len(paths)} images cannot be decoded: {some(faults)}: mend or remove them")
    return torch.from_numpy(images)


def _reason(error: Exception) -> str:
    """Why an image cannot be decoded, on one line."""
    if isinstance(error, UnidentifiedImageError):
        return "no image that can be recognised"
    return " ".join(str(error).split()) or type(error).__name__


def decode(path: Path, *, size: int, channels: int) -> npt.NDArray[np.uint8]:
    """One image file as [size, size, channels], upright; of an animation the first frame."""
    mode = "RGB" if channels == 3 else "L"
    with Image.open(path) as image:
        if image.width * image.height > PIXEL_LIMIT:
            raise ValueError(f"{image.width} x {image.height} pixels, more than {PIXEL_LIMIT:,}")
        # A JPEG can be decoded at a half, a quarter or an eighth of its size, which is all a thumbnail needs.
        image.draft(mode, (2 * size, 2 * size))
        upright = ImageOps.exif_transpose(image)
        square = ImageOps.fit(_eight_bits(upright).convert(mode), (size, size), Image.Resampling.BILINEAR)
        return np.asarray(square, dtype=np.uint8).reshape(size, size, channels)


def _eight_bits(image: Image.Image) -> Image.Image:
    """The image with at most 8 bits a channel, and white where it is transparent."""
    if image.mode.startswith("I"):  # 16-bit grey, which convert() would clip to 255
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image


def some(names: Sequence[str], *, most: int = 5) -> str:
    """The first few names, then how many more there are."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def check_memory(count: int, *, size: int, channels: int) -> None:
    """Refuse, before anything is decoded, what cannot be held.

    Raises:
        DataError: `count` decoded images, twice while the splits are cut, exceed the free memory.
    """
    needed = 2 * count * size * size * channels
    free = free_memory()
    if free is not None and needed > free:
        raise DataError(
            f"{count:,} images of {size} x {size} x {channels} need {needed / 2**20:,.0f} MiB of memory, "
            f"{free / 2**20:,.0f} MiB are free: choose a smaller data.size"
        )


def free_memory() -> int | None:
    """Bytes that can be had without swapping, where the system tells (Linux); else None."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return found[0] * 1024 if found else None
