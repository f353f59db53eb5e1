from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.config import disable_value_validation

from ACNetLib.dicom.images import read_images
from ACNetLib.dicom.series import find_t1_maps
from ACNetLib.errors import ACNetError
from ACNetLib.inference.exam_input import read_exam
from ACNetLib.t1map.checks import UNKNOWN_THICKNESS
from ACNetLib.t1map.t1_map import read_t1_map
from dicom_files import (
    GAP_MM,
    NORMAL,
    ORIENTATION,
    PATIENT_ID,
    PATIENT_NAME,
    POSITION,
    RAW_TYPE,
    write_section,
)


def test_a_series_becomes_a_stack_sorted_along_its_normal(study: Path, stored: np.ndarray) -> None:
    t1_map = read_t1_map(study)
    np.testing.assert_array_equal(t1_map.array, stored.astype(np.float32))
    assert t1_map.name == "study"


def test_the_geometry_is_that_of_the_headers(study: Path) -> None:
    t1_map = read_t1_map(study)
    np.testing.assert_allclose(t1_map.image.GetOrigin(), POSITION, rtol=0, atol=1e-6)
    np.testing.assert_allclose(t1_map.image.GetSpacing(), (1.4, 2.1, GAP_MM), rtol=0, atol=1e-6)
    np.testing.assert_allclose(t1_map.row_axis, ORIENTATION[:3], rtol=0, atol=1e-6)
    np.testing.assert_allclose(t1_map.column_axis, ORIENTATION[3:], rtol=0, atol=1e-6)
    np.testing.assert_allclose(t1_map.normal, NORMAL, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "age", ["012Y", "017Y", "215M", "040W", "010D", "018Y", "216M", "063Y", "000Y", "0Y", "", None]
)
def test_a_childs_map_says_that_the_model_knows_adults_only(
    age: str | None, stored: np.ndarray, tmp_path: Path
) -> None:
    write_section(tmp_path / "0.dcm", stored[0], PatientAge=age)
    warnings = [text for text in read_t1_map(tmp_path).warnings if "younger than 18 years" in text]
    assert len(warnings) == (age in {"012Y", "017Y", "215M", "040W", "010D"})
    assert not any(age in text for text in warnings if age)


@pytest.mark.parametrize(
    ("age", "born", "examined", "is_child"),
    [
        (None, "20150301", "20240229", True),
        ("", "20060302", "20240301", True),
        ("000Y", "20150301", "20240229", True),
        (None, "2015.03.01", "2024.02.29", True),
        (None, "20240228", "20240229", True),
        (None, "20060301", "20240301", False),
        ("045Y", "20150301", "20240229", False),
        (None, "19000101", "20240229", False),
        (None, "20240229", "20240229", False),
        (None, "20250101", "20240229", False),
        (None, "20150301", "", False),
        (None, "", "20240229", False),
        (None, None, "20240229", False),
        (None, "March the 1st", "20240229", False),
        (None, "20151301", "20240229", False),
    ],
)
def test_a_child_is_known_by_its_dates_where_no_age_is_told(
    age: str | None, born: str | None, examined: str | None, is_child: bool, stored: np.ndarray, tmp_path: Path
) -> None:
    file = tmp_path / "0.dcm"
    with disable_value_validation():
        write_section(file, stored[0], PatientAge=age, PatientBirthDate=born, StudyDate=examined)
    assert any("younger than 18 years" in text for text in read_t1_map(tmp_path).warnings) == is_child
    kept = str(read_images([file])[0][0].header)
    assert not any(each in kept for each in (born, examined) if each)


@pytest.mark.parametrize(
    ("names", "sequence"),
    [
        ({"SeriesDescription": "SASHA_T1MAP_SAX"}, "SASHA"),
        ({"SeriesDescription": "ShMOLLI_192i_SAX_b2s_T1MAP"}, "ShMOLLI"),
        ({"SeriesDescription": "T1 map", "ProtocolName": "MOLLI SAX"}, "MOLLI"),
        ({"SeriesDescription": "T1 map"}, ""),
        ({"SeriesDescription": "SASHA_SAX_T1map", "ProtocolName": "T1_MOLLI_SASHA_comparison"}, "SASHA"),
        ({"SeriesDescription": "T1 map SAX", "ImageComments": "SASHA", "ProtocolName": "MOLLI"}, "SASHA"),
        (
            {"SeriesDescription": "SMART1Map", "ProtocolName": "MOLLI ECV", "Manufacturer": "GE MEDICAL SYSTEMS"},
            "SMART1Map",
        ),
        ({"SeriesDescription": "T1 map", "ProtocolName": "MOLLI ECV", "Manufacturer": "GE MEDICAL SYSTEMS"}, ""),
    ],
)
def test_the_names_in_the_header_tell_the_sequence_the_series_own_before_its_protocols(
    names: dict[str, Any], sequence: str, stored: np.ndarray, tmp_path: Path
) -> None:
    """GE has the name of the whole exam's protocol there."""
    write_section(tmp_path / "0.dcm", stored[0], **names)
    assert read_t1_map(tmp_path).sequence == sequence


@pytest.mark.parametrize("middle", ["MOLLI", "SASHA"])
def test_slices_of_two_sequences_are_a_stack_of_both_whichever_lies_in_the_middle(
    middle: str, stored: np.ndarray, tmp_path: Path
) -> None:
    others = {"MOLLI": "SASHA", "SASHA": "MOLLI"}[middle]
    for section, name in enumerate((others, middle, others)):
        named = {"SeriesDescription": f"{name}_SAX_T1map", "series": section}
        write_section(tmp_path / f"{section}.dcm", stored[section], section * GAP_MM, **named)
    assert read_t1_map(tmp_path).sequence == "MOLLI and SASHA"


def test_each_section_has_its_own_rescale_slope_and_intercept(stored: np.ndarray, tmp_path: Path) -> None:
    for section, slope in enumerate((0.9, 1.0, 1.1)):
        rescale = {"RescaleSlope": slope, "RescaleIntercept": -10 * section}
        write_section(tmp_path / f"{section}.dcm", stored[section], section * GAP_MM, **rescale)
    expected = stored * np.array([0.9, 1.0, 1.1])[:, None, None] - np.array([0, 10, 20])[:, None, None]
    np.testing.assert_allclose(read_t1_map(tmp_path).array, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("attributes", "depth_mm"),
    [
        ({"SliceThickness": 6}, 6.0),
        ({"SliceThickness": 6, "SpacingBetweenSlices": 10}, 6.0),
        ({"SliceThickness": None, "SpacingBetweenSlices": 10}, 10.0),
        ({"SliceThickness": "", "SpacingBetweenSlices": -10}, 10.0),
        ({"SliceThickness": 6, "SpacingBetweenSlices": -10}, 6.0),
    ],
)
def test_a_single_section_is_as_deep_as_its_slice(
    attributes: dict[str, Any], depth_mm: float, stored: np.ndarray, tmp_path: Path
) -> None:
    write_section(tmp_path / "a.dcm", stored[0], **attributes)
    image = read_t1_map(tmp_path).image
    assert image.GetSize() == (30, 40, 1)
    assert image.GetSpacing() == pytest.approx((1.4, 2.1, depth_mm))


def test_one_file_is_read_as_one_section_whatever_lies_beside_it(study: Path, stored: np.ndarray) -> None:
    t1_map = read_t1_map(study / "a.dcm")
    np.testing.assert_array_equal(t1_map.array, stored[1:2].astype(np.float32))
    assert t1_map.name == "a.dcm"


def test_a_mixed_folder_gives_only_the_native_t1_map(study: Path, stored: np.ndarray) -> None:
    def add(name: str, pixels: np.ndarray, **attributes: Any) -> None:
        write_section(study / "others" / f"{name}.dcm", pixels, GAP_MM, **attributes)

    color = np.zeros((40, 30, 3), dtype=np.uint8)
    for number in range(8):
        add(f"raw{number}", stored[0], series=1, ImageType=RAW_TYPE, SeriesDescription="MOLLI T1Map_LongT1 SA_mid")
    moco = ["DERIVED", "PRIMARY", "M", "ND", "MOCO"]
    add("moco", stored[0], series=2, ImageType=moco, SeriesDescription="MOLLI T1Map_LongT1 SA_mid_MOCO")
    add("rgb", color, series=5)
    add("bytes", color[..., 0], series=6)
    add("palette", stored[0], series=7, PhotometricInterpretation="PALETTE COLOR")
    add("capture", stored[0], series=8, SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    t2_type = ["DERIVED", "PRIMARY", "T2 MAP", "MOCO", "T2"]
    add("t2", stored[0], series=9, ImageType=t2_type, SeriesDescription="T2Map_SA_mid_MOCO_T2")
    add("short", stored[0], series=10, SeriesDescription="MOLLI T1Map_ShortT1 SA_mid_MOCO_T1")
    add("contrast", stored[0], series=11, ContrastBolusAgent="Gadobutrol")
    (study / "report.txt").write_text("not DICOM")
    (study / "others" / "empty").touch()
    np.testing.assert_array_equal(read_t1_map(study).array, stored.astype(np.float32))


@pytest.mark.parametrize(
    ("comments", "simulated"), [("Simulated T1 map, not a patient", True), ("T1 Map", False), (None, False)]
)
def test_a_simulated_map_says_so_in_its_comments(
    comments: str | None, simulated: bool, stored: np.ndarray, tmp_path: Path
) -> None:
    write_section(tmp_path / "a.dcm", stored[0], ImageComments=comments)
    assert read_t1_map(tmp_path).simulated is simulated


def test_a_folder_without_dicom_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(ACNetError, match=rf"{tmp_path.name}: found no DICOM image among 1 files"):
        read_t1_map(tmp_path)


@pytest.mark.parametrize("name", ["map.mat", "map.npy", "map.hdr", "map.PAR", "study.zip"])
def test_a_file_of_another_format_is_refused_with_those_that_are_read(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"another format" * 100)
    for read in (read_t1_map, lambda path: read_exam([path])):
        with pytest.raises(ACNetError, match=rf"^{name}: it is no DICOM image and no volume file; .*\.nii\.gz, \.mha"):
            read(tmp_path / name)


def test_a_folder_of_volume_files_is_refused_with_the_file_to_give(tmp_path: Path) -> None:
    (tmp_path / "map.nii.gz").write_bytes(b"not looked at")
    for read in (read_t1_map, lambda path: read_exam([path])):
        with pytest.raises(ACNetError, match=r"It holds volume files \(map\.nii\.gz\): give the file itself"):
            read(tmp_path)


def test_an_image_without_its_series_uid_is_refused_with_the_fields_name(stored: np.ndarray, tmp_path: Path) -> None:
    header = pydicom.dcmread(write_section(tmp_path / "a.dcm", stored[0]))
    del header.SeriesInstanceUID
    header.save_as(tmp_path / "a.dcm")
    with pytest.raises(ACNetError, match=r"a\.dcm: it has no SeriesInstanceUID; expected one"):
        read_t1_map(tmp_path)


def test_a_folder_without_a_t1_map_is_refused_with_what_it_holds(stored: np.ndarray, tmp_path: Path) -> None:
    for number in range(2):
        write_section(
            tmp_path / f"{number}.dcm", stored[0], series=7, ImageType=RAW_TYPE, SeriesDescription="MOLLI T1Map"
        )
    found = r"none of its 2 DICOM images.*series 7: 2 images of type ORIGINAL\\PRIMARY\\M\\ND.*expected grey-scale"
    with pytest.raises(ACNetError, match=found):
        read_t1_map(tmp_path)


@pytest.mark.parametrize(
    ("heights", "reason"),
    [
        ((0.0, 12.0, 25.5), r"uneven \(12\.00, 13\.50 mm\)"),
        ((0.0, 12.0, 36.0), r"uneven \(12\.00, 24\.00 mm\)"),
        ((0.0, 12.0, 12.0), r"1\.dcm and 2\.dcm lie at the same place"),
        (
            (0.0, 12.0, 14.0),
            r"1\.dcm and 2\.dcm lie at the same place \(2\.0 mm apart, less than half their thickness\)",
        ),
    ],
)
def test_uneven_gaps_are_refused(heights: tuple[float, ...], reason: str, stored: np.ndarray, tmp_path: Path) -> None:
    for section, height in enumerate(heights):
        write_section(tmp_path / f"{section}.dcm", stored[section], height)
    with pytest.raises(ACNetError, match=rf"{reason}.*[Ee]xpected.*one"):
        read_t1_map(tmp_path)


def test_a_slice_a_little_apart_is_the_same_one_unless_the_slices_are_thin(stored: np.ndarray, tmp_path: Path) -> None:
    def write(**attributes: Any) -> None:
        for number in range(2):
            write_section(tmp_path / f"{number}.dcm", stored[number], 2.0 * number, series=3 + number, **attributes)

    write(SliceThickness=8)
    with pytest.raises(ACNetError, match=r"0\.dcm and 1\.dcm lie at the same place \(2\.0 mm apart"):
        read_t1_map(tmp_path)
    for thin in ({"SliceThickness": 2}, {"SliceThickness": 4}, {"SliceThickness": None}):
        write(**thin)
        assert read_t1_map(tmp_path).section_count == 2


def test_gaps_that_differ_by_less_than_a_twentieth_are_accepted(stored: np.ndarray, tmp_path: Path) -> None:
    for section, height in enumerate((0.0, 12.0, 24.9)):
        write_section(tmp_path / f"{section}.dcm", stored[section], height)
    assert read_t1_map(tmp_path).image.GetSpacing()[2] == pytest.approx(12.45)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"orientation": (1, 0, 0, 0, 1, 0)}, "are not parallel"),
        ({"spacing": (2.1, 1.5)}, r"40 x 30 pixels of 2\.1 x 1\.4 mm and 40 x 30 pixels of 2\.1 x 1\.5 mm"),
        ({"position": POSITION + 12 * NORMAL + (6, -8, 0)}, r"are shifted within their plane by 10\.0 mm"),
        ({"Columns": 28, "PixelData": bytes(2 * 40 * 28)}, r"40 x 30 pixels.* and 40 x 28 pixels"),
    ],
    ids=["orientation", "spacing", "shift", "matrix"],
)
def test_sections_that_do_not_belong_together_are_refused(
    attributes: dict[str, Any], reason: str, stored: np.ndarray, tmp_path: Path
) -> None:
    write_section(tmp_path / "a.dcm", stored[0])
    write_section(tmp_path / "b.dcm", stored[1], GAP_MM, **attributes)
    with pytest.raises(ACNetError, match=rf"a\.dcm and b\.dcm .*{reason}.*Expected one stack"):
        read_t1_map(tmp_path)


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows"])
def test_a_map_without_geometry_is_refused(keyword: str, stored: np.ndarray, tmp_path: Path) -> None:
    missing: dict[str, Any] = {keyword: None}
    write_section(tmp_path / "a.dcm", stored[0], **missing)
    with pytest.raises(ACNetError, match=rf"a\.dcm: found 0 values of {keyword}; expected \d"):
        read_t1_map(tmp_path)


@pytest.mark.parametrize(
    "attributes",
    [
        {"orientation": (0, 0, 0, 0, 0, 0)},
        {"orientation": (1, 0, 0, 0.6, 0.8, 0)},
        {"spacing": (0, 1.4)},
        {"SliceThickness": -8},
    ],
    ids=["no axes", "not perpendicular", "no spacing", "negative thickness"],
)
def test_a_map_with_an_impossible_geometry_is_refused(
    attributes: dict[str, Any], stored: np.ndarray, tmp_path: Path
) -> None:
    write_section(tmp_path / "a.dcm", stored[0], **attributes)
    with pytest.raises(ACNetError, match=r"a\.dcm: its geometry is impossible .*expected perpendicular unit vectors"):
        read_t1_map(tmp_path)


NOTHING_TOLD: list[dict[str, Any]] = [
    {"SliceThickness": None},
    {"SliceThickness": ""},
    {"SliceThickness": 0},
    {"SliceThickness": "", "SpacingBetweenSlices": ""},
    {"SliceThickness": None, "SpacingBetweenSlices": 0},
]


@pytest.mark.parametrize("attributes", NOTHING_TOLD)
def test_a_slice_that_does_not_tell_its_thickness_is_shown_as_1_mm_with_a_warning(
    attributes: dict[str, Any], stored: np.ndarray, tmp_path: Path
) -> None:
    write_section(tmp_path / "a.dcm", stored[0], **attributes)
    t1_map = read_t1_map(tmp_path)
    assert t1_map.image.GetSpacing() == pytest.approx((1.4, 2.1, 1.0))
    assert UNKNOWN_THICKNESS in t1_map.warnings
    (series,) = find_t1_maps([tmp_path / "a.dcm"])
    assert series.suits_classifier


@pytest.mark.parametrize(
    "attributes",
    [*NOTHING_TOLD, {"SpacingBetweenSlices": -28}, {"SliceThickness": None, "SpacingBetweenSlices": -28}],
)
def test_where_slices_lie_tells_their_distance_whatever_else_does(
    attributes: dict[str, Any], stored: np.ndarray, tmp_path: Path
) -> None:
    for section in range(3):
        write_section(tmp_path / f"{section}.dcm", stored[section], section * GAP_MM, **attributes)
    t1_map = read_t1_map(tmp_path)
    assert t1_map.image.GetSpacing() == pytest.approx((1.4, 2.1, GAP_MM))
    np.testing.assert_array_equal(t1_map.array, stored.astype(np.float32))
    assert UNKNOWN_THICKNESS not in t1_map.warnings


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's own words on the end of the file
def test_a_truncated_dicom_file_is_refused_by_its_name_wherever_it_ends(stored: np.ndarray, tmp_path: Path) -> None:
    file = write_section(tmp_path / "a.dcm", stored[0])
    content = file.read_bytes()
    for length in [*range(132, len(content), 13), *range(880, 920), len(content) - 1]:
        file.write_bytes(content[:length])
        with pytest.raises(ACNetError, match=r"^a\.dcm: .*complete"):
            read_t1_map(tmp_path)


def test_values_that_are_no_t1_are_refused_with_the_folders_name(stored: np.ndarray, tmp_path: Path) -> None:
    write_section(tmp_path / "study" / "a.dcm", stored[0], RescaleSlope=0.1)
    with pytest.raises(ACNetError, match=r"^study: the 99th percentile .* is 18\d\.?\d*, as of T2"):
        read_t1_map(tmp_path / "study")


def test_no_message_names_the_patient(study: Path, stored: np.ndarray, tmp_path: Path) -> None:
    messages = []
    other = tmp_path / "other"
    write_section(other / "raw.dcm", stored[0], ImageType=RAW_TYPE, SeriesDescription="MOLLI")
    write_section(study / "d.dcm", stored[0], 100.0)
    for folder in (other, study):
        with pytest.raises(ACNetError) as error:
            read_t1_map(folder)
        messages.append(str(error.value))
    assert pydicom.dcmread(study / "d.dcm").PatientName == PATIENT_NAME
    assert not any(PATIENT_NAME in message or PATIENT_ID in message for message in messages)


@pytest.mark.parametrize(
    ("manufacturer", "model", "expected"),
    [
        ("SIEMENS", "Avanto", "SIEMENS Avanto"),
        (" SIEMENS  Healthineers", "MAGNETOM\x07Sola ", "SIEMENS Healthineers MAGNETOM Sola"),
        ("SIEMENS", None, ""),
        (None, "Avanto", ""),
        ("SIEMENS", " ", ""),
    ],
)
def test_the_scanner_is_its_manufacturer_and_model_or_not_known(
    stored: np.ndarray, tmp_path: Path, manufacturer: str | None, model: str | None, expected: str
) -> None:
    write_section(tmp_path / "a.dcm", stored[0], Manufacturer=manufacturer, ManufacturerModelName=model)
    t1_map = read_t1_map(tmp_path / "a.dcm")
    assert t1_map.scanner == expected
    sitk.WriteImage(t1_map.image, str(tmp_path / "map.nrrd"))
    assert read_t1_map(tmp_path / "map.nrrd").scanner == ""
