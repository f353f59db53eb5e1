"""The reading list in the panel: made by a real process, followed, opened study by study, marked, found again."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pydicom
import pytest
import slicer
import slicer.util
from slicer import vtkMRMLScalarVolumeNode as Volume

from ACNetLib.commands.main import main
from ACNetLib.image_files import write_image
from ACNetLib.sample_data import sample_cases
from ACNetLib.scene.list_study import STUDY
from ACNetLib.scene.table import fill_table, read_record
from ACNetLib.t1map.t1_map import read_t1_map
from ACNetLib.triage import reading_list
from ACNetLib.triage.rows import read_worklist_csv
from dicom_files import RAMP, RAW_TYPE, write_section
from disks import disconnected
from exam_files import write_exam, write_sample
from panel_fixtures import MODULE_FILE, choose, composites, result_of, tick, wait_for_end
from slicer_host import load_module, wait_until
from trainer_panel_fixtures import texts_of

NORMAL, DCM = sample_cases()
LIST_SECONDS = 300.0
READ, ANSWER, PROBABILITY, T1, PATIENT, NOTES = range(6)


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A normal patient, one with DCM, an exam planned slice by slice, and images that are no T1 map."""
    root = tmp_path_factory.mktemp("hospital")
    write_sample(root / "inbox", NORMAL.folder, "patient-1")
    write_sample(root / "inbox", DCM.folder, "patient-2")
    write_exam(root / "by slices", PatientID="patient-3", FrameOfReferenceUID="1.2.826.0.1.3680043.8.498.7")
    write_section(root / "cine" / "a.dcm", RAMP, PatientID="p4", ImageType=RAW_TYPE, SeriesDescription="cine")
    return root


@pytest.fixture(scope="module")
def a_made_list(hospital: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("lists") / "list"
    arguments = ["triage", str(hospital), "--output", str(output), "--device", "cpu", "--identify", "id"]
    assert main(arguments) == 0
    return output


@pytest.fixture
def a_list(a_made_list: Path, tmp_path: Path, ui: Any, chosen_folders: list[Path]) -> Path:
    """A list of its own for the test, chosen in the panel."""
    folder = Path(shutil.copytree(a_made_list, tmp_path / "list"))
    chosen_folders.append(folder)
    ui.listFolderButton.click()
    return folder


@pytest.fixture
def a_database(hospital: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Slicer's DICOM database with all of the hospital, and its browser with nothing selected."""
    from slicer_host.dicom_lib import DicomDatabase

    database = DicomDatabase()
    database.add(file for file in sorted(hospital.rglob("*")) if file.is_file())
    browser = SimpleNamespace(fileLists=[])
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    monkeypatch.setattr(slicer.modules, "DICOMWidget", SimpleNamespace(browserWidget=browser), raising=False)
    return browser


def wait_for_list(module: Any) -> None:
    wait_until(lambda: not module.widget.panel.making_list, LIST_SECONDS)


def row_of(ui: Any, patient: str) -> int:
    return texts_of(ui.listTable, PATIENT).index(patient)


def test_selected_dicom_studies_become_a_list_that_is_opened_read_and_found_again(
    a_module: Any, ui: Any, hospital: Path, a_database: SimpleNamespace, tmp_path: Path, chosen_folders: list[Path]
) -> None:
    ui.selectedStudiesButton.click()
    assert "No study is selected" in ui.listStatusLabel.text
    assert ui.listButton.toolTip == "Choose the studies"
    a_database.fileLists = [[str(file)] for file in sorted((hospital / "inbox").iterdir())]  # two studies' images
    ui.selectedStudiesButton.click()
    assert ui.studiesLabel.text == "2 studies of the DICOM database"
    assert not ui.listButton.enabled
    chosen_folders.append(tmp_path / "list")
    ui.listFolderButton.click()
    choose(ui.identifyComboBox, "id")
    assert (ui.listButton.text, ui.listButton.enabled) == ("Make the list", True)
    ui.listButton.click()
    assert (ui.listButton.text, ui.listStatusLabel.text) == ("Stop", "Looking for studies...")
    slicer.mrmlScene.Clear(0)  # the list is of no scene
    a_module.enter()
    wait_until(lambda: ui.listTable.rowCount > 0, LIST_SECONDS)
    wait_for_list(a_module)
    assert texts_of(ui.listTable, ANSWER) == ["DCM", "Normal"]
    assert texts_of(ui.listTable, PATIENT) == ["patient-2", "patient-1"]
    assert ui.listTable.item(0, PROBABILITY).text() == "> 99 %"
    assert 900 < int(ui.listTable.item(0, T1).text().split()[0]) < 1200
    assert ui.listStatusLabel.text == "1 DCM, 1 Normal; read: 0 of 2."

    ui.listTable.cellClicked.emit(0, ANSWER)
    volume = ui.volumeSelector.currentNode()
    assert np.array_equal(slicer.util.arrayFromVolume(volume), read_t1_map(DCM.folder).array)
    assert "DCM" in ui.verdictLabel.text
    labels = {composite.GetLabelVolumeID() for composite in composites()}
    assert labels == {result_of(volume).labels["combined"].GetID()}
    tick(ui.listTable, 0)
    assert "read: 1 of 2" in ui.listStatusLabel.text
    assert "DCM, read" in (tmp_path / "list" / "worklist.html").read_text(encoding="utf-8")

    a_module.unload()  # Slicer is started again
    again = load_module(MODULE_FILE)
    again.enter()
    chosen_folders.append(tmp_path / "list")
    again.widget.panel.ui.listFolderButton.click()
    table = again.widget.panel.ui.listTable
    assert [bool(table.item(row, READ).checkState()) for row in range(table.rowCount)] == [True, False]
    again.unload()


def test_a_study_opens_by_click_and_by_enter_and_once(ui: Any, a_list: Path) -> None:
    ui.listTable.cellActivated.emit(row_of(ui, "patient-1"), READ)
    first = ui.volumeSelector.currentNode()
    assert "Normal" in ui.verdictLabel.text
    ui.listTable.cellClicked.emit(row_of(ui, "patient-2"), READ)  # that is the tick
    assert ui.volumeSelector.currentNode() is first
    ui.listTable.cellClicked.emit(row_of(ui, "patient-2"), NOTES)
    assert "DCM" in ui.verdictLabel.text
    ui.listTable.cellClicked.emit(row_of(ui, "patient-1"), NOTES)
    assert ui.volumeSelector.currentNode() is first


def test_an_exam_of_several_maps_opens_as_one_and_its_report_is_whole(
    a_module: Any, ui: Any, a_list: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen_folders: list[Path]
) -> None:
    import qt

    choose(ui.overlayComboBox, "module_1")  # which the list does not have
    ui.listTable.cellClicked.emit(row_of(ui, "patient-3"), ANSWER)
    assert ui.overlayComboBox.itemData(ui.overlayComboBox.currentIndex) == "combined"
    opened = opened_volumes()
    assert len(opened) == 3
    assert ui.sectionTable.rowCount == 3
    assert ui.applyButton.enabled, "it can be classified anew"
    ui.sectionTable.cellClicked.emit(2, 1)
    assert {composite.GetBackgroundVolumeID() for composite in composites()} == {opened[2].GetID()}
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda _url: None)
    chosen_folders.append(tmp_path)
    ui.reportButton.click()
    wait_until(lambda: "Report written" in ui.statusLabel.text)
    assert (tmp_path / "acnet-report" / "map-3" / "attention.nrrd").is_file()


def test_a_study_without_answer_or_with_damaged_files_says_why(ui: Any, a_list: Path) -> None:
    ui.listTable.cellClicked.emit(row_of(ui, "p4"), ANSWER)
    assert ui.listStatusLabel.text.startswith("No T1 map: ")
    row = row_of(ui, "patient-1")
    for file in a_list.glob("studies/*/t1-map.nrrd"):
        file.unlink()
    ui.listTable.cellClicked.emit(row, ANSWER)
    assert "t1-map.nrrd: there is no such file" in ui.listStatusLabel.text
    assert ui.volumeSelector.currentNode() is None
    (a_list / "worklist.csv").write_text("rank\n1\n")
    ui.listTable.cellClicked.emit(row, ANSWER)
    assert ui.listTable.rowCount == 4, "it is looked at again when the list is made on"


def test_a_list_that_is_stopped_goes_on_and_what_it_refuses_is_shown(
    a_module: Any, ui: Any, hospital: Path, tmp_path: Path, chosen_folders: list[Path]
) -> None:
    chosen_folders += [hospital / "cine", tmp_path / "list"]
    ui.studiesFolderButton.click()
    ui.listFolderButton.click()
    ui.listButton.click()
    assert not ui.studiesFolderButton.enabled
    ui.listButton.click()
    assert (ui.listButton.enabled, ui.listStatusLabel.text) == (False, "Stopping...")
    wait_for_list(a_module)
    assert ui.listStatusLabel.text == "Stopped: studies that are done are kept."
    ui.listButton.click()
    wait_for_list(a_module)
    assert texts_of(ui.listTable, ANSWER) == ["No T1 map"]
    assert (ui.listButton.text, ui.studiesFolderButton.enabled) == ("Bring up to date", True)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine").touch()
    chosen_folders.append(tmp_path / "taken")
    ui.listFolderButton.click()
    assert ui.listTable.rowCount == 0
    ui.listButton.click()
    wait_for_list(a_module)
    assert "holds no reading list" in ui.listStatusLabel.text


def test_a_tick_leaves_what_came_into_the_list_meanwhile_and_the_panel_shows_it(ui: Any, a_list: Path) -> None:
    table = (a_list / "worklist.csv").read_text(encoding="utf-8")
    (a_list / "worklist.csv").write_text("".join(table.splitlines(keepends=True)[:3]), encoding="utf-8")
    wait_until(lambda: ui.listTable.rowCount == 2)
    (a_list / "worklist.csv").write_text(table, encoding="utf-8")
    tick(ui.listTable, 0)
    assert [row.read for row in read_worklist_csv(a_list / "worklist.csv")] == [True, False, False, False]
    wait_until(lambda: ui.listTable.rowCount == 4)
    assert [bool(ui.listTable.item(row, READ).checkState()) for row in range(4)] == [True, False, False, False]


def test_a_list_whose_folder_is_gone_stays_gone_and_a_tick_goes_back(ui: Any, a_made_list: Path, a_list: Path) -> None:
    shutil.rmtree(a_list)
    a_list.mkdir()  # where a disk was
    ui.listTable.cellClicked.emit(row_of(ui, "patient-1"), ANSWER)
    assert "result.json: it can't be read" in ui.listStatusLabel.text
    tick(ui.listTable, 0)
    assert "Is its disk connected?" in ui.listStatusLabel.text
    assert not bool(ui.listTable.item(0, READ).checkState())
    assert list(a_list.iterdir()) == []
    wait_until(lambda: ui.listTable.rowCount == 0)
    assert ui.listStatusLabel.text == "The list is no longer in its folder."
    shutil.copytree(a_made_list, a_list, dirs_exist_ok=True)
    wait_until(lambda: ui.listTable.rowCount == 4)
    assert ui.listStatusLabel.text == "2 DCM, 1 Normal, 1 No T1 map; read: 0 of 4."


def test_a_list_on_a_drive_that_is_gone_for_a_while_comes_back(
    ui: Any, a_list: Path, hospital: Path, raised: list[BaseException], chosen_folders: list[Path]
) -> None:
    from slicer_host import wait_until

    choose_studies(ui, hospital, chosen_folders)
    open_row(ui, "patient-1")
    with disconnected(a_list), disconnected(hospital):
        wait_until(lambda: ui.listTable.rowCount == 0)
        assert ui.listStatusLabel.text == "The list is no longer in its folder."
        choose(ui.overlayComboBox, "ventricle")
        assert "The list of this study is not open" in ui.dicomButton.toolTip
        assert "Normal" in ui.verdictLabel.text
    wait_until(lambda: ui.listTable.rowCount == 4)
    assert ui.listStatusLabel.text == "2 DCM, 1 Normal, 1 No T1 map; read: 0 of 4."
    with disconnected(a_list):
        open_row(ui, "patient-2")
        assert "result.json: it can't be read" in ui.listStatusLabel.text
    assert raised == []


def test_a_tick_that_can_not_be_written_goes_back(ui: Any, a_list: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_folder: Path, _has_read: bool) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(reading_list, "mark_read", refuse)
    tick(ui.listTable, 0)
    assert not bool(ui.listTable.item(0, READ).checkState())
    assert "the mark can't be written (Permission denied)" in ui.listStatusLabel.text
    assert "read: 0 of 4" in ui.listStatusLabel.text


def open_row(ui: Any, patient: str) -> None:
    ui.listTable.cellClicked.emit(row_of(ui, patient), ANSWER)


def opened_volumes() -> list[Volume]:
    return [node for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") if node.GetAttribute(STUDY)]


@pytest.mark.parametrize("what", ["its image changed", "its table removed", "an attention map removed", "classified"])
def test_a_study_that_is_not_as_the_list_has_it_opens_anew(a_module: Any, ui: Any, a_list: Path, what: str) -> None:
    open_row(ui, "patient-1")
    (first,) = opened_volumes()
    said = ui.verdictLabel.text
    if what == "its image changed":
        slicer.util.arrayFromVolume(first)[:] += 10
        slicer.util.arrayFromVolumeModified(first)
    elif what == "its table removed":
        slicer.mrmlScene.RemoveNode(result_of(first).table)
    elif what == "an attention map removed":
        slicer.mrmlScene.RemoveNode(result_of(first).maps["combined"])
    else:
        table = result_of(first).table
        fill_table(table, read_record(table).leaving_out([0]))
    open_row(ui, "patient-2")
    open_row(ui, "patient-1")
    opened = ui.volumeSelector.currentNode()
    assert opened is not first
    assert ui.verdictLabel.text == said
    open_row(ui, "patient-1")
    assert ui.volumeSelector.currentNode() is opened


def test_an_exam_of_which_a_volume_was_removed_opens_whole(ui: Any, a_list: Path) -> None:
    open_row(ui, "patient-3")
    slicer.mrmlScene.RemoveNode(opened_volumes()[1])
    open_row(ui, "patient-1")
    open_row(ui, "patient-3")
    assert ui.sectionTable.rowCount == 3
    assert len(ui.otherSlicesSelector.checkedNodes()) == 2


def test_a_copy_of_a_volume_is_no_slice_of_the_study(ui: Any, a_list: Path) -> None:
    open_row(ui, "patient-1")
    (first,) = opened_volumes()
    copy = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    copy.Copy(first)
    open_row(ui, "patient-2")
    open_row(ui, "patient-1")
    assert ui.volumeSelector.currentNode() is first
    assert list(ui.otherSlicesSelector.checkedNodes()) == []


def choose_studies(ui: Any, folder: Path, chosen_folders: list[Path]) -> None:
    chosen_folders.append(folder)
    ui.studiesFolderButton.click()


def write_dicom(module: Any, room: Path, chosen_folders: list[Path]) -> str:
    """Into a folder in there; returns what the panel says."""
    chosen_folders.append(room)
    module.widget.panel.ui.dicomButton.click()
    wait_for_end(module)
    return module.widget.panel.ui.statusLabel.text


@pytest.mark.parametrize("where", ["the database", "the folder of studies"])
def test_an_opened_study_has_dicom_results_of_its_own_images_where_these_are_found(
    a_module: Any,
    ui: Any,
    a_list: Path,
    hospital: Path,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    chosen_folders: list[Path],
    a_user: list[str],
    where: str,
) -> None:
    if where == "the database":
        request.getfixturevalue("a_database")
    open_row(ui, "patient-2")
    if where == "the folder of studies":
        assert not ui.dicomButton.enabled
        assert "choose the folder of studies" in ui.dicomButton.toolTip
        choose_studies(ui, hospital, chosen_folders)
    assert ui.dicomButton.enabled
    a_user.append("No")
    assert "Written: 4 DICOM objects" in write_dicom(a_module, tmp_path, chosen_folders)
    own = {pydicom.dcmread(file).SOPInstanceUID for file in (hospital / "inbox").glob("2*")}
    for file in (tmp_path / "acnet-dicom").iterdir():
        written = pydicom.dcmread(file)
        assert written.PatientID == "patient-2"
        if file.name == "segmentation.dcm":
            referred = written.ReferencedSeriesSequence[0].ReferencedInstanceSequence
            assert {each.ReferencedSOPInstanceUID for each in referred} <= own
    open_row(ui, "patient-3")
    a_user.append("No")
    assert "Written: 10 DICOM objects" in write_dicom(a_module, tmp_path, chosen_folders)


def test_an_opened_study_has_no_dicom_results_where_its_images_are_gone_or_others(
    a_module: Any, ui: Any, a_list: Path, hospital: Path, tmp_path: Path, chosen_folders: list[Path]
) -> None:
    moved = Path(shutil.copytree(hospital, tmp_path / "moved"))
    for file in (moved / "inbox").glob("1*"):
        file.unlink()
    for file in (moved / "inbox").glob("2*"):
        image = pydicom.dcmread(file)
        image.PixelData = (image.pixel_array + 1).tobytes()
        image.save_as(file)
    choose_studies(ui, moved, chosen_folders)
    (tmp_path / "room").mkdir()
    open_row(ui, "patient-2")
    assert "none of its DICOM images has these pixels" in write_dicom(a_module, tmp_path / "room", chosen_folders)
    open_row(ui, "patient-1")
    assert not ui.dicomButton.enabled
    assert ui.dicomButton.toolTip == "Its DICOM images are not in the folder of studies"
    choose_studies(ui, moved / "cine", chosen_folders)
    assert ui.dicomButton.enabled, "it has not been searched yet"
    assert "are not in" in write_dicom(a_module, tmp_path / "room", chosen_folders)
    assert not ui.dicomButton.enabled
    assert list((tmp_path / "room").iterdir()) == []


def test_an_opened_study_of_volume_files_has_no_dicom_results(
    ui: Any, tmp_path: Path, chosen_folders: list[Path]
) -> None:
    (tmp_path / "maps").mkdir()
    write_image(read_t1_map(NORMAL.folder).image, tmp_path / "maps" / "a.nrrd")
    arguments = ["triage", str(tmp_path / "maps"), "--output", str(tmp_path / "list"), "--device", "cpu"]
    assert main([*arguments, "--field", "1.5", "--identify", "id"]) == 0
    choose_studies(ui, tmp_path / "maps", chosen_folders)
    chosen_folders.append(tmp_path / "list")
    ui.listFolderButton.click()
    open_row(ui, "a.nrrd")
    assert not ui.dicomButton.enabled
    assert "volume files" in ui.dicomButton.toolTip
