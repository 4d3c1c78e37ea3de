"""What the system says of main memory: held by this process, free for it; control groups (containers) included."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
SELF = Path("/proc/self")


def held() -> int:
    """Bytes of main memory that this process holds now; 0 where the system does not tell."""
    try:
        pages = int((SELF / "statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):  # no Linux
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def free() -> int | None:
    """Bytes that can be had without swapping and without being killed for it; None where the system does not tell."""
    from dlcourse.data.decode import free_memory

    found = [free_memory(), *_left_in_groups()]
    return min((one for one in found if one is not None), default=None)


def restart_peak() -> None:
    """Let the peak that the system counts begin anew at what is held now, where it can (Linux)."""
    with suppress(OSError):
        (SELF / "clear_refs").write_text("5", encoding="ascii")


def _left_in_groups() -> Iterator[int]:
    """What each control group (version 2) that this process is in leaves of its limit."""
    try:
        lines = (SELF / "cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), None)
    if own is None:
        return
    path = GROUPS / own
    for group in (path, *path.parents):
        if not group.is_relative_to(GROUPS):
            return
        try:
            limit, current = (
                (group / name).read_text(encoding="ascii").strip() for name in ("memory.max", "memory.current")
            )
            stat = (group / "memory.stat").read_text(encoding="ascii").split()
            # Files that nobody reads any more are given up before anything is killed.
            given_up = int(stat[stat.index("inactive_file") + 1]) if "inactive_file" in stat else 0
            if limit != "max":
                yield max(0, int(limit) - int(current) + given_up)
        except (OSError, ValueError):  # the root has no limit, and some containers show no groups
            continue
