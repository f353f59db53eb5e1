"""Judging a model beside simple measures: what is counted, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ACNetLib.device import DeviceChoice
from ACNetLib.errors import ACNetError
from ACNetLib.model import Model
from ACNetLib.network import ACNet
from ACNetLib.t1map import read_t1_map
from ACNetTrainerLib.cases import Case, CaseLibrary
from ACNetTrainerLib.dataset import CaseDataset
from ACNetTrainerLib.evaluation import (
    PatientScores,
    evaluate,
    located_library,
    matched_patients,
    measures_log_odds,
    mid_level_measures,
    score_patients,
    verdict_shares,
)
from ACNetTrainerLib.metrics import auroc
from ACNetTrainerLib.training import Predictions, predict
from conftest import Finder, a_card, simulate_library

CPU = DeviceChoice("cpu", "asked for")
ESTIMATES = ("auroc", "recall_dcm", "recall_normal", "balanced_accuracy", "mcc")


@pytest.fixture(scope="module")
def evaluation(an_untrained_network: ACNet, simulated_library: CaseLibrary) -> dict[str, Any]:
    return evaluate(Model(an_untrained_network, a_card("untrained")), simulated_library, CPU)


def test_an_evaluation_holds_every_measure_with_its_interval(evaluation: dict[str, Any]) -> None:
    assert evaluation["simulated"] is True
    assert evaluation["cases"] == {"sections_normal": 18, "sections_dcm": 18, "patients_normal": 6, "patients_dcm": 6}
    assert evaluation["decision_threshold"] == 0.5
    for name in ESTIMATES:
        estimate = evaluation[name]
        assert -1 <= estimate["low"] <= estimate["value"] <= estimate["high"] <= 1, name
    assert evaluation["auroc"]["low"] < evaluation["auroc"]["high"]


def test_the_model_is_compared_with_the_true_measures_of_the_same_patients(
    evaluation: dict[str, Any], simulated_library: CaseLibrary, a_model: Model
) -> None:
    scores = score_patients(a_model, simulated_library, CPU)
    truth = mid_level_measures(simulated_library.folder / "truth.csv", scores.patients)
    compared = evaluation["true_measures"]
    assert compared["auroc_septal_t1"] == auroc(truth["septal_t1_ms"], scores.is_dcm)
    assert compared["auroc_cavity_area"] == auroc(truth["cavity_area_mm2"], scores.is_dcm)
    regression = compared["auroc_logistic_regression"]
    assert regression["low"] <= regression["value"] <= regression["high"]
    assert compared["auroc_model_minus_regression"]["value"] == pytest.approx(
        evaluation["auroc"]["value"] - regression["value"], abs=2e-4
    )
    for subgroup in ("size_matched", "t1_matched"):
        assert compared[subgroup]["patients"] % 2 == 0
        assert compared[subgroup]["patients"] < 12


def test_a_patient_has_the_mean_calibrated_log_odds_of_its_sections(
    a_model: Model, simulated_library: CaseLibrary
) -> None:
    model = Model(a_model.network, replace(a_model.card, study_temperature=2.0))
    scores = score_patients(model, simulated_library, CPU)
    dataset = CaseDataset(simulated_library, simulated_library.cases, model.card.intensity)
    sections = predict(model.network, dataset, CPU).log_odds.reshape(12, 3)
    np.testing.assert_allclose(scores.log_odds, sections.mean(axis=1) / 2.0)
    assert scores.patients == simulated_library.patients
    assert scores.is_dcm.sum() == 6


def test_probabilities_are_judged_at_two_prevalences_by_study_and_by_section(evaluation: dict[str, Any]) -> None:
    assert set(evaluation["calibration"]) == {"0.5", "0.2"}
    for row in evaluation["calibration"].values():
        assert set(row) == {"study_ece", "study_brier", "section_ece", "section_brier"}
        assert all(0 <= value <= 1 for value in row.values())


def test_verdicts_are_shared_out_over_the_patients_of_each_class(a_model: Model) -> None:
    """Log odds of -2, 0 and 2 are normal, uncertain and dcm between 0.2 and 0.8."""
    scores = PatientScores(
        tuple("abcd"),
        np.array([-2.0, 0.0, 2.0, 2.0]),
        np.array([False, False, True, False]),
        np.array([]),
        np.array([]),
    )
    shares = verdict_shares(a_model, scores)
    assert shares["dcm"] == {"normal": 0, "dcm": 1, "uncertain": 0}
    assert shares["normal"] == pytest.approx({"normal": 1 / 3, "dcm": 1 / 3, "uncertain": 1 / 3}, abs=1e-4)


@pytest.mark.parametrize(("confidence", "not_found"), [(0.9, 0), (0.7, 36)])
def test_with_a_localizer_only_the_sections_that_it_finds_are_judged(
    a_model: Model, simulated_library: CaseLibrary, confidence: float, not_found: int
) -> None:
    found = located_library(simulated_library, Finder(confidence=confidence, confidence_threshold=0.8))
    assert len(simulated_library.cases) - len(found.cases) == not_found
    for case in found.cases:  # the stand-in finds every ventricle in the middle of its image
        t1_map = read_t1_map(found.path(case))
        np.testing.assert_allclose(case.center_mm, t1_map.section_center(0))


def test_sections_are_gathered_by_patient_in_any_order_of_the_table() -> None:
    def case(patient: str, label: str, number: int) -> Case:
        return Case(f"{patient}-{number}", patient, "x.nrrd", label, 0.0, 0.0, 0.0, 1.5, "a")

    cases = (
        case("b", "dcm", 1),
        case("a", "normal", 1),
        case("b", "dcm", 2),
        case("a", "normal", 2),
        case("c", "dcm", 1),
    )
    patients, log_odds, is_dcm = Predictions(cases, np.array([1.0, -2.0, 2.0, -3.0, 0.5])).by_patient()
    assert patients == ["b", "a", "c"]
    np.testing.assert_allclose(log_odds, [1.5, -2.5, 0.5])
    assert is_dcm.tolist() == [True, False, True]


def test_matched_patients_are_pairs_of_equal_values() -> None:
    is_dcm = np.array([True, True, True, False, False, False])
    values = np.array([10.0, 20.0, 90.0, 20.1, 10.2, 50.0])
    assert matched_patients(values, is_dcm).tolist() == [0, 1, 3, 4]
    assert matched_patients(np.array([1.0, 2.0, 3.0, 101.0, 102.0, 103.0]), is_dcm).tolist() == []


def test_matching_takes_the_advantage_of_size_away() -> None:
    rng = np.random.default_rng(1)
    is_dcm = np.arange(400) % 2 == 0
    size = rng.normal(1.8 * is_dcm, 1.0)
    chosen = matched_patients(size, is_dcm)
    assert len(chosen) > 100
    assert is_dcm[chosen].mean() == 0.5
    assert auroc(size, is_dcm) > 0.85
    assert auroc(size[chosen], is_dcm[chosen]) == pytest.approx(0.5, abs=0.05)


def test_the_regression_predicts_patients_that_it_was_not_fitted_to() -> None:
    rng = np.random.default_rng(2)
    is_dcm = np.arange(200) % 2 == 0
    noise = {name: rng.normal(size=200) for name in ("septal_t1_ms", "cavity_area_mm2", "wall_thickness_mm")}
    assert auroc(measures_log_odds(noise, is_dcm), is_dcm) < 0.6
    informed = {**noise, "septal_t1_ms": rng.normal(1.4 * is_dcm, 1.0)}
    assert auroc(measures_log_odds(informed, is_dcm), is_dcm) == pytest.approx(0.84, abs=0.06)


def test_a_septum_without_t1_counts_as_an_average_one(tmp_path: Path) -> None:
    table = tmp_path / "truth.csv"
    rows = ["a,mid,1000,9,8", "a,base,5,5,5", "b,mid,nan,7,6", "c,mid,1200,5,4"]
    table.write_text("\n".join(["patient,level,septal_t1_ms,cavity_area_mm2,wall_thickness_mm", *rows]))
    measures = mid_level_measures(table, ("c", "b", "a"))
    assert measures["septal_t1_ms"].tolist() == [1200, 1100, 1000]
    assert measures["cavity_area_mm2"].tolist() == [5, 7, 9]


def test_a_library_without_truth_gets_no_comparison(a_model: Model, tmp_path: Path) -> None:
    library = simulate_library(tmp_path / "cases", patients=10, seed=5, levels=("mid",))
    (library.folder / "truth.csv").unlink()
    metrics = evaluate(a_model, library, CPU)
    assert "true_measures" not in metrics
    assert set(ESTIMATES) < set(metrics)


def test_cases_of_another_field_strength_are_refused(a_model: Model, simulated_library: CaseLibrary) -> None:
    model = Model(a_model.network, replace(a_model.card, field_strength_tesla=3.0))
    with pytest.raises(ACNetError, match=r"is from 1\.5 T; the model is for 3 T"):
        evaluate(model, simulated_library, CPU)


def test_too_few_patients_to_judge_by_are_refused(a_model: Model, simulated_library: CaseLibrary) -> None:
    normals = [case.patient for case in simulated_library.cases if not case.is_dcm]
    fewer = tuple(case for case in simulated_library.cases if case.patient not in normals[:6])  # two patients
    with pytest.raises(ACNetError, match="4 patients labelled normal; expected at least 5"):
        evaluate(a_model, replace(simulated_library, cases=fewer), CPU)
