"""Maps that end, or were set to 0, close to the heart: the shipped models on the shipped patients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.inference import load_pipeline
from ACNetLib.inference.classifier import Classifier
from ACNetLib.inference.probability import log_odds_of
from ACNetLib.inference.result import StudyResult
from ACNetLib.sample_data import sample_cases
from ACNetLib.t1map.t1_map import T1Map, read_t1_map
from conftest import with_map


@pytest.fixture(scope="module")
def pipeline() -> Classifier:
    return load_pipeline("acnet-simulated-1.5T", device="cpu")


def sample(label: str) -> T1Map:
    return read_t1_map(next(case.volume for case in sample_cases() if case.label == label))


def center_of(study: StudyResult) -> np.ndarray:
    return np.mean([section.center_lps_mm for section in study.sections], axis=0)


def square(t1_map: T1Map, center_mm: np.ndarray, side_mm: float) -> T1Map:
    """The map cut to a square of this size around a point."""
    spacing = np.array(t1_map.image.GetSpacing()[:2])
    place = np.array(t1_map.image.TransformPhysicalPointToContinuousIndex(center_mm.tolist())[:2])
    (left, top), (right, bottom) = (np.rint(place + side * side_mm / 2 / spacing).astype(int) for side in (-1, 1))
    return replace(t1_map, image=t1_map.image[left:right, top:bottom, :])


def masked(t1_map: T1Map, center_mm: np.ndarray, radius_mm: float) -> T1Map:
    """The map with 0 beyond a disk around a point."""
    width, height, _ = t1_map.image.GetSpacing()
    column, row, _ = t1_map.image.TransformPhysicalPointToContinuousIndex(center_mm.tolist())
    rows, columns = np.indices(t1_map.array.shape[1:])
    beside = np.hypot((columns - column) * width, (rows - row) * height) > radius_mm
    image = sitk.GetImageFromArray(np.where(beside, np.float32(0), t1_map.array))
    image.CopyInformation(t1_map.image)
    return replace(t1_map, image=image)


@pytest.mark.parametrize("label", ["normal", "dcm"])
def test_a_map_cut_to_100_mm_hardly_moves_the_probability_and_gets_no_firm_verdict(
    pipeline: Classifier, label: str
) -> None:
    t1_map = sample(label)
    whole = pipeline.classify(t1_map)
    cut = pipeline.classify(square(t1_map, center_of(whole), 100))
    assert whole.verdict == label
    assert cut.verdict == "uncertain"
    assert "of the crops is missing or masked in the map" in cut.reason
    assert abs(log_odds_of(cut.probability_dcm) - log_odds_of(whole.probability_dcm)) < 1


def test_a_map_cut_where_the_answer_is_stable_keeps_its_verdict(pipeline: Classifier) -> None:
    t1_map = sample("normal")
    whole = pipeline.classify(t1_map)
    cut = pipeline.classify(square(t1_map, center_of(whole), 128))
    assert cut.verdict == whole.verdict == "normal"


@pytest.mark.parametrize(("radius_mm", "verdict", "warned"), [(80, "normal", 0), (65, "uncertain", 3)])
def test_a_map_masked_with_a_disk_is_warned_of_from_where_the_answer_moves(
    pipeline: Classifier, radius_mm: float, verdict: str, warned: int
) -> None:
    t1_map = sample("normal")
    study = pipeline.classify(masked(t1_map, center_of(pipeline.classify(t1_map)), radius_mm))
    assert study.verdict == verdict
    assert sum("of the crop has no T1: the map is masked or cut" in warning for warning in study.all_warnings) == warned


def test_a_map_whose_air_is_0_is_not_taken_for_a_masked_one(pipeline: Classifier) -> None:
    t1_map = sample("normal")
    center_mm = center_of(pipeline.classify(t1_map))
    column = t1_map.image.TransformPhysicalPointToContinuousIndex(center_mm.tolist())[0]
    columns = np.arange(t1_map.array.shape[2])
    lung = np.where(columns > column + 50 / t1_map.image.GetSpacing()[0], np.float32(0), t1_map.array)
    image = sitk.GetImageFromArray(lung)
    image.CopyInformation(t1_map.image)
    study = pipeline.classify(replace(t1_map, image=image))
    assert [section.masked_fraction for section in study.sections] == [0, 0, 0]


def test_leaving_out_the_slice_that_was_cut_gives_the_verdict_of_the_others(pipeline: Classifier) -> None:
    study = pipeline.classify(sample("normal"))
    first, *others = study.sections
    cut = with_map(study, sections=(replace(first, outside_fraction=0.46), *others)).pooled()
    assert (cut.verdict, cut.leaving_out({0}).verdict) == ("uncertain", "normal")
    assert cut.reason.startswith("Uncertain: 15% of the crops is missing or masked in the map, more than 15%")


def test_a_slice_that_is_left_out_for_too_little_t1_keeps_its_level_as_one_that_a_reader_leaves_out(
    pipeline: Classifier,
) -> None:
    t1_map = sample("normal")
    whole = pipeline.classify(t1_map)
    apex = min(whole.sections, key=lambda each: each.known_measures.cavity_area_mm2)
    array = t1_map.array.copy()
    array[apex.section] = masked(t1_map, np.array(apex.center_lps_mm), 48.0).array[apex.section]
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(t1_map.image)
    study = pipeline.classify(replace(t1_map, image=image))
    assert [each.section for each in study.sections] == [
        each.section for each in whole.sections if each.section != apex.section
    ]
    by_reader = whole.leaving_out([whole.sections.index(apex)])
    assert [each.pixels for each in study.segments] == [each.pixels for each in by_reader.segments]
    assert [each.pixels for each in study.segments[12:]] == [0, 0, 0, 0]
    assert study.segments[:12] == by_reader.segments[:12]
