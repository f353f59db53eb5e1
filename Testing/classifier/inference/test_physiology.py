"""One sentence where the verdict and what was measured point different ways, and none where they agree."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from ACNetLib.inference.physiology import disagreement
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
    ],
)
def test_the_sentence_is_said_where_both_measures_speak_against_the_verdict(
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


def test_an_uncertain_study_says_why(an_oblique_t1_map: T1Map, a_study: Callable) -> None:
    study = replace(a_study(an_oblique_t1_map), verdict="uncertain")
    assert study.reason == "Uncertain: the probability of DCM lies from 0.2 to below 0.8."
