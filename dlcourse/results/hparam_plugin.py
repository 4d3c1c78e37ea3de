"""TensorBoard's HPARAMS tab with the columns of all runs, where its own has those of any one of them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

Content = Callable[[], bytes]
"""Gives the tab's columns as they are now, an HParamsPluginData."""


class OneExperiment:
    """A provider of data that tells of one experiment, in place of the one that each run has written.

    Args:
        provider: what reads the event files.
        content: its columns.
    """

    def __init__(self, provider: Any, *, content: Content) -> None:
        self._provider, self._content = provider, content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    def list_tensors(self, *words: Any, **named: Any) -> dict[str, dict[str, Any]]:
        """Run -> tag -> what is known of it."""
        from tensorboard.data.provider import TensorTimeSeries
        from tensorboard.plugins.hparams.metadata import EXPERIMENT_TAG

        runs: dict[str, dict[str, Any]] = self._provider.list_tensors(*words, **named)
        told = TensorTimeSeries(
            max_step=0, max_wall_time=0.0, plugin_content=self._content(), description="", display_name=""
        )
        others = {
            run: {tag: series for tag, series in tags.items() if tag != EXPERIMENT_TAG} for run, tags in runs.items()
        }
        return {"": {EXPERIMENT_TAG: told}, **others}


def plugins(content: Content) -> list[Any]:
    """TensorBoard's plugins, of which HPARAMS has these columns."""
    from tensorboard.default import get_plugins
    from tensorboard.plugins.hparams.hparams_plugin import HParamsPlugin

    class Columns(HParamsPlugin):
        """The tab; all else is TensorBoard's."""

        def __init__(self, context: Any) -> None:
            own = copy.copy(context)
            own.data_provider = OneExperiment(context.data_provider, content=content)
            super().__init__(own)

    return [Columns if plugin is HParamsPlugin else plugin for plugin in get_plugins()]
