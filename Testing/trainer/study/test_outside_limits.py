"""Limits that are set together call one in twenty patients unlike, by any of three values."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.outside import OutsideLimits
from ACNetLib.models.card import read_card
from ACNetLib.models.model import Model, load_model, save_model
from ACNetLib.models.store import model_for_field
from ACNetTrainerLib.cases.library import CaseLibrary
from ACNetTrainerLib.commands.main import main
from ACNetTrainerLib.study.outside_limits import shares_unlike
from ACNetTrainerLib.training import outside_limits
from ACNetTrainerLib.training.outside_limits import FALSE_ALARMS, Values, fit_limits, limits_by_shape
from conftest import a_card

CPU = DeviceChoice("cpu", "asked for")


def patients(count: int, seed: int, shift: dict[str, float] | None = None) -> list[Values]:
    """Three slices of each; a patient's slices vary less than patients do."""
    rng = np.random.default_rng(seed)
    return [
        {
            name: (rng.normal((shift or {}).get(name, 0.0), 1.0) + rng.normal(0.0, 0.5, 3)).tolist()
            for name in ("score", "relative_wall", "rv_to_lv")
        }
        for _ in range(count)
    ]


def test_of_the_patients_who_set_the_limits_one_in_twenty_is_above_any_of_them() -> None:
    values = patients(1000, 1)
    limits = fit_limits(values)
    found = shares_unlike(values, limits)
    assert FALSE_ALARMS - 0.01 < found["any"]["value"] <= FALSE_ALARMS
    assert found["rv_to_lv"]["value"] > 2 * found["relative_wall"]["value"]
    assert 0.03 < shares_unlike(patients(1000, 2), limits)["any"]["value"] < 0.075


def test_limits_fall_with_the_number_of_slices_for_a_mean_varies_less() -> None:
    for one, _, three in vars(fit_limits(patients(500, 3))).values():
        assert one > three


@pytest.mark.parametrize("name", ["score", "relative_wall", "rv_to_lv"])
def test_who_differs_in_one_value_is_called_unlike_by_that_one(name: str) -> None:
    limits = fit_limits(patients(500, 4))
    found = shares_unlike(patients(100, 5, {name: 4.0}), limits)
    assert found[name]["value"] > 0.9
    assert all(found[other]["value"] < 0.1 for other in vars(limits) if other != name)


def test_a_value_that_no_slice_has_gets_no_limit_and_calls_nobody_unlike() -> None:
    values = [{**each, "score": [float("nan")] * 3} for each in patients(200, 6)]
    limits = fit_limits(values)
    assert limits.score == ()
    assert shares_unlike(values, limits)["score"]["value"] == 0


def test_a_new_model_gets_the_limits_of_its_own_hearts_or_lent_ones_where_these_are_few(
    simulated_library: CaseLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = replace(a_card("parent"), outside_limits=OutsideLimits((1.0,), (0.5,), (1.5,)))
    cases = simulated_library.cases
    assert limits_by_shape(simulated_library, cases, parent, CPU) == (OutsideLimits((), (0.5,), (1.5,)), "parent")
    shipped = read_card(model_for_field(cases[0].field_strength_tesla))
    assert len(shipped.outside_limits.relative_wall) == len(shipped.outside_limits.rv_to_lv) == 3
    for without in (None, a_card("of before")):
        lent = limits_by_shape(simulated_library, cases, without, CPU)
        assert lent == (replace(shipped.outside_limits, score=()), shipped.name)
    monkeypatch.setattr(outside_limits, "FEWEST_PATIENTS", 12)
    own, lender = limits_by_shape(simulated_library, cases, parent, CPU)
    assert (own.score, lender) == ((), "")
    assert len(own.relative_wall) == len(own.rv_to_lv) == 3
    assert 0.3 < own.relative_wall[-1] < 0.8


def test_the_command_writes_the_limits_into_the_models_card(
    a_model: Model, simulated_library: CaseLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = {"optimization": {"validation_fraction": 0.5, "seed": 1}}
    file, output, saved = tmp_path / "m.safetensors", tmp_path / "limits.json", tmp_path / "with.safetensors"
    save_model(Model(a_model.network, replace(a_model.card, training={"recipe": recipe})), file)
    command = ["outside-limits", str(file), str(simulated_library.folder), "--others", str(simulated_library.folder)]
    command += ["--patients", "2", "--output", str(output), "--save-model", str(saved)]
    assert main(command) == 2
    monkeypatch.setattr("ACNetTrainerLib.study.outside_limits.FEWEST_PATIENTS", 4)
    assert main(command) == 0
    record = json.loads(output.read_text(encoding="utf-8"))
    assert record["held_back"]["patients"] == 6
    assert record["others"]["cases"]["patients"] == 2
    limits = load_model(saved).card.outside_limits
    assert limits == OutsideLimits(**{name: tuple(values) for name, values in record["limits"].items()})
    assert len(limits.relative_wall) == 3
    assert 0.2 < limits.relative_wall[-1] < 1.0
