"""What the widgets and the self-tests of ACNet's Slicer modules do alike."""

from __future__ import annotations

import sys
import unittest
from typing import Any, Protocol

import slicer
import slicer.util
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleWidget


class Panel(Protocol):
    """A module's panel. `leave_scene`: the scene closes. `import_starts`, `scene_imported`: one comes in, perhaps with
    its own parameters. `close`: the module is unloaded.
    """

    widget: Any
    logic: Any

    def set_parameters(self, parameters: Any) -> None: ...
    def leave_scene(self) -> None: ...
    def import_starts(self) -> None: ...
    def scene_imported(self) -> None: ...
    def close(self) -> None: ...


class PanelModuleWidget(ScriptedLoadableModuleWidget, slicer.util.VTKObservationMixin):
    """Embeds the panel of `make_panel` and hands it the scene's parameters while the user is in the module."""

    libraries: tuple[str, ...] = ("ACNetLib",)
    """Packages that a reload takes too."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        slicer.util.VTKObservationMixin.__init__(self)
        self.panel: Any = None

    def make_panel(self) -> Panel:
        raise NotImplementedError("each module has its own panel")

    def setup(self) -> None:
        super().setup()
        self.panel = self.make_panel()
        self.layout.addWidget(self.panel.widget)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEnd)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartImportEvent, self.onSceneStartImport)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndImport)
        if self.parent.isEntered:  # after a reload, on which Slicer enters no module
            self.enter()

    def cleanup(self) -> None:
        self.removeObservers()
        if self.panel is not None:
            self.panel.close()

    def enter(self) -> None:
        if self.panel is not None:
            self.panel.set_parameters(self.panel.logic.getParameterNode())

    def exit(self) -> None:
        if self.panel is not None:
            self.panel.set_parameters(None)

    def onReload(self) -> None:
        """Developers reload a module after a change, which may be in its libraries too."""
        self.exit()
        for name in [
            name for name in list(sys.modules) if name.partition(".")[0] in self.libraries
        ]:  # a thread may import
            del sys.modules[name]
        super().onReload()

    def onSceneStartClose(self, caller: Any, event: Any) -> None:
        if self.panel is not None:
            self.panel.leave_scene()
            self.panel.set_parameters(None)

    def onSceneStartImport(self, caller: Any, event: Any) -> None:
        if self.panel is not None:
            self.panel.import_starts()

    def onSceneEndImport(self, caller: Any, event: Any) -> None:
        if self.panel is not None:
            self.panel.scene_imported()
        self.onSceneEnd(caller, event)

    def onSceneEnd(self, caller: Any, event: Any) -> None:
        if self.parent.isEntered:
            self.enter()


def run_self_test(test: type[unittest.TestCase]) -> None:
    """All tests of a module, for the button Reload and Test; skipped ones are counted and named.

    Raises AssertionError when any fails.
    """
    result = unittest.TextTestRunner(verbosity=2).run(unittest.defaultTestLoader.loadTestsFromTestCase(test))
    if not result.wasSuccessful():
        raise AssertionError(f"{len(result.failures) + len(result.errors)} of {result.testsRun} tests failed")
