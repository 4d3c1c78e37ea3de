"""The rhyme table in the script of a vocabulary: a simplified character sounds like all that it stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dlcourse.errors import ConfigError
from dlcourse.verse.table import Reading, RhymeTable, rhyme_table

_OLD = "風來時門長見東鳥馬書詩開間飛頭樓誰遠還過處聲車龍鄉歸陽難漢夢"
_NEW = "风来时门长见东鸟马书诗开间飞头楼谁远还过处声车龙乡归阳难汉梦"
PAIRS = tuple(zip(_OLD, _NEW, strict=True))
"""Frequent characters that the two scripts write differently: the traditional form, and one that only simplified
texts have."""


def is_simplified(vocabulary: Sequence[str]) -> bool:
    """Whether most of those of PAIRS that are known are known in simplified script, or better there.

    Args:
        vocabulary: the most frequent first.
    """
    places = {token: place for place, token in enumerate(vocabulary)}
    known = [[places.get(form, len(places)) for form in pair] for pair in PAIRS]
    return sum((new < old) - (old < new) for old, new in known) > 0


def table_for(vocabulary: Sequence[str]) -> RhymeTable:
    """The rhyme table that knows the characters of a vocabulary, whichever script they are in.

    Args:
        vocabulary: the most frequent first.

    Raises:
        ConfigError: the table is not installed; or the vocabulary is simplified and OpenCC is not.
        DataError: the table's data file is not what it was.
    """
    table = rhyme_table()
    return simplified(table, convert=_converter()) if is_simplified(vocabulary) else table


def simplified(table: RhymeTable, *, convert: Callable[[str], str]) -> RhymeTable:
    """A table of simplified characters, too: each has the readings of all that it stands for (发 those of 發 and 髮).

    A poem that is judged by it keeps a rule if some reading of some of these characters does, as of any character with
    several readings.

    Args:
        table: of traditional characters.
        convert: a text to simplified script, character by character.
    """
    readings: dict[str, dict[Reading, None]] = {char: dict.fromkeys(found) for char, found in table.known.items()}
    for char, new in zip(table.known, convert("\n".join(table.known)).split("\n"), strict=True):
        readings.setdefault(new, {}).update(dict.fromkeys(table.known[char]))
    return RhymeTable({char: tuple(found) for char, found in readings.items()})


def simplifier() -> Callable[[str], str] | None:
    """OpenCC's conversion of a text to simplified script; None if it is not installed."""
    try:
        import opencc
    except ImportError:
        return None
    known: Any = opencc.OpenCC("t2s")
    return known.convert


def _converter() -> Callable[[str], str]:
    convert = simplifier()
    if convert is None:
        raise ConfigError(
            "rhymes and tones of simplified characters need OpenCC, which is not installed; "
            'pip install "dlcourse[poetry]"'
        )
    return convert
