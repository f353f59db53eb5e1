"""The second simulation of T1 maps: like real hearts, the same each time, independent of `simulation`."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.t1map.checks import check_short_axis
from ACNetLib.t1map.t1_map import read_t1_map
from ACNetLib.ventricle.labels import CAVITY_LABEL, MYOCARDIUM_LABEL, SEPTUM_LABEL, Ventricle, measure_ventricle
from ACNetTrainerLib.abroad.cohort import Cohort
from ACNetTrainerLib.abroad.hearts import DISEASES, KINDS, LEVEL_NAMES, Kind
from ACNetTrainerLib.abroad.scan import STORAGE_ORDERS, Scan, draw_scan, stored
from ACNetTrainerLib.abroad.sections import draw_section
from ACNetTrainerLib.abroad.signals import BRIGHTNESS, Sequence, acquire, draw_sequence, fit_t1, with_noise
from ACNetTrainerLib.abroad.surroundings import Tissue
from ACNetTrainerLib.abroad.validation import validate_shapes
from ACNetTrainerLib.cases.library import CaseLibrary, read_case_library
from ACNetTrainerLib.commands.main import main
from ACNetTrainerLib.localization.sections import read_labelled_sections
from ACNetTrainerLib.simulation.hearts import Label
from ACNetTrainerLib.simulation.real_hearts import (
    CORRELATIONS,
    CUES,
    HARMONICS,
    LV_OFFSET_SD_MM,
    MEASURES,
    RAYS_MM,
    RV_DIRECTION_DEG,
    SIZES,
)
from ACNetTrainerLib.simulation.shapes import RAY_ANGLES_DEG
from imported_names import imported, module_name
from repository import REPOSITORY

ABROAD = sorted(((REPOSITORY / "ACNetTrainer" / "ACNetTrainerLib") / "abroad").glob("*.py"))
PACKAGE = "ACNetTrainerLib.abroad"

NAMES = {"cavity_diameter": "diameter", "wall": "mean_wall"}
"""Of measures that are called otherwise abroad."""
MEANS = {key: {name: mean for name, (mean, _) in zip(MEASURES, row, strict=True)} for key, row in SIZES.items()}


@pytest.fixture(scope="module")
def shapes() -> dict[str, Any]:
    return validate_shapes(400, seed=3)


@pytest.fixture(scope="module")
def scans() -> list[Scan]:
    random = np.random.default_rng(8)
    return [draw_scan(25.0, random) for _ in range(3000)]


@pytest.fixture(scope="module")
def a_library(tmp_path_factory: pytest.TempPathFactory) -> CaseLibrary:
    folder = tmp_path_factory.mktemp("abroad") / "library"
    assert main(["simulate-abroad", "--patients", "4", "--field", "3", "--seed", "5", "--output", str(folder)]) == 0
    return read_case_library(folder)


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


# No kin


def test_it_shares_no_code_with_the_training_simulation() -> None:
    assert len(ABROAD) > 8
    shared = {name for file in ABROAD for name in imported(file) if name.startswith("ACNetTrainerLib.simulation")}
    assert {name.rsplit(".", 1)[0] for name in shared} == {"ACNetTrainerLib.simulation.truth"}
    ours = set((REPOSITORY / "ACNetTrainer" / "ACNetTrainerLib").rglob("*.py")) - set(ABROAD)
    users = {module_name(file) for file in ours if any(name.startswith(PACKAGE) for name in imported(file))}
    commands = {f"ACNetTrainerLib.commands.research.{name}" for name in ("abroad", "real_hearts")}
    assert users == {*commands, "ACNetTrainerLib.study.real_hearts"}, "only what tests with it reaches it, no training"


# Shapes


@pytest.mark.parametrize("kind", KINDS)
def test_hearts_measure_what_real_ones_do(shapes: dict[str, Any], kind: Kind) -> None:
    not_asked = ["wall_variation", "rv_hull", *(["cavity_diameter"] if kind == "dcm" else [])]  # our DCM are milder
    for level, measured in shapes["measures"][kind].items():
        for name, real in MEANS.get((kind, level), {}).items():
            if name not in not_asked:
                found = measured[NAMES.get(name, name)]["mean"]
                assert found == pytest.approx(real, rel=0.12 if name == "rv_area" else 0.06), (level, name)


def test_the_severe_half_of_dcm_is_as_large_as_real_severe_hearts(shapes: dict[str, Any]) -> None:
    assert shapes["larger_half_of_dcm_diameter"]["mean"] == pytest.approx(MEANS["dcm", "mid"]["cavity_diameter"], abs=2)


def test_shapes_tell_dcm_apart_as_well_as_real_ones(shapes: dict[str, Any]) -> None:
    real = {"cavity_area": 0.90} | {NAMES.get(name, name): value for name, (value, _) in CUES.items()}
    assert shapes["auroc"] == pytest.approx(real, abs=0.05)
    assert shapes["auroc"]["cavity_area"] == pytest.approx(0.90, abs=0.03)


def test_measures_go_together_as_in_real_hearts(shapes: dict[str, Any]) -> None:
    for kind, real in CORRELATIONS.items():
        assert list(shapes["correlations"][kind].values()) == pytest.approx(list(real.values()), abs=0.17)


@pytest.mark.parametrize("kind", RAYS_MM)
def test_the_right_ventricle_is_a_crescent_blunt_on_one_side(shapes: dict[str, Any], kind: Label) -> None:
    measured = shapes["measures"][kind]["mid"]
    for ray, real_mm in zip(RAY_ANGLES_DEG, RAYS_MM[kind], strict=True):
        if -30 <= ray <= 45:  # further out many rays don't meet it: abroad these count as 0
            assert measured[f"ray_{ray}"]["mean"] == pytest.approx(real_mm, abs=3.5), ray
    assert 0.72 < measured["rv_hull"]["mean"] < 0.84
    assert measured["ray_-60"]["mean"] < 1.0 < measured["ray_60"]["mean"]


def test_outlines_are_as_uneven_as_real_ones(shapes: dict[str, Any]) -> None:
    measured = shapes["measures"]["normal"]["mid"]
    for name, amplitudes in HARMONICS["normal"].items():
        for harmonic, amplitude in zip((2, 3, 4), amplitudes[:3], strict=True):
            assert measured[f"{name}_{harmonic}"]["mean"] == pytest.approx(amplitude, rel=0.2)
    assert measured["wall_sd"]["mean"] == pytest.approx(MEANS["normal", "mid"]["wall_variation"], abs=0.2)


# Place and storage


def test_hearts_lie_and_turn_in_the_image_as_real_ones(scans: list[Scan]) -> None:
    directions = np.degrees([scan.rv_direction for scan in scans])
    real = {1: 118, 25: 138, 75: 180, 99: 241} | RV_DIRECTION_DEG
    assert np.percentile(directions, list(real)) == pytest.approx(list(real.values()), abs=6)
    offsets = np.array([scan.lv_mm[1] for scan in scans])
    assert offsets.std() == pytest.approx(LV_OFFSET_SD_MM, abs=2)
    assert np.percentile(offsets, (1, 99)) == pytest.approx((-49, 37), abs=6)
    assert 1.0 <= min(scan.pixel_mm for scan in scans) < 1.1
    assert 1.9 < max(scan.pixel_mm for scan in scans) <= 2.1
    assert 0.4 < np.mean([scan.rows > scan.columns for scan in scans]) < 0.8


def test_the_turn_in_the_image_is_the_turn_in_the_patient(scans: list[Scan]) -> None:
    for scan in scans[:300]:
        assert scan.axes.T @ scan.axes == pytest.approx(np.eye(3), abs=1e-9)
        assert np.linalg.det(scan.axes) == pytest.approx(1)
        assert check_short_axis(scan.axes[:, 2], "scan") == ()
        to_rv = scan.axes @ np.array([np.cos(scan.rv_direction), np.sin(scan.rv_direction), 0])
        to_anterior = scan.axes @ np.array([-np.sin(scan.rv_direction), np.cos(scan.rv_direction), 0])
        assert to_rv[0] < -0.4, "the right ventricle is on the right"
        assert to_anterior[2] > 0.2, "the anterior wall is higher"


def test_each_storage_order_is_the_same_in_space_and_another_in_memory(scans: list[Scan]) -> None:
    scan = scans[0]
    values = np.random.default_rng(0).random((scan.rows, scan.columns)).astype(np.float32)
    plain = scan.place(values, 0)
    images = [stored(plain, storage) for storage in range(STORAGE_ORDERS)]
    for image in images:
        again = sitk.Resample(image, plain, sitk.Transform(), sitk.sitkNearestNeighbor, -1.0)
        assert np.array_equal(sitk.GetArrayFromImage(again)[0], values)
    assert len({sitk.GetArrayFromImage(image).tobytes() for image in images}) == STORAGE_ORDERS
    assert {scan.storage for scan in scans} == set(range(STORAGE_ORDERS))


# Signals


@pytest.mark.parametrize("inverts", [True, False])
def test_the_fit_finds_the_t1_of_each_tissue(inverts: bool) -> None:
    random = np.random.default_rng(4)
    sequence = next(one for one in (draw_sequence(3.0, random) for _ in range(50)) if one.inverts == inverts)
    quiet = Sequence(**{**vars(sequence), "noise": 1e-4, "motion": 0.0, "ghost": 0.0, "fat": 1.0})
    tissues = [tissue for tissue in Tissue if BRIGHTNESS[tissue] > 0.2]
    fractions = np.zeros((len(Tissue), 8, 8 * len(tissues)), np.float32)
    t1_ms = np.ones(fractions.shape)
    expected = np.linspace(300, 1900, len(tissues))
    for number, tissue in enumerate(tissues):
        fractions[tissue, :, 8 * number : 8 * number + 8] = 1
        t1_ms[tissue] = expected[number]
    series = acquire(fractions, t1_ms, np.ones(fractions.shape[1:]), quiet, random)
    fitted = fit_t1(with_noise(series, quiet, random), quiet)
    assert fitted[4, 4::8] == pytest.approx(expected, rel=0.02)


def test_maps_look_like_real_ones() -> None:
    cohort = Cohort(10, 3.0, 9, scanner_factor=1.0)
    spreads, lungs, highest = [], [], []
    for index in range(cohort.patients):
        patient = cohort.patient(index)
        section = draw_section(patient, 1)
        wall = section.t1_ms[section.myocardium]
        spreads.append(np.subtract(*np.percentile(wall, (75, 25))))
        assert np.median(wall) == pytest.approx(patient.tissue_t1_ms[Tissue.MYOCARDIUM], abs=80)
        assert np.median(section.t1_ms[section.cavity]) == pytest.approx(1800, abs=150)
        lung = np.abs(section.true_t1_ms - patient.tissue_t1_ms[Tissue.LUNG]) < 60
        lungs.append(section.t1_ms[lung & ~section.myocardium].std())
        highest.append(np.percentile(section.t1_ms, 99))
    assert 80 < np.median(spreads) < 150
    assert 300 < np.median(lungs) < 700, "salt and pepper"
    assert 1900 < np.median(highest) < 3000


# Cohorts


def test_a_cohort_is_a_case_library_with_its_truth(a_library: CaseLibrary) -> None:
    assert len(a_library.cases) == 4 * len(LEVEL_NAMES)
    assert sorted(case.label for case in a_library.cases) == ["dcm"] * 6 + ["normal"] * 6
    for case in a_library.cases:
        t1_map = read_t1_map(a_library.path(case))
        assert t1_map.simulated
        assert case.is_simulated
        assert t1_map.field_strength_tesla == 3.0
        path = a_library.masks_path(case)
        assert path is not None
        labels = sitk.ReadImage(str(path))
        assert labels.GetDirection() == pytest.approx(t1_map.image.GetDirection())
        index = labels.TransformPhysicalPointToIndex(case.center_mm)
        assert labels[index] == CAVITY_LABEL
        assert set(np.unique(sitk.GetArrayFromImage(labels))) == {0, MYOCARDIUM_LABEL, CAVITY_LABEL, SEPTUM_LABEL}


def test_the_septum_is_found_from_the_truth_in_mirrored_maps_too(a_library: CaseLibrary) -> None:
    with (a_library.folder / "truth.csv").open(encoding="utf-8", newline="") as file:
        truth = {row["case"]: row for row in csv.DictReader(file)}
    handedness = set()
    for case, section in zip(a_library.cases, read_labelled_sections(a_library, a_library.cases), strict=True):
        assert section.center_mm is not None
        measures = measure_ventricle(section.t1_map, Ventricle(0, section.center_mm, labels=section.labels))
        assert measures is not None
        assert measures.septal_t1_ms == pytest.approx(float(truth[case.case]["septal_t1_ms"]), abs=5)
        handedness.add(np.linalg.det(np.reshape(section.t1_map.image.GetDirection(), (3, 3))) > 0)
    assert handedness == {True, False}, "the library holds both kinds of maps"


def test_a_cohort_is_the_same_each_time_and_starts_a_larger_one(a_library: CaseLibrary, tmp_path: Path) -> None:
    command = ["simulate-abroad", "--field", "3", "--seed", "5"]
    assert main([*command, "--patients", "2", "--output", str(tmp_path / "small")]) == 0
    small, large = hashes(tmp_path / "small"), hashes(a_library.folder)
    images = {name for name in small if name.endswith(".nrrd")}
    assert len(images) == 2 * 3 * 3
    assert {name: small[name] for name in images} == {name: large[name] for name in images}


def test_another_seed_gives_other_patients_and_another_scanner() -> None:
    one, other = Cohort(2, 1.5, 1), Cohort(2, 1.5, 2)
    assert one.patient(0).heart.diameter[1] != other.patient(0).heart.diameter[1]
    assert one.factor != other.factor
    assert np.std([Cohort(2, 1.5, seed).factor for seed in range(400)]) == pytest.approx(0.04, abs=0.006)


@pytest.mark.parametrize("disease", DISEASES)
def test_other_diseases_are_labelled_as_not_dcm(disease: str, tmp_path: Path) -> None:
    assert disease in KINDS
    command = ["simulate-abroad", "--patients", "1", "--disease", disease, "--scanner-factor", "1"]
    assert main([*command, "--output", str(tmp_path / disease)]) == 0
    assert {case.label for case in read_case_library(tmp_path / disease).cases} == {"normal"}


# What the documentation says


@pytest.mark.parametrize("field", ["1.5T", "3T"])
def test_the_kept_results_are_within_their_bands(field: str) -> None:
    record = json.loads((REPOSITORY / "Documentation" / "results" / f"abroad-{field}.json").read_text(encoding="utf-8"))
    assert record["maps"]["auroc"]["septal_t1_ms"] == pytest.approx(0.85, abs=0.03)
    assert record["maps"]["auroc"]["cavity_area_mm2"] == pytest.approx(0.90, abs=0.03)
