"""Reading texts: the words that a model sees, odd input, batches that keep their order, and what is said of faults."""

from __future__ import annotations

import io
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from dlcourse.cli import main
from dlcourse.commands.predict import accuracy, plain
from dlcourse.commands.texts import Given, lines, read_file, unescaped
from dlcourse.errors import DataError, RunError
from dlcourse.folders import RunFolder
from dlcourse.run import reading as reading_module
from dlcourse.run.classifier import Calibrated, Classifier, fitted_temperature
from dlcourse.run.reading import Reading, read_texts
from dlcourse.tasks.attribution import is_word
from dlcourse.text.encoders import build_encoder
from dlcourse.training.runtime import Runtime


class Vote(nn.Module):
    """Every word has a vote for class 1; attention is even."""

    def __init__(self, votes: list[float]) -> None:
        super().__init__()
        self.votes = nn.Parameter(torch.tensor(votes))
        self.batches: list[int] = []

    def forward(self, tokens: Tensor, lengths: Tensor, *, presence: Tensor | None = None) -> Tensor:
        self.batches.append(len(tokens))
        votes = self.votes[tokens] * is_word(tokens, lengths) * (1 if presence is None else presence)
        return torch.stack([torch.zeros(len(tokens)), votes.sum(1)], 1)

    def attention(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        return is_word(tokens, lengths) / lengths[:, None]


WORDS = "good bad film the a 好 坏"


def classifier(
    *, max_length: int | None = 8, truncate: str = "head_tail", votes: list[float] | None = None
) -> Classifier:
    """A run that never was, whose model is a `Vote` for "good" and against "bad"."""
    encoder = build_encoder([WORDS], tokenizer="basic_english", max_tokens=50, min_freq=1)
    table = [0.0] * encoder.size
    table[encoder.encode("good")[0]], table[encoder.encode("bad")[0]] = 2.0, -2.0
    model = Vote(votes or table)
    parts = SimpleNamespace(
        runtime=Runtime(device="cpu", threads=1).settle(model),
        data=SimpleNamespace(max_length=max_length, truncate=truncate),
    )
    return Classifier(RunFolder(Path("runs/x/1")), cast(Any, parts), model, encoder, ("neg", "pos"))


def read(texts: list[str], **options: Any) -> list[Reading]:
    return read_texts(classifier(), texts, explained=len(texts), **options)


def test_a_text_gets_its_class_and_its_words_what_they_count() -> None:
    (found,) = read(["The GOOD film, nothing"])
    assert found.words == ("the", "good", "film", ",", "nothing")
    assert found.unknown == (False, False, False, True, True)
    assert found.label == "pos" and found.probabilities["pos"] == pytest.approx(1 / (1 + 2.718281828**-2))
    assert found.integrated_gradients == pytest.approx((0, 2, 0, 0, 0), abs=1e-5)
    assert found.attention == pytest.approx([0.2] * 5) and found.entropy == pytest.approx(1)
    assert found.without["integrated_gradients"] == 0.5
    assert 0.5 < found.without["random"] < found.probabilities["pos"]
    assert len(found.random) == 5 and not found.truncated and not found.empty


@pytest.mark.parametrize("text", ["", "  \n\t ", '";:'])
def test_an_empty_text_is_one_unknown_word(text: str) -> None:
    (found,) = read([text])
    assert found.empty and not found.truncated and found.words == ("<unk>",) and found.unknown == (True,)
    assert found.entropy == 1 and plain(found)["words_read"] == 0 and plain(found)["empty"] is True


@pytest.mark.parametrize(
    ("truncate", "words"),
    [("head", "a a good good the the the the"), ("tail", "the the the the bad bad a a"),
     ("head_tail", "a a the the bad bad a a")],
)  # fmt: skip
def test_the_words_are_those_that_the_model_sees(truncate: str, words: str) -> None:
    text = "a a good good " + "the " * 100 + "bad bad a a"
    (found,) = read_texts(classifier(truncate=truncate), [text], explained=1)
    assert " ".join(found.words) == words
    assert found.truncated and found.total == 108 and len(found.attention) == 8
    assert plain(found)["words_read"] == 8 and plain(found)["words_total"] == 108
    assert found.head == {"head": 8, "tail": 0, "head_tail": 2}[truncate] == plain(found)["words_from_start"]


def test_a_text_gets_the_same_random_control_alone_and_among_others() -> None:
    text, other = "good bad good film the film the bad", "bad film the a a good"
    long = "film " * 700
    (alone,) = read([text])
    for texts in ([other, text], [long, text, other], [text] * 40):
        found = read_texts(classifier(max_length=None), texts, explained=len(texts))[texts.index(text)]
        assert found.random == alone.random and found.without == pytest.approx(alone.without, abs=1e-12)
    (different,) = read([text + " film"])
    assert different.random[:4] != alone.random[:4]


def test_the_random_control_is_a_mean_over_draws() -> None:
    """One word in ten goes; of 8 equal ones for and 2 against, twenty draws do not all hit the same."""
    text = "good " * 5 + "film " * 5
    (found,) = read_texts(classifier(max_length=None), [text.strip()], explained=1)
    one_less, none_less = 1 / (1 + 2.718281828**-8), 1 / (1 + 2.718281828**-10)
    hits = (none_less - found.without["random"]) / (none_less - one_less) * 20
    assert hits == pytest.approx(round(hits), abs=1e-3) and 2 <= round(hits) <= 18


def test_a_fitted_temperature_divides_the_logits() -> None:
    plainly = classifier()
    cooler = replace(plainly, model=Calibrated(plainly.model, temperature=2.0), temperature=2.0)
    ((before,), (after,)) = (read_texts(one, ["good film film film"], explained=1) for one in (plainly, cooler))
    assert before.probabilities["pos"] == pytest.approx(1 / (1 + 2.718281828**-2))
    assert after.probabilities["pos"] == pytest.approx(1 / (1 + 2.718281828**-1))
    assert after.integrated_gradients == pytest.approx((1, 0, 0, 0), abs=1e-5)
    assert after.attention == before.attention and after.without["integrated_gradients"] == 0.5


@pytest.mark.parametrize(
    ("scalars", "temperature"),
    [([{"temperature": 3.0}, {"temperature": 1.5}], 1.5), ([{"accuracy": 1.0}], None), ([], None),
     ([{"temperature": -1.0}], None), ([{"temperature": float("nan")}], None)],
)  # fmt: skip
def test_the_temperature_is_that_of_the_last_test(
    scalars: list[dict[str, float]], temperature: float | None, tmp_path: Path
) -> None:
    records = [{"step": 1, "epoch": 1.0, "split": "test", "scalars": one} for one in scalars]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    assert fitted_temperature(RunFolder(tmp_path)) == temperature


def test_a_sure_model_is_below_one() -> None:
    (found,) = read(["good " * 8])
    assert 0.9999 < found.probabilities["pos"] < 1
    sure = read_texts(classifier(max_length=None), ["good " * 15], explained=0)[0]
    assert 1 - 1e-12 < sure.probabilities["pos"] < 1


@given(texts=st.lists(st.lists(st.sampled_from(WORDS.split()), max_size=12).map(" ".join), max_size=12))
def test_texts_in_one_go_are_read_as_each_alone(texts: list[str]) -> None:
    together = read_texts(classifier(), texts, explained=3, attend=True)
    assert [one.text for one in together] == texts
    for place, (one, text) in enumerate(zip(together, texts, strict=True)):
        (alone,) = read_texts(classifier(), [text], explained=0, attend=True)
        assert one.words == alone.words and one.probabilities == pytest.approx(alone.probabilities)
        assert one.attention == pytest.approx(alone.attention)
        assert bool(one.integrated_gradients) == (place < 3) and not alone.integrated_gradients


def test_many_texts_go_through_in_batches_and_only_the_first_are_explained() -> None:
    reader = classifier()
    found = read_texts(reader, ["good film", "bad"] * 500, explained=2)
    assert [one.label for one in found] == ["pos", "neg"] * 500
    assert sorted(cast(Vote, reader.model).batches[:4]) == [232, 256, 256, 256]
    assert [bool(one.attention) for one in found[:4]] == [True, True, False, False]


def test_a_text_that_says_padding_is_no_padding() -> None:
    (found,) = read(["<pad> good"])
    assert found.words == ("<pad>", "good") and found.unknown == (True, False)


def test_without_captum_all_else_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_module, "has_captum", lambda: False)
    (found,) = read(["good"])
    assert found.integrated_gradients == () and found.attention and set(found.without) == {"attention", "random"}
    assert plain(found)["integrated_gradients"] is None


def test_a_model_that_gives_nan_is_an_error() -> None:
    with pytest.raises(RunError, match="its training diverged"):
        read_texts(classifier(votes=[float("nan")] * 20), ["good"], explained=0)


def test_the_answer_is_strict_json() -> None:
    answer = [plain(found) for found in read(["good 好", "", "<script>"])]
    text = json.dumps(answer, allow_nan=False)
    assert json.loads(text) == answer
    assert {
        "text",
        "label",
        "probabilities",
        "words",
        "attention",
        "integrated_gradients",
        "entropy",
        "truncated",
    } <= set(answer[0])


def test_lines_keep_their_number_and_order(tmp_path: Path) -> None:
    path = tmp_path / "reviews.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\n\n  three\x85 \xe2\x80\xa8still\nfour")
    assert lines(path) == ["one", "", "  three\ufffd \u2028still", "four"]
    path.write_bytes(b"one\n")
    assert lines(path) == ["one"]


def test_bytes_that_are_no_text_are_replaced_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "reviews.txt"
    path.write_bytes(b"good\nbad \xff film\n\xe5\xa5\xbd\n" + b"\xfe\n" * 9)
    assert lines(path)[:3] == ["good", "bad \ufffd film", "好"]
    told = capsys.readouterr().err.splitlines()
    assert told[0] == f"{path}:2: not all of it is UTF-8; what is not was replaced"
    assert len(told) == 6 and told[-1] == f"{path}: 5 more such lines"
    assert unescaped("a\udcffb") == "a\ufffdb" and unescaped("好") == "好"


def test_standard_input_is_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"one\ntwo\n")))
    assert lines(Path("-")) == ["one", "two"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'label,text\npos,"good, film"\nneg,bad\n,""\n'),
        ("a.tsv", "text\tlabel\ngood, film\tpos\nbad\tneg\n\t\n"),
        (
            "a.JSONL",
            '{"text": "good, film", "label": "pos"}\n\n{"label": "neg", "text": "bad"}\n{"text": "", "label": null}',
        ),
    ],
)
def test_the_formats_of_training_are_read_with_their_labels(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert read_file(tmp_path / name) == [Given("good, film", "pos"), Given("bad", "neg"), Given("")]


def test_a_table_needs_no_labels_but_the_texts(tmp_path: Path) -> None:
    for name, content in (("a.csv", "stars,text\n5,good\n1,\n"), ("a.jsonl", '{"text": "good"}\n{"text": ""}\n')):
        (tmp_path / name).write_text(content, encoding="utf-8")
        assert read_file(tmp_path / name) == [Given("good"), Given("")]
    faults = {"a.csv": ("review,stars\ngood,5\n", "a.csv has no column 'text'; there is review, stars; give"),
              "b.csv": ("text\n", "holds no row"), "c.jsonl": ("good\n", "c.jsonl: line 1 is no JSON"),
              "d.csv": ("", "d.csv"), "e.csv": ('text\n"good\n', "e.csv: the row that begins in line 2"),
              "f.csv": ("text;label\ngood;pos\n", "separate columns by a comma")}  # fmt: skip
    for name, (content, line) in faults.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match=re.escape(line)):
            read_file(tmp_path / name)


def test_a_labelled_file_gives_the_accuracy() -> None:
    pairs = zip(read(["good", "bad", "good", "bad"]), ("pos", "pos", "positive", None), strict=True)
    readings = [replace(reading, true_label=label) for reading, label in pairs]
    right, strange = accuracy(readings, classes=("neg", "pos"))
    assert right == "Accuracy: 1 of 2 labelled texts are right (50.0 %)."
    assert strange.startswith(
        "Labels that the run does not know, such as 'positive', were not counted: 1; it knows neg"
    )
    assert not list(accuracy(read(["good"]), classes=("neg", "pos")))


def test_a_file_that_gives_no_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(DataError, match="is empty; write one text a line"):
        lines(tmp_path / "empty")
    with pytest.raises(DataError, match="cannot be read"):
        lines(tmp_path / "nowhere")
    with pytest.raises(DataError, match="cannot be read"):
        lines(tmp_path)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["run=latest"], "dlcourse: there is no text\ndlcourse: usage: dlcourse predict run=RUN"),
        (["good"], "run is missing; write dlcourse predict run=RUN"),
        (["run=x", "good", "show=-1"], "show must be 0 or more, not -1"),
        (["run=x", "good", "formt=json"], "formt: there is no such argument; did you mean 'format'?"),
        (["run=nothing", "good"], "there are no runs in runs"),
    ],
)
def test_a_fault_is_one_line_a_problem(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["predict", *words]) == 2
    assert line in capsys.readouterr().err


def test_attribute_checks_its_numbers_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["attribute", "latest", "documents=0"]) == 2
    assert capsys.readouterr().err == "dlcourse: documents must be 1 or more, not 0\n"
