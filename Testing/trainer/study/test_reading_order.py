"""A sorted list finds DCM early as far as the model tells it from normal, and no further."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ACNetTrainerLib.cases.library import CaseLibrary
from ACNetTrainerLib.commands.main import main
from ACNetTrainerLib.study.reading_order import reading_order, share_read


@pytest.mark.parametrize(
    ("has_dcm", "share"), [([1, 1, 0, 0], 0.5), ([0, 0, 1, 1], 1.0), ([1, 0, 0, 1, 0], 0.8), ([0, 1, 0, 0, 0], 0.4)]
)
def test_the_share_that_is_read_is_counted_to_the_last_that_must_be_found(has_dcm: list[int], share: float) -> None:
    assert share_read(np.array(has_dcm, bool)) == share


def test_one_in_twenty_may_be_missed() -> None:
    has_dcm = np.zeros(100, bool)
    has_dcm[:19] = has_dcm[99] = True
    assert share_read(has_dcm) == 0.19


def test_a_perfect_model_reads_no_more_than_there_are_and_a_blind_one_nearly_all() -> None:
    is_dcm = np.repeat([True, False], 100)
    perfect = reading_order(np.where(is_dcm, 3.0, -3.0), is_dcm, 1)
    blind = reading_order(np.random.default_rng(3).normal(size=200), is_dcm, 1)
    for prevalence in ("0.05", "0.2", "0.5"):
        assert perfect[prevalence]["sorted"]["mean"] == pytest.approx(float(prevalence), abs=0.03)
        assert blind[prevalence]["sorted"]["mean"] > 0.8
        as_they_come = perfect[prevalence]["as_they_come"]
        assert as_they_come["low"] <= as_they_come["mean"] <= as_they_come["high"] <= 1
        assert as_they_come["mean"] > 0.85


def test_a_model_that_says_the_same_of_all_finds_nobody_earlier_than_they_come() -> None:
    found = reading_order(np.zeros(200), np.repeat([True, False], 100), 1)
    for of_prevalence in found.values():
        assert of_prevalence["sorted"] == of_prevalence["as_they_come"]


def test_the_command_orders_the_patients_whom_the_localizer_finds(
    simulated_library: CaseLibrary, tmp_path: Path
) -> None:
    output = tmp_path / "order.json"
    command = ["reading-order", "acnet-simulated-1.5T", str(simulated_library.folder), "--output", str(output)]
    assert main(command) == 0
    record = json.loads(output.read_text(encoding="utf-8"))
    assert record["patients"] + record["patients_without_a_section"] == len(simulated_library.patients)
    assert record["patients"] > 0
    assert record["share_read"]["0.5"]["sorted"]["mean"] < record["share_read"]["0.5"]["as_they_come"]["mean"]
