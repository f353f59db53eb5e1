"""The normal T1 of a training, and what it costs not to know that of a site."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.errors import ACNetError
from ACNetLib.ventricle.labels import CAVITY_LABEL, MYOCARDIUM_LABEL, SEPTUM_LABEL, Ventricle
from ACNetTrainerLib.cases.library import TRUTH_TABLE_NAME, Case, CaseLibrary, masks_file
from ACNetTrainerLib.evaluation.metrics import BoolArray, FloatArray
from ACNetTrainerLib.training.loop import Place
from ACNetTrainerLib.training.site_scale import (
    FACTOR_WEIGHTS,
    T1_FACTORS,
    cost_of_unknown_reference,
    normal_t1_as_found,
    normal_t1_ms,
    range_without_reference,
)
from ACNetTrainerLib.training.train import train
from conftest import Finder, a_card
from tiny_training import CPU, changed, few_cases, tiny_recipe


def cases_of(normal: int, dcm: int = 0, slices: int = 3) -> tuple[Case, ...]:
    return tuple(
        Case(f"{label}{patient}-{number}", f"{label}{patient}", "map.nrrd", label, 0.0, 0.0, 0.0, 1.5, "ward")
        for label, count in (("normal", normal), ("dcm", dcm))
        for patient in range(count)
        for number in range(slices)
    )


def test_the_normal_t1_is_that_of_the_normal_patients_each_the_median_of_its_slices(tmp_path: Path) -> None:
    """The third slice of each is an apex full of blood, one slice was too thin to be measured."""
    cases = cases_of(normal=5, dcm=5)
    values = {case.case: 1000 + 10 * int(case.patient[-1]) + (0, 2, 300)[int(case.case[-1])] for case in cases}
    rows = [f"{name},{'nan' if name == 'normal4-0' else value}" for name, value in values.items() if name[0] == "n"]
    rows += [f"{name},5000" for name in values if name[0] == "d"]
    (tmp_path / TRUTH_TABLE_NAME).write_text("\n".join(["case,septal_t1_ms", *rows]), encoding="utf-8")
    medians = [1002, 1012, 1022, 1032, (1042 + 1340) / 2]
    found = normal_t1_ms(CaseLibrary(tmp_path, cases), cases)
    assert found == pytest.approx((np.mean(medians), np.std(medians, ddof=1)), abs=0.06)


def test_too_few_normal_patients_have_no_normal_t1(tmp_path: Path) -> None:
    rows = [f"{case.case},1000" for case in cases_of(normal=4, dcm=9)]
    (tmp_path / TRUTH_TABLE_NAME).write_text("\n".join(["case,septal_t1_ms", *rows]), encoding="utf-8")
    assert normal_t1_ms(CaseLibrary(tmp_path, cases_of(4, 9)), cases_of(4, 9)) is None


def test_a_truth_without_numbers_is_named(tmp_path: Path) -> None:
    (tmp_path / TRUTH_TABLE_NAME).write_text("case,septal_t1_ms\nnormal0-0,high\n", encoding="utf-8")
    with pytest.raises(ACNetError, match=rf"{TRUTH_TABLE_NAME}, row 2: septal_t1_ms is 'high'; expected a number"):
        normal_t1_ms(CaseLibrary(tmp_path, cases_of(5)), cases_of(5))


@pytest.fixture
def a_drawn_library(tmp_path: Path) -> CaseLibrary:
    """Six normal patients of a ward, their hearts drawn: 990, 1000, ... ms in a septum of 30 x 20 pixels."""
    rows, columns = np.mgrid[:100, :100]
    radius = np.hypot(rows - 50, columns - 50)
    labels = np.select(
        [radius < 15, (radius < 30) & (columns < 50), radius < 30], [CAVITY_LABEL, SEPTUM_LABEL, MYOCARDIUM_LABEL], 0
    )
    cases = []
    for number, case in enumerate(cases_of(normal=6, slices=1)):
        septal = 990.0 + 10 * number
        t1_ms = np.select([labels == CAVITY_LABEL, labels == SEPTUM_LABEL], [1600.0, septal], 1100.0)
        for values, path in ((t1_ms, f"{number}.nrrd"), (labels, masks_file(case.case))):
            (tmp_path / path).parent.mkdir(exist_ok=True)
            image = sitk.GetImageFromArray(values[np.newaxis].astype(np.float32 if values is t1_ms else np.uint8))
            image.SetSpacing((1.0, 1.0, 8.0))
            sitk.WriteImage(image, str(tmp_path / path))
        cases.append(replace(case, file=f"{number}.nrrd", center_l_mm=50.0, center_p_mm=50.0))
    return CaseLibrary(tmp_path, tuple(cases))


def test_the_normal_t1_of_a_wards_own_cases_is_measured_within_their_masks(a_drawn_library: CaseLibrary) -> None:
    expected = np.mean([990, 1000, 1010, 1020, 1030, 1040]), np.std([990, 1000, 1010, 1020, 1030, 1040], ddof=1)
    assert normal_t1_ms(a_drawn_library, a_drawn_library.cases) == pytest.approx(expected, abs=0.06)


def test_cases_without_masks_or_without_a_drawn_septum_tell_no_normal_t1(a_drawn_library: CaseLibrary) -> None:
    first, second, *_ = a_drawn_library.cases
    (a_drawn_library.folder / masks_file(first.case)).unlink()
    path = str(a_drawn_library.folder / masks_file(second.case))
    sitk.WriteImage(sitk.Cast(sitk.ReadImage(path) != 0, sitk.sitkUInt8), path)  # myocardium everywhere
    assert normal_t1_ms(a_drawn_library, a_drawn_library.cases) is None, "four are left"


def test_without_masks_the_normal_t1_is_measured_in_the_wall_that_the_localizer_finds(
    a_drawn_library: CaseLibrary,
) -> None:
    cases = a_drawn_library.cases
    drawn = a_drawn_library.masks(cases[0])
    assert drawn is not None
    labels = sitk.GetArrayFromImage(drawn)[0].astype(np.uint8)
    for case in cases:
        (a_drawn_library.folder / masks_file(case.case)).unlink()
    finder = Finder((Ventricle(0, np.array(cases[0].center_mm), labels=labels),))
    found, name = normal_t1_as_found(a_drawn_library, cases, lambda: finder)
    assert found == pytest.approx((1015, np.std([990, 1000, 1010, 1020, 1030, 1040], ddof=1)), abs=0.06)
    assert name == "stand-in"
    elsewhere = tuple(replace(case, center_l_mm=5.0) for case in cases)
    assert normal_t1_as_found(a_drawn_library, elsewhere, lambda: finder)[0] is None, "it found something else"


def test_a_training_without_masks_tells_the_normal_t1_of_its_patients(
    simulated_library: CaseLibrary, tmp_path: Path
) -> None:
    """As a hospital's library, whose cases have a centre and no outline. Of too few patients the localizer is not
    asked."""
    folder = Path(shutil.copytree(simulated_library.folder, tmp_path / "ward"))
    shutil.rmtree(folder / "truth")
    (folder / TRUTH_TABLE_NAME).unlink()
    middle = tuple(case for case in simulated_library.cases if case.case.endswith("-mid"))
    recipe = changed(tiny_recipe(tmp_path), epochs=1)
    model = train(CaseLibrary(folder, middle), recipe, "ward", Place(tmp_path / "work", CPU))
    assert model.card.normal_t1_ms is not None
    assert model.card.normal_t1_ms[0] == pytest.approx(995, abs=60)
    assert model.card.training["normal_t1_measured_by"] == "localizer-simulated"
    assert normal_t1_as_found(CaseLibrary(folder, middle), few_cases(simulated_library).cases, Finder) == (None, "")


def test_the_factors_stand_for_sites_that_differ_by_four_percent() -> None:
    assert FACTOR_WEIGHTS.sum() == pytest.approx(1)
    assert T1_FACTORS[2] == 1
    assert np.average(T1_FACTORS, weights=FACTOR_WEIGHTS) == pytest.approx(1)
    assert np.sqrt(FACTOR_WEIGHTS @ (T1_FACTORS - 1) ** 2) == pytest.approx(0.04)


def observed() -> tuple[FloatArray, BoolArray]:
    """Log odds of a calibrated observer of 4000 patients, and whether they have DCM."""
    is_dcm = np.arange(4000) % 2 == 0
    return np.random.default_rng(1).normal(np.where(is_dcm, 3.0, -3.0), np.sqrt(6)), is_dcm


def test_a_model_that_does_not_look_at_t1_pays_nothing() -> None:
    log_odds, is_dcm = observed()
    cost = cost_of_unknown_reference(lambda _factor: log_odds, is_dcm)
    assert cost.uncertain_range == (0.2, 0.8)
    assert cost.auroc == pytest.approx(cost.auroc_with_bias, abs=1e-3)
    assert cost.wrong == cost.wrong_with_bias > 0


def test_the_more_a_model_looks_at_t1_the_wider_it_must_be_uncertain() -> None:
    log_odds, is_dcm = observed()

    def moved_by(log_odds_per_percent: float) -> Callable[[float], FloatArray]:
        return lambda factor: log_odds + log_odds_per_percent * 100 * (factor - 1)

    costs = [cost_of_unknown_reference(moved_by(slope), is_dcm) for slope in (0.0, 0.2, 0.4, 2.0)]
    limits = [cost.uncertain_range[0] for cost in costs]
    assert limits[0] > limits[1] > limits[2] > limits[3] == 0.02, limits
    assert all(low + high == pytest.approx(1) for low, high in (cost.uncertain_range for cost in costs))
    assert [cost.auroc_with_bias for cost in costs] == sorted((c.auroc_with_bias for c in costs), reverse=True)
    assert len({cost.auroc for cost in costs}) == 1
    wrong = [cost.wrong_with_bias for cost in costs]
    assert wrong == sorted(wrong)


def test_few_held_back_patients_take_the_range_of_the_parent_or_of_the_shipped_model() -> None:
    log_odds, is_dcm = observed()
    cost = cost_of_unknown_reference(lambda _factor: log_odds, is_dcm)
    parent = replace(a_card("parent"), uncertain_range_without_reference=(0.06, 0.94))
    many, few = np.repeat([True, False], [20, 20]), np.repeat([True, False], [60, 19])
    assert range_without_reference(cost, many, parent, 1.5) == ((0.2, 0.8), "")
    for each in (few, ~few):
        assert range_without_reference(cost, each, parent, 1.5) == ((0.06, 0.94), "parent")
        shipped = (0.11, 0.89), "acnet-simulated-1.5T"
        assert range_without_reference(cost, each, None, 1.5) == shipped
        assert range_without_reference(cost, each, a_card("without one"), 1.5) == shipped


def test_the_wider_range_keeps_the_share_of_wrong_verdicts() -> None:
    log_odds, is_dcm = observed()
    cost = cost_of_unknown_reference(lambda factor: log_odds + 30 * (factor - 1), is_dcm)
    low, high = cost.uncertain_range
    assert low < 0.2

    def wrong(limits: tuple[float, float]) -> float:
        shares = []
        for factor in T1_FACTORS:
            probability = 1 / (1 + np.exp(-(log_odds + 30 * (factor - 1))))
            shares.append((np.mean(probability[is_dcm] < limits[0]) + np.mean(probability[~is_dcm] >= limits[1])) / 2)
        return float(FACTOR_WEIGHTS @ np.array(shares))

    assert wrong((low, high)) <= cost.wrong + 1e-4
    assert wrong((low + 0.01, high - 0.01)) > cost.wrong - 1e-4
    assert wrong((0.2, 0.8)) == pytest.approx(cost.wrong_with_bias, abs=1e-4)
