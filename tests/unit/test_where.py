"""Conditions on runs: what they mean, what they refuse, and that they are never run as Python."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dlcourse.errors import ConfigError
from dlcourse.results.record import RunRecord
from dlcourse.results.where import Query, chosen

RECORD = RunRecord(
    path=Path("runs/resnet18-cifar10/a"),
    name="resnet18-cifar10/a",
    title="第一 次",
    tags=("good", "slow"),
    choices={"model": "resnet18"},
    settings={
        "model": "resnet18", "optimizer.lr": 0.05, "optimizer.betas": [0.9, 0.999], "max_steps": None, "test": True,
        "seed": 1, "scheduler.warmup": "20%",
    },
    targets={},
    state="done",
    exit_code=0,
    began=datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC),
    seconds=7200.0,
    step=300,
    epoch=3.0,
    decisive=("accuracy", "max"),
    val={"accuracy": 0.93, "loss": 0.2},
    test={"accuracy": 0.91, "loss": 0.3, "recall/my cat": 0.8},
    fingerprints={},
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("optimizer.lr<0.1 and model=='resnet18'", True),
        ("optimizer.lr < 0.05", False),
        ("optimizer.lr<=5e-2", True),
        ("optimizer.lr>=.05", True),
        ("model==resnet18", True),
        ("model = resnet18", True),
        ("model != resnet18", False),
        ('model in [lenet5, "resnet18"]', True),
        ("model not in [lenet5]", True),
        ("seed in (1, 30)", True),
        ("seed not in (1, 30)", False),
        ("(seed in (2, 3)) or model in ()", False),
        ("model in []", False),
        ("model ~ NET", True),
        ("model like res*8", True),
        ("name ~ cifar and name=='第一 次'", True),
        ("state==done", True),
        ("tags==good and not tags==bad", True),
        ("tags!=good", False),
        ("tags in [bad, slow]", True),
        ("tags ~ goo", True),
        ("time>1h and time<=120m and time<2.5h and time==7200 and time<'3h'", True),
        ("began>=2026-11-22 and began<2026-11-23", True),
        ("accuracy==0.91", True),
        ("val.accuracy>test.accuracy", True),
        ("val.accuracy<test.accuracy", False),
        ("'recall/my cat'>0.7", True),
        ("test.loss<0.2 or val.loss<=0.2", True),
        ("test==true", True),
        ("test==1", False),
        ("seed==1.0", True),
        ("seed==true", False),
        ("max_steps==null", True),
        ("max_steps>5", False),
        ("not max_steps>5", False),
        ("scheduler.warmup==20%", True),
        ("optimizer.betas==[0.9, 0.999]", True),
        ("optimizer.betas==0.9", True),
        ("optimizer.betas>0.99", True),
        ("seed==1 or seed==2 and model==lenet5", True),
        ("(seed==1 or seed==2) and model==lenet5", False),
        ("not (seed==2 or model==lenet5)", True),
        ("not not seed==1", True),
    ],
)
def test_a_condition_means_what_it_says(text: str, holds: bool) -> None:
    assert Query.parse(text).matches(RECORD) is holds


@pytest.mark.parametrize(
    "text", ["model.width==4", "model.width!=4", "not model.width==4", "not model.width in [4]", "test.f1>val.accuracy"]
)
def test_a_setting_that_a_run_lacks_matches_nothing(text: str) -> None:
    assert not Query.parse(text).matches(RECORD)
    assert Query.parse(f"seed==1 or {text}").matches(RECORD)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not finished; a condition is NAME OP VALUE"),
        ("optimizer.lr", "'optimizer.lr' is not finished"),
        ("optimizer.lr <", "is not finished"),
        ("__import__('os').system('x')", r"'\(' after '__import__' cannot stand there; a condition is NAME OP VALUE"),
        ("model==lenet5 lambda: 1", "'lambda:' after 'model==lenet5' is one word too many"),
        ("0.01 < optimizer.lr < 0.1", "'<' after '0.01 < optimizer.lr' is one word too many"),
        ("model=='lenet5", "'lenet5\" cannot stand there; a text in quotes ends"),
        ("(seed==1", "is not finished"),
        ("seed==1)", r"'\)' after 'seed==1' is one word too many"),
        ("time>2x", "where: 2x is no time; write it as 2h, 5m or 30s, or in seconds"),
        ("time=='long'", "where: long is no time"),
        ("seed in (1, 2]", r"'\]' after 'seed in \(1, 2' cannot stand where , must"),
        ("seed in 1", r"'1' after 'seed in' cannot stand where \[ must"),
        ("and seed==1", "'and' cannot stand there"),
        ("seed! 1", "'! 1' cannot stand there"),
        ("(" * 200 + "seed==1" + ")" * 200, "more than 50 brackets"),
        ("not " * 2000 + "seed==1", "more than 50 brackets"),
    ],
)
def test_what_is_no_condition_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Query.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimizer.lrr<1", "where: no run has optimizer.lrr; did you mean 'optimizer.lr'?"),
        ("test.acuracy>val.acuracy", "where: no run has val.acuracy; did you mean 'val.accuracy'?"),
        ("optimizer.lr<fast", "where: optimizer.lr is 0.05, which < cannot order against fast; use == or ~"),
        ("model>3", "where: model is resnet18, which > cannot order against 3"),
    ],
)
def test_a_name_or_kind_that_fits_no_run_is_told(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as told:
        chosen([RECORD], where=text)
    assert message in str(told.value)


def test_all_runs_are_chosen_without_a_condition_and_none_of_none() -> None:
    assert chosen([RECORD], where=None) == (RECORD,)
    assert chosen([RECORD], where="seed==2") == ()
    assert chosen([], where="anything==1") == ()
