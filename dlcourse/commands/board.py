"""`dlcourse board`: TensorBoard on the runs, with the means of those that differ in their seed or fold beside them."""

from __future__ import annotations

import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlcourse.commands.arguments import argument, read
from dlcourse.errors import ConfigError, UserError

if TYPE_CHECKING:
    from dlcourse.results.board_tree import BoardTree
    from dlcourse.results.index import Damaged
    from dlcourse.results.means import Mean
    from dlcourse.results.record import RunRecord

REFRESH = 30.0  # seconds after which new runs are shown and means brought up to date


@dataclass(frozen=True)
class Arguments:
    """What `dlcourse board` takes."""

    runs: Path = argument("Folder that holds the runs.", default=Path("runs"), bare=True)
    where: str | None = argument(
        "Show only runs of which this is true, such as \"optimizer.lr<0.1 and model=='resnet18'\".", default=None
    )
    means: bool = argument("Show mean and band of runs that differ in their seed or fold alone.", default=True)
    group_by: str | None = argument(
        "Average over all runs that agree in these settings, such as optimizer,model.", default=None
    )
    port: int = argument("Port to listen on; 0 takes a free one.", default=6006)
    host: str = argument("Address to listen on; 0.0.0.0 lets other machines look.", default="localhost")


PURPOSE = """\
TensorBoard on the folder of runs; beside them, under means/, what runs that differ in their seed or fold share:
SCALARS and TIME SERIES show their mean and the edges of its band (95 % t interval of the mean; of two runs, the lower
and the higher one), CUSTOM SCALARS each number with its band as one chart, HPARAMS a row for each mean.
New runs are found, and means brought up to date, every half minute. Ctrl-C ends it."""


def main(argv: list[str]) -> int:
    """Run TensorBoard until Ctrl-C; gives its exit code."""
    given = read(Arguments, argv, command="board", purpose=PURPOSE)
    if not given.runs.is_dir():
        raise ConfigError(f"{given.runs}: there is no such folder; train first, or name another with runs=")
    if not 0 <= given.port <= 65535:
        raise ConfigError(f"port must be 0 to 65535, not {given.port}")
    with tempfile.TemporaryDirectory(prefix="dlcourse-board-", ignore_cleanup_errors=True) as scratch:
        view = View(given, Path(scratch))
        for line in view.refresh():
            print(line, flush=True)
        ended = threading.Event()
        keeper = threading.Thread(target=keep, args=(view, ended), daemon=True)
        keeper.start()
        try:
            return serve(view, host=given.host, port=given.port)
        finally:
            ended.set()
            keeper.join()  # it may be writing into the folder that is about to go


class View:
    """What TensorBoard is shown, which can be brought up to date.

    Args:
        given: the command's arguments.
        scratch: an empty folder for links to the runs and for their means.

    Attributes:
        folder: what TensorBoard is started on.
        columns: those of the HPARAMS tab, as its plugin writes them.
    """

    def __init__(self, given: Arguments, scratch: Path) -> None:
        from dlcourse.results.board_tree import BoardTree

        self._given = given
        self._tree: BoardTree | None = BoardTree(scratch)
        self._known: object = None
        self.folder = scratch
        self.columns: bytes = b""

    def refresh(self) -> list[str]:
        """Show what is there now; gives what there is to tell.

        Raises:
            ConfigError: no run is as `where` says, or has a setting that `group_by` names.
        """
        from dlcourse.results.board_tree import changes
        from dlcourse.results.hparam_events import columns
        from dlcourse.results.index import read_all
        from dlcourse.results.where import chosen

        listing = read_all(self._given.runs)
        records = chosen(listing.records, where=self._given.where)
        if listing.records and not records:
            raise ConfigError(f"where={self._given.where}: this is true of none of {len(listing.records)} runs")
        lines = [f"{damaged.path}: {damaged.reason}; it is in no mean" for damaged in listing.damaged]
        lines += self._link(records, damaged=listing.damaged)
        if self._known == (known := changes(records)):
            return lines
        self.columns = columns(records).SerializeToString()
        by = tuple(name.strip() for name in (self._given.group_by or "").split(",") if name.strip())
        if self._given.means and self._tree is not None:
            lines += told(self._tree.average(records, by=by))
        self._known = known
        return lines

    def _link(self, records: Sequence[RunRecord], *, damaged: Sequence[Damaged]) -> list[str]:
        """Show these runs; where the system makes no links, as Windows does for some users, all of them."""
        if self._tree is None:
            return []
        shown = [(record.title or record.name, record.path) for record in records]
        if self._given.where is None:
            folders = [one.path if one.path.is_dir() else one.path.parent for one in damaged]
            shown += [(folder.relative_to(self._given.runs).as_posix(), folder) for folder in folders]
        try:
            self._tree.link(shown)
        except OSError as error:
            if self._given.where is not None:
                raise ConfigError(f"where: this system makes no links ({error.strerror}); leave it out") from error
            self._tree, self.folder = None, self._given.runs
            return [f"no means are shown: this system makes no links ({error.strerror})"]
        return []


def told(means: Sequence[Mean]) -> list[str]:
    """A line that says what the means are of, if there are any, and one of those over folds."""
    from dlcourse.results.caveats import shared_training

    counts = Counter(len(mean.records) for mean in means)
    of = ", ".join(f"{number} of {runs} runs" for runs, number in sorted(counts.items()))
    folded = [mean.name for mean in means if mean.over_folds]
    return [
        *([f"means  {of}: see means/ among the runs, and the tab CUSTOM SCALARS"] if means else []),
        *([f"       {shared_training(folded)}"] if folded else []),
    ]


def keep(view: View, ended: threading.Event) -> None:
    """Bring the view up to date until it ends; what cannot be read now may be the next time."""
    while not ended.wait(REFRESH):
        try:
            view.refresh()
        except (OSError, UserError) as error:
            print(f"board: {error}", file=sys.stderr)


def serve(view: View, *, host: str, port: int) -> int:
    """Run TensorBoard on a view until Ctrl-C; 2 if it cannot be started."""
    from tensorboard.plugins.base_plugin import FlagsError
    from tensorboard.program import TensorBoard

    from dlcourse.results.hparam_plugin import plugins

    program = TensorBoard(plugins(lambda: view.columns))
    try:
        program.configure(["tensorboard", "--logdir", str(view.folder), "--port", str(port), "--host", host])
    except FlagsError as error:
        raise ConfigError(str(error)) from error
    return 2 if program.main() else 0
