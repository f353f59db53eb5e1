"""Training ACNet on a case library: a Lightning loop that can be stopped and resumed, and what is chosen after it."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, TQDMProgressBar
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from ACNetLib.attention import attention_maps, band_thresholds
from ACNetLib.device import DeviceChoice
from ACNetLib.errors import ACNetError
from ACNetLib.files import write_text_atomically
from ACNetLib.model import Model, ModelCard
from ACNetLib.network import ACNet

from .cases import Case, CaseLibrary, write_table
from .dataset import CaseDataset, EpochSampler, InOrder
from .folds import split_patients
from .metrics import youden_threshold
from .recipe import Optimization, Recipe

EVALUATION_BATCH_SIZE = 64
ATTENTION_SECTIONS = 400
"""How many training sections the attention's fixed scale is taken from."""
SETTINGS_FILE, METRICS_FILE = "settings.json", "metrics.csv"


class TrainingTask(lightning.LightningModule):
    """Cross-entropy training (Eq. 2 of the paper) of a network that returns `ACNetOutput`."""

    def __init__(self, network: ACNet, optimization: Optimization, steps_per_epoch: int) -> None:
        super().__init__()
        self.network = network
        self._optimization = optimization
        self._steps_per_epoch = steps_per_epoch
        self._validation: list[tuple[Tensor, Tensor]] = []

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        # Dropout, too, depends on seed and epoch alone, so a resumed training equals an uninterrupted one. The start
        # of the epoch is too early: Lightning then draws a number for the data loader, but not in a resumed epoch.
        if batch_idx == 0:
            torch.manual_seed(self._optimization.seed * 100_003 + self.current_epoch)
            if self.current_epoch > 0:
                torch.empty((), dtype=torch.int64).random_()  # as in the training of the shipped model

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        sections, labels = batch
        logits = self.network(sections).logits.float()
        loss = F.cross_entropy(logits, labels, label_smoothing=self._optimization.label_smoothing)
        self.log("training_loss", loss, on_step=False, on_epoch=True, batch_size=len(labels), prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        sections, labels = batch
        self._validation.append((self.network(sections).logits.float().cpu(), labels.cpu()))

    def on_validation_epoch_end(self) -> None:
        logits, labels = (torch.cat(parts) for parts in zip(*self._validation, strict=True))
        self._validation.clear()
        log_odds = (logits[:, 1] - logits[:, 0]).double().numpy()
        is_dcm = labels.numpy().astype(bool)
        self.log("validation_loss", balanced_log_loss(log_odds, is_dcm), prog_bar=True)
        self.log("validation_recall_dcm", float((log_odds[is_dcm] > 0).mean()), prog_bar=True)
        self.log("validation_recall_normal", float((log_odds[~is_dcm] <= 0).mean()), prog_bar=True)

    def configure_optimizers(self) -> Any:
        settings = self._optimization
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


def balanced_log_loss(log_odds: NDArray[np.float64], is_dcm: NDArray[np.bool_]) -> float:
    """Mean negative log likelihood with both classes weighing the same."""
    losses = np.logaddexp(0, np.where(is_dcm, -log_odds, log_odds))
    return float((losses[is_dcm].mean() + losses[~is_dcm].mean()) / 2)


def fit_temperature(log_odds: NDArray[np.float64], is_dcm: NDArray[np.bool_]) -> float:
    """What to divide log odds by for the lowest balanced log loss."""
    result = minimize_scalar(
        lambda log_t: balanced_log_loss(log_odds / np.exp(log_t), is_dcm), bounds=(-2.5, 2.5), method="bounded"
    )
    return float(np.exp(result.x))


@dataclass(frozen=True)
class Predictions:
    """Log odds of DCM, one a case, in the order of `cases`."""

    cases: tuple[Case, ...]
    log_odds: NDArray[np.float64]

    @property
    def is_dcm(self) -> NDArray[np.bool_]:
        return np.array([case.is_dcm for case in self.cases])

    def by_patient(self) -> tuple[list[str], NDArray[np.float64], NDArray[np.bool_]]:
        """Patients, the mean log odds of their sections, and whether they have DCM."""
        patients = list(dict.fromkeys(case.patient for case in self.cases))
        position = {patient: index for index, patient in enumerate(patients)}
        index = np.array([position[case.patient] for case in self.cases])
        counts = np.bincount(index)
        means = np.bincount(index, self.log_odds) / counts
        return patients, means, np.bincount(index, self.is_dcm) > 0


def train(
    library: CaseLibrary, recipe: Recipe, name: str, work_folder: Path, device: DeviceChoice, progress: bool = True
) -> Model:
    """Train by `recipe` and choose epoch, temperature and threshold on held-back patients.

    `work_folder` keeps checkpoints and metrics.csv; a training that was interrupted goes on from there. Raises
    ACNetError when it holds a training of something else, or when the loss is no number.
    """
    settings = recipe.optimization
    field_strength = _only_field_strength(library)
    training_cases, validation_cases = split_patients(library, settings.validation_fraction, settings.seed)
    _claim(work_folder, library, recipe)

    training_set = CaseDataset(library, training_cases, recipe.intensity, recipe.augmentation, settings.seed)
    validation_set = CaseDataset(library, validation_cases, recipe.intensity)
    loader = DataLoader(
        training_set,
        settings.batch_size,
        sampler=EpochSampler(training_cases, settings.seed, settings.class_balance),
        drop_last=len(training_set) >= settings.batch_size,
    )
    torch.manual_seed(settings.seed)
    network: ACNet = ACNet(**asdict(recipe.network)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    task = TrainingTask(network, settings, len(loader))
    _fit(task, loader, evaluation_loader(validation_set), settings, work_folder, device, progress)

    best = torch.load(work_folder / "best.ckpt", weights_only=True, map_location="cpu")
    task.load_state_dict(best["state_dict"])
    network = network.to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    validation = predict(network, validation_set, device)
    temperature = fit_temperature(validation.log_odds, validation.is_dcm)
    _, patient_log_odds, patient_is_dcm = validation.by_patient()
    card = ModelCard(
        name=name,
        network=asdict(recipe.network),
        field_strength_tesla=field_strength,
        simulated=any(case.is_simulated for case in library.cases),
        decision_threshold=youden_threshold(patient_log_odds / temperature, patient_is_dcm),
        temperature=temperature,
        # Drawing both classes equally often makes the probability refer to that mixture.
        training_prior_dcm=0.5 if settings.class_balance else float(np.mean([c.is_dcm for c in training_cases])),
        attention_thresholds=_attention_thresholds(network, training_set, library, recipe, device),
        intensity=recipe.intensity,
        training={
            "recipe": asdict(recipe),
            "best_epoch": int(best["epoch"]) + 1,
            "training": count_cases(training_cases),
            "validation": count_cases(validation_cases),
        },
    )
    return Model(network, card)


def predict(network: ACNet, dataset: CaseDataset, device: DeviceChoice) -> Predictions:
    """Uncalibrated log odds of DCM for every case of the data set."""
    network.to(device.device).eval()
    log_odds = []
    with torch.inference_mode():
        for sections, _ in evaluation_loader(dataset):
            logits = network(sections.to(device.device)).logits.double().cpu()
            log_odds.append((logits[:, 1] - logits[:, 0]).numpy())
    return Predictions(dataset.cases, np.concatenate(log_odds))


def evaluation_loader(dataset: CaseDataset) -> DataLoader[tuple[Tensor, int]]:
    return DataLoader(dataset, EVALUATION_BATCH_SIZE, sampler=InOrder(len(dataset)))


def count_cases(cases: Sequence[Case]) -> dict[str, int]:
    """How many sections and patients, by class."""
    patients = {case.patient: case.label for case in cases}
    return {
        "sections_normal": sum(not case.is_dcm for case in cases),
        "sections_dcm": sum(case.is_dcm for case in cases),
        "patients_normal": list(patients.values()).count("normal"),
        "patients_dcm": list(patients.values()).count("dcm"),
    }


def _only_field_strength(library: CaseLibrary) -> float:
    strengths = sorted({case.field_strength_tesla for case in library.cases})
    if len(strengths) > 1:
        found = ", ".join(f"{strength:g} T" for strength in strengths)
        raise ACNetError(
            f"{library.folder}: found cases of {found}; expected one field strength a model, for normal T1 differs."
        )
    return strengths[0]


def _claim(work_folder: Path, library: CaseLibrary, recipe: Recipe) -> None:
    """Make the folder this training's, or check that it is."""
    settings = json.dumps({"recipe": asdict(recipe), "cases": [case.case for case in library.cases]}, indent=1)
    file = work_folder / SETTINGS_FILE
    if file.is_file():
        if file.read_text(encoding="utf-8") != settings:
            raise ACNetError(
                f"{work_folder}: holds an unfinished training of other cases or another recipe; "
                "remove the folder or give another output."
            )
    else:
        write_text_atomically(file, settings)


class _MetricsTable(Callback):
    """One row an epoch in metrics.csv; a resumed training goes on in the same table."""

    COLUMNS = ("epoch", "training_loss", "validation_loss", "validation_recall_dcm", "validation_recall_normal")

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        rows: list[dict[str, Any]] = []
        if self._path.is_file():
            with self._path.open(encoding="utf-8", newline="") as file:
                rows = [row for row in csv.DictReader(file) if int(row["epoch"]) <= trainer.current_epoch]
        metrics = {name: f"{float(trainer.callback_metrics[name]):.5f}" for name in self.COLUMNS[1:]}
        write_table(self._path, self.COLUMNS, [*rows, {"epoch": trainer.current_epoch + 1, **metrics}])


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


def _fit(
    task: TrainingTask,
    training: DataLoader[Any],
    validation: DataLoader[Any],
    settings: Optimization,
    work_folder: Path,
    device: DeviceChoice,
    progress: bool,
) -> None:
    checkpoint = partial(ModelCheckpoint, dirpath=work_folder, enable_version_counter=False)
    callbacks: list[Callback] = [
        checkpoint(filename="best", monitor="validation_loss"),
        checkpoint(filename="last", monitor=None, every_n_epochs=1),
        EarlyStopping("validation_loss", patience=settings.early_stopping_epochs),
        _MetricsTable(work_folder / METRICS_FILE),
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
    last = work_folder / "last.ckpt"
    trainer.fit(task, training, validation, ckpt_path=str(last) if last.is_file() else None, weights_only=True)


def _attention_thresholds(
    network: ACNet, training_set: CaseDataset, library: CaseLibrary, recipe: Recipe, device: DeviceChoice
) -> dict[str, tuple[float, ...]]:
    """The fixed scale of the attention maps, from training sections as inference sees them."""
    every = max(1, len(training_set) // ATTENTION_SECTIONS)
    plain = CaseDataset(library, training_set.cases[::every], recipe.intensity)
    maps: list[Mapping[str, NDArray[np.float32]]] = []
    with torch.inference_mode():
        for sections, _ in evaluation_loader(plain):
            masks = network(sections.to(device.device)).masks
            maps.append(attention_maps([mask.float().cpu().numpy() for mask in masks]))
    return band_thresholds({key: np.concatenate([part[key] for part in maps]) for key in maps[0]})
