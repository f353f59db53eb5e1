"""Cases that do not tell how their septum lies are turned as the classifier will turn them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import CAVITY_LABEL, Ventricle
from ACNetTrainerLib.cases.editing import add_maps, create_case_library
from ACNetTrainerLib.cases.library import CaseLibrary, read_case_library, write_case_table
from ACNetTrainerLib.cases.turns import with_turns
from ACNetTrainerLib.training.train import cases_record
from conftest import Finder
from made_up_maps import new_map


@pytest.fixture
def typed(tmp_path: Path) -> CaseLibrary:
    """Two slices in a table without the column, as a person types it."""
    folder = tmp_path / "library"
    create_case_library(folder)
    add_maps(folder, [new_map(1, "Jane", sections=2)])
    write_case_table(folder, [replace(case, turn_degrees=None) for case in read_case_library(folder).cases])
    assert "turn_degrees" not in (folder / "cases.csv").read_text(encoding="utf-8")
    return read_case_library(folder)


def around_the_centre(t1_map: T1Map) -> Finder:
    labels = np.zeros(t1_map.array.shape[1:], np.uint8)
    rows, columns = np.array(labels.shape) // 2
    labels[rows - 5 : rows + 5, columns - 5 : columns + 5] = CAVITY_LABEL
    return Finder((Ventricle(0, t1_map.section_center(0), 0.9, labels, turn_degrees=-33.33),))


def test_the_localizer_is_asked_where_neither_table_nor_masks_tell(typed: CaseLibrary) -> None:
    finder = around_the_centre(typed.t1_map(typed.cases[0]))
    turned = with_turns(typed, lambda: finder)
    assert [case.turn_degrees for case in turned.cases] == [-33.3, -33.3]
    assert read_case_library(typed.folder).cases == typed.cases, "the table stays as it is"
    (first, _), t1_map = turned.cases, typed.t1_map(typed.cases[0])
    assert turned.grid(first, t1_map) == typed.grid(typed.cases[0], t1_map).turned(-33.3)


def test_cases_of_other_diseases_are_turned_too(typed: CaseLibrary) -> None:
    (first, second), finder = typed.cases, around_the_centre(typed.t1_map(typed.cases[0]))
    other = replace(typed, cases=(first,), others=(replace(second, label="other:amyloidosis"),))
    assert [case.turn_degrees for case in with_turns(other, lambda: finder).every_case] == [-33.3, -33.3]


def test_a_centre_outside_of_what_is_found_leaves_the_slice_along_the_anatomical_axes(typed: CaseLibrary) -> None:
    assert [case.turn_degrees for case in with_turns(typed, Finder).cases] == [0.0, 0.0]


def test_the_localizer_is_not_needed_where_the_septum_is_known(
    typed: CaseLibrary, simulated_library: CaseLibrary
) -> None:
    def no_localizer() -> Finder:
        raise AssertionError("it was asked for")

    told = replace(typed, cases=tuple(replace(case, turn_degrees=5.0) for case in typed.cases))
    assert with_turns(told, no_localizer) == told
    assert with_turns(simulated_library, no_localizer) == simulated_library


def test_a_training_resumes_whatever_the_localizer_says_of_the_turn(typed: CaseLibrary) -> None:
    turned = with_turns(typed, lambda: around_the_centre(typed.t1_map(typed.cases[0])))
    assert cases_record(turned) == cases_record(typed)
