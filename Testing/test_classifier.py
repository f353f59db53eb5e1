"""From a T1 map to a study's result: probabilities, and attention where it belongs in the map's own geometry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ACNetLib.attention import ATTENTION_MAPS
from ACNetLib.classifier import Classifier
from ACNetLib.device import DeviceChoice
from ACNetLib.errors import ACNetError
from ACNetLib.model import Model
from ACNetLib.network import ACNet, ACNetOutput
from ACNetLib.section import IntensityScaling
from ACNetLib.t1map import T1Map, t1_map_from_array

CPU = DeviceChoice("cpu", "asked for")


class StandIn(nn.Module):
    """A network whose answer is a function of the sections (B, 1, 128, 128): log odds (B,) and masks (B, C, 32, 32)."""

    def __init__(self, answer: Callable[[Tensor], tuple[Tensor, Tensor]]) -> None:
        super().__init__()
        self._answer = answer

    def forward(self, x: Tensor) -> ACNetOutput:
        log_odds, mask = self._answer(x)
        return ACNetOutput(torch.stack([torch.zeros_like(log_odds), log_odds], dim=1), (mask, mask))


def a_classifier(
    model: Model, answer: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None, **card: Any
) -> Classifier:
    network: Any = model.network if answer is None else StandIn(answer)
    return Classifier(Model(network, replace(model.card, **card)), CPU)


def flat(value: float, log_odds: float = 0.0) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    return lambda x: (torch.full((len(x),), log_odds), torch.full((len(x), 4, 32, 32), value))


def one_section(t1_map: T1Map, section: int) -> T1Map:
    return replace(t1_map, image=t1_map.image[:, :, section : section + 1])


def sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


def heart_of(t1_map: T1Map, section: int = 0) -> np.ndarray:
    """Where conftest's oblique map has its bright heart, LPS mm."""
    return np.array(t1_map.image.TransformIndexToPhysicalPoint((60, 80, section)))


def test_the_sections_of_a_stack_get_what_each_would_get_alone(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    classifier = a_classifier(a_model)
    heart = heart_of(an_oblique_t1_map)
    study = classifier.classify(an_oblique_t1_map, heart)
    alone = [classifier.classify(one_section(an_oblique_t1_map, section), heart) for section in (0, 1)]
    assert study.sections[0].logit != study.sections[1].logit
    for section, single in enumerate(alone):
        assert study.sections[section].section == section
        assert study.sections[section].logit == pytest.approx(single.sections[0].logit, rel=1e-4, abs=1e-4)
        assert single.probability_dcm == single.sections[0].probability_dcm
        for name in ATTENTION_MAPS:
            np.testing.assert_allclose(study.attention[name][section], single.attention[name][0], atol=1e-5)


def test_all_sections_run_in_one_batch(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    batches = []

    def answer(x: Tensor) -> tuple[Tensor, Tensor]:
        batches.append(tuple(x.shape))
        return flat(0.5)(x)

    a_classifier(a_model, answer).classify(an_oblique_t1_map)
    assert batches == [(2, 1, 128, 128)]


def test_the_probability_of_the_study_comes_from_the_mean_log_odds(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    def answer(x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.tensor([-1.0, 4.0]), torch.full((2, 4, 32, 32), 0.5)

    study = a_classifier(a_model, answer, temperature=2.0, decision_threshold=0.65).classify(an_oblique_t1_map)
    assert [section.logit for section in study.sections] == [-0.5, 2.0]
    assert [section.probability_dcm for section in study.sections] == pytest.approx([sigmoid(-0.5), sigmoid(2.0)])
    assert study.probability_dcm == pytest.approx(sigmoid(0.75))  # 0.679
    assert [section.decision for section in study.sections] == ["normal", "dcm"]
    assert study.decision == "dcm"


@pytest.mark.parametrize(("threshold", "decision"), [(0.30, "dcm"), (0.50, "dcm"), (0.51, "normal"), (0.90, "normal")])
def test_the_threshold_of_the_card_decides(
    a_model: Model, an_oblique_t1_map: T1Map, threshold: float, decision: str
) -> None:
    study = a_classifier(a_model, flat(0.5, log_odds=0.0), decision_threshold=threshold).classify(an_oblique_t1_map)
    assert study.probability_dcm == 0.5
    assert study.decision == study.sections[0].decision == decision
    assert study.decision_threshold == threshold


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

    study = a_classifier(a_model, answer, intensity=scaling).classify(an_oblique_t1_map, heart_of(an_oblique_t1_map))
    for section, intensity in zip(study.sections, seen[0][:, 0].numpy(), strict=True):
        t1_ms = section.grid.crop(an_oblique_t1_map).t1_ms
        low, high = (500, 1500) if scaling.kind == "fixed_window" else (t1_ms.min(), t1_ms.max())
        np.testing.assert_allclose(intensity, 255 * np.clip((t1_ms - low) / (high - low), 0, 1), atol=1e-3)


def test_maps_and_bands_have_the_shape_of_the_t1_map_and_are_zero_outside_the_crop(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    study = a_classifier(a_model).classify(an_oblique_t1_map, heart_of(an_oblique_t1_map))
    rows, columns = np.mgrid[:150, :170]
    covered = (abs((columns - 60) * 1.4) <= 64) & (abs((rows - 80) * 1.6) <= 64)  # the pixel's centre in 128 x 128 mm
    near_edge = (abs(abs(columns - 60) * 1.4 - 64) < 1.5) | (abs(abs(rows - 80) * 1.6 - 64) < 1.7)
    assert 0.2 < covered.mean() < 0.4
    assert tuple(study.attention) == tuple(study.bands) == ATTENTION_MAPS
    for name in ATTENTION_MAPS:
        attention, bands = study.attention[name], study.bands[name]
        assert attention.shape == bands.shape == an_oblique_t1_map.array.shape
        assert (attention.dtype, bands.dtype) == (np.float32, np.uint8)
        for values in (attention, bands):
            assert (values[:, covered & ~near_edge] > 0).all()
            assert (values[:, ~covered & ~near_edge] == 0).all()
        assert attention.max() < 1
        np.testing.assert_array_equal(bands > 0, attention > 0)
        limits = study.card.attention_thresholds[name]
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

    study = a_classifier(a_model, answer).classify(an_oblique_t1_map, heart_of(an_oblique_t1_map))
    for section in study.sections:
        grid = section.grid
        along = (4 * column + 1.5 - 63.5) * np.array(grid.row_axis) + (4 * row + 1.5 - 63.5) * np.array(
            grid.column_axis
        )
        expected = np.array(grid.center_mm) + along
        for name in ATTENTION_MAPS:
            attention = study.attention[name][section.section]
            weights = np.where(attention > 0.3, attention, 0)
            peak = [float((weights * indices).sum() / weights.sum()) for indices in np.indices(attention.shape)[::-1]]
            found = an_oblique_t1_map.image.TransformContinuousIndexToPhysicalPoint((*peak, float(section.section)))
            assert np.linalg.norm(np.array(found) - expected) < 0.5, name


def test_attention_to_the_bright_heart_lies_on_the_bright_heart(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    """The whole way there and back: a network that attends to what is bright, off the centre of an oblique map."""

    def answer(x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros(len(x)), F.avg_pool2d(x, 4).repeat(1, 4, 1, 1) / 256

    center = heart_of(an_oblique_t1_map) + 25 * an_oblique_t1_map.row_axis - 18 * an_oblique_t1_map.column_axis
    study = a_classifier(a_model, answer).classify(an_oblique_t1_map, center)
    rows, columns = np.mgrid[:150, :170]
    heart = np.hypot(rows - 80, columns - 60) < 20
    for attention in study.attention["module_1"]:
        attended = attention > 0.5 * 1600 / 2500 + 0.5 * 900 / 2500
        assert (attended & heart).sum() / (attended | heart).sum() > 0.9


def test_a_flat_mask_looks_flat_in_the_result(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    study = a_classifier(a_model, flat(0.35)).classify(an_oblique_t1_map)
    assert set(np.unique(study.bands["module_1"])) == {0, 4}  # between the card's third and fourth threshold
    assert set(np.unique(study.bands["combined"])) == {0, 2}  # 0.1225
    np.testing.assert_allclose(study.attention["module_1"][study.attention["module_1"] > 0], 0.35, rtol=1e-5)


def test_a_given_centre_is_the_centre_of_every_crop(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    heart = heart_of(an_oblique_t1_map)
    study = a_classifier(a_model, flat(0.5)).classify(an_oblique_t1_map, heart.tolist())
    assert study.center_source == "given"
    assert study.warnings == ()
    for section in study.sections:
        np.testing.assert_allclose(section.grid.center_mm, an_oblique_t1_map.project(heart, section.section))


def test_without_a_centre_the_middle_of_the_image_is_used_and_that_is_said(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    study = a_classifier(a_model, flat(0.5)).classify(an_oblique_t1_map)
    assert study.center_source == "image centre"
    assert any("image centre was used" in warning for warning in study.warnings)
    for section in study.sections:
        np.testing.assert_allclose(section.grid.center_mm, an_oblique_t1_map.section_center(section.section))


@pytest.mark.parametrize(
    ("sideways_mm", "outcome"), [(0, "fine"), (90, "warning"), (170, "refused"), (5000, "refused")]
)
def test_a_crop_that_leaves_the_map_is_reported_and_one_far_outside_is_refused(
    a_model: Model, an_oblique_t1_map: T1Map, sideways_mm: float, outcome: str
) -> None:
    center = an_oblique_t1_map.center + sideways_mm * an_oblique_t1_map.row_axis  # the map is 238 mm wide
    classifier = a_classifier(a_model, flat(0.5))
    if outcome == "refused":
        with pytest.raises(ACNetError, match=r"^short axis: .*% of section 0 around .* lies outside"):
            classifier.classify(an_oblique_t1_map, center)
        return
    sections = classifier.classify(an_oblique_t1_map, center).sections
    for section in sections:
        assert section.outside_fraction == pytest.approx(max(0, sideways_mm + 64 - 119) / 128, abs=0.01)
        assert [warning.endswith("of the section lies outside the map") for warning in section.warnings] == (
            [True] if outcome == "warning" else []
        )


@pytest.mark.parametrize(("field", "warning"), [(1.5, None), (1.494, None), (3.0, "from 3 T"), (None, "does not tell")])
def test_a_map_of_another_field_strength_is_warned_of(
    a_model: Model, an_oblique_t1_map: T1Map, field: float | None, warning: str | None
) -> None:
    t1_map = replace(an_oblique_t1_map, field_strength_tesla=field)
    warnings = a_classifier(a_model, flat(0.5)).classify(t1_map, t1_map.center).warnings
    assert len(warnings) == (warning is not None)
    assert warning is None or warning in warnings[0]
    assert warning is None or "1.5 T" in warnings[0]


def test_the_warnings_of_the_map_are_passed_on(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    t1_map = replace(an_oblique_t1_map, warnings=("the map is odd",))
    assert a_classifier(a_model, flat(0.5)).classify(t1_map, t1_map.center).warnings == ("the map is odd",)


def test_a_single_section_map_and_its_result_have_one_section(a_model: Model) -> None:
    t1_ms = np.random.default_rng(5).uniform(900, 1600, (140, 150))
    study = a_classifier(a_model).classify(t1_map_from_array(t1_ms, name="one", field_strength_tesla=1.5))
    assert len(study.sections) == 1
    assert study.attention["combined"].shape == (1, 140, 150)
    assert 0 < study.probability_dcm < 1


def test_a_network_with_one_attention_module_gives_fewer_maps(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    network = ACNet(attention_modules=1).eval()
    study = Classifier(Model(network, a_model.card), CPU).classify(an_oblique_t1_map)
    assert tuple(study.attention) == tuple(study.bands) == ("module_1", "combined")


def test_a_model_without_attention_is_refused(a_model: Model) -> None:
    model = Model(ACNet(attention_modules=0), replace(a_model.card, attention_thresholds={}))
    with pytest.raises(ACNetError, match="no attention"):
        Classifier(model, CPU)
