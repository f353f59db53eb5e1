"""All images of a T1 map are of one patient, exam, scanner and field strength, or the map is refused."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ACNetLib.commands.main import main
from ACNetLib.dicom.series import find_t1_maps
from ACNetLib.dicom.volumes import read_dicom_volume
from ACNetLib.errors import ACNetError
from ACNetLib.inference.exam_input import check_one_patient, read_exam
from ACNetLib.t1map.t1_map import Reading
from dicom_files import GAP_MM, PATIENT_ID, write_section
from exam_files import write_exam, write_slice

SCANNER: dict[str, Any] = {"Manufacturer": "SIEMENS", "ManufacturerModelName": "Avanto", "DeviceSerialNumber": "4711"}
ANOTHER: list[tuple[dict[str, Any], str]] = [
    ({"PatientID": "ANOTHER-1"}, r"two patients \(PatientID\)"),
    ({"StudyInstanceUID": "1.2.3"}, r"two exams \(StudyInstanceUID\)"),
    ({"Manufacturer": "GE"}, r"two scanners \(Manufacturer (SIEMENS and GE|GE and SIEMENS)\)"),
    ({"ManufacturerModelName": "Sola"}, r"two scanners \(ManufacturerModelName (Avanto and Sola|Sola and Avanto)\)"),
    ({"DeviceSerialNumber": "12"}, r"two scanners \(DeviceSerialNumber (4711 and 12|12 and 4711)\)"),
    ({"MagneticFieldStrength": 3}, r"two field strengths \(MagneticFieldStrength (1\.5 and 3|3 and 1\.5)\)"),
]
WHICH = [keyword for attributes, _ in ANOTHER for keyword in attributes]


def write_stack(folder: Path, stored: np.ndarray, *of_section: dict[str, Any]) -> Path:
    """Three sections of one series, each with attributes of its own."""
    for section, attributes in enumerate(of_section):
        write_section(folder / f"{section}.dcm", stored[section], section * GAP_MM, **attributes)
    return folder


@pytest.mark.parametrize("odd_one", range(3))
@pytest.mark.parametrize(("attributes", "found"), ANOTHER, ids=WHICH)
def test_one_slice_of_another_origin_is_refused_whichever_it_is(
    attributes: dict[str, Any], found: str, odd_one: int, stored: np.ndarray, tmp_path: Path
) -> None:
    own = [SCANNER | (attributes if section == odd_one else {}) for section in range(3)]
    folder = write_stack(tmp_path / "study", stored, *own)
    for read in (read_dicom_volume, lambda path: read_exam([path])):
        with pytest.raises(
            ACNetError, match=rf"^study: T1 map images \d\.dcm and {max(odd_one, 1)}\.dcm are of {found}"
        ) as error:
            read(folder)
        assert "expected one patient, exam, scanner and field strength" in str(error.value)
        assert "--leave-out" in str(error.value)
        assert not any(secret in str(error.value) for secret in (PATIENT_ID, "ANOTHER", "1.2.3"))
    assert read_exam([folder], Reading(leave_out=[f"{odd_one}.dcm"]))[0].section_count in {1, 2}


@pytest.mark.parametrize(("attributes", "found"), ANOTHER, ids=WHICH)
def test_slices_that_were_planned_one_by_one_are_of_one_origin_too(
    attributes: dict[str, Any], found: str, tmp_path: Path
) -> None:
    folder = write_exam(tmp_path / "exam", **SCANNER)
    write_slice(folder / "series-7.dcm", 2, **(SCANNER | attributes))
    with pytest.raises(ACNetError, match=f"^exam, series 3 and exam, series 7: .*{found}.*--series"):
        read_exam([folder])
    with pytest.raises(ACNetError, match=rf"^series-3\.dcm and series-7\.dcm: .*{found}"):
        read_exam(sorted(folder.iterdir()))


@pytest.mark.parametrize("keyword", WHICH)
def test_what_only_one_image_tells_stands_for_the_others_whichever_it_is(
    keyword: str, stored: np.ndarray, tmp_path: Path
) -> None:
    tells: dict[str, Any] = SCANNER
    is_silent = tells | {keyword: 0 if keyword == "MagneticFieldStrength" else ""}
    for number, own in enumerate(sorted({*permutations((0, 1, 1))})):
        folder = write_stack(tmp_path / str(number), stored, *([tells, is_silent][silent] for silent in own))
        volume = read_dicom_volume(folder)
        assert (volume.field_strength_tesla, volume.scanner) == (1.5, "SIEMENS Avanto")


def test_an_exam_of_which_only_one_map_tells_the_patient_is_one_exam(tmp_path: Path) -> None:
    folder = write_exam(tmp_path / "exam", PatientID=None)
    write_slice(folder / "series-7.dcm", 2)
    assert len(read_exam([folder])) == 3


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"MagneticFieldStrength": 1.5}, {"MagneticFieldStrength": 1.494}),
        ({"MagneticFieldStrength": 1.5}, {"MagneticFieldStrength": 15000}),
        ({"MagneticFieldStrength": 3}, {"MagneticFieldStrength": 2.8936}),
        ({"Manufacturer": "SIEMENS"}, {"Manufacturer": "Siemens "}),
    ],
)
def test_what_is_only_written_otherwise_is_the_same(
    first: dict[str, Any], second: dict[str, Any], stored: np.ndarray, tmp_path: Path
) -> None:
    assert len(read_dicom_volume(write_stack(tmp_path, stored, first, second)).sources) == 2
    (series,) = find_t1_maps(sorted(tmp_path.iterdir()))
    assert series.suits_classifier


def test_a_stack_of_two_field_strengths_is_offered_as_none_in_slicer(stored: np.ndarray, tmp_path: Path) -> None:
    write_stack(tmp_path, stored, {}, {"MagneticFieldStrength": 3}, {})
    assert [len(series.slices) for series in find_t1_maps(sorted(tmp_path.iterdir()))] == [1, 1, 1]


def test_the_command_refuses_two_field_strengths_in_one_line(
    stored: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_stack(tmp_path / "study", stored, {}, {}, {"MagneticFieldStrength": 3})
    assert main(["classify", str(tmp_path / "study"), "--output", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "of two field strengths (MagneticFieldStrength 1.5 and 3); expected" in line
    assert line.endswith("--leave-out NAME,NAME.")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("own", "other", "found"),
    [
        ({"PatientName": "Alpha^A"}, {"PatientName": "Beta^B"}, r"two patients \(PatientName\)"),
        (
            {"PatientName": "A", "PatientBirthDate": "19570301"},
            {"PatientName": "A", "PatientBirthDate": "1957.03.02"},
            r"two patients \(PatientBirthDate\)",
        ),
        ({"PatientName": "Alpha^A^^", "PatientBirthDate": "1957.03.01"}, {"PatientName": "ALPHA^A"}, ""),
        ({"PatientName": "Alpha^A", "PatientID": "1"}, {"PatientName": "Beta^B", "PatientID": "1"}, ""),
    ],
)
def test_where_neither_number_nor_exam_is_told_names_and_dates_of_birth_tell_two_patients_apart_and_are_not_shown(
    own: dict[str, Any], other: dict[str, Any], found: str, stored: np.ndarray, tmp_path: Path
) -> None:
    untold = {"PatientID": "", "StudyInstanceUID": None}
    folder = write_stack(tmp_path / "study", stored, untold | own, untold | own, untold | other)
    if not found:
        assert read_exam([folder])[0].section_count == 3
        return
    with pytest.raises(ACNetError, match=found) as error:
        read_exam([folder])
    assert not any(secret in str(error.value).lower() for secret in ("alpha", "beta", "1957"))
    apart = [folder / name for name in ("0.dcm", "2.dcm")]
    with pytest.raises(ACNetError, match=found):
        check_one_patient([read_exam([file])[0] for file in apart], "")
