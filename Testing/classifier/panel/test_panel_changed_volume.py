"""A result is of one image in one place: what happens when the volume is changed, moved, or another one is shown."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import slicer.util
import vtk
from slicer import vtkMRMLScalarVolumeNode as Volume

from ACNetLib.errors import ACNetError
from ACNetLib.scene.exam import study_from_scene
from ACNetLib.scene.made_of import MADE_OF
from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.output import add_t1_map, save_scene
from ACNetLib.scene.sources import T1_OF_DICOM
from ACNetLib.scene.views import is_shown_as_acquired
from ACNetLib.t1map.t1_map import T1Map
from panel_fixtures import StandInClassifier, choose, classify, composites, open_bundle, result_of, wait_for_end

NOT_SHOWN = "has changed since it was classified: its result is not shown"


def settle(seconds: float) -> None:
    """Let timers run."""
    last = time.monotonic() + seconds
    while time.monotonic() < last:
        slicer.app.processEvents()


def a_shift(by_mm: float) -> slicer.vtkMRMLLinearTransformNode:
    transform, matrix = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode"), vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, by_mm)
    transform.SetMatrixTransformToParent(matrix)
    return transform


def put_under(transform: Any, *nodes: Any) -> None:
    for node in nodes:
        node.SetAndObserveTransformNodeID(None if transform is None else transform.GetID())


def displayed(nodes: ResultNodes) -> list[Any]:
    return [nodes.t1_volume, *nodes.labels.values(), *nodes.maps.values(), *nodes.crop_boxes.values()]


def in_views() -> set[tuple[str | None, str | None, str | None]]:
    """Background, label and foreground volume of each."""
    return {(c.GetBackgroundVolumeID(), c.GetLabelVolumeID(), c.GetForegroundVolumeID()) for c in composites()}


def bounds(node: Any) -> np.ndarray:
    found = [0.0] * 6
    node.GetRASBounds(found)
    return np.array(found)


def is_shown(ui: Any) -> bool:
    assert (NOT_SHOWN in ui.noticeLabel.text) == ("No result" in ui.verdictLabel.text)
    shown = "DCM" in ui.verdictLabel.text
    for button in (ui.reportButton, ui.segmentationButton):
        assert button.enabled == shown
    return shown


def test_a_result_is_not_shown_over_another_image_and_comes_back_with_its_own(
    ui: Any, a_result: ResultNodes, a_volume: Volume
) -> None:
    assert is_shown(ui)
    own, other = a_volume.GetImageData(), vtk.vtkImageData()
    other.DeepCopy(own)
    a_volume.SetAndObserveImageData(other)  # the same values: as a sequence browser puts them in
    assert is_shown(ui)
    slicer.util.arrayFromVolume(a_volume)[0, 0, 0] += 50
    slicer.util.arrayFromVolumeModified(a_volume)
    assert not is_shown(ui)
    assert in_views() == {(a_volume.GetID(), None, None)}
    with pytest.raises(ACNetError, match="gone or was changed; expected them as they were made"):
        study_from_scene(a_result, slicer.mrmlScene)
    a_volume.SetAndObserveImageData(own)
    assert is_shown(ui)
    assert in_views() == {(a_volume.GetID(), a_result.labels["combined"].GetID(), None)}


def an_image(components: int | None = None) -> vtk.vtkImageData:
    """Of so many values a pixel, none without values."""
    image = vtk.vtkImageData()
    image.SetDimensions(170, 150, 2)
    if components is not None:
        image.AllocateScalars(vtk.VTK_FLOAT, components)
    return image


@pytest.mark.parametrize("other", [an_image(3), an_image(), vtk.vtkImageData()])
def test_a_result_is_not_shown_over_an_image_of_colours_or_without_values(
    ui: Any, a_result: ResultNodes, a_volume: Volume, raised: list[BaseException], other: vtk.vtkImageData
) -> None:
    own = a_volume.GetImageData()
    a_volume.SetAndObserveImageData(other)
    assert not is_shown(ui)
    assert "values a pixel" in ui.checkLabel.text or "holds no image" in ui.checkLabel.text
    assert not ui.applyButton.enabled
    a_volume.SetAndObserveImageData(own)
    assert is_shown(ui)
    a_result.maps["combined"].SetAndObserveImageData(other)
    with pytest.raises(ACNetError, match="gone or was changed"):
        study_from_scene(a_result, slicer.mrmlScene)
    assert raised == []


def test_a_result_is_not_shown_in_another_place(ui: Any, a_result: ResultNodes, a_volume: Volume) -> None:
    put_under(a_shift(30.0), a_volume)
    assert not is_shown(ui)
    with pytest.raises(ACNetError, match="gone or was changed"):
        study_from_scene(a_result, slicer.mrmlScene)
    put_under(a_shift(0.001), a_volume)
    assert is_shown(ui)
    put_under(None, a_volume)
    assert is_shown(ui)


def test_a_turn_by_a_fifth_of_a_degree_is_another_place(ui: Any, a_result: ResultNodes, a_volume: Volume) -> None:
    turn = vtk.vtkTransform()
    turn.RotateZ(0.2)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(turn.GetMatrix())
    put_under(transform, a_volume)
    assert not is_shown(ui)


@pytest.mark.parametrize("damaged", ["", "[]", '["a", [1, 2]]', '{"a": 1}'])
def test_a_result_that_does_not_tell_readably_of_which_image_it_is_is_not_shown(
    ui: Any, a_result: ResultNodes, damaged: str
) -> None:
    a_result.table.SetAttribute(MADE_OF, damaged)
    ui.cropBoxesCheckBox.click()  # brings the panel up to date
    assert not is_shown(ui)


def test_hardening_a_transform_classifies_nothing_anew(
    ui: Any, a_result: ResultNodes, a_classifier: StandInClassifier
) -> None:
    put_under(a_shift(30.0), *displayed(a_result))
    for node in displayed(a_result):
        node.HardenTransform()
    settle(0.7)
    assert a_classifier.moves == []
    assert not is_shown(ui)


def test_a_box_under_a_transform_is_cut_anew_once_where_it_stands(
    a_module: Any, ui: Any, a_result: ResultNodes, a_classifier: StandInClassifier
) -> None:
    box = a_result.crop_boxes[0]
    before = np.array(box.GetCenterWorld())
    put_under(a_shift(6.0), box)
    box.SetCenterWorld(*np.add(box.GetCenterWorld(), (0.5, 0.0, 0.0)))
    settle(1.5)
    wait_for_end(a_module)
    ((_, center_mm),) = a_classifier.moves
    np.testing.assert_allclose(center_mm, np.add(before, (6.5, 0.0, 0.0)) * (-1, -1, 1), atol=1e-6)
    assert box.GetParentTransformNode() is None


def test_a_new_result_lies_on_its_map_also_where_the_earlier_one_was_moved_with_it(
    a_module: Any, a_result: ResultNodes, a_volume: Volume
) -> None:
    put_under(a_shift(30.0), *displayed(a_result))
    classify(a_module, a_volume)
    again = result_of(a_volume)
    for node in (*again.labels.values(), *again.maps.values()):
        np.testing.assert_allclose(bounds(node), bounds(a_volume), atol=1e-3)


def test_an_image_that_changes_while_it_is_classified_gets_no_result(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier
) -> None:
    a_classifier.may_answer.clear()
    ui.volumeSelector.setCurrentNode(a_volume)
    ui.applyButton.click()
    put_under(a_shift(30.0), a_volume)
    a_classifier.may_answer.set()
    wait_for_end(a_module)
    assert "its image or its place was changed while it was classified" in ui.statusLabel.text
    assert "No result yet" in ui.verdictLabel.text


def test_the_next_patient_loaded_elsewhere_is_chosen_on_entering_without_the_overlay_of_the_one_before(
    a_module: Any, ui: Any, a_result: ResultNodes, an_oblique_t1_map: T1Map
) -> None:
    a_module.exit()
    following = add_t1_map(replace(an_oblique_t1_map, name="the next"), slicer.mrmlScene)
    following.SetAttribute(T1_OF_DICOM, "1")
    slicer.util.setSliceViewerLayers(background=following)
    a_module.enter()
    assert ui.volumeSelector.currentNode() is following
    assert "No result yet" in ui.verdictLabel.text
    assert in_views() == {(following.GetID(), None, None)}
    assert is_shown_as_acquired(following, slicer.mrmlScene)
    ui.volumeSelector.setCurrentNode(a_result.t1_volume)
    a_module.exit()
    a_module.enter()
    assert ui.volumeSelector.currentNode() is a_result.t1_volume  # nothing new was loaded


def test_an_opened_scene_brings_its_own_choice(
    a_module: Any, ui: Any, a_volume: Volume, an_oblique_t1_map: T1Map, tmp_path: Path
) -> None:
    other = add_t1_map(replace(an_oblique_t1_map, name="loaded later"), slicer.mrmlScene)
    for volume in (a_volume, other):
        volume.SetAttribute(T1_OF_DICOM, "1")
    a_volume.SetName("chosen")
    ui.volumeSelector.setCurrentNode(a_volume)
    bundle = tmp_path / "scene.mrb"
    save_scene(slicer.mrmlScene, bundle)
    slicer.mrmlScene.Clear(0)
    open_bundle(bundle)
    assert ui.volumeSelector.currentNode().GetName() == "chosen"


def test_views_that_show_another_volume_are_brought_back_on_entering(
    a_module: Any, ui: Any, a_result: ResultNodes, a_volume: Volume, an_oblique_t1_map: T1Map
) -> None:
    a_module.exit()
    other = add_t1_map(an_oblique_t1_map, slicer.mrmlScene)  # not a T1 map of our plugin's
    slicer.util.setSliceViewerLayers(background=other)
    a_module.enter()
    assert is_shown(ui)
    assert in_views() == {(a_volume.GetID(), a_result.labels["combined"].GetID(), None)}


def test_a_map_that_the_panel_takes_by_itself_is_shown_as_acquired(a_module: Any, ui: Any, a_volume: Volume) -> None:
    a_module.exit()
    a_volume.SetAttribute(T1_OF_DICOM, "1")
    slicer.util.setSliceViewerLayers(background=a_volume)
    a_module.enter()
    assert ui.volumeSelector.currentNode() is a_volume
    assert is_shown_as_acquired(a_volume, slicer.mrmlScene)


def test_a_map_under_a_transform_that_is_not_linear_is_refused_until_it_is_taken_off(
    ui: Any, a_volume: Volume, raised: list[BaseException]
) -> None:
    bent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGridTransformNode")
    bent.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
    put_under(bent, a_volume)
    ui.volumeSelector.setCurrentNode(a_volume)
    settle(0.1)
    assert "non-linear transform" in ui.checkLabel.text
    assert not ui.applyButton.enabled
    put_under(None, a_volume)
    assert ui.applyButton.enabled
    assert raised == []


def test_a_label_map_that_was_removed_makes_no_segmentation(ui: Any, a_result: ResultNodes) -> None:
    slicer.mrmlScene.RemoveNode(a_result.labels["combined"])
    ui.segmentationButton.click()
    assert "the label map of its result is gone" in ui.statusLabel.text


def test_a_heat_map_and_bands_both_go_with_their_result(ui: Any, a_result: ResultNodes, a_volume: Volume) -> None:
    choose(ui.styleComboBox, "heat")
    assert in_views() == {(a_volume.GetID(), None, a_result.maps["combined"].GetID())}
    put_under(a_shift(30.0), a_volume)
    assert in_views() == {(a_volume.GetID(), None, None)}
