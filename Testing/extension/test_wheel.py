"""The wheel, installed as anyone would: in an environment of its own, run from an empty folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from ACNetLib import __version__
from repository import REPOSITORY

SOURCES = ("ACNetClassifier", "ACNetTrainer", "pyproject.toml", "README.md", "LICENSE.txt")


@dataclass(frozen=True)
class Installed:
    """The wheel, where its commands are, and an empty folder to call them from, in a repository that is not ours."""

    wheel: Path
    scripts: Path
    folder: Path

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [self.scripts / command, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
        )


def called(arguments: Sequence[str | Path], folder: Path) -> None:
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Of the libraries that it needs, those of this environment are taken: nothing is fetched."""
    room = tmp_path_factory.mktemp("wheel")
    sources = room / "sources"  # building leaves files behind
    for name in SOURCES:
        if (REPOSITORY / name).is_dir():
            shutil.copytree(
                REPOSITORY / name, sources / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
            )
        else:
            shutil.copy(REPOSITORY / name, sources / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    called([*pip, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", room / "dist", sources], room)
    (wheel,) = (room / "dist").glob("*.whl")
    other = room / "somebody's repository"
    other.mkdir()
    called(["git", "init", "--quiet"], other)
    identity = ["-c", "user.name=x", "-c", "user.email=x@y"]
    called(["git", *identity, "commit", "--quiet", "--allow-empty", "-m", "theirs"], other)
    environment, folder = other / "environment", other / "empty"
    folder.mkdir()
    venv.create(environment)
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / ("python.exe" if os.name == "nt" else "python")
    called([*pip, "--python", python, "install", "--no-deps", "--no-index", wheel], room)
    paths = {"base": str(environment), "platbase": str(environment)}
    packages = Path(sysconfig.get_path("purelib", "nt" if os.name == "nt" else "posix_prefix", vars=paths))
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return Installed(wheel, scripts, folder)


@pytest.mark.parametrize(("module", "library"), [("ACNetClassifier", "ACNetLib"), ("ACNetTrainer", "ACNetTrainerLib")])
def test_the_wheel_holds_every_resource_of_the_modules(installed: Installed, module: str, library: str) -> None:
    resources = [file for file in (REPOSITORY / module / "Resources").rglob("*") if file.is_file()]
    expected = {f"{library}/{file.relative_to(REPOSITORY / module).as_posix()}" for file in resources}
    assert any(".safetensors" in file or ".toml" in file for file in expected)
    with zipfile.ZipFile(installed.wheel) as wheel:
        assert {name for name in wheel.namelist() if name.startswith(f"{library}/Resources/")} == expected


def test_the_demo_runs_from_an_empty_folder(installed: Installed) -> None:
    done = installed.run("acnet", "demo", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    result = json.loads((installed.folder / "acnet-demo" / "ACNetSimulatedDCM" / "result.json").read_text("utf-8"))
    assert result["verdict"] == "dcm"
    assert result["software"] == {"name": "SlicerACNet", "version": __version__}
    shutil.rmtree(installed.folder / "acnet-demo")


def test_the_shipped_models_and_recipes_are_there(installed: Installed) -> None:
    listed = installed.run("acnet", "models", "list")
    assert "acnet-simulated-1.5T" in listed.stdout, listed.stderr
    refused = installed.run("acnet-train", "train", "none", "--recipe", "none", "--output", "x.safetensors")
    assert refused.returncode == 2
    assert "shipped are fine-tune, paper, recommended" in refused.stderr


def test_both_commands_tell_their_version(installed: Installed) -> None:
    for command in ("acnet", "acnet-train"):
        assert installed.run(command, "--version").stdout == f"{command} {__version__}\n"


def test_the_commit_of_a_repository_around_the_environment_is_not_taken_for_ours(installed: Installed) -> None:
    code = (
        "import json; from ACNetTrainerLib.evaluation.provenance import provenance; print(json.dumps(provenance('x')))"
    )
    record = json.loads(installed.run("python", "-c", code).stdout)
    assert record["commit"] is None
    assert record["uncommitted_changes"] is False
    assert record["versions"]["SlicerACNet"] == __version__


def test_the_wheel_has_every_package_of_both_libraries() -> None:
    listed = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "packages"
    ]
    expected = {"ACNetLib.Resources", "ACNetTrainerLib.Resources"}
    for top, library in (("ACNetClassifier", "ACNetLib"), ("ACNetTrainer", "ACNetTrainerLib")):
        inits = (REPOSITORY / top / library).rglob("__init__.py")
        expected |= {".".join(file.parent.relative_to(REPOSITORY / top).parts) for file in inits}
    assert set(listed) == expected
