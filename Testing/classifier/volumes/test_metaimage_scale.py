"""MetaImage files whose header scales their pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.errors import ACNetError
from ACNetLib.t1map.t1_map import read_t1_map

T1_MS = np.random.default_rng(1).integers(200, 1900, (3, 40, 30)).astype(np.uint16)


@pytest.mark.parametrize(("slope", "offset", "is_read"), [("1", "0", True), ("0.5", "0", False), ("1", "10", False)])
def test_a_metaimage_with_a_scale_that_slicer_would_not_apply_is_refused(
    slope: str, offset: str, is_read: bool, tmp_path: Path
) -> None:
    image, file = sitk.GetImageFromArray(T1_MS), tmp_path / "map.mha"
    image.SetSpacing((1.4, 2.1, 8.0))
    sitk.WriteImage(image, str(file))
    scale = f"ElementToIntensityFunctionSlope = {slope}\nElementToIntensityFunctionOffset = {offset}\n"
    file.write_bytes(file.read_bytes().replace(b"DimSize", f"{scale}DimSize".encode(), 1))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(file))), T1_MS)
    if is_read:
        np.testing.assert_array_equal(read_t1_map(file).array, T1_MS)
    else:
        with pytest.raises(ACNetError, match="neither ITK nor Slicer applies"):
            read_t1_map(file)
