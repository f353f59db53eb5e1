"""Images that are no native T1 map of a heart, and what the outside score makes of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ACNetLib.inference.classifier import Classifier
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.pipeline import load_finder
from ACNetLib.models.model import Model
from ACNetLib.networks.acnet import ACNet
from ACNetLib.networks.outside import REGIONS
from ACNetTrainerLib.cases.library import CaseLibrary
from ACNetTrainerLib.study import third_answer
from ACNetTrainerLib.study.image_shifts import SHIFTS, as_it_is
from ACNetTrainerLib.study.third_answer import judge_shifts, verdicts
from conftest import a_card

CPU = DeviceChoice("cpu", "asked for")


def test_every_shift_changes_the_slice_in_its_own_way(simulated_library: CaseLibrary) -> None:
    case = simulated_library.cases[0]
    t1_map = simulated_library.t1_map(case)
    grid = simulated_library.grid(case, t1_map)
    plain = as_it_is(t1_map, grid, np.random.default_rng(1))
    crops = {name: shift(t1_map, grid, np.random.default_rng(1)) for name, shift in SHIFTS.items()}
    assert {crop.shape for crop in crops.values()} == {(128, 128)}
    np.testing.assert_array_equal(crops["mirrored"][::-1], plain)
    assert np.percentile(crops["contrast"], 90) < 700 < np.median(plain[plain > 0])
    assert np.std(crops["noise"] - plain) == pytest.approx(140, rel=0.1)
    assert np.abs(np.diff(crops["motion"], axis=0)).mean() < np.abs(np.diff(plain, axis=0)).mean()
    assert all(np.abs(crop - plain).mean() > 20 for crop in crops.values())


def test_verdicts_and_an_auroc_for_each_shift_are_told(simulated_library: CaseLibrary) -> None:
    torch.manual_seed(2)
    model = Model(ACNet(outside=REGIONS).eval(), replace(a_card("outside"), network={"outside": REGIONS}))
    one_of_each = {case.label: case.patient for case in simulated_library.cases}.values()
    library = replace(simulated_library, cases=tuple(c for c in simulated_library.cases if c.patient in one_of_each))
    shifts = judge_shifts(model, library, 1, CPU)
    assert set(shifts) == {*SHIFTS, "no_heart"}
    assert all(shift["auroc"]["value"] == 0.5 for shift in shifts.values())  # a score of zeros tells nothing
    groups = verdicts(Classifier(model, load_finder(), CPU), library, [library])
    patients = {"normal": 1, "dcm": 1, "cases": 2, "small_normal": 1, "small_dcm": 1}
    assert {name: group["patients"] for name, group in groups.items()} == patients
    assert groups["cases"]["verdicts"]["not_answered"]["value"] == 0


def test_a_childs_maps_have_the_same_pixels_at_two_thirds_of_their_width(simulated_library: CaseLibrary) -> None:
    t1_map = simulated_library.t1_map(simulated_library.cases[0])
    (small,) = third_answer._as_children([t1_map])
    np.testing.assert_array_equal(small.array, t1_map.array)
    column_mm, row_mm, slice_mm = t1_map.image.GetSpacing()
    assert small.image.GetSpacing() == pytest.approx((2 / 3 * column_mm, 2 / 3 * row_mm, slice_mm))


def test_an_interval_draws_a_patient_with_and_without_the_change_together() -> None:
    """Each score rises by half of what patients differ by: told apart in part, and of every patient the same."""
    rng = np.random.default_rng(1)
    usual = rng.normal(size=100)
    shifted = usual + 0.5 + 0.05 * rng.normal(size=100)
    together, apart = (third_answer.shift_values(usual, shifted, same)["auroc"] for same in (True, False))
    assert together["value"] == apart["value"]
    widths = [each["high"] - each["low"] for each in (together, apart)]
    assert widths[0] < 0.5 * widths[1]
