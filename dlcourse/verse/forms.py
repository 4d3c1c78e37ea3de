"""The four forms of regulated verse: quatrains and eight-line poems of five or seven characters a line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dlcourse.errors import ConfigError, suggestion

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
"""Chinese characters: the unified ideographs of Unicode and their extensions; no punctuation, no gap signs."""


@dataclass(frozen=True)
class Form:
    """How many lines of how many characters."""

    name: str
    lines: int
    length: int

    @property
    def positions(self) -> int:
        """Characters of the whole poem."""
        return self.lines * self.length


FORMS: Mapping[str, Form] = {
    form.name: form for form in (Form("5jue", 4, 5), Form("7jue", 4, 7), Form("5lv", 8, 5), Form("7lv", 8, 7))
}


def form_named(name: str) -> Form:
    """The form of this name.

    Raises:
        ConfigError: there is no such form.
    """
    if name not in FORMS:
        raise ConfigError(f"form={name}: there is no such form{suggestion(name, FORMS)}")
    return FORMS[name]


def recognise(lines: Sequence[str]) -> str | None:
    """The name of the form that these lines have, None if none.

    Args:
        lines: without punctuation; a line with anything but Chinese characters has no form.
    """
    lengths = {len(line) for line in lines}
    if not all(HAN.fullmatch(line) for line in lines):
        return None
    return next((form.name for form in FORMS.values() if form.lines == len(lines) and {form.length} == lengths), None)
