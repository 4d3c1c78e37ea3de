"""`dlcourse completion bash|zsh|fish`: the script of a shell, and the quick completer that it asks."""

from __future__ import annotations

import importlib
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dlcourse.commands import COMMANDS, TAKE_OVERRIDES
from dlcourse.commands.arguments import argument, read, slots_of
from dlcourse.config.candidates import candidates
from dlcourse.config.kinds import expand, named_values
from dlcourse.config.tree import options
from dlcourse.errors import ConfigError, UserError
from dlcourse.folders import all_runs, begun

# Bash splits words at `=` and replaces the last piece alone, so what stands before it is cut off every answer.
BASH = """\
_dlcourse() {
    local IFS=$'\\n' line="${COMP_LINE:0:COMP_POINT}"
    local word="${line##*[[:space:]]}"
    COMPREPLY=($(COMP_LINE="$COMP_LINE" COMP_POINT="$COMP_POINT" "${COMP_WORDS[0]}" -sc query=bash 2>/dev/null))
    if [[ $COMP_WORDBREAKS == *=* && $word == *=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*=}"}"}")
    fi
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=.] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o default -F _dlcourse dlcourse
"""
SCRIPTS: dict[str, str] = {
    "bash": f'# to use it: eval "$(dlcourse completion bash)"\n{BASH}',
    "zsh": """\
# to use it: eval "$(dlcourse completion zsh)"
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
_dlcourse() {
    emulate -L zsh
    local line="${(j: :)words[1,CURRENT-1]} $QIPREFIX$IPREFIX$PREFIX"
    local -a found=("${(@f)$(COMP_LINE="$line" COMP_POINT="${#line}" ${~${(Q)words[1]}} -sc query=zsh 2>/dev/null)}")
    if [[ -n $found ]]; then
        compadd -S '' -- "${(@M)found:#*[=.]}"
        compadd -- "${(@)found:#*[=.]}"
    else
        compset -P '*='
        _files
    fi
}
compdef _dlcourse dlcourse
""",
    "fish": """\
# to use it: dlcourse completion fish | source
function __dlcourse
    set -lx COMP_LINE (commandline -cp)
    set -lx COMP_POINT (string length -- $COMP_LINE)
    set -l program (string replace -r '^~/' "$HOME/" -- (commandline -opc)[1])
    set -g __dlcourse_found ($program -sc query=fish 2>/dev/null | string match -v '')
    test -n "$__dlcourse_found"
end
complete -c dlcourse -n __dlcourse -f -a '$__dlcourse_found'
""",
}


@dataclass(frozen=True)
class Arguments:
    """What `completion` takes."""

    shell: Literal["bash", "zsh", "fish"] = argument("Print the script of this shell.", bare=True)


@dataclass(frozen=True)
class HydraArguments:
    """Hydra's spelling: `-sc install=bash`, `-sc query=bash`."""

    install: Literal["bash", "zsh", "fish"] | None = argument("Print the script of this shell.", default=None)
    uninstall: Literal["bash", "zsh", "fish"] | None = argument("Print what takes the completion away.", default=None)
    query: Literal["bash", "zsh", "fish"] | None = argument(
        "Complete the line in COMP_LINE up to COMP_POINT.", default=None
    )


def main(argv: list[str]) -> int:
    """Print a script, or the words that could stand at COMP_POINT."""
    if not argv or argv[0] not in ("-sc", "--shell-completion"):
        print(SCRIPTS[read(Arguments, argv, command="completion", purpose=PURPOSE).shell], end="")
        return 0
    asked = read(HydraArguments, argv[1:], command="-sc")
    if asked.install:
        print(SCRIPTS[asked.install], end="")
    elif asked.uninstall:
        print("complete -e -c dlcourse" if asked.uninstall == "fish" else "complete -r dlcourse")
    elif asked.query:
        line = os.environ.get("COMP_LINE", "")
        point = os.environ.get("COMP_POINT", "")
        print("\n".join(complete(line[: int(point)] if point.isdecimal() else line)))
    else:
        raise ConfigError("-sc takes install=, uninstall= or query= with bash, zsh or fish")
    return 0


ACTIONS_ON_RUNS = ("show", "rename", "tag", "rm")
"""What `dlcourse runs` does with runs that are named."""
PURPOSE = 'Print the completion script of a shell; for bash: eval "$(dlcourse completion bash)"'


def complete(line: str) -> list[str]:
    """Every word that could stand at the end of the line in place of its last, perhaps empty, word.

    Args:
        line: what was typed up to the cursor, the program's name first.
    """
    words = _split(line)
    program = 3 if words[1:3] == ["-m", "dlcourse"] else 1
    before, word = words[program:-1], words[-1]
    if not before:
        return [name for name in (*COMMANDS, "--help", "--version") if name.startswith(word)]
    command, before = before[0], before[1:]
    try:
        # `train run=` names a new folder, which no completion can know.
        named = "resume=" if command in TAKE_OVERRIDES else "run="
        if word.startswith(named) and (found := [f"{named}{name}" for name in _runs(before)]):
            return [one for one in found if one.startswith(word)]
        if command in TAKE_OVERRIDES:
            return [*_arguments(command, word, before=before), *candidates(before, word=word)]
        if command == "explain":
            return [one.rstrip("=") if not before else one for one in candidates(before, word=word)]
        if command == "runs" and before[:1] and before[0] in ACTIONS_ON_RUNS:
            return [name for name in _runs(before) if name.startswith(word)]
        if command in COMMANDS:
            return _arguments(command, word, before=before)
    except UserError:  # a fault is told when the line is sent
        return []
    return []


def _arguments(command: str, word: str, *, before: Sequence[str]) -> list[str]:
    """The arguments of a command that our own reader reads."""
    place = "kfold" if command == "train" else command
    kind = getattr(importlib.import_module(f"dlcourse.commands.{place}"), "Arguments", None)
    if kind is None:
        return []
    slots = slots_of(kind)
    if command == "train" and not any(one.startswith("kfold=") for one in before):
        slots = {"kfold": slots["kfold"]}
    key = word.partition("=")[0]
    if "=" in word:
        found = [f"{key}={value}" for value in named_values(slots[key].annotation)] if key in slots else []
        return [one for one in found if one.startswith(word)]
    found = [f"{key}=" for key in slots]
    if command == "list":
        found += [group for group, members in options().items() if members]
    if command == "completion":
        found += list(SCRIPTS)
    if command == "verify":
        found += ["resume"]
    if command == "find" and not before:
        found += ["lr", "batch_size"]
    if command == "runs" and not before:
        found += [*ACTIONS_ON_RUNS, "restore", "prune"]
    if "run" in slots and slots["run"].item.metadata["bare"]:
        found += _runs(before)
    return [one for one in found if one.startswith(word)]


def _runs(before: Sequence[str]) -> list[str]:
    """The names of runs, `latest` and the newest first; none where there are no runs."""
    places = [one.removeprefix("runs=") for one in before if one.startswith("runs=")]
    runs = Path(expand(places[-1])) if places else Path("runs")
    newest = sorted(all_runs(runs), key=begun, reverse=True)
    names = [folder.path.relative_to(runs).as_posix() for folder in newest]
    return ["latest", *names] if names else []


def _split(line: str) -> list[str]:
    """The words of a line, the last of which may be empty or have an open quote."""
    for closing in ("", "'", '"'):
        try:
            words = shlex.split(line + closing)
            return words if words and not line[-1:].isspace() else [*words, ""]
        except ValueError:
            continue
    return [*line.split(), ""]
