"""Which image, in which place of the scene, a result was made of: it says nothing of any other.

A volume's image changes under a sequence browser, a filter or another module; its place under a transform.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLTableNode

from ACNetLib.errors import ACNetError
from ACNetLib.scene.arrays import array_of_volume, has_values
from ACNetLib.scene.input import ijk_to_world

MADE_OF = "ACNet.madeOf"
OFF_MM, FAR = 0.01, 256.0
"""A file rounds positions; more than this, as far from the first pixel as a map reaches, is another place."""
_CORNERS = np.vstack([np.diag([FAR, FAR, FAR, 0.0])[:3], np.ones(4)])
KEPT = 32

_known: dict[int, str] = {}
"""Checksums by the time of the image's last change, which VTK gives to nothing else."""


@dataclass(frozen=True)
class MadeOf:
    """Checksum of a volume's values, and from its indices to RAS mm, (16,)."""

    values: str
    ijk_to_world: tuple[float, ...]

    def is_same(self, other: MadeOf) -> bool:
        here, there = (np.reshape(each.ijk_to_world, (4, 4)) @ _CORNERS for each in (self, other))
        return self.values == other.values and np.allclose(here, there, rtol=0.0, atol=OFF_MM)


def made_of(volume: vtkMRMLScalarVolumeNode) -> MadeOf | None:
    """What the volume is now; None without one value a pixel, and under a transform that is not linear."""
    if not has_values(volume):
        return None
    try:
        return MadeOf(_checksum(volume), tuple(ijk_to_world(volume).ravel().tolist()))
    except ACNetError:
        return None


def note_made_of(table: vtkMRMLTableNode, volume: vtkMRMLScalarVolumeNode) -> None:
    """The table's result is of the volume as it is now."""
    now = made_of(volume)
    assert now is not None, "nothing was classified"
    table.SetAttribute(MADE_OF, json.dumps([now.values, now.ijk_to_world]))


def is_made_of(table: vtkMRMLTableNode, volume: vtkMRMLScalarVolumeNode) -> bool:
    """Whether the table's result is of the volume as it is now, as far as the table tells."""
    text, now = table.GetAttribute(MADE_OF), made_of(volume)
    if text is None:  # it is of an ACNet that did not note it
        return True
    if now is None:
        return False
    try:
        values, place = json.loads(text)
        return now.is_same(MadeOf(values, place))
    except (TypeError, ValueError):  # a scene's file may be damaged
        return False


def _checksum(volume: vtkMRMLScalarVolumeNode) -> str:
    changed = volume.GetImageData().GetMTime()
    if changed not in _known:
        if len(_known) == KEPT:
            _known.clear()
        # A scene's file may keep the same values in another type.
        _known[changed] = hashlib.sha256(array_of_volume(volume).astype(np.float32).tobytes()).hexdigest()
    return _known[changed]
