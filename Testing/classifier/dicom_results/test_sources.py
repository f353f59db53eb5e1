"""The images that a result refers to: found by the place of their pixels, and what no object can refer to."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from highdicom import imread
from highdicom.seg import Segmentation, segread
from highdicom.sr import srread
from pydicom.uid import EnhancedMRImageStorage, ParametricMapStorage

from ACNetLib.commands.main import main
from ACNetLib.dicom_results.files import require_dicom_results, write_dicom_results
from ACNetLib.dicom_results.segmentation import SegmentationKind
from ACNetLib.dicom_results.sources import read_sources, with_sources
from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import SHOWN_MAP
from ACNetLib.inference.result import StudyResult
from ACNetLib.sample_data import sample_cases
from ACNetLib.t1map.t1_map import T1Map, read_t1_map
from dicom_files import (
    EXAMINATION,
    FRAME_OF_REFERENCE,
    GAP_MM,
    item,
    mapping,
    write_enhanced,
    write_section,
    write_study,
)
from dicom_segment_files import assert_equal_masks, expected_masks, groups_of

Study = Callable[[T1Map], StudyResult]
REFERRED: dict[str, Any] = {"FrameOfReferenceUID": FRAME_OF_REFERENCE, **EXAMINATION}


def from_scene(t1_map: T1Map, first: int = 0) -> T1Map:
    """The map from this slice on as another program may store it, from the last slice to the first; its files are not
    known."""
    image = t1_map.image[:, :, first:]
    other = sitk.GetImageFromArray(sitk.GetArrayFromImage(image)[::-1].copy())
    other.SetSpacing(image.GetSpacing())
    other.SetOrigin(image.TransformIndexToPhysicalPoint((0, 0, image.GetDepth() - 1)))
    other.SetDirection((np.reshape(image.GetDirection(), (3, 3)) * (1, 1, -1)).ravel().tolist())
    return replace(t1_map, image=other, sources=())


def test_the_images_of_a_map_from_a_scene_are_found_by_the_place_of_their_pixels(
    tmp_path: Path, stored: np.ndarray
) -> None:
    stack = write_study(tmp_path / "stack", stored, **REFERRED)
    enhanced = write_enhanced(tmp_path / "in" / "a.dcm", stored, **REFERRED)
    for t1_map, files in ((read_t1_map(stack), sorted(stack.iterdir())), (read_t1_map(enhanced), [enhanced])):
        assert with_sources(from_scene(t1_map), files).sources == t1_map.sources[::-1]
        assert with_sources(from_scene(t1_map, first=1), files).sources == t1_map.sources[:0:-1]


def test_a_map_from_a_scene_that_was_moved_or_cut_is_refused(tmp_path: Path, stored: np.ndarray) -> None:
    stack = write_study(tmp_path / "stack", stored, **REFERRED)
    t1_map = replace(read_t1_map(stack), sources=())
    moved = sitk.Image(t1_map.image)
    moved.SetOrigin(t1_map.image.TransformIndexToPhysicalPoint((1, 0, 0)))
    for image, files in (
        (moved, sorted(stack.iterdir())),
        (t1_map.image[:-1, :, :], sorted(stack.iterdir())),
        (t1_map.image, []),
    ):
        with pytest.raises(ACNetError, match="its slice 0 has no DICOM image with the same pixels"):
            with_sources(replace(t1_map, image=image), files)


def test_an_odd_element_of_a_multi_frame_object_does_not_matter(
    a_study: Study, tmp_path: Path, stored: np.ndarray
) -> None:
    """Of nothing that is looked at: a private number of two bytes too few."""
    file = write_enhanced(tmp_path / "a.dcm", stored, **REFERRED)
    dataset = pydicom.dcmread(file)
    dataset.private_block(0x0029, "A SCANNER", create=True).add_new(1, "SH", "abcdef")
    dataset.save_as(file, enforce_file_format=True)
    told = file.read_bytes()
    assert told.count(b"SH\x06\x00abcdef") == 1
    file.write_bytes(told.replace(b"SH\x06\x00abcdef", b"FD\x06\x00abcdef"))
    write_dicom_results(a_study(read_t1_map(file)), tmp_path / "dicom")
    assert frames_by_slice(segread(tmp_path / "dicom" / "segmentation.dcm"), read_t1_map(file)) == {
        number: (uid_of(file), number + 1) for number in range(3)
    }


@pytest.mark.parametrize("uid", [None, ""])
def test_images_without_a_uid_are_refused(tmp_path: Path, stored: np.ndarray, uid: str | None) -> None:
    t1_map = read_t1_map(write_study(tmp_path / "stack", stored, **REFERRED))
    dataset = pydicom.dcmread(t1_map.sources[1].file)
    dataset.SOPInstanceUID = uid
    if uid is None:
        del dataset.SOPInstanceUID
    dataset.save_as(t1_map.sources[1].file)
    with pytest.raises(ACNetError, match="do not all tell their SOPInstanceUID; expected one in each"):
        read_sources(t1_map)


def test_images_without_a_frame_of_reference_are_refused(study: Path) -> None:
    with pytest.raises(ACNetError, match="do not tell one FrameOfReferenceUID"):
        read_sources(read_t1_map(study))


@pytest.mark.parametrize(
    ("keyword", "value", "expected"),
    [
        ("PatientSex", "U", "expected M, F or O, or nothing"),
        ("PatientBirthDate", "March the 1st", "expected a date such as 19570301"),
        ("PatientBirthDate", "1957", "expected a date"),
        ("StudyDate", "20240200", "expected a date"),
        ("StudyTime", "10:15:00", "expected a time such as 101500"),
    ],
)
def test_impossible_values_of_the_patient_are_refused_before_the_work_and_not_told(
    tmp_path: Path, stored: np.ndarray, keyword: str, value: str, expected: str
) -> None:
    with pydicom.config.disable_value_validation():
        t1_map = read_t1_map(write_study(tmp_path / "stack", stored, **{**REFERRED, keyword: value}))
    with pytest.raises(ACNetError) as refused:
        require_dicom_results([t1_map])
    assert f"stack: the {keyword} of its images is not valid; {expected}" in str(refused.value)
    assert re.search(rf"\b{value}\b", str(refused.value)) is None


def test_a_result_that_no_dicom_object_can_refer_to_is_written_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(study: StudyResult, *_arguments: object) -> None:
        raise read_sources(study.images[0].t1_map).refused("map", "segmentation")

    monkeypatch.setattr("ACNetLib.dicom_results.files.write_dicom_results", refuse)
    out = tmp_path / "out"
    assert main(["classify", str(sample_cases()[1].folder), "--dicom", "--output", str(out)]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("acnet: A DICOM segmentation can't refer to the images of map")
    assert (
        "Export them again from their source. The other files of the result are written; for DICOM results" in said.err
    )
    assert "leave --dicom out" not in said.err
    assert str(out / "report.html") in said.out
    assert (out / "result.json").is_file()
    assert not (out / "dicom").exists()


def test_what_does_not_lie_in_the_images_leaves_no_result_without_dicom_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full_disk(*_arguments: object) -> None:
        raise ACNetError("out: it can't be written. Make room.")

    monkeypatch.setattr("ACNetLib.dicom_results.files.write_dicom_results", full_disk)
    out = tmp_path / "out"
    assert main(["classify", str(sample_cases()[1].folder), "--dicom", "--output", str(out)]) == 2
    assert capsys.readouterr().err == "acnet: out: it can't be written. Make room.\n"
    assert not out.exists()


def test_a_volume_file_is_refused_before_the_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = sample_cases()[1].folder.with_suffix(".nrrd")
    assert main(["classify", str(file), "--dicom", "--output", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"acnet: {file.name} is no DICOM; expected a DICOM folder")
    assert not (tmp_path / "out").exists()


def assert_of_frames(file: Path, t1_map: T1Map, study: StudyResult, frames: list[int], folder: Path) -> None:
    """The segmentation in the folder has the study's labels and refers to these frames of the file, from 1."""
    segmentation = segread(folder / "segmentation.dcm")
    images = study.images[0]
    masks = masks_by_position(segmentation, t1_map)
    assert_equal_masks(masks, expected_masks(images.bands[SHOWN_MAP], images.evidence, images.ventricle))
    referred = {
        int(groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber)
        for groups in segmentation.PerFrameFunctionalGroupsSequence
    }
    assert referred == set(frames)
    groups = groups_of(srread(folder / "report.dcm"))
    assert [groups[f"slice {n}"].source_images[0].referenced_frame_numbers for n in range(3)] == [[n] for n in frames]
    (whole,) = segmentation.SourceImageSequence
    header = pydicom.dcmread(file, stop_before_pixels=True)
    assert whole.ReferencedSOPInstanceUID == header.SOPInstanceUID
    assert whole.get("ReferencedFrameNumber") == (frames if len(frames) < header.NumberOfFrames else None)


def masks_by_position(segmentation: Segmentation, t1_map: T1Map) -> dict[str, np.ndarray]:
    masks: dict[str, np.ndarray] = {}
    for groups, pixels in zip(segmentation.PerFrameFunctionalGroupsSequence, segmentation.pixel_array, strict=True):
        number = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        name = str(segmentation.get_segment_description(number).segment_label)
        position = [float(value) for value in groups.PlanePositionSequence[0].ImagePositionPatient]
        column, row, section = t1_map.image.TransformPhysicalPointToContinuousIndex(position)
        assert (column, row, section) == pytest.approx((0, 0, round(section)), abs=1e-3)
        masks.setdefault(name, np.zeros(t1_map.array.shape, bool))[round(section)] = pixels > 0
    return masks


@pytest.mark.parametrize("own_orientation", [False, True], ids=["shared", "per frame"])
def test_an_enhanced_mr_object_is_a_source_by_its_frames(
    a_study: Study, tmp_path: Path, stored: np.ndarray, own_orientation: bool
) -> None:
    """Its frames lie in another order than the slices, with images that are no map between them."""
    given: dict[str, Any] = {"SeriesDescription": "SAX", **REFERRED}
    file = write_enhanced(tmp_path / "in" / "a.dcm", stored, **given)
    dataset = pydicom.dcmread(file)
    frames, pixels = list(dataset.PerFrameFunctionalGroupsSequence), list(stored)
    magnitude = pydicom.Dataset()
    magnitude.update(frames[0])
    magnitude.MRImageFrameTypeSequence = [item(FrameType=["ORIGINAL", "PRIMARY", "M", "NONE"])]
    order = [(frames[2], pixels[2]), (magnitude, pixels[0]), (frames[0], pixels[0]), (frames[1], pixels[1])]
    if own_orientation:
        shared = dataset.SharedFunctionalGroupsSequence[0]
        for groups, _ in order:
            groups.PlaneOrientationSequence = shared.PlaneOrientationSequence
        del shared.PlaneOrientationSequence
    dataset.PerFrameFunctionalGroupsSequence = [groups for groups, _ in order]
    dataset.NumberOfFrames = len(order)
    dataset.PixelData = np.stack([each for _, each in order]).tobytes()
    dataset.save_as(file, enforce_file_format=True)
    t1_map = read_t1_map(tmp_path / "in")
    np.testing.assert_array_equal(t1_map.array, stored)
    study = a_study(t1_map)
    write_dicom_results(study, tmp_path / "dicom")
    assert_of_frames(file, t1_map, study, [3, 4, 1], tmp_path / "dicom")


def test_a_parametric_map_is_a_source(a_study: Study, tmp_path: Path, stored: np.ndarray) -> None:
    given: dict[str, Any] = {"SOPClassUID": ParametricMapStorage, **REFERRED}
    file = write_enhanced(
        tmp_path / "in" / "a.dcm", stored, RealWorldValueMappingSequence=[mapping("ms", 1.0)], **given
    )
    t1_map = read_t1_map(file)
    study = a_study(t1_map)
    write_dicom_results(study, tmp_path / "dicom")
    assert segread(tmp_path / "dicom" / "segmentation.dcm").SourceImageSequence[0].ReferencedSOPClassUID == (
        ParametricMapStorage
    )
    assert_of_frames(file, t1_map, study, [1, 2, 3], tmp_path / "dicom")


@pytest.mark.parametrize("kind", ["binary", "labelmap"])
def test_slices_in_several_multi_frame_objects_are_sources_each_by_its_frame(
    a_study: Study, tmp_path: Path, stored: np.ndarray, kind: SegmentationKind
) -> None:
    """As of an object for each breath-hold: here two slices in one and one in another, of a series of its own."""
    given: dict[str, Any] = {"SeriesDescription": "SAX", **REFERRED}
    two = write_enhanced(tmp_path / "in" / "two.dcm", stored[:2], **given)
    one = write_enhanced(tmp_path / "in" / "one.dcm", stored[2:], first=2, series=4, **given)
    t1_map = read_t1_map(tmp_path / "in")
    np.testing.assert_array_equal(t1_map.array, stored)
    study = a_study(t1_map)
    write_dicom_results(study, tmp_path / "dicom", kind)
    expected = [(uid_of(two), 1), (uid_of(two), 2), (uid_of(one), 1)]
    for file in (tmp_path / "dicom").iterdir():
        written = pydicom.dcmread(file)
        if written.Modality != "SR":
            assert frames_by_slice(written, t1_map) == dict(enumerate(expected))
            assert [each.ReferencedSOPInstanceUID for each in written.SourceImageSequence] == [uid_of(two), uid_of(one)]
            assert [
                (each.SeriesInstanceUID, [image.ReferencedSOPInstanceUID for image in each.ReferencedInstanceSequence])
                for each in written.ReferencedSeriesSequence
            ] == [(pydicom.dcmread(each).SeriesInstanceUID, [uid_of(each)]) for each in (two, one)]
    groups = groups_of(srread(tmp_path / "dicom" / "report.dcm"))
    images = [groups[f"slice {number}"].source_images[0] for number in range(3)]
    assert [(each.referenced_sop_instance_uid, *each.referenced_frame_numbers) for each in images] == expected


def uid_of(file: Path) -> str:
    return str(pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID)


def frames_by_slice(derived: pydicom.Dataset, t1_map: T1Map) -> dict[int, tuple[str, int]]:
    """Image and frame that each slice of an object is derived from, by the place where its frames lie."""
    found = dict[int, tuple[str, int]]()
    for groups in derived.PerFrameFunctionalGroupsSequence:
        position = [float(value) for value in groups.PlanePositionSequence[0].ImagePositionPatient]
        (reference,) = groups.DerivationImageSequence[0].SourceImageSequence
        assert reference.ReferencedSOPClassUID == EnhancedMRImageStorage
        *_, section = t1_map.image.TransformPhysicalPointToContinuousIndex(position)
        referred = str(reference.ReferencedSOPInstanceUID), int(reference.ReferencedFrameNumber)
        assert found.setdefault(round(section), referred) == referred
    return found


@pytest.mark.parametrize("told", [None, 8, -8, 0])
@pytest.mark.parametrize("slices", [1, 3])
def test_the_slices_of_dicom_results_are_as_far_apart_as_those_of_the_map_whatever_the_images_tell(
    a_study: Study, tmp_path: Path, stored: np.ndarray, slices: int, told: float | None
) -> None:
    for section in range(slices):
        file = tmp_path / "stack" / f"{section}.dcm"
        write_section(file, stored[section], section * GAP_MM, SpacingBetweenSlices=told, **REFERRED)
    assert_volumes_as(read_t1_map(tmp_path / "stack"), a_study, tmp_path / "dicom")


@pytest.mark.parametrize("told", [None, 3])
def test_the_one_slice_of_a_multi_frame_object_may_have_its_place_in_the_shared_groups(
    a_study: Study, tmp_path: Path, stored: np.ndarray, told: float | None
) -> None:
    """As of an object of one frame, or of one slice's map and the images from which it was computed."""
    file = write_enhanced(tmp_path / "in" / "a.dcm", stored[:2], **REFERRED)
    dataset = pydicom.dcmread(file)
    shared, frames = dataset.SharedFunctionalGroupsSequence[0], dataset.PerFrameFunctionalGroupsSequence
    shared.PlanePositionSequence = frames[0].PlanePositionSequence
    if told is not None:
        shared.PixelMeasuresSequence[0].SpacingBetweenSlices = told
    for groups in frames:
        del groups.PlanePositionSequence
    frames[0].MRImageFrameTypeSequence = [item(FrameType=["ORIGINAL", "PRIMARY", "M", "NONE"])]
    dataset.SeriesDescription = "SAX"
    dataset.save_as(file, enforce_file_format=True)
    t1_map = read_t1_map(file)
    np.testing.assert_array_equal(t1_map.array, stored[1:2])
    assert_volumes_as(t1_map, a_study, tmp_path / "dicom")


def assert_volumes_as(t1_map: T1Map, a_study: Study, folder: Path) -> None:
    """Segmentation and Parametric Maps of the map are volumes with its spacing, as highdicom reads them."""
    write_dicom_results(a_study(t1_map), folder)
    spacing = t1_map.image.GetSpacing()[::-1]
    segmentation = segread(folder / "segmentation.dcm").get_volume(combine_segments=False)
    assert segmentation.spacing == pytest.approx(spacing)
    for name in ("attention", "evidence"):
        assert imread(folder / f"{name}.dcm").get_volume().spacing == pytest.approx(spacing)
