"""Fixtures of the panel's tests: the classifier's unchanged module file in the headless host, and its widgets."""

from __future__ import annotations

import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import slicer
from slicer import vtkMRMLScalarVolumeNode as Volume
from slicer import vtkMRMLScene as Scene

from ACNetLib.inference.result import StudyResult
from ACNetLib.inference.settings import Progress, Settings
from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.output import add_t1_map, find_result
from ACNetLib.scene.sources import DICOM_INSTANCES
from ACNetLib.scene.views import nodes_of_class
from ACNetLib.t1map.t1_map import FIELD_STRENGTH_KEY, T1Map
from slicer_host import load_module, wait_until

MODULE_FILE = Path(__file__).parent.parent / "ACNetClassifier" / "ACNetClassifier.py"


class StandInClassifier:
    """Answers with a made-up study once it is allowed to; `answer` may raise instead."""

    def __init__(self, study: Callable) -> None:
        self.answer = study
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.models: list[Path] = []
        self.calls: list[SimpleNamespace] = []
        self.moves: list[tuple[int, list[float]]] = []
        self.threads: list[threading.Thread] = []

    def load(self, model: Path, _device: str) -> StandInClassifier:
        self.models.append(model)
        return self

    def classify(self, t1_map: T1Map, settings: Settings, progress: Progress) -> StudyResult:
        self.calls.append(SimpleNamespace(t1_map=t1_map, **vars(settings)))
        self._work(progress)
        return self.answer(t1_map, settings.center_mm)

    def move_section(self, result: StudyResult, place: int, center_mm: list[float], progress: Progress) -> StudyResult:
        """The slice as if it had been cut there, with another probability."""
        self.moves.append((place, center_mm))
        self._work(progress)
        before = list(result.slices)[place]
        there = self.answer(result.images[before.map_index].t1_map, center_mm, probability_dcm=0.6)
        moved = replace(there.sections[before.section.section], left_out=before.section.left_out)
        maps = list(result.maps)
        sections = tuple(moved if each is before.section else each for each in before.of_map.sections)
        maps[before.map_index] = replace(before.of_map, sections=sections)
        return replace(result, maps=tuple(maps)).pooled()

    def _work(self, progress: Callable[[str, float], None]) -> None:
        self.threads.append(threading.current_thread())
        progress("sections", 0.4)
        assert self.may_answer.wait(20)
        progress("range", 0.8)


@pytest.fixture
def the_applications_scene(host: None) -> Iterator[Scene]:
    """Where Slicer's Markups logic gives each markup a display node at once."""
    slicer.mrmlScene.Clear(0)
    yield slicer.mrmlScene
    slicer.mrmlScene.Clear(0)


@pytest.fixture
def a_selector(the_applications_scene: Scene) -> Iterator[Any]:
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.noneEnabled = True
    selector.setMRMLScene(the_applications_scene)
    yield selector
    selector.setMRMLScene(None)


@pytest.fixture
def a_classifier(a_study: Callable) -> Iterator[StandInClassifier]:
    classifier = StandInClassifier(a_study)
    yield classifier
    classifier.may_answer.set()


@pytest.fixture
def a_module(host: None, a_classifier: StandInClassifier) -> Iterator[Any]:
    """The module, opened by the user, with a classifier that needs no network."""
    slicer.mrmlScene.Clear(0)
    module = load_module(MODULE_FILE)
    logic = module.widget.panel.logic
    logic.models = lambda: {"acnet-a": Path("a.safetensors"), "acnet-b": Path("b.safetensors")}
    logic.model_for_field = lambda field: Path(f"{field:g}T.safetensors")
    logic.load_classifier = a_classifier.load
    logic.warm_up = lambda: None
    module.enter()
    yield module
    a_classifier.may_answer.set()
    wait_until(lambda: not module.widget.panel.running)
    if hasattr(slicer.modules, "acnetclassifier"):
        module.unload()
    slicer.mrmlScene.Clear(0)


@pytest.fixture
def ui(a_module: Any) -> Any:
    return a_module.widget.panel.ui


@pytest.fixture
def a_volume(a_module: Any, an_oblique_t1_map: T1Map) -> Volume:
    return add_t1_map(an_oblique_t1_map, slicer.mrmlScene)


@pytest.fixture
def a_volume_without_field_strength(a_volume: Volume) -> Volume:
    a_volume.RemoveAttribute(FIELD_STRENGTH_KEY)
    return a_volume


@pytest.fixture
def a_result(a_module: Any, a_volume: Volume) -> ResultNodes:
    """The nodes of a run of the stand-in."""
    classify(a_module, a_volume)
    return result_of(a_volume)


@pytest.fixture
def raised(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """What slots raised: Qt's event loop hands it to sys.excepthook."""
    errors: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: errors.append(error))
    return errors


@pytest.fixture
def a_user(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Slicer asks instead of testing, and is answered with the buttons' names, which are taken from the list."""
    import ctk
    import qt

    answers: list[str] = []
    monkeypatch.setattr(slicer.app, "testingEnabled", lambda: False)
    monkeypatch.setattr(ctk.ctkMessageBox, "exec_", lambda _self: getattr(qt.QMessageBox, answers.pop(0)))
    return answers


def wait_for_end(module: Any) -> None:
    wait_until(lambda: module.widget.panel.ui.applyButton.text == "Apply")


def classify(module: Any, volume: Volume) -> None:
    module.widget.panel.ui.volumeSelector.setCurrentNode(volume)
    module.widget.panel.ui.applyButton.click()
    wait_for_end(module)


def composites() -> list[slicer.vtkMRMLSliceCompositeNode]:
    return list(nodes_of_class(slicer.mrmlScene, "vtkMRMLSliceCompositeNode"))


def say_it_is_from_dicom(volume: Volume, header: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As if Slicer had loaded the volume from an image with this header, whose file is gone."""
    database = SimpleNamespace(
        instanceValue=lambda _instance, tag: header.get(tag, ""), fileForInstance=lambda _instance: ""
    )
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    volume.SetAttribute(DICOM_INSTANCES, "1.2.3")


def open_bundle(bundle: Path) -> None:
    """In Slicer's scene. ReadFromMRB needs the application; a bundle is a zip with a scene file in it."""
    zipfile.ZipFile(bundle).extractall(bundle.parent)
    slicer.mrmlScene.SetURL(str(bundle.parent / "scene" / "scene.mrml"))
    assert slicer.mrmlScene.Import()


def result_of(volume: Volume) -> ResultNodes:
    result = find_result(volume, slicer.mrmlScene)
    assert result is not None
    return result


def choose(combo_box: Any, value: str) -> None:
    combo_box.setCurrentIndex(combo_box.findData(value))


def start(module: Any, volume: Volume, classifier: StandInClassifier) -> None:
    """Click on Apply; the run then waits for the classifier's answer."""
    classifier.may_answer.clear()
    module.widget.panel.ui.volumeSelector.setCurrentNode(volume)
    module.widget.panel.ui.applyButton.click()
    wait_until(lambda: module.widget.panel.ui.statusLabel.text == "Classifying the slices...")


def tick(table: Any, row: int, ticked: bool = True) -> None:
    import qt

    table.item(row, 0).setCheckState(qt.Qt.Checked if ticked else qt.Qt.Unchecked)


def answer_with_folder(folder: Path | str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user answers each time when asked for a folder; nothing where he chooses none."""
    import qt

    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_arguments: str(folder))
