"""A study that is unlike the training's hearts gets neither DCM nor normal for an answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import torch

from ACNetLib.inference.classifier import Classifier, limits_of
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.outside import LimitsByCall, OutsideLimits, above
from ACNetLib.inference.record import OUTSIDE, StudyRecord, record_from_values, record_values
from ACNetLib.inference.verdict import Verdict
from ACNetLib.models.model import Model, load_model, save_model
from ACNetLib.networks.acnet import ACNet
from ACNetLib.networks.outside import REGIONS, regional_means
from ACNetLib.report.template import STYLE
from ACNetLib.t1map.t1_map import T1Map
from conftest import Finder, a_card, with_map

LIMITS = (3.0, 2.0, 1.0)


def of_both(*limits: tuple[float, ...], **of_names: tuple[float, ...]) -> LimitsByCall:
    """The same, whatever the study is called."""
    return LimitsByCall(OutsideLimits(*limits, **of_names), OutsideLimits(*limits, **of_names))


@pytest.mark.parametrize(
    ("values", "expected"),
    [([2.9], False), ([3.1], True), ([1.9, 1.9], False), ([0.9, 3.3], True), ([1.1] * 3, True), ([1.1] * 5, True)],
)
def test_the_mean_value_is_held_against_the_limit_for_so_many_slices(values: list[float], expected: bool) -> None:
    assert (above(values, LIMITS) is not None) is expected
    assert above(values, ()) is None


def test_a_slice_whose_value_is_not_known_says_nothing() -> None:
    assert above([math.nan, 2.9], LIMITS) is None
    assert above([math.nan, 3.5], LIMITS) == (3.5, 3.0)
    assert above([math.nan], LIMITS) is None


@pytest.fixture
def a_study_outside(an_oblique_t1_map: T1Map, a_study: Callable) -> StudyRecord:
    study = a_study(an_oblique_t1_map)
    scores = (9.0, -9.0)
    sections = tuple(replace(each, outside_score=one) for each, one in zip(study.sections, scores, strict=True))
    return replace(with_map(study, sections=sections), outside_limits=of_both(score=LIMITS))


def test_the_slices_that_count_decide_and_the_study_says_why(a_study_outside: StudyRecord) -> None:
    both = a_study_outside.pooled()
    assert both.verdict == "dcm"
    assert not any(OUTSIDE in warning for warning in both.warnings)
    assert both.reason == ""
    first = both.leaving_out([1])
    assert first.verdict == "outside"
    assert first.reason == f"{OUTSIDE} The score of the network's features is 9.00, above the limit of 3.00."
    assert first.warnings[0] == first.reason
    assert first.probability_dcm == pytest.approx(both.sections[0].probability_dcm, abs=0.05)
    assert first.leaving_out([]).verdict == "dcm"
    assert record_from_values(record_values(first)).verdict == "outside"


@pytest.mark.parametrize("regions", [True, REGIONS])
def test_a_model_with_a_score_is_saved_with_it_and_answers_by_it(
    tmp_path: Path, an_oblique_t1_map: T1Map, regions: int
) -> None:
    torch.manual_seed(2)
    network = ACNet(outside=regions).eval()
    assert network.outside_score is not None
    network.outside_score.bias.fill_(5.0)
    network.outside_score.limits.copy_(torch.tensor(LIMITS))
    card = replace(a_card("with a score"), network={"outside": regions})
    save_model(Model(network, card), tmp_path / "model.safetensors")
    model = load_model(tmp_path / "model.safetensors")
    study = Classifier(model, Finder(), DeviceChoice("cpu", "asked for")).classify(an_oblique_t1_map)
    assert [each.outside_score for each in study.sections] == pytest.approx([5.0, 5.0])
    assert (study.verdict, study.outside_limits) == ("outside", of_both(score=LIMITS))
    network.outside_score.bias.fill_(0.0)
    save_model(Model(network, card), tmp_path / "other.safetensors")
    other = load_model(tmp_path / "other.safetensors")
    study = Classifier(other, Finder(), DeviceChoice("cpu", "asked for")).classify(an_oblique_t1_map)
    assert study.verdict != "outside"


def test_the_features_are_averaged_over_the_slice_and_over_the_left_ventricle() -> None:
    features = torch.zeros(1, 2, 32, 32)
    features[0, 0, 0, 0] = 32 * 32  # in a corner: chest or lung
    features[0, 1, 15:17, 15:17] = 1
    means = regional_means(features)[0]
    offsets = range(-16, 16)
    within_36_mm = sum((row + 0.5) ** 2 + (column + 0.5) ** 2 <= 9**2 for row in offsets for column in offsets)
    assert means.tolist() == pytest.approx([1, 4 / 32**2, 0, 4 / within_36_mm])


def test_a_model_that_was_taught_by_the_whole_slice_alone_keeps_its_score(tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = ACNet(outside=True).eval()
    assert network.outside_score is not None
    network.outside_score.projection.copy_(torch.randn(24, 128))
    network.outside_score.linear.copy_(torch.randn(24))
    save_model(Model(network, replace(a_card("older"), network={"outside": True})), tmp_path / "older.safetensors")
    with torch.inference_mode():
        output = load_model(tmp_path / "older.safetensors").network(torch.rand(2, 1, 128, 128) * 255)
    expected = output.features[:, :128] @ network.outside_score.projection.T @ network.outside_score.linear
    torch.testing.assert_close(output.outside, expected, rtol=1e-4, atol=1e-4)


def test_the_limits_on_a_models_card_stand_before_those_beside_its_weights(tmp_path: Path) -> None:
    network = ACNet(outside=True).eval()
    assert network.outside_score is not None
    network.outside_score.limits.copy_(torch.tensor(LIMITS))
    card = replace(a_card("with limits"), network={"outside": True})
    beside = of_both(relative_wall=(0.5,), rv_to_lv=(1.9, 1.5))
    assert limits_of(Model(network, replace(card, outside_limits=beside))) == of_both(LIMITS, (0.5,), (1.9, 1.5))
    whole = LimitsByCall(OutsideLimits((7.0,), (0.5,), (1.9,)), OutsideLimits((6.0,), (0.4,), (1.2,)))
    save_model(Model(network, replace(card, outside_limits=whole)), tmp_path / "model.safetensors")
    assert limits_of(load_model(tmp_path / "model.safetensors")) == whole


def test_a_thick_wall_and_a_large_right_ventricle_are_unlike_and_the_study_says_how(
    an_oblique_t1_map: T1Map, a_study: Callable
) -> None:
    study = a_study(an_oblique_t1_map)  # of two slices with a relative wall of 0.31 and an RV of 0.87
    wall, right = of_both(relative_wall=(0.5, 0.3)), of_both(rv_to_lv=(1.9, 0.8))
    for limits, reason in (
        (wall, "The thickest sixth of its wall is 0.31 of the cavity's radius, above 0.30."),
        (right, "Its right ventricle has 0.87 of the left one's area, above 0.80."),
    ):
        pooled = replace(study, outside_limits=limits).pooled()
        assert (pooled.verdict, pooled.reason) == ("outside", f"{OUTSIDE} {reason}")
        assert record_from_values(record_values(pooled)).reason == pooled.reason
    assert replace(study, outside_limits=of_both(relative_wall=(0.5, 0.32))).pooled().verdict == "dcm"


def test_a_wall_that_a_normal_heart_may_have_is_too_thick_for_one_that_is_called_dcm(
    an_oblique_t1_map: T1Map, a_study: Callable
) -> None:
    study = a_study(an_oblique_t1_map)  # of a relative wall of 0.31
    limits = LimitsByCall(OutsideLimits(relative_wall=(0.5,)), OutsideLimits(relative_wall=(0.3,)))
    for threshold, prevalence, verdict in ((0.5, 0.5, "outside"), (0.5, 0.001, "outside"), (0.99, 0.5, "dcm")):
        card = replace(study.model, decision_threshold=threshold)
        pooled = replace(study, outside_limits=limits, model=card, prevalence_dcm=prevalence).pooled()
        assert (pooled.is_called_dcm, pooled.verdict) == (verdict == "outside", verdict)


def test_every_place_that_says_a_verdict_knows_all_of_them(host: None) -> None:
    from ACNetLib.dicom_results.measurement_report import VERDICTS
    from ACNetLib.panel.texts import VERDICT_COLORS
    from ACNetLib.report.wording import VERDICT_WORDS
    from ACNetLib.triage.rows import ANSWER_WORDS, ANSWERS

    every = set(get_args(Verdict))
    for place in (VERDICT_WORDS, VERDICT_COLORS, VERDICTS):
        assert set(place) == every
    assert every < set(ANSWERS) == set(ANSWER_WORDS)
    assert all(f".verdict.{verdict} " in STYLE for verdict in every)
