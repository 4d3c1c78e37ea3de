"""A config is a call: its keys are held against the signature of its `_target_`, then it is called."""

import inspect
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from dlcourse.config.kinds import Misfit, conform, shown
from dlcourse.config.names import unknown
from dlcourse.config.targets import allowed, resolve
from dlcourse.errors import ConfigError, UserError

NO_FACTS: Mapping[str, object] = {}

NOT_SAID = "the data does not say"  # the end of the line about an argument that no fact fills


@dataclass
class Problems:
    """Gathers the faults of several parts, so that all are shown at once."""

    lines: list[str] = field(default_factory=list)

    @contextmanager
    def gathered(self) -> Generator[None]:
        """Keep what a `with` body raises as a UserError; what follows the body must not need its result."""
        try:
            yield
        except UserError as error:
            self.lines += error.problems

    def raise_any(self) -> None:
        """Raise one ConfigError with every line, if there is any."""
        if self.lines:
            raise ConfigError(*dict.fromkeys(self.lines))


@dataclass(frozen=True)
class Call:
    """A callable with arguments that fit it, still to be given those that come first."""

    callee: Any
    arguments: Mapping[str, Any]
    at: str

    def __call__(self, *args: object) -> Any:
        """Call it.

        Raises:
            ConfigError: what the callee said of an argument, with its place in the config.
        """
        try:
            return self.callee(*args, **self.arguments)
        except ValueError as error:
            raise ConfigError(self._place(str(error))) from error
        except UserError:
            raise
        # What was not written for this place raises what it likes; of the user's own code its traceback is wanted.
        except Exception as error:
            if not allowed(str(getattr(self.callee, "__module__", ""))):
                raise
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ConfigError(f"{self.at}: {self.callee.__name__} cannot be called so ({reason})") from error

    def _place(self, text: str) -> str:
        first = text.split(maxsplit=1)[0].rstrip(":") if text.strip() else ""
        return f"{self.at}.{text}" if first.partition(".")[0] in self.arguments else f"{self.at}: {text}"


def call(node: Any, *args: object, at: str, facts: Mapping[str, object] = NO_FACTS, allow_code: bool = True) -> Any:
    """What the config at `at` makes; a list of calls makes a list.

    Args:
        node: a mapping with `_target_`, or a list of such.
        args: what the program gives: the first positional arguments of the callee.
        at: where the node stands, such as "optimizer".
        facts: values for arguments that the callee names and the config leaves out or null.
        allow_code: whether Python files of this folder may run.

    Raises:
        ConfigError: every fault of the keys together, or what the callee said of a value.
    """
    if isinstance(node, list):
        found = [
            bind(item, at=f"{at}.{i}", facts=facts, allow_code=allow_code, given=len(args))
            for i, item in enumerate(node)
        ]
        return [one(*args) for one in found]
    return bind(node, at=at, facts=facts, allow_code=allow_code, given=len(args))(*args)


def bind(
    node: Any, *, at: str, facts: Mapping[str, object] = NO_FACTS, allow_code: bool = True, given: int = 0
) -> Call:
    """The call that a config stands for, its keys and types checked, not yet made.

    Args:
        node: a mapping with `_target_`.
        at: where the node stands.
        facts: values for arguments that the callee names and the config leaves out or null.
        allow_code: whether Python files of this folder may run.
        given: how many positional arguments the program will put first.

    Raises:
        ConfigError: every fault of the keys, one line each.
    """
    if not isinstance(node, Mapping) or "_target_" not in node:
        raise ConfigError(f"{at} must name what it calls (_target_: module.Name), not {shown(node)}")
    callee = resolve(node["_target_"], at=at, allow_code=allow_code)
    keys = {str(key): value for key, value in node.items() if key != "_target_"}
    takes = parameters(callee, given=given)
    hints = argument_types(callee)
    problems = Problems()
    arguments: dict[str, Any] = {}
    for key, value in keys.items():
        if key in takes.filled or not (key in takes.names or takes.anything):
            problems.lines.append(_no_argument(f"{at}.{key}", key, takes=takes, callee=callee))
        elif value is None and key in facts:
            arguments[key] = facts[key]
        else:
            with problems.gathered():
                arguments[key] = _argument(value, hints.get(key), at=f"{at}.{key}", facts=facts, allow_code=allow_code)
    for name in takes.names:
        if name not in keys and name in facts:
            arguments[name] = facts[name]
        elif name not in keys and name in takes.required:
            problems.lines.append(f"{at}.{name} is missing: {callee.__name__} needs it")
    problems.raise_any()
    return Call(callee, arguments, at)


@dataclass(frozen=True)
class Takes:
    """What a callable takes from a config."""

    names: tuple[str, ...]
    required: tuple[str, ...]
    filled: tuple[str, ...]
    """Those that the program gives by position."""
    anything: bool
    """Whether it has `**kwargs`."""


def parameters(callee: Any, *, given: int = 0) -> Takes:
    """The arguments that a config may set, by the callee's signature."""
    try:
        found = list(inspect.signature(callee).parameters.values())
    except (TypeError, ValueError):  # some built-in functions have no signature
        return Takes((), (), (), anything=True)
    ordered = [one for one in found if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    filled = tuple(one.name for one in ordered[:given])
    named = [
        one for one in found if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY) and one.name not in filled
    ]
    return Takes(
        names=tuple(one.name for one in named),
        required=tuple(one.name for one in named if one.default is one.empty),
        filled=filled,
        anything=any(one.kind is one.VAR_KEYWORD for one in found),
    )


def argument_types(callee: Any) -> Mapping[str, object]:
    """The annotations of a callable's arguments; empty where one of them cannot be evaluated."""
    function = callee.__init__ if inspect.isclass(callee) else callee
    try:
        return get_type_hints(function)
    # Names that only a type checker imports, or code that is newer than this Python.
    except (NameError, TypeError, AttributeError):
        return {}


def _argument(value: object, annotation: object, *, at: str, facts: Mapping[str, object], allow_code: bool) -> Any:
    if isinstance(value, Mapping) and "_target_" in value:
        return call(value, at=at, facts=facts, allow_code=allow_code)
    if isinstance(value, list) and value and all(isinstance(item, Mapping) and "_target_" in item for item in value):
        return call(value, at=at, facts=facts, allow_code=allow_code)
    if annotation is None:
        return value
    try:
        return conform(value, annotation)
    except Misfit as misfit:
        unsaid = f"; it is null, and {NOT_SAID}" if facts else f"; it is null: say {at}=..."
        missing = unsaid if value is None else f", not {shown(value)}"
        raise ConfigError(f"{at} must be {misfit}{missing}") from misfit


def _no_argument(key: str, name: str, *, takes: Takes, callee: Any) -> str:
    if name in takes.filled:
        return f"{key}: the program gives {callee.__name__} its {name}; leave it out"
    parent = key.rpartition(".")[0]
    return unknown(key, known=[f"{parent}.{one}" for one in takes.names], callee=callee.__name__)
