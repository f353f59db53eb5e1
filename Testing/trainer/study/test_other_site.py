"""Slices as another site has them: T1, sharpness and noise of its own, for a whole exam the same."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.t1map.t1_map import T1Map
from ACNetTrainerLib.study.other_site import OtherSite, exam_of_another_site, of_other_sites


def test_another_sites_slices_differ_in_t1_sharpness_and_noise_and_have_no_t1_below_0() -> None:
    edge = np.where(np.arange(128) < 64, 0, 1200).astype(np.float32)
    changed = of_other_sites(np.broadcast_to(edge, (200, 128, 128)), np.random.default_rng(1))
    assert changed.min() == 0
    assert changed.dtype == np.float32
    tissue = changed[:, 10:-10, 80:-10]
    assert tissue.mean(axis=(1, 2)).std() / 1200 == pytest.approx(0.04, abs=0.008)
    noise = tissue.std(axis=(1, 2))
    assert noise.min() < 5
    assert 60 < noise.max() < 75
    half_way = np.abs(changed[:, 10:-10, 64].mean(axis=1) / tissue.mean(axis=(1, 2)))
    assert np.mean(half_way < 0.97) == pytest.approx(0.5, abs=0.15), "half of them are smoother"


def test_all_maps_of_an_exam_are_of_one_site_with_noise_of_their_own_and_stay_where_they_are() -> None:
    image = sitk.GetImageFromArray(np.full((2, 90, 80), 1000, np.float32))
    image.SetSpacing((1.5, 1.5, 8.0))
    image.SetOrigin((3.0, -20.0, 7.0))
    rng = np.random.default_rng(4)
    factors = []
    for _ in range(20):
        changed = exam_of_another_site([T1Map(image, "base"), T1Map(image, "apex")], rng)
        assert [each.name for each in changed] == ["base", "apex"]
        assert all(each.image.GetOrigin() == image.GetOrigin() for each in changed)
        assert all(each.image.GetSpacing() == image.GetSpacing() for each in changed)
        slices = np.concatenate([each.array for each in changed])
        means = slices.mean(axis=(1, 2))
        assert np.ptp(means) < 10, "one site's"
        assert len({each.tobytes() for each in slices}) == 4
        factors.append(means.mean() / 1000)
    assert np.std(factors) == pytest.approx(0.04, abs=0.02)


def test_wide_pixels_are_blurred_over_as_many_mm_as_narrow_ones() -> None:
    site = OtherSite(t1_factor=1.0, blur_mm=1.0, noise_ms=0.0, grain_pixels=0.5)

    def steepest_ms_per_mm(pixel_mm: float) -> float:
        edge = np.broadcast_to(np.where(np.arange(120) < 60, 0, 1000).astype(np.float32), (20, 120))
        changed = site.slice_of(edge, pixel_mm, np.random.default_rng(1))
        return float(np.gradient(changed[10]).max() / pixel_mm)

    assert steepest_ms_per_mm(0.5) == pytest.approx(1000 / np.sqrt(2 * np.pi), rel=0.1)
    assert steepest_ms_per_mm(0.25) == pytest.approx(1000 / np.sqrt(2 * np.pi), rel=0.1)
