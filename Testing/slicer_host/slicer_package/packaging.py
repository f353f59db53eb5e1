"""A stand-in for slicer.packaging: which Python packages are there, and the road to those that are missing.

Like Slicer it runs pip through slicer.util.executePythonModule, which the host lets refuse: see python_layer.py.
"""

from __future__ import annotations

import logging
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from subprocess import CalledProcessError

import slicer
import slicer.util
from packaging.requirements import Requirement

__all__ = ["load_requirements", "pip_check", "pip_ensure"]


def load_requirements(path: str | Path) -> list[Requirement]:
    """From a requirements.txt, without its comments and the options of pip."""
    lines = (line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and line[0] not in "#-"]


def pip_check(req: str) -> bool:
    """Whether it is installed, its extras too, in a version that is asked for."""
    return _is_installed(Requirement(req))


def pip_ensure(requirements: list[str], *, prompt_install: bool, requester: str) -> None:
    """Install what is missing. In testing mode nothing happens. Raises subprocess.CalledProcessError when pip fails."""
    assert not prompt_install, "the stand-in asks nobody: ACNet asks itself"
    missing = [requirement for requirement in requirements if not pip_check(requirement)]
    if not missing:
        return
    if slicer.app.testingEnabled():
        logging.info(f"testing: {', '.join(missing)} not installed")
        return
    lines: list[str] = []
    codes: list[int] = []
    arguments = ["install", *missing]
    slicer.util.executePythonModule(
        "pip", arguments, blocking=False, logCallback=lines.append, completedCallback=codes.append
    )
    while not codes:  # Slicer shows a dialog meanwhile
        slicer.app.processEvents()
    if codes[0] != 0:
        title = f"{requester} - Installation Failed"
        slicer.util.errorDisplay("Package installation failed.", windowTitle=title, detailedText="\n".join(lines))
        raise CalledProcessError(codes[0], "pip install")


def _is_installed(requirement: Requirement) -> bool:
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    try:
        if version(requirement.name) not in requirement.specifier:
            return False
    except PackageNotFoundError:
        return False
    needed = [Requirement(text) for text in requires(requirement.name) or () if requirement.extras]
    return all(
        _is_installed(Requirement(str(item).partition(";")[0]))
        for item in needed
        if item.marker is not None and any(item.marker.evaluate({"extra": extra}) for extra in requirement.extras)
    )
