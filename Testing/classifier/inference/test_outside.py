"""A study that is unlike the training's hearts gets neither DCM nor normal for an answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import torch

from ACNetLib.inference.classifier import Classifier
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.record import OUTSIDE, StudyRecord, record_from_values, record_values
from ACNetLib.inference.verdict import Verdict, is_outside
from ACNetLib.models.model import Model, load_model, save_model
from ACNetLib.networks.acnet import ACNet
from ACNetLib.report.template import STYLE
from ACNetLib.t1map.t1_map import T1Map
from conftest import Finder, a_card, with_map

LIMITS = (3.0, 2.0, 1.0)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [([2.9], False), ([3.1], True), ([1.9, 1.9], False), ([0.9, 3.3], True), ([1.1] * 3, True), ([1.1] * 5, True)],
)
def test_the_mean_score_is_held_against_the_limit_for_so_many_slices(scores: list[float], expected: bool) -> None:
    assert is_outside(scores, LIMITS) is expected
    assert is_outside(scores, ()) is False


def test_a_score_that_is_not_known_says_nothing() -> None:
    assert not is_outside([math.nan, 9.0], LIMITS)


@pytest.fixture
def a_study_outside(an_oblique_t1_map: T1Map, a_study: Callable) -> StudyRecord:
    study = a_study(an_oblique_t1_map)
    scores = (9.0, -9.0)
    sections = tuple(replace(each, outside_score=one) for each, one in zip(study.sections, scores, strict=True))
    return replace(with_map(study, sections=sections), outside_limits=LIMITS)


def test_the_slices_that_count_decide_and_the_study_says_why(a_study_outside: StudyRecord) -> None:
    both = a_study_outside.pooled()
    assert both.verdict == "dcm"
    assert not any(OUTSIDE in warning for warning in both.warnings)
    assert both.reason == ""
    first = both.leaving_out([1])
    assert first.verdict == "outside"
    assert first.reason == f"{OUTSIDE} Its score is 9.00, above the limit of 3.00."
    assert first.warnings[0] == first.reason
    assert first.probability_dcm == pytest.approx(both.sections[0].probability_dcm, abs=0.05)
    assert first.leaving_out([]).verdict == "dcm"
    assert record_from_values(record_values(first)).verdict == "outside"


def test_a_model_with_a_score_is_saved_with_it_and_answers_by_it(tmp_path: Path, an_oblique_t1_map: T1Map) -> None:
    torch.manual_seed(2)
    network = ACNet(outside=True).eval()
    assert network.outside_score is not None
    network.outside_score.bias.fill_(5.0)
    network.outside_score.limits.copy_(torch.tensor(LIMITS))
    card = replace(a_card("with a score"), network={"outside": True})
    save_model(Model(network, card), tmp_path / "model.safetensors")
    model = load_model(tmp_path / "model.safetensors")
    study = Classifier(model, Finder(), DeviceChoice("cpu", "asked for")).classify(an_oblique_t1_map)
    assert [each.outside_score for each in study.sections] == pytest.approx([5.0, 5.0])
    assert (study.verdict, study.outside_limits) == ("outside", LIMITS)
    network.outside_score.bias.fill_(0.0)
    save_model(Model(network, card), tmp_path / "other.safetensors")
    other = load_model(tmp_path / "other.safetensors")
    study = Classifier(other, Finder(), DeviceChoice("cpu", "asked for")).classify(an_oblique_t1_map)
    assert study.verdict != "outside"


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
