"""Recovery images read from DICOM folders as scanners write them, fitted, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from ACNetLib.errors import ACNetError
from ACNetLib.fitting.images import read_recovery_images
from ACNetLib.fitting.maps import fit_maps, write_maps
from ACNetLib.fitting.sequences import fit_sequence
from ACNetLib.t1map.t1_map import Reading, read_t1_map
from ACNetTrainerLib.simulation.sequences import Timing, sequence_signals
from dicom_files import GAP_MM, NORMAL, POSITION, write_section
from recovery_files import (
    COLUMNS,
    PIXEL_MM,
    ROWS,
    a_phantom,
    recovery_images,
    write_phase,
    write_recovery,
    write_study_of_slices,
)

MOLLI = Timing(heart_rate_bpm=70)


def expected_t1(name: str, timing: Timing = MOLLI, sequence: str = "MOLLI") -> float:
    """What the sequence reads of a tissue of the phantom without noise."""
    phantom = a_phantom()
    t1 = np.array([phantom.t1_ms[phantom.of(name)][0]], np.float32)
    signals = sequence_signals(t1, 48.0, timing)
    return float(fit_sequence(signals, timing.inversion_times_ms, sequence, signed=True).t1_ms[0])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("flavour", "place"),
    [
        ("siemens", "InversionTime"),
        ("siemens-comments", "ImageComments"),
        ("philips", "TriggerTime"),
        ("philips-prepulse", "Philips (2001,101B), prepulse delay"),
        ("ge", "InversionTime"),
    ],
)
def test_the_times_are_found_where_each_manufacturer_keeps_them(flavour: str, place: str, tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    recovery = read_recovery_images(write_recovery(tmp_path, images, times_ms, flavour))
    assert (recovery.scheme, recovery.signed, recovery.series) == ("MOLLI 5(3)3", False, (3,))
    assert recovery.slices[0].place == place
    np.testing.assert_allclose(recovery.slices[0].times_ms, np.sort(times_ms), atol=0.6)
    t1_ms = sitk.GetArrayFromImage(fit_maps(recovery, correct=False).images["t1_ms"])[0]
    phantom = a_phantom()
    for name in ("wall", "liver", "blood"):
        assert np.median(t1_ms[phantom.of(name)]) == pytest.approx(expected_t1(name), abs=6), name


@pytest.mark.parametrize(
    ("timing", "description", "scheme"),
    [
        (Timing(60, sequence="ShMOLLI"), "ShMOLLI_192i_SAX", "ShMOLLI 5(1)1(1)1"),
        (Timing(60, sequence="SASHA"), "SASHA_SAX", "SASHA, 10 images"),
        (Timing(60, sequence="MOLLI 4(1)3(1)2"), "t1map", "MOLLI 4(1)3(1)2"),
    ],
)
def test_the_sequence_is_known_by_its_name_or_its_times(
    timing: Timing, description: str, scheme: str, tmp_path: Path
) -> None:
    images, times_ms = recovery_images(timing)
    told = np.where(times_ms > 1e4, 0, times_ms)  # SASHA's image without saturation
    recovery = read_recovery_images(write_recovery(tmp_path, images, told, SeriesDescription=description))
    assert recovery.scheme == scheme
    t1_ms = sitk.GetArrayFromImage(fit_maps(recovery, correct=False).images["t1_ms"])[0]
    wall = np.median(t1_ms[a_phantom().of("wall")])
    assert wall == pytest.approx(expected_t1("wall", timing, recovery.sequence), abs=8)


def test_slices_are_stacked_in_the_place_that_the_headers_tell(tmp_path: Path) -> None:
    recovery = read_recovery_images(write_study_of_slices(tmp_path, MOLLI))
    image = fit_maps(recovery, correct=False).images["t1_ms"]
    assert image.GetSize() == (COLUMNS, ROWS, 3)
    np.testing.assert_allclose(image.GetSpacing(), (PIXEL_MM, PIXEL_MM, GAP_MM))
    np.testing.assert_allclose(image.GetOrigin(), POSITION)
    np.testing.assert_allclose(np.reshape(image.GetDirection(), (3, 3))[:, 2], NORMAL, atol=1e-9)


def test_of_raw_and_registered_images_and_the_map_the_registered_ones_are_taken(tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    write_recovery(tmp_path, images, times_ms, series=3)
    registered = ["DERIVED", "PRIMARY", "M", "ND", "MOCO"]
    write_recovery(tmp_path, images, times_ms, series=4, ImageType=registered, SeriesDescription="t1map_MOCO")
    write_section(
        tmp_path / "map.dcm", np.full((ROWS, COLUMNS), 1100, np.uint16), series=5, spacing=(PIXEL_MM, PIXEL_MM)
    )
    recovery = read_recovery_images(tmp_path)
    assert recovery.series == (4,)
    assert recovery.slices[0].registered
    assert read_recovery_images(tmp_path, series=[3]).series == (3,)


def test_a_protocol_that_is_named_after_ecv_is_fitted_and_no_ecv_map(tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    write_recovery(tmp_path, images, times_ms, SeriesDescription="MOLLI_ECV_pre_SAX")
    assert read_recovery_images(tmp_path).scheme == "MOLLI 5(3)3"
    for file in tmp_path.glob("*.dcm"):
        dataset = pydicom.dcmread(file)
        dataset.ImageType = ["DERIVED", "PRIMARY", "ECV"]
        dataset.save_as(file)
    with pytest.raises(ACNetError, match="belong to a recovery"):
        read_recovery_images(tmp_path)


@pytest.mark.parametrize(
    ("told", "warning"),
    [
        ({"PatientAge": "009Y"}, "younger than 18 years"),
        ({"LossyImageCompression": "01"}, "compressed with loss"),
        ({}, "from a usual short axis"),
        ({"SeriesDescription": "MOLLI post contrast"}, "from after contrast"),
    ],
)
def test_what_the_headers_say_of_patient_pixels_and_plane_goes_with_the_map(
    told: dict[str, str], warning: str, tmp_path: Path
) -> None:
    images, times_ms = recovery_images(MOLLI)
    maps = fit_maps(read_recovery_images(write_recovery(tmp_path / "exam", images, times_ms, **told)), correct=False)
    assert any(warning in text for text in maps.warnings)
    write_maps(maps, tmp_path / "map.nrrd")
    assert (
        sum(warning in text for text in read_t1_map(tmp_path / "map.nrrd", Reading(post_contrast=True)).warnings) == 1
    )


def test_images_along_the_body_are_no_short_axis(tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    write_recovery(tmp_path, images, times_ms, orientation=(1, 0, 0, 0, 1, 0))
    with pytest.raises(ACNetError, match="its slices are axial"):
        read_recovery_images(tmp_path)


def test_phase_images_restore_the_sign(tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    write_recovery(tmp_path, images, times_ms)
    write_phase(tmp_path, images, times_ms)
    recovery = read_recovery_images(tmp_path)
    assert recovery.signed
    wall = a_phantom().of("wall")
    assert recovery.slices[0].images[0][wall].max() < 0
    assert recovery.slices[0].images[-1][wall].min() > 0


def test_each_time_may_be_a_series_of_its_own(tmp_path: Path) -> None:
    images, _ = recovery_images(MOLLI)
    times_ms = np.array([100.0, 300.0, 600.0, 1200.0])
    for index in range(4):
        write_recovery(tmp_path, images[index : index + 1], times_ms[index : index + 1], series=10 + index)
    with pytest.raises(ACNetError, match=r"do not tell which sequence .* Give it with --sequence"):
        read_recovery_images(tmp_path)
    recovery = read_recovery_images(tmp_path, sequence="inversion recovery")
    assert recovery.scheme == "inversion recovery, 4 images"
    assert recovery.series == (10, 11, 12, 13)


def test_what_is_no_recovery_is_refused_in_one_line(tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    with pytest.raises(ACNetError, match="it is no folder"):
        read_recovery_images(tmp_path / "missing")
    one_time = np.full(8, 300.0)
    write_recovery(tmp_path / "one", images, one_time)
    with pytest.raises(ACNetError, match="none of its 8 DICOM images belong to a recovery"):
        read_recovery_images(tmp_path / "one")
    with pytest.raises(ACNetError, match="there is no series 9; found series 3"):
        read_recovery_images(tmp_path / "one", series=[9])
    twice = tmp_path / "twice"
    for series in (3, 4):
        write_recovery(twice, images, times_ms, series=series)
    with pytest.raises(ACNetError, match=r"twice \(series 3 and series 4\).*--series"):
        read_recovery_images(twice)
    psir = write_recovery(tmp_path / "psir", images, times_ms, ImageType=["ORIGINAL", "PRIMARY", "PSIR"])
    with pytest.raises(ACNetError, match="its PSIR images hold no values below zero"):
        read_recovery_images(psir)


@pytest.mark.parametrize(
    "odd", [{"InversionTime": "later"}, {"MagneticFieldStrength": "strong"}, {"BitsAllocated": None, "PixelData": None}]
)
def test_values_of_another_kind_are_refused_in_one_line(odd: dict[str, object], tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    write_recovery(tmp_path, images, times_ms)
    file = next(tmp_path.glob("*-7.dcm"))
    dataset = pydicom.dcmread(file)
    for keyword, value in odd.items():
        delattr(dataset, keyword)
        if value is not None:
            dataset.add_new(keyword, "LO", value)
    dataset.save_as(file)
    with pytest.raises(ACNetError, match=r"^3-0-7\.dcm: it can't be read"):
        read_recovery_images(tmp_path)


def test_psir_images_are_taken_with_their_sign(tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    signed = images * np.exp(-1j * np.linspace(-1, 1, COLUMNS))
    shifted = signed.real + 2048
    write_recovery(tmp_path, shifted, times_ms, SeriesDescription="MOLLI_PSIR", RescaleSlope=1, RescaleIntercept=-2048)
    recovery = read_recovery_images(tmp_path)
    assert recovery.signed
    np.testing.assert_allclose(recovery.slices[0].images[-1], signed.real[np.argmax(times_ms)], atol=0.6)


def test_copies_of_the_images_count_once_and_are_said(tmp_path: Path) -> None:
    folder = write_study_of_slices(tmp_path / "study", MOLLI)
    alone = read_recovery_images(folder)
    shutil.copytree(folder, folder / "copy")
    twice = read_recovery_images(folder)
    assert not alone.notes
    assert twice.notes == ("Counted once, because another file is the same: 24 of its files.",)
    assert twice.notes[0] in fit_maps(twice, correct=False).warnings
    for first, second in zip(alone.slices, twice.slices, strict=True):
        np.testing.assert_array_equal(first.images, second.images)


def test_two_images_that_claim_to_be_the_same_are_refused_with_what_fit_can_do(tmp_path: Path) -> None:
    folder = write_study_of_slices(tmp_path / "study", MOLLI, count=1)
    dataset = pydicom.dcmread(folder / "3-0-2.dcm")
    dataset.InversionTime = 1.0
    (folder / "again").mkdir()
    dataset.save_as(folder / "again" / "3-0-2.dcm")
    with pytest.raises(ACNetError, match=r"same SOPInstanceUID; .* Give the folder of the right one alone\.$"):
        read_recovery_images(folder)


def test_positions_that_are_written_a_little_different_are_of_one_slice(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for file in write_study_of_slices(tmp_path, MOLLI, count=2).iterdir():
        dataset = pydicom.dcmread(file)
        position = np.array(dataset.ImagePositionPatient, float) + rng.uniform(-0.02, 0.02, 3)
        dataset.ImagePositionPatient = [f"{value:.6f}" for value in position]
        dataset.save_as(file)
    recovery = read_recovery_images(tmp_path)
    assert [len(each.images) for each in recovery.slices] == [8, 8]
    assert recovery.distance_mm == pytest.approx(GAP_MM, abs=0.1)


def test_files_that_are_no_images_are_said(tmp_path: Path) -> None:
    write_study_of_slices(tmp_path, MOLLI, count=1)
    (tmp_path / "cut.dcm").touch()
    assert read_recovery_images(tmp_path).notes == ("Skipped files that are no images: empty (1).",)


def without_times(files: list[Path]) -> None:
    for file in files:
        dataset = pydicom.dcmread(file)
        del dataset.InversionTime
        dataset.save_as(file)


def without_files(files: list[Path]) -> None:
    for file in files:
        file.unlink()


@pytest.mark.parametrize(
    ("spoil", "height", "count", "told"),
    [
        (
            without_files,
            "12",
            6,
            r"slice 1, .* \(first file 3-12-[0-7]\.dcm\), has 2 images; expected 8 as on the others",
        ),
        (without_files, "24", 4, r"slice 2, .* has 4 images; expected 8 .* fetch series 3 again"),
        (without_files, "0", 1, "slice 0, .* has 7 images; expected 8"),
        (without_times, "24", 8, "slice 2, .* has 0 images with InversionTime; expected 8"),
        (without_times, "12", 1, "slice 1, .* has 7 images with InversionTime; expected 8"),
    ],
)
@pytest.mark.parametrize("description", ["t1map_long_t1_3slice_8mm", "MOLLI_SAX"])
def test_a_slice_of_which_images_are_missing_is_named_and_nothing_is_fitted(
    spoil: Callable[[list[Path]], None], height: str, count: int, told: str, description: str, tmp_path: Path
) -> None:
    write_study_of_slices(tmp_path, MOLLI, SeriesDescription=description)
    spoil(sorted(tmp_path.glob(f"3-{height}-*.dcm"))[:count])
    with pytest.raises(ACNetError, match=told):
        read_recovery_images(tmp_path)


def test_a_slice_that_is_a_series_of_its_own_is_missed_too(tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    for index, name in enumerate(("base", "mid", "apex")):
        called = f"MOLLI_{name}"
        write_recovery(tmp_path, images, times_ms, height_mm=index * GAP_MM, series=3 + index, SeriesDescription=called)
    without_files(sorted(tmp_path.glob("5-*"))[:6])
    with pytest.raises(ACNetError, match=r"slice 2, .* has 2 images; .* fetch series 5 again"):
        read_recovery_images(tmp_path)
    assert read_recovery_images(tmp_path, series=[3, 4]).series == (3, 4)


def test_a_slice_is_missed_where_each_time_is_a_series_too(tmp_path: Path) -> None:
    images, _ = recovery_images(MOLLI)
    times_ms = np.array([100.0, 300.0, 600.0, 1200.0])
    for index in range(4):
        for height_mm in (0.0, GAP_MM):
            one = slice(index, index + 1)
            write_recovery(tmp_path, images[one], times_ms[one], series=10 + index, height_mm=height_mm)
    assert len(read_recovery_images(tmp_path, sequence="inversion recovery").slices) == 2
    without_files([*tmp_path.glob("10-12-*"), *tmp_path.glob("11-12-*")])
    with pytest.raises(ACNetError, match=r"slice 1, .* has 2 images; expected 4"):
        read_recovery_images(tmp_path, sequence="inversion recovery")


def test_images_of_another_kind_are_no_slice_with_missing_images(tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    write_study_of_slices(tmp_path, MOLLI, count=2)
    for series, called in ((1, "localizer"), (6, "LGE_PSIR_SAX"), (7, "LGE_SAX")):
        write_recovery(tmp_path, images[:1], times_ms[:1], height_mm=6.0, series=series, SeriesDescription=called)
    four_chambers = (0.64, 0.48, -0.6, 0.48, 0.36, 0.8)
    write_recovery(
        tmp_path, images[:2], times_ms[:2], series=8, SeriesDescription="MOLLI_4ch", orientation=four_chambers
    )
    assert read_recovery_images(tmp_path).distance_mm == pytest.approx(GAP_MM)


def test_one_slice_of_which_an_image_is_missing_is_fitted_with_a_note(tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    whole = read_recovery_images(write_recovery(tmp_path / "whole", images, times_ms, "ge"))
    assert fit_maps(whole, correct=False).warnings == whole.warnings
    part = read_recovery_images(write_recovery(tmp_path / "part", images[:7], times_ms[:7], "ge"))
    *plane, note = fit_maps(part, correct=False).warnings
    assert tuple(plane) == part.warnings
    assert note.startswith("The times of its 7 images a slice are those of no known MOLLI scheme: are some missing")


def test_times_that_do_not_tell_the_sequence_on_one_slice_are_refused(tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    write_recovery(tmp_path, images, times_ms)
    write_recovery(tmp_path, images, np.linspace(100, 800, 8), height_mm=GAP_MM)
    with pytest.raises(ACNetError, match=r"times on slice 1, .* do not tell that it is of MOLLI .*--sequence"):
        read_recovery_images(tmp_path)
    assert len(read_recovery_images(tmp_path, sequence="MOLLI").slices) == 2


def test_images_of_two_field_strengths_are_refused(tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    for index, field in enumerate((1.5, 1.494, 3.0)):
        write_recovery(tmp_path, images, times_ms, height_mm=index * GAP_MM, MagneticFieldStrength=field)
    with pytest.raises(ACNetError, match=r"are of two field strengths \(MagneticFieldStrength 1\.5 and 3\)"):
        read_recovery_images(tmp_path)


@pytest.mark.parametrize(
    ("keyword", "value", "of_two"),
    [("MagneticFieldStrength", 3.0, "field strengths"), ("PatientID", "another", "patients")],
)
def test_the_images_of_one_slice_are_of_one_patient_and_field_strength(
    keyword: str, value: object, of_two: str, tmp_path: Path
) -> None:
    images, times_ms = recovery_images(MOLLI)
    write_recovery(tmp_path, images, times_ms, MagneticFieldStrength=1.5, PatientID="one")
    *_, last = sorted(tmp_path.iterdir())
    dataset = pydicom.dcmread(last)
    setattr(dataset, keyword, value)
    dataset.save_as(last)
    with pytest.raises(ACNetError, match=rf"are of two {of_two} \({keyword}"):
        read_recovery_images(tmp_path)


def test_a_field_strength_that_one_image_alone_tells_stands_for_the_rest(tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    write_recovery(tmp_path, images, times_ms, MagneticFieldStrength=None)
    *_, last = sorted(tmp_path.iterdir())
    dataset = pydicom.dcmread(last)
    dataset.MagneticFieldStrength = 3.0
    dataset.save_as(last)
    assert read_recovery_images(tmp_path).field_strength_tesla == 3.0


def test_the_images_of_one_slice_a_little_apart_are_no_two_slices(tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    for index in range(2):
        write_recovery(tmp_path, images, times_ms, series=3 + index, height_mm=2.0 * index)
    with pytest.raises(ACNetError, match=r"lie at the same place \(2\.0 mm apart.* with --series\.$"):
        read_recovery_images(tmp_path)


def test_slices_that_form_no_stack_are_fitted_one_by_one(tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    for index, height_mm in enumerate((0.0, 12.0, 30.0)):
        write_recovery(tmp_path, images, times_ms, series=3 + index, height_mm=height_mm)
    with pytest.raises(ACNetError, match=r"uneven .* planned one by one are fitted one by one, with --series\.$"):
        read_recovery_images(tmp_path)
    assert read_recovery_images(tmp_path, series=[4]).series == (4,)
