"""What could stand next on a `train` command line: groups, options, settings and their values; no Hydra, no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dlcourse.config import tree
from dlcourse.config.annotations import annotation_of
from dlcourse.config.kinds import named_values
from dlcourse.config.overrides import MAY_TAKE_VALUE, SWITCHES, TAKES_VALUE, split
from dlcourse.config.settings import KNOWN
from dlcourse.errors import ConfigError

SIGNS = ("++", "+", "~")


def candidates(before: Sequence[str], *, word: str) -> list[str]:
    """Every whole word that begins with `word`; a key ends in `=` or, where more follows, in a dot.

    Paths are left to the shell: a key that takes one has no candidates.

    Args:
        before: the words between `train` and the one that is being typed.
        word: what is typed of it so far.
    """
    if word.startswith("-"):
        return [flag for flag in (*SWITCHES, *TAKES_VALUE, *MAY_TAKE_VALUE) if flag.startswith(word)]
    if before and before[-1] in ("--cfg", "-c"):
        return [kind for kind in ("job", "hydra", "all") if kind.startswith(word)]
    sign = next((sign for sign in SIGNS if word.startswith(sign)), "")
    key, equals, value = word.removeprefix(sign).partition("=")
    extra = split(before).config_dirs
    found = _values(key, value, before=before, extra=extra) if equals else _keys(key, before=before, extra=extra)
    return [sign + one for one in found]


def _keys(start: str, *, before: Sequence[str], extra: Sequence[str]) -> list[str]:
    """Groups, settings and the chosen options' own, one level at a time: `optimizer.` before `optimizer.lr=`."""
    groups = [f"{group}=" for group, members in tree.options(extra).items() if members]
    found = [word for word in groups if word.startswith(start)]
    for key in _composed(before, extra):
        if key.startswith(start) and not key.endswith("_target_"):
            dot = key.find(".", len(start))
            found.append(f"{key}=" if dot < 0 else key[: dot + 1])
    return list(dict.fromkeys(found))


def _values(key: str, start: str, *, before: Sequence[str], extra: Sequence[str]) -> list[str]:
    """The values of one key; in a sweep those of its last part: `model=lenet5,res`."""
    earlier, comma, last = start.rpartition(",")
    return [
        f"{key}={earlier}{comma}{name}"
        for name in _known_values(key, before=before, extra=extra)
        if name.startswith(last)
    ]


def _known_values(key: str, *, before: Sequence[str], extra: Sequence[str]) -> Iterator[str]:
    groups = tree.options(extra)
    if key in groups:
        yield from groups[key]
    elif known := KNOWN.get(key):
        yield from named_values(known.annotation)
    else:
        config = _composed(before, extra)
        parent, _, argument = key.rpartition(".")
        words = named_values(annotation_of(str(config.get(f"{parent}._target_")), argument))
        yield from words or (("true", "false") if isinstance(config.get(key), bool) else ())


def _composed(before: Sequence[str], extra: Sequence[str]) -> dict[str, object]:
    """Dotted key -> value of the config that the words so far would make, without a user's file that is broken."""
    groups = tree.options(extra)
    chosen = dict(word.split("=", 1) for word in before if "=" in word)
    try:
        return tree.flat(
            tree.compose_plainly({key: name for key, name in chosen.items() if key in groups}, extra=extra)
        )
    except ConfigError:
        return tree.flat(tree.compose_plainly({}))
