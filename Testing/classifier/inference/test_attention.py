"""Masks become maps and bands on a scale that belongs to the model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ACNetLib.colors import BAND_COLORS
from ACNetLib.inference.attention import (
    ATTENTION_MAPS,
    BAND_NAMES,
    attention_maps,
    band_thresholds,
    enlarged,
    map_names,
    to_bands,
)

INSIDE = np.ones((2, 3), bool)


def test_a_map_is_the_channel_mean_and_the_combined_one_is_the_product() -> None:
    first = np.array([[[[0.2, 0.4]], [[0.4, 0.8]]]], np.float32)  # one section, two channels, 1 x 2 pixels
    second = np.array([[[[0.5, 0.1]], [[0.7, 0.9]]]], np.float32)
    maps = attention_maps([first, second])
    assert tuple(maps) == ATTENTION_MAPS
    np.testing.assert_allclose(maps["module_1"], [[[0.3, 0.6]]], rtol=1e-6)
    np.testing.assert_allclose(maps["module_2"], [[[0.6, 0.5]]], rtol=1e-6)
    np.testing.assert_allclose(maps["combined"], [[[0.18, 0.30]]], rtol=1e-6)


def test_one_module_is_its_own_combination_and_none_gives_no_map() -> None:
    mask = np.random.default_rng(1).random((2, 3, 4, 4), np.float32)
    maps = attention_maps([mask])
    assert tuple(maps) == map_names(1) == ("module_1", "combined")
    np.testing.assert_array_equal(maps["combined"], maps["module_1"])
    assert attention_maps([]) == {}
    assert map_names(0) == ()


def test_the_thresholds_are_quantiles_over_all_pixels() -> None:
    values = np.random.default_rng(2).permutation(np.linspace(0, 1, 10_001)).astype(np.float32)
    thresholds = band_thresholds({"module_1": values, "combined": values**2})
    np.testing.assert_allclose(thresholds["module_1"], (0.50, 0.75, 0.90, 0.97), atol=1e-6)
    np.testing.assert_allclose(thresholds["combined"], (0.25, 0.5625, 0.81, 0.9409), atol=1e-6)


def test_the_bands_hold_the_shares_that_their_names_say() -> None:
    values = np.random.default_rng(3).random((5, 128, 128), np.float32)
    bands = to_bands(values, np.ones(values.shape, bool), band_thresholds({"map": values})["map"])
    shares = [(bands >= band).mean() for band in range(1, len(BAND_NAMES) + 1)]
    np.testing.assert_allclose(shares, [1.0, 0.50, 0.25, 0.10, 0.03], atol=1e-3)
    assert [name for share, name in zip((50, 25, 10, 3), BAND_NAMES[1:], strict=True) if f"{share} %" not in name] == []
    assert [color[3] for color in BAND_COLORS] == [0, 1, 1, 1, 1], "only the lowest band is see-through"


@pytest.mark.parametrize(("value", "band"), [(0.05, 1), (0.15, 2), (0.25, 3), (0.35, 4), (0.95, 5)])
def test_a_flat_map_looks_flat(value: float, band: int) -> None:
    bands = to_bands(np.full((2, 3), value, np.float32), INSIDE, (0.1, 0.2, 0.3, 0.4))
    np.testing.assert_array_equal(bands, np.full((2, 3), band))
    assert bands.dtype == np.uint8


def test_the_same_value_has_the_same_band_in_every_picture() -> None:
    dull = to_bands(np.array([0.1, 0.2, 0.35], np.float32), np.ones(3, bool), (0.1, 0.2, 0.3, 0.4))
    vivid = to_bands(np.array([0.1, 0.9, 0.35], np.float32), np.ones(3, bool), (0.1, 0.2, 0.3, 0.4))
    assert dull[2] == vivid[2] == 4


def test_outside_the_crop_there_is_no_band() -> None:
    inside = np.array([[True, False, True], [False, True, False]])
    bands = to_bands(np.full((2, 3), 0.9, np.float32), inside, (0.1, 0.2, 0.3, 0.4))
    np.testing.assert_array_equal(bands, [[5, 0, 5], [0, 5, 0]])


def test_masks_of_several_sizes_are_multiplied_at_the_finest() -> None:
    fine, coarse = np.full((2, 3, 8, 8), 0.5, np.float32), np.full((2, 5, 4, 4), 0.4, np.float32)
    maps = attention_maps([fine, coarse])
    assert [values.shape for values in maps.values()] == [(2, 8, 8), (2, 4, 4), (2, 8, 8)]
    np.testing.assert_allclose(maps["combined"], 0.2, rtol=1e-6)


def test_a_mask_is_enlarged_as_pytorch_does_it() -> None:
    mask = np.random.default_rng(1).random((2, 32, 32), np.float32)
    expected = F.interpolate(torch.from_numpy(mask)[:, None], size=(128, 128), mode="bilinear", align_corners=False)
    np.testing.assert_allclose(enlarged(mask), expected[:, 0].numpy(), atol=1e-6)
