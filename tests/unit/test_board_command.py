"""`dlcourse board`: what TensorBoard is shown, that it stays up to date, and that nothing is left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_folders import make_run

import dlcourse
from dlcourse.cli import main
from dlcourse.commands import board
from dlcourse.commands.board import View


def seeds(runs: Path, *numbers: int, **settings: object) -> None:
    """A run for each seed."""
    for seed in numbers:
        day = len(list(runs.glob("*/*"))) + 1
        make_run(runs, f"resnet18-digits/2026-01-{day:02}_00-00-00-000000", settings={"seed": seed, **settings})


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What TensorBoard was started with; it is not started."""
    found: dict[str, Any] = {}

    def serve(view: View, *, host: str, port: int) -> int:
        links = {path.relative_to(view.folder).as_posix() for path in view.folder.rglob("*") if path.is_symlink()}
        means = {path.parent.relative_to(view.folder).as_posix() for path in view.folder.rglob("events.*.means")}
        found.update(view=view, host=host, port=port, links=links, means=means, folder=view.folder)
        return 0

    monkeypatch.setattr(board, "serve", serve)
    return found


def test_runs_and_their_mean_are_shown(
    tmp_path: Path, seen: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    seeds(tmp_path, 1, 2, 3)
    assert main(["board", str(tmp_path), "port=0", "host=0.0.0.0"]) == 0
    assert len(seen["links"]) == 3
    assert seen["means"] == {f"means/resnet18-digits{edge}" for edge in ("", "/low", "/high")}
    assert (seen["host"], seen["port"]) == ("0.0.0.0", 0)
    assert capsys.readouterr().out == "means  1 of 3 runs: see means/ among the runs, and the tab CUSTOM SCALARS\n"
    assert not seen["folder"].exists()


def test_no_run_folder_is_written_into(tmp_path: Path, seen: dict[str, Any]) -> None:
    seeds(tmp_path, 1, 2)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert main(["board", str(tmp_path)]) == 0
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name != ".index.json"}
    before.pop(tmp_path, None)
    assert after == before


def test_where_chooses_the_runs_and_their_means(tmp_path: Path, seen: dict[str, Any]) -> None:
    seeds(tmp_path, 1, 2)
    seeds(tmp_path, 1, 2, 3, **{"optimizer.lr": 0.1})
    assert main(["board", str(tmp_path), "where=optimizer.lr<0.05"]) == 0
    assert (len(seen["links"]), len(seen["means"])) == (2, 3)


def test_group_by_averages_over_everything_else(tmp_path: Path, seen: dict[str, Any]) -> None:
    seeds(tmp_path, 1)
    seeds(tmp_path, 1, **{"optimizer.lr": 0.1})
    assert main(["board", str(tmp_path)]) == 0
    assert not seen["means"]
    assert main(["board", str(tmp_path), "group_by=model, data"]) == 0
    assert "means/model=resnet18, data=digits" in seen["means"]


def test_means_can_be_left_out(tmp_path: Path, seen: dict[str, Any]) -> None:
    seeds(tmp_path, 1, 2)
    assert main(["board", str(tmp_path), "means=false"]) == 0
    assert (len(seen["links"]), seen["means"]) == (2, set())
    assert seen["view"].columns


def test_a_damaged_run_is_named_and_shown_and_what_was_removed_is_not(
    tmp_path: Path, seen: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    seeds(tmp_path, 1, 2)
    seeds(tmp_path / ".trash", 3)
    (make_run(tmp_path, "a-b/broken").config).write_text("{")
    assert main(["board", str(tmp_path)]) == 0
    assert "a-b/broken" in seen["links"]
    assert len(seen["links"]) == 3
    assert "a-b/broken" in capsys.readouterr().out.splitlines()[0]


def test_an_empty_folder_is_shown_and_filled_later(tmp_path: Path, seen: dict[str, Any]) -> None:
    assert main(["board", str(tmp_path)]) == 0
    assert not seen["links"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["nowhere"], "nowhere: there is no such folder; train first, or name another with runs="),
        (["runs", "where=optimizer.lrr<1"], "where: no run has optimizer.lrr; did you mean 'optimizer.lr'?"),
        (["runs", "where=seed>7"], "where=seed>7: this is true of none of 1 runs"),
        (["runs", "group_by=modle"], "group_by=modle: no run has such a setting; did you mean 'model'?"),
        (["runs", "port=99999"], "port must be 0 to 65535, not 99999"),
        (["runs", "ports=1"], "ports: there is no such argument; did you mean 'port'?"),
    ],
)
def test_a_wrong_word_is_one_line(
    words: list[str], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    seeds(tmp_path / "runs", 1)
    assert main(["board", *words]) == 2
    assert capsys.readouterr().err == f"dlcourse: {line}\n"


def test_where_no_links_can_be_made_all_runs_are_shown(
    tmp_path: Path, seen: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(1314, "A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    seeds(tmp_path, 1, 2)
    assert main(["board", str(tmp_path)]) == 0
    assert seen["folder"] == tmp_path
    assert "no means are shown: this system makes no links" in capsys.readouterr().out
    assert main(["board", str(tmp_path), "where=seed==1"]) == 2


def test_what_goes_on_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(board, "REFRESH", 0.05)
    seeds(tmp_path, 1)

    def serve(view: View, **_: object) -> int:
        assert not list(view.folder.rglob("*.means"))
        (make_run(tmp_path, "a-b/broken").config).write_text("{")
        seeds(tmp_path, 2)
        end = time.monotonic() + 10
        while not list(view.folder.rglob("*.means")) and time.monotonic() < end:
            time.sleep(0.02)
        assert len([path for path in view.folder.rglob("*") if path.is_symlink()]) == 3
        return 0

    monkeypatch.setattr(board, "serve", serve)
    assert main(["board", str(tmp_path)]) == 0
    assert threading.active_count() == 1 or not [one for one in threading.enumerate() if "keep" in one.name]


def test_the_board_needs_no_torch(tmp_path: Path) -> None:
    seeds(tmp_path, 1, 2)
    code = "import sys; from dlcourse.commands import board; board.serve = lambda *a, **k: int('torch' in sys.modules)"
    words = f"{code}; sys.exit(board.main([{str(tmp_path)!r}]))"
    assert subprocess.run([sys.executable, "-c", words], check=False, env=environment()).returncode == 0


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(dlcourse.__file__).parents[1])}


def asked(address: str, question: object = None) -> Any:
    body = None if question is None else json.dumps(question).encode()
    request = urllib.request.Request(address, data=body, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def within(ask: Callable[[], Any]) -> Any:
    end = time.monotonic() + 60
    while not (found := ask()) and time.monotonic() < end:
        time.sleep(0.2)
    return found


@pytest.mark.slow
def test_tensorboard_itself_shows_runs_means_bands_and_columns(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    seeds(runs, 1, 2)
    log = tmp_path / "log.txt"
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    start = "import sys; from dlcourse.commands import board; board.REFRESH = 0.5; sys.exit(board.main(sys.argv[1:]))"
    command = [sys.executable, "-c", start, str(runs), "port=0"]
    with log.open("w", encoding="utf-8") as told:
        process = subprocess.Popen(command, stdout=told, stderr=told, env={**environment(), "TMPDIR": str(temporary)})
    try:
        address = within(lambda: re.search(r"http://\S+:\d+/", log.read_text()))[0]
        found = within(lambda: asked(f"{address}data/runs"))
        assert set(found) == {f"means/resnet18-digits{edge}" for edge in ("", "/low", "/high")}  # no events of training
        layout = asked(f"{address}data/plugin/custom_scalars/layout")
        series = layout["category"][0]["chart"][0]["margin"]["series"][0]
        tags = "|".join(series.values())
        query = f"run=means%2Fresnet18-digits&tag={tags.replace(' ', '%20')}"
        events = asked(f"{address}data/plugin/custom_scalars/scalars?{query}")["tag_to_events"]
        assert set(events) == set(series.values())
        told_columns = asked(f"{address}data/plugin/hparams/experiment", {})
        assert [one["name"] for one in told_columns["hparamInfos"] if one.get("differs")] == ["seed"]
        question = {"allowedStatuses": ["STATUS_SUCCESS"], "sliceSize": 10}
        (row,) = asked(f"{address}data/plugin/hparams/session_groups", question)["sessionGroups"]
        values = {one["name"]["tag"]: one["value"] for one in row["metricValues"]}
        assert values["test/accuracy"] == pytest.approx(0.6)

        worse = [{"accuracy": 0.2, "loss": 0.9}, {"accuracy": 0.3, "loss": 0.8}]
        make_run(runs, "resnet18-digits/2026-01-03_00-00-00-000000", settings={"seed": 3}, val=worse)
        query = "run=means%2Fresnet18-digits&tag=val%2Faccuracy"

        def changed() -> list[tuple[int, float]] | None:
            points = [(step, value) for _, step, value in asked(f"{address}data/plugin/scalars/scalars?{query}")]
            return points if points[0][1] < 0.45 else None

        assert within(changed) == [(10, pytest.approx(0.4)), (20, pytest.approx(0.5))]
        assert asked(f"{address}data/plugin/custom_scalars/layout") == layout
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    assert not list(temporary.glob("dlcourse-board-*"))
