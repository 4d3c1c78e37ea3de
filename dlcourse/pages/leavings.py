"""What a task left in a run folder for people to look at: pictures, texts that it wrote, games that it played."""

from __future__ import annotations

import base64
import logging
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcourse.files import read_json
from dlcourse.pages.shown import Sheet, Words

PNG = b"\x89PNG\r\n\x1a\n"
LARGEST = 20_000_000  # bytes of a picture that still opens quickly
LONGEST = 20_000  # characters of a text
MOST_TEXTS = 12
TEXTS = "/text_summary"  # what TensorBoard's writer puts behind the name of a text
EVENTS = "events.out.tfevents.*"


@dataclass(frozen=True)
class Image:
    """A picture of the page's own: what stands above it, the file's name, and the bytes as an address."""

    title: str
    name: str
    address: str


@dataclass(frozen=True)
class Sample:
    """A text that the model wrote at a step."""

    title: str
    step: int
    text: str


@dataclass(frozen=True)
class Left:
    """What was found, and the files that could not be used."""

    images: Sequence[Image] = ()
    samples: Sequence[Sample] = ()
    damaged: Sequence[Path] = ()


def pictures(run: Path, *, words: Words, aside: Sequence[str] = ()) -> Left:
    """The PNG files below figures/ and attribution/.

    Args:
        run: the folder.
        words: of the page; a picture that has no title there is called by its file.
        aside: names without ending to leave out.
    """
    paths = [*sorted((run / "figures").glob("*.png")), *sorted((run / "attribution").glob("*.png"))]
    images: list[Image] = []
    damaged: list[Path] = []
    for path in paths:
        if path.stem in aside:
            continue
        content = read_png(path)
        if content is None:
            damaged.append(path)
            continue
        address = f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"
        images.append(Image(words.get(path.stem, path.stem), path.name, address))
    return Left(images, damaged=damaged)


def read_png(path: Path) -> bytes | None:
    """The bytes of a picture; None if it is none."""
    try:
        if path.stat().st_size > LARGEST:
            return None
        content = path.read_bytes()
    except OSError:
        return None
    return content if content.startswith(PNG) else None


def samples(run: Path, *, words: Words) -> Left:
    """The last of each text that the run showed in TensorBoard."""
    if not any(run.glob(EVENTS)):
        return Left()
    from google.protobuf.message import DecodeError
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = logging.getLogger("tensorboard")
    before = logger.level
    logger.setLevel(logging.ERROR)  # it tells of every resume
    try:
        sizes = {"tensors": 1, "images": 1, "scalars": 1, "histograms": 1, "compressedHistograms": 1, "audio": 1}
        events: Any = EventAccumulator(str(run), size_guidance=sizes, purge_orphaned_data=False).Reload()
        found = [
            Sample(words.get(name := shortened(tag), name), int(last.step), text_of(last.tensor_proto))
            for tag in events.Tags()["tensors"]
            if tag.endswith(TEXTS)
            for last in events.Tensors(tag)[-1:]
        ]
    except (OSError, ValueError, KeyError, IndexError, AttributeError, TypeError, struct.error, DecodeError):
        return Left(damaged=sorted(run.glob(EVENTS))[:1])
    finally:
        logger.setLevel(before)
    return Left(samples=found[:MOST_TEXTS])


def shortened(tag: str) -> str:
    """The name that the task gave a text."""
    return tag.removesuffix(TEXTS).removeprefix("val/").removeprefix("test/")


def text_of(proto: Any) -> str:
    """A text without the two spaces by which Markdown breaks a line."""
    whole = b"\n\n".join(proto.string_val).decode("utf-8", errors="replace")
    lines = (line.rstrip() for line in whole[:LONGEST].splitlines())
    return "\n".join(lines).strip()


def games(run: Path, *, words: Words) -> Sheet | None:
    """The matches that `dlcourse match` kept in the folder; None without any."""
    rows = list(_matches(run, words=words))
    if not rows:
        return None
    columns = [words[name] for name in ("opponent", "games", "won", "drawn", "lost", "points", "interval")]
    return Sheet("", columns, rows)


def _matches(run: Path, *, words: Words) -> Iterator[list[str]]:
    for path in sorted((run / "matches").glob("*/match.json")):
        found = read_json(path)
        counts = [found.get(name) for name in ("games", "won", "drawn", "lost")]
        shares = [_share(found, name) for name in ("share", "low", "high")]
        if any(not isinstance(count, int) for count in counts) or None in shares:
            continue  # of another version
        points, low, high = (f"{100 * (value or 0.0):.1f}\u00a0%" for value in shares)
        size = f", {found['size']}\u00d7{found['size']}" if isinstance(found.get("size"), int) else ""
        yield [f"{found.get('opponent', '–')}{size}", *(f"{count:,}" for count in counts), points, f"[{low}, {high}]"]


def _share(found: Mapping[str, Any], name: str) -> float | None:
    value = found.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def conclusion(run: Path) -> str:
    """What the run's deletion test concluded; empty if there was none."""
    text = read_json(run / "attribution" / "attribution.json").get("conclusion")
    return text[:LONGEST] if isinstance(text, str) else ""
