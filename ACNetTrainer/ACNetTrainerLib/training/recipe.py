"""Recipes: everything that decides how a network is trained, as a TOML file."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from ACNetLib.errors import ACNetError
from ACNetLib.networks.acnet import AttentionKind, NormalizationKind
from ACNetLib.resources import resources_folder
from ACNetLib.t1map.section import IntensityScaling

from .network import NETWORKS

ACNET: Literal["acnet"] = "acnet"
OPTIONAL_KEYS = {"name", "least_steps", "mask_loss_weight", "t1_scale", "mirror"}
"""What a recipe may lack: it is then for ACNet, and 0 stands for the others."""
LIMITS = {
    **dict.fromkeys(("epochs", "early_stopping_epochs", "batch_size"), (1.0, math.inf)),
    **dict.fromkeys(("dropout", "label_smoothing", "validation_fraction", "scale", "t1_scale", "mirror"), (0.0, 1.0)),
}
"""The lowest value of a setting, and what it must stay below; 0 and infinity for the others."""
LARGEST_INTEGER = 2**31 - 1
RECIPES_FOLDER = resources_folder("ACNetTrainerLib") / "Recipes"


@dataclass(frozen=True)
class ACNetSettings:
    """ACNet and its constructor's arguments, by default the paper's network."""

    attention_modules: int = 2
    attention: AttentionKind = "residual"
    normalization: NormalizationKind = "batch"
    dropout: float = 0.0
    name: Literal["acnet"] = ACNET


@dataclass(frozen=True)
class ComparedNetwork:
    """One of the networks that ACNet is compared with; they have no settings."""

    name: str


@dataclass(frozen=True)
class Optimization:
    """early_stopping_epochs: stop after so many epochs without a lower validation loss. precision: "auto" is what the
    device computes with natively, see `precision.choose_precision`. class_balance: draw both classes equally often.
    validation_fraction: of the training patients, held back to choose epoch and temperatures.
    least_steps: that an epoch has; a library that is too small for them is drawn again and again.
    mask_loss_weight: how much it counts, beside telling the classes apart, that attention lies on the myocardium where
    a case has its mask; 0: not at all.
    """

    optimizer: Literal["adamw", "nesterov"]
    learning_rate: float
    weight_decay: float
    schedule: Literal["cosine", "constant"]
    warmup_epochs: int
    epochs: int
    early_stopping_epochs: int
    batch_size: int
    label_smoothing: float
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"]
    class_balance: bool
    validation_fraction: float
    seed: int
    least_steps: int = 0
    mask_loss_weight: float = 0.0


@dataclass(frozen=True)
class Augmentation:
    """Largest random change of a training section, of both classes alike: rotation, shift of the centre along each
    axis, relative scale, standard deviation of added noise. t1_scale: standard deviation of a factor for all T1, the
    bias of a site. mirror: the share of sections that are mirrored.
    """

    rotation_degrees: float
    shift_mm: float
    scale: float
    noise_ms: float
    t1_scale: float = 0.0
    mirror: float = 0.0


@dataclass(frozen=True)
class Recipe:
    name: str
    network: ACNetSettings | ComparedNetwork
    intensity: IntensityScaling
    optimization: Optimization
    augmentation: Augmentation


def shipped_recipes() -> dict[str, Path]:
    """By their names; those in the folder "compared" are for the networks that ACNet is compared with."""
    return {path.stem: path for path in sorted(RECIPES_FOLDER.rglob("*.toml"), key=lambda path: path.stem)}


def read_recipe(name_or_path: str) -> Recipe:
    """A shipped recipe by its name, or a TOML file. Raises ACNetError that names the file and the key."""
    path = shipped_recipes().get(name_or_path, Path(name_or_path))
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ACNetError(
            f"recipe: found neither a file nor a shipped recipe '{name_or_path}'; "
            f"shipped are {', '.join(shipped_recipes())}."
        ) from error
    except (ValueError, RecursionError) as error:  # no TOML, no text, a number of thousands of digits, endless nesting
        raise ACNetError(f"{path}: not a TOML file ({error}).") from error
    tables = {name: kind for name, kind in get_type_hints(Recipe).items() if name != "name"}
    tables["network"] = _network_kind(values.get("network"), f"{path}, [network]")
    _check_keys(values, set(tables), f"{path}")
    return Recipe(path.stem, **{name: _table(values[name], kind, f"{path}, [{name}]") for name, kind in tables.items()})


def with_network(recipe: Recipe, name: str) -> Recipe:
    """The recipe for another network. Raises ACNetError for one that there is not."""
    if name == recipe.network.name:
        return recipe
    kind = _network_kind({"name": name}, "--network")
    return replace(recipe, network=ACNetSettings() if kind is ACNetSettings else ComparedNetwork(name))


def _network_kind(values: Any, place: str) -> type:
    name = values.get("name", ACNET) if isinstance(values, dict) else ACNET
    if name not in tuple(NETWORKS):
        raise ACNetError(f"{place}: name is {name!r}; expected one of {', '.join(map(repr, NETWORKS))}.")
    return ACNetSettings if name == ACNET else ComparedNetwork


def _table(values: Any, kind: type, place: str) -> Any:
    if not isinstance(values, dict):
        raise ACNetError(f"{place}: found {values!r}; expected a table.")
    hints = get_type_hints(kind)
    _check_keys(values, {item.name for item in fields(kind)} - (OPTIONAL_KEYS - set(values)), place)
    return kind(**{name: _value(name, value, hints[name], place) for name, value in values.items()})


def _check_keys(values: dict[str, Any], expected: set[str], place: str) -> None:
    for name in sorted(set(values) ^ expected):
        raise ACNetError(f"{place}: key '{name}' is {'not known' if name in values else 'missing'}.")


def _value(name: str, value: Any, kind: Any, place: str) -> Any:
    place = f"{place}: {name}"
    choices = get_args(kind)
    if choices:
        if value not in choices:
            raise ACNetError(f"{place} is {value!r}; expected one of {', '.join(map(repr, choices))}.")
        return value
    if type(value) is int and abs(value) > LARGEST_INTEGER:  # it may have more digits than Python writes
        raise ACNetError(f"{place} is a number of more than ten digits; expected at most {LARGEST_INTEGER}.")
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise ACNetError(f"{place} is {value!r}; expected {kind.__name__}.")
    low, below = LIMITS.get(name, (0.0, math.inf))
    if kind in (int, float) and not low <= value < below:
        raise ACNetError(f"{place} is {value}; expected at least {low:g} and below {below:g}.")
    return value
