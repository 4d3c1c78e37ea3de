"""Signals become requests that the loop reads between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

from dlcourse.training.loop import Requests

EXIT_CODES = {"SIGINT": 130, "SIGTERM": 143}


@contextmanager
def listening() -> Generator[Requests]:
    """Requests fed by SIGTERM and Ctrl-C (stop; the second Ctrl-C at once) and, where it exists, SIGUSR1 (save)."""
    requests = Requests()
    if threading.current_thread() is not threading.main_thread():  # only the main thread may hear signals
        yield requests
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if requests.stop == "SIGINT" and number == signal.SIGINT:
            raise KeyboardInterrupt
        requests.stop = signal.Signals(number).name

    def save(number: int, frame: FrameType | None) -> None:
        requests.save = True

    handlers = {signal.SIGTERM: stop, signal.SIGINT: stop}
    if hasattr(signal, "SIGUSR1"):  # not on Windows
        handlers[signal.SIGUSR1] = save
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
