"""Text to tokens and to ids on one core: tokens per CPU second of `basic_english` and of whole encoders."""

from __future__ import annotations

import time
from functools import partial
from random import Random

from benchmarks.table import Row, interleaved
from dlcourse.text.encoders import WordEncoder, build_encoder
from dlcourse.text.tokenizers import basic_english

WORDS = 50_000  # different ones; a review site's 50,000 reviews have a few times as many
LENGTH = 230  # words of a text, the mean of the IMDB reviews
MARKS = (
    (" ",) * 30 + (", ",) * 2 + (". ",) * 2 + (".<br /><br />", "! ", "? ", " (", ") ", " - ", "; ", ' "', '" ', "'s ")
)


def measure(*, repetitions: int, quick: bool) -> list[Row]:
    """Tokens alone; then a vocabulary of 30,000 and all ids, as a data set is first read. torchtext's own speed needs
    an environment of its own: see scripts/check_torchtext.py."""
    texts = prose(20 if quick else 4000, seed=0)
    encoder = build_encoder(texts, tokenizer="basic_english", max_tokens=30_000, min_freq=2)
    taken = interleaved(
        {
            "tokens": partial(tokens_per_second, texts),
            "ids": partial(ids_per_second, texts, encoder),
            "both": partial(ids_per_second, texts, None),
        },
        repetitions=repetitions,
    )
    return [
        Row("basic_english, text to tokens", "tokens/CPU s", taken["tokens"]),
        Row("basic_english, text to ids", "tokens/CPU s", taken["ids"]),
        Row("basic_english, vocabulary and ids", "tokens/CPU s", taken["both"]),
    ]


def tokens_per_second(texts: list[str]) -> float:
    """Of `basic_english` alone, text by text."""
    count, began = 0, time.process_time()
    for text in texts:
        count += len(basic_english(text))
    return count / (time.process_time() - began)


def ids_per_second(texts: list[str], encoder: WordEncoder | None) -> float:
    """Of `encode_all`; without an encoder the vocabulary is made first, within that time."""
    began = time.process_time()
    made = encoder or build_encoder(texts, tokenizer="basic_english", max_tokens=30_000, min_freq=2)
    count = made.encode_all(texts).values.size
    return count / (time.process_time() - began)


def prose(texts: int, *, seed: int) -> list[str]:
    """Generated texts with the lengths, the marks and the word frequencies (Zipf's) of reviews, but no sense."""
    chance = Random(seed)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    weights = [1 / rank for rank in range(1, len(letters) + 1)]
    words = ["".join(chance.choices(letters, weights, k=chance.randint(1, 10))) for _ in range(WORDS)]
    words = [word.capitalize() if chance.random() < 0.1 else word for word in words]
    frequency = [1 / rank for rank in range(1, WORDS + 1)]
    made: list[str] = []
    for _ in range(texts):
        length = chance.randint(LENGTH // 2, LENGTH * 3 // 2)
        parts = zip(chance.choices(words, frequency, k=length), chance.choices(MARKS, k=length), strict=True)
        made.append("".join(word + mark for word, mark in parts))
    return made
