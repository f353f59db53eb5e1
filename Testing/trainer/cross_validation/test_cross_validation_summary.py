"""The measures of a cross-validation: those of scikit-learn on what the folds say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, recall_score, roc_auc_score

from ACNetTrainerLib.cases.library import Case, CaseLibrary
from ACNetTrainerLib.cross_validation.folds import Fold
from ACNetTrainerLib.cross_validation.measures import LOG_ODDS, said_by_repeat, scores_of, truth_of
from ACNetTrainerLib.cross_validation.mistakes import find_mistakes
from ACNetTrainerLib.cross_validation.predictions import OutOfFold, Predictions, Said
from ACNetTrainerLib.cross_validation.starts import FINE_TUNED, FROM_SCRATCH
from ACNetTrainerLib.cross_validation.summary import said_by_the_others_choice, summarize
from ACNetTrainerLib.evaluation.metrics import auroc
from conftest import a_card

PATIENTS = 40
THRESHOLDS = (0.3, 0.6)
"""Of the models of both folds."""
MEASURES = ("auroc", "recall_dcm", "recall_normal", "balanced_accuracy")


def test_the_numbers_at_the_top_are_not_those_of_the_better_of_two_equal_starts() -> None:
    """Drawn from one distribution, the better of two is better by chance alone: chosen by the other folds it is not."""
    library, gains = a_library(), []
    truth = truth_of(library.patients, library)

    def area(of_repeats: list[dict[str, Said]]) -> float:
        return auroc(scores_of(library.patients, of_repeats)[:, 0, LOG_ODDS], truth)

    for seed in range(100):
        rng = np.random.default_rng(seed)
        starts = {name: redrawn(out_of_fold(library, repeats=1), rng) for name in (FROM_SCRATCH, FINE_TUNED)}
        areas = [area(said_by_repeat(found)) for found in starts.values()]
        gains.append((area(said_by_the_others_choice(library, starts)) - np.mean(areas), max(areas) - np.mean(areas)))
    by_the_others, by_themselves = np.mean(gains, axis=0)
    assert by_themselves > 0.02
    assert by_the_others < 0.25 * by_themselves


def redrawn(found: list[OutOfFold], rng: np.random.Generator) -> list[OutOfFold]:
    return [
        OutOfFold(
            each.fold,
            replace(
                each.said, patients={p: said(rng.normal(1.2 * (int(p) % 4 > 0) - 0.4), 0.4) for p in each.said.patients}
            ),
        )
        for each in found
    ]


def a_library(sources: tuple[str, ...] = ("ward",)) -> CaseLibrary:
    """Two slices of each patient, every fourth one normal."""
    cases = [
        Case(f"{i}-{j}", f"{i}", "x.nrrd", "dcm" if i % 4 else "normal", 0, 0, 0, 1.5, sources[i % len(sources)])
        for i in range(PATIENTS)
        for j in range(2)
    ]
    return CaseLibrary(Path(), tuple(cases))


def said(log_odds: float, threshold: float) -> Said:
    return Said(round(log_odds, 5), round(float(1 / (1 + np.exp(-log_odds))), 5), threshold)


def out_of_fold(library: CaseLibrary, repeats: int) -> list[OutOfFold]:
    rng = np.random.default_rng(3)
    found = []
    for repeat in range(1, repeats + 1):
        for number, threshold in enumerate(THRESHOLDS, start=1):
            cases = tuple(case for case in library.cases if (int(case.patient) + repeat) % 3 % 2 == number - 1)
            rest = tuple(case for case in library.cases if case not in cases)
            slices = {case.case: said(rng.normal(1.2 * case.is_dcm - 0.4), threshold) for case in cases}
            patients = {p: said(rng.normal(1.2 * (int(p) % 4 > 0) - 0.4), threshold) for p in _patients(cases)}
            sides = CaseLibrary(library.folder, rest), CaseLibrary(library.folder, cases)
            fold = Fold(repeat, number, 2, *sides)
            found.append(OutOfFold(fold, Predictions(patients, slices)))
    return found


def _patients(cases: tuple[Case, ...]) -> list[str]:
    return sorted({case.patient for case in cases})


def present_model(library: CaseLibrary) -> Predictions:
    rng = np.random.default_rng(4)
    return Predictions({p: said(rng.normal(0.5 * (int(p) % 4 > 0)), 0.4) for p in library.patients}, {})


def by_hand(rows: dict[str, Said]) -> dict[str, float]:
    truth = [int(patient) % 4 > 0 for patient in rows]
    calls = [each.probability_dcm >= each.decision_threshold for each in rows.values()]
    return {
        "auroc": roc_auc_score(truth, [each.log_odds for each in rows.values()]),
        "recall_dcm": recall_score(truth, calls),
        "recall_normal": recall_score(truth, calls, pos_label=False),
        "balanced_accuracy": balanced_accuracy_score(truth, calls),
    }


def values(measures: dict[str, Any]) -> dict[str, float]:
    return {name: measures[name]["value"] for name in MEASURES}


def of_repeat(found: list[OutOfFold], repeat: int) -> dict[str, Said]:
    return {p: each for fold in found if fold.fold.repeat == repeat for p, each in fold.said.patients.items()}


def test_the_measures_are_those_of_scikit_learn_averaged_over_the_repeats() -> None:
    library = a_library()
    found = out_of_fold(library, repeats=3)
    metrics = summarize(library, {FROM_SCRATCH: found}, present_model(library), a_card("shipped"))
    each = [by_hand(of_repeat(found, repeat)) for repeat in (1, 2, 3)]
    expected = {name: float(np.mean([row[name] for row in each])) for name in MEASURES}
    assert values(metrics) == pytest.approx(expected, abs=1e-4)
    assert metrics["cross_validated"] == {
        "folds": 2,
        "repeats": 3,
        "start": FROM_SCRATCH,
        "starts": [FROM_SCRATCH],
    }
    assert metrics["cases"] == {"sections_normal": 20, "sections_dcm": 60, "patients_normal": 10, "patients_dcm": 30}
    for name in MEASURES:
        assert metrics[name]["low"] < metrics[name]["value"] < metrics[name]["high"]


def test_repeats_that_say_the_same_leave_the_interval_as_it_is_for_patients_are_drawn() -> None:
    library = a_library()
    once = out_of_fold(library, repeats=1)
    again = [OutOfFold(Fold(2, f.fold.number, 2, f.fold.training, f.fold.left_out), f.said) for f in once]
    card = a_card("shipped")
    first = summarize(library, {FROM_SCRATCH: once}, present_model(library), card)
    both = summarize(library, {FROM_SCRATCH: [*once, *again]}, present_model(library), card)
    assert {name: both[name] for name in MEASURES} == {name: first[name] for name in MEASURES}


def test_the_present_model_stands_beside_and_the_difference_is_that_of_both() -> None:
    library = a_library()
    found, present = out_of_fold(library, repeats=2), present_model(library)
    metrics = summarize(library, {FROM_SCRATCH: found}, present, a_card("shipped"))
    assert metrics["present_model"]["name"] == "shipped"
    assert values(metrics["present_model"]) == pytest.approx(by_hand(present.patients), abs=1e-4)
    differences = values(metrics["starts"][FROM_SCRATCH]["minus_present"])
    for name, value in values(metrics).items():
        assert differences[name] == pytest.approx(value - metrics["present_model"][name]["value"], abs=2e-4)


def test_a_model_that_says_the_same_as_the_present_one_differs_from_it_by_nothing() -> None:
    library = a_library()
    found = out_of_fold(library, repeats=1)
    metrics = summarize(library, {FROM_SCRATCH: found}, Predictions(of_repeat(found, 1), {}), a_card("shipped"))
    nothing = {"value": 0.0, "low": 0.0, "high": 0.0}
    assert metrics["starts"][FROM_SCRATCH]["minus_present"] == dict.fromkeys(MEASURES, nothing)


def test_of_two_starts_the_one_with_the_higher_auroc_is_chosen_and_both_are_there_on_the_same_patients() -> None:
    library = a_library()
    worse = out_of_fold(library, repeats=1)
    better = [
        OutOfFold(each.fold, replace(each.said, patients={p: said(4 * (int(p) % 4 > 0) - 2.0, 0.4) for p in patients}))
        for each in worse
        if (patients := each.said.patients)
    ]
    metrics = summarize(library, {FROM_SCRATCH: worse, FINE_TUNED: better}, present_model(library), a_card("shipped"))
    assert metrics["cross_validated"]["start"] == FINE_TUNED
    assert metrics["cross_validated"]["starts"] == [FROM_SCRATCH, FINE_TUNED]
    assert values(metrics) == dict.fromkeys(MEASURES, 1.0)
    assert values(metrics["starts"][FROM_SCRATCH]) == pytest.approx(by_hand(of_repeat(worse, 1)), abs=1e-4)
    gain = 1 - values(metrics["starts"][FROM_SCRATCH])["auroc"]
    assert metrics["fine_tuned_minus_from_scratch"]["auroc"]["value"] == pytest.approx(gain, abs=1e-4)


def test_each_source_has_measures_of_its_own_patients_and_a_small_one_its_counts() -> None:
    library = a_library()
    assert "by_source" not in summarize(
        library, {FROM_SCRATCH: out_of_fold(library, 1)}, present_model(library), a_card("m")
    )
    two = a_library(("large",) * 9 + ("small",))
    found = out_of_fold(two, 1)
    by_source = summarize(two, {FROM_SCRATCH: found}, present_model(two), a_card("m"))["by_source"]
    assert by_source["small"] == {"patients_normal": 0, "patients_dcm": 4}
    large = {patient: each for patient, each in of_repeat(found, 1).items() if int(patient) % 10 != 9}
    assert values(by_source["large"]) == pytest.approx(by_hand(large), abs=1e-4)


def test_manufacturers_and_sequences_have_measures_of_their_own_patients_too() -> None:
    library = a_library()
    cases = tuple(
        replace(case, scanner="GE Artist" if int(case.patient) % 8 < 4 else "", sequence="MOLLI")
        for case in library.cases
    )
    library = replace(library, cases=cases)
    found = out_of_fold(library, 1)
    metrics = summarize(library, {FROM_SCRATCH: found}, present_model(library), a_card("m"))
    assert "by_sequence" not in metrics, "all have the same"
    assert list(metrics["by_manufacturer"]) == ["GE", "not told"]
    of_ge = {patient: each for patient, each in of_repeat(found, 1).items() if int(patient) % 8 < 4}
    assert values(metrics["by_manufacturer"]["GE"]) == pytest.approx(by_hand(of_ge), abs=1e-4)


def test_mistakes_are_shown_by_their_worst_slice_the_surest_first() -> None:
    library = CaseLibrary(Path(), a_library().cases[:8])  # patients 0, normal, to 3
    cases = {case.case: case for case in library.cases}
    fold = Fold(1, 1, 2, library, library)
    patients = {"0": said(0.5, 0.5), "1": said(-2.0, 0.5), "2": said(1.0, 0.5), "3": said(-0.4, 0.3)}
    slices = {"0-0": 0.2, "0-1": 0.8, "1-0": -3.0, "1-1": -1.0, "2-0": -1.0, "2-1": 3.0, "3-0": 0.0, "3-1": 0.1}
    said_of_slices = {name: said(log_odds, 0.5) for name, log_odds in slices.items()}
    mistakes = find_mistakes(library, [OutOfFold(fold, Predictions(patients, said_of_slices))])
    assert [mistake.case for mistake in mistakes] == [cases["1-0"], cases["0-1"]], "patient 3 is above its threshold"
    assert mistakes[0].probability_dcm == pytest.approx(1 / (1 + np.exp(2.0)), abs=1e-5)
