"""The peer: Lightning's Trainer with its default settings over torchvision's per-sample transforms."""

from __future__ import annotations

import io
import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import lightning
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset

from benchmarks.pipeline import per_sample_transforms

BATCH = 128


class Images(Dataset[tuple[Tensor, int]]):
    """As torchvision's CIFAR10 holds it: one uint8 array, made into a PIL image and transformed when asked for."""

    def __init__(self, count: int) -> None:
        generator = np.random.default_rng(0)
        self.images = generator.integers(256, size=(count, 32, 32, 3), dtype=np.uint8)
        self.labels = generator.integers(10, size=count).tolist()
        self.transform = per_sample_transforms()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index])), self.labels[index]


class Classifier(lightning.LightningModule):
    """A model as Lightning's own first example wraps one: a training step that logs its loss, and an optimizer."""

    def __init__(
        self, model: nn.Module, *, optimizer: Callable[[Iterable[nn.Parameter]], Any], layout: torch.memory_format
    ) -> None:
        super().__init__()
        self.model = model.to(memory_format=layout)
        self.optimizer, self.layout = optimizer, layout

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, labels = batch
        loss = cross_entropy(self.model(images.to(memory_format=self.layout)), labels)
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return self.optimizer(self.model.parameters())


class Clock(lightning.Callback):
    """Notes when the step `warm` and the last step were over."""

    def __init__(self, *, warm: int, last: int) -> None:
        self.warm, self.last = warm, last
        self.began = self.ended = 0.0

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        if trainer.global_step == self.warm:
            self.began = time.perf_counter()
        if trainer.global_step == self.last:
            self.ended = time.perf_counter()


def samples_per_second(
    data: Images,
    model: nn.Module,
    *,
    optimizer: Callable[[Iterable[nn.Parameter]], Any],
    warm: int,
    steps: int,
    workers: int = 0,
    precision: Any = "32-true",
    channels_last: bool = False,
) -> float:
    """Training images a second (wall clock) over `steps` optimizer steps that follow `warm` untimed ones.

    Args:
        data: at least `warm + steps` batches.
        model: images to logits.
        optimizer: made from the model's parameters.
        warm: optimizer steps before the clock starts.
        steps: optimizer steps that are timed.
        workers: processes of the DataLoader; 0 is its default.
        precision: as Lightning names it.
        channels_last: whether images and convolution weights have the channels innermost.
    """
    clock = Clock(warm=warm, last=warm + steps)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    loader = DataLoader(data, batch_size=BATCH, shuffle=True, num_workers=workers)
    # its notes on workers and missing GPUs belong to the user of a Trainer, not into our table
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with (
        tempfile.TemporaryDirectory() as folder,
        warnings.catch_warnings(),
        redirect_stderr(io.StringIO()),
        redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(
            max_steps=warm + steps, accelerator="cpu", precision=precision, default_root_dir=folder, callbacks=[clock]
        )
        trainer.fit(Classifier(model, optimizer=optimizer, layout=layout), loader)
    return steps * BATCH / (clock.ended - clock.began)
