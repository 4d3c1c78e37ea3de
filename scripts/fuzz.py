"""A long fuzz run: thousands of damaged and invented inputs for everything that reads what a user hands in.

python scripts/fuzz.py                        11,000 examples of each property, fewer of the slow ones
python scripts/fuzz.py --examples 100         a short one; the result goes to scripts/results/fuzz.json all the same
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import torch

from dlcourse.files import write_json
from dlcourse.training.runtime import processor

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).parent / "results" / "fuzz.json"
TARGETS = (
    "tests/properties/test_data_files.py",
    "tests/properties/test_override_strings.py",
    "tests/properties/test_run_folders.py",
    "tests/unit/test_checkpoint.py::test_any_damage_is_a_checkpoint_error_or_none",
)
PHASE = re.compile(r"^(tests/\S+):$|(\d+) passing(?: examples)?, (\d+) failing", re.M)


def main() -> int:
    """Run, count, write the result; 1 if an input broke something."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=11_000)
    parser.add_argument("--jobs", default="auto", help="processes, as pytest-xdist takes them")
    parser.add_argument("--result", type=Path, default=RESULT)
    given = parser.parse_args()
    environment = os.environ | {"DLCOURSE_FUZZ": str(given.examples)}
    if Path("/dev/shm").is_dir():  # every example writes files, which need not reach a disk
        environment["TMPDIR"] = "/dev/shm"
    command = [
        sys.executable, "-m", "pytest", "-q", "-n", given.jobs, "--hypothesis-show-statistics",
        "-p", "no:cacheprovider", *TARGETS,
    ]  # fmt: skip
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    counts = count(done.stdout)
    total = sum(counts.values())
    result = {
        "command": f"python scripts/fuzz.py --examples {given.examples}",
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": {"processor": processor(), "cores": os.cpu_count(), "system": platform.platform()},
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "inputs": total,
        "inputs_by_property": counts,
        "passed": done.returncode == 0,
        "seconds": round(time.monotonic() - began),
    }
    given.result.parent.mkdir(parents=True, exist_ok=True)
    write_json(given.result, result)
    if done.returncode:
        print(done.stdout, done.stderr)
    verdict = "none broke anything" if done.returncode == 0 else "something broke, see above"
    print(f"{total:,} inputs in {result['seconds']} s: {verdict}")
    return int(done.returncode != 0)


def count(output: str) -> dict[str, int]:
    """Inputs by property, from hypothesis's statistics; those that it threw away are left out."""
    counts: dict[str, int] = {}
    name = ""
    for test, passing, failing in PHASE.findall(output):
        name = test.rpartition("::")[2] if test else name
        if not test:
            counts[name] = counts.get(name, 0) + int(passing) + int(failing)
    return counts


if __name__ == "__main__":
    sys.exit(main())
