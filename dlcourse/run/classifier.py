"""A trained text classifier, read back from its run without its data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from dlcourse.data.texts import TextSplit, Truncate
from dlcourse.errors import ConfigError, RunError
from dlcourse.folders import RunFolder
from dlcourse.run.parts import Network
from dlcourse.run.reopened import reopen
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
    run = reopen(word, runs=runs, device=device, allow_code=allow_code)
    classes, what = run.parts.data.facts().get("classes"), f"{word} is {run.what}"
    if run.parts.data.gives != "texts" or not isinstance(run.parts.data, CutsTexts):
        raise ConfigError(f"{command} is for text runs; {what}")
    if not isinstance(classes, list | tuple) or not isinstance(run.parts.model, Attentive):
        raise ConfigError(f"{command} is for text runs that classify with attention; {what}")
    encoder = run.vocabulary(read_encoder, holds="words", uses="read texts")
    names = tuple(str(name) for name in cast(Sequence[object], classes))
    return Classifier(run.folder, run.parts, run.best(), encoder, names)
