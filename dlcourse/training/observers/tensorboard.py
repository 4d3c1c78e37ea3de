"""TensorBoard: scalars, pictures, curves, texts and hyper-parameters of one run in its one folder."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from torch.utils.tensorboard.summary import hparams
from torch.utils.tensorboard.writer import SummaryWriter

from dlcourse.media import Picture, PrecisionRecall, Text
from dlcourse.training.events import Event, Record, Shown

EVENTS = "events.out.tfevents.*"
PLAIN = frozenset({"lr", "grad_norm", "loss_scale", "skipped"})  # of training alone, so without `train/` before
TIMING = ("samples_per_second", "peak_memory_bytes")  # of what the machine determines, what is drawn


class TensorBoard:
    """Writes events into `folder`; after a resume what stands there from the checkpoint's step on is purged.

    That step's own records have to be written again: a killed process may have written the test's beside them.

    Args:
        folder: the run folder.
        settings: hyper-parameters by dotted name, for the HPARAMS tab.
        metrics: the scalars that the tab compares, such as "val/accuracy".
        resumed_at: the checkpoint's step, 0 for a new run.
    """

    def __init__(
        self, folder: Path, *, settings: Mapping[str, object], metrics: list[str], resumed_at: int = 0
    ) -> None:
        # For a new run too: TensorBoard takes a folder's first mark for its start and purges from the second on.
        self._writer = newest(folder, purge_step=resumed_at)
        # add_hparams would open a second run folder; the same three summaries fit into this one.
        values = {name: plain(value) for name, value in settings.items()}
        experiment, start, self._end = hparams(values, dict.fromkeys(metrics, 0.0))
        file = self._writer._get_file_writer()
        file.add_summary(experiment)
        file.add_summary(start)

    def __call__(self, event: Event) -> None:
        match event:
            case Record():
                self._record(event)
            case Shown():
                drawn = {
                    f"val/{name}": render(item) if isinstance(item, Picture) else item
                    for name, item in event.media.items()
                }
                self.show(drawn, step=event.step)
            case _:
                return
        self._writer.flush()

    def show(self, media: Mapping[str, np.ndarray | PrecisionRecall | Text], *, step: int) -> None:
        """Pixels (uint8 [H, W, 3]) under IMAGES, precision-recall curves under PR CURVES, texts under TEXT."""
        for name, item in media.items():
            match item:
                case PrecisionRecall():
                    self._writer.add_pr_curve(name, item.hits, item.scores, step)
                case Text():
                    self._writer.add_text(name, item.markdown, step)
                case _:
                    self._writer.add_image(name, item, step, dataformats="HWC")

    def close(self) -> None:
        self._writer.close()

    def finish(self) -> None:
        """Mark the run as ended in the HPARAMS tab."""
        self._writer._get_file_writer().add_summary(self._end)

    def _record(self, record: Record) -> None:
        for name, value in record.scalars.items():
            tag = name if name in PLAIN else f"{record.split}/{name}"
            self._writer.add_scalar(tag, value, record.step)
        if record.split == "train":
            for name in TIMING:
                if name in record.timing:
                    self._writer.add_scalar(name, record.timing[name], record.step)


def newest(folder: Path, *, purge_step: int) -> SummaryWriter:
    """A writer whose file TensorBoard reads last, as it must.

    TensorBoard reads files in the order of their names, which hold the second and the number of the writer in its
    process. Where one process goes on with a run in the second in which it stopped it, number 10 comes before 9.
    """
    while True:
        before = set(folder.glob(EVENTS))
        writer = SummaryWriter(str(folder), purge_step=purge_step)
        (own,) = set(folder.glob(EVENTS)) - before
        if all(path.name < own.name for path in before) or not same_second(own, before):
            return writer
        writer.close()
        own.unlink()
        time.sleep(1 - time.time() % 1)


def same_second(own: Path, others: Iterable[Path]) -> bool:
    """Whether a name among the others begins with the second that `own` begins with."""
    begin = ".".join(own.name.split(".")[:4])
    return any(path.name.startswith(f"{begin}.") for path in others)


def plain(value: object) -> bool | int | float | str:
    """A value as the HPARAMS tab can filter it: numbers as they are, everything else in words."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return str(value)


def render(picture: Picture) -> np.ndarray:
    """The figure's pixels, uint8 [H, W, 3]."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(picture.draw())
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
