"""What a training leaves on disk so that it can be resumed after any step, to the same weights."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sized
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, cast

import torch
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch.utils.data import DataLoader, Dataset

from ACNetLib.errors import ACNetError
from ACNetLib.files import atomic_path

from .dataset import EpochSampler

TRAIN_ANEW = "Remove the folder of this training and run the command again; it begins anew."
BEST_CHECKPOINT, LAST_CHECKPOINT = "best.ckpt", "last.ckpt"


@contextmanager
def resumable_writes(path: Path) -> Iterator[None]:
    """Say of a full disk, or a folder that is gone, what to do. Raises ACNetError."""
    try:
        yield
    except OSError as error:
        raise ACNetError(
            f"{path}: it can't be written ({error.strerror or error}). What was written before is kept: make room and "
            "run the same command again to resume."
        ) from error


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Raises ACNetError when it is missing or damaged."""
    try:
        checkpoint: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    except OSError as error:
        raise ACNetError(f"{path}: it can't be read ({error.strerror}). {TRAIN_ANEW}") from error
    except (RuntimeError, UnpicklingError, EOFError, LookupError, ValueError) as error:
        raise ACNetError(f"{path}: this checkpoint is damaged. {TRAIN_ANEW}") from error
    return checkpoint


class AtomicCheckpoints(TorchCheckpointIO):
    """Lightning's checkpoints, whole or not there: its own may be copied from another disk, which can be cut short."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        content = io.BytesIO()
        torch.save(checkpoint, content)
        with resumable_writes(Path(path)), atomic_path(Path(path)) as temporary:
            temporary.write_bytes(content.getbuffer())


class KeepCheckpoints(Checkpoint):
    """Keeps the weights of the epoch with the lowest validation loss, and the whole state after the last epoch."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.best_loss = float("inf")
        self.best_epoch = 0
        """Counted from 1."""

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        loss = float(trainer.callback_metrics["validation_loss"])
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, trainer.current_epoch + 1
            trainer.save_checkpoint(self._folder / BEST_CHECKPOINT, weights_only=True)
        trainer.save_checkpoint(self._folder / LAST_CHECKPOINT)

    def state_dict(self) -> dict[str, Any]:
        return {"best_loss": self.best_loss, "best_epoch": self.best_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best_loss, self.best_epoch = state_dict["best_loss"], state_dict["best_epoch"]


class ResumableLoader(DataLoader[Any]):
    """Batches in the order of an EpochSampler, which can begin within an epoch; the next one is made meanwhile.

    A thread does that: cutting slices lets go of Python's lock, and no other process has to be given the images.
    Lightning asks for `state_dict` when it writes a checkpoint and gives it back when it resumes within an epoch. The
    last batch is dropped where it is not full.
    """

    def __init__(self, dataset: Dataset[Any], batch_size: int, sampler: EpochSampler) -> None:
        drop_last = len(cast(Sized, dataset)) >= batch_size
        super().__init__(dataset, batch_size, sampler=sampler, drop_last=drop_last)
        self._first = self._given = 0

    def __iter__(self) -> Any:
        self._given, self._first = self._first, 0
        cast(EpochSampler, self.sampler).start_at(self._given * cast(int, self.batch_size))
        batches = super().__iter__()
        with ThreadPoolExecutor(1) as beside:
            upcoming = beside.submit(next, batches, None)
            while (batch := upcoming.result()) is not None:
                upcoming = beside.submit(next, batches, None)
                self._given += 1
                yield batch

    def state_dict(self) -> dict[str, int]:
        return {"batches": self._given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._first = state["batches"]
