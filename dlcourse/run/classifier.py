"""A trained text classifier, read back from its run without its data."""

from __future__ import annotations

import math
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


class Calibrated(nn.Module):
    """A classifier with attention whose logits are divided by a temperature, so nats are those of the new odds."""

    def __init__(self, model: nn.Module, *, temperature: float) -> None:
        super().__init__()
        self.model, self.temperature = model, temperature

    def forward(self, tokens: Tensor, lengths: Tensor, *, presence: Tensor | None = None) -> Tensor:
        """Logits, float32 [B, K]; the arguments are the model's."""
        given = {} if presence is None else {"presence": presence}
        logits: Tensor = self.model(tokens, lengths, **given)
        return logits.float() / self.temperature

    def attention(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """The model's own, float [B, T], which no temperature changes."""
        return cast(Attentive, self.model).attention(tokens, lengths)


@dataclass(frozen=True)
class Classifier:
    """A model, what turns texts into its ids, and how its run shortens them.

    Args:
        folder: of the run.
        parts: what the run's config names.
        model: gives logits, divided by the temperature if there is one.
        encoder: turns texts into ids.
        classes: their names.
        temperature: what the logits are divided by; None leaves them as they are.
    """

    folder: RunFolder
    parts: Network
    model: nn.Module
    encoder: Encoder
    classes: tuple[str, ...]
    temperature: float | None = None

    @property
    def name(self) -> str:
        """<model>-<data>/<time>."""
        return f"{self.folder.path.parent.name}/{self.folder.path.name}"

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
        """What the model gives each class, float64 [B, K] on the CPU, its logits computed as in the run's own test.

        Raises:
            RunError: it gives something that is no number.
        """
        self.model.eval()
        with torch.no_grad(), self.parts.runtime.autocast():
            logits: Tensor = self.model(tokens, lengths)
        found = logits.float().cpu().double().softmax(1)  # in float32 what is all but certain becomes 1
        if not bool(found.isfinite().all()):
            raise RunError(f"{self.folder.path}: the model gives no numbers but nan; its training diverged")
        return found


def load_classifier(
    word: str, *, runs: Path, command: str, device: str | None, allow_code: bool, calibrated: bool
) -> Classifier:
    """The best checkpoint of the run that `word` names, ready to read texts.

    Args:
        word: a path, MODEL-DATA/TIME or a unique end of it, or `latest`.
        runs: the folder of runs.
        command: who asks, for the message.
        device: another device than the run's, or None.
        allow_code: whether modules of the folder where the command runs may be called.
        calibrated: whether logits are divided by the temperature that the run fitted on validation, if it has one.

    Raises:
        ConfigError: it is no run of a text classifier.
        CheckpointError: its folder is damaged.
    """
    run = reopen(word, runs=runs, device=device, allow_code=allow_code)
    classes, what = run.parts.data.facts().get("classes"), f"{word} is {run.what}"
    if run.gives != "texts" or not isinstance(run.parts.data, CutsTexts):
        raise ConfigError(f"{command} is for text runs; {what}")
    if not isinstance(classes, list | tuple) or not isinstance(run.parts.model, Attentive):
        raise ConfigError(f"{command} is for text runs that classify with attention; {what}")
    encoder = run.vocabulary(read_encoder, holds="words", uses="read texts")
    names = tuple(str(name) for name in cast(Sequence[object], classes))
    temperature = fitted_temperature(run.folder) if calibrated else None
    model = run.best() if temperature is None else Calibrated(run.best(), temperature=temperature)
    return Classifier(run.folder, run.parts, model, encoder, names, temperature)


def fitted_temperature(folder: RunFolder) -> float | None:
    """What divides the logits so that validation's probabilities are honest; None if the run's last test has none."""
    tests = [record["scalars"] for record in folder.records() if record["split"] == "test"]
    found = tests[-1].get("temperature") if tests else None
    return float(found) if found is not None and math.isfinite(found) and found > 0 else None
