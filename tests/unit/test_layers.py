"""What the source promises about itself: layers, one home for device words, no hidden randomness, no pickles."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import dlcourse

PACKAGE = Path(dlcourse.__file__).parent
ROOT = PACKAGE.parent
SOURCES = sorted(PACKAGE.rglob("*.py"))

LAYERS: list[set[str]] = [
    {"errors", "lengths", "files", "status", "folders", "fonts", "version"},
    {"media", "calibration", "metrics", "statistics", "models", "data", "text", "verse", "go", "config"},
    {"tasks", "results"},
    {"training"},
    {"run"},
    {"pages", "sweep"},
    {"commands"},
    {"cli"},
    {"__main__"},
]
WITHIN = {
    ("metrics", "media"),
    ("metrics", "calibration"),
    ("files", "errors"),
    ("folders", "files"),
    ("folders", "errors"),
    ("folders", "status"),
    ("data", "metrics"),
    ("data", "text"),
    ("data", "go"),
    ("data", "verse"),
}
UPWARDS = {("config", "commands"), ("cli", "commands")}
"""The front lists and completes the commands by their names, which it has to import from their package."""


def layer(part: str) -> int:
    return next(level for level, names in enumerate(LAYERS) if part in names)


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports stand in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_imports_point_down(path: Path) -> None:
    own = part_of(path)
    if own == "__init__":
        return
    for target in imports(path):
        if not target.startswith("dlcourse.") or target == "dlcourse.__version__":
            continue
        other = target.split(".")[1]
        if other == own or (own, other) in UPWARDS:
            continue
        below = layer(other) < layer(own) or (own, other) in WITHIN
        assert below, f"{own} must not import {target}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "models").glob("*.py")), ids=name)
def test_models_are_tensors_in_and_tensors_out(path: Path) -> None:
    allowed = ("torch", "typing", "math", "collections", "dataclasses", "functools", "__future__", "dlcourse.models")
    assert all(target.startswith(allowed) for target in imports(path))


@pytest.mark.parametrize("path", sorted((PACKAGE / "data").glob("*.py")), ids=name)
def test_data_knows_nothing_of_models(path: Path) -> None:
    assert not [target for target in imports(path) if target.startswith(("dlcourse.models", "dlcourse.tasks"))]


@pytest.mark.parametrize("path", sorted((PACKAGE / "tasks").glob("*.py")), ids=name)
def test_tasks_name_no_model(path: Path) -> None:
    assert not [target for target in imports(path) if target.startswith("dlcourse.models")]


@pytest.mark.parametrize("path", [path for path in SOURCES if path.name != "runtime.py"], ids=name)
def test_one_file_alone_says_where_the_arithmetic_runs(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "torch":
            assert node.attr not in ("cuda", "autocast", "compile", "distributed", "backends"), ast.unparse(node)
        if part_of(path) in ("models", "data", "tasks", "training", "run"):
            assert not (isinstance(node, ast.Constant) and node.value in ("cuda", "cuda:0"))
    homes = ("torch.cuda", "torch.distributed", "torch.backends")
    assert not [target for target in imports(path) if target.startswith(homes)]


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_randomness_is_explicit(path: Path) -> None:
    targets = list(imports(path))
    assert "random" not in targets
    assert not [target for target in targets if target.startswith(("random.", "numpy.random"))]
    attributes = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Attribute)]
    assert not {ast.unparse(node) for node in attributes} & {"np.random", "numpy.random"}


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_file_can_make_code_run(path: Path) -> None:
    forbidden = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}
    assert not forbidden & {target.split(".")[0] for target in imports(path)}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        callee = ast.unparse(node.func)
        assert callee not in ("eval", "exec", "compile", "yaml.unsafe_load", "os.system"), callee
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if callee == "yaml.load":
            assert keywords["Loader"] == "_Loader"
            assert re.search(r"class _Loader\(.*yaml\.SafeLoader\)*:", path.read_text(encoding="utf-8"))
        if callee == "torch.load":
            assert keywords.get("weights_only") == "True"
        if callee in ("np.load", "numpy.load"):
            assert keywords.get("allow_pickle", "False") == "False"
        assert keywords.get("shell", "False") == "False"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_module_opens_with_one_sentence_and_stays_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring, "a module opens with a sentence"
    assert len(text.splitlines()) <= 300


def test_the_packages_listed_are_the_folders() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folders = {path.parent for path in PACKAGE.rglob("__init__.py")}
    groups = {path.parent for path in (ROOT / "configs").glob("*/*.yaml")} | {ROOT / "configs"}
    expected = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    expected |= {".".join(("dlcourse", *folder.relative_to(ROOT).parts)) for folder in groups}
    assert sorted(table["packages"]) == sorted(expected)
    assert (ROOT / table["package-dir"]["dlcourse.configs"] / "__init__.py").is_file()


def test_every_folder_with_source_is_a_package() -> None:
    assert {path.parent for path in SOURCES} == {path.parent for path in PACKAGE.rglob("__init__.py")}
