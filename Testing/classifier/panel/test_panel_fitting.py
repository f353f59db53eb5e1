"""A T1 map from a folder with inversion images, by the panel's button."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import slicer.util

from ACNetLib.fitting.process import fit_in_process, main
from ACNetLib.scene.input import t1_map_from_volume_node
from ACNetLib.volumes.header import FITTED_KEY
from ACNetTrainerLib.simulation.sequences import Timing
from panel_fixtures import answer_with_folder, wait_for_end
from recovery_files import a_phantom, recovery_images, write_recovery

MOLLI = Timing(heart_rate_bpm=70)


@pytest.fixture
def inversion_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, which the user chooses."""
    images, times_ms = recovery_images(MOLLI)
    scanner = {"Manufacturer": "SIEMENS", "ManufacturerModelName": "Avanto"}
    folder = write_recovery(tmp_path / "exam", images, times_ms, **scanner)
    answer_with_folder(folder, monkeypatch)
    return folder


def test_the_map_is_loaded_chosen_and_marked(a_module: Any, ui: Any, inversion_images: Path) -> None:
    ui.fitButton.click()
    assert ui.applyButton.text == "Cancel"
    assert not ui.fitButton.enabled
    wait_for_end(a_module)
    volume = ui.volumeSelector.currentNode()
    assert volume.GetName() == "T1 fitted"  # the folder may be named after the patient
    assert volume.GetAttribute(FITTED_KEY).startswith("MOLLI 5(3)3, magnitude images of series 3")
    assert "T1 map made: MOLLI 5(3)3" in ui.statusLabel.text
    t1_map = t1_map_from_volume_node(volume)
    assert (t1_map.field_strength_tesla, t1_map.scanner, t1_map.sequence) == (1.5, "SIEMENS Avanto", "MOLLI")
    ui.referenceMeanSpinBox.value = 1012
    assert not ui.rememberReferenceButton.enabled, "it would be taken for the scanner's own maps"
    assert any("it was fitted by ACNet" in warning for warning in t1_map.warnings)
    wall = a_phantom().of("wall")
    assert 1000 < np.median(slicer.util.arrayFromVolume(volume)[0][wall]) < 1150


def test_what_is_to_be_known_of_the_fit_is_said(a_module: Any, ui: Any, inversion_images: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    for file in inversion_images.iterdir():
        file.unlink()
    write_recovery(inversion_images, images[:-2], times_ms[:-2], SeriesDescription="MOLLI")
    ui.fitButton.click()
    wait_for_end(a_module)
    first, *notes = ui.statusLabel.text.splitlines()
    assert first.startswith("T1 map made: MOLLI")
    assert any("those of no known MOLLI scheme" in note for note in notes)


def test_a_childs_map_that_was_fitted_here_says_so_in_the_scene(a_module: Any, ui: Any, inversion_images: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    write_recovery(inversion_images, images, times_ms, PatientAge="009Y")
    ui.fitButton.click()
    wait_for_end(a_module)
    assert "younger than 18 years" in ui.statusLabel.text
    warnings = t1_map_from_volume_node(ui.volumeSelector.currentNode()).warnings
    assert sum("younger than 18 years" in warning for warning in warnings) == 1


def test_cancel_ends_the_process_and_leaves_the_scene_as_it_was(a_module: Any, ui: Any, inversion_images: Path) -> None:
    ui.fitButton.click()
    ui.applyButton.click()
    wait_for_end(a_module)
    assert ui.volumeSelector.currentNode() is None
    assert ui.statusLabel.text == "Cancelled: nothing was changed."
    assert ui.fitButton.enabled


def test_what_can_not_be_fitted_is_said_without_a_command_s_options(
    a_module: Any, ui: Any, inversion_images: Path
) -> None:
    images, times_ms = recovery_images(MOLLI)
    write_recovery(inversion_images, images, times_ms, series=4)
    ui.fitButton.click()
    wait_for_end(a_module)
    assert ui.statusLabel.text.endswith("as after a repeated breath-hold; expected one.")
    assert ui.volumeSelector.currentNode() is None


def test_an_error_that_nobody_foresaw_says_that_the_map_could_not_be_made(
    a_module: Any,
    ui: Any,
    inversion_images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    raised: list[BaseException],
) -> None:
    broken = tmp_path / "bin" / "PythonSlicer"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho its installation is broken >&2\nexit 1\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(broken.parent), prepend=os.pathsep)
    ui.fitButton.click()
    wait_for_end(a_module)
    assert ui.statusLabel.text == "The T1 map could not be made. See the error log."
    assert [str(error) for error in raised] == ["its installation is broken"]
    assert ui.volumeSelector.currentNode() is None


def test_no_folder_chosen_does_nothing(a_module: Any, ui: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with_folder("", monkeypatch)
    ui.fitButton.click()
    assert ui.applyButton.text == "Apply"


def test_a_cancelled_process_is_gone_and_has_written_no_map(
    inversion_images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen] = []
    start = subprocess.Popen

    def remembered(*arguments: Any, **options: Any) -> subprocess.Popen:
        started.append(start(*arguments, **options))
        return started[-1]

    class Stopped(Exception):
        pass

    def stop(_step: str, _fraction: float) -> None:
        raise Stopped

    monkeypatch.setattr(subprocess, "Popen", remembered)
    with pytest.raises(Stopped):
        fit_in_process(inversion_images, tmp_path / "map.nrrd", stop)
    assert [process.returncode is not None for process in started] == [True]
    assert not list(tmp_path.glob("*.nrrd"))


def test_the_process_says_how_far_it_is(
    inversion_images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(str(inversion_images), str(tmp_path / "map.nrrd")) == 0
    assert [float(line) for line in capsys.readouterr().out.splitlines()] == [0.0, 0.9]
    assert (tmp_path / "map.nrrd").is_file()
