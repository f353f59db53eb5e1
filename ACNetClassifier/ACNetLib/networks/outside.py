"""How unlike the hearts of its training a slice is to ACNet, by the network's own features.

Two things say so: how far the features lie from those of normal and of DCM in the training (Lee et al., NeurIPS 2018),
and how much they look like those of other diseases that were shown for this alone (outlier exposure, Hendrycks et al.,
ICLR 2019). It is fitted after the training, `acnet-train fit-outside`, and travels with the weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

COMPONENTS = 24
"""Of the features: what varies most among the training's slices."""
CLASSES = 2
MOST_SLICES = 3


class OutsideScore(nn.Module):
    """(B, channels), the features averaged over all places, to (B,): the higher the more unlike.

    limits: (3,), above which the mean score of one slice, of two, of three or more is unlike.
    """

    projection: Tensor
    offset: Tensor
    centers: Tensor
    precision: Tensor
    linear: Tensor
    square: Tensor
    distance: Tensor
    bias: Tensor
    limits: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        shapes = {
            "projection": (COMPONENTS, channels),
            "offset": (COMPONENTS,),
            "centers": (CLASSES, COMPONENTS),
            "precision": (COMPONENTS, COMPONENTS),
            "linear": (COMPONENTS,),
            "square": (COMPONENTS,),
            "distance": (1,),
            "bias": (1,),
            "limits": (MOST_SLICES,),
        }
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape))

    def forward(self, features: Tensor) -> Tensor:
        components, distance = self.described(features)
        return components @ self.linear + components**2 @ self.square + distance * self.distance + self.bias

    def described(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The features' components (B, 24), and the logarithm of the distance to the nearer class (B,)."""
        components = features.float() @ self.projection.T + self.offset
        from_centers = components[:, None] - self.centers
        squared = torch.einsum("bij,jk,bik->bi", from_centers, self.precision, from_centers)
        return components, torch.log1p(squared.min(dim=1).values)
