"""`dlcourse predict` and `dlcourse attribute` on a run that was trained here, without its data."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcourse.cli import main
from dlcourse.data.reviews_toy import ToyReviews
from dlcourse.tasks.text_classification import TextClassification

TINY = ("model.embedding_size=16", "model.hidden_size=16", "model.attention_size=16", "max_steps=40")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one run of texts and one of images."""
    folder = tmp_path_factory.mktemp("runs")
    common = (f"runs={folder}", "runtime.threads=1", "runtime.device=cpu")
    assert main(["train", "data=digits", "model=resnet18", "model.width=2", "max_steps=1", *common]) == 0
    assert main(["train", "data=reviews_toy", "model=bigru_attention", "model.ngrams=2", *TINY, *common]) == 0
    return folder


@pytest.fixture
def run(runs: Path) -> Path:
    """The folder of the text run."""
    return next(runs.glob("bigru_attention-reviews_toy/*"))


@pytest.mark.usefixtures("unread")
def test_predictions_are_those_of_the_runs_own_test(run: Path, answer: Callable[..., Any], tmp_path: Path) -> None:
    texts = ToyReviews().read().test.texts
    (tmp_path / "test.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    found = answer("predict", f"run={run}", f"file={tmp_path / 'test.txt'}", "calibrated=false")
    recorded = np.load(run / "predictions.npz")
    scores = np.array([list(one["probabilities"].values()) for one in found])  # type: ignore[attr-defined]
    assert [one["text"] for one in found] == list(texts)
    np.testing.assert_allclose(scores[recorded["index"]], recorded["scores"], atol=1e-5)
    assert [one["integrated_gradients"] is None for one in found[:7]] == [False] * 5 + [True] * 2
    assert all(one["attention"] is not None for one in found)


@pytest.mark.usefixtures("unread")
def test_probabilities_are_calibrated_by_the_runs_temperature(
    run: Path, answer: Callable[..., Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    copy = tmp_path / "m-d" / "1"
    shutil.copytree(run, copy)
    lines = (copy / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    record = {"step": 40, "epoch": 1.0, "split": "test", "scalars": {"temperature": 0.5}}
    (copy / "metrics.jsonl").write_text("\n".join([*lines, json.dumps(record), ""]), encoding="utf-8")
    [cold], [plainly] = (answer("predict", f"run={copy}", "good film", *words) for words in ((), ("calibrated=false",)))
    assert (cold["run"], cold["temperature"]) == ("m-d/1", 0.5) and plainly["temperature"] is None
    squares = {name: share**2 for name, share in plainly["probabilities"].items()}  # type: ignore[attr-defined]
    assert cold["probabilities"] == pytest.approx({name: one / sum(squares.values()) for name, one in squares.items()})
    page = tmp_path / "out.html"
    for words, said in (((), "logits divided by 0.5,"), (("calibrated=false",), "as the model gives them")):
        assert main(["predict", f"run={copy}", "good film", f"html={page}", *words]) == 0
        assert said in capsys.readouterr().out and said in page.read_text(encoding="utf-8")


@pytest.mark.usefixtures("unread")
def test_a_labelled_table_ends_in_the_accuracy(
    run: Path, answer: Callable[..., Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text('label,text\npos,"good, good"\nneg,"good, good"\n', encoding="utf-8")
    found = answer("predict", f"run={run}", f"file={tmp_path / 'a.csv'}")
    assert [one["true_label"] for one in found] == ["pos", "neg"] and found[0]["text"] == "good, good"
    assert main(["predict", f"run={run}", f"file={tmp_path / 'a.csv'}"]) == 0
    assert "Accuracy: 1 of 2 labelled texts are right (50.0 %)." in capsys.readouterr().out


def test_words_that_the_vocabulary_lacks_are_said(
    run: Path, answer: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    [found] = answer("predict", f"run={run}", "good xylophone")
    assert found["unknown"] == [False, True]
    assert main(["predict", f"run={run}", "good xylophone"]) == 0
    assert "(2 words, 1 of them not in the vocabulary)" in capsys.readouterr().out


def test_a_text_that_looks_like_an_argument_gets_the_way_out(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", f"run={run}", "score=10 of 10"]) == 2
    assert "stands behind --, as in -- 'score=10 of 10'" in capsys.readouterr().err


def test_the_commands_that_training_names_are_true(run: Path) -> None:
    few = {"predict": [], "attribute": ["documents=4"]}
    for line in TextClassification.afterwards:
        words = shlex.split(line.format(run=shlex.quote(str(run))))
        assert main([*words, *few[words[0]]]) == 0


@pytest.mark.usefixtures("unread")
def test_odd_texts_have_a_defined_answer(run: Path, answer: Callable[..., Any]) -> None:
    empty, long, chinese, equals = answer("predict", f"run={run}", "--", "", "good " * 200_000, "这部电影很好看", "a=b")
    assert empty["empty"] and empty["words"] == ["<unk>"]
    assert long["truncated"] and (long["words_read"], long["words_total"]) == (64, 200_000)
    assert chinese["words"] == ["这部电影很好看"] and equals["text"] == "a=b"


@pytest.mark.usefixtures("unread")
def test_the_answer_in_words_explains_and_warns(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["predict", f"run={run}", "the film was not good", "top=1"]) == 0
    out = capsys.readouterr().out
    assert "integrated gradients: " in out and "at random" in out and "where the model looked" in out


def test_attribute_keeps_a_table_and_a_plot_that_the_page_then_shows(
    run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    capsys.readouterr()
    assert main(["attribute", f"run={run}", "documents=40"]) == 0
    out = capsys.readouterr().out
    assert "top 10 % by" in out and "With 10 % of the words deleted the label flips" in out
    assert max(map(len, out.split("\n\n")[0].splitlines())) <= 80 and "…" not in out
    report = json.loads((run / "attribution" / "attribution.json").read_text(encoding="utf-8"))
    assert report["documents"] == 40 and len(report["rows"]) == 16
    assert (run / "attribution" / "flips.png").read_bytes().startswith(b"\x89PNG")
    words = ["attribute", f"run={run}", "documents=40", "format=json", f"out={tmp_path / 'again'}"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out) == report
    page = tmp_path / "out.html"
    assert main(["predict", f"run={run}", "<script>", f"html={page}"]) == 0
    text = page.read_text(encoding="utf-8")
    assert "Deletion test of this run" in text and "&lt;script&gt;" in text and "<script" not in text


def test_a_run_of_another_kind_is_refused(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image_run = next(runs.glob("resnet18-digits/*"))
    capsys.readouterr()
    for words in (["predict", "text"], ["attribute"]):
        assert main([words[0], f"run={image_run}", *words[1:]]) == 2
        error = capsys.readouterr().err
        assert error == f"dlcourse: {words[0]} is for text runs; {image_run} is resnet18 on digits\n"


@pytest.mark.parametrize(
    "content", [None, b"", b"\xff", b"{}", b'{"kind": "words", "tokenizer": "words", "tokens": 3}']
)
def test_a_damaged_vocabulary_is_told(
    run: Path, content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "vocabulary.json").unlink()
    if content is not None:
        (copy / "vocabulary.json").write_bytes(content)
    capsys.readouterr()
    assert main(["predict", f"run={copy}", "good"]) == 2
    assert str(copy / "vocabulary.json") in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_told(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    capsys.readouterr()
    assert main(["predict", f"run={run}", "good", f"html={tmp_path / 'file' / 'out.html'}"]) == 2
    assert main(["attribute", f"run={run}", f"out={tmp_path / 'file' / 'out'}"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("dlcourse: html: ") and second.startswith("dlcourse: out: ")
