"""What the attention masks of a model are worth: where they are high, and whether the decision needs them.

Only simulated cases tell where the heart's parts are. Measures: attention enrichment (the energy-based pointing game,
relative to area) and the AUROC that is left when each mask is replaced by its mean over all sections.
"""

from __future__ import annotations

import copy
from typing import Any, cast

import numpy as np
import SimpleITK as sitk
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, zoom
from torch import Tensor, nn

from ACNetLib.attention import attention_maps
from ACNetLib.device import DeviceChoice
from ACNetLib.model import Model
from ACNetLib.network import ACNet
from ACNetLib.section import SectionGrid
from ACNetLib.t1map import read_t1_map
from ACNetLib.ventricle import CAVITY_LABEL, MYOCARDIUM_LABEL

from .cases import LABELS, CaseLibrary
from .dataset import CaseDataset
from .metrics import auroc
from .simulation.truth import masks_file
from .training import evaluation_loader, predict

FloatArray = NDArray[np.float32]
WALL_MARGIN_MM = 2
"""The wall counts with so much of its surroundings: a mask pixel is 4 mm wide."""
REGIONS = ("wall", "cavity", "elsewhere")


class FixedMask(nn.Module):
    """Stands in for a mask branch: the same mask for every section."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        return self.mask.expand(len(x), -1, -1, -1)


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
        for sections, _ in evaluation_loader(dataset):
            masks = network(sections.to(device.device)).masks
            maps.append(attention_maps([mask.float().cpu().numpy() for mask in masks]))
            sums = [mask.sum(dim=0, keepdim=True) + (sums[n] if sums else 0) for n, mask in enumerate(masks)]
    regions = _regions(library)
    by_label = {label: np.array([case.label == label for case in library.cases]) for label in LABELS}
    result: dict[str, Any] = {"wall_margin_mm": WALL_MARGIN_MM, "enrichment": {}, "auroc": {}}
    for name in maps[0]:
        values = np.concatenate([part[name] for part in maps])
        mean_map = np.broadcast_to(values.mean(axis=0), values.shape)
        result["enrichment"][name] = {
            label: {
                "own_map": _enrichment(values[is_label], regions[is_label]),
                "mean_map": _enrichment(mean_map[is_label], regions[is_label]),
            }
            for label, is_label in by_label.items()
        }
    fixed = copy.deepcopy(network)
    for module, total in zip(cast(ACNet, fixed).attention_modules, sums, strict=True):
        module.mask = FixedMask(total / len(dataset))
    for name, candidate in (("own_masks", network), ("mean_masks", fixed)):
        result["auroc"][name] = round(_patient_auroc(candidate, dataset, device), 4)
    return result


def _patient_auroc(network: nn.Module, dataset: CaseDataset, device: DeviceChoice) -> float:
    _, log_odds, is_dcm = predict(network, dataset, device).by_patient()
    return auroc(log_odds, is_dcm)


def _regions(library: CaseLibrary) -> NDArray[np.uint8]:
    """Index into REGIONS of each pixel of each section: (cases, 128, 128)."""
    every = []
    for case in library.cases:
        grid = SectionGrid.around(read_t1_map(library.path(case)), 0, case.center_mm)
        labels = grid.sample(sitk.ReadImage(str(library.folder / masks_file(case.case))))
        wall = binary_dilation(labels == MYOCARDIUM_LABEL, iterations=WALL_MARGIN_MM)
        every.append(np.where(wall, 0, np.where(labels == CAVITY_LABEL, 1, 2)).astype(np.uint8))
    return np.stack(every)


def _enrichment(maps: FloatArray, regions: NDArray[np.uint8]) -> dict[str, float]:
    """Mean over sections of (mean of the map in the region) / (mean of the map in the section)."""
    ratios: dict[str, list[float]] = {name: [] for name in REGIONS}
    for values, region in zip(maps, regions, strict=True):
        fine = zoom(values, region.shape[0] / values.shape[0], order=1, grid_mode=True, mode="nearest")
        for index, name in enumerate(REGIONS):
            inside = region == index
            if inside.any():
                ratios[name].append(float(fine[inside].mean() / fine.mean()))
    return {name: round(float(np.mean(values)), 3) for name, values in ratios.items()}
