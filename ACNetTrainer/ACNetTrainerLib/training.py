"""Training ACNet on a case library, and what is chosen after it on held-back patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from ACNetLib.attention import attention_maps, band_thresholds
from ACNetLib.device import DeviceChoice
from ACNetLib.errors import ACNetError
from ACNetLib.model import Model, ModelCard
from ACNetLib.network import ACNet

from .cases import Case, CaseLibrary
from .dataset import CaseDataset, EpochSampler, InOrder
from .fitting import FittingTask, claim_folder, fit
from .folds import split_patients
from .metrics import youden_threshold
from .recipe import Optimization, Recipe

EVALUATION_BATCH_SIZE = 64
ATTENTION_SECTIONS = 400
"""How many training sections the attention's fixed scale is taken from."""


class TrainingTask(FittingTask):
    """Cross-entropy training (Eq. 2 of the paper) of a network that returns `ACNetOutput`."""

    metrics = ("validation_recall_dcm", "validation_recall_normal")

    def __init__(self, network: ACNet, optimization: Optimization, steps_per_epoch: int) -> None:
        super().__init__(network, optimization, steps_per_epoch)
        self._validation: list[tuple[Tensor, Tensor]] = []

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        sections, labels = batch
        logits = self.network(sections).logits.float()
        loss = F.cross_entropy(logits, labels, label_smoothing=self.optimization.label_smoothing)
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
    """Train by `recipe` and choose epoch, temperatures and threshold on held-back patients.

    `work_folder` keeps checkpoints and metrics.csv; a training that was interrupted goes on from there. Raises
    ACNetError when it holds a training of something else, or when the loss is no number.
    """
    settings = recipe.optimization
    field_strength = _only_field_strength(library)
    training_cases, validation_cases = split_patients(library, settings.validation_fraction, settings.seed)
    claim_folder(work_folder, {"recipe": asdict(recipe), "cases": [case.case for case in library.cases]})

    training_set = CaseDataset(library, training_cases, recipe.intensity, recipe.augmentation, settings.seed)
    validation_set = CaseDataset(library, validation_cases, recipe.intensity)
    loader = DataLoader(
        training_set,
        settings.batch_size,
        sampler=EpochSampler([case.is_dcm for case in training_cases], settings.seed, settings.class_balance),
        drop_last=len(training_set) >= settings.batch_size,
    )
    torch.manual_seed(settings.seed)
    network: ACNet = ACNet(**asdict(recipe.network)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    task = TrainingTask(network, settings, len(loader))
    best_epoch = fit(task, loader, evaluation_loader(validation_set), work_folder, device, progress)

    network = network.to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    validation = predict(network, validation_set, device)
    _, patient_log_odds, patient_is_dcm = validation.by_patient()
    study_temperature = fit_temperature(patient_log_odds, patient_is_dcm)
    card = ModelCard(
        name=name,
        network=asdict(recipe.network),
        field_strength_tesla=field_strength,
        simulated=any(case.is_simulated for case in library.cases),
        decision_threshold=youden_threshold(patient_log_odds / study_temperature, patient_is_dcm),
        section_temperature=fit_temperature(validation.log_odds, validation.is_dcm),
        study_temperature=study_temperature,
        # Drawing both classes equally often makes the probability refer to that mixture.
        training_prior_dcm=0.5 if settings.class_balance else float(np.mean([c.is_dcm for c in training_cases])),
        attention_thresholds=_attention_thresholds(network, training_set, library, recipe, device),
        intensity=recipe.intensity,
        training={
            "recipe": asdict(recipe),
            "best_epoch": best_epoch,
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
