"""What the headers of recovery images tell of them: magnitude, phase or signed, registered or not, or a map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.errors import ACNetError
from ACNetLib.fitting.images import read_recovery_images
from ACNetLib.fitting.maps import fit_maps
from ACNetTrainerLib.simulation.sequences import Timing
from dicom_files import write_section
from recovery_files import (
    COLUMNS,
    PIXEL_MM,
    ROWS,
    a_phantom,
    recovery_images,
    write_enhanced_recovery,
    write_phase,
    write_recovery,
    write_study_of_slices,
)

MOLLI = Timing(heart_rate_bpm=70)
RAW = ["DERIVED", "PRIMARY", "OTHER"]


def wall_ms(folder: Path) -> float:
    t1_ms = sitk.GetArrayFromImage(fit_maps(read_recovery_images(folder), correct=False).images["t1_ms"])[0]
    return float(np.median(t1_ms[a_phantom().of("wall")]))


def test_magnitude_images_of_a_protocol_that_is_named_psir_are_magnitude_images(tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    plain = wall_ms(write_recovery(tmp_path / "plain", images, times_ms))
    write_recovery(tmp_path / "named", images, times_ms, SeriesDescription="MOLLI_PSIR_SAX_MAG")
    assert not read_recovery_images(tmp_path / "named").signed
    assert wall_ms(tmp_path / "named") == plain
    untyped = ["ORIGINAL", "PRIMARY", "OTHER"]
    for part, description in (("a", "MOLLI_PSIR_SAX_MAG"), ("b", "MOLLI_PSIR_SAX")):
        image_type = untyped if part == "a" else [*untyped, "M"]
        write_recovery(tmp_path / part, images, times_ms, ImageType=image_type, SeriesDescription=description)
        assert wall_ms(tmp_path / part) == plain


def test_phase_images_of_a_protocol_that_is_named_psir_restore_the_sign(tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    write_recovery(tmp_path, images, times_ms, SeriesDescription="MOLLI_PSIR_SAX")
    write_phase(tmp_path, images, times_ms, description="MOLLI_PSIR_SAX_PHA")
    recovery = read_recovery_images(tmp_path)
    assert (recovery.series, recovery.signed) == ((3,), True)


@pytest.mark.parametrize("image_type", [RAW, ["DERIVED", "PRIMARY", "MAGNITUDE"]])
def test_derived_inversion_images_named_after_the_map_are_fitted(image_type: list[str], tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    plain = wall_ms(write_recovery(tmp_path / "plain", images, times_ms))
    named = tmp_path / "named"
    write_recovery(named, images, times_ms, ImageType=image_type, SeriesDescription="T1 Map MOLLI SAX")
    assert wall_ms(named) == plain
    write_section(named / "map.dcm", np.full((ROWS, COLUMNS), 1100, np.uint16), series=5, spacing=(PIXEL_MM, PIXEL_MM))
    written_alike: dict[str, Any] = {"ImageType": RAW, "SeriesDescription": "T1 Map MOLLI SAX", "InversionTime": 100.0}
    write_recovery(named, images[:1], times_ms[:1], series=6, **written_alike)
    assert (read_recovery_images(named).series, wall_ms(named)) == ((3,), plain)
    assert read_recovery_images(named, series=[3], sequence="MOLLI").series == (3,)


def test_derived_frames_named_after_the_map_are_fitted(tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    plain = wall_ms(write_recovery(tmp_path / "plain", images, times_ms))
    (tmp_path / "named").mkdir()
    derived = ["DERIVED", "PRIMARY", "CARDIAC", "NONE"]
    write_enhanced_recovery(
        tmp_path / "named" / "a.dcm", images, times_ms, frame_type=derived, SeriesDescription="T1Map MOLLI SAX"
    )
    assert wall_ms(tmp_path / "named") == pytest.approx(plain, abs=0.2)


def test_a_slice_with_missing_images_is_named_where_its_series_is_called_as_the_map(tmp_path: Path) -> None:
    write_study_of_slices(tmp_path, MOLLI, ImageType=RAW, SeriesDescription="T1 Map MOLLI SAX")
    for file in sorted(tmp_path.glob("3-12-*.dcm"))[:6]:
        file.unlink()
    with pytest.raises(ACNetError, match=r"slice 1, .* has 2 images; expected 8 as on the others"):
        read_recovery_images(tmp_path)


@pytest.mark.parametrize("denied", ["non-MOCO", "NO_MOCO", "nonMOCO"])
def test_images_that_deny_the_scanners_motion_correction_are_not_registered(denied: str, tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    write_recovery(tmp_path, images, times_ms, series=3, SeriesDescription=f"MOLLI_SAX_{denied}")
    assert not read_recovery_images(tmp_path).slices[0].registered
    registered = ["DERIVED", "PRIMARY", "M", "ND", "MOCO"]
    write_recovery(tmp_path, images, times_ms, series=4, ImageType=registered, SeriesDescription="MOLLI_SAX_MOCO")
    both = read_recovery_images(tmp_path)
    assert (both.series, both.slices[0].registered) == ((4,), True)
