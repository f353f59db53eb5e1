"""The headless host's application and modules behave as Slicer's do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import slicer
import slicer.util

from slicer_host import load_module

pytestmark = pytest.mark.usefixtures("host")

MODULE = """
import slicer
from slicer.ScriptedLoadableModule import *

class {name}(ScriptedLoadableModule):
    def __init__(self, parent):
        super().__init__(parent)
        parent.title = "An example"
        slicer.app.connect("startupCompleted()", lambda: events.append("started"))

class {name}Widget(ScriptedLoadableModuleWidget):
    def setup(self):
        super().setup()
        events.append("set up")

    def enter(self):
        events.append("entered")

    def exit(self):
        events.append("left")

    def cleanup(self):
        events.append("cleaned up")

events = []
"""


@pytest.fixture
def a_module(tmp_path: Path) -> Iterator[Any]:
    yield from an_unloaded_module(tmp_path, "HostedExample")


@pytest.fixture
def another_module(tmp_path: Path) -> Iterator[Any]:
    yield from an_unloaded_module(tmp_path, "OtherExample")


def an_unloaded_module(folder: Path, name: str) -> Iterator[Any]:
    path = folder / f"{name}.py"
    path.write_text(MODULE.format(name=name))
    module = load_module(path)
    yield module
    if slicer.app.moduleManager().module(name) is not None:
        module.unload()


def test_a_module_starts_up_before_it_is_opened_and_is_cleaned_up_once(a_module: Any) -> None:
    events = a_module.python_module.events
    assert events == ["started", "set up"]
    a_module.enter()
    a_module.unload()
    assert events == ["started", "set up", "entered", "left", "cleaned up"]


def test_a_module_is_found_by_its_name(a_module: Any) -> None:
    assert slicer.modules.hostedexample.title == "An example"
    assert slicer.util.getModule("HostedExample") is slicer.modules.hostedexample
    assert slicer.util.modulePath("HostedExample").endswith("HostedExample.py")
    assert slicer.util.getModuleWidget("HostedExample") is a_module.widget
    assert "HostedExample" in slicer.util.moduleNames()  # other tests may have left theirs loaded
    a_module.unload()
    assert not hasattr(slicer.modules, "hostedexample")
    with pytest.raises(RuntimeError, match="HostedExample"):
        slicer.util.getModule("HostedExample")


def test_selecting_a_module_leaves_the_one_that_was_open(a_module: Any, another_module: Any) -> None:
    slicer.util.selectModule("HostedExample")
    slicer.util.selectModule(another_module.description)
    assert slicer.util.selectedModule() == "OtherExample"
    assert a_module.python_module.events[2:] == ["entered", "left"]
    assert another_module.python_module.events[2:] == ["entered"]


def test_selecting_a_module_that_is_not_there_is_noted_and_changes_nothing(a_module: Any) -> None:
    slicer.util.selectModule("HostedExample")
    slicer.util.selectModule("ACNetNowhere")
    assert slicer.util.selectedModule() == "ACNetNowhere"
    assert a_module.widget.parent.isEntered


def test_reload_makes_the_panel_anew_from_the_file(a_module: Any) -> None:
    path = Path(slicer.util.modulePath("HostedExample"))
    path.write_text(path.read_text().replace("set up", "set up anew"))
    a_module.enter()
    a_module.widget.onReload()
    assert a_module.python_module.events[-1] == "cleaned up"
    assert sys.modules["HostedExample"].events == ["set up anew"]  # Slicer's reload enters no module
    assert slicer.util.getModuleWidget("HostedExample") is not a_module.widget


def test_in_testing_mode_nobody_is_asked_and_slicer_takes_it_for_no() -> None:
    """Its documentation says "Ok"; its code compares True with the number of the button."""
    assert not slicer.util.confirmOkCancelDisplay("Delete the model?")
    assert not slicer.util.confirmYesNoDisplay("Delete the model?")


def test_a_question_is_asked_and_answered(a_user: list[str]) -> None:
    a_user += ["Ok", "Cancel", "No"]
    assert slicer.util.confirmOkCancelDisplay("Delete the model?", "ACNet", detailedText="acnet-a")
    assert not slicer.util.confirmOkCancelDisplay("Delete the model?")
    assert not slicer.util.confirmYesNoDisplay("Delete the model?")


def test_a_message_box_can_be_clicked(monkeypatch: pytest.MonkeyPatch) -> None:
    import qt

    monkeypatch.setattr(slicer.app, "testingEnabled", lambda: False)

    def click() -> None:
        box = qt.QApplication.activeModalWidget()
        assert box.text == "Delete the model?"
        box.button(qt.QMessageBox.Ok).click()

    qt.QTimer.singleShot(50, click)  # after what Qt has to do when the box opens
    assert slicer.util.confirmOkCancelDisplay("Delete the model?")


def test_settings_are_kept_apart_from_those_of_the_developers_slicer() -> None:
    import qt

    qt.QSettings().setValue("ACNet/Device", "cpu")
    assert slicer.util.settingsValue("ACNet/Device", "auto") == "cpu"
    assert Path(slicer.app.userSettings().fileName()).is_relative_to(Path(slicer.app.temporaryPath).parent)
    qt.QSettings().remove("ACNet")
