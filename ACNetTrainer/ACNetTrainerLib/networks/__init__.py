"""The five networks that the paper compares: ACNet, the residual attention network, VGG16, ResNet50 and ResNet101.

All take sections (B, 1, 128, 128) in [0, 255] and return `ACNetOutput`, its masks empty where a network has no
attention. Sources, sizes and what was adapted: Documentation/networks.md.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from ACNetLib.errors import ACNetError
from ACNetLib.networks.acnet import ACNet

from .residual_attention import ResidualAttentionNetwork
from .resnet import ResNet
from .vgg import VGG16

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "acnet": ACNet,
    "residual-attention-56": ResidualAttentionNetwork,
    "vgg16": VGG16,
    "resnet50": partial(ResNet, 50),
    "resnet101": partial(ResNet, 101),
}


def build_network(name: str, **settings: Any) -> nn.Module:
    """The network of that name with weights drawn from torch's generator, in training mode.

    Only ACNet has settings, its constructor's arguments. Raises ACNetError for a name or a setting that there is not.
    """
    if name not in NETWORKS:
        raise ACNetError(f"network: found '{name}'; expected one of {', '.join(NETWORKS)}.")
    known = inspect.signature(NETWORKS[name]).parameters
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise ACNetError(
            f"network '{name}': found settings {', '.join(unknown)}; expected {', '.join(known) or 'none'}."
        )
    return NETWORKS[name](**settings)
