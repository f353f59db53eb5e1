"""Which of the values that a header holds several times count: public groups, the frame's own, the mapping to time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from ACNetLib.dicom.images import HEADER_TAGS, read_images
from ACNetLib.dicom.series import find_t1_maps
from ACNetLib.errors import ACNetError
from ACNetLib.t1map.t1_map import read_t1_map
from dicom_files import (
    GAP_MM,
    NORMAL,
    PATIENT_ID,
    PATIENT_NAME,
    POSITION,
    SPACING,
    decimals,
    item,
    mapping,
    write_enhanced,
    write_section,
    write_study,
)

PRIVATE_FRAME_GROUP = (0x2005, 0x140F)  # "Philips MR Imaging DD 005": one item a frame with copies of public tags


def private_copies(frame: int) -> Dataset:
    """Other values than the public ones, under the tags of every group that is read."""
    return item(
        ImagePositionPatient=decimals(POSITION + (1.0, 0.0, 0.5) + frame * GAP_MM * NORMAL),
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        PixelSpacing=[1, 1],
        SliceThickness=10,
        RescaleSlope=1.15,
        RescaleIntercept=5,
        ImageType=["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"],
        FrameType=["ORIGINAL", "PRIMARY", "M_FFE", "M"],
        MagneticFieldStrength=7,
        ContrastBolusAgent="Gadobutrol",
        RealWorldValueMappingSequence=[mapping("ms", 2.0)],
    )


def with_private_groups(file: Path) -> Path:
    dataset = pydicom.dcmread(file)
    for frame, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        groups.add_new((0x2005, 0x0014), "LO", "Philips MR Imaging DD 005")
        groups.add_new(PRIVATE_FRAME_GROUP, "SQ", [private_copies(frame)])
    (shared,) = dataset.SharedFunctionalGroupsSequence
    shared.add_new((0x2005, 0x0014), "LO", "Philips MR Imaging DD 005")
    shared.add_new((0x2005, 0x140E), "SQ", [private_copies(0)])
    dataset.save_as(file, enforce_file_format=True)
    return file


def test_private_copies_of_public_tags_change_nothing(stored: np.ndarray, tmp_path: Path) -> None:
    t1_map = read_t1_map(with_private_groups(write_enhanced(tmp_path / "a.dcm", stored)))
    np.testing.assert_array_equal(t1_map.array, stored.astype(np.float32))
    np.testing.assert_allclose(t1_map.image.GetOrigin(), POSITION, rtol=0, atol=1e-6)
    np.testing.assert_allclose(t1_map.image.GetSpacing(), (*reversed(SPACING), GAP_MM), rtol=0, atol=1e-6)
    np.testing.assert_allclose(t1_map.normal, NORMAL, rtol=0, atol=1e-6)
    assert (t1_map.field_strength_tesla, t1_map.evidence.split(",")[0]) == (1.5, "series 3: ImageType T1 MAP (+3)")


def test_public_tags_in_a_group_that_is_not_theirs_change_nothing(stored: np.ndarray, tmp_path: Path) -> None:
    file = write_enhanced(tmp_path / "a.dcm", stored)
    dataset = pydicom.dcmread(file)
    for groups in dataset.PerFrameFunctionalGroupsSequence:
        groups.FrameContentSequence = [private_copies(0)]
    dataset.DerivationImageSequence = [private_copies(0)]
    dataset.save_as(file, enforce_file_format=True)
    np.testing.assert_array_equal(read_t1_map(file).array, stored.astype(np.float32))


def test_a_frames_own_group_wins_over_the_shared_one_and_that_over_the_files_header(
    stored: np.ndarray, tmp_path: Path
) -> None:
    slopes = [0.9, 1.0, 1.1]
    file = write_enhanced(tmp_path / "a.dcm", stored, slopes, RescaleSlope=3, RescaleIntercept=7)
    dataset = pydicom.dcmread(file)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    shared.PixelValueTransformationSequence = [item(RescaleSlope=2, RescaleIntercept=0)]
    del dataset.PerFrameFunctionalGroupsSequence[1].PixelValueTransformationSequence
    dataset.save_as(file, enforce_file_format=True)
    expected = stored * np.array([0.9, 2.0, 1.1])[:, None, None]
    np.testing.assert_allclose(read_t1_map(file).array, expected, rtol=1e-6)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("where", ["header", "shared", "frame"])
def test_of_several_real_world_value_mappings_that_in_a_unit_of_time_counts(
    where: str, order: int, stored: np.ndarray, tmp_path: Path
) -> None:
    mappings = [mapping("1", 1.0), mapping("ms", 2.0)][::order]
    file = write_enhanced(tmp_path / "a.dcm", stored // 2)
    dataset = pydicom.dcmread(file)
    holders = {
        "header": [dataset],
        "shared": dataset.SharedFunctionalGroupsSequence,
        "frame": dataset.PerFrameFunctionalGroupsSequence,
    }
    for holder in holders[where]:
        holder.RealWorldValueMappingSequence = mappings
    dataset.save_as(file, enforce_file_format=True)
    np.testing.assert_array_equal(read_t1_map(file).array, stored // 2 * np.float32(2))


def test_two_mappings_to_time_that_agree_are_one(stored: np.ndarray, tmp_path: Path) -> None:
    mappings = [mapping("s", 0.002), mapping("ms", 2.0)]
    file = write_section(tmp_path / "a.dcm", stored[0] // 2, RealWorldValueMappingSequence=mappings)
    np.testing.assert_allclose(read_t1_map(file).array[0], stored[0] // 2 * 2.0, rtol=1e-6)


def test_two_mappings_to_time_that_differ_are_refused_with_both(stored: np.ndarray, tmp_path: Path) -> None:
    mappings = [mapping("ms", 1.0), mapping("ms", 2.0, 10.0)]
    write_section(tmp_path / "a.dcm", stored[0], RealWorldValueMappingSequence=mappings)
    found = r"^a\.dcm: .*in 2 ways \(1 \* stored \+ 0 ms and 2 \* stored \+ 10 ms\); expected one"
    with pytest.raises(ACNetError, match=found):
        read_t1_map(tmp_path)
    assert find_t1_maps([tmp_path / "a.dcm"]) == []


def test_a_mapping_by_a_table_is_refused(stored: np.ndarray, tmp_path: Path) -> None:
    table = mapping("ms", 1.0, RealWorldValueLUTData=[float(value) for value in range(4096)])
    del table.RealWorldValueSlope, table.RealWorldValueIntercept
    write_section(tmp_path / "a.dcm", stored[0], RealWorldValueMappingSequence=[table])
    with pytest.raises(ACNetError, match=r"^a\.dcm: its real world values are in a table"):
        read_t1_map(tmp_path)


def test_of_the_patient_no_attribute_is_kept_but_the_age() -> None:
    # A child's map has a warning, and an age in years names nobody.
    who = ("Patient", "Referring", "Institution", "Operators", "OtherPatient")
    assert {tag for tag in HEADER_TAGS if tag.startswith(who)} == {"PatientAge"}


def test_what_is_read_of_an_image_does_not_hold_its_patient(stored: np.ndarray, tmp_path: Path) -> None:
    dates = {"PatientBirthDate": "19570301", "StudyDate": "20240229"}
    images, _ = read_images(sorted(write_study(tmp_path, stored, **dates).iterdir()))
    secrets = (PATIENT_ID, PATIENT_NAME, *dates, *dates.values())
    assert not any(secret in str(image.header) for image in images for secret in secrets)
    assert len({image.header.PatientID for image in images}) == 1
