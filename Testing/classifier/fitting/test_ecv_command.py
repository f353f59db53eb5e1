"""`acnet ecv`: what it finds and writes, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import generate_uid

from ACNetLib.commands.main import main
from ACNetLib.sample_data import sample_cases
from ACNetLib.t1map.t1_map import Reading, read_t1_map
from exam_files import write_exam
from recovery_files import BLOOD_POST_MS, HEMATOCRIT, post_ms


def write_post_contrast(folder: Path, index: int, **attributes: Any) -> Path:
    """A sample's map 10 minutes after contrast, as DICOM."""
    for file in sorted(sample_cases()[index].folder.glob("*.dcm")):
        dataset = pydicom.dcmread(file)
        blood = 1 / BLOOD_POST_MS - 1 / 1600
        after_ms = 1 / (1 / np.maximum(dataset.pixel_array, 50.0) + 0.6 * blood)
        dataset.PixelData = np.rint(after_ms).astype(np.uint16).tobytes()
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        series = {"SeriesInstanceUID": "2.25.40", "SeriesNumber": 40, "ContrastBolusAgent": "Gadovist"}
        for keyword, value in {**series, **attributes}.items():
            setattr(dataset, keyword, value)
        folder.mkdir(exist_ok=True)
        dataset.save_as(folder / file.name)
    return folder


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"PatientID": "another"}, "two patients"),
        ({"StudyInstanceUID": "1.2.3"}, "two exams"),
        ({"MagneticFieldStrength": 3}, r"two field strengths \(MagneticFieldStrength 1\.5 and 3\)"),
        ({"PatientID": ""}, ""),
        ({}, ""),
    ],
)
def test_the_command_refuses_maps_of_two_patients_exams_or_field_strengths(
    changed: dict[str, Any], found: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    post = write_post_contrast(tmp_path / "post", 0, **changed)
    arguments = ["ecv", str(sample_cases()[0].folder), str(post), "--hematocrit", "0.4"]
    assert main([*arguments, "--output", str(tmp_path / "ecv")]) == (2 if found else 0)
    said = capsys.readouterr().err
    assert re.search(found, said)
    assert (tmp_path / "ecv").exists() != bool(found)
    assert not any(secret in said for secret in ("another", "1.2.3"))


def test_what_is_to_be_known_of_the_post_contrast_map_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    native = sample_cases()[0].folder
    post = read_t1_map(write_post_contrast(tmp_path / "post", 0), Reading(post_contrast=True))
    sitk.WriteImage(post.image / 1000, str(tmp_path / "seconds.nrrd"))
    arguments = ["ecv", str(native), str(tmp_path / "seconds.nrrd"), "--hematocrit", "0.4"]
    assert main([*arguments, "--output", str(tmp_path / "ecv")]) == 0
    said = capsys.readouterr().out
    assert "Note: seconds.nrrd: Its values were taken as T1 in s and converted to ms." in said
    assert "not valid" not in said


def test_the_command_finds_the_ventricle_and_writes_map_and_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    native = read_t1_map(sample_cases()[0].folder)
    percent = np.where(native.array > 1400, 60.0, 28.0)  # blood and all else
    post = sitk.GetImageFromArray(post_ms(np.maximum(native.array, 1), percent, 1700.0).astype(np.float32))
    post.CopyInformation(native.image)
    sitk.WriteImage(post, str(tmp_path / "post.nrrd"))
    arguments = ["ecv", str(sample_cases()[0].folder), str(tmp_path / "post.nrrd"), "--hematocrit", str(HEMATOCRIT)]
    assert main([*arguments, "--output", str(tmp_path / "ecv")]) == 0
    said = capsys.readouterr().out
    assert "ECV with haematocrit 0.4" in said
    assert "inferoseptal" in said
    table = (tmp_path / "ecv" / "ecv.csv").read_text(encoding="utf-8").splitlines()
    septum = next(line for line in table if line.startswith("slice 1 septum"))
    assert 22 < float(septum.split(",")[1]) < 34
    assert main(["classify", str(tmp_path / "ecv" / "ecv.nrrd"), "--output", str(tmp_path / "no")]) == 2
    assert main([*arguments[:-1], "42", "--output", str(tmp_path / "none")]) == 2
    assert not (tmp_path / "none").exists()


def after_contrast(file: Path) -> None:
    """The file's T1 map 10 minutes later: tissue with ECV of 28 percent."""
    dataset = pydicom.dcmread(file)
    native_ms = np.maximum(dataset.pixel_array, 50.0)
    dataset.PixelData = (
        np.rint(post_ms(native_ms, np.where(native_ms > 1400, 60.0, 28.0), 1700.0)).astype("<u2").tobytes()
    )
    dataset.ContrastBolusAgent = "Gadovist"
    dataset.save_as(file)


def test_the_command_takes_slices_that_were_planned_one_by_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    native, post = write_exam(tmp_path / "native"), write_exam(tmp_path / "post")
    for file in post.iterdir():
        after_contrast(file)
    arguments = ["ecv", str(native), str(post), "--hematocrit", str(HEMATOCRIT), "--output", str(tmp_path / "ecv")]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "Map 2: native, series 5" in said
    assert "Map 3, slice 0: wall 2" in said
    assert " 9  mid inferoseptal" in said
    written = sorted(path.relative_to(tmp_path / "ecv").as_posix() for path in (tmp_path / "ecv").rglob("*.*"))
    assert written == ["ecv.csv", "map-1/ecv.nrrd", "map-2/ecv.nrrd", "map-3/ecv.nrrd"]
    table = (tmp_path / "ecv" / "ecv.csv").read_text(encoding="utf-8")
    septum = [float(line.split(",")[-3]) for line in table.splitlines() if " septum" in line]
    assert septum == pytest.approx([28.0] * 3, abs=4)


def test_what_ecv_advises_is_possible_with_its_own_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = write_exam(tmp_path / "both")
    for file in write_exam(tmp_path / "post", SeriesDescription="short_MOCO_T1").iterdir():
        after_contrast(file)
        file.rename(both / f"post-{file.name}")
    for native, post in ((both, both), (both / "post-series-3.dcm", both / "series-3.dcm")):
        assert main(["ecv", str(native), str(post), "--hematocrit", "0.4", "--output", str(tmp_path / "ecv")]) == 2
        said = capsys.readouterr().err
        assert said.endswith("Give a file, or a folder that holds the images of this map, or of these slices, alone.\n")
        assert "--" not in said
