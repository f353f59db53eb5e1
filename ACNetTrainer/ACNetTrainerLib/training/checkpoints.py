"""What a training leaves on disk so that it can be resumed after any step, to the same weights."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from ACNetLib.errors import ACNetError
from ACNetLib.files import atomic_path

TRAIN_ANEW = "Remove the folder of this training and run the command again; it begins anew."
BEST_CHECKPOINT, LAST_CHECKPOINT = "best.ckpt", "last.ckpt"


@dataclass
class Progress:
    """How far a training has come. epochs: that are done. step_losses: of the steps done in the epoch after these.

    best_epoch: with the lowest validation loss, counted from 1. unwritten: by epoch, rows of metrics.csv that could not
    be written yet.
    """

    epochs: int = 0
    step_losses: list[float] = field(default_factory=list)
    best_epoch: int = 0
    best_loss: float = math.inf
    unwritten: dict[int, dict[str, float]] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        return len(self.step_losses)

    @property
    def mean_training_loss(self) -> float:
        return sum(self.step_losses) / len(self.step_losses)


@contextmanager
def resumable_writes(path: Path) -> Iterator[None]:
    """Say of a full disk, a folder that is gone, or a file that is open elsewhere, what to do. Raises ACNetError."""
    try:
        yield
    except OSError as error:
        raise ACNetError(
            f"{path}: it can't be written ({error.strerror or error}). What was written before is kept: close it "
            "where it is open, or make room, and run the same command again to resume."
        ) from error


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Raises ACNetError when it is missing, damaged or that of an earlier version."""
    try:
        checkpoint: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    except OSError as error:
        raise ACNetError(f"{path}: it can't be read ({error.strerror}). {TRAIN_ANEW}") from error
    except (RuntimeError, UnpicklingError, EOFError, LookupError, ValueError) as error:
        raise ACNetError(f"{path}: this checkpoint is damaged. {TRAIN_ANEW}") from error
    if not isinstance(checkpoint, dict) or "network" not in checkpoint:
        raise ACNetError(f"{path}: found no checkpoint of this version. {TRAIN_ANEW}")
    return checkpoint


def write_checkpoint(path: Path, checkpoint: dict[str, Any]) -> None:
    """Whole or not at all. Raises ACNetError."""
    content = io.BytesIO()
    torch.save(checkpoint, content)
    with resumable_writes(path), atomic_path(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def random_states(device: torch.device) -> dict[str, Tensor]:
    """Of torch's generators, by device: a training that stops within an epoch goes on with the same numbers."""
    states = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        states[device.type] = torch.get_device_module(device).get_rng_state()
    return states


def set_random_states(states: dict[str, Tensor], device: torch.device) -> None:
    """Those of another computer's device, such as a Mac's, are of no use here."""
    if "cpu" in states:
        torch.set_rng_state(states["cpu"])
    if device.type != "cpu" and device.type in states:
        torch.get_device_module(device).set_rng_state(states[device.type])
