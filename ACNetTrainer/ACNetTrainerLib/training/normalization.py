"""The statistics of batch normalization that a network is evaluated and shipped with.

A training step normalizes by its own batch; evaluation needs the mean and variance over many slices. A running mean is
still on its way there when a small training ends (with Keras' momentum, ACNet's, it needs about 500 steps), so they are
computed from the weights as they are: the plain mean over training batches.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

STATISTICS_SLICES = 512
"""How many training slices are looked at, at most. 64 give nearly the same (Documentation/training.md), and of a
library of 6000 slices these take 4 % of an epoch."""


def statistics_layers(network: nn.Module) -> list[_BatchNorm]:
    """The layers whose statistics belong to this training: not those of a frozen module, which are its parent's."""
    layers = (layer for layer in network.modules() if isinstance(layer, _BatchNorm))
    return [layer for layer in layers if layer.weight.requires_grad]


def recompute_statistics(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the statistics of the network, in evaluation mode, to the mean over these batches of slices (B, 1, H, W).

    Nothing is dropped out, and no random number is drawn.
    """
    layers = statistics_layers(network)
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # PyTorch's word for the plain mean over all batches
        layer.train()
    with torch.inference_mode():
        for batch in batches:
            network(batch)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()
