"""What is wished for a poem: characters that are settled beforehand, in the script that the poem is written in."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

from dlcourse.errors import ConfigError
from dlcourse.verse.additions import VARIANTS
from dlcourse.verse.forms import HAN, Form
from dlcourse.verse.scripts import simplifier
from dlcourse.verse.table import RhymeTable

NAMED = 8
"""Characters that are named where a wished one is not known."""


def wished_characters(form: Form, *, acrostic: str | None, start: str | None) -> dict[int, str]:
    """The characters that are settled beforehand, by position; punctuation and spaces in `start` are passed over.

    Args:
        form: of the poem.
        acrostic: the first characters of the lines, one for each line.
        start: the poem's first characters.

    Raises:
        ConfigError: they are no Chinese characters, or too many or too few, or contradict each other.
    """
    plain = None if start is None else bare(start)
    problems: list[str] = []
    for name, value in (("acrostic", acrostic), ("start", plain)):
        if value:
            problems += (
                []
                if HAN.fullmatch(value)
                else [f"{name}={value}: only Chinese characters without punctuation are allowed"]
            )
        elif value is not None:
            problems.append(f"{name}= holds no Chinese character: give some, or leave it out")
    if acrostic and len(acrostic) != form.lines:
        problems.append(f"acrostic={acrostic}: {form.name} has {form.lines} lines, so give {form.lines} characters")
    if plain is not None and len(plain) > form.positions:
        problems.append(f"start={plain}: {len(plain)} characters, but a whole {form.name} has {form.positions}")
    if problems:
        raise ConfigError(*problems)
    first = {line * form.length: char for line, char in enumerate(acrostic or "")}
    given = dict(enumerate(plain or ""))
    for at in sorted(first.keys() & given.keys()):
        if first[at] != given[at]:
            line = at // form.length + 1
            raise ConfigError(f"line {line} cannot begin with both {first[at]} (acrostic) and {given[at]} (start)")
    return first | given


def bare(text: str) -> str:
    """A text without punctuation and spaces."""
    return "".join(char for char in text if unicodedata.category(char)[0] not in "PZ" and not char.isspace())


def refuse_unknown(wishes: Mapping[int, str], vocabulary: Sequence[str], *, table: RhymeTable | None) -> None:
    """Raise ConfigError if a wished character is not in the vocabulary, or not in the table where one is given.

    Args:
        wishes: characters by position.
        vocabulary: the most frequent first.
        table: the rhyme table; None if no tone is to be known.
    """
    known = set(vocabulary)
    wished = list(dict.fromkeys(wishes.values()))
    lacking = [char for char in wished if char not in known]
    problems = [f"{char}: the model's vocabulary lacks it; {_instead(char, vocabulary)}" for char in lacking]
    if table is not None:
        problems += [
            f"{char}: the rhyme table lacks it, so no tone can be checked; choose another, or rules=form"
            for char in wished
            if char in known and not table.readings(char)
        ]
    if problems:
        raise ConfigError(*problems)


def _instead(char: str, vocabulary: Sequence[str]) -> str:
    """What to write in its place: forms of it in the other script, or the commonest characters."""
    if forms := other_forms(char, vocabulary):
        return f"it stands for {' or '.join(forms)}, so write the one that is meant"
    common = [token for token in vocabulary if HAN.fullmatch(token)][:NAMED]
    return f"choose another, such as {' '.join(common)}" if common else "choose another"


def in_script(chars: str, vocabulary: Sequence[str]) -> Mapping[str, str]:
    """Characters that a vocabulary lacks and their forms in the other script, where it knows just one.

    Variants of one character (爲 and 為) count as one form, the most frequent. Nothing is found without OpenCC.

    Args:
        chars: that are wished for.
        vocabulary: the most frequent first.
    """
    known = set(vocabulary)
    forms = {char: other_forms(char, vocabulary) for char in chars if char not in known and HAN.fullmatch(char)}
    return {char: found[0] for char, found in forms.items() if len({VARIANTS.get(one, one) for one in found}) == 1}


def other_forms(char: str, vocabulary: Sequence[str]) -> list[str]:
    """The characters of a vocabulary that have the same simplified form as `char`; none without OpenCC."""
    convert = simplifier()
    if convert is None:
        return []
    tokens = [token for token in vocabulary if HAN.fullmatch(token)]
    wanted, *simple = convert("\n".join([char, *tokens])).split("\n")
    return [token for token, form in zip(tokens, simple, strict=True) if form == wanted]
