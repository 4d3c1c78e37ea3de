"""What can be counted of poems without a model: the rules they keep, their variety, and what they repeat or copy."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from math import fsum

from dlcourse.errors import UserError
from dlcourse.text.characters import PUNCTUATION
from dlcourse.verse.forms import recognise
from dlcourse.verse.judge import Verdict, judge
from dlcourse.verse.scripts import table_for
from dlcourse.verse.table import RhymeTable

KNOWN = 0.9
"""The share of a text's characters that the rhyme table must know: of the Tang poems it knows 0.998."""
MARKS = re.compile(f"[{''.join(PUNCTUATION)}]")
RULES: Mapping[str, Callable[[Verdict], bool]] = {
    "form": lambda verdict: verdict.form,
    "rhyme": lambda verdict: verdict.rhyme,
    "tone": lambda verdict: verdict.tone,
    "all": lambda verdict: verdict.all,
}


def lines_of(text: str) -> list[str]:
    """The lines of a poem without punctuation."""
    return MARKS.split(text.removesuffix(PUNCTUATION[-1]))


def sounds(texts: Sequence[str], *, vocabulary: Sequence[str]) -> tuple[RhymeTable | None, str]:
    """The rhyme table in the script of these texts; or None and why nothing is known of their rhymes and tones.

    Args:
        texts: of poems.
        vocabulary: their characters, the most frequent first.
    """
    try:
        table = table_for(vocabulary)
    except UserError as error:
        return None, "; ".join(error.problems)
    counts = Counter(MARKS.sub("", "".join(texts)))
    known = sum(count for char, count in counts.items() if table.readings(char))
    share = known / max(1, counts.total())
    if share < KNOWN:
        return None, f"the rhyme table knows {share:.0%} of the characters; it takes {KNOWN:.0%}"
    return table, ""


def kept(
    poems: Sequence[Sequence[str]], *, form: str, table: RhymeTable | None, strict: bool = False
) -> dict[str, float | None]:
    """The shares of poems that keep `form`, `rhyme`, `tone` and `all` of them; a poem without the form keeps none.

    Args:
        poems: the lines of each; at least one poem.
        form: the form they should have.
        table: the rhyme table; None leaves all but the form unknown.
        strict: as `judge` has it: at line ends count only characters whose readings all have the tone needed there.
    """
    if table is None:
        share = sum(recognise(lines) == form for lines in poems) / len(poems)
        return {name: share if name == "form" else None for name in RULES}
    verdicts = [judge(lines, form=form, table=table, strict=strict) for lines in poems]
    return {name: sum(map(keeps, verdicts)) / len(verdicts) for name, keeps in RULES.items()}


def distinct(poems: Sequence[Sequence[str]], *, n: int) -> float | None:
    """Different n-grams of characters over all n-grams (Li et al. 2016, arXiv:1510.03055), none across lines.

    It falls as poems are added, so only equal numbers of poems compare. None if no line has n characters.
    """
    ngrams = [line[at : at + n] for lines in poems for line in lines for at in range(len(line) - n + 1)]
    return len(set(ngrams)) / len(ngrams) if ngrams else None


def repeated(poems: Sequence[Sequence[str]]) -> float:
    """How many characters of a poem stand in it before, the mean over poems."""
    texts = ["".join(lines) for lines in poems]
    return sum(len(text) - len(set(text)) for text in texts) / len(texts)


def copied(poems: Sequence[Sequence[str]], *, known: Set[str]) -> float | None:
    """The share of lines that stand among the `known` ones; empty lines do not count; None if all are empty."""
    lines = [line for poem in poems for line in poem if line]
    return sum(line in known for line in lines) / len(lines) if lines else None


def mean(values: Sequence[float]) -> float | None:
    """None of no values."""
    return fsum(values) / len(values) if values else None
