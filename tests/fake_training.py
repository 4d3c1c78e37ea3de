"""Stands in for `dlcourse train` where a sweep is tested: the same folders, locks and exit codes, without torch.

Run as a program with the words of a command line. Its accuracy is 1 - |log10(optimizer.lr) + 2| / 10 + seed / 1000,
less 0.01 times the number of its `data.fold`, less 0.01 for each step that is still to come where `stop_at=2st` stops
it. optimizer.lr=9 fails at half of its steps and optimizer.lr=8 kills itself there. Each of `max_steps` steps takes
$FAKE_STEP seconds.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import signal
import socket
import sys
import time
from pathlib import Path

STEP = float(os.environ.get("FAKE_STEP", "0.02"))
told: list[int] = []


def main(words: dict[str, str]) -> int:
    place = Path((words.get("resume") or words["run"])[1:-1].replace("\\'", "'"))
    if "run" in words:
        place.mkdir(parents=True, exist_ok=True)
        if any(place.iterdir()):
            return fail(place, "this folder is not empty")
        (place / "status.json").touch()
        (place / "checkpoints").mkdir()
        model, data = words.get("model", "resnet18"), words.get("data", "digits")
        settings = {"seed": int(words["seed"]), "max_steps": int(words.get("max_steps", "4"))}
        optimizer = {"lr": float(words.get("optimizer.lr", "0.01"))}
        choices, fold = {"model": model, "data": data, "task": "toy"}, {"fold": words.get("data.fold")}
        config = {**settings, "optimizer": optimizer, "data": fold, "choices": choices}
        (place / "config.yaml").write_text(json.dumps(config))
        (place / "task.json").write_text('{"best": ["accuracy", "max"]}')
        (place / "data.json").write_text('{"val": {"items": 9, "sha256": "00"}}')
        (place / "overrides.txt").write_text("\n".join(sys.argv[1:]))
    folder = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return fail(place, "another process is training in this folder")
    config = json.loads((place / "config.yaml").read_text())
    status(place, "running", None)
    last = place / "checkpoints" / "last.pt"
    step = int(last.read_text()) if last.exists() else 0
    note(place, f"from {step}")
    lr = config["optimizer"]["lr"]
    stop = min(int(words.get("stop_at", "999st").removesuffix("st")), config["max_steps"])
    while step < stop:
        end = time.monotonic() + STEP
        while not told and time.monotonic() < end:
            time.sleep(0.005)
        step += 1
        if step == config["max_steps"] // 2 and lr in (8, 9):
            if lr == 8:
                os.kill(os.getpid(), signal.SIGKILL)
            status(place, "failed", 1)
            return fail(place, "the loss is not finite", code=1)
        beside = last.with_suffix(".partial")
        beside.write_text(str(step))
        beside.replace(last)
        if told:
            status(place, "interrupted", 143)
            note(place, f"saved {step}")
            return 143
    fold = int((config["data"]["fold"] or "0/1").partition("/")[0])
    accuracy = 1 - abs(math.log10(lr) + 2) / 10 + (config["seed"] - 10 * fold) / 1000
    accuracy -= 0.01 * (config["max_steps"] - step)
    record = {"step": step, "epoch": 1.0, "split": "val", "scalars": {"accuracy": accuracy, "loss": 1 - accuracy}}
    (place / "metrics.jsonl").write_text(json.dumps(record) + "\n")
    complete = step == config["max_steps"]
    status(place, "done" if complete else "interrupted", 0)
    note(place, "done" if complete else f"stopped {step}")
    return 0


def status(place: Path, state: str, code: int | None) -> None:
    moment = "2026-01-01T00:00:00+00:00"
    text = {"state": state, "exit_code": code, "pid": os.getpid(), "host": socket.gethostname(), "started": moment}
    beside = place / "status.partial"
    beside.write_text(json.dumps(text | {"changed": moment}))
    beside.replace(place / "status.json")


def note(place: Path, line: str) -> None:
    """A line in a file beside all the runs, with which tests count."""
    with (place.parent.parent / "lives.txt").open("a") as file:
        file.write(f"{place.name} {line}\n")


def fail(place: Path, line: str, *, code: int = 2) -> int:
    print(f"dlcourse: {place.name}: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: told.append(number))
    sys.exit(main(dict(word.split("=", 1) for word in sys.argv[1:] if not word.startswith("-"))))
