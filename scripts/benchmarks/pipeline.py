"""What one training image costs until it can enter the model: CPU microseconds, ours in whole batches against PIL."""

from __future__ import annotations

import time

import numpy as np
import torch
from PIL import Image
from torch.utils.data import default_collate
from torchvision import transforms

from benchmarks.loop import one_thread, warm_interleaved
from benchmarks.table import SAVING, Row
from dlcourse.data.augment import Augmentation
from dlcourse.data.base import Draw
from dlcourse.data.images import ImageSplit

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
SAMPLES, BATCH, PADDING = 10_000, 128, 4


def per_sample_transforms() -> transforms.Compose:
    """What a course's script puts into its Dataset: crop, flip, to tensor, normalise, one PIL image at a time."""
    return transforms.Compose(
        [
            transforms.RandomCrop(32, padding=PADDING),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )


def split() -> ImageSplit:
    """Random images in our own split, with the augmentation of data=cifar10."""
    generator = torch.Generator().manual_seed(0)
    return ImageSplit(
        images=torch.randint(256, (SAMPLES, 32, 32, 3), dtype=torch.uint8, generator=generator),
        labels=torch.randint(10, (SAMPLES,), generator=generator),
        classes=tuple("abcdefghij"),
        mean=tuple(255 * value for value in MEAN),
        std=tuple(255 * value for value in STD),
        augmentation=Augmentation(crop_padding=PADDING, flip=True),
    )


def ours(train: ImageSplit, batches: int) -> float:
    """CPU microseconds an image: the order of the epoch, gather, crop, flip, normalise."""
    began = time.process_time()
    for indices in train.epoch_batches(BATCH, seed=1, epoch=0)[:batches]:
        train.fetch(indices, draw=Draw(seed=1, epoch=0))
    return (time.process_time() - began) / (batches * BATCH) * 1e6


def by_pil(images: np.ndarray, labels: list[int], batches: int) -> float:
    """CPU microseconds an image: torchvision's transforms one image at a time, collated as a DataLoader does."""
    transform = per_sample_transforms()
    began = time.process_time()
    for indices in torch.randperm(len(images)).split(BATCH)[:batches]:
        default_collate([(transform(Image.fromarray(images[index])), labels[index]) for index in indices.tolist()])
    return (time.process_time() - began) / (batches * BATCH) * 1e6


def measure(*, repetitions: int, quick: bool) -> list[Row]:
    """Both memory formats against the same peer, on one thread."""
    train = split()
    innermost = train.to(torch.device("cpu"), memory_format=torch.channels_last)
    images, labels = train.images.numpy(), train.labels.tolist()
    many, few = (4, 1) if quick else (60, 10)
    with one_thread():
        taken = warm_interleaved(
            {
                "ours": lambda: ours(train, many),
                "channels_last": lambda: ours(innermost, many),
                "pil": lambda: by_pil(images, labels, few),
            },
            repetitions=repetitions,
        )
    unit = "CPU us/image"
    return [
        Row("pipeline, crop + flip + normalise", unit, taken["ours"], taken["pil"], SAVING, 8.0),
        Row("pipeline, channels_last", unit, taken["channels_last"], taken["pil"], SAVING),
    ]
