"""The built wheel in another folder: the whole program, with no network and no second torch."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*words: str, folder: Path, path: Path | None = None) -> str:
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    environment.pop("PYTHONPATH", None)
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [sys.executable, *words],
        check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the tracked files in a folder of its own, so that nothing is left in the checkout."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    for folder in ("dlcourse", "configs"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".yaml", ".typed", ".j2"):
                target = source / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
    pip = ("-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps", "--no-index")
    run(*pip, "--wheel-dir", str(out), str(source), folder=out)
    return next(out.glob("*.whl"))


def test_the_wheel_holds_every_module_and_every_config(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "dlcourse").rglob("*.py")}
    configs = {f"dlcourse/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "configs").rglob("*.yaml")}
    assert modules | configs | {"dlcourse/py.typed", "dlcourse/pages/page.html.j2"} <= held
    assert not [name for name in held if name.startswith(("tests", "scripts", "configs"))]


def test_the_installed_wheel_lists_and_trains_in_another_folder(wheel: Path, tmp_path: Path) -> None:
    site, work = tmp_path / "site", tmp_path / "工作 (1)"
    work.mkdir()
    run("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site), str(wheel), folder=work)
    assert "model=resnet18" in run("-m", "dlcourse", "list", folder=work, path=site)
    small = ("model.width=2", "epochs=1", "max_steps=2", "runtime.threads=1")
    assert "next:" in run("-m", "dlcourse", "train", *small, folder=work, path=site)
    assert "identical to what the run recorded" in run("-m", "dlcourse", "eval", "latest", folder=work, path=site)
    assert (work / "runs").is_dir()
