"""The training loop, on a task of numbers that it has never heard of."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import pytest
import torch
from torch import Tensor, nn

from dlcourse.config.settings import Checkpointing, EarlyStopping, Settings
from dlcourse.data.base import Draw, Split, Splits, mix
from dlcourse.errors import RunError
from dlcourse.media import Sketch, Text
from dlcourse.metrics import Stats
from dlcourse.tasks.base import Task
from dlcourse.training import loop, optimizers, schedules
from dlcourse.training.average import Average
from dlcourse.training.events import Event, Record, Save, Shown, Stopped, Tick
from dlcourse.training.loop import Requests, fit
from dlcourse.training.plan import Plan
from dlcourse.training.runtime import Runtime
from dlcourse.training.state import State


@dataclass(frozen=True)
class Points:
    """Inputs [B, 3] and targets [B, 1]."""

    inputs: Tensor
    targets: Tensor
    indices: Tensor

    @property
    def weight(self) -> float:
        return float(len(self.indices))


class Line(Split[Points]):
    """Points of a straight line, each shaken by a draw."""

    def __init__(self, count: int, *, seed: int, poison: Sequence[int] = ()) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.inputs = torch.randn(count, 3, generator=generator)
        self.targets = self.inputs @ torch.tensor([[1.0], [-2.0], [0.5]])
        self.targets[list(poison)] = math.inf
        self.fetched: list[list[int]] = []

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.inputs.numpy().tobytes()).hexdigest()

    def __len__(self) -> int:
        return len(self.inputs)

    def fetch(self, indices: Tensor, *, draw: Draw | None = None) -> Points:
        self.fetched.append(indices.tolist())
        inputs = self.inputs[indices]
        if draw is not None:
            inputs = inputs + 0.01 * (mix(draw.seed, draw.epoch) % 7)
        return Points(inputs, self.targets[indices], indices)

    def to(self, device: torch.device, *, memory_format: torch.memory_format = torch.contiguous_format) -> Self:
        return self


@dataclass(frozen=True)
class Squares(Stats):
    total: float
    count: int

    def __add__(self, other: Self) -> Self:
        return dataclasses.replace(self, total=self.total + other.total, count=self.count + other.count)

    def summary(self) -> dict[str, float]:
        mean = self.total / self.count
        return {"distance": mean} if math.isfinite(mean) else {}


class Regression(Task[Points, Squares]):
    takes: ClassVar[str] = "points"
    best: ClassVar[tuple[str, str]] = ("distance", "min")

    def loss(self, model: nn.Module, batch: Points) -> Tensor:
        return (model(batch.inputs) - batch.targets).square().mean()

    def evaluate(self, model: nn.Module, batch: Points) -> Squares:
        assert not model.training
        torch.rand(3)  # what a validation draws must not be noticed
        return Squares(float((model(batch.inputs) - batch.targets).square().sum()), len(batch.indices))


class Sketching(Regression):
    """Shows the first weight of the model that is judged."""

    def sketch(self, model: nn.Module, split: Split[Points]) -> Sketch:
        assert not model.training and torch.is_inference_mode_enabled() and len(split) == 10
        weight = float(next(model.parameters())[0, 0] + torch.rand(1) * 0)  # a draw that must not be noticed
        bf16 = torch.is_autocast_enabled("cpu")
        return Sketch({"first": Text(f"{weight} {bf16}")}, {"sketched/weight": weight})


def network(*, dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(dropout), nn.Linear(4, 1))


def linear() -> nn.Module:
    torch.manual_seed(3)
    return nn.Linear(3, 1)


@dataclass
class Bench:
    """One run of the loop: what it yielded, and the state it left."""

    state: State
    splits: Splits
    plan: Plan
    runtime: Runtime
    requests: Requests
    task: Task[Any, Any] = field(default_factory=Regression)

    def events(self) -> Iterator[Event]:
        return fit(self.task, self.splits, self.state, plan=self.plan, runtime=self.runtime, requests=self.requests)

    def run(self) -> list[Event]:
        return list(self.events())

    @property
    def digest(self) -> str:
        values = [value.numpy().tobytes() for value in self.state.model.state_dict().values()]
        return hashlib.sha256(b"".join(values)).hexdigest()


def bench(
    model: nn.Module | None = None,
    *,
    count: int = 40,
    poison: Sequence[int] = (),
    lr: float = 0.05,
    precision: Any = "fp32",
    **settings: Any,
) -> Bench:
    chosen = Settings(**{"epochs": 2, "batch_size": 8, "log_every": 1, **settings})
    splits = Splits(Line(count, seed=1, poison=poison), Line(10, seed=2), Line(10, seed=3))
    plan = Plan.make(chosen, steps_per_epoch=splits.train.steps(chosen.batch_size))
    model = network() if model is None else model
    runtime = Runtime(device="cpu", precision=precision, channels_last=False, threads=1)
    state = State(
        model=model,
        optimizer=optimizers.sgd(model.named_parameters(), lr=lr, momentum=0.0, nesterov=False, weight_decay=0.0),
        schedule=schedules.constant(plan.clock),
        scaler=runtime.scaler(),
        average=Average(model, decay=chosen.ema) if chosen.ema else None,
    )
    return Bench(state, splits, plan, runtime, Requests())


def records(events: Sequence[Event], split: str = "train") -> list[Record]:
    return [event for event in events if isinstance(event, Record) and event.split == split]


def reason(events: Sequence[Event]) -> str:
    assert isinstance(events[-1], Stopped)
    return events[-1].reason


def test_it_learns_a_line_and_says_how_it_went() -> None:
    run = bench(linear(), epochs=20)
    events = run.run()
    assert reason(events) == "done"
    assert [record.step for record in records(events)] == list(range(1, 101))
    assert [record.step for record in records(events, "val")] == list(range(5, 101, 5))
    assert records(events, "val")[-1].scalars["distance"] < 0.05 * records(events, "val")[0].scalars["distance"]
    assert isinstance(events[-2], Save)


def test_one_step_is_the_one_done_by_hand() -> None:
    run, by_hand = bench(linear(), max_steps=1), linear()
    [record] = records(run.run())
    [indices, *_] = Line(40, seed=1).epoch_batches(8, seed=1, epoch=0)
    batch = Line(40, seed=1).fetch(indices, draw=Draw(1, 0))
    loss = Regression().loss(by_hand, batch)
    loss.backward()
    gradients = [parameter.grad for parameter in by_hand.parameters() if parameter.grad is not None]
    assert record.scalars["loss"] == pytest.approx(loss.item())
    assert record.scalars["grad_norm"] == pytest.approx(
        math.sqrt(sum(float(gradient.square().sum()) for gradient in gradients))
    )
    for ours, theirs in zip(run.state.model.parameters(), by_hand.parameters(), strict=True):
        assert torch.equal(ours, theirs - 0.05 * theirs.grad)  # type: ignore[operator]


@pytest.mark.parametrize("accumulate", [2, 3, 8])
def test_accumulation_gives_the_gradient_of_the_whole_batch(accumulate: int) -> None:
    whole, parts = bench(linear(), epochs=3), bench(linear(), epochs=3, accumulate=accumulate)
    expected, got = records(whole.run()), records(parts.run())
    for ours, theirs in zip(parts.state.model.parameters(), whole.state.model.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)
    assert [one.scalars["loss"] for one in got] == pytest.approx([one.scalars["loss"] for one in expected], rel=1e-4)


def test_a_split_smaller_than_the_batch_can_be_accumulated() -> None:
    run = bench(linear(), count=3, accumulate=8)
    assert reason(run.run()) == "done"


def test_clipping_bounds_the_step_and_the_norm_recorded_is_the_one_before_it() -> None:
    free, clipped = bench(linear(), max_steps=1), bench(linear(), max_steps=1, clip_norm=0.01)
    before = [parameter.detach().clone() for parameter in clipped.state.model.parameters()]
    norm = records(free.run())[0].scalars["grad_norm"]
    assert records(clipped.run())[0].scalars["grad_norm"] == norm > 0.01
    moved = torch.cat(
        [(now - then).flatten() for now, then in zip(clipped.state.model.parameters(), before, strict=True)]
    )
    assert moved.detach().norm().item() == pytest.approx(0.05 * 0.01, rel=1e-3)


@pytest.mark.parametrize("log_every", [1, 50])
def test_clipping_by_value_bounds_every_weights_step(log_every: int) -> None:
    run = bench(linear(), max_steps=3, clip_value=0.001, log_every=log_every, lr=1.0)
    before = [parameter.detach().clone() for parameter in run.state.model.parameters()]
    run.run()
    for now, then in zip(run.state.model.parameters(), before, strict=True):
        assert float((now - then).detach().abs().max()) <= 0.003001


def test_clipping_alone_does_not_hang_on_when_a_record_is_due() -> None:
    often, seldom = bench(clip_norm=0.1, log_every=1), bench(clip_norm=0.1, log_every=50)
    often.run(), seldom.run()
    assert often.digest == seldom.digest


def test_early_stopping_waits_for_its_patience() -> None:
    run = bench(linear(), epochs=50, lr=1e-12, early_stop=EarlyStopping(patience=3, min_delta=1e-3))
    events = run.run()
    assert reason(events) == "early_stop"
    assert len(records(events, "val")) == 4


def test_max_steps_takes_the_place_of_epochs() -> None:
    events = bench(max_steps=7, validate_every="3st").run()
    assert [record.step for record in records(events)] == list(range(1, 8))
    assert [record.step for record in records(events, "val")] == [3, 6, 7]


def test_max_minutes_stops_and_there_is_a_best_all_the_same() -> None:
    run = bench(epochs=1000, validate_every="1000ep", max_minutes=1e-4)
    events = run.run()
    assert reason(events) == "max_minutes"
    assert len(records(events, "val")) == 1
    assert [event.best for event in events if isinstance(event, Save)] == [True]


def test_max_minutes_adds_no_validation_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    run = bench(epochs=1000, max_minutes=1.0)
    monkeypatch.setattr(loop.time, "monotonic", lambda: 10.0 * run.state.step)
    events = run.run()
    assert reason(events) == "max_minutes"
    assert [record.step for record in records(events, "val")] == [5]
    assert run.state.step == 6


@pytest.mark.parametrize("stop_at", ["1st", "3st", "1ep", "50%", "7st"])  # between validations and at one
def test_a_run_stopped_at_a_length_and_taken_up_equals_the_unbroken_one(stop_at: str) -> None:
    whole, first = bench(network(dropout=0.5), ema=0.9), bench(network(dropout=0.5), ema=0.9, stop_at=stop_at)
    straight, begun = whole.run(), first.run()
    stop = {"1st": 1, "3st": 3, "1ep": 5, "50%": 5, "7st": 7}[stop_at]
    assert (reason(begun), first.state.step) == ("stop_at", stop)
    assert isinstance(begun[-2], Save)  # and no validation that the unbroken run does not have
    second = bench(network(dropout=0.5), ema=0.9)
    second.state.load_state_dict(copy.deepcopy(first.state.state_dict()))
    ended = second.run()
    assert reason(ended) == reason(straight) == "done"
    told = [dataclasses.replace(one, timing={}, stats=None) for one in records([*begun, *ended])]
    assert told == [dataclasses.replace(one, timing={}, stats=None) for one in records(straight)]
    scores = [(one.step, one.scalars) for one in records([*begun, *ended], "val")]
    assert scores == [(one.step, one.scalars) for one in records(straight, "val")]
    assert second.digest == whole.digest


def test_a_run_that_is_past_its_stop_makes_no_step() -> None:
    first, second = bench(stop_at="4st"), bench(stop_at="3st")
    first.run()
    second.state.load_state_dict(first.state.state_dict())
    events = second.run()
    assert (reason(events), second.state.step) == ("stop_at", 4)
    assert not records(events)


def test_a_stop_behind_the_end_is_none() -> None:
    assert reason(bench(stop_at="3ep").run()) == reason(bench(stop_at="2ep").run()) == "done"


def test_the_first_loss_that_is_not_finite_stops_with_step_rate_and_samples() -> None:
    run = bench(linear(), poison=[4], log_every=50, epochs=3)
    events: list[Event] = []
    with pytest.raises(RunError) as caught:
        events.extend(run.events())
    batches = Line(40, seed=1).epoch_batches(8, seed=1, epoch=0)
    [number] = [number for number, batch in enumerate(batches) if 4 in batch]
    first, second = caught.value.problems
    assert first.startswith(f"the loss is inf at step {number + 1} (epoch ")
    assert "learning rate 0.05" in first
    assert second == f"its batch held the train samples {', '.join(map(str, batches[number].tolist()))}"
    assert caught.value.exit_code == 1
    assert not [event for event in events if isinstance(event, Save)]


def test_no_checkpoint_holds_a_weight_that_is_not_finite() -> None:
    run = bench(linear(), lr=1e30, epochs=2, log_every=50, checkpoint=Checkpointing(every_steps=1))
    saved = (run.state.is_finite() for event in run.events() if isinstance(event, Save))
    with pytest.raises(RunError, match=r"not finite|the loss is"):
        assert all(saved)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_skipping_leaves_out_the_step_and_restores_the_running_statistics(precision: str) -> None:
    run = bench(poison=[4], on_nonfinite="skip", epochs=2, precision=precision)
    run.state.scaler = torch.amp.GradScaler("cpu", init_scale=16.0, enabled=precision == "fp16")  # nothing overflows
    events = run.run()
    assert reason(events) == "done"
    assert run.state.skipped == 2  # once an epoch
    assert records(events)[-1].scalars["skipped"] == 2
    assert all(torch.isfinite(value).all() for value in run.state.model.state_dict().values())
    assert int(run.state.model.get_buffer("1.num_batches_tracked")) == 8


def test_skipping_gives_up_after_twenty_in_a_row() -> None:
    run = bench(poison=range(40), on_nonfinite="skip", epochs=20)
    before = run.digest
    with pytest.raises(RunError, match="20 steps in a row had a non-finite loss or gradient"):
        run.run()
    assert run.digest == before
    assert run.state.step == loop.MOST_SKIPPED + 1


def test_a_gradient_norm_that_overflowed_is_no_number_in_the_metrics() -> None:
    run = bench(linear(), precision="fp16", max_steps=2)
    run.state.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    for record in records(run.run()):
        json.dumps(record.scalars, allow_nan=False)
        assert "loss_scale" in record.scalars


def test_steps_that_overflow_in_fp16_are_left_out_counted_and_shown() -> None:
    run = bench(linear(), precision="fp16", max_steps=10, lr=0.01)
    run.state.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**100)
    before = run.digest
    [first, *_, last] = records(run.run())
    assert (first.scalars["skipped"], first.scalars["loss_scale"]) == (1, 2.0**99)
    assert (last.scalars["skipped"], run.state.skipped, run.digest) == (10, 10, before)


def test_fp16_that_overflows_whatever_its_scale_is_ends_the_run() -> None:
    run = bench(linear(), precision="fp16", max_steps=100)
    run.state.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**120, backoff_factor=0.99)
    with pytest.raises(RunError, match="20 steps in a row had a non-finite loss or gradient"):
        run.run()


def test_a_validation_that_is_not_finite_is_never_the_best() -> None:
    run = bench(linear())
    run.splits = Splits(run.splits.train, Line(10, seed=2, poison=[3]), run.splits.test)
    events = run.run()
    assert [record.improved for record in records(events, "val")] == [False, False]
    assert run.state.best == (0, math.inf)


def test_the_average_is_what_is_judged() -> None:
    run = bench(ema=0.99, epochs=3)
    [*_, last] = records(run.run(), "val")
    assert run.state.average is not None
    model, val = run.state.average.model, Line(10, seed=2)
    with torch.inference_mode():
        expected = float((model(val.inputs) - val.targets).square().mean())
        raw = float((run.state.model.eval()(val.inputs) - val.targets).square().mean())
    assert last.scalars["distance"] == pytest.approx(expected, rel=1e-5)
    assert last.scalars["distance"] != pytest.approx(raw, rel=1e-3)


def test_validation_draws_nothing_that_training_notices() -> None:
    often = bench(network(dropout=0.5), validate_every="1st")
    seldom = bench(network(dropout=0.5), validate_every="1ep")
    assert len(records(often.run(), "val")) == 10
    assert len(records(seldom.run(), "val")) == 2
    assert often.digest == seldom.digest


def test_metrics_hold_no_time_and_are_the_same_twice() -> None:
    def scalars() -> list[str]:
        return [json.dumps(record.scalars) for record in bench(ema=0.9).run() if isinstance(record, Record)]

    assert scalars() == scalars()
    assert not any(word in line for line in scalars() for word in ("second", "bytes", "time"))


def test_the_order_of_an_epoch_depends_on_seed_and_epoch_alone() -> None:
    split = Line(40, seed=1)

    def order(seed: int, epoch: int) -> list[int]:
        return torch.cat(list(split.epoch_batches(8, seed=seed, epoch=epoch))).tolist()

    first = order(1, 3)
    torch.rand(100)
    order(1, 4)
    assert order(1, 3) == first
    assert sorted(first) == list(range(40))
    assert len({tuple(order(seed, epoch)) for seed in (1, 2) for epoch in (0, 1)}) == 4


def test_every_sample_comes_once_an_epoch() -> None:
    run = bench(epochs=1)
    run.run()
    train = run.splits.train
    assert isinstance(train, Line)
    assert sorted(index for batch in train.fetched for index in batch) == list(range(40))


def test_a_request_to_stop_saves_after_the_step_and_stops() -> None:
    run = bench()
    events: list[Event] = []
    for event in run.events():
        events.append(event)
        if event == Tick(3) or (isinstance(event, Record) and event.step == 3):
            run.requests.stop = "SIGTERM"
    assert events[-2:] == [Save(3), Stopped(3, "SIGTERM")]


def test_a_request_to_save_saves_and_goes_on() -> None:
    run = bench(epochs=1)
    events: list[Event] = []
    for event in run.events():
        events.append(event)
        if isinstance(event, Record) and event.step == 2 and event.split == "train":
            run.requests.save = True
    assert [event.step for event in events if isinstance(event, Save)] == [2, 5]
    assert not run.requests.save


def test_checkpoints_are_due_every_so_many_steps() -> None:
    events = bench(epochs=1, checkpoint=Checkpointing(every_steps=2)).run()
    assert [event.step for event in events if isinstance(event, Save)] == [2, 4, 5]


def test_a_state_taken_up_at_any_step_ends_on_the_same_weights() -> None:
    straight = bench(network(dropout=0.3), ema=0.9, accumulate=2)
    straight.run()
    for stop in range(1, 10):
        first = bench(network(dropout=0.3), ema=0.9, accumulate=2)
        for event in first.events():
            if isinstance(event, Record) and event.split == "train" and event.step == stop:
                first.requests.stop = "SIGTERM"
        second = bench(nn.Sequential(*network(dropout=0.3)), ema=0.9, accumulate=2)
        second.state.load_state_dict(first.state.state_dict())
        assert second.state.step == stop
        second.run()
        assert second.digest == straight.digest, stop
        assert second.state.validations == straight.state.validations


@pytest.mark.parametrize(
    ("freeze", "held"),
    [(["0.weight@3st"], {"0.weight"}), (["1@3st"], {"1.weight", "1.bias"}), (["0@1ep", "3.bias@3st"], {"3.bias"})],
)
def test_frozen_weights_stay_as_they_are_from_their_step_on(freeze: list[str], held: set[str]) -> None:
    run = bench(freeze=tuple(freeze), epochs=1)
    seen: list[dict[str, Tensor]] = []
    for event in run.events():
        if isinstance(event, Record) and event.split == "train":
            seen.append({name: weight.detach().clone() for name, weight in run.state.model.named_parameters()})
    moved = [
        {name for name in before if not torch.equal(before[name], after[name])}
        for before, after in itertools.pairwise(seen)
    ]
    names = set(seen[0]) - {"0.bias"}  # which batch norm takes off again
    assert [those - {"0.bias"} for those in moved] == [names, names, names - held, names - held]


def test_a_run_taken_up_behind_a_freeze_ends_on_the_same_weights() -> None:
    straight, first, second = (bench(network(dropout=0.3), freeze=("0@3st",), epochs=2) for _ in range(3))
    straight.run()
    for event in first.events():
        if isinstance(event, Record) and event.step == 4:
            first.requests.stop = "SIGTERM"
    second.state.load_state_dict(first.state.state_dict())
    second.run()
    assert second.digest == straight.digest


def test_a_checkpoint_that_is_the_best_is_copied_again_when_taken_up() -> None:
    first = bench(epochs=1)
    first.run()
    second = bench(epochs=2)  # killed after last.pt was written and before best.pt was
    second.state.load_state_dict(first.state.state_dict())
    saves = [event for event in second.run() if isinstance(event, Save)]
    assert saves[0] == Save(5, best=True)


def test_what_a_task_sketches_follows_each_validation_and_its_numbers_join_it() -> None:
    run = bench(precision="bf16", ema=0.9)
    run.task = Sketching()
    events = run.run()
    assert run.state.average is not None
    places = [place for place, event in enumerate(events) if isinstance(event, Shown)]
    assert [event.step for event in events if isinstance(event, Shown)] == [5, 10]
    for place in places:
        record, shown = events[place - 1], events[place]
        assert isinstance(record, Record) and record.split == "val" and isinstance(shown, Shown)
        assert shown.media == {"first": Text(f"{record.scalars['sketched/weight']} True")}
    averaged = float(next(run.state.average.model.parameters())[0, 0])
    assert records(events, "val")[-1].scalars["sketched/weight"] == averaged
    assert run.state.model.training


def test_a_sketch_changes_no_weight() -> None:
    plain, shown = bench(network(dropout=0.5)), bench(network(dropout=0.5))
    shown.task = Sketching()
    kept = [record.scalars for record in records(plain.run(), "val")]
    found = [record.scalars for record in records(shown.run(), "val")]
    assert plain.digest == shown.digest
    assert [{"distance": one["distance"]} for one in found] == kept


def test_a_run_taken_up_where_it_was_validated_shows_that_again() -> None:
    first = bench()
    first.task = Sketching()
    straight = first.run()
    for stop, again in ((5, True), (7, False)):
        part, rest = bench(), bench()
        part.task = rest.task = Sketching()
        for event in part.events():
            if isinstance(event, Record) and event.step == stop and event.split == ("val" if again else "train"):
                part.requests.stop = "SIGTERM"
        rest.state.load_state_dict(part.state.state_dict())
        assert rest.state.step == stop
        shown = [event for event in rest.run() if isinstance(event, Shown)]
        wanted = [event for event in straight if isinstance(event, Shown) and event.step >= stop]
        assert shown == wanted and (shown[0].step == stop) == again
