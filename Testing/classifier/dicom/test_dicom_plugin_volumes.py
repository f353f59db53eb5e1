"""What the volumes hold that the DICOM plugin loads: pixels, place, patient, and what their headers say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import slicer
import slicer.util

from ACNetLib.errors import ACNetError
from ACNetLib.scene.input import t1_map_from_volume_node
from ACNetLib.scene.sources import T1_OF_DICOM
from ACNetLib.t1map.t1_map import read_t1_map
from dicom_files import NORMAL, PATIENT_ID, POSITION, STUDY, decimals, write_enhanced, write_section
from dicom_plugin_fixtures import load, series_of

pytestmark = pytest.mark.usefixtures("an_empty_scene_and_database")


def saved_and_opened(node: Any, folder: Path) -> Any:
    """The node as a scene's file brings it back; pixels lie in files of their own."""
    slicer.mrmlScene.SetURL(str(folder / "scene.mrml"))
    slicer.mrmlScene.Commit()
    again = slicer.vtkMRMLScene()
    again.SetURL(str(folder / "scene.mrml"))
    again.Import()
    (opened,) = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode", again)
    opened.SetAndObserveImageData(node.GetImageData())
    return opened


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"PatientAge": "006Y"}, "younger than 18 years"),
        ({"LossyImageCompression": "01"}, "compressed with loss"),
        ({"ContrastBolusAgent": "ANONYMIZED"}, "agent's name was made anonymous"),
        ({"PixelPaddingValue": 1200}, "PixelPaddingValue"),
        ({"SliceThickness": None}, "slice thickness is not told"),
        ({"RescaleSlope": 0.001}, "taken as T1 in s"),
        ({}, "from a usual short axis"),
    ],
    ids=lambda values: next(iter(values), "plane") if isinstance(values, dict) else "",
)
def test_what_the_headers_say_of_a_map_is_with_it_in_the_scene_as_the_command_says_it(
    attributes: dict[str, Any], told: str, stored: np.ndarray, tmp_path: Path, a_plugin: Any
) -> None:
    stored[0, :9, :9] = 1200
    write_section(tmp_path / "study" / "a.dcm", stored[0], **attributes)
    node = saved_and_opened(load(a_plugin, tmp_path / "study"), tmp_path)
    warnings = t1_map_from_volume_node(node).warnings
    assert any(told in warning for warning in warnings)
    assert set(warnings) == set(read_t1_map(tmp_path / "study").warnings)
    assert not any(word in "".join(warnings) for word in (PATIENT_ID, "Doe"))


def test_which_images_of_its_series_were_left_out_is_with_a_map_in_the_scene(
    study: Path, stored: np.ndarray, a_plugin: Any
) -> None:
    for name in "cab":
        dataset = pydicom.dcmread(study / f"{name}.dcm")
        dataset.ImageType = ["DERIVED", "PRIMARY", "T1 MAP", "T1", "ND"]
        dataset.SOPInstanceUID, dataset.RescaleSlope = f"1.2.3.{ord(name)}", 1.01
        dataset.save_as(study / f"{name}-nd.dcm", enforce_file_format=True)
    warnings = t1_map_from_volume_node(load(a_plugin, study)).warnings
    assert any("left out" in warning for warning in warnings)
    assert set(warnings) == set(read_t1_map(study).warnings)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"ContrastBolusAgent": "Gadobutrol"}, "from after contrast; expected a native T1 map"),
        ({"orientation": (1, 0, 0, 0, 1, 0)}, "slices are axial"),
    ],
    ids=["contrast", "axial"],
)
def test_a_map_that_its_headers_refuse_is_refused_in_the_scene_too(
    attributes: dict[str, Any], reason: str, stored: np.ndarray, tmp_path: Path, a_plugin: Any
) -> None:
    write_section(tmp_path / "study" / "a.dcm", stored[0], **attributes)
    node = saved_and_opened(load(a_plugin, tmp_path / "study"), tmp_path)
    with pytest.raises(ACNetError, match=rf"^3: MOLLI .*: .*{reason}"):
        t1_map_from_volume_node(node)
    if reason == "slices are axial":
        return
    assert "result not valid" in t1_map_from_volume_node(node, post_contrast=True).warnings[0]


def write_frames(file: Path, stored: np.ndarray, heights_mm: tuple[float, ...]) -> Path:
    """One Enhanced MR object with its frames at these heights."""
    dataset = pydicom.dcmread(write_enhanced(file, stored))
    for groups, height_mm in zip(dataset.PerFrameFunctionalGroupsSequence, heights_mm, strict=True):
        groups.PlanePositionSequence[0].ImagePositionPatient = decimals(POSITION + height_mm * NORMAL)
    dataset.save_as(file, enforce_file_format=True)
    return file


def test_frames_of_one_object_that_form_no_stack_are_loaded_one_by_one(
    stored: np.ndarray, tmp_path: Path, a_plugin: Any
) -> None:
    write_frames(tmp_path / "study" / "enhanced.dcm", stored, (0.0, 17.0, 40.0))
    offered = a_plugin.examineForImport(series_of(tmp_path / "study"))
    assert [loadable.name.rpartition(", ")[2] for loadable in offered] == ["slice 1", "slice 2", "slice 3"]
    for frame, height_mm in enumerate((0.0, 17.0, 40.0)):
        t1_map = t1_map_from_volume_node(a_plugin.load(offered[frame]))
        np.testing.assert_array_equal(t1_map.array, stored[frame : frame + 1])
        np.testing.assert_allclose(t1_map.image.GetOrigin(), POSITION + height_mm * NORMAL, atol=1e-4)


def test_each_breath_hold_within_one_object_is_loaded_with_its_own_frames(
    stored: np.ndarray, tmp_path: Path, a_plugin: Any
) -> None:
    write_frames(tmp_path / "study" / "enhanced.dcm", stored, (0.0, 0.0, 20.0))
    offered = a_plugin.examineForImport(series_of(tmp_path / "study"))
    assert [loadable.name.rpartition(", ")[2] for loadable in offered] == ["breath-hold 1 of 2", "breath-hold 2 of 2"]
    for loadable, frames in zip(offered, ([0, 2], [1, 2]), strict=True):
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(a_plugin.load(loadable)), stored[frames])


def test_a_loaded_map_knows_its_files_section_by_section(study: Path, stored: np.ndarray, a_plugin: Any) -> None:
    node = load(a_plugin, study)
    instances = [str(pydicom.dcmread(study / f"{name}.dcm").SOPInstanceUID) for name in "cab"]  # as they lie
    assert node.GetAttribute("DICOM.instanceUIDs").split() == instances
    assert (node.GetAttribute("ACNet_field_strength_tesla"), node.GetAttribute("ACNet_simulated")) == ("1.5", None)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), stored)


def test_a_loaded_map_lies_under_its_patient_and_study(study: Path, a_plugin: Any) -> None:
    node = load(a_plugin, study)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(node)
    study_item = hierarchy.GetItemParent(item)
    assert hierarchy.GetItemUID(item, "DICOM") == slicer.dicomDatabase.fileValue(str(study / "a.dcm"), "0020,000E")
    assert hierarchy.GetItemUID(item, "DICOMInstanceUID") == node.GetAttribute("DICOM.instanceUIDs")
    assert hierarchy.GetItemUID(study_item, "DICOM") == STUDY
    assert hierarchy.GetItemUID(hierarchy.GetItemParent(study_item), "DICOM") == PATIENT_ID


def test_a_loaded_map_is_marked_as_ours_and_shown_in_the_window_of_its_field_strength(
    study: Path, a_plugin: Any
) -> None:
    node = load(a_plugin, study)
    display = node.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (700, 1300)
    assert node.GetAttribute(T1_OF_DICOM) is not None
    assert not display.GetAutoWindowLevel()
    for view in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        assert view.GetBackgroundVolumeID() == node.GetID()


def test_pixels_that_are_no_t1_are_loaded_to_look_at_with_a_message(
    stored: np.ndarray, tmp_path: Path, a_plugin: Any, caplog: pytest.LogCaptureFixture
) -> None:
    write_section(tmp_path / "a.dcm", stored[0], RescaleSlope=0.1)
    node = load(a_plugin, tmp_path)
    np.testing.assert_allclose(slicer.util.arrayFromVolume(node)[0], 0.1 * stored[0], rtol=1e-6)
    assert node.GetDisplayNode().GetAutoWindowLevel()
    assert "as of T2" in caplog.text
    assert "ACNet will not classify it" in caplog.text


def test_t1_in_seconds_is_loaded_in_ms(
    stored: np.ndarray, tmp_path: Path, a_plugin: Any, caplog: pytest.LogCaptureFixture
) -> None:
    write_section(tmp_path / "a.dcm", stored[0], RescaleSlope=0.001)
    np.testing.assert_allclose(slicer.util.arrayFromVolume(load(a_plugin, tmp_path))[0], stored[0], rtol=1e-5)
    assert "converted to ms" in caplog.text
