"""From a T1 map to a study's result: probabilities, and attention where it belongs in the map's own geometry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import ATTENTION_MAPS
from ACNetLib.inference.classifier import Classifier
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.record import SectionRecord
from ACNetLib.inference.settings import Settings
from ACNetLib.models.model import Model
from ACNetLib.networks.acnet import ACNet, ACNetOutput
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.t1map.checks import POST_CONTRAST_WARNING
from ACNetLib.t1map.section import IntensityScaling, SectionGrid
from ACNetLib.t1map.t1_map import T1Map, t1_map_from_array
from ACNetLib.ventricle.labels import CAVITY_LABEL, MYOCARDIUM_LABEL, SEPTUM_LABEL, Ventricle
from conftest import Finder

CPU = DeviceChoice("cpu", "asked for")


class StandIn(nn.Module):
    """A network whose answer is a function of the sections (B, 1, 128, 128): log odds (B,) and masks (B, C, 32, 32)."""

    def __init__(self, answer: Callable[[Tensor], tuple[Tensor, Tensor]]) -> None:
        super().__init__()
        self._answer = answer

    def forward(self, x: Tensor) -> ACNetOutput:
        log_odds, mask = self._answer(x)
        evidence = (log_odds / 32**2)[:, None, None].expand(-1, 32, 32)
        return ACNetOutput(torch.stack([torch.zeros_like(log_odds), log_odds], dim=1), (mask, mask), evidence)


def a_classifier(
    model: Model,
    answer: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None,
    finder: Finder | None = None,
    **card: Any,
) -> Classifier:
    network: Any = model.network if answer is None else StandIn(answer)
    return Classifier(Model(network, replace(model.card, **card)), finder or Finder(), CPU)


def flat(value: float, log_odds: float = 0.0) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    return lambda x: (torch.full((len(x),), log_odds), torch.full((len(x), 4, 32, 32), value))


def one_section(t1_map: T1Map, section: int) -> T1Map:
    return replace(t1_map, image=t1_map.image[:, :, section : section + 1])


def grid_of(section: SectionRecord, t1_map: T1Map) -> SectionGrid:
    return SectionGrid.around(t1_map, section.section, section.center_lps_mm)


def sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


def heart_of(t1_map: T1Map, section: int = 0) -> np.ndarray:
    """Where conftest's oblique map has its bright heart, LPS mm."""
    return np.array(t1_map.image.TransformIndexToPhysicalPoint((60, 80, section)))


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


def test_maps_and_bands_have_the_shape_of_the_t1_map_and_are_zero_outside_the_crop(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    study = a_classifier(a_model).classify(an_oblique_t1_map, Settings(center_mm=heart_of(an_oblique_t1_map)))
    rows, columns = np.mgrid[:150, :170]
    grid, t1_map = grid_of(study.sections[0], an_oblique_t1_map), an_oblique_t1_map
    offsets = ((columns - 60) * 1.4)[..., np.newaxis] * t1_map.row_axis + ((rows - 80) * 1.6)[
        ..., np.newaxis
    ] * t1_map.column_axis
    farther = np.abs(offsets @ np.array([grid.row_axis, grid.column_axis]).T).max(axis=-1)
    covered = farther <= 64  # the pixel's centre in 128 x 128 mm
    near_edge = abs(farther - 64) < 2
    assert 0.2 < covered.mean() < 0.4
    assert tuple(study.images[0].attention) == tuple(study.images[0].bands) == ATTENTION_MAPS
    for name in ATTENTION_MAPS:
        attention, bands = study.images[0].attention[name], study.images[0].bands[name]
        assert attention.shape == bands.shape == an_oblique_t1_map.array.shape
        assert (attention.dtype, bands.dtype) == (np.float32, np.uint8)
        for values in (attention, bands):
            assert (values[:, covered & ~near_edge] > 0).all()
            assert (values[:, ~covered & ~near_edge] == 0).all()
        assert attention.max() < 1
        np.testing.assert_array_equal(bands > 0, attention > 0)
        limits = study.model.attention_thresholds[name]
        np.testing.assert_array_equal(bands[bands > 0], 1 + np.digitize(attention[bands > 0], limits))


@pytest.mark.parametrize(("row", "column"), [(1, 30), (5, 20), (16, 15), (30, 2)])
def test_attention_lands_where_the_network_paid_it(
    a_model: Model, an_oblique_t1_map: T1Map, row: int, column: int
) -> None:
    """A mask peaked at one of its 32 x 32 cells, which are 4 mm wide, comes back at that place in the patient."""

    def answer(x: Tensor) -> tuple[Tensor, Tensor]:
        mask = torch.full((len(x), 4, 32, 32), 0.1)
        mask[:, :, row, column] = 0.9
        return torch.zeros(len(x)), mask

    study = a_classifier(a_model, answer).classify(an_oblique_t1_map, Settings(center_mm=heart_of(an_oblique_t1_map)))
    for section in study.sections:
        grid = grid_of(section, an_oblique_t1_map)
        along = (4 * column + 1.5 - 63.5) * np.array(grid.row_axis) + (4 * row + 1.5 - 63.5) * np.array(
            grid.column_axis
        )
        expected = np.array(grid.center_mm) + along
        for name in ATTENTION_MAPS:
            attention = study.images[0].attention[name][section.section]
            weights = np.where(attention > 0.3, attention, 0)
            peak = [float((weights * indices).sum() / weights.sum()) for indices in np.indices(attention.shape)[::-1]]
            found = an_oblique_t1_map.image.TransformContinuousIndexToPhysicalPoint((*peak, float(section.section)))
            assert np.linalg.norm(np.array(found) - expected) < 0.5, name


def test_attention_to_the_bright_heart_lies_on_the_bright_heart(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    """The whole way there and back: a network that attends to what is bright, off the centre of an oblique map."""

    def answer(x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros(len(x)), F.avg_pool2d(x, 4).repeat(1, 4, 1, 1) / 256

    center = heart_of(an_oblique_t1_map) + 25 * an_oblique_t1_map.row_axis - 18 * an_oblique_t1_map.column_axis
    study = a_classifier(a_model, answer).classify(an_oblique_t1_map, Settings(center_mm=center))
    rows, columns = np.mgrid[:150, :170]
    heart = np.hypot(rows - 80, columns - 60) < 20
    for attention in study.images[0].attention["module_1"]:
        attended = attention > 0.5 * 1600 / 2500 + 0.5 * 900 / 2500
        assert (attended & heart).sum() / (attended | heart).sum() > 0.9


def test_a_flat_mask_looks_flat_in_the_result(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    study = a_classifier(a_model, flat(0.35)).classify(an_oblique_t1_map)
    assert set(np.unique(study.images[0].bands["module_1"])) == {0, 4}  # between the card's third and fourth threshold
    assert set(np.unique(study.images[0].bands["combined"])) == {0, 2}  # 0.1225
    np.testing.assert_allclose(
        study.images[0].attention["module_1"][study.images[0].attention["module_1"] > 0], 0.35, rtol=1e-5
    )


def test_a_given_centre_is_the_centre_of_every_crop(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    heart = heart_of(an_oblique_t1_map)
    finder = Finder(tuple(found_by_localizer(an_oblique_t1_map, section, 0.9) for section in (0, 1)))
    study = a_classifier(a_model, flat(0.5), finder).classify(an_oblique_t1_map, Settings(center_mm=heart.tolist()))
    assert study.maps[0].center_source == "point"
    assert study.warnings == ()
    for section in study.sections:
        assert section.confidence == 1
        np.testing.assert_allclose(section.center_lps_mm, an_oblique_t1_map.project(heart, section.section))


def test_without_a_centre_each_section_is_cut_where_the_localizer_found_its_ventricle(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    places = [heart_of(an_oblique_t1_map, section) + section * an_oblique_t1_map.row_axis for section in (0, 1)]
    finder = Finder(tuple(Ventricle(section, place, 0.8) for section, place in enumerate(places)))
    study = a_classifier(a_model, flat(0.5), finder).classify(an_oblique_t1_map)
    assert study.maps[0].center_source == "localizer"
    assert study.localizer == "stand-in"
    for section, place in zip(study.sections, places, strict=True):
        assert section.confidence == 0.8
        np.testing.assert_allclose(section.center_lps_mm, place)


def test_a_section_whose_ventricle_was_not_found_counts_for_nothing_and_is_named(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    finder = Finder((found_by_localizer(an_oblique_t1_map, 0, 0.3), found_by_localizer(an_oblique_t1_map, 1, 0.9)))
    study = a_classifier(a_model, flat(0.5, log_odds=1.0), finder).classify(an_oblique_t1_map)
    assert [section.section for section in study.sections] == [1]
    assert study.probability_dcm == pytest.approx(sigmoid(1.0))
    assert len(study.warnings) == 1
    assert study.warnings[0].startswith("Slice 0 was left out")
    for values in (study.images[0].attention["combined"], study.images[0].bands["combined"], study.images[0].ventricle):
        assert not values[0].any()
        assert values[1].any()


def test_a_map_without_any_ventricle_found_is_refused_and_a_point_asked_for(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    classifier = a_classifier(a_model, flat(0.5), Finder(confidence=0.59))
    with pytest.raises(ACNetError, match=r"^short axis: .*not found on any slice.*0\.59.*0\.60.*--center"):
        classifier.classify(an_oblique_t1_map)
    assert len(classifier.classify(an_oblique_t1_map, Settings(center_mm=heart_of(an_oblique_t1_map))).sections) == 2


def test_a_section_is_measured_with_the_regions_that_were_found(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    finder = Finder(tuple(found_by_localizer(an_oblique_t1_map, section, 0.9) for section in (0, 1)))
    study = a_classifier(a_model, flat(0.5), finder).classify(an_oblique_t1_map)
    for section in study.sections:
        assert section.measures is not None
        assert section.measures.septal_t1_ms == pytest.approx(900, abs=20)  # outside conftest's bright heart
        assert section.measures.cavity_area_mm2 == pytest.approx(np.pi * 20**2 * 1.4 * 1.6, rel=0.02)
    assert set(np.unique(study.images[0].ventricle)) == {0, MYOCARDIUM_LABEL, CAVITY_LABEL, SEPTUM_LABEL}


@pytest.mark.parametrize(("column", "measured"), [(60, True), (100, False)])
def test_found_regions_are_used_only_where_a_given_point_lies_within_them(
    a_model: Model, an_oblique_t1_map: T1Map, column: int, measured: bool
) -> None:
    finder = Finder(tuple(found_by_localizer(an_oblique_t1_map, section, 0.9) for section in (0, 1)))
    point = an_oblique_t1_map.image.TransformIndexToPhysicalPoint((column, 80, 0))
    study = a_classifier(a_model, flat(0.5), finder).classify(an_oblique_t1_map, Settings(center_mm=point))
    assert [section.measures is not None for section in study.sections] == [measured] * 2
    for section in study.sections:
        np.testing.assert_allclose(section.center_lps_mm, an_oblique_t1_map.project(point, section.section))


def found_by_localizer(t1_map: T1Map, section: int, confidence: float) -> Ventricle:
    """Conftest's bright heart as cavity, a ring around it as wall, its part towards lower columns as septum."""
    rows, columns = np.mgrid[:150, :170]
    radius = np.hypot(rows - 80, columns - 60)
    labels = np.select(
        [radius < 20, (radius < 27) & (columns < 45), radius < 27], [CAVITY_LABEL, SEPTUM_LABEL, MYOCARDIUM_LABEL], 0
    )
    return Ventricle(section, heart_of(t1_map, section), confidence, labels.astype(np.uint8))


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


def test_a_single_section_map_and_its_result_have_one_section(a_model: Model) -> None:
    t1_ms = np.random.default_rng(5).uniform(900, 1600, (140, 150))
    study = a_classifier(a_model).classify(t1_map_from_array(t1_ms, name="one", field_strength_tesla=1.5))
    assert len(study.sections) == 1
    assert study.images[0].attention["combined"].shape == (1, 140, 150)
    assert 0 < study.probability_dcm < 1


def test_a_network_with_one_attention_module_gives_fewer_maps(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    network = ACNet(attention_modules=1).eval()
    study = Classifier(Model(network, a_model.card), Finder(), CPU).classify(an_oblique_t1_map)
    assert tuple(study.images[0].attention) == tuple(study.images[0].bands) == ("module_1", "combined")


def test_a_model_without_attention_is_refused(a_model: Model) -> None:
    model = Model(ACNet(attention_modules=0), replace(a_model.card, attention_thresholds={}))
    with pytest.raises(ACNetError, match="no attention"):
        Classifier(model, Finder(), CPU)


def test_only_the_chosen_sections_are_classified(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    classifier = a_classifier(a_model)
    study = classifier.classify(an_oblique_t1_map, Settings(sections=[1]))
    assert [section.section for section in study.sections] == [1]
    assert not study.images[0].bands["combined"][0].any()
    assert study.images[0].bands["combined"][1].any()
    with_all = classifier.classify(an_oblique_t1_map, Settings(sections=(1, 0)))
    assert [section.section for section in with_all.sections] == [0, 1]
    assert with_all.sections[1].log_odds_dcm == pytest.approx(study.sections[0].log_odds_dcm, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(("sections", "found"), [([2], "found 2"), ([-1, 0], "found -1"), ([], "found none")])
def test_sections_that_the_map_does_not_have_are_refused(
    a_model: Model, an_oblique_t1_map: T1Map, sections: list[int], found: str
) -> None:
    with pytest.raises(ACNetError, match=f"short axis: {found}.*expected some of 0 to 1"):
        a_classifier(a_model).classify(an_oblique_t1_map, Settings(sections=sections))


def test_a_segmentation_that_reaches_none_of_the_chosen_sections_is_refused(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    labels = np.zeros(an_oblique_t1_map.array.shape, np.uint8)
    labels[0, 60:100, 40:80] = MYOCARDIUM_LABEL
    labels[0, 70:90, 50:70] = CAVITY_LABEL
    segmentation = sitk.GetImageFromArray(labels)
    segmentation.CopyInformation(an_oblique_t1_map.image)
    with pytest.raises(ACNetError, match="it covers the slices 0 of short axis; expected one of those to classify, 1"):
        a_classifier(a_model).classify(an_oblique_t1_map, Settings(segmentation=segmentation, sections=[1]))


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


def test_the_walls_attention_is_relative_to_that_of_the_section(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    labels = np.zeros((150, 170), np.uint8)
    labels[66:94, 46:74] = MYOCARDIUM_LABEL
    labels[73:87, 53:67] = CAVITY_LABEL
    heart = heart_of(an_oblique_t1_map)
    finder = Finder((Ventricle(0, heart, 0.9, labels), Ventricle(1, heart_of(an_oblique_t1_map, 1), 0.9)))

    def bright_middle(x: Tensor) -> tuple[Tensor, Tensor]:
        mask = torch.full((len(x), 4, 32, 32), 0.2)
        mask[:, :, 8:24, 8:24] = 0.8  # the middle half of the section, in which the wall lies
        return torch.zeros(len(x)), mask

    study = a_classifier(a_model, bright_middle, finder).classify(an_oblique_t1_map)
    mean = 0.25 * 0.8**2 + 0.75 * 0.2**2
    assert study.sections[0].wall_attention == pytest.approx(0.8**2 / mean, rel=0.05)
    assert np.isnan(study.sections[1].wall_attention)
    assert a_classifier(a_model, flat(0.5), finder).classify(an_oblique_t1_map).sections[
        0
    ].wall_attention == pytest.approx(1.0, abs=1e-6)


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


class WatchedFinder(Finder):
    """Remembers the maps that it was shown."""

    def locate(self, t1_map: T1Map, sections: Sequence[int] | None = None) -> tuple[Ventricle, ...]:
        self.shown = t1_map
        return super().locate(t1_map, sections)


def finder_of_the_heart(t1_map: T1Map, confidences: tuple[float, float] = (0.9, 0.9)) -> WatchedFinder:
    return WatchedFinder(tuple(found_by_localizer(t1_map, section, confidences[section]) for section in (0, 1)))


NORMAL_MS = (990.0, 30.0)
"""What the model of these tests has learned to be normal."""


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


def test_a_slice_whose_ventricle_lies_elsewhere_is_named_and_counts_for_nothing(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    elsewhere = heart_of(an_oblique_t1_map, 1) + 40 * an_oblique_t1_map.row_axis
    finder = Finder((found_by_localizer(an_oblique_t1_map, 0, 0.9), Ventricle(1, elsewhere, 0.7)))
    study = a_classifier(a_model, flat(0.5), finder).classify(an_oblique_t1_map)
    assert [section.section for section in study.sections] == [0]
    assert study.warnings == ("Slice 1 was left out: its ventricle lies 40 mm from that of the other slices.",)


@pytest.mark.parametrize(
    ("confidences", "columns", "doubted"),
    [((0.9, 0.9), 20, ""), ((0.9, 0.3), 0, "1"), ((0.9, 0.9), 22, "0, 1"), ((0.3, 0.3), 0, "0, 1")],
)
def test_a_given_centre_where_the_localizer_sees_no_heart_is_warned_of(
    a_model: Model, an_oblique_t1_map: T1Map, confidences: tuple[float, float], columns: int, doubted: str
) -> None:
    """A column is 1.4 mm wide: 20 are 28 mm, 22 are 30.8."""
    center = heart_of(an_oblique_t1_map) + 1.4 * columns * an_oblique_t1_map.row_axis
    classifier = a_classifier(a_model, flat(0.5), finder_of_the_heart(an_oblique_t1_map, confidences))
    study = classifier.classify(an_oblique_t1_map, Settings(center_mm=center))
    assert len(study.sections) == 2
    sentence = f"The localizer sees no heart at the given centre on slice {doubted}: does it lie in the ventricle?"
    assert study.warnings == ((sentence,) if doubted else ())


def with_blood_of(t1_map: T1Map, blood_ms: float) -> T1Map:
    """Conftest's map with another T1 in its bright heart."""
    t1_ms = np.where(t1_map.array > 1300, np.float32(blood_ms), t1_map.array)
    image = sitk.GetImageFromArray(t1_ms)
    image.CopyInformation(t1_map.image)
    return replace(t1_map, image=image)


def test_a_ventricle_filled_with_blood_after_contrast_is_refused_unless_insisted_on(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    classifier = a_classifier(a_model, flat(0.5), finder_of_the_heart(an_oblique_t1_map))
    t1_map = with_blood_of(an_oblique_t1_map, 1050.0)
    with pytest.raises(ACNetError, match="short axis: blood in its left ventricle has a T1 of 1050 ms"):
        classifier.classify(t1_map)
    insisted = replace(t1_map, warnings=(POST_CONTRAST_WARNING,))
    assert len(classifier.classify(insisted).sections) == 2


def test_blood_is_judged_in_the_scale_of_the_training(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    finder = finder_of_the_heart(an_oblique_t1_map)
    classifier = a_classifier(a_model, flat(0.5), finder, normal_t1_ms=NORMAL_MS)
    t1_map = with_blood_of(an_oblique_t1_map, 1050.0)
    assert len(classifier.classify(t1_map, Settings(reference=ReferenceT1(900.0))).sections) == 2  # 1155 ms there
