"""What dcm2niix tells of the volume files that it makes from DICOM, in a JSON file beside each."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ACNetLib.volumes.beside import sidecar_of
from ACNetLib.volumes.told import told_by_json

LARGEST_SIDECAR_BYTES = 1_000_000  # they have 2 kB
DESCRIPTION = rb"Time=\d+(\.\d+)?"  # dcm2niix writes TE, time and phase into a NIfTI header's description
SLOPE_TOLERANCE = 1e-3
CANT_BE_READ = "The JSON file beside it can't be read: what it says of the image is not known."
"""Without its name, which may be a patient's: a reading list repeats it."""
REMEDY = "Convert it again with dcm2niix -p n, or give the DICOM folder."
DIVIDED = "dcm2niix has divided its values by the slopes of a Philips scanner, so that they are not T1 in ms"


@dataclass(frozen=True)
class Sidecar:
    """told: by DICOM's keywords. refusal: why the values can't be T1. is_known: whether it says how the values were
    scaled.
    """

    told: dict[str, str] = field(default_factory=dict)
    refusal: str = ""
    is_known: bool = False
    warnings: tuple[str, ...] = ()


def read_sidecar(volume: Path) -> Sidecar:
    """That of a volume file. One that is missing or another's tells nothing; a damaged one is warned of."""
    file = sidecar_of(volume)
    try:
        if not file.is_file() or file.stat().st_size > LARGEST_SIDECAR_BYTES:
            return Sidecar()
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return Sidecar(warnings=(CANT_BE_READ,))
    if not isinstance(values, dict):
        return Sidecar()
    return Sidecar(
        told=told_by_json(values),
        refusal=f"{DIVIDED}; expected T1 in ms. {REMEDY}" if _is_divided(values) else "",
        is_known=isinstance(values.get("Manufacturer"), str),
    )


def _is_divided(values: Mapping[str, Any]) -> bool:
    """dcm2niix -p y, its default: values / (RescaleSlope x ScaleSlope), where they are not display values."""
    if not values.get("UsePhilipsFloatNotDisplayScaling"):
        return False
    rescale, scale = (_number(values, f"Philips{name}Slope") for name in ("Rescale", "Scale"))
    if rescale is None or scale is None:
        return True
    return not math.isclose(rescale * scale, 1.0, rel_tol=SLOPE_TOLERANCE)


def _number(values: Mapping[str, Any], name: str) -> float | None:
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e12 or value != value:
        return None
    return float(value)
