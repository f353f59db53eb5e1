"""T1 by the left ventricle's segments as the American Heart Association counts them: six at the base, six at mid level,
four at the apex (Cerqueira et al., Circulation 2002; 105:539). The seventeenth, the apex's tip, is on no short axis.

The segments are counted from the middle of the septum: on it two segments meet at the base and at mid level, and the
apex has its septal segment around it. Each is read in the middle third of the wall, as septal T1 is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ACNetLib.t1map.section import anatomical_axes, long_axis
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import CAVITY_LABEL, SEPTUM_LABEL, LabelArray, center_of_labels, is_myocardium
from ACNetLib.ventricle.measures import mid_wall, with_value

LEVELS = ("basal", "mid", "apical")
SIX = ("anterior", "anteroseptal", "inferoseptal", "inferior", "inferolateral", "anterolateral")
FOUR = ("anterior", "septal", "inferior", "lateral")
_SIX_BY_ANGLE = (5, 4, 3, 2, 1, 6)
"""Of the first level, by sixths of the turn from the inferior to the anterior side, the septum's middle at its half."""
_FOUR_BY_ANGLE = (4, 3, 2, 1)
FEWEST_SLICES = len(LEVELS)

Known = Callable[[NDArray[np.float32]], NDArray[np.bool_]]


@dataclass(frozen=True)
class Segment:
    """One of the 16 segments.

    t1_ms, sd_ms: over its mid-wall pixels, NaN without one. masked: the share of its wall that was left out because
    blood or fat may be in it, NaN without wall.
    """

    number: int
    name: str
    t1_ms: float
    sd_ms: float
    pixels: int
    masked: float


@dataclass(frozen=True, eq=False)
class WallSlice:
    """One slice of the ventricle: its map, section and labels (rows, columns). counts: False where its values are not
    wanted; it lies in its place all the same.
    """

    t1_map: T1Map
    section: int
    labels: LabelArray
    counts: bool = True

    @property
    def has_segments(self) -> bool:
        return bool((self.labels == SEPTUM_LABEL).any() and (self.labels == CAVITY_LABEL).any())

    @property
    def center_mm(self) -> NDArray[np.float64]:
        """Of the cavity (LPS); of the section where that is not known."""
        cavity = self.labels == CAVITY_LABEL
        if not cavity.any():
            return self.t1_map.section_center(self.section)
        return center_of_labels(np.where(cavity, self.labels, 0), self.t1_map, self.section)


def aha_segments(slices: Sequence[WallSlice], known_pixels: Known = with_value) -> tuple[Segment, ...]:
    """The 16 segments of a ventricle, all its slices dealt to the three levels from base to apex.

    A slice that does not count, or whose septum is not known, gives no values, but no other slice takes its level.
    known_pixels: which of a map's values count. None of the segments where the slices are fewer than three, or none of
    them gives values.
    """
    if len(slices) < FEWEST_SLICES or not any(each.counts and each.has_segments for each in slices):
        return ()
    axis = long_axis([each.t1_map for each in slices])
    from_base = sorted(slices, key=lambda each: -float(each.center_mm @ axis))
    t1_ms: list[list[NDArray[np.float32]]] = [[] for _ in range(16)]
    wall_pixels = np.zeros(16, int)
    for place, each in enumerate(from_base):
        if not (each.counts and each.has_segments):
            continue
        numbers = segment_numbers(each, len(LEVELS) * place // len(from_base))
        column_mm, row_mm, _ = each.t1_map.image.GetSpacing()
        wall, cavity = is_myocardium(each.labels), each.labels == CAVITY_LABEL
        middle = mid_wall(wall, cavity, (row_mm, column_mm))
        for number in range(1, 17):
            in_segment = numbers == number
            wall_pixels[number - 1] += int(in_segment.sum())
            values = each.t1_map.array[each.section][in_segment & middle]
            t1_ms[number - 1].append(values[known_pixels(values)])
    return tuple(
        _segment(number, np.concatenate(t1_ms[number - 1]), int(wall_pixels[number - 1])) for number in range(1, 17)
    )


def segment_numbers(wall_slice: WallSlice, level: int) -> NDArray[np.uint8]:
    """The segment of each wall pixel (rows, columns) on a slice of a level, 0 elsewhere."""
    labels = wall_slice.labels
    angles = _angles(wall_slice)
    septum = labels == SEPTUM_LABEL
    middle = np.angle(np.exp(1j * angles[septum]).mean())
    # 0 opposite the septum, growing over the inferior side, 0.5 in the middle of the septum, then the anterior side.
    turn = ((angles - middle) / (2 * np.pi) + 0.5) % 1.0
    if level < 2:
        numbers = np.take(_SIX_BY_ANGLE, np.minimum((turn * 6).astype(int), 5)) + 6 * level
    else:
        numbers = np.take(_FOUR_BY_ANGLE, np.floor(turn * 4 + 0.5).astype(int) % 4) + 12
    return np.where(is_myocardium(labels), numbers, 0).astype(np.uint8)


def _angles(wall_slice: WallSlice) -> NDArray[np.float64]:
    """Of each pixel around the cavity's centre, as seen from the apex: to the right 0, below (inferior) a quarter."""
    t1_map = wall_slice.t1_map
    right, down = anatomical_axes(t1_map.normal)
    rows, columns = np.indices(wall_slice.labels.shape)
    column_mm, row_mm, _ = t1_map.image.GetSpacing()
    cavity = wall_slice.labels == CAVITY_LABEL
    middle_row, middle_column = (float(index.mean()) for index in np.nonzero(cavity))
    along_row, along_column = (columns - middle_column) * column_mm, (rows - middle_row) * row_mm

    def along(axis: NDArray[np.float64]) -> NDArray[np.float64]:
        return along_row * float(t1_map.row_axis @ axis) + along_column * float(t1_map.column_axis @ axis)

    return np.arctan2(along(down), along(right))


def _segment(number: int, t1_ms: NDArray[np.float32], wall_pixels: int) -> Segment:
    level = min((number - 1) // 6, 2)
    names = SIX if level < 2 else FOUR
    return Segment(
        number,
        f"{LEVELS[level]} {names[(number - 1) % 6]}",
        float(t1_ms.mean()) if t1_ms.size else float("nan"),
        float(t1_ms.std()) if t1_ms.size else float("nan"),
        int(t1_ms.size),
        1 - t1_ms.size / wall_pixels if wall_pixels else float("nan"),
    )
