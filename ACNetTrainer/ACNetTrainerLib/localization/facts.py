"""How right the facts beside a verdict are: septal T1, wall and segments as they are found, against the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ACNetLib.files import require_text_path
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.networks.localizer import Localizer, LocalizerModel
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.aha import Segment, WallSlice, aha_segments
from ACNetLib.ventricle.labels import LabelArray, Ventricle, measure_ventricle
from ACNetLib.ventricle.measures import SectionMeasures

from ..cases.library import Case, CaseLibrary
from ..evaluation.metrics import BOOTSTRAP_SAMPLES
from .sections import LabelledSection, read_labelled_sections

SEED = 1
"""Of the resampling of patients."""
LEVEL = "mid"
"""A reader measures septum and wall on this slice."""


@dataclass(frozen=True, eq=False)
class _Slice:
    """One slice: what is found on it (None where nothing is), its truth, and its T1 before the acquisition."""

    found: LabelArray | None
    truth: LabelledSection
    true_map: T1Map


def judge_facts(model: LocalizerModel, library: CaseLibrary, device: DeviceChoice) -> dict[str, Any]:
    """Absolute errors over patients: median with its 95 % interval, 90th percentile, and the mean with its sign.

    "outlines": what is found less what one measures with the true outlines on the same map. "truth": less what one
    measures with them on the T1 that was there before the acquisition. Takes a simulated library.
    """
    localizer = Localizer(model, device)
    sections = read_labelled_sections(library, library.cases)
    by_patient: dict[str, list[_Slice]] = {}
    for case, section in zip(library.cases, sections, strict=True):
        (ventricle,) = localizer.locate(section.t1_map)
        found = ventricle.labels if ventricle.confidence >= localizer.confidence_threshold else None
        by_patient.setdefault(case.patient, []).append(_Slice(found, section, _true_map(library, case, section)))
    patients = list(by_patient.values())
    middle = [each for slices in patients for each in slices if each.truth.level == LEVEL]
    segments = [(_segments(slices, _found), _segments(slices, _true_outlines)) for slices in patients]
    pairs = [(said, truth) for said, truth in segments if said and truth]
    return {
        "patients": len(patients),
        "septal_t1_ms": {
            "outlines": _errors(middle, _found, _true_outlines, "septal_t1_ms"),
            "truth": _errors(middle, _found, _truth, "septal_t1_ms"),
        },
        "wall_thickness_mm": {"outlines": _errors(middle, _found, _true_outlines, "wall_thickness_mm")},
        "segments_t1_ms": {
            "patients": len(pairs),
            "outlines": distribution(np.array([_mean_difference(said, truth) for said, truth in pairs])),
            "by_segment_median": [
                _median([abs(said[n].t1_ms - truth[n].t1_ms) for said, truth in pairs]) for n in range(16)
            ],
        },
    }


def _true_map(library: CaseLibrary, case: Case, section: LabelledSection) -> T1Map:
    file = library.folder / "truth" / f"{case.case}-t1.nrrd"
    require_text_path(file)
    image = sitk.ReadImage(str(file), sitk.sitkFloat32)
    image.CopyInformation(section.t1_map.image)
    return replace(section.t1_map, image=image)


Wall = Callable[[_Slice], tuple[T1Map, LabelArray | None]]


def _found(each: _Slice) -> tuple[T1Map, LabelArray | None]:
    return each.truth.t1_map, each.found


def _true_outlines(each: _Slice) -> tuple[T1Map, LabelArray | None]:
    return each.truth.t1_map, each.truth.labels


def _truth(each: _Slice) -> tuple[T1Map, LabelArray | None]:
    return each.true_map, each.truth.labels


def _measures(each: _Slice, wall: Wall) -> SectionMeasures | None:
    t1_map, labels = wall(each)
    if labels is None:
        return None
    return measure_ventricle(t1_map, Ventricle(0, t1_map.section_center(0), labels=labels))


def _errors(slices: Sequence[_Slice], said: Wall, truth: Wall, name: str) -> dict[str, float]:
    both = [(_measures(each, said), _measures(each, truth)) for each in slices]
    known = [getattr(one, name) - getattr(other, name) for one, other in both if one is not None and other is not None]
    return distribution(np.array(known))


def _segments(slices: Sequence[_Slice], wall: Wall) -> tuple[Segment, ...]:
    walls = [(t1_map, labels) for t1_map, labels in map(wall, slices) if labels is not None]
    return aha_segments([WallSlice(t1_map, 0, labels) for t1_map, labels in walls])


def _mean_difference(said: Sequence[Segment], truth: Sequence[Segment]) -> float:
    """The mean absolute one over the segments that both know."""
    return float(np.nanmean([abs(one.t1_ms - other.t1_ms) for one, other in zip(said, truth, strict=True)]))


def _median(values: Sequence[float]) -> float:
    return round(float(np.nanmedian(values)), 2)


def distribution(errors: NDArray[np.float64]) -> dict[str, float]:
    """Of the sizes of the errors that are known, with the 95 % interval of their median; and the mean of the errors."""
    errors = errors[np.isfinite(errors)]
    size = np.abs(errors)
    rng = np.random.default_rng(SEED)
    medians = np.median(size[rng.integers(len(size), size=(BOOTSTRAP_SAMPLES, len(size)))], axis=1)
    low, high = np.percentile(medians, [2.5, 97.5])
    values = {
        "median": np.median(size),
        "low": low,
        "high": high,
        "percentile_90": np.percentile(size, 90),
        "mean_signed": errors.mean(),
    }
    return {"measured": len(size), **{name: round(float(value), 2) for name, value in values.items()}}
