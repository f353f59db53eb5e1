"""The left ventricle's 16 segments as readers know them: base outside, septum to the left, anterior on top."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from ACNetLib.ventricle.aha import Segment

SCALE_MS = (900.0, 1400.0)
"""T1 of the lightest and the darkest colour: native myocardium from 1.5 to 3 T, healthy to diseased."""
LIGHT, DARK, UNKNOWN_COLOR = (247, 243, 226), (140, 45, 4), (225, 225, 225)
LINE, TEXT_ON_LIGHT, TEXT_ON_DARK = (70, 70, 70), (20, 20, 20), (255, 255, 255)
_OVERSAMPLING = 2
_RADII = (1.0, 0.68, 0.36)
"""Outer radius of the basal, mid and apical ring."""


def polar_map(segments: Sequence[Segment], pixels: int = 360) -> Image.Image:
    """A square picture with the T1 of each segment in ms; "-" where it has no pixel. Around the map it is see-through:
    Slicer may be dark.
    """
    size = pixels * _OVERSAMPLING
    picture = Image.new("RGBA", (size, size), (255, 255, 255, 0))
    draw = ImageDraw.Draw(picture)
    middle, largest = size / 2, size / 2 - 2 * _OVERSAMPLING
    for segment in segments:
        start, end = segment_angles(segment.number)
        radius = largest * _RADII[min((segment.number - 1) // 6, 2)]
        box = (middle - radius, middle - radius, middle + radius, middle + radius)
        draw.pieslice(box, start, end, fill=_color(segment.t1_ms), outline=LINE, width=_OVERSAMPLING)
    font = ImageFont.load_default(13 * _OVERSAMPLING)
    for segment in segments:
        ring = min((segment.number - 1) // 6, 2)
        inner = _RADII[ring + 1] if ring < 2 else 0.08
        angle = math.radians(sum(segment_angles(segment.number)) / 2)
        distance = largest * (inner + _RADII[ring]) / 2
        place = (middle + distance * math.cos(angle), middle + distance * math.sin(angle))
        words = "-" if math.isnan(segment.t1_ms) else f"{segment.t1_ms:.0f}"
        draw.text(place, words, _text_color(segment.t1_ms), font, anchor="mm")
    return picture.reduce(_OVERSAMPLING)


def segment_angles(number: int) -> tuple[float, float]:
    """Degrees clockwise from the right, where a segment of the 16 begins and ends."""
    if number <= 12:
        start = {5: 0.0, 4: 60.0, 3: 120.0, 2: 180.0, 1: 240.0, 6: 300.0}[(number - 1) % 6 + 1]
        return start, start + 60
    start = {16: -45.0, 15: 45.0, 14: 135.0, 13: 225.0}[number]
    return start, start + 90


def _share(t1_ms: float) -> float:
    low, high = SCALE_MS
    return min(max((t1_ms - low) / (high - low), 0.0), 1.0)


def _color(t1_ms: float) -> tuple[int, int, int]:
    if math.isnan(t1_ms):
        return UNKNOWN_COLOR
    share = _share(t1_ms)
    red, green, blue = (round(light + share * (dark - light)) for light, dark in zip(LIGHT, DARK, strict=True))
    return red, green, blue


def _text_color(t1_ms: float) -> tuple[int, int, int]:
    return TEXT_ON_DARK if not math.isnan(t1_ms) and _share(t1_ms) > 0.6 else TEXT_ON_LIGHT
