"""The whole software on left ventricles that readers traced on real hearts, scanned by the second simulation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from tqdm import tqdm

from ACNetLib.errors import VentricleNotFound
from ACNetLib.inference.classifier import Classifier
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import LabelArray, is_myocardium, ventricle_labels
from ACNetLib.ventricle.shape import measure_shape

from ..abroad.cohort import whole_ms
from ..abroad.hearts import LEVEL_NAMES
from ..abroad.patients import Patient, draw_patient, with_traced_ventricle
from ..abroad.scan import stored
from ..abroad.sections import Section, draw_section
from ..abroad.traced import TracedHeart
from ..evaluation.metrics import share_estimate
from ..localization.evaluation import dice
from .answers import NOT_ANSWERED, VERDICTS

WALLS_MM = (0.0, 7.0, 8.5, 10.0, np.inf)
CAVITIES_MM = (0.0, 45.0, 50.0, 55.0, np.inf)
"""Where groups of hearts begin and end, by the mean wall and the mean diameter of the middle slice."""


@dataclass(frozen=True)
class Scans:
    """How each heart is scanned: so many times, each in another body and place, with other tissues and noise."""

    count: int
    field_strength_tesla: float
    seed: int


@dataclass(frozen=True)
class _Answer:
    """Of one scan. Of each slice that was answered: how far its centre is from the true one, Dice of the wall, and the
    thickest sixth of the wall over the cavity's radius, by the true outlines and by those that were found.
    """

    verdict: str
    probability_dcm: float
    center_errors_mm: tuple[float, ...]
    dice: tuple[float, ...]
    relative_walls: tuple[tuple[float, float], ...]


def judge_real_hearts(classifier: Classifier, hearts: Sequence[TracedHeart], scans: Scans) -> dict[str, Any]:
    """By heart: verdicts, probability of DCM, and how well the localizer finds the ventricle."""
    result: dict[str, Any] = {}
    for heart in hearts:
        answers = [_answer(classifier, patient) for patient in _patients(heart, scans)]
        result[heart.name] = {
            "kind": heart.kind,
            "cavity_diameter_mm": round(heart.cavity_mm, 1),
            "scans": len(answers),
            "verdicts": {said: [each.verdict for each in answers].count(said) for said in (*VERDICTS, NOT_ANSWERED)},
            **_medians(answers),
        }
    return result


def judge_together(
    classifier: Classifier, hearts: Sequence[TracedHeart], scans: Scans, threshold: float
) -> dict[str, Any]:
    """The same for many hearts of each kind: all of them, and by their wall and their cavity.

    threshold: the probability from which on a two-way answer is DCM. No two hearts are scanned in the same body.
    """
    answers = [
        (heart, [_answer(classifier, patient) for patient in _patients(heart, scans, number * scans.count)])
        for number, heart in enumerate(tqdm(hearts, unit="heart", disable=None))
    ]
    groups = {"all": ("wall", 0.0, np.inf)}
    for measure, edges in (("wall", WALLS_MM), ("cavity", CAVITIES_MM)):
        groups |= {f"{measure} {low:g} to {high:g} mm": (measure, low, high) for low, high in pairwise(edges)}
    together: dict[str, Any] = {kind: {} for kind in dict.fromkeys(heart.kind for heart in hearts)}
    for kind, (name, (measure, low, high)) in product(together, groups.items()):
        of_group = [
            said for heart, said in answers if heart.kind == kind and low <= getattr(heart, f"{measure}_mm") < high
        ]
        if of_group:
            together[kind][name] = _group(of_group, threshold)
    return together


def _group(answers_by_heart: Sequence[Sequence[_Answer]], threshold: float) -> dict[str, Any]:
    answers = [each for of_heart in answers_by_heart for each in of_heart]
    verdicts = [each.verdict for each in answers]
    errors = [error for each in answers for error in each.center_errors_mm]
    two_way = [each.probability_dcm >= threshold for each in answers if each.verdict != NOT_ANSWERED]
    return {
        "hearts": len(answers_by_heart),
        "scans": len(answers),
        "verdicts": {
            said: asdict(share_estimate(verdicts.count(said), len(answers))) for said in (*VERDICTS, NOT_ANSWERED)
        },
        "called_dcm_two_way": asdict(share_estimate(sum(two_way), len(two_way))) if two_way else None,
        "center_error_90th_percentile_mm": round(float(np.percentile(errors, 90)), 3) if errors else None,
        **_medians(answers),
    }


def _medians(answers: Sequence[_Answer]) -> dict[str, Any]:
    return {
        "probability_dcm_median": _median([a.probability_dcm for a in answers if a.verdict != NOT_ANSWERED]),
        "center_error_median_mm": _median([error for each in answers for error in each.center_errors_mm]),
        "dice_median": _median([value for each in answers for value in each.dice]),
        "relative_wall_median": {
            name: _median([pair[place] for each in answers for pair in each.relative_walls])
            for place, name in enumerate(("true", "found"))
        },
    }


def _patients(heart: TracedHeart, scans: Scans, first: int = 0) -> Iterator[Patient]:
    for index in range(first, first + scans.count):
        drawn = draw_patient(scans.seed, index, heart.kind, scans.field_strength_tesla, 1.0)
        yield with_traced_ventricle(heart, drawn)


def _answer(classifier: Classifier, patient: Patient) -> _Answer:
    levels = range(len(LEVEL_NAMES) - 1, -1, -1)  # an image's sections go up from the apex
    sections = [draw_section(patient, level) for level in levels]
    plain = _placed(patient, levels[0], np.stack([whole_ms(section.t1_ms) for section in sections]))
    walls = sitk.GetImageFromArray(np.stack([section.myocardium.astype(np.uint8) for section in sections]))
    t1_ms, walls = stored(sitk.Cast(plain, sitk.sitkFloat32), patient.scan.storage), stored(walls, patient.scan.storage)
    t1_map = T1Map(t1_ms, patient.name, patient.field_strength_tesla, simulated=True)
    try:
        result = classifier.classify(t1_map)
    except VentricleNotFound:
        return _Answer(NOT_ANSWERED, np.nan, (), (), ())
    errors, overlaps, relative_walls = [], [], []
    for record in result.maps[0].sections:
        truth = sections[record.section]
        true_center_mm = plain.TransformContinuousIndexToPhysicalPoint(
            (*_centroid(truth.cavity), float(record.section))
        )
        errors.append(float(np.linalg.norm(np.subtract(record.center_lps_mm, true_center_mm))))
        true_wall = sitk.GetArrayViewFromImage(walls)[record.section] > 0
        overlaps.append(dice(is_myocardium(result.images[0].ventricle[record.section]), true_wall))
        if record.measures is not None:
            of_truth = measure_shape(whole_ms(truth.t1_ms).astype(np.float32), _labels(truth), plain.GetSpacing()[:2])
            relative_walls.append((of_truth.relative_wall, record.shape.relative_wall))
    return _Answer(result.verdict, result.probability_dcm, tuple(errors), tuple(overlaps), tuple(relative_walls))


def _labels(section: Section) -> LabelArray:
    return ventricle_labels(section.myocardium, section.cavity, section.insertion_points)


def _placed(patient: Patient, first_level: int, t1_ms: NDArray[np.uint16]) -> sitk.Image:
    """Sections (slices, rows, columns) in one image, the first one where that level lies, stored plainly."""
    lowest = patient.scan.place(t1_ms[0], first_level)
    image = sitk.GetImageFromArray(t1_ms)
    column_mm, row_mm, _ = lowest.GetSpacing()
    image.SetSpacing((column_mm, row_mm, patient.scan.level_distance_mm))
    image.SetOrigin(lowest.GetOrigin())
    image.SetDirection(lowest.GetDirection())
    return image


def _centroid(mask: NDArray[np.bool_]) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float(columns.mean()), float(rows.mean())


def _median(values: Sequence[float]) -> float | None:
    return round(float(np.median(values)), 3) if values else None
