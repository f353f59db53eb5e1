"""What a model says of simulated hearts that it was not trained on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ACNetLib.models.model import Model, save_model
from ACNetLib.t1map.t1_map import read_t1_map
from ACNetTrainerLib.cases.library import CaseLibrary
from ACNetTrainerLib.commands.main import main
from ACNetTrainerLib.simulation.cohort import Cohort
from ACNetTrainerLib.simulation.section import simulate_section
from ACNetTrainerLib.study.answers import NOT_ANSWERED, VERDICTS
from ACNetTrainerLib.study.other_diseases import GROUP_NAMES, table
from ACNetTrainerLib.study.simulated_crops import crop_around_truth


def test_the_command_judges_every_disease_and_says_that_all_of_it_is_simulated(
    a_model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, output = tmp_path / "untrained.safetensors", tmp_path / "diseases.json"
    save_model(a_model, file)
    assert main(["other-diseases", str(file), "--patients", "1", "--output", str(output)]) == 0
    record = json.loads(output.read_text(encoding="utf-8"))
    assert record["simulated"] is True
    assert record["model"] == "untrained"
    assert len(record["weights_sha256"]) == 64
    assert record["seed"] == 5
    assert {"command", "commit", "versions"} <= set(record)
    assert list(record["groups"]) == list(GROUP_NAMES)
    for group in record["groups"].values():
        probability, verdicts = group["probability_dcm"], group["verdicts"]
        assert group["patients"] == 1
        assert 0 < probability["lower_quartile"] <= probability["median"] <= probability["upper_quartile"] < 1
        assert sum(verdicts[said]["value"] for said in (*VERDICTS, NOT_ANSWERED)) == 1
        for share in verdicts.values():
            assert share["low"] <= share["value"] <= share["high"]
            assert share["high"] - share["low"] > 0.6, "one patient proves little"
    assert table(record["groups"]) in capsys.readouterr().out


def test_a_section_simulated_on_the_spot_is_cropped_as_that_of_a_case_library(simulated_library: CaseLibrary) -> None:
    case = simulated_library.cases[1]
    t1_map = read_t1_map(simulated_library.path(case))
    patient = next(iter(Cohort(12, 0.5, 1.5, 21).draw()))
    assert case.case == f"{patient.name}-mid"
    expected = simulated_library.grid(case, t1_map).crop(t1_map).t1_ms
    # The library keeps centres to the micrometre.
    np.testing.assert_allclose(crop_around_truth(simulate_section(patient, "mid")), expected, atol=5)
