"""The one place where model, localizer and device are put together. It imports torch only when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from ACNetLib.inference.classifier import Classifier
    from ACNetLib.inference.device import DeviceChoice
    from ACNetLib.networks.localizer import Localizer
    from ACNetLib.reference.t1 import ReferenceT1
    from ACNetLib.t1map.t1_map import T1Map


def load_pipeline(model: str | Path, localizer: Path | None = None, device: str = "auto") -> Classifier:
    """A classifier that is ready for T1 maps.

    >>> result = load_pipeline("acnet-simulated-1.5T").classify(t1_map, Settings(prevalence_dcm=0.2))

    model: its name (see `acnet models list`) or its file. localizer: its file, by default the one that is shipped.
    device: one of DEVICE_REQUESTS. Raises ACNetError for a model or localizer that is missing or damaged, and for a
    device that can't be used.
    """
    from ACNetLib.inference.classifier import Classifier
    from ACNetLib.inference.device import choose_device
    from ACNetLib.models.model import load_model
    from ACNetLib.models.store import find_model

    loaded = load_model(model if isinstance(model, Path) else find_model(model))
    choice = choose_device(device)
    _make_ready(loaded.network, choice)
    return Classifier(loaded, _localizer_on(choice, localizer), choice)


def model_for_map(t1_map: T1Map, reference: ReferenceT1 | None = None) -> Path:
    """The shipped model for a map's field strength; where the map does not tell it, by the site's reference T1.

    Raises ACNetError when there is none, or the field strength is not known and no reference stands for it.
    """
    from ACNetLib.models.store import model_for_field, model_for_reference
    from ACNetLib.t1map.field_strength import require_field_strength

    if t1_map.field_strength_tesla is None and reference is not None:
        return model_for_reference(reference.mean_ms)
    return model_for_field(require_field_strength(t1_map))


def load_finder(device: str = "auto") -> Localizer:
    """The shipped localizer alone, ready for T1 maps. Errors are those of `load_pipeline`."""
    from ACNetLib.inference.device import choose_device

    return _localizer_on(choose_device(device))


def _localizer_on(choice: DeviceChoice, file: Path | None = None) -> Localizer:
    from ACNetLib.models.store import default_localizer
    from ACNetLib.networks.localizer import Localizer, load_localizer

    model = load_localizer(file or default_localizer())
    _make_ready(model.network, choice)
    return Localizer(model, choice)


def _make_ready(network: nn.Module, choice: DeviceChoice) -> None:
    from ACNetLib.networks.fast import make_fast

    if choice.device == "cpu":
        make_fast(network)
