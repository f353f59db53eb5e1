"""Temperatures: one for each number of sections, fitted where both classes are as frequent."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ACNetLib.inference.probability import log_odds_of, sigmoid
from ACNetTrainerLib.cases.library import Case
from ACNetTrainerLib.training.predictions import (
    Predictions,
    fit_temperature,
    fit_temperatures,
    fitted_on,
)

IS_DCM = np.arange(6000) % 3 == 0


def evidence(seed: int = 1) -> NDArray[np.float64]:
    """Log likelihood ratios of a calibrated observer."""
    return np.random.default_rng(seed).normal(np.where(IS_DCM, 1.0, -1.0), np.sqrt(2))


def predictions(patients: int, sections: int, training_prior_dcm: float, error_sd: float = 0.0) -> Predictions:
    """Of sections whose likelihood ratios share what is their patient's, and each err by themselves."""
    rng = np.random.default_rng(4)
    log_odds = np.repeat(evidence()[:patients], sections) + log_odds_of(training_prior_dcm)
    cases = [
        Case(f"{i}-{k}", f"{i}", "a.nrrd", "dcm" if IS_DCM[i] else "normal", 0.0, 0.0, 0.0, 1.5, "a")
        for i in range(patients)
        for k in range(sections)
    ]
    return Predictions(tuple(cases), log_odds + rng.normal(0, error_sd, len(cases)))


def test_the_temperature_undoes_exaggerated_evidence() -> None:
    assert fit_temperature(evidence(), IS_DCM) == pytest.approx(1.0, abs=0.1)
    assert fit_temperature(3 * evidence(), IS_DCM) == pytest.approx(3.0, abs=0.3)
    assert fit_temperature(evidence() / 100, IS_DCM) == pytest.approx(0.01, abs=0.001), "as of a deep network, soon"


def test_a_few_patients_who_are_all_right_do_not_make_a_network_surer_than_it_is() -> None:
    """The likelihood only grows with the evidence: seven patients would have been 12 times as sure."""
    is_dcm = np.repeat([False, True], [7, 60])
    right = np.where(is_dcm, 3.0, -3.0) + np.linspace(-1, 1, 67)
    assert fit_temperature(right, is_dcm) == 1
    assert fit_temperature(np.where(np.arange(67) == 30, -right, right), is_dcm) > 0.3


@pytest.mark.parametrize("prior", [0.07, 0.5, 0.9, 449 / 485])
def test_calibrated_log_odds_have_a_temperature_of_one_at_any_prior(prior: float) -> None:
    (temperature,) = fit_temperatures(predictions(3000, 1, prior), prior)
    assert temperature == pytest.approx(1.0, abs=0.1)
    says_nothing = Predictions((Case("c", "p", "a.nrrd", "dcm", 0, 0, 0, 1.5, "a"),), np.array([log_odds_of(prior)]))
    _, log_odds, _ = says_nothing.by_patient((temperature,), prior)
    assert sigmoid(float(log_odds[0])) == pytest.approx(prior)


def test_each_number_of_sections_has_a_temperature_and_more_are_surer() -> None:
    temperatures = fit_temperatures(predictions(1500, 5, 0.3, error_sd=2.0), 0.3)
    assert len(temperatures) == 4
    assert list(temperatures) == sorted(temperatures, reverse=True)
    assert temperatures[0] > 1.5
    assert temperatures[3] < 1.5


def test_too_few_patients_with_so_many_sections_get_no_temperature_of_their_own() -> None:
    several, single = predictions(9, 3, 0.5), predictions(300, 1, 0.5)
    others = tuple(Case(f"x{c.case}", f"x{c.patient}", c.file, c.label, 0, 0, 0, 1.5, "a") for c in single.cases)
    mixed = Predictions((*several.cases, *others), np.concatenate([several.log_odds, single.log_odds]))
    assert len(fit_temperatures(mixed, 0.5)) == 1


def test_every_pair_of_a_patients_sections_counts() -> None:
    few = predictions(2, 3, 0.5)
    means, is_dcm, weights = few.means_of(2)
    assert len(means) == 6
    assert is_dcm.tolist() == [True] * 3 + [False] * 3
    assert weights.tolist() == pytest.approx([1 / 3] * 6)
    assert few.means_of(4)[0].size == 0


def test_patients_weigh_the_same_however_many_slices_they_have() -> None:
    """Two normal patients with whole stacks who look like DCM, among 60 with three slices each."""
    few = predictions(60, 3, 0.5)
    stack = [
        Case(f"stack{i}-{k}", f"stack{i}", "a.nrrd", "normal", 0, 0, 0, 1.5, "a") for i in range(2) for k in range(11)
    ]
    by_stack = np.array([2.0] * len(stack))
    whole = Predictions((*few.cases, *stack), np.concatenate([few.log_odds, by_stack]))
    three = [case for case in stack if int(case.case.split("-")[1]) < 3]
    part = Predictions((*few.cases, *three), np.concatenate([few.log_odds, by_stack[: len(three)]]))
    assert fit_temperatures(whole, 0.5)[:3] == pytest.approx(fit_temperatures(part, 0.5), rel=1e-4)


def test_where_all_patients_have_as_many_slices_every_choice_weighs_the_same() -> None:
    same = predictions(300, 3, 0.5, error_sd=1.0)
    plain = [fit_temperature(*same.means_of(count)[:2]) for count in (1, 2, 3)]
    assert fit_temperatures(same, 0.5) == pytest.approx(plain, rel=1e-9)


def both_classes(normal: int, dcm: int, sections: int, evidence_of: float) -> Predictions:
    """Patients whose sections are all right, but one of each class."""
    cases = [
        Case(f"{label}{i}-{k}", f"{label}{i}", "a.nrrd", label, 0, 0, 0, 1.5, "a")
        for label, count in (("normal", normal), ("dcm", dcm))
        for i in range(count)
        for k in range(sections)
    ]
    right = [-1.0 if case.patient in ("normal0", "dcm0") else 10.0 for case in cases]
    signs = [1.0 if case.is_dcm else -1.0 for case in cases]
    return Predictions(tuple(cases), evidence_of * np.array(right) * np.array(signs) / 10)


@pytest.mark.parametrize(("normal", "dcm", "enough"), [(60, 19, False), (19, 60, False), (20, 20, True)])
def test_few_held_back_patients_of_a_class_make_a_model_no_surer_than_it_is(
    normal: int, dcm: int, enough: bool
) -> None:
    """Where one of 19 is a little wrong, the others alone say that the network is many times as sure."""
    humble, loud = both_classes(normal, dcm, 3, 0.5), both_classes(normal, dcm, 3, 30.0)
    for temperature in fit_temperatures(humble, 0.5):
        assert temperature < 0.9 if enough else temperature == 1
    assert all(temperature > 1.5 for temperature in fit_temperatures(loud, 0.5)), "but less sure, any number of them"


@pytest.mark.parametrize(("normal", "dcm"), [(1, 1), (1, 60), (4, 4)])
def test_fewer_than_five_patients_of_a_class_change_nothing(normal: int, dcm: int) -> None:
    """One who is a little wrong would make the network almost silent."""
    assert fit_temperatures(both_classes(normal, dcm, 3, 30.0), 0.5) == (1.0,)


def test_few_patients_with_many_slices_are_no_surer_than_those_with_fewer() -> None:
    most, whole = both_classes(40, 40, 1, 3.0), both_classes(10, 10, 3, 0.5)
    others = tuple(Case(f"x{c.case}", f"x{c.patient}", c.file, c.label, 0, 0, 0, 1.5, "a") for c in most.cases)
    mixed = Predictions((*whole.cases, *others), np.concatenate([whole.log_odds, most.log_odds]))
    one, two, three = fit_temperatures(mixed, 0.5)
    assert one < 0.9
    assert one == two == three
    assert fitted_on(mixed, (one, two, three)) == {
        "temperatures": [
            {"fitted": True, "patients_normal": 50, "patients_dcm": 50},
            *[{"fitted": False, "patients_normal": 10, "patients_dcm": 10}] * 2,
        ],
    }


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
