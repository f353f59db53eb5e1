"""A host for our Slicer modules where there is no Slicer application.

Real MRML, logic and slicer.util (the slicer-core package), real Qt (PySide6, offscreen) with PythonQt's ways, and
stand-ins, written from documented behaviour, for the rest that our modules use. Module files load unchanged.

>>> start_host()
>>> module = load_module(Path("ACNetClassifier/ACNetClassifier.py"))
>>> module.enter()
>>> module.widget.panel.ui.applyButton.click()
>>> wait_until(lambda: module.widget.panel.ui.applyButton.enabled)

The host puts `qt`, `ctk` and parts of `slicer` into sys.modules and changes PySide6's classes, for the rest of the
process.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType, SimpleNamespace
from typing import Any

import slicer
import slicer.util

__all__ = ["HostedModule", "load_module", "start_host", "wait_until"]

_alive: list[object] = []


@dataclass(frozen=True)
class HostedModule:
    """A loaded module: what it says of itself (`description.title`), its Python file, and its panel if it has one."""

    description: Any
    python_module: ModuleType
    widget: Any

    def enter(self) -> None:
        """The user opens the module, or comes back to it."""
        parent = self.widget.parent
        was_open = parent.isEntered
        slicer.util.selectModule(self.description)
        if was_open:
            parent.enter()

    def exit(self) -> None:
        """The user opens another module."""
        self.widget.parent.exit()

    def unload(self) -> None:
        """The application ends, or the module is about to be reloaded."""
        parent = self.description.widgetRepresentation()
        if parent is not None:
            parent.exit()
        slicer.app.moduleManager()._unload(self.description.name)
        if parent is not None:
            parent.setMRMLScene(None)
            parent.deleteLater()
            slicer.app._delete_what_is_to_be_deleted()


def start_host() -> None:
    """Make this process one in which Slicer modules load. Does nothing the second time."""
    if hasattr(slicer, "app"):
        return
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    from slicer_host import application, dicom_lib, loadable_modules, python_layer, widgets
    from slicer_host.modules import qSlicerScriptedLoadableModule
    from slicer_host.qt_bindings import make_qt_module
    from slicer_host.ui_loader import STAND_INS, UiLoader

    qt_application = QApplication.instance()
    if not isinstance(qt_application, QApplication):
        qt_application = QApplication(["Slicer"])
    folder = TemporaryDirectory(prefix="slicer_host_")
    _alive.extend((qt_application, folder))
    sys.modules["qt"] = make_qt_module(UiLoader)
    sys.modules["ctk"] = ModuleType("ctk")
    for name, stand_in in STAND_INS.items():
        setattr(slicer if name.startswith("qMRML") else sys.modules["ctk"], name, stand_in)
    slicer.qSlicerScriptedLoadableModule = qSlicerScriptedLoadableModule
    slicer.qSlicerScriptedLoadableModuleWidget = widgets.qSlicerScriptedLoadableModuleWidget
    slicer.mrmlScene, logic, keep_alive = application.make_scene(Path(folder.name) / "cache")
    _alive.extend(keep_alive)
    slicer.modules = SimpleNamespace()
    slicer.modules.dicomPlugins = {}
    loadable_modules.add_loadable_modules()
    slicer.dicomDatabase = dicom_lib.DicomDatabase()
    slicer.app = application.Application(qt_application, logic, Path(folder.name))
    python_layer.find_packages()
    sys.modules["DICOMLib"] = dicom_lib.make_module()


def load_module(path: Path) -> HostedModule:
    """Load a module file as Slicer does and set up its panel. `unload()` it when done.

    As in Slicer no class of a module that comes later in the alphabet exists while the file runs, and all do when the
    panel is set up.
    """
    from slicer_host.loadable_modules import while_instantiating

    path = Path(path).resolve()
    name = path.stem
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    python_module = importlib.util.module_from_spec(spec)
    sys.modules[name] = python_module
    with while_instantiating(name):
        spec.loader.exec_module(python_module)
    parent = None
    if hasattr(python_module, f"{name}Widget"):
        parent = slicer.qSlicerScriptedLoadableModuleWidget()
        parent._name = name
        parent.setMRMLScene(slicer.mrmlScene)
    description = slicer.qSlicerScriptedLoadableModule(name, str(path), parent)
    with while_instantiating(name):
        instance = getattr(python_module, name)(description)
    slicer.app.moduleManager()._add(description, instance)
    slicer.app._complete_startup()
    if parent is not None:
        parent.reload()
    return HostedModule(description, python_module, parent.self() if parent is not None else None)


def wait_until(condition: Callable[[], bool], timeout_seconds: float = 60.0) -> None:
    """Run the event loop until the condition holds. Raises TimeoutError when it doesn't in time."""
    end = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {timeout_seconds:g} s in vain")
        slicer.app.processEvents()
        time.sleep(0.001)
