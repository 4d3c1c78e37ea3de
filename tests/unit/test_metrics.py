"""Every number of a classifier's summary against scikit-learn or brute force."""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn import metrics as oracle
from torch import Tensor

from dlcourse.metrics import ClassificationStats, expected_calibration_error, precision_recall_f1, roc_auc


def stats_of(logits: Tensor, labels: Tensor) -> ClassificationStats:
    return ClassificationStats.from_logits(logits, labels, indices=torch.arange(len(labels)))


def drawn(count: int, *, classes: int, seed: int = 0, ties: bool = False) -> ClassificationStats:
    """Labels that the logits know something of; rounded logits make many ties."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (count,), generator=generator)
    logits = torch.randn(count, classes, generator=generator) + 1.5 * torch.nn.functional.one_hot(labels, classes)
    return stats_of(logits.round() if ties else logits, labels)


def test_four_items_by_hand() -> None:
    # Probabilities 0.8/0.2, 0.6/0.4, 0.3/0.7 and 0.1/0.9; the second item is taken for the wrong class.
    logits = torch.tensor([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.1, 0.9]]).log()
    stats = stats_of(logits, torch.tensor([0, 1, 1, 1]))

    assert stats.confusion.tolist() == [[1, 0], [1, 2]]
    assert stats.summary() == pytest.approx(
        {
            "loss": -(math.log(0.8) + math.log(0.4) + math.log(0.7) + math.log(0.9)) / 4,
            "accuracy": 3 / 4,
            "precision": 1.0,
            "recall": 2 / 3,
            "f1": 4 / 5,
            "precision_macro": (1 / 2 + 1) / 2,
            "precision_weighted": (1 / 2 * 1 + 1 * 3) / 4,
            "recall_macro": (1 + 2 / 3) / 2,
            "recall_weighted": 3 / 4,
            "f1_macro": (2 / 3 + 4 / 5) / 2,
            "f1_weighted": (2 / 3 * 1 + 4 / 5 * 3) / 4,
            "roc_auc": 1.0,
            # Confidences 0.8, 0.6, 0.7 and 0.9 lie in four different bins.
            "ece": (0.2 + 0.6 + 0.3 + 0.1) / 4,
        },
        rel=1e-6,
    )


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("count", "classes"), [(40, 2), (300, 3), (1000, 10), (700, 100)])
def test_the_summary_is_scikit_learns(count: int, classes: int, ties: bool) -> None:
    stats = drawn(count, classes=classes, ties=ties)
    truth, predicted, chances = stats.labels.numpy(), stats.predictions.numpy(), stats.probabilities.numpy()
    everyone = np.arange(classes)
    expected = {
        "loss": oracle.log_loss(truth, chances, labels=everyone),
        "accuracy": oracle.accuracy_score(truth, predicted),
    }
    for name in ("precision", "recall", "f1"):
        score: Callable[..., float] = getattr(oracle, f"{name}_score")
        for average in ("macro", "weighted"):
            expected[f"{name}_{average}"] = score(truth, predicted, average=average, zero_division=0)
        if classes == 2:
            expected[name] = score(truth, predicted, pos_label=1, zero_division=0)
    present = np.unique(truth)
    expected["roc_auc"] = float(np.mean([oracle.roc_auc_score(truth == k, chances[:, k]) for k in present]))

    summary = stats.summary()

    assert {name: summary[name] for name in expected} == pytest.approx(expected, rel=1e-12)
    assert set(summary) - set(expected) == ({"ece", "top5"} if classes > 5 else {"ece"})
    assert (stats.confusion.numpy() == oracle.confusion_matrix(truth, predicted, labels=everyone)).all()


def test_top5_is_scikit_learns() -> None:
    stats = drawn(500, classes=30)
    expected = oracle.top_k_accuracy_score(stats.labels.numpy(), stats.probabilities.numpy(), k=5)
    assert stats.summary()["top5"] == pytest.approx(expected)
    assert 0.1 < expected < 0.9


def test_top5_of_a_model_that_prefers_nothing_is_five_classes() -> None:
    stats = stats_of(torch.zeros(20, 20), torch.arange(20))
    assert stats.summary()["top5"] == 5 / 20
    assert stats.summary()["accuracy"] == 1 / 20


def test_per_class_numbers_are_scikit_learns() -> None:
    stats = drawn(60, classes=12)
    truth, predicted = stats.labels.numpy(), stats.predictions.numpy()
    per_class = stats.per_class().values()
    for name in ("precision", "recall", "f1"):
        score: Callable[..., list[float]] = getattr(oracle, f"{name}_score")
        expected = score(truth, predicted, labels=np.arange(12), average=None, zero_division=0)
        assert [numbers[name] for numbers in per_class] == pytest.approx(list(expected))
    assert [numbers["support"] for numbers in per_class] == np.bincount(truth, minlength=12).tolist()


def test_details_name_the_class() -> None:
    logits = torch.tensor([[2.0, 0.0], [2.0, 0.0]])
    stats = ClassificationStats.from_logits(
        logits, torch.tensor([0, 1]), indices=torch.arange(2), classes=("cat", "dog")
    )
    assert stats.details() == {
        "precision/cat": 0.5,
        "recall/cat": 1.0,
        "f1/cat": pytest.approx(2 / 3),
        "precision/dog": 0.0,
        "recall/dog": 0.0,
        "f1/dog": 0.0,
    }


def brute_force_ece(confidence: list[float], hits: list[bool], bins: int) -> float:
    total = 0.0
    edges = np.linspace(0, 1, bins + 1)
    for low, high in pairwise(edges):
        inside = [(c, h) for c, h in zip(confidence, hits, strict=True) if low < c <= high]
        if inside:
            accuracy = sum(h for _, h in inside) / len(inside)
            total += abs(accuracy - sum(c for c, _ in inside) / len(inside)) * len(inside) / len(hits)
    return total


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_the_calibration_error_is_brute_forces(bins: int) -> None:
    stats = drawn(400, classes=4)
    confidence, hits = stats.probabilities.amax(1), stats.predictions == stats.labels
    # Some stand exactly on an edge, and those belong to the bin below it.
    confidence[:30] = torch.arange(1, 31, dtype=torch.float64) / 30
    expected = brute_force_ece(confidence.tolist(), hits.tolist(), bins)
    assert expected_calibration_error(confidence, hits=hits, bins=bins) == pytest.approx(expected)


def test_a_sure_and_right_model_is_calibrated() -> None:
    logits = 1000.0 * torch.eye(3)
    assert stats_of(logits, torch.arange(3)).summary()["ece"] == 0
    assert stats_of(logits, torch.tensor([1, 2, 0])).summary()["ece"] == 1


def test_ties_count_half_in_the_ranking() -> None:
    hits = torch.tensor([True, True, False, False])
    assert roc_auc(torch.tensor([0.5, 0.5, 0.5, 0.5]), hits=hits) == 0.5
    assert roc_auc(torch.tensor([0.9, 0.5, 0.5, 0.1]), hits=hits) == 3.5 / 4
    assert roc_auc(torch.tensor([0.1, 0.2, 0.3, 0.4]), hits=hits) == 0


def test_a_class_that_nobody_has_counts_in_no_ranking() -> None:
    assert math.isnan(roc_auc(torch.tensor([0.1, 0.2]), hits=torch.tensor([False, False])))
    logits, labels = torch.randn(50, 3, generator=torch.Generator().manual_seed(3)), torch.arange(50) % 2
    stats = stats_of(logits, labels)
    first, second = (oracle.roc_auc_score(labels.numpy() == k, stats.probabilities[:, k].numpy()) for k in (0, 1))
    assert stats.summary()["roc_auc"] == pytest.approx((first + second) / 2)


def test_what_is_undefined_is_left_out() -> None:
    summary = stats_of(torch.tensor([[1.0, 0.0], [2.0, 0.0]]), torch.tensor([0, 0])).summary()
    assert "roc_auc" not in summary
    assert summary["accuracy"] == 1
    assert stats_of(torch.empty(0, 7), torch.empty(0, dtype=torch.int64)).summary() == {}


def test_a_model_that_blew_up_still_gives_finite_numbers() -> None:
    summary = stats_of(torch.full((4, 7), math.nan), torch.arange(4)).summary()
    assert all(map(math.isfinite, summary.values()))
    assert summary["top5"] == 0
    assert not {"loss", "roc_auc", "ece"} & set(summary)


def test_a_class_neither_there_nor_guessed_is_no_part_of_the_macro_mean() -> None:
    confusion = torch.tensor([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    assert precision_recall_f1(confusion)["recall"].tolist() == [0.75, 1, 0]
    logits = torch.tensor([[5.0, 0, 0]] * 3 + [[0, 5.0, 0]] * 5)
    assert stats_of(logits, torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])).summary()["recall_macro"] == 0.875


def test_items_come_back_in_the_order_of_their_indices() -> None:
    logits = torch.tensor([[0.0, 9.0], [9.0, 0.0], [0.0, 9.0]])
    late = ClassificationStats.from_logits(logits[:2], torch.tensor([1, 0]), indices=torch.tensor([2, 0]))
    early = ClassificationStats.from_logits(logits[2:], torch.tensor([0]), indices=torch.tensor([1]))
    both = late + early
    assert both.count == 3
    assert both.indices.tolist() == [0, 1, 2]
    assert both.labels.tolist() == [0, 0, 1]
    assert both.predictions.tolist() == [0, 1, 1]
    assert both.probabilities.argmax(1).tolist() == [0, 1, 1]


def test_the_statistics_keep_their_numbers_when_the_model_reuses_its_memory() -> None:
    logits = torch.tensor([[9.0, 0.0]])
    stats = stats_of(logits, torch.tensor([0]))
    logits.copy_(torch.tensor([[0.0, 9.0]]))
    assert stats.summary()["accuracy"] == 1


def test_half_precision_is_summed_in_double() -> None:
    stats = stats_of(torch.randn(9, 3).bfloat16(), torch.arange(9) % 3)
    assert stats.probabilities.dtype == stats.losses.dtype == torch.float64


def test_statistics_of_other_classes_do_not_add() -> None:
    with pytest.raises(ValueError, match="2 and of 3"):
        _ = drawn(4, classes=2) + drawn(4, classes=3)


def test_logits_and_labels_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[3, 2\] must be \[4 labels, 2 classes\]"):
        stats_of(torch.zeros(3, 2), torch.zeros(4, dtype=torch.int64))
