"""What becomes of a run's events: files, TensorBoard, the console, checkpoints."""

from __future__ import annotations

from typing import Protocol

from dlcourse.training.events import Event


class Observer(Protocol):
    """Whoever is told of every event, in order; closed once at the end, also after an error."""

    def __call__(self, event: Event) -> None: ...

    def close(self) -> None: ...
