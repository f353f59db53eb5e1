"""What a volume file repeats of DICOM headers, in its own keys and in the JSON file beside it, counts as in DICOM."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from slicer import vtkMRMLScene as Scene

from ACNetLib.errors import ACNetError
from ACNetLib.image_files import write_image
from ACNetLib.scene.input import t1_map_from_volume_node
from ACNetLib.t1map.checks import POST_CONTRAST_WARNING
from ACNetLib.t1map.t1_map import Reading, read_t1_map
from ACNetLib.volumes.header import FITTED_KEY
from dicom_files import write_study

OBLIQUE = np.array([[0.6, 0.64, 0.48], [-0.8, 0.48, 0.36], [0.0, -0.6, 0.8]])
T1_MS = np.random.default_rng(1).integers(200, 1900, (3, 40, 30)).astype(np.uint16)
NATIVE = {"SeriesDescription": "T1map_MOLLI_MOCO_T1", "ImageType": ["DERIVED", "PRIMARY", "T1 MAP", "MOCO", "DIS2D"]}
CONTRAST: list[dict[str, Any]] = [
    {"SeriesDescription": "T1map_MOLLI_post_Gd_15min_MOCO_T1"},
    {"ProtocolName": "MOLLI post Gd"},
    {"ImageComments": "T1 map after contrast"},
    {"ContrastBolusIngredient": "GADOLINIUM"},
]
OTHERS: list[tuple[dict[str, Any], str]] = [
    ({"ImageType": ["DERIVED", "PRIMARY", "T2 MAP"]}, "named T2"),
    ({"ImageType": ["DERIVED", "PRIMARY", "T2", "MAP"]}, "named T2"),
    ({"ImageType": ["ORIGINAL", "PRIMARY", "M", "FFE", "M", "FFE"]}, "a magnitude image"),
    ({"SeriesDescription": "MOLLI_MOCO_T1_ERR"}, "named the error of a fit"),
    ({"Modality": "CT"}, "Modality CT"),
]
TAGS = {
    "SeriesDescription": "0008|103e",
    "ImageType": "0008|0008",
    "ImageComments": "0020|4000",
    "Modality": "0008|0060",
}


def an_image(keys: dict[str, str] | None = None) -> sitk.Image:
    image = sitk.GetImageFromArray(T1_MS)
    image.SetSpacing((1.4, 2.1, 8.0))
    image.SetDirection(OBLIQUE.ravel())
    for key, text in (keys or {}).items():
        image.SetMetaData(key, text)
    return image


def by_json(folder: Path, told: dict[str, Any], name: str = "map.nii.gz") -> Path:
    """As dcm2niix writes it."""
    write_image(an_image(), folder / name)
    (folder / "map.json").write_text(json.dumps({"Manufacturer": "Siemens", **told}), encoding="utf-8")
    return folder / name


def by_keys(folder: Path, told: dict[str, Any], name: str = "map.nrrd") -> Path:
    """As SimpleITK writes what it has read of DICOM."""
    texts = {keyword: "\\".join(value) if isinstance(value, list) else value for keyword, value in told.items()}
    sitk.WriteImage(an_image({TAGS[keyword]: text for keyword, text in texts.items()}), str(folder / name))
    return folder / name


@pytest.mark.parametrize("told", CONTRAST)
def test_a_json_file_that_tells_of_contrast_refuses_the_map_unless_it_is_asked_for(
    told: dict[str, Any], tmp_path: Path
) -> None:
    path = by_json(tmp_path, told)
    with pytest.raises(
        ACNetError, match=r"the JSON file beside it, tells that it is from after contrast; .*--post-con"
    ):
        read_t1_map(path)
    assert read_t1_map(path, Reading(post_contrast=True)).warnings.count(POST_CONTRAST_WARNING) == 1


@pytest.mark.parametrize(("told", "found"), OTHERS)
def test_a_json_file_that_tells_of_another_image_refuses_it(told: dict[str, Any], found: str, tmp_path: Path) -> None:
    path = by_json(tmp_path, told)
    for reading in (Reading(), Reading(post_contrast=True)):
        with pytest.raises(
            ACNetError, match=rf"map\.nii\.gz: .* tells of another image \({found}\); expected a native"
        ):
            read_t1_map(path, reading)


@pytest.mark.parametrize(
    "told",
    [
        NATIVE,
        {**NATIVE, "ProtocolName": "MOLLI pré-gado", "ImageComments": "T1 map"},
        {"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"], "SeriesDescription": "MOLLI SAX"},
        {"SeriesDescription": None, "ImageType": [1, {}], "ImageComments": {"T2": "map"}, "ProtocolName": True},
    ],
)
def test_a_json_file_of_a_native_map_says_nothing_against_it(told: dict[str, Any], tmp_path: Path) -> None:
    assert POST_CONTRAST_WARNING not in read_t1_map(by_json(tmp_path, told)).warnings


def test_the_json_file_beside_an_nrrd_file_counts_too(tmp_path: Path) -> None:
    path = by_json(tmp_path, {"SeriesDescription": "T1map post Gd"}, "map.nrrd")
    with pytest.raises(ACNetError, match="after contrast"):
        read_t1_map(path)


@pytest.mark.parametrize("name", ["map.nrrd", "map.nhdr", "map.mha", "map.mhd"])
def test_keys_as_simpleitk_writes_them_count_as_the_header_of_dicom(name: str, tmp_path: Path) -> None:
    for told, found in ((CONTRAST[0], "after contrast"), *OTHERS):
        with pytest.raises(ACNetError, match=found):
            read_t1_map(by_keys(tmp_path, told, name))
    assert read_t1_map(by_keys(tmp_path, NATIVE, name)).sequence == "MOLLI"


def test_a_dicom_map_that_simpleitk_has_converted_tells_what_it_was(stored: np.ndarray, tmp_path: Path) -> None:
    named = {"Manufacturer": "SIEMENS", "ManufacturerModelName": "Avanto", "ImageComments": "simulated T1 map"}
    write_study(tmp_path / "study", stored, **named)
    image = sitk.ReadImage(str(tmp_path / "study" / "a.dcm"))
    sitk.WriteImage(image, str(tmp_path / "map.nrrd"))
    t1_map = read_t1_map(tmp_path / "map.nrrd")
    assert (t1_map.scanner, t1_map.sequence, t1_map.field_strength_tesla) == ("SIEMENS Avanto", "MOLLI", 1.5)
    assert t1_map.simulated


@pytest.mark.parametrize("key", ["DICOM_0018_0087_MagneticFieldStrength", "MagneticFieldStrength"])
@pytest.mark.parametrize("name", ["map.nrrd", "map.mha"])
def test_the_field_strength_in_a_files_keys_is_read(name: str, key: str, tmp_path: Path) -> None:
    """As dcm2niix writes it into NRRD, and as people name it."""
    write_image(an_image({key: "3"}), tmp_path / name)
    assert read_t1_map(tmp_path / name).field_strength_tesla == 3.0


def test_a_map_that_was_fitted_here_is_of_the_sequence_of_its_images(tmp_path: Path) -> None:
    write_image(an_image({FITTED_KEY: "MOLLI 5(3)3, magnitude images of series 3"}), tmp_path / "map.nrrd")
    assert read_t1_map(tmp_path / "map.nrrd").sequence == "MOLLI"


def test_what_the_json_file_says_against_a_map_counts_in_the_scene_too(a_scene: Scene, tmp_path: Path) -> None:
    for told, found in ((CONTRAST[0], "after contrast"), OTHERS[0]):
        node = a_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T1")
        storage = a_scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
        storage.SetFileName(str(by_json(tmp_path, told)))
        assert storage.ReadData(node)
        node.SetAndObserveStorageNodeID(storage.GetID())
        with pytest.raises(ACNetError, match=found):
            t1_map_from_volume_node(node)
