"""The residual attention network Attention-56, for sections of 128 x 128.

Source: F. Wang et al., "Residual Attention Network for Image Classification", CVPR 2017, wired layer by layer as in the
authors' own definition (fwang91/residual-attention-network, imagenet_model/Attention-56-deploy.prototxt).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ACNetLib.networks.acnet import (
    MAXIMUM_INTENSITY,
    ACNetOutput,
    NormalizationKind,
    ResidualUnit,
    attend,
    convolution_unit,
    normalization_layer,
    preactivated_convolution,
)

NORMALIZATION: NormalizationKind = "batch"


class ProjectionUnit(nn.Module):
    """Pre-activation bottleneck unit that changes the width and, with a stride, the size.

    The shortcut is a 1 x 1 convolution of what the first normalization and ReLU give, not of the input itself.
    (B, C, H, W) -> (B, channels_out, H / stride, W / stride).
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        bottleneck = channels_out // 4
        self.preactivation = nn.Sequential(normalization_layer(NORMALIZATION, channels_in), nn.ReLU(inplace=True))
        self.branch = nn.Sequential(
            nn.Conv2d(channels_in, bottleneck, 1, bias=False),
            normalization_layer(NORMALIZATION, bottleneck),
            nn.ReLU(inplace=True),
            convolution_unit(NORMALIZATION, bottleneck, bottleneck, stride),
            nn.Conv2d(bottleneck, channels_out, 1, bias=False),
        )
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.preactivation(x)
        return self.shortcut(x) + self.branch(x)


class Hourglass(nn.Module):
    """The way down to half the size and, by further hourglasses within, below it; and the way up again.

    The innermost, of one pooling, is two residual units. Around it each has one unit on the way down, one on the skip
    connection and one on the way up. (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int, poolings: int) -> None:
        super().__init__()
        self.down = ResidualUnit(channels, NORMALIZATION)
        self.inner = Hourglass(channels, poolings - 1) if poolings > 1 else None
        self.skip = ResidualUnit(channels, NORMALIZATION) if poolings > 1 else None
        self.up = ResidualUnit(channels, NORMALIZATION)

    def forward(self, x: Tensor) -> Tensor:
        half = self.down(F.max_pool2d(x, kernel_size=3, stride=2, padding=1))
        if self.inner is not None and self.skip is not None:
            half = self.inner(half) + self.skip(half)
        return F.interpolate(self.up(half), size=x.shape[-2:], mode="bilinear", align_corners=False)


class MaskBranch(nn.Module):
    """An hourglass and two 1 x 1 convolutions before the sigmoid: a mask for each position and channel.

    (B, C, H, W) -> (B, C, H, W) in (0, 1).
    """

    def __init__(self, channels: int, poolings: int) -> None:
        super().__init__()
        self.hourglass = Hourglass(channels, poolings)
        self.gate = nn.Sequential(
            preactivated_convolution(NORMALIZATION, channels, channels, 1),
            preactivated_convolution(NORMALIZATION, channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.gate(self.hourglass(x)))


class AttentionModule(nn.Module):
    """ACNet's attention module with as many poolings in its mask branch as the size asks for.

    One unit before, shared by both branches; two in the trunk, weighted by 1 + mask; one after.
    (B, C, H, W) -> the same shape, and the mask.
    """

    def __init__(self, channels: int, poolings: int) -> None:
        super().__init__()
        self.before = ResidualUnit(channels, NORMALIZATION)
        self.trunk = nn.Sequential(ResidualUnit(channels, NORMALIZATION), ResidualUnit(channels, NORMALIZATION))
        self.mask = MaskBranch(channels, poolings)
        self.after = ResidualUnit(channels, NORMALIZATION)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.before(x)
        mask = self.mask(x)
        return self.after(attend(self.trunk(x), mask, "residual")), mask


class ResidualAttentionNetwork(nn.Module):
    """Attention-56: 56 layers on the way through the trunks.

    (B, 1, 128, 128), intensities in [0, 255] -> logits (B, 2) and masks (B, 256, 64, 64), (B, 512, 32, 32) and
    (B, 1024, 16, 16), each made at 8 x 8.

    On 224 x 224 the authors' stages are 56, 28, 14 and 7 wide and every mask is made at 7 x 7. The first convolution,
    without its stride of 2, makes that 64, 32, 16 and 8 here.
    """

    STAGES = ((256, 1, 3), (512, 2, 2), (1024, 2, 1))
    """Width, stride and poolings of each attention module and the unit before it."""
    LAST_WIDTH = 2048

    def __init__(self) -> None:
        super().__init__()
        channels = 64
        self.stem = nn.Sequential(
            nn.Conv2d(1, channels, 7, padding=3, bias=False),
            normalization_layer(NORMALIZATION, channels),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.projections = nn.ModuleList()
        self.attention_modules = nn.ModuleList()
        for width, stride, poolings in self.STAGES:
            self.projections.append(ProjectionUnit(channels, width, stride))
            self.attention_modules.append(AttentionModule(width, poolings))
            channels = width
        self.last_stage = nn.Sequential(
            ProjectionUnit(channels, self.LAST_WIDTH, stride=2),
            ResidualUnit(self.LAST_WIDTH, NORMALIZATION),
            ResidualUnit(self.LAST_WIDTH, NORMALIZATION),
        )
        self.head = nn.Sequential(
            normalization_layer(NORMALIZATION, self.LAST_WIDTH),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(self.LAST_WIDTH, 2),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> ACNetOutput:
        x = self.stem(x / MAXIMUM_INTENSITY)
        masks: list[Tensor] = []
        for projection, module in zip(self.projections, self.attention_modules, strict=True):
            x, mask = module(projection(x))
            masks.append(mask)
        return ACNetOutput(self.head(self.last_stage(x)), tuple(masks))
