"""VGG16, for sections of 128 x 128.

Source: K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015,
Table 1, configuration D.
"""

from __future__ import annotations

from torch import Tensor, nn

from ACNetLib.networks.acnet import MAXIMUM_INTENSITY, ACNetOutput
from ACNetLib.t1map.section import SECTION_SIZE


class VGG16(nn.Module):
    """Thirteen 3 x 3 convolutions in five blocks, each of which halves the size at its end, and three dense layers.

    (B, 1, 128, 128), intensities in [0, 255] -> logits (B, 2), no masks. The blocks end at 4 x 4 here, at 7 x 7 on the
    authors' 224 x 224, so the first dense layer is narrower. No normalization, as in the source; the weights are He
    normal, with which networks of this depth train from nothing (K. He et al., ICCV 2015).
    """

    BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
    """How many convolutions, and their width."""
    DENSE_WIDTH = 4096
    DROPOUT = 0.5

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels_in = 1
        for convolutions, width in self.BLOCKS:
            for _ in range(convolutions):
                layers += [nn.Conv2d(channels_in, width, 3, padding=1), nn.ReLU(inplace=True)]
                channels_in = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        last_size = SECTION_SIZE // 2 ** len(self.BLOCKS)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels_in * last_size**2, self.DENSE_WIDTH),
            nn.ReLU(inplace=True),
            nn.Dropout(self.DROPOUT),
            nn.Linear(self.DENSE_WIDTH, self.DENSE_WIDTH),
            nn.ReLU(inplace=True),
            nn.Dropout(self.DROPOUT),
            nn.Linear(self.DENSE_WIDTH, 2),
        )
        for name, parameter in self.named_parameters():
            if name.endswith("weight"):
                nn.init.kaiming_normal_(parameter, nonlinearity="relu")
            else:
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> ACNetOutput:
        return ACNetOutput(self.classifier(self.features(x / MAXIMUM_INTENSITY)), ())
