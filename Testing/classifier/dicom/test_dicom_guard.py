"""DICOM files are asked for their size before they are read, and compressed pixels can't take the process along."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.errors import InvalidDicomError
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLSLossless, RLELossless

from ACNetLib.dicom import guard as dicom_guard
from ACNetLib.dicom.guard import (
    check_pixel_count,
    decoded_in_child,
    pixels_of,
    read_dataset,
    read_first_of,
)
from ACNetLib.dicom.series import find_t1_maps
from ACNetLib.errors import ACNetError
from ACNetLib.t1map.t1_map import read_t1_map
from ACNetLib.triage.studies import find_studies
from ACNetTrainerLib.cases.dicom_import import read_origins
from dicom_files import GAP_MM, PATIENT_ID, RAMP, compress, without_preamble, write_section

STORED = np.random.default_rng(1).integers(200, 1900, (40, 30)).astype(np.uint16)


def deflated(path: Path, zeros: int) -> Path:
    """A deflated file with so many bytes of nothing in it."""
    dataset = pydicom.dcmread(write_section(path, STORED))
    dataset.add_new(0x00091010, "OB", bytes(zeros))
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)
    return path


def test_a_deflated_file_is_inflated_up_to_the_limit_and_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = deflated(tmp_path / "a.dcm", 20_000)
    np.testing.assert_array_equal(read_dataset(path).pixel_array, STORED)
    monkeypatch.setattr(dicom_guard, "LARGEST_INFLATED_BYTES", 10_000)
    monkeypatch.setattr(zlib, "decompress", lambda *_, **__: pytest.fail("inflated at once"))
    with pytest.raises(ACNetError, match=r"a\.dcm: it inflates to more than 10000 bytes"):
        read_dataset(path)
    with pytest.raises(ACNetError, match=r"a\.dcm: it inflates to more than 10000 bytes"):
        read_first_of(path, [Tag("PatientID")])


def test_a_damaged_deflated_file_is_one_line_and_a_study_that_says_so(tmp_path: Path) -> None:
    path = deflated(tmp_path / "a.dcm", 20_000)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ACNetError, match=r"a\.dcm: it can't be read"):
        read_t1_map(path)
    (study,) = find_studies(tmp_path, tmp_path / "list")
    assert study.files == (path,)


def test_nothing_inflates_to_more_than_the_ratio_by_which_small_files_are_let_through() -> None:
    nothing = bytes(20_000_000)
    assert 1000 < len(nothing) / len(zlib.compress(nothing, 9)) <= dicom_guard.LARGEST_RATIO


def test_the_first_attributes_of_a_file_are_those_of_the_whole_and_none_behind_them(tmp_path: Path) -> None:
    path = write_section(tmp_path / "a.dcm", STORED)
    whole, tags = read_dataset(path), [Tag("PatientID"), Tag("SeriesInstanceUID")]
    first = read_first_of(path, tags)
    assert [element.tag for element in first] == tags
    assert all(first[tag].value == whole[tag].value for tag in tags)
    assert "Rows" in whole
    assert "Rows" not in read_first_of(path, [*tags, Tag("InstanceNumber")])
    bare = without_preamble(path)
    assert read_first_of(bare, tags).PatientID == whole.PatientID


def test_a_file_beyond_the_limit_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_section(tmp_path / "a.dcm", STORED)
    monkeypatch.setattr(dicom_guard, "LARGEST_FILE_BYTES", 100)
    with pytest.raises(ACNetError, match=r"a\.dcm: it has \d+ bytes; expected a DICOM image of at most 100"):
        read_dataset(path)


@pytest.mark.parametrize("changes", [{"NumberOfFrames": 2**31 - 1}, {"Rows": 65535, "Columns": 65535}])
def test_more_pixels_than_any_map_has_are_refused_before_they_are_laid_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, int]
) -> None:
    dataset = read_dataset(write_section(tmp_path / "a.dcm", STORED))
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    monkeypatch.setattr(pydicom.Dataset, "pixel_array", property(lambda _: pytest.fail("pixels were read")))
    with pytest.raises(ACNetError, match=r"a\.dcm: it says .* pixels .*; expected at most 67108864"):
        pixels_of(dataset, tmp_path / "a.dcm")
    check_pixel_count(pydicom.Dataset(), "nothing is said")


def test_compressed_pixels_come_from_a_process_of_their_own_unchanged(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(write_section(tmp_path / "a.dcm", STORED))
    dataset.compress(RLELossless)
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(decoded_in_child(tmp_path / "a.dcm", seconds=300), STORED)
    np.testing.assert_array_equal(pixels_of(read_dataset(tmp_path / "a.dcm"), tmp_path / "a.dcm"), STORED)


@pytest.mark.parametrize(
    ("code", "seconds", "reason"),
    [
        ("import os; os.abort()", 300, "the decoder ended with -6"),
        ("import time; time.sleep(600)", 3, "it took longer than 3 s"),
        ("import sys; sys.exit('ValueError: odd')", 300, "ValueError: odd"),
    ],
    ids=["crashes", "hangs", "fails"],
)
def test_a_decoder_that_crashes_hangs_or_fails_is_a_message(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    a_package: Callable[[str], str],
    code: str,
    seconds: float,
    reason: str,
) -> None:
    monkeypatch.setattr(dicom_guard, "CHILD", a_package(code))
    with pytest.raises(ACNetError, match=rf"a\.dcm: its compressed pixels can't be read.*{reason}"):
        decoded_in_child(tmp_path / "a.dcm", seconds)


WITHOUT_LIMITS = """
import resource, runpy

def refuse(*_):
    raise {error}("current limit exceeds maximum limit")

resource.setrlimit = refuse
runpy.run_module("ACNetLib.dicom.decoding", run_name="__main__")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no module resource")
@pytest.mark.parametrize("error", ["ValueError", "OSError"])  # macOS, and systems that know no such limit
def test_compressed_pixels_are_read_where_the_system_refuses_a_limit_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, a_package: Callable[[str], str], error: str
) -> None:
    file = compress(write_section(tmp_path / "a.dcm", RAMP), JPEGLSLossless)
    monkeypatch.setattr(dicom_guard, "CHILD", a_package(WITHOUT_LIMITS.format(error=error)))
    np.testing.assert_array_equal(decoded_in_child(file, seconds=300), RAMP)


def test_a_decoder_has_one_thread_of_each_library_whatever_is_set_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, a_package: Callable[[str], str]
) -> None:
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")
    for name in names:
        monkeypatch.setenv(name, "64")
    code = f"import os, sys, numpy; numpy.save(sys.argv[2], [int(os.environ[name]) for name in {names}])"
    monkeypatch.setattr(dicom_guard, "CHILD", a_package(code))
    assert decoded_in_child(tmp_path / "a.dcm", seconds=300).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "odd",
    [{"SeriesInstanceUID": ["1.2", "3.4"]}, {"SeriesNumber": ["1", "2"]}, {"PixelSpacing": None}, {"Rows": None}],
    ids=lambda odd: next(iter(odd)),
)
def test_odd_values_in_a_header_are_one_line_that_names_the_file(tmp_path: Path, odd: dict[str, Any]) -> None:
    write_section(tmp_path / "a.dcm", STORED, **odd)
    if "SeriesNumber" in odd:
        assert read_t1_map(tmp_path / "a.dcm").section_count == 1
        return
    with pytest.raises(ACNetError, match=r"^a\.dcm: .*(several values of SeriesInstanceUID|found 0 values)"):
        read_t1_map(tmp_path / "a.dcm")


@pytest.mark.parametrize("keyword", ["MagneticFieldStrength", "RescaleSlope"])
def test_a_field_strength_or_a_scaling_that_is_no_number_is_one_line(tmp_path: Path, keyword: str) -> None:
    number: dict[str, Any] = {keyword: 1.25}
    file = write_section(tmp_path / "study" / "a.dcm", RAMP, RescaleIntercept=0, **number)
    file.write_bytes(file.read_bytes().replace(b"1.25", b"high"))
    with pytest.raises(ACNetError, match=r"^a\.dcm: it can't be read"):
        read_t1_map(file.parent)
    if keyword == "MagneticFieldStrength":  # Slicer's list of what can be loaded reads no pixels
        assert find_t1_maps([file]) == []


WITHOUT_PREAMBLE = [
    (ExplicitVRLittleEndian, False),
    (ImplicitVRLittleEndian, False),
    (ExplicitVRLittleEndian, True),
    (ImplicitVRLittleEndian, True),
]


@pytest.mark.parametrize(("syntax", "with_meta"), WITHOUT_PREAMBLE)
@pytest.mark.parametrize("first", [{}, {"SpecificCharacterSet": "ISO_IR 100"}, {"ImageType": None}])
def test_files_without_a_preamble_are_read_as_those_with_one(
    first: dict[str, Any], syntax: UID, with_meta: bool, tmp_path: Path, stored: np.ndarray
) -> None:
    for section in range(3):
        without_preamble(
            write_section(tmp_path / "study" / f"{section}.dcm", stored[section], section * GAP_MM, **first),
            syntax,
            with_meta,
        )
    t1_map = read_t1_map(tmp_path / "study")
    np.testing.assert_array_equal(t1_map.array, stored.astype(np.float32))
    assert t1_map.field_strength_tesla == 1.5
    (series,) = find_t1_maps(sorted((tmp_path / "study").iterdir()))
    assert len(series.slices) == 3
    (study,) = find_studies(tmp_path, tmp_path / "list")
    assert (len(study.files), study.patient_id) == (3, PATIENT_ID)
    assert len(read_origins(tmp_path)[0]) == 3


def test_a_group_length_may_come_first(tmp_path: Path) -> None:
    file = without_preamble(write_section(tmp_path / "a.dcm", STORED))
    file.write_bytes(b"\10\0\0\0UL\4\0" + (0).to_bytes(4, "little") + file.read_bytes())
    np.testing.assert_array_equal(read_t1_map(file).array[0], STORED.astype(np.float32))


def test_compressed_pixels_are_read_without_a_preamble_where_the_meta_information_tells(tmp_path: Path) -> None:
    file = compress(write_section(tmp_path / "a.dcm", RAMP), JPEGLSLossless)
    np.testing.assert_array_equal(read_t1_map(without_preamble(file, JPEGLSLossless, True)).array[0], RAMP)


def test_a_file_without_a_preamble_keeps_to_every_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = without_preamble(write_section(tmp_path / "a.dcm", STORED))
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ACNetError, match="a: it can't be read"):
        read_t1_map(file)
    many = without_preamble(write_section(tmp_path / "many.dcm", STORED, NumberOfFrames=2**31 - 1))
    with pytest.raises(ACNetError, match=r"many: it says .* pixels .*expected at most"):
        read_t1_map(many)
    monkeypatch.setattr(dicom_guard, "LARGEST_FILE_BYTES", 100)
    with pytest.raises(ACNetError, match=r"a: it has .* bytes"):
        read_dataset(file)


def test_a_deflated_file_without_a_preamble_is_no_dicom(tmp_path: Path) -> None:
    file = without_preamble(deflated(tmp_path / "a.dcm", 20_000), pydicom.uid.DeflatedExplicitVRLittleEndian, True)
    with pytest.raises(InvalidDicomError):
        read_dataset(file)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\10\0",
        bytes(500),
        b"\10\0\5\0" * 100,  # whole numbers that look like a tag
        b"\10\0\5\0CS\0\0" + bytes(100),
        b"\10\0\5\0CS\12\0\1\2\3\4\5\6\7\10\11\12" + bytes(100),
        b"\10\0\20\0LO\4\0text" + bytes(100),
        b"\0\10\0\5CS\0\4text" + bytes(100),  # big endian
        b"\2\0\0\0UL\4\0\0\0\0\0" + bytes(100),
    ],
)
def test_other_files_are_passed_over_as_before(content: bytes, tmp_path: Path, study: Path, stored: np.ndarray) -> None:
    (study / "other").write_bytes(content)
    (study / "other.dcm").write_bytes(content)
    t1_map = read_t1_map(study)
    np.testing.assert_array_equal(t1_map.array, stored.astype(np.float32))
    assert any("Skipped files that are no images" in warning for warning in t1_map.warnings)


@pytest.mark.parametrize("damaged", [slice(0, 500), None], ids=["cut off", "zeros"])
def test_a_broken_copy_beside_the_slices_is_refused_and_where_a_series_is_chosen_in_slicer_it_is_told(
    damaged: slice | None, study: Path
) -> None:
    file = study / "a.dcm"
    file.write_bytes(bytes(8192) if damaged is None else file.read_bytes()[damaged])
    with pytest.raises(
        ACNetError, match=r"^a\.dcm: it (can't be read \(incomplete|has no SeriesInstanceUID; expected one)"
    ):
        read_t1_map(study)
    for series in find_t1_maps(sorted(study.iterdir())):
        said = "Of the files beside it 1 can't be read: it may lack slices."
        assert said in series.warnings
        assert said in series.notes
