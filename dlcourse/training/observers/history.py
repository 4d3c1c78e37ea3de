"""metrics.jsonl and timing.jsonl: what the seed determines, and what the machine does."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from io import BufferedRandom
from pathlib import Path
from typing import Any

from dlcourse.files import parse_object
from dlcourse.folders import is_record
from dlcourse.training.events import Event, Record, Save


class History:
    """Appends one line a record; on resume both files are cut back to the checkpoint first.

    Args:
        metrics: metrics.jsonl.
        timing: timing.jsonl.
        bytes: how much of each to keep: what `sizes` gave when the checkpoint was written.
    """

    def __init__(self, metrics: Path, timing: Path, *, bytes: tuple[int, int] = (0, 0)) -> None:
        self._metrics = open_at(metrics, bytes[0])
        self._timing = open_at(timing, bytes[1])

    def __call__(self, event: Event) -> None:
        match event:
            case Record():
                place = {"step": event.step, "epoch": event.epoch, "split": event.split}
                append(self._metrics, {**place, "scalars": event.scalars})
                if event.timing:
                    append(self._timing, {**place, "timing": event.timing})
            case Save():
                for file in (self._metrics, self._timing):
                    os.fsync(file.fileno())  # a checkpoint must never know of lines that a power cut can take
            case _:
                pass

    @property
    def sizes(self) -> tuple[int, int]:
        """Bytes written to each file so far."""
        return self._metrics.tell(), self._timing.tell()

    def at(self, step: int) -> Iterator[Record]:
        """What was recorded at `step`, for whoever has to write it again."""
        timings = {line.get("split"): line.get("timing", {}) for line in lines_at(step, self._timing)}
        for line in filter(is_record, lines_at(step, self._metrics)):
            yield Record(step, line["epoch"], line["split"], line["scalars"], timings.get(line["split"], {}))

    def close(self) -> None:
        self._metrics.close()
        self._timing.close()


def open_at(path: Path, size: int) -> BufferedRandom:
    """`path` cut back to `size` bytes, open at its end."""
    path.touch()
    file = path.open("rb+")
    file.truncate(min(size, file.seek(0, os.SEEK_END)))  # longer than it is would fill it with zeros
    file.seek(0, os.SEEK_END)
    return file


def lines_at(step: int, file: BufferedRandom) -> Iterator[dict[str, Any]]:
    """The lines of an open file that stand for `step`, without damaged ones; the file's place stays at its end."""
    file.seek(0)
    lines = file.read().splitlines()
    yield from (line for line in map(parse_object, lines) if line.get("step") == step)


def append(file: BufferedRandom, line: dict[str, object]) -> None:
    """One line of JSON, handed to the system at once, so that another program can follow."""
    file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
    file.flush()
