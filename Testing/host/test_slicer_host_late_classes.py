"""Slicer's loadable modules in the host: their classes come when the application gives them, and may be missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import slicer

from repository import REPOSITORY
from slicer_host.loadable_modules import LATE_CLASSES, disabled, while_instantiating

pytestmark = pytest.mark.usefixtures("host")

USES = {
    "an import": "from slicer import {name}",
    "an attribute": "import slicer\nALIAS = slicer.{name}",
    "a base class": "import slicer\nclass Ours(slicer.{name}):\n    pass",
    "an annotation that a parameter node wrapper evaluates": """
from __future__ import annotations
from typing import Union
import slicer
from slicer import vtkMRMLMarkupsROINode
from slicer.parameterNodeWrapper import parameterNodeWrapper

@parameterNodeWrapper
class Parameters:
    center: Union[vtkMRMLMarkupsROINode, slicer.{name}, None]
""",
    "a dataclass that is looked into": """
from __future__ import annotations
from dataclasses import dataclass
from typing import get_type_hints
import slicer

@dataclass
class Nodes:
    display: slicer.{name}

get_type_hints(Nodes)
""",
}
MODULE = """
{use}

class {module}:
    def __init__(self, parent):
        parent.title = "tiny"
"""
LOADING = """
import os, sys
from pathlib import Path
from slicer_host import load_module, start_host

start_host()
try:
    load_module(Path(sys.argv[1]))
except (AttributeError, ImportError, NameError) as error:
    print("refused:", error)
else:
    print("loaded")
sys.stdout.flush()
os._exit(0)  # without the ceremony of ending a Qt application
"""


def load(folder: Path, module: str, use: str) -> str:
    """What becomes of a module file in a process of its own."""
    path = folder / f"{module}.py"
    path.write_text(MODULE.format(use=use, module=module))
    paths = [str(REPOSITORY / "Testing")]
    code = f"import sys; sys.path[:0] = {paths}\n{LOADING}"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("use", USES)
def test_a_file_that_needs_a_late_class_is_refused_like_today_in_the_application(tmp_path: Path, use: str) -> None:
    name = "vtkMRMLMarkupsJsonStorageNode"
    said = load(tmp_path, "ACNetTiny", USES[use].format(name=name))
    assert said.startswith("refused:")
    assert name in said


def test_the_same_file_loads_where_its_name_comes_after_the_module_of_the_class(tmp_path: Path) -> None:
    use = USES["an import"].format(name="vtkMRMLMarkupsJsonStorageNode")
    assert load(tmp_path, "MarkupsTiny", use) == "loaded\n"
    assert load(tmp_path, "ACNetTiny", USES["an import"].format(name="vtkMRMLMarkupsROINode")) == "loaded\n"


def test_modules_are_instantiated_in_the_order_of_their_names() -> None:
    with while_instantiating("ACNetClassifier"):
        assert not hasattr(slicer, "vtkSlicerAnnotationModuleLogic")
    with while_instantiating("DICOMACNetT1MapPlugin"):
        assert hasattr(slicer, "vtkSlicerAnnotationModuleLogic")
        assert hasattr(slicer, "vtkSlicerColorLogic")
        assert not hasattr(slicer, "vtkSlicerDataModuleLogic")  # "DICOM..." comes before "Data": capitals do
        assert not hasattr(slicer, "vtkSlicerMarkupsLogic")
    assert hasattr(slicer, "vtkSlicerMarkupsLogic")


def test_a_disabled_module_is_not_known_and_has_no_classes() -> None:
    known = slicer.app.moduleManager().factoryManager()
    with disabled("Markups"):
        assert not known.isRegistered("Markups")
        assert not hasattr(slicer.modules, "markups")
        assert not hasattr(slicer, "vtkMRMLMarkupsJsonStorageNode")
        assert known.isRegistered("Segmentations")
    assert known.isRegistered("Markups")
    assert hasattr(slicer.modules, "markups")
    assert hasattr(slicer, "vtkMRMLMarkupsJsonStorageNode")


def test_the_list_is_of_classes_that_slicer_has() -> None:
    unknown = {name for names in LATE_CLASSES.values() for name in names if not hasattr(slicer, name)}
    assert len(unknown) < 5, "a few are of the application alone"
