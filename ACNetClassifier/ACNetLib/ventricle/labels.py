"""The left ventricle on the sections of a T1 map: where it is, and which pixels are cavity, septum and other wall."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, distance_transform_edt

from ACNetLib.errors import ACNetError, VentricleNotFound
from ACNetLib.t1map.section import anatomical_axes
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.measures import SectionMeasures, measure_section, septal_arc

LabelArray = NDArray[np.uint8]
Point = Sequence[float] | NDArray[np.float64]

MYOCARDIUM_LABEL, CAVITY_LABEL, SEPTUM_LABEL = 1, 2, 3
"""Myocardium outside the septum, cavity with the papillary muscles in it, the middle part of the septal myocardium."""
LABEL_NAMES = {MYOCARDIUM_LABEL: "non-septal wall", CAVITY_LABEL: "cavity", SEPTUM_LABEL: "septum"}

MOST_LISTED = 8
MOST_OF_SEPTUM = 0.85
"""Beyond the thickness of the wall it is none. Of 3000 simulated slices none has so much there, even drawn a pixel away
from the cavity, and 93 % of right ventricles have."""
LARGEST_JUMP_MM = 25.0
"""Between the centres of neighbouring slices of one heart, in plane: farther apart one of them is something else."""


@dataclass(frozen=True, eq=False)
class Ventricle:
    """The left ventricle on one section.

    center_mm: LPS (3,). confidence: 0 to 1, 1 where a person said where it is. labels: (rows, columns) on the map's
    grid, 0 outside; None where only the centre is known. turn_degrees: see `septum_turn_degrees`.
    """

    section: int
    center_mm: NDArray[np.float64]
    confidence: float = 1.0
    labels: LabelArray | None = None
    turn_degrees: float = 0.0

    @property
    def has_wall(self) -> bool:
        """Whether cavity and myocardium are known, so that the section can be measured."""
        return self.labels is not None and bool(
            (self.labels == CAVITY_LABEL).any() and is_myocardium(self.labels).any()
        )

    @property
    def has_turn(self) -> bool:
        """Whether it is known how its septum lies."""
        return self.turn_degrees != 0.0 or (self.labels is not None and bool((self.labels == SEPTUM_LABEL).any()))


def is_myocardium(labels: LabelArray) -> NDArray[np.bool_]:
    return (labels == MYOCARDIUM_LABEL) | (labels == SEPTUM_LABEL)


def measure_ventricle(t1_map: T1Map, ventricle: Ventricle) -> SectionMeasures | None:
    """What a reader would measure on the section; None where the wall is not known."""
    if ventricle.labels is None or not ventricle.has_wall:
        return None
    column_mm, row_mm, _ = t1_map.image.GetSpacing()
    return measure_section(
        t1_map.array[ventricle.section],
        is_myocardium(ventricle.labels),
        ventricle.labels == CAVITY_LABEL,
        ventricle.labels == SEPTUM_LABEL,
        (row_mm, column_mm),
    )


def agreeing_ventricles(
    ventricles: Sequence[Ventricle], t1_map: T1Map
) -> tuple[tuple[Ventricle, ...], dict[int, float]]:
    """The ventricles that lie in a line along the normal, and how far in mm each of the others lies from it.

    One by one the farthest is left out, until all lie within LARGEST_JUMP_MM of the median of their centres. Of two,
    each is measured from the other, and the less confident one goes.
    """
    axes = np.array([t1_map.row_axis, t1_map.column_axis])
    centers_mm = [axes @ each.center_mm for each in ventricles]
    odd_ones_mm = odd_centers(centers_mm, [each.confidence for each in ventricles])
    kept = tuple(each for index, each in enumerate(ventricles) if index not in odd_ones_mm)
    return kept, {ventricles[index].section: distance_mm for index, distance_mm in odd_ones_mm.items()}


def turned_alike(ventricles: Sequence[Ventricle]) -> tuple[Ventricle, ...]:
    """The ventricles of one map, each whose septum is not known turned as the nearest one whose is."""
    known = [each for each in ventricles if each.has_turn]
    return tuple(
        each
        if each.has_turn or not known
        else replace(each, turn_degrees=min(known, key=lambda other: abs(other.section - each.section)).turn_degrees)
        for each in ventricles
    )


def odd_centers(centers_mm: Sequence[NDArray[np.float64]], confidences: Sequence[float]) -> dict[int, float]:
    """By the rule of `agreeing_ventricles`, which of these centres (2,) or (3,) are left out, and how far each lies."""
    kept, left_out = list(range(len(centers_mm))), dict[int, float]()
    while len(kept) > 1:
        centers = np.array([centers_mm[index] for index in kept])
        middle = np.median(centers, axis=0) if len(kept) > 2 else centers[::-1]
        distances = np.linalg.norm(centers - middle, axis=1).round(3).tolist()
        worst = max(range(len(kept)), key=lambda place: (distances[place], -confidences[kept[place]]))
        if distances[worst] <= LARGEST_JUMP_MM:
            break
        left_out[kept.pop(worst)] = distances[worst]
    return left_out


def ventricles_at_point(t1_map: T1Map, point_mm: Point, found: Sequence[Ventricle]) -> tuple[Ventricle, ...]:
    """The ventricle of each section of `found` around a person's point (LPS), moved onto the section's plane.

    Of what was found by itself only labels and turn are taken, and only where the point lies within the labels.
    """
    ventricles = []
    for other in found:
        center = t1_map.project(point_mm, other.section)
        inside = other.labels is not None and _encloses(other.labels, center, t1_map)
        labels, turn_degrees = (other.labels, other.turn_degrees) if inside else (None, 0.0)
        ventricles.append(Ventricle(other.section, center, labels=labels, turn_degrees=turn_degrees))
    return tuple(ventricles)


def ventricles_from_segmentation(
    t1_map: T1Map, segmentation: sitk.Image, found: Sequence[Ventricle]
) -> tuple[Ventricle, ...]:
    """The ventricle of every section that a person's segmentation (integer labels on any grid) reaches.

    With the labels 1 (myocardium) and 2 (cavity) the section can be measured; which part is septum, if none is labelled
    so (3), is taken from what was found by itself around their centre. With any other labels only the centre of what
    they enclose is used, with the turn of what was found around it: see `only_centers_used`. Values of 0 and below are
    background. Raises ACNetError when the segmentation reaches no section, and when its labels can't be a wall around a
    cavity.
    """
    if segmentation.GetDimension() != 3 or segmentation.GetNumberOfComponentsPerPixel() != 1:
        raise ACNetError(
            f"segmentation: found a {segmentation.GetDimension()}-D image with "
            f"{segmentation.GetNumberOfComponentsPerPixel()} values a pixel; expected one label a pixel in 3-D."
        )
    on_map = sitk.Resample(segmentation, t1_map.image, sitk.Transform(), sitk.sitkNearestNeighbor, 0.0)
    values = sitk.GetArrayFromImage(on_map)
    ventricles = []
    for section, labels in enumerate(np.where(values > 0, values, 0)):
        if not labels.any():
            continue
        known = np.isin(labels, (MYOCARDIUM_LABEL, CAVITY_LABEL, SEPTUM_LABEL))
        center_mm = center_of_labels(labels, t1_map, section)
        of_section = [each for each in found if each.section == section]
        (by_itself,) = ventricles_at_point(t1_map, center_mm, of_section) or (Ventricle(section, center_mm),)
        ventricle = Ventricle(section, center_mm, turn_degrees=by_itself.turn_degrees)
        if np.array_equal(known, labels != 0):
            _check_numbers(labels, t1_map, section)
            ventricle = replace(ventricle, labels=labels.astype(np.uint8))
            if not (labels == SEPTUM_LABEL).any() and ventricle.has_wall and by_itself.has_wall:
                ventricle = _with_septum_of(ventricle, by_itself, t1_map)
            drawn_degrees = septum_turn_degrees(ventricle.labels, t1_map)
            ventricle = ventricle if drawn_degrees is None else replace(ventricle, turn_degrees=drawn_degrees)
        ventricles.append(ventricle if ventricle.has_wall else replace(ventricle, labels=None))
    if not ventricles:
        raise VentricleNotFound(
            f"segmentation: none of its labels lies on a slice of {t1_map.name}; expected the left ventricle's "
            "myocardium (1) and cavity (2) in the place of the map."
        )
    return tuple(ventricles)


def only_centers_used(ventricles: Sequence[Ventricle], segmentation: sitk.Image) -> str:
    """A sentence about the sections of a person's segmentation that can't be measured, "" if there are none."""
    sections = ", ".join(str(each.section) for each in ventricles if not each.has_wall)
    if not sections:
        return ""
    values = np.unique(sitk.GetArrayViewFromImage(segmentation))
    labels = [f"{value:g}" for value in values[values > 0].tolist()]
    more = [f"{len(labels) - MOST_LISTED} more"] if len(labels) > MOST_LISTED else []
    return (
        f"Of the segmentation only the centre was used on slice {sections}: found label "
        f"{', '.join([*labels[:MOST_LISTED], *more])}; expected {MYOCARDIUM_LABEL} (myocardium), {CAVITY_LABEL} "
        f"(cavity) and no others but {SEPTUM_LABEL} (septum), for septal T1 and wall thickness."
    )


def _check_numbers(labels: LabelArray, t1_map: T1Map, section: int) -> None:
    """Refuses labels of another numbering: a wall within the cavity, and a septum that lies outside of the wall."""
    found = ""
    if _is_enclosed(labels, MYOCARDIUM_LABEL, by=(CAVITY_LABEL, SEPTUM_LABEL)):
        found = f"label {CAVITY_LABEL} encloses label {MYOCARDIUM_LABEL}"
    elif _is_enclosed(labels, SEPTUM_LABEL, by=(CAVITY_LABEL,)):
        found = f"label {CAVITY_LABEL} encloses label {SEPTUM_LABEL}"
    elif _is_beyond_wall(labels, t1_map):
        found = f"label {SEPTUM_LABEL} lies outside of the wall (label {MYOCARDIUM_LABEL})"
    if found:
        raise ACNetError(
            f"segmentation: on slice {section} {found}; expected {MYOCARDIUM_LABEL} for the myocardium, {CAVITY_LABEL} "
            f"for the cavity within it, and {SEPTUM_LABEL}, if at all, for the septal part of the wall. Others number "
            "otherwise: ACDC has 1 right ventricle, 2 myocardium, 3 cavity; M&Ms 1 cavity, 2 myocardium, 3 right "
            "ventricle. Renumber the labels, or name the segments myocardium and cavity and save them as .seg.nrrd."
        )


def _is_enclosed(labels: LabelArray, label: int, by: Sequence[int]) -> bool:
    """Whether most of it lies within the outline of these others; what else they enclose, as papillary muscles, is
    less."""
    there = labels == label
    return bool((there & binary_fill_holes(np.isin(labels, by))).sum() > there.sum() / 2)


def _is_beyond_wall(labels: LabelArray, t1_map: T1Map) -> bool:
    """Whether the septum's label is that of something else, as of the right ventricle: the wall is closed without it,
    and it lies farther from the cavity than the wall is thick.

    A septum may have been drawn away from the cavity, and in hypertrophy is much thicker than the other wall.
    """
    myocardium, cavity, septum = (labels == each for each in (MYOCARDIUM_LABEL, CAVITY_LABEL, SEPTUM_LABEL))
    ring = binary_fill_holes(myocardium)
    if not septum.any() or (cavity & ring).sum() <= cavity.sum() / 2:
        return False
    column_mm, row_mm, _ = t1_map.image.GetSpacing()
    from_cavity_mm = distance_transform_edt(~cavity, sampling=(row_mm, column_mm))
    thickness_mm = 2 * np.median(from_cavity_mm[myocardium])
    beyond = septum & ~ring & (from_cavity_mm > thickness_mm)
    return bool(beyond.sum() > MOST_OF_SEPTUM * septum.sum())


def center_of_labels(labels: LabelArray, t1_map: T1Map, section: int) -> NDArray[np.float64]:
    """LPS centre of everything that the labels (rows, columns) of a section mark and enclose, (3,)."""
    row, column = (float(index.mean()) for index in np.nonzero(binary_fill_holes(labels != 0)))
    return np.array(t1_map.image.TransformContinuousIndexToPhysicalPoint((column, row, float(section))))


def ventricle_labels(
    myocardium: NDArray[np.bool_], cavity: NDArray[np.bool_], insertion_points: NDArray[np.float64]
) -> LabelArray:
    """The labels of masks (rows, columns); septum is the middle part of the arc between the right ventricle's two
    insertion points (column, row)."""
    labels = np.where(cavity, CAVITY_LABEL, MYOCARDIUM_LABEL * myocardium).astype(np.uint8)
    labels[myocardium & ~cavity & septal_arc(cavity, insertion_points)] = SEPTUM_LABEL
    return labels


def septum_turn_degrees(labels: LabelArray | None, t1_map: T1Map) -> float | None:
    """How far a slice has to be turned from the anatomical axes to have its septum to the left of its cavity.

    From the row axis towards the column axis, above -180 to 180. labels: (rows, columns), or None. None where cavity
    or septum is not known.
    """
    if labels is None or not ((labels == CAVITY_LABEL).any() and (labels == SEPTUM_LABEL).any()):
        return None
    cavity, septum = (np.argwhere(labels == label).mean(axis=0) for label in (CAVITY_LABEL, SEPTUM_LABEL))
    column_mm, row_mm, _ = t1_map.image.GetSpacing()
    down, right = (septum - cavity) * (row_mm, column_mm)
    towards_septum = right * t1_map.row_axis + down * t1_map.column_axis
    row, column = anatomical_axes(t1_map.normal)
    degrees = math.degrees(math.atan2(float(towards_septum @ column), float(towards_septum @ row)))
    return degrees - 180.0 if degrees > 0 else degrees + 180.0


def _encloses(labels: LabelArray, point_mm: NDArray[np.float64], t1_map: T1Map) -> bool:
    column, row, _ = (round(index) for index in t1_map.image.TransformPhysicalPointToContinuousIndex(point_mm.tolist()))
    rows, columns = labels.shape
    return 0 <= row < rows and 0 <= column < columns and bool(binary_fill_holes(labels != 0)[row, column])


def _with_septum_of(ventricle: Ventricle, other: Ventricle, t1_map: T1Map) -> Ventricle:
    """The myocardium that lies nearer to the other's septum than to its other wall becomes septum."""
    assert ventricle.labels is not None
    assert other.labels is not None
    column_mm, row_mm, _ = t1_map.image.GetSpacing()
    to_septum, to_wall = (
        distance_transform_edt(other.labels != label, sampling=(row_mm, column_mm))
        for label in (SEPTUM_LABEL, MYOCARDIUM_LABEL)
    )
    septum = is_myocardium(ventricle.labels) & (other.labels == SEPTUM_LABEL).any() & (to_septum < to_wall)
    return replace(ventricle, labels=np.where(septum, SEPTUM_LABEL, ventricle.labels).astype(np.uint8))
