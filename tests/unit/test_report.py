"""The report: numbers by hand, every word in two languages, and a page on which nothing is anything but text."""

from __future__ import annotations

import json
import re
import string
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from run_folders import make_run, write_json, write_lines
from scipy import stats
from sklearn import metrics

from dlcourse.commands.report import main
from dlcourse.errors import ConfigError, RunError
from dlcourse.folders import RunFolder
from dlcourse.pages import leavings
from dlcourse.pages.chart import LARGEST, Line, draw
from dlcourse.pages.report import report
from dlcourse.pages.report_settings import command
from dlcourse.pages.report_words import ENDINGS, METRICS, PHRASES, Language, metric_name, phrases
from dlcourse.pages.shown import lasting, number
from dlcourse.results.record import DamagedRun, RunRecord, read_record

ATTACK = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>{{ 7*7 }}"
VOID = {"meta", "img"}
TEST = {"accuracy": 0.75, "loss": 0.5, "recall/cat": 0.5, "recall/dog": 1.0, "f1/cat": 0.6667, "f1/dog": 0.8}
LABELS = [0, 0, 1, 1]
CHANCES = [0.9, 0.3, 0.6, 0.8]  # of the true class
PNG = b"\x89PNG\r\n\x1a\n" + b"rest"


class Tree(HTMLParser):
    """Fails on tags that do not close; keeps tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.pieces: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag != "bdi":
            self.pieces.append(" ")

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.pieces.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.pieces).split())


def run_folder(
    runs: Path,
    name: str = "m-d/1",
    *,
    test: Mapping[str, float] = TEST,
    seed: int = 1,
    state: str = "done",
    chances: Sequence[float] = CHANCES,
) -> RunFolder:
    """A run whose options nobody knows, so that no defaults are composed."""
    folder = make_run(runs, name, settings={"seed": seed}, test=test, state=state)
    own, label = np.array(chances), np.array(LABELS)
    scores = np.where(np.arange(2) == label[:, None], own[:, None], 1 - own[:, None]).astype(np.float32)
    np.savez(folder.predictions, index=np.arange(4), label=label, scores=scores)
    return folder


def record_of(folder: RunFolder) -> RunRecord:
    return read_record(folder, runs=folder.path.parent.parent)


def page(*folders: RunFolder, lang: Language = "en") -> Tree:
    return Tree(report([record_of(folder) for folder in folders], lang=lang))


def test_one_run_by_hand(tmp_path: Path) -> None:
    text = page(run_folder(tmp_path)).text
    low, high = stats.binomtest(3, 4).proportion_ci(method="wilson")
    for said in (
        "m on d m-d/1",
        "The model m was trained on d (100 items to train, 100 to validate, 100 to test) with adamw",
        "with adamw (learning rate 0.001)",
        "for 2 epochs (20 steps of 32 samples, 640 in all), which took 1 min 0 s.",
        "best validation accuracy (0.6000) was kept. On the test split its accuracy is 0.7500 (95 % interval",
        f"accuracy 0.6000 0.7500 [{low:.4f}, {high:.4f}]",
        "class recall F1 cat 0.5000 0.6667 dog 1.0000 0.8000",
        "cat dog cat 1 1 dog 2 Rows are the true classes",
        "1 cat 30.0 % dog 70.0 %",
        "dlcourse train model=m data=d seed=1 ",
        "dlcourse reproduce m-d/1",
    ):
        assert said in text, said


def test_how_to_repeat_it_is_typed_into_a_shell_as_it_stands(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    words = ["model=m", "data.root='/a b'", "note='l\\'été'", 'name="a=b"', "data.file='诗 词.txt'", "texts='a,b'"]
    (folder.path / "overrides.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    told = command(record_of(folder))
    assert told == (
        """dlcourse train model=m 'data.root=/a b' 'note=l'"'"'été' name=a=b """
        """'data.file=诗 词.txt' 'texts='"'"'a,b'"'"''"""
    )
    assert told in page(folder).text


def test_areas_of_the_curves_are_those_of_scikit_learn(tmp_path: Path) -> None:
    second = [1 - chance if label == 0 else chance for label, chance in zip(LABELS, CHANCES, strict=True)]
    roc, precision = metrics.roc_auc_score(LABELS, second), metrics.average_precision_score(LABELS, second)
    text = page(run_folder(tmp_path)).text
    assert f"dog (area {roc:.4f})" in text and f"dog (area {precision:.4f})" in text and "Of dog against cat." in text


def test_a_group_has_mean_spread_and_interval_over_its_seeds(tmp_path: Path) -> None:
    values = (0.75, 0.5, 0.5)
    folders = [
        run_folder(tmp_path, f"m-d/{seed}", seed=seed, test={**TEST, "accuracy": value})
        for seed, value in enumerate(values, start=1)
    ]
    text = page(*folders).text
    mean, error = np.mean(values), stats.sem(values)
    low, high = stats.t.interval(0.95, 2, loc=mean, scale=error)
    sd = np.std(values, ddof=1)
    assert "3 runs with seeds 1, 2, 3" in text and "Counts are summed over 3 runs." in text
    assert f"accuracy 0.6000 0.0000 {mean:.4f} {sd:.4f} [{low:.4f}, {high:.4f}]" in text
    assert f"the mean accuracy of 3 seeds is {mean:.4f} with a standard deviation of {sd:.4f}" in text
    assert "3 of 3" in text and "m-d/3 3 0.6000 0.5000 done 1 min 0 s" in text


def test_many_classes_are_told_by_their_confusions_and_hardest_curves(tmp_path: Path) -> None:
    classes = 25
    folder = make_run(tmp_path, "m-d/1", test={f"recall/c{place}": 0.5 for place in range(classes)})
    label = np.arange(classes).repeat(4)
    scores = np.full((len(label), classes), 0.01)
    scores[np.arange(len(label)), np.where(np.arange(len(label)) % 4, label, (label + 1) % classes)] = 0.76
    np.savez(folder.predictions, index=np.arange(len(label)), label=label, scores=scores)
    text = page(folder).text
    assert "Confusion matrix" not in text and "c0 c1 1 25.0 %" in text
    assert "Shown are the 12 of 25 classes" in text and text.count("(area ") == 24


def folder_to_attack(tmp_path: Path) -> RunFolder:
    folder = run_folder(tmp_path, "m-d/1", test={**TEST, f"recall/{ATTACK}": 0.5})
    write_json(folder.path / "environment.json", {ATTACK: {ATTACK: ATTACK}, "git": None})
    folder.figures.mkdir()
    (folder.figures / 'a<b>&".png').write_bytes(PNG)
    (folder.path / "matches" / "1").mkdir(parents=True)
    match = {"games": 2, "won": 1, "drawn": 0, "lost": 1, "share": 0.5, "low": 0.1, "high": 0.9, "opponent": ATTACK}
    write_json(folder.path / "matches" / "1" / "match.json", match)
    return folder


TEXT = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=30),
    st.sampled_from(
        [ATTACK, "</style>", "--><!--", "&lt;b&gt;", "' onload='x", "${oc.env:HOME}", "中文\u202e", "\x00\n"]
    ),
)


@settings(max_examples=30)
@given(TEXT, TEXT, TEXT, TEXT, st.sampled_from(["en", "zh"]))
def test_whatever_a_run_says_is_shown_as_text(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: str, name: str, word: str, lang: Language
) -> None:
    folder = folder_to_attack(tmp_path_factory.mktemp("runs"))
    test = {"accuracy": 0.5, f"recall/{name}": 0.5, f"recall/{name} 2": 0.5, f"{word}/{name}": 1.0, word: 2.0}
    write_lines(folder.metrics, [{"step": 10, "epoch": 1.0, "split": "test", "scalars": test}])
    (folder.path / "overrides.txt").write_text(f"{word}={value}\n", encoding="utf-8")
    found = record_of(folder)
    hostile = replace(
        found,
        title=name,
        settings={**found.settings, key: value, "optimizer.lr": value, "seed": value},
        choices={**found.choices, "model": value, "optimizer": word, key: name},
        name=f"m-d/{name}",
    )
    html = report([hostile], lang=lang)
    tree = Tree(html)
    assert not {tag for tag, _ in tree.tags} & {"script", "link", "iframe", "object", "form", "base", "b"}
    for tag, attributes in tree.tags:
        assert not [one for one in attributes if one.startswith("on") or one in ("href", "srcdoc", "action")]
        assert tag != "img" or str(attributes["src"]).startswith("data:image/png;base64,")
        assert all(re.fullmatch(r"--s:[\d.]+", str(text)) for one, text in attributes.items() if one == "style")
    if printable := "".join(value.split()):
        seen = "".join("".join(tree.pieces).split())
        assert printable.replace("\x00", "\ufffd") in seen.replace("\x00", "\ufffd")


def test_the_page_asks_the_network_for_nothing(tmp_path: Path) -> None:
    folder = folder_to_attack(tmp_path)
    html = report([record_of(folder)], lang="en")
    outside = re.sub(r"data:image/png;base64,[\w+/=]+", "", html.replace("<img src=x", ""))
    assert not re.search(r"https?:|url\(|@import|<link|<script|src=\"[^\"]", outside.replace("&lt;", " "))
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in html
    assert "prefers-color-scheme: dark" in html and "@media print" in html


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_page_of_real_options_tells_what_differs_from_their_defaults(tmp_path: Path, lang: Language) -> None:
    changes = {"optimizer.lr": 0.5, "epochs": 7, "log_every": 3, "runtime.device": "cpu"}
    folder = make_run(tmp_path, "resnet18-digits/1", settings=changes)
    tree = page(folder, lang=lang)
    changed = tree.text.split(phrases(lang)["changed"])[1].split(phrases(lang)["all_settings"].split("{")[0])[0]
    assert "optimizer.lr 0.5 0.001" in changed and "epochs 7 15" in changed and "runtime.device cpu auto" in changed
    assert "log_every" not in changed and "scheduler.warmup" in changed
    assert ("html", {"lang": {"en": "en", "zh": "zh-CN"}[lang]}) in tree.tags


def test_options_that_are_not_known_here_have_no_defaults(tmp_path: Path) -> None:
    assert "The defaults of this run's options are not known here" in page(run_folder(tmp_path)).text


def test_every_english_word_has_a_chinese_one() -> None:
    same = {"fingerprint", "env/python", "env/cuda", "F1"}
    for name, (english, chinese) in {**PHRASES, **METRICS, **ENDINGS}.items():
        fields = [
            sorted({part for _, part, _, _ in string.Formatter().parse(text) if part}) for text in (english, chinese)
        ]
        assert fields[0] == fields[1], name
        special = name in same or name in ("lang", "comma", "pair", "of", "f1")
        assert english.strip() and (special or re.search("[\u4e00-\u9fff]", chinese)), name
        assert special or not re.search(
            r"[a-zA-Z]{4,}", re.sub(r"\{\w+\}|dlcourse( report)?|test=false|overrides\.txt|Wilson", "", chinese)
        ), name
    assert not set(phrases("en")) ^ set(phrases("zh"))


def test_a_chinese_page_has_no_english_sentence_of_its_own(tmp_path: Path) -> None:
    text = page(run_folder(tmp_path), lang="zh").text
    assert "训练模型 m，数据集 d（训练 100 项，验证 100 项，测试 100 项）" in text and "用时 1 分 0 秒" in text
    assert "准确率 0.6000 0.7500" in text and "混淆矩阵" in text and "如何重现" in text
    for _, english in ((name, both[0]) for name, both in PHRASES.items()):
        if len(english.split()) > 2 and "{" not in english:
            assert english not in text


def test_numbers_and_times_read_well() -> None:
    shown = [number(value) for value in (0.5, -0.25, 99.561, 1234567.0, 1e20, 12.0, 0.0, None, float("nan"))]
    assert shown == ["0.5000", "\u22120.2500", "99.56", "1,234,567", "1.000e+20", "12", "0.0000", "–", "–"]
    assert [lasting(one, words=phrases("en")) for one in (0.4, 59.6, 3599, 90000)] == [
        "0 s", "1 min 0 s", "59 min 59 s", "25 h 0 min",
    ]  # fmt: skip
    names = [metric_name(name, lang="zh") for name in ("strange", "strange_end", "f1_macro", "accuracy_8_opening")]
    assert names == ["strange", "strange_end", "F1（宏平均）", "准确率（8 种对称的平均）（开局）"]


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=300))
def test_a_chart_stays_within_its_frame(values: list[float]) -> None:
    line = Line("x", np.arange(len(values), dtype=float), np.array(values))
    chart = draw([line], title="t", xlabel="x", ylabel="y")
    if chart is None:
        assert sum(abs(value) <= LARGEST for value in values) < 2
        return
    left, top, right, bottom = chart.edges
    places = [tuple(map(float, point.split())) for point in re.split("[ML]", chart.strokes[0].path) if point]
    assert all(left - 0.1 <= x <= right + 0.1 and top - 0.1 <= y <= bottom + 0.1 for x, y in places)
    assert all(top - 0.1 <= float(place) <= bottom + 0.1 for place, _ in chart.yticks)


def test_a_thinned_curve_keeps_its_peaks() -> None:
    values = np.zeros(10_000)
    values[5_003], values[7_001] = 1.0, -1.0
    chart = draw([Line("x", np.arange(10_000.0), values)], title="", xlabel="", ylabel="")
    assert chart is not None
    heights = {point.split()[1] for point in re.split("[ML]", chart.strokes[0].path) if point}
    assert len(heights) == 3 and len(chart.strokes[0].path) < 60_000


def test_what_is_missing_is_left_out_and_what_is_unfinished_is_told(tmp_path: Path) -> None:
    untested = make_run(tmp_path, "m-d/1", test={})
    text = page(untested).text
    assert "m-d/1 has no test numbers" in text and "ROC" not in text and "Worst mistakes" not in text
    killed = run_folder(tmp_path, "m-d/2", state="running")
    assert "m-d/2 is killed at step 20: its numbers are those so far." in page(killed).text
    early = make_run(tmp_path, "m-d/3", val=[], test={}, state="failed")
    write_lines(early.metrics, [{"step": 5, "epoch": 0.5, "split": "train", "scalars": {"loss": float("nan")}}])
    assert "broken off by an error at step 5" in page(early).text


def test_damaged_leavings_are_told_and_the_rest_is_shown(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    folder.predictions.write_bytes(b"no archive")
    folder.figures.mkdir()
    (folder.figures / "test_mistakes.png").write_bytes(b"<svg onload=alert(1)>")
    (folder.figures / "test_boards.png").write_bytes(PNG)
    tree = page(folder)
    assert "m-d/1/predictions.npz is damaged and was left out." in tree.text
    assert "test_mistakes.png is damaged and was left out." in tree.text
    assert [tag for tag, _ in tree.tags].count("img") == 1 and "Positions and the moves it would play" in tree.text
    assert "0.7500" in tree.text and "[0.3" not in tree.text


def test_an_interval_is_given_only_to_the_accuracy_of_these_predictions(tmp_path: Path) -> None:
    assert "Interval by Wilson" not in page(run_folder(tmp_path, test={**TEST, "accuracy": 0.7})).text


def test_the_last_texts_of_a_run_are_its_samples(tmp_path: Path) -> None:
    from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[attr-defined]
    from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[attr-defined]
    from tensorboard.plugins.text.metadata import create_summary_metadata
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    from tensorboard.util.tensor_util import make_tensor_proto

    folder = run_folder(tmp_path)
    writer = EventFileWriter(str(folder.path))
    for step, text in ((10, "old"), (20, f"床前明月光，  \n{ATTACK}")):
        value = Summary.Value(
            tag="val/samples/free/text_summary",
            metadata=create_summary_metadata(display_name=None, description=None),
            tensor=make_tensor_proto([text.encode()]),
        )
        writer.add_event(Event(step=step, wall_time=float(step), summary=Summary(value=[value])))
    writer.close()
    tree = page(folder)
    assert "Written by m-d/1 at step 20. free 床前明月光，" in tree.text and "old" not in tree.text
    assert ATTACK in "".join(tree.pieces)
    [path] = folder.path.glob(leavings.EVENTS)
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + b"\xff\x00" + content[place + 2 :])
        assert len(leavings.samples(folder.path, words=phrases("en")).samples) <= 1


def told(*words: str) -> str:
    with pytest.raises((ConfigError, RunError)) as caught:
        main(list(words))
    assert caught.value.exit_code == 2
    return "\n".join(caught.value.problems)


def test_bad_words_are_told_in_a_line(tmp_path: Path) -> None:
    runs = f"runs={tmp_path}"
    run_folder(tmp_path, "m-d/1")
    make_run(tmp_path, "lstm-tang/2", choices={"task": "poetry"})
    make_run(tmp_path, "m-d/3", settings={"optimizer.lr": 0.5})
    make_run(tmp_path, "m-d/4", val=[], test={})
    assert "there is no run" in told(runs)
    assert "did you mean 'm-d/1'" in told("m-d/7", runs) or "there is no such run" in told("m-d/7", runs)
    assert "lang must be" in told("m-d/1", runs, "lang=de")
    assert "there is no folder" in told("m-d/1", runs, f"out={tmp_path}/nowhere/x.html")
    assert "is a folder" in told("m-d/1", runs, f"out={tmp_path}")
    different = told("m-d/1", "lstm-tang/2", runs)
    assert (
        "of different tasks (classification, poetry)" in different and "dlcourse compare m-d/1 lstm-tang/2" in different
    )
    assert "differ in optimizer.lr" in told("m-d/1", "m-d/3", runs)
    assert "nothing was recorded yet" in told("m-d/4", runs)
    (tmp_path / "m-d" / "1" / "metrics.jsonl").write_text("{\n{\n", encoding="utf-8")
    with pytest.raises(DamagedRun, match=r"metrics\.jsonl"):
        main(["m-d/1", runs])


def test_pages_go_to_the_run_or_beside_all_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = f"runs={tmp_path}"
    for name, seed in (("m-d/1", 1), ("m-d/2", 2), ("m-d/3", 2), ("m-e/4", 3)):
        run_folder(tmp_path, name, seed=seed)
    assert main(["m-d/1", runs]) == 0 and main(["m-d/1", runs, "lang=zh"]) == 0
    assert (tmp_path / "m-d/1/report.html").is_file() and (tmp_path / "m-d/1/report.zh.html").is_file()
    assert main(["m-d/1", "seeds=true", runs]) == 0
    [path] = (tmp_path / "reports").iterdir()
    assert f"wrote {path} of 2 runs" in capsys.readouterr().out
    text = Tree(path.read_text(encoding="utf-8")).text
    assert "2 runs with seeds 1, 2" in text and re.search(r"Not counted, .* repetitions: m-d/3\.", text)


def test_of_runs_that_repeat_each_other_the_named_one_is_kept_then_an_intact_one_then_the_oldest(
    tmp_path: Path,
) -> None:
    runs = f"runs={tmp_path}"
    for day, (seed, state) in enumerate([(1, "done"), (1, "interrupted"), (2, "failed"), (2, "done"), (2, "done")]):
        run_folder(tmp_path, f"m-d/2026-01-0{day + 1}_00-00-00-000000", seed=seed, state=state)
    assert main(["m-d/2026-01-02_00-00-00-000000", "seeds=true", runs]) == 0
    [path] = (tmp_path / "reports").iterdir()
    left_out = re.search(r"Not counted, .* repetitions: (.*?)\. ", Tree(path.read_text(encoding="utf-8")).text)
    assert left_out is not None
    assert re.findall(r"2026-01-0(\d)", left_out[1]) == ["5", "3", "1"]


def test_epochs_are_rounded_and_the_samples_of_all_steps_are_counted(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    record = replace(record_of(folder), step=3350, epoch=8.2512)
    assert "for 8.3 epochs (3,350 steps of 32 samples, 107,200 in all)" in Tree(report([record], lang="en")).text
    assert "共 8.3 轮（3,350 步，每步 32 个样本，总计 107,200 个）" in Tree(report([record], lang="zh")).text


def test_what_is_rounded_to_one_epoch_is_one(tmp_path: Path) -> None:
    record = replace(record_of(run_folder(tmp_path)), epoch=0.9874)
    assert "for 1 epoch (" in Tree(report([record], lang="en")).text


def test_a_run_that_started_from_another_says_so(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "m-d/1", settings={"init.pretrained.run": "lm-texts/7", "init.bias.smoothing": 1.0})
    assert "It started from weights of lm-texts/7." in page(folder).text
    assert "初始权重取自运行 lm-texts/7。" in page(folder, lang="zh").text
    assert "It started from" not in page(run_folder(tmp_path, "m-d/2")).text


def test_a_mean_curve_that_ends_before_its_longest_run_says_so(tmp_path: Path) -> None:
    long = make_run(tmp_path, "m-d/1", val=[{"accuracy": one / 10} for one in (5, 6, 7)])
    short = make_run(tmp_path, "m-d/2", settings={"seed": 2})
    assert "to step 20, where the shortest run ends" in page(long, short).text
    single = make_run(tmp_path, "m-d/3", settings={"seed": 3}, val=[{"accuracy": 0.5}])
    assert "runs of a single point left out: 1" in page(long, single).text


def test_torch_is_not_imported(tmp_path: Path) -> None:
    run_folder(tmp_path)
    words = ["m-d/1", f"runs={tmp_path}"]
    code = f"import sys; from dlcourse.commands.report import main; main({words!r}); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(re.findall(r"'([^']+)'", done.stdout.splitlines()[-1]))
    assert "dlcourse.pages.report" in modules and not modules & {"torch", "matplotlib", "tensorflow"}


def test_a_deletion_test_stands_with_its_plot(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    (folder.path / "attribution").mkdir()
    (folder.path / "attribution" / "flips.png").write_bytes(PNG)
    (folder.path / "attribution" / "attribution.json").write_text(json.dumps({"conclusion": "So <b>little</b>."}))
    tree = page(folder)
    assert "Deletion test flips.png" in tree.text and "So <b>little</b>." in tree.text
