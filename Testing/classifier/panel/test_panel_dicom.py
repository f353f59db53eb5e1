"""The result as DICOM objects from the panel: written beside the event loop, read back, and never over another file."""

from __future__ import annotations

import re
import shutil
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import slicer
from highdicom.seg import segread
from highdicom.sr import srread
from slicer import vtkMRMLScalarVolumeNode as Volume

from ACNetLib.panel.dicom_selection import exams_of_database
from ACNetLib.sample_data import sample_cases
from ACNetLib.scene.arrays import array_of_volume
from ACNetLib.scene.output import save_scene
from ACNetLib.t1map.t1_map import read_t1_map
from ACNetLib.ventricle.labels import CAVITY_LABEL
from exam_files import write_exam
from panel_fixtures import answer_with_folder, classify, result_of, tick, wait_for_end
from repository import REPOSITORY
from slicer_host import load_module

PLUGIN_FILE = REPOSITORY / "DICOMPlugins" / "DICOMACNetT1MapPlugin.py"
OBJECTS = {"segmentation.dcm", "attention.dcm", "evidence.dcm", "report.dcm"}


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """A study in the user's own folder."""
    return sorted(Path(shutil.copytree(sample_cases()[1].folder, tmp_path / "study")).iterdir())


@pytest.fixture
def a_plugin(a_module: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    from slicer_host.dicom_lib import DicomDatabase

    monkeypatch.setattr(slicer, "dicomDatabase", DicomDatabase())
    load_module(PLUGIN_FILE)
    return slicer.modules.dicomPlugins.pop("DICOMACNetT1MapPlugin")()


def load(plugin: Any, files: list[Path]) -> list[Volume]:
    """As from Slicer's browser, which hands over a list of files a series."""
    slicer.dicomDatabase.add(files)
    series: dict[str, list[str]] = {}
    for file in map(str, files):
        series.setdefault(slicer.dicomDatabase.fileValue(file, "0020,000E"), []).append(file)
    return [plugin.load(each) for each in plugin.examineForImport(list(series.values()))]


@pytest.mark.parametrize("patient_id", ["", "p1"])
def test_an_exam_without_patient_id_has_none_in_slicers_database_either(
    a_plugin: Any, images: list[Path], patient_id: str
) -> None:
    """CTK's database puts the study's UID there, by which no row of a reading list would be found again."""
    for file in images:
        header = pydicom.dcmread(file)
        header.PatientID = patient_id
        header.save_as(file)
    slicer.dicomDatabase.add(images)
    assert list(exams_of_database()) == [(patient_id, pydicom.dcmread(images[0]).StudyInstanceUID)]


@pytest.fixture
def a_dicom_volume(a_plugin: Any, images: list[Path]) -> Volume:
    (volume,) = load(a_plugin, images)
    return volume


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, a_module: Any) -> Path:
    """The folder that the user chooses."""
    folder = tmp_path / "chosen"
    folder.mkdir()
    answer_with_folder(folder, monkeypatch)
    return folder


def headers(folder: Path) -> dict[str, pydicom.Dataset]:
    return {file.name: pydicom.dcmread(file) for file in folder.iterdir()}


def test_the_objects_are_written_into_a_new_folder_each_time_with_patient_and_study_of_the_images(
    a_module: Any, ui: Any, a_dicom_volume: Volume, images: list[Path], chosen: Path, a_user: list[str]
) -> None:
    classify(a_module, a_dicom_volume)
    for number in (1, 2):
        a_user.append("No")
        ui.dicomButton.click()
        assert ui.applyButton.text == "Cancel"  # it goes on beside the event loop
        wait_for_end(a_module)
        folder = chosen / ("acnet-dicom" if number == 1 else "acnet-dicom-2")
        assert ui.statusLabel.text == f"Written: 4 DICOM objects in {folder}"
    assert a_user == []
    first, second = headers(chosen / "acnet-dicom"), headers(chosen / "acnet-dicom-2")
    assert first.keys() == second.keys() == OBJECTS
    source = pydicom.dcmread(images[0])
    for each in (*first.values(), *second.values()):
        assert (each.PatientID, each.StudyInstanceUID) == (source.PatientID, source.StudyInstanceUID)
    assert not {each.SOPInstanceUID for each in first.values()} & {each.SOPInstanceUID for each in second.values()}
    assert {path.name for path in chosen.iterdir()} == {"acnet-dicom", "acnet-dicom-2"}


def test_the_numbers_and_pixels_are_those_that_the_panel_shows(
    a_module: Any, ui: Any, a_dicom_volume: Volume, images: list[Path], chosen: Path, a_user: list[str]
) -> None:
    classify(a_module, a_dicom_volume)
    tick(ui.sectionTable, 0)
    a_user.append("No")
    ui.dicomButton.click()
    wait_for_end(a_module)
    segmentation = segread(chosen / "acnet-dicom" / "segmentation.dcm")
    (cavity,) = segmentation.get_segment_numbers(segment_label="cavity")
    in_order = read_t1_map(images[0].parent).sources
    uids = [pydicom.dcmread(each.file).SOPInstanceUID for each in in_order]
    found = segmentation.get_pixels_by_source_instance(
        uids, segment_numbers=[cavity], assert_missing_frames_are_empty=True
    )
    shown = array_of_volume(result_of(a_dicom_volume).labels["ventricle"])
    np.testing.assert_array_equal(found[..., 0] > 0, shown == CAVITY_LABEL)
    report: Any = srread(chosen / "acnet-dicom" / "report.dcm")
    groups = report.content.get_image_measurement_groups()
    of_study, *of_slices = (each.tracking_identifier for each in groups)
    assert (of_study, of_slices[:2]) == ("study", ["slice 1", "slice 2"])
    levels = {re.fullmatch(r"AHA segment \d+, (\w+) .*", name)[1] for name in of_slices[2:]}  # type: ignore[index]
    assert levels == {"basal", "mid"}, "the slice that was left out is the apical one"


def test_they_enter_slicers_dicom_database_where_the_user_wants_it(
    a_module: Any, ui: Any, a_dicom_volume: Volume, images: list[Path], chosen: Path, a_user: list[str]
) -> None:
    study = pydicom.dcmread(images[0]).StudyInstanceUID
    before = slicer.dicomDatabase.seriesForStudy(study)
    classify(a_module, a_dicom_volume)
    for answer in ("No", "Yes"):
        assert slicer.dicomDatabase.seriesForStudy(study) == before
        a_user.append(answer)
        ui.dicomButton.click()
        wait_for_end(a_module)
    added = {str(each.SeriesInstanceUID) for each in headers(chosen / "acnet-dicom-2").values()}
    assert set(slicer.dicomDatabase.seriesForStudy(study)) == {*before, *added}


def test_cancelled_in_the_middle_nothing_is_left(a_module: Any, ui: Any, a_dicom_volume: Volume, chosen: Path) -> None:
    classify(a_module, a_dicom_volume)
    ui.dicomButton.click()
    ui.applyButton.click()
    wait_for_end(a_module)
    assert ui.statusLabel.text == "Cancelled: nothing was changed."
    assert list(chosen.iterdir()) == []


def test_an_exam_of_several_maps_has_the_objects_of_each(
    a_module: Any, ui: Any, a_plugin: Any, tmp_path: Path, chosen: Path, a_user: list[str]
) -> None:
    write_exam(tmp_path / "exam", FrameOfReferenceUID="1.2.826.0.1.3680043.8.498.7", PatientID="p")
    first, *others = load(a_plugin, sorted(file for file in (tmp_path / "exam").rglob("*") if file.is_file()))
    ui.volumeSelector.setCurrentNode(first)
    a_module.widget.panel.logic.getParameterNode().other_slices = others
    classify(a_module, first)
    a_user.append("No")
    ui.dicomButton.click()
    wait_for_end(a_module)
    names = {file.name for file in (chosen / "acnet-dicom").iterdir()}
    count = 1 + len(others)
    assert names == {"report.dcm"} | {
        f"{name}-{number}.dcm" for name in ("segmentation", "attention", "evidence") for number in range(1, count + 1)
    }


def test_a_scene_that_was_opened_again_gives_them_too(
    a_module: Any, ui: Any, a_dicom_volume: Volume, chosen: Path, a_user: list[str], tmp_path: Path
) -> None:
    classify(a_module, a_dicom_volume)
    save_scene(slicer.mrmlScene, tmp_path / "scene.mrb")
    slicer.mrmlScene.Clear(0)
    zipfile.ZipFile(tmp_path / "scene.mrb").extractall(tmp_path)
    slicer.mrmlScene.SetURL(str(tmp_path / "scene" / "scene.mrml"))
    assert slicer.mrmlScene.Import()
    a_user.append("No")
    ui.dicomButton.click()
    wait_for_end(a_module)
    assert {file.name for file in (chosen / "acnet-dicom").iterdir()} == OBJECTS


def test_only_a_result_of_dicom_files_that_are_known_has_them(
    a_module: Any, ui: Any, a_volume: Volume, a_dicom_volume: Volume, images: list[Path]
) -> None:
    ui.volumeSelector.setCurrentNode(a_dicom_volume)
    assert not ui.dicomButton.enabled
    classify(a_module, a_dicom_volume)
    assert ui.dicomButton.enabled
    classify(a_module, a_volume)
    assert not ui.dicomButton.enabled
    assert ui.dicomButton.toolTip.startswith("The T1 map was not made of DICOM files")
    for file in images:
        file.unlink()
    ui.volumeSelector.setCurrentNode(a_dicom_volume)
    assert not ui.dicomButton.enabled


def test_images_that_no_object_can_refer_to_are_a_sentence_without_the_commands_options(
    a_module: Any, ui: Any, a_plugin: Any, images: list[Path], chosen: Path
) -> None:
    for file in images:
        image = pydicom.dcmread(file)
        del image.FrameOfReferenceUID
        image.save_as(file)
    (volume,) = load(a_plugin, images)
    classify(a_module, volume)
    ui.dicomButton.click()
    wait_for_end(a_module)
    assert "do not tell one FrameOfReferenceUID" in ui.statusLabel.text
    assert "--dicom" not in ui.statusLabel.text
    assert list(chosen.iterdir()) == []


def test_highdicom_is_asked_for_once_and_not_without_consent(
    a_module: Any,
    ui: Any,
    a_dicom_volume: Volume,
    chosen: Path,
    a_user: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import slicer.packaging

    from ACNetLib.panel.dependencies import DICOM_PACKAGE

    installed: list[str] = []
    classify(a_module, a_dicom_volume)
    monkeypatch.setattr(slicer.packaging, "pip_check", lambda requirement: requirement in installed)
    monkeypatch.setattr(slicer.packaging, "pip_ensure", lambda missing, **_options: installed.extend(missing))
    a_user.append("Cancel")
    ui.dicomButton.click()
    assert ui.statusLabel.text.startswith(f"Not installed: {DICOM_PACKAGE}. ")
    assert (installed, list(chosen.iterdir())) == ([], [])
    a_user += ["Ok", "No", "No"]
    for _ in range(2):
        ui.dicomButton.click()
        wait_for_end(a_module)
    assert (a_user, installed, len(list(chosen.iterdir()))) == ([], [DICOM_PACKAGE], 2)
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert DICOM_PACKAGE in project["optional-dependencies"]["dicom"]
