"""From a T1 map to a study's result: probabilities, and attention where it belongs in the map's own geometry."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from torch import Tensor

from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import ATTENTION_MAPS
from ACNetLib.inference.settings import Settings
from ACNetLib.models.model import Model
from ACNetLib.t1map.section import IntensityScaling
from ACNetLib.t1map.t1_map import NOT_PLACED, T1Map
from made_up_networks import (
    a_classifier,
    flat,
    grid_of,
    heart_of,
    sigmoid,
)


def one_section(t1_map: T1Map, section: int) -> T1Map:
    return replace(t1_map, image=t1_map.image[:, :, section : section + 1])


def test_the_sections_of_a_stack_get_what_each_would_get_alone(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    classifier = a_classifier(a_model)
    heart = heart_of(an_oblique_t1_map)
    study = classifier.classify(an_oblique_t1_map, Settings(center_mm=heart))
    alone = [
        classifier.classify(one_section(an_oblique_t1_map, section), Settings(center_mm=heart)) for section in (0, 1)
    ]
    assert study.sections[0].log_odds_dcm != study.sections[1].log_odds_dcm
    for section, single in enumerate(alone):
        assert study.sections[section].section == section
        assert study.sections[section].log_odds_dcm == pytest.approx(
            single.sections[0].log_odds_dcm, rel=1e-4, abs=1e-4
        )
        assert single.probability_dcm == single.sections[0].probability_dcm
        for name in ATTENTION_MAPS:
            np.testing.assert_allclose(
                study.images[0].attention[name][section], single.images[0].attention[name][0], atol=1e-5
            )


def test_a_file_that_does_not_tell_how_its_slices_lie_has_no_segments_and_a_warning(
    a_model: Model, three_slices: T1Map, a_study: Callable
) -> None:
    image = sitk.Image(three_slices.image)
    image.SetDirection(np.eye(3).ravel())
    unplaced = replace(three_slices, image=image)
    assert len(a_study(three_slices).segments) == 16
    assert a_study(unplaced).segments == ()
    classifier = a_classifier(a_model)
    for t1_map, is_warned in ((three_slices, False), (unplaced, True), (one_section(unplaced, 0), False)):
        warnings = classifier.classify(t1_map, Settings(center_mm=heart_of(t1_map))).warnings
        assert (NOT_PLACED in warnings) == is_warned


def test_the_sections_run_in_one_batch_and_so_do_those_around_them(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    batches = []

    def answer(x: Tensor) -> tuple[Tensor, Tensor]:
        batches.append(tuple(x.shape))
        return flat(0.5)(x)

    a_classifier(a_model, answer).classify(an_oblique_t1_map)
    assert batches == [(2, 1, 128, 128)] * 5  # as they are, and moved in four directions, turned to both sides


def test_the_probability_of_the_study_comes_from_the_mean_log_odds(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    def answer(x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.tensor([-1.0, 4.0]), torch.full((2, 4, 32, 32), 0.5)

    study = a_classifier(a_model, answer, temperatures=(2.0, 0.5), uncertain_range=(0.4, 0.6)).classify(
        an_oblique_t1_map
    )
    assert [section.log_odds_dcm for section in study.sections] == [-0.5, 2.0]
    assert [section.probability_dcm for section in study.sections] == pytest.approx([sigmoid(-0.5), sigmoid(2.0)])
    assert study.probability_dcm == pytest.approx(sigmoid(1.5 / 0.5))
    assert [section.verdict for section in study.sections] == ["normal", "dcm"]
    assert study.verdict == "dcm"


@pytest.mark.parametrize("log_odds", [-2.0, -1.0, 1.0, 3.0])
def test_one_section_as_a_study_says_the_same_as_its_row(
    a_model: Model, an_oblique_t1_map: T1Map, log_odds: float
) -> None:
    classifier = a_classifier(a_model, flat(0.5, log_odds=log_odds), temperatures=(2.0, 0.5), training_prior_dcm=0.9)
    study = classifier.classify(an_oblique_t1_map, Settings(sections=[1], prevalence_dcm=0.3))
    both = classifier.classify(an_oblique_t1_map, Settings(prevalence_dcm=0.3))
    for result in (study, both.leaving_out({0})):
        row = result.sections[-1]
        assert (result.probability_dcm, result.verdict) == (row.probability_dcm, row.verdict)
    assert both.probability_dcm != study.probability_dcm


@pytest.mark.parametrize(
    ("limits", "verdict"),
    [
        ((0.1, 0.3), "dcm"),
        ((0.1, 0.5), "dcm"),
        ((0.5, 0.51), "uncertain"),
        ((0.2, 0.8), "uncertain"),
        ((0.6, 0.8), "normal"),
    ],
)
def test_the_rule_of_the_card_decides(
    a_model: Model, an_oblique_t1_map: T1Map, limits: tuple[float, float], verdict: str
) -> None:
    study = a_classifier(a_model, flat(0.5, log_odds=0.0), uncertain_range=limits).classify(an_oblique_t1_map)
    assert study.probability_dcm == 0.5
    assert study.verdict == study.sections[0].verdict == verdict


@pytest.mark.parametrize(("prevalence", "expected"), [(None, 0.4), (0.4, 0.4), (0.1, 0.1), (0.9, 0.9)])
def test_log_odds_that_say_nothing_leave_the_prevalence(
    a_model: Model, an_oblique_t1_map: T1Map, prevalence: float | None, expected: float
) -> None:
    """The picture's likelihood ratio is 1 where the network says just the share that it was trained with."""
    says_prior = flat(0.5, log_odds=float(np.log(0.4 / 0.6)))
    classifier = a_classifier(a_model, says_prior, training_prior_dcm=0.4)
    study = classifier.classify(an_oblique_t1_map, Settings(prevalence_dcm=prevalence))
    assert study.prevalence_dcm == expected
    assert study.probability_dcm == pytest.approx(expected)
    assert study.sections[0].probability_dcm == pytest.approx(expected)


@pytest.mark.parametrize("prevalence", [0.0, 1.0, -0.2, 20.0, float("nan")])
def test_a_prevalence_that_is_no_share_is_refused(a_model: Model, an_oblique_t1_map: T1Map, prevalence: float) -> None:
    with pytest.raises(ACNetError, match="prevalence: found"):
        a_classifier(a_model, flat(0.5)).classify(an_oblique_t1_map, Settings(prevalence_dcm=prevalence))


def test_the_stability_spans_what_moved_and_turned_sections_give(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    values = iter([0.0, 0.5, -0.25, 1.0, -2.0])

    def answer(x: Tensor) -> tuple[Tensor, Tensor]:
        return flat(0.5, log_odds=next(values))(x)

    study = a_classifier(a_model, answer).classify(an_oblique_t1_map)
    assert study.probability_dcm == 0.5
    assert study.stability == pytest.approx((sigmoid(-2.0), sigmoid(1.0)))


@pytest.mark.parametrize(
    "scaling", [IntensityScaling("fixed_window", 500.0, 1500.0), IntensityScaling("minmax_paper")], ids=lambda s: s.kind
)
def test_the_network_sees_the_crop_in_the_scaling_of_the_card(
    a_model: Model, an_oblique_t1_map: T1Map, scaling: IntensityScaling
) -> None:
    seen = []

    def answer(x: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(x)
        return flat(0.5)(x)

    study = a_classifier(a_model, answer, intensity=scaling).classify(
        an_oblique_t1_map, Settings(center_mm=heart_of(an_oblique_t1_map))
    )
    for section, intensity in zip(study.sections, seen[0][:, 0].numpy(), strict=True):
        t1_ms = grid_of(section, an_oblique_t1_map).crop(an_oblique_t1_map).t1_ms
        low, high = (500, 1500) if scaling.kind == "fixed_window" else (t1_ms.min(), t1_ms.max())
        np.testing.assert_allclose(intensity, 255 * np.clip((t1_ms - low) / (high - low), 0, 1), atol=1e-3)


@pytest.mark.parametrize(
    ("sideways_mm", "outcome"), [(0, "fine"), (90, "warning"), (170, "refused"), (5000, "refused")]
)
def test_a_crop_that_leaves_the_map_is_reported_and_one_far_outside_is_refused(
    a_model: Model, an_oblique_t1_map: T1Map, sideways_mm: float, outcome: str
) -> None:
    center = an_oblique_t1_map.center + sideways_mm * an_oblique_t1_map.row_axis  # the map is 238 mm wide
    classifier = a_classifier(a_model, flat(0.5))
    if outcome == "refused":
        with pytest.raises(ACNetError, match=r"^short axis: .*% of the crop of slice 0 around .* lies outside"):
            classifier.classify(an_oblique_t1_map, Settings(center_mm=center))
        return
    sections = classifier.classify(an_oblique_t1_map, Settings(center_mm=center)).sections
    for section in sections:
        assert section.outside_fraction == pytest.approx(max(0, sideways_mm + 64 - 119) / 128, abs=0.01)
        assert [warning.endswith("of the crop lies outside the map") for warning in section.warnings] == (
            [True] if outcome == "warning" else []
        )


def test_a_map_that_was_cut_close_to_the_heart_is_refused_with_its_size_and_what_is_needed(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    column, row = 60, 80  # of the heart; pixels are 1.4 x 1.6 mm
    cut = an_oblique_t1_map.image[column - 27 : column + 27, row - 25 : row + 25, :]
    with pytest.raises(ACNetError) as refused:
        a_classifier(a_model, flat(0.5)).classify(
            replace(an_oblique_t1_map, image=cut), Settings(center_mm=heart_of(an_oblique_t1_map))
        )
    assert "lies outside the map, which is 76 x 80 mm; expected a centre in the left ventricle" in str(refused.value)
    assert str(refused.value).endswith("and about 128 x 128 mm of the map around it.")


def masked(t1_map: T1Map, half_mm: float) -> T1Map:
    """With 0 outside a square around its heart."""
    column, row, _ = t1_map.image.TransformPhysicalPointToContinuousIndex(heart_of(t1_map).tolist())
    width, height, _ = t1_map.image.GetSpacing()
    rows, columns = np.indices(t1_map.array.shape[1:])
    beside = np.maximum(abs(columns - column) * width, abs(rows - row) * height) > half_mm
    return with_zeros(t1_map, beside)


def with_zeros(t1_map: T1Map, where: np.ndarray) -> T1Map:
    image = sitk.GetImageFromArray(np.where(where, np.float32(0), t1_map.array))
    image.CopyInformation(t1_map.image)
    return replace(t1_map, image=image)


@pytest.mark.parametrize(("half_mm", "percent"), [(64, None), (60, r"1\d"), (52, r"3\d")])
def test_a_map_that_was_masked_around_the_heart_is_told_as_one_that_was_cut(
    a_model: Model, an_oblique_t1_map: T1Map, half_mm: float, percent: str | None
) -> None:
    settings = Settings(center_mm=heart_of(an_oblique_t1_map))
    study = a_classifier(a_model, flat(0.5)).classify(masked(an_oblique_t1_map, half_mm), settings)
    told = [warning for section in study.sections for warning in section.warnings]
    expected = f"{percent}% of the crop has no T1: the map is masked or cut"
    assert [bool(re.fullmatch(expected, warning)) for warning in told] == ([True, True] if percent else [])


def test_a_map_that_was_masked_close_to_the_heart_gets_no_answer(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    settings = Settings(center_mm=heart_of(an_oblique_t1_map))
    with pytest.raises(ACNetError, match=r"5\d% of the crop of slice 0 .* has no T1: the map is masked or cut; expec"):
        a_classifier(a_model, flat(0.5)).classify(masked(an_oblique_t1_map, 42), settings)


def test_a_slice_with_too_little_t1_around_the_heart_is_left_out_and_the_others_are_answered(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    """As an apex on a map whose lung and air are 0."""
    close = masked(an_oblique_t1_map, 42).array == 0
    close[0] = False
    settings = Settings(center_mm=heart_of(an_oblique_t1_map))
    study = a_classifier(a_model, flat(0.5)).classify(with_zeros(an_oblique_t1_map, close), settings)
    assert [section.section for section in study.sections] == [0]
    (warning,) = (each for each in study.maps[0].warnings if "left out" in each)
    assert re.fullmatch(r"Slice 1 was left out: 5\d% of its crop has no T1: the map is masked or cut\.", warning)


@pytest.mark.parametrize(("fraction", "count"), [(0.25, 0), (0.35, 2)])
def test_scattered_pixels_without_a_value_count_one_by_one(
    a_model: Model, an_oblique_t1_map: T1Map, fraction: float, count: int
) -> None:
    failed = np.random.default_rng(1).random(an_oblique_t1_map.array.shape) < fraction
    settings = Settings(center_mm=heart_of(an_oblique_t1_map))
    study = a_classifier(a_model, flat(0.5)).classify(with_zeros(an_oblique_t1_map, failed), settings)
    assert sum("has no T1" in warning for section in study.sections for warning in section.warnings) == count


@pytest.mark.parametrize("field", [1.5, 1.494])
def test_a_map_of_the_models_field_strength_passes(a_model: Model, an_oblique_t1_map: T1Map, field: float) -> None:
    study = a_classifier(a_model, flat(0.5)).classify(replace(an_oblique_t1_map, field_strength_tesla=field))
    assert not study.maps[0].field_mismatch
    assert study.warnings == ()


def test_a_map_of_another_field_strength_is_refused_unless_forced_and_then_marked(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    t1_map = replace(an_oblique_t1_map, field_strength_tesla=2.894)
    classifier = a_classifier(a_model, flat(0.5))
    with pytest.raises(ACNetError, match=r"^short axis: it is from 2\.894 T, the model untrained is for 1\.5 T"):
        classifier.classify(t1_map)
    study = classifier.classify(t1_map, Settings(allow_field_mismatch=True))
    assert study.maps[0].field_mismatch
    assert ["not valid" in warning for warning in study.warnings] == [True]


@pytest.mark.parametrize("forced", [False, True])
def test_a_field_strength_that_is_not_known_is_asked_for_and_never_guessed(
    a_model: Model, an_oblique_t1_map: T1Map, forced: bool
) -> None:
    t1_map = replace(an_oblique_t1_map, field_strength_tesla=None)
    with pytest.raises(ACNetError, match=r"^short axis: it does not tell its field strength.*--field"):
        a_classifier(a_model, flat(0.5)).classify(t1_map, Settings(allow_field_mismatch=forced))


def test_the_warnings_of_the_map_are_passed_on(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    t1_map = replace(an_oblique_t1_map, warnings=("the map is odd",))
    assert a_classifier(a_model, flat(0.5)).classify(t1_map).warnings == ("the map is odd",)


def test_only_the_chosen_sections_are_classified(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    classifier = a_classifier(a_model)
    study = classifier.classify(an_oblique_t1_map, Settings(sections=[1]))
    assert [section.section for section in study.sections] == [1]
    assert study.maps[0].sections_chosen
    assert not study.images[0].bands["combined"][0].any()
    assert study.images[0].bands["combined"][1].any()
    with_all = classifier.classify(an_oblique_t1_map, Settings(sections=(1, 0)))
    assert [section.section for section in with_all.sections] == [0, 1]
    assert not with_all.maps[0].sections_chosen
    assert with_all.sections[1].log_odds_dcm == pytest.approx(study.sections[0].log_odds_dcm, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(("sections", "found"), [([2], "found 2"), ([-1, 0], "found -1"), ([], "found none")])
def test_sections_that_the_map_does_not_have_are_refused(
    a_model: Model, an_oblique_t1_map: T1Map, sections: list[int], found: str
) -> None:
    with pytest.raises(ACNetError, match=f"short axis: {found}.*expected some of 0 to 1"):
        a_classifier(a_model).classify(an_oblique_t1_map, Settings(sections=sections))


def test_progress_is_told_step_by_step_and_what_it_raises_ends_the_work(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    told: list[tuple[str, float]] = []
    a_classifier(a_model).classify(an_oblique_t1_map, progress=lambda *step: told.append(step))
    steps, fractions = zip(*told, strict=True)
    assert list(dict.fromkeys(steps)) == ["ventricle", "sections", "range"]
    assert list(fractions) == sorted(fractions)
    assert (fractions[0], len(fractions)) == (0.0, 6)
    assert fractions[-1] < 1

    def cancel(step: str, _fraction: float) -> None:
        if step == "range":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        a_classifier(a_model).classify(an_oblique_t1_map, progress=cancel)
