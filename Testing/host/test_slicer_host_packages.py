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

    assert slicer.packaging.pip_check(["numpy>=1", "SimpleITK"])
    assert slicer.packaging.pip_check("numpy>=1; sys_platform == 'nowhere'")
    assert not slicer.packaging.pip_check("numpy>=1000")
    assert not slicer.packaging.pip_check(MISSING)


def test_requirements_are_read_without_comments_and_options(tmp_path: Path) -> None:
    import slicer.packaging

    (tmp_path / "requirements.txt").write_text("# comment\n-c constraints.txt\n\nsafetensors>=0.5\n")
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["safetensors>=0.5"]\n')
    for requirements in (
        slicer.packaging.load_requirements(tmp_path / "requirements.txt"),
        slicer.packaging.load_pyproject_dependencies(tmp_path / "pyproject.toml"),
    ):
        assert [str(requirement) for requirement in requirements] == ["safetensors>=0.5"]


def test_a_test_installs_nothing_unless_it_says_so(caplog: pytest.LogCaptureFixture) -> None:
    import slicer.packaging

    caplog.set_level(logging.INFO)
    assert slicer.packaging.pip_ensure(MISSING, requester="ACNet") is None
    assert MISSING in caplog.text
    with pytest.raises(RuntimeError, match=MISSING):
        slicer.packaging.pip_ensure(MISSING, skip_in_testing=False, prompt_install=False)
    with pytest.raises(RuntimeError, match=MISSING):
        slicer.util.pip_install(MISSING)


def test_a_user_may_decline_an_installation(a_user: list[str]) -> None:
    import slicer.packaging

    a_user.append("Cancel")
    with pytest.raises(RuntimeError, match="declined"):
        slicer.packaging.pip_ensure(MISSING, requester="ACNet")


@pytest.mark.parametrize("return_code", [0, 1])
def test_what_is_missing_is_installed_after_consent_and_pips_failure_is_raised(
    a_user: list[str], monkeypatch: pytest.MonkeyPatch, return_code: int
) -> None:
    import slicer.packaging

    commands: list[list[str]] = []

    def execute(module: str, args: list[str], blocking: bool, logCallback: Any, completedCallback: Any) -> None:
        commands.append([module, *args])
        logCallback("what pip says")
        assert slicer.packaging.isPipInstallInProgress()
        completedCallback(return_code)

    monkeypatch.setattr(slicer.util, "executePythonModule", execute)
    a_user += ["Ok", "Ok"]  # to the question, and to the message that it failed
    if return_code:
        with pytest.raises(subprocess.CalledProcessError):
            slicer.packaging.pip_ensure([MISSING, "numpy"], requester="ACNet")
    else:
        slicer.packaging.pip_ensure([MISSING, "numpy"], requester="ACNet")
    assert commands == [["pip", "install", MISSING]]
    assert not slicer.packaging.isPipInstallInProgress()


def register(**fields: Any) -> None:
    import SampleData

    fields = {"sampleName": "ACNetExample", "fileNames": "example.nrrd", "nodeNames": "Example", **fields}
    SampleData.SampleDataLogic.registerCustomSampleDataSource(category="ACNet", **fields)


def checksum(file: Path) -> str:
    return f"SHA256:{hashlib.sha256(file.read_bytes()).hexdigest()}"


def test_a_sample_is_registered_once_and_loaded_into_the_scene(a_sample: Path) -> None:
    import SampleData

    for _time in range(2):
        register(uris=a_sample.as_uri(), checksums=checksum(a_sample))
    (source,) = slicer.modules.sampleDataSources["ACNet"]
    assert SampleData.SampleDataLogic().sourceForSampleName("ACNetExample") is source
    node = SampleData.SampleDataLogic().downloadSample("ACNetExample")
    assert node.GetName() == "Example"
    assert node.GetDisplayNode() is not None
    assert node.GetStorageNode() is None
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), 1000)


def test_a_sample_with_a_wrong_checksum_is_not_loaded(a_sample: Path) -> None:
    import SampleData

    register(uris=a_sample.as_uri(), checksums=f"SHA256:{'0' * 64}")
    assert SampleData.downloadSamples("ACNetExample") == []


def test_only_the_button_asks_a_custom_downloader(a_sample: Path) -> None:
    import SampleData

    asked: list[object] = []
    register(uris=a_sample.as_uri(), customDownloader=asked.append)
    assert SampleData.downloadSample("ACNetExample").GetName() == "Example"
    assert asked == []
    (source,) = slicer.modules.sampleDataSources["ACNet"]
    source.customDownloader(source)  # as the button does
    assert asked == [source]


def test_a_sample_whose_fields_do_not_go_together_is_refused(a_sample: Path) -> None:
    with pytest.raises(ValueError, match=r"length|each field"):
        register(uris=[a_sample.as_uri()] * 2, fileNames=["a.nrrd"], nodeNames=["a", "b"])
    with pytest.raises(TypeError):
        register(customDownloader=print)


def test_a_volume_is_loaded_from_its_file(a_sample: Path) -> None:
    assert slicer.util.arrayFromVolume(slicer.util.loadVolume(str(a_sample))).shape == (2, 4, 5)
    with pytest.raises(RuntimeError, match=r"no\.nrrd"):
        slicer.util.loadVolume(str(a_sample.with_name("no.nrrd")))
