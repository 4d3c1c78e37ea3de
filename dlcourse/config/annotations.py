"""Which plain values an argument takes, read from the source of what a config calls: nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union

PACKAGE = Path(__file__).resolve().parents[1]
PLAIN: Mapping[str, type] = {"bool": bool, "int": int, "float": float, "str": str}


class _Unclear(Exception):
    """An annotation says more than plain values."""


def annotation_of(target: str, argument: str) -> Any:
    """The annotation of one argument, if it is made of plain values alone: `bool | Literal["alternating"]`.

    Args:
        target: the dotted name of a class or function, as a config has it.
        argument: the name of what it takes.

    Returns:
        An annotation that `conform` reads; None where the target is not this program's, has no such argument, or the
        annotation speaks of anything else than true, false, numbers, text, null and words.
    """
    module, _, name = target.rpartition(".")
    try:
        for found, home in _arguments(module, name):
            if found.arg == argument and found.annotation is not None:
                return _evaluate(found.annotation, module=home)
    except _Unclear:
        pass
    return None


def _arguments(module: str, name: str) -> Iterator[tuple[ast.arg, str]]:
    """What a function, a class or the nearest constructor among its bases takes, and the module that says so."""
    node = _top(module).get(name)
    if isinstance(node, ast.ImportFrom):
        yield from _arguments(*_origin(node, name))
    elif isinstance(node, ast.FunctionDef):
        yield from ((one, module) for one in [*node.args.args, *node.args.kwonlyargs])
    elif isinstance(node, ast.ClassDef):
        makers = [one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"]
        for one in node.body:  # a dataclass
            if not makers and isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
                yield ast.arg(one.target.id, one.annotation), module
        yield from ((one, module) for maker in makers for one in [*maker.args.args, *maker.args.kwonlyargs])
        if not makers:
            for base in node.bases:
                yield from _arguments(module, base.id) if isinstance(base, ast.Name) else ()


def _evaluate(node: ast.expr, *, module: str) -> Any:
    """The annotation that an expression writes down; _Unclear unless it is a plain one."""
    match node:
        case ast.Name(id=name) if name in PLAIN:
            return PLAIN[name]
        case ast.Constant(value=None):
            return None
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return Union[_evaluate(left, module=module), _evaluate(right, module=module)]  # noqa: UP007
        case ast.Subscript(value=ast.Name(id="Literal"), slice=words):
            return Literal[ast.literal_eval(words)]
        case ast.Name(id=name):
            said = _top(module).get(name)
            if isinstance(said, ast.ImportFrom):
                home, name = _origin(said, name)
                return _evaluate(ast.Name(name), module=home)
            if isinstance(said, ast.Assign):
                return _evaluate(said.value, module=module)
        case _:
            pass
    raise _Unclear


def _origin(node: ast.ImportFrom, name: str) -> tuple[str, str]:
    """The module that an imported name comes from, and its name there."""
    named = {alias.asname or alias.name: alias.name for alias in node.names}
    return ("" if node.level else node.module or "", named[name])


@cache
def _top(module: str) -> Mapping[str, ast.stmt]:
    """What a module of this program defines and imports by name; nothing for any other module."""
    first, *rest = module.split(".")
    path = PACKAGE.joinpath(*rest).with_suffix(".py") if first == PACKAGE.name and rest else None
    if path is None or not path.is_file():
        return {}
    found: dict[str, ast.stmt] = {}
    for node in ast.parse(path.read_bytes()).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
                found[name] = node
            case ast.ImportFrom(names=names):
                found.update((alias.asname or alias.name, node) for alias in names)
            case _:
                pass
    return found
