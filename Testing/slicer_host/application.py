"""A stand-in for slicer.app, and a MRML scene with slice views as in the application."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from PySide6.QtCore import Qt
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication


class Application:
    """The little of slicer.app that our code and the slicer.util functions that it calls need."""

    applicationName = "Slicer"

    def __init__(self, qt_application: QApplication) -> None:
        self._qt_application = qt_application

    def mrmlScene(self) -> slicer.vtkMRMLScene:
        return slicer.mrmlScene

    def testingEnabled(self) -> bool:
        """As in Slicer's own tests: slicer.util logs a message instead of waiting for somebody to close its window."""
        return True

    def layoutManager(self) -> None:
        """As in an application without main window."""
        return

    def processEvents(self) -> None:
        self._qt_application.processEvents()

    def setOverrideCursor(self, cursor: QCursor | Qt.CursorShape) -> None:
        self._qt_application.setOverrideCursor(cursor)

    def restoreOverrideCursor(self) -> None:
        self._qt_application.restoreOverrideCursor()

    def connect(self, signal: str, slot: Callable) -> bool:
        """The host has started up before it loads a module, so `startupCompleted()` never comes."""
        return True


def make_scene() -> tuple[slicer.vtkMRMLScene, list[object]]:
    """A scene with the default colours and the views Red, Yellow, Green; what keeps them alive is returned with it."""
    scene = slicer.vtkMRMLScene()
    scene.RegisterNodeClass(slicer.vtkMRMLMarkupsJsonStorageNode())
    logic = slicer.vtkSlicerApplicationLogic()
    logic.SetMRMLScene(scene)
    logic.GetColorLogic().SetMRMLScene(scene)
    logic.GetColorLogic().AddDefaultColorNodes()
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
    keep_alive: list[object] = [logic]
    for view, orientation in (("Red", "Axial"), ("Yellow", "Sagittal"), ("Green", "Coronal")):
        slice_logic = slicer.vtkMRMLSliceLogic()
        slice_logic.SetMRMLApplicationLogic(logic)
        slice_logic.SetMRMLScene(scene)
        slice_logic.AddSliceNode(view).SetOrientation(orientation)
        keep_alive.append(slice_logic)
    return scene, keep_alive
