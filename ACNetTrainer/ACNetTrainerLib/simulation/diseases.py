"""Hearts that no model of ours is trained on: a normal simulated patient in the same body and scan, changed.

What is changed, by how much and after which source: Documentation/other-diseases.md. Where no source gives a number it
is an assumption, and said to be one there. Athlete's heart is no disease, but may be taken for one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from .anatomy import APEX, BASE, HARMONIC_ORDERS, SEPTUM_ANGLE_RAD, Effusion, Harmonics, Heart, RegionalWall, Sector
from .patient import ApicalOedema, Disease, Lesion, Patient, draw_patient
from .tissues import Tissue, TissueProperties

DISEASES: tuple[Disease, ...] = get_args(Disease)
CORONARY_TERRITORIES = ((0.45, np.deg2rad(235)), (0.20, np.deg2rad(10)), (0.35, np.deg2rad(110)))
"""Share of infarcts and middle of the wall: left anterior descending, circumflex, right coronary artery."""
LATERAL_ANGLE_RAD = np.deg2rad(25)
DEPENDENT_ANGLE_RAD = np.deg2rad(50)
"""Inferolateral: the lowest part of the heart of a patient who lies on the back."""


@dataclass(frozen=True)
class T1Rise:
    """How far apparent T1 lies above the same patient's in health, ms: mean and standard deviation between patients.

    diffuse: of the whole myocardium. lesion: of the lesions, or of the oedematous apex, further.
    """

    diffuse: tuple[float, float]
    lesion: tuple[float, float] = (0.0, 0.0)


T1_RISES: dict[float, dict[Disease, T1Rise]] = {
    1.5: {
        "hcm": T1Rise((45.0, 25.0)),
        "amyloidosis": T1Rise((150.0, 50.0)),
        "athlete": T1Rise((-23.0, 0.0)),
        "infarct": T1Rise((0.0, 0.0), (140.0, 45.0)),
        "myocarditis": T1Rise((50.0, 45.0), (110.0, 30.0)),
        "rv": T1Rise((41.0, 36.0), (81.0, 58.0)),
        "effusion": T1Rise((0.0, 0.0)),
        "takotsubo": T1Rise((73.0, 50.0), (60.0, 40.0)),
    },
    3.0: {
        "hcm": T1Rise((41.0, 35.0)),
        "amyloidosis": T1Rise((170.0, 60.0)),
        "athlete": T1Rise((-28.0, 0.0)),
        "infarct": T1Rise((0.0, 0.0), (396.0, 110.0)),
        "myocarditis": T1Rise((60.0, 54.0), (130.0, 36.0)),
        "rv": T1Rise((49.0, 43.0), (56.0, 57.0)),
        "effusion": T1Rise((0.0, 0.0)),
        "takotsubo": T1Rise((140.0, 90.0), (95.0, 48.0)),
    },
}


def draw_diseased_patient(seed: int, index: int, disease: Disease, field_strength_tesla: float) -> Patient:
    """Patient `index` of the normal patients `seed`, in the same body and scan, with `disease`: always the same one."""
    normal = draw_patient(seed, index, "normal", field_strength_tesla)
    # Streams 0 to 3 of a patient are the heart, the scan and the sections'.
    rng = np.random.default_rng([seed, index, 4, DISEASES.index(disease)])
    rise = T1_RISES[field_strength_tesla][disease]
    diffuse_ms, lesion_ms = rng.normal(*rise.diffuse), rng.normal(*rise.lesion)
    heart, scan = normal.heart, normal.scan
    myocardium = replace(normal.myocardium, mean=normal.myocardium.mean + diffuse_ms)
    match disease:
        case "hcm":
            heart = _hypertrophic(heart, rng)
        case "amyloidosis":
            heart = _infiltrated(heart, rng)
        case "athlete":
            heart = _trained(heart, rng)
        case "infarct":
            heart, scar = _infarcted(heart, lesion_ms, rng)
            myocardium = replace(myocardium, lesions=(scar,))
        case "myocarditis":
            myocardium = replace(myocardium, lesions=(_subepicardial_lesion(lesion_ms, rng),))
        case "rv":
            heart = _with_overloaded_right_ventricle(heart, rng)
            myocardium = replace(myocardium, lesions=_insertion_lesions(heart, max(lesion_ms, 0.0), rng))
        case "effusion":
            heart = replace(heart, effusion=_draw_effusion(rng))
            scan = replace(scan, tissues={**scan.tissues, Tissue.FLUID: _draw_fluid(scan.tissues[Tissue.FLUID], rng)})
        case "takotsubo":
            heart = _ballooned(heart, rng)
            myocardium = replace(myocardium, oedema=ApicalOedema(BASE + 0.1, APEX - 0.1, max(lesion_ms, 0.0)))
    return replace(normal, label=disease, heart=heart, myocardium=myocardium, scan=scan)


def _hypertrophic(heart: Heart, rng: np.random.Generator) -> Heart:
    """Asymmetric: the septum and the anterior wall beside it are thickest."""
    thickest_mm = float(np.clip(rng.normal(22.0, 4.5), 15.0, 36.0))
    wall_mm = heart.wall_mm + 1.0
    sector = Sector(SEPTUM_ANGLE_RAD + rng.uniform(0.1, 0.6), rng.uniform(0.7, 1.3))
    return replace(
        heart,
        wall_mm=wall_mm,
        regional_wall=RegionalWall(sector, thickest_mm / (wall_mm + heart.septal_excess_mm)),
        cavity_diameter_mm=heart.cavity_diameter_mm * rng.normal(0.88, 0.05),
    )


def _infiltrated(heart: Heart, rng: np.random.Generator) -> Heart:
    """Concentric: every wall is thick, the septum a little more, the right ventricle's too."""
    return replace(
        heart,
        wall_mm=float(np.clip(rng.normal(15.0, 2.0), 12.0, 22.0)),
        septal_excess_mm=heart.septal_excess_mm + 1.0,
        cavity_diameter_mm=heart.cavity_diameter_mm * rng.normal(0.92, 0.05),
        right_ventricle=replace(heart.right_ventricle, wall_mm=heart.right_ventricle.wall_mm + 2.0),
    )


def _trained(heart: Heart, rng: np.random.Generator) -> Heart:
    """Both ventricles larger, the wall in proportion."""
    larger = rng.normal(1.10, 0.04)
    return replace(
        heart,
        cavity_diameter_mm=heart.cavity_diameter_mm * larger,
        wall_mm=heart.wall_mm * rng.normal(1.18, 0.06),
        right_ventricle=replace(heart.right_ventricle, width_mm=heart.right_ventricle.width_mm * larger),
        length_mm=heart.length_mm * (1 + larger) / 2,
    )


def _infarcted(heart: Heart, rise_ms: float, rng: np.random.Generator) -> tuple[Heart, Lesion]:
    """A chronic scar from the endocardium outwards in one artery's territory, thinner the more of the wall it takes."""
    shares, middles = zip(*CORONARY_TERRITORIES, strict=True)
    sector = Sector(rng.normal(rng.choice(middles, p=shares), 0.2), rng.uniform(0.6, 1.2))
    transmural = float(np.clip(rng.normal(0.5, 0.17), 0.25, 1.0))
    infarcted = replace(
        heart,
        cavity_diameter_mm=heart.cavity_diameter_mm * rng.normal(1.08, 0.06),
        regional_wall=RegionalWall(sector, 1 - 0.5 * transmural),
    )
    return infarcted, Lesion(sector, 0.0, transmural, rise_ms)


def _subepicardial_lesion(rise_ms: float, rng: np.random.Generator) -> Lesion:
    """In the outer half of the lateral wall."""
    return Lesion(Sector(rng.normal(LATERAL_ANGLE_RAD, 0.3), rng.uniform(0.6, 1.2)), 0.45, 1.0, rise_ms)


def _with_overloaded_right_ventricle(heart: Heart, rng: np.random.Generator) -> Heart:
    """The right ventricle wide, round and thick-walled; the septum, pressed flat, makes the left one a D.

    Against normal hearts as those with an abnormal right ventricle are in ACDC, at mid level: it reaches 46.7 mm beyond
    the left one instead of 35.0, over 128 degrees instead of 113, with an area of 31.7 cm2 instead of 17.9; the left
    cavity is 48.1 mm wide instead of 49.3, its wall 6.7 mm instead of 7.0, the septal one 1.3 mm thicker than the
    lateral one instead of 0.4.
    """
    right, flattened_mm = heart.right_ventricle, float(np.clip(rng.normal(1.8, 0.8), 0.0, 4.0))
    span = min(rng.normal(1.13, 0.04), np.deg2rad(165) / (right.inferior_rad + right.anterior_rad))
    return replace(
        heart,
        cavity_diameter_mm=heart.cavity_diameter_mm * rng.normal(0.98, 0.04),
        wall_mm=heart.wall_mm * 0.96,
        septal_excess_mm=heart.septal_excess_mm + 0.45,
        endocardium=_flattened(heart.endocardium, flattened_mm),
        epicardium=_flattened(heart.epicardium, flattened_mm),
        right_ventricle=replace(
            right,
            width_mm=right.width_mm * rng.normal(1.35, 0.08),
            inferior_rad=right.inferior_rad * span,
            anterior_rad=right.anterior_rad * span,
            fullness=right.fullness * 1.25,
            wall_mm=right.wall_mm + rng.uniform(0.5, 3.5),
        ),
    )


def _flattened(contour: Harmonics, by_mm: float) -> Harmonics:
    """The contour pressed in by twice as much in the septum's middle, wider across, the lateral wall where it was."""
    pressed = {2: by_mm * np.exp(1j * np.pi), 3: by_mm}
    waves = (
        amplitude * np.exp(1j * phase) + pressed.get(order, 0.0)
        for order, (amplitude, phase) in zip(HARMONIC_ORDERS, contour, strict=True)
    )
    return tuple((float(abs(wave)), float(np.angle(wave))) for wave in waves)


def _insertion_lesions(heart: Heart, rise_ms: float, rng: np.random.Generator) -> tuple[Lesion, ...]:
    """Where the right ventricle's wall meets the left's, through the whole wall."""
    right, half_width = heart.right_ventricle, rng.uniform(0.15, 0.3)
    insertions = (SEPTUM_ANGLE_RAD + right.anterior_rad, SEPTUM_ANGLE_RAD - right.inferior_rad)
    return tuple(Lesion(Sector(angle, half_width), 0.0, 1.0, rise_ms) for angle in insertions)


def _draw_effusion(rng: np.random.Generator) -> Effusion:
    """From small to large: the more fluid, the more evenly it lies around the heart."""
    thickness_mm = float(rng.uniform(5.0, 25.0))
    least = float(np.clip(thickness_mm / 40 + rng.normal(0, 0.15), 0.05, 0.9))
    return Effusion(thickness_mm, float(rng.normal(DEPENDENT_ANGLE_RAD, 0.5)), least)


def _draw_fluid(typical: TissueProperties, rng: np.random.Generator) -> TissueProperties:
    """A transudate or, with more protein and a shorter T1, an exudate."""
    mean_ms, sd_ms = (3337.0, 245.0) if rng.random() < 0.5 else (2749.0, 373.0)
    return replace(typical, t1_ms=float(np.clip(rng.normal(mean_ms, sd_ms), 1800.0, 3900.0)))


def _ballooned(heart: Heart, rng: np.random.Generator) -> Heart:
    """The base as in health, the middle wider, the apex about as wide as the middle, with a thin wall."""
    wider = rng.normal(1.10, 0.05)
    base_scale, apex_scale = heart.wall_scales
    return replace(
        heart,
        cavity_diameter_mm=heart.cavity_diameter_mm * wider,
        base_scale=heart.base_scale / wider,
        apex_scale=float(np.clip(rng.normal(0.98, 0.07), 0.8, 1.15)),
        wall_scales=(base_scale, apex_scale * rng.normal(0.78, 0.07)),
    )
