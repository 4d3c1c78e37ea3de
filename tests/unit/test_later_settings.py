"""Runs from before and after a setting came are compared by its default, and never by what another option says."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_folders import make_run, write_yaml

from dlcourse.commands.run_actions import told
from dlcourse.config.tree import compose_plainly, lay, look_up, package_folder, read_yaml
from dlcourse.errors import ConfigError
from dlcourse.folders import RunFolder
from dlcourse.results.columns import differing_settings
from dlcourse.results.groups import grouped
from dlcourse.results.index import INDEX, read_all
from dlcourse.results.later import AUTO, RESOLVED, missing
from dlcourse.results.record import MECHANICS, completed, read_record
from dlcourse.results.stored import plain_settings, targets_of
from dlcourse.results.where import chosen

CHOICES = {
    "model": "bigru_attention", "data": "imdb", "task": "text_classification", "optimizer": "adamw",
    "scheduler": "cosine", "runtime": "default", "init@init.svd": "ppmi_svd",
}  # fmt: skip
COMPOSED = compose_plainly({group: name for group, name in CHOICES.items() if "@" not in group})
COMPOSED["init"] = {"svd": read_yaml(package_folder() / "init" / "ppmi_svd.yaml")}


def run(
    runs: Path, number: int, *, lacks: tuple[str, ...] = (), choices: Mapping[str, str] = CHOICES, **settings: object
) -> RunFolder:
    """A run of imdb as a training writes it, without some settings; two underlines stand for a dot."""
    folder = make_run(runs, f"bigru_attention-imdb/2026-01-01_00-00-{number:02}-000000")
    config = deepcopy(COMPOSED)
    for key, value in settings.items():
        lay(config, key.replace("__", ".", 1), value=value)
    for name in lacks:
        place, _, leaf = name.rpartition(".")
        (look_up(config, place)[1] if place else config).pop(leaf)
    write_yaml(folder.config, {**config, "choices": choices})
    return folder


def test_a_run_from_before_a_setting_is_of_one_group_with_those_after_it(tmp_path: Path) -> None:
    old = run(tmp_path, 1, lacks=("data.val_by", "data.fold", "ema", "init.svd.window"), seed=1)
    new = run(tmp_path, 2, seed=2)
    other = run(tmp_path, 3, seed=3, data__val_by="film")
    records = read_all(tmp_path).records[::-1]
    assert [len(group.records) for group in grouped(records)] == [2, 1]
    assert grouped(records[:2])[0].varies == ()
    assert records[0].settings["data.val_by"] == "review"
    assert records[0].settings["ema"] == 0.0
    assert records[0].settings["init.svd.window"] == 5
    assert records[0].later == {"data.val_by", "data.fold", "ema", "init.svd.window"}
    assert records[1].later == frozenset()
    assert differing_settings(records) == ["data.val_by", "seed"]
    assert chosen(records, where="data.val_by==review and ema==0") == records[:2]
    assert read_record(old, runs=tmp_path) == records[0]
    assert [other.path] == [record.path for record in chosen(records, where="data.val_by==film")]
    assert new.path == records[1].path


def test_what_is_shown_of_one_run_and_kept_in_the_index_is_what_its_own_file_says(tmp_path: Path) -> None:
    folder = run(tmp_path, 1, lacks=("data.val_by",))
    assert "data.val_by" not in "\n".join(told(read_record(folder, runs=tmp_path)))
    assert "data.split_seed" in "\n".join(told(read_record(folder, runs=tmp_path)))
    first = read_all(tmp_path)
    assert "val_by" not in (tmp_path / INDEX).read_text()
    assert read_all(tmp_path) == first
    assert first.records[0].own == {k: v for k, v in first.records[0].settings.items() if k != "data.val_by"}


def test_options_that_are_not_ours_are_not_filled(tmp_path: Path) -> None:
    lacks = ("data.val_by", "model.dropout", "optimizer.eps", "ema")
    choices = {**CHOICES, "model": "mynet", "optimizer": "../optimizer/adamw"}
    # An own file of data bore this name before a shipped one did.
    folder = run(tmp_path, 1, lacks=lacks, choices=choices, data___target_="mine.Reviews")
    assert read_record(folder, runs=tmp_path).later == {"ema"}


def test_how_a_run_said_it_otherwise_is_left_as_it_is(tmp_path: Path) -> None:
    folder = run(tmp_path, 1, task__class_weights={"pos": 2.0}, early_stop=None, model__extra=1)
    record = read_record(folder, runs=tmp_path)
    assert record.later == frozenset()
    assert record.settings["task.class_weights.pos"] == 2.0
    assert "early_stop.patience" not in record.settings


def test_what_auto_came_to_and_what_changes_no_result_are_not_guessed(tmp_path: Path) -> None:
    record = read_record(run(tmp_path, 1, lacks=("runtime.precision", "log_every", "test")), runs=tmp_path)
    assert record.later == frozenset()


@given(st.sets(st.sampled_from(sorted(plain_settings(COMPOSED, choices=CHOICES)))))
def test_a_run_that_lacks_defaults_is_the_run_that_says_them(taken: set[str]) -> None:
    settings = plain_settings(COMPOSED, choices=CHOICES)
    targets = targets_of(COMPOSED, choices=CHOICES)
    rest = {name: value for name, value in settings.items() if name not in taken or name in CHOICES}
    found = missing(rest, choices=CHOICES, targets=targets)
    assert not found.keys() & rest.keys()
    # `epochs` and `batch_size` are set by data=imdb beyond itself, so they are no defaults of settings that came later.
    usual = {name: value for name, value in settings.items() if name not in ("epochs", "batch_size")}
    filled = {name: value for name, value in {**rest, **found}.items() if name in usual}
    unsaid = {name for name, value in usual.items() if value == AUTO and name.startswith(RESOLVED)}
    assert filled == {name: value for name, value in usual.items() if name in rest or name not in unsaid}


def test_completing_twice_changes_nothing_more(tmp_path: Path) -> None:
    once = read_record(run(tmp_path, 1, lacks=("data.val_by", "ema")), runs=tmp_path)
    again = completed(once)
    assert again.settings == once.settings
    assert not set(again.later) & MECHANICS


def test_a_setting_that_neither_run_nor_option_knows_is_refused_still(tmp_path: Path) -> None:
    run(tmp_path, 1)
    with pytest.raises(ConfigError, match="no run has data.val_bye; did you mean 'data.val_by'"):
        chosen(read_all(tmp_path).records, where="data.val_bye==film")
