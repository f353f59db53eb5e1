"""Whether the geometry of a study can be that of its images: where the septum lies, and where the cavity is widest.

An array that was reversed, or a header whose axes were taken for others (LPS for RAS), still shows a heart, and nothing
else tells that anterior and inferior side, or base and apex, are exchanged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

import numpy as np

from ACNetLib.t1map.section import TOWARDS_BASE

LARGEST_TURN_DEGREES = 60.0
"""Of the septum from where it lies in most people. Of planes drawn as in the second simulation 99 of 100 turn it by 24
degrees or less, none by 40, and with twice their spread 3 of 1000 by more than 60. Stored wrong it mostly lies 60 to
180 off; a single flip may leave it in its place."""
LARGEST_APEX_TO_BASE = 1.5
"""Of the cavities' areas: real hearts have 0.5 (SD 0.1)."""

Vector = tuple[float, float, float]


def turned_by(turns_degrees: Sequence[float]) -> float | None:
    """How far the septum of most slices lies from its usual place, in degrees; None where that is where hearts have it.

    turns_degrees: those of slices whose septum is known.
    """
    turns = [abs(each) for each in turns_degrees]
    wrong = [each for each in turns if each > LARGEST_TURN_DEGREES]
    return median(wrong) if 2 * len(wrong) > len(turns) else None


def apex_to_base(centers_mm: Sequence[Vector], areas_mm2: Sequence[float], normal: Vector) -> float | None:
    """The cavity's area at the end towards the apex over that at the other, where it is too large for a heart's; else
    None. areas_mm2: NaN where not known. normal: of the planes, of either sign.
    """
    known = [(center, area) for center, area in zip(centers_mm, areas_mm2, strict=True) if not math.isnan(area)]
    if not known:
        return None
    axis = np.array(normal) * math.copysign(1.0, float(TOWARDS_BASE @ normal))
    from_base = sorted(known, key=lambda each: -float(axis @ each[0]))
    ratio = from_base[-1][1] / from_base[0][1] if from_base[0][1] else 0.0
    return ratio if ratio > LARGEST_APEX_TO_BASE else None


def doubts_of_place(turn_degrees: float | None, ratio: float | None) -> list[str]:
    """Sentences about what `turned_by` and `apex_to_base` found."""
    doubts = []
    if turn_degrees is not None:
        doubts.append(
            f"The septum lies {turn_degrees:.0f} degrees from its usual position: image and geometry do not match "
            "(rows or columns reversed, LPS taken for RAS), or the heart lies unusually. What depends on the "
            "orientation may be wrong; the AHA segments are left out. Export the map again."
        )
    elif ratio is not None:  # where the axes are wrong, so is the order
        doubts.append(
            f"The cavity at the end of the apex is {ratio:.1f} times as large as at the base: the order of the slices "
            "may be reversed, and the AHA segments with it. Compare base and apex with the images."
        )
    return doubts
