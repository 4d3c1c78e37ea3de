"""A config is a call, held against the signature of what it calls."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from dlcourse.config.build import Problems, bind, call
from dlcourse.config.docs import argument_docs
from dlcourse.errors import ConfigError

MYNET = '''
"""A student's own file."""
from __future__ import annotations
from typing import Literal
import torch
from torch import nn


class MyNet(nn.Module):
    """A net.

    Args:
        num_classes: how many classes there are.
        hidden: channels,
            in every layer.
    """

    def __init__(self, num_classes: int, *, hidden: int = 4, kinds: tuple[int, ...] = (1,), drop: float = 0.0,
                 mode: Literal["a", "b"] = "a", inner: nn.Module | None = None):
        super().__init__()
        if hidden < 1:
            raise ValueError(f"hidden must be 1 or more, not {hidden}")
        self.seen = (num_classes, hidden, kinds, drop, mode, inner)


def start(model, *, std: float = 1.0):
    return (model, std)


number = 3
'''


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file of the user's, and the command running there."""
    (tmp_path / "own_net_for_test.py").write_text(MYNET, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "own_net_for_test", raising=False)
    return tmp_path


def own(name: str = "MyNet", **keys: object) -> dict[str, Any]:
    return {"_target_": f"own_net_for_test.{name}", **keys}


def refused(node: object, *args: object, at: str = "model", **more: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        call(node, *args, at=at, **more)
    return caught.value.problems


def test_a_call_is_made_with_its_keys(here: Path) -> None:
    made = call(own(num_classes=3, hidden=8, kinds=[1, 2], drop=1, mode="b"), at="model")
    assert made.seen == (3, 8, (1, 2), 1.0, "b", None)
    assert isinstance(made.seen[3], float)


def test_what_the_program_gives_comes_first() -> None:
    weights = [nn.Parameter(torch.zeros(2))]
    made = call({"_target_": "torch.optim.SGD", "lr": 0.5}, weights, at="optimizer")
    assert made.param_groups[0]["params"][0] is weights[0]
    assert "the program gives SGD its params" in refused({"_target_": "torch.optim.SGD", "params": 1}, weights)[0]


def test_facts_fill_what_is_null_or_left_out(here: Path) -> None:
    facts = {"num_classes": 7, "vocab_size": 5}
    assert call(own(num_classes=None), at="model", facts=facts).seen[0] == 7
    assert call(own(), at="model", facts=facts).seen[0] == 7
    assert call(own(num_classes=2), at="model", facts=facts).seen[0] == 2
    (line,) = refused(own(num_classes=None))
    assert line.startswith("model.num_classes must be a whole number; it is null")


def test_nested_calls_and_lists_of_calls_are_made(here: Path) -> None:
    linear = {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 3}
    assert isinstance(call(own(num_classes=1, inner=linear), at="model").seen[5], nn.Linear)
    stack = call({"_target_": "torch.nn.ModuleList", "modules": [linear, linear]}, at="model")
    assert [type(one) for one in stack] == [nn.Linear, nn.Linear]
    assert call([own("start", std=2), own("start")], "m", at="init") == [("m", 2.0), ("m", 1.0)]


def test_a_call_may_be_bound_first_and_made_later(here: Path) -> None:
    later = bind(own("start", std=3), at="init", given=1)
    assert later("m") == ("m", 3.0)


def test_all_faults_of_a_call_are_told_together(here: Path) -> None:
    assert refused(own(hiden=3, drop="x", kinds=3, mode="c")) == (
        "model.hiden: MyNet takes no such argument; did you mean 'hidden'?",
        "model.drop must be a number, not 'x'",
        "model.kinds must be a list such as [1,2], not 3",
        "model.mode must be a or b, not 'c'",
        "model.num_classes is missing: MyNet needs it",
    )


def test_faults_of_several_parts_are_told_together(here: Path) -> None:
    problems = Problems()
    with problems.gathered():
        call(own(num_classes="x"), at="model")
    with problems.gathered():
        call({"_target_": "torch.optim.SGD", "lrr": 1}, [], at="optimizer")
    with pytest.raises(ConfigError) as caught:
        problems.raise_any()
    assert [line.split(".")[0] for line in caught.value.problems] == ["model", "optimizer"]


def test_what_a_constructor_refuses_gets_its_place_in_the_config(here: Path) -> None:
    assert refused(own(num_classes=1, hidden=0)) == ("model.hidden must be 1 or more, not 0",)
    assert refused({"_target_": "torch.optim.SGD", "lr": -1.0}, [nn.Parameter(torch.zeros(1))], at="optimizer") == (
        "optimizer: Invalid learning rate: -1.0",
    )


@pytest.mark.parametrize(
    "target",
    ["os.system", "torch.hub.load", "torch.utils.collect_env.run", "dlcourse.cli.os.system",
     "dlcourse.models.os.system", "builtins.eval",
     "torch.nn.functional.importlib.import_module", "torch.nn.modules.module.torch.hub.load",
     "torch.nn.Module.__init__", "torch.nn.functional.handle_torch_function", "subprocess.run", "torch.load",
     "own_net_for_test.torch.hub.load", "own_net_for_test.number", "own_net_for_test",
     "torch.nn.functional", "dlcourse.config.call", "dlcourse.data.base.torch.load", "..os.system", "", 3, None],
)  # fmt: skip
def test_what_a_config_must_not_call_is_refused(here: Path, target: object) -> None:
    (line,) = refused({"_target_": target})
    assert line.startswith("model._target_")


def test_a_file_here_never_hides_an_installed_module(here: Path) -> None:
    (here / "yaml.py").write_text("def load(): ...\n", encoding="utf-8")
    assert "installed module" in refused({"_target_": "yaml.load"})[0]
    (here / "os.py").write_text("", encoding="utf-8")
    assert "outside" in refused({"_target_": "os.system"})[0]


def test_code_of_this_folder_runs_only_if_it_may(here: Path) -> None:
    (line,) = refused(own(num_classes=1), allow_code=False)
    assert "allow_code=true" in line
    assert "own_net_for_test" not in sys.modules


def test_a_broken_file_is_one_line(here: Path) -> None:
    (here / "broken_net_for_test.py").write_text("def f(:\n", encoding="utf-8")
    assert "line 1" in refused({"_target_": "broken_net_for_test.f"})[0]
    (here / "needy_net_for_test.py").write_text("import no_such_module_anywhere\n", encoding="utf-8")
    assert "no_such_module_anywhere" in refused({"_target_": "needy_net_for_test.f"})[0]


def test_a_wrong_name_in_a_module_gets_the_nearest(here: Path) -> None:
    assert "did you mean 'MyNet'?" in refused(own("MyNett"))[0]
    assert "did you mean 'Linear'?" in refused({"_target_": "torch.nn.Linar"})[0]


def test_a_node_that_is_no_call_is_refused() -> None:
    assert "_target_" in refused({"lr": 1})[0]
    assert "_target_" in refused("sgd")[0]


def test_an_argument_has_its_sentence(here: Path) -> None:
    made = call(own(num_classes=1), at="model")
    assert argument_docs(type(made)) == {
        "num_classes": "how many classes there are.", "hidden": "channels, in every layer.",
    }  # fmt: skip
