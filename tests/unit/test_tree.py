"""Where option files live, and composing them without Hydra."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcourse.config import tree
from dlcourse.config.compose import compose
from dlcourse.config.settings import GROUPS
from dlcourse.errors import ConfigError


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user's with an option of its own, and the command running there."""
    (tmp_path / "configs" / "model").mkdir(parents=True)
    (tmp_path / "configs" / "model" / "mynet.yaml").write_text(
        "# my first net\n_target_: mynet.MyNet\nnum_classes: null\nwidth: 1e-3\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path / "configs"


def test_the_shipped_configs_are_found() -> None:
    assert (tree.package_folder() / "train.yaml").is_file()
    assert tree.package_folder().is_absolute()


def test_the_users_options_stand_beside_the_shipped_ones(own: Path) -> None:
    found = tree.options()["model"]
    assert found["mynet"].own and found["mynet"].purpose == "my first net"
    assert not found["resnet18"].own


def test_a_folder_named_on_the_command_line_is_searched_too(own: Path, tmp_path: Path) -> None:
    extra = tmp_path / "其他 (1)" / "optimizer"
    extra.mkdir(parents=True)
    (extra / "mine.yaml").write_text("# mine\nlr: 1.0\n", encoding="utf-8")
    assert "mine" in tree.options([str(extra.parent)])["optimizer"]
    assert compose(["optimizer=mine"], config_dirs=[str(extra.parent)])["optimizer"] == {"lr": 1.0}


def test_a_twin_of_a_shipped_option_is_seen(own: Path) -> None:
    assert tree.twins() == {}
    (own / "model" / "resnet18.yaml").write_text("_target_: mynet.MyNet\n", encoding="utf-8")
    assert tree.twins() == {("model", "resnet18"): own / "model" / "resnet18.yaml"}


def test_a_number_in_scientific_notation_is_a_number(own: Path) -> None:
    assert tree.read_yaml(own / "model" / "mynet.yaml")["width"] == 0.001


def test_a_broken_file_is_one_line(own: Path) -> None:
    path = own / "model" / "mynet.yaml"
    path.write_text("a: [1\nb: 2", encoding="utf-8")
    with pytest.raises(ConfigError, match="mynet.yaml") as caught:
        tree.read_yaml(path)
    assert len(caught.value.problems) == 1 and "\n" not in caught.value.problems[0]


@pytest.mark.parametrize("group", GROUPS)
def test_plain_composition_equals_hydras_for_every_option(group: str) -> None:
    for name in tree.options()[group]:
        plain, by_hydra = tree.compose_plainly({group: name}), compose([f"{group}={name}"], resolve=False)
        assert tree.flat(plain) == tree.flat(by_hydra), name


def test_a_data_set_and_a_model_bring_settings_and_the_command_line_wins(own: Path) -> None:
    (own / "data").mkdir()
    (own / "data" / "mine.yaml").write_text(
        "# @package _global_\n# mine\nepochs: 7\nbatch_size: 16\ndata:\n  _target_: mynet.Data\n", encoding="utf-8"
    )
    (own / "model" / "big.yaml").write_text(
        "# @package _global_\n# big\ndefaults:\n  - override /optimizer: adamw\n  - _self_\n"
        "epochs: 5\nmodel:\n  _target_: mynet.Big\n",
        encoding="utf-8",
    )
    brought = compose(["data=mine"])
    assert (brought["epochs"], brought["batch_size"], brought["data"]) == (7, 16, {"_target_": "mynet.Data"})
    both = compose(["data=mine", "model=big", "batch_size=4"])
    assert (both["epochs"], both["batch_size"], both["optimizer"]["_target_"][-5:]) == (5, 4, "adamw")
    assert compose(["data=mine", "model=big", "epochs=1", "optimizer=sgd"])["epochs"] == 1
    assert compose(["model=big", "optimizer=sgd"])["optimizer"]["_target_"].endswith(".sgd")
    plain = tree.compose_plainly({"data": "mine", "model": "big"})
    assert tree.flat(plain) == tree.flat(compose(["data=mine", "model=big"]))


def test_an_experiment_has_the_word_before_the_command_line(own: Path) -> None:
    (own / "experiment").mkdir()
    (own / "experiment" / "e.yaml").write_text(
        "# @package _global_\n# e\ndefaults:\n  - override /model: lenet5\n  - override /optimizer: rmsprop\n"
        "epochs: 2\n",
        encoding="utf-8",
    )
    config = compose(["experiment=e"])
    assert config["model"]["_target_"].endswith("LeNet5")
    assert config["optimizer"]["_target_"].endswith("rmsprop")  # not the optimizer that lenet5 brings
    assert config["epochs"] == 2
    assert compose(["experiment=e", "optimizer=sgd", "epochs=3"])["optimizer"]["_target_"].endswith(".sgd")
    assert tree.flat(tree.compose_plainly({"experiment": "e"})) == tree.flat(config)
