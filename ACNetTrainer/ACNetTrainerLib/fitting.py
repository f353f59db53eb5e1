"""A Lightning training loop that can be killed at any time and goes on to the same weights."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, TQDMProgressBar
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ACNetLib.device import DeviceChoice
from ACNetLib.errors import ACNetError
from ACNetLib.files import write_text_atomically

from .cases import write_table
from .recipe import Optimization

SETTINGS_FILE, METRICS_FILE = "settings.json", "metrics.csv"
BEST_CHECKPOINT, LAST_CHECKPOINT = "best.ckpt", "last.ckpt"


class FittingTask(lightning.LightningModule):
    """What trainings have in common: the optimizer, its schedule, and randomness that follows from seed and epoch.

    A task logs "training_loss", "validation_loss" and what else `metrics` names.
    """

    metrics: Sequence[str] = ()

    def __init__(self, network: nn.Module, optimization: Optimization, steps_per_epoch: int) -> None:
        super().__init__()
        self.network = network
        self.optimization = optimization
        self._steps_per_epoch = steps_per_epoch

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        # Dropout, too, depends on seed and epoch alone, so a resumed training equals an uninterrupted one. The start
        # of the epoch is too early: Lightning then draws a number for the data loader, but not in a resumed epoch.
        if batch_idx == 0:
            torch.manual_seed(self.optimization.seed * 100_003 + self.current_epoch)

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
        if file.read_text(encoding="utf-8") != text:
            raise ACNetError(
                f"{work_folder}: holds an unfinished training of other cases or another recipe; "
                "remove the folder or give another output."
            )
    else:
        write_text_atomically(file, text)


def fit(
    task: FittingTask,
    training: DataLoader[Any],
    validation: DataLoader[Any],
    work_folder: Path,
    device: DeviceChoice,
    progress: bool,
) -> int:
    """Train until the last epoch or early stopping, from the last checkpoint in `work_folder` if there is one.

    The task has the weights of the epoch with the lowest validation loss then; that epoch (from 1) is returned. Raises
    ACNetError when a loss is no number.
    """
    settings = task.optimization
    checkpoint = partial(ModelCheckpoint, dirpath=work_folder, enable_version_counter=False)
    callbacks: list[Callback] = [
        checkpoint(filename=Path(BEST_CHECKPOINT).stem, monitor="validation_loss"),
        checkpoint(filename=Path(LAST_CHECKPOINT).stem, monitor=None, every_n_epochs=1),
        EarlyStopping("validation_loss", patience=settings.early_stopping_epochs),
        _MetricsTable(work_folder / METRICS_FILE, ("training_loss", "validation_loss", *task.metrics)),
        _StopOnBadLoss(),
        _StayStopped(),
    ]
    if progress:
        callbacks.append(TQDMProgressBar(refresh_rate=10))
    trainer = lightning.Trainer(
        accelerator={"cuda": "gpu", "mps": "mps"}.get(device.device, "cpu"),
        devices=1,
        precision=settings.precision,
        max_epochs=settings.epochs,
        callbacks=callbacks,
        logger=False,
        enable_progress_bar=progress,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    last = work_folder / LAST_CHECKPOINT
    trainer.fit(task, training, validation, ckpt_path=str(last) if last.is_file() else None, weights_only=True)
    best = torch.load(work_folder / BEST_CHECKPOINT, weights_only=True, map_location="cpu")
    task.load_state_dict(best["state_dict"])
    return int(best["epoch"]) + 1


class _MetricsTable(Callback):
    """One row an epoch in metrics.csv; a resumed training goes on in the same table."""

    def __init__(self, path: Path, metrics: Sequence[str]) -> None:
        self._path = path
        self._metrics = metrics

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        rows: list[dict[str, Any]] = []
        if self._path.is_file():
            with self._path.open(encoding="utf-8", newline="") as file:
                rows = [row for row in csv.DictReader(file) if int(row["epoch"]) <= trainer.current_epoch]
        values = {name: f"{float(trainer.callback_metrics[name]):.5f}" for name in self._metrics}
        write_table(self._path, ("epoch", *self._metrics), [*rows, {"epoch": trainer.current_epoch + 1, **values}])


class _StopOnBadLoss(Callback):
    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._check(outputs["loss"], trainer)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        self._check(trainer.callback_metrics["validation_loss"], trainer)

    @staticmethod
    def _check(loss: Tensor, trainer: Any) -> None:
        if not torch.isfinite(loss):
            raise ACNetError(
                f"training: the loss is no number in epoch {trainer.current_epoch + 1}; lower the learning rate."
            )


class _StayStopped(Callback):
    """A training that was interrupted after early stopping had ended it is not trained on."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        stopping = trainer.early_stopping_callback
        trainer.should_stop = stopping.wait_count >= stopping.patience
