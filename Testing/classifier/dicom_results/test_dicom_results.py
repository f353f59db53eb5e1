"""The DICOM objects of a result, read back with highdicom and pydicom."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from highdicom.seg import Segmentation, segread
from highdicom.sr import srread
from pydicom.sr.codedict import codes

from ACNetLib.commands.main import main
from ACNetLib.dicom_results.files import write_dicom_results
from ACNetLib.dicom_results.sources import read_sources
from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import SHOWN_MAP
from ACNetLib.inference.exam import pool_exam
from ACNetLib.inference.exam_input import read_exam
from ACNetLib.inference.result import StudyResult
from ACNetLib.sample_data import sample_cases
from ACNetLib.t1map.t1_map import T1Map, read_t1_map
from ACNetLib.ventricle.segments import read_segmentation
from conftest import with_images, with_map
from dicom_files import (
    EXAMINATION,
    FRAME_OF_REFERENCE,
    GAP_MM,
    STUDY,
    write_section,
    write_study,
)
from dicom_segment_files import assert_equal_masks, expected_masks, groups_of
from exam_files import write_exam

PATIENT: dict[str, Any] = {
    "SpecificCharacterSet": "ISO_IR 100",
    "PatientName": "Müller^Jörg",
    "PatientID": "ID-4711",
    **EXAMINATION,
    "StudyInstanceUID": STUDY,
}
Study = Callable[[T1Map], StudyResult]


@pytest.fixture(scope="module")
def a_result_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the shipped patient with DCM, by the command."""
    folder = tmp_path_factory.mktemp("result") / "out"
    arguments = ["classify", sample_cases()[1].folder, "--dicom", "--reference-t1", "996,30", "--output", folder]
    assert main(list(map(str, [*arguments, "--device", "cpu"]))) == 0
    return folder


@pytest.fixture(scope="module")
def result(a_result_folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((a_result_folder / "result.json").read_text())
    return values


@pytest.fixture(scope="module")
def a_segmentation(a_result_folder: Path) -> Segmentation:
    return segread(a_result_folder / "dicom" / "segmentation.dcm")


@pytest.fixture(scope="module")
def a_report(a_result_folder: Path) -> Any:
    return srread(a_result_folder / "dicom" / "report.dcm")


def a_stack(folder: Path, stored: np.ndarray, **attributes: Any) -> Path:
    return write_study(folder, stored, **{"FrameOfReferenceUID": FRAME_OF_REFERENCE, **PATIENT, **attributes})


def masks_of(segmentation: Segmentation, t1_map: T1Map, sources: list[str] | None = None) -> dict[str, np.ndarray]:
    """(slices, rows, columns) of each segment, asked for by the source images in the order of the map's slices."""
    numbers = segmentation.get_segment_numbers()
    names = [segmentation.get_segment_description(number).segment_label for number in numbers]
    if sources is None:
        sources = [str(pydicom.dcmread(each.file).SOPInstanceUID) for each in t1_map.sources]
    pixels = segmentation.get_pixels_by_source_instance(sources, assert_missing_frames_are_empty=True)
    return {name: pixels[..., place] > 0 for place, name in enumerate(names)}


def numbers_of(group: Any) -> dict[str, float]:
    return {each.name.meaning: each.value for each in group.get_measurements()}


def items_of(node: pydicom.Dataset, meaning: str) -> list[pydicom.Dataset]:
    """The items below a node of the report whose concept has this name."""
    below = [each for child in node.get("ContentSequence", []) for each in (child, *items_of(child, meaning))]
    return [each for each in below if each.ConceptNameCodeSequence[0].CodeMeaning == meaning]


def test_the_pixels_of_the_segments_are_those_of_the_label_volumes(
    a_result_folder: Path, a_segmentation: Segmentation
) -> None:
    bands, evidence, ventricle = (
        sitk.GetArrayFromImage(sitk.ReadImage(str(a_result_folder / f"{name}.nrrd")))
        for name in ("attention-label", "evidence", "ventricle-label")
    )
    expected = expected_masks(bands, evidence, ventricle)
    assert {"cavity", "non-septal wall", "septum"} < expected.keys()
    assert_equal_masks(masks_of(a_segmentation, read_t1_map(sample_cases()[1].folder)), expected)


def test_the_segmentation_lies_in_the_geometry_of_the_t1_map(a_segmentation: Segmentation) -> None:
    t1_map = read_t1_map(sample_cases()[1].folder)
    volume = a_segmentation.get_volume(segment_numbers=[4], combine_segments=True)
    assert volume.spatial_shape == t1_map.array.shape
    corner = t1_map.image.TransformIndexToPhysicalPoint((3, 5, 1))
    np.testing.assert_allclose(volume.map_indices_to_reference(np.array([[1, 5, 3]]))[0], corner, atol=1e-3)


def test_the_segments_have_the_codes_of_the_scene(a_segmentation: Segmentation) -> None:
    found = {each.SegmentLabel: each for each in a_segmentation.SegmentSequence}
    kinds = {name: each.SegmentedPropertyTypeCodeSequence[0].CodeValue for name, each in found.items()}
    assert kinds["cavity"] == codes.SCT.Blood.value
    assert found["cavity"].AnatomicRegionSequence[0].CodeValue == codes.SCT.LeftVentricle.value
    assert kinds["non-septal wall"] == codes.SCT.LeftVentricleMyocardium.value
    assert kinds["septum"] == codes.SCT.InterventricularSeptum.value
    assert kinds["attention, band 5 (top 3 %)"] == codes.DCM.Saliency.value


def test_the_segmentation_names_the_network_and_its_weights(
    a_segmentation: Segmentation, result: dict[str, Any]
) -> None:
    found = {each.SegmentLabel: each for each in a_segmentation.SegmentSequence}
    network = found["attention, band 5 (top 3 %)"].SegmentationAlgorithmIdentificationSequence[0]
    assert network.AlgorithmName == result["model"]["name"]
    assert network.AlgorithmVersion == result["model"]["weights_sha256"] != ""
    assert found["cavity"].SegmentationAlgorithmIdentificationSequence[0].AlgorithmName == result["localizer"]


def test_a_segmentation_of_ours_can_be_given_back_as_the_ventricle(a_result_folder: Path) -> None:
    image = read_segmentation(a_result_folder / "dicom" / "segmentation.dcm")
    ventricle = sitk.ReadImage(str(a_result_folder / "ventricle-label.nrrd"))
    on_map = sitk.Resample(image, ventricle, sitk.Transform(), sitk.sitkNearestNeighbor, 0.0)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(on_map), sitk.GetArrayFromImage(ventricle))


def test_the_report_says_what_result_json_says(a_report: Any, result: dict[str, Any]) -> None:
    groups = groups_of(a_report)
    study = numbers_of(groups["study"])
    assert study == {
        "Probability of dilated cardiomyopathy": result["probability_dcm"],
        "T1": result["septal_t1_ms"],
        "Z-Score of measurement": result["septal_z"],
    }
    for section in result["maps"][0]["sections"]:
        assert numbers_of(groups[f"slice {section['section']}"]) == {
            "Probability of dilated cardiomyopathy": section["probability_dcm"],
            "T1": section["measures"]["septal_t1_ms"],
            "Z-Score of measurement": section["septal_z"],
            "Area": section["measures"]["cavity_area_mm2"],
            "Wall Thickness": section["measures"]["wall_thickness_mm"],
        }
    assert len(result["segments"]) == 16
    for segment in result["segments"]:
        group = groups[f"AHA segment {segment['number']}, {segment['name']}"]
        assert numbers_of(group) == {"T1": segment["t1_ms"]}  # its z-score is against the septum's reference
    assert len(groups) == 1 + 3 + 16


def test_the_verdict_is_coded(a_report: Any, result: dict[str, Any]) -> None:
    assert result["verdict"] == "dcm"
    verdicts = [each.ConceptCodeSequence[0] for each in items_of(a_report, "Verdict of ACNet")]
    assert [(each.CodingSchemeDesignator, each.CodeValue) for each in verdicts] == [("SCT", "399020009")] * 4


def test_each_segment_of_the_wall_has_the_code_of_its_place(a_report: Any) -> None:
    groups = groups_of(a_report)
    sites = {name: groups[name].finding_sites[0].value.value for name in groups if name.startswith("AHA segment")}
    assert sites["AHA segment 1, basal anterior"] == codes.SCT.LeftVentricleBasalAnteriorSegment.value
    assert sites["AHA segment 16, apical lateral"] == codes.SCT.LeftVentricleApicalLateralSegment.value
    assert len(set(sites.values())) == 16


def test_the_report_says_which_software_and_weights_and_that_it_is_research_on_simulation(
    a_report: Any, result: dict[str, Any]
) -> None:
    (device,) = a_report.content.get_observer_contexts(observer_type=codes.DCM.Device)
    assert device.observer_identifying_attributes.name == "SlicerACNet"
    version = result["software"]["version"]
    assert device.observer_identifying_attributes.model_name == f"SlicerACNet {version}"
    assert {each.TextValue for each in items_of(a_report, "Algorithm Name")} == {result["model"]["name"]}
    assert {each.TextValue for each in items_of(a_report, "Algorithm Version")} == {result["model"]["weights_sha256"]}
    purpose = items_of(a_report, "Comment")[0].TextValue
    assert purpose.startswith("Research only. Not a medical device")
    assert "trained on simulated T1 maps only" in purpose


def test_the_report_of_an_uncertain_study_says_why(a_study: Study, tmp_path: Path, stored: np.ndarray) -> None:
    study = replace(a_study(read_t1_map(a_stack(tmp_path / "stack", stored))), verdict="uncertain")
    write_dicom_results(study, tmp_path / "dicom")
    comments = [each.TextValue for each in items_of(srread(tmp_path / "dicom" / "report.dcm"), "Comment")]
    assert study.reason in comments


def test_the_report_says_what_a_reader_left_out_and_who_drew_the_contours(
    a_study: Study, tmp_path: Path, stored: np.ndarray
) -> None:
    study = with_map(a_study(read_t1_map(a_stack(tmp_path / "stack", stored))), center_source="segmentation")
    sections = [replace(each, warnings=(f"{each.section} is odd",)) for each in study.sections]
    study = with_map(study, sections=tuple(sections[:2]), section_count=4).leaving_out({1})
    write_dicom_results(study, tmp_path / "dicom")
    report = srread(tmp_path / "dicom" / "report.dcm")
    comments = [each.TextValue for each in items_of(report, "Comment")]
    assert "Left out of the study's probability by the reader: slice 1." in comments
    assert "Not classified: slice 2, 3." in comments
    assert any(each.startswith("The user gave a segmentation") for each in comments)
    assert "Slice 0: 0 is odd" in comments
    assert not any("1 is odd" in each for each in comments)
    assert [name for name in groups_of(report) if name.startswith("slice")] == ["slice 0"]


def test_a_segment_without_a_value_is_not_in_the_report(a_study: Study, tmp_path: Path, stored: np.ndarray) -> None:
    large = np.resize(np.random.default_rng(1).integers(900, 1200, 150), (3, 150, 150)).astype(np.uint16)
    study = a_study(read_t1_map(a_stack(tmp_path / "stack", large))).leaving_out({0})
    write_dicom_results(study, tmp_path / "dicom")
    names = {name for name in groups_of(srread(tmp_path / "dicom" / "report.dcm")) if name.startswith("AHA")}
    known = {f"AHA segment {each.number}, {each.name}" for each in study.segments if each.pixels}
    assert names == known
    assert 8 < len(known) < 13


def test_each_slice_refers_to_its_image_and_the_report_to_all_objects(a_report: Any, a_result_folder: Path) -> None:
    t1_map = read_t1_map(sample_cases()[1].folder)
    images = [pydicom.dcmread(each.file).SOPInstanceUID for each in t1_map.sources]
    groups = groups_of(a_report)
    assert [groups[f"slice {n}"].source_images[0].referenced_sop_instance_uid for n in range(3)] == images
    (evidence,) = a_report.CurrentRequestedProcedureEvidenceSequence
    found = {
        each.ReferencedSOPInstanceUID
        for series in evidence.ReferencedSeriesSequence
        for each in series.ReferencedSOPSequence
    }
    others = [a_result_folder / "dicom" / f"{name}.dcm" for name in ("segmentation", "attention", "evidence")]
    assert found == {*images, *(pydicom.dcmread(file).SOPInstanceUID for file in others)}


def test_patient_and_study_are_the_sources_in_any_script(a_study: Study, tmp_path: Path, stored: np.ndarray) -> None:
    t1_map = read_t1_map(a_stack(tmp_path / "stack", stored))
    for file in write_dicom_results(a_study(t1_map), tmp_path / "dicom"):
        dataset = pydicom.dcmread(file)
        found = {keyword: str(dataset[keyword].value) for keyword in PATIENT}
        assert found == {**PATIENT, "SpecificCharacterSet": "ISO_IR 192"}


def test_what_pseudonymized_images_lack_is_empty(a_study: Study, tmp_path: Path, stored: np.ndarray) -> None:
    lacking: dict[str, Any] = dict.fromkeys(EXAMINATION)
    t1_map = read_t1_map(a_stack(tmp_path / "stack", stored, **lacking))
    for file in write_dicom_results(a_study(t1_map), tmp_path / "dicom"):
        dataset = pydicom.dcmread(file)
        assert all(keyword in dataset and not dataset[keyword].value for keyword in lacking)


def test_a_thickness_that_the_images_do_not_tell_is_not_invented(
    a_study: Study, tmp_path: Path, stored: np.ndarray
) -> None:
    t1_map = read_t1_map(a_stack(tmp_path / "stack", stored, SliceThickness=None))
    write_dicom_results(a_study(t1_map), tmp_path / "dicom")
    (measures,) = (
        segread(tmp_path / "dicom" / "segmentation.dcm").SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
    )
    assert measures.get("SliceThickness") is None
    assert measures.SpacingBetweenSlices == pytest.approx(GAP_MM)


def test_uids_are_new_each_time_and_nothing_is_overwritten(a_study: Study, tmp_path: Path, stored: np.ndarray) -> None:
    t1_map = read_t1_map(a_stack(tmp_path / "stack", stored))
    uids = {str(read_sources(t1_map).headers[0].SeriesInstanceUID)}
    for name in ("once", "twice"):
        for file in write_dicom_results(a_study(t1_map), tmp_path / name):
            dataset = pydicom.dcmread(file)
            uids |= {str(dataset.SOPInstanceUID), str(dataset.SeriesInstanceUID)}
    assert len(uids) == 1 + 2 * 2 * 4
    before = (tmp_path / "once" / "report.dcm").read_bytes()
    with pytest.raises(ACNetError, match="nothing is overwritten"):
        write_dicom_results(a_study(t1_map), tmp_path / "once")
    assert (tmp_path / "once" / "report.dcm").read_bytes() == before


def test_a_stack_of_several_series_is_one_segmentation_that_refers_to_each(
    a_study: Study, tmp_path: Path, stored: np.ndarray
) -> None:
    for section in range(3):
        given = {"FrameOfReferenceUID": FRAME_OF_REFERENCE, **PATIENT, "series": 3 + section}
        write_section(tmp_path / "stack" / f"{section}.dcm", stored[section], section * GAP_MM, **given)
    t1_map = read_t1_map(tmp_path / "stack")
    study = a_study(t1_map)
    write_dicom_results(study, tmp_path / "dicom")
    segmentation = segread(tmp_path / "dicom" / "segmentation.dcm")
    headers = read_sources(t1_map).headers
    assert {
        each.SeriesInstanceUID: each.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID
        for each in segmentation.ReferencedSeriesSequence
    } == {each.SeriesInstanceUID: each.SOPInstanceUID for each in headers}
    images = study.images[0]
    expected = expected_masks(images.bands[SHOWN_MAP], images.evidence, images.ventricle)
    assert_equal_masks(masks_of(segmentation, t1_map), expected)


def test_a_segment_that_occurs_nowhere_is_left_out(a_study: Study, tmp_path: Path, stored: np.ndarray) -> None:
    t1_map = read_t1_map(a_stack(tmp_path / "stack", stored))
    study = a_study(t1_map)
    study = with_images(study, ventricle=np.zeros_like(study.images[0].ventricle))
    write_dicom_results(study, tmp_path / "dicom")
    names = [each.SegmentLabel for each in segread(tmp_path / "dicom" / "segmentation.dcm").SegmentSequence]
    assert names
    assert all(name.startswith(("attention", "evidence")) for name in names)


def test_an_exam_has_a_segmentation_for_each_map_and_one_report(a_study: Study, tmp_path: Path) -> None:
    folder = write_exam(tmp_path / "exam", FrameOfReferenceUID=FRAME_OF_REFERENCE)
    t1_maps = read_exam([folder])
    study = pool_exam([a_study(t1_map) for t1_map in t1_maps])
    files = write_dicom_results(study, tmp_path / "dicom")
    names = [f"{name}-{n}.dcm" for n in (1, 2, 3) for name in ("segmentation", "attention", "evidence")]
    assert [file.name for file in files] == [*names, "report.dcm"]
    for file, t1_map, images in zip(files[::3], t1_maps, study.images, strict=False):
        found = masks_of(segread(file), t1_map)
        assert_equal_masks(found, expected_masks(images.bands[SHOWN_MAP], images.evidence, images.ventricle))
    groups = groups_of(srread(tmp_path / "dicom" / "report.dcm"))
    assert [name for name in groups if name.startswith("map")] == [f"map {n}, slice 0" for n in (1, 2, 3)]


def test_without_highdicom_the_remedy_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ACNetLib.dicom_results.files.find_spec", lambda _name: None)
    assert main(["classify", str(sample_cases()[1].folder), "--dicom", "--output", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert 'pip install "SlicerACNet[dicom]"' in line


def test_highdicom_is_not_imported_unless_dicom_is_asked_for(tmp_path: Path) -> None:
    code = (
        "import sys; from ACNetLib.commands.main import main; "
        f"assert main(['classify', {str(sample_cases()[1].folder)!r}, '--output', {str(tmp_path / 'out')!r}]) == 0; "
        "assert not any('highdicom' in name or 'dicom_results' in name for name in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "out" / "dicom").exists()


def run_tool(tool: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Of the DCMTK (Debian's dcmtk), of dicom3tools (Debian's dicom3tools) or of dcmqi (pip install dcmqi)."""
    program = shutil.which(tool)
    if program is None:
        pytest.skip(f"{tool} is not installed")
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("tool", "file"),
    [
        *(("dciodvfy", name) for name in ("segmentation", "attention", "evidence", "report")),
        *(("dcmdump", name) for name in ("segmentation", "attention", "evidence", "report")),
        ("dsrdump", "report"),
    ],
)
def test_the_tools_of_others_find_no_error(a_result_folder: Path, tool: str, file: str) -> None:
    done = run_tool(tool, a_result_folder / "dicom" / f"{file}.dcm")
    errors = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("Error", "E: "))]
    assert (done.returncode, errors) == (0, [])


def test_no_path_of_a_source_is_in_any_file(a_result_folder: Path) -> None:
    folder = str(sample_cases()[1].folder.parent)
    for file in a_result_folder.rglob("*"):
        assert file.is_dir() or folder.encode() not in file.read_bytes(), file.name
