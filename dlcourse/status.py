"""What a run's status.json says of time: how long processes have worked on it, over all its lives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any


def worked(status: Mapping[str, Any], *, until: datetime) -> float:
    """Seconds that processes have worked on a run, as its status.json tells them.

    Args:
        status: what status.json says: of a run that has ended all its seconds, of one that is running those of the
            processes before.
        until: with a zone; how long the process that is running, or was killed, is known to have worked.
    """
    seconds, started = status.get("seconds"), parse_moment(status.get("started"))
    known = float(seconds) if isinstance(seconds, int | float) and 0 <= seconds < math.inf else None
    if status.get("state") == "running":
        return (known or 0.0) + (max(0.0, (until - started).total_seconds()) if started else 0.0)
    changed = parse_moment(status.get("changed"))
    if known is None and started and changed:  # version 0.1 counted no seconds
        known = max(0.0, (changed - started).total_seconds())
    return known or 0.0


def parse_moment(text: object) -> datetime | None:
    """A moment as status.json writes it, with a zone; None if it is none."""
    try:
        return datetime.fromisoformat(str(text)).astimezone()
    except (ValueError, OverflowError, OSError):
        return None
