"""The trainer's unchanged module file in the headless host, and the libraries and clicks that its tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import slicer
import slicer.util
from slicer import vtkMRMLScalarVolumeNode as Volume

from ACNetLib.sample_data import sample_cases
from ACNetLib.scene.output import add_t1_map
from ACNetLib.t1map.t1_map import read_t1_map
from ACNetTrainerLib.cases.library import CaseLibrary
from panel_fixtures import choose
from slicer_host import load_module, wait_until

TRAINER_FILE = Path(__file__).parent.parent / "ACNetTrainer" / "ACNetTrainer.py"
TRAINING_SECONDS = 300.0
SHORT_RECIPE = TRAINER_FILE.parent / "Resources" / "Recipes" / "recommended.toml"


@pytest.fixture
def a_trainer(host: None) -> Iterator[Any]:
    from conftest import Finder

    slicer.mrmlScene.Clear(0)
    module = load_module(TRAINER_FILE)
    module.widget.panel.logic.load_localizer = Finder
    module.enter()
    yield module
    wait_until(lambda: not module.widget.panel.running)
    if hasattr(slicer.modules, "acnettrainer"):
        module.unload()
    slicer.mrmlScene.Clear(0)


@pytest.fixture
def trainer_ui(a_trainer: Any) -> Any:
    return a_trainer.widget.panel.ui


@pytest.fixture
def a_sample(a_trainer: Any) -> Volume:
    return add_t1_map(read_t1_map(sample_cases()[1].folder), slicer.mrmlScene)


@pytest.fixture
def chosen_folders(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What the user answers when asked for a folder, one after the other."""
    import qt

    folders: list[Path] = []
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_arguments: str(folders.pop(0)))
    return folders


@pytest.fixture
def a_library(tmp_path: Path, a_trainer: Any, trainer_ui: Any, chosen_folders: list[Path]) -> Path:
    """A new library, made by a click."""
    chosen_folders.append(tmp_path / "library")
    click(a_trainer, trainer_ui.newButton)
    return tmp_path / "library"


@pytest.fixture(scope="module")
def two_libraries(tmp_path_factory: pytest.TempPathFactory) -> tuple[CaseLibrary, CaseLibrary]:
    """Simulated patients to train on and others to evaluate on, one section each."""
    from conftest import simulate_library

    folder = tmp_path_factory.mktemp("libraries")
    return (
        simulate_library(folder / "training", patients=12, seed=31, levels=("mid",)),
        simulate_library(folder / "judging", patients=12, seed=32, levels=("mid",)),
    )


@pytest.fixture
def two_epochs(tmp_path: Path, a_trainer: Any) -> Path:
    """A recipe of two short epochs, offered beside the shipped ones."""
    text = SHORT_RECIPE.read_text(encoding="utf-8")
    for setting, value in {"epochs": 2, "batch_size": 4, "least_steps": 0, "warmup_epochs": 0}.items():
        lines = [
            f"{setting} = {value}" if line.split("=")[0].strip() == setting else line for line in text.splitlines()
        ]
        text = "\n".join(lines) + "\n"
    path = tmp_path / "two-epochs.toml"
    path.write_text(text, encoding="utf-8")
    return path


def add(module: Any, volume: Volume, label: str, patient: str) -> str:
    """Add the volume by clicks; returns what the panel says then."""
    trainer_ui = module.widget.panel.ui
    trainer_ui.volumeSelector.setCurrentNode(volume)
    choose(trainer_ui.labelComboBox, label)
    trainer_ui.patientLineEdit.text = patient
    wait_until(lambda: trainer_ui.addButton.enabled)
    click(module, trainer_ui.addButton)
    return str(trainer_ui.statusLabel.text)


def click(module: Any, button: Any) -> None:
    """And wait for what it has started in the thread."""
    button.click()
    wait_until(lambda: not module.widget.panel.running)


def open_library(module: Any, folder: Path) -> None:
    module.widget.panel.logic.getParameterNode().library = str(folder)
    wait_until(lambda: not module.widget.panel.running)


def wait_for_state(module: Any, word: str) -> None:
    wait_until(lambda: f"({word}" in module.widget.panel.ui.trainingComboBox.currentText, TRAINING_SECONDS)


def texts_of(table: Any, column: int) -> list[str]:
    return [table.item(row, column).text() for row in range(table.rowCount)]


def questions_answered(answer: bool, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the user is asked from now on, and answers so."""
    questions: list[str] = []

    def ask(text: str, **_named: object) -> bool:
        questions.append(text)
        return answer

    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", ask)
    return questions
