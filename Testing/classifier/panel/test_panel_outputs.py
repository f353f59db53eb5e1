"""What leaves the panel: the report, a segmentation, a case for the trainer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import slicer.util
from PIL import Image
from slicer import vtkMRMLScalarVolumeNode as Volume

from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.output import save_scene
from panel_fixtures import answer_with_folder, classify, open_bundle, tick, wait_for_end
from repository import REPOSITORY
from slicer_host import load_module

TRAINER_FILE = REPOSITORY / "ACNetTrainer" / "ACNetTrainer.py"


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, a_module: Any) -> list[str]:
    """The user chooses tmp_path; what the desktop is asked to open."""
    import qt

    pages: list[str] = []
    answer_with_folder(tmp_path, monkeypatch)
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: pages.append(url.toLocalFile()))
    return pages


def test_a_report_is_written_into_a_new_folder_and_opened(
    a_module: Any, ui: Any, a_result: ResultNodes, opened: list[str], tmp_path: Path
) -> None:
    tick(ui.sectionTable, 0)
    for _ in range(2):
        ui.reportButton.click()
        wait_for_end(a_module)
    folders = ["acnet-report", "acnet-report-2"]
    assert sorted(path.name for path in tmp_path.glob("acnet-report*")) == folders
    assert opened == [str(tmp_path / folder / "report.html") for folder in folders]
    assert str(tmp_path / "acnet-report-2" / "report.html") in ui.statusLabel.text
    values = json.loads((tmp_path / "acnet-report" / "result.json").read_text(encoding="utf-8"))
    assert [section["left_out"] for section in values["maps"][0]["sections"]] == [True, False]
    page = (tmp_path / "acnet-report" / "report.html").read_text(encoding="utf-8")
    assert "by the reader:</strong> slice 0." in page


def test_no_report_is_written_when_the_user_chooses_no_folder(
    a_module: Any, ui: Any, a_result: ResultNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_with_folder("", monkeypatch)
    ui.reportButton.click()
    assert ui.applyButton.text == "Apply"
    assert ui.statusLabel.text == ""


def test_a_folder_that_can_not_be_written_is_named_and_the_panel_stays_usable(
    a_module: Any, ui: Any, a_volume: Volume, a_result: ResultNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    answer_with_folder(tmp_path / "file", monkeypatch)
    ui.reportButton.click()
    wait_for_end(a_module)
    assert "file" in ui.statusLabel.text
    assert "can't be written" in ui.statusLabel.text
    classify(a_module, a_volume)


def test_there_is_a_report_only_of_a_result(a_module: Any, ui: Any, a_volume: Volume) -> None:
    ui.volumeSelector.setCurrentNode(a_volume)
    assert not ui.reportButton.enabled
    classify(a_module, a_volume)
    assert ui.reportButton.enabled


def test_a_scene_opened_from_a_file_gives_the_report_of_the_day_it_was_made(
    a_module: Any, ui: Any, a_volume: Volume, a_result: ResultNodes, opened: list[str], tmp_path: Path
) -> None:
    tick(ui.sectionTable, 0)
    ui.reportButton.click()
    wait_for_end(a_module)
    save_scene(slicer.mrmlScene, tmp_path / "scene.mrb")
    slicer.mrmlScene.Clear(0)
    assert not ui.reportButton.enabled
    open_bundle(tmp_path / "scene.mrb")
    ui.reportButton.click()
    wait_for_end(a_module)
    assert len(opened) == 2
    first, second = (tmp_path / name for name in ("acnet-report", "acnet-report-2"))
    names = {path.name for path in first.iterdir()}
    assert names == {path.name for path in second.iterdir()}
    assert {"attention.nrrd", "section-1.jpg", "report.html", "result.json"} < names
    assert (first / "result.json").read_bytes() == (second / "result.json").read_bytes()
    pages = [(folder / "report.html").read_text(encoding="utf-8") for folder in (first, second)]
    assert len({re.sub('base64,[^"]*', "", page) for page in pages}) == 1
    for name in names:
        if name.endswith(".nrrd"):
            before, after = (sitk.ReadImage(str(folder / name)) for folder in (first, second))
            np.testing.assert_array_equal(sitk.GetArrayFromImage(after), sitk.GetArrayFromImage(before))
            assert after.GetOrigin() == pytest.approx(before.GetOrigin(), abs=1e-4)
        if name.endswith(".jpg"):  # a scene's files round the geometry
            one, other = (np.asarray(Image.open(folder / name)).astype(int) for folder in (first, second))
            assert (np.abs(other - one) > 2).mean() < 1e-3


def test_a_report_whose_attention_is_gone_is_refused_in_words(
    a_module: Any, ui: Any, a_result: ResultNodes, opened: list[str], tmp_path: Path
) -> None:
    slicer.mrmlScene.RemoveNode(a_result.maps["combined"])
    ui.reportButton.click()
    assert "short axis: the T1 map of this result" in ui.statusLabel.text
    assert "Classify the map again" in ui.statusLabel.text
    assert not list(tmp_path.glob("acnet-report*"))


def test_a_segmentation_of_the_shown_overlay_is_made_by_a_click(
    ui: Any, a_volume: Volume, a_result: ResultNodes
) -> None:
    ui.segmentationButton.click()
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    assert node.GetName() == "short axis attention combined segmentation"
    assert node.GetName() in ui.statusLabel.text
    assert node.GetSegmentation().GetNumberOfSegments() > 1


def test_the_map_is_offered_to_the_trainer_which_opens(a_module: Any, ui: Any, a_volume: Volume) -> None:
    trainer = load_module(TRAINER_FILE)
    point = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "LV")
    ui.centerSelector.setCurrentNode(point)
    ui.volumeSelector.setCurrentNode(a_volume)
    slicer.util.selectModule("ACNetClassifier")
    ui.trainingButton.click()
    assert slicer.util.selectedModule() == "ACNetTrainer"
    trainer_ui = trainer.widget.panel.ui
    assert trainer_ui.volumeSelector.currentNode() is a_volume
    assert trainer_ui.centerSelector.currentNode() is point
    assert trainer_ui.statusLabel.text.startswith("Choose the label")
    trainer.unload()


def test_without_the_trainer_its_button_says_so(a_module: Any, ui: Any, a_volume: Volume) -> None:
    ui.volumeSelector.setCurrentNode(a_volume)
    assert not ui.trainingButton.enabled
    assert ui.trainingButton.toolTip == "The module ACNet Trainer is not installed"
