"""Making images, and writing them, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ACNetLib.errors import ACNetError
from ACNetLib.files import atomic_path, require_text_path


def image_like(image: sitk.Image, values: NDArray[Any]) -> sitk.Image:
    """Values (slices, rows, columns), or those of one slice, in the place of an image, without its keys."""
    other = sitk.GetImageFromArray(values if values.ndim == 3 else values[np.newaxis])
    other.CopyInformation(image)
    return other


def write_image(image: sitk.Image, path: Path) -> None:
    """Write an NRRD file in one piece. Raises ACNetError when that fails, as on a full disk."""
    require_text_path(path)
    with atomic_path(path) as temporary:
        try:
            sitk.WriteImage(image, str(temporary), useCompression=True)
            sitk.ReadImage(str(temporary))  # on a full disk a small compressed file comes out empty, without an error
        except RuntimeError as error:
            raise ACNetError(
                f"{path}: it can't be written. Make room, or give another output that you may change."
            ) from error
