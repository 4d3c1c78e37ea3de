"""NB-weighted n-grams under a linear classifier, on any set of texts: the baseline that a network has to beat.

python scripts/linear_baseline.py data=imdb data.root=FOLDER                      logistic regression on 1 and 2 words
python scripts/linear_baseline.py data=imdb data.root=FOLDER ngrams=3 model=svm   a linear SVM on up to 3
python scripts/linear_baseline.py data=imdb data.root=FOLDER against=RUN RUN      does chance explain the difference?

It reads whole documents, whatever data.max_length= lets a network see.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from baseline.command import RESULTS, answer, apart, circumstances, data_set
from baseline.nb_linear import MODELS, Grams, NBLinear
from baseline.verdicts import Predictions, verdict

from dlcourse.commands.arguments import argument, read
from dlcourse.data.texts import TextSplit
from dlcourse.errors import ConfigError
from dlcourse.files import replace_file, write_json
from dlcourse.folders import find_run
from dlcourse.metrics import ClassificationStats
from dlcourse.run.verdict import write_arrays
from dlcourse.tasks.classification import Classification
from dlcourse.text.ragged import Ragged

NAME = "linear_baseline.py"
PACKAGES = ("dlcourse", "scikit-learn", "scipy", "numpy")
PLACES = ("data.root", "data.path", "data.test_path", "against", "runs", "out", "result")


@dataclass(frozen=True)
class Arguments:
    """What the script takes beside `data=` and `data.*`."""

    ngrams: Literal[1, 2, 3] = argument("Longest run of words that is a feature.", default=2)
    model: Literal["logistic", "svm"] = argument("The classifier on the weighted features.", default="logistic")
    refit: bool = argument("Fit again on train and validation once C is chosen.", default=False)
    against: tuple[str, ...] = argument("Runs to compare with.", default=(), bare=True)
    runs: Path = argument("Folder that holds the runs.", default=Path("runs"))
    out: Path | None = argument("Folder for predictions.npz; null is RUNS/linear-DATA.", default=None)
    result: Path | None = argument("File for the numbers; null is scripts/results/linear_DATA.json.", default=None)


def main(argv: Sequence[str]) -> int:
    """Fit, test once, compare, write; gives the exit code."""
    return answer(argv, name=NAME, purpose=(__doc__ or "").strip(), arguments=Arguments, work=compare)


def compare(argv: Sequence[str]) -> None:
    """Fit and test what the words say, hold the runs against it, write.

    Raises:
        UserError: the words, the data or a run to compare with are not as they must be.
    """
    name, of_data, rest = apart(argv)
    given = read(Arguments, rest, command=NAME)
    folders = [find_run(word, runs=given.runs) for word in given.against]
    runs = {f"{one.path.parent.name}/{one.path.name}": Predictions.read(one.predictions) for one in folders}
    began = time.monotonic()
    train, val, test = read_texts(of_data)
    read_by = time.monotonic()
    ours, numbers = measure(train, val, test, given)
    ended = time.monotonic()
    print(f"{ended - began:.0f} s, {read_by - began:.0f} of them to read the data")
    verdicts = [verdict(run, theirs, baseline=ours) for run, theirs in runs.items()]
    for found in verdicts:
        print(found["sentence"])

    out = given.out or given.runs / f"linear-{name}"
    result = given.result or RESULTS / f"linear_{name}.json"
    for folder in (out, result.parent):
        folder.mkdir(parents=True, exist_ok=True)
    replace_file(out / "predictions.npz", lambda beside: write_arrays(beside, ours.arrays()))
    seconds = {"reading": round(read_by - began, 1), "fitting_and_testing": round(ended - read_by, 1)}
    write_json(
        result,
        {
            **circumstances(argv, name=NAME, places=PLACES, packages=PACKAGES),
            **numbers,
            "seconds": seconds,
            "against": verdicts,
        },
    )
    print(f"written: {out / 'predictions.npz'}, {result}")


def read_texts(words: Sequence[str]) -> tuple[TextSplit, TextSplit, TextSplit]:
    """Train, validation and test of the labelled set of texts that these words of a command line name.

    Raises:
        ConfigError: they name none.
        DataError: it cannot be read.
    """
    data = data_set(words)
    classes = data.facts().get("num_classes")
    if data.gives != "texts" or not isinstance(classes, int) or classes < 2:
        raise ConfigError(f"data: it gives {data.gives} of {classes or 'no'} classes; name a set of labelled texts")
    splits = data.load()
    return splits.train, splits.val, splits.test  # pyright: ignore[reportReturnType]  as `gives` says


def measure(train: TextSplit, val: TextSplit, test: TextSplit, given: Arguments) -> tuple[Predictions, dict[str, Any]]:
    """Choose C on validation, then look at the test split once; gives its predictions and all numbers."""

    def known(documents: Ragged, labels: np.ndarray) -> tuple[Grams, Callable[..., NBLinear]]:
        grams = Grams.of(documents, longest=given.ngrams, vocabulary=train.encoder.size)
        fit = partial(NBLinear.fit, grams.presence(documents), labels, classes=len(train.classes), model=given.model)
        return grams, fit

    grams, fit = known(train.documents, train.labels.numpy())
    print(f"{grams.count:,} features of {len(train):,} documents", flush=True)
    present = grams.presence(val.documents)
    tried: dict[float, tuple[float, NBLinear, ClassificationStats]] = {}
    for strength in MODELS[given.model].strengths:
        model = fit(strength=strength)
        stats = judged(model.logits(present), val)
        tried[strength] = stats.summary()["accuracy"], model, stats
        print(f"C {strength:<5g} validation accuracy {tried[strength][0]:.4f}", flush=True)
    # The first of equals has the smallest C, which is the simplest model.
    best = max(tried, key=lambda strength: tried[strength][0])
    _, model, stats_val = tried[best]
    if given.refit:
        grams, fit = known(Ragged.join([train.documents, val.documents]), torch.cat([train.labels, val.labels]).numpy())
        model = fit(strength=best)

    stats, task = judged(model.logits(grams.presence(test.documents)), test), Classification(classes=test.classes)
    # The temperature comes from the model that had not seen the validation split.
    numbers = {**stats.summary(), **task.conclude(stats, val=stats_val)}
    print("test  " + "  ".join(f"{name} {value:.4f}" for name, value in numbers.items()), flush=True)
    arrays = {name: values.numpy() for name, values in task.predictions(stats).items()}
    return Predictions(**arrays), {
        "model": given.model,
        "ngrams": given.ngrams,
        "refit": given.refit,
        "items": {"train": len(train), "val": len(val), "test": len(test)},
        "features": grams.count,
        "validation_accuracy": {f"{strength:g}": accuracy for strength, (accuracy, *_) in tried.items()},
        "C": best,
        "test": numbers,
    }


def judged(logits: np.ndarray, split: TextSplit) -> ClassificationStats:
    """The statistics that a run has of the same split."""
    places = torch.arange(len(split))
    return ClassificationStats.from_logits(
        torch.from_numpy(logits), split.labels, indices=places, classes=split.classes
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
