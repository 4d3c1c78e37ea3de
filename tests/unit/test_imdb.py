"""The IMDB reviews, made small: found, fetched, cut, encoded once, leaks counted."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from dlcourse.data import imdb, imdb_encoded, imdb_files
from dlcourse.data.base import Splits
from dlcourse.data.fetch import Remote
from dlcourse.data.imdb import IMDB, IMDBTexts, windows
from dlcourse.data.texts import TextSplit
from dlcourse.errors import DataError
from dlcourse.text.encoders import read_encoder
from dlcourse.text.ragged import Ragged

COUNTS = {"train/neg": 10, "train/pos": 10, "train/unsup": 20, "test/neg": 6, "test/pos": 6}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path / "cache"))
    for module in (imdb, imdb_encoded, imdb_files):
        monkeypatch.setattr(module, "PARTS", COUNTS)
    return tmp_path / "cache"


def contents() -> dict[str, bytes]:
    """A review by name: its words tell its part and number."""
    return {
        f"{part}/{number}_7.txt": f"{part.replace('/', ' ')} number{number} , a film .<br /><br />Good!".encode()
        for part, count in COUNTS.items()
        for number in range(count)
    }


def write(folder: Path, **changes: bytes) -> Path:
    for name, content in {**contents(), **changes}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "train" / "urls_pos.txt").write_text("http://example.org")
    (folder / "train" / "pos" / "notes.md").write_text("not a review")
    return folder


def words(split: TextSplit, index: int) -> str:
    return " ".join(split.text(index))


def loaded(root: Path, *, kind: type[IMDB] | type[IMDBTexts] = IMDB, **options: object) -> Splits:
    return kind(root=str(root), download=False, **{"min_freq": 1, **options}).load()  # type: ignore[arg-type]


def test_reviews_get_the_label_of_their_folder_and_the_publishers_tokens(tmp_path: Path) -> None:
    write(tmp_path / "aclImdb")
    splits = loaded(tmp_path)
    assert (len(splits.train), len(splits.val), len(splits.test)) == (18, 2, 12)
    assert words(splits.test, 0) == "<unk> neg number0 , a film . good !", "no other part says test"
    assert words(splits.test, 11) == "<unk> pos number5 , a film . good !"
    for split in (splits.train, splits.val):
        for index, label in enumerate(split.labels.tolist()):
            assert words(split, index).startswith(f"train {('neg', 'pos')[label]} ")
    assert splits.test.labels.tolist() == [0] * 6 + [1] * 6
    assert sorted(splits.val.labels.tolist()) == [0, 1]
    assert splits.train.classes == ("neg", "pos")


def test_whole_films_are_held_out_on_request(tmp_path: Path) -> None:
    folder = write(tmp_path / "aclImdb")
    for kind in ("neg", "pos"):  # films a to e, two reviews of each class
        (folder / "train" / f"urls_{kind}.txt").write_text("".join(f"film {'abcde'[n // 2]}\n" for n in range(10)))
    splits = loaded(tmp_path, val_by="film", val_fraction=0.2)
    numbers = [{words(split, index).split()[2] for index in range(len(split))} for split in (splits.train, splits.val)]
    assert (len(splits.train), len(splits.val)) == (16, 4)
    assert [len(found) for found in numbers] == [8, 2], "the same two numbers of both classes"
    assert splits.val.labels.tolist() == [0, 0, 1, 1]
    assert splits.train.fingerprint != loaded(tmp_path, val_fraction=0.2).train.fingerprint


def test_films_that_are_not_known_are_said(tmp_path: Path) -> None:
    folder = write(tmp_path / "aclImdb")
    with pytest.raises(DataError, match=r"urls_neg\.txt: cannot be read .*say data\.val_by=review"):
        loaded(tmp_path, val_by="film")
    (folder / "train" / "urls_neg.txt").write_text("film\n" * 10)
    with pytest.raises(DataError, match=r"urls_pos\.txt: has no line for review 1 of train/pos"):
        loaded(tmp_path, val_by="film")


def test_the_pool_goes_with_train_alone(tmp_path: Path) -> None:
    write(tmp_path / "aclImdb")
    splits = loaded(tmp_path, unlabelled_share=1.0)
    assert splits.val.unlabelled is splits.test.unlabelled is None
    corpus = splits.train.corpus()
    assert len(corpus) == 18 + 20
    batch = splits.train.fetch(splits.train.epoch_batches(4, seed=1, epoch=0)[0])
    for label, index in zip(batch.labels.tolist(), batch.indices.tolist(), strict=True):
        assert words(splits.train, index).startswith("train unsup" if label < 0 else "train")
    assert int((batch.labels < 0).sum()) == 4


def test_the_vocabulary_knows_nothing_of_validation_and_test(tmp_path: Path) -> None:
    changes = {
        f"train/{side}/{number}_7.txt": f"word{side}{number} .".encode()
        for side in ("neg", "pos")
        for number in range(10)
    }
    write(tmp_path / "aclImdb", **{**changes, "test/neg/0_7.txt": b"onlyhere .", "train/unsup/3_7.txt": b"alsounsup"})
    splits = loaded(tmp_path)
    encoder = read_encoder(splits.keepsakes["vocabulary.json"])
    known = {encoder.token(index) for index in range(encoder.size)}
    assert "alsounsup" in known and "onlyhere" not in known
    assert words(splits.test, 0) == "<unk> ."
    assert [words(splits.val, index) for index in range(2)] == ["<unk> ."] * 2
    assert sum(f"wordneg{number}" in known for number in range(10)) == 9


@pytest.mark.parametrize("inside", [False, True])
def test_root_is_the_sets_folder_or_the_one_that_holds_it(tmp_path: Path, inside: bool) -> None:
    folder = write(tmp_path / "数据 a=(1)" / "aclImdb")
    assert len(loaded(folder if inside else folder.parent).test) == 12


def test_bad_bytes_and_empty_files_are_reviews_too(tmp_path: Path) -> None:
    write(tmp_path / "aclImdb", **{"test/neg/0_7.txt": b"caf\xe9 \xff\xfe good", "test/neg/1_7.txt": b""})
    test = loaded(tmp_path).test
    assert len(test) == 12
    assert words(test, 0).endswith("good")
    assert test.document(1) == [1]


def test_leaks_are_counted_reported_and_dropped_on_request(tmp_path: Path) -> None:
    same, also = b"the very same review", b"also the same"
    changes = {"test/neg/0_7.txt": same, "test/pos/1_7.txt": same, "train/neg/4_7.txt": same}
    changes |= {"test/pos/2_7.txt": also, "train/unsup/3_7.txt": also, "train/unsup/5_7.txt": same}
    write(tmp_path / "aclImdb", **changes)
    data = IMDB(root=str(tmp_path), download=False, min_freq=1, val_fraction=0.3)
    kept = data.load()
    (note,) = data.notes()
    assert note == (
        "2 of the 12 test reviews also stand in train, word for word, and 2 of the 20 unlabelled ones also stand in "
        "test; they are trained on; data.drop_leaks=true drops them"
    )
    for seed in range(6):
        other = IMDB(root=str(tmp_path), download=False, split_seed=seed, val_fraction=0.5)
        other.load()
        assert other.notes() == [note], "whatever is held out"
    dropping = IMDB(root=str(tmp_path), download=False, min_freq=1, val_fraction=0.3, drop_leaks=True)
    dropped = dropping.load()
    assert dropping.notes()[0].endswith("they were dropped from training")
    before, after = (
        {words(split, index) for split in (splits.train, splits.val) for index in range(len(split))}
        for splits in (kept, dropped)
    )
    assert before - after == {"the very same review"}
    assert len(kept.train) + len(kept.val) == 20 and len(dropped.train) + len(dropped.val) == 19
    pool = dropped.train.unlabelled
    assert pool is not None and len(pool) == 18
    assert dropped.test.fingerprint == kept.test.fingerprint


def test_there_is_nothing_to_note_of_an_official_set_without_leaks(tmp_path: Path) -> None:
    write(tmp_path / "aclImdb")
    data = IMDB(root=str(tmp_path))
    data.load()
    assert data.notes() == []
    (tmp_path / "aclImdb" / "train" / "neg" / "3_7.txt").unlink()
    data.load()
    assert data.notes() == [f"{tmp_path / 'aclImdb' / 'train/neg'} holds 9 reviews, not the official 10"]


def test_the_second_load_reads_no_review(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "aclImdb")
    first = loaded(tmp_path)

    def fail(*args: object, **options: object) -> None:
        raise AssertionError("made anew")

    with monkeypatch.context() as patched:
        patched.setattr(imdb_encoded, "_arrays", fail)
        second = loaded(tmp_path, max_length=3, drop_leaks=True)
        with pytest.raises(AssertionError):
            loaded(tmp_path, split_seed=1)
        for options in ({"max_tokens": 20}, {"min_freq": 2}, {"tokenizer": "words"}, {"val_fraction": 0.2}):
            with pytest.raises(AssertionError):
                loaded(tmp_path, **options)
    assert second.keepsakes == first.keepsakes
    assert words(second.test, 0) == words(first.test, 0)
    assert loaded(tmp_path).train.fingerprint == first.train.fingerprint


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    folder = write(tmp_path / "aclImdb")
    before = loaded(tmp_path)
    path = folder / "test" / "neg" / "0_7.txt"
    stamp = path.stat()
    path.write_bytes(path.read_bytes().replace(b"number0", b"number1"))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1_000_000))
    after = loaded(tmp_path)
    assert words(after.test, 0).startswith("<unk> neg number1 ")
    assert before.test.fingerprint != after.test.fingerprint
    assert before.train.fingerprint == after.train.fingerprint


def test_texts_for_language_models_share_vocabulary_and_cut_and_leave_validation_out(tmp_path: Path) -> None:
    write(tmp_path / "aclImdb")
    labelled, plain = loaded(tmp_path), loaded(tmp_path, kind=IMDBTexts, window=4)
    assert plain.keepsakes == labelled.keepsakes
    assert set(plain.train.labels.tolist()) == set(plain.test.labels.tolist()) == {-1}

    def pieces(split: TextSplit) -> list[str]:
        return [words(split, index) for index in range(len(split))]

    # nine tokens each: three pieces of three
    wholes = [" ".join(pieces(plain.train)[start : start + 3]) for start in range(0, len(plain.train), 3)]
    held = {words(labelled.val, index) for index in range(len(labelled.val))}
    assert len(wholes) == 18 + 20 and not held & set(wholes)
    assert {one for one in wholes if "unsup" not in one} == {words(labelled.train, index) for index in range(18)}
    assert len(plain.val) == 2 * 3 and len(plain.test) == 12 * 3
    assert plain.train.fetch(torch.arange(4)).weight == 4.0


def test_windows_are_consecutive_and_nearly_equal() -> None:
    documents = Ragged.of([list(range(10)), [], [7], list(range(8))])
    pieces = [one.tolist() for one in windows(documents, size=4)]
    assert pieces == [[0, 1, 2], [3, 4, 5], [6, 7, 8, 9], [], [7], [0, 1, 2, 3], [4, 5, 6, 7]]
    assert np.array_equal(windows(documents, size=100).offsets, documents.offsets)


def test_facts_are_known_before_anything_is_read() -> None:
    facts = IMDB(root="/nowhere", max_tokens=500).facts()
    assert facts == {"vocab_size": 500, "num_classes": 2, "classes": ("neg", "pos")}
    assert IMDBTexts(root="/nowhere").facts() == {"vocab_size": 30_000}


def test_missing_parts_are_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "aclImdb")
    for name in ("train/unsup", "test/pos"):
        for path in (folder / name).iterdir():
            path.unlink()
    (folder / "test" / "pos").rmdir()
    with pytest.raises(DataError, match=r"aclImdb: lacks train/unsup, test/pos:"):
        loaded(tmp_path)


def test_a_missing_set_that_may_not_be_downloaded_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no aclImdb folder.*data.download=true.*data.root="):
        loaded(tmp_path)


def test_a_set_too_small_to_hold_any_review_out_is_refused(tmp_path: Path) -> None:
    for part in COUNTS:
        (tmp_path / part).mkdir(parents=True)
        (tmp_path / part / "0_1.txt").write_text("one")
    with pytest.raises(DataError, match=r"leaves none to validate on: add reviews"):
        loaded(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_tokens": 2}, r"^max_tokens must be 3 or more, not 2"),
        ({"min_freq": 0}, r"^min_freq must be 1 or more"),
        ({"tokenizer": "spacy"}, r"^tokenizer must be one of basic_english, words, characters, bpe, not 'spacy'"),
        ({"val_fraction": 1.0}, r"^val_fraction must lie between 0 and 1"),
        ({"max_length": -1}, r"^max_length must be"),
        ({"truncate": "none"}, r"^truncate must be"),
        ({"root": ""}, r"^root must be"),
    ],
)
def test_impossible_settings_are_refused_by_name(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        IMDB(**options)  # type: ignore[arg-type]


def test_a_window_of_one_word_has_no_neighbour_to_predict() -> None:
    with pytest.raises(ValueError, match=r"^window must be 2 or more tokens, not 1"):
        IMDBTexts(window=1)


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A server on this machine with a small archive; gives what was asked of it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in contents().items():
            info = tarfile.TarInfo(f"aclImdb/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(packed.getvalue())))
            self.end_headers()
            self.wfile.write(packed.getvalue())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    checksum = "md5:" + hashlib.md5(packed.getvalue()).hexdigest()
    url = f"http://127.0.0.1:{server.server_address[1]}/sentiment/aclImdb_v1.tar.gz"
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(imdb_files, "ARCHIVE", Remote((url,), checksum))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_missing_set_is_downloaded_once_unpacked_and_its_archive_removed(
    tmp_path: Path, publisher: list[str]
) -> None:
    root = tmp_path / "new" / "data"
    for _ in range(2):
        assert len(IMDB(root=str(root)).load().test) == 12
    assert publisher == ["/sentiment/aclImdb_v1.tar.gz"]
    assert [path.name for path in root.iterdir()] == ["aclImdb"]


def test_the_official_checksum_stands_beside_the_publishers_address() -> None:
    assert imdb_files.ARCHIVE.urls[0].startswith("https://ai.stanford.edu/~amaas/data/sentiment/")
    assert imdb_files.ARCHIVE.checksum == "md5:7c2ac02c03563afcf9b574c7e56c153a"
