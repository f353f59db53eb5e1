"""One study from several T1 maps: base, mid and apex that were planned one by one, each in its own geometry.

It needs no torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ACNetLib.dicom.frames import SAME_PLACE_MM
from ACNetLib.dicom.sequences import are_several, joined_sequences
from ACNetLib.errors import ACNetError, VentricleNotFound
from ACNetLib.inference.result import StudyResult
from ACNetLib.inference.settings import Progress, unwatched
from ACNetLib.inference.ventricle_choice import NotSegmented
from ACNetLib.reference.store import not_taken, reference_for
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.t1map.field_strength import nominal_field_strength
from ACNetLib.t1map.section import long_axis
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import odd_centers

LARGEST_ANGLE_DEGREES = 15.0
"""Between the normals of two short-axis maps of one heart."""
LONGEST_VENTRICLE_MM = 120.0
"""A dilated left ventricle from base to apex."""
NOT_SEGMENTED = "it is not segmented, the localizer found its ventricle."
TURNED_BY_GUESS = "its septum was not found, and its file does not tell how it lies."
CLASSIFY_ONE_BY_ONE = "Classify them one by one."
UNKNOWN_PLACES = (
    "{names}: the position of the slices is unknown. It was not checked that the maps show one heart and each slice "
    "once, and T1 of the AHA segments is left out."
)
TWO_SEQUENCES = (
    "The slices are of {sequences}, which give different T1 in the same heart: the result mixes them. Classify the "
    "slices of each sequence separately."
)


def check_one_exam(t1_maps: Sequence[T1Map]) -> None:
    """Raises ACNetError, naming two maps, when these can't be the short-axis maps of one exam.

    Expected are one field strength and scanner, where they are known, planes nearly parallel, and every slice once. Of
    maps whose files do not tell how they lie only equal pixels tell that a slice is there twice.
    """
    check_one_scanner(t1_maps, CLASSIFY_ONE_BY_ONE)
    for first, second in combinations(t1_maps, 2):
        pair = f"{first.name} and {second.name}"
        if not (first.is_placed and second.is_placed):
            if any(np.array_equal(one, other) for one in first.array for other in second.array):
                raise ACNetError(
                    f"{pair}: a slice of the one has the pixels of the other; expected every slice once, for it must "
                    "not count twice. Leave one of the two out."
                )
            continue
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


def check_one_scanner(t1_maps: Sequence[T1Map], remedy: str) -> None:
    """Raises ACNetError, naming two maps, for those of two field strengths or scanners, where they are known. remedy:
    the last sentence of the message.
    """
    for first, second in combinations(t1_maps, 2):
        pair = f"{first.name} and {second.name}"
        field, other = first.field_strength_tesla, second.field_strength_tesla
        if field and other and nominal_field_strength(field) != nominal_field_strength(other):
            raise ACNetError(
                f"{pair}: they are from {field:g} and {other:g} T; expected the maps of one exam at one field "
                f"strength. {remedy}"
            )
        if first.scanner and second.scanner and first.scanner.casefold() != second.scanner.casefold():
            raise ACNetError(
                f"{pair}: they are from two scanners ({first.scanner}, {second.scanner}); expected the maps of one "
                f"exam. {remedy}"
            )


def exam_reference(t1_maps: Sequence[T1Map], given: ReferenceT1 | None) -> ReferenceT1 | None:
    """The reference T1 of all maps: the given one, else the first remembered one that `reference_for` takes.

    What one map tells of its sequence holds for those that tell none. Where they tell two, only one that is
    remembered without a sequence is taken: the maps are read with one reference. None where one of them was fitted
    here.
    """
    references = (reference_for(t1_map, given) for t1_map in _of_all_sequences(t1_maps))
    return next((each for each in references if each is not None), None)


def one_that_tells_its_field(t1_maps: Sequence[T1Map]) -> T1Map:
    """By which the model is chosen; the first where none does."""
    return next((t1_map for t1_map in t1_maps if t1_map.field_strength_tesla is not None), t1_maps[0])


def classify_exam(
    classify: Callable[[T1Map, Progress], StudyResult],
    t1_maps: Sequence[T1Map],
    progress: Progress = unwatched,
) -> StudyResult:
    """Classify each map and pool all slices. `classify` is Classifier.classify with the choices that hold for all maps.

    A map on which the left ventricle is not found, or lies elsewhere than on the others, is left out with a warning;
    where a file does not tell how its slices lie, that is not checked, with a warning. Where a person's segmentation is
    of some of the maps alone, the localizer finds the ventricle of the others.
    Raises ACNetError when the maps are not of one exam, when no map is left, and what `classify` raises else.
    """
    check_one_exam(t1_maps)
    if len(t1_maps) == 1:
        return _with_sequences_named(classify(t1_maps[0], progress), t1_maps)
    results = dict[int, StudyResult]()
    not_segmented, not_found = dict[int, NotSegmented](), dict[int, VentricleNotFound]()

    def of_all(step: str, fraction: float) -> None:
        progress(step, (len(results) + len(not_found) + fraction) / len(t1_maps))

    def attempt(index: int, classify_map: Callable[[Progress], StudyResult]) -> None:
        try:
            results[index] = classify_map(of_all)
        except NotSegmented as error:
            not_segmented[index] = error
        except VentricleNotFound as error:
            not_found[index] = error

    for index, t1_map in enumerate(t1_maps):
        attempt(index, partial(classify, t1_map))
    if not results:
        raise next(iter((*not_segmented.values(), *not_found.values())))
    for index, error in not_segmented.items():
        attempt(index, error.by_localizer)
    guessed = {index for index, result in results.items() if result.is_turned_by_guess}
    if len(guessed) == len(results):
        guessed = set()
    names = [t1_map.name for t1_map in t1_maps]
    found = [results[index] for index in sorted(results.keys() - guessed)]
    unplaced = [t1_map.name for t1_map in t1_maps if not t1_map.is_placed]
    agreeing, doubts = (found, [UNKNOWN_PLACES.format(names=", ".join(unplaced))]) if unplaced else _agreeing(found)
    notes = (
        *(
            f"{names[index]} was left out: {error.plain.removeprefix(f'{names[index]}: ')}"
            for index, error in sorted(not_found.items())
        ),
        *(f"{names[index]} was left out: {TURNED_BY_GUESS}" for index in sorted(guessed)),
        *(f"{names[index]}: {NOT_SEGMENTED}" for index in not_segmented if index in results),
        *doubts,
    )
    study = replace(agreeing[0], exam_warnings=notes) if len(agreeing) == 1 else pool_exam(agreeing, notes)
    return _with_sequences_named(study, t1_maps)


def odd_maps(
    t1_maps: Sequence[T1Map], centers_mm: Sequence[NDArray[np.float64]], confidences: Sequence[float]
) -> dict[int, float]:
    """Which maps of an exam have their ventricle, at this centre (LPS, (3,)), off the line along the heart's axis on
    which those of the others lie; and how far in mm."""
    axis = long_axis(t1_maps)
    return odd_centers([center - (center @ axis) * axis for center in centers_mm], confidences)


def pool_exam(results: Sequence[StudyResult], warnings: Sequence[str] = ()) -> StudyResult:
    """The one study of all slices of these results that are not left out; they are of the same model.

    Raises ACNetError when no slice is left.
    """
    maps = tuple(each for result in results for each in result.maps)
    images = tuple(each for result in results for each in result.images)
    return replace(results[0], maps=maps, images=images, exam_warnings=tuple(warnings)).pooled()


def _of_all_sequences(t1_maps: Sequence[T1Map]) -> list[T1Map]:
    """The maps, each with the sequences that any of them tells, and as fitted here where one of them was."""
    told = joined_sequences(t1_map.sequence for t1_map in t1_maps)
    fitted = next((t1_map.fitted for t1_map in t1_maps if t1_map.fitted), "")
    return [replace(t1_map, sequence=told, fitted=fitted) for t1_map in t1_maps]


def _with_sequences_named(study: StudyResult, t1_maps: Sequence[T1Map]) -> StudyResult:
    """The study with a warning of slices of two sequences; and with the remembered references that were not taken for
    these maps, being of other sequences, none where one was.
    """
    of_all = _of_all_sequences(t1_maps)
    notes = [TWO_SEQUENCES.format(sequences=of_all[0].sequence)] if are_several(of_all[0].sequence) else []
    if study.reference is None:
        notes += dict.fromkeys(note for t1_map in of_all for note in not_taken(t1_map))
    return replace(study, exam_warnings=(*study.exam_warnings, *notes)) if notes else study


def _smallest_distance(first: T1Map, second: T1Map) -> float:
    """Between the slices of two maps along their common normal, in mm."""
    axis = long_axis([first, second])
    heights = [
        np.array([t1_map.section_center(section) @ axis for section in range(t1_map.section_count)])
        for t1_map in (first, second)
    ]
    return float(np.abs(np.subtract.outer(*heights)).min())


def _agreeing(results: Sequence[StudyResult]) -> tuple[list[StudyResult], list[str]]:
    """The results whose ventricles lie in a line along the heart's axis, and a sentence for each of the others.

    Raises ACNetError when they are farther apart along it than a heart is long.
    """
    t1_maps = [result.images[0].t1_map for result in results]
    axis = long_axis(t1_maps)
    centers = [np.median([section.center_lps_mm for section in result.sections], axis=0) for result in results]
    confidences = [max(each.confidence for each in result.sections) for result in results]
    odd_ones_mm = odd_maps(t1_maps, centers, confidences)
    kept = [index for index in range(len(results)) if index not in odd_ones_mm]
    heights = sorted(kept, key=lambda index: centers[index] @ axis)
    lowest, highest = heights[0], heights[-1]
    length_mm = float((centers[highest] - centers[lowest]) @ axis)
    if length_mm > LONGEST_VENTRICLE_MM:
        raise ACNetError(
            f"{t1_maps[lowest].name} and {t1_maps[highest].name}: their left ventricles lie "
            f"{length_mm:.0f} mm apart along the heart's axis; expected {LONGEST_VENTRICLE_MM:g} mm or less in one "
            "exam. Classify them one by one."
        )
    doubts = [
        f"{t1_maps[index].name} was left out: its ventricle lies {distance_mm:.0f} mm from that of the others."
        for index, distance_mm in odd_ones_mm.items()
    ]
    return [results[index] for index in kept], doubts
