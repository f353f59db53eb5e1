"""Where an attention network's masks are high, measured alike for networks whose masks differ in number and size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ACNetLib.inference.attention import attention_maps, enlarged
from ACNetLib.inference.device import DeviceChoice

from ..cases.library import CaseLibrary
from ..evaluation.attention_regions import FloatArray, enrichments, regions_of
from ..training.batches import InOrder
from ..training.dataset import CaseDataset


@dataclass(frozen=True)
class Attention:
    """cases: the sections that are shown. sections: (n, 128, 128), their intensities. maps: the channel mean of each
    module's mask and the modules' product as "combined", each (n, 128, 128). enrichment: by map and region, the mean
    over the test sections with known outlines of the map in that region relative to the whole section; "mean_wall" is
    that of the map averaged over all test sections, which knows where hearts usually are but nothing of the case.
    """

    cases: tuple[str, ...]
    sections: FloatArray
    maps: dict[str, FloatArray]
    enrichment: dict[str, dict[str, float]]


def log_odds_and_attention(
    network: nn.Module, dataset: CaseDataset, library: CaseLibrary, shown: Sequence[str], device: DeviceChoice
) -> tuple[NDArray[np.float64], Attention | None]:
    """(n,) uncalibrated log odds of DCM of the library's cases, which are those of the data set; and the attention,
    None of a network without masks. In one pass: a deep network takes most of an hour for a thousand patients."""
    network.to(device.device).eval()
    log_odds = list[NDArray[np.float64]]()
    cases, sums = iter(library.cases), dict[str, Any]()
    kept: list[tuple[str, FloatArray, dict[str, FloatArray]]] = []
    enriched: list[tuple[NDArray[np.uint8], dict[str, dict[str, float]]]] = []
    with torch.inference_mode():
        for sections, _ in InOrder(dataset):
            answer = network(sections.to(device.device))
            logits = answer.logits.double().cpu()
            log_odds.append((logits[:, 1] - logits[:, 0]).numpy())
            if not answer.masks:
                continue
            # Of one section after the other: the maps of thousands would fill the memory.
            for section, own in zip(sections[:, 0].numpy(), _maps(answer.masks), strict=True):
                case = next(cases)
                sums = {name: sums.get(name, 0.0) + values.astype(np.float64) for name, values in own.items()}
                if case.case in shown:
                    kept.append((case.case, section, own))
                regions = regions_of(library, case)
                if regions is not None:
                    enriched.append((regions, {name: enrichments(values, regions) for name, values in own.items()}))
    if not sums:
        return np.concatenate(log_odds), None
    means = {name: (total / len(library.cases)).astype(np.float32) for name, total in sums.items()}
    attention = Attention(
        cases=tuple(case for case, _, _ in kept),
        sections=np.array([section for _, section, _ in kept]),
        maps={name: np.array([own[name] for _, _, own in kept]) for name in sums},
        enrichment={name: _mean_enrichment(name, mean, enriched) for name, mean in means.items()},
    )
    return np.concatenate(log_odds), attention


def _maps(masks: Sequence[Tensor]) -> Iterator[dict[str, FloatArray]]:
    """Of each section of a batch by name, (128, 128) each."""
    maps = attention_maps([mask.float().cpu().numpy() for mask in masks])
    enlarged_maps = [enlarged(values) for values in maps.values()]
    return (dict(zip(maps, own, strict=True)) for own in zip(*enlarged_maps, strict=True))


def _mean_enrichment(
    name: str, mean: FloatArray, enriched: Sequence[tuple[NDArray[np.uint8], dict[str, dict[str, float]]]]
) -> dict[str, float]:
    """Over the sections with both wall and cavity; empty where there are none."""
    whole = [(regions, own[name]) for regions, own in enriched if own[name].keys() >= {"wall", "cavity"}]
    if not whole:
        return {}
    values = {
        "wall": [own["wall"] for _, own in whole],
        "cavity": [own["cavity"] for _, own in whole],
        "mean_wall": [enrichments(mean, regions)["wall"] for regions, _ in whole],
    }
    return {region: round(float(np.mean(ratios)), 4) for region, ratios in values.items()}
