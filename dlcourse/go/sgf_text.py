"""The encodings of SGF files: which one a game is written in, and its text values.

Big5, GB18030 and Shift-JIS write some characters with a second byte 0x5C or 0x5D, which are SGF's backslash and closing
bracket. A file in one of them is read as UTF-8, where no byte of a character is ASCII.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

UTF8: Final = "utf-8"
LATIN: Final = "cp1252"

_SUPERSETS: Final = {
    "ascii": UTF8,
    "iso8859-1": LATIN,
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "cp950",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
"""What is meant by names that are often given for more than they hold."""
_TWO_BYTES: Final = ("gb18030", "cp950", "cp932")
"""What is guessed among, in this order where two are as likely."""
_WITH_ASCII: Final = frozenset({*_TWO_BYTES, "big5hkscs", "iso2022_jp"})
"""Charsets whose characters may hold bytes that mean something in SGF."""
_KNOWN: Final = re.compile(r"utf-8|gb18030|cp9(?:32|49|50)|big5hkscs|euc_jp|iso2022_jp|cp125\d|iso8859-\d+|koi8-[ru]")
_DECLARED: Final = re.compile(rb"(?<![A-Z])CA\s*+\[\s*+([A-Za-z0-9._:-]{1,40}+)\s*+\]")
_AMBIGUOUS: Final = re.compile(rb"[\x80-\xff][\\\]]|\x1b\$")
_ESCAPE: Final = re.compile(rb"\\(?:\r\n|\n\r|[\r\n])|\\(.)|\\\Z", re.DOTALL)
_NEXT_GAME: Final = re.compile(rb"\)\s*+(?=\(\s*+;\s*+(?:GM|FF|SZ|CA|AP)\[[^\]\\]{0,40}\])")
_WHITE_SPACE: Final = str.maketrans("\t\n\v\f\r", "     ")
_SAMPLE: Final = 300


class Reading(NamedTuple):
    """One way to understand some bytes."""

    data: bytes
    charset: str
    """A codec's name, for the text values in `data`."""


def value_text(value: bytes, *, charset: str) -> str:
    """A SimpleText value: escapes undone, line breaks as blanks, bytes that are no character as U+FFFD."""
    if b"\\" in value:
        value = _ESCAPE.sub(rb"\1", value)
    return value.decode(charset, "replace").translate(_WHITE_SPACE).strip(" ")


def escaped(text: str) -> str:
    """The opposite of `value_text`."""
    return text.translate(_WHITE_SPACE).strip(" ").replace("\\", "\\\\").replace("]", "\\]")


def parts(data: bytes) -> Iterator[bytes]:
    """A file in pieces that have one encoding each: the whole if it is UTF-8, else game by game."""
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        data = data.decode("utf-16", "replace").encode()
    start = 0
    if not _is_utf8(data):
        for cut in _NEXT_GAME.finditer(data, max(data.find(b"(;"), 0)):
            yield data[start : cut.end()]
            start = cut.end()
    yield data[start:]


def readings(data: bytes) -> list[Reading]:
    """How some bytes may be meant, the likeliest first; several only where their brackets would differ."""
    if data.isascii() and b"\x1b$" not in data:
        return [Reading(data, UTF8)]
    given = _declared(data)
    if _is_utf8(data) and given != "iso2022_jp":
        # Chinese and Japanese take three bytes in UTF-8: pairs alone are as likely what was declared (GBK "\xc1\xaa").
        pairs = given in _WITH_ASCII and not re.search(rb"[\xe0-\xff]", data)
        return [Reading(data, given if given and pairs else UTF8)]
    likely = given if given and given != UTF8 else _guess(data)
    if not _AMBIGUOUS.search(data):
        return [Reading(data, likely)]
    others = [charset for charset in (likely, *_TWO_BYTES) if charset in _WITH_ASCII]
    found = [Reading(data.decode(charset, "replace").encode(), UTF8) for charset in dict.fromkeys(others)]
    # As it stands, too: some programs escape a second byte 0x5C, or cut a name in the middle of a character.
    found.insert(1 if likely in _WITH_ASCII else 0, Reading(data, likely))
    return found


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _declared(data: bytes) -> str | None:
    """The codec that CA names, or None if it names none that an SGF file can be written in."""
    found = _DECLARED.search(data)
    if not found:
        return None
    try:
        name = codecs.lookup(found[1].decode()).name
    except LookupError:
        return None
    name = _SUPERSETS.get(name, name)
    return name if _KNOWN.fullmatch(name) else None


def _guess(data: bytes) -> str:
    """The likeliest charset of bytes that are not all UTF-8: the one in which most characters are everyday ones."""
    wide = [character for character in data.decode(UTF8, "replace") if character > "\x7f"]
    if wide.count("\ufffd") < len(wide) / 2:
        return UTF8
    if not re.search(rb"[\x80-\xff]{2}", data):
        return LATIN  # single accented letters
    shares = {charset: _everyday(data, charset) for charset in _TWO_BYTES}
    best = max(shares, key=lambda charset: shares[charset])
    return best if shares[best] > 0.5 else LATIN


def _everyday(data: bytes, charset: str) -> float:
    """The share of characters beyond ASCII that are among the charset's everyday ones."""
    wide = [character for character in data.decode(charset, "replace") if character > "\x7f"][:_SAMPLE]
    encoded = [character.encode("gb2312" if charset == "gb18030" else charset, "ignore") for character in wide]
    low, high = {"gb18030": (0xB0, 0xD7), "cp950": (0xA4, 0xC6), "cp932": (0x82, 0x97)}[charset]
    return sum(len(pair) == 2 and low <= pair[0] <= high for pair in encoded) / max(len(wide), 1)
