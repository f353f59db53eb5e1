from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.errors import ACNetError
from ACNetLib.t1map.checks import check_t1_image
from ACNetLib.t1map.t1_map import Geometry, T1Map, read_t1_map, t1_map_from_array

SPACING = (1.4, 2.1, 8.0)
ORIGIN = (-123.4567891, 54.321, -7.25)

# A double-oblique short axis, and the same with its sections counted the other way (left-handed).
OBLIQUE = np.array(
    [
        [0.6, 0.64, 0.48],
        [-0.8, 0.48, 0.36],
        [0.0, -0.6, 0.8],
    ]
)
LEFT_HANDED = OBLIQUE @ np.diag([1.0, 1.0, -1.0])


@pytest.fixture
def t1_ms() -> np.ndarray:
    """A stack of (3, 40, 30) in whole ms: blood, myocardium and lung noise."""
    return np.random.default_rng(1).integers(200, 1900, (3, 40, 30)).astype(np.float32)


@pytest.fixture
def image(t1_ms: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(t1_ms)
    image.SetSpacing(SPACING)
    image.SetOrigin(ORIGIN)
    image.SetDirection(OBLIQUE.ravel())
    return image


def written(image: sitk.Image, file: Path) -> Path:
    sitk.WriteImage(image, str(file))
    return file


def geometry(image: sitk.Image) -> np.ndarray:
    return np.array([*image.GetSize(), *image.GetSpacing(), *image.GetOrigin(), *image.GetDirection()])


@pytest.mark.parametrize("file_name", ["map.nrrd", "map.mha", "map.mhd"])
@pytest.mark.parametrize("direction", [OBLIQUE, LEFT_HANDED], ids=["oblique", "left-handed"])
def test_a_volume_file_keeps_pixels_and_oblique_geometry_exactly(
    file_name: str, direction: np.ndarray, image: sitk.Image, t1_ms: np.ndarray, tmp_path: Path
) -> None:
    image.SetDirection(direction.ravel())
    t1_map = read_t1_map(written(image, tmp_path / file_name))
    np.testing.assert_array_equal(t1_map.array, t1_ms)
    np.testing.assert_allclose(geometry(t1_map.image), geometry(image), rtol=0, atol=1e-12)
    assert t1_map.image.GetPixelID() == sitk.sitkFloat32
    assert t1_map.name == file_name


@pytest.mark.parametrize("file_name", ["map.nii", "map.nii.gz"])
def test_a_nifti_file_keeps_its_geometry_within_the_precision_of_its_header(
    file_name: str, image: sitk.Image, t1_ms: np.ndarray, tmp_path: Path
) -> None:
    t1_map = read_t1_map(written(image, tmp_path / file_name))
    np.testing.assert_array_equal(t1_map.array, t1_ms)
    np.testing.assert_allclose(geometry(t1_map.image), geometry(image), rtol=0, atol=1e-5)


def test_integer_pixels_become_float_of_the_same_value(image: sitk.Image, t1_ms: np.ndarray, tmp_path: Path) -> None:
    file = written(sitk.Cast(image, sitk.sitkUInt16), tmp_path / "map.nrrd")
    t1_map = read_t1_map(file)
    assert t1_map.array.dtype == np.float32
    np.testing.assert_array_equal(t1_map.array, t1_ms)


def test_a_two_dimensional_file_becomes_one_section(t1_ms: np.ndarray, tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(t1_ms[0])
    image.SetSpacing((1.4, 2.1))
    image.SetOrigin((5.0, -6.0))
    t1_map = read_t1_map(written(image, tmp_path / "map.nrrd"))
    assert t1_map.section_count == 1
    np.testing.assert_array_equal(t1_map.array, t1_ms[:1])
    assert t1_map.image.GetSpacing()[:2] == (1.4, 2.1)
    assert t1_map.image.GetOrigin()[:2] == (5.0, -6.0)


def test_the_header_keys_of_this_project_tell_field_strength_and_simulation(image: sitk.Image, tmp_path: Path) -> None:
    image.SetMetaData("ACNet_field_strength_tesla", "1.5")
    image.SetMetaData("ACNet_simulated", "1")
    t1_map = read_t1_map(written(image, tmp_path / "map.nrrd"))
    assert t1_map.field_strength_tesla == 1.5
    assert t1_map.simulated


def test_a_file_without_those_keys_has_no_field_strength_and_is_not_simulated(
    image: sitk.Image, tmp_path: Path
) -> None:
    image.SetMetaData("ACNet_simulated", "0")
    t1_map = read_t1_map(written(image, tmp_path / "map.nrrd"))
    assert t1_map.field_strength_tesla is None
    assert not t1_map.simulated


def test_an_unreadable_field_strength_key_is_refused(image: sitk.Image, tmp_path: Path) -> None:
    image.SetMetaData("ACNet_field_strength_tesla", "strong")
    file = written(image, tmp_path / "map.nrrd")
    with pytest.raises(ACNetError, match=r"map\.nrrd.*ACNet_field_strength_tesla.*'strong'.*number"):
        read_t1_map(file)


def test_header_keys_of_the_source_do_not_travel_with_the_map(image: sitk.Image, tmp_path: Path) -> None:
    image.SetMetaData("PatientName", "Doe")
    t1_map = read_t1_map(written(image, tmp_path / "map.nrrd"))
    assert not t1_map.image.GetMetaDataKeys()


def test_an_array_with_its_geometry_equals_the_same_map_from_a_file(
    image: sitk.Image, t1_ms: np.ndarray, tmp_path: Path
) -> None:
    from_file = read_t1_map(written(image, tmp_path / "map.nrrd"))
    from_array = t1_map_from_array(t1_ms, Geometry(SPACING, ORIGIN, OBLIQUE), name="node", field_strength_tesla=3.0)
    np.testing.assert_array_equal(from_array.array, from_file.array)
    np.testing.assert_allclose(geometry(from_array.image), geometry(from_file.image), rtol=0, atol=1e-12)
    assert (from_array.name, from_array.field_strength_tesla) == ("node", 3.0)


def test_a_two_dimensional_array_becomes_one_section(t1_ms: np.ndarray) -> None:
    t1_map = t1_map_from_array(t1_ms[0], Geometry((1.4, 2.1, 8.0)), name="node")
    assert t1_map.image.GetSize() == (30, 40, 1)
    assert t1_map.image.GetSpacing() == (1.4, 2.1, 8.0)


@pytest.fixture
def oblique_map(t1_ms: np.ndarray) -> T1Map:
    return t1_map_from_array(t1_ms, Geometry(SPACING, ORIGIN, OBLIQUE), name="oblique")


def test_the_axes_are_the_directions_of_column_row_and_section_index(oblique_map: T1Map) -> None:
    origin = np.array(oblique_map.image.TransformIndexToPhysicalPoint((0, 0, 0)))
    for axis, index, spacing in zip(
        (oblique_map.row_axis, oblique_map.column_axis, oblique_map.normal), np.eye(3, dtype=int), SPACING, strict=True
    ):
        step = np.array(oblique_map.image.TransformIndexToPhysicalPoint(index.tolist())) - origin
        np.testing.assert_allclose(axis * spacing, step, atol=1e-12)


def test_the_centre_of_the_map_is_the_mean_of_its_opposite_corners(oblique_map: T1Map) -> None:
    corners = [oblique_map.image.TransformIndexToPhysicalPoint(index) for index in ((0, 0, 0), (29, 39, 2))]
    np.testing.assert_allclose(oblique_map.center, np.mean(corners, axis=0), atol=1e-9)
    np.testing.assert_allclose(oblique_map.section_center(1), oblique_map.center, atol=1e-9)


def test_neighbouring_section_centres_lie_one_section_spacing_apart_along_the_normal(oblique_map: T1Map) -> None:
    step = oblique_map.section_center(2) - oblique_map.section_center(1)
    np.testing.assert_allclose(step, 8.0 * oblique_map.normal, atol=1e-9)


def test_projecting_moves_a_point_along_the_normal_into_the_plane(oblique_map: T1Map) -> None:
    in_plane = oblique_map.section_center(0) + 11.0 * oblique_map.row_axis - 7.0 * oblique_map.column_axis
    np.testing.assert_allclose(oblique_map.project(in_plane + 20.5 * oblique_map.normal, 0), in_plane, atol=1e-9)


@pytest.mark.parametrize("section", [-1, 3])
def test_a_section_that_the_map_does_not_have_is_refused(section: int, oblique_map: T1Map) -> None:
    with pytest.raises(ACNetError, match=rf"oblique: there is no slice {section}.*0 to 2"):
        oblique_map.project((0, 0, 0), section)


@pytest.mark.parametrize("file_name", ["map.nrrd", "map.nii", "map.nii.gz", "map.mha"])
@pytest.mark.parametrize("kept", [0.7, 0.01, 0.0])
def test_a_truncated_file_is_refused(file_name: str, kept: float, image: sitk.Image, tmp_path: Path) -> None:
    file = written(image, tmp_path / file_name)
    content = file.read_bytes()
    file.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ACNetError, match=rf"{file_name}: it can't be read.*damaged or incomplete"):
        read_t1_map(file)


@pytest.mark.parametrize(
    ("file_name", "text", "said"),
    [
        ("map.nrrd", None, "there is no such file"),
        ("map.nrrd", "not an image", "it can't be read as an image"),
        (
            "map.txt",
            "not an image",
            "it is no DICOM image and no volume file; expected a DICOM image or folder, or a file as .nrrd",
        ),
    ],
)
def test_what_is_no_image_file_is_refused(file_name: str, text: str | None, said: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / file_name).write_text(text)
    with pytest.raises(ACNetError, match=rf"{file_name}: .*{said}"):
        read_t1_map(tmp_path / file_name)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda image: sitk.JoinSeries([image] * 2), "found a 4-D image of 30 x 40 x 3 x 2; expected a 2-D or 3-D"),
        (
            lambda image: sitk.Compose([sitk.Cast(image, sitk.sitkUInt8)] * 3),
            "found 3 values a pixel.*colour or vector",
        ),
    ],
    ids=["four dimensions", "colour"],
)
def test_an_image_of_another_kind_is_refused(
    change: Callable[[sitk.Image], sitk.Image], said: str, image: sitk.Image, tmp_path: Path
) -> None:
    with pytest.raises(ACNetError, match=rf"map\.nrrd: {said}"):
        read_t1_map(written(change(image), tmp_path / "map.nrrd"))


@pytest.mark.parametrize("pixel_type", [sitk.sitkUInt8, sitk.sitkUInt16], ids=["uint8", "uint16"])
def test_an_eight_bit_picture_is_refused_whatever_type_stores_it(
    pixel_type: int, image: sitk.Image, tmp_path: Path
) -> None:
    file = written(sitk.Cast(sitk.RescaleIntensity(image), pixel_type), tmp_path / "picture.nrrd")
    with pytest.raises(ACNetError, match=r"picture\.nrrd: found whole numbers up to 255.*8-bit.*expected T1 in ms"):
        read_t1_map(file)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda t1: t1 / 1e6, r"99th percentile of its positive pixels is 0\.0018"),
        (lambda t1: t1 * 1000, r"99th percentile of its positive pixels is 1\.8\d*e\+06"),
        (lambda t1: t1 / 2, r"99th percentile of its positive pixels is 9\d\d"),
        (lambda t1: np.full_like(t1, 1200), r"every pixel is 1200"),
        (lambda t1: -t1, r"no pixel is above zero"),
    ],
    ids=["kiloseconds", "microseconds", "T2 or post-contrast", "constant", "negative"],
)
def test_values_that_are_no_t1_in_ms_are_refused_with_what_was_found_and_expected(
    change: Callable[[np.ndarray], np.ndarray], found: str, t1_ms: np.ndarray
) -> None:
    with pytest.raises(ACNetError, match=rf"^node: .*{found}.*expected T1 in ms.*1000 to 4500 ms"):
        t1_map_from_array(change(t1_ms), Geometry(SPACING), name="node")


@pytest.mark.parametrize("highest", [1000, 4500])
def test_the_ends_of_the_expected_range_are_accepted(highest: float) -> None:
    t1_ms = np.full((20, 20), highest, dtype=np.float32)
    t1_ms[:10] = 0
    t1_ms[10:12] = 1000
    assert t1_map_from_array(t1_ms, Geometry(SPACING), name="node").array.max() == highest


def test_a_zero_background_does_not_change_the_judgement(t1_ms: np.ndarray) -> None:
    padded = np.pad(t1_ms, ((0, 0), (200, 200), (200, 200)))
    assert t1_map_from_array(padded, Geometry(SPACING), name="node").array.shape == (3, 440, 430)


def test_a_sheared_image_is_refused(t1_ms: np.ndarray) -> None:
    shear = np.eye(3)
    shear[:, 1] = (0.1, np.sqrt(0.99), 0)
    with pytest.raises(ACNetError, match=r"node: its axes are not perpendicular"):
        t1_map_from_array(t1_ms, Geometry(SPACING, direction=shear), name="node")


@pytest.mark.parametrize("shape", [(40,), (2, 3, 40, 30)])
def test_an_array_of_other_than_two_or_three_dimensions_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ACNetError, match=r"node: found an array of shape"):
        t1_map_from_array(np.ones(shape), Geometry(SPACING), name="node")


def test_complex_pixels_are_refused(image: sitk.Image) -> None:
    with pytest.raises(ACNetError, match=r"raw: found 1 values a pixel \(complex"):
        check_t1_image(sitk.RealAndImaginaryToComplex(image, image), "raw")


def test_checking_leaves_the_given_image_as_it_was(image: sitk.Image, t1_ms: np.ndarray) -> None:
    image.SetMetaData("note", "kept")
    check_t1_image(image, "map")
    assert image.GetMetaData("note") == "kept"
