"""What the classification needs beyond Slicer's own packages: asked for once, when it is needed, and installed."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
from pathlib import Path

import slicer.packaging
import slicer.util
from slicer.i18n import tr as _

from ACNetLib.errors import ACNetError
from ACNetLib.resources import resources_folder

REQUIREMENTS_FILE = resources_folder() / "ACNetClassifier-requirements.txt"
LEAST_TORCH = "2.6"
DICOM_PACKAGE = "highdicom>=0.28"


def ensure_packages(requirements_file: Path = REQUIREMENTS_FILE) -> None:
    """Install what is missing of PyTorch and of a requirements file, after one question for all of it.

    PyTorch comes from the extension PyTorch, which knows the build for the computer's GPU; the rest from PyPI. Raises
    ACNetError with what to do when the user declines, when the installation fails, when that extension is missing, and
    when another one has installed an older PyTorch: it is not replaced behind its back.
    """
    if slicer.packaging.pip_check(f"torch<{LEAST_TORCH}"):
        raise ACNetError(
            _(
                "The PyTorch that is installed is older than {version}. Uninstall it in the module PyTorch Util of the "
                "extension PyTorch, restart Slicer and click Apply again."
            ).format(version=LEAST_TORCH)
        )
    requirements = [str(each) for each in slicer.packaging.load_requirements(requirements_file)]
    missing = [requirement for requirement in requirements if not slicer.packaging.pip_check(requirement)]
    torch_is_missing = importlib.util.find_spec("torch") is None
    if not missing and not torch_is_missing:
        return
    if torch_is_missing and importlib.util.find_spec("PyTorchUtils") is None:
        raise ACNetError(
            _(
                "PyTorch is not installed. Install the extension PyTorch in the Extensions Manager, restart Slicer and "
                "click Apply again."
            )
        )
    _install(missing, torch_is_missing)


def ensure_dicom_package() -> None:
    """Install what writes DICOM objects where it is missing, after a question. Raises ACNetError when the user declines
    and when the installation fails.
    """
    if not slicer.packaging.pip_check(DICOM_PACKAGE):
        _install([DICOM_PACKAGE])


def _install(missing: list[str], torch_is_missing: bool = False) -> None:
    if slicer.app.testingEnabled():
        raise ACNetError(_("Slicer is testing, so nothing is installed; missing are packages of ACNet."))
    names = [*(["torch"] if torch_is_missing else []), *missing]
    if not slicer.util.confirmOkCancelDisplay(_question(names), windowTitle=_("ACNet: install Python packages")):
        raise ACNetError(
            _("Not installed: {packages}. ACNet can't do this without; click the button to be asked again.").format(
                packages=", ".join(names)
            )
        )
    try:
        if torch_is_missing:
            _install_torch()
        if missing:
            slicer.packaging.pip_ensure(missing, prompt_install=False, requester="ACNet")
    except (RuntimeError, ValueError, OSError, subprocess.CalledProcessError) as error:
        raise ACNetError(
            _(
                "The installation of {packages} failed ({reason}). Is there a network, and does it need a proxy? The "
                "error log (View menu) says more. Then click the button again; without network see "
                "Documentation/troubleshooting.md."
            ).format(
                packages=", ".join(names), reason=str(error).splitlines()[0] if str(error) else type(error).__name__
            )
        ) from error
    importlib.invalidate_caches()


def _question(names: list[str]) -> str:
    text = _(
        "ACNet needs Python packages that Slicer does not have yet:\n\n{packages}\n\nThey are downloaded from the "
        "internet into Slicer's own Python. {size}No image leaves this computer. Install them now?"
    )
    size = _("PyTorch takes up to 3 GB.") + " " if "torch" in names else ""
    return text.format(packages="\n".join(f"- {name}" for name in names), size=size)


def _install_torch() -> None:
    import PyTorchUtils

    logic = PyTorchUtils.PyTorchUtilsLogic()
    torch = logic.installTorch(askConfirmation=False, torchVersionRequirement=f">={LEAST_TORCH}")
    if torch is None:
        raise RuntimeError(_("the extension PyTorch installed nothing"))
