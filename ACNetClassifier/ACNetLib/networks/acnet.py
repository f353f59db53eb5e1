"""ACNet: a down-residual module, two attention modules, global average pooling and two logits.

Sources: C. Luo et al., "ACNet", SEKE 2019 (Figs. 1 and 2, Eq. 1); the attention module is wired as in the authors' own
definition of the residual attention network (Wang et al., CVPR 2017, Attention-56). What neither of them states is
listed, with our choice and its reason, in Documentation/paper.md.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ACNetLib.networks.outside import OutsideScore, regional_means

AttentionKind = Literal["residual", "product", "none"]
NormalizationKind = Literal["batch", "group"]

MAXIMUM_INTENSITY = 255.0


class ACNetOutput(NamedTuple):
    """What ACNet says of a batch.

    logits: (B, 2), class order normal, dcm.
    masks: one (B, 128, 32, 32) tensor in (0, 1) for each attention module; empty when the network has no attention.
    evidence: (B, 32, 32), what each place adds to the log odds of DCM; their sum is the difference of the logits. None
    while the network is trained, and for other networks.
    features: (B, 256), the last ones averaged over the slice, then around the left ventricle. None as evidence is.
    outside: (B,), how unlike the training's hearts the slices are, see `OutsideScore`; None where it was not fitted.
    """

    logits: Tensor
    masks: tuple[Tensor, ...]
    evidence: Tensor | None = None
    features: Tensor | None = None
    outside: Tensor | None = None


def normalization_layer(kind: NormalizationKind, channels: int) -> nn.Module:
    """Batch normalization with Keras' defaults, as the paper's framework had it, or group normalization."""
    if kind == "batch":
        return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)
    return nn.GroupNorm(8, channels)


def preactivated_convolution(
    kind: NormalizationKind, channels_in: int, channels_out: int, kernel_size: int
) -> nn.Sequential:
    """Normalization, ReLU, then a convolution without bias that keeps the spatial size."""
    return nn.Sequential(
        normalization_layer(kind, channels_in),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels_in, channels_out, kernel_size, padding=kernel_size // 2, bias=False),
    )


def convolution_unit(kind: NormalizationKind, channels_in: int, channels_out: int, stride: int) -> nn.Sequential:
    """3 x 3 convolution without bias, normalization, ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False),
        normalization_layer(kind, channels_out),
        nn.ReLU(inplace=True),
    )


class ResidualUnit(nn.Module):
    """Pre-activation bottleneck unit: 1 x 1 to a quarter of the channels, 3 x 3, 1 x 1 back, plus the identity.

    (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int, kind: NormalizationKind) -> None:
        super().__init__()
        bottleneck = channels // 4
        self.branch = nn.Sequential(
            preactivated_convolution(kind, channels, bottleneck, 1),
            preactivated_convolution(kind, bottleneck, bottleneck, 3),
            preactivated_convolution(kind, bottleneck, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


class MaskBranch(nn.Module):
    """The bottom-up top-down half of an attention module: a sigmoid mask for each position and channel.

    Two max-poolings bring 32 x 32 to the 8 x 8 at which the mask sees the whole section; one skip connection, with a
    residual unit on it, joins the way up at 16 x 16. (B, C, H, W) -> (B, C, H, W) in (0, 1).
    """

    def __init__(self, channels: int, kind: NormalizationKind) -> None:
        super().__init__()
        self.down = ResidualUnit(channels, kind)
        self.bottom = nn.Sequential(ResidualUnit(channels, kind), ResidualUnit(channels, kind))
        self.skip = ResidualUnit(channels, kind)
        self.up = ResidualUnit(channels, kind)
        self.gate = nn.Sequential(
            preactivated_convolution(kind, channels, channels, 1),
            preactivated_convolution(kind, channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        middle = self.down(F.max_pool2d(x, kernel_size=3, stride=2, padding=1))
        bottom = self.bottom(F.max_pool2d(middle, kernel_size=3, stride=2, padding=1))
        up = F.interpolate(bottom, size=middle.shape[-2:], mode="bilinear", align_corners=False)
        up = self.up(up + self.skip(middle))
        up = F.interpolate(up, size=x.shape[-2:], mode="bilinear", align_corners=False)
        return torch.sigmoid(self.gate(up))


def attend(trunk: Tensor, mask: Tensor, kind: AttentionKind) -> Tensor:
    """Join the branches: H = (1 + M) * T (Eq. 1 of the paper), or M * T, the ablation without the residual path."""
    return (1 + mask) * trunk if kind == "residual" else mask * trunk


class AttentionModule(nn.Module):
    """Trunk branch of two residual units, weighted by the mask branch; one shared unit before, one after.

    (B, C, H, W) -> the same shape, and the mask (None when `attention` is "none").
    """

    def __init__(self, channels: int, kind: NormalizationKind, attention: AttentionKind) -> None:
        super().__init__()
        self.attention: AttentionKind = attention
        self.before = ResidualUnit(channels, kind)
        self.trunk = nn.Sequential(ResidualUnit(channels, kind), ResidualUnit(channels, kind))
        self.mask = MaskBranch(channels, kind) if attention != "none" else None
        self.after = ResidualUnit(channels, kind)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        x = self.before(x)
        trunk = self.trunk(x)
        if self.mask is None:
            return self.after(trunk), None
        mask = self.mask(x)
        return self.after(attend(trunk, mask, self.attention)), mask


class DownResidualModule(nn.Sequential):
    """Seven 3 x 3 convolutions, two of them with stride 2, and three residual units.

    (B, 1, 128, 128) -> (B, 128, 32, 32): "the high-level features of the input without a loss of the original ones".
    """

    WIDTHS_AND_STRIDES = ((32, 1), (32, 2), (64, 1), (64, 2), (128, 1), (128, 1), (128, 1))

    def __init__(self, kind: NormalizationKind) -> None:
        layers: list[nn.Module] = []
        channels_in = 1
        for width, stride in self.WIDTHS_AND_STRIDES:
            layers += convolution_unit(kind, channels_in, width, stride)
            channels_in = width
        layers += [ResidualUnit(channels_in, kind) for _ in range(3)]
        super().__init__(*layers)


class ACNet(nn.Module):
    """The attention-based convolution network for T1-map sections.

    Input: (B, 1, 128, 128), intensities in [0, 255]. The arguments are the paper's network by default; the others are
    its ablations: `attention` "product" (M * T) or "none", `attention_modules` 0 or 1, `normalization` "group" (for
    small batches), `dropout` before the last layer. `outside`: of how many regions its OutsideScore reads the features;
    0 for a network without one.
    """

    def __init__(
        self,
        attention_modules: int = 2,
        attention: AttentionKind = "residual",
        normalization: NormalizationKind = "batch",
        dropout: float = 0.0,
        outside: int = 0,
    ) -> None:
        super().__init__()
        self.down_residual = DownResidualModule(normalization)
        channels = DownResidualModule.WIDTHS_AND_STRIDES[-1][0]
        self.attention_modules = nn.ModuleList(
            AttentionModule(channels, normalization, attention) for _ in range(attention_modules)
        )
        self.head = nn.Sequential(
            normalization_layer(normalization, channels),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(channels, 2),
        )
        self.outside_score = OutsideScore(channels, outside) if outside else None
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> ACNetOutput:
        x = self.down_residual(x / MAXIMUM_INTENSITY)
        masks: list[Tensor] = []
        for module in self.attention_modules:
            x, mask = module(x)
            if mask is not None:
                masks.append(mask)
        features = self.head[:2](x)
        logits = self.head[2:](features)
        if self.training:
            return ACNetOutput(logits, tuple(masks))
        means = regional_means(features.float())
        outside = None if self.outside_score is None else self.outside_score(means)
        return ACNetOutput(logits, tuple(masks), self._evidence(features), means, outside)

    def _evidence(self, features: Tensor) -> Tensor:
        """The logits are linear in the mean of the features over all places, so each place has its share of them."""
        last = cast(nn.Linear, self.head[-1])
        towards_dcm = last.weight[1] - last.weight[0]
        places = features.shape[-2] * features.shape[-1]
        weighted = (features.float() * towards_dcm[:, None, None]).sum(dim=1)
        return (weighted + last.bias[1] - last.bias[0]) / places
