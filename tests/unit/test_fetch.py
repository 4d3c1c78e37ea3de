"""Downloads against a local server, and archives that mean harm."""

import gzip
import hashlib
import io
import socket
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dlcourse.data.fetch import Remote, fetch, gunzip, unpack_tar
from dlcourse.errors import DataError

CONTENT = b"abc" * 1000
CHECKSUM = "md5:" + hashlib.md5(CONTENT).hexdigest()


@dataclass
class Publisher:
    """A server on this machine: /good, /wrong and /short answer, everything else is 404."""

    port: int
    asked: list[str] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}/set.bin"


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("time.sleep", lambda seconds: None)

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind = self.path.split("/")[1]
            known.asked.append(kind)
            if kind not in ("good", "wrong", "short"):
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write({"good": CONTENT, "wrong": CONTENT[::-1], "short": CONTENT[:100]}[kind])

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    known = Publisher(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield known
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_good_file_arrives_whole_and_is_not_asked_for_twice(publisher: Publisher, tmp_path: Path) -> None:
    remote = Remote((publisher.url("good"),), CHECKSUM)
    folder = tmp_path / "新 文件夹 a=(1)"
    assert fetch(remote, folder=folder).read_bytes() == CONTENT
    assert fetch(remote, folder=folder) == folder / "set.bin"
    assert publisher.asked == ["good"]
    assert [path.name for path in folder.iterdir()] == ["set.bin"]


def test_no_progress_bar_is_drawn_where_stderr_is_no_terminal(
    publisher: Publisher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(Remote((publisher.url("good"),), CHECKSUM), folder=tmp_path)
    shown = capsys.readouterr()
    assert "%|" not in shown.out + shown.err


@pytest.mark.parametrize(
    ("kind", "reason", "attempts"), [("wrong", "wrong checksum", 2), ("none", "HTTP 404", 1), ("short", "", 2)]
)
def test_a_failure_names_address_reason_and_what_to_do_and_leaves_nothing(
    publisher: Publisher, tmp_path: Path, kind: str, reason: str, attempts: int
) -> None:
    with pytest.raises(DataError) as caught:
        fetch(Remote((publisher.url(kind),), CHECKSUM), folder=tmp_path, retries=1)
    (line,) = caught.value.problems
    assert "\n" not in line
    for part in (publisher.url(kind), reason, "data.root=", "data=digits"):
        assert part in line
    assert publisher.asked == [kind] * attempts
    assert list(tmp_path.iterdir()) == []


def test_without_a_connection_one_error_says_so(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/set.bin"
        with pytest.raises(DataError, match=r"set.bin \(no connection\): give data.root="):
            fetch(Remote((url,), CHECKSUM), folder=tmp_path, retries=0)


def test_mirrors_are_tried_in_order(publisher: Publisher, tmp_path: Path) -> None:
    remote = Remote((publisher.url("none"), publisher.url("good"), publisher.url("wrong")), CHECKSUM)
    assert fetch(remote, folder=tmp_path).read_bytes() == CONTENT
    assert publisher.asked == ["none", "good"]


def test_a_folder_that_cannot_be_made_is_one_error(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot download"):
        fetch(Remote((publisher.url("good"),), CHECKSUM), folder=tmp_path / "file" / "data")


def pack(path: Path, *members: tuple[str, bytes] | tarfile.TarInfo) -> Path:
    """A .tar.gz of files given as (name, content) and of raw headers."""
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size, info.mode = len(member[1]), 0o4777
            archive.addfile(info, io.BytesIO(member[1]))
    return path


def header(name: str, kind: bytes, *, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_an_archive_is_unpacked_with_its_folders_and_without_its_modes(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.tar.gz", header("set", tarfile.DIRTYPE), ("set/x", b"1"), ("./set/in/y", b"22"))
    unpack_tar(archive, folder=tmp_path, limit=100_000)
    assert (tmp_path / "set/x").read_bytes() == b"1"
    assert (tmp_path / "set/in/y").read_bytes() == b"22"
    assert not (tmp_path / "set/x").stat().st_mode & 0o4111
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar.gz", "set"]


@pytest.mark.parametrize(
    "member",
    [
        ("../escaped", b"x"),
        ("set/../../escaped", b"x"),
        ("/escaped", b"x"),
        ("C:\\escaped", b"x"),
        header("set/link", tarfile.SYMTYPE, target="/etc/passwd"),
        header("set/hard", tarfile.LNKTYPE, target="set/good"),
        header("set/pipe", tarfile.FIFOTYPE),
        header("set/device", tarfile.CHRTYPE),
    ],
    ids=lambda member: member.name if isinstance(member, tarfile.TarInfo) else member[0],
)
def test_a_member_that_is_no_plain_file_inside_is_refused_and_nothing_stays(
    tmp_path: Path, member: tuple[str, bytes] | tarfile.TarInfo
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    archive = pack(tmp_path / "a.tar.gz", ("set/good", b"x"), member)
    with pytest.raises(DataError, match="refuses to unpack"):
        unpack_tar(archive, folder=folder, limit=100_000)
    assert list(folder.iterdir()) == []
    assert [path.name for path in tmp_path.rglob("*")].count("escaped") == 0


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.tar.gz", ("set/zeros", bytes(5_000_000)))
    assert archive.stat().st_size < 10_000
    with pytest.raises(DataError, match="unpacks to more than 100,000 bytes"):
        unpack_tar(archive, folder=tmp_path, limit=100_000)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


def test_a_truncated_archive_leaves_nothing(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.tar.gz", ("set/x", bytes(range(256)) * 400))
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack_tar(archive, folder=tmp_path, limit=1_000_000)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


def test_nothing_that_exists_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set/mine").write_text("precious")
    with pytest.raises(DataError, match="exists already"):
        unpack_tar(pack(tmp_path / "a.tar.gz", ("set/mine", b"x")), folder=tmp_path, limit=100_000)
    assert (tmp_path / "set/mine").read_text() == "precious"


def test_gunzip_gives_the_content_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(bytes(1000)))
    assert gunzip(path, limit=1000) == bytes(1000)
    with pytest.raises(DataError, match="more than 999 bytes"):
        gunzip(path, limit=999)
    path.write_bytes(b"no gzip")
    with pytest.raises(DataError, match="cannot be unpacked"):
        gunzip(path, limit=999)
