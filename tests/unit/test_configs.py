"""Every shipped YAML is a call: it lists the arguments of what it calls, with their defaults."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from dlcourse.config import tree
from dlcourse.config.build import argument_types, bind
from dlcourse.config.check import check
from dlcourse.config.compose import compose
from dlcourse.config.docs import argument_docs
from dlcourse.config.overrides import split
from dlcourse.config.settings import Settings
from dlcourse.config.targets import resolve

OPTIONS = [option for members in tree.options().values() for option in members.values() if not option.own]
NAMES = [f"{option.group}={option.name}" for option in OPTIONS]


FACTS = {"num_classes", "in_channels", "image_size"}
"""What data says of itself: such an argument stands as null, whatever default it has in Python."""


def calls(node: object, *, at: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every node with a `_target_`, wherever it stands."""
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield at, node
        for key, value in node.items():
            yield from calls(value, at=f"{at}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from calls(value, at=f"{at}.{index}")


@pytest.mark.parametrize("option", OPTIONS, ids=NAMES)
def test_its_first_comment_line_is_its_purpose(option: tree.Option) -> None:
    assert 10 <= len(option.purpose) <= 110


@pytest.mark.parametrize("option", OPTIONS, ids=NAMES)
def test_it_passes_the_checks_and_composes(option: tree.Option) -> None:
    word = f"{option.group}={option.name}"
    check(split([word]))
    Settings.read(compose([word]))


@pytest.mark.parametrize("option", OPTIONS, ids=NAMES)
def test_its_keys_are_the_arguments_of_what_it_calls(option: tree.Option) -> None:
    for at, node in calls(tree.read_yaml(option.path), at=option.group):
        callee = resolve(node["_target_"], at=at, allow_code=False)
        parameters = inspect.signature(callee).parameters
        settable = {name: one for name, one in parameters.items() if is_settable(callee, one)}
        assert set(node) - {"_target_", "defaults"} == set(settable), at
        for name, one in settable.items():
            if one.default is not one.empty and not (name in FACTS and node[name] is None):
                default = list(one.default) if isinstance(one.default, tuple) else one.default
                assert node[name] == default, f"{at}.{name}"
                assert type(node[name]) is type(default), f"{at}.{name}"
            else:
                assert node[name] is None, f"{at}.{name} is filled by the data"


@pytest.mark.parametrize("option", OPTIONS, ids=NAMES)
def test_each_argument_has_a_sentence(option: tree.Option) -> None:
    for at, node in calls(tree.read_yaml(option.path), at=option.group):
        docs = argument_docs(resolve(node["_target_"], at=at, allow_code=False))
        for name in set(node) - {"_target_", "defaults"}:
            assert docs.get(name, "").endswith("."), f"{at}.{name}"


@pytest.mark.parametrize("option", OPTIONS, ids=NAMES)
def test_its_values_fit_the_annotations(option: tree.Option) -> None:
    for at, node in calls(tree.read_yaml(option.path), at=option.group):
        callee = resolve(node["_target_"], at=at, allow_code=False)
        names = [name for name, one in inspect.signature(callee).parameters.items() if is_settable(callee, one)]
        assert set(names) <= set(argument_types(callee)), f"{at}: an annotation cannot be evaluated"
        given = len(inspect.signature(callee).parameters) - len(names)
        facts = {name: 3 for name in names if node[name] is None}
        arguments = {key: value for key, value in node.items() if key != "defaults"}
        bind(arguments, at=at, facts=facts, given=given)


def is_settable(callee: Any, parameter: inspect.Parameter) -> bool:
    """Whether a config may set it: what stands before the keyword-only ones is the program's to give."""
    return parameter.kind is parameter.KEYWORD_ONLY or (
        inspect.isclass(callee) and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    )
