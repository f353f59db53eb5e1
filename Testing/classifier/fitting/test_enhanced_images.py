"""Recovery images in Enhanced MR objects, whose times lie in the functional groups of their frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import generate_uid

from ACNetLib.commands.main import main
from ACNetLib.errors import ACNetError
from ACNetLib.fitting.images import RecoveryImages, read_recovery_images
from ACNetLib.fitting.maps import fit_maps
from ACNetTrainerLib.simulation.sequences import Timing
from dicom_files import EXAMINATION, GAP_MM, NORMAL, POSITION
from recovery_files import a_phantom, recovery_images, write_enhanced_recovery, write_recovery

MOLLI = Timing(heart_rate_bpm=70)
PATIENT = {
    **EXAMINATION,
    "FrameOfReferenceUID": generate_uid(entropy_srcs=["enhanced recovery"]),
    "Manufacturer": "SIEMENS",
}


def wall_ms(recovery: RecoveryImages, section: int = 0) -> float:
    t1_ms = sitk.GetArrayFromImage(fit_maps(recovery, correct=False).images["t1_ms"])
    return float(np.median(t1_ms[section][a_phantom().of("wall")]))


def classic_ms(folder: Path, flavour: str = "siemens") -> float:
    """What the same images give as classic objects."""
    images, times_ms = recovery_images(MOLLI)
    return wall_ms(read_recovery_images(write_recovery(folder, images, times_ms, flavour)))


@pytest.mark.parametrize(
    ("flavour", "place"),
    [("siemens", "InversionTimes"), ("philips", "InversionTimes"), ("trigger", "NominalCardiacTriggerDelayTime")],
)
def test_frames_are_fitted_as_the_same_images_in_classic_objects(flavour: str, place: str, tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    write_enhanced_recovery(tmp_path / "enhanced" / "a.dcm", images, times_ms, flavour)
    recovery = read_recovery_images(tmp_path / "enhanced")
    assert (recovery.scheme, recovery.slices[0].place) == ("MOLLI 5(3)3", place)
    np.testing.assert_allclose(recovery.slices[0].times_ms, np.sort(times_ms), atol=0.01)
    classic = classic_ms(tmp_path / "classic", "philips" if flavour == "philips" else "siemens")
    assert wall_ms(recovery) == pytest.approx(classic, abs=2)


def test_slices_may_be_objects_of_their_own_or_frames_of_one(tmp_path: Path) -> None:
    written = []
    for index in range(3):
        images, times_ms = recovery_images(MOLLI, seed=index)
        file = tmp_path / "several" / f"{2 - index}.dcm"
        written.append(write_enhanced_recovery(file, images, times_ms, height_mm=index * GAP_MM))
    several = read_recovery_images(tmp_path / "several")
    parts = [pydicom.dcmread(file) for file in written]
    whole = parts[0]
    whole.PerFrameFunctionalGroupsSequence = [
        groups for part in parts[::-1] for groups in part.PerFrameFunctionalGroupsSequence
    ]
    whole.PixelData = b"".join(part.PixelData for part in parts[::-1])
    whole.NumberOfFrames = len(whole.PerFrameFunctionalGroupsSequence)
    (tmp_path / "one").mkdir()
    whole.save_as(tmp_path / "one" / "all.dcm", enforce_file_format=True)
    one = read_recovery_images(tmp_path / "one")
    for recovery in (several, one):
        assert len(recovery.slices) == 3
        for index, each in enumerate(recovery.slices):
            np.testing.assert_allclose(each.section.position, POSITION + index * GAP_MM * NORMAL, atol=1e-3)
    for first, second in zip(several.slices, one.slices, strict=True):
        np.testing.assert_array_equal(first.images, second.images)


def test_phase_frames_restore_the_sign(tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    write_enhanced_recovery(tmp_path / "magnitude.dcm", images, times_ms)
    write_enhanced_recovery(tmp_path / "phase.dcm", images, times_ms, "phase", series=4)
    recovery = read_recovery_images(tmp_path)
    assert recovery.signed
    wall = a_phantom().of("wall")
    assert recovery.slices[0].images[0][wall].max() < 0
    assert recovery.slices[0].images[-1][wall].min() > 0


@pytest.mark.parametrize("component", ["REAL", "IMAGINARY"])
def test_real_and_imaginary_frames_are_no_recovery(component: str, tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    write_enhanced_recovery(tmp_path / "a.dcm", images, times_ms, component=component)
    with pytest.raises(ACNetError, match="none of its 8 DICOM images belong to a recovery"):
        read_recovery_images(tmp_path)
    write_enhanced_recovery(tmp_path / "b.dcm", images, times_ms, series=4)
    assert read_recovery_images(tmp_path).series == (4,)


def test_an_object_converted_from_classic_ones_is_fitted_as_they_are(tmp_path: Path) -> None:
    from highdicom.legacy import LegacyConvertedEnhancedMRImage

    images, times_ms = recovery_images(MOLLI)
    classic = write_recovery(tmp_path / "classic", images, times_ms, **PATIENT)
    datasets = [pydicom.dcmread(file) for file in sorted(classic.iterdir())]
    for number, dataset in enumerate(datasets, start=1):
        dataset.InstanceNumber = number
    converted = LegacyConvertedEnhancedMRImage(
        datasets,
        series_instance_uid=generate_uid(),
        series_number=9,
        sop_instance_uid=generate_uid(),
        instance_number=1,
    )
    (tmp_path / "converted").mkdir()
    converted.save_as(tmp_path / "converted" / "a.dcm")
    recovery = read_recovery_images(tmp_path / "converted")
    assert (recovery.series, recovery.slices[0].place) == ((9,), "InversionTime")
    np.testing.assert_array_equal(recovery.slices[0].images, read_recovery_images(classic).slices[0].images)


def test_an_object_without_times_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, times_ms = recovery_images(MOLLI)
    file = write_enhanced_recovery(tmp_path / "exam" / "a.dcm", images, times_ms)
    dataset = pydicom.dcmread(file)
    for groups in dataset.PerFrameFunctionalGroupsSequence:
        del groups.MRModifierSequence
    dataset.save_as(file)
    assert main(["fit", str(tmp_path / "exam"), "--output", str(tmp_path / "map.nrrd")]) == 2
    said = capsys.readouterr().err
    assert "none of its 8 DICOM images belong to a recovery" in said
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "map.nrrd").exists()
