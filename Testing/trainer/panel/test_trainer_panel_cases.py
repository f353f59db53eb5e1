"""The trainer's panel in the headless host: a case library by clicks."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import slicer
import slicer.util
from slicer import vtkMRMLScalarVolumeNode as Volume

from ACNetLib.sample_data import sample_cases
from ACNetLib.scene.output import RESULT_OF, add_t1_map
from ACNetLib.t1map.t1_map import read_t1_map
from ACNetLib.volumes.header import FITTED_KEY
from ACNetTrainerLib.cases.editing import remove_cases
from ACNetTrainerLib.cases.library import CaseLibrary, read_case_library
from slicer_host import wait_until
from trainer_panel_fixtures import (
    add,
    click,
    open_library,
    questions_answered,
    texts_of,
)


def test_a_new_library_is_made_and_a_map_becomes_its_cases(
    a_trainer: Any, trainer_ui: Any, a_library: Path, a_sample: Volume
) -> None:
    assert read_case_library(a_library, may_be_empty=True).cases == ()
    assert add(a_trainer, a_sample, "dcm", "Jane Roe, 1234") == "Added: 3 slices."
    cases = read_case_library(a_library).cases
    assert [case.label for case in cases] == ["dcm"] * 3
    assert texts_of(trainer_ui.casesTable, 1) == ["DCM"] * 3
    assert trainer_ui.dcmBar.format == "DCM: 1 patients, 3 slices"
    assert trainer_ui.patientLineEdit.text == ""
    assert "patients" in trainer_ui.warningsLabel.text  # too few
    assert not any(b"Roe" in file.read_bytes() for file in a_library.rglob("*") if file.is_file())


def test_the_same_map_is_refused_and_a_patient_is_asked_for(
    a_trainer: Any, trainer_ui: Any, a_library: Path, a_sample: Volume
) -> None:
    assert add(a_trainer, a_sample, "dcm", "  ").startswith("Patient: found nothing")
    add(a_trainer, a_sample, "dcm", "first")
    assert "already" in add(a_trainer, a_sample, "dcm", "second")
    assert len(read_case_library(a_library).cases) == 3


def test_the_patient_is_not_kept_in_the_scene(
    a_trainer: Any, trainer_ui: Any, a_library: Path, a_sample: Volume
) -> None:
    trainer_ui.patientLineEdit.text = "Jane Roe"
    node = a_trainer.widget.panel.logic.getParameterNode().parameterNode
    values = [node.GetParameter(name) for name in node.GetParameterNames()]
    assert not any("Roe" in value for value in values)


def test_the_table_shows_thumbnails_and_is_filtered(
    a_trainer: Any, trainer_ui: Any, two_libraries: tuple[CaseLibrary, CaseLibrary]
) -> None:
    library = two_libraries[0]
    open_library(a_trainer, library.folder)
    assert trainer_ui.casesTable.rowCount == len(library.cases) == 12
    assert not trainer_ui.casesTable.item(0, 0).icon().isNull()
    assert trainer_ui.dcmBar.value == trainer_ui.normalBar.value == 6
    trainer_ui.filterLineEdit.text = "dcm 1.5t"
    assert texts_of(trainer_ui.casesTable, 1) == ["DCM"] * 6
    trainer_ui.filterLineEdit.text = "no such words"
    assert trainer_ui.casesTable.rowCount == 0


def test_a_case_is_shown_in_the_slice_views_by_a_double_click_or_enter_and_loaded_once(
    a_trainer: Any, trainer_ui: Any, two_libraries: tuple[CaseLibrary, CaseLibrary]
) -> None:
    library = two_libraries[0]
    open_library(a_trainer, library.folder)
    composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    for row in (2, 3, 2):
        for composite in composites:  # as a result of the classifier's shows its heat map and its bands
            composite.SetForegroundVolumeID("vtkMRMLScalarVolumeNode1")
            composite.SetLabelVolumeID("vtkMRMLScalarVolumeNode1")
        trainer_ui.casesTable.cellActivated.emit(row, 1)
        shown = slicer.mrmlScene.GetFirstNodeByName(library.cases[row].case)
        assert {composite.GetBackgroundVolumeID() for composite in composites} == {shown.GetID()}
        assert {(each.GetForegroundVolumeID(), each.GetLabelVolumeID()) for each in composites} == {(None, None)}
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 2
    view = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceNode").GetSliceToRAS()
    center_mm = [view.GetElement(axis, 3) for axis in range(3)]
    left, posterior, superior = library.cases[2].center_mm
    assert center_mm == pytest.approx([-left, -posterior, superior], abs=1e-3)


def test_a_library_that_is_opened_while_another_is_drawn_gets_its_own_pictures(
    a_trainer: Any, trainer_ui: Any, two_libraries: tuple[CaseLibrary, CaseLibrary]
) -> None:
    first, second = two_libraries
    a_trainer.widget.panel.logic.getParameterNode().library = str(first.folder)
    wait_until(lambda: trainer_ui.casesTable.rowCount == 12)
    open_library(a_trainer, second.folder)
    assert texts_of(trainer_ui.casesTable, 2) == [case.patient for case in second.cases]
    assert not any(trainer_ui.casesTable.item(row, 0).icon().isNull() for row in range(12))


def test_a_change_by_another_program_is_seen_when_the_library_is_opened_again(
    a_trainer: Any, trainer_ui: Any, a_library: Path, a_sample: Volume, chosen_folders: list[Path]
) -> None:
    add(a_trainer, a_sample, "dcm", "first")
    remove_cases(a_library, [read_case_library(a_library).cases[0].case])
    chosen_folders.append(a_library)
    click(a_trainer, trainer_ui.openButton)
    assert trainer_ui.casesTable.rowCount == 2


def test_a_change_that_is_refused_is_said_above_the_cases(
    a_trainer: Any, trainer_ui: Any, a_library: Path, a_sample: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(a_trainer, a_sample, "dcm", "first")
    remove_cases(a_library, [read_case_library(a_library).cases[0].case])  # behind the panel's back
    questions_answered(True, monkeypatch)
    trainer_ui.casesTable.selectRow(0)
    click(a_trainer, trainer_ui.removeButton)
    assert "found 0 cases named" in trainer_ui.warningsLabel.text
    assert trainer_ui.casesTable.rowCount == 2


def test_a_patients_label_is_changed_and_the_library_checked_by_clicks(
    a_trainer: Any, trainer_ui: Any, a_library: Path, a_sample: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(a_trainer, a_sample, "dcm", "first")
    questions_answered(True, monkeypatch)
    trainer_ui.casesTable.selectRow(1)
    click(a_trainer, trainer_ui.changeLabelButton)
    assert texts_of(trainer_ui.casesTable, 1) == ["Normal"] * 3
    click(a_trainer, trainer_ui.checkButton)
    assert "Patients who are dcm: 0" in trainer_ui.warningsLabel.text


def test_cases_are_removed_by_a_click_after_a_question(
    a_trainer: Any, trainer_ui: Any, a_library: Path, a_sample: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(a_trainer, a_sample, "dcm", "first")
    questions = questions_answered(False, monkeypatch)
    trainer_ui.casesTable.selectRow(1)
    click(a_trainer, trainer_ui.removeButton)
    assert "Remove 1 cases" in questions[0]
    assert trainer_ui.casesTable.rowCount == 3
    questions_answered(True, monkeypatch)
    click(a_trainer, trainer_ui.removeButton)
    assert trainer_ui.casesTable.rowCount == 2
    assert len(read_case_library(a_library).cases) == 2


def add_a_point(name: str, center_mm: Sequence[float]) -> Any:
    point = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
    left, posterior, superior = center_mm
    point.AddControlPoint(-left, -posterior, superior)
    return point


def test_the_point_of_one_patient_is_not_stored_with_the_next(
    a_trainer: Any, trainer_ui: Any, a_library: Path, a_sample: Volume
) -> None:
    normal, dcm = sample_cases()
    parameters = a_trainer.widget.panel.logic.getParameterNode()
    trainer_ui.volumeSelector.setCurrentNode(a_sample)
    parameters.center = add_a_point("of A", dcm.center_mm)
    assert add(a_trainer, a_sample, "dcm", "A").startswith("Added")
    assert trainer_ui.centerSelector.currentNode() is None
    other = add_t1_map(read_t1_map(normal.folder), slicer.mrmlScene)
    parameters.center = add_a_point("of A, again", dcm.center_mm)
    trainer_ui.volumeSelector.setCurrentNode(other)
    assert trainer_ui.centerSelector.currentNode() is None
    assert add(a_trainer, other, "normal", "B").startswith("Added")
    sources = {case.label: case.center_source for case in read_case_library(a_library).cases}
    assert sources["dcm"] == "given"
    assert sources["normal"] != "given"


@pytest.mark.parametrize("how", ["none in between", "removed meanwhile", "removed"])
def test_a_point_goes_with_its_map_however_another_one_comes_to_be_chosen(
    a_trainer: Any, trainer_ui: Any, a_sample: Volume, how: str
) -> None:
    normal, dcm = sample_cases()
    trainer_ui.volumeSelector.setCurrentNode(a_sample)
    a_trainer.widget.panel.logic.getParameterNode().center = add_a_point("of A", dcm.center_mm)
    other = add_t1_map(read_t1_map(normal.folder), slicer.mrmlScene)
    if how == "none in between":
        trainer_ui.volumeSelector.setCurrentNode(None)
    elif how == "removed":
        slicer.mrmlScene.RemoveNode(a_sample)
    else:
        a_trainer.exit()
        slicer.mrmlScene.RemoveNode(a_sample)
        a_trainer.enter()
    trainer_ui.volumeSelector.setCurrentNode(other)
    assert trainer_ui.centerSelector.currentNode() is None


def test_the_patient_is_typed_for_one_map_alone(a_trainer: Any, trainer_ui: Any, a_sample: Volume) -> None:
    other = add_t1_map(read_t1_map(sample_cases()[0].folder), slicer.mrmlScene)
    trainer_ui.patientLineEdit.text = "A"
    trainer_ui.volumeSelector.setCurrentNode(a_sample)
    trainer_ui.volumeSelector.setCurrentNode(None)
    a_trainer.exit()
    a_trainer.enter()
    trainer_ui.volumeSelector.setCurrentNode(a_sample)
    assert trainer_ui.patientLineEdit.text == "A"
    trainer_ui.volumeSelector.setCurrentNode(other)
    assert trainer_ui.patientLineEdit.text == ""
    trainer_ui.patientLineEdit.text = "B"
    slicer.mrmlScene.Clear(0)
    assert trainer_ui.patientLineEdit.text == ""


def test_a_point_far_from_every_slice_is_refused(
    a_trainer: Any, trainer_ui: Any, a_library: Path, a_sample: Volume
) -> None:
    left, posterior, superior = sample_cases()[1].center_mm
    trainer_ui.volumeSelector.setCurrentNode(a_sample)
    point = add_a_point("of another exam", (left, posterior, superior + 200.0))
    a_trainer.widget.panel.logic.getParameterNode().center = point
    assert "mm above or below its nearest slice" in add(a_trainer, a_sample, "dcm", "A")
    assert read_case_library(a_library, may_be_empty=True).cases == ()


def test_what_is_to_be_known_of_an_added_map_is_said(
    a_trainer: Any, trainer_ui: Any, a_library: Path, a_sample: Volume
) -> None:
    a_sample.SetAttribute(FITTED_KEY, "MOLLI 5(3)3")
    first, *notes = add(a_trainer, a_sample, "dcm", "A").split("\n")
    assert first == "Added: 3 slices."
    assert any("it was fitted by ACNet" in note for note in notes)


def test_the_next_patient_who_is_typed_while_a_map_is_added_stays(
    a_trainer: Any, trainer_ui: Any, a_library: Path, a_sample: Volume
) -> None:
    from slicer_host import wait_until

    trainer_ui.volumeSelector.setCurrentNode(a_sample)
    trainer_ui.patientLineEdit.text = "A"
    wait_until(lambda: trainer_ui.addButton.enabled)
    trainer_ui.addButton.click()
    trainer_ui.patientLineEdit.text = "B"
    wait_until(lambda: not a_trainer.widget.panel.running)
    assert trainer_ui.statusLabel.text.startswith("Added")
    assert trainer_ui.patientLineEdit.text == "B"


def test_what_was_made_of_a_map_stays_its_centre_when_the_map_is_chosen(
    a_trainer: Any, trainer_ui: Any, a_library: Path, a_sample: Volume
) -> None:
    parameters = a_trainer.widget.panel.logic.getParameterNode()
    other = add_t1_map(read_t1_map(sample_cases()[0].folder), slicer.mrmlScene)
    trainer_ui.volumeSelector.setCurrentNode(other)
    ventricle = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    ventricle.SetNodeReferenceID(RESULT_OF, a_sample.GetID())
    parameters.center = ventricle
    trainer_ui.volumeSelector.setCurrentNode(a_sample)
    assert trainer_ui.centerSelector.currentNode() is ventricle
    trainer_ui.volumeSelector.setCurrentNode(other)
    assert trainer_ui.centerSelector.currentNode() is None


def test_a_map_that_is_handed_over_has_no_patient_yet_and_keeps_its_centre(
    a_trainer: Any, trainer_ui: Any, a_library: Path, a_sample: Volume
) -> None:
    normal = sample_cases()[0]
    trainer_ui.volumeSelector.setCurrentNode(a_sample)
    trainer_ui.patientLineEdit.text = "Jane"
    other = add_t1_map(read_t1_map(normal.folder), slicer.mrmlScene)
    point = add_a_point("of the map", normal.center_mm)
    a_trainer.widget.offer_case(other, point)
    assert trainer_ui.patientLineEdit.text == ""
    assert trainer_ui.centerSelector.currentNode() is point


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the user is asked, who says yes."""
    return questions_answered(True, monkeypatch)


@pytest.fixture
def a_copy(a_trainer: Any, two_libraries: tuple[CaseLibrary, CaseLibrary], tmp_path: Path) -> CaseLibrary:
    """A library of twelve patients that the test may change, open."""
    folder = Path(shutil.copytree(two_libraries[0].folder, tmp_path / "copy"))
    open_library(a_trainer, folder)
    return read_case_library(folder)


def test_the_label_of_a_patient_who_comes_under_the_selection_by_a_filter_is_not_changed(
    a_trainer: Any, trainer_ui: Any, a_copy: CaseLibrary, asked: list[str]
) -> None:
    trainer_ui.casesTable.selectRow(0)
    trainer_ui.filterLineEdit.text = a_copy.cases[5].patient
    assert texts_of(trainer_ui.casesTable, 2) == [a_copy.cases[5].patient]
    click(a_trainer, trainer_ui.changeLabelButton)
    assert asked == []
    assert read_case_library(a_copy.folder).cases == a_copy.cases


def test_a_selected_case_stays_so_where_a_filter_moves_it_and_the_question_names_its_patient(
    a_trainer: Any, trainer_ui: Any, a_copy: CaseLibrary, asked: list[str]
) -> None:
    patient = a_copy.cases[5].patient
    trainer_ui.casesTable.selectRow(5)
    trainer_ui.filterLineEdit.text = patient
    click(a_trainer, trainer_ui.changeLabelButton)
    assert patient in asked[0]
    pairs = zip(read_case_library(a_copy.folder).cases, a_copy.cases, strict=True)
    assert [case.patient for case, before in pairs if case.label != before.label] == [patient]


def test_after_a_case_is_removed_no_other_is_selected(
    a_trainer: Any, trainer_ui: Any, a_copy: CaseLibrary, asked: list[str]
) -> None:
    trainer_ui.casesTable.selectRow(2)
    click(a_trainer, trainer_ui.removeButton)
    assert a_copy.cases[2].patient in asked[0]
    click(a_trainer, trainer_ui.removeButton)
    assert len(asked) == 1
    assert len(read_case_library(a_copy.folder).cases) == 11


def test_where_one_of_many_patients_is_gone_no_label_is_changed(
    a_trainer: Any, trainer_ui: Any, a_copy: CaseLibrary, asked: list[str]
) -> None:
    remove_cases(a_copy.folder, [a_copy.cases[4].case])  # behind the panel's back
    trainer_ui.casesTable.selectAll()
    click(a_trainer, trainer_ui.changeLabelButton)
    assert "found 0 cases named" in trainer_ui.warningsLabel.text
    left = [case for case in a_copy.cases if case != a_copy.cases[4]]
    assert list(read_case_library(a_copy.folder).cases) == left


def test_a_question_names_three_patients_and_counts_the_others(
    a_trainer: Any, trainer_ui: Any, a_copy: CaseLibrary, asked: list[str]
) -> None:
    trainer_ui.casesTable.selectAll()
    click(a_trainer, trainer_ui.changeLabelButton)
    assert f"of 12 patients the other label: {a_copy.cases[0].patient}, " in asked[0]
    assert "and 9 more" in asked[0]
    assert [case.is_dcm for case in read_case_library(a_copy.folder).cases] == [
        not case.is_dcm for case in a_copy.cases
    ]


def test_a_folder_that_is_no_library_is_refused_in_a_sentence(
    a_trainer: Any, trainer_ui: Any, tmp_path: Path, chosen_folders: list[Path]
) -> None:
    assert "Open a case library" in trainer_ui.warningsLabel.text
    chosen_folders.append(tmp_path)
    click(a_trainer, trainer_ui.openButton)
    assert "cases.csv" in trainer_ui.warningsLabel.text
    assert not trainer_ui.addButton.enabled


def test_no_case_of_another_library_stays_where_an_error_that_nobody_foresaw_ends_the_reading(
    a_trainer: Any,
    trainer_ui: Any,
    two_libraries: tuple[CaseLibrary, CaseLibrary],
    monkeypatch: pytest.MonkeyPatch,
    raised: list[BaseException],
) -> None:
    open_library(a_trainer, two_libraries[0].folder)
    assert trainer_ui.casesTable.rowCount == 12
    monkeypatch.setattr("ACNetTrainerLib.cases.checks.size_warnings", lambda _library: 1 / 0)
    open_library(a_trainer, two_libraries[1].folder)
    assert trainer_ui.casesTable.rowCount == 0
    assert trainer_ui.warningsLabel.text == "The library could not be read. See the error log."
    assert not trainer_ui.removeButton.enabled


def test_a_long_path_does_not_widen_the_panel(a_trainer: Any, trainer_ui: Any) -> None:
    narrow = a_trainer.widget.panel.widget.minimumSizeHint().width()
    path = "C:\\" + "\\".join(["a folder's name that is long"] * 9).replace(" ", "_")
    parameters = a_trainer.widget.panel.logic.getParameterNode()
    parameters.library = parameters.judging_library = path
    assert trainer_ui.judgingLibraryLabel.toolTip == path
    assert a_trainer.widget.panel.widget.minimumSizeHint().width() == narrow
