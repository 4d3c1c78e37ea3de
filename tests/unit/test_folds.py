"""Folds part what is trained on: by class, by group and by key; each data set cuts by them, and groups know them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from run_folders import make_run
from sklearn.model_selection import StratifiedKFold

from dlcourse.data.digits import Digits
from dlcourse.data.folder import ImageFolder
from dlcourse.data.folds import Fold, by_class, by_group, by_key, read_fold
from dlcourse.data.go9 import Go9
from dlcourse.data.images import ImageSplit
from dlcourse.data.imdb_encoded import Cut
from dlcourse.data.imdb_files import list_reviews
from dlcourse.data.poems_toy import ToyPoems
from dlcourse.data.reviews import Reviews
from dlcourse.data.reviews_toy import ToyReviews
from dlcourse.data.split import grouped as cut_groups
from dlcourse.data.split import stratified
from dlcourse.errors import DataError
from dlcourse.folders import RunFolder
from dlcourse.results.caveats import same_items
from dlcourse.results.comparison import compare_groups
from dlcourse.results.groups import Group, grouped
from dlcourse.results.means import means
from dlcourse.results.record import RunRecord, read_record
from dlcourse.results.repeat import tolerance_of

LABELS = st.lists(st.integers(0, 4), min_size=2, max_size=60)
COUNTS = st.integers(2, 12)
SEEDS = st.integers(0, 2**40)


def test_nine_items_of_two_classes_in_three_folds() -> None:
    labels = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 1])
    held = [stratified(labels, Fold(number, 3), seed=0)[1] for number in (1, 2, 3)]
    assert [torch.bincount(labels[part]).tolist() for part in held] == [[2, 1]] * 3
    assert sorted(torch.cat(held).tolist()) == list(range(9))


@given(labels=LABELS, count=COUNTS, seed=SEEDS)
def test_folds_hold_each_item_out_once_and_share_out_classes_and_sizes_evenly(
    labels: list[int], count: int, seed: int
) -> None:
    parts = by_class(torch.tensor(labels), count, seed=seed)
    assert parts.tolist() == by_class(torch.tensor(labels), count, seed=seed).tolist()
    sizes = torch.bincount(parts, minlength=count)
    assert len(sizes) == count
    assert sizes.max() - sizes.min() <= 1
    for label in set(labels):
        shares = torch.bincount(parts[torch.tensor(labels) == label], minlength=count)
        assert shares.max() - shares.min() <= 1
    if len(labels) >= count:
        cuts = [stratified(torch.tensor(labels), Fold(number + 1, count), seed=seed) for number in range(count)]
        assert sorted(index for _, held in cuts for index in held.tolist()) == list(range(len(labels)))
        for rest, held in cuts:
            assert sorted([*rest.tolist(), *held.tolist()]) == list(range(len(labels)))
            assert rest.tolist() == sorted(rest.tolist())


def test_classes_have_the_shares_that_scikit_learn_gives_them() -> None:
    labels = torch.tensor([0] * 23 + [1] * 12 + [2] * 5)
    ours = by_class(labels, 5, seed=0)
    theirs = [held for _, held in StratifiedKFold(5).split(labels, labels)]
    for label in range(3):
        mine = torch.bincount(ours[labels == label], minlength=5).tolist()
        assert sorted(mine) == sorted(int((labels[held] == label).sum()) for held in theirs)


@given(groups=st.lists(st.integers(0, 9), min_size=2, max_size=60), count=COUNTS, seed=SEEDS)
def test_groups_stay_whole_and_no_part_is_larger_than_another_by_more_than_a_group(
    groups: list[int], count: int, seed: int
) -> None:
    parts = by_group(groups, count, seed=seed)
    assert all(
        len({int(part) for part, one in zip(parts, groups, strict=True) if one == group}) == 1 for group in groups
    )
    sizes = torch.bincount(parts, minlength=count)
    assert sizes.max() - sizes.min() <= max(groups.count(group) for group in groups)
    if len(set(groups)) >= count:
        rest, held = cut_groups(groups, Fold(1, count), seed=seed)
        assert sorted([*rest.tolist(), *held.tolist()]) == list(range(len(groups)))


@given(keys=st.lists(st.integers(0, 2**63), max_size=40), more=st.integers(0, 2**63), count=COUNTS, seed=SEEDS)
def test_a_further_key_moves_none_of_the_others(keys: list[int], more: int, count: int, seed: int) -> None:
    before, after = by_key(keys, count, seed=seed), by_key([*keys, more], count, seed=seed)
    assert after[:-1].tolist() == before.tolist()
    assert all(0 <= part < count for part in after.tolist())


def test_keys_fall_into_parts_of_about_one_size_and_another_seed_parts_otherwise() -> None:
    parts = by_key(range(5000), 5, seed=1)
    assert all(900 < size < 1100 for size in torch.bincount(parts).tolist())
    assert parts.tolist() != by_key(range(5000), 5, seed=2).tolist()
    labels = torch.arange(100) % 2
    assert by_class(labels, 5, seed=1).tolist() != by_class(labels, 5, seed=2).tolist()
    assert by_group(range(50), 5, seed=1).tolist() != by_group(range(50), 5, seed=2).tolist()


@pytest.mark.parametrize("text", ["2", "0/5", "6/5", "1/1", "1/0", "-1/5", "1.0/5", "1/5 ", "02/5", "a/b", "", "1/5/5"])
def test_what_is_no_fold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^fold must be i/k such as 2/5"):
        read_fold(text)
    assert read_fold(None) is None
    assert str(read_fold("2/5")) == "2/5"


def test_more_folds_than_items_or_groups_are_refused() -> None:
    with pytest.raises(DataError, match="fold 1/4: the 3 items to train on fill only 3 of 4 parts; take fewer folds"):
        stratified(torch.tensor([0, 1, 1]), Fold(1, 4), seed=0)
    with pytest.raises(DataError, match="the 5 items to train on fill only 2 of 3 parts"):
        cut_groups(["a", "a", "a", "b", "b"], Fold(3, 3), seed=0)


def test_the_folds_of_digits_hold_out_everything_once_and_leave_the_test_split_alone() -> None:
    plain = Digits().load()
    assert isinstance(plain.train, ImageSplit)
    seen: list[bytes] = []
    for number in (1, 2, 3):
        # val_fraction is not used.
        splits = Digits(fold=f"{number}/3", val_fraction=0.5).load()
        assert isinstance(splits.val, ImageSplit)
        assert splits.test.fingerprint == plain.test.fingerprint
        assert len(splits.train) + len(splits.val) == len(plain.train) + len(plain.val)
        seen += [image.numpy().tobytes() for image in splits.val.images]
    assert isinstance(plain.val, ImageSplit)
    assert sorted(seen) == sorted(
        image.numpy().tobytes() for image in torch.cat([plain.train.images, plain.val.images])
    )
    assert Digits(fold="1/3").load().val.fingerprint != Digits(fold="1/3", split_seed=1).load().val.fingerprint


def test_texts_poems_and_games_are_cut_by_folds() -> None:
    for kind, whole in ((ToyReviews, ToyReviews()), (ToyPoems, ToyPoems()), (Go9, Go9())):
        plain, folds = whole.load(), [kind(fold=f"{number}/2").load() for number in (1, 2)]
        assert sum(len(one.val) for one in folds) == len(plain.train) + len(plain.val)
        assert [len(one.train) for one in folds] == [len(one.val) for one in reversed(folds)]
        assert {len(one.test) for one in folds} == {len(plain.test)}


def test_films_stay_whole_in_folds_of_imdb(tmp_path: Path) -> None:
    for part, count in {"train/neg": 9, "train/pos": 9, "train/unsup": 3, "test/neg": 2, "test/pos": 2}.items():
        (tmp_path / part).mkdir(parents=True)
        for number in range(count):
            (tmp_path / part / f"{number}_7.txt").write_text(f"{part} {number}")
        films = "".join(f"http://www.imdb.com/title/tt{number // 3}/usercomments\n" for number in range(count))
        (tmp_path / part).parent.joinpath(f"urls_{part.rpartition('/')[2]}.txt").write_text(films)
    listing = list_reviews(tmp_path)
    cuts = [Cut.of(listing, val_share=Fold(number, 3), seed=0, by="film") for number in (1, 2, 3)]
    films = [film for part in ("train/neg", "train/pos") for film in listing.films(part)]
    held = [{films[place] for place in cut.val} for cut in cuts]
    assert sum(map(len, held)) == len(set(films))
    assert sorted(int(place) for cut in cuts for place in cut.val) == sorted([*cuts[0].train, *cuts[0].val])
    with pytest.raises(DataError, match="fill only 3 of 4 parts"):
        Cut.of(listing, val_share=Fold(1, 4), seed=0, by="film")


def test_a_set_that_brings_its_own_validation_split_has_no_folds(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        for name in ("cat", "dog"):
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(3):
                Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / part / name / f"{number}.png")
    with pytest.raises(DataError, match="data.fold=1/3: this set brings its own validation split"):
        ImageFolder(root=str(tmp_path), size=8, fold="1/3").load()


def test_a_small_file_of_texts_tells_how_many_folds_it_has(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("text,label\n" + "".join(f"a text {number},{number % 2}\n" for number in range(10)))
    with pytest.raises(DataError, match="the 8 items to train on fill only 8 of 9 parts"):
        Reviews(path=str(path), min_freq=1, fold="1/9").load()


def fold(
    runs: Path, number: int, text: str | None, *, accuracy: float = 0.5, width: int = 4, **more: object
) -> RunRecord:
    """A run of one fold, whose splits have fingerprints of their own as those of texts have."""
    dotted = {"model.width": width, "data.fold": text, **{key.replace("__", "."): value for key, value in more.items()}}
    name = f"resnet18-digits/2026-01-01_00-00-{number:02}-000000"
    folder = make_run(runs, name, settings=dotted, test={"accuracy": accuracy, "loss": 1.0})
    if text is not None:
        sums = ", ".join(f'"{split}": {{"items": 9, "sha256": "{split}{text}"}}' for split in ("train", "val", "test"))
        folder.data.write_text(f"{{{sums}}}")
    return read_record(folder, runs=runs)


def arms(runs: Path, *, gap: float, seed: int = 1) -> list[Group]:
    """Two widths, three folds each; folds are far apart, the widths less so."""
    hard = (0.5, 0.7, 0.9)
    records = [fold(runs, place, f"{place + 1}/3", accuracy=value) for place, value in enumerate(hard)]
    better = (hard[0] + gap, hard[1] + gap + 0.001, hard[2] + gap - 0.001)
    records += [
        fold(runs, 3 + place, f"{place + 1}/3", accuracy=value, width=8, seed=seed)
        for place, value in enumerate(better)
    ]
    return grouped(records)


def test_folds_of_one_experiment_are_one_group(tmp_path: Path) -> None:
    first, second = arms(tmp_path, gap=0.01)
    assert (first.name, first.folds, first.varies, first.repeated) == ("model.width=4", ("1/3", "2/3", "3/3"), (), ())
    assert second.differs["model.width"] == 8
    assert "data.fold" not in second.differs


def test_runs_without_folds_and_of_another_number_of_folds_are_other_groups(tmp_path: Path) -> None:
    records = [fold(tmp_path, place, text) for place, text in enumerate(("1/3", "2/3", "1/2", "2/2", None))]
    assert [group.name for group in grouped(records)] == ["data.fold=any/3", "data.fold=any/2", "data.fold=null"]
    assert [len(group.records) for group in grouped(records)] == [2, 2, 1]


def test_a_run_of_before_there_were_folds_is_like_one_without_a_fold(tmp_path: Path) -> None:
    old = read_record(make_run(tmp_path, "resnet18-digits/2026-01-01_00-00-09-000000"), runs=tmp_path)
    (group,) = grouped([old, fold(tmp_path, 1, None, seed=2)])
    assert group.varies == ()


def test_folds_of_other_data_are_not_averaged(tmp_path: Path) -> None:
    one, other = fold(tmp_path, 1, "1/3", data__root="here"), fold(tmp_path, 2, "1/3", data__root="there")
    (tmp_path / "resnet18-digits/2026-01-01_00-00-02-000000/data.json").write_text('{"test": {"sha256": "other"}}')
    assert len(grouped([one, read_record(RunFolder(other.path), runs=tmp_path)])) == 2


def test_the_same_folds_are_compared_in_pairs_and_it_is_said_what_that_is_worth(tmp_path: Path) -> None:
    comparison = compare_groups(arms(tmp_path, gap=0.05, seed=2))
    (verdict,) = comparison.strata[0].verdicts
    assert verdict.contrast.basis == "folds"
    # by hand: differences 0.05, 0.051, 0.049 have a standard error of 0.001 / sqrt(3); t(2) at 97.5 % is 4.3027
    assert verdict.contrast.tested is not None
    ends = verdict.contrast.tested.interval
    assert (ends.high - ends.low) / 2 == pytest.approx(4.302653 * 0.001 / 3**0.5, rel=1e-4)
    assert verdict.decided
    assert verdict.same_items
    text = " ".join(comparison.sentences)
    assert "t test over 3 pairs of the same fold" in text
    assert "The folds of model.width=4 and model.width=8 share training data" in text
    assert "(Bengio and Grandvalet 2004, JMLR 5:1089)" in text
    assert "fingerprints" not in text


def test_seeds_alone_are_told_nothing_of_folds(tmp_path: Path) -> None:
    records = [fold(tmp_path, place, None, seed=place, accuracy=0.5 + place / 100) for place in range(3)]
    assert "folds" not in " ".join(compare_groups(grouped(records)).sentences)


def test_other_folds_are_other_items(tmp_path: Path) -> None:
    one, two, again = (fold(tmp_path, place, text) for place, text in enumerate(("1/3", "2/3", "1/3")))
    assert same_items([[one, two], [again, two]], split="val")
    assert not same_items([[one], [two]], split="val")


def test_a_mean_over_folds_knows_it(tmp_path: Path) -> None:
    first, second = means([record for group in arms(tmp_path, gap=0.01) for record in group.records])
    assert first.over_folds
    assert len(second.records) == 3


def test_other_folds_are_no_measure_of_how_far_a_run_may_be_off(tmp_path: Path) -> None:
    records = [fold(tmp_path, place, f"{place + 1}/5", accuracy=place / 10, seed=place) for place in range(4)]
    assert "seeds to compare" in tolerance_of(records[0], records[1:], items=None).reason
