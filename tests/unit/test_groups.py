"""Runs that differ in their seed are one group; what else differs parts and names the groups."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_folders import make_run

from dlcourse.errors import ConfigError
from dlcourse.results.groups import differing, grouped
from dlcourse.results.record import RunRecord, read_record

GRID = st.tuples(st.integers(1, 3), st.sampled_from([0.1, 0.2]), st.sampled_from([32, 64]))


def record(runs: Path, number: int, *, name: str = "resnet18-digits", **settings: object) -> RunRecord:
    dotted = {key.replace("__", "."): value for key, value in settings.items()}
    folder = make_run(runs, f"{name}/2026-01-01_00-00-{number:02}-000000", settings=dotted)
    return read_record(folder, runs=runs)


def test_seeds_and_mechanics_do_not_part_runs(tmp_path: Path) -> None:
    records = [
        record(tmp_path, 1, seed=1),
        record(tmp_path, 2, seed=2, log_every=7),
        record(tmp_path, 3, seed=1, optimizer__lr=0.1),
    ]
    first, second = grouped(records)
    assert (first.name, first.seeds) == ("optimizer.lr=0.001", (1, 2))
    assert (second.name, second.seeds) == ("optimizer.lr=0.1", (1,))
    assert first.differs == {"optimizer.lr": 0.001, "seed": 1} or first.differs == {"optimizer.lr": 0.001}
    assert first.varies == ()


def test_the_model_names_groups_before_what_follows_from_it(tmp_path: Path) -> None:
    groups = grouped([record(tmp_path, 1, model__width=4), record(tmp_path, 2, name="lenet5-digits", model__width=8)])
    assert [group.name for group in groups] == ["model=resnet18", "model=lenet5"]


def test_a_name_leaves_out_what_its_group_lacks(tmp_path: Path) -> None:
    groups = grouped(
        [
            record(tmp_path, 1, seed=1),
            record(tmp_path, 2, seed=2),
            record(tmp_path, 3, data__epoch_size=500, seed=1),
            record(tmp_path, 4, data__epoch_size=900, seed=2),
            record(tmp_path, 5, name="lenet5-digits"),
        ]
    )
    assert [group.name for group in groups] == [
        "model=resnet18",
        "data.epoch_size=500, model=resnet18",
        "data.epoch_size=900, model=resnet18",
        "model=lenet5",
    ]


def test_as_many_settings_name_a_group_as_are_needed(tmp_path: Path) -> None:
    grid = [(lr, size) for lr in (0.1, 0.2) for size in (32, 64)]
    records = [record(tmp_path, n, optimizer__lr=lr, batch_size=size) for n, (lr, size) in enumerate(grid)]
    names = {group.name for group in grouped(records)}
    assert names == {f"batch_size={size}, optimizer.lr={lr}" for lr, size in grid}


def test_by_averages_over_everything_else(tmp_path: Path) -> None:
    records = [record(tmp_path, n, optimizer__lr=lr, seed=n % 2) for n, lr in enumerate((0.1, 0.1, 0.2, 0.2))]
    (group,) = grouped(records, by=["model"])
    assert (group.name, len(group.records), group.varies) == ("model=resnet18", 4, ("optimizer.lr",))
    assert group.repeated == ()


def test_runs_of_the_same_settings_on_other_data_are_two_groups(tmp_path: Path) -> None:
    one = record(tmp_path, 1, data__root="here")
    folder = make_run(tmp_path, "resnet18-digits/2026-01-01_00-00-02-000000", settings={"data.root": "there"})
    folder.data.write_text('{"test": {"items": 100, "sha256": "abcdef0123456789"}}')
    first, second = grouped([one, read_record(folder, runs=tmp_path)])
    assert first.name.startswith("resnet18-digits, data ")
    assert second.name == "resnet18-digits, data abcdef01"


def test_a_repeated_seed_is_said_and_a_run_given_twice_is_one(tmp_path: Path) -> None:
    one, other = record(tmp_path, 1), record(tmp_path, 2)
    assert grouped([one, other])[0].repeated == (1,)
    assert grouped([one, one])[0].records == (one,)


def test_true_is_not_one_and_a_missing_setting_differs(tmp_path: Path) -> None:
    one, other = record(tmp_path, 1, model__bias=True), record(tmp_path, 2, model__bias=1)
    assert differing([one, other]) == ["model.bias"]
    assert differing([one, record(tmp_path, 3)]) == ["model.bias"]


def test_a_whole_number_is_the_same_setting_with_and_without_its_point(tmp_path: Path) -> None:
    records = [
        record(tmp_path, 1, seed=1, ema=0, model__widths=[1, 0.5]),
        record(tmp_path, 2, seed=2, ema=0.0, model__widths=[1.0, 0.5]),
        record(tmp_path, 3, seed=3, ema=0.5, model__widths=[1, 0.5]),
    ]
    assert [group.seeds for group in grouped(records)] == [(1, 2), (3,)]
    assert differing(records[:2]) == ["seed"]


def test_a_setting_that_no_run_has_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^group_by=optimizer\.lrr: .*did you mean 'optimizer\.lr'\?$"):
        grouped([record(tmp_path, 1)], by=["optimizer.lrr"])


def test_no_runs_are_no_groups() -> None:
    assert grouped([]) == []


@given(
    values=st.lists(st.tuples(st.integers(1, 3), st.sampled_from([0.1, 0.2]), st.sampled_from([32, 64])), min_size=1)
)
def test_every_run_is_in_one_group_and_names_are_unlike(
    tmp_path_factory: pytest.TempPathFactory, values: list[tuple[int, float, int]]
) -> None:
    plain = base(tmp_path_factory)
    records = [
        replace(
            plain,
            path=Path(f"run{n}"),
            name=f"run{n}",
            settings={**plain.settings, "seed": seed, "optimizer.lr": lr, "batch_size": size},
        )
        for n, (seed, lr, size) in enumerate(values)
    ]
    groups = grouped(records)
    assert sorted(one.name for group in groups for one in group.records) == sorted(one.name for one in records)
    assert len({group.name for group in groups}) == len(groups) == len({value[1:] for value in values})


BASE: list[RunRecord] = []


def base(factory: pytest.TempPathFactory) -> RunRecord:
    """One record for all examples."""
    if not BASE:
        BASE.append(record(factory.mktemp("base"), 1))
    return BASE[0]
