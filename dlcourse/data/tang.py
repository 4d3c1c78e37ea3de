"""The Complete Tang Poems (全唐詩) of the chinese-poetry collection: cleaned, none twice, split by poem."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from dlcourse.data.cache import Arrays, cached
from dlcourse.data.poem_cleaning import Poem
from dlcourse.data.poem_selection import Selection, select
from dlcourse.data.poem_set import PoemSet
from dlcourse.data.roots import checked_root
from dlcourse.data.tang_files import PUBLISHED, TangFiles, find, read_files
from dlcourse.errors import ConfigError
from dlcourse.text.characters import OTHER

_FORMAT = 1
"""Of what the cache keeps, and of the rules of cleaning; a higher number makes every entry anew."""

Script = Literal["traditional", "simplified"]
Forms = Literal["all", "regulated"]

SCRIPTS: Mapping[str, str | None] = {"traditional": None, "simplified": "t2s"}
"""Which conversion of OpenCC makes a script of the published one."""
FORMS: Mapping[str, Callable[[Poem], bool]] = {"all": lambda poem: True, "regulated": lambda poem: poem.form != OTHER}
"""Which poems are taken."""


class Tang(PoemSet):
    """57,607 Tang poems, of which 53,122 are whole and no variants or parts of others.

    Poems are cleaned, and repeated ones and near duplicates removed, before they are split; each form keeps its share
    in every split. Validation and test are the same poems in both scripts.

    Args:
        root: The folder that holds chinese-poetry, or that folder or its 全唐诗 itself; `~` is expanded.
        download: Whether a missing set is fetched from its publisher (85 MB) into `root`.
        script: traditional (as published) or simplified (by OpenCC), where many characters have several readings.
        forms: all poems, or regulated: those of the four forms alone.
        val_fraction: Share of each form's other poems that is held out for validation.
        test_fraction: Share of each form that is the test split; it never moves.
        split_seed: Names the validation cut.
        fold: Validates on this part of so many instead, such as 2/5; null holds out val_fraction.
        max_tokens: Most entries of the vocabulary, the ten for forms, ends, punctuation and the like included.
        min_freq: How often a character must occur in the training poems to get an entry of its own.
        max_length: Most tokens of a poem; a longer one is cut into pieces behind a line, where possible a couplet.
        bucket: Whether a training batch holds poems of similar length, which saves time.
        stream: Whether an epoch of training is one long row of all poems, cut into rows of `window`.
        window: Predicted tokens of a row of the stream.
    """

    def __init__(
        self,
        *,
        root: str = "data",
        download: bool = True,
        script: Script = "traditional",
        forms: Forms = "all",
        val_fraction: float = 0.05,
        test_fraction: float = 0.05,
        split_seed: int = 0,
        fold: str | None = None,
        max_tokens: int = 8000,
        min_freq: int = 2,
        max_length: int = 128,
        bucket: bool = True,
        stream: bool = False,
        window: int = 128,
    ) -> None:
        super().__init__(
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            split_seed=split_seed,
            fold=fold,
            max_tokens=max_tokens,
            min_freq=min_freq,
            max_length=max_length,
            bucket=bucket,
            stream=stream,
            window=window,
        )
        if script not in SCRIPTS:
            raise ValueError(f"script must be one of {', '.join(SCRIPTS)}, not {script!r}")
        if forms not in FORMS:
            raise ValueError(f"forms must be one of {', '.join(FORMS)}, not {forms!r}")
        self.root = checked_root(root)
        self.download = download
        self.script = script
        self.forms = forms

    def read(self) -> Sequence[Poem]:
        """The poems in the order of the collection, cleaned once and kept in the cache."""
        conversion = SCRIPTS[self.script]
        convert = None if conversion is None else converter(conversion)  # before anything is downloaded or read
        files = read_files(find(self.root, download=self.download))
        selection = _selected(files)
        self._notes = [*_revision_notes(files), *selection.notes()]
        poems = [poem for poem in selection.poems if FORMS[self.forms](poem)]
        return poems if convert is None else converted(poems, convert=convert)


def converter(conversion: str) -> Callable[[str], str]:
    """OpenCC's conversion of that name.

    Raises:
        ConfigError: OpenCC is not installed.
    """
    try:
        import opencc
    except ImportError as error:
        raise ConfigError(
            "data.script=simplified needs OpenCC, which is not installed; "
            'pip install "dlcourse[poetry]", or choose data.script=traditional'
        ) from error
    known: Any = opencc.OpenCC(conversion)
    return known.convert


def converted(poems: Sequence[Poem], *, convert: Callable[[str], str]) -> list[Poem]:
    """The same poems in another script, titles included."""
    texts = convert("\n".join(poem.text for poem in poems)).split("\n")
    titles = convert("\n".join(" ".join(poem.title.split()) for poem in poems)).split("\n")
    return [replace(poem, text=text, title=title) for poem, text, title in zip(poems, texts, titles, strict=True)]


def _selected(files: TangFiles) -> Selection:
    key = hashlib.sha256(repr((_FORMAT, files.digest)).encode())

    def make() -> Arrays:
        return {"selection": np.frombuffer(select(files.texts()).to_json().encode(), dtype=np.uint8)}

    return Selection.of_json(cached(f"tang-{key.hexdigest()[:40]}", make)["selection"].tobytes().decode())


def _revision_notes(files: TangFiles) -> list[str]:
    """A line if numbers may not compare with those of the published files."""
    if files.digest == PUBLISHED:
        return []
    return [f"{files.folder} holds other files than chinese-poetry 2.0.1 (SHA-256 {files.digest[:16]}...)"]
