"""Which poems of a collection are learnt from: whole ones, each once, no two of them nearly the same."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from dlcourse.data.near_duplicates import near_duplicates
from dlcourse.data.poem_cleaning import Fault, Poem, clean


@dataclass(frozen=True)
class Selection:
    """What is left of a collection, and why the rest is not.

    Args:
        poems: in the order of the collection.
        faulty: how many texts were turned away for each kind of fault, by its name.
        repeated: how many poems have the same characters as an earlier one.
        near: how many of the others are variants or parts of one that is kept.
    """

    poems: Sequence[Poem]
    faulty: Mapping[str, int]
    repeated: int
    near: int

    @property
    def total(self) -> int:
        """Texts in the collection."""
        return len(self.poems) + sum(self.faulty.values()) + self.repeated + self.near

    def notes(self) -> list[str]:
        """A line if anything was left out."""
        reasons = [f"{count:,} {Fault[name].value}" for name, count in self.faulty.items() if count]
        reasons += [f"{self.repeated:,} that repeat another"] if self.repeated else []
        reasons += [f"{self.near:,} near duplicates of another"] if self.near else []
        if not reasons:
            return []
        kept = f"{len(self.poems):,} of {self.total:,} poems are kept"
        return [f"{kept}; left out before splitting: {', '.join(reasons)}"]

    def to_json(self) -> str:
        """For `of_json`."""
        poems = [[poem.text, poem.title] for poem in self.poems]
        left_out = {"faulty": dict(self.faulty), "repeated": self.repeated, "near": self.near}
        return json.dumps({"poems": poems, **left_out}, ensure_ascii=False)

    @classmethod
    def of_json(cls, text: str) -> Self:
        """What `to_json` wrote."""
        parts = json.loads(text)
        poems = [Poem(text, title) for text, title in parts["poems"]]
        return cls(poems, parts["faulty"], parts["repeated"], parts["near"])


def select(texts: Iterable[tuple[str, str]]) -> Selection:
    """The poems to learn from; of repeated ones the first is kept, of near duplicates the longest.

    Args:
        texts: (as printed, title) of each.
    """
    cleaned = [clean(text, title=title) for text, title in texts]
    faults = Counter(one.name for one in cleaned if isinstance(one, Fault))
    whole = [one for one in cleaned if isinstance(one, Poem)]
    different: dict[str, Poem] = {}
    for poem in whole:
        different.setdefault("".join(poem.lines), poem)
    near = near_duplicates(list(different))
    poems = [poem for poem, drop in zip(different.values(), near, strict=True) if not drop]
    return Selection(
        poems,
        {fault.name: faults[fault.name] for fault in Fault},
        len(whole) - len(different),
        len(different) - len(poems),
    )
