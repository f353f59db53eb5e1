"""What the reading list is worth: how much of a list is read until nearly all patients with DCM have been found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ACNetLib.triage.rows import Row, in_reading_order

from .answers import Answer

PREVALENCES = (0.05, 0.2, 0.5)
LIST_LENGTH = 200
FOUND = 0.95
LISTS = 2000


def places_in_list(answers: Sequence[Answer]) -> NDArray[np.int_]:
    """Which place each of these studies has in the reading list that they make, (n,), from 0."""
    rows = [
        Row(str(number), "no answer") if each is None else Row(str(number), each.verdict, each.probability_dcm)
        for number, each in enumerate(answers)
    ]
    places = np.empty(len(rows), int)
    places[[int(row.study) for row in in_reading_order(rows)]] = np.arange(len(rows))
    return places


def reading_order(places: NDArray[np.int_], is_dcm: NDArray[np.bool_], seed: int) -> dict[str, dict[str, Any]]:
    """By prevalence: the share of a list that is read until 95 % of its patients with DCM are found.

    places, is_dcm: of patients whom the model has not seen, (n,); the smaller a place, the earlier one is read. Lists
    of 200 are drawn from them, with replacement; the mean over the lists and the range of 95 % of them, sorted by place
    and in the order in which patients come, in which those of the same place stay.
    """
    rng = np.random.default_rng(seed)
    found = {}
    for prevalence in PREVALENCES:
        count = round(prevalence * LIST_LENGTH)
        shares = {"sorted": np.empty(LISTS), "as_they_come": np.empty(LISTS)}
        for number in range(LISTS):
            drawn = np.concatenate(
                [rng.choice(places[is_dcm], count), rng.choice(places[~is_dcm], LIST_LENGTH - count)]
            )
            as_they_come = rng.permutation(LIST_LENGTH)
            has_dcm, drawn = as_they_come < count, drawn[as_they_come]
            shares["sorted"][number] = share_read(has_dcm[np.argsort(drawn, kind="stable")])
            shares["as_they_come"][number] = share_read(has_dcm)
        found[f"{prevalence:g}"] = {order: _summary(values) for order, values in shares.items()}
    return found


def share_read(has_dcm: NDArray[np.bool_]) -> float:
    """Of a list in its order, until 95 % of those with DCM, rounded up, have been read."""
    wanted = int(np.ceil(FOUND * has_dcm.sum()))
    return float(np.flatnonzero(np.cumsum(has_dcm) >= wanted)[0] + 1) / len(has_dcm)


def _summary(shares: NDArray[np.float64]) -> dict[str, float]:
    low, high = np.percentile(shares, [2.5, 97.5])
    return {"mean": round(float(shares.mean()), 3), "low": round(float(low), 3), "high": round(float(high), 3)}
