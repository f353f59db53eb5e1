"""A slice whose crop a person moves is classified anew, the others stay."""

from __future__ import annotations

import numpy as np
import pytest

from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import ATTENTION_MAPS
from ACNetLib.inference.settings import Settings
from ACNetLib.models.model import Model
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import CAVITY_LABEL, MYOCARDIUM_LABEL, Ventricle
from conftest import Finder
from made_up_networks import (
    a_classifier,
    heart_of,
)


def test_a_moved_section_gets_what_it_would_have_got_there_and_the_others_stay(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    classifier = a_classifier(a_model)
    study = classifier.classify(an_oblique_t1_map).leaving_out({0})
    there = an_oblique_t1_map.section_center(1) + 12 * an_oblique_t1_map.row_axis
    moved = classifier.move_section(study, 1, there + 30 * an_oblique_t1_map.normal)  # off the plane: it is projected
    expected = classifier.classify(an_oblique_t1_map, Settings(center_mm=there))
    assert moved.sections[0] is study.sections[0]
    assert moved.sections[1].log_odds_dcm == pytest.approx(expected.sections[1].log_odds_dcm, rel=1e-4, abs=1e-4)
    np.testing.assert_allclose(moved.sections[1].center_lps_mm, there, atol=1e-6)
    assert moved.sections[1].confidence == 1.0
    assert "the crop was moved by hand" in moved.sections[1].warnings
    for name in ATTENTION_MAPS:
        np.testing.assert_array_equal(moved.images[0].attention[name][0], study.images[0].attention[name][0])
        np.testing.assert_allclose(moved.images[0].attention[name][1], expected.images[0].attention[name][1], atol=1e-5)
        np.testing.assert_array_equal(moved.images[0].bands[name][1], expected.images[0].bands[name][1])
    assert [section.left_out for section in moved.sections] == [True, False]
    assert moved.probability_dcm == pytest.approx(moved.sections[1].probability_dcm, abs=1e-6)


def test_a_section_that_is_moved_out_of_its_ventricle_loses_the_contours_until_it_is_moved_back(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    labels = np.zeros((150, 170), np.uint8)
    labels[66:94, 46:74] = MYOCARDIUM_LABEL
    labels[73:87, 53:67] = CAVITY_LABEL
    hearts = [heart_of(an_oblique_t1_map, section) for section in (0, 1)]
    finder = Finder(tuple(Ventricle(section, heart, 0.9, labels) for section, heart in enumerate(hearts)))
    classifier = a_classifier(a_model, finder=finder)
    study = classifier.classify(an_oblique_t1_map)
    np.testing.assert_array_equal(study.images[0].ventricle, [labels, labels])
    moved = classifier.move_section(study, 1, hearts[1] + 40 * an_oblique_t1_map.row_axis)
    assert moved.sections[1].measures is None
    np.testing.assert_array_equal(moved.images[0].ventricle, [labels, np.zeros_like(labels)])
    back = classifier.move_section(moved, 1, hearts[1] + 2 * an_oblique_t1_map.row_axis)
    assert back.sections[1].measures is not None
    np.testing.assert_array_equal(back.images[0].ventricle, study.images[0].ventricle)


def test_a_section_that_is_moved_out_of_the_map_is_refused(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    classifier = a_classifier(a_model)
    study = classifier.classify(an_oblique_t1_map)
    far = an_oblique_t1_map.section_center(0) + 150 * an_oblique_t1_map.row_axis
    with pytest.raises(ACNetError, match="outside the map"):
        classifier.move_section(study, 0, far)
