"""Mixed images against torchvision's MixUp and CutMix, and the loss against torch's with soft labels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchvision.transforms import v2

from dlcourse.cli import main
from dlcourse.data.images import ImageBatch
from dlcourse.folders import RunFolder, all_runs
from dlcourse.tasks.classification import Classification
from dlcourse.tasks.mixing import Box, Mixing, added, draw_box, kept, partners, pasted

CLASSES = 4


def pictures(count: int = 6, *, height: int = 7, width: int = 5) -> Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(1))


def a_batch(count: int = 6) -> ImageBatch:
    labels = torch.randint(CLASSES, (count,), generator=torch.Generator().manual_seed(2))
    return ImageBatch(pictures(count), labels, torch.arange(count))


class Flat(nn.Module):
    """Logits that every pixel moves; what it was called with is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3 * 7 * 5, CLASSES, generator=torch.Generator().manual_seed(3)) / 10)
        self.seen = torch.zeros(())

    def forward(self, images: Tensor) -> Tensor:
        self.seen = images
        return images.flatten(1) @ self.weight


def test_three_images_by_hand() -> None:
    images = torch.tensor([1.0, 2.0, 4.0])[:, None, None, None].expand(3, 1, 2, 3)
    assert partners(images)[:, 0, 0, 0].tolist() == [4, 1, 2]
    assert added(images, share=0.75)[:, 0, 1, 2].tolist() == [0.75 * 1 + 0.25 * 4, 0.75 * 2 + 0.25, 0.75 * 4 + 0.5]
    box = Box(top=0, bottom=1, left=1, right=3)
    assert pasted(images, box=box)[0, 0].tolist() == [[1, 4, 4], [1, 1, 1]]
    assert kept(box, height=2, width=3) == pytest.approx(4 / 6)


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("weights", [None, [0.5, 1.0, 2.0, 0.0]])
def test_images_and_loss_are_torchvisions(name: str, seed: int, weights: list[float] | None) -> None:
    batch, model = a_batch(), Flat()
    alpha = 0.3 + 0.2 * seed
    task = Classification(
        label_smoothing=0.1,
        class_weights=weights,
        mixup=alpha if name == "mixup" else 0.0,
        cutmix=alpha if name == "cutmix" else 0.0,
        num_classes=CLASSES,
    )
    torch.manual_seed(seed)
    loss = task.loss(model, batch)

    oracle = {"mixup": v2.MixUp, "cutmix": v2.CutMix}[name](alpha=alpha, num_classes=CLASSES)
    torch.manual_seed(seed)
    images, labels = oracle(batch.images, batch.labels)
    torch.testing.assert_close(model.seen, images)
    total = cross_entropy(
        images.flatten(1) @ model.weight,
        labels,
        weight=None if weights is None else torch.tensor(weights),
        label_smoothing=0.1,
        reduction="sum",
    )
    torch.testing.assert_close(loss, total / len(labels))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 2**31))
def test_the_share_of_a_pasted_image_is_counted_in_its_pixels(height: int, width: int, share: float, seed: int) -> None:
    torch.manual_seed(seed)
    box = draw_box(share, height=height, width=width)
    own = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 1, height, width)
    assert float((pasted(own, box=box)[1] == 1).double().mean()) == pytest.approx(kept(box, height=height, width=width))
    assert kept(box, height=height, width=width) >= share - 1e-6, "clipping takes only from what is pasted"


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([1e-4, 0.2, 1.0, 1e4]), st.sampled_from(["mixup", "cutmix", "both"]), st.integers(0, 2**31))
def test_the_shares_of_a_batch_lie_in_0_to_1_and_keep_its_mean(alpha: float, name: str, seed: int) -> None:
    torch.manual_seed(seed)
    images = pictures()
    mixing = Mixing(mixup=0.0 if name == "cutmix" else alpha, cutmix=0.0 if name == "mixup" else alpha)
    mixed, share = mixing.mix(images)
    assert 0 <= share <= 1
    # Every pixel lies once in its own image and once in a partner, and both weights add to 1.
    torch.testing.assert_close(mixed.mean(0), images.mean(0))


def test_a_share_of_1_or_an_empty_box_leaves_the_batch_as_it_is() -> None:
    images = pictures()
    assert torch.equal(added(images, share=1.0), images)
    assert torch.equal(pasted(images, box=draw_box(1.0, height=7, width=5)), images)


def test_mixing_neither_writes_into_the_batch_nor_changes_its_layout() -> None:
    images = pictures().to(memory_format=torch.channels_last)
    before = images.clone()
    for mixed in (added(images, share=0.3), pasted(images, box=Box(0, 3, 1, 4)), partners(images)):
        assert mixed.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images, before)


def test_of_both_each_batch_gets_one_and_each_about_as_often() -> None:
    ones = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 1, 8, 8)
    torch.manual_seed(0)
    between = [bool(((mixed > 0) & (mixed < 1)).any()) for mixed, _ in (Mixing(1.0, 1.0).mix(ones) for _ in range(400))]
    assert 160 < sum(between) < 240


def test_what_is_off_draws_nothing_and_judging_mixes_nothing() -> None:
    batch, model = a_batch(), Flat()
    before = torch.get_rng_state()
    Classification(num_classes=CLASSES).loss(model, batch)
    task = Classification(num_classes=CLASSES, mixup=1.0, cutmix=1.0, mirror=True)
    assert torch.equal(task.evaluate(model, batch).logits, model(batch.images))
    task.evaluate_test(model, batch)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_an_alpha_must_be_a_number_from_0(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be finite and at least 0, not {value}"):
        Mixing(**{name: value})


@pytest.mark.parametrize(
    ("words", "task"),
    [
        (("model=bigru_attention", "data=reviews_toy", "task=text_classification"), "TextClassification"),
        (("model=bigru_lm", "data=reviews_toy", "task=language_model"), "LanguageModel"),
        (("model=poetry_lstm", "data=poems_toy", "task=poetry"), "Poetry"),
    ],
)
@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_what_is_no_image_is_not_mixed(
    words: tuple[str, ...], task: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *words, f"task.{name}=1.0"]) == 2
    assert f"task.{name}: {task} takes no such argument" in capsys.readouterr().err


def test_a_resumed_run_mixes_as_an_unbroken_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcourse.run.drive.show", lambda run, stats: {})
    words = ["model.width=2", "batch_size=16", "max_steps=6", "log_every=1", "validate_every=6st", "accumulate=2",
             "scheduler=constant", "task.mixup=0.4", "task.cutmix=1", "test=false"]  # fmt: skip
    assert main(["train", f"runs={tmp_path / 'straight'}", *words]) == 0
    assert main(["train", f"runs={tmp_path / 'cut'}", *words, "stop_at=3st"]) == 0
    [straight], [cut] = all_runs(tmp_path / "straight"), all_runs(tmp_path / "cut")
    assert main(["train", f"resume={cut.path}"]) == 0
    assert straight.metrics.read_bytes() == cut.metrics.read_bytes()
    assert all(torch.equal(one, other) for one, other in zip(weights(straight), weights(cut), strict=True))

    plain = [word for word in words if not word.startswith("task.")]
    assert main(["train", f"runs={tmp_path / 'plain'}", *plain]) == 0
    [other] = all_runs(tmp_path / "plain")
    first = [json.loads(run.metrics.read_text(encoding="utf-8").splitlines()[0]) for run in (straight, other)]
    assert first[0]["scalars"]["loss"] != first[1]["scalars"]["loss"]


def weights(run: RunFolder) -> list[Tensor]:
    return list(torch.load(run.checkpoints / "last.pt", weights_only=True)["model"].values())
