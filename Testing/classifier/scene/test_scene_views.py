"""Where the slice views look: slices as acquired, one view or two linked ones, and the layout from before."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
import slicer
import slicer.util
from slicer import vtkMRMLLayoutNode as Layout
from slicer import vtkMRMLScalarVolumeNode as Volume
from slicer import vtkMRMLScene as Scene

from ACNetLib.scene.input import section_in_view
from ACNetLib.scene.output import add_t1_map
from ACNetLib.scene.views import (
    LAYOUT_BEFORE,
    arrange_views,
    fit_views,
    give_back_views,
    is_shown_as_acquired,
    jump_to,
    nodes_of_class,
    plain_view_name,
    show_as_acquired,
    slice_view,
)
from ACNetLib.t1map.t1_map import Geometry, T1Map, t1_map_from_array
from conftest import SHORT_AXIS

TO_RAS = (-1, -1, 1)


@pytest.fixture
def the_scene(the_applications_scene: Scene) -> Iterator[Scene]:
    """With its layouts and with views that follow each other when they are linked."""
    layout_of(the_applications_scene).SetViewArrangement(Layout.SlicerLayoutFourUpView)
    yield the_applications_scene
    give_back_views(the_applications_scene)


@pytest.fixture
def a_volume(the_scene: Scene, an_oblique_t1_map: T1Map) -> Volume:
    return add_t1_map(an_oblique_t1_map, the_scene)


def layout_of(scene: Scene) -> Layout:
    return scene.GetFirstNodeByClass("vtkMRMLLayoutNode")


def plane(name: str, scene: Scene) -> np.ndarray:
    return slicer.util.arrayFromVTKMatrix(slice_view(name, scene).GetSliceToRAS())


def test_a_volume_is_shown_in_its_own_plane_in_full_and_the_other_views_stay(
    the_scene: Scene, a_volume: Volume, an_oblique_t1_map: T1Map
) -> None:
    others = [plane(name, the_scene) for name in ("Yellow", "Green")]
    assert not is_shown_as_acquired(a_volume, the_scene)
    show_as_acquired(a_volume, the_scene)
    assert is_shown_as_acquired(a_volume, the_scene)
    red = plane("Red", the_scene)
    np.testing.assert_allclose(red[:3, 0], an_oblique_t1_map.row_axis * TO_RAS, atol=1e-6)
    np.testing.assert_allclose(red[:3, 1], -an_oblique_t1_map.column_axis * TO_RAS, atol=1e-6)
    np.testing.assert_allclose(red[:3, 3], an_oblique_t1_map.section_center(1) * TO_RAS, atol=1e-6)
    wide, high, _ = slice_view("Red", the_scene).GetFieldOfView()
    assert wide >= 170 * 1.4 - 1e-6
    assert high >= 150 * 1.6 - 1e-6
    assert min(wide / (170 * 1.4), high / (150 * 1.6)) == pytest.approx(1)
    np.testing.assert_array_equal([plane(name, the_scene) for name in ("Yellow", "Green")], others)


@pytest.mark.parametrize(("slices", "middle"), [(1, 0), (3, 1), (4, 2)])
def test_the_middle_slice_comes_first(the_scene: Scene, slices: int, middle: int) -> None:
    t1_ms = np.random.default_rng(1).normal(1100.0, 200.0, (slices, 160, 160))
    t1_map = t1_map_from_array(t1_ms, Geometry((1.4, 1.4, 8.0), direction=SHORT_AXIS), name="map")
    volume = add_t1_map(t1_map, the_scene)
    show_as_acquired(volume, the_scene)
    assert section_in_view(volume, slice_view("Red", the_scene)) == middle


def test_a_view_beside_the_slices_shows_none_of_them(the_scene: Scene, a_volume: Volume) -> None:
    show_as_acquired(a_volume, the_scene)
    red = slice_view("Red", the_scene)
    red.SetSliceOffset(red.GetSliceOffset() + 100)
    assert not is_shown_as_acquired(a_volume, the_scene)


def test_the_views_jump_to_a_slice_and_keep_what_the_user_has_moved_into_sight(
    the_scene: Scene, a_volume: Volume, an_oblique_t1_map: T1Map
) -> None:
    show_as_acquired(a_volume, the_scene)
    before = plane("Red", the_scene)[:3, 3]
    for section in (0, 1):
        jump_to(an_oblique_t1_map.section_center(section) + 30 * an_oblique_t1_map.row_axis, the_scene)
        assert section_in_view(a_volume, slice_view("Red", the_scene)) == section
    np.testing.assert_allclose(plane("Red", the_scene)[:3, 3], before, atol=1e-6)


def test_the_layout_is_one_view_or_two_and_is_given_back(the_scene: Scene, a_volume: Volume) -> None:
    yellow = plane("Yellow", the_scene)
    assert arrange_views(the_scene, side_by_side=False)
    assert layout_of(the_scene).GetViewArrangement() == Layout.SlicerLayoutOneUpRedSliceView
    assert plain_view_name(the_scene) is None
    assert not arrange_views(the_scene, side_by_side=False)
    show_as_acquired(a_volume, the_scene)
    assert arrange_views(the_scene, side_by_side=True)
    assert layout_of(the_scene).GetViewArrangement() == Layout.SlicerLayoutSideBySideView
    assert plain_view_name(the_scene) == "Red"
    np.testing.assert_allclose(plane("Yellow", the_scene), plane("Red", the_scene))
    assert give_back_views(the_scene)
    assert layout_of(the_scene).GetViewArrangement() == Layout.SlicerLayoutFourUpView
    np.testing.assert_allclose(plane("Yellow", the_scene), yellow)
    assert not give_back_views(the_scene)


def test_a_layout_that_the_user_has_chosen_meanwhile_stays(the_scene: Scene) -> None:
    arrange_views(the_scene, side_by_side=True)
    layout_of(the_scene).SetViewArrangement(Layout.SlicerLayoutConventionalView)
    assert not arrange_views(the_scene, side_by_side=True)
    give_back_views(the_scene)
    assert layout_of(the_scene).GetViewArrangement() == Layout.SlicerLayoutConventionalView


def test_two_views_go_from_slice_to_slice_together(the_scene: Scene, a_volume: Volume) -> None:
    """As the wheel does it: an interaction of the view under the mouse."""
    show_as_acquired(a_volume, the_scene)
    arrange_views(the_scene, side_by_side=True)
    logics = [slicer.vtkMRMLSliceLogic() for _ in range(2)]
    for logic, name in zip(logics, ("Red", "Yellow"), strict=True):
        logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        logic.SetMRMLScene(the_scene)
        logic.SetSliceNode(slice_view(name, the_scene))
        logic.GetSliceCompositeNode().SetBackgroundVolumeID(a_volume.GetID())
    red, _yellow = logics
    assert red.GetLowestVolumeSliceSpacing()[2] == pytest.approx(8.0)  # a notch of the wheel is a slice
    red.StartSliceOffsetInteraction()
    red.SetSliceOffset(red.GetSliceOffset() + 8.0)
    red.EndSliceOffsetInteraction()
    assert {section_in_view(a_volume, slice_view(name, the_scene)) for name in ("Red", "Yellow")} == {0}
    give_back_views(the_scene)
    red.StartSliceOffsetInteraction()
    red.SetSliceOffset(red.GetSliceOffset() - 8.0)
    red.EndSliceOffsetInteraction()
    assert abs(plane("Yellow", the_scene)[:3, 2] @ plane("Red", the_scene)[:3, 2]) < 0.99


def test_views_that_the_user_has_linked_are_so_again(the_scene: Scene) -> None:
    arrange_views(the_scene, side_by_side=False)
    composites = {each.GetLayoutName(): each for each in nodes_of_class(the_scene, "vtkMRMLSliceCompositeNode")}

    def linking() -> dict[str, tuple[int, int]]:
        return {name: (each.GetLinkedControl(), each.GetHotLinkedControl()) for name, each in composites.items()}

    for composite in composites.values():
        composite.SetLinkedControl(True)
    before = linking()
    for leave in (lambda: arrange_views(the_scene, side_by_side=False), lambda: give_back_views(the_scene)):
        arrange_views(the_scene, side_by_side=True)
        assert (linking()["Red"], linking()["Yellow"]) == ((1, 1), (1, 1))
        assert leave()
        assert linking() == before
    for composite in composites.values():
        composite.SetLinkedControl(False)


def test_a_scene_that_was_saved_without_the_linking_is_separated(the_scene: Scene) -> None:
    arrange_views(the_scene, side_by_side=True)
    layout = layout_of(the_scene)
    before = json.loads(layout.GetAttribute(LAYOUT_BEFORE))
    del before["linked"]
    layout.SetAttribute(LAYOUT_BEFORE, json.dumps(before))
    assert give_back_views(the_scene)
    assert not any(each.GetLinkedControl() for each in nodes_of_class(the_scene, "vtkMRMLSliceCompositeNode"))


def test_both_views_are_fitted(the_scene: Scene, a_volume: Volume) -> None:
    arrange_views(the_scene, side_by_side=True)
    for name in ("Red", "Yellow"):
        slice_view(name, the_scene).SetDimensions(300, 600, 1)
    fit_views(a_volume, the_scene)
    for name in ("Red", "Yellow"):
        assert slice_view(name, the_scene).GetFieldOfView()[0] == pytest.approx(170 * 1.4)
    for name in ("Red", "Yellow"):
        slice_view(name, the_scene).SetDimensions(256, 256, 1)


def test_a_scene_of_a_command_has_no_layout_to_arrange(a_scene: Scene, a_volume_node: Volume) -> None:
    assert not arrange_views(a_scene, side_by_side=True)
    assert not give_back_views(a_scene)
    show_as_acquired(a_volume_node, a_scene)
    assert is_shown_as_acquired(a_volume_node, a_scene)
