"""What a network is trained for: telling the classes apart and, on request, attending to the myocardium."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ACNetLib.inference.probability import log_odds_of

from ..evaluation.metrics import auroc
from .batches import Batch
from .loop import FittingTask
from .recipe import Optimization


class TrainingTask(FittingTask):
    """Cross-entropy training (Eq. 2 of the paper) of a network that returns `ACNetOutput`.

    Batches are sections (B, 1, 128, 128), labels (B) and, with a `mask_loss_weight`, walls (B, 128, 128), see
    `CaseDataset`. The modules that are `frozen` stay as they are, the statistics of their normalization included.
    training_prior_dcm: the share of DCM among what is drawn, which the log odds refer to.
    """

    def __init__(
        self,
        network: nn.Module,
        optimization: Optimization,
        frozen: Sequence[nn.Module] = (),
        training_prior_dcm: float = 0.5,
    ) -> None:
        super().__init__(network, optimization, frozen)
        self._prior = log_odds_of(training_prior_dcm)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        sections, labels, *walls = batch
        output = self.network(sections)
        loss = F.cross_entropy(output.logits.float(), labels, label_smoothing=self.optimization.label_smoothing)
        losses = {"loss": loss}
        if walls:
            mask_loss = wall_attention_loss(output.masks, walls[0])
            losses = {"loss": loss + self.optimization.mask_loss_weight * mask_loss, "mask_loss": mask_loss.detach()}
        return losses

    def validate(self, batches: Iterable[Batch]) -> dict[str, float]:
        log_odds, is_dcm = self.log_odds(batches)
        # Without the prior: both classes weigh the same here, and of two epochs the surer one is not the better.
        evidence = log_odds - self._prior
        return {
            "validation_loss": balanced_log_loss(evidence, is_dcm),
            "validation_auroc": auroc(evidence, is_dcm),
            "validation_recall_dcm": float((evidence[is_dcm] > 0).mean()),
            "validation_recall_normal": float((evidence[~is_dcm] <= 0).mean()),
        }

    def log_odds(self, batches: Iterable[Batch]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Of DCM, uncalibrated (n,), and which of the sections show it (n,)."""
        said = [(self.network(sections).logits.float().cpu(), labels.cpu()) for sections, labels in batches]
        logits, labels = (torch.cat(parts) for parts in zip(*said, strict=True))
        return (logits[:, 1] - logits[:, 0]).double().numpy(), labels.numpy().astype(bool)


def balanced_log_loss(
    log_odds: NDArray[np.float64], is_dcm: NDArray[np.bool_], weights: NDArray[np.float64] | None = None
) -> float:
    """Mean negative log likelihood with both classes weighing the same. weights: within a class; None: all the same."""
    losses = np.logaddexp(0, np.where(is_dcm, -log_odds, log_odds))
    dcm, normal = (
        np.average(losses[of_class], weights=None if weights is None else weights[of_class])
        for of_class in (is_dcm, ~is_dcm)
    )
    return float((dcm + normal) / 2)


def wall_attention_loss(masks: Sequence[Tensor], walls: Tensor) -> Tensor:
    """Cross-entropy of attention and wall, the mean over the masks and the sections with a known wall.

    masks: those of `ACNetOutput`, (B, C, h, w) each; attention is the mean over channels. walls: (B, H, W), 1 on the
    myocardium and 0 elsewhere, NaN where it is not known: such sections contribute nothing. The wall, a tenth of a
    section, counts as much as all else.
    """
    known = ~walls.isnan().any(dim=2).any(dim=1)
    if not known.any():
        return walls.new_zeros(())
    wall = walls[known]
    losses = []
    for mask in masks:
        attention = mask[known].float().mean(dim=1, keepdim=True)
        attention = F.interpolate(attention, size=wall.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
        # Written out, for PyTorch refuses its own binary cross-entropy where 16-bit numbers are about.
        losses_there = -torch.where(wall > 0, attention, 1 - attention).clamp(min=1e-6).log()
        parts = [(losses_there * part).sum(dim=(1, 2)) / part.sum(dim=(1, 2)).clamp(min=1) for part in (wall, 1 - wall)]
        losses.append((parts[0] + parts[1]).mean() / 2)
    return torch.stack(losses).mean()
