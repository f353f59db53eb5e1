"""Simulated patients, their hearts and what is known of them."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from scipy import ndimage

from ACNetTrainerLib.simulation.anatomy import HEART_REACH_MM, MID, Heart, heart_section, insertion_points
from ACNetTrainerLib.simulation.patient import Label, Patient, draw_patient
from ACNetTrainerLib.simulation.section import (
    LEVEL_NAMES,
    SimulatedSection,
    simulate_section,
    simulate_section_without_heart,
)
from ACNetTrainerLib.simulation.tissues import Tissue

PATIENTS: tuple[tuple[int, Label, float], ...] = (
    (0, "normal", 1.5),
    (1, "dcm", 1.5),
    (2, "normal", 3.0),
    (3, "dcm", 3.0),
)


@pytest.fixture(scope="module")
def patients() -> list[Patient]:
    return [draw_patient(11, *who) for who in PATIENTS]


@pytest.fixture(scope="module")
def sections(patients: list[Patient]) -> list[dict[str, SimulatedSection]]:
    """Of each patient: the section at each level."""
    return [{level: simulate_section(patient, level) for level in LEVEL_NAMES} for patient in patients]


def in_image(section: SimulatedSection, point_mm: np.ndarray) -> np.ndarray:
    """From the patient's own axes to those of the image, both in mm from the LV centre."""
    cos, sin = np.cos(section.patient.scan.rotation_rad), np.sin(section.patient.scan.rotation_rad)
    return np.array([[cos, -sin], [sin, cos]]) @ point_mm


def tissues_near(heart: Heart, level: float, point: np.ndarray, reach_mm: float) -> set[int]:
    down, right = np.mgrid[-reach_mm:reach_mm:25j, -reach_mm:reach_mm:25j].astype(np.float32)
    background = np.full(down.shape, Tissue.LUNG, np.uint8)
    return set(heart_section(heart, right + point[0], down + point[1], level, background).tissue.ravel().tolist())


def test_the_wall_surrounds_the_cavity_and_does_not_overlap_it(sections: list[dict[str, SimulatedSection]]) -> None:
    for section in (section for levels in sections for section in levels.values()):
        cavity, myocardium = section.truth.cavity, section.truth.myocardium
        assert not (cavity & myocardium).any()
        # A pixel that either half fills belongs to neither: single gaps between the two are closed first.
        heart = ndimage.binary_closing(cavity | myocardium)
        assert (heart & ~(cavity | myocardium)).sum() < 0.04 * heart.sum()
        # Only the outflow tract opens the ring, and only above the base.
        open_edge = ndimage.binary_dilation(cavity) & ~heart
        assert open_edge.sum() < 0.02 * heart.sum()
        for mask in (cavity, heart):
            assert ndimage.label(mask)[1] == 1
            assert ndimage.binary_fill_holes(mask).sum() == mask.sum()


def test_the_cavity_tapers_from_base_to_apex(sections: list[dict[str, SimulatedSection]]) -> None:
    for levels in sections:
        base, mid, apex = (np.sqrt(levels[level].truth.cavity.sum()) for level in LEVEL_NAMES)
        assert 0.85 < mid / base < 1.05
        assert 0.4 < apex / base < 0.85


def test_the_masks_have_the_size_of_the_patients_heart(sections: list[dict[str, SimulatedSection]]) -> None:
    for mid in (levels["mid"] for levels in sections):
        heart, pixel_mm = mid.patient.heart, mid.patient.scan.acquisition.pixel_mm
        cavity = mid.truth.cavity.sum() * pixel_mm**2
        whole = cavity + mid.truth.myocardium.sum() * pixel_mm**2
        diameter = heart.cavity_diameter_mm * heart.cavity_scale(mid.patient.mid_level)
        assert 2 * np.sqrt(cavity / np.pi) == pytest.approx(diameter, rel=0.02)
        assert np.sqrt(whole / np.pi) - np.sqrt(cavity / np.pi) == pytest.approx(heart.wall_mm, abs=0.6)


def test_the_true_centre_lies_in_the_middle_of_the_cavity(sections: list[dict[str, SimulatedSection]]) -> None:
    for section in (section for levels in sections for section in levels.values()):
        centroid = ndimage.center_of_mass(section.truth.cavity)[::-1]
        pixel_mm = section.patient.scan.acquisition.pixel_mm
        assert np.hypot(*(section.truth.lv_center - centroid)) * pixel_mm < 2


def test_insertion_points_lie_where_the_right_ventricle_meets_the_left(patients: list[Patient]) -> None:
    for heart in (patient.heart for patient in patients):
        for level in (0.25, 0.5, 0.75):
            anterior, inferior = insertion_points(heart, level)
            assert anterior[1] < inferior[1]
            assert anterior[1] < 0
            for point in (anterior, inferior):
                angle = np.arctan2(point[1], point[0])
                epicardium = heart.endocardial_radius_mm(angle, level) + heart.wall_thickness_mm(angle, level)
                assert np.hypot(*point) == pytest.approx(float(epicardium), abs=0.01)
                assert {Tissue.MYOCARDIUM, Tissue.FAT} <= tissues_near(heart, level, point, 9)
            lateral = np.array([heart.cavity_diameter_mm / 2 * heart.cavity_scale(level), 0.0])
            assert Tissue.RIGHT_BLOOD not in tissues_near(heart, level, lateral, 6)


def test_the_septum_between_the_insertion_points_faces_the_right_ventricle(patients: list[Patient]) -> None:
    for heart in (patient.heart for patient in patients):
        assert insertion_points(heart, 0.5).mean(axis=0)[0] < 0
        septum = np.array([np.pi])
        epicardium = heart.endocardial_radius_mm(septum, 0.5) + heart.wall_thickness_mm(septum, 0.5)
        assert tissues_near(heart, 0.5, np.array([-float(epicardium[0]) - 6, 0.0]), 2) == {Tissue.RIGHT_BLOOD}


def test_insertion_points_of_a_section_are_those_of_the_patient_turned_into_the_image(
    sections: list[dict[str, SimulatedSection]],
) -> None:
    for section in (levels["mid"] for levels in sections):
        patient = section.patient
        for found, point in zip(
            section.truth.insertion_points, insertion_points(patient.heart, patient.mid_level), strict=True
        ):
            expected = in_image(section, point) / patient.scan.acquisition.pixel_mm + section.truth.lv_center
            np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_same_patient_twice_is_identical_to_the_last_bit(sections: list[dict[str, SimulatedSection]]) -> None:
    again = simulate_section(draw_patient(11, *PATIENTS[1]), "mid")
    np.testing.assert_array_equal(again.t1_ms, sections[1]["mid"].t1_ms)
    np.testing.assert_equal(asdict(again.truth), asdict(sections[1]["mid"].truth))


@pytest.mark.parametrize("change", [{"seed": 12}, {"index": 2}])
def test_another_seed_or_index_is_another_patient(change: dict[str, int], patients: list[Patient]) -> None:
    other = draw_patient(**{"seed": 11, "index": 1, "label": "dcm", "field_strength_tesla": 1.5, **change})  # type: ignore[arg-type]
    assert other.heart != patients[1].heart
    assert other.scan.lv_offset_mm != patients[1].scan.lv_offset_mm


@pytest.mark.parametrize("field_strength_tesla", [1.5, 3.0])
def test_the_scan_and_the_chest_do_not_depend_on_the_diagnosis(field_strength_tesla: float) -> None:
    for index in range(20):
        normal, dcm = (draw_patient(4, index, label, field_strength_tesla) for label in ("normal", "dcm"))
        np.testing.assert_equal(asdict(normal.scan), asdict(dcm.scan))
        assert normal.levels == dcm.levels
        assert normal.heart != dcm.heart


def test_far_from_the_heart_the_map_does_not_depend_on_the_diagnosis() -> None:
    """The two differ by the heart's ringing alone, which is far below the map's noise."""
    normal, dcm = (simulate_section(draw_patient(4, 1, label, 1.5), "mid") for label in ("normal", "dcm"))
    rows, columns = np.indices(normal.t1_ms.shape)
    distance = np.hypot(columns - normal.truth.lv_center[0], rows - normal.truth.lv_center[1])
    far = distance * normal.patient.scan.acquisition.pixel_mm > HEART_REACH_MM + 5
    difference = np.abs(normal.t1_ms - dcm.t1_ms)
    assert np.median(difference[far]) < 1
    assert np.median(difference[normal.truth.cavity ^ dcm.truth.cavity]) > 100


def test_a_plane_without_the_heart_shows_the_same_body_with_no_blood_in_the_hearts_place(
    patients: list[Patient],
) -> None:
    for patient in patients[1:3]:
        section, without = simulate_section(patient, "mid"), simulate_section_without_heart(patient, "mid")
        assert without.shape == section.t1_ms.shape
        rows, columns = np.indices(without.shape)
        distance = np.hypot(columns - section.truth.lv_center[0], rows - section.truth.lv_center[1])
        far = distance * patient.scan.acquisition.pixel_mm > HEART_REACH_MM + 5
        organs = far & (np.abs(section.truth.t1_ms - patient.scan.tissues[Tissue.LIVER].t1_ms) < 60)
        assert np.median(without[organs]) == pytest.approx(np.median(section.t1_ms[organs]), abs=40)
        cavity = section.truth.cavity
        assert np.median(np.abs(without[cavity] - section.t1_ms[cavity])) > 150  # no blood
        np.testing.assert_array_equal(without, simulate_section_without_heart(patient, "mid"))


def test_no_part_of_a_heart_lies_beyond_its_stated_reach() -> None:
    radius, angle = np.meshgrid(np.arange(HEART_REACH_MM, HEART_REACH_MM + 20), np.linspace(0, 2 * np.pi, 360))
    x, y = (radius * np.cos(angle)).astype(np.float32), (radius * np.sin(angle)).astype(np.float32)
    lung = np.full(x.shape, Tissue.LUNG, np.uint8)
    for index in range(200):
        heart = draw_patient(6, index, "dcm", 1.5).heart
        np.testing.assert_array_equal(heart_section(heart, x, y, 0.25, lung).tissue, lung)


def test_fibrosis_raises_t1_in_the_middle_of_the_septal_wall_of_a_third_of_dcm() -> None:
    with_fibrosis = []
    for index in range(600):
        muscle = draw_patient(6, index, "dcm", 1.5).myocardium
        rise, centre, _ = muscle.fibrosis
        if rise == 0:
            continue
        with_fibrosis.append(index)
        angle = np.full(3, centre, np.float32)
        endocardial, middle, epicardial = muscle.at(angle, np.array([0.0, 0.5, 1.0], np.float32), MID)
        assert middle - max(endocardial, epicardial) > 0.9 * rise
        assert 60 <= rise <= 90
        assert abs(np.angle(np.exp(1j * (centre - np.pi)))) < 1.2
    assert len(with_fibrosis) / 600 == pytest.approx(1 / 3, abs=0.06)
    assert all(draw_patient(6, index, "normal", 1.5).myocardium.fibrosis[0] == 0 for index in range(100))


def test_an_unknown_field_strength_is_refused() -> None:
    with pytest.raises(ValueError, match=r"7\.0 T, expected one of \(1\.5, 3\.0\)"):
        draw_patient(1, 0, "dcm", 7.0)
