"""Means over seeds: whose they are, what they are, and what TensorBoard reads of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from run_folders import make_run, record, write_lines
from scipy import stats
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from dlcourse.errors import ConfigError
from dlcourse.results.board_events import MeanRuns, Series, layout
from dlcourse.results.board_tree import BoardTree, harmless, places
from dlcourse.results.hparam_events import columns
from dlcourse.results.index import read_all
from dlcourse.results.means import ASIDE, MOST_POINTS, curves_of, means, stride
from dlcourse.results.record import RunRecord
from dlcourse.training.observers.tensorboard import PLAIN

SCORES = {1: (0.5, 0.8), 2: (0.6, 0.7), 3: (0.4, 0.9)}


def seeds(runs: Path, scores: Mapping[int, Sequence[float]] = SCORES, **others: object) -> list[RunRecord]:
    """A run for each seed, with these accuracies of its validations."""
    for seed, values in scores.items():
        at = f"resnet18-digits/2026-01-{len(list(runs.glob('*/*'))) + 1:02}_00-00-00-000000"
        val = [{"accuracy": value, "loss": 1 - value} for value in values]
        make_run(runs, at, settings={"seed": seed, **others}, val=val)
    return list(read_all(runs).records)


def scalars(folder: Path, tag: str) -> list[tuple[int, float]]:
    """What TensorBoard's own reader finds."""
    found = EventAccumulator(str(folder)).Reload()
    return [(one.step, one.value) for one in found.Scalars(tag)]


def test_three_seeds_have_one_mean_with_its_t_interval(tmp_path: Path) -> None:
    (mean,) = means(seeds(tmp_path))
    band = mean.bands["val/accuracy"]
    assert list(band.steps) == [10, 20]
    assert list(band.mean) == pytest.approx([0.5, 0.8])
    low, high = stats.t.interval(0.95, 2, loc=0.5, scale=stats.sem([0.5, 0.6, 0.4]))
    assert (band.low[0], band.high[0]) == pytest.approx((low, high))
    assert set(mean.bands) == {f"{one}/{name}" for one in ("val", "test") for name in ("accuracy", "loss")} | {
        "train/loss"
    }


def test_what_only_the_optimizer_does_has_no_mean() -> None:
    assert ASIDE == PLAIN


def test_runs_of_other_settings_are_not_averaged(tmp_path: Path) -> None:
    seeds(tmp_path, {1: (0.5, 0.8)})
    assert not means(seeds(tmp_path, {2: (0.5, 0.8)}, **{"optimizer.lr": 0.1}))
    (mean,) = means(read_all(tmp_path).records, by=["model"])
    assert len(mean.records) == 2


def test_a_seed_that_was_trained_twice_counts_once(tmp_path: Path) -> None:
    seeds(tmp_path, {1: (0.1, 0.1), 2: (0.6, 0.7)})
    (mean,) = means(seeds(tmp_path, {1: (0.5, 0.8)}))
    assert sorted(one.settings["seed"] for one in mean.records) == [1, 2]  # type: ignore[type-var]
    assert list(mean.bands["val/accuracy"].mean) == pytest.approx([0.55, 0.75])


@pytest.mark.parametrize("state", ["failed", "interrupted", "running"])  # nobody holds the folder: it was killed
def test_a_run_that_broke_off_cuts_no_mean_short(tmp_path: Path, state: str) -> None:
    seeds(tmp_path)
    broken = [{"accuracy": 0.1, "loss": 0.9}]
    make_run(tmp_path, "resnet18-digits/2026-02-01_00-00-00-000000", settings={"seed": 4}, val=broken, state=state)
    (mean,) = means(read_all(tmp_path).records)
    assert len(mean.records) == 3
    assert list(mean.bands["val/accuracy"].steps) == [10, 20]


def test_the_tests_of_seeds_meet_at_one_step(tmp_path: Path) -> None:
    first, second = seeds(tmp_path, {1: (0.5, 0.8), 2: (0.6, 0.7)})
    for run, step, value in ((first, 10, 0.4), (second, 20, 0.8)):
        lines = [record(20, "val", {"accuracy": 0.5}), record(step, "test", {"accuracy": value})]
        write_lines(run.path / "metrics.jsonl", lines)
    (mean,) = means(read_all(tmp_path).records)
    band = mean.bands["test/accuracy"]
    assert (list(band.steps), list(band.mean)) == ([20], pytest.approx([0.6]))
    assert (list(band.low), list(band.high)) == ([0.4], [0.8])


def test_a_long_training_is_thinned_and_keeps_what_it_has_shown(tmp_path: Path) -> None:
    (run,) = seeds(tmp_path, {1: (0.5,)})
    lines = [record(step, "train", {"loss": 1.0 / step}) for step in range(1, 1201)]
    shown: list[set[int]] = []
    for count in (1100, 1200):
        write_lines(run.path / "metrics.jsonl", [*lines[:count], record(count, "val", {"accuracy": 0.5})])
        curves = curves_of(run)
        assert len(curves["train/loss"].steps) <= MOST_POINTS
        assert list(curves["val/accuracy"].steps) == [count]
        shown.append({int(step) for step in curves["train/loss"].steps})
    assert shown[0] <= shown[1]


@given(count=st.integers(0, 10**6))
def test_a_stride_keeps_enough_points_and_not_too_many(count: int) -> None:
    step = stride(count)
    assert math.log2(step).is_integer()
    assert math.ceil(count / step) <= MOST_POINTS
    assert step == 1 or count / step > MOST_POINTS / 2


def test_damaged_lines_and_missing_files_are_left_out(tmp_path: Path) -> None:
    (run,) = seeds(tmp_path, {1: (0.5,)})
    with (run.path / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step": 30, "split": "val"\nnonsense\n\xff')
    assert list(curves_of(run)["val/accuracy"].steps) == [10]
    (run.path / "metrics.jsonl").unlink()
    assert curves_of(run) == {}


def test_tensorboard_reads_the_mean_and_the_edges_of_its_band(tmp_path: Path) -> None:
    (mean,) = means(seeds(tmp_path / "runs"))
    MeanRuns(tmp_path / "board", mean=mean).update(mean, charts=layout([mean]))
    assert scalars(tmp_path / "board", "val/accuracy") == [(10, pytest.approx(0.5)), (20, pytest.approx(0.8))]
    for edge, values in (("low", mean.bands["val/loss"].low), ("high", mean.bands["val/loss"].high)):
        expected = [(10, pytest.approx(values[0])), (20, pytest.approx(values[1]))]
        assert scalars(tmp_path / "board" / edge, "val/loss") == expected
        assert scalars(tmp_path / "board", f"with band/val/loss {edge}") == expected


def test_each_chart_with_a_band_names_curves_that_are_there(tmp_path: Path) -> None:
    (mean,) = means(seeds(tmp_path / "runs"))
    MeanRuns(tmp_path / "board", mean=mean).update(mean, charts=layout([mean]))
    found = EventAccumulator(str(tmp_path / "board")).Reload()
    (event,) = found.Tensors("custom_scalars__config__")
    told = Layout.FromString(event.tensor_proto.string_val[0])
    charts = [chart for category in told.category for chart in category.chart]
    assert [chart.title for chart in charts] == ["val/accuracy", "val/loss", "train/loss"]
    single = set(mean.bands)
    for chart in charts:
        (series,) = chart.margin.series
        tags = {series.value, series.lower, series.upper}
        assert tags <= set(found.Tags()["scalars"])
        assert not tags & single, "TensorBoard would miss the band of every single run"
        steps = [[one.step for one in found.Scalars(tag)] for tag in tags]
        assert steps[0] == steps[1] == steps[2], "TensorBoard draws no band then"


def plugin_data(folder: Path, tag: str) -> HParamsPluginData:
    found = EventAccumulator(str(folder)).Reload()
    return HParamsPluginData.FromString(found.SummaryMetadata(f"_hparams_/{tag}").plugin_data.content)


def test_a_mean_is_a_row_of_what_its_runs_share(tmp_path: Path) -> None:
    (mean,) = means(seeds(tmp_path / "runs"))
    MeanRuns(tmp_path / "board", mean=mean).update(mean, charts=layout([mean]))
    row = plugin_data(tmp_path / "board", "session_start_info").session_start_info.hparams
    assert row["model"].string_value == "resnet18"
    assert row["optimizer.lr"].number_value == 0.001
    assert not {"seed", "runs", "log_every"} & set(row)
    assert plugin_data(tmp_path / "board", "session_end_info").session_end_info.status


def test_the_columns_are_those_of_all_runs(tmp_path: Path) -> None:
    make_run(tmp_path, "poetry_lstm-tang/2026-01-09_00-00-00-000000", best=("perplexity", "min"))
    told = columns(seeds(tmp_path, **{"model.depth": 3})).experiment
    infos = {info.name: info for info in told.hparam_infos}
    assert [info.name for info in infos.values() if info.differs] == ["seed", "model", "data"]
    assert (infos["seed"].domain_interval.min_value, infos["seed"].domain_interval.max_value) == (1.0, 3.0)
    assert list(infos["data"].domain_discrete) == ["digits", "tang"]
    assert "model.depth" in infos
    assert {info.name.tag for info in told.metric_infos} == {
        f"{split}/{name}" for split in ("val", "test") for name in ("accuracy", "perplexity", "loss")
    }


def sized(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def test_a_series_that_grows_is_not_written_twice(tmp_path: Path) -> None:
    series = Series(tmp_path)
    series.update({10: {"a": 1.0}, 20: {"a": math.nan}})
    before = sized(tmp_path)
    series.update({10: {"a": 1.0}, 20: {"a": math.nan}})
    assert sized(tmp_path) == before
    series.update({10: {"a": 1.0}, 20: {"a": math.nan}, 30: {"a": 3.0}})
    assert [step for step, _ in scalars(tmp_path, "a")] == [10, 20, 30]


points = st.dictionaries(st.integers(0, 6), st.fixed_dictionaries({"a": st.integers(0, 3).map(float)}), max_size=6)


@settings(max_examples=25)
@given(versions=st.lists(points, min_size=1, max_size=4))
def test_tensorboard_ends_on_the_last_version_of_a_series(
    versions: list[dict[int, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("series")
    series = Series(folder)
    for version in versions:
        series.update(dict(sorted(version.items())))
    last = [(step, values["a"]) for step, values in sorted(versions[-1].items())]
    found = EventAccumulator(str(folder)).Reload()
    assert (scalars(folder, "a") if "a" in found.Tags()["scalars"] else []) == last


def test_what_was_told_of_a_series_outlives_its_points(tmp_path: Path) -> None:
    (mean,) = means(seeds(tmp_path / "runs"))
    series = Series(tmp_path / "board")
    series.tell(layout([mean]))
    for value in (1.0, 2.0):
        series.update({0: {"a": value}, 1: {"a": value}})
    found = EventAccumulator(str(tmp_path / "board")).Reload()
    told = found.Tensors("custom_scalars__config__")[-1].tensor_proto.string_val
    assert list(told) == list(layout([mean]).value[0].tensor.string_val)


def test_means_follow_the_runs(tmp_path: Path) -> None:
    board, runs = tmp_path / "board", tmp_path / "runs"
    board.mkdir()
    tree = BoardTree(board)
    tree.average(seeds(runs, {1: (0.5, 0.8), 2: (0.6, 0.7)}))
    assert scalars(board / "means/resnet18-digits", "val/accuracy")[0] == (10, pytest.approx(0.55))
    tree.average(seeds(runs, {3: (0.4, 0.9)}))
    assert scalars(board / "means/resnet18-digits", "val/accuracy")[0] == (10, pytest.approx(0.5))
    assert len(list((board / "means/resnet18-digits").glob("events.*"))) == 1
    tree.average([])
    assert not list((board / "means").iterdir())


def test_links_follow_the_runs_and_stay_inside(tmp_path: Path) -> None:
    board, runs = tmp_path / "board", tmp_path / "runs"
    board.mkdir()
    names = ["a", "a/b", "../../out", "/etc", "means/mine", "..", "c\nd", "诗" * 200, "x/y/z"]
    folders = [make_run(runs, f"m-d/2026-01-{day:02}_00-00-00-000000").path for day, _ in enumerate(names, start=1)]
    tree = BoardTree(board)
    tree.link(list(zip(names, folders, strict=True)))
    links = [path for path in board.rglob("*") if path.is_symlink()]
    assert sorted(path.resolve() for path in links) == sorted(folder.resolve() for folder in folders)
    assert {path.name for path in tmp_path.iterdir()} == {"board", "runs"}
    assert not list(runs.rglob("b")), "a link inside another run's folder"
    tree.link([("a", folders[1])])
    assert [path.resolve() for path in board.rglob("*") if path.is_symlink()] == [folders[1].resolve()]
    assert all((folder / "config.yaml").is_file() for folder in folders)


@given(
    names=st.lists(st.text(max_size=12) | st.sampled_from(["a", "a/b", "..", "../x", "means", "a/../b"]), max_size=6)
)
def test_every_name_has_a_place_of_its_own(names: list[str]) -> None:
    found = places([(name, Path(f"/{number}")) for number, name in enumerate(names)])
    assert sorted(found.values()) == sorted(Path(f"/{number}") for number in range(len(names)))
    for place in found:
        assert all(part.strip(".") and len(part.encode()) < 256 for part in place.split("/"))
        assert not any(other != place and place.startswith(f"{other}/") for other in found)
        assert "\0" not in place and harmless(place) == place


def test_a_setting_that_no_run_has_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'optimizer.lr'"):
        means(seeds(tmp_path), by=["optimizer.lrr"])
