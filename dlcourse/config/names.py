"""Which setting a wrong word meant: the nearest dotted key, other programs' names for it among them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from dlcourse.config.settings import GROUPS
from dlcourse.errors import nearest, suggestion

ALIASES: Mapping[str, str] = {
    "learning_rate": "lr",
    "base_lr": "lr",
    "bs": "batch_size",
    "batch": "batch_size",
    "batchsize": "batch_size",
    "train_batch_size": "batch_size",
    "wd": "weight_decay",
    "l2": "weight_decay",
    "num_epochs": "epochs",
    "max_epochs": "epochs",
    "epoch": "epochs",
    "n_epochs": "epochs",
    "num_train_epochs": "epochs",
    "steps": "max_steps",
    "num_workers": "workers",
    "grad_clip": "clip_norm",
    "gradient_clip_val": "clip_norm",
    "max_norm": "clip_norm",
    "gradient_accumulation_steps": "accumulate",
    "accumulate_grad_batches": "accumulate",
    "amp": "precision",
    "dtype": "precision",
    "gpu": "device",
    "cuda": "device",
    "accelerator": "device",
    "ema_decay": "ema",
    "patience": "early_stop.patience",
    "dataset": "data",
    "network": "model",
    "net": "model",
    "arch": "model",
    "optim": "optimizer",
    "lr_scheduler": "scheduler",
    "sched": "scheduler",
    "output_dir": "run",
    "logdir": "runs",
    "log_dir": "runs",
    "smoothing": "label_smoothing",
}


def unknown(key: str, *, known: Collection[str], callee: str | None = None) -> str:
    """The error line for a key that is not there.

    Args:
        key: as it was written, dotted.
        known: every dotted key there is.
        callee: what the key's parent calls, if it is a call.
    """
    parent, _, leaf = key.rpartition(".")
    what = f"{callee} takes no such argument" if callee else "there is no such setting"
    siblings = {name.removeprefix(f"{parent}.").split(".")[0] for name in known if name.startswith(f"{parent}.")}
    if close := _meant(leaf, siblings):
        return f"{key}: {what}; did you mean '{close}'?"
    if full := _elsewhere(key, known):
        return f"{key}: {what}; did you mean '{full}'?"
    return f"{key}: {what}{suggestion(leaf, siblings) or '; dlcourse train --help lists them'}"


def _meant(leaf: str, siblings: Collection[str]) -> str | None:
    alias = ALIASES.get(leaf.lower())
    return alias if alias in siblings else nearest(leaf, siblings)


def _elsewhere(key: str, known: Collection[str]) -> str | None:
    """The nearest key under another parent: by its last word, then by the whole."""
    parents = {name.rpartition(".")[0] for name in known} - {""}
    names = {*known, *parents, *GROUPS}
    leaf = key.rpartition(".")[2].lower()
    wanted = ALIASES.get(leaf, leaf)
    if wanted in names:
        return wanted
    same_leaf = sorted((name for name in names if name.rpartition(".")[2] == wanted), key=_order)
    if same_leaf:
        return same_leaf[0]
    # Under a known parent the whole key resembles every sibling; the list of siblings says more.
    return None if key.rpartition(".")[0] in parents else nearest(key, names)


def _order(name: str) -> int:
    """Where a learner more likely means it: the optimizer's lr rather than another part's."""
    likely = ("optimizer", "runtime", "task", "data", "model", "scheduler")
    parent = name.partition(".")[0]
    return likely.index(parent) if parent in likely else len(likely)
