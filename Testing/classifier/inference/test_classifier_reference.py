"""With a scanner's own normal T1 the networks see the scale of the training, and a person that of the scanner."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from torch import Tensor

from ACNetLib.errors import ACNetError
from ACNetLib.inference.settings import Settings
from ACNetLib.models.model import Model
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.t1map.t1_map import T1Map
from made_up_networks import (
    NORMAL_MS,
    a_classifier,
    finder_of_the_heart,
    flat,
    heart_of,
)


def test_with_a_reference_both_networks_see_the_scale_of_the_training_and_the_measures_stay_the_sites(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    seen = []

    def answer(x: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(x[:, 0].numpy())
        return flat(0.5)(x)

    finder = finder_of_the_heart(an_oblique_t1_map)
    classifier = a_classifier(a_model, answer, finder, normal_t1_ms=NORMAL_MS)
    plain = classifier.classify(an_oblique_t1_map)
    study = classifier.classify(an_oblique_t1_map, Settings(reference=ReferenceT1(900.0, 20.0)))
    assert (plain.t1_factor, study.t1_factor) == (1.0, pytest.approx(1.1))
    for before, after in zip(seen[:5], seen[5:], strict=True):
        np.testing.assert_allclose(after, 1.1 * before, rtol=1e-4)
    np.testing.assert_allclose(finder.shown.array, 1.1 * an_oblique_t1_map.array, rtol=1e-6)
    assert study.images[0].t1_map is an_oblique_t1_map
    assert [section.measures for section in study.sections] == [section.measures for section in plain.sections]
    moved = classifier.move_section(study, 1, heart_of(an_oblique_t1_map))
    np.testing.assert_allclose(seen[-5][0], seen[5][1], rtol=1e-4)
    assert moved.reference == study.reference


def test_the_z_score_is_that_of_the_sites_own_t1(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    classifier = a_classifier(a_model, flat(0.5), finder_of_the_heart(an_oblique_t1_map), normal_t1_ms=NORMAL_MS)
    study = classifier.classify(an_oblique_t1_map, Settings(reference=ReferenceT1(880.0, 20.0)))
    of_slices = [section.measures.septal_t1_ms for section in study.sections if section.measures is not None]
    assert study.septal_t1_ms == pytest.approx(np.mean(of_slices))  # the median of two
    assert study.septal_z(study.septal_t1_ms) == pytest.approx((np.mean(of_slices) - 880) / 20)
    assert study.leaving_out({0}).septal_t1_ms == of_slices[1]
    assert np.isnan(classifier.classify(an_oblique_t1_map).septal_z(900.0))


@pytest.mark.parametrize(
    ("reference", "normal_t1_ms", "expected"),
    [
        (ReferenceT1(1000.0), NORMAL_MS, (0.2, 0.8)),
        (ReferenceT1(1000.0), None, (0.1, 0.9)),
        (None, NORMAL_MS, (0.1, 0.9)),
    ],
)
def test_the_verdict_is_uncertain_over_a_wider_range_unless_the_model_sees_its_own_scale(
    a_model: Model,
    an_oblique_t1_map: T1Map,
    reference: ReferenceT1 | None,
    normal_t1_ms: tuple[float, float] | None,
    expected: tuple[float, float],
) -> None:
    says_85_percent = flat(0.5, log_odds=float(np.log(0.85 / 0.15)))
    classifier = a_classifier(
        a_model, says_85_percent, normal_t1_ms=normal_t1_ms, uncertain_range_without_reference=(0.1, 0.9)
    )
    study = classifier.classify(an_oblique_t1_map, Settings(reference=reference))
    assert study.uncertain_range == expected
    assert study.verdict == study.sections[0].verdict == study.leaving_out({0}).verdict
    assert study.verdict == ("dcm" if expected == (0.2, 0.8) else "uncertain")


def test_a_card_of_before_keeps_its_one_range(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    assert a_classifier(a_model, flat(0.5)).classify(an_oblique_t1_map).uncertain_range == (0.2, 0.8)


def test_a_model_that_does_not_know_its_own_normal_says_so_and_sees_t1_as_it_is(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    finder = finder_of_the_heart(an_oblique_t1_map)
    study = a_classifier(a_model, flat(0.5), finder).classify(
        an_oblique_t1_map, Settings(reference=ReferenceT1(900.0, 20.0))
    )
    (warning,) = study.warnings
    assert warning.startswith("The model untrained holds no normal T1 of its training")
    assert study.t1_factor == 1
    np.testing.assert_array_equal(finder.shown.array, an_oblique_t1_map.array)
    assert np.isfinite(study.septal_z(study.septal_t1_ms))


def test_a_reference_stands_for_a_field_strength_that_is_not_told_if_the_model_knows_its_own(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    t1_map = replace(an_oblique_t1_map, field_strength_tesla=None)
    reference = ReferenceT1(1000.0)
    study = a_classifier(a_model, flat(0.5), normal_t1_ms=NORMAL_MS).classify(t1_map, Settings(reference=reference))
    assert study.warnings == (
        "The map does not tell its field strength: by the reference T1 it was taken as one of 1.5 T.",
    )
    assert not study.maps[0].field_mismatch
    with pytest.raises(ACNetError, match="does not tell its field strength"):
        a_classifier(a_model, flat(0.5)).classify(t1_map, Settings(reference=reference))
