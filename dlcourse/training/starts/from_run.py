"""Start from the weights of another run: whatever has the same name and shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from dlcourse.data.base import Split
from dlcourse.errors import CheckpointError, ConfigError
from dlcourse.folders import RunFolder, find_run
from dlcourse.training import checkpoint as checkpoints
from dlcourse.training.state import is_plain

VOCABULARY = "vocabulary.json"
OF_WORDS = {"embedding", "wide"}
"""Parts of a model whose rows belong to words: worth nothing under other words."""


class HasVocabulary(Protocol):
    """What made the ids of a text."""

    def to_json(self) -> str:
        """All of it, in one text."""
        ...


@runtime_checkable
class HasEncoder(Protocol):
    """A split of texts."""

    @property
    def encoder(self) -> HasVocabulary:
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

    The averaged weights are taken if that run kept any.

    Args:
        model: what is started.
        train: its training split.
        generator: not drawn from.
        run: the run to start from: a path, MODEL-DATA/TIME or a unique end of it, or latest.
        runs: the folder of run folders that `run` is looked for in; null is this run's own.
        checkpoint: its best checkpoint by validation, or its last.

    Raises:
        RunError: there is no such run.
        CheckpointError: its checkpoint is missing or damaged.
        ConfigError: nothing fits, or words would get the embeddings of others.
    """
    folder = find_run(run, runs=Path(runs).expanduser())
    saved = checkpoints.load(folder.checkpoints / f"{checkpoint}.pt")
    weights: Mapping[str, Any] = saved["ema"] or saved["model"]
    own = model.state_dict()
    fitting = {name: weights[name] for name, value in own.items() if fits(weights.get(name), value)}
    if not fitting:
        raise ConfigError(
            f"init.run: nothing of {folder.path} fits this model: it has {some(described(weights))}; "
            f"the model has {some(described(own))}"
        )
    of_words = [name for name in fitting if not OF_WORDS.isdisjoint(name.split("."))]
    if of_words and isinstance(train, HasEncoder):
        check_words(folder, train, about=of_words[0])
    with torch.no_grad():
        for name, value in fitting.items():
            own[name].copy_(value)
    rest = [name for name in own if name not in fitting]
    missing = f"; not {some(rest)}" if rest else ""
    return f"{len(fitting)} of {len(own)} tensors from step {saved['step']} of {folder.path}{missing}"


def fits(value: object, own: Tensor) -> bool:
    """Whether a checkpoint's value can take the place of a model's own tensor."""
    return isinstance(value, Tensor) and is_plain(value) and value.shape == own.shape and value.dtype == own.dtype


def check_words(folder: RunFolder, train: HasEncoder, *, about: str) -> None:
    """Raise ConfigError unless the run's ids mean the words that this data's ids mean."""
    path = folder.path / VOCABULARY
    try:
        theirs = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"init.run: {folder.path} has no {VOCABULARY}, so {about} cannot be used") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from error
    if theirs.strip() != train.encoder.to_json().strip():
        raise ConfigError(
            f"init.run: the vocabulary of {folder.path} is another one, so {about} would give words the weights of "
            "others; use the same data settings (max_tokens, min_freq, tokenizer, val_fraction, split_seed)"
        )


def described(weights: Mapping[str, Any]) -> list[str]:
    """Each tensor's name and shape."""
    return [f"{name} {list(value.shape)}" for name, value in weights.items() if isinstance(value, Tensor)]


def some(names: Iterable[str], *, most: int = 3) -> str:
    """The first few names, and how many more there are."""
    kept = list(names)
    more = f" and {len(kept) - most} more" if len(kept) > most else ""
    return (", ".join(kept[:most]) or "no tensors") + more
