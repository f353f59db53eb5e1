"""The measures of a heart, drawn from what was measured on 148 real ones.

Source: the manual end-diastolic outlines of ACDC (Bernard et al., IEEE TMI 37(11):2514, 2018), as means, standard
deviations and correlations only; no outline or image of it is used. Angles are seen from the left ventricle's centre,
clockwise on the screen from the right ventricle's centre.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Kind = Literal["normal", "dcm", "hcm", "infarct", "rv"]
DISEASES: tuple[Kind, ...] = ("hcm", "infarct", "rv")
"""That are neither normal nor DCM."""
KINDS: tuple[Kind, ...] = ("normal", "dcm", *DISEASES)
LEVEL_NAMES = ("base", "mid", "apex")


@dataclass(frozen=True)
class Table:
    """One class: (mean, SD) at base, mid and apex in mm or degrees, the cavity at mid only.

    mean_wall: the means alone. rv_leanness: power of the RV's profile. correlation: of cavity diameter, septal wall,
    lateral wall, RV width and RV span, as drawn; the measured ones follow from them. endocardium and epicardium: mean
    amplitudes of the outlines' harmonics 2 to 6, relative to the radius.
    """

    diameter: tuple[float, float]
    base_to_mid: tuple[float, float]
    apex_to_mid: tuple[float, float]
    septal_wall: tuple[tuple[float, float], ...]
    lateral_wall: tuple[tuple[float, float], ...]
    mean_wall: tuple[float, ...]
    rv_width: tuple[tuple[float, float], ...]
    rv_span: tuple[tuple[float, float], ...]
    rv_leanness: tuple[float, ...]
    correlation: tuple[tuple[float, ...], ...]
    endocardium: tuple[float, ...]
    epicardium: tuple[float, ...]
    level_distance_mm: tuple[float, float]


_NORMAL_HARMONICS = (0.065, 0.033, 0.017, 0.013, 0.009), (0.041, 0.022, 0.011, 0.009, 0.007)
_DCM_HARMONICS = (0.049, 0.030, 0.013, 0.010, 0.008), (0.031, 0.023, 0.010, 0.008, 0.008)
_NORMAL_CORRELATION = (
    (1.00, 0.25, 0.25, 0.65, -0.10),
    (0.25, 1.00, 0.42, 0.50, 0.00),
    (0.25, 0.42, 1.00, 0.50, 0.00),
    (0.65, 0.50, 0.50, 1.00, -0.40),
    (-0.10, 0.00, 0.00, -0.40, 1.00),
)
_DCM_CORRELATION = (
    (1.00, 0.00, 0.00, 0.50, 0.20),
    (0.00, 1.00, 0.54, -0.30, -0.10),
    (0.00, 0.54, 1.00, -0.30, -0.10),
    (0.50, -0.30, -0.30, 1.00, 0.40),
    (0.20, -0.10, -0.10, 0.40, 1.00),
)


def _like_normal(  # noqa: PLR0913  # a row of the table of hearts
    diameter: tuple[float, float],
    septal: tuple[float, float],
    lateral: tuple[float, float],
    mean: float,
    width: tuple[float, float],
    span: tuple[float, float],
) -> Table:
    """A disease of which only the mid level was measured: base and apex are to mid as they are in normal hearts."""
    normal = TABLES["normal"]

    def scaled(rows: tuple[tuple[float, float], ...], value: tuple[float, float]) -> tuple[tuple[float, float], ...]:
        return tuple((value[0] * row[0] / rows[1][0], value[1] * row[1] / rows[1][1]) for row in rows)

    return Table(
        diameter,
        normal.base_to_mid,
        normal.apex_to_mid,
        scaled(normal.septal_wall, septal),
        scaled(normal.lateral_wall, lateral),
        tuple(mean * wall / normal.mean_wall[1] for wall in normal.mean_wall),
        scaled(normal.rv_width, width),
        scaled(normal.rv_span, span),
        normal.rv_leanness,
        _DCM_CORRELATION if diameter[0] > 55 else _NORMAL_CORRELATION,
        *_NORMAL_HARMONICS,
        normal.level_distance_mm,
    )


TABLES: dict[Kind, Table] = {
    "normal": Table(
        (49.3, 4.1),
        (1.06, 0.05),
        (0.75, 0.04),
        ((8.8, 1.8), (7.5, 1.4), (6.3, 1.4)),
        ((7.8, 1.6), (7.1, 1.3), (7.0, 1.3)),
        (8.1, 7.0, 6.5),
        ((43.4, 4.7), (35.0, 5.9), (23.2, 5.8)),
        ((121, 13), (113, 13), (98, 22)),
        (1.1, 1.55, 1.55),
        _NORMAL_CORRELATION,
        *_NORMAL_HARMONICS,
        (24.0, 2.0),
    ),
    # diameter: of the mildest, and the scatter at a given severity, see `draw_heart`
    "dcm": Table(
        (49.3, 4.8),
        (1.05, 0.05),
        (0.77, 0.05),
        ((9.2, 1.6), (9.1, 1.8), (7.8, 1.7)),
        ((7.9, 1.1), (7.5, 1.4), (7.0, 1.4)),
        (8.5, 7.9, 7.1),
        ((42.1, 9.2), (32.8, 9.6), (21.6, 8.2)),
        ((112, 8), (105, 13), (85, 28)),
        (1.0, 1.2, 1.1),
        _DCM_CORRELATION,
        *_DCM_HARMONICS,
        (28.0, 2.5),
    ),
}
TABLES["hcm"] = _like_normal((47.9, 3.9), (13.5, 4.2), (10.1, 2.7), 11.4, (29.4, 6.9), (95, 12))
TABLES["infarct"] = _like_normal((57.5, 6.0), (8.6, 2.1), (7.7, 1.8), 7.8, (28.0, 6.8), (103, 14))
TABLES["rv"] = _like_normal((48.1, 5.7), (7.6, 1.6), (6.3, 1.7), 6.7, (46.7, 6.6), (128, 8))

DCM_DILATION_MM = 24.0
"""From the mildest to the most severe: the severe half is as large as ACDC's (68 mm), all against normal have an AUC
of cavity area of 0.90."""
UNEVENNESS_MM = 0.8
"""The part of the septal and lateral wall's SD that comes from the ring's uneven thickness, see `outlines`."""
WITHIN_PATIENT = 0.7
"""How much of a measure's variance the levels of one heart share."""


@dataclass(frozen=True)
class Heart:
    """Measures in mm and radians, arrays (3,) at base, mid and apex. severity: 0 to 1, of DCM alone."""

    kind: Kind
    is_female: bool
    severity: float
    diameter: FloatArray
    septal_wall: FloatArray
    lateral_wall: FloatArray
    mean_wall: FloatArray
    rv_width: FloatArray
    rv_span: FloatArray
    level_distance: float

    @property
    def table(self) -> Table:
        return TABLES[self.kind]


def draw_heart(kind: Kind, random: np.random.Generator) -> Heart:
    table = TABLES[kind]
    is_female = bool(random.random() < (0.35 if kind == "dcm" else 0.5))
    common = random.multivariate_normal(np.zeros(5), table.correlation)
    own = random.standard_normal((5, 3))
    # Women's hearts are smaller: part of the scatter of the diameter, not on top of it.
    size = 0.87 * common[0] + (-0.5 if is_female else 0.5)
    scores = np.sqrt(WITHIN_PATIENT) * common[:, np.newaxis] + np.sqrt(1 - WITHIN_PATIENT) * own
    scores[:, 1] = common

    severity = float(random.random()) if kind == "dcm" else 0.0
    mid = table.diameter[0] + DCM_DILATION_MM * severity + table.diameter[1] * size
    ratios = np.array([table.base_to_mid, (1.0, 0.0), table.apex_to_mid])
    diameter = mid * (ratios[:, 0] + ratios[:, 1] * own[0])

    septal, lateral = (
        _positive([(mean, np.sqrt(sd**2 - UNEVENNESS_MM**2)) for mean, sd in measure], score)
        for measure, score in zip((table.septal_wall, table.lateral_wall), scores[1:3], strict=True)
    )
    halves = (septal + lateral) / 2
    expected = (np.array(table.septal_wall)[:, 0] + np.array(table.lateral_wall)[:, 0]) / 2
    mean_wall = (
        np.array(table.mean_wall) * (1 + 0.9 * (halves / expected - 1))
        + random.normal(0, 0.5)
        + random.normal(0, 0.2, 3)
    )
    return Heart(
        kind,
        is_female,
        severity,
        diameter,
        septal,
        lateral,
        np.maximum(mean_wall, 3.5),
        _positive(table.rv_width, scores[3]),
        np.radians(np.clip([mean + sd * z for (mean, sd), z in zip(table.rv_span, scores[4], strict=True)], 40, 165)),
        float(random.normal(*table.level_distance_mm)),
    )


def _positive(measure: Sequence[tuple[float, float]], scores: FloatArray) -> FloatArray:
    """Values of the measure's mean and SD, log-normal, since no wall and no ventricle is thinner than nothing."""
    mean, sd = np.array(measure).T
    width = np.sqrt(np.log1p((sd / mean) ** 2))
    return np.asarray(mean * np.exp(width * scores - width**2 / 2))
