"""A Lightning training loop that can be killed or stopped at any time and resumes to the same weights."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import lightning
import SimpleITK as sitk
import torch
from filelock import FileLock, Timeout
from lightning.pytorch.callbacks import Callback, EarlyStopping, TQDMProgressBar
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ACNetLib.errors import ACNetError
from ACNetLib.files import damage_named, read_json, write_text_atomically
from ACNetLib.inference.device import DeviceChoice

from ..cases.table import read_table, write_table
from .checkpoints import (
    BEST_CHECKPOINT,
    LAST_CHECKPOINT,
    TRAIN_ANEW,
    AtomicCheckpoints,
    KeepCheckpoints,
    read_checkpoint,
    resumable_writes,
)
from .normalization import STATISTICS_SLICES, recompute_statistics
from .precision import Precision, choose_precision
from .progress import StopSignals, Watch, Watcher
from .recipe import Optimization

SETTINGS_FILE, METRICS_FILE, LOCK_FILE = "settings.json", "metrics.csv", "training.lock"


class FittingTask(lightning.LightningModule):
    """What trainings have in common: the optimizer, its schedule, and randomness that follows from seed and epoch.

    A task's training step returns "loss" and, if it likes, parts of it; it logs "validation_loss" and what else
    `metrics` names.
    """

    metrics: Sequence[str] = ()

    def __init__(self, network: nn.Module, optimization: Optimization, steps_per_epoch: int) -> None:
        super().__init__()
        self.network = network
        self.optimization = optimization
        self.step_losses: list[float] = []
        """Of the steps that were done in this epoch."""
        self._steps_per_epoch = steps_per_epoch
        self._random_states: dict[str, Tensor] = {}

    @property
    def mean_training_loss(self) -> float:
        return sum(self.step_losses) / len(self.step_losses)

    def learning_rate(self, step: int) -> float:
        """Of a step of the whole training, the first being 0."""
        return self.optimization.learning_rate * learning_rate_factor(self.optimization, self._steps_per_epoch, step)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        # Dropout, too, depends on seed and epoch alone, so a resumed training equals an uninterrupted one. The start
        # of the epoch is too early: Lightning then draws a number for the data loader, but not in a resumed epoch.
        if batch_idx == 0:
            torch.manual_seed(self.optimization.seed * 100_003 + self.current_epoch)
            self.step_losses = []
        elif self._random_states:
            set_random_states(self._random_states)
        self._random_states = {}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["step_losses"] = self.step_losses
        checkpoint["random_states"] = random_states(self.device)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.step_losses = checkpoint["step_losses"]
        self._random_states = checkpoint["random_states"]

    def configure_optimizers(self) -> Any:
        settings = self.optimization
        parameters = self.network.parameters()
        optimizer: torch.optim.Optimizer
        if settings.optimizer == "adamw":
            optimizer = torch.optim.AdamW(parameters, settings.learning_rate, weight_decay=settings.weight_decay)
        else:
            optimizer = torch.optim.SGD(
                parameters, settings.learning_rate, momentum=0.9, weight_decay=settings.weight_decay, nesterov=True
            )
        schedule = partial(learning_rate_factor, settings, self._steps_per_epoch)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def random_states(device: torch.device) -> dict[str, Tensor]:
    """Of torch's generators, by device: a training that stops within an epoch resumes with the same numbers."""
    states = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        states[device.type] = torch.get_device_module(device).get_rng_state()
    return states


def set_random_states(states: dict[str, Tensor]) -> None:
    for device_type, state in states.items():
        if device_type == "cpu":
            torch.set_rng_state(state)
        else:
            torch.get_device_module(device_type).set_rng_state(state)


def learning_rate_factor(settings: Optimization, steps_per_epoch: int, step: int) -> float:
    """Linear rise over the warm-up, then constant or half a cosine down to 1 % at the last epoch."""
    warmup = settings.warmup_epochs * steps_per_epoch
    if step < warmup:
        return (step + 1) / warmup
    if settings.schedule == "constant":
        return 1.0
    progress = (step - warmup) / max(1, settings.epochs * steps_per_epoch - warmup)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def claim_folder(work_folder: Path, settings: dict[str, Any]) -> None:
    """Make the folder this training's, or check that it is. Raises ACNetError when it holds another's."""
    text = json.dumps(settings, indent=1)
    file = work_folder / SETTINGS_FILE
    if file.is_file():
        if _without_precision(read_json(file, TRAIN_ANEW)) != _without_precision(json.loads(text)):
            raise ACNetError(
                f"{work_folder}: holds an unfinished training of other cases or another recipe; "
                "remove the folder or give another output."
            )
    else:
        with resumable_writes(file):
            write_text_atomically(file, text)


def _without_precision(settings: Any) -> Any:
    """Precision is the device's affair: on another one a training resumes in another."""
    if isinstance(settings, dict):
        return {key: _without_precision(value) for key, value in settings.items() if key != "precision"}
    return settings


@dataclass(frozen=True)
class Fitted:
    """best_epoch: counted from 1. precision: that of the last process that trained."""

    best_epoch: int
    precision: Precision


def fit(
    task: FittingTask,
    training: DataLoader[Any],
    validation: DataLoader[Any],
    work_folder: Path,
    device: DeviceChoice,
    watch: Watch,
) -> Fitted:
    """Train until the last epoch or early stopping, from the last checkpoint in `work_folder` if there is one.

    The task has the weights of the epoch with the lowest validation loss then. Raises ACNetError when a loss is no
    number, a file can't be written, or another process trains in the folder, and TrainingStopped at the wish of
    `watch`, after Ctrl-C and after SIGTERM.
    """
    signals = StopSignals()
    with _only_process(work_folder), _one_thread_a_slice(), signals.listening():
        settings = task.optimization
        network: Any = task.network  # torch's stubs of Module.to know no memory format
        network.to(memory_format=torch.channels_last)
        precision = choose_precision(settings.precision, device.device)
        kept = KeepCheckpoints(work_folder)
        callbacks: list[Callback] = [
            _StepLosses(),
            _Statistics(training),
            _MetricsTable(work_folder / METRICS_FILE),
            _StayStopped(),
            EarlyStopping("validation_loss", patience=settings.early_stopping_epochs),
            kept,
            Watcher(watch, signals, work_folder, kept, precision),
        ]
        if watch.bar:
            callbacks.append(TQDMProgressBar(refresh_rate=10))
        trainer = lightning.Trainer(
            accelerator={"cuda": "gpu", "mps": "mps"}.get(device.device, "cpu"),
            devices=1,
            precision=precision.precision,
            plugins=[AtomicCheckpoints()],
            max_epochs=settings.epochs,
            callbacks=callbacks,
            logger=False,
            enable_progress_bar=watch.bar,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        last = work_folder / LAST_CHECKPOINT
        if last.is_file():
            read_checkpoint(last)
        trainer.fit(task, training, validation, ckpt_path=str(last) if last.is_file() else None, weights_only=True)
        best = read_checkpoint(work_folder / BEST_CHECKPOINT)
        task.load_state_dict(best["state_dict"])
        network.to(memory_format=torch.contiguous_format)
        return Fitted(int(best["epoch"]) + 1, precision.precision)


@contextmanager
def _only_process(work_folder: Path) -> Iterator[None]:
    try:
        lock = FileLock(work_folder / LOCK_FILE, timeout=0).acquire()
    except Timeout as error:
        raise ACNetError(
            f"{work_folder}: another process trains in this folder; wait for its end, or give another output."
        ) from error
    with lock:
        for half_written in work_folder.glob(".writing-*"):  # by a process that was killed
            half_written.unlink()
        yield


class _Statistics(Callback):
    """Before each validation, the statistics of batch normalization as the weights have come to be.

    Over slices as the epoch just drew them, augmented and both classes as often: what the weights have learned to work
    with. As inference sees them, they give nearly the same (Documentation/training.md).
    """

    def __init__(self, training: DataLoader[Any]) -> None:
        self._training = training

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        with trainer.precision_plugin.forward_context():
            recompute_statistics(pl_module.network, self._batches(pl_module.device))

    def _batches(self, device: torch.device) -> Iterator[Tensor]:
        batch_sampler: Any = self._training.batch_sampler
        for keys in islice(batch_sampler, math.ceil(STATISTICS_SLICES / batch_sampler.batch_size)):
            yield torch.stack([self._training.dataset[key][0] for key in keys]).to(device)


@contextmanager
def _one_thread_a_slice() -> Iterator[None]:
    """A slice is cut before a second thread has woken: alone it takes two thirds of the time."""
    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)


class _MetricsTable(Callback):
    """One row an epoch in metrics.csv; a resumed training continues the same table."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        rows: list[dict[str, Any]] = []
        if self._path.is_file():
            with damage_named(self._path, TRAIN_ANEW):
                table = read_table(self._path, ["epoch"])
                rows = [row.cells for row in table.rows if int(row.cells["epoch"]) <= trainer.current_epoch]
        values = {"training_loss": pl_module.mean_training_loss}
        values.update({name: float(trainer.callback_metrics[name]) for name in ("validation_loss", *pl_module.metrics)})
        row = {"epoch": trainer.current_epoch + 1, **{name: f"{value:.5f}" for name, value in values.items()}}
        with resumable_writes(self._path):
            write_table(self._path, row, [*rows, row])


class _StepLosses(Callback):
    """Keeps the loss of each step, and ends a training whose loss is no number."""

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        loss = float(outputs["loss"])
        self._check(loss, f"step {batch_idx + 1} of epoch {trainer.current_epoch + 1}", trainer, pl_module)
        pl_module.step_losses.append(loss)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        loss = float(trainer.callback_metrics["validation_loss"])
        self._check(loss, f"the validation after epoch {trainer.current_epoch + 1}", trainer, pl_module)

    @staticmethod
    def _check(loss: float, place: str, trainer: Any, task: FittingTask) -> None:
        if not math.isfinite(loss):
            rate = task.learning_rate(trainer.global_step - 1)
            raise ACNetError(
                f"training: the loss is no number in {place}, at a learning rate of {rate:g}; lower that in the recipe."
            )


class _StayStopped(Callback):
    """A training that was interrupted after early stopping had ended it is not trained on."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        stopping = trainer.early_stopping_callback
        trainer.should_stop = stopping.wait_count >= stopping.patience
