"""Who may import what: the rules that keep the classifier light and its module loadable without PyTorch."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from imported_names import imported, is_type_checking, module_name
from repository import REPOSITORY
from slicer_host.loadable_modules import LATE_CLASSES

CORE = REPOSITORY / "ACNetClassifier" / "ACNetLib"
TRAINER = REPOSITORY / "ACNetTrainer" / "ACNetTrainerLib"
MODULE_FILES = [
    REPOSITORY / "ACNetClassifier" / "ACNetClassifier.py",
    REPOSITORY / "ACNetTrainer" / "ACNetTrainer.py",
]

DICOM_PLUGIN = REPOSITORY / "DICOMPlugins" / "DICOMACNetT1MapPlugin.py"

BUNDLED = {"numpy", "scipy", "SimpleITK", "PIL", "pydicom", "vtk", "vtkmodules"}
"""What Slicer brings along; its own packages are in the next two."""
SCENE, APPLICATION = {"slicer", "vtk", "vtkmodules"}, {"qt", "ctk", "slicer"}
OTHER_MODULES = {"PyTorchUtils", "SampleData", "DICOMLib"}
"""Of Slicer and of the extension PyTorch: there when they are needed, not when a module is loaded."""
CORE_PACKAGES = BUNDLED - {"vtk", "vtkmodules"} | {"torch", "filelock", "safetensors"}
"""torch brings filelock along."""
CLUSTER = CORE / "cluster.py"
"""Takes Dask, an extra, where a user names its scheduler."""
DICOM_RESULTS = CORE / "dicom_results"
"""Takes highdicom and dicomweb-client, an extra, where a user asks for DICOM results."""
DICOM_PACKAGES = {"highdicom", "dicomweb_client"}
STANDARD = set(sys.stdlib_module_names)


def packages(file: Path, at_load: bool = False) -> set[str]:
    return {name.split(".")[0] for name in imported(file, at_load)} - STANDARD


def files(folder: Path) -> list[Path]:
    found = sorted(folder.rglob("*.py"))
    assert len(found) > 5
    return found


def id_of(file: Path) -> str:
    return file.relative_to(REPOSITORY).as_posix()


OURS = {module_name(file): file for file in [*files(CORE), *files(TRAINER)]}


def loaded_with(starts: list[Path]) -> set[Path]:
    """These files and every file of ours that is loaded when they are, packages' `__init__` included."""
    waiting, loaded = list(starts), set[Path]()
    while waiting:
        file = waiting.pop()
        if file in loaded:
            continue
        loaded.add(file)
        for name in [*imported(file, at_load=True), module_name(file)]:
            parts = name.split(".")
            waiting += [OURS[part] for end in range(len(parts)) if (part := ".".join(parts[: end + 1])) in OURS]
    return loaded


LOADED_BY_SLICER = sorted(
    loaded_with(
        [*MODULE_FILES, DICOM_PLUGIN, *(file for folder in (CORE, TRAINER) for file in folder.glob("panel/*.py"))]
    )
)


def too_many(found: Mapping[Path, set[str]]) -> dict[str, set[str]]:
    """The files that break a rule, by what they should not have."""
    return {id_of(file): names for file, names in found.items() if names}


def test_the_core_imports_nothing_beyond_torch_and_what_slicer_bundles() -> None:
    allowed = CORE_PACKAGES | {"ACNetLib"}
    rooms = {"scene": SCENE, "panel": APPLICATION | {"vtk"} | OTHER_MODULES, DICOM_RESULTS.name: DICOM_PACKAGES}
    found = {file: packages(file) - allowed - rooms.get(file.parent.name, set()) for file in files(CORE)}
    found[CLUSTER] -= {"distributed"}
    assert not too_many(found)
    assert not too_many({CLUSTER: packages(CLUSTER, at_load=True) - allowed})
    panel = files(CORE / "panel")
    assert not too_many({file: packages(file, at_load=True) - allowed - APPLICATION - {"vtk"} for file in panel})


def test_what_needs_highdicom_is_loaded_by_nothing_else() -> None:
    """And the two files that others open import it later: they say what to do where it is missing."""
    others = [*MODULE_FILES, DICOM_PLUGIN, *(file for file in OURS.values() if file.parent != DICOM_RESULTS)]
    assert not {file for file in loaded_with(others) if file.parent == DICOM_RESULTS}
    doors = loaded_with([DICOM_RESULTS / "files.py", DICOM_RESULTS / "sending.py"])
    assert not too_many({file: packages(file, at_load=True) & DICOM_PACKAGES for file in doors})


def test_the_trainer_touches_slicer_only_in_its_scene_and_panel() -> None:
    """One file more reads a surface mesh by VTK."""
    forbidden = {"scene.py": {"qt", "ctk"}, "mesh.py": {"qt", "ctk", "slicer"}}
    others = [file for file in files(TRAINER) if "panel" not in file.parts]
    assert not too_many(
        {
            file: packages(file) & forbidden.get(file.name, {"qt", "ctk", "slicer", "vtk", "vtkmodules"})
            for file in others
        }
    )


def test_the_core_does_not_know_the_trainer() -> None:
    assert [id_of(file) for file in files(CORE) if "ACNetTrainerLib" in packages(file)] == []
    assert any("ACNetLib" in packages(file) for file in files(TRAINER)), "the other direction is allowed"


def test_what_slicer_loads_with_a_module_is_bundled_with_slicer() -> None:
    allowed = BUNDLED | APPLICATION | {"DICOMLib", "ACNetLib", "ACNetTrainerLib"}
    assert not too_many({file: packages(file, at_load=True) - allowed for file in LOADED_BY_SLICER})


def test_what_slicer_gets_of_the_trainer_needs_nothing_that_it_does_not_get() -> None:
    """But at two doors, which ask first whether it is there."""
    listed = (TRAINER.parent / "CMakeLists.txt").read_text(encoding="utf-8").split()
    installed = [file for file in files(TRAINER) if file.relative_to(TRAINER.parent).as_posix() in listed]
    missing = {module_name(file) for file in set(files(TRAINER)) - set(installed)}
    assert {"ACNetTrainerLib.study.comparison", "ACNetTrainerLib.networks.vgg"} <= missing
    # What follows the last dot is a module or a name out of one.
    needed = {file: {part for name in imported(file) for part in (name, name.rpartition(".")[0])} for file in installed}
    assert too_many({file: names & missing for file, names in needed.items()}) == {
        "ACNetTrainer/ACNetTrainerLib/commands/main.py": {"ACNetTrainerLib.commands.research"},
        "ACNetTrainer/ACNetTrainerLib/training/network.py": {"ACNetTrainerLib.networks"},
    }


def test_the_walk_over_loaded_files_finds_what_it_should() -> None:
    names = {module_name(file) for file in LOADED_BY_SLICER}
    assert {
        "ACNetLib",
        "ACNetLib.panel.panel",
        "ACNetLib.scene.output",
        "ACNetLib.t1map.t1_map",
        "ACNetLib.dicom.volumes",
    } <= names
    assert not names & {"ACNetLib.networks.acnet", "ACNetLib.models.model", "ACNetLib.inference.classifier"}
    reached = {module_name(file) for file in loaded_with([CORE / "inference" / "classifier.py"])}
    assert {"ACNetLib.networks.acnet", "ACNetLib.inference.device", "ACNetLib.files"} <= reached


def names_at_load(node: ast.AST) -> Iterator[str]:
    """Every name that a file mentions outside of its functions' bodies: imports, annotations and bases included."""
    match node:
        case ast.alias(name=name) | ast.Name(id=name) | ast.Attribute(attr=name):
            yield name
    body = node.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else []
    for child in ast.iter_child_nodes(node):
        if child not in body and not is_type_checking(child):
            yield from names_at_load(child)


LATE = {name for names in LATE_CLASSES.values() for name in names}


def test_what_slicer_loads_with_a_module_needs_no_class_that_comes_later() -> None:
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in LOADED_BY_SLICER}
    assert not too_many({file: set(names_at_load(tree)) & LATE for file, tree in trees.items()})


def test_a_late_class_is_found_wherever_it_is_needed_at_load() -> None:
    for code in (
        "from slicer import vtkSlicerColorLogic",
        "import slicer\nclass A:\n    legend: slicer.vtkSlicerColorLogic",
        "import slicer\ndef f(logic: slicer.vtkSlicerColorLogic): ...",
        "import slicer\nclass A(slicer.vtkSlicerColorLogic): ...",
        "import slicer\nlogic = slicer.vtkSlicerColorLogic()",
    ):
        assert "vtkSlicerColorLogic" in set(names_at_load(ast.parse(code)))
    later = "import slicer\ndef f():\n    return slicer.vtkSlicerColorLogic"
    assert "vtkSlicerColorLogic" not in set(names_at_load(ast.parse(later)))


LOADING = """
import importlib.abc, sys
from pathlib import Path
from slicer_host import load_module, start_host

start_host()
before = set(sys.modules)
allowed = set(sys.stdlib_module_names) | set(sys.argv[2].split(","))
assert not {"torch", "safetensors"} & before, "the host itself loaded them"
assert not any(name.startswith("ACNet") for name in before)


class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top in before or top in allowed or top.startswith("_sysconfigdata"):  # standard, but named after the system
            return None
        blocked.append(name)
        raise ModuleNotFoundError(f"{name} is not bundled with Slicer", name=name)


blocked = []
sys.meta_path.insert(0, Blocker())
try:
    import torch
except ModuleNotFoundError:
    print("blocked", blocked.pop())
module = load_module(Path(sys.argv[1]))
if module.widget:
    module.enter()
print("loaded", module.description.title)
print("ours", *sorted(name for name in sys.modules if name.startswith("ACNet")))
sys.stdout.flush()
import os; os._exit(0)  # without the ceremony of ending a Qt application
"""


@pytest.mark.parametrize(
    ("file", "reached"),
    [
        (MODULE_FILES[0], "ACNetLib.panel.panel"),
        (MODULE_FILES[1], "ACNetTrainerLib.panel.panel"),
        (DICOM_PLUGIN, "ACNetLib.dicom.series"),
    ],
)
def test_a_module_loads_and_shows_its_panel_without_torch(file: Path, reached: str) -> None:
    """In a process of its own that can import nothing but the standard library and what Slicer bundles."""
    bundled = ",".join([*BUNDLED, "packaging", "SampleData", "ACNetLib", "ACNetTrainerLib", file.stem])
    paths = [file.parent, REPOSITORY / "ACNetClassifier", REPOSITORY / "Testing"]
    result = subprocess.run(
        [sys.executable, "-c", LOADING, str(file), bundled],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    first, second, third = result.stdout.splitlines()[-3:]
    assert first == "blocked torch"
    assert second.startswith("loaded ACNet")
    assert reached in third.split()
