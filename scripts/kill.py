"""SIGKILLs at random moments of a run that checkpoints every step: how many leave checkpoints that load.

python scripts/kill.py                200 kills, then the run is finished and compared with one that was never killed
python scripts/kill.py --kills 20     a shorter one; the result goes to scripts/results/kill.json all the same
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import torch

from dlcourse.commands.verify import Life, begin, demand, modules
from dlcourse.config.compose import Where, run_hydra
from dlcourse.errors import CheckpointError
from dlcourse.files import write_json
from dlcourse.run.compare import first_difference, parts_of
from dlcourse.run.lives import Moment, Nursery
from dlcourse.training import checkpoint
from dlcourse.training.runtime import processor

RESULT = Path(__file__).parent / "results" / "kill.json"
WORDS = (
    "model=resnet18", "model.width=2", "data=digits", "optimizer=adamw", "ema=0.99", "checkpoint.every_steps=1",
    "checkpoint.keep=3", "log_every=1", "validate_every=7st", "runtime.threads=1",
)  # fmt: skip
STEPS_A_KILL = 3  # most steps that a life is granted
STEPS_IN_ALL = 8  # steps of the run for every kill, so that it is not complete before the last one
START = 0.6  # seconds within which a process is killed by the clock: loading, resuming, the first steps


def main() -> int:
    """Kill, check, write the result; 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--result", type=Path, default=RESULT)
    given = parser.parse_args()
    codes: list[int] = []

    def job(config: dict[str, Any], where: Where) -> int:
        with tempfile.TemporaryDirectory(prefix="dlcourse-kill-") as scratch:
            counts = trial(config, where, Path(scratch), kills=given.kills, chance=Random(given.seed))
        machine = {"processor": processor(), "cores": os.cpu_count(), "system": platform.platform()}
        versions = {"python": platform.python_version(), "torch": torch.__version__}
        date = datetime.now().astimezone().isoformat(timespec="seconds")
        command = f"python scripts/kill.py --kills {given.kills} --seed {given.seed}"
        result = {
            "command": command,
            "date": date,
            "machine": machine,
            "versions": versions,
            "seed": given.seed,
            **counts,
        }
        given.result.parent.mkdir(parents=True, exist_ok=True)
        write_json(given.result, result)
        print(json.dumps(result, indent=2))
        codes.append(int(bool(counts["damaged"] or counts["finished_checkpoints_lost"] or not counts["bit_exact"])))
        return 0

    run_hydra([*WORDS, f"max_steps={given.kills * STEPS_IN_ALL}"], job)
    return max(codes, default=1)


def trial(config: dict[str, Any], where: Where, scratch: Path, *, kills: int, chance: Random) -> dict[str, Any]:
    """Kill one run so often, look at every checkpoint after each kill, then finish and compare it."""
    nursery = Nursery(modules(config), scratch / "output.txt")
    straight, broken = begin(config, where, scratch / "straight"), begin(config, where, scratch / "killed")
    began = time.monotonic()
    demand(straight.live(nursery), nursery)
    counts = {
        "kills": 0,
        "in_a_write": 0,
        "before_a_step": 0,
        "loaded": 0,
        "damaged": 0,
        "finished_checkpoints_lost": 0,
    }
    step = 0  # the newest checkpoint
    while counts["kills"] < kills:
        by_clock = chance.random() < 0.25
        moment = (
            Moment("clock", delay=chance.uniform(0, START))
            if by_clock
            else Moment("step", step + chance.randint(1, STEPS_A_KILL), delay=chance.random())
        )
        ending = broken.live(nursery, until=moment)
        if ending.how != "killed":
            demand(ending, nursery)
            raise SystemExit(f"the run was complete after {counts['kills']} kills")
        counts["kills"] += 1
        counts["in_a_write"] += ending.in_write
        counts["before_a_step"] += ending.step == 0
        found = look(broken, counts)
        # The report of a step comes before its checkpoint, and after that of the step before it.
        counts["finished_checkpoints_lost"] += found < max(step, ending.step - 1)
        step = found
        if counts["kills"] % 20 == 0:
            print(f"{counts['kills']} kills, at step {step}, {counts}", file=sys.stderr, flush=True)
    demand(broken.live(nursery), nursery)
    difference = first_difference(parts_of(straight.folder), parts_of(broken.folder))
    return {
        **counts,
        "steps": config["max_steps"],
        "bit_exact": difference is None,
        "first_difference": difference,
        "seconds": round(time.monotonic() - began),
    }


def look(broken: Life, counts: dict[str, int]) -> int:
    """Load every checkpoint there is into `counts`; gives the steps of the newest."""
    steps = [0]
    for path in checkpoint.candidates(broken.folder.checkpoints):
        try:
            steps.append(checkpoint.load(path)["step"])
        except CheckpointError as error:
            print(error, file=sys.stderr)
            counts["damaged"] += 1
        else:
            counts["loaded"] += 1
    return max(steps)


if __name__ == "__main__":
    sys.exit(main())
