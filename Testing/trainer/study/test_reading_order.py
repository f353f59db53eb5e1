"""A sorted list finds DCM early as far as the model tells it from normal, and no further."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from ACNetLib.inference.result import StudyResult
from ACNetTrainerLib.cases.library import CaseLibrary
from ACNetTrainerLib.commands.main import main
from ACNetTrainerLib.study.reading_order import places_in_list, reading_order, share_read


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
    perfect = reading_order(np.where(is_dcm, 0, 1), is_dcm, 1)
    blind = reading_order(np.random.default_rng(3).permutation(200), is_dcm, 1)
    for prevalence in ("0.05", "0.2", "0.5"):
        assert perfect[prevalence]["sorted"]["mean"] == pytest.approx(float(prevalence), abs=0.03)
        assert blind[prevalence]["sorted"]["mean"] > 0.8
        as_they_come = perfect[prevalence]["as_they_come"]
        assert as_they_come["low"] <= as_they_come["mean"] <= as_they_come["high"] <= 1
        assert as_they_come["mean"] > 0.85


def test_a_model_that_says_the_same_of_all_finds_nobody_earlier_than_they_come() -> None:
    found = reading_order(np.zeros(200, int), np.repeat([True, False], 100), 1)
    for of_prevalence in found.values():
        assert of_prevalence["sorted"] == of_prevalence["as_they_come"]


def test_places_are_those_of_the_list_by_answer_and_then_by_probability() -> None:
    answers = [
        None if verdict is None else cast(StudyResult, SimpleNamespace(verdict=verdict, probability_dcm=probability))
        for verdict, probability in (
            ("normal", 0.1),
            ("outside", 0.2),
            ("dcm", 0.8),
            (None, 0.0),
            ("uncertain", 0.5),
            ("dcm", 0.9),
            ("normal", 0.2),
        )
    ]
    assert places_in_list(answers).tolist() == [6, 2, 1, 4, 3, 0, 5]


def test_the_command_orders_the_patients_as_the_list_does(simulated_library: CaseLibrary, tmp_path: Path) -> None:
    output = tmp_path / "order.json"
    command = ["reading-order", "acnet-simulated-1.5T", str(simulated_library.folder), "--output", str(output)]
    assert main(command) == 0
    record = json.loads(output.read_text(encoding="utf-8"))
    assert record["patients"] == len(simulated_library.patients)
    assert record["patients_without_an_answer"] < record["patients"]
    assert record["share_read"]["0.5"]["sorted"]["mean"] < record["share_read"]["0.5"]["as_they_come"]["mean"]
