"""The cavity's outline where the T1 map shows it.

The localizer sees 2 mm and knows the walls of its training: of a thick one it takes the inner part for cavity, and a
cavity's edge it finds to a pixel or two. On a native map blood has some hundred ms more than the wall, so the edge can
be seen: the cavity is what a hull around its blood holds, papillary muscles with it, as readers draw it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, median_filter
from scipy.ndimage import label as connected
from scipy.spatial import ConvexHull, QhullError

from ACNetLib.ventricle.labels import CAVITY_LABEL, MYOCARDIUM_LABEL, SEPTUM_LABEL, LabelArray, is_myocardium
from ACNetLib.ventricle.measures import surroundings, with_value

BLOOD_SHARE = 0.35
"""From this share of blood on, by T1, a pixel is cavity: less than a half, since trabeculae are cavity to readers."""
CORE_SHARE = 0.5
"""Of the cavity's depth: what lies deeper is blood for certain."""
LEAST_CONTRAST_MS = 200.0
"""Of blood above wall. After contrast, and where there is less, the localizer's outline stays."""
LEAST_WALL_MM = 2.0
"""Of the wall's outer rim, and at least a pixel, nothing becomes cavity: what lies beyond may be bright as well."""
ROUNDING = 1e-6
"""Pixels that lie on an edge, or as far from two, count alike however a slice is stored."""
LARGEST_GROWTH_MM = 2.0
"""The localizer's own pixel, and one of the map's at least: farther out a bright wall is a scar, with T1 near blood."""
LEAST_AREA = 0.4
"""Of the localizer's cavity: where less of it looks like blood, something else is wrong."""

BoolArray = NDArray[np.bool_]


def with_visible_cavity(t1_ms: NDArray[np.float32], labels: LabelArray, spacing_mm: tuple[float, float]) -> LabelArray:
    """The localizer's labels with the edge between cavity and wall where blood's T1 begins; all (rows, columns).

    The outer edge of the wall stays. Wall that was taken for cavity is septum where the wall beside it is.
    spacing_mm: of rows, of columns.
    """
    near, found = surroundings(labels != 0), labels.copy()
    found[near] = _with_visible_cavity(t1_ms[near], labels[near], spacing_mm)
    return found


def _with_visible_cavity(t1_ms: NDArray[np.float32], labels: LabelArray, spacing_mm: tuple[float, float]) -> LabelArray:
    cavity, wall = labels == CAVITY_LABEL, is_myocardium(labels)
    depth_mm = distance_transform_edt(cavity, sampling=spacing_mm)
    core = depth_mm >= CORE_SHARE * depth_mm.max()
    smooth_ms = median_filter(np.nan_to_num(t1_ms), 3)
    blood, muscle = (smooth_ms[region & with_value(smooth_ms)] for region in (core, wall))
    if not blood.size or not muscle.size:
        return labels
    blood_ms, wall_ms = float(np.median(blood)), float(np.median(muscle))
    if blood_ms - wall_ms < LEAST_CONTRAST_MS:
        return labels
    from_rim_mm = distance_transform_edt(cavity | wall, sampling=spacing_mm)
    may_be_cavity = from_rim_mm > max(LEAST_WALL_MM, *spacing_mm)
    parts, _ = connected(may_be_cavity & (smooth_ms > wall_ms + BLOOD_SHARE * (blood_ms - wall_ms)))
    of_core = parts[core & (parts > 0)]
    if not of_core.size:
        return labels
    beside = distance_transform_edt(~cavity, sampling=spacing_mm) <= max(LARGEST_GROWTH_MM, *spacing_mm)
    seen = _hull(parts == np.bincount(of_core).argmax()) & (may_be_cavity & beside | cavity)
    if seen.sum() < LEAST_AREA * cavity.sum():
        return labels
    found = np.where(cavity, _wall_beside(labels, spacing_mm), labels)
    found[seen] = CAVITY_LABEL
    return found


def _wall_beside(labels: LabelArray, spacing_mm: tuple[float, float]) -> LabelArray:
    """Of every pixel, whether the nearest wall is septum."""
    to_septum_mm, to_other_mm = (
        distance_transform_edt(labels != label, sampling=spacing_mm) if (labels == label).any() else np.inf
        for label in (SEPTUM_LABEL, MYOCARDIUM_LABEL)
    )
    is_septal = np.broadcast_to(to_septum_mm <= to_other_mm + ROUNDING, labels.shape)
    return np.where(is_septal, SEPTUM_LABEL, MYOCARDIUM_LABEL).astype(np.uint8)


def _hull(mask: BoolArray) -> BoolArray:
    """All pixels (rows, columns) within the convex hull of those of the mask; the mask where they lie in a line."""
    try:
        edges = ConvexHull(np.argwhere(mask)).equations
    except QhullError:
        return mask
    pixels = np.moveaxis(np.indices(mask.shape), 0, -1)
    inside: BoolArray = (pixels @ edges[:, :2].T + edges[:, 2] <= ROUNDING).all(axis=-1)
    return inside
