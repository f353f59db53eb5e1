"""Limits that are set together call one in twenty patients of each class unlike, by any of three values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.outside import LimitsByCall, OutsideLimits
from ACNetLib.models.card import read_card
from ACNetLib.models.model import Model, load_model, save_model
from ACNetLib.models.store import model_for_field
from ACNetTrainerLib.cases.library import CaseLibrary
from ACNetTrainerLib.commands.main import main
from ACNetTrainerLib.study.outside_limits import shares_unlike
from ACNetTrainerLib.training import outside_limits
from ACNetTrainerLib.training.outside_limits import FALSE_ALARMS, Judged, Means, fit_limits, limits_by_shape
from conftest import a_card

CPU = DeviceChoice("cpu", "asked for")


NAMES = ("score", "relative_wall", "rv_to_lv")
NORMAL_ABOVE_DCM = 2.0
"""By so much a normal heart's values are higher."""


def patients(count: int, seed: int, shift: dict[str, float] | None = None, called: float = 0.9) -> list[Judged]:
    """Three slices of each; a patient's slices vary less than patients do. Half are normal, and so many of either class
    are called what they are."""
    rng = np.random.default_rng(seed)
    drawn = []
    for number in range(count):
        is_dcm = bool(number % 2)
        usual = 0.0 if is_dcm else NORMAL_ABOVE_DCM
        values = {
            name: (rng.normal(usual + (shift or {}).get(name, 0.0), 1.0) + rng.normal(0.0, 0.5, 3)).tolist()
            for name in NAMES
        }
        drawn.append(Judged(is_dcm, is_dcm == (rng.random() < called), values))
    return drawn


def test_of_either_class_one_in_twenty_of_those_who_set_the_limits_is_above_any_of_them() -> None:
    judged = patients(2000, 1, called=1.0)
    limits = fit_limits(judged)
    found, others = shares_unlike(judged, limits), shares_unlike(patients(2000, 2, called=1.0), limits)
    for label in ("normal", "dcm"):
        assert FALSE_ALARMS - 0.015 < found[label]["any"]["value"] <= FALSE_ALARMS
        assert found[label]["rv_to_lv"]["value"] > 2 * found[label]["relative_wall"]["value"]
        assert 0.03 < others[label]["any"]["value"] < 0.08
    for normal, dcm in zip(vars(limits.normal).values(), vars(limits.dcm).values(), strict=True):
        assert normal[-1] - dcm[-1] == pytest.approx(NORMAL_ABOVE_DCM, abs=0.5)


def test_who_is_called_the_other_class_has_its_limits_and_counts_among_the_false_alarms() -> None:
    judged = patients(2000, 3)
    found = shares_unlike(judged, fit_limits(judged))
    assert max(found[label]["any"]["value"] for label in ("normal", "dcm")) <= FALSE_ALARMS
    miscalled = [each for each in judged if not each.is_dcm and each.called_dcm]
    limits = fit_limits(patients(2000, 1, called=1.0))
    assert np.mean([each.is_unlike(limits) for each in miscalled]) > 0.3, "normal walls are thick for a dilated heart"


def test_limits_fall_with_the_number_of_slices_for_a_mean_varies_less() -> None:
    limits = fit_limits(patients(1000, 3))
    for of_call in vars(limits).values():
        for one, _, three in vars(of_call).values():
            assert one > three


def test_patients_with_whole_stacks_do_not_set_the_limits_of_those_with_three_slices() -> None:
    def alike(judged: list[Judged], slices: int) -> list[Judged]:
        return [replace(each, values={name: [v[0]] * slices for name, v in each.values.items()}) for each in judged]

    judged, odd = alike(patients(2000, 7, called=1.0), 3), patients(2, 8, {"relative_wall": 5.0}, called=1.0)
    few, whole = (fit_limits([*judged, *alike(odd, slices)]) for slices in (3, 12))
    for call in ("normal", "dcm"):
        for of_few, of_whole in zip(vars(vars(few)[call]).values(), vars(vars(whole)[call]).values(), strict=True):
            assert of_whole == pytest.approx(of_few, abs=0.1)


def test_with_the_same_weight_for_all_the_limit_is_numpys_quantile() -> None:
    values = np.random.default_rng(1).normal(size=77)
    for share in (0.0, 0.013, 0.5, 0.95, 1.0):
        found = Means(values, np.full(77, 1 / 3)).quantile(share)
        assert found == pytest.approx(float(np.quantile(values, share)))
    assert Means(np.array([2.0]), np.array([0.1])).quantile(0.95) == 2.0


@pytest.mark.parametrize("name", NAMES)
def test_who_differs_in_one_value_is_called_unlike_by_that_one(name: str) -> None:
    limits = fit_limits(patients(1000, 4, called=1.0))
    for found in shares_unlike(patients(200, 5, {name: 4.5}, called=1.0), limits).values():
        assert found[name]["value"] > 0.9
        assert all(found[other]["value"] < 0.1 for other in NAMES if other != name)


def test_a_value_that_no_slice_has_gets_no_limit_and_calls_nobody_unlike() -> None:
    judged = [replace(each, values={**each.values, "score": [float("nan")] * 3}) for each in patients(400, 6)]
    limits = fit_limits(judged)
    assert limits.normal.score == limits.dcm.score == ()
    assert shares_unlike(judged, limits)["normal"]["score"]["value"] == 0


def test_a_new_model_gets_the_limits_of_its_own_hearts_or_lent_ones_where_these_are_few(
    simulated_library: CaseLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_parent = LimitsByCall(OutsideLimits((1.0,), (0.5,), (1.5,)), OutsideLimits((1.0,), (0.4,), (1.2,)))
    parent = replace(a_card("parent"), outside_limits=of_parent)
    cases = simulated_library.cases
    called = {case.patient: case.is_dcm for case in cases}
    lent = LimitsByCall(OutsideLimits((), (0.5,), (1.5,)), OutsideLimits((), (0.4,), (1.2,)))
    assert limits_by_shape(simulated_library, cases, called, parent, CPU) == (lent, "parent")
    shipped = read_card(model_for_field(cases[0].field_strength_tesla))
    for of_call in vars(shipped.outside_limits).values():
        assert len(of_call.relative_wall) == len(of_call.rv_to_lv) == 3
    assert shipped.outside_limits.dcm.relative_wall[-1] < shipped.outside_limits.normal.relative_wall[-1]
    for without in (None, a_card("of before")):
        lent, lender = limits_by_shape(simulated_library, cases, called, without, CPU)
        assert lent.dcm == replace(shipped.outside_limits.dcm, score=())
        assert lent.normal == replace(shipped.outside_limits.normal, score=())
        assert lender == shipped.name
    monkeypatch.setattr(outside_limits, "FEWEST_FOR_LIMITS", 6)
    own, lender = limits_by_shape(simulated_library, cases, called, parent, CPU)
    assert (own.normal.score, own.dcm.score, lender) == ((), (), "")
    for of_call in vars(own).values():
        assert len(of_call.relative_wall) == len(of_call.rv_to_lv) == 3
        assert 0.25 < of_call.relative_wall[-1] < 1.2  # of six patients, one of whose slices is found badly


def test_the_command_writes_the_limits_into_the_models_card(
    a_model: Model, simulated_library: CaseLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = {"optimization": {"validation_fraction": 0.5, "seed": 1}}
    file, output, saved = tmp_path / "m.safetensors", tmp_path / "limits.json", tmp_path / "with.safetensors"
    save_model(Model(a_model.network, replace(a_model.card, training={"recipe": recipe})), file)
    command = ["outside-limits", str(file), str(simulated_library.folder), "--others", str(simulated_library.folder)]
    command += ["--patients", "2", "--output", str(output), "--save-model", str(saved)]
    assert main(command) == 2
    monkeypatch.setattr("ACNetTrainerLib.study.outside_limits.FEWEST_FOR_LIMITS", 2)
    assert main(command) == 0
    record = json.loads(output.read_text(encoding="utf-8"))
    assert [record["held_back"][label]["patients"] for label in ("normal", "dcm")] == [3, 3]
    assert [record["held_back_elsewhere"][label]["patients"] for label in ("normal", "dcm")] == [3, 3]
    assert sum(of_label["patients"] for of_label in record["others"]["cases"].values()) == 2
    limits = load_model(saved).card.outside_limits
    for call, of_call in vars(limits).items():
        written = {name: tuple(values) for name, values in record["limits"][call].items()}
        assert of_call == OutsideLimits(**written)


def test_the_limits_are_set_on_patients_as_they_are_and_as_other_sites_have_them(
    a_model: Model, simulated_library: CaseLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_on: list[Judged] = []

    def noted(judged: Sequence[Judged]) -> LimitsByCall:
        set_on.extend(judged)
        return fit_limits(judged)

    recipe = {"optimization": {"validation_fraction": 0.5, "seed": 1}}
    file = tmp_path / "m.safetensors"
    save_model(Model(a_model.network, replace(a_model.card, training={"recipe": recipe})), file)
    monkeypatch.setattr("ACNetTrainerLib.study.outside_limits.FEWEST_FOR_LIMITS", 2)
    monkeypatch.setattr(outside_limits, "fit_limits", noted)
    command = ["outside-limits", str(file), str(simulated_library.folder)]
    assert (
        main([*command, "--output", str(tmp_path / "l.json"), "--save-model", str(tmp_path / "with.safetensors")]) == 0
    )
    assert len(set_on) == 12
    for here, elsewhere in zip(set_on[:6], set_on[6:], strict=True):
        assert here.is_dcm == elsewhere.is_dcm
        assert here.values["relative_wall"] != elsewhere.values["relative_wall"], "outlines of a noisier map"
