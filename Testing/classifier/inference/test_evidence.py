"""Evidence adds up to the log odds that the result shows."""

from __future__ import annotations

import numpy as np
import pytest

from ACNetLib.inference.evidence import PIXEL_CM2, evidence_maps
from ACNetLib.inference.pooling import Pooling


@pytest.mark.parametrize(("temperature", "prior", "prevalence"), [(1.0, 0.5, 0.5), (2.5, 0.9, 0.07)])
@pytest.mark.parametrize("size", [32, 64])
def test_the_map_adds_up_to_the_calibrated_log_odds(
    temperature: float, prior: float, prevalence: float, size: int
) -> None:
    pooling = Pooling((temperature,), prior, prevalence, (0.2, 0.8))
    network = np.random.default_rng(2).normal(0.003, 0.02, (3, size, size)).astype(np.float32)
    maps = evidence_maps(network, pooling)
    assert maps.shape == (3, 128, 128)
    for one, own in zip(maps, network, strict=True):
        log_odds = pooling.log_odds([float(own.sum(dtype=np.float64))])
        assert float(one.sum(dtype=np.float64)) * PIXEL_CM2 == pytest.approx(log_odds, abs=1e-4)


def test_a_place_that_speaks_for_dcm_is_positive_where_it_lies() -> None:
    network = np.zeros((1, 32, 32), np.float32)
    network[0, 8, 20], network[0, 25, 3] = 2.0, -1.0
    (one,) = evidence_maps(network, Pooling((1.0,), 0.5, 0.5, (0.2, 0.8)))
    assert np.unravel_index(one.argmax(), one.shape) in {(row, column) for row in (33, 34) for column in (81, 82)}
    assert one[33:35, 81:83].min() > 0
    assert one[101:103, 13:15].max() < 0
    assert one[60:, 60:].max() == 0
