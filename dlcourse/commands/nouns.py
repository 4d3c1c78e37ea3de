"""How commands count in words."""

from __future__ import annotations


def counted(count: int | str, noun: str) -> str:
    """A number with its noun: 1 thread, 2 threads."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
