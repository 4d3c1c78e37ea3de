"""Kneser-Ney n-grams: the recursion in dictionaries, a corpus by hand, chances that sum to 1; the script around it."""

from __future__ import annotations

import importlib
import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.data.poems import PoemSplit
from dlcourse.text.characters import EOP_ID, FORM_IDS, CharacterEncoder
from dlcourse.text.ragged import Ragged

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
baseline = importlib.import_module("baseline.kneser_ney")
script = importlib.import_module("poetry_baselines")

V = 6
POEMS = st.lists(st.lists(st.integers(0, V - 1), max_size=9), min_size=1, max_size=8)
Gram = tuple[int, ...]


def counts_of(poems: Sequence[Sequence[int]], *, order: int, highest: int) -> Counter[Gram]:
    """Occurrences in the highest order; below it different tokens before, and occurrences at a beginning."""
    found: Counter[Gram] = Counter()
    before: set[Gram] = set()
    for poem in poems:
        for begin in range(len(poem) - order + 1):
            gram = tuple(poem[begin : begin + order])
            if begin + order - 1 == 0:
                continue  # a first token is given
            if order == highest or begin == 0:
                found[gram] += 1
            elif (poem[begin - 1], *gram) not in before:
                before.add((poem[begin - 1], *gram))
                found[gram] += 1
    return found


def chance(poems: Sequence[Sequence[int]], gram: Gram, *, highest: int, discounts: Sequence[Sequence[float]]) -> float:
    """The recursion as it is written."""
    order = len(gram)
    if order == 0:
        return 1 / V
    counts = counts_of(poems, order=order, highest=highest)
    same = {one: count for one, count in counts.items() if one[:-1] == gram[:-1]}
    lower = chance(poems, gram[1:], highest=highest, discounts=discounts)
    if not same:
        return lower
    taken = [discounts[order - 1][min(count, 3)] for count in same.values()]
    own = counts[gram]
    kept = max(own - discounts[order - 1][min(own, 3)], 0)
    return (kept + sum(taken) * lower) / sum(same.values())


def fit(poems: Sequence[Sequence[int]], *, order: int = 3, **more: Any) -> Any:
    return baseline.KneserNey.fit(Ragged.of(poems), order=order, vocabulary=V, **more)


@given(POEMS, POEMS, st.integers(1, 4), st.booleans())
def test_every_chance_is_that_of_the_recursion(
    poems: list[list[int]], seen: list[list[int]], order: int, modified: bool
) -> None:
    model = fit(poems, order=order, modified=modified)
    discounts = [one.discounts.tolist() for one in model.orders]
    wanted = [
        chance(poems, tuple(poem[max(0, place - order + 1) : place + 1]), highest=order, discounts=discounts)
        for poem in seen
        for place in range(1, len(poem))
    ]
    assert np.exp(model.log_chances(Ragged.of(seen))) == pytest.approx(wanted, rel=1e-9)


@given(POEMS, st.lists(st.integers(0, V - 1), min_size=1, max_size=5), st.integers(1, 4))
def test_the_chances_of_what_may_follow_sum_to_one(poems: list[list[int]], history: list[int], order: int) -> None:
    lengthened = Ragged.of([[*history, token] for token in range(V)])
    last = fit(poems, order=order).log_chances(lengthened).reshape(V, -1)[:, -1]
    assert math.fsum(np.exp(last)) == pytest.approx(1)


def test_a_corpus_by_hand() -> None:
    # Bigrams 0-1 three times, 1-2 twice, 0-2 and 2-1 once: D = 2 / (2 + 2). Before 1 stand two tokens, before 2 two,
    # so order 1 has no count of 1 and takes 0.5 of each.
    model = fit([[0, 1, 2], [0, 1, 2, 1], [0, 2], [0, 1]], order=2, modified=False)
    assert [one.discounts.tolist() for one in model.orders] == [[0, 0.5, 0.5, 0.5]] * 2
    below = (2 - 0.5) / 4 + 2 * 0.5 / 4 / V  # of 1, and of 2
    wanted = [(3 - 0.5) / 4 + 2 * 0.5 / 4 * below, (2 - 0.5) / 2 + 0.5 / 2 * below, below]
    assert np.exp(model.log_chances(Ragged.of([[0, 1], [1, 2], [5, 2]]))) == pytest.approx(wanted)
    # What was never seen has what the discounts leave, down to order 0.
    assert np.exp(model.log_chances(Ragged.of([[0, 3]]))) == pytest.approx([2 * 0.5 / 4 * 2 * 0.5 / 4 / V])


def test_one_discount_is_neys_and_three_are_chen_and_goodmans() -> None:
    counts = np.repeat([1, 2, 3, 4, 7], [10, 5, 4, 3, 2])
    assert baseline.discounts_of(counts, modified=False).tolist() == [0, 0.5, 0.5, 0.5]
    found = baseline.discounts_of(counts, modified=True)
    assert found == pytest.approx([0, 1 - 2 * 0.5 * 5 / 10, 2 - 3 * 0.5 * 4 / 5, 3 - 4 * 0.5 * 3 / 4])


def test_longer_histories_help_where_they_tell_more() -> None:
    poems = [[0, 1, 2, 3] * 4, [0, 2, 1, 3] * 4] * 3
    losses = [-fit(poems, order=order).log_chances(Ragged.of(poems)).mean() for order in (1, 2, 3)]
    assert losses[0] > losses[1] > losses[2]


def test_order_0_is_even_over_what_can_be_predicted() -> None:
    few, all_ = fit([[0, 1]], order=1, predictable=2), fit([[0, 1]], order=1)
    assert np.exp(few.log_chances(Ragged.of([[0, 2]]))) == pytest.approx(0.5 / 2)
    assert np.exp(all_.log_chances(Ragged.of([[0, 2]]))) == pytest.approx(0.5 / V)


def test_unigrams_are_shares_with_one_more_of_each_token() -> None:
    found = baseline.unigram_log_chances(
        Ragged.of([[0, 2, 2], [0, 3], []]), Ragged.of([[0, 2, 4], [], [1]]), vocabulary=V, predictable=5
    )
    assert np.exp(found) == pytest.approx([3 / 8, 1 / 8])


@pytest.mark.parametrize(("order", "vocabulary"), [(0, 10), (5, 10_000)])
def test_orders_out_of_range_are_named(order: int, vocabulary: int) -> None:
    with pytest.raises(ValueError, match="^order"):
        baseline.KneserNey.fit(Ragged.of([[0, 1]]), order=order, vocabulary=vocabulary)


# ---------------------------------------------------------------- the script

ENCODER = CharacterEncoder.build(["一二三四五"] * 3, max_tokens=15, min_freq=1)


def poems(*texts: str) -> PoemSplit:
    ids = [[FORM_IDS["other"], *ENCODER.encode(text), EOP_ID] for text in texts]
    return PoemSplit(Ragged.of(ids), texts=texts, forms=["other"] * len(texts), encoder=ENCODER)


def test_the_same_tokens_are_predicted_and_counted_as_in_a_run() -> None:
    held_out = poems("一二，三。", "四九。")
    found = script.perplexities(poems("一二，三四。", "五，二。"), {"test": held_out}, order=4, modified=True)
    assert list(found) == ["uniform", "unigram", "kneser_ney_4"]
    for stats in found.values():
        # Five characters, one of them unknown, three marks and two ends.
        assert stats["test"].counts.tolist() == [10, 5]
    # Nine tokens can be predicted: five characters, both marks, the end, and the unknown character.
    even = found["uniform"]["test"].summary()
    assert even == pytest.approx({"loss": math.log(9), "perplexity": 9, "perplexity_characters": 9})
    counts = dict(zip("一二三四五，。E?", (1, 2, 1, 1, 1, 2, 2, 2, 0), strict=True))
    losses = [-math.log((counts[token] + 1) / 21) for token in "一二，三。E四?。E"]
    unigram = found["unigram"]["test"].summary()
    assert unigram["perplexity"] == pytest.approx(math.exp(sum(losses) / 10))
    characters = [loss for loss, token in zip(losses, "一二，三。E四?。E", strict=True) if token in "一二三四五?"]
    assert unigram["perplexity_characters"] == pytest.approx(math.exp(sum(characters) / 5))


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Runs the script on the embedded poems; gives its exit code and what it wrote."""
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path / "cache"))

    def run(*words: str) -> tuple[int, dict[str, Any]]:
        result = tmp_path / "found.json"
        code = script.main(["data=poems_toy", f"result={result}", f"runs={tmp_path / 'runs'}", *words])
        return code, json.loads(result.read_text()) if result.exists() else {}

    return run


def test_the_script_measures_every_baseline_and_holds_runs_against_the_last(
    toy: Callable[..., tuple[int, dict[str, Any]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, first = toy()
    baseline = first["baselines"]["kneser_ney_4"]["test"]
    _, parts = script.read_poems(["data=poems_toy"])
    run = tmp_path / "runs" / "poetry_lstm-poems_toy" / "one"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text("")
    (run / "data.json").write_text(json.dumps({"test": {"sha256": parts["test"].fingerprint}}))
    half = {name: number / 2 for name, number in baseline.items()}
    (run / "metrics.jsonl").write_text(json.dumps({"step": 1, "epoch": 1.0, "split": "test", "scalars": half}) + "\n")
    code, written = toy("against=latest")
    assert code == 0
    (compared,) = written["against"].values()
    assert (compared["perplexity_share"], compared["perplexity_characters_share"]) == (0.5, 0.5)
    assert "all tokens: characters, punctuation and the end of the poem" in capsys.readouterr().out
    numbers = [written["baselines"][name]["test"]["perplexity"] for name in ("uniform", "unigram", "kneser_ney_4")]
    assert numbers == sorted(numbers, reverse=True)
    assert written["command"] == "python scripts/poetry_baselines.py data=poems_toy"

    (run / "data.json").write_text(json.dumps({"test": {"sha256": "another"}}))
    assert toy("against=latest")[0] == 2
    assert "tested on other poems or has another vocabulary" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"), [(["order=9"], "order must be 2, 3, 4 or 5"), (["data=digits"], "data: it gives images")]
)
def test_a_wrong_word_is_one_line(
    toy: Callable[..., tuple[int, dict[str, Any]]], words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert toy(*words) == (2, {})
    assert said in capsys.readouterr().err
