"""Stand-ins for what Slicer knows of its modules: each one's description, its manager, and the main window's selector.

As in Slicer a module is found as `slicer.modules.nameinlowercase` and by `slicer.util.getModule`.
"""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import Property, QObject, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QMainWindow, QToolBar, QWidget

from slicer_host.loadable_modules import has_loadable_module


def _stored(name: str, kind: Any = "QVariant") -> Property:
    return Property(kind, lambda self: self._values[name], lambda self, value: self._values.__setitem__(name, value))


class qSlicerScriptedLoadableModule(QObject):
    """What Slicer shows of a module: the module file's first class fills it in."""

    name = _stored("name", str)
    path = _stored("path", str)
    title = _stored("title", str)
    helpText = _stored("helpText", str)
    acknowledgementText = _stored("acknowledgementText", str)
    icon = _stored("icon", QIcon)
    hidden = _stored("hidden", bool)
    index = _stored("index", int)
    categories = _stored("categories")
    contributors = _stored("contributors")
    dependencies = _stored("dependencies")
    associatedNodeTypes = _stored("associatedNodeTypes")

    def __init__(self, name: str, path: str, widget: QWidget | None) -> None:
        super().__init__()
        self._widget = widget
        self._values: dict[str, Any] = {
            "name": name,
            "path": path,
            "title": "",
            "helpText": "",
            "acknowledgementText": "",
            "icon": QIcon(),
            "hidden": False,
            "index": -1,
            "categories": [],
            "contributors": [],
            "dependencies": [],
            "associatedNodeTypes": [],
        }

    def widgetRepresentation(self) -> Any:
        return self._widget


class qSlicerModuleFactoryManager(QObject):
    def __init__(self) -> None:
        super().__init__()
        self._modules: dict[str, qSlicerScriptedLoadableModule] = {}

    def loadedModuleNames(self) -> tuple[str, ...]:
        return tuple(self._modules)

    def isLoaded(self, name: str) -> bool:
        return name in self._modules

    def isRegistered(self, name: str) -> bool:
        return name in self._modules or has_loadable_module(name)


class qSlicerModuleManager(QObject):
    moduleAboutToBeUnloaded = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._factory = qSlicerModuleFactoryManager()

    def factoryManager(self) -> qSlicerModuleFactoryManager:
        return self._factory

    def module(self, name: str) -> qSlicerScriptedLoadableModule | None:
        return self._factory._modules.get(name)

    def _add(self, module: qSlicerScriptedLoadableModule, instance: object) -> None:
        name: Any = module.name
        self._factory._modules[name] = module
        setattr(slicer.modules, name.lower(), module)
        setattr(slicer.modules, f"{name}Instance", instance)

    def _unload(self, name: str) -> None:
        self.moduleAboutToBeUnloaded.emit(name)
        del self._factory._modules[name]
        for attribute in (name.lower(), f"{name}Instance", f"{name}Widget"):
            vars(slicer.modules).pop(attribute, None)


class qSlicerModuleSelectorToolBar(QToolBar):
    """Opens modules. As in Slicer it also notes a name that no module has, and tells nobody of it."""

    moduleSelected = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._selected = ""

    selectedModule = Property(str, lambda self: self._selected)

    def selectModule(self, moduleName: str) -> None:
        manager = slicer.app.moduleManager()
        self._selected = moduleName
        chosen = manager.module(moduleName)
        if chosen is None or chosen.widgetRepresentation() is None:
            return
        for name in manager.factoryManager().loadedModuleNames():
            widget = manager.module(name).widgetRepresentation()
            if widget is not None and widget.isEntered and name != moduleName:
                widget.exit()
        if not chosen.widgetRepresentation().isEntered:
            chosen.widgetRepresentation().enter()
        self.moduleSelected.emit(moduleName)


class qSlicerMainWindow(QMainWindow):
    """Never shown."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self._selector = qSlicerModuleSelectorToolBar(self)
        self.addToolBar(self._selector)

    def moduleSelector(self) -> qSlicerModuleSelectorToolBar:
        return self._selector
