"""Where option files live: the package's configs, those of the folder where the command runs, and any --config-dir."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml

from dlcourse.config.settings import GROUPS
from dlcourse.errors import ConfigError

PACKAGE_HEADER = re.compile(r"#\s*@package\s")
GLOBAL_HEADER = re.compile(r"\s*#\s*@package\s+_global_\s")
OVERRIDE = re.compile(r"override\s+/?(\w+)(?:@\S+)?")


@dataclass(frozen=True)
class Option:
    """One file of a group; `own` says that it is the user's and not the package's."""

    group: str
    name: str
    path: Path
    own: bool

    @property
    def purpose(self) -> str:
        """The file's first comment line, but for the one that says its package."""
        with self.path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("#") and not PACKAGE_HEADER.match(line):
                    return line.lstrip("#").strip()
                if line.strip() and not line.startswith("#"):
                    break
        return ""


@cache
def package_folder() -> Path:
    """The absolute folder of the shipped configs: installed, editable or in a plain checkout."""
    spec = importlib.util.find_spec("dlcourse.configs")
    if spec is not None and spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).resolve()
    return Path(__file__).resolve().parents[2] / "configs"


def folders(extra: Sequence[str] = ()) -> tuple[Path, ...]:
    """Every folder that options are looked for in; the first one that has a name wins.

    Args:
        extra: what --config-dir named.
    """
    package = package_folder()
    own = Path.cwd() / "configs"
    found = [package]
    for folder in (own, *(Path(name).expanduser().absolute() for name in extra)):
        if folder.is_dir() and folder.resolve() not in [one.resolve() for one in found]:
            found.append(folder)
    return tuple(found)


def options(extra: Sequence[str] = ()) -> dict[str, dict[str, Option]]:
    """group -> name -> option: the groups of train.yaml in their order, then the user's own."""
    found: dict[str, dict[str, Option]] = {group: {} for group in GROUPS}
    for folder in folders(extra):
        for path in sorted(folder.glob("*/*.yaml")):
            option = Option(path.parent.name, path.stem, path, own=folder != package_folder())
            found.setdefault(option.group, {}).setdefault(option.name, option)
    return found


def twins(extra: Sequence[str] = ()) -> dict[tuple[str, str], Path]:
    """(group, name) -> the user's file that bears the name of a shipped option, so that neither hides the other."""
    shipped = package_folder()
    return {
        (path.parent.name, path.stem): path
        for folder in folders(extra)[1:]
        for path in folder.glob("*/*.yaml")
        if (shipped / path.parent.name / path.name).exists()
    }


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as Hydra reads it: 1e-3 is a number, which YAML 1.1 takes for text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(?:\d[\d_]*)(?:\.[\d_]*)?[eE][-+]?\d+"), list("-+0123456789")
)


def read_yaml(path: Path) -> dict[str, Any]:
    """A config file as plain data.

    Raises:
        ConfigError: no YAML, or no mapping.
    """
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  (a safe loader)
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict | None):
        raise ConfigError(f"{path} must hold keys and values, not a {type(found).__name__}")
    return found or {}


def is_global(path: Path) -> bool:
    """Whether a file's keys stand at the top level and not under its group's name."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        return GLOBAL_HEADER.match(next(iter(lines), "") + " ") is not None


def defaults_of(content: Mapping[str, Any]) -> Iterator[tuple[str, str | None, bool]]:
    """(group, option, whether it overrides) from the defaults list of one file."""
    for entry in content.get("defaults", ()):
        if isinstance(entry, dict):
            for key, name in entry.items():
                overriding = OVERRIDE.fullmatch(str(key))
                group = overriding[1] if overriding else str(key).removeprefix("optional ").lstrip("/").split("@")[0]
                yield group, name, overriding is not None


def choose(given: Mapping[str, str | None], *, extra: Sequence[str] = ()) -> dict[str, Option]:
    """The option of every group: the command line's, else what a model or experiment brings, else train.yaml's.

    Args:
        given: group -> option name, as the command line has it; unknown names are left out.
        extra: what --config-dir named.
    """
    available = options(extra)
    names: dict[str, str | None] = {
        group: name for group, name, _ in defaults_of(read_yaml(package_folder() / "train.yaml"))
    }
    names.update(given)
    settled = set(given)
    for group in reversed(tuple(names)):  # the later group in the list has the last word, as in Hydra
        option = available.get(group, {}).get(names[group] or "")
        brought = defaults_of(read_yaml(option.path)) if option else ()
        news = {over: name for over, name, overrides in brought if overrides and over not in settled}
        names.update(news)
        settled.update(news)
    return {
        group: available[group][name]
        for group, name in names.items()
        if name is not None and name in available.get(group, {})
    }


def compose_plainly(given: Mapping[str, str | None], *, extra: Sequence[str] = ()) -> dict[str, Any]:
    """What Hydra would compose from these options, without Hydra and without interpolation.

    Good for help and completion, where 0.2 s for importing Hydra would be felt.
    """
    config = {
        key: value
        for key, value in read_yaml(package_folder() / "train.yaml").items()
        if key not in ("defaults", "hydra")
    }
    for group, option in choose(given, extra=extra).items():
        whole = read_yaml(option.path)
        for place, inner in placed(whole, extra=extra):
            parts: dict[str, Any] = {}
            lay(parts, place, value={key: value for key, value in inner.items() if key != "defaults"})
            _merge(config, parts)
        content = {key: value for key, value in whole.items() if key != "defaults"}
        _merge(config, content if is_global(option.path) else {group: content})
    return config


def placed(content: Mapping[str, Any], *, extra: Sequence[str] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
    """(dotted place, file) of the options that one file's defaults list puts elsewhere: `/init@init.svd: ppmi_svd`."""
    for entry in content.get("defaults", ()):
        for key, name in entry.items() if isinstance(entry, dict) else ():
            group, at, place = str(key).lstrip("/").partition("@")
            option = options(extra).get(group, {}).get(str(name))
            if at and option is not None:
                yield place, read_yaml(option.path)


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def look_up(config: object, key: str) -> tuple[bool, Any]:
    """Whether a dotted key is there (numbers count through lists), and its value."""
    for part in key.split("."):
        if isinstance(config, Mapping) and part in config:
            config = cast("Any", config)[part]
        elif isinstance(config, list) and part.isdecimal() and int(part) < len(cast("list[Any]", config)):
            config = cast("Any", config)[int(part)]
        else:
            return False, None
    return True, config


def lay(config: dict[str, Any], key: str, *, value: object) -> None:
    """Put a value under a dotted key, making the mappings on the way."""
    *parents, leaf = key.split(".")
    for parent in parents:
        inner = config.get(parent)
        if not isinstance(inner, dict):
            inner = config[parent] = {}
        config = cast("dict[str, Any]", inner)
    config[leaf] = value


def flat(config: Mapping[str, Any], *, prefix: str = "") -> dict[str, Any]:
    """Dotted key -> value for every value that is not a mapping itself (an empty one is)."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            found.update(flat(value, prefix=f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = value
    return found
