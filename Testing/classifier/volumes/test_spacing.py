"""1 mm along the axes of the body is what software writes that knows no spacing: it is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.errors import ACNetError
from ACNetLib.t1map.t1_map import Reading, read_t1_map
from conftest import SHORT_AXIS
from nifti_files import write_nifti

T1_MS = np.random.default_rng(1).integers(200, 1900, (3, 40, 30)).astype(np.uint16)


@pytest.mark.parametrize("name", ["map.nrrd", "map.mha", "map.nii.gz"])
@pytest.mark.parametrize("spacing", [(1.5, 1.75, 8.0), (1.0, 1.0, 8.0), (1.0, 1.0, 1.0)])
def test_1_mm_along_the_axes_of_the_body_is_asked_for_whatever_the_origin(
    spacing: tuple[float, float, float], name: str, tmp_path: Path
) -> None:
    """As SimpleITK writes an array, and where a part of it is cut out."""
    image = sitk.GetImageFromArray(T1_MS)
    image.SetOrigin((3.0, 4.0, 1.0))
    sitk.WriteImage(image, str(tmp_path / name))
    with pytest.raises(ACNetError, match=r"its header does not tell the spacing.*--spacing 1\.4,1\.4,8, also where"):
        read_t1_map(tmp_path / name)
    assert read_t1_map(tmp_path / name, Reading(spacing_mm=spacing)).image.GetSpacing() == spacing


def test_an_affine_of_ones_tells_no_spacing(tmp_path: Path) -> None:
    """As nibabel writes an array with it."""
    path = write_nifti(tmp_path / "map.nii", T1_MS, pixdim=(1, 1, 1), sform=np.eye(4)[:3])
    with pytest.raises(ACNetError, match="its header does not tell the spacing"):
        read_t1_map(path)


def test_1_mm_in_an_oblique_plane_and_1_mm_between_columns_and_rows_alone_are_spacings(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(T1_MS)
    image.SetSpacing((1.0, 1.0, 8.0))
    sitk.WriteImage(image, str(tmp_path / "map.nrrd"))
    assert read_t1_map(tmp_path / "map.nrrd").image.GetSpacing() == (1.0, 1.0, 8.0)
    image.SetSpacing((1.0, 1.0, 1.0))
    image.SetDirection(SHORT_AXIS.ravel())
    sitk.WriteImage(image, str(tmp_path / "resampled.nrrd"))
    assert read_t1_map(tmp_path / "resampled.nrrd").image.GetSpacing() == pytest.approx((1.0, 1.0, 1.0))
