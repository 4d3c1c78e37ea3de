"""`dlcourse generate run=RUN form=7jue`: poems by a trained model that keep the rules of form, rhyme and tone."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dlcourse.commands.arguments import argument, read
from dlcourse.errors import ConfigError
from dlcourse.tasks.sampling import USUAL, Sampling

if TYPE_CHECKING:
    from dlcourse.run.poet import Poet
    from dlcourse.tasks.composing import Composition
    from dlcourse.verse.judge import Verdict

PURPOSE = (
    "Write poems with a trained model. The forms are 5jue and 7jue (quatrains of five or seven characters a line),\n"
    "5lv and 7lv (eight lines), such as: dlcourse generate run=latest form=7jue start=明月 n=3\n"
    "rules=all holds form, rhyme (平水韻) and tonal pattern (平仄), rhyme the first two, none nothing.\n"
    "format=json gives log_prob as the sum over all tokens of a poem, punctuation and end included, in nats."
)
FAULTS = 3
"""Of what is wrong with a poem, so many are told."""
WIDTH = 40
"""Characters after which a line of print is broken."""


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
    request, rewritten = poet.in_script(request)
    for char, own in rewritten.items():
        print(f"{char}: taken as {own}, which this run knows", file=sys.stderr)
    poems = poet.write(poet.outline(request), count=given.n, seed=given.seed, sampling=sampling, best_of=given.best_of)
    if given.format == "json":
        print(json.dumps([plain(poem, poet, given) for poem in poems], ensure_ascii=False, allow_nan=False))
    else:
        print("\n\n".join(written(poem, poet, given) for poem in poems))
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
    problems += [f"seed must be 0 or more, not {given.seed}"] if given.seed < 0 else []
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


def plain(poem: Composition, poet: Poet, given: Arguments) -> dict[str, Any]:
    """One poem's entry.

    `log_prob` is nats, the sum over all tokens, punctuation and end included, by the model alone; `strict` is whether
    the rules hold strictly, so that no line end has a reading of the other tone.
    """
    verdict = poet.judge(poem.lines, form=poem.form, strict=given.strict)
    return {
        "form": poem.form,
        "lines": poem.lines,
        "log_prob": poem.log_prob,
        "rules": {
            "form": verdict.form,
            "rhyme": verdict.rhyme,
            "tone": verdict.tone,
            "strict": poet.judge(poem.lines, form=poem.form, strict=True).all,
            "category": verdict.category,
            "template": None if verdict.template is None else list(verdict.template.lines),
        },
    }


def written(poem: Composition, poet: Poet, given: Arguments) -> str:
    """One poem, a couplet a line, and under it what the rules say of it; a line that never ends is broken."""
    couplets = poem.text.replace("。", "。\n").splitlines()
    rows = [couplet[at : at + WIDTH] for couplet in couplets for at in range(0, len(couplet), WIDTH)]
    verdict = poet.judge(poem.lines, form=poem.form, strict=given.strict)
    told = said(poem, verdict, doubtful=poet.doubtful(poem.lines))
    return "\n".join([*rows, f"  {told}; {poem.character_log_prob:.2f} nats a character"])


def said(poem: Composition, verdict: Verdict, *, doubtful: str) -> str:
    """The verdict in words.

    Args:
        poem: what was written.
        verdict: which rules it keeps.
        doubtful: its line ends that are also read in the other tone.
    """
    if verdict.all and verdict.template is not None:
        loosely = f"; not strictly, {doubtful} can have the other tone" if doubtful else ""
        return f"{poem.form}: rhymes in {verdict.category}, tones {verdict.template.start}{loosely}"
    kept = [name for name in ("form", "rhyme", "tone") if getattr(verdict, name)]
    more = f" and {len(verdict.faults) - FAULTS} more" if len(verdict.faults) > FAULTS else ""
    return f"{poem.form}: keeps {', '.join(kept) or 'no rule'}; {'; '.join(verdict.faults[:FAULTS])}{more}"
