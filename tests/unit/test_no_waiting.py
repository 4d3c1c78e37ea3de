"""Between two records no training step waits for the device, shown on torch's meta device.

Its tensors have no numbers, so whatever reads one (`.item()`, `nonzero`, a boolean mask) raises where a GPU would hold
the host until all its work is done. What waits inside torch's CUDA code is for tests/gpu/test_no_waiting_cuda.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dlcourse.config.compose import compose
from dlcourse.data.base import Split
from dlcourse.data.image_set import ImageSet
from dlcourse.data.images import ImageSplit
from dlcourse.run.parts import Parts, assemble
from dlcourse.training.average import Average
from dlcourse.training.loop import train_step
from dlcourse.training.plan import Plan
from dlcourse.training.runtime import Runtime
from dlcourse.training.state import State

META = torch.device("meta")
# fmt: off
RESNET = ("data=cifar10", "model=resnet18", "model.width=4", "batch_size=8")
TEXTS = ("data=reviews_toy", "batch_size=4")
BIGRU = (*TEXTS, "model=bigru_attention", "task=text_classification", "optimizer=sgd", "model.ngram_buckets=64",
         "model.embedding_size=4", "model.hidden_size=4")
POEMS = ("data=poems_toy", "model=poetry_lstm", "task=poetry", "optimizer=sgd", "batch_size=4",
         "model.embedding_size=4", "model.hidden_size=4")
GO = ("data=go9", "model=go_policy", "task=move_prediction", "optimizer=sgd", "batch_size=4")
# fmt: on

QUICK: Mapping[str, tuple[str, ...]] = {
    "cifar10_94": ("experiment=cifar10_94", "model.widths=[4,6,6]"),
    "resnet18_cifar10": ("experiment=resnet18_cifar10", "model.width=4"),
    "mixup": (*RESNET, "task.mixup=0.2", "task.class_weights=[1,1,1,1,1,1,1,1,1,2]", "accumulate=2"),
    "clipped": (*RESNET, "clip_norm=1", "clip_value=1", "data.cutout=8"),
    "texts": (*BIGRU, "model.pooling=all", "model.ngrams=2", "model.ngram_dropout=0.5", "model.word_dropout=0.1",
              "model.embedding_dropout=0.1", "model.locked_dropout=0.1"),
    "virtual adversarial": (*BIGRU, "model.cell=lstm", "task.vat_weight=1", "task.entropy_weight=1"),
    "poems": (*POEMS, "task.label_smoothing=0.1"),
    "a stream of poems": (*POEMS, "data.stream=true"),
    "go": GO,
}  # fmt: skip

SLOW: Mapping[str, tuple[tuple[str, ...], str]] = {
    "skipping": ((*RESNET, "on_nonfinite=skip"), "item"),
    "language model": ((*TEXTS, "model=bigru_lm", "task=language_model", "optimizer=sgd"), "nonzero"),
    "liberties": ((*GO, "data.planes=full"), "equal"),
}
"""What waits in each step and is known to, with the operation that raises."""


class Copies(TorchDispatchMode):
    """Notes every operation that takes a tensor of more than one number from the CPU to the device and waits."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[str] = []

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        made = func(*args, **given)
        inputs = [item for item in tree_leaves((args, given)) if isinstance(item, Tensor)]
        met = any(item.is_meta for item in [*inputs, *tree_leaves(made)] if isinstance(item, Tensor))
        if met and any(item.is_cpu and item.ndim for item in inputs) and not given.get("non_blocking"):
            self.waiting.append(str(func))
        return made


def training_split(parts: Parts) -> Split[Any]:
    """The training split on the meta device; that of an image set has no image of its own."""
    if not isinstance(parts.data, ImageSet):
        return parts.data.load().train.to(META)
    facts = parts.data.facts()
    side, classes = int(str(facts["image_size"])), ("a",) * int(str(facts["num_classes"]))
    images = torch.empty(6000, side, side, 3, dtype=torch.uint8, device=META)
    labels = torch.empty(6000, dtype=torch.int64, device=META)
    augmentation, layout = parts.data.augmentation, torch.channels_last
    return ImageSplit(images, labels, classes, (1.0,) * 3, (2.0,) * 3, augmentation, memory_format=layout)


def on_meta(parts: Parts) -> State:
    """The state before step 0, model and optimizer on the meta device."""
    before = list(parts.model.parameters())
    model = parts.model.to(META).train()
    moved = {id(old): new for old, new in zip(before, model.parameters(), strict=True)}
    for group in parts.optimizer.param_groups:
        group["params"] = [moved[id(old)] for old in group["params"]]
    settings = parts.settings
    plan = Plan.make(settings, steps_per_epoch=100)
    average = Average(model, decay=settings.ema) if settings.ema else None
    return State(model, parts.optimizer, parts.schedule(plan.clock), parts.runtime.scaler(), average)


def two_steps(words: Sequence[str]) -> tuple[State, Copies]:
    """Two training steps of what `words` compose, and what the second copied to the device."""
    parts = assemble(compose([*words, "log_every=50"]), choices={})
    train, state, copies = training_split(parts), on_meta(parts), Copies()
    plan = Plan.make(parts.settings, steps_per_epoch=train.steps(parts.settings.batch_size))
    batches = train.epoch_batches(parts.settings.batch_size, seed=1, epoch=0)

    def step() -> None:
        # The meta device has no autocast; for all else it is told that it computes on the CPU.
        runtime = Runtime(device="cpu", precision="fp32")
        train_step(parts.task, state.model, train, batches[state.step], state=state, plan=plan, runtime=runtime)

    step()  # tables and momentum are made in the first
    with copies:
        step()
    return state, copies


@pytest.mark.parametrize(
    "words",
    # A few seconds each, so all but the first are left to `make verify`.
    [
        pytest.param(words, id=name, marks=[pytest.mark.slow] if at else [])
        for at, (name, words) in enumerate(QUICK.items())
    ],
)
def test_a_step_reads_nothing_from_the_device_and_waits_for_no_copy(words: tuple[str, ...]) -> None:
    state, copies = two_steps(words)
    assert state.step == 2 and all(loss.is_meta for loss in state.losses)
    assert any(len(kept) for kept in state.optimizer.state.values()), "the optimizer moved these parameters"
    assert copies.waiting == []


@pytest.mark.parametrize(("words", "operation"), SLOW.values(), ids=SLOW)
def test_what_is_known_to_wait_is_found(words: tuple[str, ...], operation: str) -> None:
    with pytest.raises((RuntimeError, NotImplementedError), match=operation):
        two_steps(words)


def test_a_copy_that_waits_is_found() -> None:
    with Copies() as copies:
        torch.ones(3).to(META, non_blocking=True)
        torch.ones(3, device=META).mul_(torch.tensor(2.0))
        assert copies.waiting == []
        torch.ones(3).to(META)
    assert copies.waiting == ["aten._to_copy.default"]
