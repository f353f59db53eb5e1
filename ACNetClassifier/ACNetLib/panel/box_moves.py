"""When the user has moved a crop box and let go of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import qt
import slicer
from slicer import vtkMRMLMarkupsROINode

from ACNetLib.panel.observers import Observers

PAUSE_MS = 300
"""A box has been moved when it has stood still so long, and nobody holds it."""


class BoxMoves:
    """Calls a method once the boxes that are followed have been moved.

    A box that the mouse holds may still go on, however long it pauses: Slicer tells when a drag begins and when it
    ends, also where something else ends it. Of a box that is moved otherwise, as by a script, a pause is the end. So it
    is of one that a key moves: Slicer tells of the beginning alone, and no button of the mouse is down.
    """

    def __init__(self, on_moved: Callable[[], None]) -> None:
        self._on_moved = on_moved
        self._boxes: tuple[vtkMRMLMarkupsROINode, ...] = ()
        self._is_held = False
        self._pause = qt.QTimer()
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(self._paused)
        self._observers = (
            Observers(self._taken, (vtkMRMLMarkupsROINode.PointStartInteractionEvent,)),
            Observers(self._moved, (vtkMRMLMarkupsROINode.PointModifiedEvent,)),
            Observers(self._let_go, (vtkMRMLMarkupsROINode.PointEndInteractionEvent,)),
        )

    def follow(self, boxes: Iterable[vtkMRMLMarkupsROINode]) -> None:
        """These from now on, and no other."""
        boxes = tuple(boxes)
        if boxes == self._boxes:
            return
        self._boxes, self._is_held = boxes, False
        for observers in self._observers:
            observers.follow(boxes)

    def stop(self) -> None:
        self._pause.stop()
        self.follow(())

    def _taken(self, _box: object, _event: object) -> None:
        self._is_held = True

    def _moved(self, _box: object, _event: object) -> None:
        self._pause.start()

    def _let_go(self, _box: object, _event: object) -> None:
        self._is_held = False
        self._pause.start()

    def _paused(self) -> None:
        if not self._is_held or slicer.app.mouseButtons() == qt.Qt.NoButton:
            self._on_moved()
