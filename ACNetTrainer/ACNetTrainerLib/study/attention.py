"""Where an attention network's masks are high, measured alike for networks whose masks differ in number and size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from ACNetLib.inference.attention import attention_maps, enlarged
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.t1map.section import SECTION_SIZE

from ..cases.library import CaseLibrary
from ..evaluation.attention_regions import FloatArray, enrichments, regions_of
from ..training.batches import InOrder
from ..training.dataset import CaseDataset


@dataclass(frozen=True)
class Attention:
    """Of a network without masks all of it is empty.

    cases: the sections that are shown. sections: (n, 128, 128), their intensities. maps: the channel mean of each
    module's mask and the modules' product as "combined", each (n, 128, 128). enrichment: by map and region, the mean
    over the test sections with known outlines of the map in that region relative to the whole section; "mean_wall" is
    that of the map averaged over all test sections, which knows where hearts usually are but nothing of the case.
    """

    cases: tuple[str, ...] = ()
    sections: FloatArray = field(default_factory=lambda: np.zeros((0, SECTION_SIZE, SECTION_SIZE), np.float32))
    maps: dict[str, FloatArray] = field(default_factory=dict)
    enrichment: dict[str, dict[str, float]] = field(default_factory=dict)


def attention_on(
    network: nn.Module, dataset: CaseDataset, library: CaseLibrary, shown: Sequence[str], device: DeviceChoice
) -> Attention:
    """The attention of a network on the library's cases, which are those of the data set."""
    network.to(device.device).eval()
    inputs: list[FloatArray] = []
    parts: list[dict[str, FloatArray]] = []
    with torch.inference_mode():
        for sections, _ in InOrder(dataset):
            masks = network(sections.to(device.device)).masks
            if not masks:
                return Attention()
            inputs.append(sections[:, 0].numpy())
            parts.append(_maps(masks))
    maps = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    index = [number for number, case in enumerate(library.cases) if case.case in set(shown)]
    return Attention(
        cases=tuple(library.cases[number].case for number in index),
        sections=np.concatenate(inputs)[index],
        maps={name: values[index] for name, values in maps.items()},
        enrichment=_enrichments(maps, library),
    )


def _maps(masks: Sequence[Tensor]) -> dict[str, FloatArray]:
    maps = attention_maps([mask.float().cpu().numpy() for mask in masks])
    return {name: enlarged(values) for name, values in maps.items()}


def _enrichments(maps: dict[str, FloatArray], library: CaseLibrary) -> dict[str, dict[str, float]]:
    """Empty where the library knows no outlines."""
    ratios: dict[str, dict[str, list[float]]] = {name: {"wall": [], "cavity": [], "mean_wall": []} for name in maps}
    mean_maps = {name: values.mean(axis=0) for name, values in maps.items()}
    for number, case in enumerate(library.cases):
        regions = regions_of(library, case)
        if regions is None:
            continue
        for name, values in maps.items():
            own, mean = enrichments(values[number], regions), enrichments(mean_maps[name], regions)
            if own.keys() >= {"wall", "cavity"}:
                ratios[name]["wall"].append(own["wall"])
                ratios[name]["cavity"].append(own["cavity"])
                ratios[name]["mean_wall"].append(mean["wall"])
    return {
        name: {region: round(float(np.mean(values)), 4) for region, values in by_region.items() if values}
        for name, by_region in ratios.items()
    }
