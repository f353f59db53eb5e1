"""The section that the network sees, 128 x 128 pixels of 1 mm around the heart, and the way back onto the T1 map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import SimpleITK as sitk

from ACNetLib.errors import ACNetError
from ACNetLib.t1map.t1_map import T1Map

SECTION_SIZE = 128
SECTION_SPACING_MM = 1.0
INTENSITY_MAX = 255.0
LARGEST_EDGE = 0.05
"""Up to so much of a section outside the map is 0 to ACNet, too: crops of the maps that it was trained on end so."""

Vector = tuple[float, float, float]

TOWARDS_BASE = np.array([-0.62, 0.60, 0.50])
"""The long axis of the heart from apex to base as it lies in most people (LPS)."""
TOWARDS_LATERAL_WALL = np.array([0.69, 0.71, 0.01])
"""From the septum to the lateral wall of the left ventricle, across that axis."""
TOWARDS_HEAD = np.array([0.0, 0.0, 1.0])
_ACROSS = 0.2
"""A direction whose part in a plane is shorter than this does not tell how the plane is turned."""


def anatomical_axes(normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How a plane with this normal (LPS, of either sign) is looked at: its row axis and its column axis, (3,) each.

    A short-axis plane is seen from the apex with the lateral wall to the right and the inferior wall below. The axes
    follow from the plane in space alone, so the same voxels look the same to the networks however they are stored:
    with rows, columns or both reversed or exchanged, from base to apex or from apex to base.
    """
    for direction in (TOWARDS_BASE, TOWARDS_LATERAL_WALL, TOWARDS_HEAD):
        along = float(normal @ direction)
        if abs(along) > _ACROSS:
            normal = normal * math.copysign(1.0, along)
            break
    for direction in (TOWARDS_LATERAL_WALL, TOWARDS_HEAD):
        row = direction - (direction @ normal) * normal
        if np.linalg.norm(row) > _ACROSS:
            break
    row = row / np.linalg.norm(row)
    return row, np.cross(normal, row)


def long_axis(t1_maps: Sequence[T1Map]) -> np.ndarray:
    """The mean normal of the short-axis maps of one heart, towards its base (LPS), of length 1."""
    normals = [t1_map.normal * math.copysign(1.0, t1_map.normal @ t1_maps[0].normal) for t1_map in t1_maps]
    axis = np.mean(normals, axis=0)
    return axis * math.copysign(1.0, axis @ TOWARDS_BASE) / np.linalg.norm(axis)


@dataclass(frozen=True, eq=False)
class Crop:
    """T1 in ms on a section grid, (128, 128) float32, and which of its pixels lie outside the map (there T1 is 0)."""

    t1_ms: np.ndarray
    outside: np.ndarray

    @property
    def outside_fraction(self) -> float:
        return float(self.outside.mean())


@dataclass(frozen=True)
class SectionGrid:
    """Square pixels in the plane of one section of a T1 map.

    `center_mm` (LPS) is the grid's middle, pixel (63.5, 63.5). `row_axis` and `column_axis` are the LPS directions of
    increasing column and row index.
    """

    section: int
    center_mm: Vector
    row_axis: Vector
    column_axis: Vector
    spacing_mm: float = SECTION_SPACING_MM
    size: int = SECTION_SIZE

    @classmethod
    def around(
        cls, t1_map: T1Map, section: int, point_mm: Sequence[float] | np.ndarray, turn_degrees: float = 0.0
    ) -> SectionGrid:
        """The grid around a point (LPS), which is moved onto the plane of the section, turned from the anatomical axes.

        Raises ACNetError when the map has no such section.
        """
        center = t1_map.project(point_mm, section)
        row, column = anatomical_axes(t1_map.normal)
        return cls(section, _vector(center), _vector(row), _vector(column)).turned(turn_degrees)

    def turned(
        self, angle_degrees: float, shift_mm: tuple[float, float] = (0.0, 0.0), scale: float = 1.0
    ) -> SectionGrid:
        """The same section seen from another grid, so that an augmented section too is resampled only once.

        The centre moves by `shift_mm` along this grid's row and column axis, the row axis turns towards the column
        axis by the angle, and the pixels become `scale` times as wide (above 1 the heart looks smaller).
        """
        row, column = np.array(self.row_axis), np.array(self.column_axis)
        center = np.array(self.center_mm) + shift_mm[0] * row + shift_mm[1] * column
        cosine, sine = math.cos(math.radians(angle_degrees)), math.sin(math.radians(angle_degrees))
        return replace(
            self,
            center_mm=_vector(center),
            row_axis=_vector(cosine * row + sine * column),
            column_axis=_vector(cosine * column - sine * row),
            spacing_mm=self.spacing_mm * scale,
        )

    def corners_mm(self) -> np.ndarray:
        """The outline of the grid at its outer pixel edges, (4, 3) in LPS, in order around it."""
        half = self.size * self.spacing_mm / 2
        signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
        return np.array(self.center_mm) + half * signs @ np.array([self.row_axis, self.column_axis])

    def crop(self, t1_map: T1Map) -> Crop:
        """The section's T1 on this grid, by one linear resampling from the original."""
        t1_ms = self._resample(t1_map.planes[self.section], sitk.sitkLinear, padding=math.nan)
        outside = np.isnan(t1_ms)  # a T1 map itself holds no NaN
        t1_ms[outside] = 0.0
        return Crop(t1_ms, outside)

    def filled(self, t1_map: T1Map, crop: Crop | None = None) -> np.ndarray:
        """The section as ACNet sees it, (128, 128) float32 in ms: where more than an edge of it lies outside the map,
        the map is mirrored there.

        0 looks like a dilated heart's surroundings to it; mirrored tissue moves its answer least (robustness.md). For a
        grid whose centre lies in the map. crop: where it is there already.
        """
        crop = crop or self.crop(t1_map)
        if crop.outside_fraction <= LARGEST_EDGE:
            return crop.t1_ms
        plane = t1_map.planes[self.section]
        corners = [plane.TransformPhysicalPointToContinuousIndex(corner.tolist())[:2] for corner in self.corners_mm()]
        before = np.maximum(np.ceil(-np.min(corners, axis=0)), 0)
        after = np.maximum(np.ceil(np.max(corners, axis=0)) - plane.GetSize()[:2] + 1, 0)
        mirrored = sitk.MirrorPad(plane, *([*map(int, margin), 0] for margin in (before, after)))
        return np.where(crop.outside, self._resample(mirrored, sitk.sitkLinear, padding=0.0), crop.t1_ms)

    def sample(self, image: sitk.Image, interpolator: int = sitk.sitkNearestNeighbor) -> np.ndarray:
        """An image of the T1 map's geometry, such as a mask, on this grid: (128, 128) of its own type, 0 outside."""
        return self._resample(image[:, :, self.section : self.section + 1], interpolator, padding=0.0)

    def restore(self, values: np.ndarray, t1_map: T1Map) -> np.ndarray:
        """Values (..., 128, 128) of this grid on the section's own pixels: (..., rows, columns) float32, 0 outside it.

        Each pixel gets the mean of the (linearly interpolated) values over the part of it that the grid covers. So a
        peak of one grid pixel is not lost between larger pixels of the map, and a constant stays that constant.
        Several maps at once are several times as fast as one after the other.
        """
        section = t1_map.planes[self.section]
        maps = np.asarray(values, dtype=np.float32).reshape(-1, self.size, self.size)
        restored = np.zeros((len(maps), *section.GetSize()[1::-1]), np.float32)
        (left, right), (top, bottom) = self._reached(section)
        columns, rows = right - left, bottom - top
        if columns > 0 and rows > 0:
            width, height, depth = section.GetSpacing()
            across, down = (max(1, math.ceil(length / self.spacing_mm)) for length in (width, height))
            image = sitk.GetImageFromArray(np.moveaxis(maps, 0, -1)[np.newaxis], isVector=True)
            origin, spacing, direction = self._geometry()
            image.SetOrigin(origin)
            image.SetSpacing(spacing)
            image.SetDirection(direction)
            first = (left + 0.5 / across - 0.5, top + 0.5 / down - 0.5, 0.0)
            parts = sitk.Resample(
                image,
                (columns * across, rows * down, 1),
                sitk.Transform(),
                sitk.sitkLinear,
                section.TransformContinuousIndexToPhysicalPoint(first),
                (width / across, height / down, depth),
                section.GetDirection(),
                math.nan,
            )
            pixels = sitk.GetArrayViewFromImage(parts).reshape(rows, down, columns, across, len(maps))
            covered = ~np.isnan(pixels[..., :1])  # the same in all maps
            total = sum(
                np.where(covered[:, row, :, column], pixels[:, row, :, column], np.float64(0))
                for row in range(down)
                for column in range(across)
            )
            mean = total / np.maximum(covered.sum(axis=(1, 3)), 1)
            restored[:, top:bottom, left:right] = np.moveaxis(mean, -1, 0)
        return restored.reshape(*np.shape(values)[:-2], *restored.shape[1:])

    def _reached(self, section: sitk.Image) -> list[tuple[int, int]]:
        """First and last (exclusive) column and row of the section that the grid reaches: no others are computed."""
        corners = [section.TransformPhysicalPointToContinuousIndex(corner.tolist())[:2] for corner in self.corners_mm()]
        first, last = np.floor(np.min(corners, axis=0)), np.ceil(np.max(corners, axis=0)) + 1
        return [
            (int(np.clip(low, 0, size)), int(np.clip(high, 0, size)))
            for low, high, size in zip(first, last, section.GetSize()[:2], strict=True)
        ]

    def _resample(self, plane: sitk.Image, interpolator: int, padding: float) -> np.ndarray:
        size = (self.size, self.size, 1)
        crop = sitk.Resample(plane, size, sitk.Transform(), interpolator, *self._geometry(), padding)
        return sitk.GetArrayFromImage(crop)[0]

    def _geometry(self) -> tuple[Vector, Vector, list[float]]:
        """Origin, spacing and direction of the grid as an image of size (128, 128, 1); its depth has no meaning."""
        row, column = np.array(self.row_axis), np.array(self.column_axis)
        origin = np.array(self.center_mm) - (self.size - 1) / 2 * self.spacing_mm * (row + column)
        direction = np.column_stack([row, column, np.cross(row, column)])
        return _vector(origin), (self.spacing_mm, self.spacing_mm, 1.0), direction.ravel().tolist()


@dataclass(frozen=True)
class IntensityScaling:
    """How T1 becomes the network's input in [0, 255].

    "fixed_window" maps low_ms to 0 and high_ms to 255 and clips, so that equal T1 looks equal in every section.
    "minmax_paper" stretches each section from its own minimum to its own maximum, as the SEKE 2019 paper does.
    """

    kind: Literal["fixed_window", "minmax_paper"] = "fixed_window"
    low_ms: float = 0.0
    high_ms: float = 2500.0

    def __post_init__(self) -> None:
        if self.kind not in {"fixed_window", "minmax_paper"}:
            raise ACNetError(f"intensity scaling: found kind {self.kind!r}; expected fixed_window or minmax_paper.")
        if not -math.inf < self.low_ms < self.high_ms < math.inf:
            raise ACNetError(
                f"intensity scaling: found a window of {self.low_ms:g} to {self.high_ms:g} ms; "
                "expected low_ms below high_ms."
            )


def to_intensity(t1_ms: np.ndarray, scaling: IntensityScaling) -> np.ndarray:
    """T1 in ms as float32 in [0, 255], for sections of shape (..., H, W). A constant section stretched gives zeros."""
    if scaling.kind == "fixed_window":
        low, high = scaling.low_ms, scaling.high_ms
    else:
        low, high = t1_ms.min(axis=(-2, -1), keepdims=True), t1_ms.max(axis=(-2, -1), keepdims=True)
        high = np.where(high > low, high, low + 1.0)
    return (np.clip((t1_ms - low) / (high - low), 0.0, 1.0) * INTENSITY_MAX).astype(np.float32)


def _vector(values: np.ndarray) -> Vector:
    x, y, z = values.tolist()
    return x, y, z
