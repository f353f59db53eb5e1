"""The polar map shows each segment where readers look for it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ACNetLib.report.polar_map import DARK, LIGHT, UNKNOWN_COLOR, polar_map
from ACNetLib.ventricle.aha import Segment

NOWHERE = math.nan


def segments(**t1_ms: float) -> list[Segment]:
    return [Segment(number, "", t1_ms.get(f"s{number}", 900.0), 30.0, 50, 0.6) for number in range(1, 17)]


def color_at(picture: object, right: float, down: float) -> tuple[int, ...]:
    pixels = np.asarray(picture)
    half = len(pixels) / 2
    *color, opacity = (int(value) for value in pixels[int(half + down * half), int(half + right * half)])
    assert opacity == 255
    return tuple(color)


@pytest.mark.parametrize(
    ("number", "right", "down"),
    [
        (1, 0.1, -0.9),
        (2, -0.8, -0.25),
        (3, -0.8, 0.25),
        (4, 0.1, 0.9),
        (5, 0.8, 0.25),
        (6, 0.8, -0.25),
        (7, 0.06, -0.6),
        (12, 0.52, -0.3),
        (13, 0.05, -0.3),
        (14, -0.3, 0.05),
        (15, 0.05, 0.3),
        (16, 0.3, 0.05),
    ],
)
def test_each_segment_lies_in_its_place(number: int, right: float, down: float) -> None:
    assert color_at(polar_map(segments()), right, down) == LIGHT
    assert color_at(polar_map(segments(**{f"s{number}": 1500.0})), right, down) == DARK


def test_the_corners_are_see_through_for_a_dark_panel() -> None:
    corners = np.asarray(polar_map(segments()))[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert list(corners[:, 3]) == [0, 0, 0, 0]


def test_a_segment_without_pixels_is_grey() -> None:
    assert color_at(polar_map(segments(s1=NOWHERE)), 0.1, -0.9) == UNKNOWN_COLOR
