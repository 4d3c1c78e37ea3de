"""The completer that a shell asks, and the scripts that ask it."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import dlcourse
from dlcourse import cli
from dlcourse.commands import COMMANDS
from dlcourse.commands.completion import complete


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("dlcourse tr", ["train"]),
        ("dlcourse train opt", ["optimizer=", "optimizer."]),
        ("dlcourse train model=res", ["model=resnet18"]),
        ("dlcourse train -m model=lenet5,res", ["model=lenet5,resnet18"]),
        ("dlcourse train optimizer.mom", ["optimizer.momentum="]),
        ("dlcourse train optimizer=adamw optimizer.be", ["optimizer.betas="]),
        ("dlcourse train model=lenet5 optimizer.be", ["optimizer.betas="]),
        ("dlcourse train optimizer.nesterov=", ["optimizer.nesterov=true", "optimizer.nesterov=false"]),
        ("dlcourse train on_nonfinite=s", ["on_nonfinite=stop", "on_nonfinite=skip"]),
        ("dlcourse train resume_anyway=t", ["resume_anyway=true"]),
        ("dlcourse train check", ["checkpoint."]),
        ("dlcourse train ++epo", ["++epochs="]),
        ("dlcourse train run=", []),
        ("dlcourse train run=/home/a", []),
        ("dlcourse train --cf", ["--cfg"]),
        ("dlcourse train --cfg j", ["job"]),
        ("dlcourse list mod", ["model"]),
        ("dlcourse explain optimizer.l", ["optimizer.lr"]),
        ("dlcourse completion ba", ["bash"]),
        ("dlcourse completion shell=f", ["shell=fish"]),
        ("dlcourse list group=", []),
        ("dlcourse nonsense ", []),
        ("python -m dlcourse train sche", ["scheduler=", "scheduler."]),
        ("dlcourse train 'run=a b' epo", ["epochs="]),
        ("dlcourse train 'run=a b", []),
    ],
)
def test_a_word_is_completed(line: str, words: list[str]) -> None:
    assert complete(line) == words


def test_runs_are_offered_the_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    old, new = "a-b/2026-01-02_03-04-05-000006", "a-c/2026-02-02_03-04-05-000006"
    for name in (old, new):
        (tmp_path / "there" / name).mkdir(parents=True)
        (tmp_path / "there" / name / "config.yaml").touch()
    assert complete("dlcourse eval runs=there run=") == ["run=latest", f"run={new}", f"run={old}"]
    assert complete("dlcourse train runs=there resume=a-b") == [f"resume={old}"]
    assert complete("dlcourse train runs=there run=") == []
    assert complete("dlcourse eval run=") == []
    assert complete("dlcourse compare runs=there a-") == [new, old]
    assert complete("dlcourse runs show runs=there a-b") == [old]


def test_a_sweep_takes_settings_and_its_own_words() -> None:
    assert complete("dlcourse sweep optimizer.l") == ["optimizer.lr="]
    assert "search_seed=" in complete("dlcourse sweep se")


def test_what_can_be_done_with_runs_is_offered() -> None:
    assert complete("dlcourse runs r") == ["runs=", "rename", "rm", "restore"]


def test_the_first_word_is_a_command() -> None:
    assert complete("dlcourse ") == [*COMMANDS, "--help", "--version"]


def test_the_users_own_options_are_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs" / "model").mkdir(parents=True)
    path = tmp_path / "configs" / "model" / "mynet.yaml"
    path.write_text("# my net\n_target_: mynet.MyNet\nhidden: 4\n", encoding="utf-8")
    assert complete("dlcourse train model=my") == ["model=mynet"]
    assert complete("dlcourse train model=mynet model.hi") == ["model.hidden="]
    path.write_text("a: [1\nb: 2", encoding="utf-8")
    assert complete("dlcourse train model=mynet epo") == ["epochs="]  # a broken file completes the rest


@pytest.mark.parametrize("argv", [["completion", "bash"], ["-sc", "install=bash"], ["train", "-sc", "install=bash"]])
def test_hydras_spelling_prints_the_same_script(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(argv) == 0
    assert "complete -o default -F _dlcourse dlcourse" in capsys.readouterr().out


def test_hydras_query_is_answered(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COMP_LINE", "dlcourse train model=res and more")
    monkeypatch.setenv("COMP_POINT", "24")
    assert cli.main(["train", "-sc", "query=bash"]) == 0
    assert capsys.readouterr().out == "model=resnet18\n"


def test_an_unknown_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", "tcsh"]) == 2
    assert "shell must be bash, zsh or fish, not 'tcsh'" in capsys.readouterr().err


ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(dlcourse.__file__).parents[1])}


def installed(folder: Path) -> Path:
    """The program as a shell finds it."""
    program = folder / "dlcourse"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dlcourse "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return program


@pytest.mark.skipif(shutil.which("bash") is None or os.name == "nt", reason="no bash")
@pytest.mark.parametrize(
    ("line", "cut", "whole"),
    [
        ("dlcourse train mod", ["model=", "model."], None),
        # bash replaces what stands after the last `=` where it splits words there
        ("dlcourse train model=res", ["resnet18"], ["model=resnet18"]),
        ("dlcourse train model=lenet5,r", ["lenet5,resnet18"], ["model=lenet5,resnet18"]),
        ("dlcourse train epochs=3 on_nonfinite=st", ["stop"], ["on_nonfinite=stop"]),
    ],
)
def test_bash_is_given_what_it_puts_in_place(
    tmp_path: Path, line: str, cut: list[str], whole: list[str] | None
) -> None:
    program = installed(tmp_path)
    for breaks, expected in ((" =:", cut), (" ", whole or cut)):
        script = f"""
            eval "$("{program}" completion bash)"
            COMP_WORDBREAKS='{breaks}' COMP_LINE='{line}' COMP_POINT={len(line)} COMP_WORDS=("{program}") COMP_CWORD=1
            _dlcourse
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        answer = subprocess.run(["bash", "-c", script], env=ENVIRONMENT, capture_output=True, text=True, check=True)
        assert answer.stdout.split() == expected


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish")
def test_fish_offers_words_and_files_only_where_there_are_none(tmp_path: Path) -> None:
    program = installed(tmp_path)
    (tmp_path / "model files").mkdir()
    lines = {
        f"{program} train mod": ["model.", "model="],
        f"true; {program} train -m model=lenet5,r": ["model=lenet5,resnet18"],
        f"{program} train 'run=a b' on_nonfinite=st": ["on_nonfinite=stop"],
        f"{program} train data.root=mod": ["data.root=model files/"],
    }
    script = f"{program} completion fish | source\n" + "\n".join(f'complete -C "{line}"; echo end' for line in lines)
    environment = ENVIRONMENT | {"HOME": str(tmp_path)}
    answer = subprocess.run(
        ["fish", "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    found = [part.split("\n")[:-1] for part in answer.stdout.split("end\n")[:-1]]
    assert dict(zip(lines, found, strict=True)) == lines


@pytest.mark.skipif(shutil.which("zsh") is None or os.name == "nt", reason="no zsh")
def test_zsh_completes_what_was_typed(tmp_path: Path) -> None:
    program = installed(tmp_path)
    (tmp_path / "some files").mkdir()
    lines = {
        f"{program} train epo": f"{program} train epochs=",  # no space: the value follows
        f"true; {program} train -m model=lenet5,r": f"true; {program} train -m model=lenet5,resnet18 ",
        f"{program} train 'run=a b' on_nonfinite=st": f"{program} train 'run=a b' on_nonfinite=stop ",
        f"{program} train data.root=some": rf"{program} train data.root=some\ files/",
    }
    setup = f"""
        autoload -Uz compinit; compinit -u; eval "$({program} completion zsh)";
        told() {{ print -r -- "$BUFFER" >> told; zle kill-buffer }}; zle -N told; bindkey '^X' told; print READ''Y
    """
    assert dict(zip(lines, typed(lines, folder=tmp_path, setup=" ".join(setup.split())), strict=True)) == lines


def typed(lines: Iterable[str], *, folder: Path, setup: str) -> list[str]:
    """What an interactive zsh in a folder makes of each line and a tab."""
    import pty

    own, other = pty.openpty()
    environment = ENVIRONMENT | {"ZDOTDIR": str(folder), "TERM": "dumb", "PS1": "> "}
    shell = subprocess.Popen(
        ["zsh", "-f", "-i"], env=environment, cwd=folder, stdin=other, stdout=other, stderr=other,
        start_new_session=True,
    )  # fmt: skip
    said = b""

    def wait(holds: Callable[[], bool]) -> None:
        nonlocal said
        end = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < end, said.decode(errors="replace")
            if select.select([own], [], [], 0.05)[0]:
                said += os.read(own, 65536)

    told = folder / "told"
    told.touch()
    try:
        os.write(own, f"{setup}\n".encode())
        wait(lambda: b"READY" in said)
        for number, line in enumerate(lines, start=1):
            os.write(own, f"{line}\t\x18".encode())
            wait(lambda: len(told.read_text().splitlines()) == number)  # noqa: B023  asked at once
    finally:
        shell.kill()
        shell.wait()
        os.close(own)
        os.close(other)
    return told.read_text().splitlines()
