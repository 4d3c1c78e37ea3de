"""`dlcourse generate run=RUN form=7jue`: poems by a trained model that keep the rules of form, rhyme and tone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dlcourse.commands.arguments import argument, read
from dlcourse.errors import ConfigError
from dlcourse.tasks.sampling import USUAL, Sampling

if TYPE_CHECKING:
    from dlcourse.tasks.composing import Composition
    from dlcourse.verse.judge import Verdict

PURPOSE = (
    "Write poems with a trained model. The forms are 5jue and 7jue (quatrains of five or seven characters a line),\n"
    "5lv and 7lv (eight lines), such as: dlcourse generate run=latest form=7jue start=明月 n=3\n"
    "rules=all holds form, rhyme (平水韻) and tonal pattern (平仄), rhyme the first two, none nothing."
)
FAULTS = 3
"""Of what is wrong with a poem, so many are told."""


@dataclass(frozen=True)
class Arguments:
    """What `dlcourse generate` takes."""

    run: str = argument("The run: a path, <model>-<data>/<time>, a unique end of it, or latest.", bare=True)
    form: str = argument("5jue, 7jue, 5lv or 7lv.", default="7jue")
    n: int = argument("How many poems; the first ones are the same for every n.", default=5)
    seed: int = argument("Names the poems: the same seed and settings, the same poems.", default=0)
    start: str | None = argument("The first characters of every poem.", default=None)
    acrostic: str | None = argument("The first characters of the lines, one for each.", default=None)
    rules: Literal["none", "form", "rhyme", "all"] = argument("What the poems are held to.", default="all")
    strict: bool = argument(
        "At line ends count only characters that are always read in the tone needed there.", default=False
    )
    temperature: float = argument("Below 1 likely characters gain, above 1 rare ones.", default=USUAL.temperature)
    top_k: int | None = argument("Choose among so many of the likeliest characters; null is all.", default=USUAL.top_k)
    min_p: float = argument("Choose among those with this share of the likeliest one's chance.", default=USUAL.min_p)
    top_p: float = argument("Choose among the likeliest that together have this probability.", default=USUAL.top_p)
    repetition: float = argument("Nats that a character loses once it stands in the poem.", default=USUAL.repetition)
    best_of: int = argument("Write so many for each poem and keep the one the model finds likeliest.", default=1)
    format: Literal["text", "json"] = argument("How to print the poems.", default="text")
    device: str | None = argument("Another device than the run's, such as cpu.", default=None, key="runtime.device")
    runs: Path = argument("Folder that holds the runs.", default=Path("runs"))
    allow_code: bool = argument("Run Python files of this folder that the run's config names.", default=False)


def main(argv: list[str]) -> int:
    """Write and judge."""
    given = read(Arguments, argv, command="generate", purpose=PURPOSE)
    sampling = checked(given)
    from dlcourse.tasks.outlines import Request

    request = Request(given.form, given.rules, given.strict, given.acrostic, given.start)
    from dlcourse.run.poet import load_poet  # torch, imported here, takes two seconds

    poet = load_poet(given.run, runs=given.runs, command="generate", device=given.device, allow_code=given.allow_code)
    poems = poet.write(poet.outline(request), count=given.n, seed=given.seed, sampling=sampling, best_of=given.best_of)
    judged = [(poem, poet.judge(poem.lines, form=given.form, strict=given.strict)) for poem in poems]
    if given.format == "json":
        print(json.dumps([plain(*one) for one in judged], ensure_ascii=False, allow_nan=False))
    else:
        print("\n\n".join(written(*one) for one in judged))
    return 0


def checked(given: Arguments) -> Sampling:
    """The sampling settings.

    Raises:
        ConfigError: a number is out of range; every such number, one line each.
    """
    problems = [
        f"{name} must be 1 or more, not {value}"
        for name, value in (("n", given.n), ("best_of", given.best_of))
        if value < 1
    ]
    settings: dict[str, Any] = {}
    for name in ("temperature", "top_k", "min_p", "top_p", "repetition"):
        try:
            Sampling(**{name: getattr(given, name)})
        except ValueError as error:
            problems.append(str(error))
        settings[name] = getattr(given, name)
    if problems:
        raise ConfigError(*problems)
    return Sampling(**settings)


def plain(poem: Composition, verdict: Verdict) -> dict[str, Any]:
    """One poem's entry."""
    return {
        "form": poem.form,
        "lines": poem.lines,
        "log_prob": poem.log_prob,
        "rules": {
            "form": verdict.form,
            "rhyme": verdict.rhyme,
            "tone": verdict.tone,
            "category": verdict.category,
            "template": None if verdict.template is None else list(verdict.template.lines),
        },
    }


def written(poem: Composition, verdict: Verdict) -> str:
    """One poem, a couplet a line, and under it what the rules say of it."""
    couplets = poem.text.replace("。", "。\n").rstrip()
    return f"{couplets}\n  {said(poem, verdict)}; {poem.mean_log_prob:.2f} nats a token"


def said(poem: Composition, verdict: Verdict) -> str:
    """The verdict in words."""
    if verdict.all and verdict.template is not None:
        return f"{poem.form}: rhymes in {verdict.category}, tones {verdict.template.start}"
    kept = [name for name in ("form", "rhyme", "tone") if getattr(verdict, name)]
    more = f" and {len(verdict.faults) - FAULTS} more" if len(verdict.faults) > FAULTS else ""
    return f"{poem.form}: keeps {', '.join(kept) or 'no rule'}; {'; '.join(verdict.faults[:FAULTS])}{more}"
