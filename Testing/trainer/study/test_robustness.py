"""How a model and a regression on a reader's measures do where image quality is poor."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ACNetLib.models.model import Model, save_model
from ACNetTrainerLib.commands.main import main
from ACNetTrainerLib.evaluation.metrics import auroc
from ACNetTrainerLib.simulation.patient import draw_patient
from ACNetTrainerLib.study import robustness
from ACNetTrainerLib.study.robustness import DEGRADATIONS, peak_signal_to_noise_db, regression_log_odds, table

SCANS = [draw_patient(3, index, "normal", field).scan for field in (1.5, 3.0) for index in range(20)]


def test_the_command_judges_every_degradation_and_draws_it(
    a_model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = {key: replace(one, steps=(one.steps[0], one.steps[-1])) for key, one in DEGRADATIONS.items()}
    monkeypatch.setattr(robustness, "DEGRADATIONS", ends)
    file, output, picture = (tmp_path / name for name in ("untrained.safetensors", "result.json", "result.png"))
    save_model(a_model, file)
    arguments = ["--patients", "10", "--output", str(output), "--figure", str(picture)]
    assert main(["robustness", str(file), *arguments]) == 0

    record = json.loads(output.read_text(encoding="utf-8"))
    assert record["simulated"] is True
    assert record["model"] == "untrained"
    assert len(record["weights_sha256"]) == 64
    assert record["seed"] == 6
    assert (record["patients_normal"], record["patients_dcm"]) == (5, 5)
    assert list(record["degradations"]) == list(DEGRADATIONS)
    for degradation in record["degradations"].values():
        as_drawn, worst = degradation["steps"]
        assert as_drawn == record["degradations"]["noise"]["steps"][0] | {"level": as_drawn["level"]}
        assert worst["level"] > 1.4 * as_drawn["level"]
        assert worst["psnr_middle_db"] < as_drawn["psnr_middle_db"]
        for step in (as_drawn, worst):
            for name in ("auroc_model", "auroc_regression"):
                assert 0 <= step[name]["low"] <= step[name]["value"] <= step[name]["high"] <= 1
            difference = step["auroc_model"]["value"] - step["auroc_regression"]["value"]
            assert step["auroc_model_minus_regression"]["value"] == pytest.approx(difference, abs=2e-4)
    assert table(record["degradations"]) in capsys.readouterr().out
    with Image.open(picture) as image:
        assert min(image.size) > 500


@pytest.mark.parametrize("key", DEGRADATIONS)
def test_the_first_step_leaves_a_scan_as_it_was_drawn_and_each_further_one_is_worse(key: str) -> None:
    degradation = DEGRADATIONS[key]
    for scan in SCANS:
        np.testing.assert_equal(asdict(degradation.apply(scan, degradation.steps[0])), asdict(scan))
    mean = [np.mean([degradation.level(degradation.apply(scan, step)) for scan in SCANS]) for step in degradation.steps]
    assert all(better < worse for better, worse in pairwise(mean))


@pytest.mark.parametrize("key", DEGRADATIONS)
def test_a_degradation_worsens_its_own_respect_alone(key: str) -> None:
    for scan in SCANS:
        worst = DEGRADATIONS[key].apply(scan, DEGRADATIONS[key].steps[-1])
        for other in set(DEGRADATIONS) - {key}:
            assert DEGRADATIONS[other].level(worst) == DEGRADATIONS[other].level(scan)


def test_undegraded_patients_are_predicted_as_in_cross_validation() -> None:
    rng = np.random.default_rng(1)
    is_dcm = rng.permutation(60) < 30
    measures = rng.normal(size=(60, 3)) + is_dcm[:, None]
    regression = make_pipeline(StandardScaler(), LogisticRegression())
    expected = cross_val_predict(regression, measures, is_dcm, cv=5, method="decision_function")
    np.testing.assert_allclose(regression_log_odds(measures, measures, is_dcm), expected)


def test_the_regression_is_fitted_to_undegraded_measures_and_bears_missing_ones() -> None:
    rng = np.random.default_rng(2)
    is_dcm = rng.permutation(80) < 40
    measures = rng.normal(size=(80, 3)) + 2 * is_dcm[:, None]
    reversed_measures = measures.mean(axis=0) - (measures - measures.mean(axis=0))
    assert auroc(regression_log_odds(measures, measures, is_dcm), is_dcm) > 0.95
    assert auroc(regression_log_odds(measures, reversed_measures, is_dcm), is_dcm) < 0.05
    without_t1 = measures.copy()
    without_t1[::4, 0] = np.nan
    assert 0.9 < auroc(regression_log_odds(measures, without_t1, is_dcm), is_dcm) < 1


def test_an_error_of_a_tenth_of_the_range_is_20_db() -> None:
    assert peak_signal_to_noise_db(np.full((4, 4), -25.5, np.float32)) == pytest.approx(20)
