"""LeNet-5 on CIFAR-10-shaped images, end to end in fp32: our program against Lightning with per-sample transforms."""

from __future__ import annotations

from functools import partial

import torch

from benchmarks import lightning_peer, own_path
from benchmarks.table import GAIN, Row, interleaved
from dlcourse.models.lenet import LeNet5

FP32 = ("runtime.device=cpu", "runtime.precision=fp32")


def measure(*, repetitions: int, quick: bool) -> list[Row]:
    """Against a DataLoader as it is by default, and against one with two workers."""
    warm, steps = (2, 4) if quick else (20, 150)
    data = lightning_peer.Images((warm + steps) * lightning_peer.BATCH)

    def peer(workers: int) -> float:
        return lightning_peer.samples_per_second(
            data,
            LeNet5(num_classes=10, in_channels=3, image_size=32),
            optimizer=partial(torch.optim.AdamW, lr=1e-3),
            warm=warm,
            steps=steps,
            workers=workers,
        )

    with own_path.noise_files() as root:
        taken = interleaved(
            {
                "ours": partial(
                    own_path.samples_per_second, root, model="lenet5", overrides=FP32, warm=warm, steps=steps
                ),
                "peer": partial(peer, 0),
                "workers": partial(peer, 2),
            },
            repetitions=repetitions,
        )
    return [
        Row("LeNet-5 fp32, Lightning", "images/s", taken["ours"], taken["peer"], GAIN, 2.8),
        Row("LeNet-5 fp32, Lightning with 2 workers", "images/s", taken["ours"], taken["workers"], GAIN),
    ]
