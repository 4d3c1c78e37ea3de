"""Pictures of `dlcourse board` for the README, after its runs were found in the HPARAMS tab of a real browser.

python scripts/board_picture.py RUNS [--where "data=='imdb'"] [--out docs]

Needs Chromium or Chrome; it is asked through a pipe (`--remote-debugging-pipe`, the Chrome DevTools Protocol).
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
HEIGHT = 1000  # pixels of a picture
PATIENCE = 60.0  # seconds for TensorBoard to start and for a tab to show what it should
SETTLED = 1.5  # seconds without change after which a tab is drawn
PICTURES = {
    "hparams.png": ("hparams", 2000),
    "means.png": ("custom_scalars", 1400),
    "tensorboard.png": (
        "scalars&tagFilter=%5E(val%2F(accuracy%7Closs%7Cperplexity)%7Clr)%24&_smoothingWeight=0", 1400
    ),
}  # fmt: skip
"""File -> tab and width in pixels; the HPARAMS tab first, since it says whether the runs are there."""
TEXT = """
(() => {
  const told = [];
  const walk = (node) => {
    if (node.nodeType === Node.TEXT_NODE) told.push(node.textContent.trim());
    if (node.shadowRoot) walk(node.shadowRoot);
    for (const child of node.childNodes) if (!['STYLE', 'SCRIPT', 'TEMPLATE'].includes(child.nodeName)) walk(child);
  };
  walk(document.body);
  return told.filter((text) => text).join('\\n');
})()
"""
"""All that a page says; most of TensorBoard stands in shadow trees, which a page's own text leaves out."""


def main(argv: Sequence[str] | None = None) -> int:
    """Take the pictures; 1 if a run is not where it should be, 2 if there is no browser."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help="folder that holds the runs")
    parser.add_argument("--where", default=None, help="which of them, as dlcourse board takes it")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder for the pictures")
    given = parser.parse_args(argv)
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        print(f"board_picture: there is no Chromium; install it, under one of {', '.join(BROWSERS)}", file=sys.stderr)
        return 2
    words = [str(given.runs), *([f"where={given.where}"] if given.where else [])]
    with board(words) as address, page(browser) as tab:
        names = within(lambda: sessions(address), "TensorBoard read no runs with hyper-parameters")
        given.out.mkdir(parents=True, exist_ok=True)
        for file, (place, width) in PICTURES.items():
            tab.open(f"{address}#{place}", width=width)
            if place == "hparams":
                missing = tab.wait_for(names)
                if missing:
                    print(f"board_picture: not in the HPARAMS tab: {', '.join(missing)}", file=sys.stderr)
                    return 1
                print(f"the HPARAMS tab shows all {len(names)} runs and means")
            tab.settle()
            (given.out / file).write_bytes(tab.picture())
            print(given.out / file)
    return 0


@contextlib.contextmanager
def board(words: Sequence[str]) -> Generator[str]:
    """`dlcourse board` on a free port; gives its address.

    Raises:
        RuntimeError: it ended before it listened; the text is what it wrote.
    """
    with tempfile.TemporaryFile("w+") as told:
        command = [sys.executable, "-m", "dlcourse", "board", *words, "port=0"]
        process = subprocess.Popen(command, stdout=told, stderr=told, text=True)
        try:

            def listening() -> str | None:
                told.seek(0)
                text = told.read()
                if process.poll() is not None:
                    raise RuntimeError(f"dlcourse board ended by itself:\n{text}")
                found = re.search(r"http://\S+:\d+/", text)
                return found[0] if found else None

            yield within(listening, "dlcourse board does not listen")
        finally:
            process.terminate()
            process.wait()


def sessions(address: str) -> list[str]:
    """The rows that the HPARAMS tab should have, once TensorBoard has read all runs."""
    runs = fetched(f"{address}data/runs")
    rows = [group["name"] for group in fetched(f"{address}data/plugin/hparams/session_groups", STATES)["sessionGroups"]]
    bands = {f"{run}/{edge}" for run in runs for edge in ("low", "high")}
    return rows if rows and set(runs) - bands == set(rows) else []


STATES = {
    "allowedStatuses": ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"],
    "sliceSize": 10000,
}


def fetched(address: str, question: object = None) -> Any:
    """The JSON at an address, with a question if it is asked one."""
    body = None if question is None else json.dumps(question).encode()
    request = urllib.request.Request(address, data=body, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.load(answer)


def within(asked: Callable[[], T | None], complaint: str) -> T:
    """The first true answer.

    Raises:
        RuntimeError: there is none within a minute.
    """
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := asked():
            return found
        time.sleep(0.25)
    raise RuntimeError(complaint)


class Page:
    """One tab of a browser, asked through a pair of pipes: JSON, each message ended by a zero byte."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = os.fdopen(read, "rb"), os.fdopen(write, "wb")
        self._count = 0
        self._session: str | None = None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def ask(self, method: str, **words: object) -> dict[str, Any]:
        """What the browser answers.

        Raises:
            RuntimeError: it is a complaint, or the browser has ended.
        """
        self._count += 1
        where = {} if self._session is None else {"sessionId": self._session}
        self._write.write(json.dumps({"id": self._count, "method": method, "params": words, **where}).encode() + b"\0")
        self._write.flush()
        while True:
            message = json.loads(self._message())
            if message.get("id") == self._count:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error'].get('message')}")
                return message["result"]

    def _message(self) -> bytes:
        found = bytearray()
        while (byte := self._read.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("the browser has ended")
            found += byte
        return bytes(found)

    def open(self, address: str, *, width: int) -> None:
        """Load an address anew, although only what is behind its # may differ."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=HEIGHT, deviceScaleFactor=1, mobile=False)
        self.ask("Page.navigate", url="about:blank")
        self.ask("Page.navigate", url=address)

    def text(self) -> str:
        """All that it says now."""
        return str(self.ask("Runtime.evaluate", expression=TEXT, returnByValue=True)["result"].get("value", ""))

    def wait_for(self, names: Sequence[str]) -> list[str]:
        """Those of the names that it does not show within a minute."""
        end = time.monotonic() + PATIENCE
        while (missing := [name for name in names if name not in self.text()]) and time.monotonic() < end:
            time.sleep(0.5)
        return missing

    def settle(self) -> None:
        """Return once it has stopped changing, or a minute has gone."""
        end = time.monotonic() + PATIENCE
        before, since = b"", time.monotonic()
        while time.monotonic() < min(end, since + SETTLED):
            time.sleep(0.3)
            if (now := self.picture()) != before:
                before, since = now, time.monotonic()

    def picture(self) -> bytes:
        """What it looks like, as PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])


PLACED = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)


@contextlib.contextmanager
def page(browser: str) -> Generator[Page]:
    """A tab of a browser of our own, without a window; the browser ends with it."""
    ours_in, theirs_out = os.pipe()
    theirs_in, ours_out = os.pipe()
    # The browser reads from descriptor 3 and writes to 4: ours go out of their way first, then they are put there.
    high = [fcntl.fcntl(number, fcntl.F_DUPFD, 20) for number in (theirs_in, theirs_out)]
    for number in (theirs_in, theirs_out):
        os.close(number)
    with tempfile.TemporaryDirectory(prefix="board-picture-", ignore_cleanup_errors=True) as profile:
        words = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--hide-scrollbars", f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank",
        ]  # fmt: skip
        start = [sys.executable, "-c", PLACED, *map(str, high), *words]
        process = subprocess.Popen(start, pass_fds=high, stderr=subprocess.DEVNULL)
        for number in high:
            os.close(number)
        try:
            tab = Page(ours_in, ours_out)
            yield tab
            with contextlib.suppress(RuntimeError, OSError):
                tab.ask("Browser.close")
        finally:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


if __name__ == "__main__":
    sys.exit(main())
