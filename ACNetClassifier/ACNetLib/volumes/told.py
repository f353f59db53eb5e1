"""What a volume file repeats of the headers of the DICOM images that it was made of: in its own keys, and in the JSON
file beside it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pydicom
from pydicom.config import disable_value_validation
from pydicom.datadict import keyword_for_tag

from ACNetLib.dicom.origin import FIELD_STRENGTH
from ACNetLib.dicom.score import contrast_in, judge_header

KEYWORDS = (
    *("Manufacturer", "ManufacturerModelName", FIELD_STRENGTH, "Modality", "ImageType", "SeriesDescription"),
    *("ProtocolName", "SequenceName", "ImageComments", "ContrastBolusAgent"),
)
"""No others are read: they may name a patient."""
OTHER_NAMES = {
    "ManufacturersModelName": "ManufacturerModelName",
    "ContrastBolusIngredient": "ContrastBolusAgent",
}
"""Of dcm2niix and of BIDS."""
TAG = re.compile(r"(?:DICOM_)?([0-9a-f]{4})[|_]([0-9a-f]{4})(?:_\w+)?", re.IGNORECASE)
"""Keys as SimpleITK and ITK write them into NRRD and MetaImage (0008|103e), and dcm2niix into NRRD
(DICOM_0018_0087_MagneticFieldStrength)."""
SPLIT_TYPE = re.compile(r"(?<![^\\])(T1|T2|M)\\(MAP|FFE|SE)(?![^\\])")
"""dcm2niix divides the values of ImageType also at their underscores: T1_MAP, M_FFE."""


def told_by_keys(keys: Mapping[str, str]) -> dict[str, str]:
    """The values of KEYWORDS that a header's own keys hold, by keyword: under their tags, the field strength also under
    its name. MetaImage has keys of its own with the other names.
    """
    tags = {key: match for key in keys if (match := TAG.fullmatch(key))}
    named = {FIELD_STRENGTH: keys.get(FIELD_STRENGTH, "")}
    return _told({**named, **{keyword_for_tag(int(match[1] + match[2], 16)): keys[key] for key, match in tags.items()}})


def told_by_json(values: Mapping[str, Any]) -> dict[str, str]:
    """The values of KEYWORDS in a JSON file as dcm2niix and BIDS have it, by keyword."""
    return _told({OTHER_NAMES.get(name, name): value for name, value in values.items()})


def another_image_in(told: Mapping[str, str]) -> str:
    """What speaks against a T1 map, as in a DICOM header; "" where nothing does."""
    score = judge_header(_header(told), post_contrast=True)
    return score.reasons[-1].removesuffix(" (-5)") if score.against else ""


def tells_of_contrast(told: Mapping[str, str]) -> bool:
    return contrast_in(_header(told)) is not None


def _told(values: Mapping[str, Any]) -> dict[str, str]:
    texts = {keyword: _text(values[keyword]) for keyword in KEYWORDS if keyword in values}
    return {keyword: text for keyword, text in texts.items() if text}


def _text(value: object) -> str:
    """As DICOM writes it, with backslashes between several, which NRRD doubles; "" for what is no text or number."""
    several = value if isinstance(value, list) else [value]
    texts = [str(each) for each in several if isinstance(each, str | int | float) and not isinstance(each, bool)]
    return re.sub(r"\\+", r"\\", "\\".join(texts)).strip()


def _header(told: Mapping[str, str]) -> pydicom.Dataset:
    header = pydicom.Dataset()
    with disable_value_validation():
        for keyword, text in told.items():
            if keyword == "ImageType":
                header.ImageType = SPLIT_TYPE.sub(r"\1_\2", text.upper()).split("\\")
            elif keyword != FIELD_STRENGTH:  # no number, and of no weight here
                setattr(header, keyword, text)
    return header
