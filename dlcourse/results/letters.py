"""What a comparison calls its groups: their names, or letters where the names would fill the sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dlcourse.results.groups import Group

LONGEST = 36  # characters of a name that still reads well within a sentence


def letter(place: int) -> str:
    """A, B, ... Z, AA, AB, ... as the columns of a spreadsheet."""
    return (letter(place // 26 - 1) if place >= 26 else "") + chr(ord("A") + place % 26)


def letters(groups: Sequence[Group]) -> dict[str, str]:
    """Name of each group -> its letter in tables."""
    return {group.name: letter(place) for place, group in enumerate(groups)}


def called(groups: Sequence[Group]) -> Mapping[str, str]:
    """Name of each group -> what sentences call it: the names, unless one of them is long."""
    if all(len(group.name) <= LONGEST for group in groups):
        return {group.name: group.name for group in groups}
    return {name: f"group {one}" for name, one in letters(groups).items()}
