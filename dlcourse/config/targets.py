"""What a config may call: the program's own parts, torch's, torchvision's, and files of the folder where it runs."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from dlcourse.errors import ConfigError, suggestion

ALLOWED = (
    "dlcourse.models",
    "dlcourse.data",
    "dlcourse.tasks",
    "dlcourse.training",
    "torch.nn",
    "torch.optim",
    "torchvision.models",
    "torchvision.transforms",
)
"""Modules whose callables a config may name. `torch.` alone would be a shell: torch.utils.collect_env.run."""

PACKAGES = {name.partition(".")[0] for name in ALLOWED}


def allowed(module: str) -> bool:
    """Whether a module is one of the allowed ones or lies inside one."""
    return any(module == name or module.startswith(f"{name}.") for name in ALLOWED)


def here(target: str) -> Path | None:
    """The Python file or package in the folder where the command runs that a target begins with."""
    first = target.partition(".")[0]
    # In a checkout of this program, `dlcourse` itself lies in the folder.
    if not first.isidentifier() or first in sys.stdlib_module_names or first in PACKAGES:
        return None
    for path in (Path.cwd() / f"{first}.py", Path.cwd() / first):
        if path.is_file() or (path.is_dir() and next(path.glob("*.py"), None)):
            return path
    return None


def target_fault(target: object, *, at: str) -> str | None:
    """The error line for a `_target_` that can never be called, found without importing anything.

    Args:
        target: the dotted name as the config has it.
        at: the key that it stands under, such as "model._target_".
    """
    if not isinstance(target, str) or not all(part.isidentifier() for part in target.split(".")):
        return f"{at} must be a dotted name such as mynet.MyNet, not {target!r}"
    if any(part.startswith("_") for part in target.split(".")):
        return f"{at}: {target} has a private part; only public names are called"
    if allowed(target) or here(target):
        return None
    if "." not in target:
        return f"{at}: {target} names no module; write it in full, such as mynet.MyNet"
    return (
        f"{at}: {target} is outside of what a config may call: {', '.join(ALLOWED)}, "
        f"or a Python file in this folder ({target.partition('.')[0]}.py is not here)"
    )


def resolve(target: object, *, at: str, allow_code: bool) -> Callable[..., Any]:
    """The callable that a `_target_` names.

    Args:
        target: the dotted name as the config has it.
        at: the key of the call, such as "model".
        allow_code: whether Python files of this folder may run.

    Raises:
        ConfigError: it is not there, or its home is outside of what a config may call.
    """
    if line := target_fault(target, at=f"{at}._target_"):
        raise ConfigError(line)
    name = str(target)
    own = None if allowed(name) else here(name)
    if own is not None and not allow_code:
        raise ConfigError(f"{at}._target_: {name} would run {own}; if you trust that file, add allow_code=true")
    found, rest = _import(name, at=at, own=own)
    for part in rest:
        if not hasattr(found, part):
            public = [word for word in vars(found) if not word.startswith("_")]
            owner = getattr(found, "__name__", str(found))
            raise ConfigError(f"{at}._target_: {owner} has no '{part}'{suggestion(part, public, most=6)}")
        found = getattr(found, part)
    if not (inspect.isclass(found) or inspect.isroutine(found)):
        raise ConfigError(f"{at}._target_: {name} is no class or function")
    home = str(getattr(found, "__module__", None))
    if not (allowed(home) or (own is not None and _lies_here(sys.modules.get(home)))):
        raise ConfigError(f"{at}._target_: {name} comes from {home}, which is outside of what a config may call")
    return found


def _import(name: str, *, at: str, own: Path | None) -> tuple[Any, list[str]]:
    """The innermost module of a dotted name, and the names left to look up in it."""
    if own is not None and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # last, so that no file here hides an installed module
    parts = name.split(".")
    module: ModuleType | None = None
    for count in range(1, len(parts) + 1):
        path = ".".join(parts[:count])
        try:
            module = importlib.import_module(path)
        except ModuleNotFoundError as error:
            if error.name != path:  # a module that this one imports is missing
                raise ConfigError(f"{at}._target_: importing {path} failed: {error}") from error
            if module is None or not hasattr(module, parts[count - 1]):
                break
            return module, parts[count - 1 :]
        except SyntaxError as error:
            raise ConfigError(f"{error.filename}, line {error.lineno}: {error.msg}") from error
        except Exception as error:
            raise ConfigError(f"{at}._target_: importing {path} failed: {type(error).__name__}: {error}") from error
        if own is not None and count == 1 and not _lies_here(module):
            raise ConfigError(f"{own} bears the name of an installed module; give the file another name")
    if module is None:
        raise ConfigError(f"{at}._target_: there is no module {parts[0]}")
    return module, parts[len(module.__name__.split(".")) :]


def _lies_here(module: ModuleType | None) -> bool:
    """Whether a module's file lies in the folder where the command runs, and not in an environment inside it."""
    places = [getattr(module, "__file__", None) or "", *getattr(module, "__path__", [])]
    folder = Path.cwd().resolve()
    for place in filter(None, places):
        path = Path(place).resolve()
        if path.is_relative_to(folder) and "site-packages" not in path.parts:
            return True
    return False
