"""Stray files in a DICOM folder, and images that are there several times."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, MediaStorageDirectoryStorage, RawDataStorage

from ACNetLib.commands.main import main
from ACNetLib.dicom.series import find_t1_maps
from ACNetLib.errors import ACNetError
from ACNetLib.inference.exam_input import read_exam
from ACNetLib.t1map.t1_map import Reading, read_t1_map
from dicom_files import GAP_MM, write_section
from exam_files import TILTS_DEGREES, write_exam, write_slice

APPLE_DOUBLE = b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(100)
RAW_DATA: dict[str, Any] = {"SOPClassUID": RawDataStorage, "Rows": None, "Columns": None, "PixelData": None}


def assert_is_whole(folder: Path, stored: np.ndarray) -> tuple[str, ...]:
    """The three sections and nothing else; returns the warnings."""
    t1_map = read_t1_map(folder)
    np.testing.assert_array_equal(t1_map.array, stored.astype(np.float32))
    return t1_map.warnings


def test_files_that_are_no_images_are_skipped_and_said(study: Path, stored: np.ndarray) -> None:
    (study / "a-again.dcm").write_bytes(APPLE_DOUBLE)
    (study / "._a.dcm").write_bytes(APPLE_DOUBLE)  # hidden: passed over without a word
    (study / "empty.dcm").touch()
    (study / "again.IMA").touch()
    (study / "report.txt").write_text("nothing that looks like an image")
    write_section(study / "raw.dcm", stored[0], **RAW_DATA)
    write_section(study / "raw", stored[0], series=8, **RAW_DATA)
    found = "Skipped files that are no images: Raw Data Storage (2), empty (2), not DICOM (1)."
    assert found in assert_is_whole(study, stored)
    (series,) = find_t1_maps(sorted(study.iterdir()))
    assert len(series.slices) == 3


def test_a_folder_of_stray_files_says_what_they_are(stored: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(APPLE_DOUBLE)
    write_section(tmp_path / "raw.dcm", stored[0], **RAW_DATA)
    found = r"found no DICOM image among 2 files; .*no images: Raw Data Storage \(1\), not DICOM \(1\)"
    with pytest.raises(ACNetError, match=found):
        read_t1_map(tmp_path)


def test_a_renamed_dicomdir_is_skipped(study: Path, stored: np.ndarray) -> None:
    dataset = pydicom.dcmread(study / "a.dcm")
    for element in list(dataset):
        del dataset[element.tag]
    dataset.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    dataset.FileSetID = "EXPORT"
    dataset.save_as(study / "DICOMDIR.dcm")
    assert not any("Skipped" in warning for warning in assert_is_whole(study, stored))


def test_an_image_without_rows_is_incomplete_and_not_skipped(study: Path, stored: np.ndarray) -> None:
    write_section(study / "d.dcm", stored[0], 3 * GAP_MM, Rows=None)
    with pytest.raises(ACNetError, match=r"d\.dcm: found 0 values of Rows"):
        read_t1_map(study)


def test_a_copy_in_a_subfolder_counts_once(study: Path, stored: np.ndarray) -> None:
    shutil.copytree(study, study.parent / "other")
    shutil.move(study.parent / "other", study / "copy")
    assert "Counted once, because another file is the same: 3 of its files." in assert_is_whole(study, stored)
    (series,) = find_t1_maps(sorted(study.rglob("*.dcm")))
    assert len(series.slices) == 3


def test_a_copy_that_a_pacs_has_encoded_anew_counts_once(study: Path, stored: np.ndarray) -> None:
    dataset = pydicom.dcmread(study / "a.dcm")
    assert dataset.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset.StationName = "ARCHIVE"
    dataset.save_as(study / "z.dcm", implicit_vr=True, little_endian=True, enforce_file_format=True)
    assert "Counted once, because another file is the same: 1 of its files." in assert_is_whole(study, stored)


@pytest.mark.parametrize("change", [{"RescaleSlope": 1.1}, {"PixelData": bytes(2 * 40 * 30)}], ids=["slope", "pixels"])
def test_two_files_that_claim_to_be_one_image_and_differ_are_named(
    change: dict[str, Any], study: Path, stored: np.ndarray
) -> None:
    dataset = pydicom.dcmread(study / "a.dcm")
    for keyword, value in change.items():
        setattr(dataset, keyword, value)
    (study / "edited").mkdir()
    dataset.save_as(study / "edited" / "a.dcm", enforce_file_format=True)
    with pytest.raises(
        ACNetError, match=r"study/a\.dcm and edited/a\.dcm differ, but .*same SOPInstanceUID.*--leave-out"
    ):
        read_t1_map(study)
    t1_map = read_t1_map(study, Reading(leave_out=["edited/a.dcm"]))
    np.testing.assert_array_equal(t1_map.array, stored.astype(np.float32))


@pytest.fixture
def repeated(study: Path, stored: np.ndarray) -> Path:
    """The study with its second slice acquired again in the same series, as after a poor breath-hold."""
    for number, name in enumerate("cab"):
        dataset = pydicom.dcmread(study / f"{name}.dcm")
        dataset.AcquisitionNumber, dataset.InstanceNumber = 1, number + 1
        dataset.save_as(study / f"{name}.dcm", enforce_file_format=True)
    write_section(study / "again.dcm", stored[0], GAP_MM, AcquisitionNumber=2, InstanceNumber=4)
    return study


def test_a_repeated_breath_hold_is_chosen_by_leaving_the_worse_one_out(repeated: Path, stored: np.ndarray) -> None:
    found = (
        r"a\.dcm and again\.dcm lie at the same place, as after a repeated breath-hold \(acquisitions 1 and 2\); "
        r"expected one a slice\. .*--leave-out a\.dcm or --leave-out again\.dcm"
    )
    with pytest.raises(ACNetError, match=found):
        read_t1_map(repeated)
    first, second = (read_t1_map(repeated, Reading(leave_out=[name])).array for name in ("again.dcm", "a.dcm"))
    np.testing.assert_array_equal(first, stored)
    np.testing.assert_array_equal(second, stored[[0, 0, 2]])


def test_the_command_leaves_files_out_by_name_or_pattern(
    repeated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = ["--output", str(tmp_path / "out")]
    for name in ("nothing.dcm", "."):
        assert main(["classify", str(repeated), "--leave-out", name, *output]) == 2
        assert f"--leave-out: no file is called {name}; expected" in capsys.readouterr().err
    assert main(["classify", str(repeated), "--leave-out", "a*.dcm,b.dcm", "--series", "8", *output]) == 2
    assert "found series 3: 1 images" in capsys.readouterr().err


def test_in_slicer_each_breath_hold_is_offered_by_its_name(repeated: Path) -> None:
    series = find_t1_maps(sorted(repeated.iterdir()))
    assert [each.name.rpartition(", ")[2] for each in series] == ["breath-hold 1 of 2", "breath-hold 2 of 2"]
    names = [[file.name for file in each.files] for each in series]
    assert names == [["c.dcm", "a.dcm", "b.dcm"], ["c.dcm", "again.dcm", "b.dcm"]]


@pytest.mark.parametrize(
    ("keyword", "found"),
    [("InversionTime", r"inversion times of 100 and 180 ms"), ("EchoTime", r"echo times of 100 and 180 ms")],
)
def test_images_that_a_map_is_computed_from_are_told_from_repeated_breath_holds(
    keyword: str, found: str, stored: np.ndarray, tmp_path: Path
) -> None:
    for number, time in enumerate((100, 180)):
        write_section(tmp_path / f"{number}.dcm", stored[number], **{keyword: time})
    with pytest.raises(ACNetError, match=rf"0\.dcm and 1\.dcm lie at the same place and have {found}.*the map"):
        read_t1_map(tmp_path)
    assert find_t1_maps(sorted(tmp_path.iterdir())) == []


MOCO_TYPE, PLAIN_TYPE = ["DERIVED", "PRIMARY", "T1 MAP", "MOCO", "T1"], ["DERIVED", "PRIMARY", "T1 MAP", "T1"]
PROTOCOL = "t1map_long_t1_3slice_8mm"


def write_series(folder: Path, stored: np.ndarray, series: int, **attributes: Any) -> Path:
    """Three slices as a series, their UIDs new each time."""
    for section in range(3):
        file = folder / f"{series}-{section}.dcm"
        write_section(file, stored[section], section * GAP_MM, series=series, **attributes)
    return folder


@pytest.mark.parametrize("series", [3, 9], ids=["within the series", "as another series"])
def test_the_same_pixels_at_the_same_place_count_once_with_a_note(series: int, study: Path, stored: np.ndarray) -> None:
    write_series(study / "again", stored, series, SeriesDescription="exported again T1map")
    warnings = assert_is_whole(study, stored)
    assert "Counted once, because another image has the same pixels at the same place: 3 images." in warnings
    in_slicer = find_t1_maps(sorted(study.rglob("*.dcm")))
    assert [(len(each.slices), "breath-hold" in each.name) for each in in_slicer] == [(3, False)] * (1 + (series == 9))


def test_the_same_t1_stored_with_another_scale_counts_once(study: Path, stored: np.ndarray) -> None:
    write_series(study / "again", stored * 2, 9, RescaleSlope=0.5, RescaleIntercept=0, BitsStored=16, HighBit=15)
    assert any("same pixels" in warning for warning in assert_is_whole(study, stored))


@pytest.mark.parametrize(
    "other",
    [{"PatientID": "another"}, {"StudyInstanceUID": "1.2.3"}, {"RescaleSlope": 1.1, "RescaleIntercept": 0}],
    ids=["patient", "study", "values"],
)
def test_the_same_stored_pixels_of_another_patient_study_or_scale_count_each(
    other: dict[str, Any], study: Path, stored: np.ndarray
) -> None:
    write_series(study / "again", stored, 9, **other)
    with pytest.raises(ACNetError, match=r"of two patients|of two exams|lie at the same place"):
        read_t1_map(study)


def test_a_native_map_and_one_after_contrast_with_the_same_pixels_count_each(study: Path, stored: np.ndarray) -> None:
    write_series(study / "post", stored, 9, ContrastBolusAgent="Gadovist")
    with pytest.raises(ACNetError, match="lie at the same place"):
        read_t1_map(study, Reading(post_contrast=True))


CORRECTED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (
        {"ImageType": MOCO_TYPE, "SeriesDescription": f"{PROTOCOL}_MOCO_T1"},
        {"ImageType": PLAIN_TYPE, "SeriesDescription": f"{PROTOCOL}_T1"},
        "motion correction (MOCO)",
    ),
    (
        {"ImageType": PLAIN_TYPE, "SeriesDescription": f"{PROTOCOL} MOCO"},
        {"ImageType": MOCO_TYPE, "SeriesDescription": f"{PROTOCOL} non-MOCO"},
        "motion correction (MOCO)",
    ),
    (
        {"ImageType": PLAIN_TYPE, "SeriesDescription": f"{PROTOCOL} MOCO"},
        {"ImageType": MOCO_TYPE, "SeriesDescription": f"{PROTOCOL} sans MOCO"},
        "motion correction (MOCO)",
    ),
    (
        {"ImageType": [*MOCO_TYPE, "DIS2D"], "SeriesDescription": f"{PROTOCOL}_MOCO_T1"},
        {"ImageType": [*MOCO_TYPE, "ND"], "SeriesDescription": f"{PROTOCOL}_MOCO_T1_ND"},
        "distortion correction (DIS2D)",
    ),
]


@pytest.mark.parametrize(("corrected", "plain", "why"), CORRECTED, ids=["MOCO", "non-MOCO", "sans MOCO", "DIS2D"])
@pytest.mark.parametrize("corrected_series", [3, 13])
def test_of_a_slice_with_and_without_a_correction_the_corrected_map_is_taken_with_a_note(
    corrected: dict[str, Any],
    plain: dict[str, Any],
    why: str,
    corrected_series: int,
    stored: np.ndarray,
    tmp_path: Path,
) -> None:
    write_series(tmp_path, stored, corrected_series, **corrected)
    write_series(tmp_path, stored + 1, 8, **plain)
    note = f"Series 8 was left out where series {corrected_series} shows the same slice with {why}."
    assert note in assert_is_whole(tmp_path, stored)
    np.testing.assert_array_equal(read_t1_map(tmp_path, Reading(series=[8])).array, stored + 1)
    assert len(find_t1_maps(sorted(tmp_path.iterdir()))) == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"SeriesDescription": "T1map rest_MOCO_T1"}, {"SeriesDescription": "T1map late_T1", "ImageType": PLAIN_TYPE}),
        ({"ImageType": [*MOCO_TYPE, "DIS2D"]}, {"ImageType": MOCO_TYPE}),
        ({"ImageType": MOCO_TYPE}, {"ImageType": MOCO_TYPE}),
    ],
    ids=["another protocol", "distortion not told", "both corrected"],
)
def test_what_may_be_another_breath_hold_is_left_to_choose(
    first: dict[str, Any], second: dict[str, Any], stored: np.ndarray, tmp_path: Path
) -> None:
    write_series(tmp_path, stored, 3, **first)
    write_series(tmp_path, stored + 1, 8, **second)
    with pytest.raises(ACNetError, match=r"lie at the same place.*give the folder of one series"):
        read_t1_map(tmp_path)


def test_slices_that_were_planned_one_by_one_are_taken_with_their_correction(tmp_path: Path) -> None:
    write_exam(tmp_path, ImageType=MOCO_TYPE, SeriesDescription=f"{PROTOCOL}_MOCO_T1")
    for index in range(3):
        plain: dict[str, Any] = {"ImageType": PLAIN_TYPE, "SeriesDescription": f"{PROTOCOL}_T1", "RescaleIntercept": 1}
        write_slice(tmp_path / f"plain-{index}.dcm", index, TILTS_DEGREES[index], series=20 + index, **plain)
    t1_maps = read_exam([tmp_path])
    assert [t1_map.name.rpartition("series ")[2] for t1_map in t1_maps] == ["3", "5", "7"]
    assert any("Series 21 was left out where series 5" in warning for warning in t1_maps[0].warnings)


def test_a_slice_without_its_correction_stays_where_no_other_shows_it(stored: np.ndarray, tmp_path: Path) -> None:
    corrected, plain, _ = CORRECTED[0]
    write_series(tmp_path, stored, 3, **corrected)
    (tmp_path / "3-1.dcm").unlink()
    write_series(tmp_path, stored + 1, 8, **plain)
    np.testing.assert_array_equal(read_t1_map(tmp_path).array, [stored[0], stored[1] + 1, stored[2]])
