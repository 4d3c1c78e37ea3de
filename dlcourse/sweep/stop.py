"""Signals that end a sweep, as a state that its loop reads: no trial may be lost between its start and its note."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class Stop:
    """What was heard.

    Args:
        number: the first signal; None while there was none.
        urgent: whether there was a second Ctrl-C: trials are then killed.
    """

    number: signal.Signals | None = None
    urgent: bool = False

    @property
    def exit_code(self) -> int:
        """What a shell expects of a program that this signal ended; 0 without one."""
        return 0 if self.number is None else 128 + self.number


@contextmanager
def listening() -> Generator[Stop]:
    """What Ctrl-C, SIGTERM and the end of the terminal ask for, inside the block."""
    stop = Stop()

    def hear(number: int, frame: FrameType | None) -> None:
        stop.urgent = stop.urgent or (stop.number is not None and number == signal.SIGINT)
        stop.number = stop.number or signal.Signals(number)

    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]  # Windows has no SIGHUP
    if threading.current_thread() is not threading.main_thread():  # only the main thread may hear signals
        numbers = []
    before = {number: signal.signal(number, hear) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
