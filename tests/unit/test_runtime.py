"""Where and how the arithmetic runs: the rules behind `auto`."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcourse.errors import ConfigError
from dlcourse.training import runtime as module
from dlcourse.training.runtime import Runtime

CONVOLUTION = nn.Conv2d(1, 1, 3)
DENSE = nn.Linear(1, 1)


@pytest.fixture
def no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def with_bf16(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    monkeypatch.setattr(module, "has_bf16", lambda device: there)


@pytest.mark.parametrize(
    ("model", "there", "precision", "channels_last"),
    [
        (CONVOLUTION, True, "bf16", True),
        (CONVOLUTION, False, "fp32", True),
        (DENSE, True, "fp32", False),
        (DENSE, False, "fp32", False),
    ],
)
def test_auto_is_bf16_and_channels_last_for_convolutions_where_the_device_has_it(
    monkeypatch: pytest.MonkeyPatch, no_cuda: None, model: nn.Module, there: bool, precision: str, channels_last: bool
) -> None:
    with_bf16(monkeypatch, there)
    settled = Runtime().settle(model)
    assert (settled.device, settled.precision, settled.channels_last) == ("cpu", precision, channels_last)
    assert settled.threads == torch.get_num_threads()


def test_what_the_user_says_stands(monkeypatch: pytest.MonkeyPatch, no_cuda: None) -> None:
    with_bf16(monkeypatch, True)
    said = Runtime(device="cpu", precision="fp32", channels_last=True, threads=3, allocator="system")
    assert said.settle(CONVOLUTION) == said


@pytest.mark.parametrize(
    ("line", "there"),
    [("fpu avx512_bf16 sse", True), ("fpu amx_bf16", True), ("asimd bf16", True), ("fpu avx2", False)],
)
def test_bf16_on_a_cpu_is_read_from_its_flags(monkeypatch: pytest.MonkeyPatch, line: str, there: bool) -> None:
    monkeypatch.setattr(module, "_cpu_line", lambda key: line)
    assert module.has_bf16("cpu") is there


@pytest.mark.parametrize(("capability", "there"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_bf16_on_a_gpu_is_its_capability(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], there: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert module.has_bf16("cuda") is there


def test_cuda_without_cuda_is_refused_and_never_replaced(no_cuda: None) -> None:
    with pytest.raises(ConfigError, match=r"device: cuda is not available .*; say runtime\.device=cpu or auto"):
        Runtime(device="cuda").settle(DENSE)


def test_a_gpu_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match=r"cuda:2 is not there; this machine has cuda:0 to cuda:1"):
        Runtime(device="cuda:2").settle(DENSE)


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cuda:", "cpu:0", "", "mps"])
def test_a_word_that_is_no_device_is_refused(device: str) -> None:
    with pytest.raises(ValueError, match=r"^device must be auto, cpu, cuda or cuda:N"):
        Runtime(device=device)


def test_threads_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^threads must be auto or at least 1, not 0"):
        Runtime(threads=0)


@pytest.mark.parametrize(
    ("precision", "dtype", "scales"),
    [("fp32", torch.float32, False), ("bf16", torch.bfloat16, False), ("fp16", torch.float16, True)],
)
def test_arithmetic_is_in_the_precision_and_weights_stay_fp32(precision: str, dtype: torch.dtype, scales: bool) -> None:
    runtime = Runtime(device="cpu", precision=precision)  # type: ignore[arg-type]
    with runtime.autocast():
        assert DENSE(torch.ones(2, 1)).dtype == dtype
    assert DENSE.weight.dtype == torch.float32
    assert runtime.scaler().is_enabled() is scales


def test_a_seed_names_what_is_drawn_next() -> None:
    runtime = Runtime(device="cpu")

    def draw(*numbers: int) -> float:
        runtime.seed(*numbers)
        return float(torch.rand(()))

    assert draw(1, 2, 3) == draw(1, 2, 3)
    assert len({draw(1, 2, 3), draw(1, 2, 4), draw(1, 3, 3), draw(2, 2, 3)}) == 4


class NoHalf(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        product = inputs @ torch.ones(1, 1)
        if product.dtype != torch.float32:
            raise RuntimeError('"op" not implemented for this type')
        return product * DENSE.weight


def test_a_precision_that_a_model_cannot_do_is_one_error_before_step_0() -> None:
    with pytest.raises(ConfigError, match=r"runtime\.precision: fp16 cannot .*say runtime\.precision=fp32"):
        Runtime(device="cpu", precision="fp16").rehearse(NoHalf(), lambda model: model(torch.ones(1, 1)).sum())


def test_a_model_of_the_wrong_shape_is_one_error_before_step_0() -> None:
    with pytest.raises(ConfigError, match=r"model: Linear cannot take a training step on this data"):
        Runtime(device="cpu", precision="bf16").rehearse(DENSE, lambda model: model(torch.ones(2, 5)).sum())


def test_a_rehearsal_leaves_the_model_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    Runtime(device="cpu", precision="bf16").rehearse(model, lambda twin: twin(torch.randn(4, 2)).sum())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_memory_that_ran_out_is_recognised() -> None:
    assert module.is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    assert not module.is_out_of_memory(RuntimeError("shapes do not fit"))
