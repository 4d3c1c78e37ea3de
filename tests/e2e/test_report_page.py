"""`dlcourse report` on a run that was trained here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlcourse.cli import main


def test_a_trained_run_becomes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = f"runs={tmp_path / 'runs'}"
    words = ["model=resnet18", "data=digits", "model.width=2", "max_steps=2", "runtime.device=cpu", "runtime.threads=1"]
    assert main(["train", *words, runs]) == 0
    out = tmp_path / "page.html"
    assert main(["report", "latest", runs, f"out={out}"]) == 0
    assert f"wrote {out}" in capsys.readouterr().out
    html = out.read_text(encoding="utf-8")
    [metrics] = (tmp_path / "runs").glob("*/*/metrics.jsonl")
    test = json.loads(metrics.read_text(encoding="utf-8").splitlines()[-1])
    assert test["split"] == "test" and f"{test['scalars']['accuracy']:.4f}" in html and "Interval by Wilson" in html
    for said in ("Confusion matrix", "ROC", "test_mistakes.png", "model.width", "dlcourse reproduce resnet18-digits/"):
        assert said in html
    assert "test_confusion.png" not in html and "damaged" not in html
