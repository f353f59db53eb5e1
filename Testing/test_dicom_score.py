"""By which signs of a header an image is known as a native T1 map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from ACNetLib.dicom import T1_MAP_SCORE, t1_map_score
from ACNetLib.dicom_score import judge_header
from dicom_files import T1_MAP_TYPE, write_image

RAW_TYPE = ["ORIGINAL", "PRIMARY", "M", "ND"]
PHILIPS_MAP = ["ORIGINAL", "PRIMARY", "T1 MAP", "T1", "UNSPECIFIED"]
PHILIPS_MAGNITUDE = ["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"]
PROCESSED = ["DERIVED", "SECONDARY", "PROCESSED"]


def header(tmp_path: Path, **attributes: Any) -> pydicom.Dataset:
    return pydicom.dcmread(write_image(tmp_path / "a.dcm", np.zeros((20, 20), np.uint16), (0, 0, 0), **attributes))


@pytest.mark.parametrize(
    ("attributes", "is_map"),
    [
        ({"ImageType": T1_MAP_TYPE, "SeriesDescription": "renamed"}, True),
        ({"ImageType": RAW_TYPE, "SeriesDescription": "t1map_long_t1_3slice_8mm_150_gap_MOCO_T1"}, True),
        ({"ImageType": RAW_TYPE, "SeriesDescription": "T1MAP_PRECON_SAX7_MOCO_T1"}, True),
        ({"ImageType": RAW_TYPE, "SeriesDescription": "ShMOLLI_192i_SAX_b2s_T1MAP", "ImageComments": "T1 Map"}, True),
        ({"ImageType": RAW_TYPE, "SeriesDescription": "ShMOLLI_192i_SAX_b2s_T1MAP", "ImageComments": "R2"}, False),
        ({"ImageType": RAW_TYPE, "SeriesDescription": "MOLLI T1Map_LongT1 SA_mid"}, False),
        ({"ImageType": RAW_TYPE, "SeriesDescription": None}, False),
        ({"ImageType": T1_MAP_TYPE, "SeriesDescription": "post contrast T1 map"}, False),
        ({"ImageType": T1_MAP_TYPE, "SeriesDescription": "MOLLI_MOCO_T1_ERR"}, False),
        ({"ImageType": None, "SeriesDescription": "MOLLI_MOCO_T1"}, True),
        ({"ImageType": PHILIPS_MAP, "SeriesDescription": "MOLLI SAX"}, True),
        ({"ImageType": PHILIPS_MAGNITUDE, "SeriesDescription": "T1 map MOLLI SAX"}, False),
        ({"ImageType": PROCESSED, "SeriesDescription": "T1 map [Loc:1] Pre SAx MOLLI 5(3)3"}, True),
        ({"ImageType": PROCESSED, "SeriesDescription": "T1 map [Loc:1] Post SAx MOLLI 4(1)3(1)2"}, False),
        ({"ImageType": PROCESSED, "SeriesDescription": "T1 map 15 min"}, False),
        ({"ImageType": PROCESSED, "SeriesDescription": "T2 map [Loc:1] SAx"}, False),
        ({"ImageType": RAW_TYPE, "SeriesDescription": "ORIG [Loc:1] Pre SAx MOLLI 5(3)3"}, False),
        ({"ImageType": RAW_TYPE, "SeriesDescription": "SASHA_SAX_T1", "ImageComments": "T1 Map"}, True),
        ({"SeriesDescription": "ShMOLLI_SAX_FITPARAMS", "ImageType": RAW_TYPE, "ImageComments": "T1 Map"}, False),
        ({"ImageType": T1_MAP_TYPE, "Modality": "CT"}, False),
        ({"ImageType": ["DERIVED", "PRIMARY", "T2_STAR_MAP"], "SeriesDescription": "T1 map protocol"}, False),
        ({"ImageType": T1_MAP_TYPE, "ContrastBolusAgent": "NONE"}, True),
    ],
)
def test_an_image_is_known_as_a_t1_map_by_its_type_description_and_comments(
    attributes: dict[str, Any], is_map: bool, tmp_path: Path
) -> None:
    assert (t1_map_score(header(tmp_path, **attributes)) >= T1_MAP_SCORE) == is_map


def test_the_score_is_the_sum_of_its_reasons(tmp_path: Path) -> None:
    score = judge_header(header(tmp_path, ImageComments="T1 Map", Modality="CT"))
    assert score.reasons == (
        "ImageType T1 MAP (+3)",
        "SeriesDescription ends in _MOCO_T1 (+3)",
        "ImageComments name a T1 map (+2)",
        "Modality CT (-5)",
    )
    assert (score.points, score.against, score.is_t1_map) == (3, True, True)


@pytest.mark.parametrize(
    "attributes", [{"ContrastBolusAgent": "Gadobutrol"}, {"SeriesDescription": "MOLLI T1Map_ShortT1 SA_mid_MOCO_T1"}]
)
def test_contrast_alone_speaks_against_a_map_unless_it_is_asked_for(attributes: dict[str, Any], tmp_path: Path) -> None:
    after_contrast = header(tmp_path, **attributes)
    score = judge_header(after_contrast)
    assert (score.is_t1_map, score.post_contrast) == (False, True)
    assert judge_header(after_contrast, post_contrast=True).is_t1_map
