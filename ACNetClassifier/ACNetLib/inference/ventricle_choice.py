"""Which ventricles of a map are classified: those that are found, pointed at or drawn."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from statistics import median_high
from typing import TYPE_CHECKING, Protocol

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ACNetLib.dicom.frames import SAME_PLACE_MM
from ACNetLib.errors import ACNetError, VentricleNotFound
from ACNetLib.inference.record import CenterSource
from ACNetLib.inference.settings import Progress, Settings
from ACNetLib.t1map.checks import (
    DARK_AIR_WARNING,
    POST_CONTRAST_WARNING,
    check_blood_and_muscle,
    check_native_blood,
)
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import (
    CAVITY_LABEL,
    Point,
    Ventricle,
    agreeing_ventricles,
    is_myocardium,
    only_centers_used,
    turned_alike,
    ventricles_at_point,
    ventricles_from_segmentation,
)
from ACNetLib.ventricle.measures import with_value

if TYPE_CHECKING:
    from ACNetLib.inference.result import StudyResult

FARTHEST_FROM_HEART_MM = 30.0
"""A centre given by hand that lies farther from the ventricle that was found is not in it."""
LEAST_OF_BLOOD = 0.75
"""Of the T1 of the cavity on the other slices; myocardium has 0.6 to 0.7 of that of blood, an apex half of each 0.8."""


NO_TURN = (
    "The septum is known on no slice, and its file does not tell how they lie: it is not known how to turn them for "
    "the network."
)


class NotSegmented(VentricleNotFound):
    """A person's segmentation reaches no section of a T1 map. by_localizer: classifies the map without it, for an exam
    of which other maps are segmented.
    """

    by_localizer: Callable[[Progress], StudyResult]


class Localizer(Protocol):
    """Finds the left ventricle on every slice of a map: ACNetLib.networks.localizer.Localizer, or a test's own."""

    @property
    def name(self) -> str: ...

    @property
    def confidence_threshold(self) -> float: ...

    def locate(self, t1_map: T1Map, sections: Sequence[int] | None = None) -> tuple[Ventricle, ...]: ...


@dataclass(frozen=True, eq=False)
class ChosenVentricles:
    """The ventricles to classify, in the order of their slices, where they come from, and what is to be said of it."""

    ventricles: tuple[Ventricle, ...]
    source: CenterSource
    doubts: tuple[str, ...]


def choose_ventricles(localizer: Localizer, t1_map: T1Map, settings: Settings) -> ChosenVentricles:
    """The ventricles on the slices that a person wants to have classified.

    t1_map: in the scale of the model's training. Raises ACNetError for a slice that the map does not have, for slices
    of one place, when the ventricle is known on no slice or holds blood after contrast, and when what is dark around
    the body turns out to be no map; NotSegmented for a segmentation of other places.
    """
    sections, notes = _every_slice_once(t1_map, _chosen_sections(t1_map, settings.sections))
    found = localizer.locate(t1_map, sections)
    if settings.segmentation is not None:
        chosen = _drawn(t1_map, settings.segmentation, found)
    elif settings.center_mm is not None:
        ventricles = ventricles_at_point(t1_map, settings.center_mm, found)
        doubts = doubts_of_center(settings.center_mm, found, t1_map, localizer.confidence_threshold)
        chosen = ChosenVentricles(ventricles, "point", doubts)
    else:
        chosen = _found_with_confidence(t1_map, found, localizer.confidence_threshold)
    if chosen.source != "point":  # around it the cavity is only what the localizer guesses
        _check_blood(t1_map, chosen.ventricles)
    _check_dark(t1_map, chosen.ventricles)
    ventricles = turned_alike(chosen.ventricles)
    if not t1_map.is_placed and not any(each.has_turn for each in ventricles):
        notes += (NO_TURN,)
    return replace(chosen, ventricles=ventricles, doubts=(*notes, *chosen.doubts))


def _every_slice_once(t1_map: T1Map, sections: Sequence[int]) -> tuple[list[int], tuple[str, ...]]:
    """The sections without copies of another, and what is to be said of them and of their distance.

    Raises ACNetError where all of them lie within one slice. DICOM tells copies and places itself.
    """
    first_with = dict[bytes, int]()
    copies = dict[int, int]()
    for section in sections:
        values = t1_map.array[section]
        first = first_with.setdefault(values.tobytes(), section)
        if first != section and values.min() < values.max():  # slices without any value are of no place
            copies[section] = first
    once = [section for section in sections if section not in copies]
    notes = [
        f"Slice {section} was left out: it has the pixels of slice {first}, and every slice counts once."
        for section, first in copies.items()
    ]
    distance_mm = t1_map.image.GetSpacing()[2]
    if len(once) < 2 or t1_map.sources:
        return once, tuple(notes)
    length_mm = distance_mm * (once[-1] - once[0])
    if length_mm < SAME_PLACE_MM:
        raise ACNetError(
            f"{t1_map.name}: its slices {_listed(once)} lie within {length_mm:.1f} mm; expected slices of several "
            "places, for one that was repeated must not count several times. Classify one of them, or correct the "
            "spacing of its slices."
        )
    if distance_mm * min(np.diff(once)) < SAME_PLACE_MM:
        notes.append(
            f"Its slices lie {distance_mm:.1f} mm apart, as in a 3-D map. If they are one slice at several times, such "
            "as phases of the heart, it counts several times and the AHA segments are wrong: classify one of them."
        )
    return once, tuple(notes)


def _drawn(t1_map: T1Map, segmentation: sitk.Image, found: Sequence[Ventricle]) -> ChosenVentricles:
    sections = [each.section for each in found]
    try:
        reached = {each.section: each for each in ventricles_from_segmentation(t1_map, segmentation, found)}
    except VentricleNotFound as error:
        raise NotSegmented(*error.args) from error
    drawn = tuple(reached[section] for section in sections if section in reached)
    if not drawn:
        raise ACNetError(
            f"segmentation: it covers the slices {_listed(reached)} of {t1_map.name}; expected one of those "
            f"to classify, {_listed(sections)}."
        )
    left_out = [section for section in sections if section not in reached]
    doubts = [f"Slice {section} was left out: it is not segmented." for section in left_out]
    if sentence := only_centers_used(drawn, segmentation):
        doubts.append(sentence)
    return ChosenVentricles(drawn, "segmentation", tuple(doubts))


def _found_with_confidence(t1_map: T1Map, found: Sequence[Ventricle], threshold: float) -> ChosenVentricles:
    confident = tuple(ventricle for ventricle in found if ventricle.confidence >= threshold)
    if not confident:
        best = max(ventricle.confidence for ventricle in found)
        raise VentricleNotFound(
            f"{t1_map.name}: the left ventricle was not found on any slice (highest confidence {best:.2f}, "
            f"expected {threshold:.2f} or more).",
            cli="Give its centre: --center=L,P,S.",
            panel="centre",
        )
    doubts = [
        f"Slice {ventricle.section} was left out: the left ventricle was not found on it (confidence "
        f"{ventricle.confidence:.2f}, expected {threshold:.2f}); its centre can be given by hand."
        for ventricle in found
        if ventricle.confidence < threshold
    ]
    filled, shares_of_blood = _filled_ventricles(confident, t1_map)
    doubts += [
        f"Slice {section} was left out: what was taken for its cavity has only {share:.0%} of the cavity's T1 on the "
        "other slices, so it holds no blood. It probably lies beyond the tip of the cavity."
        for section, share in shares_of_blood.items()
    ]
    agreeing, odd_ones_mm = agreeing_ventricles(filled, t1_map)
    doubts += [
        f"Slice {section} was left out: its ventricle lies {distance_mm:.0f} mm from that of the other slices."
        for section, distance_mm in odd_ones_mm.items()
    ]
    return ChosenVentricles(agreeing, "localizer", tuple(doubts))


def _filled_ventricles(
    ventricles: Sequence[Ventricle], t1_map: T1Map
) -> tuple[tuple[Ventricle, ...], dict[int, float]]:
    """The ventricles with blood in their cavity, and of the other sections the T1 there as a share of that of blood."""
    cavities = {each.section: _cavity_t1_ms(each, t1_map) for each in ventricles}
    medians = {section: float(np.median(t1_ms)) for section, t1_ms in cavities.items() if t1_ms.size}
    blood_ms = median_high(medians.values()) if medians else 0.0
    without = {section: t1_ms / blood_ms for section, t1_ms in medians.items() if t1_ms < LEAST_OF_BLOOD * blood_ms}
    return tuple(each for each in ventricles if each.section not in without), without


def doubts_of_center(center_mm: Point, found: Sequence[Ventricle], t1_map: T1Map, threshold: float) -> tuple[str, ...]:
    """A sentence about a person's centre where the localizer sees no heart, if that is on any slice."""
    without_heart = [
        each.section
        for each in found
        if each.confidence < threshold
        or np.linalg.norm(each.center_mm - t1_map.project(center_mm, each.section)) > FARTHEST_FROM_HEART_MM
    ]
    sections = _listed(without_heart)
    sentence = f"The localizer sees no heart at the given centre on slice {sections}: does it lie in the ventricle?"
    return (sentence,) if without_heart else ()


def _chosen_sections(t1_map: T1Map, sections: Collection[int] | None) -> list[int]:
    """The sections to classify, in order. Raises ACNetError for one that the map does not have, and for none."""
    if sections is None:
        return list(range(t1_map.section_count))
    unknown = sorted(set(sections) - set(range(t1_map.section_count)))
    if unknown or not sections:
        raise ACNetError(
            f"{t1_map.name}: found {_listed(unknown) or 'none'} among the slices to classify; expected some of "
            f"0 to {t1_map.section_count - 1}."
        )
    return sorted(set(sections))


def _check_blood(seen: T1Map, ventricles: Sequence[Ventricle]) -> None:
    """Raises ACNetError when the ventricles are filled with blood after contrast, unless a person insisted on it."""
    if POST_CONTRAST_WARNING in seen.warnings:
        return
    check_native_blood(np.concatenate([_cavity_t1_ms(each, seen) for each in ventricles]), seen.name)


def _check_dark(seen: T1Map, ventricles: Sequence[Ventricle]) -> None:
    """Raises ACNetError when a map that is dark around the body is none, by the ventricles' blood and wall."""
    if DARK_AIR_WARNING in seen.warnings and POST_CONTRAST_WARNING not in seen.warnings:
        cavities, walls = ([of(each, seen) for each in ventricles] for of in (_cavity_t1_ms, _wall_t1_ms))
        check_blood_and_muscle(seen.array, np.concatenate(cavities), np.concatenate(walls), seen.name)


def _cavity_t1_ms(ventricle: Ventricle, t1_map: T1Map) -> NDArray[np.float32]:
    """Of the cavity's pixels that have a value; none where the cavity is not known."""
    t1_ms = t1_map.array[ventricle.section]
    if ventricle.labels is None:
        return t1_ms[:0].ravel()
    return t1_ms[(ventricle.labels == CAVITY_LABEL) & with_value(t1_ms)]


def _wall_t1_ms(ventricle: Ventricle, t1_map: T1Map) -> NDArray[np.float32]:
    """Of the wall's pixels that have a value; none where the wall is not known."""
    t1_ms = t1_map.array[ventricle.section]
    if ventricle.labels is None:
        return t1_ms[:0].ravel()
    return t1_ms[is_myocardium(ventricle.labels) & with_value(t1_ms)]


def _listed(sections: Collection[int]) -> str:
    return ", ".join(map(str, sorted(sections)))
