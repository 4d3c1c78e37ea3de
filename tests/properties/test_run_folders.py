"""Whatever stands in a run folder that somebody hands on, it is taken up or refused; nothing in it runs."""

from __future__ import annotations

import functools
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.config.compose import compose
from dlcourse.data.folder import ImageFolder
from dlcourse.errors import UserError, block
from dlcourse.folders import RunFolder, find_run
from dlcourse.run.environment import differences
from dlcourse.run.parts import assemble
from dlcourse.run.prepare import Run, prepare, read_head
from dlcourse.run.resume import changed, data_changes, restore
from dlcourse.training.loop import Requests, fit
from dlcourse.training.observers.history import History

CHOICES = {"model": "resnet18", "data": "digits", "optimizer": "sgd", "scheduler": "plateau", "task": "classification"}
FEWER = settings(max_examples=max(60, settings.default.max_examples // 4))  # each takes some milliseconds
FEWEST = settings(max_examples=max(30, settings.default.max_examples // 20))  # each takes a tenth of a second
NUMBERS = st.one_of(
    st.integers(-3, 40), st.floats(), st.sampled_from([2**31, -(2**31), 2**63, 10**400, -0.0, 1e-320, 1e308])
)
WORDS = st.one_of(
    st.sampled_from(
        ["", "auto", "cpu", "cuda:99999999999999999999", "~nobody/x", "${runs}", "../..", "1ep", "0st", "1e400ep",
         "-1ep", "torch.nn.Identity", "torch.nn.init.normal_", "torch.optim.Adam", "torch.optim.lr_scheduler.StepLR",
         "dlcourse.training.schedules.Plateau", "dlcourse.data.digits.Digits", "dlcourse.tasks.classification",
         "os.system", "torch.utils.collect_env.run", "torch.hub.load", "dlcourse.cli.os.system", "builtins.exec"]
    ),
    st.text(max_size=8),
)  # fmt: skip
PLAIN = st.one_of(st.none(), st.booleans(), NUMBERS, WORDS)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


def refused(act: Callable[[], object]) -> bool:
    """Whether it raises a UserError; any other exception fails the test."""
    try:
        act()
    except UserError as error:
        assert error.problems
        assert all(line.startswith("dlcourse: ") and line != "dlcourse: " for line in block(error).splitlines())
        return True
    return False


@functools.cache
def config() -> str:
    """A run's config.yaml."""
    words = ["model.width=2", "scheduler=plateau", "batch_size=16", "runtime.threads=1", "runtime.device=cpu"]
    return yaml.safe_dump({**compose(words), "choices": CHOICES})


def tamper(data: st.DataObject, tree: Any) -> None:
    """Change, add or take away one value somewhere in nested dicts and lists."""
    places = list(inner(tree))
    parent, key = places[data.draw(st.integers(0, len(places) - 1))]
    match data.draw(st.sampled_from(["change", "change", "remove", "add"])):
        case "change":
            parent[key] = data.draw(VALUES)
        case "remove":
            del parent[key]
        case _ if isinstance(parent, dict):
            parent[data.draw(st.one_of(WORDS, st.integers(0, 3)))] = data.draw(VALUES)
        case _:
            parent.append(data.draw(VALUES))


def inner(tree: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in nested dicts and lists."""
    found: list[tuple[Any, Any]] = []
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        found.append((tree, key))
        if isinstance(value, dict | list):
            found += inner(value)
    return found


@FEWEST
@given(data=st.data())
def test_a_config_with_any_value_is_built_or_refused(data: st.DataObject) -> None:
    made = yaml.safe_load(config())
    for _ in range(data.draw(st.integers(1, 3))):
        tamper(data, made)
    with tempfile.TemporaryDirectory() as name:
        folder = RunFolder(Path(name))
        folder.config.write_text(yaml.safe_dump(made, allow_unicode=True), encoding="utf-8")

        def build() -> None:
            config, choices = read_head(folder)
            assemble(changed(config, {"epochs": 2}), choices=choices, allow_code=False)

        refused(build)


PIECES = st.sampled_from(
    ["!!python/object/apply:os.system ['true']", "!!binary x", "!!set {a}", "&a", "*a", "<<: *a", "[", "{", "]", "- ",
     "? ", "|", ">", "%YAML 9", "---", "\t", "\0", "2001-01-01", "0o7", "1_0", ".nan", "'", "choices:", "model:",
     "\ufeff"]
)  # fmt: skip


@FEWER
@given(data=st.data())
def test_a_config_of_any_text_is_read_or_refused(data: st.DataObject) -> None:
    text = config()
    for piece in data.draw(st.lists(st.one_of(PIECES, st.text(max_size=3)), min_size=1, max_size=4)):
        start = data.draw(st.integers(0, len(text)))
        text = text[:start] + piece + text[start + data.draw(st.integers(0, 20)) :]
    with tempfile.TemporaryDirectory() as name:
        folder = RunFolder(Path(name))
        folder.config.write_bytes(text.encode("utf-8", "surrogatepass"))
        refused(lambda: read_head(folder))


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=5)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["step", "epoch", "split", "scalars", "timing", "train", "torch", "x"]), inner
        )
    ),
    max_leaves=6,
)
LINES = st.lists(
    st.one_of(
        JSON.map(lambda value: json.dumps(value).encode()),
        st.binary(max_size=12),
        st.sampled_from(
            [b"[" * 20_000, b'{"step": 3, "epoch": 1, "split": "val", "scalars": {"loss": 1}}', b"1" * 5000]
        ),
    ),
    max_size=4,
)


@given(lines=LINES, kept=st.integers(0, 200))
def test_any_lines_of_metrics_and_json_are_passed_over_or_right(lines: list[bytes], kept: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = RunFolder(Path(name))
        content = b"\n".join(lines)
        for path in (folder.metrics, folder.timing, folder.status, folder.data):
            path.write_bytes(content)
        for record in folder.records():
            assert all(isinstance(value, int | float) for value in record["scalars"].values())
        status = folder.read_status()
        assert isinstance(status, dict)
        differences(status, {"torch": "2"})
        data_changes({"train": status}, {"train": "ab"})  # type: ignore[dict-item]
        folder.set_status("running")
        history = History(folder.metrics, folder.timing, bytes=(kept, kept))
        for record in history.at(3):
            assert record.step == 3
        history.close()


@functools.cache
def run() -> Run:
    """A prepared run, which every example may leave in another state."""
    made = yaml.safe_load(config())
    made["optimizer"] = compose(["optimizer=adam"])["optimizer"]
    choices = made.pop("choices")
    place = Path(tempfile.mkdtemp())
    return prepare(assemble({**made, "ema": 0.9}, choices=choices), RunFolder(place))


@functools.cache
def saved() -> bytes:
    """What its checkpoint holds after a step, as bytes."""
    import io

    this = run()
    events = fit(
        this.parts.task, this.splits, this.state, plan=this.plan, runtime=this.parts.runtime, requests=Requests()
    )
    next(events)
    beside = {"format": 1, "data": dict(this.fingerprints), "history_bytes": [0, 0], "epoch": 0, "batch": 1}
    buffer = io.BytesIO()
    torch.save({**this.state.state_dict(), **beside}, buffer)
    return buffer.getvalue()


TENSORS = st.sampled_from([
    torch.zeros(0), torch.zeros(3), torch.full((2, 2), float("nan")), torch.zeros(1, dtype=torch.complex64),
    torch.ones(2, dtype=torch.int8), torch.zeros(1).expand(2**40), torch.zeros(2, 2).to_sparse(),
    torch.zeros(4, device="meta"),
])  # fmt: skip


@FEWEST
@given(data=st.data())
def test_a_checkpoint_with_any_value_is_taken_up_or_refused(data: st.DataObject) -> None:
    import io

    this, content = run(), torch.load(io.BytesIO(saved()), weights_only=True)
    for _ in range(data.draw(st.integers(1, 2))):
        places = inner(content)
        parent, key = places[data.draw(st.integers(0, len(places) - 1))]
        parent[key] = data.draw(st.one_of(TENSORS, VALUES))
    this.folder.checkpoints.mkdir(exist_ok=True)
    torch.save(content, this.folder.checkpoints / "last.pt")

    def go_on() -> None:
        restore(this, anyway=data.draw(st.booleans()))
        state = this.state
        next(fit(this.parts.task, this.splits, state, plan=this.plan, runtime=this.parts.runtime, requests=Requests()))

    refused(go_on)


NAMES = st.one_of(
    st.sampled_from(["train", "test", "val", "a", "b", ".hidden", "x.png", "y.jpg", "z.txt"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=4),
)
TREES = st.recursive(
    st.one_of(st.binary(max_size=8), st.sampled_from(["image", "fifo", "loop", "dangling"])),
    lambda inner: st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)


@functools.cache
def image() -> bytes:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (6, 5), (200, 10, 3)).save(buffer, "PNG")
    return buffer.getvalue()


def grow(path: Path, tree: Any) -> None:
    """Make files and folders as `tree` has them; a name that the file system refuses is left out."""
    try:
        match tree:
            case dict():
                path.mkdir()
                for name, below in tree.items():
                    grow(path / name, below)
            case "fifo":
                os.mkfifo(path)
            case "loop":
                path.symlink_to(path.parent)
            case "dangling":
                path.symlink_to(path.with_name("nowhere"))
            case _:
                path.write_bytes(image() if tree == "image" else tree)
    except OSError:
        return


@FEWER
@given(tree=st.dictionaries(NAMES, TREES, max_size=4))
def test_any_folder_is_a_set_of_images_or_refused(tree: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as name:
        grow(Path(name, "root"), tree)
        data = ImageFolder(root=str(Path(name, "root")), size=4, workers=1)
        refused(data.facts)
        refused(data.load)


@given(word=st.one_of(WORDS, st.text(max_size=12)))
def test_any_word_is_a_run_or_refused(word: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "a-b/2026").mkdir(parents=True)
        (Path(name) / "a-b/2026/config.yaml").touch()
        refused(lambda: find_run(word, runs=Path(name)))
