"""Wall and CPU time of what training does, with pauses left out."""

from __future__ import annotations

import time


class Stopwatch:
    """Runs from the moment it is made.

    Other work on the machine stretches the wall clock several-fold and CPU time, which sums over all threads of this
    process, hardly; so both are told.
    """

    def __init__(self) -> None:
        self._wall, self._cpu = time.monotonic(), time.process_time()

    @property
    def seconds(self) -> float:
        """By the wall clock."""
        return time.monotonic() - self._wall

    @property
    def cpu_seconds(self) -> float:
        """Of all threads together."""
        return time.process_time() - self._cpu

    def lap(self, samples: int) -> dict[str, float]:
        """Both times and samples per second since the last lap; the next one begins."""
        seconds, cpu_seconds = self.seconds, self.cpu_seconds
        self._wall, self._cpu = self._wall + seconds, self._cpu + cpu_seconds
        return {"seconds": seconds, "cpu_seconds": cpu_seconds, "samples_per_second": samples / max(seconds, 1e-9)}

    def leave_out(self, pause: Stopwatch) -> None:
        """Do not count what passed since `pause` was made."""
        self._wall += pause.seconds
        self._cpu += pause.cpu_seconds
