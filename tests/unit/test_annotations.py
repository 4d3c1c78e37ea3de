"""What an argument takes, read from source, against what Python says once the module is imported."""

from __future__ import annotations

import importlib
import inspect
from typing import Any, Literal, get_origin, get_type_hints

import pytest

from dlcourse.config import tree
from dlcourse.config.annotations import annotation_of
from dlcourse.config.candidates import candidates
from dlcourse.config.check import check
from dlcourse.config.kinds import choices, describe
from dlcourse.config.overrides import split
from dlcourse.errors import ConfigError

TARGETS = sorted({
    str(value)
    for group in tree.options().values()
    for option in group.values()
    for key, value in tree.flat(tree.read_yaml(option.path)).items()
    if key.endswith("_target_") and str(value).startswith("dlcourse.")
})  # fmt: skip
PLAIN = (bool, int, float, str, type(None))


def imported(target: str) -> dict[str, Any]:
    """What Python itself says: argument -> annotation, in which all members are plain."""
    module, _, name = target.rpartition(".")
    callee = getattr(importlib.import_module(module), name)
    hints = get_type_hints(callee.__init__ if inspect.isclass(callee) else callee)
    return {
        argument: hint
        for argument, hint in hints.items()
        if argument != "return" and all(one in PLAIN or get_origin(one) is Literal for one in choices(hint))
    }


@pytest.mark.parametrize("target", TARGETS)
def test_the_source_says_of_every_argument_what_the_imported_callable_says(target: str) -> None:
    for argument, hint in imported(target).items():
        read = annotation_of(target, argument)
        assert set(choices(read)) == set(choices(hint)) or (read is None and hint is type(None)), argument


def test_the_comparison_meets_words_aliases_and_unions() -> None:
    found = {hint for target in TARGETS for hint in imported(target).values()}
    assert any(get_origin(hint) is Literal for hint in found)
    assert bool | Literal["alternating"] in found


@pytest.mark.parametrize(
    ("target", "argument"),
    [
        ("dlcourse.data.cifar.CIFAR10", "nothing"),
        ("dlcourse.data.cifar.CIFAR10", "sizes"),
        ("dlcourse.data.cifar.NoSuchSet", "flip"),
        ("dlcourse.no_such_module.CIFAR10", "flip"),
        ("torch.optim.SGD", "lr"),
        ("", "flip"),
    ],
)
def test_what_cannot_be_told_from_source_is_left_open(target: str, argument: str) -> None:
    assert annotation_of(target, argument) is None


def test_wrong_words_are_told_with_all_other_faults_before_anything_is_imported() -> None:
    words = ["model=lenet5", "data=digits", "data.flip=sideways", "data.padding_mode=reflct", "epochs=many"]
    with pytest.raises(ConfigError) as caught:
        check(split(words))
    assert caught.value.problems == (
        "data.flip must be true, false or alternating, not 'sideways'",
        "data.padding_mode must be constant or reflect, not 'reflct'",
        "epochs must be a whole number, not 'many'",
    )


@pytest.mark.parametrize("word", ["data.flip=alternating", "data.flip=false", "data.padding_mode=reflect"])
def test_right_words_pass(word: str) -> None:
    check(split(["model=lenet5", "data=digits", word]))


def test_completion_offers_the_words() -> None:
    assert candidates(["data=cifar10"], word="data.padding_mode=") == [
        "data.padding_mode=constant", "data.padding_mode=reflect"
    ]  # fmt: skip
    assert candidates(["data=cifar10"], word="data.flip=a") == ["data.flip=alternating"]
    assert candidates([], word="runtime.allocator=") == [
        f"runtime.allocator={one}" for one in ("auto", "keep", "system")
    ]


def test_true_and_false_stand_beside_other_words() -> None:
    assert describe(bool | Literal["alternating"]) == "true, false or alternating"
    assert describe(bool) == "true or false"
