"""What our loop adds to a bare hand-written one: CPU milliseconds of the whole process a step, on one thread."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from rich.console import Console as Terminal
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.tensorboard.writer import SummaryWriter

from benchmarks.table import ADDED, COST, Row, interleaved
from dlcourse.config.settings import Settings
from dlcourse.data.base import Draw, Split, Splits
from dlcourse.models.lenet import LeNet5
from dlcourse.tasks.classification import Classification
from dlcourse.training.average import Average
from dlcourse.training.loop import Requests, fit
from dlcourse.training.observers import Observer
from dlcourse.training.observers.console import Console
from dlcourse.training.observers.history import History
from dlcourse.training.observers.tensorboard import TensorBoard
from dlcourse.training.optimizers import sgd
from dlcourse.training.plan import Plan
from dlcourse.training.runtime import Runtime
from dlcourse.training.schedules import cosine
from dlcourse.training.state import State

BATCH = 128
SAMPLES = 50 * BATCH
EMA, CLIP_NORM, RECORD_EVERY = 0.999, 1.0, 50


@dataclass(frozen=True)
class Items:
    """`inputs` float32 [B, ...], `labels` and `indices` int64 [B]."""

    inputs: tuple[Tensor]
    labels: Tensor
    indices: Tensor

    @property
    def weight(self) -> float:
        return float(len(self.labels))


@dataclass(frozen=True, eq=False)
class Noise(Split[Items]):
    """Random inputs that cost both arms the same index_select, so that the loops alone differ."""

    inputs: Tensor
    labels: Tensor

    @property
    def fingerprint(self) -> str:
        return ""

    def __len__(self) -> int:
        return len(self.labels)

    def fetch(self, indices: Tensor, *, draw: Draw | None = None) -> Items:
        return Items((self.inputs.index_select(0, indices),), self.labels.index_select(0, indices), indices)

    def to(self, device: torch.device, *, memory_format: torch.memory_format = torch.contiguous_format) -> Self:
        return self


@dataclass(frozen=True)
class Network:
    """A model and the shape of its inputs."""

    build: Callable[[], nn.Module]
    shape: tuple[int, ...]

    def data(self) -> Noise:
        generator = torch.Generator().manual_seed(0)
        inputs = torch.randn(SAMPLES, *self.shape, generator=generator)
        return Noise(inputs, torch.randint(10, (SAMPLES,), generator=generator))


MLP = Network(lambda: nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)), (64,))
LENET5 = Network(lambda: LeNet5(num_classes=10, in_channels=3, image_size=32), (3, 32, 32))


def ours(network: Network, steps: int, *, changes: Mapping[str, Any]) -> float:
    """Milliseconds a step of `fit` with its observers, without the validation and checkpoint after the last step."""
    settings = Settings(batch_size=BATCH, max_steps=steps, validate_every=f"{steps}st", **changes)
    data, model = network.data(), network.build()
    plan = Plan.make(settings, steps_per_epoch=data.steps(BATCH))
    runtime = Runtime(device="cpu", precision="fp32", threads=1).settle(model)
    state = State(
        model=model,
        optimizer=sgd(model.named_parameters(), lr=0.01),
        schedule=cosine(plan.clock),
        scaler=runtime.scaler(),
        average=Average(model, decay=settings.ema) if settings.ema else None,
    )
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        observers: list[Observer] = [
            History(folder / "metrics.jsonl", folder / "timing.jsonl"),
            TensorBoard(folder, settings={}, metrics=["val/accuracy"]),
            Console(plan, terminal=Terminal(file=io.StringIO())),
        ]
        for observer in observers:
            closing.callback(observer.close)
        began = time.process_time()
        for event in fit(
            Classification(num_classes=10),
            Splits(data, data, data),
            state,
            plan=plan,
            runtime=runtime,
            requests=Requests(),
        ):
            for observe in observers:
                observe(event)
            if event.step == steps:
                break
        return (time.process_time() - began) / steps * 1000


def bare(network: Network, steps: int, *, every: int, ema: bool = False, clip: bool = False) -> float:
    """Milliseconds a step of what one writes by hand: the same model, data, optimizer and scalars in TensorBoard.

    Args:
        network: what is trained.
        steps: optimizer steps.
        every: steps between two records.
        ema: average the weights by torch's own means.
        clip: clip the gradient's norm by torch's own means.
    """
    data, model = network.data(), network.build()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(EMA)) if ema else None
    with tempfile.TemporaryDirectory() as folder, SummaryWriter(folder) as writer:
        step = 0
        began = last = time.process_time()
        while step < steps:
            for indices in torch.randperm(SAMPLES).split(BATCH):
                inputs, labels = data.inputs.index_select(0, indices), data.labels.index_select(0, indices)
                loss = cross_entropy(model(inputs), labels)
                loss.backward()
                if clip:
                    nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
                optimizer.step()
                if average is not None:
                    average.update_parameters(model)
                step += 1
                if step % every == 0:
                    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
                    now = time.process_time()
                    writer.add_scalar("train/loss", loss.item(), step, new_style=True)
                    writer.add_scalar("lr", optimizer.param_groups[0]["lr"], step, new_style=True)
                    writer.add_scalar("grad_norm", nn.utils.get_total_norm(gradients).item(), step, new_style=True)
                    writer.add_scalar("samples_per_second", every * BATCH / (now - last), step, new_style=True)
                    last = now
                optimizer.zero_grad()
                if step == steps:
                    break
        return (time.process_time() - began) / steps * 1000


@contextmanager
def one_thread() -> Iterator[None]:
    """Runs what is inside on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def measure(*, repetitions: int, quick: bool) -> list[Row]:
    """A two-layer MLP, plain and with each feature on both sides, and LeNet-5."""
    steps = 100 if quick else 2000
    variants: list[tuple[str, dict[str, Any], dict[str, Any], float | None]] = [
        ("plain", {}, {"every": RECORD_EVERY}, 0.3),
        (f"ema={EMA}", {"ema": EMA}, {"every": RECORD_EVERY, "ema": True}, None),
        (f"clip_norm={CLIP_NORM:g}", {"clip_norm": CLIP_NORM}, {"every": RECORD_EVERY, "clip": True}, None),
        ("a record with the norm every step", {"log_every": 1}, {"every": 1}, None),
    ]
    rows: list[Row] = []
    with one_thread():
        for name, changes, by_hand, target in variants:
            arms = {"ours": partial(ours, MLP, steps, changes=changes), "bare": partial(bare, MLP, steps, **by_hand)}
            taken = warm_interleaved(arms, repetitions=repetitions)
            rows.append(Row(f"loop, MLP, {name}", "CPU ms/step", taken["ours"], taken["bare"], ADDED, target))
        steps = 50 if quick else 300
        arms = {
            "ours": partial(ours, LENET5, steps, changes={}),
            "bare": partial(bare, LENET5, steps, every=RECORD_EVERY),
        }
        taken = warm_interleaved(arms, repetitions=repetitions)
        rows.append(Row("loop, LeNet-5, plain", "CPU ms/step", taken["ours"], taken["bare"], COST))
    return rows


def warm_interleaved(arms: Mapping[str, Callable[[], float]], *, repetitions: int) -> dict[str, tuple[float, ...]]:
    """`interleaved` after one round that is thrown away: it pays for imports and the allocator's first blocks."""
    interleaved(arms, repetitions=1)
    return interleaved(arms, repetitions=repetitions)
