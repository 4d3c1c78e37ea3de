"""Mean and spread of finished runs that differ in their seed, as a table and as JSON.

python scripts/seeds.py RUN RUN RUN --result scripts/results/imdb_course.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from dlcourse.errors import RunError, UserError
from dlcourse.files import read_json, write_json
from dlcourse.folders import RunFolder, find_run

METRICS = (
    "accuracy", "accuracy_mirrored", "top5", "accuracy_8", "top5_8", "precision", "recall", "f1", "roc_auc", "ece",
    "ece_scaled", "loss", "perplexity",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="+", help="finished runs, as every command names them")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder that holds the runs")
    parser.add_argument("--result", type=Path, default=None, help="where the numbers go as JSON")
    given = parser.parse_args(argv)
    try:
        rows = [numbers_of(find_run(word, runs=given.runs)) for word in given.run]
    except UserError as error:
        print("\n".join(f"seeds: {line}" for line in error.problems), file=sys.stderr)
        return error.exit_code
    if len({json.dumps(row["words"]) for row in rows}) > 1:
        print("seeds: these runs differ in more than their seed; the means are over different experiments")
    print(render(rows))
    if given.result is not None:
        write_json(given.result, {"runs": rows, "mean": means(rows)})
    return 0


def numbers_of(folder: RunFolder) -> dict[str, Any]:
    """Seed, words, machine, minutes, and the best validation's and the test's numbers of a run.

    Raises:
        RunError: it was not tested.
    """
    records = list(folder.records())
    tested = [record for record in records if record["split"] == "test"]
    if not tested:
        raise RunError(f"{folder.path}: this run was not tested, so it is not finished", exit_code=2)
    validations = [record["scalars"] for record in records if record["split"] == "val"]
    environment, status = read_json(folder.path / "environment.json"), folder.read_status()
    seconds = datetime.fromisoformat(status["changed"]) - datetime.fromisoformat(status["started"])
    words = (folder.path / "overrides.txt").read_text(encoding="utf-8").split("\n")
    timed = [json.loads(line) for line in folder.timing.read_text(encoding="utf-8").splitlines()]
    timing = [line["timing"] for line in timed if line["split"] == "train"]
    return {
        "run": f"{folder.path.parent.name}/{folder.path.name}",
        "seed": yaml.safe_load(folder.config.read_text(encoding="utf-8"))["seed"],
        "words": [
            portable(word) for word in words if word and not word.startswith(("seed=", "runs=", "run=", "data.root="))
        ],
        "processor": environment.get("processor"),
        "threads": environment.get("threads"),
        "torch": environment.get("torch"),
        "minutes": round(seconds.total_seconds() / 60, 1),
        "training_seconds": summed(timing, "seconds"),
        "training_cpu_seconds": summed(timing, "cpu_seconds"),
        "peak_memory_bytes": max((one["peak_memory_bytes"] for one in timing if "peak_memory_bytes" in one), default=0),
        "val": {name: value for name, value in max(validations, key=worth, default={}).items() if name in METRICS},
        "test": {name: tested[-1]["scalars"][name] for name in METRICS if name in tested[-1]["scalars"]},
    }


def summed(timing: Sequence[dict[str, float]], name: str) -> float | None:
    """The sum over all records of training; None of a run whose records say nothing of it."""
    values = [one[name] for one in timing if name in one]
    return round(sum(values), 1) if values else None


def portable(word: str) -> str:
    """A word of the command line; a run that it names by a path, by MODEL-DATA/TIME."""
    key, _, value = word.partition("=")
    return f"{key}={'/'.join(Path(value).parts[-2:])}" if key.endswith(".run") else word


def worth(scalars: dict[str, float]) -> float:
    """What picks the best validation: the highest accuracy or, of a language model, the lowest perplexity."""
    return scalars.get("accuracy", -scalars.get("perplexity", float("inf")))


def means(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """Split -> metric -> mean, standard deviation over runs (0 of a single one) and how many."""
    return {
        split: {
            name: {
                "mean": statistics.mean(values),
                "sd": statistics.stdev(values) if len(values) > 1 else 0.0,
                "n": len(values),
            }
            for name in METRICS
            if (values := [row[split][name] for row in rows if name in row[split]])
        }
        for split in ("val", "test")
    }


def render(rows: Sequence[dict[str, Any]]) -> str:
    """A markdown table: a line a run, then mean and standard deviation."""
    names = [name for name in METRICS if any(name in row["test"] for row in rows)]
    lines = [f"| seed | val accuracy | {' | '.join(names)} | minutes |", "|---" * (len(names) + 3) + "|"]
    for row in rows:
        cells = [f"{row['test'].get(name, float('nan')):.4f}" for name in names]
        val = f"{row['val'].get('accuracy', float('nan')):.4f}"
        lines.append(f"| {row['seed']} | {val} | {' | '.join(cells)} | {row['minutes']} |")
    found = means(rows)
    over = [f"{found['test'][name]['mean']:.4f} ± {found['test'][name]['sd']:.4f}" for name in names]
    val = found["val"].get("accuracy", {"mean": float("nan"), "sd": float("nan")})
    return "\n".join([*lines, f"| mean ± sd | {val['mean']:.4f} ± {val['sd']:.4f} | {' | '.join(over)} | |"])


if __name__ == "__main__":
    sys.exit(main())
