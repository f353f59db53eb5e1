"""Fits that failed are refused, or said, and the files of those that are written tell where they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ACNetLib.commands.main import main
from ACNetLib.errors import ACNetError
from ACNetLib.fitting.images import read_recovery_images
from ACNetLib.fitting.maps import fit_maps, write_maps
from ACNetLib.inference.exam import exam_reference
from ACNetLib.models.store import FOLDER_VARIABLE
from ACNetLib.reference.store import not_taken, remember_reference
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.t1map.t1_map import read_t1_map
from ACNetTrainerLib.simulation.sequences import Timing
from dicom_files import GAP_MM
from recovery_files import COLUMNS, recovery_images, write_recovery

MOLLI = Timing(heart_rate_bpm=70)
SASHA = Timing(60, sequence="SASHA")


def test_images_that_show_no_recovery_are_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, times_ms = recovery_images(MOLLI)
    write_recovery(tmp_path / "molli", images, times_ms)
    images, times_ms = recovery_images(SASHA)
    for index in range(len(times_ms)):
        one, beat_ms = slice(index, index + 1), 600 + 2.5 * (index % 5)
        untimed: dict[str, Any] = {"SeriesDescription": "SASHA_SAX", "InversionTime": None, "TriggerTime": beat_ms}
        write_recovery(tmp_path / "sasha" / str(index), images[one], times_ms[one], **untimed)
    for name, options, expected in (
        ("molli", ["--sequence", "sasha"], "slice 0, counted from 0, shows no recovery of SASHA at the times in Inv"),
        ("sasha", [], "none of its 10 DICOM images belong to a recovery"),
    ):
        output = tmp_path / "result" / "map.nrrd"
        arguments = ["fit", str(tmp_path / name), "--output", str(output), "--no-motion-correction", *options]
        assert main(arguments) == 2
        said = capsys.readouterr().err
        assert expected in said
        assert said.count("\n") == 1
        assert not output.parent.exists()


def test_one_slice_without_a_recovery_is_named(tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    write_recovery(tmp_path, images, times_ms)
    write_recovery(tmp_path, images[[5, 4, 3, 0, 7, 2, 1, 6]], times_ms, height_mm=GAP_MM)
    with pytest.raises(ACNetError, match=r"^3-12-\d\.dcm: slice 1, .* shows no recovery of MOLLI .*InversionTime"):
        fit_maps(read_recovery_images(tmp_path), correct=False)


def test_psir_images_with_a_wrong_offset_are_said(tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    stored = (images * np.exp(-1j * np.linspace(-1, 1, COLUMNS))).real + 2048
    doubts = {}
    for intercept in (-2048, -1000):
        told: dict[str, Any] = {"SeriesDescription": "MOLLI_PSIR", "RescaleSlope": 1, "RescaleIntercept": intercept}
        folder = write_recovery(tmp_path / str(-intercept), stored, times_ms, **told)
        warnings = fit_maps(read_recovery_images(folder), correct=False).warnings
        doubts[intercept] = [
            each for each in warnings if "is doubtful: with it the bright pixels have a median" in each
        ]
    assert [len(each) for each in doubts.values()] == [0, 1], doubts


@pytest.mark.parametrize(("timing", "description"), [(MOLLI, "MOLLI"), (SASHA, "SASHA")])
def test_a_poor_recovery_is_said_of_every_sequence(timing: Timing, description: str, tmp_path: Path) -> None:
    images, times_ms = recovery_images(timing)
    told_ms = np.where(times_ms > 1e4, 0, times_ms)
    write_recovery(tmp_path / "whole", images, told_ms, SeriesDescription=description)
    whole = fit_maps(read_recovery_images(tmp_path / "whole"), correct=False)
    spoiled = images.copy()
    spoiled[::2, 50:] *= 0.5  # in another scale, in more than half of the body
    write_recovery(tmp_path / "spoiled", spoiled, told_ms, SeriesDescription=description)
    maps = fit_maps(read_recovery_images(tmp_path / "spoiled"), correct=False)
    assert not any("poorly" in each for each in whole.warnings)
    assert any(each.endswith("of slice 0 poorly (R2 below 0.95).") for each in maps.warnings), maps.warnings


@pytest.mark.parametrize(("timing", "description", "sequence"), [(MOLLI, "t1map", "MOLLI"), (SASHA, "SASHA", "SASHA")])
def test_the_map_tells_its_scanner_and_sequence_and_takes_no_reference_of_the_scanners_own_maps(
    timing: Timing, description: str, sequence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "models"))
    images, times_ms = recovery_images(timing)
    scanner = {"Manufacturer": "SIEMENS", "ManufacturerModelName": "Avanto", "SeriesDescription": description}
    folder = write_recovery(tmp_path / "images", images, np.where(times_ms > 1e4, 0, times_ms), **scanner)
    write_maps(fit_maps(read_recovery_images(folder), correct=False), tmp_path / "map.nrrd")
    t1_map = read_t1_map(tmp_path / "map.nrrd")
    assert (t1_map.scanner, t1_map.field_strength_tesla, t1_map.sequence) == ("SIEMENS Avanto", 1.5, sequence)
    assert t1_map.fitted.startswith(sequence)
    remember_reference("SIEMENS Avanto", 1.5, ReferenceT1(1012.0, 28.0), sequence)
    assert exam_reference([t1_map], None) is None
    assert not_taken(t1_map)
