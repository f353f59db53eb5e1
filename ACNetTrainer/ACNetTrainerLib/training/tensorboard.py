"""What trainings report as TensorBoard's event files, a folder a training, by the extra tensorboard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ACNetLib.errors import ACNetError

from .progress import Event, Watch


def check_tensorboard() -> None:
    """Raises ACNetError when the extra is missing."""
    try:
        import torch.utils.tensorboard  # noqa: F401  # whether it can be is the question
    except ImportError as error:
        raise ACNetError(
            "--tensorboard: the package 'tensorboard' is missing; install it with pip install "
            "'SlicerACNet[tensorboard]', or leave the option out."
        ) from error


def event_writer(folder: Path, first_epoch: int = 1) -> Any:
    """A `SummaryWriter`; what was written of `first_epoch` and later ones, by a process that was killed, is void."""
    from torch.utils.tensorboard.writer import SummaryWriter

    return SummaryWriter(str(folder), purge_step=first_epoch)


def write_epoch(writer: Any, epoch: int, values: Mapping[str, float]) -> None:
    """values: the columns of metrics.csv. Losses share a chart, and so do the networks and folds in each."""
    for name, value in values.items():
        phase, _, measure = name.partition("_")
        writer.add_scalar(f"loss/{phase}" if measure == "loss" else f"{phase}/{measure}", value, epoch)
    writer.flush()


@contextmanager
def in_tensorboard(watch: Watch, folder: Path | None) -> Iterator[Watch]:
    """The watch, and event files in `folder` beside it: there, or below by start and name where trainings have these.

    None: the watch alone. Raises ACNetError when the extra is missing.
    """
    if folder is None:
        yield watch
        return
    files = _EventFiles(folder)

    def report(event: Event) -> None:
        files.report(event)
        watch.report(event)

    try:
        yield replace(watch, report=report)
    finally:
        files.close()


class _EventFiles:
    def __init__(self, folder: Path) -> None:
        self._root = self._folder = folder
        check_tensorboard()  # now, and not after the first epoch
        self._writer: Any = None

    def report(self, event: Event) -> None:
        match event:
            case {"event": "training", "start": str(start), "name": str(name)}:
                self._folder = self._root / start / name
            case {"event": "start", "epochs_done": int(done)}:
                self.close()
                self._writer = event_writer(self._folder, done + 1)
            case {"event": "epoch", "epoch": int(epoch), "losses": dict(losses), "metrics": dict(metrics)}:
                write_epoch(self._writer, epoch, {**losses, **metrics})

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
