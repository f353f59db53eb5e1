"""A map whose file does not tell how it lies may be a mirror image: the order of its rows and columns has no say."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.errors import ACNetError
from ACNetLib.inference import Settings, load_pipeline
from ACNetLib.inference.classifier import Classifier
from ACNetLib.inference.exam import classify_exam
from ACNetLib.inference.mirrored import MAYBE_MIRRORED, mirrored, mirrored_ventricle
from ACNetLib.inference.result import StudyResult
from ACNetLib.inference.ventricle_choice import NO_TURN
from ACNetLib.models.model import Model
from ACNetLib.sample_data import sample_cases
from ACNetLib.t1map.t1_map import Reading, T1Map, read_t1_map
from ACNetLib.ventricle.labels import septum_turn_degrees
from ACNetTrainerLib.abroad.cohort import Cohort
from ACNetTrainerLib.abroad.sections import draw_section
from conftest import Finder
from made_up_networks import a_classifier, finder_of_the_heart, flat, found_by_localizer, heart_of

ORDERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda t1_ms: t1_ms,
    "rows reversed": lambda t1_ms: t1_ms[::-1],
    "columns reversed": lambda t1_ms: t1_ms[:, ::-1],
    "exchanged": np.transpose,
    "turned by 180 degrees": lambda t1_ms: t1_ms[::-1, ::-1],
}


@pytest.fixture(scope="module")
def pipeline() -> Classifier:
    return load_pipeline("acnet-simulated-1.5T", device="cpu")


def unplaced(t1_map: T1Map) -> T1Map:
    """The same pixels and spacing along the axes of the body."""
    image = sitk.Image(t1_map.image)
    image.SetDirection(np.eye(3).ravel())
    return replace(t1_map, image=image)


def test_the_five_orders_of_a_patients_rows_and_columns_give_one_answer(pipeline: Classifier) -> None:
    """Its probability lies in the middle, and by one order it was called normal."""
    patient = Cohort(3, 1.5, 77, scanner_factor=1.0).patient(2)
    sections = [draw_section(patient, level).t1_ms for level in range(3)]

    def answer(order: Callable[[np.ndarray], np.ndarray]) -> StudyResult:
        t1_maps = []
        for level, t1_ms in enumerate(sections):
            image = sitk.GetImageFromArray(np.ascontiguousarray(order(np.rint(t1_ms).clip(0, 4095)))[np.newaxis])
            image.SetSpacing((patient.scan.pixel_mm, patient.scan.pixel_mm, 8.0))
            t1_maps.append(T1Map(sitk.Cast(image, sitk.sitkFloat32), f"level {level}", 1.5))
        return classify_exam(lambda t1_map, progress: pipeline.classify(t1_map, Settings(), progress), t1_maps)

    answers = [answer(order) for order in ORDERS.values()]
    log_odds = [math.log(each.probability_dcm / (1 - each.probability_dcm)) for each in answers]
    assert {each.verdict for each in answers} == {"uncertain"} or np.ptp(log_odds) < 0.5
    assert np.ptp(log_odds) < 1.0
    assert all(MAYBE_MIRRORED in each.warnings for each in answers)


def test_a_map_that_was_exported_without_spacing_is_refused_and_with_it_is_as_the_map_with_its_own(
    pipeline: Classifier, tmp_path: Path
) -> None:
    (dcm,) = (each for each in sample_cases() if each.label == "dcm")
    mid = sitk.ReadImage(str(dcm.volume))[:, :, 1:2]
    own = sitk.GetImageFromArray(sitk.GetArrayFromImage(mid))
    sitk.WriteImage(own, str(tmp_path / "export.nii.gz"))
    own.SetSpacing(mid.GetSpacing())
    sitk.WriteImage(own, str(tmp_path / "own.mha"))
    with pytest.raises(ACNetError, match="does not tell the spacing"):
        read_t1_map(tmp_path / "export.nii.gz", Reading(field_strength_tesla=1.5))
    told = read_t1_map(tmp_path / "export.nii.gz", Reading(field_strength_tesla=1.5, spacing_mm=mid.GetSpacing()))
    with_own = read_t1_map(tmp_path / "own.mha", Reading(field_strength_tesla=1.5))
    probabilities = [pipeline.classify(each).probability_dcm for each in (told, with_own)]
    assert probabilities[0] == pytest.approx(probabilities[1], abs=0.02)


def test_a_ventricle_lies_on_the_mirror_image_where_its_labels_do(an_oblique_t1_map: T1Map) -> None:
    ventricle = found_by_localizer(an_oblique_t1_map, 1, 0.9)
    turn_degrees = septum_turn_degrees(ventricle.labels, an_oblique_t1_map)
    assert turn_degrees is not None
    other = mirrored_ventricle(replace(ventricle, turn_degrees=turn_degrees), an_oblique_t1_map)
    mirror = mirrored(an_oblique_t1_map)
    np.testing.assert_allclose(other.center_mm, heart_of(mirror, 1), atol=1e-9)
    assert other.turn_degrees == pytest.approx(septum_turn_degrees(ventricle.labels, mirror))
    assert other.turn_degrees != pytest.approx(turn_degrees)
    np.testing.assert_array_equal(mirror.array, an_oblique_t1_map.array)


def test_the_answer_is_the_mean_of_a_map_and_its_mirror_image_and_one_slice_is_warned_of_too(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    t1_map = unplaced(an_oblique_t1_map)
    one = replace(t1_map, image=t1_map.image[:, :, :1])
    finder = finder_of_the_heart(one)
    answers = iter([1.0] * 5 + [3.0] * 5)  # as it is and moved, then the same of the mirror image
    study = a_classifier(a_model, lambda x: flat(0.5, log_odds=next(answers))(x), finder).classify(
        one, Settings(sections=[0])
    )
    assert study.sections[0].network_log_odds == (2.0,) * 5
    assert study.images[0].evidence.sum() > 0
    assert MAYBE_MIRRORED in study.warnings
    placed = a_classifier(a_model, flat(0.5), finder_of_the_heart(an_oblique_t1_map)).classify(an_oblique_t1_map)
    assert MAYBE_MIRRORED not in placed.warnings


def test_a_map_of_which_neither_septum_nor_file_tells_how_it_lies_is_uncertain(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    t1_map = unplaced(an_oblique_t1_map)
    classifier = a_classifier(a_model, flat(0.5, log_odds=9.0), Finder())
    for settings in (Settings(), Settings(center_mm=heart_of(t1_map))):
        study = classifier.classify(t1_map, settings)
        assert NO_TURN in study.warnings
        assert study.verdict == "uncertain"
        assert study.reason.startswith("Uncertain: the orientation of the slices is unknown: no septum was found")
    placed = classifier.classify(an_oblique_t1_map, Settings(center_mm=heart_of(an_oblique_t1_map)))
    assert placed.verdict == "dcm"
