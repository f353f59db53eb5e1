"""Where the probability and what was measured beside it point different ways.

DCM is a dilated ventricle: where no slice's cavity is enlarged the verdict is never DCM. Else one sentence is said, so
that a reader looks: also where septal T1 is lower than in normal hearts and in DCM.

Upper limits of a normal cavity's diameter at the end of diastole: 52 mm in women, 58 mm in men (Lang et al., J Am Soc
Echocardiogr 2015; 28:1, table 2: 52.2 and 58.4). A cavity is called small or enlarged only where it is so for both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ACNetLib.inference.verdict import Verdict

LARGEST_IN_WOMEN_MM, LARGEST_IN_MEN_MM = 52.2, 58.4
RAISED_Z, FAR_BELOW_Z = 2.0, -3.0
FEWEST_SLICES = 3
"""On fewer the largest part of the cavity may not have been seen."""


def undilated_mm(cavities_mm2: Sequence[float]) -> float | None:
    """How far the largest of three or more cavities reaches across where it is enlarged in nobody; else None.

    cavities_mm2: their areas, NaN where one is not known.
    """
    known = [area for area in cavities_mm2 if not math.isnan(area)]
    if len(known) < FEWEST_SLICES:
        return None
    across_mm = _across_mm(max(known))
    return across_mm if across_mm <= LARGEST_IN_WOMEN_MM else None


def disagreement(verdict: Verdict, cavity_mm2: float, septal_z: float) -> str:
    """The sentence; empty where verdict and measures agree, and where one of these is not known (NaN).

    cavity_mm2: area of the largest cavity among the slices. septal_z: of the study's septal T1.
    """
    if septal_z <= FAR_BELOW_Z and verdict != "outside":
        return (
            f"Septal T1 is far below normal (z-score {septal_z:+.1f}): iron, fat, Fabry disease, or another sequence "
            "than that of the reference. The model knows none of these."
        )
    if math.isnan(cavity_mm2) or math.isnan(septal_z):
        return ""
    across_mm = _across_mm(cavity_mm2)
    if verdict == "dcm" and across_mm <= LARGEST_IN_WOMEN_MM and septal_z < RAISED_Z:
        return (
            f"Verdict and measures disagree: DCM, but the cavity is not enlarged ({across_mm:.0f} mm across) and "
            f"septal T1 is not raised (z-score {septal_z:+.1f})."
        )
    if verdict == "normal" and across_mm > LARGEST_IN_MEN_MM and septal_z >= RAISED_Z:
        return (
            f"Verdict and measures disagree: normal, but the cavity is enlarged ({across_mm:.0f} mm across) and "
            f"septal T1 is raised (z-score {septal_z:+.1f})."
        )
    return ""


def _across_mm(cavity_mm2: float) -> float:
    return 2 * math.sqrt(cavity_mm2 / math.pi)
