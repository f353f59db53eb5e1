from __future__ import annotations

import math

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.errors import ACNetError
from ACNetLib.t1map.section import (
    TOWARDS_BASE,
    TOWARDS_LATERAL_WALL,
    IntensityScaling,
    SectionGrid,
    anatomical_axes,
    to_intensity,
)
from ACNetLib.t1map.t1_map import Geometry, T1Map, t1_map_from_array
from made_up_maps import STORAGES, stored_otherwise

ROTATION = np.array([[0.6, 0.64, 0.48], [-0.8, 0.48, 0.36], [0.0, -0.6, 0.8]])
ORIGIN = (-213.7, 148.2, 1071.9)

# name: (size as sections, rows, columns; spacing along columns, rows, sections; direction)
GEOMETRIES = {
    "anisotropic 1.4 x 2.1 mm": ((3, 144, 256), (1.4, 2.1, 8.0), ROTATION),
    "fine 0.7 mm": ((2, 300, 310), (0.7, 0.7, 5.0), ROTATION),
    "single slice": ((1, 144, 256), (1.4, 2.1, 8.0), ROTATION),
    "thin single slice": ((1, 144, 256), (1.4, 2.1, 0.01), ROTATION),
    "left-handed": ((3, 144, 256), (1.4, 2.1, 8.0), ROTATION @ np.diag([1, 1, -1])),
    "rows flipped": ((3, 144, 256), (1.4, 2.1, 8.0), ROTATION @ np.diag([1, -1, 1])),
    "all axes negative": ((3, 144, 256), (1.4, 2.1, 8.0), -np.eye(3)),
    "columns and rows swapped": ((3, 144, 256), (1.4, 2.1, 8.0), np.eye(3)[:, [1, 0, 2]]),
}
POINTS = {"centre": (0.0, 0.0), "odd": (7.31, -11.77)}  # mm from the section's centre
PEAKS = [(0, 0), (63, 64), (127, 0), (31, 100), (90, 17), (127, 127)]  # row, column of the grid


@pytest.fixture(params=GEOMETRIES)
def t1_map(request: pytest.FixtureRequest) -> T1Map:
    shape, spacing, direction = GEOMETRIES[request.param]
    t1_ms = np.random.default_rng(2).uniform(300, 1900, shape)
    return t1_map_from_array(t1_ms, Geometry(spacing, ORIGIN, direction), name=request.param)


@pytest.fixture(params=POINTS)
def grid(request: pytest.FixtureRequest, t1_map: T1Map) -> SectionGrid:
    """Around a point near the heart, given somewhat above the section's plane."""
    section = t1_map.section_count - 1
    along_rows, along_columns = POINTS[request.param]
    point = t1_map.section_center(section) + along_rows * t1_map.row_axis + along_columns * t1_map.column_axis
    return SectionGrid.around(t1_map, section, point + 3.0 * t1_map.normal)


def along_the_map(t1_map: T1Map, section: int, point_mm: np.ndarray) -> SectionGrid:
    """A grid whose pixels lie along the map's own rows and columns."""
    center, row, column = (
        tuple(values.tolist()) for values in (t1_map.project(point_mm, section), t1_map.row_axis, t1_map.column_axis)
    )
    return SectionGrid(section, center, row, column)


def pixel_mm(grid: SectionGrid, row: float, column: float) -> np.ndarray:
    """Where a pixel of the grid lies, by the definition of its centre (63.5, 63.5) and axes."""
    in_plane = (column - 63.5) * np.array(grid.row_axis) + (row - 63.5) * np.array(grid.column_axis)
    return np.array(grid.center_mm) + grid.spacing_mm * in_plane


def map_index(t1_map: T1Map, point_mm: np.ndarray) -> np.ndarray:
    """Continuous (column, row, section)."""
    return np.array(t1_map.image.TransformPhysicalPointToContinuousIndex(point_mm.tolist()))


def with_values(t1_map: T1Map, t1_ms: np.ndarray) -> T1Map:
    """Another map of the same geometry."""
    direction = np.reshape(t1_map.image.GetDirection(), (3, 3))
    return t1_map_from_array(t1_ms, Geometry(t1_map.image.GetSpacing(), ORIGIN, direction), name="another")


def ramp(t1_map: T1Map, gradient: np.ndarray) -> T1Map:
    """A map of the same geometry whose T1 rises linearly with physical position: 1200 ms at its centre."""
    columns, rows, sections = t1_map.image.GetSize()
    index = np.stack(np.meshgrid(range(sections), range(rows), range(columns), indexing="ij")[::-1], axis=-1)
    direction = np.reshape(t1_map.image.GetDirection(), (3, 3))
    points = index * t1_map.image.GetSpacing() @ direction.T + t1_map.image.GetOrigin()
    return with_values(t1_map, 1200 + (points - t1_map.center) @ gradient)


@pytest.mark.parametrize("turn", [None, (33.0, (4.0, -6.0), 0.85)], ids=["as it is", "turned and scaled"])
def test_a_peak_planted_in_the_grid_comes_back_within_one_voxel_of_its_place(
    t1_map: T1Map, grid: SectionGrid, turn: tuple[float, tuple[float, float], float] | None
) -> None:
    grid = grid.turned(*turn) if turn else grid
    for row, column in PEAKS:
        values = np.zeros((128, 128), dtype=np.float32)
        values[row, column] = 1.0
        restored = grid.restore(values, t1_map)
        found = np.array(np.unravel_index(restored.argmax(), restored.shape))
        expected = map_index(t1_map, pixel_mm(grid, row, column))
        assert restored.shape == t1_map.array.shape[1:]
        assert np.abs(found[::-1] - expected[:2]).max() <= 1.0, (row, column)


def test_several_maps_come_back_as_each_of_them_alone(t1_map: T1Map, grid: SectionGrid) -> None:
    maps = np.random.default_rng(1).uniform(0, 1, (3, 128, 128)).astype(np.float32)
    together = grid.restore(maps, t1_map)
    np.testing.assert_array_equal(together, [grid.restore(values, t1_map) for values in maps])
    assert together.shape == (3, *t1_map.array.shape[1:])


def test_a_peak_keeps_its_integral_over_the_plane(t1_map: T1Map, grid: SectionGrid) -> None:
    values = np.zeros((128, 128), dtype=np.float32)
    values[31, 100] = 1.0
    width, height, _ = t1_map.image.GetSpacing()
    # One pixel of 1 mm2; the grid's rows lie across the map's, so its peak is met here and there by fewer parts.
    assert grid.restore(values, t1_map).sum() * width * height == pytest.approx(1.0, abs=0.15)


def test_a_bright_pixel_of_the_map_appears_at_its_place_in_the_crop(t1_map: T1Map, grid: SectionGrid) -> None:
    rows, columns = t1_map.array.shape[1:]
    row, column = rows // 2 + 9, columns // 2 - 13
    t1_ms = np.full(t1_map.array.shape, 1000.0)
    t1_ms[grid.section, row, column] = 4000.0
    planted = with_values(t1_map, t1_ms)
    crop = grid.crop(planted)
    found = divmod(int(crop.t1_ms.argmax()), 128)
    place = np.array(planted.image.TransformIndexToPhysicalPoint((column, row, grid.section)))
    assert np.linalg.norm(pixel_mm(grid, *found) - place) <= math.sqrt(0.5) * grid.spacing_mm + 1e-6


def test_the_crop_shows_t1_at_the_physical_place_of_each_pixel(t1_map: T1Map, grid: SectionGrid) -> None:
    gradient = 2.0 * t1_map.row_axis - 1.5 * t1_map.column_axis
    sloped = ramp(t1_map, gradient)
    for seen in (grid, grid.turned(-25.0, (5.0, 3.0), 0.9)):
        crop = seen.crop(sloped)
        for row, column in [(40, 40), (63, 64), (80, 55), (70, 90)]:
            expected = 1200 + (pixel_mm(seen, row, column) - sloped.center) @ gradient
            assert crop.t1_ms[row, column] == pytest.approx(expected, abs=0.01)


def test_the_crop_reads_its_own_section_only(t1_map: T1Map) -> None:
    shape = t1_map.array.shape
    t1_ms = np.broadcast_to(np.arange(shape[0])[:, None, None] * 100.0 + 1000.0, shape).copy()
    t1_ms[:, 0, 0] += 1.0  # a single constant section would be refused
    levels = with_values(t1_map, t1_ms)
    for section in range(levels.section_count):
        crop = SectionGrid.around(levels, section, levels.section_center(section)).crop(levels)
        inside = crop.t1_ms[~crop.outside]
        assert inside.min() == pytest.approx(1000 + 100 * section, abs=1e-3)
        assert inside.max() <= 1001 + 100 * section


def test_a_grid_within_the_map_has_nothing_outside(t1_map: T1Map, grid: SectionGrid) -> None:
    crop = grid.crop(t1_map)
    assert crop.outside_fraction == 0.0
    assert crop.t1_ms.shape == crop.outside.shape == (128, 128)
    assert crop.t1_ms.dtype == np.float32
    assert crop.outside.dtype == bool
    assert crop.t1_ms.min() >= 300.0


def test_what_falls_outside_the_map_is_padded_with_zero_and_reported(t1_map: T1Map) -> None:
    rows = t1_map.image.GetHeight()
    corner = np.array(t1_map.image.TransformContinuousIndexToPhysicalPoint((-0.5, rows / 2 - 0.5, 0)))
    crop = along_the_map(t1_map, 0, corner).crop(t1_map)
    expected = np.zeros((128, 128), dtype=bool)
    expected[:, :64] = True  # the map's first column begins in the middle of the grid
    np.testing.assert_array_equal(crop.outside, expected)
    assert crop.outside_fraction == 0.5
    assert not crop.t1_ms[crop.outside].any()
    assert crop.t1_ms[~crop.outside].min() >= 300.0


def test_a_grid_beside_the_map_is_outside_altogether(t1_map: T1Map) -> None:
    crop = SectionGrid.around(t1_map, 0, t1_map.center + 2000.0 * t1_map.row_axis).crop(t1_map)
    assert crop.outside_fraction == 1.0
    assert not crop.t1_ms.any()


def test_acnet_sees_the_map_mirrored_at_its_edge_where_more_than_an_edge_of_the_section_is_missing(
    t1_map: T1Map,
) -> None:
    rows = t1_map.image.GetHeight()
    left = np.array(t1_map.image.TransformContinuousIndexToPhysicalPoint((-0.5, rows / 2 - 0.5, 0)))
    grid = along_the_map(t1_map, 0, left + 44 * t1_map.row_axis)  # 20 of its columns lie outside
    crop, filled = grid.crop(t1_map), grid.filled(t1_map)
    assert crop.outside_fraction == pytest.approx(20 / 128)
    assert filled.dtype == np.float32
    np.testing.assert_array_equal(filled[~crop.outside], crop.t1_ms[~crop.outside])
    np.testing.assert_allclose(filled[:, :20], filled[:, 20:40][:, ::-1], atol=0.05)


@pytest.mark.parametrize("missing_mm", [0, 6])
def test_acnet_sees_0_beyond_a_narrow_edge_as_in_its_training(t1_map: T1Map, missing_mm: float) -> None:
    rows = t1_map.image.GetHeight()
    left = np.array(t1_map.image.TransformContinuousIndexToPhysicalPoint((-0.5, rows / 2 - 0.5, 0)))
    grid = along_the_map(t1_map, 0, left + (64 - missing_mm) * t1_map.row_axis)
    np.testing.assert_array_equal(grid.filled(t1_map), grid.crop(t1_map).t1_ms)


def test_restoring_a_constant_gives_exactly_that_constant_in_the_grid_and_zero_elsewhere(
    t1_map: T1Map, grid: SectionGrid
) -> None:
    for seen in (grid, grid.turned(17.0, (3.0, 1.0), 1.1)):
        restored = seen.restore(np.full((128, 128), 0.3, dtype=np.float32), t1_map)
        assert set(np.unique(restored)) <= {np.float32(0.0), np.float32(0.3)}
        pixels = np.indices(restored.shape)[::-1].reshape(2, -1)
        direction = np.reshape(t1_map.image.GetDirection(), (3, 3))
        size = np.array(t1_map.image.GetSpacing()[:2])
        start = np.array(t1_map.image.TransformIndexToPhysicalPoint((0, 0, seen.section)))
        offset = start + (pixels.T * size) @ direction[:, :2].T - np.array(seen.center_mm)
        away = np.abs(offset @ np.array([seen.row_axis, seen.column_axis]).T).max(axis=1).reshape(restored.shape)
        half, reach = 64 * seen.spacing_mm, np.linalg.norm(size) / 2
        assert (restored[away < half - 1e-6] == np.float32(0.3)).all()
        assert not restored[away > half + reach].any()


def test_restoring_averages_over_map_pixels_larger_than_those_of_the_grid() -> None:
    t1_ms = np.random.default_rng(3).uniform(300, 1900, (60, 60))
    t1_map = t1_map_from_array(t1_ms, Geometry((4.0, 4.0, 8.0)), name="coarse")
    grid = along_the_map(t1_map, 0, np.array(t1_map.image.TransformContinuousIndexToPhysicalPoint((29.5, 29.5, 0))))
    values = np.random.default_rng(4).uniform(0, 1, (128, 128)).astype(np.float32)
    blocks = values.reshape(32, 4, 32, 4).mean(axis=(1, 3))  # the grid's pixels tile those of the map
    np.testing.assert_allclose(grid.restore(values, t1_map)[14:46, 14:46], blocks, atol=1e-6)


def test_a_smooth_map_survives_the_way_to_the_grid_and_back(t1_map: T1Map, grid: SectionGrid) -> None:
    sloped = ramp(t1_map, 2.0 * t1_map.row_axis - 1.5 * t1_map.column_axis)
    restored = grid.restore(grid.crop(sloped).t1_ms, sloped)
    index = np.rint(map_index(sloped, np.array(grid.center_mm))).astype(int)
    around = np.s_[index[1] - 20 : index[1] + 20, index[0] - 20 : index[0] + 20]
    np.testing.assert_allclose(restored[around], sloped.array[grid.section][around], atol=0.02)


def test_the_grid_lies_in_the_plane_of_the_section_along_the_anatomical_axes(t1_map: T1Map, grid: SectionGrid) -> None:
    row, column = np.array(grid.row_axis), np.array(grid.column_axis)
    np.testing.assert_allclose([row @ t1_map.normal, column @ t1_map.normal, row @ column], 0, atol=1e-12)
    np.testing.assert_allclose([row @ row, column @ column], 1)
    assert row @ TOWARDS_LATERAL_WALL > 0
    assert np.cross(row, column) @ TOWARDS_BASE > 0
    assert map_index(t1_map, np.array(grid.center_mm))[2] == pytest.approx(grid.section, abs=1e-6)


@pytest.mark.parametrize(
    "normal", [(0.62, -0.6, -0.5), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.69, 0.71, 0.01), (0.7, -0.71, 0)]
)
def test_the_anatomical_axes_of_a_plane_do_not_depend_on_the_sign_of_its_normal(normal: tuple[float, ...]) -> None:
    unit = np.array(normal) / np.linalg.norm(normal)
    for one, other in zip(anatomical_axes(unit), anatomical_axes(-unit), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one @ unit == pytest.approx(0, abs=1e-12)


def test_a_short_axis_slice_is_seen_with_the_lateral_wall_to_the_right_and_the_feet_below() -> None:
    row, column = anatomical_axes(TOWARDS_BASE / np.linalg.norm(TOWARDS_BASE))
    np.testing.assert_allclose(row, TOWARDS_LATERAL_WALL, atol=0.02)
    assert column @ (0, 0, -1) > 0.8


@pytest.mark.parametrize("storage", STORAGES, ids=str)
def test_the_same_voxels_give_the_same_crop_however_they_are_stored(storage: tuple[bool, bool, bool]) -> None:
    columns, rows = np.meshgrid(np.arange(190), np.arange(170))
    t1_ms = (1000 + 300 * np.sin(columns / 9) * np.cos(rows / 14) + columns).astype(np.float32)[np.newaxis]
    image = sitk.GetImageFromArray(t1_ms)
    image.SetSpacing((1.4, 1.7, 8.0))
    image.SetOrigin(ORIGIN)
    image.SetDirection(ROTATION.ravel().tolist())
    as_it_is, other = (T1Map(each, "map") for each in (image, stored_otherwise(image, *storage)))
    point = as_it_is.center + 6.0 * as_it_is.row_axis
    first, second = (SectionGrid.around(each, 0, point).crop(each) for each in (as_it_is, other))
    np.testing.assert_allclose(second.t1_ms, first.t1_ms, atol=0.01)
    np.testing.assert_array_equal(second.outside, first.outside)


def test_the_corners_are_the_outer_edges_of_the_corner_pixels_in_order(t1_map: T1Map, grid: SectionGrid) -> None:
    expected = [
        pixel_mm(grid, row, column) for row, column in [(-0.5, -0.5), (-0.5, 127.5), (127.5, 127.5), (127.5, -0.5)]
    ]
    np.testing.assert_allclose(grid.corners_mm(), expected, atol=1e-9)


def test_a_mask_is_sampled_by_nearest_neighbour_in_its_own_type(t1_map: T1Map, grid: SectionGrid) -> None:
    labels = np.random.default_rng(5).integers(0, 3, t1_map.array.shape).astype(np.uint8)
    mask = sitk.GetImageFromArray(labels)
    mask.CopyInformation(t1_map.image)
    sampled = grid.sample(mask, sitk.sitkNearestNeighbor)
    assert sampled.dtype == np.uint8
    first, below, beside = (map_index(t1_map, pixel_mm(grid, *place))[:2] for place in ((0, 0), (1, 0), (0, 1)))
    row, column = np.indices((128, 128)).reshape(2, -1, 1)
    places = first + row * (below - first) + column * (beside - first)
    clear = (np.abs(places - np.floor(places) - 0.5) > 1e-3).all(axis=1)  # of the midway between pixels
    columns, rows = np.rint(places).astype(int).T
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(sampled.ravel()[clear], labels[grid.section][rows, columns][clear])


def test_turning_moves_scales_and_rotates_the_grid_in_its_plane() -> None:
    grid = SectionGrid(0, (10.0, 20.0, 30.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    turned = grid.turned(90.0, (2.0, 3.0), 1.5)
    np.testing.assert_allclose(turned.center_mm, (12.0, 23.0, 30.0))
    np.testing.assert_allclose(turned.row_axis, (0.0, 1.0, 0.0), atol=1e-12)
    np.testing.assert_allclose(turned.column_axis, (-1.0, 0.0, 0.0), atol=1e-12)
    assert turned.spacing_mm == 1.5


def test_turning_back_gives_the_first_grid_again(grid: SectionGrid) -> None:
    again = grid.turned(41.0).turned(-41.0)
    np.testing.assert_allclose(again.row_axis, grid.row_axis, atol=1e-12)
    np.testing.assert_allclose(again.column_axis, grid.column_axis, atol=1e-12)


def test_a_grid_for_a_section_that_the_map_does_not_have_is_refused(t1_map: T1Map) -> None:
    with pytest.raises(ACNetError, match=f"there is no slice {t1_map.section_count}"):
        SectionGrid.around(t1_map, t1_map.section_count, (0.0, 0.0, 0.0))


def test_the_fixed_window_maps_its_ends_to_0_and_255_and_clips() -> None:
    t1_ms = np.array([[-100.0, 500.0, 1500.0, 2500.0, 4000.0]], dtype=np.float32)
    intensity = to_intensity(t1_ms, IntensityScaling("fixed_window", 500.0, 2500.0))
    np.testing.assert_allclose(intensity, [[0.0, 0.0, 127.5, 255.0, 255.0]])
    assert intensity.dtype == np.float32


def test_the_window_is_0_to_2500_ms_by_default() -> None:
    np.testing.assert_allclose(to_intensity(np.array([[0.0, 1000.0, 2500.0]]), IntensityScaling()), [[0, 102, 255]])


def test_the_papers_scaling_stretches_each_section_by_itself() -> None:
    sections = np.array([[[100.0, 200.0, 300.0]], [[1000.0, 3000.0, 2000.0]]])
    intensity = to_intensity(sections, IntensityScaling("minmax_paper"))
    np.testing.assert_allclose(intensity, [[[0, 127.5, 255]], [[0, 255, 127.5]]])
    assert intensity.dtype == np.float32


def test_a_constant_section_stretched_gives_zeros() -> None:
    assert not to_intensity(np.full((128, 128), 1200.0), IntensityScaling("minmax_paper")).any()


@pytest.mark.parametrize(
    ("scaling", "message"),
    [
        ({"kind": "zscore"}, "found kind 'zscore'"),
        ({"low_ms": 2500.0, "high_ms": 2500.0}, "found a window of 2500 to 2500 ms"),
    ],
)
def test_an_impossible_intensity_scaling_is_refused(scaling: dict, message: str) -> None:
    with pytest.raises(ACNetError, match=message):
        IntensityScaling(**scaling)
