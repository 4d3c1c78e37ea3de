"""How a game ended, as SGF's property RE and GTP's final_score write it."""

from __future__ import annotations

import re

from dlcourse.go.points import BLACK, LETTERS, WHITE

DRAW = "0"
_WON = {  # SGF asks for B+3.5 or W+R; records of people also say "Black wins by resignation" and 黑中盘胜
    BLACK: re.compile(r"\s*(b(lack)?\s*(\+|wins?\b|won\b)|[黑黒][^负負败敗]*[胜勝])", re.IGNORECASE),
    WHITE: re.compile(r"\s*(w(hite)?\s*(\+|wins?\b|won\b)|白[^负負败敗]*[胜勝])", re.IGNORECASE),
}


def by_score(score: float) -> str:
    """Counted: `score` is Black's points minus White's, komi among them."""
    if not score:
        return DRAW
    return f"{LETTERS[BLACK if score > 0 else WHITE]}+{abs(score):g}"


def by_resignation(winner: int) -> str:
    """The other side gave up."""
    return f"{LETTERS[winner]}+R"


def by_forfeit(winner: int) -> str:
    """The other side broke the rules."""
    return f"{LETTERS[winner]}+F"


def winner_of(result: str) -> int | None:
    """BLACK or WHITE; None for a draw, for a game without an end and where it is not known."""
    return next((colour for colour, won in _WON.items() if won.match(result)), None)
