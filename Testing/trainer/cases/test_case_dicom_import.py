"""Importing the T1 maps of listed DICOM studies: what is found, left out and refused, always all or none."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import RawDataStorage, generate_uid

from ACNetLib.dicom.images import CHILD
from ACNetLib.dicom.volumes import read_dicom_volume
from ACNetLib.errors import ACNetError
from ACNetLib.inference.exam_input import read_exam
from ACNetLib.t1map.t1_map import read_t1_map
from ACNetTrainerLib.cases.dicom_import import import_dicom
from ACNetTrainerLib.cases.editing import create_case_library
from ACNetTrainerLib.cases.library import read_case_library
from conftest import Finder
from dicom_files import GAP_MM, ORIENTATION, PATIENT_NAME, write_section
from made_up_maps import content_of, write_rows


@pytest.fixture
def library(tmp_path: Path) -> Path:
    create_case_library(tmp_path / "library")
    return tmp_path / "library"


# A usual short axis: its normal is that of ACNetLib.t1map.checks.USUAL_NORMAL_LPS.
USUAL_ORIENTATION = (0.696, 0.718, 0.0, -0.359, 0.348, -0.866)
PATIENTS = ("ID-4711-1", "ID-4711-2", "ID-4711-3")


def write_series(study: int, name: str, folder: Path, sections: int = 1, **attributes: Any) -> None:
    """Sections of noise as a series of a study."""
    rng = np.random.default_rng([study, *name.encode()])
    orientation = attributes.pop("orientation", USUAL_ORIENTATION)
    normal = np.cross(orientation[:3], orientation[3:])
    identity = {
        "PatientID": PATIENTS[study],
        "StudyInstanceUID": f"1.2.840.4711.{study}",
        "AccessionNumber": f"ACC-4711-{study}",
        "AcquisitionDate": f"20210{study + 1}14",
    }
    for section in range(sections):
        stored = rng.integers(200, 1900, (40, 30)).astype(np.uint16)
        place = {"position": section * GAP_MM * normal, "orientation": orientation}
        write_section(folder / f"study{study}" / name / f"{section}.dcm", stored, **{**identity, **place, **attributes})


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two patients on the list and one who is not, each study with what else scanners store."""
    folder = tmp_path / "archive"
    for study in range(len(PATIENTS)):
        number = 100 * study
        scanner = {"Manufacturer": "Siemens Healthineers", "ManufacturerModelName": "Sola"}
        write_series(study, "native", folder, sections=3, series=number + 1, **scanner)
        write_series(study, "post", folder, series=number + 2, ContrastBolusAgent="Gadovist")
        write_series(
            study, "cine", folder, series=number + 3, SeriesDescription="cine", ImageType=["ORIGINAL", "PRIMARY", "M"]
        )
        write_series(study, "axial", folder, series=number + 4, orientation=(1, 0, 0, 0, 1, 0))
        write_series(study, "long-axis", folder, series=number + 5, orientation=ORIENTATION)
        raw: dict[str, Any] = {"SOPClassUID": RawDataStorage, "Rows": None, "Columns": None, "PixelData": None}
        write_series(study, "raw", folder, series=number + 6, **raw)
    (folder / "README.txt").write_text("exported")
    return folder


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("PatientID", PATIENTS[:2]),
        ("PatientID", ("id-4711-1", "Id-4711-2")),
        ("AccessionNumber", ("ACC-4711-0", "ACC-4711-1")),
        ("StudyInstanceUID", ("1.2.840.4711.0", "1.2.840.4711.1")),
        ("folder", ("study0", "study1")),
    ],
)
def test_the_native_short_axis_maps_of_listed_studies_are_imported(
    library: Path, archive: Path, tmp_path: Path, key: str, values: tuple[str, str]
) -> None:
    labels = write_rows(tmp_path / "labels.csv", [key, "label"], [values[0], "DCM"], [values[1], "normal"])
    imported = import_dicom(library, archive, labels, Finder, "ward 3")
    assert read_case_library(library).cases == imported.cases
    assert [case.label for case in imported.cases] == ["dcm"] * 3 + ["normal"] * 3
    assert len({case.patient for case in imported.cases}) == 2
    assert {case.source for case in imported.cases} == {"ward 3"}
    (acquired,) = {(case.scanner, case.manufacturer, case.sequence) for case in imported.cases}
    assert acquired == ("Siemens Healthineers Sola", "SIEMENS", "MOLLI")
    assert all(case.acquisition_quarter is not None for case in imported.cases)
    native = sitk.GetArrayFromImage(read_dicom_volume(archive / "study0" / "native").image)
    for case, t1_ms in zip(imported.cases, native, strict=False):
        assert np.array_equal(read_t1_map(library / case.file).array[0], t1_ms)
    notes = "\n".join(imported.notes)
    assert "row 2, series 2: its map is from after contrast" in notes
    assert "row 3, series 104: its slices are axial" in notes
    assert "row 3, series 105: The plane is 71 degrees from a usual short axis" in notes
    assert "labels.csv and were left out: 1." in notes
    for identifier in ("4711", PATIENT_NAME, "Gadovist"):
        assert identifier not in notes
    for data in content_of(library).values():
        assert not any(text in data for text in (b"ID-4711", b"ACC-4711", b"840.4711", PATIENT_NAME.encode(), b"20210"))


def test_a_case_is_of_the_sequence_that_the_classifier_would_name(library: Path, archive: Path, tmp_path: Path) -> None:
    write_series(
        0, "native", archive, sections=3, series=1, ImageComments="SAPPHIRE T1 [ms]", SeriesDescription="T1 map"
    )
    imported = import_dicom(
        library, archive, write_rows(tmp_path / "labels.csv", ["folder", "label"], ["study0", "dcm"]), Finder
    )
    assert {case.sequence for case in imported.cases} == {"SAPPHIRE"}


def test_the_list_may_name_the_patient_where_the_files_do_not(library: Path, archive: Path, tmp_path: Path) -> None:
    for file in (archive / "study0").rglob("*.dcm"):
        file.unlink()
    write_series(0, "native", archive, PatientID="")
    columns = ["folder", "label", "patient"]
    labels = write_rows(tmp_path / "labels.csv", columns, ["study0", "dcm", ""])
    with pytest.raises(ACNetError, match="row 2: found 0 different PatientID in its files; expected one"):
        import_dicom(library, archive, labels, Finder)
    labels = write_rows(tmp_path / "labels.csv", columns, ["study0", "dcm", "Jane"], ["study1", "dcm", "jane"])
    assert len({case.patient for case in import_dicom(library, archive, labels, Finder).cases}) == 1


def test_rows_without_a_study_or_a_map_are_named_and_nothing_is_imported(
    library: Path, archive: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for file in (archive / "study1" / "native").iterdir():
        file.write_bytes(file.read_bytes()[:-400])
    rows = [[PATIENTS[0], "dcm"], [PATIENTS[1], "dcm"], ["ID-9", "dcm"], [PATIENTS[2], "?"], [PATIENTS[0], "normal"]]
    labels = write_rows(tmp_path / "labels.csv", ["PatientID", "label"], *rows)
    before = content_of(library)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ACNetError) as error:
        import_dicom(library, archive, labels, Finder)
    for problem in (
        "row 3: none of its 8 files is a native short-axis T1 map. Left out: ",
        ".dcm: it can't be read",
        "row 4: column PatientID matches no study",
        "row 5: column label is '?'",
        "row 6: column PatientID matches images of ",
    ):
        assert problem in str(error.value)
    assert "ID-" not in str(error.value) + caplog.text
    assert content_of(library) == before


def test_a_study_without_a_field_strength_is_named_beside_the_others(
    library: Path, archive: Path, tmp_path: Path
) -> None:
    for file in (archive / "study1" / "native").iterdir():
        dataset = pydicom.dcmread(file)
        del dataset.MagneticFieldStrength
        dataset.save_as(file)
    rows = [[PATIENTS[0], "dcm"], [PATIENTS[1], "dcm"], ["ID-9", "dcm"]]
    labels = write_rows(tmp_path / "labels.csv", ["PatientID", "label"], *rows)
    with pytest.raises(ACNetError) as error:
        import_dicom(library, archive, labels, Finder)
    first, unmatched, without_field = error.value.lines
    assert first == "Nothing was added."
    assert "row 4: column PatientID matches no study" in unmatched
    assert "row 3, series 101: its field strength is not in its header" in without_field


def test_a_stack_of_two_field_strengths_is_named_with_its_row(library: Path, archive: Path, tmp_path: Path) -> None:
    file = archive / "study1" / "native" / "0.dcm"
    dataset = pydicom.dcmread(file)
    dataset.MagneticFieldStrength = 3
    dataset.save_as(file)
    labels = write_rows(tmp_path / "labels.csv", ["PatientID", "label"], [PATIENTS[0], "dcm"], [PATIENTS[1], "normal"])
    with pytest.raises(
        ACNetError, match=r"row 3, series 101: T1 map images 0\.dcm and 1\.dcm are of two field strengths"
    ):
        import_dicom(library, archive, labels, Finder)
    assert read_case_library(library, may_be_empty=True).cases == ()


def again(archive: Path, change: int, **attributes: Any) -> None:
    """The native series of the second study once more, with new UIDs, its T1 changed by some ms."""
    for file in sorted((archive / "study1" / "native").iterdir()):
        dataset = pydicom.dcmread(file)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.SeriesInstanceUID, dataset.SeriesNumber = "1.2.840.9.9", 110
        dataset.PixelData = (dataset.pixel_array + change).astype(np.uint16).tobytes()
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
        dataset.save_as(file.with_name(f"again-{file.name}"), enforce_file_format=True)


@pytest.mark.parametrize(
    ("change", "attributes", "note"),
    [
        (0, {}, "Counted once, because another image has the same pixels at the same place: 3 images."),
        (
            1,
            {"SeriesDescription": "MOLLI T1Map_LongT1 SA_mid_T1", "ImageType": ["DERIVED", "PRIMARY", "T1 MAP", "T1"]},
            "Series 110 was left out where series 101 shows the same slice with motion correction (MOCO).",
        ),
    ],
    ids=["doubled", "without MOCO"],
)
def test_a_slice_that_is_there_twice_becomes_one_case_with_a_note(
    change: int, attributes: dict[str, Any], note: str, library: Path, archive: Path, tmp_path: Path
) -> None:
    again(archive, change, **attributes)
    labels = write_rows(tmp_path / "labels.csv", ["PatientID", "label"], [PATIENTS[0], "dcm"], [PATIENTS[1], "normal"])
    imported = import_dicom(library, archive, labels, Finder)
    assert [case.label for case in imported.cases] == ["dcm"] * 3 + ["normal"] * 3
    assert any(f"row 3: {note}" in each for each in imported.notes)


def test_a_slice_that_becomes_two_cases_has_a_note(library: Path, archive: Path, tmp_path: Path) -> None:
    again(archive, 1, SeriesDescription="T1map nonmoco")
    labels = write_rows(tmp_path / "labels.csv", ["PatientID", "label"], [PATIENTS[0], "dcm"], [PATIENTS[1], "normal"])
    imported = import_dicom(library, archive, labels, Finder)
    assert len(imported.cases) == 9
    assert any("row 3: Series 101 and 110 show the same slice" in note for note in imported.notes)


@pytest.mark.parametrize(
    ("of_the_second", "said"),
    [
        ({"MagneticFieldStrength": 3}, r"its series \d+ and 110 are of two field strengths .*1\.5 and 3"),
        (
            {"SeriesInstanceUID": generate_uid(entropy_srcs=["101"])},
            "none of its .*breath-hold.*Move images that do not belong",
        ),
    ],
    ids=["field strength", "breath-hold"],
)
def test_a_study_of_two_field_strengths_or_with_a_repeated_breath_hold_is_named_with_its_row(
    library: Path, archive: Path, tmp_path: Path, of_the_second: dict[str, Any], said: str
) -> None:
    again(archive, 1, **of_the_second)
    labels = write_rows(tmp_path / "labels.csv", ["PatientID", "label"], [PATIENTS[0], "dcm"], [PATIENTS[1], "normal"])
    with pytest.raises(ACNetError, match=rf"row 3: {said}") as error:
        import_dicom(library, archive, labels, Finder)
    assert "--" not in str(error.value)
    assert read_case_library(library, may_be_empty=True).cases == ()


def test_the_same_images_in_two_studies_are_named_with_their_rows(library: Path, archive: Path, tmp_path: Path) -> None:
    again(archive, 0, StudyInstanceUID="1.2.840.4711.8")
    columns = ["StudyInstanceUID", "label"]
    labels = write_rows(tmp_path / "labels.csv", columns, ["1.2.840.4711.1", "dcm"], ["1.2.840.4711.8", "dcm"])
    with pytest.raises(ACNetError, match=r"row 3, series 110: .*added already, by .*row 2, series 101.*Leave one of"):
        import_dicom(library, archive, labels, Finder)


def test_a_patient_whose_studies_have_both_labels_is_refused(library: Path, archive: Path, tmp_path: Path) -> None:
    labels = write_rows(
        tmp_path / "labels.csv", ["folder", "label", "patient"], ["study0", "dcm", "Jane"], ["study1", "normal", "Jane"]
    )
    before = content_of(library)
    with pytest.raises(
        ACNetError, match=r"row 3, series 101: patient 'p-\w+' is normal here and dcm by .*row 2"
    ) as error:
        import_dicom(library, archive, labels, Finder)
    assert "Jane" not in str(error.value)
    assert content_of(library) == before


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["label"], "found 0 columns that tell studies apart"),
        (["label", "PatientID", "folder"], "found 2 columns that tell studies apart"),
        (["PatientID"], "columns label are missing"),
    ],
)
def test_a_list_that_can_not_be_matched_is_refused(
    library: Path, archive: Path, tmp_path: Path, columns: list[str], message: str
) -> None:
    with pytest.raises(ACNetError, match=message):
        import_dicom(library, archive, write_rows(tmp_path / "labels.csv", columns), Finder)


def test_tilted_slices_of_one_series_are_imported_one_by_one_as_the_classifier_takes_them(
    library: Path, archive: Path, tmp_path: Path
) -> None:
    across, along = np.reshape(USUAL_ORIENTATION, (2, 3))
    normal = np.cross(across, along)
    for section, degrees in enumerate((0, 4, -5)):
        tilted = np.cos(np.radians(degrees)) * along + np.sin(np.radians(degrees)) * normal
        place: dict[str, Any] = {"position": section * 3 * GAP_MM * normal, "orientation": (*across, *tilted)}
        stored = np.random.default_rng(section).integers(200, 1900, (40, 30)).astype(np.uint16)
        identity = {"PatientID": "tilted", "StudyInstanceUID": "1.2.840.4711.9", "PatientAge": "008Y"}
        write_section(archive / "tilted" / f"{section}.dcm", stored, **{**identity, **place})
    assert len(read_exam([archive / "tilted"])) == 3
    labels = write_rows(tmp_path / "labels.csv", ["PatientID", "label"], ["tilted", "dcm"], [PATIENTS[1], "normal"])
    imported = import_dicom(library, archive, labels, Finder)
    assert [case.label for case in imported.cases] == ["dcm"] * 3 + ["normal"] * 3
    assert [note for note in imported.notes if "row 2, series 3" in note and CHILD in note] != [], "as of cases add"
