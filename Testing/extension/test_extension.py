"""What the ExtensionsIndex and Slicer's build ask of the repository: its description, its files, its pictures.

The build is tried with a mock of Slicer's CMake package, see mock_slicer. Documentation/extension-checklist.md lists
what each test is the evidence of.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import CTImageStorage, ParametricMapStorage, SegmentationStorage
from PySide6.QtGui import QImage

from ACNetLib import DOCUMENTATION, __version__
from ACNetLib.dicom.images import IMAGE_STORAGE
from ACNetLib.sample_data import sample_cases
from icon import ICON, ICON_PIXELS, drawn_icon
from repository import REPOSITORY, repository_files

MOCK_SLICER = REPOSITORY / "Testing" / "mock_slicer"
CMAKE_TEXT = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
MODULES = re.findall(r"^add_subdirectory\((\w+)\)$", CMAKE_TEXT, re.MULTILINE)
CATALOG_FILE = REPOSITORY / "ACNet.json"

LISTED = re.compile(r"^  ([A-Za-z0-9_./-]+\.[A-Za-z0-9]+)$", re.MULTILINE)
RAW_URL = re.compile(r"https://raw\.githubusercontent\.com/([\w-]+/[\w-]+)/([\w.-]+)/([\w./-]+\.(?:png|jpg|jpeg|gif))")

SCHEMA = (
    "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.2.json#"
)
REQUIRED_KEYS = {"$schema": str, "category": str, "scm_url": str}
OPTIONAL_KEYS = {
    "scm_revision": str,
    "scm_type": str,
    "build_dependencies": list,
    "dicom_support_rule": str,
    "build_subdirectory": str,
    "enabled": bool,
    "tier": int,
}
LICENSE_NAMES = {"LICENSE", "LICENCE", "License.txt", "license.txt", "LICENSE.txt", "COPYING", "COPYING.txt"}
LARGEST_REPOSITORY_MB = 100
PACKED_API = "Testing/slicer_host/slicer_api.json.gz"
BINARY_SUFFIXES = {".png", ".jpg", ".webp", ".dcm", ".nrrd", ".safetensors"}
KEPT_COMPARISON = "Documentation/results/comparison/"
"""Pictures, the DICOM sample, the models, a comparison's attention; all of them are made by commands of this
repository."""
OLDEST_CMAKE = (3, 20)
NOT_IN_SLICER = (
    *(f"ACNetTrainerLib/{room}/" for room in ("abroad", "localization", "networks", "simulation", "study")),
    "ACNetTrainerLib/commands/research/",
    "Resources/Recipes/compared/",
)
"""Of the trainer, in the wheel only: see its CMakeLists.txt."""
NETWORK_PACKAGES = {
    "socket",
    "ssl",
    "http",
    "urllib",
    "requests",
    "ftplib",
    "smtplib",
    "asyncio",
    "xmlrpc",
    "webbrowser",
    "dicomweb_client",
}
SENDER = REPOSITORY / "ACNetClassifier" / "ACNetLib" / "dicom_results" / "sending.py"
"""Sends a result to the server that a user names (--stow), and is loaded then alone: test_import_rules.py."""


def described(name: str) -> str:
    """A field of the extension's description, in the one form that the index's robot reads."""
    values = re.findall(rf'^set\(EXTENSION_{name} "([^"]+)"\)$', CMAKE_TEXT, re.MULTILINE)
    assert len(values) == 1, f"EXTENSION_{name}: found {len(values)} in CMakeLists.txt"
    return str(values[0])


@dataclass(frozen=True)
class Build:
    """The extension as the mock build has described and installed it."""

    description: dict[str, str]
    installed: Path


@pytest.fixture(scope="module")
def a_build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    cmake = shutil.which("cmake")
    if cmake is None:
        pytest.skip("CMake is not installed")
    version = subprocess.run([cmake, "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
    if tuple(map(int, version.split(".")[:2])) < OLDEST_CMAKE:
        pytest.skip(f"CMake {version} is too old")
    folder = tmp_path_factory.mktemp("build")
    build, installed = folder / "build", folder / "installed"
    places = [f"-DREPOSITORY={REPOSITORY.as_posix()}", f"-DINSTALLED={installed.as_posix()}"]
    done = subprocess.run([cmake, "-S", MOCK_SLICER, "-B", build, *places], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    assert (build / "ACNetConfig.cmake").exists()
    lines = (build / "description.txt").read_text(encoding="utf-8").splitlines()
    return Build(dict(line.removeprefix("EXTENSION_").split("=", 1) for line in lines), installed)


@pytest.mark.parametrize("module", ["ACNetClassifier", "ACNetTrainer", "DICOMPlugins"])
def test_cmake_lists_exactly_the_files_of_the_module(module: str) -> None:
    folder = REPOSITORY / module
    listed = LISTED.findall((folder / "CMakeLists.txt").read_text(encoding="utf-8"))
    assert sorted(listed) == [
        file for file in repository_files(folder) if file != "CMakeLists.txt" and not file.startswith(NOT_IN_SLICER)
    ]


def test_the_installed_trainer_does_all_that_its_panel_asks_for(a_build: Build, tmp_path: Path) -> None:
    """And has none of the research commands: what they need is not there."""
    cases, model = a_build.installed / "Resources" / "SampleCases", tmp_path / "ward.safetensors"
    recipe = (a_build.installed / "Resources" / "Recipes" / "recommended.toml").read_text(encoding="utf-8")
    changes = {"epochs = 10": "epochs = 1", "batch_size = 32": "batch_size = 4", "least_steps = 100": "least_steps = 0"}
    short = reduce(lambda text, change: text.replace(*change), changes.items(), recipe)
    (tmp_path / "short.toml").write_text(short, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(a_build.installed), "ACNET_MODELS": str(tmp_path / "models")}

    def acnet_train(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ACNetTrainerLib.commands.main", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    train = ("train", cases, "--device", "cpu", "--output", model)
    refused = acnet_train(*train, "--network", "vgg16")
    assert refused.stderr == "acnet-train: --network: name is 'vgg16'; expected one of 'acnet'.\n"
    for done in (
        acnet_train("cases", "check", cases),
        acnet_train(*train, "--recipe", tmp_path / "short.toml"),
        acnet_train(
            "evaluate", "acnet-simulated-1.5T", cases, "--output", "metrics.json", "--save-model", "judged.safetensors"
        ),
        acnet_train("publish", "judged.safetensors", "--name", "ward"),
    ):
        assert done.returncode == 0, done.stderr
    assert model.is_file()
    assert "invalid choice: 'compare'" in acnet_train("compare").stderr


def test_every_module_with_a_cmake_file_is_built() -> None:
    assert sorted(MODULES) == sorted({file.split("/")[0] for file in repository_files() if is_modules_cmake_file(file)})


def is_modules_cmake_file(file: str) -> bool:
    return file.count("/") == 1 and file.endswith("/CMakeLists.txt")


def test_slicers_build_gets_the_description_that_the_index_reads(a_build: Build) -> None:
    fields = (
        "HOMEPAGE",
        "CONTRIBUTORS",
        "DESCRIPTION",
        "ICONURL",
        "SCREENSHOTURLS",
        "DEPENDS",
        "RECOMMENDS",
        "KEYWORDS",
    )
    assert a_build.description == {"NAME": CATALOG_FILE.stem, **{name: described(name) for name in fields}}


def test_the_installed_modules_classify_their_sample_away_from_the_repository(a_build: Build, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ACNetLib.commands.main", "demo", "--output", str(tmp_path / "demo")]
    environment = {**os.environ, "PYTHONPATH": str(a_build.installed)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "demo").iterdir()} >= {case.name for case in sample_cases()}
    where = [sys.executable, "-c", "import ACNetLib; print(ACNetLib.__file__)"]
    imported = subprocess.run(where, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert a_build.installed in Path(imported.strip()).parents


def test_the_catalog_entry_has_the_keys_of_the_schema_and_ends_its_lines_as_unix_does() -> None:
    content = CATALOG_FILE.read_bytes()
    assert b"\r" not in content
    entry = json.loads(content)
    assert entry["$schema"] == SCHEMA
    assert REQUIRED_KEYS.keys() <= entry.keys() <= (REQUIRED_KEYS | OPTIONAL_KEYS).keys()
    assert all(type(value) is (REQUIRED_KEYS | OPTIONAL_KEYS)[key] for key, value in entry.items())
    assert 1 <= entry["tier"] <= 5


def test_the_catalog_entry_agrees_with_the_build_and_the_homepage() -> None:
    entry = json.loads(CATALOG_FILE.read_text(encoding="utf-8"))
    assert re.findall(r"^project\((.+)\)$", CMAKE_TEXT, re.MULTILINE) == [CATALOG_FILE.stem]
    assert not CATALOG_FILE.stem.lower().startswith("slicer")
    assert entry["category"] == "Cardiac"
    assert entry["build_dependencies"] == described("DEPENDS").split()
    assert entry["scm_url"] == f"{described('HOMEPAGE')}.git"
    assert entry["scm_url"].endswith(f"/Slicer{CATALOG_FILE.stem}.git")


@pytest.mark.parametrize("module", ["ACNetClassifier", "ACNetTrainer"])
def test_a_modules_help_leads_to_a_page_of_the_branch_that_is_indexed(module: str) -> None:
    branch = json.loads(CATALOG_FILE.read_text(encoding="utf-8"))["scm_revision"]
    assert f"{described('HOMEPAGE')}/blob/{branch}/Documentation/" == DOCUMENTATION
    (page,) = re.findall(r'DOCUMENTATION \+ "(.+)"', (REPOSITORY / module / f"{module}.py").read_text(encoding="utf-8"))
    assert f"Documentation/{page}" in repository_files()


def test_the_catalog_entry_names_the_dicom_objects_that_are_read_as_t1_maps() -> None:
    """The rule has the syntax of the package rule-engine, of which this part is Python's too."""
    rule = json.loads(CATALOG_FILE.read_text(encoding="utf-8"))["dicom_support_rule"]
    assert set(re.findall(r"'([\d.]+)'", rule)) == set(IMAGE_STORAGE)

    def suggested(modality: str, storage: str) -> bool:
        return bool(eval(rule, {"__builtins__": {}}, {"Modality": modality, "SOPClassUID": storage}))

    assert all(suggested("MR", storage) for storage in IMAGE_STORAGE)
    assert suggested("OT", ParametricMapStorage)
    assert not suggested("CT", CTImageStorage)
    assert not suggested("SEG", SegmentationStorage)


def test_what_slicer_lacks_for_the_outputs_is_recommended() -> None:
    assert described("RECOMMENDS").split() == ["QuantitativeReporting"]  # it exports DICOM SEG
    keywords = described("KEYWORDS").split()
    assert {"MRI", "T1", "DCM"} <= set(keywords)
    assert len(keywords) == len(set(keywords))


@pytest.mark.parametrize("url", [described("ICONURL"), *described("SCREENSHOTURLS").split()])
def test_every_picture_of_the_description_is_a_file_of_the_branch_that_is_indexed(url: str) -> None:
    match = RAW_URL.fullmatch(url)
    assert match is not None, f"{url} is no raw address of a picture"
    repository, branch, path = match.groups()
    assert described("HOMEPAGE") == f"https://github.com/{repository}"
    assert branch == json.loads(CATALOG_FILE.read_text(encoding="utf-8"))["scm_revision"]
    assert path in repository_files()
    with Image.open(REPOSITORY / path) as picture:
        picture.verify()


def test_the_description_is_short_and_says_what_the_software_is_not() -> None:
    description = described("DESCRIPTION")
    assert 1 <= len(re.findall(r"[.](?: |$)", description)) <= 2
    assert "research only" in description
    assert "simulated" in description


def test_the_extensions_icon_is_drawn_from_the_modules() -> None:
    icon = QImage(str(ICON)).convertToFormat(QImage.Format.Format_RGBA8888)
    assert (icon.width(), icon.height()) == (ICON_PIXELS, ICON_PIXELS)
    assert np.abs(pixels_of(icon) - pixels_of(drawn_icon())).mean() < 2, "run make icon"


def pixels_of(image: QImage) -> np.ndarray:
    """(rows, columns, 4), signed so that differences can be taken."""
    return np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4).astype(np.int16)


def test_the_repository_is_small_and_holds_no_binaries_but_its_own() -> None:
    # What a clone brings: each object of the history once, packed, while a working copy may store some several times.
    pack = ["git", "pack-objects", "--stdout", "--revs", "-q"]
    packed = subprocess.run(pack, cwd=REPOSITORY, input=b"HEAD\n", capture_output=True, check=True).stdout
    files = repository_files()
    checked_out_mb = sum((REPOSITORY / file).stat().st_size for file in files) / 1e6
    assert checked_out_mb + len(packed) / 1e6 < LARGEST_REPOSITORY_MB
    assert not [file for file in files if "__pycache__" in file or file.endswith(".pyc")]
    binaries = [file for file in files if b"\0" in (REPOSITORY / file).read_bytes()]
    packed_tables = {file for file in binaries if file.startswith(KEPT_COMPARISON) and file.endswith(".csv.gz")}
    assert {Path(file).suffix for file in set(binaries) - packed_tables - {PACKED_API}} <= BINARY_SUFFIXES


def test_the_licence_has_a_name_that_the_index_knows() -> None:
    assert LICENSE_NAMES & set(repository_files())


@pytest.mark.parametrize("module", MODULES)
def test_nothing_that_ships_can_send_anything_by_itself(module: str) -> None:
    for file in set((REPOSITORY / module).rglob("*.py")) - {SENDER}:
        imported = re.findall(r"^\s*(?:import|from) +(\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
        assert not NETWORK_PACKAGES & set(imported), file


def test_one_version_stands_everywhere() -> None:
    citation = (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")
    changes = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^version: (\S+)$", citation, re.MULTILINE) == [__version__]
    assert re.findall(r"^## \[(\S+)\]", changes, re.MULTILINE)[0] == __version__
