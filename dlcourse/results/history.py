"""What metrics.jsonl says in the end, without reading ten thousand lines of training as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlcourse.files import parse_object
from dlcourse.folders import is_record

TRAIN, VAL, TEST = (f'"split": "{split}"'.encode() for split in ("train", "val", "test"))
"""As training writes them; in a file of any other form every line is looked at."""
NEWLINE = b"\n"


def read_metrics(
    path: Path, *, done: bool = False, tested: bool = False
) -> tuple[dict[str, Any], list[dict[str, float]], dict[str, float]]:
    """The last record, the numbers of every validation, and those of the last test; empty if there is no file.

    Args:
        path: metrics.jsonl.
        done: whether its writer came to its end, so that no line can be half-written.
        tested: whether a test must stand there.

    Raises:
        ValueError: a whole line is no record, or the file is shorter than its run left it.
        OSError: the file cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        content = b""
    end = content.rfind(NEWLINE) + 1
    cut_off = bool(content[end:])
    # A last line without its end was being written when its writer was killed; one that is whole all the same counts.
    content = content + NEWLINE if is_record(parse_object(content[end:])) else content[:end]
    last: dict[str, Any] = {}
    val: list[dict[str, float]] = []
    test: dict[str, float] = {}
    for at, line in judgements(content):
        record = parse_object(line)
        if not is_record(record):
            raise ValueError(f"line {1 + content.count(NEWLINE, 0, at)} is no record")
        last = record
        if record["split"] == "val":
            val.append(record["scalars"])
        elif record["split"] == "test":
            test = record["scalars"]
    if done and cut_off:
        raise ValueError("its last line is cut off, though the run is done")
    if tested and not test:
        raise ValueError("it ends before the test, though the run is done")
    ending = parse_object(content[content.rfind(NEWLINE, 0, len(content) - 1) + 1 :])
    return ending if is_record(ending) else last, val, test


def judgements(whole: bytes) -> Iterator[tuple[int, bytes]]:
    """Place and text of every line that is not of training.

    Args:
        whole: lines, each with its end.
    """
    judged = sorted((*places(whole, VAL), *places(whole, TEST)))
    if whole.count(TRAIN) + len(judged) == whole.count(NEWLINE):  # each line says its split once, in this form
        for at in judged:
            start = whole.rfind(NEWLINE, 0, at) + 1
            yield start, whole[start : whole.index(NEWLINE, at)]
        return
    start = 0
    for line in whole.split(NEWLINE)[:-1]:
        if TRAIN not in line:
            yield start, line
        start += len(line) + 1


def places(text: bytes, piece: bytes) -> Iterator[int]:
    """Where a piece of text stands."""
    at = text.find(piece)
    while at >= 0:
        yield at
        at = text.find(piece, at + len(piece))
