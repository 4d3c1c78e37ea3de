"""What `dlcourse find lr` and `dlcourse find batch_size` share: their first lines, their files, no memory left."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dlcourse.errors import ConfigError, RunError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.media import Cell
    from dlcourse.run.parts import Parts


def greet(parts: Parts, what: str) -> None:
    """Say what is tried, and where."""
    runtime, choices = parts.runtime, parts.choices
    print(f"model  {choices.get('model')} on {choices.get('data')}, {choices.get('optimizer')}")
    print(f"on     {runtime.device}, {runtime.precision}, {runtime.threads} threads")
    print(f"tries  {what}", flush=True)


@contextmanager
def memory_told(parts: Parts) -> Generator[None]:
    """Memory that runs out inside becomes a line that says what to do."""
    from dlcourse.training.runtime import is_out_of_memory

    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not (isinstance(error, MemoryError) or is_out_of_memory(error)):
            raise
        size = parts.settings.batch_size
        raise RunError(f"memory ran out with batch_size={size}; dlcourse find batch_size says which fits") from error


def keep(out: Path, name: str, figure: Figure, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Write `name`.png and `name`.csv into a folder, and say so.

    Raises:
        ConfigError: they cannot be written.
    """
    from dlcourse.files import replace_file, write_text
    from dlcourse.results.render import render

    try:
        replace_file(out / f"{name}.png", lambda beside: figure.savefig(beside, format="png"))
        write_text(out / f"{name}.csv", render(columns, rows, format="csv") + "\n")
    except OSError as error:
        raise ConfigError(f"out: {out} cannot be written ({error.strerror}); name another folder") from error
    print(f"{name}.png and {name}.csv in {out}")
