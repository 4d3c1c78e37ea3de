"""One's own poems: a text file with a poem a line, or with blank lines between the poems."""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Sequence
from pathlib import Path

from dlcourse.data.poem_cleaning import Poem
from dlcourse.data.poem_selection import select
from dlcourse.data.poem_set import PoemSet
from dlcourse.errors import DataError
from dlcourse.verse.forms import HAN

WANTED = "write one poem a line, ，。 behind its verses, or put blank lines between poems"


class Lines(PoemSet):
    """Poems of Chinese characters from a UTF-8 text file, without titles.

    If a blank line stands anywhere between poems, each poem may take several lines, and their ends are the ends of
    verses; else each line is a poem, whose verses end with ，。 or the like. They are cleaned as `data=tang` is:
    notes, damaged poems, repeated ones and near duplicates are left out.

    Args:
        path: The file; `~` is expanded.
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
        path: str | None = None,
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
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
        if not path or "\0" in path:
            raise ValueError("path must name your file: data.path=FILE.txt, a poem a line or blank lines between poems")
        try:
            self.path = Path(path).expanduser()
        except RuntimeError:
            raise ValueError(f"path names a home folder that is not known: {path!r}") from None

    def read(self) -> Sequence[Poem]:
        """The poems in the order of the file."""
        text = decoded(self._content(), path=self.path)
        printed = poems_of(text)
        if not printed:
            raise DataError(f"{self.path}: is empty: {WANTED}")
        if not HAN.search(text):
            raise DataError(f"{self.path}: no line of it has Chinese characters: {WANTED}")
        selection = select((poem, "") for poem in printed)
        self._notes = [f"{self.path}: {note}" for note in selection.notes()]
        if not selection.poems:
            raise DataError(*self._notes, f"{self.path}: holds no whole poem of Chinese characters: {WANTED}")
        return selection.poems

    def _content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error.strerror}): give data.path=FILE.txt") from None


def decoded(content: bytes, *, path: Path) -> str:
    """The text of a file in UTF-8, with a byte order mark or without.

    Raises:
        DataError: it is in another encoding.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        known = "utf-16" if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "gbk"
        raise DataError(f"{path}: not UTF-8; convert it, e.g. iconv -f {known} -t utf-8 OLD.txt > NEW.txt") from None


def poems_of(text: str) -> list[str]:
    """The poems of a file: its blocks, line breaks inside them, if there are blank lines, else its lines."""
    lines = [line.strip() for line in text.strip().splitlines()]
    if "" not in lines:
        return [line for line in lines if line]
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line:
            blocks[-1].append(line)
        else:
            blocks.append([])
    return ["\n".join(block) for block in blocks if block]
