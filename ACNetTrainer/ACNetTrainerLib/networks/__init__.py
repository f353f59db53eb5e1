"""The networks that the paper compares ACNet with: the residual attention network, VGG16, ResNet50 and ResNet101.

All take sections (B, 1, 128, 128) in [0, 255] and return `ACNetOutput`, its masks empty where a network has no
attention. Sources, sizes and what was adapted: Documentation/networks.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from .residual_attention import ResidualAttentionNetwork
from .resnet import ResNet
from .vgg import VGG16

COMPARED: dict[str, Callable[..., nn.Module]] = {
    "residual-attention-56": ResidualAttentionNetwork,
    "vgg16": VGG16,
    "resnet50": partial(ResNet, 50),
    "resnet101": partial(ResNet, 101),
}
