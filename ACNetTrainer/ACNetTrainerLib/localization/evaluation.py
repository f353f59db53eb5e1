"""Evaluating the localizer on unseen simulated patients: centres, regions, T1 measures, and unusual images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ACNetLib.inference.device import DeviceChoice
from ACNetLib.networks.localizer import Localizer, LocalizerModel
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import (
    CAVITY_LABEL,
    LabelArray,
    Ventricle,
    is_myocardium,
    measure_ventricle,
    septum_turn_degrees,
)

from ..cases.library import CaseLibrary
from .sections import (
    THROUGH_HEART_MM,
    LabelledSection,
    cut_by_edge,
    read_labelled_sections,
    sections_without_heart,
)

FloatArray = NDArray[np.float64]

ACCEPTED_CENTER_ERROR_MM = 10.0
ODD_SECTIONS = 300
"""How many sections each unusual condition is tried on."""
HEARTLESS_SEED = 2


@dataclass(frozen=True)
class Located:
    """One section's truth and what the localizer says of it."""

    section: LabelledSection
    ventricle: Ventricle

    @property
    def center_error_mm(self) -> float:
        assert self.section.center_mm is not None
        return float(np.linalg.norm(self.ventricle.center_mm - self.section.center_mm))


def evaluate_localizer(model: LocalizerModel, libraries: Sequence[CaseLibrary], device: DeviceChoice) -> dict[str, Any]:
    """Measures by field strength (one simulated library each), and by unusual condition. Lengths in mm, T1 in ms."""
    localizer = Localizer(model, device)
    result: dict[str, Any] = {"simulated": True, "confidence_threshold": model.card.confidence_threshold}
    for library in libraries:
        field_strength = library.cases[0].field_strength_tesla
        sections = read_labelled_sections(library, library.cases)
        located = _locate(localizer, sections)
        result[f"{field_strength:g} T"] = {
            "patients": len(library.patients),
            "studies_answered_fraction": _answered(library, located, localizer.confidence_threshold),
            **_center_errors(located, localizer.confidence_threshold),
            "dice_median": _dice_of(located, average=np.median),
            "septum_error_degrees": _septum_errors(located, localizer.confidence_threshold),
            "mean_position": _mean_position_errors(sections),
            "dice": {level: _dice_of(located, level) for level in dict.fromkeys(s.level for s in sections)},
            "measures": _measure_errors(located, localizer.confidence_threshold),
            "odd_images": _odd_images(localizer, sections, field_strength),
        }
    return result


def _locate(localizer: Localizer, sections: Sequence[LabelledSection]) -> list[Located]:
    return [Located(section, localizer.locate(section.t1_map)[0]) for section in sections]


def _center_errors(located: Sequence[Located], threshold: float) -> dict[str, Any]:
    """Errors of the sections that count as found; without a heart in the image there are none."""
    found = [one for one in located if one.ventricle.confidence >= threshold]
    return {
        "sections": len(located),
        "not_found_fraction": round(1 - len(found) / len(located), 4),
        **_distribution([one.center_error_mm for one in found if one.section.center_mm is not None]),
    }


def _answered(library: CaseLibrary, located: Sequence[Located], threshold: float) -> float:
    """The share of patients with a ventricle found on at least one of their slices."""
    answered = {
        case.patient for case, one in zip(library.cases, located, strict=True) if one.ventricle.confidence >= threshold
    }
    return round(len(answered) / len(library.patients), 4)


def _distribution(errors: Sequence[float]) -> dict[str, float | None]:
    names = ("center_error_median_mm", "center_error_p90_mm", "center_error_p99_mm", "within_10_mm_fraction")
    if not errors:
        return dict.fromkeys(names)
    within = float(np.mean(np.array(errors) <= ACCEPTED_CENTER_ERROR_MM))
    return dict(zip(names, (*np.percentile(errors, [50, 90, 99]).round(2).tolist(), round(within, 4)), strict=True))


def _mean_position_errors(sections: Sequence[LabelledSection]) -> dict[str, float | None]:
    """What one guesses without looking: where ventricles are on average, from the image's middle in its own axes."""
    offsets = []
    for section in sections:
        t1_map, center = section.t1_map, section.center_mm
        assert center is not None
        from_middle = center - t1_map.section_center(0)
        offsets.append([from_middle @ t1_map.row_axis, from_middle @ t1_map.column_axis])
    errors = np.linalg.norm(np.array(offsets) - np.mean(offsets, axis=0), axis=1)
    return _distribution(errors.tolist())


def dice(said: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """1 where both are empty."""
    total = int(said.sum() + truth.sum())
    return 2 * int((said & truth).sum()) / total if total else 1.0


def _dice_of(
    located: Sequence[Located], level: str | None = None, average: Callable[[list[float]], Any] = np.mean
) -> dict[str, float]:
    """Over sections, a section without a ventricle found included."""
    chosen = [one for one in located if level in {None, one.section.level}]
    regions: dict[str, Callable[[LabelArray], NDArray[np.bool_]]] = {
        "myocardium": is_myocardium,
        "cavity": lambda labels: labels == CAVITY_LABEL,
    }
    return {
        name: round(float(average([dice(region(_labels(one)), region(one.section.labels)) for one in chosen])), 4)
        for name, region in regions.items()
    }


def _labels(located: Located) -> LabelArray:
    labels = located.ventricle.labels
    return np.zeros_like(located.section.labels) if labels is None else labels


def _measure_errors(located: Sequence[Located], threshold: float) -> dict[str, dict[str, float]]:
    """What a reader measures with the found regions minus what one measures with the true ones, on the same map."""
    differences: dict[str, list[float]] = {}
    for one in located:
        if one.ventricle.confidence < threshold:
            continue
        said = measure_ventricle(one.section.t1_map, one.ventricle)
        truth = measure_ventricle(one.section.t1_map, replace(one.ventricle, labels=one.section.labels))
        if said is None or truth is None:
            continue
        for name in ("septal_t1_ms", "cavity_area_mm2", "wall_thickness_mm"):
            differences.setdefault(name, []).append(getattr(said, name) - getattr(truth, name))
    return {
        name: {"mean": round(float(np.nanmean(values)), 2), "sd": round(float(np.nanstd(values)), 2)}
        for name, values in differences.items()
    }


def _septum_errors(located: Sequence[Located], threshold: float) -> dict[str, float | None]:
    """By how much the slices are turned wrongly, where the localizer's septum is to turn them."""
    errors = []
    for one in located:
        truth = septum_turn_degrees(one.section.labels, one.section.t1_map)
        if one.ventricle.confidence >= threshold and truth is not None:
            errors.append(abs((one.ventricle.turn_degrees - truth + 180) % 360 - 180))
    names = ("median", "p90", "p99")
    if not errors:
        return dict.fromkeys(names)
    return dict(zip(names, np.percentile(errors, [50, 90, 99]).round(1).tolist(), strict=True))


def _odd_images(
    localizer: Localizer, sections: Sequence[LabelledSection], field_strength_tesla: float
) -> dict[str, dict[str, Any]]:
    every = max(1, len(sections) // ODD_SECTIONS)
    chosen = sections[::every][:ODD_SECTIONS]

    def noisy(noise_ms: float) -> Callable[[LabelledSection, int], LabelledSection]:
        return lambda section, index: with_noise(section, noise_ms, np.random.default_rng([3, index]))

    def cut(section: LabelledSection, index: int) -> LabelledSection:
        rng = np.random.default_rng([4, index])
        return cut_by_edge(section, rng.uniform(0, 2 * np.pi), rng.uniform(*THROUGH_HEART_MM))

    conditions: dict[str, Callable[[LabelledSection, int], LabelledSection]] = {
        "as it is": lambda section, _index: section,
        "noise of 100 ms": noisy(100.0),
        "noise of 200 ms": noisy(200.0),
        "noise of 300 ms": noisy(300.0),
        "turned by 90 degrees": lambda section, _index: turned_by_90_degrees(section),
        "mirrored": lambda section, _index: mirrored(section),
        "of three quarters of the size": lambda section, _index: smaller(section, 0.75),
        "of half the size": lambda section, _index: smaller(section, 0.5),
        "heart cut by the image's edge": cut,
    }
    result = {}
    for name, change in conditions.items():
        located = _locate(localizer, [change(section, index) for index, section in enumerate(chosen)])
        result[name] = {**_center_errors(located, localizer.confidence_threshold), "dice": _dice_of(located)}
    heartless = _locate(localizer, sections_without_heart(len(chosen), field_strength_tesla, HEARTLESS_SEED))
    result["no heart in the image"] = _center_errors(heartless, localizer.confidence_threshold)
    return result


def with_noise(section: LabelledSection, noise_ms: float, rng: np.random.Generator) -> LabelledSection:
    """Gaussian noise on the T1 values."""
    t1_ms = section.t1_map.array[0]
    noisy = np.maximum(t1_ms + noise_ms * rng.standard_normal(t1_ms.shape, np.float32), 0)
    return _with_pixels(section, noisy, section.labels, lambda row, column: (row, column))


def turned_by_90_degrees(section: LabelledSection) -> LabelledSection:
    """The picture turned counterclockwise, in a frame of its own."""
    columns = section.labels.shape[1]
    return _with_pixels(
        section,
        np.rot90(section.t1_map.array[0]),
        np.rot90(section.labels),
        lambda row, column: (columns - 1 - column, row),
    )


def mirrored(section: LabelledSection) -> LabelledSection:
    """The picture with left and right exchanged, in a frame of its own."""
    columns = section.labels.shape[1]
    return _with_pixels(
        section,
        section.t1_map.array[0][:, ::-1],
        section.labels[:, ::-1],
        lambda row, column: (row, columns - 1 - column),
    )


def smaller(section: LabelledSection, factor: float) -> LabelledSection:
    """As `smaller_map`, with its labels and its centre."""
    t1_map, center_mm = smaller_map(section.t1_map, factor), section.center_mm
    if center_mm is not None:
        pixel = section.t1_map.image.TransformPhysicalPointToContinuousIndex(center_mm.tolist())
        center_mm = np.array(t1_map.image.TransformContinuousIndexToPhysicalPoint(pixel))
    return replace(section, t1_map=t1_map, center_mm=center_mm)


def smaller_map(t1_map: T1Map, factor: float) -> T1Map:
    """The same pixels, `factor` times as wide: the heart and body of a child, or an apex."""
    image = sitk.Image(t1_map.image)
    column_mm, row_mm, slice_mm = image.GetSpacing()
    image.SetSpacing((factor * column_mm, factor * row_mm, slice_mm))
    return replace(t1_map, image=image)


def _with_pixels(
    section: LabelledSection,
    t1_ms: NDArray[np.float32],
    labels: LabelArray,
    moved: Callable[[float, float], tuple[float, float]],
) -> LabelledSection:
    """Other pixels of the same (square) size on plain axes; `moved` says where a (row, column) point goes."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(t1_ms, dtype=np.float32)[np.newaxis])
    image.SetSpacing(section.t1_map.image.GetSpacing())
    center = section.center_mm
    if center is not None:
        column, row, _ = section.t1_map.image.TransformPhysicalPointToContinuousIndex(center.tolist())
        row, column = moved(row, column)
        center = np.array(image.TransformContinuousIndexToPhysicalPoint((column, row, 0.0)))
    return LabelledSection(replace(section.t1_map, image=image), np.ascontiguousarray(labels), center, section.level)
