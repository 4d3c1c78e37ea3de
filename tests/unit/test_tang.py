"""The Tang poems, made small: found, fetched, unpacked, cleaned once, converted, cut."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dlcourse.data import tang_files
from dlcourse.data.base import Splits
from dlcourse.data.fetch import Remote
from dlcourse.data.poems_toy import generate
from dlcourse.data.tang import Tang
from dlcourse.errors import ConfigError, DataError

LONG = "".join(f"{'天地人日月星山川風'[number % 9]}{'甲乙丙丁戊己庚辛壬癸子'[number % 11]}，" for number in range(60))
DAMAGED = ["三字□，又一行。", "孤句。"]


def poems() -> list[str]:
    """80 poems of the four forms, one of another, one too long; a copy, a variant, two damaged ones."""
    good = [poem.text for poem in generate(80)]
    return [*good, "君不見。黃河之水天上來。", LONG, good[3], good[0].replace(good[0][1], "龍"), *DAMAGED]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tang_files, "FILES", ("poet.tang.0.json", "poet.tang.1000.json"))
    return tmp_path / "cache"


def contents() -> dict[str, bytes]:
    entries = [
        {"author": "某", "title": f"詩 {number}", "paragraphs": [line + "。" for line in text.rstrip("。").split("。")]}
        for number, text in enumerate(poems())
    ]
    parts = (entries[:50], entries[50:])
    return {
        name: json.dumps(part, ensure_ascii=False).encode() for name, part in zip(tang_files.FILES, parts, strict=True)
    }


def write(folder: Path, **changes: bytes) -> Path:
    folder.mkdir(parents=True)
    for name, content in {**contents(), **changes}.items():
        (folder / name).write_bytes(content)
    return folder


def loaded(root: Path, **options: object) -> Splits:
    settings = {"download": False, "min_freq": 1, "val_fraction": 0.1, "test_fraction": 0.1, **options}
    return Tang(root=str(root), **settings).load()  # type: ignore[arg-type]


def texts(splits: Splits) -> list[str]:
    return [text for part in (splits.train, splits.val, splits.test) for text in part.texts]


@pytest.mark.parametrize("inside", ["", "chinese-poetry", "chinese-poetry/全唐诗"])
def test_root_is_the_sets_folder_or_one_that_holds_it(tmp_path: Path, inside: str) -> None:
    write(tmp_path / "a b" / "chinese-poetry" / "全唐诗")
    splits = loaded(tmp_path / "a b" / inside)
    assert sorted(text for text in texts(splits) if len(text) in (24, 32, 48, 64)) == sorted(poems()[:80])
    assert "君不見。黃河之水天上來。" in texts(splits)


def test_poems_carry_their_form_title_and_end_and_long_ones_are_cut(tmp_path: Path) -> None:
    write(tmp_path / "全唐诗")
    splits = loaded(tmp_path)
    ids = {"5jue": 2, "7jue": 3, "5lv": 4, "7lv": 5, "other": 6}
    printed, cut = poems(), 0
    for part in (splits.train, splits.val, splits.test):
        for index in range(len(part)):
            document, text = part.document(index), part.texts[index]
            assert document[0] == ids[part.forms[index]]
            assert len(document) <= 128
            assert text.rstrip("。") in printed[int(part.titles[index].split()[1])]
            cut += document[-1] != 7
    assert cut == 1, "of the two pieces of the long poem, one has no end"
    assert len(loaded(tmp_path, forms="regulated").test) == 8
    assert set(loaded(tmp_path, forms="regulated").train.forms) == {"5jue", "7jue", "5lv", "7lv"}


def test_copies_variants_and_damage_are_counted_and_the_revision_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "全唐诗")
    data = Tang(root=str(tmp_path), download=False, max_tokens=300)
    data.load()
    revision, left_out = data.notes()
    assert revision.startswith(f"{folder} holds other files than chinese-poetry 2.0.1 (SHA-256 ")
    assert left_out == (
        "82 of 86 poems are kept; left out before splitting: 1 with lost characters or characters without a code, "
        "1 of fewer than 2 lines, 1 that repeat another, 1 near duplicates of another"
    )


def test_the_published_files_need_no_remark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "全唐诗")
    digest = hashlib.sha256(b"".join(contents().values())).hexdigest()
    monkeypatch.setattr("dlcourse.data.tang.PUBLISHED", digest)
    data = Tang(root=str(tmp_path), download=False, max_tokens=300)
    data.load()
    assert len(data.notes()) == 1


def test_what_was_cleaned_once_is_read_from_the_cache_until_a_file_changes(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "全唐诗")
    first = loaded(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("dlcourse.data.tang.select", lambda texts: pytest.fail("cleaned again"))
        again = loaded(tmp_path)
    assert again.train.fingerprint == first.train.fingerprint
    (tmp_path / "全唐诗" / "poet.tang.1000.json").write_bytes(b"[]")
    assert len(texts(loaded(tmp_path))) == 50
    assert len(list(own_cache.iterdir())) == 2


def test_simplified_script_is_the_same_poems_in_the_same_splits(tmp_path: Path) -> None:
    pytest.importorskip("opencc")
    write(tmp_path / "全唐诗")
    traditional, simplified = loaded(tmp_path), loaded(tmp_path, script="simplified")
    assert [list(part.forms) for part in (traditional.val, traditional.test)] == [
        list(part.forms) for part in (simplified.val, simplified.test)
    ]
    pairs = list(zip(traditional.test.texts, simplified.test.texts, strict=True))
    assert all(len(one) == len(other) for one, other in pairs)
    known = dict(zip("東風頭愁樓見戰", "东风头愁楼见战", strict=True))
    for one, other in pairs:
        assert [other[at] for at, char in enumerate(one) if char in known] == [known[c] for c in one if c in known]
    assert simplified.test.titles[0].startswith("诗 ")


def test_without_opencc_simplified_script_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opencc", None)
    with pytest.raises(ConfigError, match=r'pip install "dlcourse\[poetry\]"'):
        loaded(tmp_path, script="simplified")


@pytest.mark.parametrize("content", [b"{", b"{}x", b'[{"title": "a"}]', b'["a"]', b"[1]", b"\xff", b'{"a": 1}'])
def test_files_of_another_kind_are_refused_by_name(tmp_path: Path, content: bytes) -> None:
    write(tmp_path / "全唐诗", **{"poet.tang.1000.json": content})
    with pytest.raises(DataError, match=r"poet\.tang\.1000\.json: is no list of poems"):
        loaded(tmp_path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no chinese-poetry/全唐诗 folder, and data.download is false"):
        loaded(tmp_path)
    (write(tmp_path / "全唐诗") / "poet.tang.0.json").unlink()
    with pytest.raises(DataError, match=r"lacks poet\.tang\.0\.json: move the folder away"):
        loaded(tmp_path)


@pytest.mark.parametrize(("options", "name"), [({"script": "cursive"}, "script"), ({"forms": "5jue"}, "forms")])
def test_impossible_settings_are_refused_by_name(options: dict[str, str], name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be"):
        Tang(**options)  # type: ignore[arg-type]


def archive(**more: bytes) -> bytes:
    """The package of the whole collection, made small."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as members:
        inside = {f"package/dist/quantangshi/{name}": content for name, content in contents().items()}
        others = {"package/LICENSE": b"MIT", "package/dist/quantangshi/poet.song.0.json": b"[]", "../evil": b"x"}
        for name, content in {**inside, **others, **more}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            members.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def publisher() -> Iterator[tuple[str, list[bytes]]]:
    """A local server that gives the one file it is told to."""
    served: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(served[0])))
            self.end_headers()
            self.wfile.write(served[0])

        def log_message(self, format: str, *args: object) -> None:
            """Quietly."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/chinese-poetry-2.0.1.tgz", served
    server.shutdown()
    server.server_close()


def test_the_set_is_fetched_checked_and_unpacked_without_the_rest(
    tmp_path: Path, publisher: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, served = publisher
    served.append(archive())
    monkeypatch.setattr(tang_files, "ARCHIVE", Remote((url,), f"sha512:{hashlib.sha512(served[0]).hexdigest()}"))
    root = tmp_path / "root"
    fetched = loaded(root, download=True)
    found = sorted(
        path.relative_to(root).as_posix() for path in tmp_path.rglob("*") if path.is_file() and root in path.parents
    )
    assert found == sorted(["chinese-poetry/LICENSE", *(f"chinese-poetry/全唐诗/{name}" for name in tang_files.FILES)])
    assert loaded(root).train.fingerprint == fetched.train.fingerprint


def test_wrong_bytes_and_a_broken_archive_leave_no_set(
    tmp_path: Path, publisher: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, served = publisher
    served.append(archive())
    monkeypatch.setattr(tang_files, "ARCHIVE", Remote((url,), "sha512:" + "0" * 128))
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    with pytest.raises(DataError, match="wrong checksum"):
        loaded(tmp_path / "one", download=True)
    served[0] = archive()[:-200]
    monkeypatch.setattr(tang_files, "ARCHIVE", Remote((url,), f"sha512:{hashlib.sha512(served[0]).hexdigest()}"))
    with pytest.raises(DataError, match="cannot be unpacked"):
        loaded(tmp_path / "two", download=True)
    assert not list(tmp_path.rglob("poet.tang.*"))
