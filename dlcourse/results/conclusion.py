"""One sentence over all groups of a field: of one what it measured, of two their verdict, of more who stands out."""

from __future__ import annotations

from collections.abc import Sequence

from dlcourse.results.caveats import listed
from dlcourse.results.contrast import Summary
from dlcourse.results.verdict import Question, Verdict, of_families

TESTS = {
    "seeds": "Welch's tests over seeds",
    "folds": "t tests over pairs of folds",
    "one": "single runs against several seeds, as if all scatter alike",
    "items": "McNemar's tests over the test items, which say nothing about seeds",
}


def conclusion(
    names: Sequence[str], question: Question, summaries: Sequence[Summary | None], verdicts: Sequence[Verdict]
) -> str:
    """What can and what cannot be concluded.

    Args:
        names: of groups of one task and data.
        question: what they are compared by.
        summaries: for each group; None of one without a number.
        verdicts: of two groups the one, of more the best against every other.
    """
    known = [(name, one) for name, one in zip(names, summaries, strict=True) if one is not None]
    if not known:
        return f"Nothing can be concluded: no finished run of {listed(names)} has a {question}."
    if len(known) == 1:
        missing = [name for name in names if name != known[0][0]]
        rest = f"; of {listed(missing)} no finished run has one, so nothing can be concluded" if missing else ""
        return f"{alone(*known[0], question=question)}{rest}."
    return verdicts[0].sentence if len(known) == 2 else outstanding(verdicts, question=question)


def alone(name: str, summary: Summary, *, question: Question) -> str:
    """What one group measured, without a full stop."""
    if summary.sd is None or summary.low is None or summary.high is None:
        return f"{name} has a {question} of {summary.mean:.4g} in one run, which says nothing about seeds"
    return (
        f"{name} has a {question} of {summary.mean:.4g} (mean of {summary.n} runs, standard deviation "
        f"{summary.sd:.2g}, 95 % interval of the mean {summary.low:.4g} to {summary.high:.4g})"
    )


def outstanding(verdicts: Sequence[Verdict], *, question: Question) -> str:
    """Whom the best of several stands out from."""
    best = verdicts[0].contrast.first
    beaten = [one.contrast.second for one in verdicts if one.decided]
    open_ = [one.contrast.second for one in verdicts if not one.decided and one.adjusted is not None]
    untested = [one for one in verdicts if one.adjusted is None]
    used = {one.contrast.basis for one in verdicts}
    bases = listed([TESTS[basis] for basis in TESTS if basis in used] or ["no test"])
    parts = [
        *([f"it is better than {listed(beaten)} by more than chance"] if beaten else []),
        *([f"from {listed(open_)} it cannot be told, which does not show that they are equal"] if open_ else []),
        *([f"against {listed([one.contrast.second for one in untested])} nothing can be tested"] if untested else []),
    ]
    corrected = any(one.family > 1 for one in verdicts)
    same = all(one.same_items for one in verdicts)
    proviso = "" if same else "if all were tested on the same items, which their fingerprints do not show, "
    tests = f" ({bases}; p-values after Holm's correction for {of_families(verdicts)})" if corrected else f" ({bases})"
    text = f"{proviso}of {len(verdicts) + 1} groups {best} measured the best {question}: {'; '.join(parts)}{tests}."
    return text[0].upper() + text[1:]
