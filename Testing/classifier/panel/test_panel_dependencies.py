"""The packages that a classification needs: one question, and a sentence where they can't be had."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import slicer
import slicer.util
from slicer import vtkMRMLScalarVolumeNode as Volume

from ACNetLib.scene.output import find_result
from panel_fixtures import classify, wait_for_end


class Installer:
    """In place of the network and of the user: what is missing, what was asked, what was installed."""

    def __init__(self) -> None:
        self.questions: list[str] = []
        self.installed: list[str] = []
        self.answer = True
        self.failure: Exception | None = None

    def ask(self, text: str, windowTitle: str | None = None, **_named: object) -> bool:
        self.questions.append(text)
        return self.answer

    def install_torch(self, askConfirmation: bool, torchVersionRequirement: str) -> object:
        assert not askConfirmation
        self._install(f"torch{torchVersionRequirement}")
        return object()

    def install(self, requirements: list[str], **_named: object) -> None:
        for requirement in requirements:
            self._install(str(requirement))

    def _install(self, requirement: str) -> None:
        if self.failure is not None:
            raise self.failure
        self.installed.append(requirement)


@pytest.fixture
def an_installer(a_module: Any, monkeypatch: pytest.MonkeyPatch) -> Installer:
    """Slicer without torch and safetensors, with the extension PyTorch, not in testing mode."""
    import slicer.packaging

    from ACNetLib.panel import dependencies

    installer = Installer()
    torch_utils = ModuleType("PyTorchUtils")
    vars(torch_utils)["PyTorchUtilsLogic"] = lambda: SimpleNamespace(installTorch=installer.install_torch)
    find_spec: Callable = dependencies.importlib.util.find_spec

    def found(name: str) -> object:
        if name == "torch":
            return object() if any(each.startswith("torch") for each in installer.installed) else None
        return object() if name == "PyTorchUtils" and name in sys.modules else find_spec(name)

    monkeypatch.setitem(sys.modules, "PyTorchUtils", torch_utils)
    monkeypatch.setattr(dependencies.importlib.util, "find_spec", found)
    monkeypatch.setattr(
        slicer.packaging, "pip_check", lambda requirement: any(str(requirement) == each for each in installer.installed)
    )
    monkeypatch.setattr(slicer.packaging, "pip_ensure", installer.install)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", installer.ask)
    monkeypatch.setattr(slicer.app, "testingEnabled", lambda: False)
    return installer


def test_the_first_apply_asks_once_for_all_that_is_missing_and_goes_on(
    a_module: Any, ui: Any, a_volume: Volume, an_installer: Installer
) -> None:
    for _ in range(2):
        classify(a_module, a_volume)
        assert ui.statusLabel.text == ""
    assert find_result(a_volume, slicer.mrmlScene) is not None
    assert an_installer.installed == ["torch>=2.6", "safetensors>=0.5"]
    (question,) = an_installer.questions
    assert "- torch\n- safetensors>=0.5" in question
    assert "No image leaves this computer." in question


def test_a_declined_installation_is_a_sentence_and_is_asked_for_again(
    a_module: Any, ui: Any, a_volume: Volume, an_installer: Installer
) -> None:
    an_installer.answer = False
    classify(a_module, a_volume)
    assert ui.statusLabel.text == (
        "Not installed: torch, safetensors>=0.5. ACNet can't do this without; click the button to be asked again."
    )
    assert (an_installer.installed, ui.applyButton.enabled) == ([], True)
    an_installer.answer = True
    classify(a_module, a_volume)
    assert find_result(a_volume, slicer.mrmlScene) is not None


@pytest.mark.parametrize(
    "failure",
    [subprocess.CalledProcessError(1, "pip"), RuntimeError("no matching build"), OSError("network is unreachable")],
    ids=["pip failed", "no build", "no network"],
)
def test_a_failed_installation_is_a_sentence_that_says_what_to_do(
    a_module: Any, ui: Any, a_volume: Volume, an_installer: Installer, failure: Exception
) -> None:
    an_installer.failure = failure
    classify(a_module, a_volume)
    assert ui.statusLabel.text.startswith(f"The installation of torch, safetensors>=0.5 failed ({failure}).")
    assert "Documentation/troubleshooting.md" in ui.statusLabel.text
    assert ui.applyButton.enabled


def test_without_the_extension_pytorch_and_while_slicer_is_testing_nothing_is_installed_and_the_panel_says_why(
    a_module: Any, ui: Any, a_volume: Volume, an_installer: Installer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, "PyTorchUtils")
        classify(a_module, a_volume)
    assert "Install the extension PyTorch in the Extensions Manager" in ui.statusLabel.text
    monkeypatch.setattr(slicer.app, "testingEnabled", lambda: True)
    classify(a_module, a_volume)
    assert "nothing is installed" in ui.statusLabel.text
    assert (an_installer.questions, an_installer.installed) == ([], [])


def test_an_older_pytorch_of_another_extension_is_refused_and_not_replaced(
    a_module: Any, ui: Any, a_volume: Volume, an_installer: Installer
) -> None:
    an_installer.installed += ["torch<2.6", "safetensors>=0.5"]
    classify(a_module, a_volume)
    assert ui.statusLabel.text == (
        "The PyTorch that is installed is older than 2.6. Uninstall it in the module PyTorch Util of the extension "
        "PyTorch, restart Slicer and click Apply again."
    )
    assert find_result(a_volume, slicer.mrmlScene) is None
    assert an_installer.questions == []


def test_nothing_is_asked_when_the_panel_opens_or_a_map_is_chosen(
    a_module: Any, ui: Any, a_volume: Volume, an_installer: Installer
) -> None:
    a_module.enter()
    ui.volumeSelector.setCurrentNode(a_volume)
    assert ui.applyButton.enabled
    assert (an_installer.questions, an_installer.installed) == ([], [])
    wait_for_end(a_module)
