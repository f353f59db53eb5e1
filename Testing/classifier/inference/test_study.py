"""How sections' log odds become a study's probability, and what leaving sections out changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ACNetLib.errors import ACNetError
from ACNetLib.inference.pooling import Pooling, pool
from ACNetLib.inference.probability import log_odds_of, sigmoid
from ACNetLib.t1map.t1_map import T1Map

POOLING = Pooling(temperatures=(1.0, 2.0), training_prior_dcm=0.5, prevalence_dcm=0.5, uncertain_range=(0.2, 0.8))


def test_the_probability_comes_from_the_mean_log_odds_and_the_stability_from_the_moved_sections() -> None:
    pooled = pool([(4.0, 2.0, 6.0), (0.0, 0.0, 2.0)], POOLING)
    assert pooled.probability_dcm == pytest.approx(sigmoid(2.0 / 2))
    assert pooled.stability == pytest.approx((sigmoid(1.0 / 2), sigmoid(4.0 / 2)))
    assert pooled.verdict == "uncertain"


def test_the_stability_encloses_the_probability_itself() -> None:
    pooled = pool([(1.0, 2.0, 3.0)], POOLING)
    assert pooled.stability[0] == pooled.probability_dcm


def test_the_temperature_divides_what_the_sections_add_to_the_prior() -> None:
    """Sections that say nothing leave the prevalence, whatever the temperature and the share in training."""
    imbalanced = replace(POOLING, training_prior_dcm=0.9, prevalence_dcm=0.3)
    assert pool([(log_odds_of(0.9), 0.0)] * 2, imbalanced).probability_dcm == pytest.approx(0.3)


def test_the_temperature_is_that_of_so_many_sections() -> None:
    pooling = replace(POOLING, temperatures=(4.0, 2.0))
    for count, temperature in ((1, 4.0), (2, 2.0), (3, 2.0)):
        assert pool([(1.0, 1.0)] * count, pooling).probability_dcm == pytest.approx(sigmoid(1.0 / temperature))


def test_the_prevalence_moves_the_probability() -> None:
    low = pool([(0.0, 0.0)], replace(POOLING, prevalence_dcm=0.1))
    assert low.probability_dcm == pytest.approx(0.1)
    assert low.verdict == "normal"


def test_no_section_at_all_is_refused() -> None:
    with pytest.raises(ACNetError, match="at least one"):
        pool([], POOLING)


def test_leaving_sections_out_changes_the_study_and_not_the_sections(
    a_study: Callable, an_oblique_t1_map: T1Map
) -> None:
    study = a_study(an_oblique_t1_map)
    without = study.leaving_out({1})
    assert [section.left_out for section in without.sections] == [False, True]
    assert [replace(section, left_out=False) for section in without.sections] == list(study.sections)
    assert without.probability_dcm == pytest.approx(0.91)  # that of the first section: conftest pools nothing
    assert without.leaving_out(()).sections == study.sections
    with pytest.raises(ACNetError, match="at least one"):
        study.leaving_out({0, 1})
