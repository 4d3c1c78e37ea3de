"""Which of several word scores a model's predictions bear out: the deletion test's means and what follows from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from dlcourse.tasks.attention_verdict import JUDGED, Contest, conclude, contests
from dlcourse.tasks.attribution import (
    Scores,
    attention,
    gradient_x_input,
    integrated_gradients,
    normalised_entropy,
    random_order,
)
from dlcourse.tasks.deletion import SHARES, Deletions, delete_by_each

TITLES: Mapping[str, str] = {
    "attention": "attention",
    "gradient_x_input": "gradient x input",
    "integrated_gradients": "integrated gradients",
    "random": "random",
}
"""Every method of the test by name, as it is shown."""

RESAMPLES = 2000


@dataclass(frozen=True)
class Mean:
    """A mean over documents and the ends of its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """What deleting `share` of the words by `method` does, in parts of 1 (flips: parts of the documents)."""

    method: str
    share: float
    flips: Mean
    comprehensiveness: Mean
    sufficiency: Mean


@dataclass(frozen=True)
class Report:
    """The deletion test of one run, as attribution.json holds it."""

    run: str
    split: str
    documents: int
    seed: int
    entropy: Mean
    rows: tuple[Row, ...]
    contests: tuple[Contest, ...]
    conclusion: str

    def to_plain(self) -> dict[str, Any]:
        """The same in dicts and lists."""
        return asdict(self)

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> Report | None:
        """From what `to_plain` gave; None if it is something else, such as a damaged file or one without a test."""
        try:
            rows = tuple(
                Row(_text(row["method"]), _number(row["share"]), *(_mean(row[name]) for name in MEASURES))
                for row in plain["rows"]
            )
            contests = tuple(
                Contest(
                    _text(one["rival"]),
                    int(_number(one["only_attention"])),
                    int(_number(one["only_rival"])),
                    _number(one["p_value"]),
                )
                for one in plain["contests"]
            )
            texts = {name: _text(plain[name]) for name in ("run", "split", "conclusion")}
            counts = {name: int(_number(plain[name])) for name in ("documents", "seed")}
            return cls(entropy=_mean(plain["entropy"]), rows=rows, contests=contests, **texts, **counts)  # type: ignore[arg-type]
        except (KeyError, TypeError, ValueError):
            return None


MEASURES = ("flips", "comprehensiveness", "sufficiency")


@dataclass(frozen=True)
class Trial:
    """The test of some documents: their attention's normalised entropy (float [N]) and every method's deletions."""

    entropy: Tensor
    deletions: Mapping[str, Deletions]

    @classmethod
    def join(cls, parts: Sequence[Trial]) -> Trial:
        """The documents of all parts, one part after the other."""
        names = parts[0].deletions
        deletions = {name: Deletions.join([part.deletions[name] for part in parts]) for name in names}
        return cls(torch.cat([part.entropy for part in parts]), deletions)


def try_out(model: nn.Module, tokens: Tensor, lengths: Tensor, *, generator: torch.Generator) -> Trial:
    """Delete the words of a batch by every method; the target is the class that each document gets.

    Raises:
        ConfigError: captum is not installed.
    """
    methods: Mapping[str, Scores] = {
        "attention": attention,
        "gradient_x_input": gradient_x_input,
        "integrated_gradients": integrated_gradients,
        "random": partial(random_order, generator=generator),
    }
    model.eval()
    with torch.no_grad():
        target = model(tokens, lengths).argmax(1)
    scores = {name: method(model, tokens, lengths, target=target) for name, method in methods.items()}
    deletions = delete_by_each(model, tokens, lengths, scores=scores, generator=generator)
    return Trial(normalised_entropy(scores["attention"], lengths).cpu(), deletions)


def report(trial: Trial, *, run: str, split: str, seed: int) -> Report:
    """The means with their intervals, and what can be concluded."""
    columns = [trial.entropy]
    places: list[tuple[str, float]] = []
    for method, found in trial.deletions.items():
        for number, share in enumerate(SHARES):
            places.append((method, share))
            columns += [getattr(found, measure)[:, number] for measure in MEASURES]
    entropy, *means = bootstrap(torch.stack([column.double() for column in columns], 1), seed=seed)
    rows = tuple(Row(method, share, *means[3 * place : 3 * place + 3]) for place, (method, share) in enumerate(places))
    rates = {row.method: row.flips.mean for row in rows if row.share == JUDGED}
    place = SHARES.index(JUDGED)
    tested = contests({name: found.flips[:, place].numpy() for name, found in trial.deletions.items()})
    conclusion = conclude(tested, rates=rates, documents=len(trial.entropy), entropy=entropy.mean)
    return Report(run, split, len(trial.entropy), seed, entropy, rows, tested, conclusion)


def bootstrap(values: Tensor, *, seed: int, resamples: int = RESAMPLES) -> list[Mean]:
    """The mean of each column of `values` (float64 [N, M]) and its percentile interval over documents."""
    count = len(values)
    generator = torch.Generator().manual_seed(seed)
    means: list[Tensor] = []
    at_once = max(1, 4_000_000 // count)
    for start in range(0, resamples, at_once):
        draws = torch.randint(count, (min(at_once, resamples - start), count), generator=generator)
        times = torch.zeros(draws.shape, dtype=values.dtype).scatter_add_(1, draws, torch.ones_like(draws).double())
        means.append(times @ values / count)
    ends = torch.cat(means).quantile(torch.tensor([0.025, 0.975], dtype=values.dtype), dim=0)
    return [
        Mean(mean, low, high)
        for mean, low, high in zip(values.mean(0).tolist(), *ends.tolist(), strict=True)
    ]  # fmt: skip


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{value!r} is no number")
    return value


def _mean(value: Mapping[str, object]) -> Mean:
    return Mean(_number(value["mean"]), _number(value["low"]), _number(value["high"]))
