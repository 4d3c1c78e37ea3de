"""The kernels, compiled by the machine's own C++ compiler at their first use and kept."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
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


def compiler() -> str | None:
    """The C++ compiler that `$CXX` names, else the first of the usual ones; None where there is none."""
    own = os.environ.get("CXX")
    return next((found for name in ([own] if own else COMPILERS) if (found := shutil.which(name))), None)


def compiled_by() -> str | None:
    """What the compiler says of itself, on which the last bits of results hang; None where there is none."""
    found = compiler()
    return None if found is None else next(iter(_version(found).splitlines()), found)


def _version(found: str) -> str:
    return subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout


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
    found = compiler()
    if found is None:
        raise NotAvailable(
            "runtime.kernels: needs a C++ compiler, and neither $CXX nor c++, g++ or clang++ is one; install g++ or "
            "say runtime.kernels=torch"
        )
    source = "\n".join([*_matrices(), Path(__file__).with_name("kernels.cpp").read_text(encoding="utf-8")])
    try:
        folder = cache_folder()
        kept = folder / f"kernels-{_digest(source, found)}.so"
        if not kept.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder) as own:  # two processes may do so at once
                _compile(found, source, Path(own) / kept.name).replace(kept)
        return ctypes.CDLL(str(kept))
    except (OSError, RuntimeError):  # no home folder, or nothing can be written or run there
        with tempfile.TemporaryDirectory() as own:
            return ctypes.CDLL(str(_compile(found, source, Path(own) / "kernels.so")))


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


def _digest(source: str, found: str) -> str:
    """Names what was compiled, by what and for which processor: folders are shared between machines."""
    words = [found, "-march=native", "-dM", "-E", "-x", "c++", os.devnull]
    target = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    return hashlib.sha256("\0".join((source, _version(found), target, *FLAGS)).encode()).hexdigest()[:20]


def _compile(found: str, source: str, file: Path) -> Path:
    """`file`, filled."""
    done = subprocess.run(
        [found, *FLAGS, "-x", "c++", "-", "-o", str(file)], input=source, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        said = next((line for line in lines if "error" in line), lines[0] if lines else "no reason given")
        raise NotAvailable(f"runtime.kernels: {found} cannot compile the kernels ({said}); say runtime.kernels=torch")
    return file
