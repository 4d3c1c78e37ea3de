"""GTP's commands that let GoGui draw what a player thinks of the moves (GoGui's manual, "Analyze Commands").

lz-analyze, kata-analyze and their genmove forms, which Sabaki and Lizzie know, are left out: their lines state a win
rate and a number of visits, and a policy has neither. Without a win rate Sabaki fails to read a line, and Lizzie shows
every move as lost; with a made-up one both would draw it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dlcourse.go.gtp_session import Command, Failure, Session, colour_of
from dlcourse.go.player import Adviser
from dlcourse.go.points import pass_point, to_vertex

COLD, HOT = (0xFF, 0xFF, 0xFF), (0x1A, 0x59, 0xCC)
"""Red, green and blue of a move that is never played, and of the best one."""
LABELLED = 5
"""So many of the best moves bear their percentage."""
LEAST = 0.005
"""What is less probable is neither coloured nor labelled."""


def analyze_commands(_session: Session, _words: list[str]) -> str:
    """`gogui-analyze_commands`: kind, title and command of everything that can be drawn."""
    drawn = {
        "gfx/Policy": "dlcourse-policy",
        "dboard/Policy as squares": "dlcourse-probabilities",
        "string/Pass": "dlcourse-pass",
    }
    return "\n".join(f"{title}/{command}" for title, command in drawn.items())


def policy(session: Session, words: list[str]) -> str:
    """`dlcourse-policy [COLOUR]`: a heat map, GoGui's "gfx": the best moves labelled, the pass in the status line."""
    chances = _chances(session, words)
    size = session.board.size
    points = [int(point) for point in np.argsort(-chances[:-1], kind="stable") if chances[point] >= LEAST]
    largest = float(chances[:-1].max()) or 1.0
    lines = [f"COLOR {_colour(chances[point] / largest)} {to_vertex(point, size=size)}" for point in points]
    lines += [f"LABEL {to_vertex(point, size=size)} {100 * chances[point]:.0f}" for point in points[:LABELLED]]
    return "\n".join([*lines, f"TEXT pass {100 * chances[pass_point(size)]:.1f} %"])


def probabilities(session: Session, words: list[str]) -> str:
    """`dlcourse-probabilities [COLOUR]`: a row of numbers for each row of the board, GoGui's "dboard"."""
    chances = _chances(session, words)
    rows = chances[:-1].reshape(session.board.size, -1)
    return "\n".join(" ".join(f"{chance:.4f}" for chance in row) for row in rows)


def pass_probability(session: Session, words: list[str]) -> str:
    """`dlcourse-pass [COLOUR]`: how probable a pass is."""
    return f"{_chances(session, words)[-1]:.4f}"


ANALYSIS: Mapping[str, Command] = {
    "gogui-analyze_commands": analyze_commands,
    "dlcourse-policy": policy,
    "dlcourse-probabilities": probabilities,
    "dlcourse-pass": pass_probability,
}
"""The name of every command here -> what obeys it."""


def _chances(session: Session, words: list[str]) -> NDArray[np.float64]:
    """What the player thinks of every move of the colour that is named, or of whoever is to play."""
    if not isinstance(session.player, Adviser):
        raise Failure("the player has no opinion")
    colour = colour_of(words[0]) if words else session.board.to_play
    return session.player.probabilities(session.board, colour)


def _colour(share: float) -> str:
    """Between COLD and HOT; the root lets the eye see the rare ones too."""
    mixed = (round(cold + (hot - cold) * float(share) ** 0.5) for cold, hot in zip(COLD, HOT, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)
