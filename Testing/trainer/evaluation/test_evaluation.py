"""Evaluating a model beside simple measures: what is counted, and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    confusion_matrix,
    matthews_corrcoef,
    recall_score,
    roc_auc_score,
)

from ACNetLib.errors import ACNetError
from ACNetLib.files import write_json
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.models.model import Model
from ACNetLib.networks.acnet import ACNet
from ACNetLib.t1map.section import SectionGrid
from ACNetLib.t1map.t1_map import read_t1_map
from ACNetLib.ventricle.labels import Ventricle
from ACNetTrainerLib.cases.library import Case, CaseLibrary, read_case_library
from ACNetTrainerLib.evaluation import evaluate as evaluation_module
from ACNetTrainerLib.evaluation.attention_gallery import sections_by_outcome
from ACNetTrainerLib.evaluation.evaluate import (
    Beside,
    evaluate,
    located_library,
    range_at_best,
    verdict_shares,
)
from ACNetTrainerLib.evaluation.metrics import auroc
from ACNetTrainerLib.evaluation.performance import performance
from ACNetTrainerLib.evaluation.scores import PatientScores, score_patients
from ACNetTrainerLib.evaluation.true_measures import (
    against_measures,
    known_measures,
    matched_patients,
    measures_log_odds,
    trained_measures_log_odds,
)
from ACNetTrainerLib.training.dataset import CaseDataset
from ACNetTrainerLib.training.patients import shared_patients
from ACNetTrainerLib.training.train import predict
from conftest import Finder, a_card

CPU = DeviceChoice("cpu", "asked for")
ESTIMATES = ("auroc", "auprc", "recall_dcm", "recall_normal", "balanced_accuracy", "mcc", "brier", "ece")


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluation") / "figures"


@pytest.fixture(scope="module")
def evaluation(an_untrained_network: ACNet, simulated_library: CaseLibrary, figures: Path) -> dict[str, Any]:
    return evaluate(Model(an_untrained_network, a_card("untrained")), simulated_library, CPU, Beside(figures=figures))


def test_an_evaluation_holds_every_measure_with_its_interval(evaluation: dict[str, Any]) -> None:
    assert evaluation["simulated"] is True
    assert evaluation["cases"] == {"sections_normal": 18, "sections_dcm": 18, "patients_normal": 6, "patients_dcm": 6}
    assert evaluation["decision_threshold"] == 0.5
    for level, count in ((evaluation, 12), (evaluation["sections"], 36)):
        for name in ESTIMATES:
            estimate = level[name]
            assert -1 <= estimate["low"] <= estimate["high"] <= 1, name
            # Resampling few patients adds noise to every bin, which can only raise the calibration error.
            assert name == "ece" or estimate["low"] <= estimate["value"] <= estimate["high"], name
        assert level["auroc"]["low"] < level["auroc"]["high"]
        assert sum(number for row in level["confusion_matrix"].values() for number in row.values()) == count
    json.dumps(evaluation)


def test_the_measures_of_patients_and_sections_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(7)
    patient = np.repeat(np.arange(40), 3)
    is_dcm = np.arange(40) % 4 > 0
    sections = rng.normal(1.5 * is_dcm[patient] - 0.5, 1.0)
    patients = sections.reshape(40, 3).mean(axis=1)
    card = replace(a_card("made-up"), decision_threshold=0.6, training_prior_dcm=0.75)
    scores = PatientScores(tuple(map(str, range(40))), patients, is_dcm, sections, is_dcm[patient], patient)
    found = performance(scores, card)
    for level, log_odds, truth in ((found, patients, is_dcm), (found["sections"], sections, is_dcm[patient])):
        probability = 1 / (1 + np.exp(-log_odds))
        said = probability >= 0.6
        expected = {
            "auroc": roc_auc_score(truth, log_odds),
            "auprc": average_precision_score(truth, log_odds),
            "recall_dcm": recall_score(truth, said),
            "recall_normal": recall_score(truth, said, pos_label=False),
            "balanced_accuracy": balanced_accuracy_score(truth, said),
            "mcc": matthews_corrcoef(truth, said),
            "brier": brier_score_loss(truth, probability),  # the share of DCM is the training prior here
        }
        assert {name: level[name]["value"] for name in expected} == pytest.approx(expected, abs=1e-4)
        matrix = level["confusion_matrix"]
        counts = [[matrix[truth][said] for said in ("normal", "dcm")] for truth in ("normal", "dcm")]
        assert counts == confusion_matrix(truth, said).tolist()


def test_pictures_of_the_evaluation_are_drawn(evaluation: dict[str, Any], figures: Path) -> None:
    assert evaluation
    pictures = [np.asarray(Image.open(figures / name).convert("L")) for name in ("roc.png", "reliability.png")]
    for picture in pictures:
        assert picture.shape == (560, 540)
        assert 0.01 < (picture < 128).mean() < 0.3, "lines on white"
    assert (pictures[0] != pictures[1]).any()


def test_the_gallery_shows_attention_on_sections_of_every_outcome(evaluation: dict[str, Any], figures: Path) -> None:
    assert evaluation
    picture = np.asarray(Image.open(figures / "attention.png").convert("RGB")).astype(int)
    assert picture.shape == (760, 540, 3)
    colourful = np.ptp(picture, axis=2) > 40
    assert 0.02 < colourful.mean() < 0.6, "bands over grey slices"


def test_sections_of_each_outcome_are_shown_from_the_surest_to_the_least_sure() -> None:
    log_odds = np.array([3.0, 1.0, 2.0, 4.0, 5.0, -1.0, -2.0, 0.5])
    is_dcm = np.array([True, True, True, True, True, True, False, False])
    assert sections_by_outcome(log_odds, is_dcm, 0.5) == {
        ("dcm", "dcm"): ([4, 0, 1], 5),
        ("dcm", "normal"): ([5], 1),
        ("normal", "normal"): ([6], 1),
        ("normal", "dcm"): ([7], 1),
    }
    assert sections_by_outcome(log_odds, is_dcm, 0.7)["normal", "dcm"] == ([], 0)


def test_the_model_is_compared_with_the_true_measures_of_the_same_patients(
    evaluation: dict[str, Any], simulated_library: CaseLibrary, a_model: Model
) -> None:
    scores = score_patients(a_model, simulated_library, CPU)
    truth = known_measures(simulated_library, scores.patients)[0]
    compared = evaluation["true_measures"]
    assert compared["regression_fitted_to"] == "the other four fifths of these patients"
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


def test_a_regression_that_learns_from_the_trainings_patients_says_so_and_is_a_fit_to_them_alone(
    simulated_library: CaseLibrary, other_library: CaseLibrary, a_model: Model
) -> None:
    result = evaluate(a_model, simulated_library, CPU, Beside(training_library=other_library))["true_measures"]
    assert result["regression_fitted_to"] == "the 12 patients of the training"
    truth = known_measures(simulated_library, simulated_library.patients)[0]
    is_dcm = np.array([case.is_dcm for case in simulated_library.cases if case.case.endswith("-mid")])
    fitted = trained_measures_log_odds(truth, other_library)
    assert result["auroc_logistic_regression"]["value"] == pytest.approx(auroc(fitted, is_dcm), abs=1e-4)
    one = {name: values[:1] for name, values in truth.items()}
    np.testing.assert_allclose(trained_measures_log_odds(one, other_library), fitted[:1])


def test_the_judged_patients_are_refused_as_training_cases(simulated_library: CaseLibrary, a_model: Model) -> None:
    with pytest.raises(ACNetError, match="12 of its patients are among those to evaluate with"):
        evaluate(a_model, simulated_library, CPU, Beside(training_library=simulated_library))
    other_field = replace(
        simulated_library,
        cases=tuple(replace(c, patient=f"x{c.patient}", field_strength_tesla=3.0) for c in simulated_library.cases),
    )
    with pytest.raises(ACNetError, match="it is of another field strength than"):
        evaluate(a_model, simulated_library, CPU, Beside(training_library=other_field))


def test_a_patient_of_two_libraries_is_known_by_a_spelling_of_the_name_or_by_an_image() -> None:
    def library(*patients: tuple[str, str]) -> CaseLibrary:
        cases = (
            Case(f"c{n}", patient, f"{n}.nrrd", "dcm", 0.0, 0.0, 0.0, 1.5, "ward", pixel_hash=image)
            for n, (patient, image) in enumerate(patients)
        )
        return CaseLibrary(Path("library"), tuple(cases))

    here = library(("p-0123456789abcdef", "sha256-1"), ("Doe Jane", "sha256-2"), ("other", "sha256-3"), ("drawn", ""))
    there = library(("p-fedcba9876543210", "sha256-1"), ("DOE  jane", "sha256-4"), ("another", ""))
    assert shared_patients(here, there) == {"p-0123456789abcdef", "Doe Jane"}
    assert shared_patients(there, here) == {"p-fedcba9876543210", "DOE  jane"}


def test_a_patient_has_the_mean_calibrated_log_odds_of_its_sections(
    a_model: Model, simulated_library: CaseLibrary
) -> None:
    model = Model(a_model.network, replace(a_model.card, temperatures=(1.0, 1.0, 2.0)))
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


def test_a_model_that_can_use_no_reference_is_judged_by_the_range_that_it_will_have() -> None:
    card = replace(a_card("ward"), uncertain_range_without_reference=(0.05, 0.95))
    assert range_at_best(card) == (0.05, 0.95)
    assert range_at_best(replace(card, normal_t1_ms=(1000.0, 30.0))) == (0.2, 0.8)
    assert range_at_best(a_card("of before")) == (0.2, 0.8)


def test_verdicts_are_shared_out_over_the_patients_of_each_class(a_model: Model) -> None:
    """Log odds of -2, 0 and 2 are normal, uncertain and dcm between 0.2 and 0.8."""
    scores = PatientScores(
        tuple("abcd"),
        np.array([-2.0, 0.0, 2.0, 2.0]),
        np.array([False, False, True, False]),
        np.array([]),
        np.array([]),
        np.array([]),
    )
    shares = verdict_shares(scores, (0.2, 0.8))
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


def test_with_a_localizer_slices_are_turned_as_it_says_and_not_as_their_masks_tell(
    simulated_library: CaseLibrary,
) -> None:
    case = simulated_library.cases[0]
    t1_map = simulated_library.t1_map(case)
    of_masks_degrees = simulated_library.turn_degrees(case, t1_map)
    assert of_masks_degrees is not None
    turned = Ventricle(0, t1_map.section_center(0), 0.9, turn_degrees=of_masks_degrees + 40)
    library = replace(simulated_library, cases=(case,))
    found = located_library(library, Finder((turned,)))
    expected = SectionGrid.around(t1_map, 0, turned.center_mm, turned.turn_degrees).crop(t1_map).t1_ms
    np.testing.assert_allclose(found.grid(found.cases[0], t1_map).crop(t1_map).t1_ms, expected)


@pytest.mark.parametrize("found", [set(), {"normal"}], ids=["none", "only normals"])
def test_where_the_localizer_finds_no_patient_of_a_class_the_counts_and_the_reason_are_told(
    a_model: Model, simulated_library: CaseLibrary, monkeypatch: pytest.MonkeyPatch, found: set[str]
) -> None:
    finder = Finder(confidence=0.5)
    cases = tuple(case for case in simulated_library.cases if case.label in found)
    monkeypatch.setattr(evaluation_module, "located_library", lambda library, _: replace(library, cases=cases))
    result = evaluation_module._with_localizer(a_model, simulated_library, CPU, finder)
    assert result["auroc"] is None
    assert result["sections_not_found"] == 36 - len(cases)
    assert result["patients_without_a_section"] == (6 if found else 12)
    missing = "dcm" if found else "normal or dcm"
    assert result["not_evaluated"] == f"the localizer found the left ventricle of no patient labelled {missing}"


def test_a_real_patient_in_a_simulated_library_is_left_out_of_the_comparison_with_true_measures(
    a_model: Model, simulated_library: CaseLibrary
) -> None:
    scores = score_patients(a_model, simulated_library, CPU)
    real = replace(scores, patients=("a real one", *scores.patients[1:]))
    compared = against_measures(real, simulated_library, None)
    assert (compared["patients"], compared["patients_without_measures"]) == (11, 1)
    truth, known = known_measures(simulated_library, real.patients)
    assert known.tolist() == [False] + [True] * 11
    assert compared["auroc_septal_t1"] == auroc(truth["septal_t1_ms"], scores.is_dcm[1:])
    few = replace(scores, patients=tuple(f"real {number}" for number in range(12)))
    assert against_measures(few, simulated_library, None) == {
        "patients": 0,
        "patients_without_measures": 12,
        "not_compared": "true measures are known of 0 patients labelled normal to compare; expected at least 5",
    }


def test_a_number_that_json_has_no_word_for_is_null(tmp_path: Path) -> None:
    write_json(tmp_path / "metrics.json", {"auroc": float("nan"), "bins": [1.0, float("inf")]})
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"auroc": None, "bins": [1.0, None]}


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
    measures = known_measures(CaseLibrary(tmp_path, ()), ("c", "b", "a"))[0]
    assert measures["septal_t1_ms"].tolist() == [1200, 1100, 1000]
    assert measures["cavity_area_mm2"].tolist() == [5, 7, 9]


def test_a_library_without_truth_gets_no_comparison(a_model: Model, other_library: CaseLibrary, tmp_path: Path) -> None:
    library = read_case_library(shutil.copytree(other_library.folder, tmp_path / "cases"))
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
