"""What a docstring says of one argument: the sentence in its Google-style `Args:` section."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

ENTRY = re.compile(r"(\w+)(?: \([^)]*\))?: (.*)")


def argument_docs(callee: Any) -> Mapping[str, str]:
    """Argument -> its sentence, from the docstring of a function, of a class or of its constructor."""
    sources = [callee, callee.__init__] if inspect.isclass(callee) else [callee]
    found: dict[str, str] = {}
    for source in sources:
        for name, text in _entries(inspect.getdoc(source) or ""):
            found.setdefault(name, text)
    return found


def _entries(doc: str) -> list[tuple[str, str]]:
    """The entries of the `Args:` section; lines that are indented further go on with the one before."""
    found: list[tuple[str, str]] = []
    inside, margin = False, 0
    for line in doc.splitlines():
        indent = len(line) - len(line.lstrip())
        if line.strip() == "Args:":
            inside, margin = True, indent
        elif inside and line.strip() and indent <= margin:
            inside = False
        elif inside and (entry := ENTRY.fullmatch(line.strip())) and indent <= margin + 4:
            found.append((entry[1], entry[2]))
        elif inside and line.strip() and found:
            name, text = found.pop()
            found.append((name, f"{text} {line.strip()}"))
    return found
