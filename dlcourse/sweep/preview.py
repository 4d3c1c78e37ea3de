"""What a sweep would do, and how each of its trials stands."""

from __future__ import annotations

from collections.abc import Iterator

from dlcourse.sweep.drive import Plan
from dlcourse.sweep.journal import Journal


def preview(plan: Plan, journal: Journal) -> Iterator[str]:
    """A line for each trial that is known of, then what will be decided by the scores."""
    arms, seeds, halving = plan.foreseen(journal), len(plan.seeds), plan.halving
    decided = [list(range(len(arms)))]
    if len(journal.arms) == len(arms):  # or those that are still to come may push others out
        decided += [[arm.number for arm in rung] for rung in plan.climbed(journal)[1:]]
    for rung, numbers in enumerate(decided):
        to = [f"to {halving.called(rung)}"] if halving.stops else []
        for number in numbers:
            for seed in plan.seeds:
                ended = journal.ended.get((number, seed, rung))
                state = "missing" if ended is None else "failed" if ended.failed else "done"
                yield f"{state:8}{' '.join([*arms[number], f'seed={seed}', *to])}"
    sizes = halving.sizes([len(numbers) for numbers in decided])
    for rung in range(len(decided), len(sizes)):
        yield f"then the best {sizes[rung]} to {halving.called(rung)}"
    more = (plan.limit or 0) - len(arms)
    if plan.search.by_scores and more > 0:
        many = "1 seed" if seeds == 1 else f"{seeds} seeds"
        yield f"then up to {more} arms of {many} each that tpe proposes from the scores"
