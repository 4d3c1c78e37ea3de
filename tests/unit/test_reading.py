"""Reading texts: the words that a model sees, odd input, batches that keep their order, and what is said of faults."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from dlcourse.cli import main
from dlcourse.commands.predict import lines, plain, unescaped
from dlcourse.errors import DataError, RunError
from dlcourse.folders import RunFolder
from dlcourse.run import reading as reading_module
from dlcourse.run.classifier import Classifier
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
