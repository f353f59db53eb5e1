"""What a reader would measure, on a drawn left ventricle whose measures are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ACNetLib.ventricle.measures import SectionMeasures, measure_section, mid_wall, septal_arc

ENDOCARDIUM, EPICARDIUM = 20.0, 29.0  # pixels
CENTER = (70.0, 60.0)  # column, row


def measure(
    septal_t1_ms: float = 1300.0, pixel_mm: float = 1.4, arc_degrees: float = 120.0, with_septum: bool = True
) -> SectionMeasures:
    """Blood is 1900 ms, muscle 1200 ms, and 90 degrees on the left, in the middle of the septum, as asked for."""
    rows, columns = np.indices((128, 140))
    x, y = columns - CENTER[0], rows - CENTER[1]
    radius = np.hypot(x, y)
    cavity = radius < ENDOCARDIUM
    myocardium = (radius >= ENDOCARDIUM) & (radius < EPICARDIUM)
    septum = myocardium & (np.abs(np.degrees(np.arctan2(y, -x))) < 45)
    t1_ms = np.where(cavity, 1900.0, 1200.0)
    t1_ms[septum] = septal_t1_ms
    t1_ms[myocardium & (radius < ENDOCARDIUM + 2)] = 1700.0  # partial volume with blood
    t1_ms[myocardium & (radius > EPICARDIUM - 2)] = 700.0  # and with fat
    if not with_septum:
        myocardium &= ~septum
    arc = septal_arc(cavity, insertions(arc_degrees))
    return measure_section(t1_ms.astype(np.float32), myocardium, cavity, arc, (pixel_mm, pixel_mm))


def insertions(arc_degrees: float) -> NDArray[np.float64]:
    """Anterior, then inferior, on the left: the septum between them is so wide."""
    angles = np.pi + np.radians([arc_degrees / 2, -arc_degrees / 2])
    return np.array(CENTER) + EPICARDIUM * np.stack([np.cos(angles), np.sin(angles)], axis=1)


@pytest.mark.parametrize("arc_degrees", [80.0, 120.0, 148.0])
def test_septal_t1_is_that_of_the_mid_wall_of_the_septum_alone(arc_degrees: float) -> None:
    assert measure(septal_t1_ms=1333.0, arc_degrees=arc_degrees).septal_t1_ms == pytest.approx(1333.0)


def test_the_septum_is_the_same_however_the_slice_is_stored() -> None:
    rows, columns = np.indices((128, 128))
    cavity = np.hypot(rows - CENTER[1], columns - CENTER[0]) < ENDOCARDIUM
    points = insertions(110.0) + np.array([0.0, 7.0])  # not symmetric
    stored = septal_arc(cavity, points)
    upside_down = septal_arc(cavity[::-1], points * np.array([1, -1]) + np.array([0, cavity.shape[0] - 1]))
    np.testing.assert_array_equal(upside_down[::-1], stored)
    np.testing.assert_array_equal(septal_arc(cavity.T, points[:, ::-1]).T, stored)


def test_what_lies_at_a_third_of_the_wall_does_not_hang_on_the_last_digit_of_the_spacing() -> None:
    rows, columns = np.indices((128, 140))
    radius = np.hypot(rows - CENTER[1], columns - CENTER[0])
    cavity, myocardium = radius < ENDOCARDIUM, (radius >= ENDOCARDIUM) & (radius < EPICARDIUM)
    found = [
        mid_wall(myocardium, cavity, (spacing_mm, spacing_mm))
        for spacing_mm in (1.0, 1.1, 1.3, 1.50983, np.nextafter(1.50983, 2), 1.51, 1.7, 1.9)
    ]
    for each in found[1:]:
        np.testing.assert_array_equal(each, found[0])


@pytest.mark.parametrize("pixel_mm", [1.0, 1.4, 2.1])
def test_areas_and_thickness_are_in_mm(pixel_mm: float) -> None:
    measures = measure(pixel_mm=pixel_mm)
    assert measures.cavity_area_mm2 == pytest.approx(np.pi * (ENDOCARDIUM * pixel_mm) ** 2, rel=0.01)
    assert measures.wall_thickness_mm == pytest.approx((EPICARDIUM - ENDOCARDIUM) * pixel_mm, rel=0.02)


def test_a_septum_that_is_not_there_has_no_t1() -> None:
    measures = measure(with_septum=False)
    assert np.isnan(measures.septal_t1_ms)
    assert measures.cavity_area_mm2 == measure().cavity_area_mm2


def test_the_whole_myocardium_has_the_t1_of_its_mid_wall() -> None:
    assert measure(septal_t1_ms=1200.0).myocardial_t1_ms == pytest.approx(1200.0)
    assert 1200.0 < measure(septal_t1_ms=1300.0).myocardial_t1_ms < 1250.0


def test_pixels_without_a_value_have_no_say_in_the_t1_of_the_wall() -> None:
    """A scanner stores 0 where its fit failed, and a reader is told to do so with NaN."""
    rows, columns = np.indices((128, 140))
    radius = np.hypot(columns - CENTER[0], rows - CENTER[1])
    cavity, whole = radius < ENDOCARDIUM, radius < EPICARDIUM
    t1_ms = np.where(cavity, 1900, 1200).astype(np.float32)
    t1_ms[(rows + columns) % 10 == 0] = 0
    arc = septal_arc(cavity, insertions(120.0))
    measures = measure_section(t1_ms, whole & ~cavity, cavity, arc, (1.4, 1.4))
    assert (measures.septal_t1_ms, measures.myocardial_t1_ms) == (1200, 1200)
    nothing = measure_section(np.where(whole & ~cavity, 0, t1_ms), whole & ~cavity, cavity, arc, (1.4, 1.4))
    assert np.isnan([nothing.septal_t1_ms, nothing.myocardial_t1_ms]).all()


def test_pixels_that_are_not_square_measure_the_same_ventricle() -> None:
    """The drawn ventricle with every second row left out, its rows twice as far apart."""
    rows, columns = np.indices((128, 140))
    radius = np.hypot(columns - CENTER[0], rows - CENTER[1])
    cavity, whole = radius < ENDOCARDIUM, radius < EPICARDIUM
    t1_ms = np.where(cavity, 1900, 1200).astype(np.float32)
    arc = septal_arc(cavity, insertions(120.0))
    square = measure_section(t1_ms, whole & ~cavity, cavity, arc, (1.0, 1.0))
    flat = measure_section(t1_ms[::2], (whole & ~cavity)[::2], cavity[::2], arc[::2], (2.0, 1.0))
    assert flat.cavity_area_mm2 == pytest.approx(square.cavity_area_mm2, rel=0.01)
    assert flat.wall_thickness_mm == pytest.approx(square.wall_thickness_mm, rel=0.03)
    assert flat.septal_t1_ms == square.septal_t1_ms == 1200
