"""What the attention masks of a model are worth: where they are high, and whether the decision needs them.

Only simulated cases tell where the heart's parts are. Measures: attention enrichment (see `attention_regions`) and the
AUROC that is left when each mask is replaced by its mean over all sections.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ACNetLib.inference.attention import attention_maps, enlarged
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.models.model import Model
from ACNetLib.networks.acnet import ACNet

from ..cases.library import LABELS, CaseLibrary
from ..training.batches import InOrder
from ..training.dataset import CaseDataset
from ..training.train import predict
from .attention_regions import REGIONS, WALL_MARGIN_MM, FloatArray, enrichments, regions_of
from .metrics import auroc


class FixedMask(nn.Module):
    """Stands in for a mask branch: the same mask for every section."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        return self.mask.expand(len(x), -1, -1, -1)


def with_masks(network: nn.Module, masks: Sequence[Tensor]) -> ACNet:
    """A copy of a network whose modules have the same mask for every slice, (1, C, H, W) each."""
    fixed = cast(ACNet, copy.deepcopy(network))
    for module, mask in zip(fixed.attention_modules, masks, strict=True):
        module.mask = FixedMask(mask)
    return fixed


def judge_attention(model: Model, library: CaseLibrary, device: DeviceChoice) -> dict[str, Any]:
    """Mean attention by class and region relative to the whole section, and the AUROC with and without the masks.

    An enrichment above 1 says that the map is higher there than on average. "mean_map" is the same for the map averaged
    over all sections, which knows where hearts usually are but nothing of the case. Needs the true masks of a simulated
    library.
    """
    dataset = CaseDataset(library, library.cases, model.card.intensity)
    network = model.network.to(device.device).eval()
    maps: list[dict[str, FloatArray]] = []
    sums: list[Tensor] = []
    with torch.inference_mode():
        for sections, _ in InOrder(dataset):
            masks = network(sections.to(device.device)).masks
            maps.append(attention_maps([mask.float().cpu().numpy() for mask in masks]))
            sums = [mask.sum(dim=0, keepdim=True) + (sums[n] if sums else 0) for n, mask in enumerate(masks)]
    regions = [regions_of(library, case) for case in library.cases]
    by_label = {label: [number for number, case in enumerate(library.cases) if case.label == label] for label in LABELS}
    result: dict[str, Any] = {"wall_margin_mm": WALL_MARGIN_MM, "enrichment": {}, "auroc": {}}
    for name in maps[0]:
        values = np.concatenate([part[name] for part in maps])
        mean_map = np.broadcast_to(values.mean(axis=0), values.shape)
        result["enrichment"][name] = {
            label: {
                "own_map": _mean_enrichments(values[numbers], [regions[number] for number in numbers]),
                "mean_map": _mean_enrichments(mean_map[numbers], [regions[number] for number in numbers]),
            }
            for label, numbers in by_label.items()
        }
    fixed = with_masks(network, [total / len(dataset) for total in sums])
    for name, candidate in (("own_masks", network), ("mean_masks", fixed)):
        result["auroc"][name] = round(_patient_auroc(candidate, dataset, device), 4)
    return result


def _patient_auroc(network: nn.Module, dataset: CaseDataset, device: DeviceChoice) -> float:
    _, log_odds, is_dcm = predict(network, dataset, device).by_patient()
    return auroc(log_odds, is_dcm)


def _mean_enrichments(maps: FloatArray, regions: Sequence[NDArray[np.uint8] | None]) -> dict[str, float]:
    """The mean over the sections whose outlines are known."""
    ratios: dict[str, list[float]] = {name: [] for name in REGIONS}
    for attention, region in zip(enlarged(maps), regions, strict=True):
        for name, ratio in ({} if region is None else enrichments(attention, region)).items():
            ratios[name].append(ratio)
    return {name: round(float(np.mean(values)), 3) for name, values in ratios.items() if values}
