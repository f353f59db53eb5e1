"""The module as Slicer loads it: what it says of itself, its own test, its reload."""

from __future__ import annotations

import gc
import sys
import unittest
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import slicer
import slicer.util
import vtk
from slicer import vtkMRMLScalarVolumeNode as Volume

from ACNetLib.t1map.t1_map import FIELD_STRENGTH_KEY
from panel_fixtures import (
    MODULE_FILE,
    StandInClassifier,
    start,
)
from slicer_host import load_module, wait_until


def test_the_module_says_what_it_is_for(a_module: Any) -> None:
    assert a_module.description.title == "ACNet: DCM on T1 maps"
    assert a_module.description.categories == ["Cardiac"]
    assert "research use only" in a_module.description.helpText
    assert '<a href="https://' in a_module.description.helpText
    assert a_module.description.icon is not None


def test_the_sample_is_loaded_and_chosen_by_a_click(a_module: Any, ui: Any) -> None:
    ui.sampleButton.click()
    assert ui.volumeSelector.currentNode().GetName() == "ACNetSimulatedDCM"
    assert "Field strength: 1.5 T, by the file." in ui.checkLabel.text
    assert "Simulated data." in ui.checkLabel.text
    assert ui.applyButton.enabled


def test_both_samples_are_in_the_sample_data_module_with_picture_and_checksum(a_module: Any) -> None:
    sources = {source.sampleName: source for source in slicer.modules.sampleDataSources["ACNet"]}
    assert set(sources) == {"ACNetSimulatedNormal", "ACNetSimulatedDCM"}
    for source in sources.values():
        assert Path(source.thumbnailFileName).is_file()
        assert source.checksums[0].startswith("SHA256:")
        assert source.uris[0].startswith("file:")
        volume = source.customDownloader(source)  # as the button of the Sample Data module does
        assert volume.GetName() == source.sampleName
        assert volume.GetAttribute(FIELD_STRENGTH_KEY) == "1.5"


def test_the_sample_is_there_too_where_the_module_came_into_a_running_slicer(
    a_module: Any, ui: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by the Extension Wizard: that the application has started up was told before."""
    monkeypatch.setitem(slicer.modules.sampleDataSources, "ACNet", [])
    for _click in range(2):
        ui.sampleButton.click()
        assert ui.volumeSelector.currentNode().GetName().startswith("ACNetSimulatedDCM")
    names = [source.sampleName for source in slicer.modules.sampleDataSources["ACNet"]]
    assert sorted(names) == ["ACNetSimulatedDCM", "ACNetSimulatedNormal"]


@pytest.fixture
def a_module_as_shipped(host: None) -> Iterator[Any]:
    slicer.mrmlScene.Clear(0)
    module = load_module(MODULE_FILE)
    yield module
    module.unload()
    slicer.mrmlScene.Clear(0)


def run_self_test(module: Any) -> tuple[int, list[str]]:
    """As Slicer's test runner does: how many tests ran, and the reasons of those that were skipped."""
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(module.python_module.ACNetClassifierTest)
    result = unittest.TestResult()
    tests.run(result)
    assert result.wasSuccessful(), result.failures + result.errors
    return result.testsRun, [reason for _test, reason in result.skipped]


def test_the_modules_own_test_passes(a_module_as_shipped: Any) -> None:
    assert run_self_test(a_module_as_shipped) == (4, [])
    a_module_as_shipped.python_module.ACNetClassifierTest().runTest()


def test_without_torch_its_part_is_skipped_with_the_reason_and_not_passed(
    a_module_as_shipped: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    count, reasons = run_self_test(a_module_as_shipped)
    assert (count, len(reasons)) == (4, 2)
    assert all("PyTorch or safetensors is not installed" in reason for reason in reasons)


@pytest.fixture
def the_librarys_own_modules() -> Iterator[dict[str, Any]]:
    """The library as the tests know it, whatever happens to it."""

    def ours() -> dict[str, Any]:
        there = sys.modules.copy()  # a thread of an earlier test may still import
        return {name: module for name, module in there.items() if name.partition(".")[0] == "ACNetLib"}

    before = ours()
    yield before
    for name in ours():
        del sys.modules[name]
    sys.modules.update(before)


def test_reload_takes_the_library_too(a_module: Any, the_librarys_own_modules: dict[str, Any]) -> None:
    parent = a_module.widget.parent
    a_module.widget.onReload()
    assert parent.self() is not a_module.widget
    panel = parent.self().panel
    assert sys.modules[type(panel).__module__] is not the_librarys_own_modules["ACNetLib.panel.panel"]
    assert panel.ui.applyButton.text == "Apply"
    parent.exit()
    parent.self().cleanup()


def test_reload_in_the_middle_leaves_no_half_result(
    a_module: Any, a_volume: Volume, a_classifier: StandInClassifier, the_librarys_own_modules: dict[str, Any]
) -> None:
    start(a_module, a_volume, a_classifier)
    parent, count = a_module.widget.parent, slicer.mrmlScene.GetNumberOfNodes()
    a_module.widget.onReload()
    a_classifier.may_answer.set()
    wait_until(lambda: not a_classifier.threads[0].is_alive())
    slicer.app.processEvents()
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    assert parent.self().panel.ui.verdictLabel.text == "No result yet"
    assert parent.self().panel.ui.volumeSelector.currentNode() is a_volume
    parent.exit()
    parent.self().cleanup()


def test_a_visit_leaves_nothing_behind_that_reads_the_parameters_at_every_change(a_module: Any) -> None:
    parameters = weakref.ref(a_module.widget.panel._parameters)
    a_module.exit()
    gc.collect()
    assert parameters() is None


def test_pytorch_is_loaded_once_when_the_user_enters_the_module(host: None) -> None:
    loaded: list[str] = []
    module = load_module(MODULE_FILE)
    module.widget.panel.logic.warm_up = lambda: loaded.append("PyTorch")
    assert loaded == []
    for _ in range(2):
        module.enter()
        module.exit()
    wait_until(lambda: bool(loaded))
    module.unload()
    assert loaded == ["PyTorch"]


def test_a_volume_that_is_gone_leaves_the_memory_though_the_panel_has_followed_it(a_module: Any, ui: Any) -> None:
    ui.sampleButton.click()
    volume = ui.volumeSelector.currentNode()
    is_gone: list[bool] = []
    volume.AddObserver(vtk.vtkCommand.DeleteEvent, lambda *_: is_gone.append(True))
    slicer.mrmlScene.RemoveNode(volume)
    del volume
    ui.sampleButton.click()  # another one is chosen
    a_module.exit()
    gc.collect()
    assert is_gone
