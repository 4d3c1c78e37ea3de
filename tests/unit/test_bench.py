"""The benchmarks run, and their table says what the repetitions say; nothing here is timed."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))
table = importlib.import_module("benchmarks.table")

NUMBERS = st.floats(0.01, 1e6)


@pytest.fixture(autouse=True)
def _threads_as_before() -> Any:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def benchmark(name: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.{name}")


def test_a_ratio_is_the_median_over_rounds_and_not_the_ratio_of_medians() -> None:
    row = table.Row("speed", "images/s", (100.0, 300.0, 200.0), (50.0, 100.0, 400.0), table.GAIN, 2.5)
    assert row.compared == (2.0, 3.0, 0.5)
    assert row.cells() == (
        "speed", "200 images/s", "100 images/s", "2.00x (0.50x to 3.00x)", ">= 2.50x", "no (1 of 3)",
    )  # fmt: skip


def test_costs_compare_the_other_way_round() -> None:
    assert table.Row("a", "us", (10.0,), (80.0,), table.SAVING, 8.0).verdict == "yes (1 of 1)"
    assert table.Row("a", "ms/step", (1.4, 1.2, 1.5), (1.0, 1.0, 1.0), table.ADDED, 0.3).verdict == "no (1 of 3)"
    assert table.Row("a", "ms/step", (1.2, 1.1, 1.5), (1.0, 1.0, 1.0), table.ADDED, 0.3).verdict == "yes (2 of 3)"


def test_a_spread_that_covers_equality_is_unresolved() -> None:
    assert table.Row("a", "ms", (1.1, 0.9), (1.0, 1.0), table.COST).verdict == "unresolved"
    assert table.Row("a", "ms", (1.1, 1.2), (1.0, 1.0), table.COST).verdict == "-"
    assert table.Row("a", "ms", (1.1, 1.2)).verdict == "-"


def test_the_table_is_markdown_with_every_column_in_each_row() -> None:
    rows = [table.Row("long name", "s", (1.0,)), table.Row("b", "ms", (1.5,), (1.25,), table.ADDED, 0.3)]
    assert table.render(rows).splitlines() == [
        "| benchmark | ours   | peer    | ratio (median, min-max)            | target       | met?         |",
        "| --------- | ------ | ------- | ---------------------------------- | ------------ | ------------ |",
        "| long name | 1 s    | -       | -                                  | -            | -            |",
        "| b         | 1.5 ms | 1.25 ms | +0.250 ms (+0.250 ms to +0.250 ms) | <= +0.300 ms | yes (1 of 1) |",
    ]


def test_rounds_alternate_their_order() -> None:
    order: list[str] = []

    def arm(name: str) -> Callable[[], float]:
        return lambda: float(order.append(name) or len(order))

    taken = table.interleaved({"a": arm("a"), "b": arm("b")}, repetitions=3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert taken == {"a": (1.0, 4.0, 5.0), "b": (2.0, 3.0, 6.0)}


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=9), st.floats(0.1, 10))
def test_the_verdict_is_that_of_the_median(pairs: list[tuple[float, float]], target: float) -> None:
    row = table.Row("a", "images/s", *(tuple(column) for column in zip(*pairs, strict=True)), table.GAIN, target)
    middle = sorted(row.compared)[len(pairs) // 2]  # for an odd number of rounds
    if len(pairs) % 2:
        assert row.verdict.startswith("yes" if middle >= target else "no")


@pytest.mark.parametrize(
    ("peer", "target", "named"), [((1.0,), None, "^peer has 1 repetitions, ours 2"), ((), 2.0, "^target 2.0")]
)
def test_arms_that_cannot_be_compared_are_refused(peer: tuple[float, ...], target: float | None, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        table.Row("a", "s", (1.0, 2.0), peer, table.GAIN, target)


@pytest.mark.parametrize(
    ("name", "targets"),
    [
        pytest.param("loop", 1, marks=pytest.mark.slow),
        ("pipeline", 1),
        pytest.param("speednet", 0, marks=pytest.mark.slow),
        pytest.param("bucketing", 2, marks=pytest.mark.slow),
    ],
)
def test_the_quick_form_gives_rows_that_can_be_written(name: str, targets: int) -> None:
    rows = benchmark(name).measure(repetitions=1, quick=True)
    assert sum(row.target is not None for row in rows) == targets
    assert json.loads(json.dumps([row.plain() for row in rows]))[0]["benchmark"] == rows[0].benchmark
    assert all(number > 0 for row in rows for number in row.ours)


def test_the_probe_books_every_stage_up_to_the_first_step() -> None:
    probe = benchmark("startup_probe")
    rows = benchmark("startup").measure(repetitions=1, quick=True)
    named = {row.benchmark.partition(": ")[2] for row in rows}
    assert {"python", "import torch", "import hydra", *probe.STAGES.values()} <= named
    total, _, *parts = rows
    assert sum(row.ours[0] for row in parts) == pytest.approx(total.ours[0])


def test_a_command_line_that_never_trains_is_reported_with_its_own_words() -> None:
    with pytest.raises(RuntimeError, match="optimizer.lrr"):
        benchmark("startup").stages("optimizer.lrr=1")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lenet5", "resnet18"])
def test_both_sides_of_the_comparison_with_lightning_train(name: str) -> None:
    pytest.importorskip("lightning")
    rows = benchmark(name).measure(repetitions=1, quick=True)
    assert [row.target is not None for row in rows] == [True, False]
    assert all(number > 0 for row in rows for number in (*row.ours, *row.peer))


def test_a_second_call_replaces_only_what_it_measured(tmp_path: Path) -> None:
    bench = importlib.import_module("bench")
    path = tmp_path / "results" / "bench.json"
    bench.write(path, {"loop": 1, "startup": 1})
    bench.write(path, {"loop": 2})
    assert json.loads(path.read_text()) == {"loop": 2, "startup": 1}


def test_an_unknown_benchmark_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        importlib.import_module("bench").main(["lop"])
    assert "no such benchmark: lop" in capsys.readouterr().err
