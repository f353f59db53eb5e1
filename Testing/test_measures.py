"""What a reader would measure, on a drawn left ventricle whose measures are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ACNetLib.measures import SectionMeasures, measure_section

ENDOCARDIUM, EPICARDIUM = 20.0, 29.0  # pixels
CENTER = (70.0, 60.0)  # column, row
INSERTIONS = {"anterior": -135.0, "inferior": 135.0}  # degrees from the columns' direction; the septum is on the left


def measure(
    septal_t1_ms: float = 1300.0, pixel_mm: float = 1.4, swapped: bool = False, with_septum: bool = True
) -> SectionMeasures:
    """Blood is 1900 ms, muscle 1200 ms, and the septum, 90 degrees wide on the left, as asked for."""
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
    return measure_section(t1_ms.astype(np.float32), myocardium, cavity, insertions(swapped), pixel_mm)


def insertions(swapped: bool) -> NDArray[np.float64]:
    angles = np.radians([INSERTIONS["anterior"], INSERTIONS["inferior"]])
    points = np.array(CENTER) + EPICARDIUM * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return points[::-1] if swapped else points


@pytest.mark.parametrize("swapped", [False, True])
def test_septal_t1_is_that_of_the_mid_wall_of_the_septum_alone(swapped: bool) -> None:
    assert measure(septal_t1_ms=1333.0, swapped=swapped).septal_t1_ms == pytest.approx(1333.0)


@pytest.mark.parametrize("pixel_mm", [1.0, 1.4, 2.1])
def test_areas_and_thickness_are_in_mm(pixel_mm: float) -> None:
    measures = measure(pixel_mm=pixel_mm)
    assert measures.cavity_area_mm2 == pytest.approx(np.pi * (ENDOCARDIUM * pixel_mm) ** 2, rel=0.01)
    assert measures.wall_thickness_mm == pytest.approx((EPICARDIUM - ENDOCARDIUM) * pixel_mm, rel=0.02)


def test_a_septum_that_is_not_there_has_no_t1() -> None:
    measures = measure(with_septum=False)
    assert np.isnan(measures.septal_t1_ms)
    assert measures.cavity_area_mm2 == measure().cavity_area_mm2
