"""The DICOM plugin on real files and real MRML nodes, under the headless host.

With SLICER_SOURCE set to a checkout of Slicer it runs on Slicer's own DICOMLib and beside Slicer's own plugins.
"""

from __future__ import annotations

import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pydicom
import pytest
import slicer
import slicer.util

from ACNetLib.errors import ACNetError
from ACNetLib.inference.exam_input import read_exam
from ACNetLib.scene.input import t1_map_from_volume_node
from ACNetLib.scene.sources import check_one_patient, told_scanner
from ACNetLib.scene.views import nodes_of_class
from ACNetLib.t1map.t1_map import Reading, T1Map, read_t1_map
from ACNetTrainerLib.simulation.dicom import FLAVOURS
from dicom_files import PATIENT_ID, PATIENT_NAME, RAW_TYPE, write_section
from dicom_plugin_fixtures import PLUGIN_FILE, series_of
from exam_files import write_exam
from panel_fixtures import open_bundle
from slicer_host import load_module
from slicer_host.dicom_lib import DicomDatabase

SLICER_SOURCE = os.environ.get("SLICER_SOURCE", "")
SLICERS_PLUGINS = ("DICOMScalarVolumePlugin", "DICOMImageSequencePlugin", "DICOMParametricMapPlugin")

pytestmark = pytest.mark.usefixtures("an_empty_scene_and_database")


def assert_same_map(t1_map: T1Map, expected: T1Map) -> None:
    np.testing.assert_array_equal(t1_map.array, expected.array)
    for geometry in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        found, wanted = getattr(t1_map.image, geometry)(), getattr(expected.image, geometry)()
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)
    assert (t1_map.field_strength_tesla, t1_map.simulated) == (expected.field_strength_tesla, expected.simulated)


def test_the_module_registers_its_plugin_and_stays_out_of_the_module_list(host: None) -> None:
    description = load_module(PLUGIN_FILE).description
    plugin = slicer.modules.dicomPlugins["DICOMACNetT1MapPlugin"]()
    assert (description.hidden, plugin.loadType) == (True, "ACNet T1 map")
    assert description.categories[0].split(".")[0] == "Developer Tools"


def test_in_a_slicer_without_dicom_the_module_loads_and_registers_nothing(
    host: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "DICOMLib", None)
    monkeypatch.delattr(slicer.modules, "dicomPlugins")
    assert load_module(PLUGIN_FILE).description.hidden
    assert not hasattr(slicer.modules, "dicomPlugins")


@pytest.mark.parametrize(
    ("flavour", "names"),
    [
        ("siemens", ["3: t1map long t1 3slice 8mm MOCO T1, native"]),
        ("philips", ["501: T1 map MOLLI SAX native"]),
        ("shmolli", ["12: ShMOLLI 192i SAX b2s SAX b2s SAX b2s T1MAP, native"]),
        ("ge", [f"{100 * n}: T1 map Loc {n} Pre SAx MOLLI 5 3 3, native" for n in (1, 2, 3)]),
        ("parametric-map", ["30: T1 map, native"]),
    ],
)
def test_of_every_flavour_the_native_map_is_offered_and_loads_as_the_command_reads_it(
    flavour: str, names: list[str], flavours: dict[str, Path], a_plugin: Any
) -> None:
    loadables = a_plugin.examineForImport(series_of(flavours[flavour]))
    assert sorted(loadable.name for loadable in loadables) == sorted(names)
    for loadable in loadables:
        assert (loadable.selected, loadable.warning) == (True, "")
        assert f"series {loadable.name.partition(':')[0]}: " in loadable.tooltip
        node = a_plugin.load(loadable)
        assert node.GetName() == loadable.name
        expected = read_t1_map(flavours[flavour], Reading(series=[int(loadable.name.partition(":")[0])]))
        assert_same_map(t1_map_from_volume_node(node), expected)


def test_of_a_series_with_map_and_magnitude_images_only_the_maps_files_are_taken(
    flavours: dict[str, Path], a_plugin: Any
) -> None:
    (mixed,) = [files for files in series_of(flavours["philips"]) if len(files) > 3 and has_map(files)]
    (loadable,) = a_plugin.examineForImport([mixed])
    assert len(loadable.files) == 3
    assert set(loadable.files) < set(mixed)
    assert has_map(loadable.files)


def has_map(files: list[str]) -> bool:
    return any("T1 MAP" in slicer.dicomDatabase.fileValue(file, "0008,0008") for file in files)


@pytest.mark.parametrize(
    "attributes",
    [
        {"ImageType": RAW_TYPE, "SeriesDescription": "MOLLI T1Map_LongT1 SA_mid"},
        {"ImageType": ["DERIVED", "PRIMARY", "T2 MAP"], "SeriesDescription": "T2Map_SA_mid_MOCO_T2"},
        {"ImageType": ["DERIVED", "PRIMARY", "ECV"], "SeriesDescription": "ECV_SA_mid"},
        {"PhotometricInterpretation": "PALETTE COLOR"},
        {"ImageComments": "T1 Map", "PhotometricInterpretation": "RGB"},
        {"Modality": "CT"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"},
        {"ImageType": ["DERIVED", "PRIMARY", "T1 MAP", "MOSAIC"], "ImageComments": "T1 Map"},
        {"BurnedInAnnotation": "YES", "ImageComments": "T1 Map"},
        {"SeriesInstanceUID": None},
        {"PixelSpacing": None},
        {"Rows": None},
        {"orientation": (0, 0, 0, 0, 0, 0)},
    ],
    ids=lambda attributes: " ".join(attributes),
)
def test_other_images_than_t1_maps_and_maps_without_geometry_are_not_offered(
    attributes: dict[str, Any], stored: np.ndarray, tmp_path: Path, a_plugin: Any
) -> None:
    write_section(tmp_path / "a.dcm", stored[0], **attributes)
    assert a_plugin.examineForImport(series_of(tmp_path)) == []


def test_an_8_bit_picture_of_a_map_is_not_offered(tmp_path: Path, a_plugin: Any) -> None:
    write_section(tmp_path / "a.dcm", np.zeros((40, 30), np.uint8))
    write_section(tmp_path / "b.dcm", np.zeros((40, 30, 3), np.uint8), series=4)
    assert a_plugin.examineForImport(series_of(tmp_path)) == []


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"ContrastBolusAgent": "Gadobutrol"}, "after contrast"),
        ({"ContrastBolusAgent": "Gadobutrol", "ImageComments": "T1 Map"}, "after contrast"),
        ({"MagneticFieldStrength": 0.55}, "field strength is 0.55 T"),
        ({"orientation": (1, 0, 0, 0, 1, 0)}, "slices are axial"),
    ],
    ids=["contrast", "contrast beside many signs", "field", "axial"],
)
def test_a_map_that_the_classifier_would_refuse_is_offered_below_slicers_own_way_with_the_reason(
    attributes: dict[str, Any], reason: str, stored: np.ndarray, tmp_path: Path, a_plugin: Any
) -> None:
    from DICOMLib import DICOMLoadable

    write_section(tmp_path / "a.dcm", stored[0], **attributes)
    (loadable,) = a_plugin.examineForImport(series_of(tmp_path))
    assert not loadable.selected
    assert loadable.confidence < 0.45 < DICOMLoadable().confidence  # scalar volume: of a part, of a series
    assert reason in loadable.warning
    node = a_plugin.load(loadable)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node)[0], stored[0])
    assert node.GetName().endswith(", after contrast" if reason == "after contrast" else ", native")


@pytest.mark.parametrize(
    ("attributes", "told"),
    [({}, "long-axis"), ({"PatientAge": "006Y"}, "younger than 18"), ({"LossyImageCompression": "01"}, "with loss")],
)
def test_a_map_that_the_classifier_would_warn_of_is_offered_first_but_with_the_warning(
    attributes: dict[str, Any], told: str, stored: np.ndarray, tmp_path: Path, a_plugin: Any
) -> None:
    write_section(tmp_path / "a.dcm", stored[0], **attributes)
    (loadable,) = a_plugin.examineForImport(series_of(tmp_path))
    assert loadable.selected
    assert told in loadable.warning


def test_native_and_later_map_of_one_series_are_two_loadables(
    stored: np.ndarray, tmp_path: Path, a_plugin: Any
) -> None:
    write_section(tmp_path / "a.dcm", stored[0])
    write_section(tmp_path / "b.dcm", stored[1], ContrastBolusAgent="Gadobutrol")
    native, later = a_plugin.examineForImport(series_of(tmp_path))
    assert (native.files, later.files) == ([str(tmp_path / "a.dcm")], [str(tmp_path / "b.dcm")])
    assert native.confidence > later.confidence


def test_slices_of_one_series_that_form_no_stack_are_offered_one_by_one(tmp_path: Path, a_plugin: Any) -> None:
    offered = a_plugin.examineForImport(series_of(write_exam(tmp_path / "exam", series=3)))
    assert [loadable.name.rpartition(", ")[2] for loadable in offered] == ["slice 1", "slice 2", "slice 3"]
    assert [len(loadable.files) for loadable in offered] == [1, 1, 1]
    assert all(loadable.selected for loadable in offered)
    nodes = [a_plugin.load(loadable) for loadable in offered]
    maps = [t1_map_from_volume_node(node) for node in nodes]
    for t1_map, expected in zip(maps, read_exam([tmp_path / "exam"]), strict=True):
        np.testing.assert_array_equal(t1_map.array, expected.array)
        np.testing.assert_allclose(t1_map.image.GetOrigin(), expected.image.GetOrigin(), atol=1e-4)


@pytest.mark.parametrize(
    ("attribute", "of_two"), [("PatientID", "two patients"), ("StudyInstanceUID", "two exams"), ("Rows", None)]
)
def test_slices_of_two_patients_or_exams_are_no_exam_in_slicer_either(
    tmp_path: Path, a_plugin: Any, attribute: str, of_two: str | None
) -> None:
    folder = write_exam(tmp_path / "exam")
    dataset = pydicom.dcmread(folder / "series-5.dcm")
    if of_two is not None:
        setattr(dataset, attribute, "1.2.3")
        dataset.save_as(folder / "series-5.dcm")
    nodes = [a_plugin.load(loadable) for loadable in a_plugin.examineForImport(series_of(folder))]
    assert len(nodes) == 3
    if of_two is None:
        check_one_patient(nodes)
        return
    with pytest.raises(ACNetError, match=of_two) as refused:
        check_one_patient(nodes)
    assert "1.2.3" not in str(refused.value)
    assert PATIENT_ID not in str(refused.value)


@pytest.mark.parametrize(("patient", "of_two"), [("1.2.3", "patients"), (PATIENT_ID, "exams")])
def test_in_an_opened_scene_they_are_no_exam_where_no_database_knows_them(
    tmp_path: Path, a_plugin: Any, monkeypatch: pytest.MonkeyPatch, patient: str, of_two: str
) -> None:
    folder = write_exam(tmp_path / "exam")
    dataset = pydicom.dcmread(folder / "series-5.dcm")
    dataset.PatientID, dataset.StudyInstanceUID = patient, "1.2.3"
    dataset.Manufacturer, dataset.ManufacturerModelName = "SIEMENS", "Avanto"
    dataset.save_as(folder / "series-5.dcm")
    nodes = [a_plugin.load(loadable) for loadable in a_plugin.examineForImport(series_of(folder))]
    scanners = [told_scanner(node) for node in nodes]
    assert "SIEMENS Avanto" in scanners
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    open_bundle(tmp_path / "scene.mrb")
    monkeypatch.setattr(slicer, "dicomDatabase", DicomDatabase())

    nodes = list(nodes_of_class(slicer.mrmlScene, "vtkMRMLScalarVolumeNode"))
    assert [told_scanner(node) for node in nodes] == scanners
    with pytest.raises(ACNetError, match=f"the module Data shows them as of two {of_two}") as refused:
        check_one_patient(nodes)
    assert "1.2.3" not in str(refused.value)
    assert PATIENT_ID not in str(refused.value)


def test_the_map_wins_over_slicers_other_ways_to_load_its_series(study: Path, a_plugin: Any) -> None:
    from DICOMLib import DICOMLoadable

    (loadable,) = a_plugin.examineForImport(series_of(study))
    parametric_map = 0.95  # the most that one of Slicer's own plugins says of such images
    image_sequence = 1.05  # of gated images in several directions (DICOMImageSequencePlugin.py of 5.13)
    assert DICOMLoadable().confidence < parametric_map < image_sequence < loadable.confidence


@pytest.mark.skipif(not SLICER_SOURCE, reason="SLICER_SOURCE names no checkout of Slicer")
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_slicer_itself_chooses_the_map_and_loads_it(
    flavour: str, flavours: dict[str, Path], a_plugin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from DICOMLib import DICOMUtils

    plugins = {name: slicers_plugin(name, monkeypatch) for name in SLICERS_PLUGINS} | {"ours": a_plugin}
    file_lists = series_of(flavours[flavour])
    offered, _ = DICOMUtils.getLoadablesFromFileLists(file_lists, list(plugins), pluginInstances=plugins)
    ours = offered[a_plugin]
    files = {file for loadable in ours for file in loadable.files}
    others = [loadable for plugin in plugins.values() if plugin is not a_plugin for loadable in offered[plugin]]
    assert any(files & set(loadable.files) for loadable in others)
    DICOMUtils.selectHighestConfidenceLoadables(offered)
    assert all(loadable.selected for loadable in ours)
    assert not any(loadable.selected for loadable in others if files & set(loadable.files))
    messages: list[str] = []
    DICOMUtils.loadLoadables({a_plugin: ours}, messages)
    assert messages == []
    assert all(slicer.util.getNode(loadable.name) for loadable in ours)


def slicers_plugin(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A plugin of the checkout. Its reader, vtkITK, is in the application only."""
    monkeypatch.setitem(sys.modules, "vtkITK", ModuleType("vtkITK"))
    spec = spec_from_file_location(name, Path(SLICER_SOURCE) / "Modules" / "Scripted" / "DICOMPlugins" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, f"{name}Class")()


def test_what_someone_typed_of_the_patient_is_in_no_name_and_no_log(
    stored: np.ndarray, tmp_path: Path, a_plugin: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a map that is loaded, one whose pixels are no T1, and one that can't be read."""
    caplog.set_level(0)
    description = f"MOLLI {PATIENT_NAME} {PATIENT_ID} mid_MOCO_T1"
    for series, slope in ((3, 1), (4, 0.1), (5, 1)):
        write_section(
            tmp_path / f"{series}.dcm", stored[0], series=series, RescaleSlope=slope, SeriesDescription=description
        )
    loadables = a_plugin.examineForImport(series_of(tmp_path))
    (tmp_path / "5.dcm").write_bytes((tmp_path / "5.dcm").read_bytes()[:-100])
    assert [a_plugin.load(loadable) is not None for loadable in loadables] == [True, True, False]
    assert [loadable.name for loadable in loadables] == [f"{series}: MOLLI mid MOCO T1, native" for series in (3, 4, 5)]
    messages = [record.getMessage() for record in caplog.records]
    assert any("4: MOLLI" in message and "as of T2" in message for message in messages)
    assert any("5.dcm: it can't be read" in message for message in messages)
    assert not any(word in message for message in messages for word in ("Doe", "Jane", "4711"))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_odd_files_in_a_series_leave_the_map_beside_them_alone(
    study: Path, a_plugin: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    (files,) = series_of(study)
    content = (study / "a.dcm").read_bytes()
    for length in (0, 100, 200, 400, 500):
        (study / f"cut{length}.dcm").write_bytes(content[:length])
    (study / "text.dcm").write_text("not DICOM")
    (study / "DICOMDIR").write_bytes(content[:132])
    odd = [str(file) for file in study.iterdir() if str(file) not in files] + [str(study / "is not there.dcm")]
    (loadable,) = a_plugin.examineForImport([odd + files, []])
    assert sorted(loadable.files) == sorted(files)
    assert a_plugin.examineForImport([odd]) == []
    assert not [record for record in caplog.records if record.levelname != "DEBUG"]


def test_a_series_is_examined_once(study: Path, a_plugin: Any) -> None:
    file_lists = series_of(study)
    (first,) = a_plugin.examineForImport(file_lists)
    (again,) = a_plugin.examineForImport(file_lists)
    assert again is first
