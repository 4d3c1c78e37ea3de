"""What a comparison says, and what it refuses to say, of run folders whose numbers are known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from run_folders import make_run, write_json

from dlcourse.errors import ConfigError
from dlcourse.folders import RunFolder
from dlcourse.results.comparison import Comparison, compare_groups
from dlcourse.results.comparison_curves import panels, shade, sparks
from dlcourse.results.contrast import summarize
from dlcourse.results.curves import Band
from dlcourse.results.groups import grouped
from dlcourse.results.letters import letter
from dlcourse.results.record import RunRecord, read_record
from dlcourse.statistics import holm


class Runs:
    """Makes run folders, each one second after the last."""

    def __init__(self, root: Path) -> None:
        self.root, self.count = root, 0

    def one(
        self, accuracy: float | None = None, *, seed: int = 1, lr: float = 0.1, name: str = "resnet18-digits",
        hits: Sequence[bool] | None = None, numbers: dict[str, float] | None = None, state: str = "done",
        task: str = "classification", best: tuple[str, str] = ("accuracy", "max"),
    ) -> RunRecord:  # fmt: skip
        self.count += 1
        if hits is not None:
            accuracy = float(np.mean(hits))
        test = numbers if numbers is not None else {} if accuracy is None else {"accuracy": accuracy, "loss": 0.5}
        folder = make_run(
            self.root, f"{name}/2026-01-01_00-00-{self.count:02}-000000", hits=hits, test=test, state=state, best=best,
            settings={"seed": seed, "optimizer.lr": lr}, choices={"task": task},
        )  # fmt: skip
        return read_record(folder, runs=self.root)

    def seeds(self, values: Sequence[float], *, lr: float, first: int = 1) -> list[RunRecord]:
        return [self.one(value, seed=seed, lr=lr) for seed, value in enumerate(values, start=first)]


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def said(found: Comparison) -> str:
    return "\n".join(found.sentences)


def compared(records: Sequence[RunRecord], *, by: Sequence[str] = (), metric: str | None = None) -> Comparison:
    return compare_groups(grouped(records, by=by), metric=metric)


def test_clear_seeds_are_told_apart_and_few_seeds_are_owned_up_to(runs: Runs) -> None:
    found = compared([*runs.seeds([0.91, 0.92, 0.93], lr=0.1), *runs.seeds([0.71, 0.72, 0.73], lr=0.2)])
    assert found.sentences[0].startswith(
        "optimizer.lr=0.1 has a higher test accuracy than optimizer.lr=0.2, by 0.2 (95 % interval +0.177 to +0.223"
    )
    assert "more than seeds explain" in found.sentences[0]
    assert "cannot go below 0.1 with so few" in said(found)
    (verdict,) = found.strata[0].verdicts
    # With equal variances and sizes Welch's test has 4 degrees of freedom; 0.2 is 24.5 standard errors.
    assert verdict.contrast.p_value == pytest.approx(1.65e-5, rel=0.01)
    assert verdict.decided


def test_overlapping_seeds_are_not_called_equal(runs: Runs) -> None:
    found = compared([*runs.seeds([0.90, 0.94], lr=0.1), *runs.seeds([0.91, 0.92], lr=0.2)])
    assert found.sentences[0].startswith("No difference in test accuracy between")
    assert found.sentences[0].endswith("that does not show that they are equal.")


def test_lower_is_better_where_it_is(runs: Runs) -> None:
    one = [runs.one(numbers={"perplexity": 100.0 + s}, seed=s, best=("perplexity", "min")) for s in (1, 2, 3)]
    other = [runs.one(numbers={"perplexity": 50.0 + s}, seed=s, lr=1.0, best=("perplexity", "min")) for s in (1, 2, 3)]
    assert compared([*one, *other]).sentences[0].startswith("optimizer.lr=1.0 has a lower test perplexity than")


def test_pairs_are_told_when_they_say_something_else_and_do_not_decide(runs: Runs) -> None:
    found = compared([*runs.seeds([0.80, 0.85, 0.90], lr=0.1), *runs.seeds([0.81, 0.861, 0.911], lr=0.2)])
    assert found.sentences[0].startswith("No difference")
    assert "paired by seed is -0.0107" in said(found)
    assert compared(
        [*runs.seeds([0.80, 0.85, 0.90], lr=0.1), *runs.seeds([0.81, 0.861, 0.911], lr=0.2, first=7)]
    ).strata[0].verdicts[0].contrast.paired is None  # fmt: skip


def test_single_runs_are_compared_item_by_item(runs: Runs) -> None:
    both, first, second = [True] * 60, [True] * 30 + [False] * 10, [False] * 30 + [True] * 10
    found = compared([runs.one(hits=both + first), runs.one(hits=both + second, lr=0.2)])
    assert found.sentences[0].startswith("On the 100 test items this run of optimizer.lr=0.1 is right more often")
    assert "says nothing about seeds" in found.sentences[0]
    contrast = found.strata[0].verdicts[0].contrast
    assert contrast.discordance is not None
    assert (contrast.discordance.only_first, contrast.discordance.only_second, contrast.basis) == (30, 10, "items")
    assert (
        compared([runs.one(hits=both + first), runs.one(hits=both + first, lr=0.2)])
        .sentences[0]
        .startswith("On the 100 test items no difference")
    )


def test_single_runs_without_predictions_prove_nothing(runs: Runs) -> None:
    found = compared([runs.one(0.9), runs.one(0.5, lr=0.2)])
    assert found.sentences[0].startswith("Nothing can be concluded about test accuracy")
    assert "has no predictions.npz" in found.sentences[0]
    assert found.strata[0].verdicts[0].adjusted is None
    loss = compared([runs.one(0.9), runs.one(0.5, lr=0.2)], metric="loss")
    assert "test loss is not tested item by item (test.accuracy is)" in loss.sentences[0]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive"])
def test_damaged_predictions_are_named(runs: Runs, damage: bytes) -> None:
    one, other = runs.one(hits=[True, False]), runs.one(hits=[True, True], lr=0.2)
    (other.path / "predictions.npz").write_bytes(damage)
    assert f"predictions.npz of {other.name} is damaged" in compared([one, other]).sentences[0]


def test_predictions_of_other_items_are_not_paired(runs: Runs) -> None:
    one, other = runs.one(hits=[True, False]), runs.one(hits=[True, True], lr=0.2)
    np.savez(other.path / "predictions.npz", index=[1, 0], label=[0, 0], scores=[[1.0, 0.0], [1.0, 0.0]])
    assert "hold other test items, although the fingerprints agree" in compared([one, other]).sentences[0]
    np.savez(other.path / "predictions.npz", index=[0, 1], label=[0, 0], scores=[[0.0, 1.0], [0.0, 1.0]])
    assert "does not give the accuracy that was recorded" in compared([one, other]).sentences[0]


def test_other_fingerprints_stop_the_items_and_bind_the_seeds(runs: Runs) -> None:
    def elsewhere(record: RunRecord) -> RunRecord:
        write_json(record.path / "data.json", {"test": {"items": 2, "sha256": "ab" * 32}})
        return read_record(RunFolder(record.path), runs=runs.root)

    single = compared([runs.one(hits=[True, False]), elsewhere(runs.one(hits=[True, True], lr=0.2))])
    assert "the fingerprints of their test splits differ" in single.sentences[0]
    several = compared(
        [*runs.seeds([0.91, 0.92, 0.93], lr=0.1), *map(elsewhere, runs.seeds([0.71, 0.72, 0.73], lr=0.2))]
    )
    assert several.sentences[0].startswith(
        "If both were tested on the same items, which their fingerprints do not show"
    )
    assert "2 fingerprints" in said(several)


def test_one_run_against_seeds_says_what_it_supposes(runs: Runs) -> None:
    found = compared([*runs.seeds([0.91, 0.92, 0.93], lr=0.1), runs.one(0.5, lr=0.2)])
    assert found.strata[0].verdicts[0].contrast.basis == "one"
    assert "optimizer.lr=0.2 is a single run, so this holds only if its seeds scatter as" in found.sentences[0]


def test_of_several_groups_the_best_is_tested_after_holms_correction(runs: Runs) -> None:
    records = [
        *runs.seeds([0.91, 0.92, 0.93], lr=0.1),
        *runs.seeds([0.90, 0.92, 0.925], lr=0.2),
        *runs.seeds([0.51, 0.52, 0.53], lr=0.3),
    ]
    found = compared(records)
    verdicts = found.strata[0].verdicts
    assert {one.contrast.first for one in verdicts} == {"optimizer.lr=0.1"}
    assert [one.decided for one in verdicts] == [False, True]
    assert verdicts[1].adjusted == pytest.approx(3 * (verdicts[1].contrast.p_value or 0), rel=0.5)
    assert (
        "it is better than optimizer.lr=0.3 by more than chance; from optimizer.lr=0.2 it cannot" in found.sentences[0]
    )
    assert "Holm's correction for 3 comparisons" in found.sentences[0]


def test_runs_that_measured_the_same_are_not_judged(runs: Runs) -> None:
    found = compared([*runs.seeds([0.9, 0.9], lr=0.1), *runs.seeds([0.8, 0.8], lr=0.2)])
    assert "there is nothing to judge chance by" in found.sentences[0]


def test_other_tasks_and_data_are_not_compared_but_told(runs: Runs) -> None:
    poems = runs.one(
        numbers={"perplexity": 9.0, "loss": 2.0}, name="lm-tang", task="poetry", best=("perplexity", "min")
    )
    found = compared([runs.one(0.9), poems])
    assert [one.question.metric for one in found.strata] == ["accuracy", "perplexity"]
    assert not any(one.verdicts for one in found.strata)
    assert "different tasks (classification, poetry) and data (digits, tang)" in said(found)
    assert "numbers called loss stand in all of them and measure something else in each" in said(found)


def test_runs_that_do_not_count_are_named(runs: Runs) -> None:
    records = [*runs.seeds([0.9, 0.91], lr=0.1), runs.one(0.1, seed=3, state="interrupted"), runs.one(None, lr=0.2)]
    found = compared([*records, runs.one(float("nan"), lr=0.3)])
    assert found.strata[0].summaries[0] == summarize([0.9, 0.91])
    assert (
        "Not counted are runs that did not finish: resnet18-digits/2026-01-01_00-00-03-000000 (interrupted)."
        in said(found)
    )
    assert "Not counted are runs without a test accuracy: resnet18-digits/2026-01-01_00-00-04" in said(found)
    assert "Not counted are runs whose test accuracy is not finite: resnet18-digits/2026-01-01_00-00-05" in said(found)


def test_curves_are_of_the_runs_that_the_numbers_count(runs: Runs) -> None:
    records = [*runs.seeds([0.9, 0.91, 0.92], lr=0.1), runs.one(0.9, seed=1), runs.one(None, seed=4)]
    found = compared([*records, runs.one(0.5, seed=5, state="interrupted")])
    [panel, loss] = panels(found)
    summary = found.strata[0].summaries[0]
    [drawn], [trained] = panel.named.values(), loss.named.values()
    assert summary is not None
    assert isinstance(drawn, Band) and isinstance(trained, Band)
    assert drawn.n == trained.n == summary.n == 3
    assert shade([panel, loss]) == "Shade: 95 % interval of the mean over runs."
    assert not panels(compared([runs.one(0.5, seed=5, state="interrupted", lr=0.7)]))


def test_sparks_say_where_a_mean_ends(runs: Runs) -> None:
    short = make_run(runs.root, settings={"seed": 2}, val=[{"accuracy": one / 10} for one in (5, 6, 7)])
    long = make_run(runs.root, "resnet18-digits/2026-01-01_00-00-09-000000", settings={"seed": 1})
    found = compared([read_record(folder, runs=runs.root) for folder in (short, long)])
    assert "A: to step 20, where the shortest ends" in list(sparks(found, width=40))


def test_a_folder_that_recorded_nothing_is_told_and_changes_no_question(runs: Runs) -> None:
    empty = runs.root / "resnet18-digits/2026-01-01_00-00-00-000000"
    folder = make_run(runs.root)
    for path in list(empty.iterdir()):
        if path.is_file() and path.name != "config.yaml":
            path.unlink()
    found = compared([read_record(folder, runs=runs.root), runs.one(0.9, lr=0.2)])
    assert str(found.strata[0].question) == "test accuracy"
    text = said(found)
    assert "Not counted are runs that recorded nothing: resnet18-digits/2026-01-01_00-00-00-000000 (killed)." in text
    assert "test split" not in text and "finish:" not in text


def test_what_does_not_count_is_told_once_for_all_data(runs: Runs) -> None:
    names = ["resnet18-digits", "resnet18-mnist", "resnet18-cifar10", "lenet5-digits"]
    records = [runs.one(0.5, name=name, state=state) for name in names for state in ("done", "failed")]
    [told] = [one for one in compared(records).sentences if "Not counted" in one]
    assert told.startswith("Not counted are runs that did not finish: ")
    assert told.endswith(" and 1 more.")


def test_plain_data_lists_every_pair_so_that_the_correction_can_be_followed(runs: Runs) -> None:
    arms = [([0.91, 0.92, 0.93], 0.1), ([0.90, 0.92, 0.925], 0.2), ([0.51, 0.52, 0.53], 0.3)]
    found = compared([record for values, lr in arms for record in runs.seeds(values, lr=lr)])
    pairs = json.loads(json.dumps(found.to_plain(), allow_nan=False))["comparisons"][0]["pairs"]
    assert len(pairs) == 3
    assert {pair["test"] for pair in pairs} == {"Welch's tests over seeds"}
    raised = holm([pair["p_value"] for pair in pairs])
    assert [pair["p_holm"] for pair in pairs] == pytest.approx(raised)


def test_tests_over_items_and_over_seeds_are_two_families(runs: Runs) -> None:
    right = np.arange(200) % 10
    records = [*runs.seeds([0.5, 0.52, 0.54], lr=0.1)]
    records += [runs.one(hits=(right < most).tolist(), lr=lr) for lr, most in ((0.2, 9), (0.3, 8), (0.4, 7))]
    found = compared(records)
    pairs = found.strata[0].pairs
    items = [pair for pair in pairs if pair.contrast.basis == "items"]
    assert [pair.family for pair in pairs] == [3] * 6
    assert [pair.adjusted for pair in items] == pytest.approx(holm([pair.contrast.p_value or 0 for pair in items]))
    assert "Holm's correction for 3 comparisons over" in said(found)
    assert "by themselves, the 3 over" in said(found)


def test_a_repeated_seed_counts_once(runs: Runs) -> None:
    found = compared([*runs.seeds([0.9, 0.92], lr=0.1), runs.one(0.9)])
    assert found.strata[0].summaries[0] == summarize([0.9, 0.92])
    assert "resnet18-digits holds more than one run of seed 1" in said(found)


def test_one_group_is_summed_up(runs: Runs) -> None:
    found = compared(runs.seeds([0.91, 0.92, 0.93], lr=0.1))
    assert found.sentences[0] == (
        "resnet18-digits has a test accuracy of 0.92 (mean of 3 runs, standard deviation 0.01, 95 % interval of the "
        "mean 0.8952 to 0.9448)."
    )
    assert "differ in nothing but their seeds" in said(found)


def test_averaging_over_settings_is_said_and_pairs_them(runs: Runs) -> None:
    records = [runs.one(0.9 + seed / 100 - lr / 10, seed=seed, lr=lr) for seed in (1, 2) for lr in (0.1, 0.2)]
    others = [
        runs.one(0.8 + seed / 100 - lr / 10, seed=seed, lr=lr, name="lenet5-digits")
        for seed in (1, 2)
        for lr in (0.1, 0.2)
    ]
    found = compared([*records, *others], by=["model"])
    assert "model=resnet18 is a mean over optimizer.lr too" in said(found)
    contrast = found.strata[0].verdicts[0].contrast
    assert contrast.counts == (4, 4)
    assert contrast.paired is not None
    assert contrast.paired.interval.difference == pytest.approx(0.1)


def test_of_two_groups_that_differ_in_several_settings_none_is_blamed(runs: Runs) -> None:
    one = runs.seeds([0.91, 0.92, 0.93], lr=0.1)
    other = [
        runs.one(value, seed=seed, lr=0.2, name="lenet5-digits") for seed, value in enumerate([0.7, 0.71, 0.72], 1)
    ]
    assert "differ in 2 settings (model and optimizer.lr): what of them makes a difference" in said(
        compared([*one, *other])
    )
    alike = runs.seeds([0.71, 0.72, 0.73], lr=0.2)
    assert "what of them makes a difference" not in said(compared([*one, *alike]))


def test_without_any_test_the_validation_is_compared(runs: Runs) -> None:
    found = compared([runs.one(numbers={}), runs.one(numbers={}, lr=0.2)])
    assert found.strata[0].question.split == "val"
    assert "No run was tested" in said(found)


def test_long_names_become_letters_in_sentences(runs: Runs) -> None:
    one = make_run(runs.root, settings={"optimizer.lr": 0.1, "data.path": "x" * 60}, test={"accuracy": 0.5})
    found = compared([runs.one(0.9), read_record(one, runs=runs.root)], by=["data", "optimizer.lr", "epochs"])
    assert found.sentences[0]
    assert [letter(place) for place in (0, 25, 26, 27, 701, 702)] == ["A", "Z", "AA", "AB", "ZZ", "AAA"]


def test_an_unknown_metric_gets_the_nearest_one(runs: Runs) -> None:
    with pytest.raises(ConfigError, match="^metric=acuracy: no run has such a test number; did you mean 'accuracy'?"):
        compared([runs.one(0.9), runs.one(0.8, lr=0.2)], metric="acuracy")


def test_tables_and_plain_data_hold_the_numbers(runs: Runs) -> None:
    found = compared([*runs.seeds([0.91, 0.92, 0.93], lr=0.1), *runs.seeds([0.71, 0.72, 0.73], lr=0.2)])
    tables = {table.title: table for table in found.tables()}
    assert tables["groups"].rows[1] == ("B", 3, "1, 2, 3", 1.0, "optimizer.lr=0.2")
    assert tables["settings that differ"].rows == (("optimizer.lr", "0.1", "0.2"),)
    assert tables["test accuracy (higher is better)"].rows[0][:3] == ("A", 3, pytest.approx(0.92))
    assert tables["differences in test accuracy"].rows[0][:2] == ("A - B", pytest.approx(0.2))
    assert tables["all numbers of the test"].rows[0][:3] == ("accuracy", "0.920 ± 0.010", "0.720 ± 0.010")
    plain = json.loads(json.dumps(found.to_plain(), allow_nan=False))
    difference = plain["comparisons"][0]["differences"][0]
    assert (difference["first"], difference["second"]) == ("optimizer.lr=0.1", "optimizer.lr=0.2")
    assert difference["p_permutation"] == pytest.approx(0.1)
