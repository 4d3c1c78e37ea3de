"""Texts: documents without a label, the parts of the loss, and the picture of attention beside gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dlcourse.data.base import Draw, Split
from dlcourse.errors import ConfigError
from dlcourse.media import Picture
from dlcourse.tasks import attribution, text_figures
from dlcourse.tasks.classification import LabelledBatch
from dlcourse.tasks.text_classification import TextClassification, entropies, worth_reading
from dlcourse.tasks.text_figures import Reading, draw_readings


@dataclass(frozen=True)
class Texts:
    tokens: Tensor
    lengths: Tensor
    labels: Tensor
    indices: Tensor

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return self.tokens, self.lengths

    @property
    def weight(self) -> float:
        return float((self.labels >= 0).sum())


class Tiny(nn.Module):
    """Attends by one number of each word, then a layer."""

    def __init__(self, *, classes: int = 2) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.table = nn.Parameter(torch.randn(50, 4, generator=generator))
        self.layer = nn.Parameter(torch.randn(4, classes, generator=generator))

    def embed(self, tokens: Tensor) -> Tensor:
        return self.table[tokens]

    def attention(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        here = torch.arange(tokens.shape[1]) < lengths[:, None]
        return self.embed(tokens)[..., 0].masked_fill(~here, -torch.inf).softmax(1)

    def forward(
        self, tokens: Tensor, lengths: Tensor, *, presence: Tensor | None = None, nudge: Tensor | None = None
    ) -> Tensor:
        words = self.embed(tokens) * (1 if presence is None else presence[..., None])
        words = words if nudge is None else words + nudge
        return (self.attention(tokens, lengths)[..., None] * words).sum(1) @ self.layer


class Inattentive(nn.Module):
    """Has no attention and takes no nudge."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Tiny()

    def forward(self, tokens: Tensor, lengths: Tensor, *, presence: Tensor | None = None) -> Tensor:
        return self.inner(tokens, lengths, presence=presence)


class Names:
    def token(self, index: int) -> str:
        return f"w{index}"


class Shelf(Split[LabelledBatch]):
    """A split whose documents can be read."""

    encoder = Names()

    def __init__(self, batch: Texts) -> None:
        self.batch = batch

    @property
    def fingerprint(self) -> str:
        return ""

    def __len__(self) -> int:
        return len(self.batch.labels)

    def document(self, index: int) -> list[int]:
        return self.batch.tokens[index, : self.batch.lengths[index]].tolist()

    def fetch(self, indices: Tensor, *, draw: Draw | None = None) -> Texts:
        batch = self.batch
        return Texts(batch.tokens[indices], batch.lengths[indices], batch.labels[indices], indices)

    def to(self, device: torch.device, *, memory_format: torch.memory_format = torch.contiguous_format) -> Self:
        return self


def texts(count: int = 12, *, width: int = 9, labels: Sequence[int] | None = None) -> Texts:
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, width + 1, (count,), generator=generator)
    tokens = torch.randint(2, 50, (count, width), generator=generator) * (torch.arange(width) < lengths[:, None])
    drawn = torch.randint(2, (count,), generator=generator)
    return Texts(tokens, lengths, drawn if labels is None else torch.tensor(labels), torch.arange(count))


def written(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_documents_without_a_label_are_no_part_of_the_cross_entropy() -> None:
    batch, model = texts(6, labels=[0, -1, 1, -1, -1, 1]), Tiny()
    known = batch.labels >= 0
    expected = cross_entropy(model(*batch.inputs)[known], batch.labels[known], label_smoothing=0.1)
    torch.testing.assert_close(TextClassification(label_smoothing=0.1).loss(model, batch), expected)


def test_a_batch_without_any_label_costs_nothing_and_breaks_nothing() -> None:
    model = Tiny()
    loss = TextClassification().loss(model, texts(3, labels=[-1, -1, -1]))
    loss.backward()
    assert loss.item() == 0
    assert model.layer.grad is not None and not model.layer.grad.any()


def test_entropy_and_divergence_are_means_over_all_documents() -> None:
    batch, model = texts(6, labels=[0, -1, 1, -1, -1, 1]), Tiny()
    plain = TextClassification().loss(model, batch)
    with_entropy = TextClassification(entropy_weight=0.5).loss(model, batch)
    chances = model(*batch.inputs).softmax(1)
    torch.testing.assert_close(with_entropy - plain, -0.5 * (chances * chances.log()).sum(1).mean())
    losses: list[float] = []
    for weight in (1.0, 3.0):
        torch.manual_seed(0)
        losses.append(TextClassification(vat_weight=weight).loss(model, batch).item() - plain.item())
    assert losses[0] > 0
    assert losses[1] == pytest.approx(3 * losses[0], rel=1e-4)


def test_entropy_by_hand() -> None:
    logits = torch.tensor([[0.0, 0.0], [math.log(3), 0.0], [200.0, 0.0]])
    expected = [math.log(2), -(0.75 * math.log(0.75) + 0.25 * math.log(0.25)), 0.0]
    assert entropies(logits).tolist() == pytest.approx(expected, abs=1e-6)


def test_evaluation_leaves_out_what_has_no_label() -> None:
    batch, model = texts(6, labels=[0, -1, 1, -1, -1, 1]), Tiny()
    stats = TextClassification(classes=["neg", "pos"]).evaluate(model, batch)
    assert stats.indices.tolist() == [0, 2, 5]
    assert stats.labels.tolist() == [0, 1, 1]
    assert TextClassification(num_classes=2).evaluate(model, texts(2, labels=[-1, -1])).summary() == {}


def test_a_model_that_takes_no_nudge_cannot_be_trained_so() -> None:
    with pytest.raises(ConfigError, match=r"^task\.vat_weight: .*Inattentive"):
        TextClassification(vat_weight=1.0).loss(Inattentive(), texts())
    assert TextClassification().loss(Inattentive(), texts()).item() > 0


def test_a_model_that_gives_no_logits_is_told_so() -> None:
    class Pair(nn.Module):
        def forward(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
            return tokens, lengths

    with pytest.raises(TypeError, match=r"^it gives a tuple, not logits \[B, K\]$"):
        TextClassification().loss(Pair(), texts())


def test_the_picture_says_truth_prediction_and_entropy_beside_three_ways_of_counting() -> None:
    batch, model, task = texts(40), Tiny(), TextClassification(classes=["neg", "pos"])
    stats = task.evaluate(model, batch)
    shown = task.show(stats, Shelf(batch), model=model)
    assert {"confusion", "attention"} <= set(shown)
    picture = shown["attention"]
    assert isinstance(picture, Picture)
    lines = written(picture.draw())
    titles = [line for line in lines if "predicted" in line]
    places = worth_reading(stats).tolist()
    assert len(titles) == len(places) == 6
    for title, place in zip(titles, places, strict=True):
        truth, said = stats.classes[int(stats.labels[place])], stats.classes[int(stats.predictions[place])]
        assert title.startswith(f"true {truth} → predicted {said} ")
        weights = model.attention(batch.tokens[place, None], batch.lengths[place, None])
        entropy = attribution.normalised_entropy(weights, batch.lengths[place, None]).item()
        assert f"normalised entropy {entropy:.3f}, {batch.lengths[place]} words" in title
    for name in ("attention", "integrated gradients", "random control"):
        assert lines.count(name) == 6
    words = sum(int(batch.lengths[place]) for place in places)
    assert sum(line.startswith("w") for line in lines) == 3 * words


def test_mistakes_stand_before_what_is_right() -> None:
    batch, model = texts(40), Tiny()
    stats = TextClassification().evaluate(model, batch)
    right = (stats.predictions == stats.labels)[worth_reading(stats)].tolist()
    assert right == [False] * 4 + [True] * 2
    all_right = Texts(batch.tokens, batch.lengths, model(*batch.inputs).argmax(1), batch.indices)
    assert len(worth_reading(TextClassification().evaluate(model, all_right))) == 2


def test_without_captum_or_attention_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribution, "has_captum", lambda: False)
    batch, model, task = texts(), Inattentive(), TextClassification()
    picture = task.show(task.evaluate(model, batch), Shelf(batch), model=model)["attention"]
    assert isinstance(picture, Picture)
    lines = written(picture.draw())
    assert 'integrated gradients need captum: pip install "dlcourse[explain]"' in lines
    assert "Inattentive has no attention to show" in lines
    assert "random control" in lines and "attention" not in lines


def test_colours_are_scores_over_the_largest_and_red_speaks_against() -> None:
    figure = draw_readings([Reading("title", ["good", "bad", "so"], {"score": [2.0, -1.0, 0.0]})])
    [boxes] = figure.axes[0].collections
    colours = torch.tensor(boxes.get_facecolor())
    assert colours[:, 3].tolist() == pytest.approx([0.75, 0.375, 0.0])
    assert colours[0, 2] > colours[0, 0] and colours[1, 0] > colours[1, 2]


def test_long_documents_and_odd_words_can_be_drawn() -> None:
    words = [*map(str, range(100)), *map(str, range(1000, 1100))]
    lines = written(draw_readings([Reading("t", words, {"score": [0.0] * 200})]))
    assert len(lines) == 2 + text_figures.MOST_WORDS + 1
    assert lines[2 + 60] == "…" and lines[2 + 59] == "59" and lines[2 + 61] == "1040"
    odd = ["$x$", "a\nb", "\ue000", "x" * 500, "", "好"]
    figure = draw_readings([Reading("$t$", odd, {"score": [math.ulp(0.0)] * 6})], notes=["end"])
    figure.canvas.draw()
    lines = written(figure)
    assert lines[2] == "$x$" and lines[3] == "a□b" and lines[4] == "□"
    assert len(lines[5]) <= text_figures.LINE
    assert lines[-1] == "end"


def test_nothing_to_read_is_still_a_figure() -> None:
    assert written(draw_readings([], notes=["nothing"])) == ["nothing"]
    task = TextClassification(num_classes=2)
    empty = texts(2, labels=[-1, -1])
    assert task.show(task.evaluate(Tiny(), empty), Shelf(empty), model=Tiny()) == {}
