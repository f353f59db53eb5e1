"""From a T1 map to the probability of DCM and the attention masks in the map's own geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import SHOWN_MAP, attention_maps, enlarged, to_bands
from ACNetLib.inference.device import DeviceChoice, infer
from ACNetLib.inference.evidence import evidence_maps
from ACNetLib.inference.pooling import Pooling, pool, pooling_of, t1_factor
from ACNetLib.inference.probability import check_prevalence, sigmoid, verdict
from ACNetLib.inference.record import RANGE_SHIFT_MM, RANGE_TURN_DEGREES, MapRecord, SectionRecord
from ACNetLib.inference.result import MapImages, StudyResult
from ACNetLib.inference.settings import Progress, Settings, unwatched
from ACNetLib.inference.ventricle_choice import Localizer, choose_ventricles
from ACNetLib.models.model import Model
from ACNetLib.networks.acnet import ACNetOutput
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.t1map.field_strength import nominal_field_strength, require_field_strength
from ACNetLib.t1map.section import Crop, SectionGrid, to_intensity
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import Point, Ventricle, is_myocardium, measure_ventricle, ventricles_at_point
from ACNetLib.ventricle.quality import quality_marks

FloatArray = NDArray[np.float64]
MapArray = NDArray[np.float32]

LARGEST_OUTSIDE_FRACTION = 0.5
"""A crop of which more than half lies outside the map shows no whole ventricle."""
WARN_OUTSIDE_FRACTION = 0.1
MOVED_BY_HAND = "the crop was moved by hand"


# How the slices are turned and moved to see how much the probability depends on it: degrees, and mm along both axes.
_SHIFT, _TURN = RANGE_SHIFT_MM, RANGE_TURN_DEGREES
_CHANGES = (
    (_TURN, (_SHIFT, 0.0)),
    (-_TURN, (0.0, _SHIFT)),
    (_TURN, (-_SHIFT, 0.0)),
    (-_TURN, (0.0, -_SHIFT)),
)


@dataclass(frozen=True, eq=False)
class _Judged:
    """One section's record, its attention maps and its evidence (rows, columns) on the T1 map's pixels, and which of
    these it covers."""

    record: SectionRecord
    attention: dict[str, MapArray]
    evidence: MapArray
    inside: NDArray[np.bool_]


class Classifier:
    """A model and a localizer, ready to classify T1 maps.

    Raises ACNetError for a network without attention modules: its results would have nothing to show.
    """

    def __init__(self, model: Model, localizer: Localizer, device: DeviceChoice) -> None:
        if not model.card.attention_thresholds:
            raise ACNetError(f"model {model.card.name}: it has no attention; expected one with an attention module.")
        self._network = model.network.eval()
        score = getattr(model.network, "outside_score", None)
        self._outside_limits: tuple[float, ...] = () if score is None else tuple(score.limits.tolist())
        self._card = model.card.without_patients()
        self._localizer = localizer
        self._chosen_device = self._device = device

    def classify(self, t1_map: T1Map, settings: Settings | None = None, progress: Progress = unwatched) -> StudyResult:
        """Classify every section, or the chosen ones, on which the left ventricle is known.

        `progress` is told of the steps "ventricle", "sections" and "range".
        Raises ACNetError when the map's field strength is not the model's, or is unknown and no reference stands for
        it, when it has no such section, when the ventricle is found on no section or holds blood after contrast, or
        when more than half of a section would lie outside the map.
        """
        settings = settings or Settings()
        reference, given = settings.reference, settings.prevalence_dcm
        prevalence = self._card.training_prior_dcm if given is None else given
        check_prevalence(prevalence)
        field_mismatch = self._check_field_strength(t1_map, reference, settings.allow_field_mismatch)
        seen = t1_map.scaled(t1_factor(self._card, reference))
        progress("ventricle", 0.0)
        chosen = choose_ventricles(self._localizer, seen, settings)
        pooling = pooling_of(self._card, prevalence, reference)
        judged = self._judge(t1_map, seen, chosen.ventricles, pooling, progress)
        inside = np.zeros(t1_map.array.shape, bool)
        attention = {name: np.zeros(inside.shape, np.float32) for name in judged[0].attention}
        evidence = np.zeros(inside.shape, np.float32)
        labels = np.zeros(inside.shape, np.uint8)
        for ventricle, each in zip(chosen.ventricles, judged, strict=True):
            inside[ventricle.section] = each.inside
            evidence[ventricle.section] = each.evidence
            for name, values in each.attention.items():
                attention[name][ventricle.section] = values
            if ventricle.labels is not None:
                labels[ventricle.section] = ventricle.labels
        of_map = MapRecord(
            name=t1_map.name,
            section_count=t1_map.section_count,
            field_strength_tesla=t1_map.field_strength_tesla,
            scanner=t1_map.scanner,
            simulated=t1_map.simulated,
            center_source=chosen.source,
            field_mismatch=field_mismatch,
            sections=tuple(each.record for each in judged),
            warnings=(
                *t1_map.warnings,
                *self._field_warnings(t1_map, field_mismatch),
                *self._reference_warnings(reference),
                *self._device_warnings(),
                *chosen.doubts,
            ),
        )
        bands = {name: self._bands(name, values, inside) for name, values in attention.items()}
        return StudyResult(
            maps=(of_map,),
            **vars(pool([each.record.network_log_odds for each in judged], pooling)),
            prevalence_dcm=prevalence,
            reference=reference,
            model=self._card,
            localizer=self._localizer.name,
            device=self._device,
            outside_limits=self._outside_limits,
            exam_warnings=(),
            images=(MapImages(t1_map, attention, bands, evidence, labels),),
        ).pooled()

    def move_section(
        self, result: StudyResult, place: int, center_mm: Point, progress: Progress = unwatched
    ) -> StudyResult:
        """The result with one of its slices cut anew around a person's centre (LPS mm), the others as they are.

        place: of the slice among `result.slices`, from 0.

        Where the centre lies outside the ventricle that was known there, the section's labels go: it has no wall then,
        until the centre lies in what the localizer finds. Raises ACNetError when more than half of the section would
        lie outside the map.
        """
        moved_slice = list(result.slices)[place]
        section, images = moved_slice.section.section, result.images[moved_slice.map_index]
        t1_map = images.t1_map
        seen = t1_map.scaled(result.t1_factor)
        known = Ventricle(
            section,
            t1_map.section_center(section),
            labels=images.ventricle[section],
            turn_degrees=moved_slice.section.turn_degrees,
        )
        if not known.has_wall:
            (known,) = self._localizer.locate(seen, [section])
        (ventricle,) = ventricles_at_point(t1_map, center_mm, [known])
        labels = np.zeros_like(images.ventricle[section]) if ventricle.labels is None else ventricle.labels
        pooling = pooling_of(self._card, result.prevalence_dcm, result.reference)
        (judged,) = self._judge(t1_map, seen, [ventricle], pooling, progress)
        left_out, warnings = moved_slice.section.left_out, (*judged.record.warnings, MOVED_BY_HAND)
        moved = replace(judged.record, left_out=left_out, warnings=warnings)
        sections = [moved if each is moved_slice.section else each for each in moved_slice.of_map.sections]

        def with_plane(volume: NDArray, plane: NDArray) -> NDArray:
            volume = volume.copy()
            volume[section] = plane
            return volume

        maps, every = list(result.maps), list(result.images)
        maps[moved_slice.map_index] = replace(moved_slice.of_map, sections=tuple(sections))
        every[moved_slice.map_index] = replace(
            images,
            attention={name: with_plane(values, judged.attention[name]) for name, values in images.attention.items()},
            bands={
                name: with_plane(values, self._bands(name, judged.attention[name], judged.inside))
                for name, values in images.bands.items()
            },
            evidence=with_plane(images.evidence, judged.evidence),
            ventricle=with_plane(images.ventricle, labels),
        )
        return replace(result, maps=tuple(maps), images=tuple(every)).pooled()

    def _check_field_strength(self, t1_map: T1Map, reference: ReferenceT1 | None, allow_mismatch: bool) -> bool:
        if t1_map.field_strength_tesla is None and reference is not None and self._card.normal_t1_ms is not None:
            return False
        field, expected = require_field_strength(t1_map), self._card.field_strength_tesla
        mismatch = nominal_field_strength(field) != nominal_field_strength(expected)
        if mismatch and not allow_mismatch:
            raise ACNetError(
                f"{t1_map.name}: it is from {field:g} T, the model {self._card.name} is for {expected:g} T; expected "
                "the same, for normal T1 differs. Choose a model for its field strength."
            )
        return mismatch

    def _field_warnings(self, t1_map: T1Map, mismatch: bool) -> list[str]:
        field, expected = t1_map.field_strength_tesla, self._card.field_strength_tesla
        if field is None:
            return [
                f"The map does not tell its field strength: by the reference T1 it was taken as one of {expected:g} T."
            ]
        if not mismatch:
            return []
        return [f"Field strength mismatch (map {field:g} T, model {expected:g} T): result not valid."]

    def _reference_warnings(self, reference: ReferenceT1 | None) -> list[str]:
        if reference is None or self._card.normal_t1_ms is not None:
            return []
        return [f"The model {self._card.name} does not know its own normal T1, so the networks saw T1 as it is."]

    def _device_warnings(self) -> list[str]:
        if self._device == self._chosen_device:
            return []
        return [f"The processor went on in place of {self._chosen_device.device}, whose memory was full."]

    def _judge(
        self,
        t1_map: T1Map,
        seen: T1Map,
        ventricles: Sequence[Ventricle],
        pooling: Pooling,
        progress: Progress,
    ) -> list[_Judged]:
        """The network's answer for the sections around these ventricles, all of them in one batch.

        seen: the map in the scale of the model's training. What a reader measures is taken from the map itself.
        """
        grids = [
            SectionGrid.around(t1_map, ventricle.section, ventricle.center_mm, ventricle.turn_degrees)
            for ventricle in ventricles
        ]
        crops = [grid.crop(seen) for grid in grids]
        _check_crops(grids, crops, t1_map)
        passes = 1 + len(_CHANGES)
        progress("sections", 1 / (1 + passes))
        output = self._run([crop.t1_ms for crop in crops])
        log_odds, maps, evidence, outside = _log_odds(output), _attention(output), _evidence(output), _outside(output)
        evidence = evidence_maps(evidence, pooling)
        around = []
        for index, change in enumerate(_CHANGES):
            progress("range", (2 + index) / (1 + passes))
            around.append(_log_odds(self._run([grid.turned(*change).crop(seen).t1_ms for grid in grids])))
        every_log_odds = np.stack([log_odds, *around], axis=1)
        judged = []
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
                confidence=ventricle.confidence,
                outside_score=float(outside[index]),
                measures=measure_ventricle(t1_map, ventricle),
                wall_attention=_wall_attention(attention[SHOWN_MAP], inside, ventricle),
                warnings=_section_warnings(crop, t1_map, ventricle),
            )
            judged.append(_Judged(record, attention, evidence_there, inside))
        return judged

    def _run(self, t1_ms: Sequence[MapArray]) -> ACNetOutput:
        """What the network says of sections, each (128, 128) in ms."""
        intensity = torch.from_numpy(to_intensity(np.stack(t1_ms), self._card.intensity))[:, None]
        # In 32 bit, as where temperatures and threshold were chosen.
        output: ACNetOutput
        output, self._device = infer(self._network, intensity, self._device)
        return output

    def _bands(self, name: str, values: MapArray, inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
        return to_bands(values, inside, self._card.attention_thresholds[name])


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


def _section_warnings(crop: Crop, t1_map: T1Map, ventricle: Ventricle) -> tuple[str, ...]:
    outside = crop.outside_fraction
    warnings = [f"{outside:.0%} of the crop lies outside the map"] if outside > WARN_OUTSIDE_FRACTION else []
    if ventricle.labels is not None and ventricle.has_wall:
        column_mm, row_mm, _ = t1_map.image.GetSpacing()
        marks = quality_marks(t1_map.array[ventricle.section], ventricle.labels, (row_mm, column_mm))
        warnings += marks.values()
    return tuple(warnings)


def _wall_attention(attention: MapArray, inside: NDArray[np.bool_], ventricle: Ventricle) -> float:
    """Mean attention in the myocardium relative to that in the whole section, NaN where the wall is not known."""
    if ventricle.labels is None or not ventricle.has_wall:
        return float("nan")
    wall = is_myocardium(ventricle.labels) & inside
    return float(attention[wall].mean() / attention[inside].mean()) if wall.any() else float("nan")


def _check_crops(grids: Sequence[SectionGrid], crops: Sequence[Crop], t1_map: T1Map) -> None:
    for grid, crop in zip(grids, crops, strict=True):
        if crop.outside_fraction > LARGEST_OUTSIDE_FRACTION:
            place = ", ".join(f"{value:g}" for value in grid.center_mm)
            raise ACNetError(
                f"{t1_map.name}: {crop.outside_fraction:.0%} of the crop of slice {grid.section} around {place} "
                "(LPS mm) lies outside the map; expected a centre in the left ventricle."
            )
