"""Groups of runs side by side: their numbers, what of a difference is chance, and what cannot be compared."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from dlcourse.errors import ConfigError, suggestion
from dlcourse.results.caveats import caveats, left_out, recorded, same_items, usable
from dlcourse.results.comparison_plain import group_plain, stratum_plain
from dlcourse.results.conclusion import conclusion
from dlcourse.results.contrast import Arm, Contrast, Summary, contrast, summarize
from dlcourse.results.groups import SEED, Group, fold_of, replicate, text
from dlcourse.results.letters import called
from dlcourse.results.record import RunRecord
from dlcourse.results.verdict import LOWER, Direction, Question, Verdict, asides, judge

if TYPE_CHECKING:
    from dlcourse.media import Table


@dataclass(frozen=True)
class Stratum:
    """Groups whose numbers measure the same thing: one task on one data set.

    Args:
        groups: in the order that they were given.
        question: what they are compared by.
        summaries: for each group; None of one without a number.
        verdicts: of two groups the one difference; of more the best one against every other.
        pairs: the differences of all, which the p-values are corrected for.
    """

    groups: tuple[Group, ...]
    question: Question
    summaries: tuple[Summary | None, ...]
    verdicts: tuple[Verdict, ...]
    pairs: tuple[Verdict, ...]


@dataclass(frozen=True)
class Comparison:
    """What is known of some groups of runs.

    Args:
        groups: all of them.
        strata: those that can be compared with each other.
        sentences: first what can and what cannot be concluded, then what a reader must know of it.
    """

    groups: tuple[Group, ...]
    strata: tuple[Stratum, ...]
    sentences: tuple[str, ...]

    def tables(self) -> Sequence[Table]:
        """The groups, the settings in which they differ, their numbers, and the differences."""
        from dlcourse.results.comparison_tables import tables  # it builds on this class

        return tables(self)

    def to_plain(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "groups": [group_plain(group) for group in self.groups],
            "comparisons": [stratum_plain(one, names=called(self.groups)) for one in self.strata],
            "sentences": list(self.sentences),
        }


def compare_groups(groups: Sequence[Group], *, metric: str | None = None, split: str = "test") -> Comparison:
    """Numbers, tests and sentences of groups.

    Groups of other tasks or other data are not tested against each other. Runs that did not finish, or have no finite
    number, count nowhere; of runs that repeat each other in everything the mean counts as one measurement.

    Args:
        groups: one or more, as `grouped` gives them.
        metric: its name; None for the one that picks the best checkpoint.
        split: test, or val for the best validation. If no run was tested, the validation numbers are taken.

    Raises:
        ConfigError: no run has a metric of such a name.
    """
    records = [record for group in groups for record in group.records]
    notes: list[str] = []
    if split == "test" and not any(record.test for record in records) and any(record.val for record in records):
        split = "val"
        notes.append("No run was tested, so these are numbers of the best validation.")
    if metric is not None:
        check_metric(metric, records, split=split)
    names = called(groups)
    strata = [stratum(members, metric=metric, split=split, names=names) for members in clusters(groups)]
    notes += caveats(groups, [one.groups for one in strata], names=names)
    notes += left_out([(one.groups, one.question.split, one.question.metric) for one in strata])
    for one in strata:
        notes += asides(one.verdicts)
    if split == "val":
        notes.append("The best of a run's validations flatters it, since it was picked; claims want test numbers.")
    said = [
        conclusion([names[group.name] for group in one.groups], one.question, one.summaries, one.verdicts)
        for one in strata
    ]
    sentences = [f"G{one[1:]}" if one.startswith("group ") else one for one in dict.fromkeys([*said, *notes])]
    return Comparison(tuple(groups), tuple(strata), tuple(sentences))


def clusters(groups: Sequence[Group]) -> list[tuple[Group, ...]]:
    """The groups that share task and data."""
    found: dict[Hashable, list[Group]] = {}
    for group in groups:
        key = frozenset((record.choices.get("task"), record.choices.get("data")) for record in group.records)
        found.setdefault(key, []).append(group)
    return [tuple(members) for members in found.values()]


def stratum(groups: tuple[Group, ...], *, metric: str | None, split: str, names: Mapping[str, str]) -> Stratum:
    """The numbers and differences of groups of one task and data, whose verdicts call them by these names."""
    # What picks the best checkpoint is not known of a run that recorded nothing.
    decisive = max((record for group in groups for record in group.records), key=recorded).decisive
    chosen = metric or decisive[0]
    question = Question(split, chosen, direction(chosen, decisive))
    arms = [measured(group, name=names[group.name], question=question, labels=labels(groups)) for group in groups]
    known = [arm for arm in arms if arm is not None]
    summaries = tuple(None if arm is None else summarize(list(arm.values.values())) for arm in arms)
    pairs = tuple(verdicts(known, question=question))
    told = (pair for pair in pairs if len(pairs) == 1 or pair.contrast.first == best(known, question=question))
    return Stratum(groups, question, summaries, tuple(told), pairs)


def best(arms: Sequence[Arm], *, question: Question) -> str:
    """The name of the arm whose mean is best."""
    sign = 1 if question.direction == "max" else -1
    return max(arms, key=lambda arm: sign * summarize(list(arm.values.values())).mean).name


def verdicts(arms: Sequence[Arm], *, question: Question) -> list[Verdict]:
    """The differences of all pairs; of several the best stands first in its own."""
    metric = f"{question.split}.{question.metric}"
    if len(arms) < 2:
        return []
    leader = best(arms, question=question)
    family: list[Contrast] = []
    for pair in combinations(arms, 2):
        first, second = pair if len(arms) == 2 or pair[1].name != leader else pair[::-1]
        family.append(contrast(first, second, metric=metric, full=len(arms) == 2 or first.name == leader))
    runs = {arm.name: arm.records for arm in arms}
    return [
        one
        if same_items([runs[one.contrast.first], runs[one.contrast.second]], split=question.split)
        else Verdict(one.contrast, question, one.adjusted, one.family, same_items=False)
        for one in judge(family, question=question)
    ]


def measured(group: Group, *, name: str, question: Question, labels: Sequence[str]) -> Arm | None:
    """A group's measurements; None if it has none.

    Args:
        group: of runs.
        name: what it is called.
        question: what is measured.
        labels: settings that tell the runs of a group apart beside their fold, the same ones for all groups.
    """
    found: dict[Hashable, list[float]] = {}
    names: dict[Hashable, Hashable] = {}
    records: list[RunRecord] = []
    for record in group.records:
        value = usable(record, split=question.split, metric=question.metric)
        if value is not None:
            records.append(record)
            found.setdefault(replicate(record), []).append(value)
            names[replicate(record)] = (fold_of(record), *(text(record.settings, label) for label in labels))
    if not found:
        return None
    if len(set(names.values())) < len(names):  # runs of other data: what tells them apart is no label
        names = {key: key for key in names}
    values = {names[key]: math.fsum(measures) / len(measures) for key, measures in found.items()}
    return Arm(name, tuple(records), values, folds=len({fold_of(record) for record in records} - {None}))


def labels(groups: Sequence[Group]) -> list[str]:
    """The settings that tell the runs of any group apart beside their fold; none if each is another fold."""
    runs = [len({replicate(record) for record in group.records}) for group in groups]
    if runs == [len(group.folds) for group in groups]:
        return []
    return [SEED, *sorted({name for group in groups for name in group.varies})]


def direction(metric: str, decisive: tuple[str, str]) -> Direction:
    """Which values of a metric are better."""
    if metric == decisive[0]:
        return "min" if decisive[1] == "min" else "max"
    return "min" if metric.startswith(LOWER) else "max"


def check_metric(metric: str, records: Sequence[RunRecord], *, split: str) -> None:
    """ConfigError if no run has a metric of this name."""
    known = {name for record in records for name in numbers(record, split=split)}
    if known and metric not in known:
        plain = {name for name in known if "/" not in name}
        raise ConfigError(f"metric={metric}: no run has such a {split} number{suggestion(metric, plain)}")


def numbers(record: RunRecord, *, split: str) -> Mapping[str, float]:
    """The numbers of one split."""
    return record.test if split == "test" else record.val
