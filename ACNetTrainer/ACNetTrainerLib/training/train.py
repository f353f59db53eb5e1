"""Training a network on a case library, and what is chosen after it on held-back patients."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import attention_maps, band_thresholds
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.outside import LimitsByCall
from ACNetLib.inference.pipeline import load_finder
from ACNetLib.inference.probability import log_odds_of
from ACNetLib.models.card import ModelCard
from ACNetLib.models.header import CLASSIFIER, COMPARISON
from ACNetLib.models.model import Model
from ACNetLib.networks.acnet import ACNet
from ACNetLib.t1map.section import SECTION_SIZE

from ..cases.library import Case, CaseLibrary, patients_by_label
from .batches import EpochBatches, InOrder
from .dataset import CaseDataset, EpochSampler, RandomChanges
from .fine_tuning import FineTuning, check_parent, start_from_parent
from .loop import Place, fit
from .network import build_network
from .outside_limits import limits_by_shape
from .patients import known_patients, patients_record, recognition_text
from .predictions import Predictions, fit_temperatures, fitted_on
from .recipe import ACNET, Recipe
from .site_scale import cost_of_unknown_reference, normal_t1_as_found, normal_t1_ms, range_without_reference
from .split import split_patients
from .task import TrainingTask
from .work_folder import MASKS_SHA256, claim_folder

ATTENTION_SECTIONS = 400
"""How many training sections the attention's fixed scale is taken from."""


def train(
    library: CaseLibrary, recipe: Recipe, name: str, place: Place, fine_tuning: FineTuning | None = None
) -> Model:
    """Train by `recipe` and choose epoch and temperatures on held-back patients.

    Patients of whom it is known that a parent has learned from them are not held back. A training that was interrupted
    resumes from its work folder. Raises ACNetError when that holds a training of something else, when the loss is no
    number, or when a parent or masks don't go with the recipe; TrainingStopped at the wish of the watch.
    """
    settings = recipe.optimization
    field_strength = only_field_strength(library)
    if fine_tuning is not None:
        check_parent(fine_tuning, recipe)
    parent = fine_tuning.parent.card if fine_tuning is not None else None
    lineage: dict[str, Any] = {"parent": fine_tuning.record} if fine_tuning is not None else {}
    known, all_recognized = known_patients(parent, library) if parent is not None else (set[str](), True)
    if known:  # in the folder's settings, too: before, they were held back like others
        lineage["patients_of_parent"] = len(known)
    training_cases, validation_cases = split_patients(library, settings.validation_fraction, settings.seed, known)
    torch.manual_seed(settings.seed)
    network = build_network(**asdict(recipe.network))
    frozen = start_from_parent(network, fine_tuning) if fine_tuning is not None else ()
    with_walls = settings.mask_loss_weight > 0
    if with_walls:
        _check_masks(network, CaseLibrary(library.folder, training_cases), recipe)
    claim_folder(place.work_folder, {"recipe": asdict(recipe), **cases_record(library), **lineage})
    if parent is not None:
        lineage["parents_patients"] = recognition_text(parent, all_recognized)

    changes = RandomChanges(recipe.augmentation, settings.seed)
    training_set = CaseDataset(library, training_cases, recipe.intensity, changes, with_walls)
    validation_set = CaseDataset(library, validation_cases, recipe.intensity)
    is_dcm = [case.is_dcm for case in training_cases]
    fewest = settings.least_steps * settings.batch_size
    sampler = EpochSampler(is_dcm, settings.seed, settings.class_balance, fewest=fewest)
    # Drawing both classes equally often makes the log odds refer to that mixture, whatever the library's is.
    prior = 0.5 if settings.class_balance else float(np.mean(is_dcm))
    batches = EpochBatches(training_set, settings.batch_size, sampler)
    # A fine-tuning changes many weights by less than a step of 8 bits.
    bits: Literal[8, 16] = 8 if parent is None else 16
    fitted = fit(TrainingTask(network, settings, frozen, prior), batches, InOrder(validation_set), place, bits)
    network.eval()
    trained = Trained(network, library, training_set, validation_set, prior, parent, place.device)
    return Model(network, _card(trained, recipe, name, field_strength, {**asdict(fitted), **lineage}))


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network, what it learned from, and its parent's card, None without one. prior: the share of DCM among
    the slices that it was shown."""

    network: nn.Module
    library: CaseLibrary
    training_set: CaseDataset
    validation_set: CaseDataset
    prior: float
    parent: ModelCard | None
    device: DeviceChoice


def _card(trained: Trained, recipe: Recipe, name: str, field_strength: float, training: dict[str, Any]) -> ModelCard:
    """training: what it says of the training, beside what follows from the parameters."""
    library, parent, training_set = trained.library, trained.parent, trained.training_set
    values, said_of_values = _fitted_to_held_back(trained, field_strength)
    with_walls = recipe.optimization.mask_loss_weight > 0
    return ModelCard(
        name=name,
        field_strength_tesla=field_strength,
        simulated=any(case.is_simulated for case in library.cases) or (parent is not None and parent.simulated),
        # Where the evidence is for neither class. One that was fitted to as many patients as are held back did worse on
        # others, of every network that was compared.
        decision_threshold=trained.prior,
        training_prior_dcm=trained.prior,
        attention_thresholds=_attention_thresholds(trained.network, training_set, trained.device),
        intensity=recipe.intensity,
        training={
            "recipe": asdict(recipe),
            "training": count_cases(training_set.cases),
            "validation": count_cases(trained.validation_set.cases),
            "patients": patients_record(library, parent),
            **({"sections_with_masks": training_set.sections_with_walls} if with_walls else {}),
            **said_of_values,
            **training,
        },
        **values,
        **_kind_and_network(recipe),
    )


def _fitted_to_held_back(trained: Trained, field_strength: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """The card's values that held-back patients set, a parent or shipped model where these are few, and normal T1; and
    what the card says of where they are from."""
    network, prior, parent, device = trained.network, trained.prior, trained.parent, trained.device
    validation = predict(network, trained.validation_set, device)
    temperatures = fit_temperatures(validation, prior)
    patients, log_odds, is_dcm = validation.by_patient(temperatures, prior)

    def log_odds_at(t1_factor: float) -> NDArray[np.float64]:
        scaled = predict(network, trained.validation_set.with_t1_times(t1_factor), device)
        return scaled.by_patient(temperatures, prior)[1]

    training_cases = trained.training_set.cases
    normal_t1, measured_by = normal_t1_ms(trained.library, training_cases), ""
    limits, limits_lender = LimitsByCall(), ""
    if isinstance(network, ACNet):  # the others classify nobody
        if normal_t1 is None:
            finder = partial(load_finder, device=device.device)
            normal_t1, measured_by = normal_t1_as_found(trained.library, training_cases, finder)
        called_dcm = dict(zip(patients, log_odds >= log_odds_of(prior), strict=True))
        limits, limits_lender = limits_by_shape(trained.library, validation.cases, called_dcm, parent, device)
    cost = cost_of_unknown_reference(log_odds_at, is_dcm)
    uncertain_range, range_lender = range_without_reference(cost, is_dcm, parent, field_strength)
    values = {
        "temperatures": temperatures,
        "normal_t1_ms": normal_t1,
        "uncertain_range_without_reference": uncertain_range,
        "outside_limits": limits,
    }
    where_from = {
        "outside_limits_of": limits_lender,
        "uncertain_range_of": range_lender,
        "normal_t1_measured_by": measured_by,
    }
    said = {"fitted_on": fitted_on(validation, temperatures), "unknown_reference": asdict(cost)}
    return values, {**said, **{key: source for key, source in where_from.items() if source}}


def predict(network: nn.Module, dataset: CaseDataset, device: DeviceChoice) -> Predictions:
    """Uncalibrated log odds of DCM for every case of the data set."""
    network.to(device.device).eval()
    log_odds = []
    with torch.inference_mode():
        for sections, _ in InOrder(dataset):
            logits = network(sections.to(device.device)).logits.double().cpu()
            log_odds.append((logits[:, 1] - logits[:, 0]).numpy())
    return Predictions(dataset.cases, np.concatenate(log_odds))


def count_cases(cases: Sequence[Case]) -> dict[str, int]:
    """How many sections and patients, by class."""
    patients = patients_by_label(cases)
    return {
        "sections_normal": sum(not case.is_dcm for case in cases),
        "sections_dcm": sum(case.is_dcm for case in cases),
        "patients_normal": len(patients["normal"]),
        "patients_dcm": len(patients["dcm"]),
    }


def cases_record(library: CaseLibrary) -> dict[str, Any]:
    """The cases' names, for people, a hash of what the table says of them, and one of their masks.

    Without what tables did not always hold: a training begun before is resumed. How a slice is turned can be the
    localizer's word, which differs in its last digit from computer to computer.
    """
    left_out = {"sequence", "turn_degrees"}
    rows = json.dumps(
        [{name: value for name, value in asdict(case).items() if name not in left_out} for case in library.cases]
    )
    return {
        "cases": [case.case for case in library.cases],
        "cases_sha256": hashlib.sha256(rows.encode()).hexdigest(),
        MASKS_SHA256: library.masks_sha256(),
    }


def only_field_strength(library: CaseLibrary) -> float:
    """In tesla. Raises ACNetError when the cases are of several."""
    strengths = sorted({case.field_strength_tesla for case in library.cases})
    if len(strengths) > 1:
        found = ", ".join(f"{strength:g} T" for strength in strengths)
        raise ACNetError(
            f"{library.folder}: found cases of {found}; expected one field strength a model, for normal T1 differs."
        )
    return strengths[0]


def _check_masks(network: nn.Module, library: CaseLibrary, recipe: Recipe) -> None:
    """Raises ACNetError unless the network has attention masks and some of the cases have masks of the ventricle."""
    with torch.inference_mode():
        masks = network.eval()(torch.zeros(1, 1, SECTION_SIZE, SECTION_SIZE)).masks
    network.train()
    weight = f"mask_loss_weight is {recipe.optimization.mask_loss_weight:g}"
    if not masks:
        raise ACNetError(f"recipe {recipe.name}: {weight}, but its network has no attention; set it to 0.")
    if not any(library.masks_path(case) for case in library.cases):
        raise ACNetError(
            f"{library.folder}: none of its {len(library.cases)} training cases has masks; expected some, for {weight} "
            "in the recipe. Draw masks, or set it to 0."
        )


def _kind_and_network(recipe: Recipe) -> dict[str, Any]:
    """A classifier's card has ACNet's settings alone, another network's its name alone."""
    values = asdict(recipe.network)
    name = values.pop("name")
    return {"kind": CLASSIFIER, "network": values} if name == ACNET else {"kind": COMPARISON, "network": {"name": name}}


def _attention_thresholds(
    network: nn.Module, training_set: CaseDataset, device: DeviceChoice
) -> dict[str, tuple[float, ...]]:
    """The fixed scale of the attention maps, from training sections as inference sees them. Only ACNet has such maps:
    the residual attention network's masks are of several sizes."""
    if not isinstance(network, ACNet):
        return {}
    plain = training_set.as_inference_sees_them(every=max(1, len(training_set) // ATTENTION_SECTIONS))
    maps: list[Mapping[str, NDArray[np.float32]]] = []
    with torch.inference_mode():
        for sections, _ in InOrder(plain):
            masks = network(sections.to(device.device)).masks
            maps.append(attention_maps([mask.float().cpu().numpy() for mask in masks]))
    return band_thresholds({key: np.concatenate([part[key] for part in maps]) for key in maps[0]})
