"""Which files of a study the DICOM plugin reads: not those of which the database knows that they are other images."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from ACNetLib.dicom import images
from ACNetLib.dicom.score import judge_header, names_another_image
from ACNetTrainerLib.simulation.dicom import FLAVOURS
from dicom_files import RAW_TYPE, T1_MAP_TYPE, item, mapping, write_section
from dicom_plugin_fixtures import series_of

pytestmark = pytest.mark.usefixtures("an_empty_scene_and_database")

MR_IMAGE, ENHANCED_MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1"


@pytest.fixture
def read_files(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are read from now on."""
    files: list[Path] = []
    read = images._read_file

    def noted(file: Path) -> object:
        files.append(file)
        return read(file)

    monkeypatch.setattr(images, "_read_file", noted)
    return files


def offered(loadables: Iterable[Any]) -> list[tuple[object, ...]]:
    return [
        (each.name, each.files, each.tooltip, each.warning, each.selected, each.confidence, each.slices, each.notes)
        for each in loadables
    ]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_of_every_flavour_the_same_is_offered_as_where_all_files_are_read(
    flavour: str, flavours: dict[str, Path], a_plugin: Any, read_files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    series = series_of(flavours[flavour])
    found = [offered(a_plugin.examineFiles(files)) for files in series]
    left_out = sum(map(len, series)) - len(read_files)
    read_files.clear()
    monkeypatch.setattr(type(a_plugin), "_is_another_image", lambda _self, _file: False)
    assert found == [offered(a_plugin.examineFiles(files)) for files in series]
    assert any(found)
    assert len(read_files) == sum(map(len, series))
    if flavour == "philips":  # its magnitude images lie in the series of the map
        assert left_out == len(read_files) - 3


def test_no_file_of_a_cine_is_read(stored: np.ndarray, tmp_path: Path, a_plugin: Any, read_files: list[Path]) -> None:
    for number in range(25):
        write_section(tmp_path / f"{number}.dcm", stored[0], ImageType=RAW_TYPE, SeriesDescription="cine_retro_sax")
    assert a_plugin.examineForImport(series_of(tmp_path)) == []
    assert read_files == []


def test_what_these_attributes_refuse_no_other_makes_a_map(stored: np.ndarray, tmp_path: Path) -> None:
    """Beside them the clearest signs of a map, which all those have that they do not refuse."""
    code = item(CodeValue="126351", CodingSchemeDesignator="DCM", CodeMeaning="T1 by inversion recovery")
    quantity = item(ValueType="CODE", ConceptCodeSequence=[code])
    types = (RAW_TYPE, T1_MAP_TYPE, ["ORIGINAL", "PRIMARY", "M_FFE", "M"], ["DERIVED", "SECONDARY", "SCREEN SAVE"])
    descriptions = ("cine_sax", "LGE_PSIR", "T1_T2_MAP", "MOLLI_MOCO_T1", "MOLLI_MOCO_T1_ERR", "T2map", "for ECV")
    refused = 0
    for image_type, description in product(types, descriptions):
        file = write_section(
            tmp_path / "a.dcm",
            stored[0],
            ImageType=image_type,
            SeriesDescription=description,
            ImageComments="T1 Map",
            RealWorldValueMappingSequence=[mapping("ms", 1.0, QuantityDefinitionSequence=[quantity])],
        )
        score = judge_header(pydicom.dcmread(file))
        names_another = names_another_image(MR_IMAGE, "\\".join(image_type), description)
        assert names_another == (not score.is_t1_map and not score.post_contrast)
        refused += names_another
    assert 0 < refused < len(types) * len(descriptions)


def test_of_many_frames_and_without_a_type_nothing_is_known_before_the_file_is_read() -> None:
    assert names_another_image(MR_IMAGE, "ORIGINAL\\PRIMARY\\M_FFE", "cine")
    assert not names_another_image(ENHANCED_MR_IMAGE, "ORIGINAL\\PRIMARY\\M_FFE", "cine")
    assert not names_another_image("", "ORIGINAL\\PRIMARY\\M_FFE", "cine")
    assert not names_another_image(MR_IMAGE, "", "T1_T2_MAP")
