"""Attention comes back to its place in the patient, in the T1 map's own geometry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import ATTENTION_MAPS
from ACNetLib.inference.classifier import Classifier
from ACNetLib.inference.settings import Settings
from ACNetLib.models.model import Model
from ACNetLib.networks.acnet import ACNet
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import CAVITY_LABEL, MYOCARDIUM_LABEL, Ventricle
from conftest import Finder
from made_up_networks import (
    CPU,
    a_classifier,
    flat,
    grid_of,
    heart_of,
)


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


def test_a_network_with_one_attention_module_gives_fewer_maps(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    network = ACNet(attention_modules=1).eval()
    study = Classifier(Model(network, a_model.card), Finder(), CPU).classify(an_oblique_t1_map)
    assert tuple(study.images[0].attention) == tuple(study.images[0].bands) == ("module_1", "combined")


def test_a_model_without_attention_is_refused(a_model: Model) -> None:
    model = Model(ACNet(attention_modules=0), replace(a_model.card, attention_thresholds={}))
    with pytest.raises(ACNetError, match="no attention"):
        Classifier(model, Finder(), CPU)


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
