"""One sentence where the verdict and what was measured point different ways, and none where they agree."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from ACNetLib.inference.physiology import disagreement, undilated_mm
from ACNetLib.inference.verdict import Verdict
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.measures import SectionMeasures
from conftest import with_map

SMALL_MM2, LARGE_MM2, BETWEEN_MM2 = 1600.0, 3300.0, 2400.0  # 45, 65 and 55 mm across


@pytest.mark.parametrize(
    ("verdict", "cavity_mm2", "septal_z", "says"),
    [
        ("dcm", SMALL_MM2, 0.4, True),
        ("dcm", SMALL_MM2, 2.5, False),
        ("dcm", BETWEEN_MM2, 0.4, False),
        ("dcm", LARGE_MM2, 0.4, False),
        ("normal", LARGE_MM2, 2.5, True),
        ("normal", LARGE_MM2, 0.4, False),
        ("normal", BETWEEN_MM2, 2.5, False),
        ("uncertain", SMALL_MM2, 0.4, False),
        ("outside", LARGE_MM2, 2.5, False),
        ("dcm", SMALL_MM2, math.nan, False),
        ("dcm", math.nan, 0.4, False),
        ("normal", SMALL_MM2, -3.5, True),
        ("uncertain", math.nan, -3.5, True),
        ("normal", SMALL_MM2, -2.5, False),
        ("outside", SMALL_MM2, -3.5, False),
    ],
)
def test_the_sentence_is_said_where_measures_speak_against_the_verdict(
    verdict: Verdict, cavity_mm2: float, septal_z: float, says: bool
) -> None:
    assert bool(disagreement(verdict, cavity_mm2, septal_z)) is says


def test_a_study_says_it_among_its_warnings(an_oblique_t1_map: T1Map, a_study: Callable) -> None:
    study = a_study(an_oblique_t1_map)
    measures = SectionMeasures(990.0, 990.0, SMALL_MM2, 9.0)
    sections = tuple(replace(each, measures=measures) for each in study.sections)
    study = replace(with_map(study, sections=sections), verdict="dcm", reference=ReferenceT1(985.0, 20.0))
    (sentence,) = (warning for warning in study.warnings if "disagree" in warning)
    assert "DCM, but the cavity is not enlarged (45 mm across) and septal T1 is not raised (z-score +0.2)" in sentence


@pytest.mark.parametrize(
    ("cavities_mm2", "across_mm"),
    [
        ([SMALL_MM2] * 3, 45.1),
        ([SMALL_MM2, SMALL_MM2, 2120.0], 52.0),
        ([SMALL_MM2, SMALL_MM2, 2150.0], None),
        ([SMALL_MM2, LARGE_MM2, SMALL_MM2], None),
        ([SMALL_MM2] * 2, None),
        ([SMALL_MM2, SMALL_MM2, math.nan], None),
        ([SMALL_MM2, SMALL_MM2, math.nan, SMALL_MM2], 45.1),
        ([], None),
    ],
)
def test_a_ventricle_is_undilated_where_none_of_three_cavities_is_enlarged(
    cavities_mm2: list[float], across_mm: float | None
) -> None:
    assert undilated_mm(cavities_mm2) == (None if across_mm is None else pytest.approx(across_mm, abs=0.1))


def test_an_undilated_ventricle_is_never_called_dcm_and_the_study_says_why(
    three_slices: T1Map, a_study: Callable
) -> None:
    study = a_study(three_slices)
    assert study.pooled().verdict == "dcm"
    measures = SectionMeasures(990.0, 990.0, SMALL_MM2, 9.0)
    small = with_map(study, sections=tuple(replace(each, measures=measures) for each in study.sections)).pooled()
    assert small.verdict == "uncertain"
    assert small.probability_dcm == study.pooled().probability_dcm > 0.8
    assert small.reason == "Uncertain: DCM by its probability, but no slice's cavity is enlarged (up to 45 mm)."
    assert small.leaving_out([0]).verdict == "dcm"  # two slices may have missed the largest cavity


def test_an_uncertain_study_says_why(an_oblique_t1_map: T1Map, a_study: Callable) -> None:
    study = replace(a_study(an_oblique_t1_map), verdict="uncertain")
    assert study.reason == "Uncertain: the probability of DCM lies from 0.2 to below 0.8."
