"""Where the probability and what was measured beside it point different ways.

DCM is a dilated ventricle: where no slice's cavity is enlarged the verdict is never DCM. Where every cavity of three
slices or more is narrower than normal in adults it is never normal: a child's dilated ventricle is no wider than a
normal one of the training. Where septal T1 is neither a normal heart's nor that of DCM, as in a map whose scale was
lost, it is neither DCM nor normal. Else one sentence is said, so that a reader looks: also where septal T1 is far below
the scanner's normal.

Limits of a normal cavity's diameter at the end of diastole: 38 to 52 mm in women, 42 to 58 mm in men (Lang et al., J Am
Soc Echocardiogr 2015; 28:1, table 2: 37.8, 52.2 and 58.4). A cavity is called small or enlarged only where it is so for
both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ACNetLib.inference.verdict import Verdict

SMALLEST_IN_WOMEN_MM, LARGEST_IN_WOMEN_MM, LARGEST_IN_MEN_MM = 37.8, 52.2, 58.4
RAISED_Z, FAR_BELOW_Z = 2.0, -3.0
FEWEST_SLICES = 3
"""On fewer the largest part of the cavity may not have been seen."""
LOWEST_OF_NORMAL, HIGHEST_OF_NORMAL = 0.84, 1.37
"""Septal T1 relative to the normal one: 837 to 1365 ms where that is 996 ms, MOLLI's at 1.5 T.

Wide enough for another sequence of which only the training's normal is known, a MOLLI's: normal T1 by ShMOLLI is 927
(SD 45) ms at 1.5 T (Puyol-Anton et al., JCMR 2020), by saturation recovery 1523 (46) to 1578 (42) ms at 3 T
(Weingaertner et al., JCMR 2016; 18:84). DCM adds 45 ms at 1.5 T and 83 ms at 3 T (Minegishi et al. 2019). Iron lies
below MOLLI's 939 ms at 1.5 T and 1056 ms at 3 T (Alam et al., JCMR 2015; 17:102), where it is severe far below.
"""


def undilated_mm(cavities_mm2: Sequence[float]) -> float | None:
    """How far the largest of three or more cavities reaches across where it is enlarged in nobody; else None.

    cavities_mm2: their areas, NaN where one is not known.
    """
    across_mm = _largest_of_three_mm(cavities_mm2)
    return across_mm if across_mm <= LARGEST_IN_WOMEN_MM else None


def undersized_mm(cavities_mm2: Sequence[float]) -> float | None:
    """The same where it is narrower than normal in adults, women included."""
    across_mm = _largest_of_three_mm(cavities_mm2)
    return across_mm if across_mm < SMALLEST_IN_WOMEN_MM else None


def _largest_of_three_mm(cavities_mm2: Sequence[float]) -> float:
    """Across the largest of three or more known cavities; NaN of fewer."""
    known = [area for area in cavities_mm2 if not math.isnan(area)]
    return _across_mm(max(known)) if len(known) >= FEWEST_SLICES else math.nan


def implausible_t1(septal_t1_ms: float, normal_ms: float) -> str:
    """What is said of a septal T1 that neither normal hearts nor those with DCM have; empty for any other, and where
    one of the two is not known (NaN).

    normal_ms: of the scanner, or where that is not known of the model's training.
    """
    low, high = LOWEST_OF_NORMAL * normal_ms, HIGHEST_OF_NORMAL * normal_ms
    if septal_t1_ms < low:
        return (
            f"septal T1 of {septal_t1_ms:.0f} ms is below {low:.0f} ms, lower than in any normal heart or DCM (check "
            "the map's scale; otherwise iron, fat, Fabry disease or another sequence)"
        )
    if septal_t1_ms > high:
        return (
            f"septal T1 of {septal_t1_ms:.0f} ms is above {high:.0f} ms, higher than in almost any heart (check the "
            "map's scale; otherwise another sequence)"
        )
    return ""


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
