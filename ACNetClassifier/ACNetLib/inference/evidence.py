"""What each place of a slice adds to the log odds of DCM: an exact sum, unlike attention, which is a weight."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ACNetLib.inference.attention import enlarged
from ACNetLib.inference.pooling import Pooling
from ACNetLib.t1map.section import SECTION_SIZE, SECTION_SPACING_MM

EVIDENCE = "evidence"
EVIDENCE_LIMIT = 0.3
"""The ends of the colour scale, log odds per cm²: the same for all slices and models, so that little looks little."""
LEAST_SHOWN_EVIDENCE = EVIDENCE_LIMIT / 3
"""Where labels are wanted, what is weaker speaks for neither."""
PIXEL_CM2 = (SECTION_SPACING_MM / 10) ** 2


def evidence_maps(network_evidence: NDArray[np.float32], pooling: Pooling) -> NDArray[np.float32]:
    """Log odds per cm2 on a section's own pixels, (S, 128, 128), that add up to each slice's calibrated log odds.

    network_evidence: (S, rows, columns), the network's own, which adds up to its log odds. What calibration and
    prevalence add has no place of its own and is spread over all of them.
    """
    offset = pooling.log_odds([0.0])
    factor = pooling.log_odds([1.0]) - offset
    places = network_evidence.shape[1] * network_evidence.shape[2]
    shares = factor * network_evidence.astype(np.float64) + offset / places
    return (enlarged(shares, (SECTION_SIZE, SECTION_SIZE)) * places / SECTION_SIZE**2 / PIXEL_CM2).astype(np.float32)


def evidence_parts(evidence: NDArray[np.float32]) -> dict[str, NDArray[np.bool_]]:
    """Where evidence, log odds per cm2, speaks for each class, by what that is called."""
    return {
        f"{EVIDENCE}, for DCM": evidence >= LEAST_SHOWN_EVIDENCE,
        f"{EVIDENCE}, for normal": evidence <= -LEAST_SHOWN_EVIDENCE,
    }
