"""The reader of words for commands that Hydra does not compose."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from dlcourse.commands.arguments import argument, read, usage
from dlcourse.errors import ConfigError


@dataclass(frozen=True)
class Arguments:
    run: str = argument("The run to evaluate.", bare=True)
    into: Path | None = argument("A file to write.", default=None)
    device: str = argument("Where to compute.", default="auto", key="runtime.device")
    count: int = argument("How many.", default=3)
    share: float = argument("What part.", default=0.5)
    dry_run: bool = argument("Change nothing.", default=False)
    kind: Literal["a", "b"] = argument("Which kind.", default="a")


@dataclass(frozen=True)
class Many:
    runs: tuple[str, ...] = argument("Runs to compare.", default=(), bare=True)


def parse(*words: str) -> Arguments:
    return read(Arguments, words, command="eval")


@pytest.mark.parametrize("words", [["run=latest"], ["--run", "latest"], ["--run=latest"], ["latest"], ["--", "latest"]])
def test_the_four_ways_to_write_an_argument_are_one(words: list[str]) -> None:
    assert parse(*words) == Arguments(run="latest")


@pytest.mark.parametrize(
    "path", ["/home/李明/a b", "runs/lr=0.1 (2)", "a,b", "D:\\x", "${oc.env:HOME}", "'quoted'", "[1]", "2024", "-"]
)
def test_a_value_is_taken_verbatim(path: str) -> None:
    assert parse(f"run={path}").run == path
    assert parse("--run", path).run == path


def test_the_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("USERPROFILE", "/home/me")
    assert parse("~/a b").run == "/home/me/a b"
    assert parse("x", "into=~/y").into == Path("/home/me/y")


def test_a_path_with_an_equals_sign_may_stand_bare() -> None:
    assert parse("runs/lr=0.1").run == "runs/lr=0.1"


def test_values_are_typed() -> None:
    found = parse("x", "count=5", "share=1", "--dry-run", "kind=b", "runtime.device=cpu", "into=null")
    assert found == Arguments(run="x", count=5, share=1.0, dry_run=True, kind="b", device="cpu", into=None)


def test_a_switch_leaves_the_next_word_alone() -> None:
    assert parse("--dry-run", "latest") == Arguments(run="latest", dry_run=True)
    assert parse("--dry-run", "false", "latest") == Arguments(run="latest")


def test_many_bare_words_are_kept_in_order() -> None:
    assert read(Many, ["a", "runs=b", "c d"], command="compare") == Many(runs=("a", "b", "c d"))


def test_all_faults_are_told_together() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("cuont=1", "count=ten", "kind=c", "--share", "much", "-q")
    assert caught.value.problems == (
        "cuont: there is no such argument; did you mean 'count'?",
        "-q: there is no such flag; there is count, dry_run, into, kind, run, runtime.device, share",
        "count must be a whole number, not 'ten'",
        "kind must be a or b, not 'c'",
        "share must be a number, not 'much'",
        "run is missing; write dlcourse eval run=RUN",
    )


def test_two_values_for_one_argument_are_refused() -> None:
    with pytest.raises(ConfigError, match="run is given twice: 'a' and 'b'"):
        parse("run=a", "run=b")
    assert parse("run=a", "run=a").run == "a"


def test_a_word_too_many_is_refused() -> None:
    with pytest.raises(ConfigError, match="'b' says nothing here"):
        parse("a", "b")


def test_the_help_names_every_argument(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parse("--help")
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert text == usage(Arguments, command="eval", purpose="")
    for key in ("run", "into", "runtime.device", "count", "share", "dry_run", "kind"):
        assert f"\n  {key} " in text


def test_a_number_that_equals_nothing_is_not_given_twice_by_being_given_once() -> None:
    @dataclass(frozen=True)
    class Heat:
        temperature: float = argument("How hot.", default=1.0)

    assert math.isnan(read(Heat, ["temperature=nan"], command="try").temperature)
