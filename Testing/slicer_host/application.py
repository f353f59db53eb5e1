"""A stand-in for slicer.app, and a MRML scene with slice views as in the application."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer
import vtk
from PySide6.QtCore import QCoreApplication, QEvent, QSettings, Qt, QThread
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication, QWidget

from slicer_host.io_manager import qSlicerCoreIOManager
from slicer_host.modules import qSlicerMainWindow, qSlicerModuleManager


class Application:
    """The little of slicer.app that our code and the slicer.util functions that it calls need.

    Settings, temporary files and downloads go into a folder of their own.
    """

    applicationName = "Slicer"

    def __init__(self, qt_application: QApplication, logic: slicer.vtkSlicerApplicationLogic, folder: Path) -> None:
        self._qt_application = qt_application
        self._logic = logic
        self._module_manager = qSlicerModuleManager()
        self._io_manager = qSlicerCoreIOManager()
        self._waiting_for_startup: list[Callable] = []
        self.temporaryPath = str(folder / "temporary")
        self.cachePath = slicer.mrmlScene.GetCacheManager().GetRemoteCacheDirectory()
        Path(self.temporaryPath).mkdir()
        QCoreApplication.setOrganizationName("NA-MIC")
        QSettings.setDefaultFormat(QSettings.Format.IniFormat)
        QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(folder / "settings"))
        self._main_window = qSlicerMainWindow()

    def mrmlScene(self) -> slicer.vtkMRMLScene:
        return slicer.mrmlScene

    def applicationLogic(self) -> slicer.vtkSlicerApplicationLogic:
        return self._logic

    def moduleManager(self) -> qSlicerModuleManager:
        return self._module_manager

    def coreIOManager(self) -> qSlicerCoreIOManager:
        return self._io_manager

    def settings(self) -> QSettings:
        return QSettings()

    def userSettings(self) -> QSettings:
        return QSettings()

    def mouseButtons(self) -> Qt.MouseButton:
        return QApplication.mouseButtons()

    def testingEnabled(self) -> bool:
        """As in Slicer's own tests: slicer.util logs a message instead of waiting for somebody to close its window.

        A test of such a window lets monkeypatch replace this function, and `ctk.ctkMessageBox.exec_`.
        """
        return True

    def layoutManager(self) -> None:
        """As in an application without views."""
        return

    def topLevelWidgets(self) -> list[QWidget]:
        return self._qt_application.topLevelWidgets()

    def thread(self) -> QThread:
        return self._qt_application.thread()

    def translate(self, context: str, text: str) -> str:
        return self._qt_application.translate(context, text)

    def processEvents(self) -> None:
        self._qt_application.processEvents()

    def pauseRender(self) -> None:
        """There are no views to draw."""

    def resumeRender(self) -> None:
        """There are no views to draw."""

    def setOverrideCursor(self, cursor: QCursor | Qt.CursorShape) -> None:
        self._qt_application.setOverrideCursor(cursor)

    def restoreOverrideCursor(self) -> None:
        self._qt_application.restoreOverrideCursor()

    def connect(self, signal: str, slot: Callable) -> bool:
        """`startupCompleted()` comes once, when the module that asks for it is loaded."""
        if signal == "startupCompleted()":
            self._waiting_for_startup.append(slot)
            return True
        application: Any = self._qt_application
        return application.connect(signal, slot)

    def _delete_what_is_to_be_deleted(self) -> None:
        """Slicer's event loop does that by itself; `processEvents` outside of one doesn't."""
        self._qt_application.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)

    def _complete_startup(self) -> None:
        waiting, self._waiting_for_startup = self._waiting_for_startup, []
        for slot in waiting:
            slot()


def make_scene(cache_folder: Path) -> tuple[slicer.vtkMRMLScene, slicer.vtkSlicerApplicationLogic, list[object]]:
    """A scene with the default colours and the views Red, Yellow, Green; what keeps them alive is returned with it."""
    scene = slicer.vtkMRMLScene()
    cache_folder.mkdir()
    cache = slicer.vtkCacheManager()
    cache.SetRemoteCacheDirectory(str(cache_folder))
    scene.SetCacheManager(cache)
    logic = slicer.vtkSlicerApplicationLogic()
    logic.SetMRMLScene(scene)
    logic.GetColorLogic().SetMRMLScene(scene)
    logic.GetColorLogic().AddDefaultColorNodes()
    logic.SetModuleLogic("Colors", logic.GetColorLogic())
    markups = _markups_logic(scene, logic)
    scene.RegisterNodeClass(slicer.vtkMRMLColorLegendDisplayNode())  # as Slicer's module Colors does
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
    layouts = slicer.vtkMRMLLayoutLogic()
    layouts.SetMRMLScene(scene)
    slice_logics = vtk.vtkCollection()
    logic.SetSliceLogics(slice_logics)
    keep_alive: list[object] = [cache, markups, layouts, slice_logics]
    for view, orientation in (("Red", "Axial"), ("Yellow", "Sagittal"), ("Green", "Coronal")):
        slice_logic = slicer.vtkMRMLSliceLogic()
        slice_logic.SetMRMLApplicationLogic(logic)
        slice_logic.SetMRMLScene(scene)
        slice_logic.SetSliceNode(scene.GetSingletonNode(view, "vtkMRMLSliceNode"))  # made by the layouts
        slice_logic.GetSliceNode().SetOrientation(orientation)
        slice_logics.AddItem(slice_logic)
    return scene, logic, keep_alive


def _markups_logic(scene: slicer.vtkMRMLScene, logic: slicer.vtkSlicerApplicationLogic) -> slicer.vtkSlicerMarkupsLogic:
    """Slicer's own: it gives each markup that is added to the scene its display node, before our code can."""
    markups = slicer.vtkSlicerMarkupsLogic()
    markups.SetMRMLApplicationLogic(logic)
    markups.SetMRMLScene(scene)
    logic.SetModuleLogic("Markups", markups)
    return markups
