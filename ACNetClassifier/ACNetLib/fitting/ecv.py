"""The extracellular volume (ECV) from native and post-contrast T1 maps and the haematocrit. Shown, never classified.

ECV = (1 - haematocrit) (1 / T1 post - 1 / T1 native) of the wall, over the same of blood (Arheden 1999; Haaf 2016).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from ACNetLib.dicom.frames import SAME_PLACE_MM
from ACNetLib.dicom.sequences import are_several, joined_sequences
from ACNetLib.errors import ACNetError
from ACNetLib.fitting.motion import LARGEST_SHIFT_MM, moved, shift_mm
from ACNetLib.image_files import image_like
from ACNetLib.inference.exam import LARGEST_ANGLE_DEGREES, check_one_scanner
from ACNetLib.inference.exam_input import check_one_patient
from ACNetLib.inference.out_of_step import doubts_of_place, turned_by
from ACNetLib.t1map.t1_map import NOT_PLACED, T1Map
from ACNetLib.ventricle.aha import Segment, WallSlice, aha_segments
from ACNetLib.ventricle.labels import CAVITY_LABEL, SEPTUM_LABEL, Ventricle, is_myocardium
from ACNetLib.ventricle.measures import mid_wall

HEMATOCRITS = (0.1, 0.75)
SHORTEST_T1_MS, LONGEST_T1_MS = 50.0, 4000.0
"""Outside of these a map holds no T1, but noise and pixels without a fit."""
LONGEST_BLOOD_POST = 0.8
"""T1 of blood after contrast, as a share of that of native blood. Native it is 1500 to 2000 ms at 1.5 and 3 T, 10 to 30
minutes after 0.1 to 0.2 mmol/kg 250 to 600 ms: the limit leaves twice that for low doses and late maps. ECV is divided
by the difference of the two, which in two native maps is noise."""
ONE_EXAM = "Give the native and the post-contrast map of one exam."
BLOOD_MARGIN_PX = 2
FEWEST_BLOOD_PIXELS = 20
DEPTH_MM = 200.0
"""More than two slices within LARGEST_ANGLE_DEGREES and SAME_PLACE_MM of each other are apart anywhere in a heart."""
LARGEST_MISSING = 0.1
"""Of the mid wall without ECV: where more is missing, it is said."""
TWO_SEQUENCES = (
    "The maps are of {sequences}, whose T1 of the same tissue differs, and ECV with it; expected one sequence before "
    "and after contrast."
)
SEEN_MS = 2500.0
"""Longer T1 is noise, which a registration should not look at."""


@dataclass(frozen=True)
class SliceEcv:
    """ECV in percent over the mid-wall pixels of a slice and over those of its septum, NaN without any.

    title: "Slice 0" or, of several maps, "Map 2, slice 0". missing: the share of the mid wall without ECV. shift_mm:
    how far the post-contrast map was moved in the slice's plane; None where the registration lost its way and the map
    was left where it lies.
    """

    title: str
    wall: float
    septum: float
    missing: float
    shift_mm: float | None


@dataclass(frozen=True, eq=False)
class Ecv:
    """images: ECV in percent in the place of each native map, 0 also where it is not known, which the means leave out.
    segments: `aha_segments` with percent in place of ms, none where fewer than three slices have a known wall
    or a file does not tell how its slices lie.
    blood_ms: native and after contrast.
    """

    images: tuple[sitk.Image, ...]
    slices: tuple[SliceEcv, ...]
    segments: tuple[Segment, ...]
    blood_ms: tuple[float, float]
    hematocrit: float
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _MapPair:
    """A native map and T1 after contrast on its grid, (section, row, column) in ms, 0 where it does not reach.

    ventricles: of the slices with both maps and a known wall. shifts_mm: of the same slices, see `SliceEcv`.
    """

    native: T1Map
    post_ms: NDArray[np.float32]
    ventricles: tuple[Ventricle, ...]
    shifts_mm: tuple[float | None, ...]


def measure_ecv(
    natives: Sequence[T1Map], posts: Sequence[T1Map], ventricles: Sequence[Sequence[Ventricle]], hematocrit: float
) -> Ecv:
    """The ECV of the slices of the native maps whose wall is known. ventricles: of each native map.

    To each slice belongs the post-contrast slice in the same place, of whichever map; it is moved in the slice's plane
    onto the native one. Blood is that of all slices. Raises ACNetError for a haematocrit that is none, for maps of two
    patients, exams, field strengths or scanners as far as these are told, where no wall is known, where no
    post-contrast map reaches such a slice, and where T1 of its blood is not clearly shorter.
    """
    low, high = HEMATOCRITS
    if not low <= hematocrit <= high:
        raise ACNetError(f"hematocrit: found {hematocrit:g}; expected a fraction of {low:g} to {high:g}, such as 0.42.")
    check_one_patient([*natives, *posts], ONE_EXAM)
    check_one_scanner([*natives, *posts], ONE_EXAM)
    if not any(each.has_wall for of_map in ventricles for each in of_map):
        raise ACNetError(
            f"{_names(natives)}: the wall and cavity are known on no slice; expected them for the T1 of blood.",
            cli="Give them with --segmentation.",
        )
    pairs = [_pair(native, posts, of_map) for native, of_map in zip(natives, ventricles, strict=True)]
    if not any(pair.ventricles for pair in pairs):
        raise ACNetError(
            f"{_names(posts)}: no slice lies where {_names(natives)} shows the ventricle; expected the same slices in "
            "one exam."
        )
    blood = _blood_ms(pairs)
    if blood[1] > LONGEST_BLOOD_POST * blood[0]:
        raise ACNetError(
            f"{_names(posts)}: T1 of blood is {blood[1]:.0f} ms, that of {_names(natives)} {blood[0]:.0f} ms; expected "
            f"at most {LONGEST_BLOOD_POST:.0%} of it after contrast. Are both native, or the two exchanged?"
        )
    maps = [_ecv_map(pair, blood, hematocrit) for pair in pairs]
    slices, warnings = list[SliceEcv](), _of_two_sequences([*natives, *posts])
    for number, (pair, ecv_map, of_map) in enumerate(zip(pairs, maps, ventricles, strict=True), start=1):
        begin = "Slice" if len(pairs) == 1 else f"Map {number}, slice"
        warnings += _left_out(pair, of_map, begin)
        for each, shift in zip(pair.ventricles, pair.shifts_mm, strict=True):
            slices.append(_slice(ecv_map, each, f"{begin} {each.section}", shift))
    warnings += [
        f"{each.title}: the registration lost its way, the post-contrast map was left where it lies."
        for each in slices
        if each.shift_mm is None
    ]
    warnings += [
        f"{each.title}: {each.missing:.0%} of the wall has no ECV, for one of the maps holds no T1 there."
        for each in slices
        if each.missing > LARGEST_MISSING
    ]
    walls = [
        WallSlice(ecv_map, each.section, each.labels, counts=each in pair.ventricles)
        for pair, ecv_map, of_map in zip(pairs, maps, ventricles, strict=True)
        for each in of_map
        if each.labels is not None
    ]
    images = tuple(image_like(each.image, np.nan_to_num(each.array, nan=0.0)) for each in maps)
    segments = aha_segments(walls, np.isfinite)
    septa = [each for of_map in ventricles for each in of_map if each.has_turn]
    if segments and not all(native.is_placed for native in natives):
        segments = ()
        warnings.append(NOT_PLACED)
    elif (turn_degrees := turned_by([each.turn_degrees for each in septa])) is not None:
        segments = ()
        warnings += doubts_of_place(turn_degrees, None)
    return Ecv(images, tuple(slices), segments, blood, hematocrit, tuple(warnings))


def _pair(native: T1Map, posts: Sequence[T1Map], ventricles: Sequence[Ventricle]) -> _MapPair:
    walls = {each.section: each for each in ventricles if each.has_wall}
    post_ms = np.zeros(native.array.shape, np.float32)
    known, shifts_mm = list[Ventricle](), list[float | None]()
    for section in range(native.section_count):
        wall = walls.get(section)
        plane = _plane_at(native.section_center(section) if wall is None else wall.center_mm, native.normal, posts)
        if plane is None:
            continue
        onto = (native.planes[section], sitk.Transform(), sitk.sitkLinear, 0.0, sitk.sitkFloat32)
        post_ms[section] = sitk.GetArrayFromImage(sitk.Resample(plane, *onto))[0]
        if wall is not None and post_ms[section].any():
            known.append(wall)
            shifts_mm.append(_register(native, post_ms, wall))
    return _MapPair(native, post_ms, tuple(known), tuple(shifts_mm))


def _plane_at(point_mm: NDArray[np.float64], normal: NDArray[np.float64], posts: Sequence[T1Map]) -> sitk.Image | None:
    """The post-contrast slice, nearly parallel to the native one, on which the point lies; None where there is none."""
    smallest_cosine = math.cos(math.radians(LARGEST_ANGLE_DEGREES))
    distances_mm = {
        (index, section): abs(float((point_mm - post.section_center(section)) @ post.normal))
        for index, post in enumerate(posts)
        for section in range(post.section_count)
        if abs(float(post.normal @ normal)) > smallest_cosine
    }
    nearest = min(distances_mm, key=distances_mm.__getitem__, default=None)
    if nearest is None or distances_mm[nearest] >= SAME_PLACE_MM:
        return None
    index, section = nearest
    # Read along its normal: resampled with its thickness, a slice a few degrees askew would cover a part of the wall.
    plane = sitk.Image(posts[index].planes[section])
    plane.SetSpacing((*plane.GetSpacing()[:2], DEPTH_MM))
    return plane


def _left_out(pair: _MapPair, ventricles: Sequence[Ventricle], begin: str) -> list[str]:
    """A sentence for each slice of a native map without ECV of its wall."""
    walls = {each.section for each in ventricles if each.has_wall}
    measured = {each.section for each in pair.ventricles}
    return [
        f"{begin} {section} was left out: "
        + (
            "no post-contrast slice lies there."
            if section in walls
            else "the left ventricle's wall is not known on it."
        )
        for section in range(pair.native.section_count)
        if section not in measured
    ]


def _of_two_sequences(t1_maps: Sequence[T1Map]) -> list[str]:
    """MOLLI's scheme may be another after contrast: its name alone is compared."""
    told = joined_sequences(t1_map.sequence for t1_map in t1_maps)
    return [TWO_SEQUENCES.format(sequences=told)] if are_several(told) else []


def _names(t1_maps: Sequence[T1Map]) -> str:
    return ", ".join(t1_map.name for t1_map in t1_maps)


def _register(native: T1Map, post_ms: NDArray[np.float32], ventricle: Ventricle) -> float | None:
    """Move the slice of the post-contrast map onto the native one, in place; by how many mm, None where it got lost."""
    section = ventricle.section
    column_mm, row_mm, _ = native.image.GetSpacing()
    assert ventricle.labels is not None
    row, column = (float(index.mean()) for index in np.nonzero(ventricle.labels))
    fixed, moving = (np.clip(each[section], 0, SEEN_MS) for each in (native.array, post_ms))
    shift = shift_mm(fixed, moving, spacing_mm=(column_mm, row_mm), by_information=True, middle=(row, column))
    if shift is None or np.linalg.norm(shift) > LARGEST_SHIFT_MM:
        return None
    post_ms[section] = moved(post_ms[section], shift, (column_mm, row_mm))
    return float(np.linalg.norm(shift))


def _blood_ms(pairs: Sequence[_MapPair]) -> tuple[float, float]:
    """The median of all cavities' pixels away from the wall, native and after contrast."""
    values = np.concatenate(
        [
            np.stack([pair.native.array[each.section], pair.post_ms[each.section]])[:, _inner_cavity(each)]
            for pair in pairs
            for each in pair.ventricles
        ],
        axis=1,
    )
    valid = _is_t1(values).all(axis=0)
    if np.count_nonzero(valid) < FEWEST_BLOOD_PIXELS:
        raise ACNetError(
            f"{_names([pair.native for pair in pairs])}: found {np.count_nonzero(valid)} pixels of blood in both maps; "
            f"expected {FEWEST_BLOOD_PIXELS} or more in the left ventricle's cavity."
        )
    native_ms, post_ms = np.median(values[:, valid], axis=1)
    return float(native_ms), float(post_ms)


def _inner_cavity(ventricle: Ventricle) -> NDArray[np.bool_]:
    cavity = ventricle.labels == CAVITY_LABEL
    inner: NDArray[np.bool_] = binary_erosion(cavity, iterations=BLOOD_MARGIN_PX)
    return inner


def _is_t1(t1_ms: NDArray[np.float32]) -> NDArray[np.bool_]:
    return (t1_ms > SHORTEST_T1_MS) & (t1_ms < LONGEST_T1_MS)


def _ecv_map(pair: _MapPair, blood_ms: tuple[float, float], hematocrit: float) -> T1Map:
    """ECV of each pixel, NaN where one of the maps holds no T1. What noise puts outside of 0 to 100 % counts as these:
    left out, it would make a low ECV too high and a high one too low."""
    native_ms, post_ms = pair.native.array, pair.post_ms
    known = _is_t1(native_ms) & _is_t1(post_ms)
    partition = (1 / post_ms[known] - 1 / native_ms[known]) / (1 / blood_ms[1] - 1 / blood_ms[0])
    percent = np.full(native_ms.shape, np.nan, np.float32)
    percent[known] = np.clip(100 * (1 - hematocrit) * partition, 0, 100)
    return replace(pair.native, image=image_like(pair.native.image, percent), warnings=())


def _slice(ecv_map: T1Map, ventricle: Ventricle, title: str, shift: float | None) -> SliceEcv:
    labels = ventricle.labels
    assert labels is not None
    column_mm, row_mm, _ = ecv_map.image.GetSpacing()
    values = ecv_map.array[ventricle.section]
    whole = mid_wall(is_myocardium(labels), labels == CAVITY_LABEL, (row_mm, column_mm))
    middle = whole & ~np.isnan(values)

    def mean(mask: NDArray[np.bool_]) -> float:
        return float(values[mask].mean()) if mask.any() else float("nan")

    missing = 1 - middle.sum() / max(whole.sum(), 1)
    return SliceEcv(title, mean(middle), mean(middle & (labels == SEPTUM_LABEL)), float(missing), shift)
