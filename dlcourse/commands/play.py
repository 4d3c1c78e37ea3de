"""`dlcourse play run=RUN`: a trained policy as a Go program that speaks GTP, for any Go board on the screen."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from pathlib import Path

from dlcourse import __version__
from dlcourse.commands.arguments import argument, read
from dlcourse.commands.playing import check_playing

PURPOSE = (
    "Speak the Go Text Protocol (version 2) on standard input and output. In Sabaki, GoGui, q5Go or KGS name this\n"
    "command as the engine; to try it by hand type genmove b, showboard, list_commands or quit.\n"
    "It counts by area and plays on until dead stones are captured; with `resign=true` it gives up when it is late\n"
    "in the game and a quarter of the board behind."
)


@dataclass(frozen=True)
class Arguments:
    """What `dlcourse play` takes."""

    run: str = argument("The run: a path, <model>-<data>/<time>, a unique end of it, latest, or random.", bare=True)
    temperature: float = argument("0 plays the most probable move, 1 draws as the network says.", default=0.0)
    seed: int = argument("Of the draws.", default=0)
    resign: bool = argument("Whether it may give up.", default=False)
    komi: float = argument("Points for White, until the board on the screen says otherwise.", default=7.5)
    suicide: bool = argument("Whether a move may take its own stones off the board.", default=False)
    device: str | None = argument("Another device than the run's, such as cpu.", default=None, key="runtime.device")
    runs: Path = argument("Folder that holds the runs.", default=Path("runs"))
    allow_code: bool = argument("Run Python files of this folder that the run's config names.", default=False)


def main(argv: list[str]) -> int:
    """Answer until there is no line, or until told to quit."""
    given = read(Arguments, argv, command="play", purpose=PURPOSE)
    check_playing(given)
    from dlcourse.go.gtp import Engine, serve
    from dlcourse.go.gtp_session import Session
    from dlcourse.go.rules import Rules
    from dlcourse.run.go_player import Wishes, load_player  # torch, imported here, takes two seconds

    wishes = Wishes(given.temperature, given.seed, given.resign, given.device, given.allow_code)
    # A message must name a folder that can be found: only the program that started this one knows where it runs.
    player = load_player(given.run, runs=given.runs.absolute(), command="play", wishes=wishes)
    if isinstance(sys.stdin, io.TextIOWrapper):  # a comment in any encoding must not end the game
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    session = Session(player, rules=Rules(suicide=given.suicide), komi=given.komi)
    serve(Engine(session, version=__version__), iter(sys.stdin.readline, ""), write=say)
    return 0


def say(text: str) -> None:
    """Print an answer now: the controller waits for it."""
    print(text, end="", flush=True)
