"""What several tests of whole commands do: ask for JSON, and see to it that no data set is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dlcourse.cli import main
from dlcourse.data.base import DataSet


@pytest.fixture
def answer(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """`answer("predict", "run=latest", ...)` is what the command says with format=json; it has to succeed."""

    def asked(command: str, *words: str) -> Any:
        capsys.readouterr()
        assert main([command, "format=json", *words]) == 0
        return json.loads(capsys.readouterr().out, parse_constant=pytest.fail)

    return asked


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """No data set may be read in this test; the runs of a whole module were trained before."""

    def refuse(self: DataSet) -> None:
        raise AssertionError(f"{type(self).__name__} was read")

    for kind in kinds(DataSet):
        if "load" in vars(kind):
            monkeypatch.setattr(kind, "load", refuse)


def kinds(base: type[DataSet]) -> Iterator[type[DataSet]]:
    """All classes below, as far as they have been imported."""
    for kind in base.__subclasses__():
        yield kind
        yield from kinds(kind)
