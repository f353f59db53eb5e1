"""Where Slicer's Python packages come from: our stand-ins or, where the environment variable SLICER_SOURCE names a
checkout of Slicer, its own files.

The packages are `slicer.ScriptedLoadableModule`, `slicer.i18n`, `slicer.packaging`, `slicer.parameterNodeWrapper` and
the module SampleData. As in Slicer each exists after its import only.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import slicer
import slicer.util

from slicer_host.real_api import API

HERE = Path(__file__).parent
STAND_INS = HERE / "slicer_package"
STAND_IN_MODULES = HERE / "scripted_modules"
PACKAGES = ("slicer.ScriptedLoadableModule", "slicer.i18n", "slicer.packaging", "slicer.parameterNodeWrapper")
SOURCE_VARIABLE = "SLICER_SOURCE"
PACKAGE_FOLDER = Path("Base", "Python", "slicer")


def source() -> Path | None:
    """The checkout of Slicer. Raises FileNotFoundError when there is none where the variable says."""
    if not os.environ.get(SOURCE_VARIABLE):
        return None
    checkout = Path(os.environ[SOURCE_VARIABLE])
    if not (checkout / PACKAGE_FOLDER).is_dir():
        raise FileNotFoundError(f"{SOURCE_VARIABLE}: there is no checkout of Slicer in {checkout}")
    return checkout


def sample_data_of(checkout: Path) -> Path:
    return checkout / "Modules" / "Scripted" / "SampleData"


def find_packages() -> None:
    """Let the packages be imported."""
    checkout = source()
    packages, modules = STAND_INS, STAND_IN_MODULES
    if checkout is not None:
        packages, modules = checkout / PACKAGE_FOLDER, sample_data_of(checkout)
        _name_all_classes()
    slicer.__path__.append(str(packages))
    sys.path.append(str(modules))
    _install_nothing()


def _name_all_classes() -> None:
    """Slicer's own parameterNodeWrapper compares widgets with many classes: here they have a name and nothing else."""
    for full_name in API["names"]:
        package, _, name = full_name.partition(".")
        if name.startswith(("ctk", "qMRML")) and not hasattr(sys.modules[package], name):
            setattr(sys.modules[package], name, type(name, (_WithoutStandIn,), {}))


class _WithoutStandIn:
    def __init__(self, *_arguments: object) -> None:
        raise NotImplementedError(f"the host has no stand-in for {type(self).__name__}")


def _install_nothing() -> None:
    """A test that lets something be installed replaces `slicer.util.executePythonModule`."""
    execute = slicer.util.executePythonModule

    def execute_but_pip(module: str, args: list[str], *arguments: Any, **named: Any) -> None:
        if module == "pip":
            raise RuntimeError(f"the host installs nothing, not even: pip {' '.join(args)}")
        execute(module, args, *arguments, **named)

    slicer.util.executePythonModule = execute_but_pip
