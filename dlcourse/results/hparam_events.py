"""Runs as the rows of TensorBoard's HPARAMS tab: settings, and the metrics that they are compared by."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from dlcourse.results.groups import is_one
from dlcourse.results.protos import Message, proto
from dlcourse.results.record import MECHANICS, RunRecord


def decisive(records: Iterable[RunRecord]) -> list[str]:
    """The tags by which runs are compared: what picks a best checkpoint, and the loss, on validation and test."""
    names = dict.fromkeys([*(record.decisive[0] for record in records), "loss"])
    return [f"{split}/{name}" for split in ("val", "test") for name in names]


def hyperparameters(records: Sequence[RunRecord]) -> dict[str, float | str]:
    """The settings that these runs share, as the HPARAMS tab takes them: numbers, and everything else in words."""
    return {
        name: value if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
        for name, value in records[0].settings.items()
        if value is not None and not isinstance(value, list | dict) and name not in MECHANICS and is_one(records, name)
    }


def columns(records: Sequence[RunRecord]) -> Message:
    """The columns of the HPARAMS tab: every setting of any run, and the numbers that they are compared by.

    TensorBoard shows first those that differ.
    """
    from google.protobuf.struct_pb2 import ListValue, Value

    api = proto("hparams_api")
    every: dict[str, list[float | str]] = {}
    for record in records:
        for name, value in hyperparameters([record]).items():
            every.setdefault(name, []).append(value)
    found = api.Experiment(
        time_created_secs=time.time(),
        metric_infos=[api.MetricInfo(name=api.MetricName(tag=tag)) for tag in decisive(records)],
    )
    for name, values in every.items():
        info = found.hparam_infos.add(name=name, differs=len(set(values)) > 1)
        numbers = [value for value in values if not isinstance(value, str)]
        if len(numbers) == len(values):
            info.type = api.DATA_TYPE_FLOAT64
            info.domain_interval.CopyFrom(api.Interval(min_value=min(numbers), max_value=max(numbers)))
        else:
            info.type = api.DATA_TYPE_STRING
            texts = sorted({str(value) for value in values})
            info.domain_discrete.CopyFrom(ListValue(values=[Value(string_value=text) for text in texts]))
    return proto("hparams").HParamsPluginData(experiment=found)


def session_start(records: Sequence[RunRecord]) -> Message:
    """The row of these runs together: the settings that they share, so without the seed."""
    from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG

    began = min(record.began for record in records)
    found = proto("hparams").SessionStartInfo(start_time_secs=began.timestamp())
    for name, value in hyperparameters(records).items():
        if isinstance(value, str):
            found.hparams[name].string_value = value
        else:
            found.hparams[name].number_value = value
    return summary(SESSION_START_INFO_TAG, proto("hparams").HParamsPluginData(session_start_info=found))


def session_end(records: Sequence[RunRecord]) -> Message:
    """That the row of these runs is complete."""
    from tensorboard.plugins.hparams.metadata import SESSION_END_INFO_TAG

    ended = max(record.began.timestamp() + record.seconds for record in records)
    found = proto("hparams").SessionEndInfo(status=proto("hparams_api").STATUS_SUCCESS, end_time_secs=ended)
    return summary(SESSION_END_INFO_TAG, proto("hparams").HParamsPluginData(session_end_info=found))


def summary(tag: str, content: Message) -> Message:
    """What an event file holds of it; the tab reads it from the tag's description."""
    from tensorboard.plugins.hparams.metadata import NULL_TENSOR, create_summary_metadata

    found = proto("summary").Summary
    return found(value=[found.Value(tag=tag, metadata=create_summary_metadata(content), tensor=NULL_TENSOR)])
