"""The kernels, compiled by the machine's own C++ compiler at their first use and kept."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shlex
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from dlcourse.data.cache import cache_folder
from dlcourse.errors import NotAvailable
from dlcourse.training.kernels import transforms

LANES = 16
"""Channels come in multiples of so many."""
COMPILERS = ("c++", "g++", "clang++")
FLAGS = (
    "-std=c++17", "-O3", "-march=native", "-shared", "-fPIC",
    "-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-fassociative-math",
)  # fmt: skip
NAMES = {torch.float32: "fp32", torch.bfloat16: "bf16"}


def compiler() -> list[str]:
    """The words that call the C++ compiler: what `$CXX` says, else the first of the usual ones; none without one."""
    own = shlex.split(os.environ.get("CXX", ""))
    for words in [own] if own else [[name] for name in COMPILERS]:
        if found := shutil.which(words[0]):
            return [found, *words[1:]]
    return []


def compiled_by() -> str | None:
    """What the compiler says of itself, on which the last bits of results hang; None where there is none."""
    words = compiler()
    return next(iter(_said(*words, "--version").splitlines()), words[0]) if words else None


def _said(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def run(kernel: str, *arguments: Tensor | int) -> None:
    """Call the kernel of this name for the first tensor's type; tensors are contiguous, in the kernel's own order."""
    first = next(argument for argument in arguments if isinstance(argument, Tensor))
    function = getattr(library(), f"{kernel}_{NAMES[first.dtype]}")
    function(*(_passed(argument) for argument in arguments))


def _passed(argument: Tensor | int) -> object:
    return ctypes.c_void_p(argument.data_ptr()) if isinstance(argument, Tensor) else ctypes.c_int64(argument)


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL:
    """The kernels of this machine.

    Raises:
        NotAvailable: there is no compiler, or it refuses them.
    """
    words = compiler()
    if not words:
        named = os.environ.get("CXX")
        none = f"$CXX, {named}, is none" if named else f"none of {', '.join(COMPILERS)} is there"
        raise NotAvailable(
            f"runtime.kernels: needs a C++ compiler, and {none}; install g++ or say runtime.kernels=torch"
        )
    source = "\n".join([*_matrices(), Path(__file__).with_name("kernels.cpp").read_text(encoding="utf-8")])
    try:
        folder = cache_folder().resolve()
        kept = folder / f"kernels-{_digest(source, words)}.so"
        if _own(kept):
            with suppress(OSError):  # damaged: it is made anew
                return ctypes.CDLL(str(kept))
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as own:  # two processes may do so at once
            _compile(words, source, Path(own) / kept.name).replace(kept)
        return ctypes.CDLL(str(kept))
    except (OSError, RuntimeError):  # no home folder, or nothing can be written or run there
        return _for_this_process(words, source)


def _for_this_process(words: Sequence[str], source: str) -> ctypes.CDLL:
    """The kernels, compiled and kept nowhere."""
    try:
        with tempfile.TemporaryDirectory() as own:
            return ctypes.CDLL(str(_compile(words, source, Path(own) / "kernels.so")))
    except OSError as error:
        raise NotAvailable(
            f"runtime.kernels: nothing can be compiled and run here ({error}); say runtime.kernels=torch"
        ) from error


def _own(file: Path) -> bool:
    """Whether it is there, this user made it and no other can write to it: it is about to be run.

    Who can exchange files in the folder is not stopped by this: `cache_folder` is a place to keep others out of.
    """
    try:
        found = file.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _matrices() -> list[str]:
    """What kernels.cpp stands on, in its own language."""
    lines: list[str] = []
    for tile in transforms.POINTS:
        named: Mapping[str, transforms.Matrix] = {
            "data": transforms.data(tile),
            "output": transforms.output(tile),
            "output_back": transforms.transposed(transforms.output(tile)),
            "filter": transforms.filter(tile),
            "filter_back": transforms.transposed(transforms.filter(tile)),
        }
        for name, matrix in named.items():
            numbers = ", ".join("{" + ", ".join(f"{float(x)!r}f" for x in row) + "}" for row in matrix)
            lines.append(f"inline constexpr float {name}_{tile}[{len(matrix)}][{len(matrix[0])}] = {{{numbers}}};")
    return lines


def _digest(source: str, words: Sequence[str]) -> str:
    """Names what was compiled, by what, for which processor and user: folders are shared between machines and users."""
    target = _said(*words, "-march=native", "-dM", "-E", "-x", "c++", os.devnull)
    told = (source, *words, _said(*words, "--version"), target, *FLAGS, str(os.geteuid()))
    return hashlib.sha256("\0".join(told).encode()).hexdigest()[:20]


def _compile(words: Sequence[str], source: str, file: Path) -> Path:
    """`file`, filled."""
    done = subprocess.run(
        [*words, *FLAGS, "-x", "c++", "-", "-o", str(file)], input=source, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        said = next((line for line in lines if "error" in line), lines[0] if lines else "no reason given")
        raise NotAvailable(
            f"runtime.kernels: {words[0]} cannot compile the kernels ({said}); say runtime.kernels=torch"
        )
    file.chmod(0o700)
    return file
