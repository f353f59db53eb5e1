"""Writing images, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import SimpleITK as sitk

from ACNetLib.errors import ACNetError
from ACNetLib.files import atomic_path, require_text_path


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
