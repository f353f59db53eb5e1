"""The headless host's slicer.packaging and sample data behave as Slicer's do."""

from __future__ import annotations

import hashlib
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import slicer.util

from repository import REPOSITORY

MISSING = "acnet-no-such-package>=1"

pytestmark = pytest.mark.usefixtures("host")


@pytest.fixture
def a_sample(tmp_path: Path) -> Path:
    file = tmp_path / "map.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(np.full((2, 4, 5), 1000, np.int16)), str(file))
    return file


@pytest.fixture(autouse=True)
def no_samples(host: None) -> Iterator[None]:
    """Neither registered nor in the scene."""
    yield
    vars(slicer.modules).pop("sampleDataSources", None)
    slicer.mrmlScene.Clear(0)


def test_packaging_is_there_after_its_import() -> None:
    code = (
        "from slicer_host import start_host; start_host(); import slicer\n"
        "assert not hasattr(slicer, 'packaging')\n"
        "import slicer.packaging\n"
        "assert slicer.packaging.pip_check('numpy')"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY / "Testing", check=True)


def test_a_package_counts_as_installed_with_its_version_and_extras() -> None:
    import slicer.packaging

    assert slicer.packaging.pip_check("numpy>=1")
    assert slicer.packaging.pip_check("numpy>=1; sys_platform == 'nowhere'")
    assert not slicer.packaging.pip_check("numpy>=1000")
    assert not slicer.packaging.pip_check(MISSING)


def test_requirements_are_read_without_comments_and_options(tmp_path: Path) -> None:
    import slicer.packaging

    (tmp_path / "requirements.txt").write_text("# comment\n-c constraints.txt\n\nsafetensors>=0.5\n")
    requirements = slicer.packaging.load_requirements(tmp_path / "requirements.txt")
    assert [str(requirement) for requirement in requirements] == ["safetensors>=0.5"]


def test_a_test_installs_nothing_unless_it_says_so(caplog: pytest.LogCaptureFixture) -> None:
    import slicer.packaging

    caplog.set_level(logging.INFO)
    assert slicer.packaging.pip_ensure([MISSING], prompt_install=False, requester="ACNet") is None
    assert MISSING in caplog.text
    with pytest.raises(RuntimeError, match=MISSING):
        slicer.util.executePythonModule("pip", ["install", MISSING])


@pytest.mark.parametrize("return_code", [0, 1])
def test_what_is_missing_is_installed_and_pips_failure_is_raised(
    a_user: list[str], monkeypatch: pytest.MonkeyPatch, return_code: int
) -> None:
    import slicer.packaging

    commands: list[list[str]] = []

    def execute(module: str, args: list[str], blocking: bool, logCallback: Any, completedCallback: Any) -> None:
        commands.append([module, *args])
        logCallback("what pip says")
        completedCallback(return_code)

    monkeypatch.setattr(slicer.util, "executePythonModule", execute)
    a_user.append("Ok")  # to the message that it failed
    if return_code:
        with pytest.raises(subprocess.CalledProcessError):
            slicer.packaging.pip_ensure([MISSING, "numpy"], prompt_install=False, requester="ACNet")
    else:
        slicer.packaging.pip_ensure([MISSING, "numpy"], prompt_install=False, requester="ACNet")
    assert commands == [["pip", "install", MISSING]]


def register(file: Path, checksum: str) -> None:
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="ACNet",
        sampleName="ACNetExample",
        uris=file.as_uri(),
        fileNames="example.nrrd",
        nodeNames="Example",
        checksums=f"SHA256:{checksum}",
    )


def test_a_sample_is_registered_once_and_loaded_into_the_scene(a_sample: Path) -> None:
    import SampleData

    for _time in range(2):
        register(a_sample, hashlib.sha256(a_sample.read_bytes()).hexdigest())
    (source,) = SampleData.SampleDataLogic.sampleDataSourcesByCategory("ACNet")
    assert slicer.modules.sampleDataSources["ACNet"] == [source]
    (node,) = SampleData.SampleDataLogic().downloadFromSource(source)
    assert node.GetName() == "Example"
    assert node.GetDisplayNode() is not None
    assert node.GetStorageNode() is None
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), 1000)


def test_a_sample_with_a_wrong_checksum_is_not_loaded(a_sample: Path) -> None:
    import SampleData

    register(a_sample, "0" * 64)
    (source,) = SampleData.SampleDataLogic.sampleDataSourcesByCategory("ACNet")
    assert SampleData.SampleDataLogic().downloadFromSource(source) == []


def test_a_volume_is_loaded_from_its_file(a_sample: Path) -> None:
    assert slicer.util.arrayFromVolume(slicer.util.loadVolume(str(a_sample))).shape == (2, 4, 5)
    with pytest.raises(RuntimeError, match=r"no\.nrrd"):
        slicer.util.loadVolume(str(a_sample.with_name("no.nrrd")))
