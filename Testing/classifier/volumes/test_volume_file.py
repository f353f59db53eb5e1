"""Volume files of every kind: the same voxels as SimpleITK reads, and what a header leaves open is asked for."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.errors import ACNetError
from ACNetLib.t1map.checks import UNKNOWN_THICKNESS
from ACNetLib.t1map.t1_map import Reading, read_t1_map
from ACNetLib.volumes.volume import read_volume, read_volume_header
from nifti_files import write_nifti

OBLIQUE = np.array([[0.6, 0.64, 0.48], [-0.8, 0.48, 0.36], [0.0, -0.6, 0.8]])
QUATERN = (0.1, 0.2, 0.3)
T1_MS = np.random.default_rng(1).integers(200, 1900, (3, 40, 30)).astype(np.uint16)
SFORM = np.column_stack([OBLIQUE @ np.diag([1.4, 2.1, 8.0]), (-30.0, 40.0, 50.0)])
NRRD = """NRRD0004
# by hand
type: unsigned short
dimension: 3
{space}
sizes: 30 40 3
endian: little
encoding: raw
"""
SPACE = """space: {space}
space directions: (0.84,-1.12,0) (1.344,1.008,-1.26) (3.84,2.88,6.4)
space origin: (-123.5,54.25,-7.75)
kinds: domain domain domain"""
META = """ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
Offset = 1 2 3
{spacing}DimSize = 30 40 3
ElementType = MET_USHORT
ElementDataFile = LOCAL
"""


def assert_same(path: Path) -> None:
    """Pixels and geometry are those that SimpleITK reads."""
    expected, found = sitk.ReadImage(str(path)), read_volume(path, read_volume_header(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(expected))
    for part in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(found, part)(), getattr(expected, part)(), rtol=0, atol=1e-6)


def oblique_image(dtype: type = np.uint16) -> sitk.Image:
    image = sitk.GetImageFromArray(T1_MS.astype(dtype))
    image.SetSpacing((1.4, 2.1, 8.0))
    image.SetOrigin((-123.5, 54.25, -7.75))
    image.SetDirection(OBLIQUE.ravel())
    return image


def nrrd(path: Path, space: str, pixels: bytes = T1_MS.tobytes()) -> Path:
    path.write_bytes(NRRD.format(space=space).encode() + b"\n" + pixels)
    return path


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64])
@pytest.mark.parametrize("file_name", ["map.nrrd", "map.nhdr", "map.mha", "map.mhd", "map.nii.gz"])
@pytest.mark.parametrize("is_compressed", [True, False], ids=["compressed", "plain"])
def test_every_kind_of_file_and_pixel_is_read_as_simpleitk_reads_it(
    file_name: str, dtype: type, is_compressed: bool, tmp_path: Path
) -> None:
    sitk.WriteImage(oblique_image(dtype), str(tmp_path / file_name), useCompression=is_compressed)
    assert_same(tmp_path / file_name)


@pytest.mark.parametrize(
    ("space", "signs", "as_simpleitk"),
    [
        ("left-posterior-superior", (1, 1, 1), True),
        ("RAS", (-1, -1, 1), True),
        ("left-anterior-superior", (1, -1, 1), False),  # SimpleITK 2.5.5 mirrors the other axis
    ],
)
def test_an_nrrd_file_in_another_space_is_brought_to_lps(
    space: str, signs: tuple[int, int, int], as_simpleitk: bool, tmp_path: Path
) -> None:
    path = nrrd(tmp_path / "map.nrrd", SPACE.format(space=space))
    if as_simpleitk:
        assert_same(path)
    image = read_t1_map(path).image
    assert image.GetOrigin() == pytest.approx(np.multiply((-123.5, 54.25, -7.75), signs))
    np.testing.assert_allclose(image.GetDirection()[::3], np.multiply((0.6, -0.8, 0.0), signs), atol=1e-12)


def test_windows_line_ends_in_an_nrrd_header_are_understood(tmp_path: Path) -> None:
    text = NRRD.format(space=SPACE.format(space="LPS")) + "\n"
    (tmp_path / "map.nrrd").write_bytes(text.replace("\n", "\r\n").encode() + T1_MS.tobytes())
    np.testing.assert_array_equal(read_t1_map(tmp_path / "map.nrrd").array, T1_MS)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("slope", "intercept"), [(0.0, 0.0), (1.0, 0.0), (0.5, 3.0)])
def test_a_nifti_file_is_read_with_its_byte_order_and_its_slope(
    order: Literal["<", ">"], slope: float, intercept: float, tmp_path: Path
) -> None:
    path = write_nifti(tmp_path / "map.nii", T1_MS, quatern=QUATERN, order=order, slope=slope, intercept=intercept)
    assert_same(path)
    expected = T1_MS * (slope or 1.0) + intercept
    np.testing.assert_allclose(sitk.GetArrayFromImage(read_volume(path, read_volume_header(path))), expected, rtol=1e-6)


def test_both_versions_of_nifti_give_the_same_map(tmp_path: Path) -> None:
    """SimpleITK 2.5.5 doesn't read version 2."""
    first, second = (
        read_t1_map(write_nifti(tmp_path / f"{version}.nii", T1_MS, sform=SFORM, version=version)) for version in (1, 2)
    )
    np.testing.assert_array_equal(first.array, second.array)
    np.testing.assert_allclose(first.image.GetOrigin(), second.image.GetOrigin(), atol=1e-5)
    np.testing.assert_allclose(first.image.GetDirection(), second.image.GetDirection(), atol=1e-6)


def test_a_nifti_file_in_metres_is_the_same_map(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "map.nii", T1_MS, pixdim=(0.0014, 0.0021, 0.008), quatern=QUATERN, units=1)
    assert_same(path)
    assert read_t1_map(path).image.GetSpacing() == pytest.approx((1.4, 2.1, 8.0))


@pytest.mark.parametrize("sform_code", [1, 2, 4])
def test_the_sform_is_taken_and_a_qform_elsewhere_is_warned_of(sform_code: int, tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "map.nii", T1_MS, sform=SFORM, sform_code=sform_code, quatern=(0, 0, 0))
    t1_map = read_t1_map(path)
    np.testing.assert_allclose(t1_map.image.GetOrigin(), (30.0, -40.0, 50.0), atol=1e-5)
    warning, _plane = t1_map.warnings
    assert "sform and qform, place it up to" in warning
    assert "the sform was taken" in warning


def test_two_geometries_within_half_a_pixel_need_no_warning(tmp_path: Path) -> None:
    sform = np.column_stack([np.diag([1.4, 2.1, 8.0]), (0.6, 0.0, 0.0)])
    path = write_nifti(tmp_path / "map.nii", T1_MS, sform=sform, quatern=(0, 0, 0))
    assert read_t1_map(path).warnings == ()


def test_the_qform_is_taken_where_the_sform_is_sheared(tmp_path: Path) -> None:
    sheared = SFORM.copy()
    sheared[:, 1] += 0.3 * sheared[:, 0]
    path = write_nifti(tmp_path / "map.nii", T1_MS, sform=sheared, quatern=QUATERN, qoffset=(1, 2, 3))
    t1_map = read_t1_map(path)
    np.testing.assert_allclose(t1_map.image.GetOrigin(), (-1, -2, 3), atol=1e-5)
    assert "the qform was taken" in t1_map.warnings[0]
    with pytest.raises(ACNetError, match=r"map\.nii: its axes are not perpendicular \(a sheared image\)"):
        read_t1_map(write_nifti(tmp_path / "map.nii", T1_MS, sform=sheared))


def without_spacing(kind: str, folder: Path) -> Path:
    if kind == "nrrd":
        return nrrd(folder / "map.nrrd", "space dimension: 3")
    if kind == "mha":
        (folder / "map.mha").write_bytes(META.format(spacing="").encode() + T1_MS.tobytes())
        return folder / "map.mha"
    if kind == "nifti, pixdim 0":
        return write_nifti(folder / "map.nii", T1_MS, pixdim=(0, 0, 0), quatern=(0, 0, 0))
    if kind == "nifti, no affine":
        return write_nifti(folder / "map.nii", T1_MS, pixdim=(1, 1, 1))
    text = NRRD.replace("dimension: 3", "dimension: 2").replace("30 40 3", "30 40").format(space="# 2-D")
    (folder / "map.nrrd").write_bytes(text.encode() + b"\n" + T1_MS[0].tobytes())
    return folder / "map.nrrd"


KINDS = ("nrrd", "mha", "nifti, pixdim 0", "nifti, no affine", "2-D")


@pytest.mark.parametrize("kind", KINDS)
def test_a_spacing_that_the_header_does_not_tell_is_asked_for(kind: str, tmp_path: Path) -> None:
    path = without_spacing(kind, tmp_path)
    with pytest.raises(ACNetError, match=r"map\.\w+: its header does not tell the spacing.*--spacing 1\.4,1\.4,8"):
        read_t1_map(path)
    spacing = (1.5, 1.75) if kind == "2-D" else (1.5, 1.75, 8.0)
    t1_map = read_t1_map(path, Reading(spacing_mm=spacing))
    assert t1_map.image.GetSpacing()[: len(spacing)] == spacing
    np.testing.assert_array_equal(t1_map.array, T1_MS[:1] if kind == "2-D" else T1_MS)
    assert t1_map.warnings == ((UNKNOWN_THICKNESS,) if kind == "2-D" else ())


@pytest.mark.parametrize("dimensions", [6, 7])
def test_an_image_of_more_dimensions_than_any_reader_has_is_refused_in_one_line(
    dimensions: int, tmp_path: Path
) -> None:
    values = np.zeros((2,) * (dimensions - 2) + (20, 20), np.uint16)
    sizes = " ".join(map(str, values.shape[::-1]))
    text = f"NRRD0004\ntype: ushort\ndimension: {dimensions}\nsizes: {sizes}\nendian: little\nencoding: raw\n\n"
    (tmp_path / "map.nrrd").write_bytes(text.encode() + values.tobytes())
    with pytest.raises(ACNetError, match=rf"map\.nrrd: it can't be read .*\(it has {dimensions} dimensions\)"):
        read_t1_map(tmp_path / "map.nrrd")


@pytest.mark.parametrize("across", [0, 1])
def test_a_file_without_spacing_may_have_its_slices_along_any_axis(across: int, tmp_path: Path) -> None:
    """As pynrrd writes an array (slice, row, column)."""
    stored = np.moveaxis(T1_MS, 0, 2 - across)
    sizes = " ".join(map(str, stored.shape[::-1]))
    text = f"NRRD0004\ntype: unsigned short\ndimension: 3\nsizes: {sizes}\nendian: little\nencoding: raw\n\n"
    (tmp_path / "map.nrrd").write_bytes(text.encode() + stored.tobytes())
    t1_map = read_t1_map(tmp_path / "map.nrrd", Reading(spacing_mm=(1.5, 1.75, 8.0)))
    np.testing.assert_array_equal(t1_map.array, T1_MS)
    assert t1_map.image.GetSpacing() == (1.5, 1.75, 8.0)
    with pytest.raises(ACNetError, match=r"map\.nrrd: its header does not tell the spacing"):
        read_t1_map(tmp_path / "map.nrrd")


def test_another_spacing_than_the_headers_is_refused(tmp_path: Path) -> None:
    sitk.WriteImage(oblique_image(), str(tmp_path / "map.nrrd"))
    assert read_t1_map(tmp_path / "map.nrrd", Reading(spacing_mm=(1.4, 2.1))).image.GetSpacing() == pytest.approx(
        (1.4, 2.1, 8)
    )
    with pytest.raises(ACNetError, match=r"map\.nrrd: its header says a spacing of 1\.4 x 2\.1 x 8 mm, you say 1\.4 x"):
        read_t1_map(tmp_path / "map.nrrd", Reading(spacing_mm=(1.4, 1.4, 8.0)))


@pytest.mark.parametrize("units", ['"cm" "cm" "cm"', '"m" "m" "m"'])
def test_lengths_in_another_unit_than_mm_are_refused(units: str, tmp_path: Path) -> None:
    path = nrrd(tmp_path / "map.nrrd", SPACE.format(space="LPS") + f"\nspace units: {units}")
    with pytest.raises(ACNetError, match=r"its lengths are in '(cm|m)', expected are mm"):
        read_t1_map(path)


def sequence(path: Path, count: int) -> Path:
    """As Slicer's sequence storage writes it: the time points interleaved."""
    space = SPACE.format(space="LPS").replace("directions: ", "directions: none ").replace("kinds: ", "kinds: list ")
    text = NRRD.replace("dimension: 3", "dimension: 4").replace("30 40 3", f"{count} 30 40 3").format(space=space)
    pixels = np.stack([T1_MS + time for time in range(count)], axis=-1).astype(np.uint16)
    path.write_bytes(text.encode() + b"axis 0 index type:=numeric\n\n" + pixels.tobytes())
    return path


def test_a_sequence_of_one_time_point_is_that_map_and_of_more_is_refused(tmp_path: Path) -> None:
    t1_map = read_t1_map(sequence(tmp_path / "one.seq.nrrd", 1))
    np.testing.assert_array_equal(t1_map.array, T1_MS)
    assert t1_map.image.GetSpacing() == pytest.approx((1.4, 2.1, 8.0))
    with pytest.raises(ACNetError, match=r"more\.seq\.nrrd: found a sequence of 8 time points; expected one volume"):
        read_t1_map(sequence(tmp_path / "more.seq.nrrd", 8))


PHILIPS = {
    "Manufacturer": "Philips",
    "ManufacturersModelName": "Ingenia",
    "MagneticFieldStrength": 3,
    "PhilipsRescaleSlope": 0.6,
    "PhilipsScaleSlope": 0.002,
    "UsePhilipsFloatNotDisplayScaling": 1,
}


def converted(folder: Path, sidecar: dict | None, factor: float = 1.0) -> Path:
    if sidecar is not None:
        (folder / "map.json").write_text(json.dumps(sidecar), encoding="utf-8")
    values = (T1_MS * factor).astype(np.float32)
    usual = np.diag([1.0, -1.0, 1.0]) @ SFORM  # near the plane of short axes, which has no warning
    return write_nifti(folder / "map.nii.gz", values, sform=usual, description=b"TE=1.1;Time=101530.000")


def test_the_json_file_of_dcm2niix_tells_field_strength_scanner_and_sequence(tmp_path: Path) -> None:
    told = PHILIPS | {"UsePhilipsFloatNotDisplayScaling": 0, "ProtocolName": "MOLLI_SAX"}
    t1_map = read_t1_map(converted(tmp_path, told))
    assert t1_map.sequence == "MOLLI"
    assert (t1_map.field_strength_tesla, t1_map.scanner, t1_map.warnings) == (3.0, "Philips Ingenia", ())


@pytest.mark.parametrize(
    ("sidecar", "factor"), [(PHILIPS, 1.0), (PHILIPS, 10.0), (PHILIPS, 833.0), (None, 10.0), (None, 833.0)]
)
def test_values_that_dcm2niix_divided_by_both_slopes_are_refused_with_the_remedy_with_and_without_its_json_file(
    sidecar: dict | None, factor: float, tmp_path: Path
) -> None:
    said = "dcm2niix has divided its values" if sidecar else ".*dcm2niix"
    with pytest.raises(ACNetError, match=rf"map\.nii\.gz: {said}.*dcm2niix -p n"):
        read_t1_map(converted(tmp_path, sidecar, factor))


def test_slopes_whose_product_is_one_leave_the_values_as_they_are(tmp_path: Path) -> None:
    sidecar = PHILIPS | {"PhilipsRescaleSlope": 0.5, "PhilipsScaleSlope": 2.0}
    np.testing.assert_array_equal(read_t1_map(converted(tmp_path, sidecar)).array, T1_MS)


def test_tenths_of_ms_of_another_manufacturer_are_converted(tmp_path: Path) -> None:
    t1_map = read_t1_map(converted(tmp_path, {"Manufacturer": "Siemens"}, 10.0))
    np.testing.assert_allclose(t1_map.array, T1_MS, rtol=1e-5)
    assert t1_map.warnings == ("Its values were taken as T1 in 0.1 ms and converted to ms.",)


def test_a_damaged_json_file_is_warned_of(tmp_path: Path) -> None:
    path = converted(tmp_path, None)
    (tmp_path / "map.json").write_text('{"MagneticFieldStrength": 3', encoding="utf-8")
    (warning,) = read_t1_map(path).warnings
    assert warning.startswith("The JSON file beside it can't be read")


def changed(text: str, old: str, new: str) -> bytes:
    assert old in text
    return text.replace(old, new, 1).encode() + b"\n" + T1_MS.tobytes()


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("sizes: 30 40 3", "sizes: 30 40 300", "it promises 720000 bytes of pixels and has 7200"),
        ("sizes: 30 40 3", "sizes: 3000000000 40 3", "it says 3000000000 x 40 x 3 pixels"),
        ("sizes: 30 40 3", "sizes: 30 -40 3", "it says 30 x -40 x 3 pixels"),
        ("sizes: 30 40 3", "sizes: 1000000 1000000 3", "pixels, more than 67108864"),
        ("dimension: 3", "dimension: 99", "it has 99 dimensions"),
        ("encoding: raw", "encoding: bzip2", "its encoding is 'bzip2', read are raw and gzip"),
        ("encoding: raw", "encoding: raw\ndata file: ../secret.raw", "pixels are said to be in another folder"),
        ("encoding: raw", "encoding: raw\nline skip: 7", "it skips lines before its pixels"),
        ("(0.84,-1.12,0)", "(nan,-1.12,0)", "its axes hold values that are no numbers"),
        ("(0.84,-1.12,0)", "(1.344,1.008,-1.26)", "two of its axes have the same direction"),
        ("(0.84,-1.12,0)", "(1e300,0,0)", "it says a spacing of"),
        ("(-123.5,", "(1e30,", "it says an origin of"),
        ("type: unsigned short", "type: block", "its pixels are of type 'block'"),
        ("# by hand", "type: short\n# by hand", "its header has 'type' twice"),
    ],
)
def test_an_nrrd_header_beyond_the_limits_is_refused_with_what_was_found(
    old: str, new: str, found: str, tmp_path: Path
) -> None:
    path = tmp_path / "map.nrrd"
    path.write_bytes(changed(NRRD.format(space=SPACE.format(space="LPS")), old, new))
    with pytest.raises(ACNetError, match=rf"^map\.nrrd: it can't be read as an image.*{found}"):
        read_t1_map(path)


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
def test_pixels_are_inflated_no_further_than_the_header_promises(
    compress: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = NRRD.format(space=SPACE.format(space="LPS")).replace("raw", "gzip")
    (tmp_path / "map.nrrd").write_bytes(text.encode() + b"\n" + compress(T1_MS.tobytes() + bytes(50_000_000)))
    seen: list[int] = []

    class Engine:
        def __init__(self, wbits: int) -> None:
            self._engine = make(wbits=wbits)

        def decompress(self, data: bytes, limit: int) -> bytes:
            seen.append(limit)
            return self._engine.decompress(data, limit)

        def __getattr__(self, name: str) -> object:
            return getattr(self._engine, name)

    make = zlib.decompressobj
    monkeypatch.setattr(zlib, "decompressobj", Engine)
    np.testing.assert_array_equal(read_t1_map(tmp_path / "map.nrrd").array, T1_MS)
    assert 0 < max(seen) <= T1_MS.nbytes


def test_an_outside_reader_is_never_shown_a_volume_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sitk.WriteImage(oblique_image(), str(tmp_path / "map.nrrd"))
    for name in ("ReadImage", "ImageFileReader", "ImageSeriesReader"):
        monkeypatch.delattr(sitk, name)
    np.testing.assert_array_equal(read_t1_map(tmp_path / "map.nrrd").array, T1_MS)


@pytest.mark.parametrize("name", ["map.nrrd", "map.mha", "map.nii.gz"])
@pytest.mark.parametrize("axes", [4, 5])
def test_a_volume_with_a_fourth_axis_of_one_time_point_is_that_map(name: str, axes: int, tmp_path: Path) -> None:
    image = oblique_image()
    for _ in range(axes - 3):
        image = sitk.JoinSeries([image])
    sitk.WriteImage(image, str(tmp_path / name))
    sitk.WriteImage(oblique_image(), str(tmp_path / f"plain-{name}"))
    t1_map, plain = read_t1_map(tmp_path / name), read_t1_map(tmp_path / f"plain-{name}")
    np.testing.assert_array_equal(t1_map.array, T1_MS)
    for part in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(t1_map.image, part)(), getattr(plain.image, part)(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["map.nrrd", "map.mha", "map.nii.gz"])
def test_a_fourth_axis_of_two_time_points_is_refused(name: str, tmp_path: Path) -> None:
    sitk.WriteImage(sitk.JoinSeries([oblique_image()] * 2), str(tmp_path / name))
    with pytest.raises(ACNetError, match=r"found a 4-D image of 30 x 40 x 3 x 2"):
        read_t1_map(tmp_path / name)


@pytest.mark.parametrize("space", ["left-posterior-superior-time", "LPST"])
def test_a_space_with_time_is_that_without(space: str, tmp_path: Path) -> None:
    told = SPACE.format(space=space).replace(") (", ",0) (").replace("6.4)", "6.4,0) (0,0,0,2)") + " domain"
    told = told.replace("-7.75)", "-7.75,0)") + '\nspace units: "mm" "mm" "mm" "s"'
    text = NRRD.replace("dimension: 3", "dimension: 4").replace("30 40 3", "30 40 3 1").format(space=told)
    (tmp_path / "map.nrrd").write_bytes(text.encode() + b"\n" + T1_MS.tobytes())
    plain = nrrd(tmp_path / "plain.nrrd", SPACE.format(space="LPS"))
    t1_map = read_t1_map(tmp_path / "map.nrrd")
    np.testing.assert_array_equal(t1_map.array, T1_MS)
    for part in ("GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(t1_map.image, part)() == pytest.approx(getattr(read_t1_map(plain).image, part)())
