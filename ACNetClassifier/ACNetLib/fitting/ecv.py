"""The extracellular volume (ECV) from a native and a post-contrast T1 map and the haematocrit. Shown, never classified.

ECV = (1 - haematocrit) (1 / T1 post - 1 / T1 native) of the wall, over the same of blood (Arheden 1999; Haaf 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from ACNetLib.errors import ACNetError
from ACNetLib.fitting.motion import LARGEST_SHIFT_MM, moved, shift_mm
from ACNetLib.inference.exam import check_one_scanner
from ACNetLib.inference.exam_input import check_one_patient
from ACNetLib.t1map.t1_map import T1Map
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
SEEN_MS = 2500.0
"""Longer T1 is noise, which a registration should not look at."""


@dataclass(frozen=True)
class SliceEcv:
    """ECV in percent over the mid-wall pixels of a slice and over those of its septum, NaN without any.

    shift_mm: how far the post-contrast map was moved in the slice's plane; None where the registration lost its way and
    the map was left where it lies.
    """

    section: int
    wall: float
    septum: float
    shift_mm: float | None


@dataclass(frozen=True, eq=False)
class Ecv:
    """image: ECV in percent in the place of the native map, 0 also where it is not known, which the means leave out.
    segments: `aha_segments` with percent in place of ms, none where fewer than three slices have a known wall.
    blood_ms: of the native and the post-contrast map.
    """

    image: sitk.Image
    slices: tuple[SliceEcv, ...]
    segments: tuple[Segment, ...]
    blood_ms: tuple[float, float]
    hematocrit: float
    warnings: tuple[str, ...]


def measure_ecv(native: T1Map, post: T1Map, ventricles: Sequence[Ventricle], hematocrit: float) -> Ecv:
    """The ECV of the slices of the native map whose wall is known.

    The post-contrast map is taken where it lies in space, then moved in each slice's plane onto the native one. Raises
    ACNetError for a haematocrit that is none, for maps of two patients, exams, field strengths or scanners as far as
    these are told, where no wall is known, where the post-contrast map reaches no such slice, and where T1 of its blood
    is not clearly shorter.
    """
    low, high = HEMATOCRITS
    if not low <= hematocrit <= high:
        raise ACNetError(f"hematocrit: found {hematocrit:g}; expected a fraction of {low:g} to {high:g}, such as 0.42.")
    check_one_patient([native, post], ONE_EXAM)
    check_one_scanner([native, post], ONE_EXAM)
    known = [each for each in ventricles if each.has_wall]
    if not known:
        raise ACNetError(
            f"{native.name}: on none of its slices the wall and cavity are known; expected them for the T1 of blood.",
            cli="Give them with --segmentation.",
        )
    on_native = sitk.GetArrayFromImage(
        sitk.Resample(post.image, native.image, sitk.Transform(), sitk.sitkLinear, 0.0, sitk.sitkFloat32)
    )
    shifts = {each.section: _register(native, on_native, each) for each in known}
    known = [each for each in known if on_native[each.section].any()]
    if not known:
        raise ACNetError(
            f"{post.name}: none of its slices lies where {native.name} has the ventricle; expected maps of one exam "
            "and the same slices."
        )
    blood = _blood_ms(native, on_native, known)
    if blood[1] > LONGEST_BLOOD_POST * blood[0]:
        raise ACNetError(
            f"{post.name}: T1 of its blood is {blood[1]:.0f} ms, that of {native.name} {blood[0]:.0f} ms; expected at "
            f"most {LONGEST_BLOOD_POST:.0%} of it after contrast. Are both native, or the two exchanged?"
        )
    percent = _percent(native.array, on_native, blood, hematocrit)
    ecv_map = replace(native, image=_in_place_of(native, percent), warnings=())
    image = _in_place_of(native, np.nan_to_num(percent, nan=0.0))
    slices = tuple(_slice(ecv_map, each, shifts[each.section]) for each in known)
    walls = [WallSlice(ecv_map, each.section, each.labels) for each in known if each.labels is not None]
    warnings = [
        f"Slice {each.section}: the registration lost its way, the post-contrast map was left where it lies."
        for each in slices
        if each.shift_mm is None
    ]
    return Ecv(image, slices, aha_segments(walls), blood, hematocrit, tuple(warnings))


def _register(native: T1Map, on_native: NDArray[np.float32], ventricle: Ventricle) -> float | None:
    """Move the slice of the post-contrast map onto the native one, in place; by how many mm, None where it got lost."""
    section = ventricle.section
    column_mm, row_mm, _ = native.image.GetSpacing()
    assert ventricle.labels is not None
    row, column = (float(index.mean()) for index in np.nonzero(ventricle.labels))
    fixed, moving = (np.clip(each[section], 0, SEEN_MS) for each in (native.array, on_native))
    shift = shift_mm(fixed, moving, spacing_mm=(column_mm, row_mm), by_information=True, middle=(row, column))
    if shift is None or np.linalg.norm(shift) > LARGEST_SHIFT_MM:
        return None
    on_native[section] = moved(on_native[section], shift, (column_mm, row_mm))
    return float(np.linalg.norm(shift))


def _blood_ms(native: T1Map, on_native: NDArray[np.float32], known: Sequence[Ventricle]) -> tuple[float, float]:
    """The median of all cavities' pixels away from the wall, in both maps."""
    inner = {each.section: _inner_cavity(each) for each in known}
    values = [
        np.concatenate([t1_ms[section][mask] for section, mask in inner.items()]) for t1_ms in (native.array, on_native)
    ]
    valid = _is_t1(values[0]) & _is_t1(values[1])
    if np.count_nonzero(valid) < FEWEST_BLOOD_PIXELS:
        raise ACNetError(
            f"{native.name}: found {np.count_nonzero(valid)} pixels of blood in both maps; expected "
            f"{FEWEST_BLOOD_PIXELS} or more in the left ventricle's cavity."
        )
    return float(np.median(values[0][valid])), float(np.median(values[1][valid]))


def _inner_cavity(ventricle: Ventricle) -> NDArray[np.bool_]:
    cavity = ventricle.labels == CAVITY_LABEL
    inner: NDArray[np.bool_] = binary_erosion(cavity, iterations=BLOOD_MARGIN_PX)
    return inner


def _is_t1(t1_ms: NDArray[np.float32]) -> NDArray[np.bool_]:
    return (t1_ms > SHORTEST_T1_MS) & (t1_ms < LONGEST_T1_MS)


def _percent(
    native_ms: NDArray[np.float32], post_ms: NDArray[np.float32], blood_ms: tuple[float, float], hematocrit: float
) -> NDArray[np.float32]:
    """ECV of each pixel, NaN where one of the maps holds no T1. What noise puts outside of 0 to 100 % counts as these:
    left out, it would make a low ECV too high and a high one too low."""
    known = _is_t1(native_ms) & _is_t1(post_ms)
    partition = (1 / post_ms[known] - 1 / native_ms[known]) / (1 / blood_ms[1] - 1 / blood_ms[0])
    percent = np.full(native_ms.shape, np.nan, np.float32)
    percent[known] = np.clip(100 * (1 - hematocrit) * partition, 0, 100)
    return percent


def _in_place_of(t1_map: T1Map, values: NDArray[np.float32]) -> sitk.Image:
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(t1_map.image)
    return image


def _slice(ecv_map: T1Map, ventricle: Ventricle, shift: float | None) -> SliceEcv:
    labels = ventricle.labels
    assert labels is not None
    column_mm, row_mm, _ = ecv_map.image.GetSpacing()
    values = ecv_map.array[ventricle.section]
    middle = mid_wall(is_myocardium(labels), labels == CAVITY_LABEL, (row_mm, column_mm)) & ~np.isnan(values)

    def mean(mask: NDArray[np.bool_]) -> float:
        return float(values[mask].mean()) if mask.any() else float("nan")

    return SliceEcv(ventricle.section, mean(middle), mean(middle & (labels == SEPTUM_LABEL)), shift)
