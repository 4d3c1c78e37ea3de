"""`dlcourse match run=RUN against="gnugo --mode gtp"`: games against a program, a run or random moves, and who wins."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dlcourse.commands.arguments import argument, read
from dlcourse.commands.playing import check_playing
from dlcourse.errors import ConfigError, RunError, UserError

if TYPE_CHECKING:
    from dlcourse.go.match import Played
    from dlcourse.go.player import Player
    from dlcourse.run.go_player import Wishes

USUAL_SIZE = 19
SAYS = {1.0: "won", 0.5: "drew", 0.0: "lost"}
PURPOSE = (
    "Play games and count who wins, such as: dlcourse match run=latest against='gnugo --mode gtp --level 1' games=100\n"
    "Colours alternate; the referee is our own board with positional superko. After both have passed they are asked\n"
    "to capture dead stones (kgs-genmove_cleanup); what then stands is counted by area (Tromp-Taylor)."
)


@dataclass(frozen=True)
class Arguments:
    """What `dlcourse match` takes."""

    run: str = argument("The run: a path, <model>-<data>/<time>, a unique end of it, latest, or random.", bare=True)
    against: str = argument("The opponent: the command line of a GTP program, another run, or random.")
    games: int = argument("How many games.", default=100)
    size: int | None = argument("Lines of the board; null is the run's, or 19.", default=None)
    komi: float = argument("Points for White.", default=7.5)
    temperature: float = argument("Of runs: 0 plays the most probable move, 1 draws as the network says.", default=0.2)
    seed: int = argument("Of the draws of runs and random players.", default=0)
    resign: bool = argument("Whether runs may give up late in a game.", default=False)
    timeout: float = argument("Seconds that a program may take to answer.", default=60.0)
    out: Path | None = argument("Folder for the games and match.json; null is RUN/matches/TIME.", default=None)
    format: Literal["text", "json"] = argument("How to print the result.", default="text")
    device: str | None = argument("Another device than the run's, such as cpu.", default=None, key="runtime.device")
    runs: Path = argument("Folder that holds the runs.", default=Path("runs"))
    allow_code: bool = argument("Run Python files of this folder that the run's config names.", default=False)


def main(argv: list[str]) -> int:
    """Play, write, count."""
    given = read(Arguments, argv, command="match", purpose=PURPOSE)
    check(given)
    from dlcourse.files import make_output, write_json
    from dlcourse.go.match import play_match
    from dlcourse.run.go_player import Wishes, load_player  # torch, imported here, takes two seconds

    wishes = Wishes(given.temperature, given.seed, given.resign, given.device, given.allow_code)
    first = load_player(given.run, runs=given.runs, command="match", wishes=wishes)
    with opponent(given, wishes=wishes) as second:
        size = board_size(given, first, second)
        out = given.out or home(first) / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        make_output(out)
        played: list[Played] = []
        try:
            for game in play_match(first, second, games=given.games, size=size, komi=given.komi):
                played.append(game)
                keep(game, out / f"game-{len(played):03}.sgf")
                if given.format == "text":
                    print(line(game, number=len(played)), flush=True)
        except UserError as error:
            note = f"{len(played)} of {given.games} games had been played; they are in {out}"
            raise RunError(*error.problems, note) from error
        found = summary(played, names=(first.name, second.name)) | settings(given, size=size)
    write_json(out / "match.json", found)
    plain = found | {"folder": str(out)}
    print(json.dumps(plain, ensure_ascii=False) if given.format == "json" else told(found, out=out))
    return 0


def check(given: Arguments) -> None:
    """ConfigError if a number is out of range; every such number, one line each."""
    from dlcourse.go.points import LARGEST, SMALLEST

    check_playing(
        given,
        ("games", "1 or more", given.games >= 1),
        ("size", f"{SMALLEST} to {LARGEST}", given.size is None or SMALLEST <= given.size <= LARGEST),
        ("timeout", "above 0", 0 < given.timeout < float("inf")),
    )


@contextmanager
def opponent(given: Arguments, *, wishes: Wishes) -> Generator[Player]:
    """Whom `against` names: random, a program that can be found, or a run.

    Raises:
        ConfigError: it is none of them.
    """
    from dlcourse.folders import NoSuchRun
    from dlcourse.go.gtp_program import GtpProgram, split_command
    from dlcourse.go.program_player import ProgramPlayer
    from dlcourse.run.go_player import load_player

    words = split_command(given.against)
    if shutil.which(words[0]) is not None:
        with GtpProgram(words, timeout=given.timeout) as program:
            yield ProgramPlayer(program)
        return
    try:
        # Two players of one seed would draw alike.
        yield load_player(
            given.against, runs=given.runs, command="match", wishes=replace(wishes, seed=wishes.seed + 1_000_003)
        )
    except NoSuchRun as error:
        run = "; ".join(error.problems).removeprefix(f"{given.against}: ")
        raise ConfigError(f"against: {words[0]} is no program on the PATH, and no run: {run}") from error


def board_size(given: Arguments, *players: Player) -> int:
    """Lines of the board that all can play on.

    Raises:
        ConfigError: there is none.
    """
    size = given.size or next((player.size for player in players if player.size), USUAL_SIZE)
    problems = [
        f"size={size}: {player.name} learned boards of {player.size} lines"
        for player in players
        if player.size not in (None, size)
    ]
    if problems:
        raise ConfigError(*problems)
    return size


def home(player: Player) -> Path:
    """Where the matches of a player are kept."""
    from dlcourse.run.go_player import PolicyPlayer

    folder = player.policy.folder.path if isinstance(player, PolicyPlayer) else Path()
    return folder / "matches"


def keep(game: Played, path: Path) -> None:
    """Write a game as SGF."""
    from dlcourse.files import write_text
    from dlcourse.go.sgf_writer import write_game

    write_text(path, write_game(game.record))


def line(game: Played, *, number: int) -> str:
    """One game in a line."""
    from dlcourse.go.points import NAMES

    fault = f" ({game.fault})" if game.fault else ""
    moves = len(game.record.moves)
    return f"game {number:3}: {SAYS[game.points]:4} as {NAMES[game.colour]}, {game.record.result}, {moves} moves{fault}"


def summary(played: Sequence[Played], *, names: tuple[str, str]) -> dict[str, Any]:
    """The numbers of a match of one game or more, seen by the first player."""
    from dlcourse.go.match import distinct
    from dlcourse.go.points import NAMES
    from dlcourse.statistics import wilson

    points = [game.points for game in played]
    share = wilson(sum(points), len(played))
    sides = {name: [game.points for game in played if game.colour == colour] for colour, name in NAMES.items()}
    return {
        "player": names[0],
        "opponent": names[1],
        "games": len(played),
        "won": points.count(1.0),
        "drawn": points.count(0.5),
        "lost": points.count(0.0),
        "share": share.share,
        "low": share.low,
        "high": share.high,
        **{f"won_as_{name}": side.count(1.0) for name, side in sides.items()},
        **{f"games_as_{name}": len(side) for name, side in sides.items()},
        "distinct": distinct(played),
        "forfeits": [game.fault for game in played if game.fault],
    }


def settings(given: Arguments, *, size: int) -> dict[str, Any]:
    """What the numbers hold for."""
    return {
        "run": given.run,
        "against": given.against,
        "size": size,
        "komi": given.komi,
        "temperature": given.temperature,
        "seed": given.seed,
        "resign": given.resign,
    }


def told(found: dict[str, Any], *, out: Path) -> str:
    """The result in words."""
    percent = "{:.1f} % [{:.1f}, {:.1f}]".format(*(100 * found[key] for key in ("share", "low", "high")))
    drawn = f", {found['drawn']} drawn" if found["drawn"] else ""
    sides = ", ".join(
        f"{found[f'won_as_{name}']} of {found[f'games_as_{name}']} as {name}" for name in ("black", "white")
    )
    return (
        f"\n{found['player']} against {found['opponent']} on {found['size']}x{found['size']}:\n"
        f"{found['won']} of {found['games']} won{drawn}: {percent} (95 % interval by Wilson)\n"
        f"{sides}; {found['distinct']} distinct games, {len(found['forfeits'])} were forfeited\n"
        f"kept in {out}"
    )
