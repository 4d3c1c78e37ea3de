"""Means as TensorBoard reads them: runs that grow, and a layout of charts with bands."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dlcourse.results.hparam_events import decisive, session_end, session_start
from dlcourse.results.means import Mean
from dlcourse.results.protos import Message, proto

Points = dict[int, dict[str, float]]
"""Step -> tag -> value, steps rising."""

BAND = "with band"  # behind train/ and val/ among the tags
MEAN, LOW, HIGH = "mean", "low", "high"
TITLES = {"val": "Means over seeds: validation", "train": "Means over seeds: training"}
MORE = "Means over seeds: more of validation"
OVER_FOLDS = " (bands over folds are too narrow: folds share training data)"
PLUGIN = "custom_scalars"
LAYOUT = "custom_scalars__config__"


class Series:
    """One run of TensorBoard's that grows: what is told again is not written again, and what changed is replaced.

    Args:
        folder: where its one event file stands.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / f"events.out.tfevents.{time.time():010.0f}.means"
        self._written: Points = {}
        self._told: list[Message] = []
        self._append([proto("event").Event(wall_time=time.time(), file_version="brain.Event:2")])

    def update(self, points: Points) -> None:
        """Make it these points."""
        same = [step for step in points if repr(points[step]) == repr(self._written.get(step))]  # nan is not nan
        changed = [step for step in {**points, **self._written} if step not in same]
        if changed:
            self._append(self._from(min(changed), points))
            self._written = points

    def tell(self, about: Message) -> None:
        """Say this of the run, unless it was said already; of what is said under one tag the last counts."""
        if about not in self._told:
            self._told.append(about)
            self._append([event(about, step=len(self._told))])

    def _from(self, step: int, points: Points) -> Iterator[Message]:
        if self._written and step <= max(self._written):
            log = proto("event").SessionLog
            # TensorBoard drops all that it has from this step on, and with it what was told of the run.
            yield proto("event").Event(wall_time=time.time(), step=step, session_log=log(status=log.START))
            yield from (event(about, step=number) for number, about in enumerate(self._told, start=1))
        summary = proto("summary").Summary
        for place, values in points.items():
            if place >= step:
                scalars = [summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
                yield event(summary(value=scalars), step=place)

    def _append(self, events: Iterable[Message]) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        with self._file.open("ab") as file:
            writer = RecordWriter(file)
            for event in events:
                writer.write(event.SerializeToString())


def event(summary: Message, *, step: int) -> Message:
    """What stands in an event file."""
    return proto("event").Event(wall_time=time.time(), step=step, summary=summary)


class MeanRuns:
    """The three runs of a mean: itself with all that its charts and tables need, and its band's two edges.

    Args:
        folder: below which they stand.
        mean: as it is now.
    """

    def __init__(self, folder: Path, *, mean: Mean) -> None:
        self._mean = Series(folder)
        self._mean.tell(session_start(mean.records))
        self._low, self._high = Series(folder / LOW), Series(folder / HIGH)

    def update(self, mean: Mean, *, charts: Message) -> None:
        """Make them what the mean is now; `charts` is the layout of the CUSTOM SCALARS tab."""
        self._mean.tell(charts)
        self._mean.update(laid_out(mean, edges=(MEAN, LOW, HIGH)))
        self._low.update(laid_out(mean, edges=(LOW,)))
        self._high.update(laid_out(mean, edges=(HIGH,)))
        if mean.complete:
            self._mean.tell(session_end(mean.records))


def laid_out(mean: Mean, *, edges: Sequence[str]) -> Points:
    """The points of one run: its first edge under the tags of single runs; several edges once more for the charts.

    A chart with a band reads its three curves from one run, so they have three tags. They are not those of single
    runs, or TensorBoard would complain that those have no band.
    """
    points: Points = {}
    for tag, band in mean.bands.items():
        curves = {MEAN: band.mean, LOW: band.low, HIGH: band.high}
        named = {tag: curves[edges[0]]}
        if len(edges) > 1 and not tag.startswith("test/"):
            named |= {banded(tag, edge): curves[edge] for edge in edges}
        for name, values in named.items():
            for step, value in zip(band.steps, values, strict=True):
                points.setdefault(int(step), {})[name] = float(value)
    return dict(sorted(points.items()))


def banded(tag: str, edge: str) -> str:
    """The tag of one of a band's three curves; it sorts behind train/ and val/."""
    return f"{BAND}/{tag} {edge}"


def layout(means: Sequence[Mean]) -> Message:
    """What CUSTOM SCALARS shows: for each number a chart with the mean and band of every group, decisive ones first."""
    tags = dict.fromkeys(tag for mean in means for tag in mean.bands)
    first = [tag for tag in decisive([record for mean in means for record in mean.records]) if tag in tags]
    shown = {
        TITLES["val"]: [tag for tag in first if tag.startswith("val/")],
        TITLES["train"]: [tag for tag in tags if tag.startswith("train/")],
        MORE: [tag for tag in tags if tag.startswith("val/") and tag not in first],
    }
    category = proto("layout").Category
    proviso = OVER_FOLDS if any(mean.over_folds for mean in means) else ""
    found = proto("layout").Layout(
        category=[
            category(title=title + proviso, closed=title == MORE, chart=[chart(tag) for tag in some])
            for title, some in shown.items()
            if some
        ]
    )
    summary, metadata = proto("summary").Summary, proto("summary").SummaryMetadata
    about = metadata(plugin_data=metadata.PluginData(plugin_name=PLUGIN))
    shape = proto("shape").TensorShapeProto()
    text = proto("tensor").TensorProto(dtype="DT_STRING", string_val=[found.SerializeToString()], tensor_shape=shape)
    return summary(value=[summary.Value(tag=LAYOUT, tensor=text, metadata=about)])


def chart(tag: str) -> Message:
    """A number of all groups, each a line with a shade around it."""
    content = proto("layout").MarginChartContent
    series = content.Series(value=banded(tag, MEAN), lower=banded(tag, LOW), upper=banded(tag, HIGH))
    return proto("layout").Chart(title=tag, margin=content(series=[series]))
