"""What a sweep's words span, and what of them is refused before anything is trained."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.errors import ConfigError
from dlcourse.sweep.space import Interval, Values, check_arms, read_space

LOG = "optimizer.lr=tag(log,interval(1e-4,1e-1))"


def problems(*words: str, own: tuple[str, ...] = ()) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        read_space(words, own=own)
    return caught.value.problems


def test_commas_make_axes_and_the_rest_is_shared() -> None:
    space = read_space(["model=resnet18", "optimizer.lr=0.01,0.1", "max_steps=4", "model.width=range(2,8,3)"])
    assert space.fixed == ("model=resnet18", "max_steps=4")
    assert space.axes == (Values("optimizer.lr", ("0.01", "0.1")), Values("model.width", ("2", "5")))
    assert space.size == 4


def test_values_are_those_that_hydra_would_sweep() -> None:
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    from dlcourse.config.overrides import parse
    from dlcourse.sweep.search import Grid, Tried

    words = ["optimizer=sgd,adamw", "seed=3", "optimizer.lr=choice(0.1,1e-3)", "batch_size=sort(64,32)"]
    [jobs] = BasicSweeper.split_arguments([parse(word) for word in words], None)
    grid = Grid(read_space(words).axes)
    tried: list[Tried] = []
    while (arm := grid.propose(tried)) is not None:
        tried.append(Tried(arm))
    assert [(*arm.words, "seed=3") for arm in tried] == [
        (*(word for word in job if word != "seed=3"), "seed=3") for job in jobs
    ]


def test_a_glob_names_options() -> None:
    [axis] = read_space(["scheduler=glob(*,exclude=p*)"]).axes
    assert isinstance(axis, Values)
    assert "plateau" not in axis.texts and {"cosine", "constant"} <= set(axis.texts)


def test_intervals_know_scale_and_kind() -> None:
    space = read_space([LOG, "model.width=int(interval(2,8))", "ema=interval(0,0.5)"])
    assert space.axes == (
        Interval("optimizer.lr", 1e-4, 1e-1, log=True, whole=False),
        Interval("model.width", 2, 8, log=False, whole=True),
        Interval("ema", 0.0, 0.5, log=False, whole=False),
    )
    assert space.size == math.inf


@given(st.floats(0, 1, exclude_max=True), st.booleans(), st.floats(1e-6, 1), st.floats(1.1, 1e5))
def test_no_draw_leaves_its_interval(share: float, log: bool, low: float, ratio: float) -> None:
    axis = Interval("x", low, low * ratio, log=log, whole=False)
    assert axis.low <= float(axis.at(share)) <= axis.high


@pytest.mark.parametrize("log", [False, True])
def test_whole_numbers_reach_both_ends(log: bool) -> None:
    axis = Interval("x", 1, 4, log=log, whole=True)
    found = [int(axis.at(number / 1000)) for number in range(1000)]
    assert sorted(set(found)) == [1, 2, 3, 4]
    assert found == sorted(found)
    if not log:
        assert all(found.count(value) in (249, 250, 251) for value in (1, 2, 3, 4))


def test_half_of_a_logarithmic_axis_is_the_geometric_mean() -> None:
    assert Interval("x", 1e-4, 1e-2, log=True, whole=False).at(0.5) == "0.001"
    assert Interval("x", 0.0, 1.0, log=False, whole=False).at(1 / 3) == "0.3333"


def test_seeds_are_no_axis() -> None:
    space = read_space(["seed=4,6", "ema=0,0.9"])
    assert space.seeds == (4, 6)
    assert [axis.key for axis in space.axes] == ["ema"]
    assert read_space(["seed=7"]).seeds == (7,)
    assert read_space(["seed=7"]).fixed == ()


def test_the_order_of_words_makes_no_other_sweep() -> None:
    words = ["model=resnet18", "ema=0,0.9", "max_steps=4", "seed=3"]
    assert read_space(words).lines == read_space(words[::-1]).lines == read_space([*words[2:], *words[:2]]).lines


@pytest.mark.parametrize(
    ("words", "group"),
    [
        ((), "resnet18-digits"),
        (("model=lenet5", "data=mnist"), "lenet5-mnist"),
    ],
)
def test_an_arm_knows_its_model_and_data(words: tuple[str, ...], group: str) -> None:
    assert read_space(["max_steps=4"]).group(words) == group
    assert read_space(words).group(()) == group


def test_every_fault_of_every_value_is_told_at_once() -> None:
    found = problems(
        "model=resnet18,resnet19", "optimizer.lr=0.1,fast", "batch_size=64,-1", "optimizer.lrr=1,2", "run=x",
        "trails=3", "--cfg=job", "seed=1,x", own=("trials", "jobs"),
    )  # fmt: skip
    text = "\n".join(found)
    assert "model=resnet19: there is no such option; did you mean 'resnet18'?" in found
    assert "optimizer.lr must be a number, not 'fast'" in found
    assert "batch_size must be 1 or more, not -1" in found
    assert "optimizer.lrr: sgd takes no such argument; did you mean 'lr'?" in found
    assert "run: a sweep names the folders of its runs; runs= says where they go" in found
    assert "trails: there is no such argument; did you mean 'trials'?" in found
    assert "--cfg is not taken by sweep; dlcourse train takes it" in found
    assert "seed must be a whole number, not 'x'" in text


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("ema=interval(0.5,0.1)", "the first number must be below the second"),
        ("ema=tag(log,interval(0,0.5))", "on a logarithmic scale all numbers must be above 0"),
        ("model.width=interval(2,4)", "model.width must be a whole number; write model.width=int(interval(2,4))"),
        ("ema=interval(0.5,1.5)", "ema must be from 0 to below 1, not 1.5"),
        ("ema=shuffle(choice(0,0.5))", "search=random draws in an order that stays"),
        ("ema=tag(fast,interval(0,0.5))", "the tag 'fast' means nothing here"),
        ("seed=int(interval(1,5))", "seeds are told one by one"),
        ("hydra.sweep.dir=x", "nothing of Hydra's own can be set"),
        ("-m", "every sweep runs many; leave it out"),
        ("resume=latest", "a sweep goes on by itself"),
    ],
)
def test_what_a_sweep_cannot_do_is_said(word: str, line: str) -> None:
    assert any(line in problem for problem in problems(word))


def test_a_setting_given_twice_is_refused() -> None:
    assert "ema is given twice: ema=0 and ema=0.1,0.2" in problems("ema=0", "ema=0.1,0.2")


def test_values_that_do_not_fit_each_other_are_refused() -> None:
    space = read_space(["batch_size=8,64", "accumulate=1,16"])
    check_arms(space, [("batch_size=64", "accumulate=16")])
    with pytest.raises(ConfigError) as caught:
        check_arms(space, [("batch_size=8", "accumulate=16")])
    assert caught.value.problems == (
        "batch_size=8 accumulate=16: accumulate (16) must be at most batch_size (8)",
    )  # fmt: skip
