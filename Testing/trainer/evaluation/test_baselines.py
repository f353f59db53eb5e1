"""The simple baselines: on made-up cases whose answer is known, and on a simulated library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ACNetLib.errors import ACNetError
from ACNetTrainerLib.cases.library import Case, CaseLibrary
from ACNetTrainerLib.evaluation.baselines import BASELINES, MEASURES, baseline_probabilities, read_measures
from ACNetTrainerLib.evaluation.metrics import FloatArray, auroc
from ACNetTrainerLib.training.split import split_patients

REGRESSIONS = [name for name, measures in BASELINES.items() if measures]


def made_up_library(folder: Path, is_dcm: Sequence[bool], measures: FloatArray) -> CaseLibrary:
    """A case for each row of `measures`, (cases, 3) in the order of MEASURES; no images, which no baseline sees."""
    cases = tuple(
        Case(f"case-{number}", f"patient-{number}", "x.nrrd", "dcm" if dcm else "normal", 0.0, 0.0, 0.0, 1.5, "a")
        for number, dcm in enumerate(is_dcm)
    )
    write_table(folder, [[case.case, *row] for case, row in zip(cases, measures.tolist(), strict=True)])
    return CaseLibrary(folder, cases)


def write_table(folder: Path, rows: Sequence[Sequence[object]], columns: Sequence[str] = ("case", *MEASURES)) -> None:
    lines = [",".join(map(str, row)) for row in (columns, *rows)]
    (folder / "truth.csv").write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture
def library(tmp_path: Path) -> CaseLibrary:
    """60 cases, half of them DCM, with longer T1, larger cavities and thinner walls."""
    is_dcm = np.arange(60) % 2 == 0
    shifts = np.outer(is_dcm, [60.0, 900.0, -1.5])
    noise = np.random.default_rng(1).normal(size=(60, 3)) * [40.0, 600.0, 1.0]
    return made_up_library(tmp_path, is_dcm.tolist(), np.array([1000.0, 2000.0, 9.0]) + shifts + noise)


def probabilities(library: CaseLibrary, name: str, training: int = 40) -> FloatArray:
    return baseline_probabilities(name, library, library.cases[:training], library.cases[training:])


def test_the_majority_class_is_the_training_cases_share_of_dcm(tmp_path: Path) -> None:
    library = made_up_library(tmp_path, [True, True, True, False, False, False, True], np.zeros((7, 3)))
    (tmp_path / "truth.csv").unlink()  # it needs no measures
    assert probabilities(library, "majority-class", training=4).tolist() == [0.75, 0.75, 0.75]


@pytest.mark.parametrize(("name", "column"), [("septal-t1", 0), ("size", 1), ("septal-t1-and-size", 2)])
def test_a_regression_finds_how_often_cases_of_a_measure_have_dcm(tmp_path: Path, name: str, column: int) -> None:
    """Of 400 cases at the low value a fifth has DCM, of 400 at the high one four fifths; the others say nothing."""
    is_dcm = np.tile([True, False, False, False, False, False, True, True, True, True], 80)
    measures = np.full((800, 3), 9.0)
    measures[:, column] = np.tile(np.repeat([900.0, 1100.0], 5), 80)
    library = made_up_library(tmp_path, is_dcm.tolist(), measures)
    found = baseline_probabilities(name, library, library.cases, [library.cases[0], library.cases[9]])
    np.testing.assert_allclose(found, [0.2, 0.8], atol=0.005)


@pytest.mark.parametrize(("name", "columns"), [("septal-t1", [0]), ("size", [1, 2]), ("septal-t1-and-size", [0, 1, 2])])
def test_a_regression_sees_its_own_measures_alone(library: CaseLibrary, name: str, columns: list[int]) -> None:
    before = probabilities(library, name)
    is_dcm = [case.is_dcm for case in library.cases]
    measures = read_measures(library, library.cases, MEASURES)
    for column in range(3):
        changed = measures.copy()
        changed[:, column] = measures[::-1, column]
        after = probabilities(made_up_library(library.folder, is_dcm, changed), name)
        assert np.allclose(before, after) == (column not in columns)


def test_t1_and_size_together_tell_more_than_either(library: CaseLibrary) -> None:
    is_dcm = np.array([case.is_dcm for case in library.cases])
    value = {
        name: auroc(baseline_probabilities(name, library, library.cases, library.cases), is_dcm) for name in BASELINES
    }
    assert value["majority-class"] == 0.5
    assert 0.8 < value["septal-t1"] < value["septal-t1-and-size"]
    assert 0.8 < value["size"] < value["septal-t1-and-size"]


@pytest.mark.parametrize("name", REGRESSIONS)
def test_test_cases_do_not_change_what_is_fitted(library: CaseLibrary, name: str) -> None:
    training, first, others = library.cases[:40], library.cases[40:41], library.cases[41:]
    alone = baseline_probabilities(name, library, training, first)
    together = baseline_probabilities(name, library, training, [*others, *first])
    np.testing.assert_array_equal(alone[0], together[-1])


@pytest.mark.parametrize("written", ["", "nan"])
def test_a_missing_measure_counts_as_the_mean_of_the_training_cases(library: CaseLibrary, written: str) -> None:
    measures = read_measures(library, library.cases, MEASURES)
    rows = [[case.case, *row] for case, row in zip(library.cases, measures.tolist(), strict=True)]
    rows[3][1], rows[50][1] = written, written
    write_table(library.folder, rows)
    missing = probabilities(library, "septal-t1")
    mean = np.delete(measures[:40, 0], 3).mean()
    rows[3][1], rows[50][1] = mean, mean
    write_table(library.folder, rows)
    np.testing.assert_allclose(missing, probabilities(library, "septal-t1"))


def test_a_measure_that_no_training_case_has_is_refused(library: CaseLibrary) -> None:
    write_table(
        library.folder, [[case.case, "nan" if i < 40 else 1000, 2000 + i, 9] for i, case in enumerate(library.cases)]
    )
    with pytest.raises(ACNetError, match=r"truth\.csv: none of 40 training cases has a septal_t1_ms"):
        probabilities(library, "septal-t1")
    assert len(probabilities(library, "size")) == 20


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        ([["case-0", 1000, 2000, 9]], ("case", *MEASURES), "no row of case 'case-1'"),
        ([], ("case", "septal_t1_ms"), "columns cavity_area_mm2, wall_thickness_mm are missing"),
        ([[f"case-{i}", "long" if i else 1, 2, 3] for i in range(60)], ("case", *MEASURES), "septal_t1_ms is 'long'"),
        ([[f"case-{i}", "inf" if i else 1, 2, 3] for i in range(60)], ("case", *MEASURES), "septal_t1_ms is 'inf'"),
    ],
)
def test_a_table_that_lacks_a_case_or_a_number_is_refused(
    library: CaseLibrary, rows: list[list[object]], columns: tuple[str, ...], message: str
) -> None:
    write_table(library.folder, rows, columns)
    with pytest.raises(ACNetError, match=message):
        probabilities(library, "septal-t1-and-size")


def test_a_library_without_measures_is_refused(library: CaseLibrary) -> None:
    (library.folder / "truth.csv").unlink()
    with pytest.raises(ACNetError, match=r"no truth\.csv found; expected a row of measures for each case"):
        probabilities(library, "size")


def test_held_out_cases_of_a_simulated_library_get_a_probability_each(simulated_library: CaseLibrary) -> None:
    training, held_out = split_patients(simulated_library, 0.3, seed=1)
    t1 = read_measures(simulated_library, held_out, ["septal_t1_ms"])[:, 0]
    for name in BASELINES:
        found = baseline_probabilities(name, simulated_library, training, held_out)
        assert found.shape == (len(held_out),)
        assert ((found > 0) & (found < 1)).all()
        if name == "septal-t1":
            known = np.isfinite(t1)
            assert (np.argsort(found[known]) == np.argsort(t1[known])).all(), "longer T1, more probably DCM"
