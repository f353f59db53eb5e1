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
REGIONS = 2
"""Over which the features are averaged, one after the other: the whole slice, and the left ventricle."""
VENTRICLE_RADIUS = 36 / 64
"""Of a section's half. Within 36 mm of its centre lie the left ventricle's cavity, most of its wall and the septum;
most of the right ventricle lies beyond, with lung and chest."""
SCORE_WEIGHTS = "outside_score."
"""So the names of the score's weights begin among ACNet's."""
CLASSES = 2
MOST_SLICES = 3


def regional_means(features: Tensor) -> Tensor:
    """(B, C, H, W) to (B, REGIONS * C): the mean of each channel over all places, then within the radius."""
    rows, columns = (torch.arange(size, device=features.device) * 2 + 1 - size for size in features.shape[-2:])
    radius = VENTRICLE_RADIUS * len(columns)
    within = (rows[:, None] ** 2 + columns**2 <= radius**2).to(features.dtype)
    return torch.cat([features.mean(dim=(2, 3)), (features * within).sum(dim=(2, 3)) / within.sum()], dim=1)


class OutsideScore(nn.Module):
    """(B, REGIONS * channels), the features' regional means, to (B,): the higher the more unlike.

    regions: how many of them it reads. Models that were taught until 1 December 2026 read the first alone.
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

    def __init__(self, channels: int, regions: int) -> None:
        super().__init__()
        shapes = {
            "projection": (COMPONENTS, regions * channels),
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
        components = features.float()[:, : self.projection.shape[1]] @ self.projection.T + self.offset
        from_centers = components[:, None] - self.centers
        squared = torch.einsum("bij,jk,bik->bi", from_centers, self.precision, from_centers)
        return components, torch.log1p(squared.min(dim=1).values)
