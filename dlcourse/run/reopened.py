"""A finished run, opened again to use its network, without its data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar

from torch import nn

from dlcourse.config.targets import resolve
from dlcourse.data.text_set import VOCABULARY
from dlcourse.errors import CheckpointError
from dlcourse.folders import RunFolder, find_run
from dlcourse.run.parts import Network, assemble_network
from dlcourse.run.prepare import read_head
from dlcourse.run.verdict import load_best


class Sized(Protocol):
    """What turns texts into ids."""

    @property
    def size(self) -> int:
        """All ids lie below it."""
        ...


E = TypeVar("E", bound=Sized)


@dataclass(frozen=True)
class Reopened:
    """The folder of a run, what it was started with, and the parts that its network is read with.

    Args:
        folder: of the run.
        config: group -> call, and the settings that belong to no group.
        choices: the options that it chose.
        allow_code: whether modules of the folder where the command runs may be called.
    """

    folder: RunFolder
    config: Mapping[str, Any]
    choices: Mapping[str, str | None]
    allow_code: bool

    @cached_property
    def parts(self) -> Network:
        """Built when first asked for, since a data set may look for its files then.

        Raises:
            ConfigError: they cannot be built here.
        """
        return assemble_network(self.config, choices=self.choices, allow_code=self.allow_code)

    @property
    def gives(self) -> str | None:
        """The kind of batch that it learned from, such as "images", known from the class of its data set alone.

        Raises:
            ConfigError: there is no such class here, or it may not be called.
        """
        return getattr(
            resolve(self.config["data"].get("_target_"), at="data", allow_code=self.allow_code), "gives", None
        )

    @property
    def what(self) -> str:
        """Model and data, such as "resnet18 on digits"."""
        return f"{self.choices.get('model')} on {self.choices.get('data')}"

    def best(self) -> nn.Module:
        """The model with the weights of the best checkpoint, on the run's device."""
        self.parts.runtime.apply()
        return load_best(self.parts, self.folder.checkpoints / "best.pt")

    def vocabulary(self, read: Callable[[str], E], *, holds: str, uses: str) -> E:
        """What made the run's ids, as the run keeps it.

        Args:
            read: makes it from the file's text.
            holds: what its entries are called, such as "words".
            uses: what cannot be done without it, such as "read texts".

        Raises:
            CheckpointError: vocabulary.json is missing or damaged, or has more entries than the model knows.
        """
        path = self.folder.path / VOCABULARY
        try:
            encoder = read(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise CheckpointError(f"{path}: {reason}; without its vocabulary the run cannot {uses}") from error
        except CheckpointError as error:
            raise CheckpointError(*(f"{path}: {problem}" for problem in error.problems)) from error
        known = self.parts.data.facts().get("vocab_size")
        if isinstance(known, int) and encoder.size > known:
            raise CheckpointError(f"{path}: has {encoder.size:,} {holds}, and the model knows {known:,}")
        return encoder


def reopen(
    word: str, *, runs: Path, device: str | None = None, threads: int | None = None, allow_code: bool = False
) -> Reopened:
    """The run that `word` names.

    Args:
        word: a path, MODEL-DATA/TIME or a unique end or beginning of it, or `latest`.
        runs: the folder of runs.
        device: another device than the run's, or None.
        threads: of the CPU, another number than the run's, or None.
        allow_code: whether modules of the folder where the command runs may be called.

    Raises:
        RunError: there is no such run.
        CheckpointError: its config is damaged.
    """
    folder = find_run(word, runs=runs)
    config, choices = read_head(folder)
    if device is not None:
        config["runtime"]["device"] = device
    if threads is not None:
        config["runtime"]["threads"] = threads
    return Reopened(folder, config, choices, allow_code)
