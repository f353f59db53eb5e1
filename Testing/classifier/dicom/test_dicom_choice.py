"""Which maps of a DICOM folder are taken, how the user chooses, and what is refused by the header alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.commands.main import main
from ACNetLib.dicom.volumes import NoT1Map
from ACNetLib.errors import ACNetError
from ACNetLib.t1map.t1_map import Reading, read_t1_map
from dicom_files import GAP_MM, PATIENT_ID, PATIENT_NAME, RAW_TYPE, write_section


def test_maps_that_form_no_stack_are_listed_to_choose_from_without_patient_data(
    study: Path, stored: np.ndarray
) -> None:
    description = f"MOLLI T1Map {PATIENT_NAME} {PATIENT_ID} 4ch_MOCO_T1"
    long_axis = (0.0, 0.6, -0.8, 0.8, 0.48, 0.36)
    write_section(study / "long.dcm", stored[0], series=9, orientation=long_axis, SeriesDescription=description)
    with pytest.raises(ACNetError) as error:
        read_t1_map(study)
    message = str(error.value)
    assert "are not parallel" in message
    assert "series 3 (MOLLI T1Map LongT1 SA mid MOCO T1, 3 slices); series 9 (MOLLI T1Map" in message
    assert "4ch MOCO T1, 1 slice): give the folder of one series." in message
    assert message.endswith("The command takes their numbers: --series 3, or --series 3,5,7 for several.")
    assert not any(word in message for word in ("Doe", "Jane", "4711"))
    assert "\n" not in message


def test_a_series_is_chosen_by_its_number_and_by_its_folder(study: Path, stored: np.ndarray) -> None:
    write_section(study / "again" / "a.dcm", stored[2], series=9)
    with pytest.raises(ACNetError, match=r"lie at the same place.*series 3 \(.*; series 9 \(.*--series"):
        read_t1_map(study)
    np.testing.assert_array_equal(read_t1_map(study, Reading(series=[3])).array, stored.astype(np.float32))
    np.testing.assert_array_equal(read_t1_map(study, Reading(series=[9])).array, stored[2:].astype(np.float32))
    np.testing.assert_array_equal(read_t1_map(study / "again").array, stored[2:].astype(np.float32))


def test_several_series_can_be_chosen(stored: np.ndarray, tmp_path: Path) -> None:
    for section in range(3):
        write_section(tmp_path / f"{section}.dcm", stored[section], section * GAP_MM, series=section + 4)
    assert read_t1_map(tmp_path).section_count == 3
    np.testing.assert_array_equal(read_t1_map(tmp_path, Reading(series=[5, 6])).array, stored[1:].astype(np.float32))


def test_a_series_that_the_folder_does_not_hold_is_refused_with_what_it_holds(study: Path) -> None:
    with pytest.raises(ACNetError, match=r"study: there is no series 8; found series 3: 3 images of type DERIVED"):
        read_t1_map(study, Reading(series=[8]))


def test_a_chosen_series_whose_header_tells_nothing_passes_with_a_warning(stored: np.ndarray, tmp_path: Path) -> None:
    write_section(tmp_path / "a.dcm", stored[0], ImageType=RAW_TYPE, SeriesDescription="anonymized")
    with pytest.raises(ACNetError, match="no sign of a T1 map"):
        read_t1_map(tmp_path)
    t1_map = read_t1_map(tmp_path, Reading(series=[3]))
    np.testing.assert_array_equal(t1_map.array[0], stored[0].astype(np.float32))
    assert "does not say that it is a T1 map" in t1_map.warnings[0]


def test_a_chosen_series_whose_header_tells_another_quantity_is_refused(stored: np.ndarray, tmp_path: Path) -> None:
    write_section(tmp_path / "a.dcm", stored[0], ImageType=["DERIVED", "PRIMARY", "T2 MAP"], SeriesDescription="x")
    with pytest.raises(ACNetError, match=r"series 3: 1 images of type DERIVED\\PRIMARY\\T2 MAP \(named T2 \(-5\)\)"):
        read_t1_map(tmp_path, Reading(series=[3]))


def test_a_series_can_be_chosen_in_dicom_only(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.Image(20, 20, sitk.sitkFloat32), str(tmp_path / "map.nrrd"))
    with pytest.raises(ACNetError, match=r"map\.nrrd: found one volume; series 3 can be chosen in DICOM folders only"):
        read_t1_map(tmp_path / "map.nrrd", Reading(series=[3]))


def test_the_reasons_of_the_choice_are_kept(study: Path) -> None:
    reasons = "series 3: ImageType T1 MAP (+3), SeriesDescription ends in _MOCO_T1 (+3)"
    assert read_t1_map(study).evidence == reasons


def test_a_map_that_its_header_tells_to_be_from_after_contrast_is_refused_unless_asked_for(
    stored: np.ndarray, tmp_path: Path
) -> None:
    write_section(tmp_path / "a.dcm", stored[0], ContrastBolusAgent="Gadobutrol")
    with pytest.raises(
        ACNetError, match=r"only T1 maps are from after contrast \(series 3 .*ContrastBolusAgent is set"
    ):
        read_t1_map(tmp_path)
    t1_map = read_t1_map(tmp_path, Reading(post_contrast=True))
    np.testing.assert_array_equal(t1_map.array[0], stored[0].astype(np.float32))
    assert any("after contrast" in warning for warning in t1_map.warnings)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"ImageType": ["DERIVED", "PRIMARY", "T1 MAP", "MOSAIC"]}, "a mosaic, several slices in one image"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "a screenshot"),
        ({"BurnedInAnnotation": "YES"}, "a screenshot"),
    ],
)
def test_mosaics_and_screenshots_are_refused_in_words_even_when_chosen(
    attributes: dict[str, Any], reason: str, stored: np.ndarray, tmp_path: Path
) -> None:
    write_section(tmp_path / "a.dcm", stored[0], ImageComments="T1 Map", **attributes)
    for series in ((), (3,)):
        with pytest.raises(ACNetError, match=rf"none of its 1 DICOM images is a native T1 map .*{reason}"):
            read_t1_map(tmp_path, Reading(series))


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"orientation": (1, 0, 0, 0, 1, 0)}, "slices are axial.*expected short-axis"),
        ({"orientation": (1, 0, 0, 0, 0, -1)}, "slices are coronal.*expected short-axis"),
        ({"orientation": (0, 1, 0, 0, 0, -1)}, "slices are sagittal.*expected short-axis"),
        ({"MagneticFieldStrength": 0.55}, r"field strength is 0\.55 T; expected 1\.5 or 3 T"),
        ({"MagneticFieldStrength": 7}, r"field strength is 7 T; expected 1\.5 or 3 T"),
    ],
)
def test_a_map_along_the_body_and_a_field_strength_without_a_model_are_refused(
    attributes: dict[str, Any], said: str, stored: np.ndarray, tmp_path: Path
) -> None:
    write_section(tmp_path / "study" / "a.dcm", stored[0], **attributes)
    with pytest.raises(ACNetError, match=rf"^study: its {said}"):
        read_t1_map(tmp_path / "study")


def test_many_maps_that_form_no_stack_are_listed_each_in_a_line(
    study: Path, stored: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for series in range(11, 18):
        write_section(
            study / f"{series}.dcm", stored[0] + series, series=series, SeriesDescription="T1 MOLLI long T1 sax map"
        )
    assert main(["classify", str(study), "--output", str(tmp_path / "out")]) == 2
    lines = capsys.readouterr().err.splitlines()
    for series in range(11, 17):
        assert f"acnet: series {series} (T1 MOLLI long T1 sax map, 1 slice);" in lines
    assert re.search(r"series 17 \(.*\): give the folder of one series\. The command takes .*--series", lines[-1])


def test_the_command_refuses_a_folder_without_a_map_and_says_of_each_series_why(
    stored: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, (kind, description) in enumerate((("CINE", "cine_sax"), ("T2 MAP", "x"), ("ECV", "x"), ("M", "x"))):
        image_type = ["DERIVED", "PRIMARY", kind]
        file = tmp_path / "study" / f"{number}.dcm"
        write_section(file, stored[0], series=number, ImageType=image_type, SeriesDescription=description)
    write_section(tmp_path / "study" / "ct.dcm", stored[0], series=9, Modality="CT")
    assert main(["classify", str(tmp_path / "study"), "--output", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("acnet: study: none of its 5 DICOM images is a native T1 map")
    assert max(map(len, said.splitlines())) <= len("acnet: ") + 400
    for reason in ("a cine", "named T2", "named ECV", "no sign of a T1 map", "Modality CT"):
        assert reason in said
    assert said.endswith("choose it with --series.\n")
    assert not (tmp_path / "out").exists()


def test_a_series_with_a_sign_against_it_is_not_advised_to_be_chosen_again(stored: np.ndarray, tmp_path: Path) -> None:
    write_section(tmp_path / "0.dcm", stored[0], series=5, ImageType=["DERIVED", "PRIMARY", "T1 MAP", "SCREENSHOT"])
    for series in ((), (5,)):
        with pytest.raises(NoT1Map, match=r"a screenshot \(-5\).*export the series as a volume file") as refusal:
            read_t1_map(tmp_path, Reading(series=series))
        assert "--series" not in str(refusal.value)


def test_the_command_takes_series_numbers(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", str(study), "--series", "8,9", "--output", str(tmp_path / "out")]) == 2
    assert "there is no series 8" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["classify", str(study), "--series", "eight"])
    assert "found 'eight'; expected numbers" in capsys.readouterr().err
