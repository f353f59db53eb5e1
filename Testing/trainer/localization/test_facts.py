"""Errors of what is found are those from the truth: none where the truth is found, and as large as made elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ACNetLib.resources import resources_folder
from ACNetTrainerLib.cases.library import CaseLibrary
from ACNetTrainerLib.commands.main import main
from ACNetTrainerLib.localization.facts import distribution


def test_the_sizes_of_errors_are_told_and_their_mean_with_its_sign() -> None:
    found = distribution(np.array([-4.0, -2.0, 1.0, np.nan]))
    assert (found["measured"], found["median"], found["mean_signed"]) == (3, 2.0, -1.67)
    assert found["low"] <= found["median"] <= found["high"]


def test_the_command_measures_the_shipped_localizer(
    simulated_library: CaseLibrary, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    localizer, output = resources_folder() / "Models" / "localizer-simulated.safetensors", tmp_path / "facts.json"
    assert main(["facts", str(localizer), str(simulated_library.folder), "--output", str(output)]) == 0
    record = json.loads(output.read_text())
    assert record["patients"] == 12
    assert record["septal_t1_ms"]["outlines"]["median"] < 25
    assert record["wall_thickness_mm"]["outlines"]["median"] < 2
    assert len(record["segments_t1_ms"]["by_segment_median"]) == 16
    assert "Median errors on simulated patients" in capsys.readouterr().out
