"""What a training step has to do is counted right, and its floor is the larger of two bounds."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
work = importlib.import_module("benchmarks.work")
floors = importlib.import_module("benchmarks.floors")

BATCH, TIME, INPUTS, HIDDEN = 3, 5, 4, 6
CONVOLUTION, MATRIX = ("convolution", "float32"), ("matrix", "float32")


def counted(call: Callable[[], Tensor], *, backward: bool) -> Any:
    with work.Products() as products:
        result = call()
        if backward:
            result.sum().backward()
    return products.flops


@pytest.mark.parametrize(("backward", "passes"), [(False, 1), (True, 3)])
def test_a_convolution_multiplies_every_window_forward_and_twice_as_much_backward(backward: bool, passes: int) -> None:
    images = torch.randn(2, 3, 8, 8, requires_grad=True)
    conv = nn.Conv2d(3, 5, 3, padding=1)
    by_hand = 2 * (2 * 8 * 8 * 5) * (3 * 3 * 3)  # a multiplication and an addition, for each output each weight
    assert counted(lambda: conv(images), backward=backward) == {CONVOLUTION: passes * by_hand}


def test_the_gradient_of_images_is_not_counted_where_nobody_wants_it() -> None:
    conv = nn.Conv2d(3, 5, 3, padding=1)
    assert counted(lambda: conv(torch.randn(2, 3, 8, 8)), backward=True) == {CONVOLUTION: 2 * 2 * (2 * 8 * 8 * 5) * 27}


def test_a_linear_layer_is_three_products_and_autocast_changes_the_type_of_its_numbers() -> None:
    inputs, layer = torch.randn(7, INPUTS, requires_grad=True), nn.Linear(INPUTS, HIDDEN)
    product = 2 * 7 * INPUTS * HIDDEN
    assert counted(lambda: layer(inputs), backward=True) == {MATRIX: 3 * product}
    with torch.autocast("cpu", torch.bfloat16):
        assert counted(lambda: layer(inputs), backward=True) == {("matrix", "bfloat16"): 3 * product}


@pytest.mark.parametrize(("cell", "gates"), [(nn.LSTM, 4), (nn.GRU, 3)])
@pytest.mark.parametrize("backward", [False, True])
def test_a_recurrent_layer_counts_as_the_cells_that_one_writes_by_hand(cell: Any, gates: int, backward: bool) -> None:
    torch.manual_seed(0)
    words, states = torch.randn(BATCH, TIME, INPUTS, requires_grad=True), torch.zeros(BATCH, HIDDEN, requires_grad=True)
    layer = cell(INPUTS, HIDDEN, batch_first=True)
    start = (states[None], torch.zeros(1, BATCH, HIDDEN)) if cell is nn.LSTM else states[None]
    ours = sum(counted(lambda: layer(words, start)[0], backward=backward).values())

    from_input, from_state = nn.Linear(INPUTS, gates * HIDDEN), nn.Linear(HIDDEN, gates * HIDDEN)
    with FlopCounterMode(display=False) as oracle:
        hidden = states
        for time in range(TIME):  # what the gates then do has no products
            hidden = (from_input(words[:, time]) + from_state(hidden))[:, :HIDDEN].tanh()
        if backward:
            hidden.sum().backward()
    by_hand = 2 * BATCH * TIME * (INPUTS + HIDDEN) * gates * HIDDEN
    assert ours == oracle.get_total_flops() == by_hand * (3 if backward else 1)


def test_a_whole_network_counts_as_torch_counts_it() -> None:
    def network() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 5)
        )

    images = torch.randn(4, 3, 8, 8)
    with FlopCounterMode(display=False) as oracle:
        network()(images).sum().backward()
    assert sum(counted(lambda: network()(images), backward=True).values()) == oracle.get_total_flops()


def test_products_in_place_are_counted() -> None:
    total, left, right = torch.zeros(3, 5), torch.randn(3, 4), torch.randn(4, 5)
    assert counted(lambda: total.addmm_(left, right), backward=False) == {MATRIX: 2 * 3 * 4 * 5}


def test_bytes_are_what_is_kept_the_parameters_their_gradients_and_the_optimizers_state() -> None:
    layer, inputs = nn.Linear(INPUTS, HIDDEN, bias=False), torch.randn(7, INPUTS)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)

    def step() -> None:
        layer(inputs).tanh().sum().backward()
        optimizer.step()

    found = work.work_of(step, parameters=layer.parameters(), optimizer=optimizer)
    kept = 4 * 7 * INPUTS + 4 * 7 * HIDDEN  # the layer's input and tanh's output; weights are no activations
    assert (found.activations, found.parameters, found.state) == (kept, 4 * INPUTS * HIDDEN, 4 * INPUTS * HIDDEN)
    assert found.bytes == 2 * kept + 2 * 3 * 4 * INPUTS * HIDDEN


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda one: (one[0], sum(one)))))
def test_stretches_of_memory_count_once_however_they_overlap(extents: list[tuple[int, int]]) -> None:
    assert work.covered(extents) == len({byte for begin, end in extents for byte in range(begin, end)})


def test_views_of_one_tensor_reach_over_their_own_numbers_alone() -> None:
    whole = torch.zeros(4, 6)
    assert work.covered([work.extent(whole), work.extent(whole[1:3]), work.extent(whole.T)]) == 4 * 24
    assert work.covered([work.extent(whole[:, 2])]) == 4 * 19  # from its first number to its last
    assert work.covered([work.extent(whole[:0])]) == 0


def round_of(**changes: Any) -> dict[str, Any]:
    """20 ms at the peaks, 5 ms at the bandwidth, in 50 ms; in CPU time everything is half as fast."""
    products = "convolution bfloat16"
    told = {"wall": 0.05, "user": 0.06, "system": 0.02, "flops": {products: 2e9}, "bytes": 5e7}
    return {**told, "peaks": {products: [1e11, 5e10]}, "bandwidth": [1e10, 5e9], **changes}


def rows(*rounds: dict[str, Any]) -> dict[str, Any]:
    found = {"device": "cpu", "threads": 1, "batch_size": 100, "memory": 2**30, "rounds": list(rounds)}
    made = [*floors.machine([found]), *floors.rows_of("net", found, samples="images", latencies=(4.0,))]
    return {row.benchmark: row for row in made}


def test_the_floor_is_the_larger_of_two_bounds_and_each_is_a_share_of_the_step() -> None:
    found = rows(round_of(), round_of(bytes=4e8))
    assert found["net: a step; its floor"].peer == pytest.approx((20.0, 40.0))
    assert found["net: a step; its floor"].compared == pytest.approx((2.5, 1.25))
    assert found["net: CPU time of a step; its floor"].compared == pytest.approx((2.0, 1.0))
    assert found["net: products at their peak; step"].compared == pytest.approx((0.4, 0.4))
    assert found["net: bytes at bandwidth; step"].compared == pytest.approx((0.1, 0.8))
    assert found["net: speed"].ours == pytest.approx((2000.0, 2000.0))
    assert found["convolution bfloat16, 1 thread"].ours


def test_the_overview_has_a_line_for_each_pillar_that_was_measured() -> None:
    made = [row.plain() | {"benchmark": name.replace("net:", "resnet18:")} for name, row in rows(round_of()).items()]
    *_, line = floors.overview(json.loads(json.dumps(made))).splitlines()
    assert line == "| resnet18 | 2,000 | 50 | 20 | 2.50 | 2.00 | 40% | 10% | 2 | 50 | 4.0 | 1,024 |"


def test_a_command_line_that_never_trains_is_reported_with_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="optimizer.lrr"):
        floors.probe(["optimizer.lrr=1"], steps=1, rounds=1, folder=tmp_path)


@pytest.mark.slow
def test_a_tiny_run_is_timed_and_counted_in_its_own_process(tmp_path: Path) -> None:
    words = ["data=digits", "model.width=2", "batch_size=8", "runtime.device=cpu", "runtime.precision=fp32"]
    found = floors.probe(words, steps=2, rounds=1, folder=tmp_path)
    (one,) = found["rounds"]
    assert found["batch_size"] == 8
    assert found["memory"] > 2**26
    assert set(one["flops"]) == set(one["peaks"]) == {"convolution float32", "matrix float32"}
    assert one["flops"]["matrix float32"] == 3 * 2 * 8 * (16 * 10)  # ResNet18's last layer, forward and backward
    assert min(one["wall"], one["user"], *one["bandwidth"], one["bytes"]) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", list(floors.CASES))
def test_every_pillar_trains_on_the_files_that_are_drawn_for_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLCOURSE_CACHE", "")  # so that what the benchmark sets is taken back
    found = floors.measure(repetitions=1, quick=True, names=[name], device="cpu")
    assert all(number >= 0 for row in found for number in (*row.ours, *row.peer))
    assert name in floors.overview([row.plain() for row in found])
