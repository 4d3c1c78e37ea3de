"""What the benchmarks of kept memory and of kernels say is what its processes told; nothing here is timed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
bench = importlib.import_module("benchmarks.allocator")
step_cost = importlib.import_module("benchmarks.step_cost")
kernels = importlib.import_module("benchmarks.kernels")


def test_rounds_alternate_and_each_arm_is_compared_with_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def told(pillar: object, words: Sequence[str], *, quick: bool) -> object:
        order.append(words[-1].partition("=")[2])
        keeps = order[-1] == "keep"
        return step_cost.Cost(*((1.5, 0.0, 2.0, 110.0) if keeps else (3.0, 0.25, 5.0, 100.0)))

    monkeypatch.setattr(step_cost, "in_its_own", told)
    rows = bench.rows_of(bench.PILLARS[0], repetitions=2, quick=True)
    assert order == ["keep", "system", "system", "keep"]
    assert [row.cells()[1:4] for row in rows] == [
        ("1.5 CPU s/step", "3 CPU s/step", "2.0x (2.0x to 2.0x)"),
        ("0 CPU ms/step", "250 CPU ms/step", "-250.000 ms (-250.000 ms to -250.000 ms)"),
        ("2 s/step", "5 s/step", "2.5x (2.5x to 2.5x)"),
        ("110 MiB", "100 MiB", "1.100x (1.100x to 1.100x)"),
    ]


def test_our_own_kernels_come_first_in_every_case(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(pillar: object, words: Sequence[str], *, quick: bool) -> object:
        own = words == ("runtime.kernels=own",)
        return step_cost.Cost(*((1.0, 0.0, 2.0, 300.0) if own else (2.0, 0.0, 3.0, 200.0)))

    monkeypatch.setattr(step_cost, "in_its_own", told)
    rows = [row.cells() for row in kernels.measure(repetitions=1, quick=True)]
    assert [row[0] for row in rows[::3]] == [f"kernels, {case.label}: CPU time" for case in kernels.CASES]
    assert {tuple(row[1:3]) for row in rows} == {
        ("1 CPU s/step", "2 CPU s/step"), ("2 s/step", "3 s/step"), ("300 MiB", "200 MiB"),
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("pillar", [*bench.PILLARS, *kernels.CASES], ids=lambda pillar: pillar.label)
def test_every_pillar_trains(pillar: object) -> None:
    found = step_cost.in_its_own(pillar, ("runtime.threads=1",), quick=True)
    assert found.cpu > 0
    assert found.peak > 50
