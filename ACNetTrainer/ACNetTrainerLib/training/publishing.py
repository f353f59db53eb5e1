"""Putting a model that was trained and evaluated into the model store, where the classifier finds it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ACNetLib.errors import ACNetError
from ACNetLib.files import temporary_folder
from ACNetLib.models.card import ModelCard
from ACNetLib.models.header import CLASSIFIER, WEIGHTS_SUFFIX
from ACNetLib.models.model import Model, load_model, save_model
from ACNetLib.models.store import import_model

from .network import build_network

TRAINING_FIELDS = ("recipe", "training", "validation")
METRICS = ("auroc", "recall_dcm", "recall_normal", "balanced_accuracy")


def publish(file: Path, name: str | None = None, replace_own: bool = False) -> Path:
    """Import a classifier whose card is complete, under another name if one is given; returns where it is now.

    Raises ACNetError when its card lacks something, the network is one of those that ACNet is compared with, or the
    store refuses it. `replace_own` lets it take the place of the user's own model of that name.
    """
    model = load_model(file, build_network)
    _check_complete(model.card, file.name)
    if name is None or name == model.card.name:
        return import_model(file, replace=replace_own)
    with temporary_folder() as room:
        renamed = room / f"renamed{WEIGHTS_SUFFIX}"
        save_model(Model(model.network, replace(model.card, name=name)), renamed)
        return import_model(renamed, replace=replace_own)


def _check_complete(card: ModelCard, file_name: str) -> None:
    if card.kind != CLASSIFIER:
        raise ACNetError(
            f"{file_name}: it holds {card.network['name']}, which ACNet is compared with; expected an ACNet, for the "
            "classifier runs no other network."
        )
    if missing := [key for key in TRAINING_FIELDS if key not in card.training]:
        raise ACNetError(f"{file_name}: its card does not say what it was trained with ({', '.join(missing)}).")
    if missing := [key for key in METRICS if key not in card.metrics]:
        raise ACNetError(
            f"{file_name}: its card does not say how well it does ({', '.join(missing)}). Evaluate it first: "
            "acnet-train evaluate, with --save-model, and publish the file that this writes."
        )
