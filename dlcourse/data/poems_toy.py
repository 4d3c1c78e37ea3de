"""Synthetic poems that keep every rule of form, rhyme and tone, from 136 characters: no download, no rhyme table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dlcourse.data.base import mix
from dlcourse.data.poem_cleaning import Poem
from dlcourse.data.poem_set import PoemSet
from dlcourse.text.characters import PUNCTUATION, RESERVED
from dlcourse.verse.constraints import Plan, plans
from dlcourse.verse.forms import FORMS
from dlcourse.verse.table import Reading, RhymeTable

COUNT = 2_000
THEMES = 3
"""A poem prefers a third of the characters, so what stands before tells something of what follows."""
PREFERENCE = 6
"""How many times as often as the others."""
_SEED = 0x9035

CHARS: Mapping[tuple[str, str], str] = {
    ("平", "東"): "風東同紅公宮終窮功蓬鴻雄叢翁童戎桐",
    ("平", "陽"): "光香方霜芳堂唐荒楊梁湘狂腸房塘",
    ("平", "尤"): "秋流頭愁樓遊幽州舟悠休求洲牛投丘鷗",
    ("平", "真"): "人春新身塵神因秦臣貧鄰晨津巾鱗民",
    ("去", "遇"): "路故暮露住素顧霧賦渡",
    ("入", "藥"): "落鶴閣薄洛各昨幕雀",
    ("入", "陌"): "白客石碧夕隔惜",
    ("上", "麌"): "五古舞羽土鼓虎戶",
    ("入", "職"): "得色憶極翼",
    ("去", "霰"): "見殿面戰片",
    ("入", "屋"): "竹木逐目屋菊",
    ("入", "屑"): "雪絕節別",
    ("入", "沃"): "玉綠曲",
    ("上", "梗"): "影靜景冷嶺",
    ("入", "錫"): "寂壁笛",
    ("入", "月"): "月忽",
    ("入", "緝"): "入十立急",
}
"""By tone and rhyme category: characters that the rhyme tables give one reading each."""
VOCABULARY_SIZE = len(RESERVED) + sum(map(len, CHARS.values()))


class ToyPoems(PoemSet):
    """2,000 poems in equal parts of the four forms, each character drawn among those that the rules allow.

    A poem repeats no character and prefers one of three themes, each a third of the characters.

    Args:
        val_fraction: Share of each form's other poems that is held out for validation.
        test_fraction: Share of each form that is the test split; it never moves.
        split_seed: Names the validation cut; the poems themselves never change.
        max_tokens: Most entries of the vocabulary; the default has room for all characters.
        min_freq: How often a character must occur in the training poems to get an entry of its own.
        max_length: Most tokens of a poem; none of these is longer than 66.
        bucket: Whether a training batch holds poems of similar length, which saves time.
        stream: Whether an epoch of training is one long row of all poems, cut into rows of `window`.
        window: Predicted tokens of a row of the stream.
    """

    def __init__(
        self,
        *,
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        split_seed: int = 0,
        max_tokens: int = VOCABULARY_SIZE,
        min_freq: int = 1,
        max_length: int = 128,
        bucket: bool = True,
        stream: bool = False,
        window: int = 128,
    ) -> None:
        super().__init__(
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            split_seed=split_seed,
            max_tokens=max_tokens,
            min_freq=min_freq,
            max_length=max_length,
            bucket=bucket,
            stream=stream,
            window=window,
        )

    def read(self) -> Sequence[Poem]:
        """The same poems every time, no two alike."""
        return list(generate(COUNT))


def toy_table() -> RhymeTable:
    """The readings of the characters of these poems, and of no others."""
    return RhymeTable({char: (Reading(*sound),) for sound, chars in CHARS.items() for char in chars})


def generate(count: int) -> Iterator[Poem]:
    """So many poems, the forms in turn."""
    table, vocabulary = toy_table(), [char for chars in CHARS.values() for char in chars]
    known = {form: plans(form, vocabulary, table, strict=True) for form in FORMS}
    themes = np.arange(len(vocabulary)) % THEMES
    for number in range(count):
        form = list(FORMS)[number % len(FORMS)]
        plan = known[form][mix(_SEED, number) % len(known[form])]
        weights = np.where(themes == mix(_SEED, number, 1) % THEMES, PREFERENCE, 1)
        yield Poem(_text(plan, vocabulary, weights=weights, number=number))


def _text(plan: Plan, vocabulary: Sequence[str], *, weights: NDArray[np.int64], number: int) -> str:
    """Whole weights and hashes in place of a library's generator, so that no version of it changes the poems."""
    left = weights.copy()
    chars: list[str] = []
    for at, row in enumerate(plan.rows):
        sums = np.cumsum(left * plan.bank[row])
        index = int(np.searchsorted(sums, mix(_SEED, number, 2 + at) % int(sums[-1]), side="right"))
        left[index] = 0
        chars.append(vocabulary[index])
    length = len(plan.template.lines[0])
    starts = range(0, len(chars), length)
    return "".join("".join(chars[at : at + length]) + PUNCTUATION[at // length % 2] for at in starts)
