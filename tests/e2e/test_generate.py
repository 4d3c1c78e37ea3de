"""`dlcourse generate` on a run that was trained here, without its data."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from independent_verse import check
from PIL import Image

import dlcourse
from dlcourse.cli import main
from dlcourse.commands.generate import Arguments, plain, said, written
from dlcourse.data.poems_toy import ENDS
from dlcourse.run.poet import load_poet
from dlcourse.tasks.composing import Composition
from dlcourse.text.characters import RESERVED, read_characters

TINY = ("model.embedding_size=16", "model.hidden_size=16", "max_steps=20", "batch_size=16", "test=false")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of poems."""
    folder = tmp_path_factory.mktemp("runs")
    words = [
        "train",
        "data=poems_toy",
        "model=poetry_lstm",
        f"runs={folder}",
        "runtime.threads=1",
        "runtime.device=cpu",
    ]
    assert main([*words, *TINY]) == 0
    return next(folder.glob("poetry_lstm-poems_toy/*"))


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("form", ["5jue", "7jue", "5lv", "7lv"])
def test_the_poems_keep_the_rules_and_say_so(run: Path, form: str, answer: Callable[..., Any]) -> None:
    found = answer("generate", f"run={run}", f"form={form}", "n=40", "seed=1", "strict=true")
    assert len(found) == 40
    for poem in found:
        assert sorted(poem) == ["form", "lines", "log_prob", "rules"] and poem["form"] == form
        assert check(poem["lines"], form, strict=True) == (True, True, True) and poem["log_prob"] < 0
        rules = poem["rules"]
        assert (rules["form"], rules["rhyme"], rules["tone"]) == (True, True, True)
        assert (
            rules["strict"] is True
            and rules["category"] in ENDS
            and list(map(len, rules["template"])) == list(map(len, poem["lines"]))
        )


def test_a_seed_names_the_poems_whatever_their_number(run: Path, answer: Callable[..., Any]) -> None:
    many = answer("generate", f"run={run}", "n=9", "seed=3")
    assert answer("generate", f"run={run}", "n=2", "seed=3") == many[:2]
    assert answer("generate", f"run={run}", "n=2", "seed=4") != many[:2]


def test_wishes_and_settings_are_taken(run: Path, answer: Callable[..., Any]) -> None:
    words = [
        "form=5jue",
        "acrostic=春夏秋冬",
        "start=春，天。",
        "temperature=0.7",
        "top_k=40",
        "min_p=0.001",
        "top_p=0.9",
    ]
    for poem in answer("generate", f"run={run}", *words, "repetition=1.5", "best_of=3", "n=3"):
        assert [line[0] for line in poem["lines"]] == list("春夏秋冬") and poem["lines"][0][1] == "天"
        assert check(poem["lines"], "5jue") == (True, True, True)


def test_without_rules_the_verdict_is_told_all_the_same(
    run: Path, answer: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer("generate", f"run={run}", "rules=none", "n=5", "form=5jue")
    for poem in found:
        kept = check(poem["lines"], "5jue")
        assert (poem["rules"]["form"], poem["rules"]["rhyme"], poem["rules"]["tone"]) == kept
    assert main(["generate", f"run={run}", "rules=none", "n=1", "form=5jue"]) == 0
    assert "5jue: keeps no rule; " in capsys.readouterr().out


def test_the_poems_are_printed_a_couplet_a_line_with_their_verdict(
    run: Path, answer: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    (poem,) = answer("generate", f"run={run}", "n=1")
    assert main(["generate", str(run), "n=1"]) == 0
    first, second, verdict = capsys.readouterr().out.splitlines()
    one, two, three, four = poem["lines"]
    assert (first, second) == (f"{one}，{two}。", f"{three}，{four}。")
    assert verdict.startswith(f"  7jue: rhymes in {poem['rules']['category']}, tones ") and verdict.endswith(
        " nats a character"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["form=7ju"], ["form=7ju: there is no such form; did you mean '7jue'?"]),
        (["acrostic=春夏"], ["acrostic=春夏: 7jue has 4 lines, so give 4 characters"]),
        (["start= ，"], ["start= holds no Chinese character: give some, or leave it out"]),
        (["rules=tone"], ["rules must be none, form, rhyme or all, not 'tone'"]),
        (
            ["n=0", "seed=-1", "temperature=0", "min_p=2", "top_p=2"],
            [
                "n must be 1 or more, not 0",
                "seed must be 0 or more, not -1",
                "temperature must be positive, not 0.0",
                "min_p must be at least 0 and at most 1, not 2.0",
                "top_p must be above 0 and at most 1, not 2.0",
            ],
        ),
    ],
)
def test_faults_of_the_words_are_told_before_the_run_is_looked_for(
    words: list[str], told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", "run=nowhere", *words]) == 2
    assert capsys.readouterr().err.splitlines() == [f"dlcourse: {line}" for line in told]


def test_a_wish_is_refused_without_torch(tmp_path: Path) -> None:
    code = "import sys; from dlcourse.cli import main; main(sys.argv[1:]); sys.exit('torch' in sys.modules)"
    words = ["generate", "run=nowhere", "form=5jue", "start=月", "acrostic=春夏秋冬"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(dlcourse.__file__).parents[1])},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0 and "line 1 cannot begin with both" in done.stderr.decode()


def test_a_character_that_the_run_never_learned_is_told_with_some_that_it_knows(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", f"run={run}", "acrostic=春鬱夏囗"]) == 2
    known = read_characters((run / "vocabulary.json").read_text(encoding="utf-8"))
    common = " ".join(known.token(len(RESERVED) + place) for place in range(8))
    assert capsys.readouterr().err.splitlines() == [
        f"dlcourse: {char}: the model's vocabulary lacks it; choose another, such as {common}" for char in "鬱囗"
    ]


def test_a_wish_in_the_other_script_is_taken_over_and_said(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("opencc")
    capsys.readouterr()
    assert main(["generate", f"run={run}", "start=远树", "n=1"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("遠樹")
    assert printed.err.splitlines() == [f"{new}: taken as {old}, which this run knows" for new, old in ("远遠", "树樹")]


def test_what_does_not_hold_strictly_names_the_line_ends_that_it_rests_on(run: Path) -> None:
    poet = load_poet(str(run), runs=Path("runs"), command="generate", device=None, allow_code=False)
    lines = ["白日依山盡", "黃河入海流", "欲窮千里目", "更上一層看"]
    ids = tuple(range(10, 14))
    poem = Composition("5jue", ids, "".join(line + "，。"[at % 2] for at, line in enumerate(lines)), (-1.0,) * 4, ids)
    assert poet.doubtful(lines) == "看"
    lenient = replace(poet.judge(lines, form="5jue", strict=False), rhyme=True, tone=True)
    assert said(poem, lenient, doubtful="看").endswith("; not strictly, 看 can have the other tone")
    assert "strictly" not in said(poem, lenient, doubtful="")
    assert plain(poem, poet, Arguments(run=str(run)))["rules"]["strict"] is False


def test_a_poem_whose_lines_never_end_is_broken_in_print(run: Path) -> None:
    poet = load_poet(str(run), runs=Path("runs"), command="generate", device=None, allow_code=False)
    poem = Composition("7lv", tuple(range(10, 110)), "山" * 100, (-2.0,) * 100, (-2.0,) * 100)
    *rows, told = written(poem, poet, Arguments(run=str(run))).splitlines()
    assert list(map(len, rows)) == [40, 40, 20] and told.endswith("; -2.00 nats a character")


def test_a_run_that_learned_simplified_characters_keeps_all_rules_in_them(
    run: Path, tmp_path: Path, answer: Callable[..., Any]
) -> None:
    convert = pytest.importorskip("opencc").OpenCC("t2s").convert
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    vocabulary = json.loads((copy / "vocabulary.json").read_text(encoding="utf-8"))
    back = {convert(token): token for token in vocabulary["tokens"]}
    assert len(back) == len(vocabulary["tokens"]) and back["风"] == "風"
    (copy / "vocabulary.json").write_text(json.dumps(vocabulary | {"tokens": list(back)}), encoding="utf-8")
    found = answer("generate", f"run={copy}", "n=20")
    for poem in found:
        assert all(poem["rules"][name] for name in ("form", "rhyme", "tone"))
        traditional = ["".join(back[char] for char in line) for line in poem["lines"]]
        assert check(traditional, "7jue") == (True, True, True)
    assert "风" in str(found) and "風" not in str(found)


@pytest.mark.parametrize("content", [None, b"\xff", b"{}"])
def test_a_damaged_vocabulary_is_told(
    run: Path, content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "vocabulary.json").unlink()
    if content is not None:
        (copy / "vocabulary.json").write_bytes(content)
    capsys.readouterr()
    assert main(["generate", f"run={copy}"]) == 2
    assert capsys.readouterr().err.startswith(f"dlcourse: {copy / 'vocabulary.json'}: ")


def test_a_run_of_another_kind_is_refused_even_where_its_data_is_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = tmp_path / "pictures"
    for number in range(12):
        (pictures / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (number, 0, 0)).save(pictures / "ab"[number % 2] / f"{number}.png")
    common = (f"runs={tmp_path}", "runtime.threads=1", "runtime.device=cpu", "max_steps=1", "test=false")
    sizes = (f"data.root={pictures}", "data.size=16", "model.width=2")
    assert main(["train", "data=folder", "model=resnet18", *sizes, *common]) == 0
    for removed in (False, True):
        if removed:
            shutil.rmtree(pictures)
        capsys.readouterr()
        assert main(["generate", "run=latest", f"runs={tmp_path}"]) == 2
        told = "dlcourse: generate is for runs that learned poems; latest is resnet18 on folder\n"
        assert capsys.readouterr().err == told
