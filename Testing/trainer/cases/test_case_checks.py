"""What is said of a whole library: its counts, and warnings that speak up where they should and only there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ACNetLib.errors import ACNetError
from ACNetTrainerLib.cases.acquisition_bias import Acquisition, acquisition_warnings
from ACNetTrainerLib.cases.checks import Count, check_library, size_warnings
from ACNetTrainerLib.cases.editing import add_maps, create_case_library
from ACNetTrainerLib.cases.library import Case, CaseLibrary, read_case_library
from made_up_maps import made_up_map, new_map, unread_library, write_map

ALIKE = Acquisition((256, 216), 1.41)


def patient_number(case: Case) -> int:
    return int(case.patient[-3:])


def warnings_of(library: CaseLibrary, **acquisitions: Acquisition) -> tuple[str, ...]:
    return acquisition_warnings(library, {case.case: acquisitions.get(case.label, ALIKE) for case in library.cases})


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Two patients with DCM and one who is normal, at two field strengths, with images."""
    create_case_library(tmp_path)
    at_3t = new_map(3, "Joan", "normal")
    at_3t = replace(at_3t, t1_map=replace(at_3t.t1_map, field_strength_tesla=3.0))
    add_maps(tmp_path, [new_map(1, "Jane", sections=3), new_map(2, "John"), at_3t])
    return tmp_path


def test_patients_and_sections_are_counted_by_field_strength_and_class(library: Path) -> None:
    check = check_library(read_case_library(library))
    assert check.counts == (Count(1.5, "dcm", patients=2, sections=4), Count(3.0, "normal", patients=1, sections=1))
    reason = "expected 20 or more, for with fewer neither a training nor its evaluation can be relied on."
    assert check.warnings == (f"Patients who are normal: 1; {reason}", f"Patients who are dcm: 2; {reason}")


def test_classes_out_of_balance_and_too_few_patients_are_told_with_numbers() -> None:
    assert size_warnings(unread_library(20, 80)) == ()
    (warning,) = size_warnings(unread_library(20, 81))
    assert "20 patients are normal and 81 are dcm, less than 1 to 4" in warning
    (warning,) = size_warnings(unread_library(40, 19))
    assert "Patients who are dcm: 19; expected 20 or more" in warning


# Acquisitions that tell the class


@pytest.mark.parametrize("counts", [(30, 30), (20, 160)], ids=str)
def test_the_paper_would_have_been_warned_of_a_second_scanner(counts: tuple[int, int]) -> None:
    """All normal patients at 3 T, half of the others: then 1.5 T means DCM, however few are normal."""
    library = unread_library(*counts)
    cases = [
        replace(case, field_strength_tesla=3.0 if not case.is_dcm or patient_number(case) % 2 else 1.5)
        for case in library.cases
    ]
    (warning,) = warnings_of(replace(library, cases=tuple(cases)))
    half = counts[1] // 2
    assert "Possible confounder: the field strength predicts the class. Alone, it reaches an AUROC of 0.75" in warning
    assert f"(1.5 T: 0 normal and {half} dcm; 3 T: {counts[0]} normal and {half} dcm)" in warning


def test_manufacturer_and_sequence_that_predict_the_class_are_named_whatever_their_spelling() -> None:
    library = unread_library(20, 20)
    scanners = {"normal": ("SIEMENS Sola", "Siemens Healthineers Vida"), "dcm": ("GE MEDICAL SYSTEMS Artist",) * 2}
    cases = tuple(
        replace(case, scanner=scanners[case.label][number % 2], sequence="MOLLI" if case.is_dcm else "SASHA")
        for number, case in enumerate(library.cases)
    )
    manufacturer, sequence = warnings_of(replace(library, cases=cases))
    assert manufacturer.startswith("Possible confounder: the manufacturer predicts the class")
    assert "GE: 0 normal and 20 dcm; SIEMENS: 20 normal and 0 dcm" in manufacturer
    assert sequence.startswith("Possible confounder: the sequence predicts the class")


def test_matrix_pixel_size_and_source_that_predict_the_class_are_named() -> None:
    library = unread_library(20, 20)
    others = warnings_of(library, dcm=Acquisition((192, 192), 1.77))
    assert [warning.split(" predicts ")[0] for warning in others] == [
        "Possible confounder: the matrix",
        "Possible confounder: the pixel size (mm)",
    ]
    cases = tuple(replace(case, source="study arm B") if case.is_dcm else case for case in library.cases)
    (warning,) = warnings_of(replace(library, cases=cases))
    assert warning.startswith(
        "Possible confounder: the source predicts the class. Alone, it reaches an AUROC of 1.00 on 40 patients"
    )


@pytest.mark.parametrize("normal_between", [False, True], ids=["before", "between"])
def test_dates_that_tell_the_class_are_found_and_may_be_missing(normal_between: bool) -> None:
    library = unread_library(30, 30)
    cases = []
    for case in library.cases:
        n = patient_number(case)
        if not case.is_dcm:
            quarter = 100 + n % 6
        elif normal_between:
            quarter = (94 if n % 2 else 106) + n % 5
        else:
            quarter = 106 + n % 6
        cases.append(replace(case, acquisition_quarter=quarter if n < 20 else None))
    (warning,) = warnings_of(replace(library, cases=tuple(cases)))
    assert warning.startswith("Possible confounder: the acquisition date (quarter) predicts the class")
    assert "on 40 patients" in warning


def test_small_and_ordinary_libraries_are_left_in_peace() -> None:
    """Libraries without any connection of class and acquisition: at most a few in a hundred may be warned of."""
    rng = np.random.default_rng(1)
    warned = 0
    for normal, dcm in [(10, 10), (12, 40), (25, 25)] * 12:
        library = unread_library(normal, dcm)
        drawn = {
            patient: (
                rng.choice([1.5, 3.0]),
                rng.choice(["a", "b", "c"]),
                int(rng.integers(90, 110)),
                rng.normal(1.4, 0.1),
            )
            for patient in library.patients
        }
        cases, acquisitions = [], {}
        for case in library.cases:
            field, source, quarter, pixel_mm = drawn[case.patient]
            cases.append(
                replace(case, field_strength_tesla=float(field), source=str(source), acquisition_quarter=quarter)
            )
            acquisitions[case.case] = Acquisition((256, int(rng.choice([192, 208, 224]))), round(float(pixel_mm), 2))
        warned += bool(acquisition_warnings(replace(library, cases=tuple(cases)), acquisitions))
    assert warned <= 2
    of_nine = unread_library(9, 9)
    cases = [replace(case, field_strength_tesla=3.0 if case.is_dcm else 1.5) for case in of_nine.cases]
    assert warnings_of(replace(of_nine, cases=tuple(cases))) == (), "too few to say"


# Images


def test_an_image_that_was_changed_or_belongs_to_no_case_is_told(library: Path) -> None:
    cases = read_case_library(library).cases
    write_map(made_up_map(9), library / cases[0].file)
    write_map(made_up_map(10), library / "images" / "left-over.nrrd")
    warnings = "\n".join(check_library(read_case_library(library)).warnings)
    assert f"Case '{cases[0].case}': its image is not the one that the table's pixel_hash is of" in warnings
    assert "that belong to no case: 1, the first is left-over.nrrd" in warnings


def test_images_that_make_the_library_worthless_are_refused(library: Path) -> None:
    cases = read_case_library(library).cases
    original = (library / cases[0].file).read_bytes()
    for content, message in (
        ((library / cases[3].file).read_bytes(), "has the image of case .* which is another patient's"),
        ((library / cases[4].file).read_bytes(), r"column field_strength_tesla is 1\.5, its image says 3 T"),
        (original[: len(original) // 2], "column file: .* it can't be read"),
        (original.replace(b"space origin: (-80.5", b"space origin: (-380.5"), r"columns center_\*_mm: .* lies outside"),
    ):
        (library / cases[0].file).write_bytes(content)
        with pytest.raises(ACNetError, match=message):
            check_library(read_case_library(library))


def test_the_same_image_twice_and_patients_named_by_hand_are_told(library: Path) -> None:
    table = library / "cases.csv"
    rows = table.read_text(encoding="utf-8").splitlines()
    john = read_case_library(library).cases[3]
    rows.append(rows[4].replace(john.case, "again", 1))
    table.write_text("\n".join(row.replace(john.patient, "by-hand") for row in rows), encoding="utf-8")
    warnings = "\n".join(check_library(read_case_library(library)).warnings)
    assert f"case 'again' has the image of case '{john.case}' of the same patient" in warnings
    assert "Patients named by hand: 1;" in warnings
