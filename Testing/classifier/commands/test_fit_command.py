"""`acnet fit`: from a scanner's inversion images to a T1 map that the classifier takes, marked as fitted here."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from ACNetLib.commands.main import main
from ACNetLib.fitting.sequences import INVERSION_FACTOR
from ACNetLib.sample_data import sample_cases
from ACNetLib.t1map.checks import POST_CONTRAST_WARNING
from ACNetLib.t1map.t1_map import Reading, read_t1_map
from ACNetLib.volumes.header import FITTED_KEY
from ACNetTrainerLib.simulation.dicom.series import magnitude_image
from ACNetTrainerLib.simulation.sequences import Timing
from dicom_files import write_image
from recovery_files import recovery_images, write_recovery

MOLLI = Timing(heart_rate_bpm=70)


@pytest.fixture(scope="module")
def inversion_images_of_a_sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """The shipped patient with DCM as a scanner's inversion images, and the map's values."""
    t1_map = read_t1_map(sample_cases()[0].folder)
    folder = tmp_path_factory.mktemp("inversion")
    spacing = t1_map.image.GetSpacing()
    for section, t1_ms in enumerate(t1_map.array):
        position = t1_map.image.TransformIndexToPhysicalPoint((0, 0, section))
        for index, time in enumerate(MOLLI.inversion_times_ms):
            write_image(
                folder / f"{section}-{index}.dcm",
                magnitude_image(t1_ms / INVERSION_FACTOR, float(time)),
                position,
                [*t1_map.row_axis, *t1_map.column_axis],
                (spacing[1], spacing[0]),
                ImageType=["ORIGINAL", "PRIMARY", "M", "ND"],
                SeriesDescription="t1map_long_t1_3slice_8mm",
                InversionTime=round(float(time), 1),
                ImageComments="simulated, no patient",
                MagneticFieldStrength=t1_map.field_strength_tesla,
                SliceThickness=spacing[2],
            )
    return folder, t1_map.array


def test_the_fitted_map_is_classified_and_says_that_it_was_fitted_here(
    inversion_images_of_a_sample: tuple[Path, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, t1_ms = inversion_images_of_a_sample
    output = tmp_path / "map.nrrd"
    assert main(["fit", str(folder), "--output", str(output)]) == 0
    said = capsys.readouterr().out
    assert "Fitted: MOLLI 5(3)3, magnitude images of series 3, 3 parameters" in said
    assert sorted(file.name for file in tmp_path.iterdir()) == ["map-r2.nrrd", "map-sd.nrrd", "map.nrrd"]
    t1_map = read_t1_map(output)
    assert t1_map.simulated
    assert t1_map.field_strength_tesla is not None
    heart = (t1_ms > 800) & (t1_ms < 1900)
    assert np.median(np.abs(t1_map.array - t1_ms)[heart]) < 15
    assert main(["classify", str(output), "--output", str(tmp_path / "result")]) == 0
    said = capsys.readouterr().out
    assert "The scanner did not make this T1 map: it was fitted by ACNet (MOLLI 5(3)3" in said
    assert "fitted by ACNet" in (tmp_path / "result" / "report.html").read_text(encoding="utf-8")


def test_a_map_fitted_from_images_after_contrast_is_classified_only_when_it_is_said(
    inversion_images_of_a_sample: tuple[Path, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By what the headers told of them: these pixels look native."""
    folder = shutil.copytree(inversion_images_of_a_sample[0], tmp_path / "images")
    for file in folder.iterdir():
        dataset = pydicom.dcmread(file)
        dataset.ContrastBolusAgent = "Gadobutrol"
        dataset.save_as(file)
    output = tmp_path / "map.nrrd"
    assert main(["fit", str(folder), "--output", str(output), "--no-motion-correction"]) == 0
    capsys.readouterr()
    assert main(["classify", str(output), "--output", str(tmp_path / "result")]) == 2
    told = capsys.readouterr().err
    assert "map.nrrd: its header, or the JSON file beside it, tells that it is from after contrast; expected" in told
    assert "or --post-contrast if you want the result all the same" in told
    assert not (tmp_path / "result").exists()
    assert POST_CONTRAST_WARNING in read_t1_map(output, Reading(post_contrast=True)).warnings  # as acnet ecv reads it


def test_r2_and_standard_deviation_lie_in_the_place_of_the_map(tmp_path: Path) -> None:
    images, times_ms = recovery_images(MOLLI)
    folder = write_recovery(tmp_path / "images", images, times_ms)
    assert main(["fit", str(folder), "--output", str(tmp_path / "map.nrrd"), "--no-motion-correction"]) == 0
    read = {name: sitk.ReadImage(str(tmp_path / f"map{name}.nrrd")) for name in ("", "-sd", "-r2")}
    for image in read.values():
        assert image.GetOrigin() == read[""].GetOrigin()
        assert image.GetMetaData(FITTED_KEY).startswith("MOLLI 5(3)3")
    tissue = sitk.GetArrayFromImage(read["-r2"]) > 0.99
    assert 0.2 < tissue.mean() < 0.9
    assert 1 < np.median(sitk.GetArrayFromImage(read["-sd"])[tissue]) < 60


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--output", "map.dcm"], "found the ending .dcm; expected a file to write as .nrrd"),
        (["--output", "taken.nrrd"], "it exists already; nothing is overwritten"),
        (["--output", "map.nrrd", "--parameters", "2"], "found 2 for MOLLI; expected 3"),
        (["--output", "map.nrrd", "--series", "8"], "there is no series 8; found series 3"),
        (["--output", "map.nrrd", "--sequence", "shmolli"], "found 5 + 3 images after ShMOLLI's inversions"),
    ],
)
def test_what_can_not_be_fitted_is_one_line_and_nothing_is_written(
    options: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    images, times_ms = recovery_images(MOLLI)
    write_recovery(Path("images"), images, times_ms)
    Path("taken.nrrd").touch()
    assert main(["fit", "images", *options]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == ["images", "taken.nrrd"]
