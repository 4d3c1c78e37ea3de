"""Wall and CPU time with pauses left out."""

import time

import pytest

from dlcourse.training.stopwatch import Stopwatch


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    now = {"monotonic": 100.0, "process_time": 10.0}
    monkeypatch.setattr(time, "monotonic", lambda: now["monotonic"])
    monkeypatch.setattr(time, "process_time", lambda: now["process_time"])
    return now


def test_both_clocks_run_from_the_start_and_a_pause_is_left_out_of_both(clock: dict[str, float]) -> None:
    watch = Stopwatch()
    clock.update(monotonic=105.0, process_time=18.0)
    pause = Stopwatch()
    clock.update(monotonic=125.0, process_time=21.0)
    assert (pause.seconds, pause.cpu_seconds) == (20.0, 3.0)
    watch.leave_out(pause)
    clock.update(monotonic=126.0, process_time=21.5)
    assert (watch.seconds, watch.cpu_seconds) == (6.0, 8.5)


def test_laps_follow_each_other_without_a_gap(clock: dict[str, float]) -> None:
    watch = Stopwatch()
    clock.update(monotonic=104.0, process_time=16.0)
    assert watch.lap(8) == {"seconds": 4.0, "cpu_seconds": 6.0, "samples_per_second": 2.0}
    clock.update(monotonic=106.0, process_time=17.0)
    assert watch.lap(8) == {"seconds": 2.0, "cpu_seconds": 1.0, "samples_per_second": 4.0}


def test_sleep_costs_no_cpu_time() -> None:
    watch = Stopwatch()
    time.sleep(0.05)
    assert watch.seconds >= 0.05 > watch.cpu_seconds
