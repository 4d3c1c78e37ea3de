"""Drives a run to its end: the loop's events into the observers, then the one look at the test split."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace

from dlcourse.errors import RunError, UserError
from dlcourse.run.environment import version
from dlcourse.run.prepare import Run
from dlcourse.run.signals import EXIT_CODES, listening
from dlcourse.run.verdict import judge_best, show
from dlcourse.training.events import Stopped
from dlcourse.training.loop import Requests, fit
from dlcourse.training.observers import Observer
from dlcourse.training.observers.checkpoints import Checkpoints
from dlcourse.training.observers.console import Console
from dlcourse.training.observers.history import History
from dlcourse.training.observers.tensorboard import TensorBoard
from dlcourse.training.runtime import is_out_of_memory


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Args:
        reason: "done", "early_stop", "stop_at", "max_minutes" or the name of a signal.
        test: the test split's numbers; empty if the run was interrupted or left it alone.
    """

    reason: str
    test: Mapping[str, float]

    @property
    def exit_code(self) -> int:
        """0, or what a shell expects of a program that a signal ended."""
        return EXIT_CODES.get(self.reason, 0)

    @property
    def unfinished(self) -> bool:
        """Whether it was stopped to be gone on with, so that the test split is left alone."""
        return self.reason in EXIT_CODES or self.reason == "stop_at"


def drive(
    run: Run,
    *,
    hyperparameters: Mapping[str, object],
    kept: tuple[int, int] | None = None,
    watching: Sequence[Observer] = (),
) -> Outcome:
    """Train from the state's step to the end, then test the best checkpoint.

    Args:
        run: prepared; on resume its state is loaded.
        hyperparameters: by dotted name, for TensorBoard.
        kept: on resume, how many bytes of metrics.jsonl and timing.jsonl belong to the checkpoint.
        watching: who else is told of every event, before a checkpoint is written.

    Raises:
        RunError: it had to stop after its first step; status.json says so.
    """
    with _status(run), listening() as requests:
        outcome = _train_and_test(run, requests, hyperparameters=hyperparameters, kept=kept, watching=watching)
        run.folder.set_status("interrupted" if outcome.unfinished else "done", exit_code=outcome.exit_code)
    return outcome


def _train_and_test(
    run: Run,
    requests: Requests,
    *,
    hyperparameters: Mapping[str, object],
    kept: tuple[int, int] | None,
    watching: Sequence[Observer],
) -> Outcome:
    name, _ = run.parts.task.best
    with ExitStack() as closing:
        history = History(run.folder.metrics, run.folder.timing, bytes=kept or (0, 0))
        board = TensorBoard(
            run.folder.path,
            settings=hyperparameters,
            metrics=[f"{split}/{metric}" for split in ("val", "test") for metric in dict.fromkeys((name, "loss"))],
            resumed_at=run.state.step,
        )
        console = Console(run.plan, step=run.state.step, decisive=name)
        beside = {
            "data": dict(run.fingerprints),
            "versions": {"torch": version("torch"), "dlcourse": version("dlcourse")},
        }
        saver = Checkpoints(
            run.folder.checkpoints,
            run.state,
            beside=lambda: {**beside, **run.plan.position(run.state.step), "history_bytes": list(history.sizes)},
            keep=run.parts.settings.checkpoint.keep,
        )
        observers: list[Observer] = [history, board, console, *watching, saver]
        for observer in observers:
            closing.callback(observer.close)

        if kept is not None:
            for record in history.at(run.state.step):
                board(record)

        outcome = Outcome("done", {})
        parts = run.parts
        for event in fit(parts.task, run.splits, run.state, plan=run.plan, runtime=parts.runtime, requests=requests):
            for observe in observers:
                observe(event)
            if isinstance(event, Stopped):
                outcome = Outcome(event.reason, {})
        if outcome.unfinished:
            return outcome
        console.close()  # the bar is full; what follows is said in lines
        if not parts.settings.test:
            board.finish()
            return outcome
        judged = judge_best(run, requests=requests)
        if judged is None:
            return Outcome(requests.stop or "done", {})
        record, stats = judged
        for observe in observers:
            observe(record)
        board.show(show(run, stats), step=record.step)
        board.finish()
        return replace(outcome, test=record.scalars)


@contextmanager
def _status(run: Run) -> Generator[None]:
    """Keeps status.json true, whatever happens inside."""
    began = run.state.step

    def ended(state: str, exit_code: int) -> None:
        with suppress(OSError):  # the folder may be what is broken; the first fault is the one to tell
            run.folder.set_status(state, exit_code=exit_code)

    try:
        run.folder.set_status("running")
        yield
    except KeyboardInterrupt:
        ended("interrupted", 130)
        raise
    except UserError as error:
        error.exit_code = 1 if run.state.step > began else error.exit_code
        ended("failed", error.exit_code)
        raise
    except BaseException as error:
        ended("failed", 1)
        if is_out_of_memory(error):
            raise RunError(out_of_memory(run)) from error
        if isinstance(error, OSError):
            raise RunError(cannot_write(run, error)) from error
        raise


def cannot_write(run: Run, error: OSError) -> str:
    """What to do when the run folder does not take a file: no space, gone, read-only."""
    return (
        f"{error.filename or run.folder.path}: {error.strerror or error} after step {run.state.step}; "
        "mend that, then go on from the last checkpoint with resume="
    )


def out_of_memory(run: Run) -> str:
    """What to do when a step does not fit into memory."""
    settings = run.parts.settings
    return (
        f"memory ran out at step {run.state.step + 1} with batch_size={settings.batch_size} in "
        f"{settings.accumulate} part{'s' if settings.accumulate > 1 else ''}; say accumulate={2 * settings.accumulate} "
        "(the same batch in smaller parts) or a smaller batch_size"
    )
