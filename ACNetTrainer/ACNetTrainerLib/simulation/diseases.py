"""Hearts that no model of ours is trained on: a normal simulated patient in the same body and scan, changed.

What is changed, by how much and after which source: Documentation/other-diseases.md. Where no source gives a number it
is an assumption, and said to be one there. Athlete's heart is no disease, but may be taken for one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from .anatomy import SEPTUM_ANGLE_RAD, Heart, RegionalWall, Sector
from .patient import Disease, Lesion, Patient, draw_patient

DISEASES: tuple[Disease, ...] = get_args(Disease)
CORONARY_TERRITORIES = ((0.45, np.deg2rad(235)), (0.20, np.deg2rad(10)), (0.35, np.deg2rad(110)))
"""Share of infarcts and middle of the wall: left anterior descending, circumflex, right coronary artery."""
LATERAL_ANGLE_RAD = np.deg2rad(25)


@dataclass(frozen=True)
class T1Rise:
    """How far apparent T1 lies above the same patient's in health, ms: mean and standard deviation between patients.

    diffuse: of the whole myocardium. lesion: of the lesion, further.
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
    },
    3.0: {
        "hcm": T1Rise((41.0, 35.0)),
        "amyloidosis": T1Rise((170.0, 60.0)),
        "athlete": T1Rise((-28.0, 0.0)),
        "infarct": T1Rise((0.0, 0.0), (396.0, 110.0)),
        "myocarditis": T1Rise((60.0, 54.0), (130.0, 36.0)),
    },
}


def draw_diseased_patient(seed: int, index: int, disease: Disease, field_strength_tesla: float) -> Patient:
    """Patient `index` of the normal patients `seed`, in the same body and scan, with `disease`: always the same one."""
    normal = draw_patient(seed, index, "normal", field_strength_tesla)
    # Streams 0 to 3 of a patient are the heart, the scan and the sections'.
    rng = np.random.default_rng([seed, index, 4, DISEASES.index(disease)])
    rise = T1_RISES[field_strength_tesla][disease]
    diffuse_ms, lesion_ms = rng.normal(*rise.diffuse), rng.normal(*rise.lesion)
    heart, lesion = normal.heart, None
    match disease:
        case "hcm":
            heart = _hypertrophic(heart, rng)
        case "amyloidosis":
            heart = _infiltrated(heart, rng)
        case "athlete":
            heart = _trained(heart, rng)
        case "infarct":
            heart, lesion = _infarcted(heart, lesion_ms, rng)
        case "myocarditis":
            lesion = _subepicardial_lesion(lesion_ms, rng)
    myocardium = replace(normal.myocardium, mean=normal.myocardium.mean + diffuse_ms, lesion=lesion)
    return replace(normal, label=disease, heart=heart, myocardium=myocardium)


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
