"""Writes the state to the checkpoints folder at every Save."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dlcourse.errors import RunError
from dlcourse.training import checkpoint
from dlcourse.training.events import Event, Save
from dlcourse.training.state import State


class Checkpoints:
    """Saves `state` and what `beside` adds.

    Args:
        folder: the run's checkpoints folder.
        state: the run in progress.
        beside: what else a checkpoint holds: position in the history, data fingerprints, versions.
        keep: how many of the newest stay.
    """

    def __init__(self, folder: Path, state: State, *, beside: Callable[[], Mapping[str, Any]], keep: int) -> None:
        self._folder, self._state, self._beside, self._keep = folder, state, beside, keep

    def __call__(self, event: Event) -> None:
        if not isinstance(event, Save):
            return
        content = {**self._state.state_dict(), **self._beside()}
        try:
            checkpoint.save(self._folder, content, keep=self._keep, best=event.best)
        except (OSError, RuntimeError) as error:  # torch's zip writer has faults of its own
            if not self._folder.parent.exists():
                raise RunError(f"{self._folder.parent}: the run folder is gone after step {event.step}") from error
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
            full = isinstance(error, OSError) and error.errno == errno.ENOSPC
            advice = "free some space" if full else "see to the folder"
            raise RunError(
                f"{self._folder}: the checkpoint of step {event.step} could not be written ({reason}); the one before "
                f"it is whole: {advice}, then resume"
            ) from error

    def close(self) -> None:
        """Nothing is held open."""
