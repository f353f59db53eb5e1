"""Simulated hearts that are neither normal nor dilated."""

from __future__ import annotations

from dataclasses import asdict, replace
from statistics import fmean

import numpy as np
import pytest

from ACNetTrainerLib.simulation.anatomy import (
    APEX,
    BASE,
    HEART_REACH_MM,
    MID,
    heart_section,
    insertion_points,
    outlines,
)
from ACNetTrainerLib.simulation.diseases import DISEASES, T1_RISES, draw_diseased_patient
from ACNetTrainerLib.simulation.patient import Disease, Patient, draw_patient
from ACNetTrainerLib.simulation.section import simulate_section
from ACNetTrainerLib.simulation.shapes import measure_shape
from ACNetTrainerLib.simulation.tissues import Tissue

SEPTUM, LATERAL = np.array([np.pi + 0.3]), np.array([0.0])
ANGLES = np.linspace(0, 2 * np.pi, 360, endpoint=False)


def pairs(disease: Disease, field_strength_tesla: float = 1.5, count: int = 200) -> list[tuple[Patient, Patient]]:
    """The same patients in health and with the disease."""
    return [
        (
            draw_patient(8, index, "normal", field_strength_tesla),
            draw_diseased_patient(8, index, disease, field_strength_tesla),
        )
        for index in range(count)
    ]


def wall_mm(patient: Patient, angle: np.ndarray) -> float:
    return float(patient.heart.wall_thickness_mm(angle, 0.5).mean())


def larger_cavity(pair: tuple[Patient, Patient]) -> float:
    normal, diseased = pair
    return diseased.heart.cavity_diameter_mm / normal.heart.cavity_diameter_mm


@pytest.mark.parametrize("disease", DISEASES)
def test_a_diseased_patient_is_a_normal_one_in_the_same_body_and_scan(disease: Disease) -> None:
    for normal, diseased in pairs(disease, count=5):
        scan = diseased.scan
        if disease == "effusion":  # whose fluid no other patient has
            scan = replace(scan, tissues={**scan.tissues, Tissue.FLUID: normal.scan.tissues[Tissue.FLUID]})
        np.testing.assert_equal(asdict(scan), asdict(normal.scan))
        assert (diseased.index, diseased.seed, diseased.sex) == (normal.index, normal.seed, normal.sex)
        assert diseased.label == disease
        assert (diseased.myocardium, diseased.heart) != (normal.myocardium, normal.heart)


def test_the_same_diseased_patient_twice_is_identical() -> None:
    for disease in DISEASES:
        first, second = (draw_diseased_patient(8, 3, disease, 1.5) for _ in range(2))
        np.testing.assert_equal(asdict(first), asdict(second))


def test_normal_hearts_and_dcm_have_no_regional_wall_no_lesion_no_oedema_and_no_effusion() -> None:
    for index in range(50):
        for patient in (draw_patient(8, index, "normal", 1.5), draw_patient(8, index, "dcm", 3.0)):
            assert patient.heart.regional_wall is None
            assert patient.heart.effusion is None
            assert patient.myocardium.lesions == ()
            assert patient.myocardium.oedema is None


def test_the_septum_in_hypertrophic_cardiomyopathy_is_far_thicker_than_the_lateral_wall_and_the_cavity_small() -> None:
    hearts = pairs("hcm")
    for _, diseased in hearts:
        thickest = float(diseased.heart.wall_thickness_mm(ANGLES, 0.5).max())
        assert 14 < thickest < 44
        assert wall_mm(diseased, SEPTUM) > 1.3 * wall_mm(diseased, LATERAL)
        thickest_at = ANGLES[np.argmax(diseased.heart.wall_thickness_mm(ANGLES, 0.5))]
        assert 0.8 * np.pi < thickest_at < 1.5 * np.pi  # the septum, mostly its anterior part
    assert fmean(map(larger_cavity, hearts)) == pytest.approx(0.88, abs=0.02)


def test_the_wall_in_amyloidosis_is_thick_all_around_and_the_cavity_small() -> None:
    hearts = pairs("amyloidosis")
    for normal, diseased in hearts:
        assert wall_mm(diseased, LATERAL) > wall_mm(normal, LATERAL)
        assert wall_mm(diseased, SEPTUM) < 2.2 * wall_mm(diseased, LATERAL)
    assert fmean(wall_mm(diseased, ANGLES) for _, diseased in hearts) == pytest.approx(15, abs=0.5)
    assert fmean(map(larger_cavity, hearts)) == pytest.approx(0.92, abs=0.02)


def test_an_athletes_heart_is_large_with_a_wall_in_proportion() -> None:
    hearts = pairs("athlete")
    assert fmean(map(larger_cavity, hearts)) == pytest.approx(1.10, abs=0.01)
    thicker = [wall_mm(diseased, ANGLES) / wall_mm(normal, ANGLES) for normal, diseased in hearts]
    assert fmean(thicker) == pytest.approx(1.18, abs=0.02)
    assert fmean(
        d.heart.right_ventricle.width_mm / n.heart.right_ventricle.width_mm for n, d in hearts
    ) == pytest.approx(1.10, abs=0.01)


def test_an_infarct_scar_is_thin_raised_from_the_endocardium_outwards_and_the_rest_is_spared() -> None:
    for normal, diseased in pairs("infarct"):
        (lesion,), wall = diseased.myocardium.lesions, diseased.heart.regional_wall
        assert wall is not None
        middle = np.array([lesion.sector.centre])
        thinned = max((1 - 0.5 * lesion.outer) * wall_mm(normal, middle), 2.5)  # no wall is thinner
        assert wall_mm(diseased, middle) == pytest.approx(thinned, rel=1e-3)
        assert wall_mm(diseased, middle + np.pi) == pytest.approx(wall_mm(normal, middle + np.pi), rel=1e-3)

        angle = np.repeat(middle, 4).astype(np.float32)
        depth = np.array([-0.1, 0.1, lesion.outer - 0.01, 1.05], np.float32)  # papillary muscle, scar, scar, RV wall
        rise = diseased.myocardium.at(angle, depth, MID) - normal.myocardium.at(angle, depth, MID)
        np.testing.assert_allclose(rise, [0, lesion.rise_ms, lesion.rise_ms, 0], atol=0.01)
        assert diseased.myocardium.mean == normal.myocardium.mean


def test_myocarditis_leaves_the_size_and_raises_t1_everywhere_and_more_in_the_outer_lateral_wall() -> None:
    for normal, diseased in pairs("myocarditis", count=50):
        assert diseased.heart == normal.heart
        (lesion,) = diseased.myocardium.lesions
        assert abs(np.angle(np.exp(1j * lesion.sector.centre))) < np.pi / 2
        angle = np.full(2, lesion.sector.centre, np.float32)
        inner, outer = diseased.myocardium.at(angle, np.array([0.2, 0.8], np.float32), MID)
        assert outer - inner == pytest.approx(lesion.rise_ms, abs=0.01)


def test_an_overloaded_right_ventricle_is_as_measured_and_its_insertions_are_raised() -> None:
    hearts = pairs("rv", count=100)
    shapes = [measure_shape(diseased.heart, MID) for _, diseased in hearts]
    assert fmean(shape.rv_width for shape in shapes) == pytest.approx(46.7, abs=2.5)  # ACDC, mean of 30 patients
    assert fmean(shape.rv_span for shape in shapes) == pytest.approx(128, abs=4)
    assert fmean(shape.rv_area for shape in shapes) == pytest.approx(31.7, abs=3.5)
    assert fmean(shape.cavity_diameter for shape in shapes) == pytest.approx(48.1, abs=1.5)
    assert fmean(shape.wall for shape in shapes) == pytest.approx(6.7, abs=0.4)
    assert fmean(shape.septal_wall - shape.lateral_wall for shape in shapes) == pytest.approx(1.3, abs=0.4)
    for _, diseased in hearts[:20]:
        lesions, depth = diseased.myocardium.lesions, np.full(1, 0.5, np.float32)
        for lesion, point in zip(lesions, insertion_points(diseased.heart, MID), strict=True):
            angle = np.arctan2(point[1:], point[:1]).astype(np.float32)
            assert lesion.rise_at(angle, depth) == pytest.approx(lesion.rise_ms, rel=1e-3)
        assert sum(lesion.rise_at(LATERAL.astype(np.float32), depth)[0] for lesion in lesions) < 1


def test_the_septum_beside_an_overloaded_right_ventricle_is_flat() -> None:
    opposite = np.array([np.pi, 0.0])
    across = np.array([np.pi / 2, -np.pi / 2])

    def flatness(patient: Patient) -> float:
        radius = patient.heart.endocardial_radius_mm(np.concatenate([opposite, across]), MID)
        return float(radius[2:].sum() / radius[:2].sum())

    hearts = pairs("rv", count=100)
    assert fmean(flatness(d) for _, d in hearts) > fmean(flatness(n) for n, _ in hearts) + 0.08


def test_an_effusion_is_fluid_all_around_the_heart_which_is_as_in_health() -> None:
    for normal, diseased in pairs("effusion", count=50):
        lines, dry = outlines(diseased.heart, MID), outlines(normal.heart, MID)
        np.testing.assert_array_equal(lines.fat, dry.fat)
        np.testing.assert_array_equal(dry.fluid, dry.fat)
        effusion = diseased.heart.effusion
        assert effusion is not None
        thickness = (lines.fluid - lines.fat)[lines.fluid < HEART_REACH_MM]
        assert thickness.min() >= effusion.least * effusion.thickness_mm - 0.001
        assert 5 <= effusion.thickness_mm <= 25
        assert replace(diseased.heart, effusion=None) == normal.heart
        assert diseased.myocardium == normal.myocardium
        assert 1800 <= diseased.scan.tissues[Tissue.FLUID].t1_ms <= 3900


def test_a_takotsubo_apex_is_wide_thin_and_raised_and_its_base_as_in_health() -> None:
    hearts = pairs("takotsubo", count=100)

    def mean_ratio(measure: str, level: float) -> float:
        return fmean(
            getattr(measure_shape(diseased.heart, level), measure)
            / getattr(measure_shape(normal.heart, level), measure)
            for normal, diseased in hearts
        )

    assert mean_ratio("cavity_diameter", BASE) == pytest.approx(1.0, abs=0.02)
    assert mean_ratio("wall", BASE) == pytest.approx(1.0, abs=0.02)
    assert mean_ratio("cavity_diameter", APEX) > 1.3
    assert mean_ratio("wall", APEX) < 0.85
    angle, in_wall, in_right_wall = np.zeros(1, np.float32), np.full(1, 0.5, np.float32), np.full(1, 1.5, np.float32)
    for _, diseased in hearts:
        t1, oedema = diseased.myocardium, diseased.myocardium.oedema
        assert oedema is not None
        assert t1.at(angle, in_wall, APEX) - t1.at(angle, in_wall, BASE) == pytest.approx(oedema.rise_ms, abs=0.01)
        assert t1.at(angle, in_right_wall, APEX) == t1.at(angle, in_right_wall, BASE)


def test_fluid_around_the_heart_is_bright_on_the_map() -> None:
    normal, diseased = next(pair for pair in pairs("effusion") if pair[1].heart.effusion.thickness_mm > 18)  # type: ignore[union-attr]
    before, after = (simulate_section(patient, "mid").t1_ms for patient in (normal, diseased))
    assert (after > 2200).sum() > (before > 2200).sum() + 500


@pytest.mark.parametrize("field_strength_tesla", [1.5, 3.0])
@pytest.mark.parametrize("disease", DISEASES)
def test_t1_lies_above_that_in_health_by_the_stated_amount(disease: Disease, field_strength_tesla: float) -> None:
    mean, sd = T1_RISES[field_strength_tesla][disease].diffuse
    rises = [d.myocardium.mean - n.myocardium.mean for n, d in pairs(disease, field_strength_tesla)]
    assert fmean(rises) == pytest.approx(mean, abs=3 * sd / np.sqrt(len(rises)) + 0.01)
    assert np.std(rises) == pytest.approx(sd, rel=0.2, abs=0.01)


def test_the_true_map_in_amyloidosis_lies_above_the_normal_one_by_what_was_drawn() -> None:
    normal, diseased = pairs("amyloidosis", count=3)[2]
    before, after = (simulate_section(patient, "mid") for patient in (normal, diseased))
    rise = np.median(after.truth.t1_ms[after.truth.myocardium]) - np.median(before.truth.t1_ms[before.truth.myocardium])
    assert rise == pytest.approx(diseased.myocardium.mean - normal.myocardium.mean, abs=20)
    assert after.truth.myocardium.sum() > 1.5 * before.truth.myocardium.sum()


@pytest.mark.parametrize("disease", DISEASES)
def test_no_part_of_a_diseased_heart_lies_beyond_the_reach_of_hearts(disease: Disease) -> None:
    radius, angle = np.meshgrid(np.arange(HEART_REACH_MM, HEART_REACH_MM + 20), np.linspace(0, 2 * np.pi, 360))
    x, y = (radius * np.cos(angle)).astype(np.float32), (radius * np.sin(angle)).astype(np.float32)
    lung = np.full(x.shape, Tissue.LUNG, np.uint8)
    for _, diseased in pairs(disease, count=100):
        np.testing.assert_array_equal(heart_section(diseased.heart, x, y, 0.25, lung).tissue, lung)
