"""The longest run of characters that a text shares with a collection, held against trying every run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.text import spans
from dlcourse.text.spans import Spans

FEW = st.text("ab月\U0010ffff", max_size=12)


def by_trying(collection: list[str], text: str) -> int:
    runs = {text[first:last] for first in range(len(text)) for last in range(first + 1, len(text) + 1)}
    return max((len(run) for run in runs if any(run in one for one in collection)), default=0)


def test_runs_by_hand() -> None:
    index = Spans(["牀前明月光疑是地上霜", "春眠不覺曉"])
    asked = ["舉頭望明月", "疑是地上霜", "光疑是春眠不", "曉牀前", "", "龘", "覺"]
    assert index.longest(asked).tolist() == [2, 5, 3, 2, 0, 0, 1]


@given(st.lists(FEW, max_size=6), st.lists(FEW, max_size=6), st.sampled_from([1, 4, 1 << 22]))
def test_it_is_what_trying_every_run_finds(collection: list[str], asked: list[str], most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spans, "MOST_PAIRS", most)  # in one part or in many
        found = Spans(collection).longest(asked)
    assert found.dtype == np.int64
    assert found.tolist() == [by_trying(collection, text) for text in asked]


@given(st.lists(FEW, min_size=1, max_size=6))
def test_a_text_of_the_collection_is_found_whole_and_no_run_goes_past_its_end(collection: list[str]) -> None:
    index = Spans(collection)
    assert index.longest(collection).tolist() == [len(text) for text in collection]
    assert int(index.longest(["".join(collection)])[0]) == by_trying(collection, "".join(collection))


def test_ten_thousand_poems_take_no_time_even_if_they_say_the_same() -> None:
    poems = ["不知明月何處去" * 4] * 10_000
    assert Spans(poems).longest([poems[0][1:] + "龘", "處去不"]).tolist() == [27, 3]
