"""The picture of a section."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image, ImageDraw, ImageFilter
from scipy.ndimage import gaussian_filter

from ACNetLib.inference.result import StudyResult
from ACNetLib.report.picture import (
    _BACKGROUND,
    _HALO,
    RIGHT_COLOR,
    SEPTUM_COLOR,
    _with_contour,
    direction_letters,
    section_picture,
)
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import CAVITY_LABEL, MYOCARDIUM_LABEL, SEPTUM_LABEL
from conftest import with_images, with_map
from made_up_maps import STORAGES, stored_otherwise

CROP_SIDE, CROP_MM, MARGIN, HEADER = 512, 128, 16, 114


@pytest.fixture
def study(an_oblique_t1_map: T1Map, a_study: Callable) -> StudyResult:
    return a_study(an_oblique_t1_map)


def pixels(study: StudyResult) -> np.ndarray:
    """(rows, columns, 3) of the first section's picture."""
    return np.asarray(section_picture(study, 0, study.sections[0])).astype(int)


def panels(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The whole section and the crop."""
    inside = picture[HEADER : HEADER + CROP_SIDE]
    return inside[:, MARGIN : -2 * MARGIN - CROP_SIDE], inside[:, -MARGIN - CROP_SIDE : -MARGIN]


def is_color(picture: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    return np.asarray((np.abs(picture - color) < 30).all(axis=-1))


def test_it_shows_the_crop_box_on_the_section_and_the_bands_on_the_crop(study: StudyResult) -> None:
    whole, crop = panels(pixels(study))
    assert is_color(whole, (255, 217, 26)).sum() > 400
    assert (np.ptp(crop, axis=-1) > 20).mean() > 0.1


@pytest.mark.parametrize("storage", STORAGES)
def test_the_picture_is_the_same_however_the_slice_is_stored(
    study: StudyResult, a_study: Callable, storage: tuple[bool, bool, bool]
) -> None:
    t1_map = study.images[0].t1_map
    otherwise = replace(t1_map, image=stored_otherwise(t1_map.image, *storage))
    expected, found = pixels(study), pixels(a_study(otherwise, t1_map.center))
    assert found.shape == expected.shape
    assert (np.abs(found - expected).max(axis=-1) > 8).mean() < 0.001


def test_the_edges_of_both_panels_say_to_which_side_of_the_body_they_lie(
    study: StudyResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = list[str]()
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", lambda _draw, _place, text, *_look, **_edge: written.append(text))
    section_picture(study, 0, study.sections[0])
    t1_map, grid = study.images[0].t1_map, study.sections[0].grid(study.images[0].t1_map)
    edges = [sign * axis for axis in (np.array(grid.row_axis), np.array(grid.column_axis)) for sign in (-1, 1)]
    assert {direction_letters(edge) for edge in edges} <= set(written)
    assert {direction_letters(sign * t1_map.row_axis) for sign in (-1, 1)} <= set(written)
    assert direction_letters(np.array((0.6, -0.8, 0.0))) == "AL"
    assert direction_letters(np.array((0.1, 0.2, -0.97))) == "F"


def test_no_side_of_the_body_is_said_where_the_file_does_not_tell_how_its_slices_lie(
    an_oblique_t1_map: T1Map, a_study: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = sitk.Image(an_oblique_t1_map.image)
    image.SetDirection(np.eye(3).ravel().tolist())
    study = a_study(replace(an_oblique_t1_map, image=image))
    written = list[str]()
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", lambda _draw, _place, text, *_look, **_edge: written.append(text))
    section_picture(study, 0, study.sections[0])
    assert not {"L", "R", "A", "P", "H", "F"} & set(written)


def test_the_septum_is_marked_on_both_panels(study: StudyResult) -> None:
    whole, crop = panels(pixels(study))
    for panel in (whole, crop):
        assert is_color(panel, SEPTUM_COLOR).sum() > 50
    columns = np.nonzero(is_color(crop, SEPTUM_COLOR))[1]
    assert columns.max() < crop.shape[1] / 2 + 1, "the made-up septum lies left of the cavity"


def test_the_contours_run_along_the_edges_of_cavity_and_wall(study: StudyResult) -> None:
    """Of the made-up ventricle: circles of 22 and 31 mm around the crop's centre."""
    known = study.images[0].ventricle
    ring = with_images(study, ventricle=np.where(known == 3, MYOCARDIUM_LABEL, known).astype(np.uint8))
    nothing = with_images(study, ventricle=np.zeros_like(known))
    _, crop = panels(np.abs(pixels(ring) - pixels(nothing)).max(axis=-1, keepdims=True))
    rows, columns, _ = np.nonzero(crop > 60)
    radius_mm = np.hypot(rows + 0.5 - CROP_SIDE / 2, columns + 0.5 - CROP_SIDE / 2) * CROP_MM / CROP_SIDE
    to_edge = np.minimum(np.abs(radius_mm - 22), np.abs(radius_mm - 31))
    assert to_edge.max() < 1.6, "no further than a pixel of the map"
    for edge in (22, 31):
        angles = np.arctan2(rows - CROP_SIDE / 2, columns - CROP_SIDE / 2)[np.abs(radius_mm - edge) < 1.6]
        assert np.histogram(angles, 36, (-np.pi, np.pi))[0].all(), "all around"


def test_the_blood_that_counts_as_right_ventricle_is_outlined(study: StudyResult) -> None:
    t1_map, labels = study.images[0].t1_map, study.images[0].ventricle
    column_mm, row_mm, _ = t1_map.image.GetSpacing()
    t1_ms = np.where(labels == CAVITY_LABEL, 1600.0, 1000.0)
    for section, on_slice in enumerate(labels):
        rows, columns = np.indices(on_slice.shape)
        row, column = np.argwhere(on_slice == SEPTUM_LABEL).mean(axis=0)
        beside = np.hypot((rows - row) * row_mm, (columns - column) * column_mm) < 25
        t1_ms[section][beside & (on_slice == 0)] = 1600.0
    image = sitk.GetImageFromArray(t1_ms.astype(np.float32))
    image.CopyInformation(t1_map.image)
    whole, crop = panels(pixels(with_images(study, t1_map=replace(t1_map, image=image))))
    for panel in (whole, crop):
        assert is_color(panel, RIGHT_COLOR).sum() > 50
    columns = np.nonzero(is_color(crop, RIGHT_COLOR))[1]
    assert columns.max() < crop.shape[1] / 2 + 1, "beyond the septum, which lies left of the cavity"


def test_without_labels_no_contour_is_drawn(study: StudyResult) -> None:
    picture = pixels(with_images(study, ventricle=np.zeros_like(study.images[0].ventricle)))
    assert not is_color(panels(picture)[1], SEPTUM_COLOR).any()
    assert not is_color(panels(picture)[1], RIGHT_COLOR).any()


def test_a_long_name_is_cut_within_the_picture(study: StudyResult) -> None:
    usual = pixels(study)
    picture = pixels(with_map(study, name="a long name " * 50))
    assert picture.shape == usual.shape
    assert np.ptp(picture[-MARGIN - 20 :, -MARGIN:], axis=(0, 1)).max() == 0, "the right margin is free"


def test_a_section_without_measures_has_a_picture_too(study: StudyResult) -> None:
    section = replace(study.sections[0], measures=None)
    assert isinstance(section_picture(study, 0, section), Image.Image)


@pytest.mark.parametrize(("row", "column"), [(60, 70), (3, 88), (99, 0)], ids=["inside", "corner", "edge"])
def test_a_contour_that_is_computed_near_its_mask_is_that_of_the_whole_panel(row: int, column: int) -> None:
    rows, columns = np.mgrid[:100, :90]
    mask, width, smoothing = np.hypot(rows - row, columns - column) < 15, 2.4, 3.4
    panel = Image.fromarray(np.random.default_rng(1).integers(0, 255, (100, 90, 3), np.uint8))
    expected = panel.copy()
    blurred = Image.fromarray(mask.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(smoothing))
    field = np.asarray(blurred, np.float32) / 255
    np.testing.assert_allclose(field, gaussian_filter(mask.astype(np.float32), smoothing, mode="nearest"), atol=0.03)
    distance = np.abs(field - 0.5) / np.maximum(np.hypot(*np.gradient(field)), np.finfo(np.float32).tiny)
    for half_width, color in ((width / 2 + _HALO, _BACKGROUND), (width / 2, SEPTUM_COLOR)):
        opacity = Image.fromarray((255 * np.clip(half_width + 0.5 - distance, 0, 1)).astype(np.uint8))
        expected = Image.composite(Image.new("RGB", panel.size, color), expected, opacity)
    found = _with_contour(panel.copy(), mask, SEPTUM_COLOR, width, smoothing)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
    assert (np.asarray(found) != np.asarray(panel)).any()
