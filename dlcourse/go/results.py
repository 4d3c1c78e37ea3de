"""How a game ended, as SGF's property RE and GTP's final_score write it."""

from __future__ import annotations

from dlcourse.go.points import BLACK, LETTERS, WHITE

DRAW = "0"


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
    """BLACK or WHITE; None for a draw."""
    return {letter: colour for colour, letter in LETTERS.items()}.get(result[:1])
