"""The network's answer for single slices, each laid back onto the pixels of its T1 map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import SHOWN_MAP, attention_maps, enlarged, to_bands
from ACNetLib.inference.device import DeviceChoice, infer
from ACNetLib.inference.evidence import evidence_maps
from ACNetLib.inference.pooling import Pooling
from ACNetLib.inference.probability import sigmoid
from ACNetLib.inference.record import RANGE_SHIFT_MM, RANGE_TURN_DEGREES, SectionRecord
from ACNetLib.inference.result import SliceImages
from ACNetLib.inference.settings import Progress
from ACNetLib.inference.verdict import verdict
from ACNetLib.models.model import Model
from ACNetLib.networks.acnet import ACNetOutput
from ACNetLib.t1map.section import SECTION_SIZE, SECTION_SPACING_MM, Crop, SectionGrid, to_intensity
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import Ventricle, is_myocardium, measure_ventricle
from ACNetLib.ventricle.quality import quality_marks
from ACNetLib.ventricle.shape import shape_of

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
MapArray = NDArray[np.float32]

LARGEST_FRACTION_WITHOUT_T1 = 0.5
"""A crop of which more than half lies outside the map, or is 0 because the map was masked, shows no whole ventricle."""
WARN_MISSING_FRACTION, WARN_FRACTION_WITHOUT_T1 = 0.1, 0.3
"""Lung and air are 0 where a map leaves failed fits out, in a quarter of the crop: the network knows them as noise."""
BARE_CORNER, CORNER_PIXELS = 0.8, 12
"""Where so much of each corner of a crop has no T1 the map is masked: lung lies in two or three of them."""

# How the slices are turned and moved to see how much the probability depends on it: degrees, and mm along both axes.
_SHIFT, _TURN = RANGE_SHIFT_MM, RANGE_TURN_DEGREES
_CHANGES = (
    (_TURN, (_SHIFT, 0.0)),
    (-_TURN, (0.0, _SHIFT)),
    (_TURN, (-_SHIFT, 0.0)),
    (-_TURN, (0.0, -_SHIFT)),
)


@dataclass(frozen=True, eq=False)
class ClassifiedSection:
    """A slice's record, and what the network attends to on it."""

    record: SectionRecord
    images: SliceImages


def with_enough_t1(t1_map: T1Map, ventricles: Sequence[Ventricle]) -> tuple[list[Ventricle], list[str]]:
    """The ventricles around which at least half of the crop has T1, and what is to be said of the others: lung and air
    that are 0 leave less around an apex. Raises ACNetError where none has.
    """
    kept, left_out = [], []
    for ventricle in ventricles:
        grid = SectionGrid.around(t1_map, ventricle.section, ventricle.center_mm, ventricle.turn_degrees)
        crop = grid.crop(t1_map)
        share = float((crop.outside | _zero(grid, t1_map)).mean())
        if share <= LARGEST_FRACTION_WITHOUT_T1:
            kept.append(ventricle)
        else:
            left_out.append((ventricle, share, _why_without_t1(crop, t1_map)))
    if not kept:
        (first, share, why), size_mm = left_out[0], SECTION_SIZE * SECTION_SPACING_MM
        place = ", ".join(f"{value:g}" for value in first.center_mm)
        raise ACNetError(
            f"{t1_map.name}: {share:.0%} of the crop of slice {first.section} around {place} (LPS mm) {why}; expected "
            f"a centre in the left ventricle, and about {size_mm:.0f} x {size_mm:.0f} mm of the map around it."
        )
    return kept, [f"Slice {each.section} was left out: {share:.0%} of its crop {why}." for each, share, why in left_out]


def _why_without_t1(crop: Crop, t1_map: T1Map) -> str:
    """Of a crop of which more than half has no T1."""
    if crop.outside_fraction <= LARGEST_FRACTION_WITHOUT_T1:
        return "has no T1: the map is masked or cut"
    size_mm = np.multiply(t1_map.image.GetSize(), t1_map.image.GetSpacing())
    return f"lies outside the map, which is {size_mm[0]:.0f} x {size_mm[1]:.0f} mm"


class SectionClassifier:
    """A network on a device, which classifies the slices of a map in one batch.

    device: where it runs. Where the GPU's memory is full that becomes the processor.
    """

    def __init__(self, model: Model, device: DeviceChoice) -> None:
        self._network = model.network.eval()
        self._card = model.card
        self.device = device

    def classify(
        self,
        t1_map: T1Map,
        seen: T1Map,
        ventricles: Sequence[Ventricle],
        pooling: Pooling,
        progress: Progress,
    ) -> list[ClassifiedSection]:
        """The network's answer for the sections around these ventricles.

        seen: the map in the scale of the model's training. What a reader measures is taken from the map itself.
        """
        grids = [
            SectionGrid.around(t1_map, ventricle.section, ventricle.center_mm, ventricle.turn_degrees)
            for ventricle in ventricles
        ]
        crops = [grid.crop(seen) for grid in grids]
        bare = [crop.outside | _zero(grid, t1_map) for grid, crop in zip(grids, crops, strict=True)]
        without_t1 = [float(each.mean()) for each in bare]
        masked = [_masked_fraction(*each) for each in zip(bare, crops, strict=True)]
        passes = 1 + len(_CHANGES)
        progress("sections", 1 / (1 + passes))
        output = self._run([grid.filled(seen, crop) for grid, crop in zip(grids, crops, strict=True)])
        log_odds, maps, evidence, outside = _log_odds(output), _attention(output), _evidence(output), _outside(output)
        evidence = evidence_maps(evidence, pooling)
        around = []
        for index, change in enumerate(_CHANGES):
            progress("range", (2 + index) / (1 + passes))
            around.append(_log_odds(self._run([grid.turned(*change).filled(seen) for grid in grids])))
        every_log_odds = np.stack([log_odds, *around], axis=1)
        classified = []
        for index, (ventricle, grid, crop) in enumerate(zip(ventricles, grids, crops, strict=True)):
            everywhere = np.ones((grid.size, grid.size), np.float32)
            images = [everywhere, evidence[index], *(values[index] for values in maps.values())]
            covered, evidence_there, *attention_there = grid.restore(np.stack(images), t1_map)
            attention, inside = dict(zip(maps, attention_there, strict=True)), covered > 0
            record = SectionRecord(
                section=grid.section,
                left_out=False,
                center_lps_mm=grid.center_mm,
                turn_degrees=ventricle.turn_degrees,
                **_probability(float(log_odds[index]), pooling),
                network_log_odds=tuple(every_log_odds[index].tolist()),
                outside_fraction=crop.outside_fraction,
                masked_fraction=masked[index],
                confidence=ventricle.confidence,
                outside_score=float(outside[index]),
                measures=measure_ventricle(t1_map, ventricle),
                shape=shape_of(t1_map, ventricle),
                wall_attention=_wall_attention(attention[SHOWN_MAP], inside, ventricle),
                warnings=_section_warnings(crop, masked[index], without_t1[index], t1_map, ventricle),
            )
            bands = {
                name: to_bands(values, inside, self._card.attention_thresholds[name])
                for name, values in attention.items()
            }
            labels = np.zeros(inside.shape, np.uint8) if ventricle.labels is None else ventricle.labels
            classified.append(ClassifiedSection(record, SliceImages(attention, bands, evidence_there, labels)))
        return classified

    def _run(self, t1_ms: Sequence[MapArray]) -> ACNetOutput:
        """What the network says of sections, each (128, 128) in ms."""
        intensity = torch.from_numpy(to_intensity(np.stack(t1_ms), self._card.intensity))[:, None]
        # In 32 bit, as where temperatures and threshold were chosen.
        output: ACNetOutput
        output, self.device = infer(self._network, intensity, self.device)
        return output


def _log_odds(output: ACNetOutput) -> FloatArray:
    """Uncalibrated, (S,)."""
    logits = output.logits.double().cpu()
    return (logits[:, 1] - logits[:, 0]).numpy()


def _attention(output: ACNetOutput) -> dict[str, MapArray]:
    """Attention maps (S, 128, 128)."""
    masks = [mask.float().cpu().numpy() for mask in output.masks]
    return {name: enlarged(values) for name, values in attention_maps(masks).items()}


def _evidence(output: ACNetOutput) -> MapArray:
    """(S, 32, 32)."""
    assert output.evidence is not None, "of an ACNet that is not trained"
    return output.evidence.float().cpu().numpy()


def _outside(output: ACNetOutput) -> MapArray:
    """Scores (S,), NaN where the model has none."""
    if output.outside is None:
        return np.full(len(output.logits), np.nan, np.float32)
    return output.outside.float().cpu().numpy()


def _probability(network_log_odds: float, pooling: Pooling) -> dict[str, Any]:
    """The fields of SectionRecord that calibration and prevalence make of the network's log odds."""
    log_odds = pooling.log_odds([network_log_odds])
    probability = sigmoid(log_odds)
    return {
        "log_odds_dcm": log_odds,
        "probability_dcm": probability,
        "verdict": verdict(probability, pooling.uncertain_range),
    }


def _zero(grid: SectionGrid, t1_map: T1Map) -> BoolArray:
    """What of a section is 0 in the map, by the nearest pixels: its own are interpolated."""
    return grid.sample(t1_map.image) == 0


def _masked_fraction(bare: BoolArray, crop: Crop) -> float:
    """How much of a section is 0 within the map where all its corners are bare, as of a map that was masked; else 0."""
    ends = (slice(CORNER_PIXELS), slice(-CORNER_PIXELS, None))
    is_masked = all(bare[corner].mean() >= BARE_CORNER for corner in product(ends, ends))
    return float(np.mean(bare & ~crop.outside)) if is_masked else 0.0


def _section_warnings(
    crop: Crop, masked: float, without_t1: float, t1_map: T1Map, ventricle: Ventricle
) -> tuple[str, ...]:
    outside, warnings = crop.outside_fraction, []
    if masked > WARN_MISSING_FRACTION or outside <= WARN_FRACTION_WITHOUT_T1 < without_t1:
        warnings.append(f"{without_t1:.0%} of the crop has no T1: the map is masked or cut")
    elif outside > WARN_MISSING_FRACTION:
        warnings.append(f"{outside:.0%} of the crop lies outside the map")
    if ventricle.labels is not None and ventricle.has_wall:
        column_mm, row_mm, _ = t1_map.image.GetSpacing()
        marks = quality_marks(t1_map.array[ventricle.section], ventricle.labels, (row_mm, column_mm))
        warnings += marks.values()
    return tuple(warnings)


def _wall_attention(attention: MapArray, inside: BoolArray, ventricle: Ventricle) -> float:
    """Mean attention in the myocardium relative to that in the whole section, NaN where the wall is not known."""
    if ventricle.labels is None or not ventricle.has_wall:
        return float("nan")
    wall = is_myocardium(ventricle.labels) & inside
    return float(attention[wall].mean() / attention[inside].mean()) if wall.any() else float("nan")
