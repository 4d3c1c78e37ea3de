"""Holds dlcourse.text against torchtext 0.18 itself: the same tokens, ids and kinds of errors, and how fast each is.

torchtext is archived and works beside torch 2.3 only, so it gets an environment of its own, on Python 3.11; the first
time that is a download of 3 GB, 5 GB on disk; far less with PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu.
Exits with 1 if anything differs.

python scripts/check_torchtext.py             the recorded questions, then random ones
python scripts/check_torchtext.py --record    also writes torchtext's answers to tests/golden/torchtext.json
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.table import GAIN, Row, interleaved, render
from benchmarks.tokenizer import prose, tokens_per_second

from dlcourse.text.tokenizers import get_tokenizer
from dlcourse.text.vocab import build_vocab_from_iterator

ROOT = Path(__file__).parents[1]
ENVIRONMENT = ROOT / ".venv" / "torchtext"
GOLDEN = ROOT / "tests" / "golden" / "torchtext.json"
REQUIREMENTS = ("torch==2.3.1", "torchtext==0.18.0", "numpy<2")
LETTERS = "abcdefgABCDEFGI\u03a3\u03c3\u0130\u0131\xdf\u1e9e\xc5\xe9"  # with the odd ones in changing to lower case
SHOWN = 10  # differences that are printed
Ask = Callable[..., Any]


def main() -> int:
    """Ask both, print what differs and how fast each is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", type=Path, default=ENVIRONMENT, help="where the environment is or will be")
    parser.add_argument("--strings", type=int, default=20_000, help="random texts")
    parser.add_argument("--vocabs", type=int, default=300, help="random vocabularies")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", action="store_true", help=f"write {GOLDEN.relative_to(ROOT)} anew")
    given = parser.parse_args()
    with torchtext_in(made(given.env)) as ask:
        versions = ask("versions")
        print(", ".join(f"{name} {version}" for name, version in versions.items()), "against Python", sys.version[:6])
        found = [*recorded(ask, versions, write=given.record)]
        found += differences(ask, Random(given.seed), strings=given.strings, vocabs=given.vocabs)
        for line in found[:SHOWN]:
            print(line)
        print(f"{given.strings} random texts and {given.vocabs} random vocabularies: {len(found)} differences")
        print(render([speed(ask)]))
    return 1 if found else 0


def recorded(ask: Ask, versions: dict[str, str], *, write: bool) -> Iterator[str]:
    """Where today's answers to the questions of the golden file are not ours, or not what it says."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    strings = golden["strings"]
    theirs = {"tokens": ask("tokens", strings), "none_split": ask("none_split", strings)}
    ours = {"tokens": list(map(get_tokenizer("basic_english"), strings)),
            "none_split": list(map(get_tokenizer("words"), strings))}  # fmt: skip
    questions = [{name: vocab[name] for name in ("texts", "kwargs", "calls")} for vocab in golden["vocabs"]]
    for name, answers in theirs.items():
        yield from unlike(strings, ours[name], answers)
    answers = [ask("vocab", *vocab.values()) for vocab in questions]
    yield from unlike(questions, [our_vocab(**vocab) for vocab in questions], answers)
    told = {"versions": versions, "strings": strings, **theirs}
    told["vocabs"] = [{**question, "answer": answer} for question, answer in zip(questions, answers, strict=True)]
    if write:
        lines = [
            f' "{name}": [\n  ' + ",\n  ".join(map(json.dumps, told[name])) + "\n ]"
            for name in told
            if name != "versions"
        ]
        GOLDEN.write_text(
            "{\n" + f' "versions": {json.dumps(versions)},\n' + ",\n".join(lines) + "\n}\n", encoding="utf-8"
        )
    elif {**told, "versions": None} != {**golden, "versions": None}:
        yield f"{GOLDEN.name} says otherwise; --record writes it anew"


def differences(ask: Ask, chance: Random, *, strings: int, vocabs: int) -> Iterator[str]:
    """Where random texts and vocabularies are not the same."""
    texts = [random_text(chance) for _ in range(strings)]
    ours = list(map(get_tokenizer("basic_english"), texts))
    yield from unlike(texts, ours, ask("tokens", texts))
    questions = [random_vocab(chance, ours) for _ in range(vocabs)]
    yield from unlike(
        questions, [our_vocab(**question) for question in questions], [ask("vocab", *q.values()) for q in questions]
    )


def unlike(questions: list[Any], ours: list[Any], theirs: list[Any]) -> Iterator[str]:
    """One line for each question that is not answered alike."""
    for question, our, their in zip(questions, ours, theirs, strict=True):
        if our != their:
            yield f"{json.dumps(question)[:300]}: ours {json.dumps(our)[:300]}, torchtext's {json.dumps(their)[:300]}"


def random_text(chance: Random) -> str:
    """Marks, line breaks, white space of all kinds and letters of all scripts, more or less shuffled."""

    def piece() -> str:
        kind = chance.random()
        if kind < 0.4:
            return chance.choice(" .,!?()'\";:<>/-_")
        if kind < 0.5:
            return chance.choice(("<br />", "<br/>", "<BR />", "<br  />", "br", " />", '<br "/>', "can't", "U.S.A."))
        if kind < 0.6:
            return chance.choice(
                "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2003\u2028\u2029\u202f\u3000\u200b\ufeff\u180e\0"
            )
        if kind < 0.9:
            return "".join(chance.choices(LETTERS, k=chance.randint(1, 6)))
        point = chance.choice((chance.randrange(0x250), chance.randrange(0xD800), chance.randrange(0xE000, 0x110000)))
        return chr(point)

    return "".join(piece() for _ in range(chance.randrange(25)))


def random_vocab(chance: Random, tokens: list[list[str]]) -> dict[str, Any]:
    """Arguments of `vocab` below: some texts, some settings, and what is looked up."""
    texts = chance.sample(tokens, chance.randrange(1, 60))
    settings = {
        "min_freq": chance.randint(0, 4),
        "specials": chance.sample(["<pad>", "<unk>", "<s>", ".", "a", "'"], chance.randint(0, 3)),
        "special_first": chance.random() < 0.6,
        "max_tokens": chance.choice((None, chance.randint(0, 5), chance.randint(5, 60))),
    }
    lookups: list[list[Any]] = [["lookup_indices", words] for words in chance.sample(tokens, 5)]
    calls = [*lookups, ["set_default_index", chance.randint(0, 3)], *lookups, ["get_stoi"]]
    return {"texts": texts, "kwargs": dict(chance.sample(list(settings.items()), chance.randint(0, 4))), "calls": calls}


def our_vocab(texts: Any, kwargs: dict[str, Any], calls: list[list[Any]]) -> Any:
    """Our answers, in the words of torchtext_side.py."""
    try:
        made = build_vocab_from_iterator(texts, **kwargs)
    except (RuntimeError, AssertionError) as error:
        return {"error": type(error).__name__}
    return {"itos": made.get_itos(), "calls": [our_answer(made, *call) for call in calls]}


def our_answer(made: Any, method: str, *arguments: Any) -> Any:
    """What a method gives, or the kind of its error."""
    try:
        return getattr(made, method)(*arguments)
    except RuntimeError as error:
        return {"error": type(error).__name__}


def speed(ask: Ask) -> Row:
    """Tokens per CPU second of both, by turns."""
    texts = prose(2000, seed=0)
    count = sum(map(len, map(get_tokenizer("basic_english"), texts)))
    arms = {"ours": lambda: tokens_per_second(texts), "peer": lambda: count / ask("seconds", texts)}
    taken = interleaved(arms, repetitions=7)
    return Row("basic_english, torchtext 0.18", "tokens/CPU s", taken["ours"], taken["peer"], GAIN, 1.0)


@contextmanager
def torchtext_in(python: Path) -> Iterator[Ask]:
    """A running torchtext_side.py, as a function from a question's name and arguments to the answer."""
    side = [python, "-I", "-W", "ignore", Path(__file__).with_name("torchtext_side.py")]
    with subprocess.Popen(side, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdin is not None and process.stdout is not None

        def ask(name: str, *arguments: Any) -> Any:
            print(json.dumps([name, arguments]), file=process.stdin, flush=True)
            line = process.stdout.readline()
            if not line:
                raise SystemExit(f"check_torchtext: torchtext's process died over '{name}'; its last words are above")
            return json.loads(line)

        yield ask
        process.stdin.close()


def made(environment: Path) -> Path:
    """The Python of an environment with the requirements, which is made if it is not there."""
    python, mark = environment / "bin" / "python", environment / ".installed"
    wanted = "\n".join(REQUIREMENTS)
    if mark.is_file() and mark.read_text(encoding="utf-8") == wanted:
        return python
    base = python_3_11()
    print(f"making {environment} with {base}; the first time this takes minutes", file=sys.stderr, flush=True)
    subprocess.run([base, "-I", "-m", "venv", "--clear", environment], check=True)
    subprocess.run([python, "-I", "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
    mark.write_text(wanted, encoding="utf-8")
    return python


def python_3_11() -> str:
    """A Python 3.11 that can make environments."""
    folders = os.environ.get("PATH", "").split(os.pathsep)
    named = (shutil.which("python3.11", path=folder) for folder in folders)
    test = "import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))"
    for python in (sys.executable, *filter(None, named)):
        if subprocess.run([python, "-c", test], capture_output=True, check=False).returncode == 0:
            return python
    raise SystemExit(
        "check_torchtext: there is no Python 3.11 with its venv module, and torchtext 0.18 needs an old one; "
        "install it (pyenv install 3.11, uv python install 3.11) so that `python3.11` is found"
    )


if __name__ == "__main__":
    sys.exit(main())
