"""The networks that can be trained: ACNet and, where they are installed, those that it is compared with."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from ACNetLib.errors import ACNetError
from ACNetLib.networks.acnet import ACNet

NETWORKS: dict[str, Callable[..., nn.Module]] = {"acnet": ACNet}
if (Path(__file__).parents[1] / "networks").is_dir():  # not in Slicer, see CMakeLists.txt
    from ..networks import COMPARED

    NETWORKS.update(COMPARED)


def build_network(name: str, **settings: Any) -> nn.Module:
    """The network of that name with weights drawn from torch's generator, in training mode.

    Only ACNet has settings, its constructor's arguments. Raises ACNetError for a name or a setting that there is not.
    """
    if name not in NETWORKS:
        raise ACNetError(f"network: found '{name}'; expected one of {', '.join(NETWORKS)}.")
    known = inspect.signature(NETWORKS[name]).parameters
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise ACNetError(
            f"network '{name}': found settings {', '.join(unknown)}; expected {', '.join(known) or 'none'}."
        )
    return NETWORKS[name](**settings)
