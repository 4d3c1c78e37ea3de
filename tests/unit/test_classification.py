"""The classification task: its loss against torch's, its statistics, pictures and predictions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import pytest
import torch
from matplotlib.axes import Axes
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from dlcourse.data.base import Draw, Split
from dlcourse.data.images import ImageBatch
from dlcourse.media import Picture, PrecisionRecall
from dlcourse.tasks.classification import Classification, LabelledBatch, hardest_classes, worst_mistakes
from dlcourse.tasks.text_classification import TextClassification


@dataclass(frozen=True)
class Points:
    """A batch whose model is called with two tensors, as a text classifier's is with tokens and lengths."""

    values: Tensor
    labels: Tensor
    indices: Tensor

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return self.values, torch.ones(len(self.values))

    @property
    def weight(self) -> float:
        return float(len(self.labels))


class Scale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(1.0))

    def forward(self, values: Tensor, ones: Tensor) -> Tensor:
        return self.factor * values * ones[:, None].to(values.dtype)


class Blind(Split[LabelledBatch]):
    """A split whose items cannot be looked at."""

    def __init__(self, batch: Points) -> None:
        self.batch = batch

    @property
    def fingerprint(self) -> str:
        return ""

    def __len__(self) -> int:
        return len(self.batch.labels)

    def fetch(self, indices: Tensor, *, draw: Draw | None = None) -> Points:
        return Points(self.batch.values[indices], self.batch.labels[indices], indices)

    def to(self, device: torch.device, *, memory_format: torch.memory_format = torch.contiguous_format) -> Self:
        return self


class Seen(Blind):
    """A split of grey images that each hold their index."""

    def pixels(self, indices: Tensor) -> Tensor:
        return indices.to(torch.uint8)[:, None, None, None].expand(-1, 4, 4, 1)


def brightest(axes: Axes) -> int:
    pixels = axes.images[0].get_array()
    assert pixels is not None
    return int(pixels.max())


def points(count: int, *, classes: int, seed: int = 0) -> Points:
    generator = torch.Generator().manual_seed(seed)
    values = 3 * torch.randn(count, classes, generator=generator)
    return Points(values, torch.randint(classes, (count,), generator=generator), torch.arange(count))


def test_the_plain_loss_is_torchs() -> None:
    batch = points(50, classes=4)
    torch.testing.assert_close(Classification().loss(Scale(), batch), cross_entropy(batch.values, batch.labels))


def test_two_items_by_hand() -> None:
    batch = Points(torch.tensor([[0.9, 0.1], [0.4, 0.6]]).log(), torch.tensor([0, 0]), torch.arange(2))
    smooth = Classification(label_smoothing=0.2).loss(Scale(), batch)
    # Of each label 0.2 is spread over two classes, which leaves 0.9 for the true one.
    by_hand = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1) + 0.9 * math.log(0.4) + 0.1 * math.log(0.6)) / 2
    assert smooth.item() == pytest.approx(by_hand)
    weighted = Classification(class_weights=[3, 1]).loss(Scale(), batch)
    assert weighted.item() == pytest.approx(-3 * (math.log(0.9) + math.log(0.4)) / 2)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, [0.5, 1.0, 2.0, 0.0]])
def test_the_loss_is_torchs_sum_over_the_number_of_items(smoothing: float, weights: list[float] | None) -> None:
    batch = points(50, classes=4)
    task = Classification(label_smoothing=smoothing, class_weights=weights, num_classes=4)
    total = cross_entropy(
        batch.values,
        batch.labels,
        weight=None if weights is None else torch.tensor(weights),
        label_smoothing=smoothing,
        reduction="sum",
    )
    assert task.loss(Scale(), batch).item() == pytest.approx(total.item() / 50, rel=1e-6)


def test_micro_batches_add_up_to_the_gradient_of_the_whole_batch() -> None:
    batch, task = points(48, classes=4), Classification(label_smoothing=0.1, class_weights=[1, 5, 1, 0.1])
    whole, cut = Scale(), Scale()
    task.loss(whole, batch).backward()
    for rows in torch.arange(48).split([8, 40]):
        part = Points(batch.values[rows], batch.labels[rows], rows)
        (task.loss(cut, part) * part.weight / batch.weight).backward()
    torch.testing.assert_close(cut.factor.grad, whole.factor.grad)


def test_the_loss_of_half_precision_logits_is_taken_in_single_precision() -> None:
    batch = points(50, classes=4)
    half = Points(batch.values.bfloat16(), batch.labels, batch.indices)
    loss = Classification(label_smoothing=0.1).loss(Scale().bfloat16(), half)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, cross_entropy(half.values.float(), batch.labels, label_smoothing=0.1))


def test_evaluation_counts_the_plain_loss_whatever_is_trained() -> None:
    batch = points(50, classes=4)
    task = Classification(label_smoothing=0.3, class_weights=[9, 1, 1, 1])
    summary = task.evaluate(Scale(), batch).summary()
    assert summary["loss"] == pytest.approx(cross_entropy(batch.values, batch.labels).item(), rel=1e-6)
    assert Classification.best[0] in summary


def test_evaluation_names_the_classes_of_the_data() -> None:
    batch = points(9, classes=2)
    assert Classification(classes=["cat", "dog"]).evaluate(Scale(), batch).classes == ("cat", "dog")
    assert Classification(num_classes=2).evaluate(Scale(), batch).classes == ("0", "1")


def test_predictions_stand_in_the_order_of_the_split() -> None:
    batch, task = points(30, classes=4), Classification()
    rows = torch.arange(30).flip(0)
    backwards = Points(batch.values[rows], batch.labels[rows], rows)
    arrays = task.predictions(task.evaluate(Scale(), backwards))
    assert arrays["index"].tolist() == list(range(30))
    assert arrays["label"].equal(batch.labels)
    assert arrays["scores"].dtype == torch.float32
    torch.testing.assert_close(arrays["scores"], batch.values.softmax(1))


def test_pictures_are_drawn_when_somebody_looks() -> None:
    batch, task = points(60, classes=3), Classification(classes=["猫", "dog", "a $ sign"])
    shown = task.show(task.evaluate(Scale(), batch), Seen(batch), model=Scale())
    assert list(shown) == ["confusion", "mistakes", *(f"precision_recall/{name}" for name in ("猫", "dog", "a $ sign"))]
    for media in shown.values():
        if isinstance(media, Picture):
            assert media.draw().axes
    curve = shown["precision_recall/dog"]
    assert isinstance(curve, PrecisionRecall)
    assert curve.hits.equal(batch.labels == 1)
    torch.testing.assert_close(curve.scores, batch.values.softmax(1)[:, 1])


def test_the_grid_shows_the_pixels_of_the_worst_mistakes() -> None:
    values = torch.tensor([[0.0, 1.0], [0.0, 9.0], [9.0, 0.0], [0.0, 5.0]])
    # A part of a split, whose places among the statistics are not their indices.
    batch, task = (
        Points(values, torch.zeros(4, dtype=torch.int64), torch.arange(5, 9)),
        Classification(classes=["cat", "dog"]),
    )
    shown = task.show(task.evaluate(Scale(), batch), Seen(batch), model=Scale())["mistakes"]
    assert isinstance(shown, Picture)
    axes = shown.draw().axes
    assert [brightest(one) for one in axes] == [6, 8, 5]
    assert [one.get_title() for one in axes] == ["cat\n→ dog 99%", "cat\n→ dog 99%", "cat\n→ dog 73%"]


def test_there_is_no_grid_without_pixels_or_without_mistakes() -> None:
    batch, task = points(60, classes=3), Classification()
    assert "mistakes" not in task.show(task.evaluate(Scale(), batch), Blind(batch), model=Scale())
    right = Points(batch.values, batch.values.argmax(1), batch.indices)
    assert "mistakes" not in task.show(task.evaluate(Scale(), right), Seen(right), model=Scale())


def test_the_worst_mistakes_come_first_and_are_at_most_so_many() -> None:
    batch = points(200, classes=5)
    stats = Classification().evaluate(Scale(), batch)
    worst = worst_mistakes(stats, most=25)
    assert len(worst) == 25
    assert (stats.predictions[worst] != stats.labels[worst]).all()
    losses = stats.losses[worst]
    assert (losses.diff() <= 0).all()
    assert losses[-1] >= stats.losses[stats.predictions != stats.labels].sort(descending=True).values[24]


def test_of_many_classes_the_hardest_have_curves() -> None:
    even, task = points(400, classes=30), Classification()
    # A hint of the truth and a taste for the later classes, which are found more often than rightly.
    leaning = even.values + torch.linspace(-2, 2, 30) + 3 * one_hot(even.labels, 30)
    batch = Points(leaning, even.labels, even.indices)
    stats = task.evaluate(Scale(), batch)
    chosen = hardest_classes(stats, most=10)
    f1 = {place: numbers["f1"] for place, numbers in enumerate(stats.per_class().values())}
    assert len(chosen) == 10
    assert max(f1[place] for place in chosen) <= min(f1[place] for place in f1 if place not in chosen)
    assert (
        sum(isinstance(media, PrecisionRecall) for media in task.show(stats, Blind(batch), model=Scale()).values())
        == 10
    )


def test_a_class_that_no_item_has_gets_no_curve() -> None:
    batch = Points(torch.randn(6, 3), torch.tensor([0, 0, 0, 2, 2, 2]), torch.arange(6))
    assert hardest_classes(Classification().evaluate(Scale(), batch), most=10) == [0, 2]


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, math.nan])
def test_smoothing_out_of_range_is_refused(smoothing: float) -> None:
    with pytest.raises(ValueError, match=r"^label_smoothing must be at least 0 and below 1, not"):
        Classification(label_smoothing=smoothing)


def test_too_few_weights_are_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match=r"^class_weights has 2 numbers for 3 classes; give one for each$"):
        Classification(class_weights=[1, 2], num_classes=3)
    with pytest.raises(ValueError, match=r"^class_weights has 2 numbers for 1 classes"):
        Classification(class_weights=[1, 2], classes=["cat"])


@pytest.mark.parametrize("weights", [[1, -1], [0, 0], [1, math.inf], [math.nan, 1]])
def test_weights_that_weigh_nothing_sensible_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match=r"^class_weights must be finite, at least 0 and not all 0, not"):
        Classification(class_weights=weights)


def test_names_and_number_of_classes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"^classes has 2 names, but num_classes is 3$"):
        Classification(classes=["cat", "dog"], num_classes=3)


# ---------------------------------------------------------------- mirror images


class LeftPixels(nn.Module):
    """Logits that are the leftmost pixels of the first row, so that a mirror image has others."""

    def forward(self, images: Tensor) -> Tensor:
        return images[:, 0, 0, :3]


def rows(*pixels: list[float], labels: list[int]) -> ImageBatch:
    images = torch.tensor(pixels).view(len(pixels), 1, 1, -1)
    return ImageBatch(images, torch.tensor(labels), torch.arange(len(pixels)))


def drawn_images(count: int) -> ImageBatch:
    generator = torch.Generator().manual_seed(5)
    images = torch.randn(count, 2, 4, 6, generator=generator)
    return ImageBatch(images, torch.randint(3, (count,), generator=generator), torch.arange(count))


def test_two_images_and_their_mirror_images_by_hand() -> None:
    # The mirror images' logits are (0, 0, 0) and (0, 0, 1).
    batch = rows([1.0, 0.0, 0.0, 0.0], [2.0, 1.0, 0.0, 0.0], labels=[0, 1])
    summary = Classification(mirror=True).evaluate_test(LeftPixels(), batch).summary()
    mean = [[0.5, 0.0, 0.0], [1.0, 0.5, 0.5]]
    loss = sum(math.log(sum(map(math.exp, row))) - row[label] for row, label in zip(mean, [0, 1], strict=True)) / 2
    assert summary["loss_mirrored"] == pytest.approx(loss)
    assert summary["accuracy"] == summary["accuracy_mirrored"] == 0.5


def test_a_mirror_image_can_set_an_image_right() -> None:
    batch = rows([3.0, 2.0, 2.0, 0.0], labels=[1])  # (3, 2, 2) as it is, (1.5, 2, 2) in the mean
    summary = Classification(mirror=True).evaluate_test(LeftPixels(), batch).summary()
    assert (summary["accuracy"], summary["accuracy_mirrored"]) == (0.0, 1.0)


def test_mirrored_numbers_are_torchs_over_the_mean_of_both_logits() -> None:
    batch, model = drawn_images(40), LeftPixels()
    summary = Classification(mirror=True, label_smoothing=0.2).evaluate_test(model, batch).summary()
    mean = (model(batch.images) + model(torch.flip(batch.images, [3]))) / 2
    assert summary["loss_mirrored"] == pytest.approx(cross_entropy(mean, batch.labels).item(), rel=1e-5)
    assert summary["accuracy_mirrored"] == pytest.approx((mean.argmax(1) == batch.labels).float().mean().item())


def test_everything_but_the_two_numbers_is_that_of_the_images_as_they_are() -> None:
    batch, model = drawn_images(40), LeftPixels()
    plain, task = Classification().evaluate_test(model, batch), Classification(mirror=True)
    both = task.evaluate_test(model, batch)
    extra = {"loss_mirrored", "accuracy_mirrored"}
    assert {name: number for name, number in both.summary().items() if name not in extra} == plain.summary()
    assert both.details() == plain.details()
    for name, array in task.predictions(both).items():
        assert torch.equal(array, task.predictions(plain)[name])
    assert task.conclude(both, val=plain) == task.conclude(plain, val=plain)


def test_validation_sees_every_image_once() -> None:
    stats = Classification(mirror=True).evaluate(LeftPixels(), drawn_images(9))
    assert "accuracy_mirrored" not in stats.summary()
    assert not Classification().evaluate_test(LeftPixels(), drawn_images(9)).summary().keys() & {"loss_mirrored"}


@pytest.mark.parametrize("cut", [1, 17, 39])
def test_mirrored_statistics_add_whatever_their_order(cut: int) -> None:
    batch, model, task = drawn_images(40), LeftPixels(), Classification(mirror=True)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(cut))
    parts = [ImageBatch(batch.images[some], batch.labels[some], some) for some in (order[:cut], order[cut:])]
    added = task.evaluate_test(model, parts[0]) + task.evaluate_test(model, parts[1])
    assert added.summary() == task.evaluate_test(model, batch).summary()


def test_a_model_that_writes_into_one_memory_is_read_before_it_is_asked_again() -> None:
    class Reusing(LeftPixels):
        memory = torch.zeros(40, 3)

        def forward(self, images: Tensor) -> Tensor:
            return self.memory.copy_(super().forward(images))

    batch, task = drawn_images(40), Classification(mirror=True)
    assert task.evaluate_test(Reusing(), batch).summary() == task.evaluate_test(LeftPixels(), batch).summary()


def test_texts_are_not_mirrored() -> None:
    with pytest.raises(TypeError, match="mirror"):
        TextClassification(mirror=True)  # type: ignore[call-arg]
    assert TextClassification().mirror is False
