"""A crop box that the user holds is not cut out before he lets go of it, however long he pauses to look."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import slicer
from slicer import vtkMRMLMarkupsROINode as Box

from ACNetLib.scene.crop_boxes import crop_box_center
from ACNetLib.scene.nodes import ResultNodes
from panel_fixtures import StandInClassifier, wait_for_end
from slicer_host import wait_until

PAUSE_SECONDS = 0.7
"""Longer than a box that nobody holds is waited for."""


def shift(box: Box, by_mm: float) -> None:
    box.SetCenterWorld(*np.add(box.GetCenterWorld(), (by_mm, 0.0, 0.0)))


def pause() -> None:
    last = time.monotonic() + PAUSE_SECONDS
    while time.monotonic() < last:
        slicer.app.processEvents()


@pytest.fixture
def a_button_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    import qt

    monkeypatch.setattr(slicer.app, "mouseButtons", lambda: qt.Qt.LeftButton)


def take(box: Box) -> None:
    """What Slicer's markups tell where a drag begins, and where a key moves a box."""
    box.InvokeCustomModifiedEvent(Box.PointStartInteractionEvent)


def let_go(box: Box) -> None:
    box.InvokeCustomModifiedEvent(Box.PointEndInteractionEvent)


def test_a_pause_in_a_drag_is_not_its_end(
    a_module: Any, a_result: ResultNodes, a_classifier: StandInClassifier, a_button_is_down: None
) -> None:
    box = a_result.crop_boxes[1]
    take(box)
    shift(box, 3.0)
    pause()
    assert a_classifier.moves == []
    shift(box, 4.0)
    place = crop_box_center(box)
    let_go(box)
    wait_until(lambda: bool(a_classifier.moves))
    wait_for_end(a_module)
    ((section, center_mm),) = a_classifier.moves
    assert section == 1
    np.testing.assert_allclose(center_mm, place, atol=1e-6)


def test_a_box_that_is_taken_again_at_once_is_cut_out_where_it_is_let_go_last(
    a_module: Any, a_result: ResultNodes, a_classifier: StandInClassifier, a_button_is_down: None
) -> None:
    box = a_result.crop_boxes[0]
    for by_mm in (3.0, 5.0):
        take(box)
        shift(box, by_mm)
        let_go(box)
    take(box)
    pause()
    assert a_classifier.moves == []
    place = crop_box_center(box)
    let_go(box)
    wait_until(lambda: bool(a_classifier.moves))
    wait_for_end(a_module)
    np.testing.assert_allclose(a_classifier.moves[0][1], place, atol=1e-6)


def test_a_box_that_a_key_has_moved_is_cut_out_after_a_pause(
    a_module: Any, a_result: ResultNodes, a_classifier: StandInClassifier
) -> None:
    box = a_result.crop_boxes[1]
    take(box)  # the key "s": it goes to the slice, and nothing tells of an end
    shift(box, 3.0)
    place = crop_box_center(box)
    wait_until(lambda: bool(a_classifier.moves))
    wait_for_end(a_module)
    np.testing.assert_allclose(a_classifier.moves[0][1], place, atol=1e-6)
