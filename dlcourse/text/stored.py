"""How an encoder is written down as JSON, and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from dlcourse.errors import CheckpointError

FORMAT = "dlcourse vocabulary 1"


def written(kind: str, parts: Mapping[str, object]) -> str:
    """JSON that says what it is; always UTF-8, though a token may hold half a character (a lone surrogate)."""
    text = json.dumps({"format": FORMAT, "kind": kind, **parts}, ensure_ascii=False, indent=0)
    # A backslash escape of a surrogate is also its escape in JSON.
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


def read_back(text: str) -> Mapping[str, object]:
    """The parts that were written, `kind` among them.

    Raises:
        CheckpointError: the text is damaged or something else.
    """
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise unreadable(f"it is not JSON: {error}") from error
    if not isinstance(plain, dict) or cast(dict[str, object], plain).get("format") != FORMAT:
        raise unreadable(f"it is not of the format '{FORMAT}'")
    return cast(dict[str, object], plain)


def read_tokens(parts: Mapping[str, object]) -> list[str]:
    """The list of tokens among the parts; ValueError if there is none."""
    tokens = parts.get("tokens")
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in cast(list[object], tokens)):
        raise ValueError("its tokens are not a list of strings")
    return cast(list[str], tokens)


def unreadable(why: str) -> CheckpointError:
    """The error that a vocabulary which cannot be used ends in."""
    return CheckpointError(f"the vocabulary cannot be used: {why}; copy it anew from where the run was trained")
