"""A small Go program that speaks GTP and can be told to misbehave, for tests: `python fake_gtp.py [FAULT]`."""

from __future__ import annotations

import sys
import time
from random import Random

from dlcourse.go.gtp import Engine
from dlcourse.go.gtp_session import Session
from dlcourse.go.player import RandomPlayer


def die() -> None:
    print("out of\nmemory", file=sys.stderr, flush=True)
    sys.exit(3)


def babble() -> None:
    while True:
        print("=" + "x" * 1000, flush=True)


def sleep() -> None:
    time.sleep(60)


FAULTS = {"die": die, "babble": babble, "sleep": sleep}


def main() -> None:
    fault = sys.argv[1] if len(sys.argv) > 1 else ""
    chance = Random(0)
    engine = Engine(Session(RandomPlayer(chance.randrange)))
    print("a greeting that is no GTP", flush=True)
    while not engine.closed and (line := sys.stdin.readline()):
        words = line.split()
        if words[:1] == ["set_random_seed"]:
            chance.seed(int(words[1]))
            text: str | None = "=\n\n"
        elif words[:1] == ["genmove"] and fault in FAULTS:
            FAULTS[fault]()
            return
        elif words[:1] == ["genmove"] and fault not in ("", "plain"):
            text = f"= {fault}\r\n\r\n"
        else:
            text = engine.answer(line)
        if fault == "plain" and words == ["list_commands"]:
            text = "= genmove\nplay\n\n"
        sys.stdout.write(text or "")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
