"""What the trainings of a cross-validation begin with: random weights, or those of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ACNetLib.models.model import Model

from ..training.fine_tuning import FineTuning, check_parent
from ..training.recipe import Recipe

FROM_SCRATCH, FINE_TUNED = "from-scratch", "fine-tuned"


@dataclass(frozen=True)
class Start:
    """A recipe, and the model that is trained on by it, if any."""

    recipe: Recipe
    fine_tuning: FineTuning | None = None

    @property
    def name(self) -> str:
        """In files and tables."""
        return FROM_SCRATCH if self.fine_tuning is None else FINE_TUNED

    @property
    def record(self) -> dict[str, Any]:
        """What tells it from other ones."""
        parent = {"parent": self.fine_tuning.record} if self.fine_tuning is not None else {}
        return {"recipe": asdict(self.recipe), **parent}

    def check(self) -> None:
        """Raises ACNetError when the parent doesn't go with the recipe."""
        if self.fine_tuning is not None:
            check_parent(self.fine_tuning, self.recipe)


@dataclass(frozen=True)
class Request:
    """What is asked for. starts: one, or both side by side. present: the model that would be used without retraining.

    learning_curve: whether a quarter and half of the patients are trained on, too.
    """

    starts: Sequence[Start]
    folds: int
    repeats: int
    present: Model
    learning_curve: bool = False
