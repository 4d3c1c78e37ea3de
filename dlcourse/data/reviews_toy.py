"""Short synthetic reviews with a known rule: negation, degree, and praise of another film lead word counts astray."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

import torch

from dlcourse.data.base import mix
from dlcourse.data.text_set import TextParts, Texts, TextSet
from dlcourse.data.texts import Truncate

T = TypeVar("T")

TRAIN, UNLABELLED_POOL, TEST = 2_400, 1_200, 600
VOCABULARY_SIZE = 87
"""Of all words that a review can have, `<pad>` and `<unk>` included."""

GOOD = ("good", "great", "wonderful", "charming", "moving", "funny", "clever", "brilliant", "gripping", "touching")
BAD = ("bad", "awful", "dull", "boring", "clumsy", "silly", "tedious", "weak", "predictable", "lifeless")
OWN = ("the film", "this movie", "the plot", "the acting", "the script", "the music", "the ending", "the dialogue")
OTHERS = ("the book", "the sequel", "the trailer", "his last film", "the old series", "the play", "the short before it")
NEUTRAL = (
    "i saw it on a rainy day",
    "we sat in the second row",
    "it runs for two hours",
    "my brother bought the tickets",
    "it opened in may",
    "the story begins in a small town",
    "a man looks for his dog",
    "there were few people",
)
_SEED = 0x7097


class Phrase(NamedTuple):
    """Words that stand before an adjective, and what they multiply its verdict by."""

    words: str
    factor: int


PHRASES = (
    *[Phrase("was", 2)] * 4,
    *[Phrase("was very", 3)] * 2,
    Phrase("was truly", 3),
    Phrase("was a little", 1),
    Phrase("was somewhat", 1),
    Phrase("was not", -2),
    Phrase("was never", -2),
    Phrase("was hardly", -2),
    Phrase("was by no means", -3),
    Phrase("was not very", -1),
)
"""Five of fourteen turn the adjective round."""


class ToyReviews(TextSet):
    """2,400 + 600 reviews of a few sentences, made by a fixed rule: no download.

    One to three clauses judge the film or a part of it: +1 or -1 by the adjective, times the factor of the words
    before it ("very" 3, "a little" 1, "not" -2, ...); the label is the sign of the sum. Sentences without a verdict
    and a clause that says the opposite of another film stand among them.

    Args:
        val_fraction: Share of each class's training reviews that is held out for validation.
        split_seed: Names the validation cut; the reviews themselves never change.
        fold: Validates on this part of so many instead, such as 2/5; null holds out val_fraction.
        max_tokens: Most entries of the vocabulary, `<pad>` and `<unk>` included; the default has room for all words.
        min_freq: How often a word must occur to get an entry of its own.
        tokenizer: basic_english (as torchtext has it), words, characters (for Chinese) or bpe (subwords).
        max_length: Most tokens of a review that a model sees; null is all.
        truncate: Which tokens of a longer one are kept: head, tail or head_tail (first quarter, last three quarters).
        unlabelled_share: Reviews without label, of 1,200 more, in a training batch for each labelled one; 0 is none.
        bucket: Whether a training batch holds reviews of similar length.
    """

    def __init__(
        self,
        *,
        val_fraction: float = 0.1,
        split_seed: int = 0,
        fold: str | None = None,
        max_tokens: int = VOCABULARY_SIZE,
        min_freq: int = 1,
        tokenizer: str = "basic_english",
        max_length: int | None = 64,
        truncate: Truncate = "head_tail",
        unlabelled_share: float = 0.0,
        bucket: bool = True,
    ) -> None:
        super().__init__(
            val_fraction=val_fraction,
            split_seed=split_seed,
            fold=fold,
            max_tokens=max_tokens,
            min_freq=min_freq,
            tokenizer=tokenizer,
            max_length=max_length,
            truncate=truncate,
            unlabelled_share=unlabelled_share,
            bucket=bucket,
        )

    def classes(self) -> tuple[str, ...]:
        """As in IMDB."""
        return "neg", "pos"

    def read(self) -> TextParts:
        """The same reviews every time, no two alike."""
        found: dict[str, int] = {}
        for text, label in generate():
            found.setdefault(text, label)
            if len(found) == TRAIN + UNLABELLED_POOL + TEST:
                break
        texts, labels = list(found), torch.tensor(list(found.values()))
        everything, places = Texts(texts, labels), torch.arange(len(texts))
        train, pool, test = (everything[part] for part in places.split([TRAIN, UNLABELLED_POOL, TEST]))
        return TextParts(train=train, test=test, unlabelled=pool.texts)


def generate() -> Iterator[tuple[str, int]]:
    """Reviews without end, each with its label: 1 for a good film, 0 for a bad one."""
    number = 0
    while True:
        number += 1
        dice = _Dice(number)
        clauses = [_clause(OWN, dice=dice) for _ in range(dice.pick((1, 1, 2, 3)))]
        verdict = sum(verdict for _, verdict in clauses)
        if not verdict:
            continue
        sentences = [words for words, _ in clauses]
        sentences += [dice.pick(NEUTRAL) for _ in range(dice.pick((0, 1, 1, 2)))]
        if dice.pick((True, True, False)):
            others = (_clause(OTHERS, dice=dice) for _ in range(100))
            sentences.append(next(words for words, opposite in others if opposite * verdict < 0))
        yield "".join(f"{sentence} . " for sentence in dice.shuffled(sentences)).strip(), int(verdict > 0)


def _clause(subjects: Sequence[str], *, dice: _Dice) -> tuple[str, int]:
    """What it says of one of the subjects, and its verdict: above 0 is praise."""
    phrase, sign = dice.pick(PHRASES), dice.pick((1, -1))
    adjective = dice.pick(GOOD if sign > 0 else BAD)
    return f"{dice.pick(subjects)} {phrase.words} {adjective}", sign * phrase.factor


class _Dice:
    """The choices of one review: hashes, so that no version of any library changes them."""

    def __init__(self, number: int) -> None:
        self._number, self._thrown = number, 0

    def pick(self, options: Sequence[T]) -> T:
        self._thrown += 1
        return options[mix(_SEED, self._number, self._thrown) % len(options)]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        left = list(items)
        return [left.pop(self.pick(range(len(left)))) for _ in items]
