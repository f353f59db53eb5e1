"""What a volume's file says of it is kept in the scene: for one that was saved and opened again, for a copy, for one
whose values were changed. Slicer saves the volume in a file of its own, which says none of it.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import SimpleITK as sitk
import slicer
import slicer.util
from slicer import vtkMRMLScalarVolumeNode as Volume
from slicer import vtkMRMLScene as Scene

from ACNetLib.errors import ACNetError
from ACNetLib.image_files import write_image
from ACNetLib.inference.attention import ATTENTION_MAPS
from ACNetLib.inference.result import StudyResult
from ACNetLib.scene.exam import show_exam, study_from_scene
from ACNetLib.scene.input import t1_map_from_volume_node
from ACNetLib.scene.nodes import node_name
from ACNetLib.scene.output import add_t1_map, find_result, new_scene
from ACNetLib.scene.sources import DICOM_INSTANCES, field_strength_source, told_scanner
from ACNetLib.scene.table import read_record
from ACNetLib.t1map.checks import POST_CONTRAST_WARNING
from ACNetLib.t1map.t1_map import T1Map, fitted_here
from ACNetLib.volumes.header import FIELD_STRENGTH_KEY, FITTED_KEY, SIMULATED_KEY, WARNINGS_KEY

PHILIPS = {"Manufacturer": "Philips", "ManufacturersModelName": "Ingenia", "MagneticFieldStrength": 1.5}
DIVIDED = {"UsePhilipsFloatNotDisplayScaling": 1, "PhilipsRescaleSlope": 0.8, "PhilipsScaleSlope": 1.1}


def loaded(path: Path, scene: Scene) -> Volume:
    """As Slicer loads a file that is dropped onto its window."""
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T1")
    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    node.SetAndObserveStorageNodeID(storage.GetID())
    return node


def opened_again(saved: Scene, folder: Path) -> Scene:
    """From a bundle, another scene, where nothing of the first is left."""
    assert saved.WriteToMRB(str(folder / "saved.mrb"))
    zipfile.ZipFile(folder / "saved.mrb").extractall(folder / "opened")
    (description,) = (folder / "opened").rglob("*.mrml")
    scene = new_scene()
    scene.SetURL(str(description))
    scene.SetRootDirectory(str(description.parent))
    assert scene.Import()
    return scene


def saved_and_opened(node: Volume, folder: Path) -> Volume:
    return opened_again(node.GetScene(), folder).GetFirstNodeByName(node.GetName())


def cloned(node: Volume, _folder: Path) -> Volume:
    logic = slicer.vtkSlicerVolumesLogic()
    logic.SetMRMLScene(node.GetScene())
    return logic.CloneVolume(node.GetScene(), node, "clone")


def changed(node: Volume, _folder: Path) -> Volume:
    """Its brightest values are cut off, and it is saved under another name, in Slicer's own way."""
    array = slicer.util.arrayFromVolume(node)
    array[array > 1650] = 1650
    slicer.util.arrayFromVolumeModified(node)
    node.GetStorageNode().SetFileName(str(_folder / "another name.nrrd"))
    assert node.GetStorageNode().WriteData(node)
    return node


LATER = pytest.mark.parametrize("later", [saved_and_opened, cloned, changed])


@pytest.fixture
def a_philips_map(an_oblique_t1_map: T1Map, a_scene: Scene, tmp_path: Path) -> Callable[..., Volume]:
    """A function that makes the volume of a NIfTI file of dcm2niix, whose JSON file says so much."""

    def make(**says: object) -> Volume:
        sitk.WriteImage(an_oblique_t1_map.image, str(tmp_path / "map.nii.gz"))
        (tmp_path / "map.json").write_text(json.dumps(PHILIPS | says), encoding="utf-8")
        return loaded(tmp_path / "map.nii.gz", a_scene)

    return make


@LATER
def test_a_map_that_its_header_refuses_stays_refused(
    a_philips_map: Callable[..., Volume], tmp_path: Path, later: Callable[[Volume, Path], Volume]
) -> None:
    node = a_philips_map(**DIVIDED)
    with pytest.raises(ACNetError, match="dcm2niix has divided its values") as refused:
        t1_map_from_volume_node(node)
    node = later(node, tmp_path)
    with pytest.raises(ACNetError) as again:
        t1_map_from_volume_node(node)
    assert str(again.value).partition(": ")[2] == str(refused.value).partition(": ")[2]


@LATER
def test_the_headers_field_strength_and_scanner_stay(
    a_philips_map: Callable[..., Volume], tmp_path: Path, later: Callable[[Volume, Path], Volume]
) -> None:
    node = a_philips_map()
    with pytest.raises(ACNetError, match=r"1\.5 T, you say 3 T"):
        t1_map_from_volume_node(node, 3.0)
    node = later(node, tmp_path)
    with pytest.raises(ACNetError, match=r"1\.5 T, you say 3 T"):
        t1_map_from_volume_node(node, 3.0)
    t1_map = t1_map_from_volume_node(node)
    assert (t1_map.field_strength_tesla, t1_map.scanner) == (1.5, "Philips Ingenia")
    assert field_strength_source(node) == "file"


@LATER
def test_a_simulated_or_fitted_map_stays_one(
    an_oblique_t1_map: T1Map, a_scene: Scene, tmp_path: Path, later: Callable[[Volume, Path], Volume]
) -> None:
    keys = {FIELD_STRENGTH_KEY: "1.5", SIMULATED_KEY: "1", FITTED_KEY: "MOLLI 5(3)3", "PatientName": "DOE^JOHN"}
    keys[WARNINGS_KEY] = "It is a child's."
    image = sitk.Image(an_oblique_t1_map.image)
    for key, value in keys.items():
        image.SetMetaData(key, value)
    write_image(image, tmp_path / "map.nrrd")
    node = loaded(tmp_path / "map.nrrd", a_scene)
    before = t1_map_from_volume_node(node)
    assert before.simulated
    assert "it was fitted by ACNet (MOLLI 5(3)3)" in before.warnings[0]
    assert "It is a child's." in before.warnings
    node = later(node, tmp_path)
    after = t1_map_from_volume_node(node)
    assert (after.simulated, after.field_strength_tesla, after.warnings) == (True, 1.5, before.warnings)
    assert not any("DOE" in (node.GetAttribute(name) or "") for name in node.GetAttributeNames())


@LATER
def test_a_file_without_spacing_is_asked_for_it_until_the_user_sets_it(
    a_scene: Scene, tmp_path: Path, later: Callable[[Volume, Path], Volume], an_oblique_t1_map: T1Map
) -> None:
    values = an_oblique_t1_map.array.astype("<u2")
    sizes = " ".join(map(str, values.shape[::-1]))
    header = f"NRRD0004\ntype: unsigned short\ndimension: 3\nsizes: {sizes}\nendian: little\nencoding: raw\n\n"
    (tmp_path / "map.nrrd").write_bytes(header.encode() + values.tobytes())
    node = loaded(tmp_path / "map.nrrd", a_scene)
    with pytest.raises(ACNetError, match="does not tell the spacing"):
        t1_map_from_volume_node(node)
    node = later(node, tmp_path)
    with pytest.raises(ACNetError, match="does not tell the spacing"):
        t1_map_from_volume_node(node)
    node.SetSpacing(1.4, 1.6, 8.0)
    assert t1_map_from_volume_node(node).image.GetSpacing() == pytest.approx((1.4, 1.6, 8.0))


@pytest.mark.parametrize("later", [saved_and_opened, cloned])
def test_what_the_dicom_database_told_counts_where_it_does_not_know_the_images(
    a_volume_node: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: Callable[[Volume, Path], Volume]
) -> None:
    header = {"0018,0087": "3", "0008,0070": "SIEMENS", "0008,1090": "Skyra", "0020,4000": "simulated for DOE^JOHN"}
    header |= {"0010,0020": "PATIENT-7"}
    database = SimpleNamespace(instanceValue=lambda _uid, tag: header.get(tag, ""), fileForInstance=lambda _uid: "")
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    a_volume_node.RemoveAttribute(FIELD_STRENGTH_KEY)
    a_volume_node.SetAttribute(DICOM_INSTANCES, "1.2.3")
    t1_map_from_volume_node(a_volume_node)
    node = later(a_volume_node, tmp_path)
    header.clear()  # another computer
    t1_map = t1_map_from_volume_node(node)
    assert (t1_map.field_strength_tesla, t1_map.scanner, t1_map.simulated) == (3.0, "SIEMENS Skyra", True)
    assert field_strength_source(node) == "dicom"
    said = " ".join(node.GetAttribute(name) or "" for name in node.GetAttributeNames())
    assert "DOE" not in said
    assert "PATIENT-7" not in said


def test_a_map_of_a_command_keeps_its_scanner_and_that_it_was_fitted_in_its_scene(
    an_oblique_t1_map: T1Map, a_scene: Scene, tmp_path: Path
) -> None:
    t1_map = T1Map(an_oblique_t1_map.image, "T1", 1.5, scanner="SIEMENS Avanto", fitted="MOLLI 5(3)3")
    node = saved_and_opened(add_t1_map(t1_map, a_scene), tmp_path)
    assert told_scanner(node) == "SIEMENS Avanto"
    assert t1_map_from_volume_node(node).fitted == "MOLLI 5(3)3"


def test_a_map_of_a_command_keeps_what_its_images_told_in_its_scene(
    an_oblique_t1_map: T1Map, a_scene: Scene, tmp_path: Path
) -> None:
    told = ("It is a child's.", fitted_here("MOLLI 5(3)3"))
    node = add_t1_map(replace(an_oblique_t1_map, warnings=told), a_scene)
    warnings = t1_map_from_volume_node(saved_and_opened(node, tmp_path)).warnings
    assert [warning for warning in warnings if warning in told] == list(told)


def test_a_result_of_a_map_from_after_contrast_is_read_from_its_scene_as_it_was_insisted_on(
    an_oblique_t1_map: T1Map, a_scene: Scene, a_study: Callable[..., StudyResult]
) -> None:
    study = a_study(replace(an_oblique_t1_map, warnings=(POST_CONTRAST_WARNING,)))
    study = replace(study, maps=(replace(study.maps[0], warnings=(POST_CONTRAST_WARNING,)),))
    node = add_t1_map(study.images[0].t1_map, a_scene)
    nodes = show_exam(study, [node], a_scene)[0]
    assert POST_CONTRAST_WARNING in study_from_scene(nodes, a_scene).images[0].t1_map.warnings
    with pytest.raises(ACNetError, match="from after contrast"):
        t1_map_from_volume_node(node)


def test_a_look_at_a_volume_changes_nothing_that_others_show_of_it(a_philips_map: Callable[..., Volume]) -> None:
    node, events = a_philips_map(), []
    node.AddObserver("AnyEvent", lambda _node, event: events.append(event))
    t1_map_from_volume_node(node)
    assert events == []


def test_a_header_that_could_not_be_read_is_read_when_its_drive_is_back(
    a_philips_map: Callable[..., Volume], tmp_path: Path
) -> None:
    node = a_philips_map(**DIVIDED)
    shutil.move(tmp_path / "map.nii.gz", tmp_path / "away.nii.gz")
    assert t1_map_from_volume_node(node).field_strength_tesla is None
    shutil.move(tmp_path / "away.nii.gz", tmp_path / "map.nii.gz")
    with pytest.raises(ACNetError, match="dcm2niix has divided its values"):
        t1_map_from_volume_node(node)


@pytest.mark.parametrize("name", ["T1 & T2", "T1\x01map", "T1 <2>", 'the "new" T1', "T1 #2"])
def test_a_commands_scene_opens_with_its_result_whatever_the_map_is_named(
    name: str, an_oblique_t1_map: T1Map, a_study: Callable, a_scene: Scene, tmp_path: Path
) -> None:
    t1_map = replace(an_oblique_t1_map, name=name, warnings=(f"{name} is a name.",), scanner=name)
    node = add_t1_map(t1_map, a_scene)
    show_exam(a_study(t1_map), [node], a_scene)
    scene = opened_again(a_scene, tmp_path)
    result = find_result(scene.GetFirstNodeByName(node.GetName()), scene)
    assert result is not None
    study = read_record(result.table)
    assert study.maps[0].name == name
    columns = [result.table.GetTable().GetColumnByName(column) for column in ("map_name", "study_verdict")]
    shown = [[column.GetValue(row) for column in columns] for row in range(columns[0].GetNumberOfValues())]
    expected = name.translate({1: "_", ord("#"): "_", ord('"'): "'"})
    assert shown == [[expected, study.verdict]] * len(tuple(study.slices))
    assert set(study_from_scene(result, scene).images[0].attention) == set(ATTENTION_MAPS)


def test_what_is_made_of_a_map_that_the_user_has_named_can_be_saved(
    a_volume_node: Volume, a_study: Callable, a_scene: Scene, tmp_path: Path
) -> None:
    a_volume_node.SetName("T1 & T2")
    result = show_exam(a_study(t1_map_from_volume_node(a_volume_node)), [a_volume_node], a_scene)[0]
    assert result.labels["combined"].GetName() == "T1 and T2 attention combined"
    a_volume_node.SetName("T1")
    scene = opened_again(a_scene, tmp_path)
    opened = find_result(scene.GetFirstNodeByName("T1"), scene)
    assert opened is not None
    assert read_record(opened.table).maps[0].name == "T1 & T2"


def test_the_name_of_a_node_is_text_that_a_scenes_file_can_hold() -> None:
    assert node_name("Müller & Söhne: 1.5 T <a>") == "Müller and Söhne: 1.5 T <a>"
    assert node_name("T1\x01map\n") == "T1_map_"
