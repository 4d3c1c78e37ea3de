"""How an encoder is written down as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping

FORMAT = "dlcourse vocabulary 1"


def written(kind: str, parts: Mapping[str, object]) -> str:
    """JSON that says what it is; always UTF-8, though a token may hold half a character (a lone surrogate)."""
    text = json.dumps({"format": FORMAT, "kind": kind, **parts}, ensure_ascii=False, indent=0)
    # A backslash escape of a surrogate is also its escape in JSON.
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"
