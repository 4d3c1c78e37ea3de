"""Kernels of our own in place of some of torch's, for training on a CPU: Winograd convolutions, pooling, GELU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from dlcourse.errors import NotAvailable
from dlcourse.training.kernels import elementwise, native, openmp
from dlcourse.training.kernels.convolution import TILES, convolve, tiles_for
from dlcourse.training.kernels.native import compiled_by

__all__ = ["Kernels", "available", "compiled_by", "prepare", "suits"]


def available() -> bool:
    """Whether this machine can run the kernels; it compiles them if they are not kept from before."""
    try:
        prepare()
    except NotAvailable:
        return False
    return True


def suits(model: nn.Module) -> bool:
    """Whether a convolution of `model` is one of those that `Kernels` may replace."""
    return any(
        isinstance(layer, nn.Conv2d)
        and layer.padding_mode == "zeros"
        and layer.kernel_size == (3, 3)  # not by its weight, which a parametrization would compute anew
        and _fits(
            layer.in_channels,
            layer.out_channels,
            stride=layer.stride,
            padding=layer.padding,
            dilation=layer.dilation,
            groups=layer.groups,
        )
        for layer in model.modules()
    )


def prepare() -> None:
    """Compile the kernels now if they are not kept from before, which takes some seconds.

    Raises:
        NotAvailable: there is no compiler, or it refuses them, or torch is built without OpenMP.
    """
    if not openmp.available():
        raise NotAvailable(
            "runtime.kernels: own ones need a torch that computes by OpenMP, as those for Linux do; say "
            "runtime.kernels=torch"
        )
    native.library()


class Kernels(TorchFunctionMode):
    """While it is entered and gradients are on, these functions are computed by our own kernels:

    - convolutions by Winograd's algorithm: 3x3, of stride 1, padded to keep the size, of images with multiples of 16
      channels innermost in memory, an image or more for each thread, where it pays and something is to be
      differentiated;
    - 2x2 max pooling of multiples of 16 channels that are innermost in memory;
    - GELU of bf16.

    All others, and all in validation, stay torch's. None of them has a second derivative.

    Args:
        dtype: float32 or bf16, of the convolutions that are replaced; others that a model computes in another type,
            because it leaves autocast or its weights say so, stay torch's.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        if dtype not in TILES:
            raise ValueError(f"dtype must be float32 or bfloat16, not {dtype}")
        self.dtype = dtype
        self._replaced: dict[Callable[..., Any], Callable[..., Tensor | None]] = {
            torch.conv2d: self._conv2d,
            functional.max_pool2d: _max_pool2d,
            functional.gelu: _gelu,
        }

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """torch's hook: every function of torch comes by here."""
        own = self._replaced.get(func)
        if own is not None and torch.is_grad_enabled():
            found = own(*args, **(kwargs or {}))
            if found is not None:
                return found
        return func(*args, **(kwargs or {}))

    def _conv2d(  # noqa: PLR0917  torch's own signature, which may be called by place or by name
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor | None:
        """The result, or None if it is not one of those that are replaced."""
        outputs, channels, *window = weight.shape
        if window != [3, 3] or input.ndim != 4 or input.shape[1] != channels:
            return None
        if not _fits(channels, outputs, stride=stride, padding=padding, dilation=dilation, groups=groups):
            return None
        if not (input.requires_grad or weight.requires_grad) or not self._computes(input, weight):
            return None
        if not input.permute(0, 2, 3, 1).is_contiguous() or input.shape[0] < torch.get_num_threads():
            return None
        tiles = tiles_for(input, weight, self.dtype)
        if tiles is None:
            return None
        made = convolve(input.to(self.dtype), weight, tiles=tiles)
        return made if bias is None else made + bias.to(made.dtype).view(1, -1, 1, 1)

    def _computes(self, *tensors: Tensor) -> bool:
        """Whether torch too would convolve these, on a CPU, in this type."""
        if any(tensor.device.type != "cpu" for tensor in tensors):
            return False
        if torch.is_autocast_enabled("cpu"):
            return torch.get_autocast_dtype("cpu") == self.dtype and all(
                tensor.dtype in (torch.float32, self.dtype) for tensor in tensors
            )
        return all(tensor.dtype == self.dtype for tensor in tensors)


def _max_pool2d(  # noqa: PLR0917  torch's own signature
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | None:
    """The result, or None if it is not one of those that are replaced."""
    plain = not ceil_mode and not return_indices and _both(padding) == (0, 0) and _both(dilation) == (1, 1)
    steps = kernel_size if stride is None else stride
    if not plain or not _both(kernel_size) == _both(steps) == (elementwise.WINDOW,) * 2:
        return None
    if input.ndim != 4 or min(input.shape[2:]) < elementwise.WINDOW or input.shape[1] % native.LANES:
        return None
    if input.device.type != "cpu" or input.dtype not in TILES or not _many(input):
        return None
    return elementwise.pool(input) if input.permute(0, 2, 3, 1).is_contiguous() else None


def _gelu(input: Tensor, *, approximate: str = "none") -> Tensor | None:
    """The result, or None if it is not one of those that are replaced."""
    if input.device.type != "cpu" or input.dtype != torch.bfloat16 or not _many(input):
        return None
    dense = input.is_contiguous() or (input.ndim == 4 and input.is_contiguous(memory_format=torch.channels_last))
    return elementwise.gelu(input, approximate=approximate) if dense else None


def _many(numbers: Tensor) -> bool:
    return numbers.numel() >= elementwise.LEAST


def _fits(channels: int, outputs: int, *, stride: Any, padding: Any, dilation: Any, groups: int) -> bool:
    """Whether a 3x3 convolution is one of those that may be replaced."""
    return (
        not outputs % native.LANES
        and not channels % native.LANES
        and _both(stride) == _both(dilation) == (1, 1)
        and (padding == "same" or _both(padding) == (1, 1))
        and groups == 1
    )


def _both(number: Any) -> tuple[Any, ...]:
    """Torch takes one number for both axes."""
    return tuple(number) if isinstance(number, (tuple, list)) else (number, number)
