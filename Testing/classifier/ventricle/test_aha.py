"""The segments of the American Heart Association, however the slices are stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.t1map.section import TOWARDS_BASE, anatomical_axes
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.aha import WallSlice, aha_segments, segment_numbers
from ACNetLib.ventricle.labels import CAVITY_LABEL, MYOCARDIUM_LABEL, SEPTUM_LABEL
from made_up_maps import STORAGES, stored_otherwise

SIZE, MIDDLE = 81, 40
# Where a reader finds each segment on the screen, as seen from the apex: (rows down, columns to the right).
PLACES = {
    1: (-20, -11),
    2: (-11, -20),
    3: (11, -20),
    4: (20, -11),
    5: (11, 20),
    6: (-11, 20),
    13: (-22, 0),
    14: (0, -22),
    15: (22, 0),
    16: (0, 22),
}


def a_ventricle(septum_turned_degrees: float = 0.0) -> np.ndarray:
    """Labels on a slice that is stored as it is looked at: a ring around its middle, septum to the left."""
    rows, columns = np.mgrid[:SIZE, :SIZE] - float(MIDDLE)
    radius, angle = np.hypot(rows, columns), np.degrees(np.arctan2(-rows, -columns))  # 0 to the left, 90 up
    labels = np.select([radius < 17, radius < 28], [CAVITY_LABEL, MYOCARDIUM_LABEL], 0)
    is_septum = np.abs((angle - septum_turned_degrees + 180) % 360 - 180) < 35
    return np.where((labels == MYOCARDIUM_LABEL) & is_septum, SEPTUM_LABEL, labels).astype(np.uint8)


def map_of(t1_ms: np.ndarray) -> T1Map:
    """Sections from base to apex, 1 mm pixels, stored as they are looked at."""
    normal = -TOWARDS_BASE / np.linalg.norm(TOWARDS_BASE)
    right, down = anatomical_axes(normal)
    image = sitk.GetImageFromArray(t1_ms.astype(np.float32))
    image.SetSpacing((1.0, 1.0, 12.0))
    image.SetOrigin((10.0, -20.0, 30.0))
    image.SetDirection(np.column_stack([right, down, normal]).ravel().tolist())
    return T1Map(image, "map")


@pytest.mark.parametrize("storage", STORAGES)
def test_each_segment_lies_where_a_reader_finds_it_however_the_slice_is_stored(
    storage: tuple[bool, bool, bool],
) -> None:
    labels = np.stack([a_ventricle()] * 3)
    expected = np.zeros(labels.shape)
    for level in range(3):
        for number, (row, column) in PLACES.items():
            if (number > 6) == (level == 2):
                place = number + 6 * level if level < 2 else number
                expected[level, MIDDLE + row, MIDDLE + column] = place
    image = stored_otherwise(map_of(1000 + expected).image, *storage)
    label_image = sitk.GetImageFromArray(labels)
    label_image.CopyInformation(map_of(labels).image)
    stored_labels = sitk.GetArrayFromImage(stored_otherwise(label_image, *storage))
    t1_map = T1Map(image, "map")
    for level in range(3):
        numbers = segment_numbers(WallSlice(t1_map, level, stored_labels[level]), level)
        marked = np.round(t1_map.array[level] - 1000).astype(int)
        assert (marked > 0).sum() == (4 if level == 2 else 6)
        np.testing.assert_array_equal(numbers[marked > 0], marked[marked > 0])
        assert set(np.unique(numbers)) == {0, *range(6 * level + 1, 6 * level + (5 if level == 2 else 7))}


def test_a_segments_t1_is_that_of_its_mid_wall_pixels_and_what_is_masked_is_told() -> None:
    labels = a_ventricle()
    flat = map_of(np.full((3, SIZE, SIZE), 1000.0))
    slices = [WallSlice(flat, section, labels) for section in range(3)]
    numbers = [segment_numbers(each, level) for level, each in enumerate(slices)]
    radius = np.hypot(*(np.mgrid[:SIZE, :SIZE] - float(MIDDLE)))
    at_edge = (radius < 19) | (radius > 26)
    t1_map = map_of(np.where(at_edge, 1900.0, 1000.0 + np.stack(numbers)))
    segments = aha_segments([replace(each, t1_map=t1_map) for each in reversed(slices)])
    assert [segment.number for segment in segments] == list(range(1, 17))
    assert [round(segment.t1_ms) for segment in segments] == list(range(1001, 1017))
    assert {segment.sd_ms for segment in segments} == {0.0}
    for segment in segments:
        wall = sum(int((each == segment.number).sum()) for each in numbers)
        assert segment.masked == pytest.approx(1 - segment.pixels / wall)
        assert 0.5 < segment.masked < 0.8
    assert segments[1].name == "basal anteroseptal"
    assert segments[10].name == "mid inferolateral"
    assert segments[13].name == "apical septal"


def test_pixels_without_a_value_have_no_say_in_a_segment() -> None:
    values = np.full((3, SIZE, SIZE), 1000.0)
    values[:, ::5, ::2] = 0.0
    segments = aha_segments([WallSlice(map_of(values), section, a_ventricle()) for section in range(3)])
    assert {(segment.t1_ms, segment.sd_ms) for segment in segments} == {(1000.0, 0.0)}
    whole = aha_segments([WallSlice(map_of(values + 1), section, a_ventricle()) for section in range(3)])
    assert all(some.pixels < every.pixels for some, every in zip(segments, whole, strict=True))


def test_the_segments_turn_with_the_septum() -> None:
    flat = map_of(np.full((1, SIZE, SIZE), 1000.0))
    straight, turned = (segment_numbers(WallSlice(flat, 0, a_ventricle(angle)), 0) for angle in (0.0, 60.0))
    # Turned by a sixth clockwise from left to up, each segment lies where its neighbour lay.
    assert straight[MIDDLE - 11, MIDDLE - 20] == 2
    assert turned[MIDDLE - 11, MIDDLE - 20] == 3
    assert turned[MIDDLE - 20, MIDDLE - 5] == 2


def test_more_than_three_slices_are_dealt_to_the_levels_and_fewer_give_none() -> None:
    values = np.arange(5)[:, None, None] * np.ones((1, SIZE, SIZE)) * 100 + 800
    t1_map = map_of(values)
    slices = [WallSlice(t1_map, section, a_ventricle()) for section in range(5)]
    segments = aha_segments(slices)
    assert [round(segments[index].t1_ms) for index in (0, 6, 12)] == [850, 1050, 1200]
    assert aha_segments(slices[:2]) == ()
    assert aha_segments([replace(each, counts=False) for each in slices]) == ()


def without_septum(wall_slice: WallSlice) -> WallSlice:
    labels = wall_slice.labels
    return replace(wall_slice, labels=np.where(labels == SEPTUM_LABEL, MYOCARDIUM_LABEL, labels).astype(np.uint8))


@pytest.mark.parametrize(
    "silent",
    [
        lambda each: replace(each, counts=False),
        without_septum,
        lambda each: replace(each, labels=np.zeros_like(each.labels)),
    ],
    ids=["left out", "without septum", "without wall"],
)
def test_a_slice_without_a_say_moves_no_other_slice_to_another_level(silent: Callable[[WallSlice], WallSlice]) -> None:
    values = np.arange(4)[:, None, None] * np.ones((1, SIZE, SIZE)) * 100 + 800
    slices = [WallSlice(map_of(values), section, a_ventricle()) for section in range(4)]
    every = [segment.t1_ms for segment in aha_segments(slices)]
    without_apex = [segment.t1_ms for segment in aha_segments([*slices[:3], silent(slices[3])])]
    assert without_apex[:12] == every[:12]
    assert np.isnan(without_apex[12:]).all()
    without_base = [segment.t1_ms for segment in aha_segments([silent(slices[0]), *slices[1:]])]
    assert without_base[:6] == [900.0] * 6
    assert without_base[6:] == every[6:]


def test_slices_planned_one_by_one_are_ordered_along_the_exams_own_axis() -> None:
    """It lies 30 degrees from that of most hearts, and the middle slice's image is shifted within its plane."""
    turn = np.radians(30)
    x, y, z = TOWARDS_BASE / np.linalg.norm(TOWARDS_BASE)
    to_base = np.array([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn), z])
    right, down = anatomical_axes(to_base)
    within = TOWARDS_BASE - (TOWARDS_BASE @ to_base) * to_base
    slices = []
    for height_mm, shift_mm, t1_ms in ((10, 0, 900), (0, 40, 1000), (-10, 0, 1100)):
        image = sitk.GetImageFromArray(np.full((1, SIZE, SIZE), t1_ms, np.float32))
        image.SetOrigin((height_mm * to_base + shift_mm * within / np.linalg.norm(within)).tolist())
        image.SetDirection(np.column_stack([right, down, to_base]).ravel().tolist())
        slices.append(WallSlice(T1Map(image, "map"), 0, a_ventricle()))
    segments = aha_segments(slices)
    assert [segments[index].t1_ms for index in (0, 6, 12)] == [900.0, 1000.0, 1100.0]


def test_of_tilted_slices_the_ventricles_place_tells_the_order_and_not_the_images_middle() -> None:
    """One plane is tilted by 12 degrees: the middle of its image, 120 mm beside the heart, lies above the base."""
    tilt = np.radians(12)
    straight = np.eye(3)
    tilted = np.array([[np.cos(tilt), 0, np.sin(tilt)], [0, 1, 0], [-np.sin(tilt), 0, np.cos(tilt)]])
    slices = []
    for height_mm, axes, columns, t1_ms in ((10, straight, 0, 900), (0, tilted, 240, 1000), (-10, straight, 0, 1100)):
        labels = np.pad(a_ventricle(), ((0, 0), (columns, 0)))
        image = sitk.GetImageFromArray(np.full((1, *labels.shape), t1_ms, np.float32))
        image.SetDirection(axes.ravel().tolist())
        middle = image.TransformContinuousIndexToPhysicalPoint((columns + float(MIDDLE), float(MIDDLE), 0.0))
        image.SetOrigin((np.array((0.0, 0.0, height_mm)) - middle).tolist())
        slices.append(WallSlice(T1Map(image, "map"), 0, labels))
    segments = aha_segments(slices)
    assert [segments[index].t1_ms for index in (0, 6, 12)] == [900.0, 1000.0, 1100.0]
