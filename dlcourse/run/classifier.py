"""A trained text classifier, read back from its run without its data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from dlcourse.data.text_set import VOCABULARY
from dlcourse.data.texts import TextSplit, Truncate
from dlcourse.errors import CheckpointError, ConfigError, RunError
from dlcourse.folders import RunFolder, find_run
from dlcourse.run.parts import Network, assemble_network
from dlcourse.run.prepare import read_head
from dlcourse.run.verdict import load_best
from dlcourse.tasks.attribution import Attentive
from dlcourse.text.encoders import Encoder, read_encoder


@runtime_checkable
class CutsTexts(Protocol):
    """A data set that says how it shortens its documents."""

    max_length: int | None
    truncate: Truncate


@dataclass(frozen=True)
class Classifier:
    """A model, what turns texts into its ids, and how its run shortens them."""

    folder: RunFolder
    parts: Network
    model: nn.Module
    encoder: Encoder
    classes: tuple[str, ...]

    def split(self, texts: Sequence[str]) -> TextSplit:
        """The texts as documents without labels, shortened as the run does, on its device."""
        data = cast(CutsTexts, self.parts.data)
        return TextSplit(
            documents=self.encoder.encode_all(texts),
            labels=torch.full((len(texts),), -1, dtype=torch.int64),
            classes=self.classes,
            encoder=self.encoder,
            max_length=data.max_length,
            truncate=data.truncate,
        ).to(self.parts.runtime.place)

    def probabilities(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """What the model gives each class, float [B, K] on the CPU, computed as in the run's own test.

        Raises:
            RunError: it gives something that is no number.
        """
        self.model.eval()
        with torch.no_grad(), self.parts.runtime.autocast():
            logits: Tensor = self.model(tokens, lengths)
        found = logits.float().softmax(1).cpu()
        if not bool(found.isfinite().all()):
            raise RunError(f"{self.folder.path}: the model gives no numbers but nan; its training diverged")
        return found


def load_classifier(word: str, *, runs: Path, command: str, device: str | None, allow_code: bool) -> Classifier:
    """The best checkpoint of the run that `word` names, ready to read texts.

    Args:
        word: a path, MODEL-DATA/TIME or a unique end of it, or `latest`.
        runs: the folder of runs.
        command: who asks, for the message.
        device: another device than the run's, or None.
        allow_code: whether modules of the folder where the command runs may be called.

    Raises:
        ConfigError: it is no run of a text classifier.
        CheckpointError: its folder is damaged.
    """
    folder = find_run(word, runs=runs)
    config, choices = read_head(folder)
    if device is not None:
        config["runtime"]["device"] = device
    parts = assemble_network(config, choices=choices, allow_code=allow_code)
    classes = parts.data.facts().get("classes")
    what = f"{word} is {choices.get('model')} on {choices.get('data')}"
    if parts.data.gives != "texts" or not isinstance(parts.data, CutsTexts):
        raise ConfigError(f"{command} is for text runs; {what}")
    if not isinstance(classes, list | tuple) or not isinstance(parts.model, Attentive):
        raise ConfigError(f"{command} is for text runs that classify with attention; {what}")
    encoder = read_vocabulary(folder)
    known = parts.data.facts().get("vocab_size")
    if isinstance(known, int) and encoder.size > known:
        raise CheckpointError(f"{folder.path / VOCABULARY}: has {encoder.size:,} words, and the model knows {known:,}")
    parts.runtime.apply()
    model = load_best(parts, folder.checkpoints / "best.pt")
    names = tuple(str(name) for name in cast(Sequence[object], classes))
    return Classifier(folder, parts, model, encoder, names)


def read_vocabulary(folder: RunFolder) -> Encoder:
    """What turned the run's texts into ids.

    Raises:
        CheckpointError: vocabulary.json is missing or damaged.
    """
    path = folder.path / VOCABULARY
    try:
        return read_encoder(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise CheckpointError(f"{path}: {reason}; without its vocabulary the run cannot read texts") from error
    except CheckpointError as error:
        raise CheckpointError(*(f"{path}: {problem}" for problem in error.problems)) from error
