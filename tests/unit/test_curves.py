"""Curves of run folders, their mean and band, and how both are drawn."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_folders import make_run
from scipy import stats

from dlcourse.results.curves import Band, Curve, band, read_curve
from dlcourse.results.plots import COLOURS, Panel, drawable, learning_curves, look, side_by_side
from dlcourse.results.record import read_record
from dlcourse.results.spark import BLOCKS, spark


def curve(steps: list[int], values: list[float]) -> Curve:
    return Curve(np.array(steps), np.array(steps, dtype=float), np.array(values, dtype=float))


def test_a_runs_validations_are_its_curve(tmp_path: Path) -> None:
    record = read_record(make_run(tmp_path, val=[{"accuracy": 0.5}, {"accuracy": 0.75}]), runs=tmp_path)
    found = read_curve(record, split="val", metric="accuracy")
    assert (found.steps.tolist(), found.epochs.tolist(), found.values.tolist()) == ([10, 20], [1.0, 2.0], [0.5, 0.75])
    assert not len(read_curve(record, split="val", metric="perplexity").steps)


def test_of_two_records_of_a_step_the_later_counts_and_damage_is_passed_over(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    record = read_record(folder, runs=tmp_path)
    lines = [
        {"step": 2, "epoch": 0.2, "split": "val", "scalars": {"loss": 3}},
        {"step": 1, "epoch": 0.1, "split": "val", "scalars": {"loss": float("nan")}},
        {"step": 2, "epoch": 0.2, "split": "val", "scalars": {"loss": 2}},
        {"step": 3, "epoch": 0.3, "split": "val", "scalars": {"loss": 10**400}},
        {"step": 10**30, "epoch": 0.3, "split": "val", "scalars": {"loss": 1}},
    ]
    folder.metrics.write_text("\n".join([*map(json.dumps, lines), '{"step": 4, "split": "val", "scal']))
    found = read_curve(record, split="val", metric="loss")
    assert found.steps.tolist() == [1, 2]
    np.testing.assert_equal(found.values, [np.nan, 2.0])


def test_the_band_of_three_is_the_t_interval_at_every_step() -> None:
    values = np.random.default_rng(0).normal(size=(3, 5))
    found = band([curve([1, 2, 3, 4, 5], row) for row in values.tolist()])
    low, high = stats.t.interval(0.95, 2, values.mean(axis=0), stats.sem(values))
    np.testing.assert_allclose((found.mean, found.low, found.high), (values.mean(axis=0), low, high))
    assert (found.n, found.kind) == (3, "95 % interval of the mean of 3 runs")


def test_the_band_of_two_is_what_lies_between_them_and_one_has_none() -> None:
    found = band([curve([1, 2], [0, 4]), curve([1, 2], [2, 2])])
    assert (found.low.tolist(), found.mean.tolist(), found.high.tolist()) == ([0, 2], [1, 3], [2, 4])
    single = band([curve([1, 2], [0, 4])])
    assert single.low.tolist() == single.high.tolist() == [0, 4]


def test_curves_of_other_steps_meet_on_lines_between_their_points() -> None:
    found = band([curve([0, 10], [0, 10]), curve([5, 20], [5, 20])])
    assert (found.steps.tolist(), found.mean.tolist()) == ([5, 10], [5, 10])


def test_curves_that_never_meet_give_one_point() -> None:
    assert band([curve([0, 1], [1, 1]), curve([5, 6], [2, 2])]).steps.tolist() == [1]


def test_a_mean_says_where_its_shortest_curve_ends_and_leaves_single_points_out() -> None:
    long, short, single = curve([5, 10, 20], [1, 2, 3]), curve([5, 10], [3, 4]), curve([5], [9])
    found = band([long, short])
    assert (found.steps.tolist(), found.limits) == ([5, 10], "to step 10, where the shortest ends")
    found = band([long, single, long])
    assert (found.steps.tolist(), found.n, found.limits) == ([5, 10, 20], 2, "without 1 run of a single point")
    assert band([single, single]).limits == band([long, long]).limits == ""


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4), min_size=1, max_size=5))
def test_the_mean_lies_within_its_band(rows: list[list[float]]) -> None:
    found = band([curve([1, 2, 3, 4], row) for row in rows])
    slack = 1e-6 * (1 + np.abs(found.mean))
    assert np.all(found.low <= found.mean + slack)
    assert np.all(found.mean <= found.high + slack)


def test_no_curve_or_an_empty_one_has_no_band() -> None:
    for curves in ([], [curve([], [])]):
        with pytest.raises(ValueError, match="^curves must hold 1 or more that are not empty"):
            band(curves)


def test_a_figure_shows_each_name_in_one_colour_everywhere_and_as_it_is_written() -> None:
    names = ["optimizer.lr=0.1", "学习率 $x$", "_hidden"]
    one = {name: curve([1, 2], [place, 2.0]) for place, name in enumerate(names)}
    other = {names[1]: Band(*(np.arange(3.0) for _ in range(4)), n=3), "nothing": curve([], [])}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = side_by_side([Panel("准确率 $", "accuracy", one), Panel("loss", "loss", other)])
        figure.canvas.draw()
    left, right = figure.axes
    assert right.lines[0].get_color() == left.lines[1].get_color() == COLOURS[1]
    assert [text.get_text().strip() for text in figure.legends[0].get_texts()] == [drawable(name) for name in names]
    assert len(right.collections) == 1  # the band


def test_no_text_of_a_figure_lies_over_another_or_over_the_edge() -> None:
    names = [f"ema=0.99{place}, data.max_length=400, runtime.precision=fp32, model.width=128" for place in range(5)]
    bands = {name: band([curve([1, 2], [1, 2]), curve([1, 2, 9], [1, 2, 3])]) for name in names}
    panels = [Panel(f"validation {'accuracy ' * 12}", "accuracy", bands), Panel("training loss", "loss", bands)]
    figure = side_by_side(
        panels, note="Shade: 95 % interval of the mean over runs; of two runs what lies between. " * 2
    )
    figure.canvas.draw()
    legend = figure.legends[0]
    assert all("(to step 2, where the shortest ends)" in text.get_text() for text in legend.get_texts())
    left, right = (axes.title.get_window_extent() for axes in figure.axes)
    boxes = [*(axes.get_tightbbox() for axes in figure.axes), legend.get_window_extent()]
    assert left.x1 < right.x0
    for box in (left, right, *boxes):
        assert box is not None
        assert 0 <= box.x0 <= box.x1 <= figure.bbox.x1
        assert 0 <= box.y0 <= box.y1 <= figure.bbox.y1
    assert all(box is not None and box.y0 >= legend.get_window_extent().y1 for box in boxes[:-1])


def test_a_figure_of_nothing_says_so() -> None:
    figure = learning_curves({}, title="t", ylabel="y")
    assert [text.get_text() for text in figure.axes[0].texts] == ["no values"]
    with pytest.raises(ValueError, match="^panels must hold 1 or more"):
        side_by_side([])


def test_28_curves_look_unlike_and_a_legend_ends() -> None:
    assert len({look(place) for place in range(28)}) == 28
    figure = learning_curves({str(n): curve([1], [n]) for n in range(40)}, title="t", ylabel="y")
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert (len(labels), labels[-1]) == (28, "27 (and 12 more)")


def test_a_rising_line_rises_through_the_blocks() -> None:
    assert spark(curve(list(range(1, 9)), list(range(1, 9))), width=8) == ["▁▂▃▄▅▆▇█"]
    upper, lower = spark(curve([1, 2], [0, 1]), width=2, height=2)
    assert (upper, lower) == (" █", "▁█")


def test_a_spark_leaves_room_where_there_is_nothing() -> None:
    assert spark(curve([1, 2, 3], [0, float("nan"), 1]), width=3) == ["▁ █"]
    assert spark(curve([1, 2], [1, 1]), width=4, last=4.0)[0].endswith("  ")
    assert spark(curve([], []), width=3) == ["   "]


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=30),
    st.integers(1, 50), st.integers(1, 4),
)  # fmt: skip
def test_any_curve_fits_its_place(values: list[float], width: int, height: int) -> None:
    lines = spark(curve(list(range(len(values))), values), width=width, height=height)
    assert [len(line) for line in lines] == [width] * height
    assert set("".join(lines)) <= set(BLOCKS)


def test_a_spark_of_no_width_is_refused() -> None:
    with pytest.raises(ValueError, match="^width and height must be 1 or more, not 0 and 1"):
        spark(curve([1], [1]), width=0)
