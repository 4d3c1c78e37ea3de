"""Start from the weights of another run: whatever has the same name and shape, or rows of the same words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from dlcourse.data.base import Split
from dlcourse.data.text_set import VOCABULARY
from dlcourse.errors import ConfigError
from dlcourse.folders import RunFolder, find_run
from dlcourse.training import checkpoint as checkpoints
from dlcourse.training.starts.token_rows import Pairs, Vocabulary, bound_to_words, pair_rows, read_vocabulary
from dlcourse.training.state import is_plain


@runtime_checkable
class HasEncoder(Protocol):
    """A split of texts."""

    @property
    def encoder(self) -> Vocabulary:
        """What made its ids."""
        ...


def from_run(
    model: nn.Module,
    train: Split[Any],
    generator: torch.Generator,
    *,
    run: str,
    runs: str,
    checkpoint: Literal["best", "last"] = "best",
) -> str:
    """Copy every tensor that both models have under the same name in the same shape; gives what was copied.

    Of a table with a row for each token of a vocabulary the rows are copied token by token where that run's vocabulary,
    or its size of the table, is another; tokens that it does not know stay as they began. The averaged weights are
    taken if that run kept any.

    Args:
        model: what is started.
        train: its training split.
        generator: not drawn from.
        run: the run to start from: a path, MODEL-DATA/TIME or a unique end of it, or latest.
        runs: the folder of run folders that `run` is looked for in; null is this run's own.
        checkpoint: its best checkpoint by validation, or its last.

    Raises:
        RunError: there is no such run.
        CheckpointError: its checkpoint or its vocabulary is missing or damaged.
        ConfigError: nothing fits, or its vocabulary is not there or knows fewer than half of this run's tokens.
    """
    folder = find_run(run, runs=Path(runs).expanduser())
    saved = checkpoints.load(folder.checkpoints / f"{checkpoint}.pt")
    weights: Mapping[str, Any] = saved["ema"] or saved["model"]
    own = model.state_dict()
    fitting = {name: weights[name] for name, value in own.items() if fits(weights.get(name), value)}
    tables: Weights = {}
    pairs = None
    if isinstance(train, HasEncoder):
        fitting, tables, pairs = by_words(model, weights, fitting, encoder=train.encoder, folder=folder)
    if not fitting and not tables:
        raise ConfigError(
            f"init.run: nothing of {folder.path} fits this model: it has {some(described(weights))}; "
            f"the model has {some(described(own))}"
        )
    with torch.no_grad():
        for name, value in fitting.items():
            own[name].copy_(value)
        if pairs is not None:
            for name, value in tables.items():
                ours = pairs.ours.to(own[name].device)
                own[name][ours] = value[pairs.theirs].to(own[name].device)
    rest = [name for name in own if name not in fitting and name not in tables]
    missing = f"; not {some(rest)}" if rest else ""
    matched = f"; of {some(tables)} only the rows of {pairs.known:,} of {pairs.total:,} words" if pairs else ""
    count = len(fitting) + len(tables)
    return f"{count} of {len(own)} tensors from step {saved['step']} of {folder.path}{matched}{missing}"


Weights = dict[str, Any]


def by_words(
    model: nn.Module, weights: Mapping[str, Any], fitting: Weights, *, encoder: Vocabulary, folder: RunFolder
) -> tuple[Weights, Weights, Pairs | None]:
    """Of a model for texts: what is copied whole, what row by row, and which rows.

    All that fits is copied whole if both runs' ids mean the same words; then only a table of another size goes by rows.
    """
    bound = bound_to_words(model, weights, size=encoder.size)
    whole = [name for name in (*bound.tables, *bound.others) if name in fitting]
    path = folder.path / VOCABULARY
    kept = read_vocabulary(path) if whole or bound.tables else None
    if kept is None and whole:
        raise ConfigError(f"init.run: {folder.path} has no {VOCABULARY}, so {whole[0]} cannot be used")
    if kept is None:
        return fitting, {}, None
    apart = set() if kept == encoder.to_json().strip() else {*bound.tables, *bound.others}
    copied = {name: value for name, value in fitting.items() if name not in apart}
    by_rows = {name: weights[name] for name in bound.tables if name not in copied}
    if not apart and not by_rows:
        return copied, {}, None
    pairs = pair_rows(encoder, kept, rows=bound.their_rows, path=path)
    return copied, by_rows, pairs if by_rows else None


def fits(value: object, own: Tensor) -> bool:
    """Whether a checkpoint's value can take the place of a model's own tensor."""
    return isinstance(value, Tensor) and is_plain(value) and value.shape == own.shape and value.dtype == own.dtype


def described(weights: Mapping[str, Any]) -> list[str]:
    """Each tensor's name and shape."""
    return [f"{name} {list(value.shape)}" for name, value in weights.items() if isinstance(value, Tensor)]


def some(names: Iterable[str], *, most: int = 3) -> str:
    """The first few names, and how many more there are."""
    kept = list(names)
    more = f" and {len(kept) - most} more" if len(kept) > most else ""
    return (", ".join(kept[:most]) or "no tensors") + more
