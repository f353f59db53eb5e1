"""The pixels of DICOM maps: every encoding that a Slicer can decode, padding, and loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import UID, HTJ2KLossless, JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from ACNetLib.dicom.pixels import GDCM_SYNTAXES, require_decoder
from ACNetLib.dicom.series import find_t1_maps
from ACNetLib.errors import ACNetError
from ACNetLib.t1map.t1_map import read_t1_map
from dicom_files import GAP_MM, RAMP, compress, mapping, write_enhanced, write_section


@pytest.mark.parametrize("slope", [1.0, 1.25])
@pytest.mark.parametrize(
    "syntax", [JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, RLELossless], ids=lambda syntax: syntax.keyword
)
def test_a_map_compressed_without_loss_is_the_same_map_and_offered_in_slicer(
    syntax: UID, slope: float, tmp_path: Path
) -> None:
    file = compress(write_section(tmp_path / "a.dcm", RAMP, RescaleSlope=slope, RescaleIntercept=-10), syntax)
    assert pydicom.dcmread(file).file_meta.TransferSyntaxUID == syntax
    t1_map = read_t1_map(tmp_path)
    np.testing.assert_allclose(t1_map.array[0], RAMP * slope - 10, rtol=1e-6)
    assert not any("compressed" in warning for warning in t1_map.warnings)
    assert len(find_t1_maps([file])) == 1


def test_a_compressed_map_may_have_real_world_values(tmp_path: Path) -> None:
    mappings = [mapping("1", 1.0), mapping("ms", 1.5)]
    compress(write_section(tmp_path / "a.dcm", RAMP, RealWorldValueMappingSequence=mappings), JPEGLosslessSV1)
    np.testing.assert_allclose(read_t1_map(tmp_path).array[0], RAMP * 1.5, rtol=1e-6)


def test_each_frame_of_a_compressed_object_is_read(stored: np.ndarray, tmp_path: Path) -> None:
    compress(write_enhanced(tmp_path / "a.dcm", stored, [0.9, 1.0, 1.1]), JPEGLosslessSV1)
    expected = stored * np.array([0.9, 1.0, 1.1])[:, None, None]
    np.testing.assert_allclose(read_t1_map(tmp_path).array, expected, rtol=1e-6)


@pytest.fixture
def not_decodable(tmp_path: Path) -> Path:
    """A map whose header says an encoding that nothing here decodes; its pixels are never asked for."""
    file = write_section(tmp_path / "study" / "a.dcm", RAMP)
    dataset = pydicom.dcmread(file)
    dataset.file_meta.TransferSyntaxUID = HTJ2KLossless
    dataset.PixelData = pydicom.encaps.encapsulate([bytes(16)])
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(file, enforce_file_format=True)
    return file


def test_an_encoding_that_nothing_decodes_is_named_with_the_remedy_and_not_offered_in_slicer(
    not_decodable: Path,
) -> None:
    found = r"^a\.dcm: it is compressed as High-Throughput JPEG 2000 .*Export it uncompressed"
    with pytest.raises(ACNetError, match=found):
        read_t1_map(not_decodable.parent)
    assert find_t1_maps([not_decodable]) == []


def test_an_image_beside_the_map_may_have_any_encoding(not_decodable: Path) -> None:
    dataset = pydicom.dcmread(not_decodable)
    dataset.ImageType, dataset.SeriesDescription = ["DERIVED", "PRIMARY", "T2 MAP"], "T2 map"
    dataset.save_as(not_decodable, enforce_file_format=True)
    write_section(not_decodable.parent / "b.dcm", RAMP)
    np.testing.assert_array_equal(read_t1_map(not_decodable.parent).array[0], RAMP)


def test_unknown_transfer_syntaxes_are_refused_by_their_number() -> None:
    with pytest.raises(ACNetError, match=r"it is compressed as 1\.2\.3\.4, which can't be read here"):
        require_decoder(Path("a.dcm"), UID("1.2.3.4"))
    for syntax in GDCM_SYNTAXES:
        require_decoder(Path("a.dcm"), syntax)


@pytest.mark.parametrize(
    "attributes",
    [
        {"PixelPaddingValue": 4095},
        {"PixelPaddingValue": 4095, "PixelPaddingRangeLimit": 4000},
        {"PixelPaddingValue": 4000, "PixelPaddingRangeLimit": 4095},
    ],
)
def test_padding_has_no_t1(attributes: dict[str, Any], stored: np.ndarray, tmp_path: Path) -> None:
    padded = stored[0].copy()
    padded[:, :3] = 4095
    write_section(tmp_path / "a.dcm", padded, RescaleSlope=1.25, RescaleIntercept=-10, **attributes)
    t1_map = read_t1_map(tmp_path)
    assert not t1_map.array[0, :, :3].any()
    np.testing.assert_allclose(t1_map.array[0, :, 3:], stored[0, :, 3:] * 1.25 - 10, rtol=1e-6)
    assert "By its header (PixelPaddingValue), 120 of its pixels have no value; they were set to 0." in t1_map.warnings


def test_padding_below_zero_is_known_however_its_header_writes_it(stored: np.ndarray, tmp_path: Path) -> None:
    padded = stored[0].astype(np.int16)
    padded[:, :3] = -2000
    write_section(tmp_path / "a.dcm", padded, PixelRepresentation=1, BitsStored=16, HighBit=15, PixelPaddingValue=-2000)
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    dataset.add_new("PixelPaddingValue", "US", 63536)
    dataset.save_as(tmp_path / "b.dcm", enforce_file_format=True)
    for name in ("a.dcm", "b.dcm"):
        array = read_t1_map(tmp_path / name).array[0]
        assert not array[:, :3].any()
        np.testing.assert_array_equal(array[:, 3:], stored[0, :, 3:])


@pytest.mark.parametrize("padding", [0.0, -1.0, np.nan])
def test_padding_of_floats_may_be_no_number(padding: float, stored: np.ndarray, tmp_path: Path) -> None:
    values = stored[0].astype(np.float32)
    values[:, :3] = padding
    write_section(
        tmp_path / "a.dcm",
        stored[0],
        PixelData=None,
        BitsAllocated=32,
        BitsStored=None,
        HighBit=None,
        PixelRepresentation=None,
        FloatPixelData=values.tobytes(),
        FloatPixelPaddingValue=padding,
    )
    array = read_t1_map(tmp_path).array[0]
    assert not array[:, :3].any()
    np.testing.assert_array_equal(array[:, 3:], stored[0, :, 3:])


def test_a_map_that_was_once_compressed_with_loss_says_so(stored: np.ndarray, tmp_path: Path) -> None:
    for section, lossy in enumerate(("00", "01")):
        write_section(tmp_path / f"{section}.dcm", stored[section], section * GAP_MM, LossyImageCompression=lossy)
    warning = "Its pixels were compressed with loss (LossyImageCompression): T1 may differ from the scanner's."
    assert warning in read_t1_map(tmp_path).warnings
    assert warning not in read_t1_map(tmp_path / "0.dcm").warnings
    (series,) = find_t1_maps(sorted(tmp_path.iterdir()))
    assert warning in series.warnings
