"""Ranks of Go players as numbers that can be compared."""

from __future__ import annotations

import re
from typing import Final

UNKNOWN: Final = -100
"""Below every rank."""

_KYU, _DAN, _PRO = -1, 1, 20
_GRADES = {"k": _KYU, "级": _KYU, "級": _KYU, "d": _DAN, "段": _DAN, "p": _PRO}
_RANK = re.compile(r"(\d{1,2})\s*([kdp级級段])[a-z]*\W*(p?)", re.IGNORECASE)
_NUMERALS = str.maketrans("初一二三四五六七八九", "1123456789")


def rank_number(text: str) -> int:
    """30k is -29, 1k is 0, 1d is 1, 9d is 9, 1p is 21; `UNKNOWN` if no rank stands there.

    Read are "5d", "5 dan", "五段", "3k?", "3 kyu", "9p", "9 dan pro".
    """
    match = _RANK.match(text.strip().translate(_NUMERALS))
    if not match or not 1 <= (number := int(match[1])) <= 40:
        return UNKNOWN
    grade = _PRO if match[3] else _GRADES[match[2].lower()]
    return 1 - number if grade == _KYU else number + (grade if grade == _PRO else 0)
