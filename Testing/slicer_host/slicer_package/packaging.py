"""A stand-in for slicer.packaging: which Python packages are there, and the road to those that are missing.

Like Slicer it runs pip through slicer.util.executePythonModule, which the host lets refuse: see python_layer.py.
"""

from __future__ import annotations

import logging
import shlex
import tomllib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from subprocess import CalledProcessError

import slicer
import slicer.util
from packaging.requirements import InvalidRequirement, Requirement

__all__ = [
    "isPipInstallInProgress",
    "load_pyproject_dependencies",
    "load_requirements",
    "pip_check",
    "pip_ensure",
    "pip_install",
    "pip_uninstall",
]

_is_installing = False


def load_requirements(path: str | Path) -> list[Requirement]:
    """From a requirements.txt, without its comments and the options of pip."""
    lines = (line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and line[0] not in "#-"]


def load_pyproject_dependencies(path: str | Path) -> list[Requirement]:
    """Raises KeyError for a file without [project]."""
    project = tomllib.loads(Path(path).read_text(encoding="utf-8"))["project"]
    return [Requirement(text) for text in project.get("dependencies", [])]


def pip_check(req: str | Requirement | list[str | Requirement]) -> bool:
    """Whether all is installed, the extras too, in versions that were asked for."""
    return all(_is_installed(requirement) for requirement in _requirements(req))


def pip_ensure(
    requirements: str | Requirement | list[str | Requirement],
    constraints: str | Path | None = None,
    prompt_install: bool = True,
    prompt_restart: bool = True,
    requester: str | None = None,
    skip_in_testing: bool = True,
    show_progress: bool = True,
) -> None:
    """Install what is missing, after asking the user. In testing mode nothing happens unless it is told to.

    Raises RuntimeError when the user declines, subprocess.CalledProcessError when pip fails.
    """
    missing = [str(requirement) for requirement in _requirements(requirements) if not pip_check(requirement)]
    if not missing:
        return
    if skip_in_testing and slicer.app.testingEnabled():
        logging.info(f"testing: {', '.join(missing)} not installed")
        return
    if prompt_install:
        title = f"{requester} - Install Python Packages" if requester else "Install Python Packages"
        message = f"Python packages to install: {len(missing)}. This changes Slicer's Python. Continue?"
        if not slicer.util.confirmOkCancelDisplay(message, title, detailedText="\n".join(missing)):
            raise RuntimeError("User declined package installation")
    pip_install(missing, constraints=constraints, show_progress=show_progress, requester=requester)


def pip_install(
    requirements: str | list[str],
    constraints: str | Path | None = None,
    blocking: bool = True,
    show_progress: bool = True,
    requester: str | None = None,
    logCallback: Callable[[str], None] | None = None,
    completedCallback: Callable[[int], None] | None = None,
) -> None:
    """Raises subprocess.CalledProcessError when pip fails, unless it is not waited for."""
    arguments = ["install", *_arguments(requirements), *(["-c", str(constraints)] if constraints else [])]
    if slicer.app.testingEnabled() or (blocking and not show_progress):
        slicer.util.executePythonModule("pip", arguments, blocking=True)
    elif blocking:
        _install_in_the_background(arguments, requester)
    else:
        _start(arguments, logCallback, completedCallback)


def pip_uninstall(
    requirements: str | list[str],
    blocking: bool = True,
    logCallback: Callable[[str], None] | None = None,
    completedCallback: Callable[[int], None] | None = None,
) -> None:
    slicer.util.executePythonModule(
        "pip",
        ["uninstall", *_arguments(requirements), "--yes"],
        blocking=blocking,
        logCallback=logCallback,
        completedCallback=completedCallback,
    )


def isPipInstallInProgress() -> bool:
    return _is_installing


def _start(arguments: list[str], log: Callable[[str], None] | None, completed: Callable[[int], None] | None) -> None:
    global _is_installing
    _is_installing = True

    def end(return_code: int) -> None:
        global _is_installing
        _is_installing = False
        if completed is not None:
            completed(return_code)

    try:
        slicer.util.executePythonModule("pip", arguments, blocking=False, logCallback=log, completedCallback=end)
    except Exception:
        _is_installing = False
        raise


def _install_in_the_background(arguments: list[str], requester: str | None) -> None:
    """Slicer shows a dialog meanwhile."""
    lines: list[str] = []
    codes: list[int] = []
    _start(arguments, lines.append, codes.append)
    while not codes:
        slicer.app.processEvents()
    if codes[0] != 0:
        title = f"{requester} - Installation Failed" if requester else "Installation Failed"
        slicer.util.errorDisplay("Package installation failed.", windowTitle=title, detailedText="\n".join(lines))
        raise CalledProcessError(codes[0], "pip install")


def _arguments(requirements: str | list[str]) -> list[str]:
    return shlex.split(requirements) if isinstance(requirements, str) else requirements


def _requirements(texts: str | Requirement | list[str | Requirement]) -> list[Requirement]:
    if isinstance(texts, str):
        try:
            return [Requirement(texts)]
        except InvalidRequirement:
            return [Requirement(text) for text in texts.split()]
    items = texts if isinstance(texts, list) else [texts]
    return [Requirement(item) if isinstance(item, str) else item for item in items]


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
