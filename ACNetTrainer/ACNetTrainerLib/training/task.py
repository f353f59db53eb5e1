"""What a network is trained for: telling the classes apart and, on request, attending to the myocardium."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ..evaluation.metrics import auroc
from .loop import FittingTask
from .recipe import Optimization


class TrainingTask(FittingTask):
    """Cross-entropy training (Eq. 2 of the paper) of a network that returns `ACNetOutput`.

    Batches are sections (B, 1, 128, 128), labels (B) and, with a `mask_loss_weight`, walls (B, 128, 128), see
    `CaseDataset`. The modules that are `frozen` stay as they are, the statistics of their normalization included.
    """

    metrics: Sequence[str] = ("validation_auroc", "validation_recall_dcm", "validation_recall_normal")

    def __init__(
        self, network: nn.Module, optimization: Optimization, steps_per_epoch: int, frozen: Sequence[nn.Module] = ()
    ) -> None:
        super().__init__(network, optimization, steps_per_epoch)
        self._frozen = tuple(frozen)
        for module in self._frozen:
            module.requires_grad_(False)
        self._validation: list[tuple[Tensor, Tensor]] = []

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        super().on_train_batch_start(batch, batch_idx)
        for module in self._frozen:
            module.eval()

    def training_step(self, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        sections, labels, *walls = batch
        output = self.network(sections)
        loss = F.cross_entropy(output.logits.float(), labels, label_smoothing=self.optimization.label_smoothing)
        losses = {"loss": loss}
        if walls:
            mask_loss = wall_attention_loss(output.masks, walls[0])
            losses = {"loss": loss + self.optimization.mask_loss_weight * mask_loss, "mask_loss": mask_loss.detach()}
        self.log("training_loss", losses["loss"].detach(), prog_bar=True)
        return losses

    def validation_step(self, batch: Sequence[Tensor]) -> None:
        sections, labels = batch
        self._validation.append((self.network(sections).logits.float().cpu(), labels.cpu()))

    def on_validation_epoch_end(self) -> None:
        logits, labels = (torch.cat(parts) for parts in zip(*self._validation, strict=True))
        self._validation.clear()
        log_odds = (logits[:, 1] - logits[:, 0]).double().numpy()
        is_dcm = labels.numpy().astype(bool)
        self.log("validation_loss", balanced_log_loss(log_odds, is_dcm), prog_bar=True)
        self.log("validation_auroc", auroc(log_odds, is_dcm), prog_bar=True)
        self.log("validation_recall_dcm", float((log_odds[is_dcm] > 0).mean()), prog_bar=True)
        self.log("validation_recall_normal", float((log_odds[~is_dcm] <= 0).mean()), prog_bar=True)


def balanced_log_loss(log_odds: NDArray[np.float64], is_dcm: NDArray[np.bool_]) -> float:
    """Mean negative log likelihood with both classes weighing the same."""
    losses = np.logaddexp(0, np.where(is_dcm, -log_odds, log_odds))
    return float((losses[is_dcm].mean() + losses[~is_dcm].mean()) / 2)


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
