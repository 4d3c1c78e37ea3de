"""From the words of a command line to plain configs, through Hydra: the only code that sees a DictConfig."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from dlcourse.config import tree
from dlcourse.config.overrides import Words, parse, split
from dlcourse.errors import ConfigError, UserError, block

if TYPE_CHECKING:
    from omegaconf import DictConfig

PRIMARY = "train"
SIGNALLED = (130, 143)
"""Exit codes of a job that was told to stop (Ctrl-C, SIGTERM): a sweep ends with it."""


@dataclass(frozen=True)
class Where:
    """Where a job stands: its place among others, and what the command line said of it."""

    folder: Path | None
    """The run folder if the user named one by hydra.run.dir= or hydra.sweep.dir=, else None."""
    job: int | None
    """Its number in a sweep, from 0; None for a single run."""
    overrides: list[str]
    """The overrides of this job as Hydra writes them, a sweep's values put in."""
    choices: dict[str, str | None]
    """group -> the option that was chosen."""


Job = Callable[[dict[str, Any], Where], int | None]
"""What is done with a composed config (resolved, plain); its answer is an exit code, None for 0."""


class _Carried(BaseException):
    """Takes a job's failure out through Hydra, which would print any Exception in its own way."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def run_hydra(argv: Sequence[str], job: Job) -> int:
    """Check the whole command line, then let Hydra compose it and call `job` for every config.

    In a sweep a job that fails with a UserError is told at once and the next one begins; the highest exit code
    is returned.

    Raises:
        UserError: all faults of the command line together, or what a single run raised.
    """
    words = split(argv)
    if not {"--help", "--hydra-help", "--version", "--shell-completion"} & set(words.flags):
        from dlcourse.config.check import check  # it needs this module's composing

        words = check(words)
    codes: list[int] = []

    begun: list[DictConfig] = []

    def task(config: DictConfig) -> None:
        where: Where | None = None
        begun.append(config)
        try:
            plain, where = _unwrap(config)
            codes.append(job(plain, where) or 0)
        except UserError as error:
            if where is not None and where.folder is not None and error.exit_code == 2:
                _take_back(where.folder)
            if where is None or where.job is None:
                raise _Carried(error) from error
            codes.append(error.exit_code)
            changed = " ".join(where.overrides)
            print(f"dlcourse: job {where.job} ({changed}) failed:\n{block(error)}", file=sys.stderr)
            if os.environ.get("DLCOURSE_DEBUG"):
                traceback.print_exc()
        except Exception as error:
            raise _Carried(error) from error

        if codes and codes[-1] in SIGNALLED:
            raise SystemExit(codes[-1])

    with ExitStack() as stack:
        # Hydra insists on writing multirun.yaml: it goes into this folder, which goes when the command ends.
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="dlcourse-", ignore_cleanup_errors=True))
        stack.enter_context(_argv(["dlcourse train", *words.flags, *words.overrides]))
        stack.enter_context(_hydra_errors())
        stack.enter_context(_told_to_stop(words, begun))
        import hydra
        from omegaconf import OmegaConf

        # With HYDRA_FULL_ERROR Hydra raises its errors instead of printing them and leaving.
        stack.enter_context(_environment("HYDRA_FULL_ERROR", "1"))
        _register_search_path()
        OmegaConf.register_new_resolver("scratch", lambda: scratch, replace=True)
        hydra.main(config_path=None, config_name=PRIMARY, version_base="1.3")(task)()
    return max(codes, default=0)


def compose(
    overrides: Sequence[str] = (), *, config_dirs: Sequence[str] = (), name: str = PRIMARY, resolve: bool = True
) -> dict[str, Any]:
    """The config that these overrides make, resolved and plain, without running anything.

    Raises:
        ConfigError: what Hydra refuses, which is the first fault only; `check` finds all.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    with ExitStack() as stack:
        stack.enter_context(_hydra_errors())
        _register_search_path()
        extra = [f"hydra.searchpath={_quoted_list(config_dirs)}"] if config_dirs else []
        spelt = [parse(word).input_line or word for word in overrides]
        stack.enter_context(initialize(config_path=None, version_base="1.3"))
        try:
            found = OmegaConf.to_container(hydra_compose(name, overrides=[*spelt, *extra]), resolve=resolve)
        finally:
            GlobalHydra.instance().clear()
    if not isinstance(found, dict):
        raise ConfigError(f"{name}.yaml must hold keys and values")
    return {str(key): value for key, value in found.items()}


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


@contextmanager
def _told_to_stop(words: Words, begun: Sequence[object]) -> Generator[None]:
    """SIGTERM leaves as Ctrl-C does, so that everything is cleared away; of a sweep it is said what is missing."""
    main_thread = threading.current_thread() is threading.main_thread()  # only it may hear signals
    before = signal.signal(signal.SIGTERM, _leave) if main_thread else None
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as leaving:
        if words.sweeps and (isinstance(leaving, KeyboardInterrupt) or leaving.code in SIGNALLED):
            print(_missing(words, begun=len(begun)), file=sys.stderr)
        raise
    finally:
        if main_thread:
            signal.signal(signal.SIGTERM, before)


def _missing(words: Words, *, begun: int) -> str:
    """What to say of a sweep that was stopped: the jobs that never began."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    # Hydra's own cutting of a sweep into jobs, so that their numbers and order are those of the jobs that ran.
    [jobs] = BasicSweeper.split_arguments([parse(word) for word in words.overrides], None)
    missing = [f"dlcourse: job {number} never began: {' '.join(jobs[number])}" for number in range(begun, len(jobs))]
    return "\n".join([f"dlcourse: the sweep was stopped after {begun} of {len(jobs)} jobs had begun", *missing])


def _take_back(folder: Path) -> None:
    """Remove the folder that Hydra made before the job began, and its parents, as far as they are empty."""
    for path in (folder, *folder.parents):
        try:
            path.rmdir()
        except OSError:  # not empty, or the folder where the command runs
            return


def _quoted_list(folders: Sequence[str]) -> str:
    from hydra.core.override_parser.types import Quote, QuotedString

    paths = [f"file://{Path(folder).expanduser().absolute()}" for folder in folders]
    return "[" + ",".join(QuotedString(text=path, quote=Quote.single).with_quotes() for path in paths) + "]"


def _unwrap(config: DictConfig) -> tuple[dict[str, Any], Where]:
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode
    from omegaconf import OmegaConf

    with _hydra_errors():
        plain = OmegaConf.to_container(config, resolve=True)
        hydra = HydraConfig.get()
        given = list(hydra.overrides.hydra)
        sweeping = hydra.mode == RunMode.MULTIRUN
        if sweeping:
            named = OmegaConf.to_yaml(hydra.sweep).count("${scratch:}") == 0
            folder = Path(hydra.sweep.dir, str(hydra.sweep.subdir))
        else:
            named = hydra.run.dir != "." or any(word.startswith("hydra.run.dir=") for word in given)
            folder = Path(hydra.run.dir)
        where = Where(
            folder=folder if named else None,
            job=int(hydra.job.num) if sweeping else None,
            overrides=[str(word) for word in hydra.overrides.task],
            choices={
                str(group): None if name is None else str(name)
                for group, name in hydra.runtime.choices.items()
                if not str(group).startswith("hydra/")
            },
        )
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}, where


def _register_search_path() -> None:
    """Put the package's and the user's config folders on Hydra's search path, with no path to be quoted."""
    from hydra.core.config_search_path import ConfigSearchPath
    from hydra.core.plugins import Plugins
    from hydra.plugins.search_path_plugin import SearchPathPlugin

    class Folders(SearchPathPlugin):
        def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
            # Hydra insists that the provider called "main" exists.
            for provider, folder in zip(("main", "here"), tree.folders(), strict=False):
                search_path.append(provider, f"file://{folder}")

    known = Plugins.instance().discover(SearchPathPlugin)
    if not any(plugin.__qualname__ == Folders.__qualname__ for plugin in known):
        Plugins.instance().register(Folders)


@contextmanager
def _environment(name: str, value: str) -> Generator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before


@contextmanager
def _argv(words: list[str]) -> Generator[None]:
    before, sys.argv = sys.argv, words
    try:
        yield
    finally:
        sys.argv = before


@contextmanager
def _hydra_errors() -> Generator[None]:
    """Hydra's and OmegaConf's complaints as one line each, and a job's failure as it was raised."""
    import yaml
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        yield
    except _Carried as carried:
        raise carried.error from carried.error.__cause__
    # Hydra lets through what files and folders raise, and complains of some overrides by a ValueError.
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError, OSError) as error:
        cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else None
        text = f"{error} {cause or ''}"
        raise ConfigError(" ".join(text.split())) from error
