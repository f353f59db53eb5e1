"""One study from several T1 maps: base, mid and apex that were planned one by one, each in its own geometry.

Needs no torch, like result.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ACNetLib.errors import ACNetError, VentricleNotFound
from ACNetLib.inference.probability import Verdict
from ACNetLib.inference.result import SectionResult, StudyResult, median_of_known, pool, pooling_of
from ACNetLib.reference.store import reference_for
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.t1map.field_strength import nominal_field_strength
from ACNetLib.t1map.section import TOWARDS_BASE
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import odd_centers

LARGEST_ANGLE_DEGREES = 15.0
"""Between the normals of two short-axis maps of one heart."""
SAME_PLACE_MM = 4.0
"""Half of a usual slice: what lies closer along the axis is the same slice in another breath-hold."""
LONGEST_VENTRICLE_MM = 120.0
"""A dilated left ventricle from base to apex."""

Progress = Callable[[str, float], None]
"""Is told the step and which part of the work is done, 0 to 1."""


@dataclass(frozen=True, eq=False)
class ExamResult:
    """The results of an exam's T1 maps, each in its own geometry, and the one study that their slices are pooled to.

    results: at least one, all of the same model. With several maps each says the study's probability, stability and
    verdict too, in place of its own. warnings: about the exam; those of the maps stand in their results.
    """

    results: tuple[StudyResult, ...]
    probability_dcm: float
    stability: tuple[float, float]
    verdict: Verdict
    warnings: tuple[str, ...] = ()

    @property
    def slices(self) -> Iterator[tuple[str, StudyResult, SectionResult]]:
        """Every slice with its map and its name in the exam, "0", or "map 2, section 0" where there are several."""
        for number, result in enumerate(self.results, start=1):
            for section in result.sections:
                yield self.slice_name(number, section.section), result, section

    @property
    def septal_t1_ms(self) -> float:
        """The median over the slices that count, NaN where it is not known."""
        counting = [section.measures for _, result, section in self.slices if section.section not in result.left_out]
        return median_of_known(each.septal_t1_ms for each in counting if each is not None)

    @property
    def study_warnings(self) -> list[str]:
        """Of the exam and of its maps; what holds for all maps is said once."""
        warnings = list(self.warnings)
        for warning in dict.fromkeys(warning for result in self.results for warning in result.warnings):
            having = [result.t1_map.name for result in self.results if warning in result.warnings]
            warnings.append(warning if len(having) == len(self.results) else f"{', '.join(having)}: {warning}")
        return warnings

    @property
    def all_warnings(self) -> list[str]:
        """Those of the slices come last."""
        of_slices = [f"{slice_title(name)}: {text}" for name, _, section in self.slices for text in section.warnings]
        return [*self.study_warnings, *of_slices]

    def septal_z(self, septal_t1_ms: float) -> float:
        """The z-score of a septal T1 against the reference, NaN where one of the two is not known."""
        return self.results[0].septal_z(septal_t1_ms)

    def leaving_out(self, slices: Collection[int]) -> ExamResult:
        """The exam without these slices, counted from 0 in their order. Raises ACNetError when none would be left."""
        places = iter(range(sum(len(result.sections) for result in self.results)))
        results = [
            replace(result, left_out=tuple(each.section for each in result.sections if next(places) in slices))
            for result in self.results
        ]
        return pool_exam(results, self.warnings)

    def slice_name(self, map_number: int, section: int) -> str:
        """How a section of a map, counted from 1, is called."""
        return str(section) if len(self.results) == 1 else f"map {map_number}, slice {section}"


def slice_title(name: str) -> str:
    """The name of a slice in an exam as the beginning of a sentence: "Section 0" or "Map 2, section 0"."""
    return f"Slice {name}" if name.isdigit() else name.capitalize()


def as_exam(result: StudyResult | ExamResult) -> ExamResult:
    """A study of one map as the exam that it is."""
    if isinstance(result, ExamResult):
        return result
    return ExamResult((result,), result.probability_dcm, result.stability, result.verdict)


def check_one_exam(t1_maps: Sequence[T1Map]) -> None:
    """Raises ACNetError, naming two maps, when these can't be the short-axis maps of one exam.

    Expected are one field strength and scanner, where they are known, planes nearly parallel, and every slice once.
    """
    for first, second in combinations(t1_maps, 2):
        pair = f"{first.name} and {second.name}"
        field, other = first.field_strength_tesla, second.field_strength_tesla
        if field and other and nominal_field_strength(field) != nominal_field_strength(other):
            raise ACNetError(
                f"{pair}: they are from {field:g} and {other:g} T; expected the maps of one exam at one field "
                "strength. Classify them one by one."
            )
        if first.scanner and second.scanner and first.scanner != second.scanner:
            raise ACNetError(
                f"{pair}: they are from two scanners ({first.scanner}, {second.scanner}); expected the maps of one "
                "exam. Classify them one by one."
            )
        angle = math.degrees(math.acos(min(1.0, abs(float(first.normal @ second.normal)))))
        if angle >= LARGEST_ANGLE_DEGREES:
            raise ACNetError(
                f"{pair}: their planes are {angle:.0f} degrees apart; expected short-axis maps of one exam, less than "
                f"{LARGEST_ANGLE_DEGREES:g}. Leave the one out that is no short axis."
            )
        distance_mm = _smallest_distance(first, second)
        if distance_mm < SAME_PLACE_MM:
            raise ACNetError(
                f"{pair}: they lie at the same place ({distance_mm:.1f} mm apart along the heart's axis); expected "
                "every slice once, for a repeated breath-hold must not count twice. Leave one of the two out."
            )


def exam_reference(t1_maps: Sequence[T1Map], given: ReferenceT1 | None) -> ReferenceT1 | None:
    """The reference T1 of all maps: the given one, else the first that is remembered for a map's scanner."""
    references = (reference_for(t1_map, given) for t1_map in t1_maps)
    return next((each for each in references if each is not None), None)


def one_that_tells_its_field(t1_maps: Sequence[T1Map]) -> T1Map:
    """By which the model is chosen; the first where none does."""
    return next((t1_map for t1_map in t1_maps if t1_map.field_strength_tesla is not None), t1_maps[0])


def classify_exam(
    classify: Callable[[T1Map, Progress], StudyResult],
    t1_maps: Sequence[T1Map],
    progress: Progress = lambda _step, _fraction: None,
) -> ExamResult:
    """Classify each map and pool all slices. `classify` is Classifier.classify with the choices that hold for all maps.

    A map on which the left ventricle is not found, or lies elsewhere than on the others, is left out with a warning.
    Raises ACNetError when the maps are not of one exam, when no map is left, and what `classify` raises else.
    """
    check_one_exam(t1_maps)
    if len(t1_maps) == 1:
        return as_exam(classify(t1_maps[0], progress))
    results, missing, errors = [], [], []
    for index, t1_map in enumerate(t1_maps):

        def of_all(step: str, fraction: float, index: int = index) -> None:
            progress(step, (index + fraction) / len(t1_maps))

        try:
            results.append(classify(t1_map, of_all))
        except VentricleNotFound as error:
            errors.append(error)
            missing.append(f"{t1_map.name} was left out: {str(error).removeprefix(f'{t1_map.name}: ')}")
    if not results:
        raise errors[0]
    agreeing, doubts = _agreeing(results)
    notes = (*missing, *doubts)
    if len(agreeing) == 1:
        return as_exam(replace(agreeing[0], warnings=(*notes, *agreeing[0].warnings)))
    return pool_exam(agreeing, notes)


def pool_exam(results: Sequence[StudyResult], warnings: Sequence[str] = ()) -> ExamResult:
    """The study of all slices of these maps that are not left out.

    Raises ACNetError when no slice is left.
    """
    first = results[0]
    counting = [
        section.network_log_odds
        for result in results
        for section in result.sections
        if section.section not in result.left_out
    ]
    pooled = vars(pool(counting, pooling_of(first.card, first.prevalence_dcm, first.reference)))
    return ExamResult(tuple(replace(result, **pooled) for result in results), **pooled, warnings=tuple(warnings))


def _smallest_distance(first: T1Map, second: T1Map) -> float:
    """Between the slices of two maps along their common normal, in mm."""
    axis = _axis([first, second])
    heights = [
        np.array([t1_map.section_center(section) @ axis for section in range(t1_map.section_count)])
        for t1_map in (first, second)
    ]
    return float(np.abs(np.subtract.outer(*heights)).min())


def _axis(t1_maps: Sequence[T1Map]) -> NDArray[np.float64]:
    """The mean normal of the maps, towards the base (LPS), of length 1."""
    normals = [t1_map.normal * math.copysign(1.0, t1_map.normal @ t1_maps[0].normal) for t1_map in t1_maps]
    axis: NDArray[np.float64] = np.mean(normals, axis=0)
    return axis * math.copysign(1.0, axis @ TOWARDS_BASE) / np.linalg.norm(axis)


def _agreeing(results: Sequence[StudyResult]) -> tuple[list[StudyResult], list[str]]:
    """The results whose ventricles lie in a line along the heart's axis, and a sentence for each of the others.

    Raises ACNetError when they are farther apart along it than a heart is long.
    """
    axis = _axis([result.t1_map for result in results])
    centers = [np.median([section.grid.center_mm for section in result.sections], axis=0) for result in results]
    across = [center - (center @ axis) * axis for center in centers]
    odd_ones_mm = odd_centers(across, [max(each.confidence for each in result.sections) for result in results])
    kept = [index for index in range(len(results)) if index not in odd_ones_mm]
    heights = sorted(kept, key=lambda index: centers[index] @ axis)
    lowest, highest = heights[0], heights[-1]
    length_mm = float((centers[highest] - centers[lowest]) @ axis)
    if length_mm > LONGEST_VENTRICLE_MM:
        raise ACNetError(
            f"{results[lowest].t1_map.name} and {results[highest].t1_map.name}: their left ventricles lie "
            f"{length_mm:.0f} mm apart along the heart's axis; expected {LONGEST_VENTRICLE_MM:g} mm or less in one "
            "exam. Classify them one by one."
        )
    doubts = [
        f"{results[index].t1_map.name} was left out: its ventricle lies {distance_mm:.0f} mm from that of the others."
        for index, distance_mm in odd_ones_mm.items()
    ]
    return [results[index] for index in kept], doubts
