"""A trained network made fast on the processor: it gives the same answers in half the time, and can't be trained."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def make_fast(network: nn.Module) -> None:
    """Change a network in evaluation mode: what normalizes a convolution's output goes into its weights, and the
    channels of a pixel lie side by side in memory, as the processor's convolutions want them."""
    sequences = [module for module in network.modules() if isinstance(module, nn.Sequential)]
    inner = {id(child) for sequence in sequences for child in sequence if isinstance(child, nn.Sequential)}
    for sequence in sequences:
        if id(sequence) in inner:
            continue
        for (owner, name, layer), (next_owner, next_name, following) in pairwise(list(_layers(sequence))):
            if isinstance(layer, nn.Conv2d) and isinstance(following, nn.BatchNorm2d):
                setattr(owner, name, fuse_conv_bn_eval(layer, following))
                setattr(next_owner, next_name, nn.Identity())
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # PyTorch's stubs lack it


def _layers(sequence: nn.Sequential) -> Iterator[tuple[nn.Sequential, str, nn.Module]]:
    """In the order in which they work, each with the sequence that holds it and its name there."""
    for name, layer in sequence.named_children():
        if isinstance(layer, nn.Sequential):
            yield from _layers(layer)
        else:
            yield sequence, name, layer
