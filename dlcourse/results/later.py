"""Settings that came after a run: what its config.yaml lacks, as today's file of the same option states it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from dlcourse.config.tree import flat, is_global, look_up, package_folder, read_yaml
from dlcourse.results.stored import place_of, plain

AUTO = "auto"
RESOLVED = ("runtime.", "data.")
"""Places where config.yaml holds what `auto` came to, which no option file knows."""
NOT_OURS = ("defaults", "hydra")  # keys of train.yaml that are no settings


def missing(
    settings: Mapping[str, object], *, choices: Mapping[str, str], targets: Mapping[str, str]
) -> dict[str, object]:
    """The settings that a run lacks, with the defaults of the options that it chose.

    A setting that comes later acts by default as the program did before, so its default is what the run had. What a
    model or data set sets beyond itself, such as `epochs`, is no such default, and train.yaml's is taken.

    Args:
        settings: dotted name -> value of those that it has.
        choices: group -> option, as in `init@init.svd` -> ppmi_svd.
        targets: group -> the `_target_` that the run called; an option of ours that calls another one is not the run's.
    """
    known = _defaults(tuple((group, name, targets[group]) for group, name in choices.items() if group in targets))
    lacking = {name: value for name, value in known.items() if name not in settings}
    return {name: value for name, value in lacking.items() if not _otherwise(name, settings, choices=choices)}


def _otherwise(name: str, settings: Mapping[str, object], *, choices: Mapping[str, str]) -> bool:
    """Whether the run says it in another shape: a value where we have several below it, or several in place of one."""
    above = name.rpartition(".")[0]
    said_above = above in settings and above not in choices  # settings hold the choices under their groups' names
    return said_above or any(one.startswith(f"{name}.") for one in settings)


@cache
def _defaults(chosen: tuple[tuple[str, str, str], ...]) -> Mapping[str, object]:
    """Dotted name -> default of every setting outside the groups, and of these options.

    Args:
        chosen: group, option and `_target_` of each.
    """
    train = read_yaml(package_folder() / "train.yaml")
    found = dict(flat({key: value for key, value in train.items() if key not in NOT_OURS}))
    for group, name, target in chosen:
        told = _stated(group.partition("@")[0], name)
        if told.get("_target_") == target:
            found |= flat(told, prefix=f"{place_of(group)}.")
    return {name: plain(value) for name, value in found.items() if _is_default(name, value)}


@cache
def _stated(group: str, name: str) -> Mapping[str, Any]:
    """What the shipped file of an option says of itself; empty if we ship none of this name."""
    # A run folder may say anything: only names of files that are there are opened.
    path = {(one.parent.name, one.stem): one for one in package_folder().glob("*/*.yaml")}.get((group, name))
    if path is None:
        return {}
    whole = read_yaml(path)
    inner: Any = look_up(whole, group)[1] if is_global(path) else whole
    return {key: value for key, value in inner.items() if key != "defaults"} if isinstance(inner, dict) else {}


def _is_default(name: str, value: object) -> bool:
    """Whether a run that says nothing of the setting had this value."""
    if name.rpartition(".")[2] == "_target_" or isinstance(value, Mapping):
        return False
    if isinstance(value, str) and "${" in value:  # what it comes to is written down, not this
        return False
    return value != AUTO or not name.startswith(RESOLVED)
