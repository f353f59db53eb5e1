"""From a T1 map to the probability of DCM and the attention masks in the map's own geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import SimpleITK as sitk
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from ACNetLib.attention import attention_maps, to_bands
from ACNetLib.checks import FIELD_TOLERANCE_TESLA
from ACNetLib.device import DeviceChoice, inference_autocast
from ACNetLib.errors import ACNetError
from ACNetLib.measures import SectionMeasures
from ACNetLib.model import Model, ModelCard
from ACNetLib.probability import Verdict, at_prevalence, check_prevalence, sigmoid, verdict
from ACNetLib.section import Crop, SectionGrid, to_intensity
from ACNetLib.t1map import T1Map
from ACNetLib.ventricle import (
    LabelArray,
    Point,
    Ventricle,
    measure_ventricle,
    ventricles_at_point,
    ventricles_from_segmentation,
)

FloatArray = NDArray[np.float64]
MapArray = NDArray[np.float32]

LARGEST_OUTSIDE_FRACTION = 0.5
"""A section of which more than half lies outside the map shows no whole ventricle."""
WARN_OUTSIDE_FRACTION = 0.1
RANGE_SHIFT_MM, RANGE_TURN_DEGREES = 3.0, 5.0
"""How far the section is moved and turned to see how much the probability depends on it."""


class Localizer(Protocol):
    """Finds the left ventricle on every section of a map: ACNetLib.localizer.Localizer, or what a test puts there."""

    @property
    def name(self) -> str: ...

    @property
    def confidence_threshold(self) -> float: ...

    def locate(self, t1_map: T1Map) -> tuple[Ventricle, ...]: ...


@dataclass(frozen=True)
class SectionResult:
    """What the network says of one section.

    log_odds: calibrated, at the study's prevalence. confidence: of the localizer, 1 where a person gave the centre.
    measures: None where the wall is not known.
    """

    section: int
    grid: SectionGrid
    probability_dcm: float
    verdict: Verdict
    log_odds: float
    outside_fraction: float
    confidence: float
    measures: SectionMeasures | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class StudyResult:
    """The result for one T1 map.

    sections: those on which the left ventricle is known; the others are named in `warnings` and count for nothing.
    probability_dcm: of the study at `prevalence_dcm`, from the mean log odds of its sections. probability_range: its
    lowest and highest value when the sections are moved by 3 mm or turned by 5 degrees. attention, bands: by map name,
    (sections, rows, columns) on the T1 map's grid; attention is in (0, 1), bands are 1 to 5, and both are 0 outside
    the section grids. ventricle: labels of ACNetLib.ventricle on the same grid. center_source: "localizer", "point" or
    "segmentation". field_mismatch: whether the model is for another field strength than the map's.
    """

    t1_map: T1Map
    sections: tuple[SectionResult, ...]
    probability_dcm: float
    probability_range: tuple[float, float]
    verdict: Verdict
    prevalence_dcm: float
    attention: dict[str, MapArray]
    bands: dict[str, NDArray[np.uint8]]
    ventricle: LabelArray
    card: ModelCard
    localizer: str
    device: DeviceChoice
    center_source: str
    field_mismatch: bool
    warnings: tuple[str, ...]


class Classifier:
    """A model and a localizer, ready to classify T1 maps.

    Raises ACNetError for a network without attention modules: its results would have nothing to show.
    """

    def __init__(self, model: Model, localizer: Localizer, device: DeviceChoice) -> None:
        if not model.card.attention_thresholds:
            raise ACNetError(f"model {model.card.name}: it has no attention; expected one with an attention module.")
        self._network = model.network.to(device.device).eval()
        self._card = model.card
        self._localizer = localizer
        self._device = device

    def classify(
        self,
        t1_map: T1Map,
        *,
        center_mm: Point | None = None,
        segmentation: sitk.Image | None = None,
        prevalence_dcm: float | None = None,
        allow_field_mismatch: bool = False,
    ) -> StudyResult:
        """Classify every section on which the left ventricle is known.

        The localizer finds it, unless a person gives its centre (LPS mm) or a segmentation. `prevalence_dcm` is the
        share of DCM among those examined, by default the one that the model was trained for.
        Raises ACNetError when the map's field strength is unknown or not the model's, when the ventricle is found on
        no section, or when more than half of a section would lie outside the map.
        """
        prevalence = self._card.training_prior_dcm if prevalence_dcm is None else prevalence_dcm
        check_prevalence(prevalence)
        field_mismatch = self._check_field_strength(t1_map, allow_field_mismatch)
        ventricles, source, doubts = self._ventricles(t1_map, center_mm, segmentation)
        grids = [SectionGrid.around(t1_map, ventricle.section, ventricle.center_mm) for ventricle in ventricles]
        crops = [grid.crop(t1_map) for grid in grids]
        _check_crops(grids, crops, t1_map)
        logits, maps = self._run(np.stack([crop.t1_ms for crop in crops]))

        def calibrated(log_odds: float, temperature: float) -> float:
            return at_prevalence(log_odds / temperature, self._card.training_prior_dcm, prevalence)

        study_log_odds = calibrated(float(logits.mean()), self._card.study_temperature)
        around = [calibrated(float(m), self._card.study_temperature) for m in self._means_around(t1_map, grids)]
        probability = sigmoid(study_log_odds)
        shape = t1_map.array.shape
        attention = {name: np.zeros(shape, np.float32) for name in maps}
        inside = np.zeros(shape, bool)
        labels = np.zeros(shape, np.uint8)
        for index, (grid, ventricle) in enumerate(zip(grids, ventricles, strict=True)):
            inside[grid.section] = grid.restore(np.ones((grid.size, grid.size), np.float32), t1_map) > 0
            for name, values in maps.items():
                attention[name][grid.section] = grid.restore(values[index], t1_map)
            if ventricle.labels is not None:
                labels[grid.section] = ventricle.labels
        thresholds = self._card.attention_thresholds
        return StudyResult(
            t1_map=t1_map,
            sections=tuple(
                self._section_result(
                    t1_map, ventricle, grid, crop, calibrated(float(value), self._card.section_temperature)
                )
                for ventricle, grid, crop, value in zip(ventricles, grids, crops, logits, strict=True)
            ),
            probability_dcm=probability,
            probability_range=(sigmoid(min(study_log_odds, *around)), sigmoid(max(study_log_odds, *around))),
            verdict=verdict(probability, self._card.uncertain_range),
            prevalence_dcm=prevalence,
            attention=attention,
            bands={name: to_bands(values, inside, thresholds[name]) for name, values in attention.items()},
            ventricle=labels,
            card=self._card,
            localizer=self._localizer.name,
            device=self._device,
            center_source=source,
            field_mismatch=field_mismatch,
            warnings=(*t1_map.warnings, *self._field_warnings(t1_map, field_mismatch), *doubts),
        )

    def _check_field_strength(self, t1_map: T1Map, allow_mismatch: bool) -> bool:
        field, expected = require_field_strength(t1_map), self._card.field_strength_tesla
        mismatch = abs(field - expected) > FIELD_TOLERANCE_TESLA
        if mismatch and not allow_mismatch:
            raise ACNetError(
                f"{t1_map.name}: it is from {field:g} T, the model {self._card.name} is for {expected:g} T; expected "
                "the same, for normal T1 differs. Choose a model for its field strength."
            )
        return mismatch

    def _field_warnings(self, t1_map: T1Map, mismatch: bool) -> list[str]:
        if not mismatch:
            return []
        field, expected = t1_map.field_strength_tesla, self._card.field_strength_tesla
        return [f"The map is from {field:g} T, the model for {expected:g} T: the probability means nothing."]

    def _ventricles(
        self, t1_map: T1Map, center_mm: Point | None, segmentation: sitk.Image | None
    ) -> tuple[tuple[Ventricle, ...], str, list[str]]:
        """The ventricles to classify, where they come from, and what is to be said of the other sections."""
        found = self._localizer.locate(t1_map)
        if segmentation is not None:
            drawn = ventricles_from_segmentation(t1_map, segmentation, found)
            reached = {ventricle.section for ventricle in drawn}
            left_out = [section for section in range(t1_map.section_count) if section not in reached]
            return drawn, "segmentation", [f"Section {n} was left out: it is not segmented." for n in left_out]
        if center_mm is not None:
            return ventricles_at_point(t1_map, center_mm, found), "point", []
        threshold = self._localizer.confidence_threshold
        confident = tuple(ventricle for ventricle in found if ventricle.confidence >= threshold)
        if not confident:
            best = max(ventricle.confidence for ventricle in found)
            raise ACNetError(
                f"{t1_map.name}: the left ventricle was not found on any section (highest confidence {best:.2f}, "
                f"expected {threshold:.2f} or more). Give its centre (--center=L,P,S; in Slicer a control point)."
            )
        doubts = [
            f"Section {ventricle.section} was left out: the left ventricle was not found on it (confidence "
            f"{ventricle.confidence:.2f}, expected {threshold:.2f}); give its centre to have it judged."
            for ventricle in found
            if ventricle.confidence < threshold
        ]
        return confident, "localizer", doubts

    def _run(self, t1_ms: MapArray) -> tuple[FloatArray, dict[str, MapArray]]:
        """Uncalibrated log odds (S,) and attention maps (S, 128, 128) of sections (S, 128, 128) in ms."""
        intensity = torch.from_numpy(to_intensity(t1_ms, self._card.intensity))[:, None].to(self._device.device)
        with torch.inference_mode(), inference_autocast(self._device.device):
            output = self._network(intensity)
        logits = output.logits.double().cpu()
        masks = [mask.float().cpu().numpy() for mask in output.masks]
        maps = {name: _enlarged(values, t1_ms.shape[-2:]) for name, values in attention_maps(masks).items()}
        return (logits[:, 1] - logits[:, 0]).numpy(), maps

    def _means_around(self, t1_map: T1Map, grids: Sequence[SectionGrid]) -> list[float]:
        """Mean log odds of the study with all sections moved or turned a little, one value a change."""
        shift, turn = RANGE_SHIFT_MM, RANGE_TURN_DEGREES
        changes = [(0.0, (shift, 0.0)), (0.0, (-shift, 0.0)), (0.0, (0.0, shift)), (0.0, (0.0, -shift))]
        changes += [(turn, (0.0, 0.0)), (-turn, (0.0, 0.0))]
        return [
            float(self._run(np.stack([grid.turned(*change).crop(t1_map).t1_ms for grid in grids]))[0].mean())
            for change in changes
        ]

    def _section_result(
        self, t1_map: T1Map, ventricle: Ventricle, grid: SectionGrid, crop: Crop, log_odds: float
    ) -> SectionResult:
        probability = sigmoid(log_odds)
        warnings: tuple[str, ...] = ()
        if crop.outside_fraction > WARN_OUTSIDE_FRACTION:
            warnings = (f"{crop.outside_fraction:.0%} of the section lies outside the map",)
        return SectionResult(
            section=grid.section,
            grid=grid,
            probability_dcm=probability,
            verdict=verdict(probability, self._card.uncertain_range),
            log_odds=log_odds,
            outside_fraction=crop.outside_fraction,
            confidence=ventricle.confidence,
            measures=measure_ventricle(t1_map, ventricle),
            warnings=warnings,
        )


def require_field_strength(t1_map: T1Map) -> float:
    """The map's field strength in tesla. Raises ACNetError when it is not known: it is never guessed."""
    if t1_map.field_strength_tesla is None:
        raise ACNetError(
            f"{t1_map.name}: it does not tell its field strength; expected 1.5 or 3 T, for normal T1 differs by 190 ms "
            "between them. Give it (--field 1.5 or --field 3)."
        )
    return t1_map.field_strength_tesla


def _check_crops(grids: Sequence[SectionGrid], crops: Sequence[Crop], t1_map: T1Map) -> None:
    for grid, crop in zip(grids, crops, strict=True):
        if crop.outside_fraction > LARGEST_OUTSIDE_FRACTION:
            place = ", ".join(f"{value:g}" for value in grid.center_mm)
            raise ACNetError(
                f"{t1_map.name}: {crop.outside_fraction:.0%} of section {grid.section} around {place} (LPS mm) lies "
                "outside the map; expected a centre in the left ventricle."
            )


def _enlarged(maps: MapArray, size: tuple[int, ...]) -> MapArray:
    """(S, h, w) to (S, *size), bilinear: the section's own pixels."""
    return F.interpolate(torch.from_numpy(maps)[:, None], size=size, mode="bilinear", align_corners=False)[:, 0].numpy()
