"""What is refused as a T1 map, with its reason and remedy, and what passes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.commands.main import main
from ACNetLib.errors import ACNetError
from ACNetLib.sample_data import sample_cases
from ACNetLib.t1map.checks import (
    DARK_AIR_WARNING,
    FAILED_FITS,
    LARGEST_VARIATION,
    _around_each,
    check_blood_and_muscle,
    check_native_blood,
    check_short_axis,
)
from ACNetLib.t1map.section import anatomical_axes
from ACNetLib.t1map.t1_map import Geometry, Reading, T1Map, read_t1_map, t1_map_from_array
from ACNetTrainerLib.simulation.cohort import map_image
from ACNetTrainerLib.simulation.dicom.series import magnitude_image
from ACNetTrainerLib.simulation.patient import draw_patient
from ACNetTrainerLib.simulation.section import simulate_section
from ACNetTrainerLib.simulation.tissues import TISSUES, Tissue

Change = Callable[[np.ndarray], np.ndarray]

# The share of the contrast in blood that reaches a tissue's water.
REACHED_BY_CONTRAST = {
    Tissue.LEFT_BLOOD: 1.0,
    Tissue.RIGHT_BLOOD: 1.0,
    Tissue.MYOCARDIUM: 0.45,
    Tissue.MUSCLE: 0.25,
    Tissue.LIVER: 0.5,
    Tissue.SPLEEN: 0.6,
    Tissue.LUNG: 0.3,
    Tissue.MARROW: 0.2,
}


SPACING_MM = (1.40625, 1.40625, 8.0)


def simulated_map(field_strength_tesla: float, index: int, level: str) -> sitk.Image:
    return map_image(simulate_section(draw_patient(404, index, "dcm", field_strength_tesla), level))


@pytest.fixture(scope="module")
def native() -> np.ndarray:
    """A native map of three sections in ms, as simulated."""
    return read_t1_map(sample_cases()[0].folder).array


def as_map(t1_ms: np.ndarray, *, spacing_mm: tuple[float, float, float] = SPACING_MM) -> T1Map:
    return t1_map_from_array(t1_ms, Geometry(spacing_mm), name="node")


def after_contrast(monkeypatch: pytest.MonkeyPatch, field_strength_tesla: float, rise_per_ms: float) -> np.ndarray:
    """A map whose tissues were measured after contrast, which raises 1/T1 of blood by `rise_per_ms`."""

    def shortened(t1_ms: float, share: float) -> float:
        return 1 / (1 / t1_ms + share * rise_per_ms)

    for tissue, share in REACHED_BY_CONTRAST.items():
        native = TISSUES[field_strength_tesla][tissue]
        monkeypatch.setitem(
            TISSUES[field_strength_tesla], tissue, replace(native, t1_ms=shortened(native.t1_ms, share))
        )
    patient = draw_patient(7, 890, "normal", field_strength_tesla)  # whose surroundings have their usual T1
    mean = shortened(patient.myocardium.mean, REACHED_BY_CONTRAST[Tissue.MYOCARDIUM])
    return simulate_section(replace(patient, myocardium=replace(patient.myocardium, mean=mean)), "mid").t1_ms


@pytest.mark.parametrize(
    ("field_strength_tesla", "index", "level"), [(1.5, 0, "apex"), (3.0, 1, "base"), (3.0, 2, "apex")]
)
def test_simulated_maps_pass_without_a_warning(
    field_strength_tesla: float, index: int, level: str, tmp_path: Path
) -> None:
    sitk.WriteImage(simulated_map(field_strength_tesla, index, level), str(tmp_path / "map.nrrd"))
    t1_map = read_t1_map(tmp_path / "map.nrrd")
    assert t1_map.warnings == ()
    assert check_short_axis(t1_map.normal, "map") == ()


@pytest.mark.parametrize("rows", [slice(0, 128), slice(40, 168)])
@pytest.mark.parametrize("columns", [slice(40, 168), slice(70, 198), slice(100, 228)])
def test_a_native_map_cut_to_a_part_of_the_chest_passes(rows: slice, columns: slice, native: np.ndarray) -> None:
    assert as_map(native[:, rows, columns]).warnings == ()


@pytest.mark.parametrize(("factor", "unit"), [(1e-3, "s"), (10.0, "0.1 ms")])
def test_seconds_and_tenths_of_ms_are_converted_with_a_warning(
    factor: float, unit: str, native: np.ndarray, tmp_path: Path
) -> None:
    sitk.WriteImage(sitk.GetImageFromArray((native * factor).astype(np.float32)), str(tmp_path / "map.nrrd"))
    t1_map = read_t1_map(tmp_path / "map.nrrd", Reading(spacing_mm=SPACING_MM))
    np.testing.assert_allclose(t1_map.array, native, rtol=1e-6)
    assert t1_map.warnings == (f"Its values were taken as T1 in {unit} and converted to ms.",)


@pytest.mark.parametrize("bound_ms", [5000.0, 10_000.0, 20_000.0, 1e6])
def test_a_map_whose_fit_has_a_high_bound_or_none_is_read_in_ms(bound_ms: float, native: np.ndarray) -> None:
    """In air and lung such a fit gives any T1 up to its bound; scanners store no more than some 4000 ms."""
    noise = np.random.default_rng(3).gamma(0.6, bound_ms, native.shape).astype(np.float32)
    fitted = np.where(native > 2000.0, np.minimum(noise, bound_ms), native)
    t1_map = as_map(fitted)
    np.testing.assert_array_equal(t1_map.array, fitted)
    assert t1_map.warnings == (FAILED_FITS,)


def test_in_tenths_of_ms_too_tissue_tells_the_unit_where_the_noise_can_not(native: np.ndarray) -> None:
    noise = np.random.default_rng(3).gamma(0.6, 100_000.0, native.shape)
    fitted = np.where(native > 2000.0, np.minimum(noise, 100_000.0), native * 10)
    t1_map = as_map(fitted)
    np.testing.assert_allclose(t1_map.array, fitted / 10, rtol=1e-6)
    assert t1_map.warnings == (FAILED_FITS, "Its values were taken as T1 in 0.1 ms and converted to ms.")


def test_noise_that_grows_with_t1_does_not_make_a_native_map_one_from_after_contrast(native: np.ndarray) -> None:
    """Of such a map fat alone is homogeneous."""
    noise = np.random.default_rng(4).normal(1.0, 0.15, native.shape)
    noisy = np.where(native > 800.0, native * noise, native).astype(np.float32)
    assert as_map(noisy).warnings == ()


def test_a_map_from_after_contrast_is_refused_by_its_pixels_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    t1_ms = after_contrast(monkeypatch, 1.5, 2e-3)
    with pytest.raises(ACNetError, match=r"node: only \d+% of its tissue .*after contrast; expected a native.*--post-"):
        as_map(t1_ms)
    t1_map = t1_map_from_array(t1_ms, Geometry(SPACING_MM), name="node", post_contrast=True)
    np.testing.assert_array_equal(t1_map.array[0], t1_ms)
    assert ["after contrast" in warning for warning in t1_map.warnings] == [True]


def test_a_little_fluid_as_in_a_stomach_does_not_make_a_map_from_after_contrast_native(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    t1_ms = after_contrast(monkeypatch, 1.5, 2e-3)
    t1_ms[100:112, 100:112] = 1500.0  # 2.8 cm2, 1.3 of them away from the edges
    with pytest.raises(ACNetError, match=r"of its tissue .*after contrast; expected a native"):
        as_map(t1_ms)


def test_blood_after_contrast_in_the_ventricle_is_refused_where_fluid_hides_the_contrast() -> None:
    check_native_blood(np.full(200, 1500.0), "node")
    check_native_blood(np.zeros(0), "node")  # no cavity known
    with pytest.raises(ACNetError, match=r"node: blood in its left ventricle has a T1 of 649 ms, as after contrast"):
        check_native_blood(np.full(200, 649.0), "node")


def t2(t1_ms: np.ndarray) -> np.ndarray:
    return t1_ms * 0.055


def magnitude(t1_ms: np.ndarray) -> np.ndarray:
    image = np.stack([magnitude_image(section, 1000.0) for section in t1_ms])
    return image * (2000 / np.percentile(image, 99))


def cine(t1_ms: np.ndarray) -> np.ndarray:
    return np.repeat(magnitude(t1_ms[1:2]), 25, axis=0) * np.linspace(0.9, 1.1, 25)[:, None, None]


REFUSED = {
    "T2": (t2, r"99th percentile of its positive pixels is 224.*, as of T2, T2\* or ECV; expected T1 in ms"),
    "T2*": (lambda t1: t1 * 0.03, r"as of T2, T2\* or ECV"),
    "ECV in percent": (lambda t1: np.clip(t1 / 60, 0, 100), r"as of T2, T2\* or ECV; expected T1 in ms"),
    "ECV fraction": (lambda t1: np.clip(t1 / 6000, 0, 0.95), r"as of an ECV fraction; expected T1 in ms"),
    "whole ms of T2": (lambda t1: np.rint(np.minimum(t2(t1), 200)), r"whole numbers up to 200.*T2 or an ECV"),
    "8-bit": (lambda t1: np.rint(np.clip(t1 / 8, 0, 255)), r"whole numbers up to 255, an 8-bit or colour-table pict"),
    "CT": (lambda t1: t1 - 1024, r"% of its pixels are below zero \(down to -1024\), as in CT"),
    "magnitude": (magnitude, r"% of its positive pixels are below 150, as in magnitude images and cines"),
    "cine": (cine, r"% of its positive pixels are below 150, as in magnitude images and cines"),
    "fluid": (lambda t1: np.where(t1 > 0, 2500, 0), r"0\.0% of its positive pixels lie at 800 to 1400 ms.*native T1"),
    "NaN alone": (lambda t1: np.full_like(t1, np.nan), r"every pixel is 0; expected T1 in ms"),
    "empty": (np.zeros_like, r"every pixel is 0; expected T1 in ms"),
    "constant": (lambda t1: np.full_like(t1, 1200), r"every pixel is 1200; expected T1 in ms"),
    "negative": (lambda t1: -t1, r"no pixel is above zero; expected T1 in ms"),
    "microseconds": (lambda t1: t1 * 1000, r"99th percentile .* is 4\.083e\+06.*; expected T1 in ms"),
    "few pixels": (lambda t1: t1[:, :8], r"found 178 x 8 pixels and 3 slices; expected 16 to 2048 pixels a side"),
    "many slices": (lambda t1: np.tile(t1[:, :64, :64], (30, 1, 1)), r"64 x 64 pixels and 90 slices; .*at most 64"),
}


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_an_image_that_is_no_t1_map_is_refused_in_one_line_with_exit_code_2_and_nothing_written(
    change: Change, message: str, native: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = sitk.GetImageFromArray(change(native).astype(np.float32))
    image.SetSpacing((1.4, 1.4, 8.0))
    sitk.WriteImage(image, str(tmp_path / "map.nrrd"))
    assert main(["classify", str(tmp_path / "map.nrrd"), "--field", "3", "--output", str(tmp_path / "out")]) == 2
    said = capsys.readouterr()
    assert not said.out
    (line,) = said.err.splitlines()
    assert re.search(message, line)
    assert line.startswith("acnet: map.nrrd: ")
    assert [file.name for file in tmp_path.iterdir()] == ["map.nrrd"]


@pytest.mark.parametrize("spacing_mm", [(0.4, 1.4, 8.0), (1.4, 5.5, 8.0), (0.0014, 0.0014, 0.008)])
def test_absurd_pixel_spacing_is_refused(spacing_mm: tuple[float, float, float], native: np.ndarray) -> None:
    with pytest.raises(ACNetError, match=r"node: its pixels measure .* mm; expected 0\.5 to 5 mm"):
        as_map(native, spacing_mm=spacing_mm)


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf, -np.inf])
def test_what_a_fit_leaves_where_it_failed_counts_as_no_t1(value: float, native: np.ndarray) -> None:
    failed = np.random.default_rng(0).random(native.shape) < 0.03
    t1_map = as_map(np.where(failed, value, native))
    np.testing.assert_array_equal(t1_map.array, np.where(failed, 0.0, native))
    note = f"{failed.sum()} pixels without a number (NaN or infinite) count as pixels without T1."
    assert t1_map.warnings == (() if value == -1.0 else (note,))


def in_dark_air(t1_ms: np.ndarray) -> np.ndarray:
    """In a wide field of view, with noise around 0 in the air."""
    wide = np.pad(t1_ms, ((0, 0), (60, 60), (60, 60)))
    return np.where(wide == 0, np.random.default_rng(0).normal(0, 35.0, wide.shape), wide)


def test_a_map_that_is_dark_around_the_body_is_read_with_a_warning_and_one_that_is_dark_within_refused(
    native: np.ndarray,
) -> None:
    wide = in_dark_air(native)
    assert as_map(wide).warnings == (DARK_AIR_WARNING,)
    holed = wide.copy()
    holed[:, 100:180, 100:180] = 100.0
    with pytest.raises(ACNetError, match=r"node: \d+% of its positive pixels are below 150, as in magnitude images"):
        as_map(holed)


@pytest.mark.parametrize("percentile", [1400.0, 1600.0, 1850.0])
@pytest.mark.parametrize("inversion_ms", [120.0, 300.0, 1000.0, 3000.0])
def test_a_magnitude_image_is_refused_whatever_its_inversion_time_and_scale(
    inversion_ms: float, percentile: float, native: np.ndarray
) -> None:
    """Soon after the inversion blood and wall may have the values, and the ratio, of their T1."""
    image = np.stack([magnitude_image(section, inversion_ms) for section in native])
    with pytest.raises(ACNetError, match=r"node: \d+% of its positive pixels are below 150, as in magnitude images"):
        as_map(image * (percentile / np.percentile(image, 99)))


def test_of_what_is_dark_around_the_body_blood_and_muscle_tell_whether_it_is_a_map(native: np.ndarray) -> None:
    blood, muscle, none = np.full(50, 1700.0), np.full(50, 1200.0), np.zeros(0)
    check_blood_and_muscle(native, blood, muscle, "node")
    for cavity, wall in ((none, muscle), (blood, none), (none, none)):
        check_blood_and_muscle(native, cavity, wall, "node")
    for cavity, wall in ((blood, np.full(50, 600.0)), (np.full(50, 2600.0), muscle)):
        with pytest.raises(
            ACNetError, match=r"node: \d+% of its positive pixels are below 150, as in magnitude images"
        ):
            check_blood_and_muscle(native, cavity, wall, "node")


@pytest.mark.parametrize("field_strength_tesla", [0.55, 1.0, 7.0, 70000.0])
def test_a_field_strength_that_no_model_covers_is_refused(field_strength_tesla: float, native: np.ndarray) -> None:
    with pytest.raises(ACNetError, match=rf"node: its field strength is {field_strength_tesla:g} T; expected 1.5 or 3"):
        t1_map_from_array(native, Geometry(SPACING_MM), name="node", field_strength_tesla=field_strength_tesla)


@pytest.mark.parametrize(
    ("normal", "plane"), [((0, 0, 1), "axial"), ((0, -1, 0), "coronal"), ((0.99, 0.1, -0.1), "sagittal")]
)
def test_sections_along_the_body_are_no_short_axis(normal: tuple[float, float, float], plane: str) -> None:
    with pytest.raises(ACNetError, match=rf"map: its slices are {plane} .*expected short-axis slices"):
        check_short_axis(np.array(normal) / np.linalg.norm(normal), "map")


def test_a_plane_across_the_usual_short_axis_passes_with_a_warning() -> None:
    four_chamber = np.cross((-0.62, 0.60, 0.50), (0.69, 0.71, 0.01))
    (warning,) = check_short_axis(four_chamber / np.linalg.norm(four_chamber), "map")
    assert "90 degrees from a usual short axis" in warning


@pytest.mark.parametrize("name", ["map.nrrd", "map.mha", "map.nii"])
@pytest.mark.parametrize(("normal", "is_usual"), [((-0.62, 0.60, 0.50), True), ((0.72, -0.07, 0.69), False)])
def test_a_plane_that_a_volume_file_tells_is_checked_too(
    normal: tuple[float, float, float], is_usual: bool, name: str, native: np.ndarray, tmp_path: Path
) -> None:
    image = sitk.GetImageFromArray(native)
    image.SetDirection(np.column_stack([*anatomical_axes(np.array(normal)), normal]).ravel())
    sitk.WriteImage(image, str(tmp_path / name))
    t1_map = read_t1_map(tmp_path / name)
    assert t1_map.is_placed
    assert any("from a usual short axis" in warning for warning in t1_map.warnings) != is_usual


def test_a_map_whose_source_knows_no_orientation_passes(native: np.ndarray, tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(native), str(tmp_path / "map.nrrd"))
    t1_map = read_t1_map(tmp_path / "map.nrrd", Reading(spacing_mm=SPACING_MM))
    assert (t1_map.warnings, t1_map.is_placed) == ((), False)


@pytest.mark.parametrize("shape", [(1, 30, 40), (3, 30, 40)])
def test_homogeneous_tissue_is_that_of_simpleitks_box_filters_along_the_edges_too(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(5)
    values = 1000 + rng.normal(0, 1, shape) * rng.choice([20, 60, 90, 200], shape)
    image = sitk.GetImageFromArray(values.astype(np.float32))
    mean, deviation = (sitk.GetArrayFromImage(of(image, (2, 2, 0))) for of in (sitk.BoxMean, sitk.BoxSigma))
    expected = mean[deviation < LARGEST_VARIATION * mean]
    assert 0.05 < expected.size / values.size < 0.95
    mean, deviation = _around_each(sitk.GetArrayFromImage(image))
    np.testing.assert_allclose(mean[deviation < LARGEST_VARIATION * mean], expected, atol=0.01)
