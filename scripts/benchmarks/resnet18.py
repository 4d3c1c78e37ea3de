"""ResNet18 on CIFAR-10-shaped images: our program in bf16 and channels_last against Lightning as it is by default."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from benchmarks import lightning_peer, own_path
from benchmarks.table import GAIN, Row, interleaved
from dlcourse.models.resnet import ResNet18

BF16 = ("runtime.device=cpu", "runtime.precision=bf16", "runtime.channels_last=true")


def measure(*, repetitions: int, quick: bool) -> list[Row]:
    """Against fp32, Lightning's default, and for fairness against Lightning with our precision and layout."""
    warm, steps = (1, 1) if quick else (1, 5)
    data = lightning_peer.Images((warm + steps) * lightning_peer.BATCH)

    def peer(**precision: Any) -> float:
        return lightning_peer.samples_per_second(
            data,
            ResNet18(num_classes=10, in_channels=3, image_size=32),
            optimizer=partial(torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4),
            warm=warm,
            steps=steps,
            **precision,
        )

    with own_path.noise_files() as root:
        taken = interleaved(
            {
                "ours": partial(
                    own_path.samples_per_second, root, model="resnet18", overrides=BF16, warm=warm, steps=steps
                ),
                "fp32": peer,
                "bf16": partial(peer, precision="bf16-mixed", channels_last=True),
            },
            repetitions=repetitions,
        )
    return [
        Row("ResNet18 bf16, Lightning fp32", "images/s", taken["ours"], taken["fp32"], GAIN, 2.3),
        Row("ResNet18 bf16, Lightning bf16-mixed + channels_last", "images/s", taken["ours"], taken["bf16"], GAIN),
    ]
