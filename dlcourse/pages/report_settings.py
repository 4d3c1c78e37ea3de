"""What a run was told and how to tell it again: its settings beside the defaults, its command, its environment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dlcourse.config.settings import GROUPS
from dlcourse.errors import ConfigError
from dlcourse.files import read_json
from dlcourse.pages.shown import Sheet, Words, plain
from dlcourse.results.command_line import command_line, quoted
from dlcourse.results.groups import FOLD
from dlcourse.results.record import MECHANICS, RunRecord

AUTO = "auto"
MOST_ROWS = 20  # that stand open on a page
ASIDE = ("seed",)  # stands with the runs
START = re.compile(r"init\.(.+\.)?run")  # the settings of init=from_run, by itself or among others
BY_HAND = ("model", "data")  # options without which there is no run, so that no other one is their default


def settings(record: RunRecord, *, words: Words, several: bool = False) -> list[Sheet]:
    """What differs from the defaults, then everything, which is folded; of `several` folds this one is left out."""
    values = {name: value for name, value in record.own.items() if name not in record.choices}
    everything = [[name, plain(value)] for name, value in (*record.choices.items(), *values.items())]
    title = words["all_settings"].format(count=len(everything))
    columns = [words["setting"], words["value"]]
    last = Sheet(title, columns, everything, folded=True, words=True)
    usual = defaults(record.choices)
    if usual is None:
        return [Sheet(words["changed"], [], [], notes=[words["no_defaults"]], words=True), last]
    options, composed = usual
    rows = [
        [group, plain(name), options.get(group, "–")]
        for group, name in record.choices.items()
        if name != options.get(group) and group not in BY_HAND
    ]
    told = set(overridden(record))
    rows += [
        [name, plain(value), plain(composed[name]) if name in composed else "–"]
        for name, value in values.items()
        if name not in MECHANICS
        and name not in (*ASIDE, *([FOLD] if several else []))
        and (name not in composed or composed[name] != value)
        # What `auto` came to is no choice of anybody's.
        and (composed.get(name) != AUTO or name in told)
    ]
    notes = [] if rows else [words["none_changed"]]
    return [
        Sheet(
            words["changed"], [*columns, words["default"]], rows, notes=notes, folded=len(rows) > MOST_ROWS, words=True
        ),
        last,
    ]


def defaults(choices: Mapping[str, str]) -> tuple[dict[str, str], dict[str, object]] | None:
    """The options that go with this model and data by themselves, and every setting of the run's options by its name.

    None if an option of the run is not known here, as one of another folder's configs.
    """
    from dlcourse.config.compose import compose
    from dlcourse.config.tree import choose, options, read_yaml

    available = options()
    wanted = {group: name for group, name in choices.items() if group in GROUPS and group != "experiment"}
    # What a run folder says goes to Hydra only if it is the name of an option: an override can say more than that.
    if any(name not in available[group] for group, name in wanted.items()):
        return None
    try:
        composed = dict(dotted(compose([f"{group}={name}" for group, name in wanted.items()])))
        usual = choose({group: name for group, name in wanted.items() if group in BY_HAND})
        for place, name in choices.items():
            group, at, prefix = place.partition("@")
            if at and name in available.get(group, {}):
                composed |= dotted(read_yaml(available[group][name].path), prefix=f"{prefix}.")
    except ConfigError:  # an option of the user's own that does not compose
        return None
    return {group: option.name for group, option in usual.items()}, composed


def dotted(tree: Mapping[str, Any], *, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Dotted names and values of a nested config; lists are values, and what is called is none."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from dotted(value, prefix=f"{prefix}{key}.")
        elif key != "_target_":
            yield f"{prefix}{key}", value


def overrides(record: RunRecord) -> list[str] | None:
    """The words that started the run; None if it does not say."""
    try:
        return (record.path / "overrides.txt").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None


def overridden(record: RunRecord) -> Iterator[str]:
    """The settings that these words name."""
    for word in overrides(record) or ():
        yield word.partition("=")[0].lstrip("+~")


def starts(record: RunRecord) -> list[str]:
    """The runs whose weights it began with, each once."""
    found = (value for name, value in record.settings.items() if START.fullmatch(name))
    return list(dict.fromkeys(value for value in found if isinstance(value, str) and value))


def command(record: RunRecord) -> str | None:
    """The command line that started the run; None if it does not say."""
    words = overrides(record)
    return None if words is None else command_line(words)


def reproduce(record: RunRecord) -> str:
    """The command that trains it again and compares."""
    return f"dlcourse reproduce {quoted(record.name)}"


def data(record: RunRecord, *, words: Words, items: Mapping[str, tuple[str, str]]) -> Sheet:
    """How large the splits are, and by what they can be recognised."""
    rows = [[words[split], size, f"{sha}…" if sha else "–"] for split, (size, sha) in items.items()]
    return Sheet(words["data"], [words["split"], words["size"], words["fingerprint"]], rows)


def environment(record: RunRecord, *, words: Words) -> Sheet:
    """The versions and the machine that the run's numbers depend on."""
    found = dict(dotted(read_json(record.path / "environment.json")))
    rows = [
        [words.get(f"env/{name}", name.removeprefix("packages.")), plain(value)]
        for name, value in found.items()
        # Torch's own word for its version says of which build it is.
        if value is not None and (name == "torch" or name.removeprefix("packages.") != "torch" or "torch" not in found)
    ]
    return Sheet("", ["", ""], rows, words=True)


def commands(records: Sequence[RunRecord]) -> list[str]:
    """The command of each run; those that keep none are left out."""
    return [line for record in records if (line := command(record)) is not None]
