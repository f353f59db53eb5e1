"""Each fault of a slice gets its mark, and a good slice none."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ACNetLib.ventricle.labels import CAVITY_LABEL, MYOCARDIUM_LABEL, SEPTUM_LABEL, LabelArray
from ACNetLib.ventricle.quality import quality_marks

PIXEL_MM = (1.4, 1.4)
Slice = tuple[NDArray[np.float32], LabelArray]


def a_slice(cavity_mm: float = 24.0, wall_mm: float = 10.0) -> Slice:
    """Blood of 1600 ms within muscle of 1000 ms, over lung of 200 ms; a third of the wall is septum."""
    rows, columns = np.indices((96, 96)) - 47.5
    radius, angle = np.hypot(rows, columns) * PIXEL_MM[0], np.arctan2(rows, columns)
    labels = np.where(radius < cavity_mm, CAVITY_LABEL, np.where(radius < cavity_mm + wall_mm, MYOCARDIUM_LABEL, 0))
    labels[(labels == MYOCARDIUM_LABEL) & (np.abs(angle) < np.pi / 3)] = SEPTUM_LABEL
    t1_ms = np.select([labels == CAVITY_LABEL, labels > 0], [1600.0, 1000.0], 200.0)
    return gaussian_filter(t1_ms, 0.7).astype(np.float32), labels.astype(np.uint8)


def marks(of_slice: Slice) -> dict[str, str]:
    return quality_marks(*of_slice, PIXEL_MM)


def test_a_good_slice_has_no_mark() -> None:
    assert marks(a_slice()) == {}


def test_a_septum_of_few_pixels_is_marked_with_their_number() -> None:
    found = marks(a_slice(cavity_mm=8.0, wall_mm=4.0))
    assert "septum" in found
    assert "25 make a T1 to rely on" in found["septum"]


def test_pixels_without_a_value_make_no_septum_to_rely_on() -> None:
    t1_ms, labels = a_slice()
    t1_ms[(labels == SEPTUM_LABEL) & (np.arange(96) % 8 > 0)] = 0
    assert "septum" in marks((t1_ms, labels))


def test_scatter_within_the_wall_is_marked() -> None:
    t1_ms, labels = a_slice()
    noise = np.random.default_rng(1).normal(0, 180, t1_ms.shape).astype(np.float32)
    assert "T1 scatters by" in marks((t1_ms + noise, labels))["scatter"]


@pytest.mark.parametrize(("blur_pixels", "marked"), [(0.5, False), (2.5, True)])
def test_an_inner_edge_that_takes_too_many_mm_is_marked(blur_pixels: float, marked: bool) -> None:
    t1_ms, labels = a_slice(wall_mm=20.0)
    assert ("blur" in marks((gaussian_filter(t1_ms, blur_pixels), labels))) is marked


@pytest.mark.parametrize(("share", "marked"), [(0.97, False), (0.88, True)])
def test_a_part_of_the_wall_whose_t1_is_low_is_marked(share: float, marked: bool) -> None:
    t1_ms, labels = a_slice()
    rows, columns = np.indices(t1_ms.shape) - 47.5
    part = (np.abs(np.arctan2(rows, -columns)) < np.pi / 5) & (labels == MYOCARDIUM_LABEL)
    assert ("off_resonance" in marks((np.where(part, share * t1_ms, t1_ms), labels))) is marked


def test_a_slice_whose_wall_is_not_known_has_no_mark() -> None:
    t1_ms, labels = a_slice()
    assert marks((t1_ms, np.zeros_like(labels))) == {}
    assert marks((t1_ms, np.where(labels == CAVITY_LABEL, labels, 0).astype(np.uint8))) == {}


@pytest.mark.parametrize("direction_degrees", range(0, 360, 20))
def test_a_part_of_the_wall_is_marked_however_the_slice_is_stored(direction_degrees: int) -> None:
    t1_ms, labels = a_slice()
    rows, columns = np.indices(t1_ms.shape) - 47.5
    away = np.angle(np.exp(1j * (np.arctan2(rows, columns) - np.radians(direction_degrees))))
    t1_ms = np.where((np.abs(away) < np.pi / 7) & (labels != CAVITY_LABEL), 0.885 * t1_ms, t1_ms).astype(np.float32)
    found = []
    for rows_step, columns_step, axes in product((1, -1), (1, -1), ((0, 1), (1, 0))):

        def stored(image: Any, rows: int = rows_step, columns: int = columns_step, order: Any = axes) -> Any:
            return np.transpose(image[::rows, ::columns], order)

        found.append(marks((stored(t1_ms), stored(labels))))
    assert all(each == found[0] for each in found)
