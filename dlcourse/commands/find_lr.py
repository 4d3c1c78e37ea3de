"""`dlcourse find lr`: the range test of some seeds, its curve, and the learning rate to type."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.commands.finding import greet, keep, memory_told
from dlcourse.config.compose import Where
from dlcourse.errors import RunError
from dlcourse.pages.finding import rate_figure, rate_lines
from dlcourse.run.parts import Parts, assemble
from dlcourse.run.prepare import read_splits
from dlcourse.run.rate_curve import Finding, judge
from dlcourse.run.rate_test import Ramp, RangeTest, rate_settings, try_rates


@dataclass(frozen=True)
class Wish:
    """What was asked for.

    Args:
        low: the lowest rate.
        high: the highest.
        steps: optimizer steps from one to the other.
        seeds: how many trainings at most.
        minutes: after which no further seed begins.
        out: folder for plot and numbers.
    """

    low: float
    high: float
    steps: int
    seeds: int
    minutes: float
    out: Path | None


def find(wish: Wish, config: Mapping[str, Any], where: Where) -> int:
    """Test the rates, print and keep what came of it; 1 if nothing can be suggested."""
    parts = assemble(config, choices=where.choices)
    rates = rate_settings(config["optimizer"])
    ramp = Ramp(wish.low, wish.high, wish.steps)
    size = parts.settings.batch_size
    greet(parts, f"rates from {ramp.low:g} to {ramp.high:g} in {ramp.steps} steps of {size} samples")
    done = seed_by_seed(wish, config, where, parts=parts, ramp=ramp, base=rates["lr"])
    curves = [one.losses for one in done]
    found = judge(ramp.rates, curves, exploded=min(done, key=lambda one: len(one.losses)).exploded)
    alone = [judge(ramp.rates, [one.losses], exploded=one.exploded).suggestion for one in done]
    tell(found, ramp, alone=alone, rates=rates, words=where.overrides)
    if wish.out is not None:
        title = f"range test: {parts.name}, {parts.choices.get('optimizer')}, batch_size={size}"
        columns = ["lr", *(f"loss_seed_{one.seed}" for one in done), "smoothed"]
        rows = [
            [float(rate), *(float(curve[place]) for curve in curves), float(found.smooth[place])]
            for place, rate in enumerate(found.rates)
        ]
        keep(wish.out, "lr", rate_figure(found, curves, rates=ramp.rates, title=title), columns, rows)
    return int(found.suggestion is None)


def seed_by_seed(
    wish: Wish, config: Mapping[str, Any], where: Where, *, parts: Parts, ramp: Ramp, base: float
) -> list[RangeTest]:
    """The range test of one seed after another, as long as there is time; a line about each.

    Raises:
        RunError: there is not one finite loss.
    """
    parts.runtime.apply()
    splits = read_splits(parts)
    began, done = time.monotonic(), list[RangeTest]()
    for number in range(wish.seeds):
        spent = time.monotonic() - began
        if number and spent * (number + 1) / number > 60 * wish.minutes:
            print(f"no more seeds: another would take longer than minutes={wish.minutes:g}")
            break
        if number:
            parts = assemble({**config, "seed": config["seed"] + number}, choices=where.choices)
        with memory_told(parts):
            done.append(try_rates(parts, splits, ramp=ramp, base=base))
        if not np.isfinite(done[-1].losses).any():
            raise RunError("the loss is no finite number from the first step on, whatever the rate; look at the data")
        last = ramp.rate(len(done[-1].losses) - 1)
        end = f"exploded at {last:.2g}" if done[-1].exploded else "came to the end"
        print(f"seed {done[-1].seed}: {end}, {time.monotonic() - began - spent:.1f} s", flush=True)
    return done


def tell(
    found: Finding,
    ramp: Ramp,
    *,
    alone: Sequence[float | None],
    rates: Mapping[str, float],
    words: Sequence[str],
) -> None:
    """The curve, the override to type, and how far it is to be believed."""
    print("\ntraining loss, smoothed, over optimizer.lr:")
    width = max(30, min(80, shutil.get_terminal_size().columns - 20))
    for line in rate_lines(found, low=ramp.low, high=ramp.high, width=width):
        print(line)
    print()
    lr = found.suggestion
    if lr is None:
        print(f"no suggestion: {found.problem}")
        return
    print(" ".join(f"optimizer.{name}={rate * lr / rates['lr']:.3g}" for name, rate in rates.items()))
    low = min(found.begins, lr)
    print(f"  a tenth of {found.bottom:.2g}, the largest rate at which the smoothed loss is lowest")
    print(f"  usable: about {low:.1g} (where the loss begins to fall) to {found.bottom:.1g}")
    print(f"  the loss falls fastest at {found.steepest:.2g}, which is not suggested: it moves with steps=")
    if len(alone) > 1:
        print(f"  each seed alone says {', '.join('nothing' if one is None else f'{one:g}' for one in alone)}")
    print(f"  a rule of thumb: it saw {len(found.rates)} steps, not a training under your scheduler")
    if len(rates) == 1:  # a sweep moves its axes one by one, and several rates belong together
        given = [word for word in words if not word.startswith("optimizer.lr=")]
        tried = ",".join(f"{lr * factor:.1g}" for factor in (1 / 3, 1, 3))
        print(f"  to be sure: dlcourse sweep {shlex.join([*given, f'optimizer.lr={tried}'])} seeds=3")
