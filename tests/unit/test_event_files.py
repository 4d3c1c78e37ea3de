"""The order in which TensorBoard reads the event files of a run that was stopped and resumed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dlcourse.training.events import Record
from dlcourse.training.observers.tensorboard import EVENTS, TensorBoard


def test_a_run_resumed_within_a_second_is_read_in_its_order(tmp_path: Path) -> None:
    # The number of a writer in its process is in its file's name, as text: 10 would come before 9.
    for resumed_at in range(12):
        writer = TensorBoard(tmp_path, settings={}, metrics=[], resumed_at=resumed_at)
        writer(Record(resumed_at, 1.0, "train", {"loss": float(resumed_at)}, {}))
        writer.close()
    accumulator = EventAccumulator(str(tmp_path))
    accumulator.Reload()
    assert [event.step for event in accumulator.Scalars("train/loss")] == list(range(12))


def test_each_event_file_sorts_behind_those_before_it(tmp_path: Path) -> None:
    last: list[str] = []
    for _ in range(12):
        known = set(tmp_path.glob(EVENTS))
        TensorBoard(tmp_path, settings={}, metrics=[]).close()
        (new,) = set(tmp_path.glob(EVENTS)) - known
        last.append(new.name)
    assert all(before < after for before, after in pairwise(last))
