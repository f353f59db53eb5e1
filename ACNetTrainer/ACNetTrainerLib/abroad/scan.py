"""Where the image lies: its matrix, its pixels, its place and turn in the patient, and how its voxels are stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from .hearts import FloatArray

STORAGE_ORDERS = 8
SLICE_THICKNESS_MM = 8.0


@dataclass(frozen=True)
class Scan:
    """axes: LPS columns of increasing column, row and towards the base. center_mm: LPS of the mid section's centre.

    rv_direction: from the left to the right ventricle in the image, 0 to the right, a quarter turn downwards.
    lv_mm: (3, 2), the left ventricle's centre from the image's at base, mid and apex. storage: see `stored`.
    """

    rows: int
    columns: int
    pixel_mm: float
    axes: FloatArray
    center_mm: FloatArray
    rv_direction: float
    lv_mm: FloatArray
    level_distance_mm: float
    storage: int

    def lv_pixel(self, level: int) -> FloatArray:
        """(column, row) of the left ventricle's centre."""
        return np.array([self.columns - 1, self.rows - 1]) / 2 + self.lv_mm[level] / self.pixel_mm

    def heart_positions(self, level: int, parts: int, margin: int = 0) -> tuple[FloatArray, FloatArray]:
        """x and y in the heart's frame (see `outlines`) of the middles of parts x parts squares of each pixel.

        margin: further pixels above and below the image.
        """
        column = (np.arange(self.columns * parts) + 0.5) / parts - 0.5
        row = (np.arange((self.rows + 2 * margin) * parts) + 0.5) / parts - 0.5 - margin
        center = self.lv_pixel(level)
        right, down = np.meshgrid((column - center[0]) * self.pixel_mm, (row - center[1]) * self.pixel_mm)
        cosine, sine = np.cos(self.rv_direction), np.sin(self.rv_direction)
        return cosine * right + sine * down, -sine * right + cosine * down

    def pixels(self, points_mm: FloatArray, level: int) -> FloatArray:
        """(n, 2) (column, row) of points (n, 2) of the heart's frame."""
        cosine, sine = np.cos(self.rv_direction), np.sin(self.rv_direction)
        turned = points_mm @ np.array([[cosine, sine], [-sine, cosine]])
        return self.lv_pixel(level) + turned / self.pixel_mm

    def place(self, values: np.ndarray, level: int) -> sitk.Image:
        """An image of one section in the patient, stored plainly."""
        image = sitk.GetImageFromArray(values[np.newaxis])
        corner = -np.array([self.columns - 1, self.rows - 1]) / 2 * self.pixel_mm
        origin = self.center_mm + self.axes @ np.array([*corner, (1 - level) * self.level_distance_mm])
        image.SetSpacing((self.pixel_mm, self.pixel_mm, SLICE_THICKNESS_MM))
        image.SetOrigin(origin.tolist())
        image.SetDirection(self.axes.ravel().tolist())
        return image


def stored(image: sitk.Image, storage: int) -> sitk.Image:
    """The same voxels at the same places, with rows, columns or both counted backwards, or exchanged: 0 to 7."""
    flipped = sitk.Flip(image, [bool(storage & 1), bool(storage & 2), False])
    return sitk.PermuteAxes(flipped, [1, 0, 2]) if storage & 4 else flipped


def draw_scan(level_distance_mm: float, random: np.random.Generator) -> Scan:
    hump = random.choice(3, p=(0.6, 0.25, 0.15))
    rv_direction = np.radians(random.normal((144, 172, 221)[hump], (12, 14, 12)[hump]))
    is_portrait = random.random() < (0.85, 0.5, 0.1)[hump]
    pixel_mm = float(np.clip(random.normal(1.5, 0.22), 1.0, 2.1))
    long_side, share = random.uniform(290, 380), random.uniform(0.72, 1.0)
    long, short = (2 * round(side / pixel_mm / 2) for side in (long_side, max(long_side * share, 235)))
    rows, columns = (long, short) if is_portrait else (short, long)

    # Skewed: the 1st and 99th percentile are -49 and 37 mm, the SD 16 mm.
    scores = random.standard_normal(2)
    center = np.where(scores < 0, -16.3, 12.3) * np.abs(scores) ** 1.3
    limit = np.array([columns, rows]) * pixel_mm / 2 - 62
    drift = random.normal(0, 3, 2)
    lv_mm = np.clip(center, -limit, limit) + np.outer([-1, 0, 1], drift) + random.normal(0, 1, (3, 2))
    return Scan(
        rows,
        columns,
        pixel_mm,
        _draw_axes(rv_direction, random),
        random.normal((45, -25, 10), 15),
        rv_direction,
        lv_mm,
        level_distance_mm,
        int(random.integers(STORAGE_ORDERS)),
    )


def _draw_axes(rv_direction: float, random: np.random.Generator) -> FloatArray:
    """A double-oblique plane in which the right ventricle, right of and before the left, is seen in the direction."""
    to_left, downwards, rv_forwards = np.radians(random.normal((48, 33, 30), (10, 10, 8)))
    apex = np.array(
        [np.cos(downwards) * np.sin(to_left), -np.cos(downwards) * np.cos(to_left), -np.sin(downwards)],
    )
    normal = -apex
    rv = np.array([-np.cos(rv_forwards), -np.sin(rv_forwards), 0.0])
    rv -= rv @ normal * normal
    rv /= np.linalg.norm(rv)
    quarter_clockwise = np.cross(normal, rv)
    row_axis = np.cos(rv_direction) * rv - np.sin(rv_direction) * quarter_clockwise
    return np.column_stack([row_axis, np.cross(normal, row_axis), normal])
