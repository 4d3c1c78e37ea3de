"""Values that Hydra's grammar refuses are quoted; what it accepts stays as it is."""

from __future__ import annotations

import pytest

from dlcourse.config.compose import compose
from dlcourse.config.overrides import parse, resume_request, split
from dlcourse.errors import ConfigError

AWKWARD = [
    "/home/李明/a", "a (1)", "runs/lr=0.1", "a b/c", "D:\\x", "D:\\new folder (2)\\", "it's", 'say "so"',
    "[1", "{a", "a#b", "!x", "a;b", "x&y", "q?", "50%", "2024", "1e3", "true", "back\\'slash", "tail\\",
]  # fmt: skip


@pytest.mark.parametrize("path", AWKWARD)
def test_a_path_arrives_as_it_was_typed(path: str) -> None:
    assert compose([f"run={path}"])["run"] == path


def test_the_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/李")
    monkeypatch.setenv("USERPROFILE", "/home/李")
    assert parse("run=~/a").value() == "/home/李/a"
    assert parse("hydra.run.dir=~").value() == "/home/李"


@pytest.mark.parametrize(
    "word",
    ["epochs=3", "optimizer.lr=1e-3", "optimizer.betas=[0.9,0.99]", "seed=1,2,3", "seed=range(1,4)", "+x={a:1}",
     "~init", "model=choice(lenet5,resnet18)", "run='a b'", "run=null", "a=${b}", "run=/plain/path",
     "++x=", "optimizer@o=sgd"],
)  # fmt: skip
def test_what_hydra_accepts_stays_as_it_is(word: str) -> None:
    assert parse(word).input_line == word


@pytest.mark.parametrize("word", ["lr", "", "a b=c", "1x=2", "名=1", "-=3"])
def test_a_word_that_is_no_setting_is_one_line(word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(word)
    (line,) = caught.value.problems
    assert line.startswith(f"{word!r} is no setting")


def test_flags_and_overrides_may_be_mixed() -> None:
    words = split(["a=1", "-m", "b=2", "--config-dir", "x y", "--cfg=job", "-i", "c=3"])
    assert words.flags == ("--multirun", "--config-dir=x y", "--cfg=job", "--info=all")
    assert words.overrides == ("a=1", "b=2", "c=3")
    assert words.sweeps and words.config_dirs == ("x y",)


def test_a_setting_written_with_dashes_is_told_how_to_write_it() -> None:
    words = split(["--epochs", "3", "--batch-size=4", "--multrun", "--cfg"])
    assert words.problems == (
        "--epochs: settings are written without dashes; write epochs=3",
        "--batch-size=4: settings are written without dashes; write batch_size=4",
        "--multrun: there is no such flag; did you mean '--multirun'?",
        "--cfg needs a value",
    )
    assert words.overrides == ()


def test_a_pickle_is_never_asked_for() -> None:
    assert "unpickle" in split(["--experimental-rerun", "x.pickle"]).problems[0]


def test_resume_takes_the_rest_as_changes() -> None:
    found = resume_request(["epochs=5", "resume=runs/a (1)", "runtime.threads=2"])
    assert found is not None
    assert found.run == "runs/a (1)"
    assert found.changes == {"epochs": 5, "runtime": {"threads": 2}}
    assert resume_request(["epochs=5"]) is None
    assert resume_request(["resume=null"]) is None


def test_resume_tells_all_faults_together() -> None:
    with pytest.raises(ConfigError) as caught:
        resume_request(["resume=x", "epochs=ten", "seed=1,2", "-m", "--cfg", "job"])
    assert caught.value.problems == (
        "epochs must be a whole number, not 'ten'",
        "seed=1,2: with resume= only key=value is taken",
        "--multirun: with resume= nothing is composed; leave it out",
        "--cfg=job: with resume= nothing is composed; leave it out",
    )
