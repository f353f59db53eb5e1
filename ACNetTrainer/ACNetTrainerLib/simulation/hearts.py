"""Drawing a heart: sizes and shapes with the means, scatter and correlations that were measured on real hearts.

Sources and what is set instead of measured: Documentation/simulation.md. Normal hearts and severe DCM follow the
end-diastolic short-axis measurements of the ACDC patients; between them lies what a clinic sees, so that the classes
overlap as in life.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .anatomy import SEPTUM_ANGLE_RAD, Harmonics, Heart, PapillaryMuscle, RightVentricle, Sector

Label = Literal["normal", "dcm"]
Sex = Literal["female", "male"]

SEX_DIAMETER_MM = 1.6
"""Half of what a man's cavity is wider than a woman's."""
ENDOCARDIUM_MM = (1.62, 0.90, 0.43, 0.33, 0.24)
EPICARDIUM_MM = (1.30, 0.80, 0.38, 0.31, 0.27)
"""Mean amplitude of the contours' harmonics 2 to 6: in mm nearly the same in normal hearts and in DCM."""
CONTOURS_TOGETHER = 0.75
"""Correlation of the two contours' harmonics; what is left varies the wall round the ring."""
OPEN_RING_SHARE = 0.1


@dataclass(frozen=True)
class HeartStatistics:
    """Mean and standard deviation between patients at mid level, and how the first four go together.

    correlations: of the cavity's diameter, the mean wall, the right ventricle's width and its insertion span.
    """

    diameter_mm: tuple[float, float]
    wall_mm: tuple[float, float]
    right_width_mm: tuple[float, float]
    right_span_deg: tuple[float, float]
    correlations: tuple[tuple[float, ...], ...]
    septal_excess_mm: tuple[float, float]
    base_scale: tuple[float, float]
    apex_scale: tuple[float, float]
    wall_base_scale: tuple[float, float]
    wall_apex_scale: tuple[float, float]


NORMAL = HeartStatistics(
    diameter_mm=(49.3, 4.0),
    wall_mm=(7.0, 1.0),
    right_width_mm=(33.5, 5.6),
    right_span_deg=(113.0, 12.0),
    correlations=((1, 0.21, 0.50, 0), (0.21, 1, 0.45, 0), (0.50, 0.45, 1, -0.30), (0, 0, -0.30, 1)),
    septal_excess_mm=(0.2, 0.6),
    base_scale=(1.06, 0.04),
    apex_scale=(0.75, 0.04),
    wall_base_scale=(1.16, 0.06),
    wall_apex_scale=(0.93, 0.06),
)
SEVERE_DCM = HeartStatistics(
    diameter_mm=(73.0, 3.9),
    wall_mm=(7.95, 1.25),
    right_width_mm=(30.5, 9.0),
    right_span_deg=(104.0, 12.0),
    correlations=((1, 0, 0.45, 0.1), (0, 1, -0.30, 0), (0.45, -0.30, 1, 0.35), (0.1, 0, 0.35, 1)),
    septal_excess_mm=(1.15, 0.7),
    base_scale=(1.05, 0.04),
    apex_scale=(0.77, 0.045),
    wall_base_scale=(1.08, 0.06),
    wall_apex_scale=(0.90, 0.06),
)


def draw_heart(rng: np.random.Generator, label: Label, sex: Sex, severity: float) -> Heart:
    """A normal heart, or one that is dilated from nearly normal (severity 0) to as large as DCM gets (1)."""
    statistics = NORMAL if label == "normal" else SEVERE_DCM
    towards_severe = 0.0 if label == "normal" else severity
    # The wall of DCM is thicker from its beginning; size comes with severity.
    in_dcm = 0.0 if label == "normal" else 0.55 + 0.45 * severity

    def between(name: str, share: float) -> float:
        (low, _), (high, _) = getattr(NORMAL, name), getattr(SEVERE_DCM, name)
        return float(low + share * (high - low))

    scores = np.linalg.cholesky(np.array(statistics.correlations)) @ rng.standard_normal(4)
    diameter = between("diameter_mm", towards_severe) + statistics.diameter_mm[1] * scores[0]
    diameter += SEX_DIAMETER_MM if sex == "male" else -SEX_DIAMETER_MM
    wall = between("wall_mm", in_dcm) + statistics.wall_mm[1] * scores[1] + (0.25 if sex == "male" else -0.25)
    width = between("right_width_mm", towards_severe) + statistics.right_width_mm[1] * scores[2]
    span = np.deg2rad(between("right_span_deg", towards_severe) + statistics.right_span_deg[1] * scores[3])

    def draw(name: str, share: float) -> float:
        return float(between(name, share) + getattr(statistics, name)[1] * rng.standard_normal())

    septal_excess = draw("septal_excess_mm", in_dcm)
    inferior_excess = float(0.55 * rng.standard_normal())
    endocardium, epicardium = _draw_contours(rng)
    return Heart(
        cavity_diameter_mm=float(np.clip(diameter, 36, 86)),
        wall_mm=float(np.clip(wall, 4.3, 12.5)),
        septal_excess_mm=septal_excess,
        inferior_excess_mm=inferior_excess,
        length_mm=float(rng.normal(92 if sex == "male" else 84, 6) + 10 * towards_severe),
        base_scale=draw("base_scale", in_dcm),
        apex_scale=float(np.clip(draw("apex_scale", in_dcm), 0.55, 0.9)),
        wall_scales=(draw("wall_base_scale", in_dcm), draw("wall_apex_scale", in_dcm)),
        endocardium=endocardium,
        epicardium=epicardium,
        twist=float(rng.normal(0, 0.5)),
        right_ventricle=_draw_right_ventricle(rng, float(width), float(span)),
        fat_mm=float(rng.gamma(1.6, 1.3)),
        fat_sectors=tuple(
            (Sector(float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.3, 0.9))), float(rng.uniform(2, 12)))
            for _ in range(rng.integers(0, 4))
        ),
        papillary_muscles=_draw_papillary_muscles(rng),
        tilt=(float(rng.normal(0, 0.2)), float(rng.normal(0, 0.2))),
        trabeculation_mm=float(rng.uniform(0.3, 3.0)),
        trabecula_phases=tuple(rng.uniform(0, 2 * np.pi, 3).tolist()),
        outflow=_draw_outflow(rng),
    )


def _draw_contours(rng: np.random.Generator) -> tuple[Harmonics, Harmonics]:
    """Endocardium and epicardium: Gaussian in both parts of each harmonic, so amplitudes scatter as measured."""

    def gaussian(mean_amplitudes: tuple[float, ...]) -> NDArray[np.complex128]:
        # The amplitude of a complex Gaussian has this mean.
        sd = np.array(mean_amplitudes) / np.sqrt(np.pi / 2)
        return sd * (rng.standard_normal(len(sd)) + 1j * rng.standard_normal(len(sd)))

    endocardium = gaussian(ENDOCARDIUM_MM)
    shared = endocardium * np.array(EPICARDIUM_MM) / np.array(ENDOCARDIUM_MM)
    own = gaussian(EPICARDIUM_MM)
    epicardium = CONTOURS_TOGETHER * shared + np.sqrt(1 - CONTOURS_TOGETHER**2) * own
    inner, outer = (
        tuple((float(abs(value)), float(np.angle(value))) for value in contour) for contour in (endocardium, epicardium)
    )
    return inner, outer


def _draw_right_ventricle(rng: np.random.Generator, width_mm: float, span_rad: float) -> RightVentricle:
    width_mm = float(np.clip(width_mm, 9, 60))
    span = float(np.clip(span_rad, np.deg2rad(62), np.deg2rad(160)))
    # Towards the base a narrow right ventricle gains more than a wide one.
    base_width_mm = width_mm + rng.normal(9.0, 2.0) - 0.3 * (width_mm - NORMAL.right_width_mm[0])
    inferior = span * float(np.clip(rng.normal(0.43, 0.035), 0.33, 0.53))
    return RightVentricle(
        width_mm=width_mm,
        inferior_rad=inferior,
        anterior_rad=span - inferior,
        peak=float(np.clip(rng.normal(0.34, 0.06), 0.2, 0.5)),
        fullness=float(np.clip(rng.normal(1.1, 0.13), 0.75, 1.6)),
        ripple=(float(abs(rng.normal(0, 0.07))), float(rng.uniform(0, 2 * np.pi))),
        wall_mm=float(rng.uniform(2.0, 4.0)),
        trabeculation_mm=float(rng.uniform(0.0, 2.5)),
        base_scale=float(np.clip(base_width_mm / width_mm, 1.0, 1.7)),
        apex_scale=float(np.clip(rng.normal(0.60, 0.12), 0.3, 0.95)),
        apex_span_scale=float(np.clip(rng.normal(0.87, 0.17), 0.4, 1.2)),
    )


def _draw_papillary_muscles(rng: np.random.Generator) -> tuple[PapillaryMuscle, ...]:
    """Anterolateral and posteromedial, single or split, of any size, apart from the wall or on it."""
    muscles = []
    for middle in np.deg2rad([-40.0, 100.0]):
        for _ in range(rng.choice([0, 1, 2], p=[0.08, 0.72, 0.2])):
            muscles.append(
                PapillaryMuscle(
                    angle=float(rng.normal(middle, 0.3)),
                    gap_mm=float(max(-1.0, rng.normal(1.0, 1.5))),
                    radial_mm=float(rng.uniform(2.0, 5.5)),
                    across_mm=float(rng.uniform(2.0, 6.0)),
                )
            )
    return tuple(muscles)


def _draw_outflow(rng: np.random.Generator) -> Sector | None:
    """Between the septum and the anterior wall, where the aorta leaves; only slices above the base show it."""
    if rng.random() >= OPEN_RING_SHARE:
        return None
    return Sector(float(rng.normal(SEPTUM_ANGLE_RAD + 1.3, 0.3)), float(rng.uniform(0.3, 0.7)))
