"""The top-level settings: their types, ranges and the YAML that lists them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml

from dlcourse.config.settings import GROUPS, KNOWN, Settings
from dlcourse.config.tree import defaults_of, flat, package_folder, read_yaml
from dlcourse.errors import ConfigError


def nested(**changes: object) -> dict[str, Any]:
    """A config with these settings, dots written as two underscores."""
    config: dict[str, Any] = {}
    for name, value in changes.items():
        parent, _, leaf = name.rpartition("__")
        (config.setdefault(parent, {}) if parent else config)[leaf] = value
    return config


def test_train_yaml_lists_every_setting_with_its_default() -> None:
    content = read_yaml(package_folder() / "train.yaml")
    values = flat({key: value for key, value in content.items() if key not in ("defaults", "hydra")})
    told = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}  # YAML has lists
    assert told == {key: known.default for key, known in KNOWN.items()}
    assert [type(value) for value in told.values()] == [type(known.default) for known in KNOWN.values()]


def test_train_yaml_composes_the_groups_in_their_order() -> None:
    content = read_yaml(package_folder() / "train.yaml")
    assert tuple(group for group, _, _ in defaults_of(content)) == GROUPS
    assert content["defaults"][0] == "_self_"  # a data set may then bring epochs of its own


def test_every_setting_has_a_sentence() -> None:
    assert all(known.doc.endswith(".") and len(known.doc) > 20 for known in KNOWN.values())


def test_settings_are_read_beside_the_groups() -> None:
    config = yaml.safe_load("{epochs: 3, checkpoint: {keep: 2, every_minutes: 5}, model: {x: 1}, optimizer: {lr: 1}}")
    settings = Settings.read(config)
    assert (settings.epochs, settings.checkpoint.keep, settings.checkpoint.every_minutes) == (3, 2, 5.0)
    assert isinstance(settings.checkpoint.every_minutes, float)
    assert settings.batch_size == 128


FREEZE = "a list of names and lengths such as [whiten.bias@3ep,blocks.0@50%]"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"stop_at": "soon"}, "stop_at must be a length above 0 such as 2ep, 500st or 30%, not 'soon'"),
        ({"epochs": "ten"}, "epochs must be a whole number, not 'ten'"),
        ({"epochs": 1.0}, "epochs must be a whole number, not 1.0"),
        ({"epochs": True}, "epochs must be a whole number, not true"),
        ({"epochs": 0}, "epochs must be 1 or more, not 0"),
        ({"epochs": None}, "epochs must be a whole number, not null"),
        ({"seed": -1}, "seed must be 0 or more, not -1"),
        ({"ema": 1.0}, "ema must be from 0 to below 1, not 1.0"),
        ({"ema": math.nan}, "ema must be from 0 to below 1, not nan"),
        ({"clip_norm": math.inf}, "clip_norm must be above 0, not inf"),
        ({"freeze": ["whiten"]}, f"freeze must be {FREEZE}, not ['whiten']"),
        ({"freeze": ["@3ep"]}, f"freeze must be {FREEZE}, not ['@3ep']"),
        ({"freeze": ["whiten@0ep"]}, f"freeze must be {FREEZE}, not ['whiten@0ep']"),
        ({"freeze": "whiten@3ep"}, f"freeze must be {FREEZE}, not 'whiten@3ep'"),
        ({"validate_every": "3"}, "validate_every must be a length above 0 such as 2ep, 0.5ep or 500st, not '3'"),
        ({"validate_every": "0ep"}, "validate_every must be a length above 0 such as 2ep, 0.5ep or 500st, not '0ep'"),
        ({"on_nonfinite": "ignore"}, "on_nonfinite must be stop or skip, not 'ignore'"),
        ({"early_stop__patience": 0}, "early_stop.patience must be 1 or more, not 0"),
        ({"checkpoint": 3}, "checkpoint must be a group of settings, not 3"),
        ({"checkpoint__evry": 3}, "checkpoint.evry: there is no such setting; did you mean 'checkpoint.keep'?"),
        ({"accumulate": 200}, "accumulate (200) must be at most batch_size (128)"),
        ({"epoch": 3}, "epoch: there is no such setting; did you mean 'epochs'?"),
    ],
)
def test_a_fault_is_one_line(changes: dict[str, object], line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.read(nested(**changes))
    (found,) = caught.value.problems
    assert found.split(";")[0] == line.split(";", maxsplit=1)[0]


def test_all_faults_are_told_together() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.read(nested(epochs=0, accumulate=200, early_stop__min_delta="x", foo=1))
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"max_steps": 5}, {"clip_norm": 1}, {"checkpoint__every_minutes": None}, {"validate_every": "500st"},
        {"validate_every": "0.5ep"}, {"run": "/home/李明/a (1)"}, {"run": 2024}, {"accumulate": 128}, {"ema": 0.999},
    ],
)  # fmt: skip
def test_what_is_allowed_is_read(changes: dict[str, object]) -> None:
    Settings.read(nested(**changes))


def test_a_folder_named_by_a_number_is_text() -> None:
    assert Settings.read({"run": 2024}).run == "2024"


def test_an_experiment_file_without_its_package_line_is_refused() -> None:
    with pytest.raises(ConfigError, match="@package _global_"):
        Settings.read({"experiment": {"epochs": 1, "model": "mynet"}})
