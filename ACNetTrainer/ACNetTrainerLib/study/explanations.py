"""Evidence and Grad-CAM by the measures of attention: what other maps of the same network are worth.

Evidence is the exact sum that ACNet's log odds are. Grad-CAM (Selvaraju 2017), by Captum, is there for reference: it is
what most papers show. Both have a sign; measured is how strong they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import enlarged
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.models.model import Model
from ACNetLib.networks.acnet import ACNet

from ..cases.library import CaseLibrary
from ..evaluation.attention_regions import FloatArray
from ..evaluation.attention_validation import BATCH_SIZE, Seen, measure_maps, measured_slices

EVIDENCE, GRAD_CAM = "evidence", "grad_cam"


def judge_explanations(model: Model, library: CaseLibrary, device: DeviceChoice) -> dict[str, Any]:
    """Every measure of both maps, with 95 % intervals over patients.

    Raises ACNetError for a network that is not ACNet with attention, for cases without the true outlines of a simulated
    library, and where Captum is not installed.
    """
    network = model.network
    if not isinstance(network, ACNet) or not len(network.attention_modules):
        raise ACNetError(
            f"model {model.card.name}: it is no ACNet; expected one, whose log odds are a sum over places."
        )
    network = network.to(device.device).eval()
    measured = measured_slices(model, library)
    return measure_maps(network, lambda slices: _run(network, slices, device), measured, device)


def _run(network: ACNet, slices: FloatArray, device: DeviceChoice) -> Seen:
    log_odds: list[Tensor] = []
    maps: dict[str, list[FloatArray]] = {EVIDENCE: [], GRAD_CAM: []}
    for start in range(0, len(slices), BATCH_SIZE):
        batch = torch.from_numpy(slices[start : start + BATCH_SIZE])[:, None].to(device.device)
        with torch.inference_mode():
            output = network(batch)
        log_odds.append((output.logits[:, 1] - output.logits[:, 0]).double().cpu())
        maps[EVIDENCE].append(output.evidence.abs().float().cpu().numpy())
        maps[GRAD_CAM].append(grad_cam(network, batch))
    return Seen(torch.cat(log_odds).numpy(), {name: enlarged(np.concatenate(parts)) for name, parts in maps.items()})


def grad_cam(network: ACNet, batch: Tensor) -> FloatArray:
    """(B, 32, 32), of the log odds by the features after the last module. Raises ACNetError without Captum."""
    try:
        from captum.attr import LayerGradCam  # takes seconds
    except ImportError as error:
        raise ACNetError(
            "grad_cam: the package 'captum' is missing; install it with pip install 'SlicerACNet[study]'."
        ) from error

    def log_odds(sections: Tensor) -> Tensor:
        logits = network(sections).logits
        return logits[:, 1] - logits[:, 0]

    found = LayerGradCam(log_odds, network.attention_modules[-1].after).attribute(batch)
    values: FloatArray = found[:, 0].abs().detach().float().cpu().numpy()
    return values
