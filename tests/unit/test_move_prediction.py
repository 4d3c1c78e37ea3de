"""Move prediction: its loss against torch's, its numbers against scikit-learn's, symmetries by brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, log_loss, top_k_accuracy_score
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from dlcourse.data.go_positions import GoBatch, GoSplit, GoTable
from dlcourse.data.symmetries import symmetry_points
from dlcourse.media import Picture
from dlcourse.tasks.go import Guesses, MoveStats, phases
from dlcourse.tasks.move_prediction import MovePrediction, averaged, log_probabilities, spread

SIZE = 5
MOVES = SIZE * SIZE + 1


class Net(nn.Module):
    """Judges every point by the whole board, so it is blind to no symmetry."""

    def __init__(self, size: int = SIZE, channels: int = 3) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layer = nn.Linear(channels * size * size, size * size + 1)

    def forward(self, planes: Tensor) -> Tensor:
        return 4 * self.layer(planes.flatten(1))


class Copy(nn.Module):
    """Plays where the second plane is brightest, and sometimes passes."""

    def forward(self, planes: Tensor) -> Tensor:
        return torch.cat([planes[:, 1].flatten(1), torch.full((len(planes), 1), 0.5)], 1)


def positions(count: int, *, seed: int = 0, size: int = SIZE) -> GoBatch:
    generator = torch.Generator().manual_seed(seed)
    return GoBatch(
        torch.randn(count, 3, size, size, generator=generator),
        torch.randint(size * size + 1, (count,), generator=generator),
        torch.randint(size * size, (count,), generator=generator),
        torch.arange(count),
        size,
    )


def some(batch: GoBatch, rows: Tensor) -> GoBatch:
    return GoBatch(batch.planes[rows], batch.targets[rows], batch.numbers[rows], batch.indices[rows], batch.size)


def split(count: int) -> GoSplit:
    """Boards of three lines with one own stone, which is also the last move."""
    moves, numbers = torch.arange(count) % 9, torch.arange(count) % 9
    own = one_hot((moves + 8) % 9, 9).numpy().astype(np.uint8)
    stones = torch.from_numpy(np.packbits(np.stack([own, np.zeros_like(own)], 1), axis=2))
    none = torch.full((count,), -1, dtype=torch.int16)
    table = GoTable(3, stones, moves.short(), numbers.short(), none, "")
    return GoSplit(table, torch.arange(count), planes="basic")


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_torchs(smoothing: float) -> None:
    batch, model = positions(40), Net()
    wanted = cross_entropy(model(batch.planes), batch.targets, label_smoothing=smoothing)
    torch.testing.assert_close(MovePrediction(label_smoothing=smoothing).loss(model, batch), wanted)


def test_two_positions_by_hand() -> None:
    # Six points of which the played one is second in the opening and sixth in the end.
    chances = torch.tensor([[0.5, 0.3, 0.1, 0.05, 0.04, 0.01], [0.4, 0.2, 0.15, 0.12, 0.1, 0.03]])
    stats = MoveStats.of(
        {"": chances.log()}, torch.tensor([1, 5]), numbers=torch.tensor([0, 4]), indices=torch.arange(2)
    )
    loss = -(math.log(0.3) + math.log(0.03)) / 2
    wanted = {"loss": loss, "accuracy": 0, "top5": 0.5, "accuracy_opening": 0, "accuracy_end": 0}
    assert stats.summary() == pytest.approx(wanted)
    wanted = {"positions/opening": 1, "positions/middle": 0, "positions/end": 1}
    wanted |= {"loss/opening": -math.log(0.3), "loss/end": -math.log(0.03), "top5/opening": 1, "top5/end": 0}
    wanted |= {"accuracy/opening": 0, "accuracy/end": 0}
    assert stats.details() == pytest.approx(wanted)
    counts = [value for name, value in stats.details().items() if name.startswith("positions/")]
    assert counts == [1, 0, 1] and all(isinstance(count, int) for count in counts)


def test_the_numbers_are_scikit_learns() -> None:
    batch, model = positions(500), Net()
    # Every move occurs, so that scikit-learn knows all.
    batch.targets[:MOVES] = torch.arange(MOVES)
    stats = MovePrediction(label_smoothing=0.3).evaluate(model, batch)
    summary, details = stats.summary(), stats.details()
    chances, labels = model(batch.planes).double().softmax(1).detach().numpy(), batch.targets.numpy()
    every = list(range(MOVES))
    assert summary["loss"] == pytest.approx(log_loss(labels, chances, labels=every), rel=1e-5)
    assert summary["accuracy"] == pytest.approx(accuracy_score(labels, chances.argmax(1)))
    assert summary["top5"] == pytest.approx(top_k_accuracy_score(labels, chances, k=5, labels=every))
    for phase, rows in phases(batch.numbers, points=SIZE * SIZE).items():
        mine = rows.numpy()
        assert summary[f"accuracy_{phase}"] == pytest.approx(accuracy_score(labels[mine], chances[mine].argmax(1)))
        found = top_k_accuracy_score(labels[mine], chances[mine], k=5, labels=every)
        assert details[f"top5/{phase}"] == pytest.approx(found)
        assert details[f"positions/{phase}"] == mine.sum()
    assert MovePrediction.best[0] in summary


def test_the_phases_of_nineteen_lines_end_before_moves_62_and_152() -> None:
    found = phases(torch.arange(400), points=361)
    assert {name: rows.nonzero()[[0, -1], 0].tolist() for name, rows in found.items()} == {
        "opening": [0, 60],
        "middle": [61, 150],
        "end": [151, 399],
    }


@settings(max_examples=20)
@given(st.permutations(range(12)), st.integers(1, 11), st.booleans())
def test_batches_and_their_order_change_no_number(order: list[int], cut: int, average: bool) -> None:
    batch, model, task = positions(12), Net(), MovePrediction(average_symmetries=average)
    whole, rows = task.evaluate_test(model, batch), torch.tensor(order)
    parts = task.evaluate_test(model, some(batch, rows[:cut])) + task.evaluate_test(model, some(batch, rows[cut:]))
    assert parts.count == whole.count == 12
    assert parts.summary() == pytest.approx(whole.summary(), rel=1e-5)
    assert parts.details() == pytest.approx(whole.details(), rel=1e-5)
    for name, values in task.predictions(whole).items():
        torch.testing.assert_close(task.predictions(parts)[name], values, rtol=1e-4, atol=1e-6)


def test_of_equals_the_first_is_the_guess() -> None:
    guesses = Guesses.of(torch.zeros(4, 8).log_softmax(1), torch.tensor([0, 1, 4, 5]))
    assert guesses.ranks.tolist() == [0, 1, 4, 5]
    assert guesses.moves.tolist() == [[0, 1, 2, 3, 4]] * 4


def test_nothing_is_hit_by_what_is_no_number() -> None:
    broken = MoveStats.of(
        {"": torch.full((3, 10), math.nan)}, torch.arange(3), numbers=torch.zeros(3).long(), indices=torch.arange(3)
    )
    assert broken.summary() == {"accuracy": 0, "top5": 0, "accuracy_opening": 0}


def test_the_average_over_symmetries_is_that_of_boards_turned_point_by_point() -> None:
    batch, model = positions(7), Net()
    goes_to = symmetry_points(SIZE)
    total = torch.zeros(7, MOVES)
    for goes in goes_to:
        planes = torch.empty(7, 3, SIZE * SIZE)
        planes[:, :, goes[:-1]] = batch.planes.flatten(2)
        total += model(planes.unflatten(2, (SIZE, SIZE))).softmax(1)[:, goes]
    each = log_probabilities(model, batch.planes)
    torch.testing.assert_close(averaged(each).exp(), total / 8)
    torch.testing.assert_close(each[0], model(batch.planes).log_softmax(1))
    summary = MovePrediction().evaluate_test(model, batch).summary()
    loss = -(total / 8).gather(1, batch.targets[:, None]).log().mean().item()
    assert summary["loss_8"] == pytest.approx(loss, rel=1e-5)
    plain = MovePrediction(average_symmetries=False).evaluate_test(model, batch).summary()
    assert plain == {name: number for name, number in summary.items() if "_8" not in name}


@pytest.mark.parametrize("symmetry", range(8))
def test_the_average_turns_with_the_board(symmetry: int) -> None:
    batch, model, goes = positions(5), Net(), symmetry_points(SIZE)[symmetry]
    planes = torch.empty(5, 3, SIZE * SIZE)
    planes[:, :, goes[:-1]] = batch.planes.flatten(2)
    turned = averaged(log_probabilities(model, planes.unflatten(2, (SIZE, SIZE))))
    torch.testing.assert_close(turned[:, goes], averaged(log_probabilities(model, batch.planes)))


def test_a_model_that_turns_with_the_board_gains_nothing() -> None:
    stats = MovePrediction().evaluate_test(Copy(), positions(60))
    summary, details = stats.summary(), stats.details()
    for name in ("loss", "accuracy", "top5"):
        assert summary[f"{name}_8"] == pytest.approx(summary[name], rel=1e-5)
    for phase in ("opening", "middle", "end"):
        assert summary[f"accuracy_8_{phase}"] == summary[f"accuracy_{phase}"] == details[f"accuracy_8/{phase}"]


def test_predictions_name_the_best_moves_in_the_order_of_the_split() -> None:
    batch, model = positions(30), Net()
    arrays = MovePrediction().predictions(MovePrediction().evaluate(model, some(batch, torch.arange(30).flip(0))))
    chances = model(batch.planes).softmax(1).detach()
    assert arrays["index"].tolist() == list(range(30))
    assert arrays["label"].equal(batch.targets)
    assert arrays["number"].equal(batch.numbers)
    assert arrays["prediction"].equal(chances.argmax(1))
    assert arrays["moves"].equal(chances.topk(5).indices)
    torch.testing.assert_close(arrays["chances"], chances.topk(5).values)
    assert "prediction_8" in MovePrediction().predictions(MovePrediction().evaluate_test(model, batch))


def test_boards_of_every_phase_are_drawn() -> None:
    # The stone stands at the move before, so a net that plays on the next point is always right.
    follow = nn.Linear(27, 10, bias=False)
    nn.init.zeros_(follow.weight)
    with torch.no_grad():
        for point in range(9):
            follow.weight[(point + 1) % 9, point] = 9.0
    model = nn.Sequential(nn.Flatten(), follow).eval()
    data, task = split(90), MovePrediction()
    shown = task.sketch(model, data).media["boards"]
    follow.weight.data.zero_()  # what was thought at the time is drawn, not what is thought later
    assert isinstance(shown, Picture)
    titles = [axes.get_title() for axes in shown.draw().axes]
    assert len(titles) == 6
    assert all(title.endswith(" (rank 1, 99 %)") for title in titles)
    numbers = torch.tensor([int(title.split()[1].rstrip(":")) - 1 for title in titles])
    assert [int(rows.sum()) for rows in phases(numbers, points=9).values()] == [2, 2, 2]


def test_there_are_no_pictures_of_positions_that_cannot_be_looked_at() -> None:
    class Blind(GoSplit):
        positions = None  # type: ignore[assignment]

    data = split(9)
    blind = Blind(data.table, data.rows, planes="basic")
    assert MovePrediction().sketch(Net(3), blind).media == {}
    assert set(MovePrediction().sketch(Net(3), data).media) == {"boards"}


def test_what_is_spread_keeps_its_order_and_its_distance() -> None:
    assert spread(torch.arange(10), count=2).tolist() == [2, 7]
    assert spread(torch.arange(3), count=7).tolist() == [0, 1, 2]
    assert spread(torch.arange(0), count=2).tolist() == []


def test_boards_of_other_sizes_do_not_add() -> None:
    task = MovePrediction(average_symmetries=False)
    with pytest.raises(ValueError, match=r"^statistics of boards of 25 and of 9 points do not add$"):
        _ = task.evaluate(Net(), positions(2)) + task.evaluate(Net(3), positions(2, size=3))


@pytest.mark.parametrize("value", [-0.1, 1.0, math.nan])
def test_smoothing_out_of_range_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="^label_smoothing must be at least 0 and below 1"):
        MovePrediction(label_smoothing=value)
