"""Training the localizer on simulated slices: any heart, whole or cut by an edge, any contrast, and without a heart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional as F

from ACNetLib.networks.localizer import (
    CLASSES,
    Localizer,
    LocalizerCard,
    LocalizerModel,
    LocalizerNetwork,
    localizer_grid,
)
from ACNetLib.t1map.section import IntensityScaling, to_intensity
from ACNetLib.ventricle.labels import CAVITY_LABEL

from ..cases.library import CaseLibrary
from ..training.batches import Batch, EpochBatches, InOrder
from ..training.dataset import EpochSampler, SampleKey
from ..training.loop import FittingTask, Place, fit
from ..training.recipe import Optimization
from ..training.split import split_patients
from ..training.train import count_cases
from ..training.work_folder import MASKS_SHA256, claim_folder
from .sections import (
    LabelledSection,
    cut_by_edge,
    read_labelled_sections,
    sections_of_other_hearts,
    sections_without_heart,
)
from .threshold import confidence_threshold

OPTIMIZATION = Optimization(
    optimizer="adamw",
    learning_rate=0.002,
    weight_decay=0.01,
    schedule="cosine",
    warmup_epochs=1,
    epochs=8,
    early_stopping_epochs=8,
    batch_size=16,
    label_smoothing=0.0,
    precision="auto",
    class_balance=False,
    validation_fraction=0.1,
    seed=1,
)
# Largest random changes of a training section. It may be turned and mirrored in any way: not every viewer and exporter
# keeps the usual orientation.
SHIFT_MM, SCALE, NOISE_MS, T1_SCALE = 30.0, 0.15, 120.0, 0.05
CUT_SHARE = 0.15
"""Of the training sections with a heart, cut by an edge somewhere from 30 mm before the centre to 70 mm behind it."""
CUT_RANGE_MM = (-30.0, 70.0)
HEARTLESS_SHARE, OTHER_HEARTS_SHARE = 0.1, 0.2
"""Slices without a heart, and with one that is neither normal nor DCM, for each other one."""
ORDERED_CONTRAST_SHARE, FREE_CONTRAST_SHARE = 0.3, 0.1
"""Of the training slices, shown with other T1: in the same order from tissue to tissue, or in any order. A network that
has seen tissues of any T1 looks for the shape (Billot 2023, SynthSeg)."""
CONTRAST_KNOTS_MS = (0.0, 250.0, 500.0, 800.0, 1050.0, 1300.0, 1600.0, 1900.0, 2300.0, 4095.0)
CONTRAST_T1_MS = (0.0, 2600.0)
BLUR_PIXELS = 0.8
FEWEST_PATIENTS = 8
"""Of each library: both sides of the split need both classes."""


class LocalizerDataset:
    """Sections (1, 192, 192) in [0, 255] and their labels (192, 192), by (epoch, index)."""

    def __init__(
        self, sections: Sequence[LabelledSection], intensity: IntensityScaling, augment: bool, seed: int
    ) -> None:
        self._sections = tuple(sections)
        self._intensity = intensity
        self._augment = augment
        self._seed = seed

    def __len__(self) -> int:
        return len(self._sections)

    def __getitem__(self, key: SampleKey) -> tuple[Tensor, Tensor]:
        epoch, index, _ = key
        section = self._sections[index]
        if self._augment:
            t1_ms, labels = augmented(section, np.random.default_rng([self._seed, epoch, index]))
        else:
            grid = localizer_grid(section.t1_map, 0)
            t1_ms, labels = grid.crop(section.t1_map).t1_ms, grid.sample(section.label_image)
        intensity = to_intensity(np.ascontiguousarray(t1_ms), self._intensity)
        return torch.from_numpy(intensity)[None], torch.from_numpy(np.ascontiguousarray(labels).astype(np.int64))


def augmented(section: LabelledSection, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """T1 in ms and labels, both (192, 192), of the section seen from a random grid, with noise, perhaps cut."""
    if section.center_mm is not None and rng.random() < CUT_SHARE:
        section = cut_by_edge(section, rng.uniform(0, 2 * np.pi), rng.uniform(*CUT_RANGE_MM))
    angle, shift_x, shift_y, scale, t1_scale = rng.uniform(-1, 1, 5)
    grid = localizer_grid(section.t1_map, 0).turned(
        180 * angle, (shift_x * SHIFT_MM, shift_y * SHIFT_MM), 1 + scale * SCALE
    )
    crop, labels = grid.crop(section.t1_map), grid.sample(section.label_image)
    t1_ms = with_other_contrast(crop.t1_ms, rng) * (1 + t1_scale * T1_SCALE)
    if rng.random() < 0.5:
        t1_ms = gaussian_filter(t1_ms, rng.uniform(0, BLUR_PIXELS))
    noise = rng.uniform(0, NOISE_MS) * rng.standard_normal(t1_ms.shape, np.float32) * ~crop.outside
    t1_ms = np.maximum(t1_ms + noise, 0).astype(np.float32)
    return (t1_ms[:, ::-1], labels[:, ::-1]) if rng.random() < 0.5 else (t1_ms, labels)


def with_other_contrast(t1_ms: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """T1 in ms as it is, or each T1 exchanged for another one along a random curve; 0 stays 0."""
    kind = rng.random()
    values = rng.uniform(*CONTRAST_T1_MS, len(CONTRAST_KNOTS_MS))
    if kind >= ORDERED_CONTRAST_SHARE + FREE_CONTRAST_SHARE:
        return t1_ms
    if kind < ORDERED_CONTRAST_SHARE:
        values.sort()
    values[0] = 0.0
    return np.interp(t1_ms, CONTRAST_KNOTS_MS, values).astype(np.float32)


class LocalizerTask(FittingTask):
    """Cross-entropy plus the soft Dice loss of each class but the background."""

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        return {"loss": _loss(self.network(batch[0]).float(), batch[1])}

    def validate(self, batches: Iterable[Batch]) -> dict[str, float]:
        losses: list[float] = []  # of each batch, times its sections
        overlaps: list[NDArray[np.float64]] = []
        count = 0
        for sections, truth in batches:
            logits = self.network(sections).float()
            losses.append(float(_loss(logits, truth)) * len(sections))
            count += len(sections)
            said = logits.argmax(dim=1)
            pairs = [
                (said == CAVITY_LABEL, truth == CAVITY_LABEL),
                ((said != CAVITY_LABEL) & (said != 0), (truth != CAVITY_LABEL) & (truth != 0)),
            ]
            overlaps.append(np.array([[int((a & b).sum()), int(a.sum() + b.sum())] for a, b in pairs], float))
        dice_cavity, dice_myocardium = (float(2 * both / max(sizes, 1)) for both, sizes in np.sum(overlaps, axis=0))
        return {
            "validation_loss": sum(losses) / count,
            "validation_dice_cavity": dice_cavity,
            "validation_dice_myocardium": dice_myocardium,
        }


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    truth = F.one_hot(labels, CLASSES).movedim(-1, 1).float()
    said = logits.softmax(dim=1)
    overlap, sizes = (said * truth).sum(dim=(0, 2, 3)), (said + truth).sum(dim=(0, 2, 3))
    return F.cross_entropy(logits, labels) + (1 - (2 * overlap + 1) / (sizes + 1))[1:].mean()


def train_localizer(
    libraries: Sequence[CaseLibrary],
    patients: int,
    name: str,
    place: Place,
    optimization: Optimization = OPTIMIZATION,
) -> LocalizerModel:
    """Train on the first `patients` of each simulated library, and choose epoch and confidence threshold on a tenth of
    them.

    A training that was interrupted resumes from its work folder. Raises ACNetError for a
    library that is not simulated, or when the folder holds another training; TrainingStopped like `fit`.
    """
    splits = [
        (
            library,
            *split_patients(library.first(patients), optimization.validation_fraction, optimization.seed),
        )
        for library in libraries
    ]
    training_cases = [case for _, cases, _ in splits for case in cases]
    validation_cases = [case for _, _, cases in splits for case in cases]
    names = [case.case for case in (*training_cases, *validation_cases)]
    masks = [replace(library, cases=(*cases, *held_back)).masks_sha256() for library, cases, held_back in splits]
    claim_folder(place.work_folder, {"optimization": asdict(optimization), "cases": names, MASKS_SHA256: masks})

    training = [section for library, cases, _ in splits for section in read_labelled_sections(library, cases)]
    validation = [section for library, _, cases in splits for section in read_labelled_sections(library, cases)]
    fields = tuple(sorted({case.field_strength_tesla for case in training_cases}))
    hearts = tuple(validation)
    heartless, others = list[LabelledSection](), list[LabelledSection]()
    heartless_count, other_count = (
        max(2, round(share * len(training_cases) / len(fields))) for share in (HEARTLESS_SHARE, OTHER_HEARTS_SHARE)
    )
    for field_strength in fields:
        for draw, count, unseen in (
            (sections_without_heart, heartless_count, heartless),
            (sections_of_other_hearts, other_count, others),
        ):
            sections = draw(2 * count, field_strength, optimization.seed)  # as many again, for the threshold alone
            held_out = max(1, round(optimization.validation_fraction * count))
            training += sections[held_out:count]
            validation += sections[:held_out]
            unseen += sections[:held_out] + sections[count:]

    intensity = IntensityScaling()
    training_set = LocalizerDataset(training, intensity, augment=True, seed=optimization.seed)
    validation_set = LocalizerDataset(validation, intensity, augment=False, seed=optimization.seed)
    sampler = EpochSampler(np.zeros(len(training), bool), optimization.seed, balanced=False)
    batches = EpochBatches(training_set, optimization.batch_size, sampler)
    torch.manual_seed(optimization.seed)
    network = LocalizerNetwork()
    task = LocalizerTask(network, optimization)
    fitted = fit(task, batches, InOrder(validation_set, optimization.batch_size), place)

    network.eval()
    card = LocalizerCard(
        name=name,
        simulated=True,
        confidence_threshold=0.5,
        field_strengths_tesla=fields,
        intensity=intensity,
        training={
            "optimization": asdict(optimization),
            **asdict(fitted),
            "training": count_cases(training_cases),
            "validation": count_cases(validation_cases),
            "sections_without_heart": heartless_count * len(fields),
            "sections_of_other_hearts": other_count * len(fields),
        },
    )
    kinds = ((hearts, 1.0), (heartless, HEARTLESS_SHARE), (others, OTHER_HEARTS_SHARE))
    threshold = confidence_threshold(Localizer(LocalizerModel(network, card), place.device), kinds)
    return LocalizerModel(network, replace(card, confidence_threshold=threshold))
