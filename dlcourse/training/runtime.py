"""Where and how the arithmetic runs: the only file that says cuda, autocast, compile or distributed."""

from __future__ import annotations

import copy
import os
import platform
import re
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from dlcourse.data.base import mix
from dlcourse.errors import ConfigError, NotAvailable
from dlcourse.training import allocator, kernels, memory

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Runtime:
    """Where a run computes; every `auto` is a rule over the machine and the model, never a stopwatch.

    Args:
        device: auto (cuda if there is one), cpu, cuda, or one GPU such as cuda:1.
        precision: fp32, bf16 or fp16 arithmetic (weights stay fp32); auto is bf16 for convolutions where the device
            has bf16 arithmetic, else fp32.
        channels_last: lay images out with the channels innermost; auto does so for convolutions.
        compile: compile the model's forward pass (worth its time on a GPU).
        deterministic: only algorithms that give the same bits twice; a CPU run gives them anyway.
        threads: CPU threads of one operation; auto is the number of physical cores.
        allocator: keep holds on to freed main memory for the next step, which saves the kernel zeroing it anew, as far
            as memory comes from glibc (Linux); system gives it back. auto keeps it on a CPU. No result depends on it.
        kernels: own computes, in a training step on a CPU, 3x3 convolutions by Winograd's algorithm (faster, with
            rounding errors of 1 % in bf16), 2x2 max pooling and GELU by kernels that are compiled at first use and have
            no second derivative; torch by torch's. auto is own where they can be compiled and the model has such
            convolutions.
    """

    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    channels_last: Literal["auto"] | bool = "auto"
    compile: bool = False
    deterministic: bool = False
    threads: Literal["auto"] | int = "auto"
    allocator: Literal["auto", "keep", "system"] = "auto"
    kernels: Literal["auto", "own", "torch"] = "torch"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device):
            raise ValueError(f"device must be auto, cpu, cuda or cuda:N, not {self.device!r}")
        if self.threads != "auto" and self.threads < 1:
            raise ValueError(f"threads must be auto or at least 1, not {self.threads}")
        if self.kernels == "own" and self.compile:
            raise ValueError("kernels=own and compile=true cannot both be: a compiled model has kernels of its own")

    def settle(self, model: nn.Module) -> Runtime:
        """The same with every `auto` decided for this machine and `model`, and checked against the machine.

        Raises:
            ConfigError: the device is not there, or it cannot do this precision.
        """
        device = self.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        elif device.startswith("cuda"):
            check_cuda(device)
        convolutions = any(isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d) for module in model.modules())
        precision = self.precision
        if precision == "auto":
            precision = "bf16" if convolutions and has_bf16(device) else "fp32"
        channels_last = self.channels_last
        if channels_last == "auto":
            channels_last = convolutions
        threads = torch.get_num_threads() if self.threads == "auto" else self.threads
        kept = allocator.available() and (self.allocator == "keep" or (self.allocator == "auto" and device == "cpu"))
        own = self.kernels != "torch" and device == "cpu" and precision in ("bf16", "fp32") and not self.compile
        own = own and bool(channels_last) and kernels.suits(model)
        if self.kernels == "own" and not own:
            layout = "" if channels_last else " without channels_last"
            raise ConfigError(
                "runtime.kernels: own ones are for 3x3 convolutions of multiples of 16 channels on a CPU in bf16 or "
                f"fp32, channels_last, not for {type(model).__name__} in {precision} on {device}{layout}; say "
                "runtime.kernels=torch"
            )
        own = own and (self.kernels == "own" or kernels.available())
        return replace(
            self,
            device=device,
            precision=precision,
            channels_last=channels_last,
            threads=threads,
            allocator="keep" if kept else "system",
            kernels="own" if own else "torch",
        )

    def apply(self) -> None:
        """Set what holds for the whole process: threads, what becomes of freed memory, the choice of algorithms."""
        torch.set_num_threads(int(self.threads))
        if self.allocator == "keep":
            allocator.keep()
        else:
            allocator.system()
        if ":" in self.device:
            torch.cuda.set_device(self.place)  # the current device is the one whose generator is seeded
        if self.deterministic != torch.are_deterministic_algorithms_enabled():
            torch.use_deterministic_algorithms(self.deterministic)  # imports torch._dynamo: most of a second
        torch.backends.cudnn.benchmark = not self.deterministic
        if self.deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS asks for it before its first call

    @property
    def place(self) -> torch.device:
        """The device as torch names it."""
        return torch.device(self.device)

    @property
    def memory_format(self) -> torch.memory_format:
        """How image batches and convolution weights are laid out."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def placed(self, model: nn.Module) -> nn.Module:
        """`model` itself, on the device and in the chosen layout."""
        return model.to(self.place, memory_format=self.memory_format)  # pyright: ignore[reportCallIssue]  torch's stubs

    @contextmanager
    def autocast(self) -> Generator[None]:
        """The context in which the model and the loss are computed."""
        arithmetic = torch.autocast(self.place.type, dtype=DTYPES[self.precision], enabled=self.precision != "fp32")
        own = kernels.Kernels(DTYPES[self.precision]) if self.kernels == "own" else nullcontext()
        with arithmetic, own:
            yield

    def scaler(self) -> torch.amp.GradScaler:
        """Scales the loss so that fp16 gradients do not vanish; does nothing in other precisions."""
        return torch.amp.GradScaler(self.place.type, enabled=self.precision == "fp16")

    def compiled(self, model: nn.Module) -> nn.Module:
        """`model`, or its compiled twin that shares the weights."""
        return torch.compile(model) if self.compile else model  # pyright: ignore[reportReturnType]

    def seed(self, *numbers: int) -> None:
        """Start the default generators anew; what a step draws is then a function of these numbers alone."""
        seed = mix(*numbers)
        torch.default_generator.manual_seed(seed)  # torch.manual_seed does the same in 100 times the time
        if self.place.type == "cuda":
            torch.cuda.manual_seed(seed)

    def rehearse(self, model: nn.Module, loss: Callable[[nn.Module], Tensor]) -> None:
        """One forward and backward pass on a copy of `model`, so that what cannot be computed is said before step 0.

        Raises:
            NotAvailable: the device cannot do this precision for the model.
            ConfigError: the model does not fit the samples.
        """
        allocator.trim()  # what reading the data left free in its threads' arenas is of no use to a step
        if self.kernels == "own":
            kernels.prepare()
        error = self._fault(model, loss)
        if error is None:
            return
        reason = (str(error) or type(error).__name__).splitlines()[0]
        if self.kernels == "own" and replace(self, kernels="torch")._fault(model, loss) is None:
            raise NotAvailable(
                f"runtime.kernels: our own cannot train this model ({reason}); say runtime.kernels=torch"
            ) from error
        if self.precision != "fp32" and replace(self, precision="fp32")._fault(model, loss) is None:
            raise NotAvailable(
                f"runtime.precision: {self.precision} cannot be computed for this model on {self.device} ({reason}); "
                "say runtime.precision=fp32"
            ) from error
        raise ConfigError(
            f"model: {type(model).__name__} cannot take a training step on this data ({reason}); see to the model's "
            "shapes, a larger batch_size or a smaller accumulate"
        ) from error

    def _fault(self, model: nn.Module, loss: Callable[[nn.Module], Tensor]) -> Exception | None:
        """What one forward and backward pass raises."""
        try:
            with self.autocast():
                value = loss(copy.deepcopy(model).train())
            value.backward()
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            return error
        return None

    def peak_memory(self) -> int:
        """Bytes: the most that this process has held so far, on the GPU if it computes there."""
        if self.place.type == "cuda":
            return torch.cuda.max_memory_allocated(self.place)
        if sys.platform == "win32":
            return 0
        import resource  # not there on Windows

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024

    def held_memory(self) -> int:
        """Bytes that this process holds now, on the GPU if it computes there; 0 where the system does not tell."""
        return torch.cuda.memory_allocated(self.place) if self.place.type == "cuda" else memory.held()

    def free_memory(self) -> int | None:
        """Bytes that can still be had, on the GPU if it computes there; None where the system does not tell."""
        if self.place.type != "cuda":
            return memory.free()
        cached = torch.cuda.memory_reserved(self.place) - torch.cuda.memory_allocated(self.place)
        return torch.cuda.mem_get_info(self.place)[0] + cached

    def restart_peak(self) -> None:
        """Let `peak_memory` begin anew, where the system can; what is kept for later is given back."""
        if self.place.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.place)
        else:
            allocator.trim()
            memory.restart_peak()

    def wait(self) -> None:
        """Until the device has done what it was asked for."""
        if self.place.type == "cuda":
            torch.cuda.synchronize(self.place)

    def describe(self) -> dict[str, object]:
        """Device, threads and versions, as environment.json keeps them."""
        gpu = torch.cuda.get_device_name(self.place) if self.place.type == "cuda" else None
        return {
            "device": self.device,
            "processor": gpu or processor(),
            "threads": self.threads,
            "kernels": f"own, by {kernels.compiled_by()}" if self.kernels == "own" else "torch",
            "torch": torch.__version__,
            "cuda": torch.version.cuda if gpu else None,
        }


def check_cuda(device: str) -> None:
    """Raise ConfigError unless the GPU that `device` names is there."""
    if not torch.cuda.is_available():
        built = "this torch was built without CUDA" if torch.version.cuda is None else "no GPU or driver answers"
        raise ConfigError(f"runtime.device: {device} is not available ({built}); say runtime.device=cpu or auto")
    count = torch.cuda.device_count()
    if ":" in device and torch.device(device).index >= count:
        raise ConfigError(f"runtime.device: {device} is not there; this machine has cuda:0 to cuda:{count - 1}")


def has_bf16(device: str) -> bool:
    """Whether the device multiplies bf16 numbers in hardware, rather than by way of fp32."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_capability(device) >= (8, 0)
    words = set(_cpu_line("flags").split()) | set(_cpu_line("Features").split())
    return not words.isdisjoint({"avx512_bf16", "amx_bf16", "bf16"})


def processor() -> str:
    """The processor's own name."""
    return _cpu_line("model name") or platform.processor() or platform.machine()


def _cpu_line(key: str) -> str:
    table = Path("/proc/cpuinfo")  # Linux alone has it; elsewhere the fp32 rule holds
    if not table.exists():
        return ""
    lines = (line.partition(":") for line in table.read_text().splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == key), "")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a RuntimeError says that memory ran out, on a GPU or in the CPU's allocator."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
