"""TensorBoard's messages: their classes are made when they are imported, so no type checker knows them."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

Message = Any
"""A protocol buffer, such as an event or a summary."""

PLACES = {
    "event": "compat.proto.event_pb2",
    "summary": "compat.proto.summary_pb2",
    "tensor": "compat.proto.tensor_pb2",
    "shape": "compat.proto.tensor_shape_pb2",
    "layout": "plugins.custom_scalar.layout_pb2",
    "hparams": "plugins.hparams.plugin_data_pb2",
    "hparams_api": "plugins.hparams.api_pb2",
}
"""What its messages are about -> the module below tensorboard."""


@cache
def proto(name: str) -> Any:
    """A module of messages, imported when it is first needed: `proto("event").Event(...)`."""
    return importlib.import_module(f"tensorboard.{PLACES[name]}")
