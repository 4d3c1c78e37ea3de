"""Games that were found and are not learned from: which, why, and what to do if too few are left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dlcourse.go.sgf import Unreadable
from dlcourse.go.sgf_tree import Reason

REPEATED: Final = "the same moves as another game"
OTHER_SIZE: Final = "another board size"


@dataclass(frozen=True)
class Skipped:
    """What became of the games that were found but not kept.

    Args:
        found: all games, those kept included.
        named: (reason, source, detail) of each that was skipped.
        rest: the first game that was not even looked at, because enough had been found; "" if all were.
    """

    found: int
    named: Sequence[tuple[str, str, str]]
    rest: str = ""

    @property
    def counts(self) -> Mapping[str, int]:
        """Reason -> games, the most frequent first."""
        return dict(Counter(reason for reason, _, _ in self.named).most_common())

    @property
    def commonest_size(self) -> tuple[str, int]:
        """The size that most games of another size have, such as "9", and how many have it; "" and 0 for none."""
        sizes = Counter(detail.partition("x")[0] for reason, _, detail in self.named if reason == OTHER_SIZE)
        return sizes.most_common(1)[0] if sizes else ("", 0)


def reason_of(game: Unreadable) -> str:
    """Why it cannot be read, in words for who does not know how SGF is built."""
    if game.reason != Reason.NO_TREE:
        return game.reason
    return "no SGF" if game.detail else "an empty file"


def none_left(skipped: Skipped, *, size: int) -> str:
    """That no game was kept, why, and what to do."""
    other, most = skipped.commonest_size
    if not skipped.found:
        return "holds no game of Go: give another data.root"
    if most == skipped.found:
        which = "the only game found is" if most == 1 else f"all {most:,} games found are"
        return f"{which} {other}x{other}: say data.size={other}"
    reasons = ", ".join(f"{reason}: {count:,}" for reason, count in skipped.counts.items())
    games = "the only game is no" if skipped.found == 1 else f"none of {skipped.found:,} games is a"
    advice = f"say data.size={other} for those of {other}x{other}" if other else "give another data.root"
    return f"{games} legal one of {size}x{size} ({reasons}): {advice}"


def too_few(games: int, skipped: Skipped, *, advice: str) -> str:
    """That so many games do not make three splits, and what to do."""
    size, others = skipped.commonest_size
    if others > games:
        advice = f"say data.size={size} for the {others:,} of {size}x{size}"
    leave = "game of {} leaves" if games == 1 else "games of {} leave"
    found = leave.format(f"{skipped.found:,}")
    return f"{games:,} {found} none to train, to validate or to test on ({listed(skipped)}): {advice}"


def listed(skipped: Skipped) -> str:
    """Reasons with their numbers, the most frequent first."""
    return ", ".join(f"{reason} {count:,}" for reason, count in skipped.counts.items()) or "nothing skipped"


def named(skipped: Skipped) -> str:
    """A line for each game that was skipped: why, which, and more of why."""
    every = [*skipped.named]
    if skipped.rest:
        every.append(("not looked at, for data.max_games", skipped.rest, "and what follows"))
    text = "".join("\t".join(" ".join(part.split()) for part in one) + "\n" for one in every)
    return text.encode(errors="backslashreplace").decode()  # a file's name need not be UTF-8
