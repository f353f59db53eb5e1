"""From a T1 map to the probability of DCM and the attention masks in the map's own geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from ACNetLib.attention import attention_maps, to_bands
from ACNetLib.device import DeviceChoice, inference_autocast
from ACNetLib.errors import ACNetError
from ACNetLib.model import Model, ModelCard
from ACNetLib.section import Crop, SectionGrid, to_intensity
from ACNetLib.t1map import T1Map

Point = Sequence[float] | NDArray[np.float64]
LARGEST_OUTSIDE_FRACTION = 0.5
"""A section of which more than half lies outside the map shows no whole ventricle."""
WARN_OUTSIDE_FRACTION = 0.1


@dataclass(frozen=True)
class SectionResult:
    """What the network says of one section. logit: calibrated log odds of DCM."""

    section: int
    grid: SectionGrid
    probability_dcm: float
    decision: str
    logit: float
    outside_fraction: float
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class StudyResult:
    """The result for one T1 map.

    probability_dcm: of the study, from the mean log odds of its sections. attention, bands: by map name, (sections,
    rows, columns) on the T1 map's grid; attention is in (0, 1), bands are 1 to 5, and both are 0 outside the section
    grids. center_source: "given" or "image centre".
    """

    t1_map: T1Map
    sections: tuple[SectionResult, ...]
    probability_dcm: float
    decision: str
    decision_threshold: float
    attention: dict[str, NDArray[np.float32]]
    bands: dict[str, NDArray[np.uint8]]
    card: ModelCard
    device: DeviceChoice
    center_source: str
    warnings: tuple[str, ...]


class Classifier:
    """A model on a device, ready to classify T1 maps.

    Raises ACNetError for a network without attention modules: its results would have nothing to show.
    """

    def __init__(self, model: Model, device: DeviceChoice) -> None:
        if not model.card.attention_thresholds:
            raise ACNetError(f"model {model.card.name}: it has no attention; expected one with an attention module.")
        self._network = model.network.to(device.device).eval()
        self._card = model.card
        self._device = device

    def classify(self, t1_map: T1Map, center_mm: Point | None = None) -> StudyResult:
        """Classify every section of the map around one point (LPS mm), by default the centre of the image.

        Raises ACNetError when more than half of a section around that point would lie outside the map.
        """
        point = t1_map.center if center_mm is None else np.asarray(center_mm, float)
        grids = [SectionGrid.around(t1_map, section, point) for section in range(t1_map.section_count)]
        crops = [grid.crop(t1_map) for grid in grids]
        _check_crops(crops, t1_map, center_mm)
        log_odds, maps = self._run(np.stack([crop.t1_ms for crop in crops]))

        inside = np.stack([grid.restore(np.ones((grid.size, grid.size), np.float32), t1_map) > 0 for grid in grids])
        attention = {
            name: np.stack([grid.restore(values, t1_map) for grid, values in zip(grids, sections, strict=True)])
            for name, sections in maps.items()
        }
        thresholds = self._card.attention_thresholds
        probability = _sigmoid(float(log_odds.mean()))
        return StudyResult(
            t1_map=t1_map,
            sections=tuple(
                self._section_result(grid, crop, float(value))
                for grid, crop, value in zip(grids, crops, log_odds, strict=True)
            ),
            probability_dcm=probability,
            decision=self._decide(probability),
            decision_threshold=self._card.decision_threshold,
            attention=attention,
            bands={name: to_bands(values, inside, thresholds[name]) for name, values in attention.items()},
            card=self._card,
            device=self._device,
            center_source="image centre" if center_mm is None else "given",
            warnings=(*t1_map.warnings, *self._warnings(t1_map, center_mm is None)),
        )

    def _run(self, t1_ms: NDArray[np.float32]) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float32]]]:
        """Calibrated log odds (S,) and attention maps (S, 128, 128) of sections (S, 128, 128) in ms."""
        intensity = torch.from_numpy(to_intensity(t1_ms, self._card.intensity))[:, None].to(self._device.device)
        with torch.inference_mode(), inference_autocast(self._device.device):
            output = self._network(intensity)
        logits = output.logits.double().cpu()
        log_odds = (logits[:, 1] - logits[:, 0]).numpy() / self._card.temperature
        masks = [mask.float().cpu().numpy() for mask in output.masks]
        maps = {name: _enlarged(values, t1_ms.shape[-2:]) for name, values in attention_maps(masks).items()}
        return log_odds, maps

    def _section_result(self, grid: SectionGrid, crop: Crop, log_odds: float) -> SectionResult:
        probability = _sigmoid(log_odds)
        warnings: tuple[str, ...] = ()
        if crop.outside_fraction > WARN_OUTSIDE_FRACTION:
            warnings = (f"{crop.outside_fraction:.0%} of the section lies outside the map",)
        return SectionResult(
            grid.section, grid, probability, self._decide(probability), log_odds, crop.outside_fraction, warnings
        )

    def _decide(self, probability: float) -> str:
        return self._card.class_names[int(probability >= self._card.decision_threshold)]

    def _warnings(self, t1_map: T1Map, image_center: bool) -> list[str]:
        warnings = []
        if image_center:
            warnings.append("No centre was given: the image centre was used, which need not be the heart.")
        field = t1_map.field_strength_tesla
        if field is None:
            warnings.append(
                f"The map does not tell its field strength; the model is for {self._card.field_strength_tesla:g} T."
            )
        elif abs(field - self._card.field_strength_tesla) > 0.2:
            warnings.append(
                f"The map is from {field:g} T, the model for {self._card.field_strength_tesla:g} T: "
                "normal T1 differs, so the probability means nothing."
            )
        return warnings


def _check_crops(crops: list[Crop], t1_map: T1Map, center_mm: Point | None) -> None:
    for section, crop in enumerate(crops):
        if crop.outside_fraction > LARGEST_OUTSIDE_FRACTION:
            place = "the image centre" if center_mm is None else ", ".join(f"{value:g}" for value in center_mm)
            raise ACNetError(
                f"{t1_map.name}: {crop.outside_fraction:.0%} of section {section} around {place} (LPS mm) lies outside "
                "the map; expected a centre in the left ventricle."
            )


def _sigmoid(log_odds: float) -> float:
    return float(1 / (1 + np.exp(-log_odds)))


def _enlarged(maps: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.float32]:
    """(S, h, w) to (S, *size), bilinear: the section's own pixels."""
    return F.interpolate(torch.from_numpy(maps)[:, None], size=size, mode="bilinear", align_corners=False)[:, 0].numpy()
