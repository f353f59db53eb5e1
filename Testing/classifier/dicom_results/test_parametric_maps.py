"""Attention and evidence as DICOM Parametric Maps, and segments as label maps, read back with other software."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from highdicom import Image, imread
from highdicom.seg import segread
from pydicom.uid import ParametricMapStorage

from ACNetLib.commands.main import main
from ACNetLib.dicom.series import find_t1_maps
from ACNetLib.dicom_results.files import write_dicom_results
from ACNetLib.inference.result import StudyResult
from ACNetLib.sample_data import sample_cases
from ACNetLib.t1map.t1_map import T1Map, read_t1_map
from ACNetLib.ventricle.segments import read_segmentation
from dicom_files import EXAMINATION, FRAME_OF_REFERENCE, GAP_MM, write_enhanced, write_section

SAMPLE = sample_cases()[1].folder
PATIENT = dict.fromkeys(EXAMINATION, "")
Study = Callable[[T1Map], StudyResult]


@pytest.fixture(scope="module")
def a_result_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the shipped patient with DCM, by the command, its segments as label maps."""
    folder = tmp_path_factory.mktemp("result") / "out"
    options = ["--dicom", "--dicom-segmentation", "labelmap", "--device", "cpu", "--output", str(folder)]
    assert main(["classify", str(SAMPLE), *options]) == 0
    return folder


def read_map(folder: Path, name: str) -> Image:
    return imread(folder / "dicom" / f"{name}.dcm")


def values_of(parametric_map: Image) -> np.ndarray:
    """(slices, rows, columns) as real-world values, in the order of the frames."""
    return np.asarray(parametric_map.get_frames(apply_real_world_transform=True))


def image_of(folder: Path, name: str) -> sitk.Image:
    return sitk.ReadImage(str(folder / f"{name}.nrrd"))


@pytest.mark.parametrize("name", ["attention", "evidence"])
def test_the_values_of_a_parametric_map_are_those_of_the_volume(a_result_folder: Path, name: str) -> None:
    expected = sitk.GetArrayFromImage(image_of(a_result_folder, name))
    assert np.abs(expected).max() > 0
    parametric_map = read_map(a_result_folder, name)
    assert parametric_map.SOPClassUID == ParametricMapStorage
    np.testing.assert_array_equal(values_of(parametric_map), expected)


def test_a_parametric_map_lies_in_the_geometry_of_the_t1_map(a_result_folder: Path) -> None:
    image = read_t1_map(SAMPLE).image
    volume = read_map(a_result_folder, "evidence").get_volume()
    evidence = image_of(a_result_folder, "evidence")
    for section in range(3):
        row, column = np.argwhere(sitk.GetArrayFromImage(evidence)[section])[0].tolist()
        point = image.TransformIndexToPhysicalPoint((column, row, section))
        index = np.rint(volume.map_reference_to_indices(np.array([point]))[0]).astype(int)
        assert volume.array[tuple(index)] == evidence[column, row, section] != 0


@pytest.mark.parametrize(
    ("name", "quantity", "unit", "window"),
    [
        ("attention", "Saliency", "1", (0.5, 1.0)),
        ("evidence", "Log odds of dilated cardiomyopathy per area", "/cm2", (0.0, 0.6)),
    ],
)
def test_a_parametric_map_tells_its_quantity_its_unit_and_how_to_show_it(
    a_result_folder: Path, name: str, quantity: str, unit: str, window: tuple[float, float]
) -> None:
    parametric_map = read_map(a_result_folder, name)
    shared = parametric_map.SharedFunctionalGroupsSequence[0]
    (mapping,) = shared.RealWorldValueMappingSequence
    (found,) = mapping.QuantityDefinitionSequence
    assert found.ConceptCodeSequence[0].CodeMeaning == quantity
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == unit
    (shown,) = shared.FrameVOILUTSequence
    assert (shown.WindowCenter, shown.WindowWidth) == pytest.approx(window)
    assert "research only" in parametric_map.SeriesDescription
    assert parametric_map.ContentQualification == "RESEARCH"


def test_no_parametric_map_of_ours_is_taken_for_a_t1_map(a_result_folder: Path) -> None:
    assert find_t1_maps(list((a_result_folder / "dicom").iterdir())) == []
    assert len(find_t1_maps([*(a_result_folder / "dicom").iterdir(), *SAMPLE.iterdir()])) == 1


def test_the_frames_of_an_enhanced_mr_object_are_referred_to(
    a_study: Study, tmp_path: Path, stored: np.ndarray
) -> None:
    """They lie in another order than the slices."""
    given: dict[str, Any] = {"SeriesDescription": "SAX", "FrameOfReferenceUID": FRAME_OF_REFERENCE, **PATIENT}
    file = write_enhanced(tmp_path / "in" / "a.dcm", stored, **given)
    dataset = pydicom.dcmread(file)
    dataset.PerFrameFunctionalGroupsSequence = [dataset.PerFrameFunctionalGroupsSequence[n] for n in (2, 0, 1)]
    dataset.PixelData = stored[[2, 0, 1]].tobytes()
    dataset.save_as(file, enforce_file_format=True)
    study = a_study(read_t1_map(tmp_path / "in"))
    write_dicom_results(study, tmp_path / "dicom")
    parametric_map = imread(tmp_path / "dicom" / "evidence.dcm")
    np.testing.assert_array_equal(values_of(parametric_map), study.images[0].evidence)
    groups = parametric_map.PerFrameFunctionalGroupsSequence
    references = [each.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber for each in groups]
    assert [int(each) for each in references] == [2, 3, 1]


def test_a_stack_of_several_series_is_a_source_of_a_parametric_map(
    a_study: Study, tmp_path: Path, stored: np.ndarray
) -> None:
    for section in range(3):
        given = {"FrameOfReferenceUID": FRAME_OF_REFERENCE, **PATIENT, "series": 3 + section}
        write_section(tmp_path / "stack" / f"{section}.dcm", stored[section], section * GAP_MM, **given)
    write_dicom_results(a_study(read_t1_map(tmp_path / "stack")), tmp_path / "dicom")
    parametric_map = imread(tmp_path / "dicom" / "attention.dcm")
    assert len(parametric_map.ReferencedSeriesSequence) == 3


def test_label_maps_hold_the_ventricle_and_the_bands(a_result_folder: Path) -> None:
    for file, volume in (("segmentation", "ventricle-label"), ("attention-bands", "attention-label")):
        segmentation = segread(a_result_folder / "dicom" / f"{file}.dcm")
        assert segmentation.SegmentationType == "LABELMAP"
        names = {
            number: segmentation.get_segment_description(number).segment_label
            for number in segmentation.segment_numbers
        }
        labels = sitk.GetArrayFromImage(image_of(a_result_folder, volume))
        sources = [str(pydicom.dcmread(each.file).SOPInstanceUID) for each in read_t1_map(SAMPLE).sources]
        stored = segmentation.get_pixels_by_source_instance(
            sources, combine_segments=True, assert_missing_frames_are_empty=True
        )
        assert len(names) >= 3
        np.testing.assert_array_equal(stored > 0, labels > 0)
        assert len(set(zip(stored.ravel(), labels.ravel(), strict=True))) == len(np.unique(labels))


def test_a_label_map_of_ours_can_be_given_back_as_the_ventricle(a_result_folder: Path) -> None:
    image = read_segmentation(a_result_folder / "dicom" / "segmentation.dcm")
    ventricle = image_of(a_result_folder, "ventricle-label")
    on_map = sitk.Resample(image, ventricle, sitk.Transform(), sitk.sitkNearestNeighbor, 0.0)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(on_map), sitk.GetArrayFromImage(ventricle))


def dcmqi(tool: str, file: Path, folder: Path) -> dict[str, Any]:
    """What a tool of dcmqi (pip install dcmqi) tells of an object; its images lie in the folder."""
    program = shutil.which(tool)
    if program is None:
        pytest.skip(f"{tool} is not installed (pip install dcmqi)")
    output = ["--outputMetadata", folder / "meta.json"] if tool == "tid1500reader" else ["--outputDirectory", folder]
    command = [program, "--inputDICOM", str(file), *map(str, output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    values: dict[str, Any] = json.loads((folder / "meta.json").read_text())
    return values


def test_dcmqi_reads_a_parametric_map(a_result_folder: Path, tmp_path: Path) -> None:
    told = dcmqi("paramap2itkimage", a_result_folder / "dicom" / "evidence.dcm", tmp_path)
    assert told["QuantityValueCode"]["CodeValue"] == "EVIDENCE"
    image, expected = sitk.ReadImage(str(tmp_path / "pmap.nrrd")), image_of(a_result_folder, "evidence")
    on_map = sitk.Resample(image, expected, sitk.Transform(), sitk.sitkNearestNeighbor, 0.0)
    np.testing.assert_allclose(sitk.GetArrayFromImage(on_map), sitk.GetArrayFromImage(expected), atol=1e-6)


def test_dcmqi_reads_the_segments(a_result_folder: Path, tmp_path: Path) -> None:
    told = dcmqi("segimage2itkimage", a_result_folder / "dicom" / "segmentation.dcm", tmp_path)
    labels = [each["SegmentLabel"] for group in told["segmentAttributes"] for each in group]
    assert {"cavity", "non-septal wall", "septum"} <= set(labels)


def test_dcmqi_reads_the_report(a_result_folder: Path, tmp_path: Path) -> None:
    told = dcmqi("tid1500reader", a_result_folder / "dicom" / "report.dcm", tmp_path)
    names = [each["TrackingIdentifier"] for each in told["Measurements"]]
    assert names[:2] == ["study", "slice 0"]
