"""A volume node beside the files that it was made of: what these say of it, and whether it has their values."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
import slicer
import slicer.util
from slicer import vtkMRMLScalarVolumeNode as Volume
from slicer import vtkMRMLScene as Scene

from ACNetLib.errors import ACNetError
from ACNetLib.image_files import write_image
from ACNetLib.scene.input import t1_map_from_volume_node
from ACNetLib.scene.output import add_t1_map
from ACNetLib.scene.sources import (
    CHANGED,
    DICOM_INSTANCES,
    NOT_CHECKED,
    T1_OF_DICOM,
    check_values,
    field_strength_source,
    told_sequence,
)
from ACNetLib.t1map.checks import POST_CONTRAST_WARNING, check_short_axis
from ACNetLib.t1map.t1_map import T1Map, read_t1_map
from ACNetLib.volumes.header import WARNINGS_KEY
from dicom_files import GAP_MM, NORMAL, write_section
from disks import disconnected
from nifti_files import write_nifti

PLANE = check_short_axis(NORMAL, "T1")
"""What is said of the plane of these files."""
T1_MS = np.random.default_rng(1).integers(200, 1900, (3, 40, 30)).astype(np.uint16)


def loaded(path: Path, scene: Scene) -> Volume:
    """As Slicer's own reader of volumes loads the file."""
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T1")
    storage = scene.AddNewNodeByClass(
        "vtkMRMLNRRDStorageNode" if path.suffix == ".nrrd" else "vtkMRMLVolumeArchetypeStorageNode"
    )
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    node.SetAndObserveStorageNodeID(storage.GetID())
    return node


@pytest.fixture
def scaled_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose stored values become T1 by a slope of 1.2, known to the DICOM database."""
    from slicer_host.dicom_lib import DicomDatabase

    for number, stored in enumerate(T1_MS):
        name = tmp_path / "study" / f"{number}.dcm"
        uid = f"1.2.3.{number}"
        write_section(name, stored, number * GAP_MM, SOPInstanceUID=uid, RescaleSlope=1.2, RescaleIntercept=0)
    database = DicomDatabase()
    database.add(sorted((tmp_path / "study").iterdir()))
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    return tmp_path / "study"


@pytest.fixture
def a_volume_of(scaled_study: Path, a_scene: Scene) -> Callable[[float], Volume]:
    """A function that makes the study's node by another plugin, its values T1 times a factor."""

    def volume_of(factor: float) -> Volume:
        t1_map = read_t1_map(scaled_study)
        node = add_t1_map(T1Map(t1_map.image * factor, "T1"), a_scene)
        node.SetAttribute(DICOM_INSTANCES, "1.2.3.0 1.2.3.1 1.2.3.2")
        return node

    return volume_of


def test_a_volume_with_the_values_of_its_dicom_files_is_taken(a_volume_of: Callable[[float], Volume]) -> None:
    t1_map = t1_map_from_volume_node(a_volume_of(1.0))
    assert t1_map.warnings == PLANE
    np.testing.assert_allclose(np.sort(t1_map.array, axis=None), np.sort(1.2 * T1_MS, axis=None), rtol=1e-5)


def test_stored_values_that_look_like_t1_are_refused(a_volume_of: Callable[[float], Volume]) -> None:
    with pytest.raises(ACNetError, match=r"T1: its values are 0\.833 times those of its DICOM files.*ACNet T1 map"):
        t1_map_from_volume_node(a_volume_of(1 / 1.2))


def test_other_changes_of_the_values_are_warned_of(a_volume_of: Callable[[float], Volume]) -> None:
    node = a_volume_of(1.0)
    slicer.util.arrayFromVolume(node)[0, :5, :5] = 0
    assert t1_map_from_volume_node(node).warnings == (*PLANE, CHANGED)


def test_a_volume_whose_files_are_gone_is_said_not_to_be_checked(
    a_volume_of: Callable[[float], Volume], scaled_study: Path
) -> None:
    node = a_volume_of(1 / 1.2)
    for file in scaled_study.iterdir():
        file.unlink()
    assert t1_map_from_volume_node(node).warnings == (NOT_CHECKED,)


def test_a_volume_whose_files_lie_on_a_drive_that_is_gone_is_read_without_them(
    a_volume_of: Callable[[float], Volume], scaled_study: Path, a_scene: Scene, tmp_path: Path
) -> None:
    node, other = a_volume_of(1.0), tmp_path / "map.nrrd"
    write_image(t1_map_from_volume_node(node).image, other)
    from_file = loaded(other, a_scene)
    with disconnected(tmp_path), disconnected(scaled_study):
        assert t1_map_from_volume_node(node).warnings == (NOT_CHECKED,)
        assert t1_map_from_volume_node(from_file).section_count == 3


@pytest.mark.parametrize(
    ("attributes", "told"),
    [({"PatientAge": "006Y"}, "younger than 18 years"), ({"LossyImageCompression": "01"}, "compressed with loss")],
)
def test_what_the_headers_say_of_another_plugins_volume_is_said_of_the_map(
    scaled_study: Path, a_volume_of: Callable[[float], Volume], attributes: dict[str, str], told: str
) -> None:
    node = a_volume_of(1.0)
    change_headers(scaled_study, **attributes)
    assert any(told in warning for warning in t1_map_from_volume_node(node).warnings)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"ContrastBolusAgent": "Gadobutrol"}, "T1: its header tells that it is from after contrast; expected"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}, "T1: its slices are axial"),
    ],
)
def test_another_plugins_volume_is_refused_for_what_its_headers_say(
    scaled_study: Path, a_volume_of: Callable[[float], Volume], attributes: dict[str, Any], reason: str
) -> None:
    node = a_volume_of(1.0)
    change_headers(scaled_study, **attributes)
    with pytest.raises(ACNetError, match=reason):
        t1_map_from_volume_node(node)


def change_headers(study: Path, **attributes: Any) -> None:
    for number, file in enumerate(sorted(study.iterdir())):
        dataset = pydicom.dcmread(file)
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
        if "ImageOrientationPatient" in attributes:
            dataset.ImagePositionPatient = [0, 0, GAP_MM * number]
        dataset.save_as(file, enforce_file_format=True)


def test_a_volume_of_our_own_plugin_is_not_read_again(
    a_volume_of: Callable[[float], Volume], monkeypatch: pytest.MonkeyPatch
) -> None:
    node = a_volume_of(1.0)
    node.SetAttribute(T1_OF_DICOM, "1")
    monkeypatch.setattr("ACNetLib.scene.sources.read_dicom_files", lambda *_, **__: pytest.fail("read again"))
    assert t1_map_from_volume_node(node).warnings == ()


def test_a_file_without_spacing_is_asked_for_it_until_the_user_sets_it(a_scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "map.nrrd"
    text = "NRRD0004\ntype: unsigned short\ndimension: 3\nsizes: 30 40 3\nendian: little\nencoding: raw\n\n"
    path.write_bytes(text.encode() + T1_MS.tobytes())
    node = loaded(path, a_scene)
    with pytest.raises(ACNetError, match=r"T1: its file does not tell the spacing.*Image Spacing in the mod"):
        t1_map_from_volume_node(node)
    node.SetSpacing(1.4, 1.5, 8.0)
    assert t1_map_from_volume_node(node).image.GetSpacing() == pytest.approx((1.4, 1.5, 8.0))


@pytest.mark.parametrize("from_file", [True, False])
@pytest.mark.parametrize("spacing", [(1.4, 1.5, 8.0), (1.0, 1.0, 8.0)])
def test_1_mm_along_the_axes_of_the_body_is_asked_for_until_the_user_sets_any_spacing(
    spacing: tuple[float, float, float], from_file: bool, a_scene: Scene, tmp_path: Path
) -> None:
    """As SimpleITK writes an array, and as a script adds one to the scene."""
    sitk.WriteImage(sitk.GetImageFromArray(T1_MS), str(tmp_path / "map.nrrd"))
    node = loaded(tmp_path / "map.nrrd", a_scene)
    if not from_file:
        node.SetAndObserveStorageNodeID(None)
    with pytest.raises(ACNetError, match=r"T1: its file does not tell the spacing.*that of the slices"):
        t1_map_from_volume_node(node)
    node.SetSpacing(*spacing)
    assert t1_map_from_volume_node(node).image.GetSpacing() == pytest.approx(spacing)


def test_what_a_file_tells_of_its_plane_and_its_images_is_said_in_the_scene_too(
    scaled_study: Path, a_scene: Scene, tmp_path: Path
) -> None:
    image = read_t1_map(scaled_study).image
    image.SetMetaData(WARNINGS_KEY, "One thing. | Another thing.")
    write_image(image, tmp_path / "map.nrrd")
    warnings = t1_map_from_volume_node(loaded(tmp_path / "map.nrrd", a_scene)).warnings
    assert warnings == ("One thing.", "Another thing.", *PLANE) == read_t1_map(tmp_path / "map.nrrd").warnings


def test_a_fitted_map_from_after_contrast_is_refused_in_the_scene_too(
    scaled_study: Path, a_scene: Scene, tmp_path: Path
) -> None:
    image = read_t1_map(scaled_study).image
    image.SetMetaData(WARNINGS_KEY, POST_CONTRAST_WARNING)
    write_image(image, tmp_path / "map.nrrd")
    node = loaded(tmp_path / "map.nrrd", a_scene)
    with pytest.raises(ACNetError, match="T1: its header, or the JSON file beside it, tells that it is from after"):
        t1_map_from_volume_node(node)
    assert t1_map_from_volume_node(node, post_contrast=True).warnings.count(POST_CONTRAST_WARNING) == 1


def test_the_json_file_of_dcm2niix_counts_in_the_scene_too(a_scene: Scene, tmp_path: Path) -> None:
    sform = np.column_stack([np.diag([1.4, 2.1, 8.0]), (1.0, 2.0, 3.0)])
    path = write_nifti(tmp_path / "map.nii", T1_MS, sform=sform)
    sidecar = {"Manufacturer": "Philips", "ManufacturersModelName": "Ingenia", "MagneticFieldStrength": 3}
    path.with_suffix(".json").write_text(json.dumps(sidecar), encoding="utf-8")
    image = sitk.GetImageFromArray(T1_MS)
    image.SetSpacing((1.4, 2.1, 8.0))
    sitk.WriteImage(image, str(tmp_path / "loaded.nrrd"))
    node, another = (loaded(tmp_path / "loaded.nrrd", a_scene) for _ in range(2))
    for each in (node, another):
        each.GetStorageNode().SetFileName(str(path))
    t1_map = t1_map_from_volume_node(node)
    assert (t1_map.field_strength_tesla, t1_map.scanner) == (3.0, "Philips Ingenia")
    assert field_strength_source(node) == "file"
    path.with_suffix(".json").write_text(json.dumps(sidecar | {"UsePhilipsFloatNotDisplayScaling": 1}))
    with pytest.raises(ACNetError, match=r"T1: dcm2niix has divided its values"):
        check_values(another, t1_map)


def test_a_volume_whose_dicom_files_name_two_sequences_is_of_both(
    a_volume_node: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {"1.1": "MOLLI_SAX", "1.2": "SASHA_SAX", "1.3": "MOLLI_SAX"}
    database = SimpleNamespace(instanceValue=lambda uid, tag: named[uid] if tag == "0008,103E" else "")
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    a_volume_node.SetAttribute(DICOM_INSTANCES, " ".join(named))
    assert told_sequence(a_volume_node) == "MOLLI and SASHA"


def test_what_only_one_of_its_dicom_files_tells_stands_for_the_volume(
    scaled_study: Path, a_volume_of: Callable[[float], Volume]
) -> None:
    for number in (0, 2):
        dataset = slicer.dicomDatabase._headers[str(scaled_study / f"{number}.dcm")]
        del dataset.MagneticFieldStrength
    assert t1_map_from_volume_node(a_volume_of(1.0)).field_strength_tesla == 1.5


def test_a_volume_of_files_of_two_field_strengths_is_refused(
    scaled_study: Path, a_volume_of: Callable[[float], Volume]
) -> None:
    node = a_volume_of(1.0)
    write_section(scaled_study / "2.dcm", T1_MS[2], 2 * GAP_MM, SOPInstanceUID="1.2.3.2", MagneticFieldStrength=3)
    with pytest.raises(ACNetError, match=r"of two field strengths \(MagneticFieldStrength 1\.5 and 3\)"):
        t1_map_from_volume_node(node)
