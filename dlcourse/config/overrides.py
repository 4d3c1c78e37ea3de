"""The words after the command: Hydra's flags, and overrides whose values Hydra's grammar would refuse, quoted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from dlcourse.config.kinds import expand
from dlcourse.config.settings import KNOWN
from dlcourse.config.tree import lay
from dlcourse.errors import ConfigError, nearest

if TYPE_CHECKING:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import Override

SWITCHES = {
    "--help": "-h", "--hydra-help": "", "--version": "", "--resolve": "", "--run": "-r", "--multirun": "-m",
    "--shell-completion": "-sc",
}  # fmt: skip
TAKES_VALUE = {"--cfg": "-c", "--package": "-p", "--config-name": "-cn", "--config-dir": "-cd"}
MAY_TAKE_VALUE = {"--info": "-i"}
REFUSED = {
    "--config-path": "write --config-dir=FOLDER, which adds to the shipped configs",
    "-cp": "write --config-dir=FOLDER, which adds to the shipped configs",
    "--experimental-rerun": "it would unpickle a file; write resume=RUN",
}
INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")


@dataclass(frozen=True)
class Words:
    """An argv in two parts: Hydra's flags, each `--name` or `--name=value` by its long name, and the overrides."""

    flags: tuple[str, ...]
    overrides: tuple[str, ...]
    problems: tuple[str, ...] = ()
    """A line for every flag that does not exist or lacks its value."""

    @property
    def sweeps(self) -> bool:
        """Whether several jobs are asked for."""
        return "--multirun" in self.flags

    def value(self, flag: str) -> str | None:
        """What a flag was given, the last one if it came twice."""
        found = [word.split("=", 1)[1] for word in self.flags if word.startswith(f"{flag}=")]
        return found[-1] if found else None

    @property
    def config_dirs(self) -> tuple[str, ...]:
        """The user's additional config folder, if --config-dir names one."""
        folder = self.value("--config-dir")
        return () if folder is None else (folder,)


def split(argv: Sequence[str]) -> Words:
    """Flags and overrides, in whatever order they came (argparse would refuse `a=1 -m b=2`)."""
    long = {short: name for name, short in (SWITCHES | TAKES_VALUE | MAY_TAKE_VALUE).items() if short}
    known = [*SWITCHES, *TAKES_VALUE, *MAY_TAKE_VALUE]
    flags: list[str] = []
    overrides: list[str] = []
    problems: list[str] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            overrides.append(word)
            continue
        name, equals, value = word.partition("=")
        name = long.get(name, name)
        if name in SWITCHES and not equals:
            flags.append(name)
        elif name in TAKES_VALUE and (equals or words):
            flags.append(f"{name}={expand(value if equals else words.pop(0))}")
        elif name in MAY_TAKE_VALUE:
            flags.append(f"{name}={value if equals else words.pop(0) if words and words[0] in INFO else 'all'}")
        elif name in TAKES_VALUE:
            problems.append(f"{name} needs a value")
        else:
            problems.append(_unknown_flag(word, name, following=words[0] if words else "", known=known))
            if not equals and words and "=" not in words[0] and not words[0].startswith("-"):
                words.pop(0)  # the value of the flag that is not one
    return Words(tuple(flags), tuple(overrides), tuple(problems))


def _unknown_flag(word: str, name: str, *, following: str, known: Sequence[str]) -> str:
    if name in REFUSED:
        return f"{name} is not taken: {REFUSED[name]}"
    key = name.lstrip("-").replace("-", "_")
    if close := nearest(name, known):
        return f"{word}: there is no such flag; did you mean '{close}'?"
    value = word.partition("=")[2] or (following if following and "=" not in following else "VALUE")
    return f"{word}: settings are written without dashes; write {key}={value}"


@cache
def parser() -> OverridesParser:
    """Hydra's own parser; the first call imports Hydra (0.2 s)."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create()


def parse(word: str) -> Override:
    """One override, its value quoted if Hydra's grammar refuses it as it stands.

    `.input_line` of the answer is what Hydra is to be given.

    Raises:
        ConfigError: it is none, even so.
    """
    key, equals, value = word.partition("=")
    if not equals and not word.startswith("~"):
        raise ConfigError(f"{word!r} is no setting; write key=value")
    spelt = f"{key}={expand(value)}" if equals else word
    for candidate in (spelt, *_quoted(key, expand(value), exists=bool(equals))):
        found = _accepted(candidate)
        if found is not None and not _number_for_text(found):
            return found
    raise ConfigError(f"{word!r} is no setting: '{key}' cannot be the name of one")


def _quoted(key: str, value: str, *, exists: bool) -> Iterator[str]:
    if exists:
        from hydra.core.override_parser.types import Quote, QuotedString

        yield f"{key}={QuotedString(text=value, quote=Quote.single).with_quotes()}"


def _accepted(word: str) -> Override | None:
    try:
        return parser().parse_override(word)
    # Hydra's grammar functions raise what they like: HydraException, TypeError, ValueError, RecursionError.
    except Exception:  # noqa: BLE001
        return None


def _number_for_text(override: Override) -> bool:
    """Whether a path was read as a number (`run=1e3`): such a value is quoted too, to stay as it was typed."""
    known = KNOWN.get(override.key_or_group)
    value = override.value()
    return known is not None and known.annotation in (str, str | None) and isinstance(value, bool | int | float)


def parse_all(words: Sequence[str]) -> tuple[list[Override], list[str]]:
    """Every override that parses, and a line for each that does not."""
    found: list[Override] = []
    problems: list[str] = []
    for word in words:
        try:
            found.append(parse(word))
        except ConfigError as error:
            problems += error.problems
    return found, problems


@dataclass(frozen=True)
class Resume:
    """A command line that goes on with a run: which one, and what is to change."""

    run: str
    changes: dict[str, Any]
    """Nested as in a config: {"epochs": 5, "runtime": {"threads": 2}}; without `resume` itself."""
    overrides: tuple[str, ...]


def resume_request(argv: Sequence[str]) -> Resume | None:
    """What `train resume=RUN ...` asks for, or None if the command line has no resume.

    Raises:
        ConfigError: faults of the other words, all of them.
    """
    if not any(word.lstrip("+").startswith("resume=") for word in argv):
        return None
    words = split(argv)
    found, problems = parse_all(words.overrides)
    problems = [*words.problems, *problems]
    run: object = None
    changes: dict[str, Any] = {}
    for override in found:
        key, value = override.key_or_group, override.value()
        if override.is_delete() or override.is_sweep_override():
            problems.append(f"{override.input_line}: with resume= only key=value is taken")
        elif key in KNOWN and (line := KNOWN[key].fault(value)):
            problems.append(line)
        elif key == "resume":
            run = value
        else:
            lay(changes, key, value=value)
    problems += [f"{flag}: with resume= nothing is composed; leave it out" for flag in words.flags]
    if problems:
        raise ConfigError(*problems)
    return None if run is None else Resume(str(run), changes, tuple(_line(one) for one in found))


def _line(override: Override) -> str:
    return override.input_line or ""
