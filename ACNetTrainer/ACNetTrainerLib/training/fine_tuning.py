"""Training a model on with other cases: which parent will do, and what of it stays as it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from ACNetLib.errors import ACNetError
from ACNetLib.models.card import ModelCard
from ACNetLib.models.header import COMPARISON
from ACNetLib.models.model import Model
from ACNetLib.networks.outside import SCORE_WEIGHTS

from .recipe import ACNET, ACNetSettings, Recipe


@dataclass(frozen=True)
class FineTuning:
    """parent: what the training starts from. freeze_down_residual: ACNet's first module stays the parent's."""

    parent: Model
    freeze_down_residual: bool = False

    @property
    def record(self) -> dict[str, Any]:
        """What the model's card says of its parent."""
        card = self.parent.card
        return {
            "name": card.name,
            "weights_sha256": card.weights_sha256,
            "freeze_down_residual": self.freeze_down_residual,
        }


def check_parent(fine_tuning: FineTuning, recipe: Recipe) -> None:
    """Raises ACNetError unless the parent has the recipe's network, settings and intensity scaling."""
    card = fine_tuning.parent.card
    for what, found, expected in (
        ("network", _network(card), asdict(recipe.network)),
        ("intensity", asdict(card.intensity), asdict(recipe.intensity)),
    ):
        if found != expected:
            raise ACNetError(
                f"recipe {recipe.name}: {what} is {_text(expected)}; the parent '{card.name}' has {_text(found)}. "
                f"Give a recipe with the parent's {what}."
            )
    if fine_tuning.freeze_down_residual and recipe.network.name != ACNET:
        raise ACNetError(f"recipe {recipe.name}: {recipe.network.name} has no down-residual module to freeze.")


def start_from_parent(network: nn.Module, fine_tuning: FineTuning) -> tuple[nn.Module, ...]:
    """Give the network its parent's weights; returns the modules that must not change."""
    # What is unlike the parent's training says nothing of the new one.
    weights = fine_tuning.parent.network.state_dict()
    network.load_state_dict({key: value for key, value in weights.items() if not key.startswith(SCORE_WEIGHTS)})
    return (network.get_submodule("down_residual"),) if fine_tuning.freeze_down_residual else ()


def _network(card: ModelCard) -> dict[str, Any]:
    if card.kind == COMPARISON:
        return card.network
    return asdict(ACNetSettings(**{key: value for key, value in card.network.items() if key != "outside"}))


def _text(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(settings.items()))
