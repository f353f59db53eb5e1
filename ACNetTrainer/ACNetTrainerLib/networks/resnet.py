"""ResNet50 and ResNet101: MONAI's, set to be those of the source.

Source: K. He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, Table 1.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from ACNetLib.errors import ACNetError
from ACNetLib.networks.acnet import MAXIMUM_INTENSITY, ACNetOutput


class ResNet(nn.Module):
    """The residual network of 50 or 101 layers.

    (B, 1, 128, 128), intensities in [0, 255] -> logits (B, 2), no masks. The stem brings 128 x 128 to 64 x 64 and
    32 x 32, the four stages to 4 x 4. Raises ACNetError where MONAI is not installed.
    """

    def __init__(self, depth: Literal[50, 101]) -> None:
        super().__init__()
        try:
            from monai.networks.nets import resnet50, resnet101  # takes seconds
        except ModuleNotFoundError as error:
            raise ACNetError(
                f"resnet{depth}: the package 'monai' is missing; install it with pip install 'SlicerACNet[study]'."
            ) from error
        build = {50: resnet50, 101: resnet101}[depth]
        self.network = build(
            spatial_dims=2,
            n_input_channels=1,
            num_classes=2,
            # As in the source; MONAI's defaults are 1, which keeps 128 x 128 in the stem, and True.
            conv1_t_stride=2,
            bias_downsample=False,
        )

    def forward(self, x: Tensor) -> ACNetOutput:
        return ACNetOutput(self.network(x / MAXIMUM_INTENSITY), ())
