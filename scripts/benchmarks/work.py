"""What an optimizer step has to do at least: floating-point operations of its products, bytes that must move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

aten = torch.ops.aten
CONVOLUTIONS = frozenset(
    getattr(aten, name)
    for name in ("convolution", "_convolution", "cudnn_convolution", "convolution_overrideable", "convolution_backward")
)
Product = tuple[str, str]
"""What a product is of, "convolution" or "matrix", and the type of its numbers, such as "bfloat16"."""


@dataclass(frozen=True)
class Work:
    """Of one step.

    Args:
        flops: operations of each kind of product; a multiplication and an addition are two.
        activations: bytes that the forward pass keeps for the backward pass.
        parameters: bytes of the trained parameters.
        state: bytes of the optimizer's state.
    """

    flops: Counter[Product]
    activations: int
    parameters: int
    state: int

    @property
    def bytes(self) -> int:
        """Moved at least: all of these written once and read once, and likewise a gradient for each parameter."""
        return 2 * (self.activations + 2 * self.parameters + self.state)


def work_of(step: Callable[[], object], *, parameters: Iterable[Tensor], optimizer: torch.optim.Optimizer) -> Work:
    """Take one step and count."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    own = {parameter.untyped_storage().data_ptr() for parameter in trained}
    kept: list[tuple[int, int]] = []

    def keep(tensor: Tensor) -> Tensor:
        if tensor.layout == torch.strided and tensor.untyped_storage().data_ptr() not in own:
            kept.append(extent(tensor))
        return tensor

    with Products() as products, saved_tensors_hooks(keep, lambda tensor: tensor):
        step()
    state = [value for held in optimizer.state.values() for value in held.values() if isinstance(value, Tensor)]
    return Work(products.flops, covered(kept), sum(map(size, trained)), sum(map(size, state)))


class Products(TorchDispatchMode):
    """Counts the operations of convolutions, matrix products and recurrent layers, forward and backward.

    By the formulas of `torch.utils.flop_counter`; what it leaves out (recurrent kernels, sums in place) stands below.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops: Counter[Product] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        packet = func._overloadpacket
        formula = FURTHER.get(packet) or flop_registry.get(packet)
        if formula is None and func is not torch.ops.prim.device.default:
            # What consists of other operations is seen as them.
            result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        result = func(*args, **kwargs)
        if formula is not None:
            kind = "convolution" if packet in CONVOLUTIONS else "matrix"
            operand = next(one for one in reversed(args) if isinstance(one, Tensor) and one.ndim > 1)
            self.flops[kind, str(operand.dtype).removeprefix("torch.")] += formula(*args, **kwargs, out_val=result)
        return result


def recurrent(data: Tensor, matrices: Sequence[Tensor]) -> int:
    """Of a recurrent layer's forward pass: every matrix multiplies once for each row of `data` [T, B, I]."""
    rows = data.numel() // data.shape[-1]
    return 2 * rows * sum(matrix.numel() for matrix in matrices if matrix.ndim == 2)


FURTHER: dict[Any, Callable[..., int]] = {
    aten.mkldnn_rnn_layer: lambda data, *weights, **_: recurrent(data, weights[:2]),
    aten.mkldnn_rnn_layer_backward: lambda data, *weights, **_: 2 * recurrent(data, weights[:2]),
    aten._cudnn_rnn: lambda data, weights, *_, **__: recurrent(data, weights),
    aten._cudnn_rnn_backward: lambda data, weights, *_, **__: 2 * recurrent(data, weights),
    aten.addmm_: lambda total, left, right, **_: 2 * left.numel() * right.shape[1],
}


def size(tensor: Tensor) -> int:
    """Bytes of its numbers."""
    return tensor.numel() * tensor.element_size()


def extent(tensor: Tensor) -> tuple[int, int]:
    """The addresses from its first number to behind its last."""
    if not tensor.numel():
        return 0, 0
    last = sum((count - 1) * stride for count, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return tensor.data_ptr(), tensor.data_ptr() + (last + 1) * tensor.element_size()


def covered(extents: Iterable[tuple[int, int]]) -> int:
    """Bytes in any of these stretches; what several share counts once."""
    total = reached = 0
    for begin, end in sorted(extents):
        total += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return total
