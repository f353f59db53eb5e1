"""A training loop that can be killed or stopped at any time and resumes to the same weights."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import SimpleITK as sitk
import torch
from torch import Tensor, nn

from ACNetLib.errors import ACNetError
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.models.weights import round_weights

from .batches import Batch, EpochBatches, InOrder
from .checkpoints import (
    BEST_CHECKPOINT,
    LAST_CHECKPOINT,
    Progress,
    random_states,
    read_checkpoint,
    resumable_writes,
    set_random_states,
    write_checkpoint,
)
from .normalization import STATISTICS_SLICES, recompute_statistics
from .precision import Precision, PrecisionChoice, choose_precision
from .progress import UNWATCHED, StopSignals, TrainingStopped, Watch, Watcher
from .recipe import Optimization
from .work_folder import METRICS_FILE, only_process, write_rows


class FittingTask(ABC):
    """What a network is to learn, and how it is judged after each epoch. frozen: modules that stay as they are."""

    def __init__(self, network: nn.Module, optimization: Optimization, frozen: Sequence[nn.Module] = ()) -> None:
        self.network = network
        self.optimization = optimization
        self.frozen = tuple(frozen)
        for module in self.frozen:
            module.requires_grad_(False)

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Of a training batch: "loss", which is minimized, and parts of it if the task likes."""

    @abstractmethod
    def validate(self, batches: Iterable[Batch]) -> dict[str, float]:
        """Over all validation batches "validation_loss", the lowest being best, and the metrics."""


def learning_rate_factor(settings: Optimization, steps_per_epoch: int, step: int) -> float:
    """Linear rise over the warm-up, then constant or half a cosine down to 1 % at the last epoch."""
    warmup = settings.warmup_epochs * steps_per_epoch
    if step < warmup:
        return (step + 1) / warmup
    if settings.schedule == "constant":
        return 1.0
    progress = (step - warmup) / max(1, settings.epochs * steps_per_epoch - warmup)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


@dataclass(frozen=True)
class Place:
    """Where a training is done and who follows it. work_folder: keeps its checkpoints and metrics.csv, from which it is
    resumed."""

    work_folder: Path
    device: DeviceChoice
    watch: Watch = UNWATCHED


@dataclass(frozen=True)
class Fitted:
    """best_epoch: counted from 1. precision: that of the last process that trained."""

    best_epoch: int
    precision: Precision


def fit(
    task: FittingTask, training: EpochBatches, validation: InOrder, place: Place, bits: Literal[8, 16] = 8
) -> Fitted:
    """Train until the last epoch or early stopping, from the last checkpoint in the work folder if there is one.

    The network has the weights of the epoch with the lowest validation loss then, rounded as they are stored. Raises
    ACNetError when a loss is no number, a file can't be written, or another process trains in the folder, and
    TrainingStopped at the wish of the watch, after Ctrl-C and after SIGTERM.
    """
    signals, work_folder, device = StopSignals(), place.work_folder, torch.device(place.device.device)
    with only_process(work_folder), _one_thread_a_slice(), signals.listening():
        precision = choose_precision(task.optimization.precision, device.type)
        loop = _Loop(task, training, work_folder, device, precision)
        with Watcher(place.watch, signals, task.optimization.epochs, len(training)) as watcher:
            loop.run(validation, watcher)
        best = read_checkpoint(work_folder / BEST_CHECKPOINT)
        task.network.load_state_dict(best["network"])
        task.network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        round_weights(task.network, bits)
        return Fitted(best["epoch"], precision.precision)


class _Loop:
    """The state of a training: its network, optimizer, scale of 16-bit gradients, and how far it is."""

    def __init__(
        self,
        task: FittingTask,
        training: EpochBatches,
        work_folder: Path,
        device: torch.device,
        precision: PrecisionChoice,
    ) -> None:
        self._task, self._training, self._work_folder = task, training, work_folder
        self._device, self._precision = device, precision
        self._settings = task.optimization
        self._network = task.network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._optimizer = _optimizer(task)
        # No processor computes with float16: bfloat16 stands in for it there.
        is_float16 = precision.precision == "16-mixed" and device.type != "cpu"
        self._scaler = torch.amp.GradScaler(device.type, enabled=is_float16)
        self._number_type = torch.float16 if is_float16 else torch.bfloat16
        self._progress = Progress()
        self._random_states: dict[str, Tensor] = {}
        if (work_folder / LAST_CHECKPOINT).is_file():
            self._go_on_from(read_checkpoint(work_folder / LAST_CHECKPOINT))

    def run(self, validation: InOrder, watcher: Watcher) -> None:
        if not self._is_done:
            watcher.start(self._progress, self._precision)
        while not self._is_done:
            self._train_epoch(watcher)
            self._validate(validation, watcher)
        if self._progress.unwritten:
            with resumable_writes(self._work_folder / METRICS_FILE):
                self._write_rows()

    @property
    def _is_done(self) -> bool:
        done, settings = self._progress, self._settings
        return done.epochs == settings.epochs or done.epochs - done.best_epoch >= settings.early_stopping_epochs

    def _train_epoch(self, watcher: Watcher) -> None:
        done = self._progress
        self._network.train()
        for module in self._task.frozen:
            module.eval()
        # Dropout, too, depends on seed and epoch alone, so a resumed training equals an uninterrupted one.
        torch.manual_seed(self._settings.seed * 100_003 + done.epochs)
        set_random_states(self._random_states, self._device)
        self._random_states = {}
        for batch in self._on_device(self._training.of_epoch(done.epochs, done.steps)):
            rate = self._learning_rate(self._steps_done)
            losses = self._step(batch, rate)
            self._check(losses["loss"], f"step {done.steps + 1} of epoch {done.epochs + 1}", rate)
            done.step_losses.append(losses["loss"])
            watcher.step(done, losses, rate)
            is_last = done.steps == len(self._training)  # the epoch's own checkpoint follows soon
            if not is_last and watcher.asked_to_stop():
                self._keep()
                raise TrainingStopped(done.epochs + 1, done.steps, len(self._training))

    @property
    def _steps_done(self) -> int:
        return self._progress.epochs * len(self._training) + self._progress.steps

    def _learning_rate(self, step: int) -> float:
        """Of a step of the whole training, the first being 0."""
        return self._settings.learning_rate * learning_rate_factor(self._settings, len(self._training), step)

    def _step(self, batch: Batch, learning_rate: float) -> dict[str, float]:
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        with self._autocast():
            losses = self._task.losses(batch)
        self._optimizer.zero_grad()
        self._scaler.scale(losses["loss"]).backward()
        self._scaler.step(self._optimizer)
        self._scaler.update()
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def _validate(self, validation: InOrder, watcher: Watcher) -> None:
        """And all that ends an epoch: its row in the table, its checkpoints, its event."""
        done = self._progress
        self._network.eval()
        with torch.inference_mode(), self._autocast():
            recompute_statistics(self._network, self._statistics_batches())
            values = self._task.validate(self._on_device(validation))
        rate = self._learning_rate(self._steps_done - 1)
        self._check(values["validation_loss"], f"the validation after epoch {done.epochs + 1}", rate)
        values = {"training_loss": done.mean_training_loss, **values}
        done.epochs, done.step_losses = done.epochs + 1, []
        done.unwritten[done.epochs] = {name: float(value) for name, value in values.items()}
        # Windows replaces no table that is open in a spreadsheet: its rows are written when it is closed.
        with resumable_writes(self._work_folder / METRICS_FILE), suppress(PermissionError):
            self._write_rows()
        if values["validation_loss"] < done.best_loss:
            done.best_epoch, done.best_loss = done.epochs, values["validation_loss"]
            best = {"network": self._network.state_dict(), "epoch": done.epochs}
            write_checkpoint(self._work_folder / BEST_CHECKPOINT, best)
        self._keep()
        watcher.epoch(done, values)
        if not self._is_done and watcher.asked_to_stop():
            raise TrainingStopped(done.epochs, len(self._training), len(self._training))

    def _write_rows(self) -> None:
        write_rows(self._work_folder / METRICS_FILE, self._progress.unwritten)
        self._progress.unwritten = {}

    def _statistics_batches(self) -> Iterator[Tensor]:
        """Slices as this epoch has drawn them, augmented and both classes as often: what the weights have learned to
        work with. As inference sees them, they give nearly the same (Documentation/training.md)."""
        count = math.ceil(STATISTICS_SLICES / self._training.batch_size)
        for sections, *_ in islice(self._on_device(self._training.of_epoch(self._progress.epochs)), count):
            yield sections

    def _on_device(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        for batch in batches:
            yield tuple(part.to(self._device) for part in batch)

    def _autocast(self) -> torch.autocast:
        enabled = self._precision.precision != "32-true"
        return torch.autocast(self._device.type, self._number_type, enabled, cache_enabled=False)

    def _check(self, loss: float, place: str, learning_rate: float) -> None:
        if not math.isfinite(loss):
            raise ACNetError(
                f"training: the loss is no number in {place}, at a learning rate of {learning_rate:g}; lower that in "
                "the recipe."
            )

    def _keep(self) -> None:
        checkpoint = {
            "network": self._network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "progress": asdict(self._progress),
            "random_states": random_states(self._device) if self._progress.steps else {},
        }
        write_checkpoint(self._work_folder / LAST_CHECKPOINT, checkpoint)

    def _go_on_from(self, checkpoint: dict[str, Any]) -> None:
        self._network.load_state_dict(checkpoint["network"])
        self._optimizer.load_state_dict(checkpoint["optimizer"])
        if checkpoint["scaler"]:  # that of a training in another precision is empty
            self._scaler.load_state_dict(checkpoint["scaler"])
        self._progress = Progress(**checkpoint["progress"])
        self._random_states = checkpoint["random_states"]


def _optimizer(task: FittingTask) -> torch.optim.Optimizer:
    settings, parameters = task.optimization, task.network.parameters()
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(parameters, settings.learning_rate, weight_decay=settings.weight_decay)
    return torch.optim.SGD(
        parameters, settings.learning_rate, momentum=0.9, weight_decay=settings.weight_decay, nesterov=True
    )


@contextmanager
def _one_thread_a_slice() -> Iterator[None]:
    """A slice is cut before a second thread has woken: alone it takes two thirds of the time."""
    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
