"""One's own texts from CSV, TSV and JSONL files, and the synthetic ones."""

from __future__ import annotations

import csv
import json
import re
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from dlcourse.data import reviews_toy
from dlcourse.data.reviews import Reviews
from dlcourse.data.reviews_toy import ToyReviews
from dlcourse.data.tables import Columns, read_rows
from dlcourse.data.texts import TextSplit
from dlcourse.errors import DataError
from dlcourse.text.encoders import read_encoder

COLUMNS = Columns("text", "label")
TEXTS = ['plain "quoted", comma', "two\nlines\r\nthree", "中文 é", "", "tab\there", "x" * 1_000_000]


def write_csv(path: Path, rows: list[tuple[object, ...]], *, delimiter: str = ",", encoding: str = "utf-8") -> Path:
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def rows_of(count: int = 40, *, classes: tuple[str, ...] = ("bad", "good")) -> list[tuple[object, ...]]:
    return [("text", "label"), *((f"word{number} same", classes[number % len(classes)]) for number in range(count))]


def words(split: TextSplit) -> set[str]:
    return {" ".join(split.text(index)) for index in range(len(split))}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize(("ending", "delimiter"), [(".csv", ","), (".tsv", "\t"), (".CSV", ",")])
def test_tables_are_read_with_quotes_line_breaks_and_byte_order_marks(
    tmp_path: Path, ending: str, delimiter: str, encoding: str
) -> None:
    rows: list[tuple[object, ...]] = [("label", "number", "text"), *((1, 2, text) for text in TEXTS)]
    path = write_csv(tmp_path / f"新 a=(1){ending}", rows, delimiter=delimiter, encoding=encoding)
    found = list(read_rows(path, columns=COLUMNS))
    assert [row.text for row in found] == TEXTS
    assert {row.label for row in found} == {"1"}


def test_lines_of_json_keep_labels_of_any_kind_as_text(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    labels = ["good", 1, 2.5, True, "1 "]
    lines = [json.dumps({"label": label, "text": text}) for label, text in zip(labels, TEXTS, strict=False)]
    path.write_text("\ufeff" + "\n\n".join(lines) + "\n", encoding="utf-8")
    found = list(read_rows(path, columns=COLUMNS))
    assert [row.text for row in found] == TEXTS[:5]
    assert [row.label for row in found] == ["good", "1", "2.5", "true", "1 "]
    assert [row.line for row in found] == [1, 3, 5, 7, 9]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_bad_bytes_are_replaced_and_their_rows_marked(tmp_path: Path, name: str) -> None:
    texts = [b"plain", "好".encode(), "naïve \ufffd".encode(), b"caf\xe9 \xff"]
    form = {"a.csv": b"%s,good\n", "a.jsonl": b'{"text": "%s", "label": "good"}\n'}[name]
    head = {"a.csv": b"text,label\n", "a.jsonl": b""}[name]
    (tmp_path / name).write_bytes(head + b"".join(form % text for text in texts))
    found = list(read_rows(tmp_path / name, columns=COLUMNS))
    assert [row.text for row in found] == ["plain", "好", "naïve \ufffd", "caf\ufffd \ufffd"]
    assert [row.damaged for row in found] == [False, False, False, True]


@given(st.lists(st.binary(max_size=6), min_size=1, max_size=6))
def test_bytes_are_replaced_as_python_replaces_them(texts: list[bytes]) -> None:
    cells = [text.translate(None, b'\r\n",') + b"." for text in texts]
    good = ["é.".encode()] * len(cells)  # so that most lines are UTF-8
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        path.write_bytes(b"text,label\n" + b"".join(b"%s,x\n" % cell for cell in [*cells, *good]))
        found = list(read_rows(path, columns=COLUMNS))[: len(cells)]
    assert [row.text for row in found] == [cell.decode("utf-8", "replace") for cell in cells]
    assert [row.damaged for row in found] == [cell.decode("utf-8", "ignore").encode() != cell for cell in cells]


def test_training_on_a_file_with_a_few_bad_bytes_says_how_many_rows_have_them(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [*rows_of(), *[("好", "good")] * 4])
    with path.open("ab") as file:
        file.write(b"caf\xe9,bad\nplain,bad\n\xff,bad\n")
    data = Reviews(path=str(path))
    for _ in range(2):
        data.load()
        assert data.notes()[0] == (
            f"{path}: 2 of 47 rows hold bytes that are not UTF-8, first in line 46; they were replaced by U+FFFD"
        )


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
@pytest.mark.parametrize(("encoding", "guess"), [("gbk", "gbk"), ("latin-1", "gbk"), ("utf-16", "utf-16")])
def test_a_file_in_another_encoding_is_refused_with_what_converts_it(
    tmp_path: Path, name: str, encoding: str, guess: str
) -> None:
    text = "café" if encoding == "latin-1" else "这部电影很好看，乗"  # the last one ends in a backslash
    content = {
        "a.csv": f"text,label\n{text},1\n", "a.tsv": f"text\tlabel\n{text}\t1\n",
        "a.jsonl": json.dumps({"text": text, "label": 1}, ensure_ascii=False),
    }[name]  # fmt: skip
    (tmp_path / name).write_bytes(content.encode(encoding))
    with pytest.raises(DataError) as caught:
        Reviews(path=str(tmp_path / name)).facts()
    (problem,) = caught.value.problems
    assert f"{name}: is not UTF-8 (" in problem and problem.endswith(
        f"convert it from what it is written in, e.g. `iconv -f {guess} -t utf-8 {name} > utf8{name[1:]}`"
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", r"a.csv: line 1 must name the columns"),
        ("a.csv", "text,label\n", r"a.csv: holds no row"),
        ("a.csv", "Text,label\na,b\n", r"a.csv: line 1 has no column 'text'; did you mean 'Text'\?.*data.text=COLUMN"),
        ("a.tsv", "text\tstars\na\tb\n", r"a.tsv: line 1 has no column 'label'; there is stars, text.*data.label="),
        ("a.csv", "text,label\na,b\nc,d,e\n", r"a.csv: line 3 has 3 fields, but line 1 names 2 columns"),
        ("a.csv", 'text,label\n"a,b\nc,d\n', r"a.csv: the row that begins in line 2 cannot be read \(unexpected"),
        ("a.csv", "text,label\na,b\n\nc,\n", r"a.csv: line 4 has no label"),
        ("a.jsonl", "", r"a.jsonl: holds no row"),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text": \n', r"a.jsonl: line 2 is no JSON"),
        ("a.csv", 'text,"label\na,b\n', r"a.csv: the column names in line 1 cannot be read \(unexpected end"),
        ("a.csv", 'text,label\n"a\nb",c\n\n"d\ne",f,g\n', r"a.csv: line 5 has 3 fields"),
        ("a.csv", 'text,label\n"a\nb",c\n"d\n\ne", \n', r"a.csv: line 4 has no label"),
        ("a.jsonl", "[" * 100_000, r"a.jsonl: line 1 is no JSON"),
        ("a.jsonl", "[1]", r"a.jsonl: line 1 must be a JSON object"),
        ("a.jsonl", '{"text": 1, "label": 1}', r"a.jsonl: line 1: 'text' must be a string, not 1"),
        ("a.jsonl", '{"text": "a", "label": null}', r"a.jsonl: line 1 has no label"),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text": "a", "labels": 1}', r"line 2 has no column 'label'; did you"),
        ("b.csv", None, r"a.csv: no such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_line(
    tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        Reviews(path=str(tmp_path / (name if content is not None else "a.csv"))).facts()


@pytest.mark.parametrize(
    ("name", "content", "lines"),
    [
        ("a.csv", 'text,label\na,b\nc\nd,e\nf,g,h\n"i"j,k\nl,\n"m,n\no,p\n', [3, 5, 6, 7, 8]),
        ("a.jsonl", '{"text": "a", "label": 1}\n[]\n\n{"text": \n{"text": "a"}\n{"text": 1, "label": 1}', [2, 4, 5, 6]),
        ("a.csv", "text,label\n" + "a\n" * 9, [2, 3, 4, 5, 6]),
    ],
)
def test_all_of_a_few_bad_rows_are_named(tmp_path: Path, name: str, content: str, lines: list[int]) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError) as caught:
        Reviews(path=str(tmp_path / name)).facts()
    *named, last = caught.value.problems if len(lines) == 5 else (*caught.value.problems, "")
    assert [re.findall(r"line (\d+)", problem)[0] for problem in named] == list(map(str, lines))
    assert last in ("", f"{tmp_path / name}: only the first 5 bad rows are named")


def test_a_bad_line_of_json_is_named_by_one_number(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a", "label": 1}\n{"text": \n')
    with pytest.raises(DataError) as caught:
        Reviews(path=str(tmp_path / "a.jsonl")).facts()
    assert str(caught.value).endswith("a.jsonl: line 2 is no JSON (Expecting value, character 11)")


def test_a_column_that_no_line_of_json_has_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"review": "a", "label": 1}\n' * 3)
    with pytest.raises(DataError, match="line 1 has no column 'text'") as caught:
        Reviews(path=str(tmp_path / "a.jsonl")).facts()
    assert len(caught.value.problems) == 1


def test_one_class_alone_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", rows_of(classes=("good",)))
    with pytest.raises(DataError, match=r"every 'label' is 'good', but there must be at least 2 classes"):
        Reviews(path=str(path)).facts()


def test_classes_are_the_sorted_labels_and_known_before_loading(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [("x", "stars"), ("a b", 10), ("c", "so so"), ("d", 9)])
    data = Reviews(path=str(path), text="x", label="stars", max_tokens=50)
    assert data.facts() == {"vocab_size": 50, "num_classes": 3, "classes": ("10", "9", "so so")}
    path.unlink()
    assert data.facts()["num_classes"] == 3, "the labels are read once"


@pytest.mark.parametrize(("name", "line"), [("a.csv", "text;label"), ("a.tsv", "text,label")])
def test_another_separator_is_named(tmp_path: Path, name: str, line: str) -> None:
    (tmp_path / name).write_text(f"{line}\ngood,1\n")
    with pytest.raises(DataError, match=rf"line 1 is one column, '{line}': separate columns by a comma in .csv"):
        Reviews(path=str(tmp_path / name)).facts()


def test_classes_that_were_settled_need_no_file(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", rows_of())
    settled = Reviews(path=str(path)).settled()
    path.unlink()
    facts = Reviews(path=str(path), **settled).facts()  # type: ignore[arg-type]
    assert facts["classes"] == ("bad", "good")


def test_given_classes_set_the_numbers_and_refuse_other_labels(tmp_path: Path) -> None:
    path = str(write_csv(tmp_path / "a.csv", rows_of()))
    train = Reviews(path=path, classes=["good", "bad"]).load().train
    assert train.classes == ("good", "bad")
    with pytest.raises(DataError, match="has the label 'bad', which data.classes does not have"):
        Reviews(path=path, classes=["good", "fine"]).load()
    with pytest.raises(ValueError, match="^classes must be at least 2 different labels"):
        Reviews(path=path, classes=["good", "good"])


def test_test_and_validation_are_cut_from_the_file_with_every_classs_share(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", rows_of(100, classes=("a", "b", "b", "b")))
    splits = Reviews(path=str(path), min_freq=1).load()
    assert (len(splits.train), len(splits.val), len(splits.test)) == (72, 8, 20)
    assert torch.bincount(splits.test.labels).tolist() == [5, 15]
    other = Reviews(path=str(path), min_freq=1, split_seed=1).load()
    assert words(other.train) != words(splits.train)
    first, second = (Reviews(path=str(path), split_seed=seed).read().test.texts for seed in (0, 1))
    assert first == second, "the test split never moves"
    unknown = words(splits.val) | words(splits.test) | words(other.test)
    assert unknown == {"<unk> same"}, "the vocabulary is that of train alone"
    assert splits.train.text(0)[-1] == "same"
    encoder = read_encoder(splits.keepsakes["vocabulary.json"])
    assert encoder.encode("same word1 never") == splits.train.encoder.encode("same word1 never")


def test_a_test_file_is_the_test_split(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", rows_of(20))
    test = tmp_path / "b.jsonl"
    test.write_text('{"text": "word3 same", "label": "good"}\n{"text": "same", "label": "bad"}\n')
    data = Reviews(path=str(path), test_path=str(test), min_freq=1)
    splits = data.load()
    assert (len(splits.train), len(splits.val)) == (18, 2)
    assert splits.test.labels.tolist() == [1, 0]
    assert data.notes()[0] == "1 of the 2 test texts also stand in train, word for word"
    test.write_text('{"text": "same", "label": "ugly"}\n' * 2)
    with pytest.raises(DataError, match=r"b.jsonl: line 1 has the label 'ugly', which .*a.csv does not have") as caught:
        Reviews(path=str(path), test_path=str(test)).load()
    assert [problem.partition(" has")[0] for problem in caught.value.problems] == [f"{test}: line 1", f"{test}: line 2"]


def test_a_file_with_one_text_to_a_class_leaves_none_to_test_on(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", rows_of(2))
    with pytest.raises(DataError, match=r"leaves none to test on: add texts"):
        Reviews(path=str(path)).load()
    with pytest.raises(DataError, match=r"leave none to validate on: add texts"):
        Reviews(path=str(path), test_path=str(path)).load()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"^path must name your file: data.path=FILE.csv"),
        ({"path": "a.xlsx"}, r"^path must end in .csv, .tsv, .jsonl, not 'a.xlsx'"),
        ({"path": "a.csv", "test_path": "b"}, r"^test_path must end in"),
        ({"path": "~no-such-user-here/a.csv"}, r"^path names a home folder"),
        ({"path": "a.csv", "text": "x", "label": "x"}, r"^text and label must be different columns"),
        ({"path": "a.csv", "test_fraction": 0.0}, r"^test_fraction must lie between 0 and 1"),
        ({"path": "a.csv", "max_tokens": 1}, r"^max_tokens must be 3 or more"),
    ],
)
def test_impossible_settings_are_refused_by_name(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Reviews(**options)  # type: ignore[arg-type]


def test_toy_reviews_have_the_promised_sizes_and_words_and_no_copies() -> None:
    data = ToyReviews()
    splits = data.load()
    assert (len(splits.train), len(splits.val), len(splits.test)) == (2160, 240, 600)
    assert splits.train.encoder.size == data.facts()["vocab_size"] == reviews_toy.VOCABULARY_SIZE
    assert data.notes() == []
    assert 1 not in splits.test.documents.values, "no word is unknown"
    assert int(splits.train.documents.lengths.max()) <= 64
    for split in (splits.train, splits.val, splits.test):
        assert 0.45 < float(split.labels.float().mean()) < 0.55


def test_toy_reviews_are_the_same_for_everybody() -> None:
    first, second = (ToyReviews(split_seed=seed).read() for seed in (0, 1))
    assert list(first.test.texts) == list(second.test.texts)
    assert first.train.texts[0] == "there were few people . this movie was bad ."


def verdict(review: str) -> int:
    """The rule once more, found by search."""
    total = 0
    for sentence in review.removesuffix(" .").split(" . "):
        subject = next((one for one in reviews_toy.OWN if sentence.startswith(f"{one} ")), None)
        if subject is None:
            continue
        *phrase, adjective = sentence.removeprefix(f"{subject} ").split(" ")
        factors = {one.words: one.factor for one in reviews_toy.PHRASES}
        total += factors[" ".join(phrase)] * (1 if adjective in reviews_toy.GOOD else -1)
    return int(total > 0)


def test_word_counts_cannot_learn_what_a_rule_knows() -> None:
    parts = ToyReviews().read()
    assert [verdict(text) for text in parts.train.texts] == parts.train.labels.tolist()
    counter = CountVectorizer(token_pattern=r"\S+")
    counts = counter.fit_transform(parts.train.texts)
    model = LogisticRegression(max_iter=1000).fit(counts, parts.train.labels.numpy())
    score = model.score(counter.transform(parts.test.texts), parts.test.labels.numpy())
    assert 0.5 < score < 0.65


def test_toy_reviews_have_a_pool_without_labels() -> None:
    train = ToyReviews(unlabelled_share=0.5).load().train
    assert train.unlabelled is not None and len(train.unlabelled) == 1_200
    assert {len(batch) for batch in train.epoch_batches(32, seed=1, epoch=0)} == {48}
