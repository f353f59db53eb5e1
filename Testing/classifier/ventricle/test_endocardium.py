"""The cavity's edge is drawn where blood's T1 begins, on slices whose true outlines are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from ACNetLib.ventricle.endocardium import with_visible_cavity
from ACNetLib.ventricle.labels import CAVITY_LABEL, MYOCARDIUM_LABEL, SEPTUM_LABEL, LabelArray, is_myocardium

BLOOD_MS, WALL_MS, LUNG_MS = 1600.0, 1000.0, 1150.0
CAVITY_MM, OUTER_MM = 18.0, 33.0
"""The radii of a hypertrophic ventricle."""

Spacing = tuple[float, float]


def distances_mm(spacing_mm: Spacing) -> tuple[np.ndarray, np.ndarray]:
    """From the middle of a slice of 120 mm: of rows, of columns."""
    sizes = [round(120 / each) for each in spacing_mm]
    rows, columns = (np.arange(size) - (size - 1) / 2 for size in sizes)
    down, across = np.meshgrid(rows * spacing_mm[0], columns * spacing_mm[1], indexing="ij")
    return down, across


def a_slice(spacing_mm: Spacing = (1.5, 1.5), blood_ms: float = BLOOD_MS, noise_ms: float = 30.0) -> np.ndarray:
    """A round ventricle in lung, with two papillary muscles in its cavity, blurred as by a scanner's pixels."""
    down, across = distances_mm(spacing_mm)
    radius = np.hypot(down, across)
    t1_ms = np.where(radius < CAVITY_MM, blood_ms, np.where(radius < OUTER_MM, WALL_MS, LUNG_MS))
    for row_mm in (-9.0, 9.0):
        t1_ms[np.hypot(down - row_mm, across - 5.0) < 3.0] = WALL_MS
    blurred = gaussian_filter(t1_ms, [0.5, 0.5])
    return (blurred + np.random.default_rng(1).normal(0, noise_ms, t1_ms.shape)).astype(np.float32)


def labels_of(cavity_mm: float, spacing_mm: Spacing = (1.5, 1.5), outer_mm: float = OUTER_MM) -> LabelArray:
    """As the localizer might find them, the septum to the left."""
    down, across = distances_mm(spacing_mm)
    radius, septal = np.hypot(down, across), np.abs(np.arctan2(down, -across)) < np.pi / 4
    labels = np.where(radius < outer_mm, np.where(septal, SEPTUM_LABEL, MYOCARDIUM_LABEL), 0).astype(np.uint8)
    labels[radius < cavity_mm] = CAVITY_LABEL
    return labels


def cavity_radius_mm(labels: LabelArray, spacing_mm: Spacing) -> float:
    return float(np.sqrt((labels == CAVITY_LABEL).sum() * spacing_mm[0] * spacing_mm[1] / np.pi))


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0), (1.5, 1.5), (2.1, 2.1), (1.2, 1.9)], ids=str)
@pytest.mark.parametrize("said_mm", [16.5, 18.0, 22.0, 25.0])
def test_the_cavity_is_the_drawings_whatever_the_localizer_took_for_it(said_mm: float, spacing_mm: Spacing) -> None:
    said = labels_of(said_mm, spacing_mm)
    found = with_visible_cavity(a_slice(spacing_mm), said, spacing_mm)
    assert cavity_radius_mm(found, spacing_mm) == pytest.approx(CAVITY_MM, abs=0.9)
    assert ((found != 0) == (said != 0)).all(), "the wall's outer edge stays"
    truth = labels_of(CAVITY_MM, spacing_mm)
    septa = [each[truth == SEPTUM_LABEL] == SEPTUM_LABEL for each in (truth, found)]
    assert septa[1].mean() > 0.9 * septa[0].mean(), "wall that was taken for cavity is septum beside the septum"


def test_the_same_slice_turned_or_mirrored_has_the_same_outline() -> None:
    t1_ms, said = a_slice(noise_ms=60.0), labels_of(23.0)
    plain = with_visible_cavity(t1_ms, said, (1.5, 1.5))
    for change in (np.rot90, np.flipud, np.fliplr, np.transpose):
        changed = with_visible_cavity(change(t1_ms), change(said), (1.5, 1.5))
        assert (changed == change(plain)).all()


@pytest.mark.parametrize("blood_ms", [350.0, 1150.0])
def test_after_contrast_and_where_blood_is_hardly_seen_the_localizers_outline_stays(blood_ms: float) -> None:
    said = labels_of(23.0)
    assert (with_visible_cavity(a_slice(blood_ms=blood_ms), said, (1.5, 1.5)) == said).all()


def test_a_cavity_that_holds_little_blood_is_left_as_it_is() -> None:
    """As where the localizer took something else for the ventricle."""
    t1_ms, said = a_slice(), labels_of(30.5)
    down, across = distances_mm((1.5, 1.5))
    t1_ms[np.hypot(down, across) > 9.0] = WALL_MS
    assert (with_visible_cavity(t1_ms, said, (1.5, 1.5)) == said).all()


def test_blood_beyond_a_thin_wall_and_pixels_without_a_value_do_not_join_the_cavity() -> None:
    spacing_mm = (1.5, 1.5)
    down, across = distances_mm(spacing_mm)
    radius = np.hypot(down, across)
    t1_ms = np.where((radius >= CAVITY_MM) & (radius < CAVITY_MM + 5), WALL_MS, BLOOD_MS).astype(np.float32)
    t1_ms[radius > 40] = np.nan
    found = with_visible_cavity(t1_ms, labels_of(16.0, outer_mm=CAVITY_MM + 6), spacing_mm)
    assert cavity_radius_mm(found, spacing_mm) == pytest.approx(CAVITY_MM, abs=0.9)
    rim = is_myocardium(found) & (radius > CAVITY_MM + 1.5)
    assert rim.sum() == ((radius > CAVITY_MM + 1.5) & (radius < CAVITY_MM + 6)).sum()


def test_pixels_without_a_value_have_no_say_in_what_blood_and_wall_are() -> None:
    t1_ms, said = a_slice(), labels_of(22.0)
    down, across = distances_mm((1.5, 1.5))
    most_of_the_wall, most_of_the_core = (
        is_myocardium(said) & (across > -10),
        (np.hypot(down, across) < 12) & (down < 3),
    )
    for hole in (most_of_the_wall, most_of_the_core):
        holed = np.where(hole, 0, t1_ms).astype(np.float32)
        found = with_visible_cavity(holed, said, (1.5, 1.5))
        assert cavity_radius_mm(found, (1.5, 1.5)) == pytest.approx(CAVITY_MM, abs=0.9)


def test_without_a_wall_there_is_nothing_to_tell_blood_from() -> None:
    said = np.where(labels_of(CAVITY_MM) == CAVITY_LABEL, CAVITY_LABEL, 0).astype(np.uint8)
    assert (with_visible_cavity(a_slice(), said, (1.5, 1.5)) == said).all()


def test_a_bright_scar_beside_the_cavity_stays_wall_but_for_the_localizers_own_error() -> None:
    spacing_mm = (1.5, 1.5)
    down, across = distances_mm(spacing_mm)
    radius, angle = np.hypot(down, across), np.abs(np.arctan2(down, across))
    scar = (angle < np.pi / 5) & (radius >= CAVITY_MM) & (radius < CAVITY_MM + 8)
    t1_ms = a_slice()
    t1_ms[scar] = WALL_MS + 0.6 * (BLOOD_MS - WALL_MS)
    found = with_visible_cavity(t1_ms, labels_of(CAVITY_MM), spacing_mm)
    assert is_myocardium(found)[scar & (radius > CAVITY_MM + 2.5)].all()
    assert cavity_radius_mm(found, spacing_mm) == pytest.approx(CAVITY_MM, abs=0.9)
