"""One sentence where the verdict and what was measured point different ways, and none where they agree."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.inference import load_pipeline
from ACNetLib.inference.physiology import disagreement, implausible_t1, undersized_mm, undilated_mm
from ACNetLib.inference.verdict import Verdict
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.sample_data import sample_cases
from ACNetLib.t1map.t1_map import T1Map, read_t1_map
from ACNetLib.ventricle.measures import SectionMeasures
from conftest import with_map

TINY_MM2, SMALL_MM2, LARGE_MM2, BETWEEN_MM2 = 1000.0, 1600.0, 3300.0, 2400.0  # 36, 45, 65 and 55 mm across


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


@pytest.mark.parametrize(
    ("cavities_mm2", "across_mm"),
    [
        ([TINY_MM2] * 3, 35.7),
        ([TINY_MM2, TINY_MM2, 1100.0], 37.4),
        ([TINY_MM2, TINY_MM2, 1140.0], None),
        ([TINY_MM2] * 2, None),
        ([TINY_MM2, math.nan, TINY_MM2], None),
    ],
)
def test_a_ventricle_is_undersized_where_all_of_three_cavities_are_narrower_than_normal(
    cavities_mm2: list[float], across_mm: float | None
) -> None:
    assert undersized_mm(cavities_mm2) == (None if across_mm is None else pytest.approx(across_mm, abs=0.1))


def test_a_ventricle_of_a_childs_size_is_never_called_normal_and_the_study_says_why(
    three_slices: T1Map, a_study: Callable
) -> None:
    study = a_study(three_slices, probability_dcm=0.12)
    assert study.pooled().verdict == "normal"
    measures = SectionMeasures(990.0, 990.0, TINY_MM2, 4.0)
    small = with_map(study, sections=tuple(replace(each, measures=measures) for each in study.sections)).pooled()
    assert small.verdict == "uncertain"
    assert small.probability_dcm == study.pooled().probability_dcm < 0.2
    assert small.reason == (
        "Uncertain: normal by its probability, but every slice's cavity is narrower than normal in adults (up to 36 "
        "mm), and the model knows no children."
    )
    assert small.leaving_out([0]).verdict == "normal"  # two slices may both be of the apex


def test_an_uncertain_study_says_why(an_oblique_t1_map: T1Map, a_study: Callable) -> None:
    study = replace(a_study(an_oblique_t1_map), verdict="uncertain")
    assert study.reason == "Uncertain: the probability of DCM lies from 0.2 to below 0.8."


@pytest.mark.parametrize(
    ("septal_t1_ms", "normal_ms", "says"),
    [
        (2014.0, 996.5, "above 1365 ms"),
        (765.0, 996.5, "below 837 ms"),
        (812.0, 996.5, "below 837 ms"),
        (1983.0, 1182.3, "above 1620 ms"),
        (840.0, 996.5, ""),  # ShMOLLI, two standard deviations below its normal
        (1300.0, 996.5, ""),  # amyloid at 1.5 T, or saturation recovery
        (1578.0, 1182.3, ""),  # SAPPHIRE at 3 T
        (1480.0, 1182.3, ""),  # amyloid at 3 T
        (1480.0, 1221.0, ""),
        (1700.0, 1221.0, "above 1673 ms"),
        (math.nan, 996.5, ""),
        (1983.0, math.nan, ""),
    ],
)
def test_a_septal_t1_is_implausible_where_neither_disease_nor_sequence_explains_it(
    septal_t1_ms: float, normal_ms: float, says: str
) -> None:
    sentence = implausible_t1(septal_t1_ms, normal_ms)
    assert says in sentence
    assert bool(sentence) is bool(says)


@pytest.mark.parametrize("label", ["normal", "dcm"])
@pytest.mark.parametrize(
    ("factor", "says"),
    [
        (4095 / 2000, "higher than in almost any heart"),
        (1.5, "higher than in almost any heart"),
        (1 / 1.2882, "is below 837 ms"),
    ],
    ids=["stretched to 12 bits", "half as long again", "without a Philips slope"],
)
def test_a_map_whose_scale_was_lost_gets_no_firm_verdict_and_a_line(label: str, factor: float, says: str) -> None:
    t1_map = read_t1_map(next(case.volume for case in sample_cases() if case.label == label))
    image = sitk.GetImageFromArray(np.minimum(np.rint(factor * t1_map.array), np.float32(4095)))
    image.CopyInformation(t1_map.image)
    study = load_pipeline("acnet-simulated-1.5T", device="cpu").classify(replace(t1_map, image=image))
    assert study.verdict in ("uncertain", "outside")
    (line,) = (text for text in (study.reason, *study.warnings) if "scale" in text)
    assert says in line


def test_the_range_of_septal_t1_goes_with_the_scanners_reference(an_oblique_t1_map: T1Map, a_study: Callable) -> None:
    study = replace(a_study(an_oblique_t1_map), reference=ReferenceT1(1400.0, 30.0))  # septal T1 is 1043 ms
    said = study.pooled()
    assert said.verdict == "uncertain"
    assert said.reason.startswith("Uncertain: septal T1 of 1043 ms is below 1176 ms")
    assert not any("far below normal" in warning for warning in said.warnings)
    assert replace(study, reference=ReferenceT1(1221.0, 30.0)).pooled().verdict == "dcm"


def test_a_study_that_is_unlike_says_that_its_t1_is_implausible_among_its_warnings(
    an_oblique_t1_map: T1Map, a_study: Callable
) -> None:
    study = replace(a_study(an_oblique_t1_map), reference=ReferenceT1(1400.0), verdict="outside")
    assert study.warnings[0] == study.reason
    assert study.warnings[1].startswith("Septal T1 of 1043 ms is below 1176 ms")
