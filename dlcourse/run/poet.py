"""A trained model of poems, read back from its run without its data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from dlcourse.errors import ConfigError, RunError
from dlcourse.folders import RunFolder
from dlcourse.run.parts import Network
from dlcourse.run.reopened import reopen
from dlcourse.tasks.composing import Composition, Writer, compose
from dlcourse.tasks.outlines import Outline, Request, outline
from dlcourse.tasks.poem_samples import as_writer, vocabulary_of
from dlcourse.tasks.sampling import Sampling
from dlcourse.text.characters import CharacterEncoder, read_characters
from dlcourse.verse.judge import Verdict, judge
from dlcourse.verse.scripts import table_for
from dlcourse.verse.table import RhymeTable


@dataclass(frozen=True)
class Poet:
    """A model, what its ids stand for, and the rhyme table in the run's script."""

    folder: RunFolder
    parts: Network
    model: Writer[Any]
    encoder: CharacterEncoder
    table: RhymeTable

    def in_script(self, request: Request) -> tuple[Request, Mapping[str, str]]:
        """The request with its wishes in the run's script, and which characters are written otherwise there."""
        return request.within(vocabulary_of(self.encoder))

    def outline(self, request: Request) -> Outline:
        """What the poems asked for may hold.

        Raises:
            ConfigError: a wish cannot be fulfilled with this run's vocabulary.
        """
        return outline(request, vocabulary_of(self.encoder), table=self.table)

    def write(
        self, within: Outline, *, count: int, seed: int, sampling: Sampling | None = None, best_of: int = 1
    ) -> list[Composition]:
        """Poems, as `compose` writes them, in the run's precision.

        Raises:
            RunError: the model gives something that is no number.
        """
        with self.parts.runtime.autocast():
            poems = compose(self.model, within, count=count, seed=seed, sampling=sampling, best_of=best_of)
        if not all(math.isfinite(poem.log_prob) for poem in poems):
            raise RunError(f"{self.folder.path}: the model gives no numbers but nan; its training diverged")
        return poems

    def judge(self, lines: Sequence[str], *, form: str, strict: bool) -> Verdict:
        """Which rules these lines keep."""
        return judge(lines, form=form, table=self.table, strict=strict)

    def doubtful(self, lines: Sequence[str]) -> str:
        """The ends of these lines that have readings of both tones, which strict rules forbid; each once."""
        ends = dict.fromkeys(line[-1] for line in lines if line)
        return "".join(end for end in ends if len(self.table.level(end)) > 1)


def load_poet(word: str, *, runs: Path, command: str, device: str | None, allow_code: bool) -> Poet:
    """The best checkpoint of the run that `word` names, ready to write poems.

    Args:
        word: a path, MODEL-DATA/TIME or a unique end of it, or `latest`.
        runs: the folder of runs.
        command: who asks, for the message.
        device: another device than the run's, or None.
        allow_code: whether modules of the folder where the command runs may be called.

    Raises:
        ConfigError: it is no run of poems, or the rhyme table is not installed.
        CheckpointError: its folder is damaged.
    """
    run = reopen(word, runs=runs, device=device, allow_code=allow_code)
    # What it learned is looked at first: the data set of another run might not even be built here.
    if run.gives != "poems" or as_writer(run.parts.model) is None:
        raise ConfigError(f"{command} is for runs that learned poems; {word} is {run.what}")
    encoder = run.vocabulary(read_characters, holds="tokens", uses="write poems")
    # Own poems (data=lines) do not say which script they are in, but their characters do.
    table = table_for(vocabulary_of(encoder))
    return Poet(run.folder, run.parts, cast(Writer[Any], run.best()), encoder, table)
