"""By which signs of a header an image is known as a native T1 map."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes
from pydicom.uid import MultiFrameGrayscaleWordSecondaryCaptureImageStorage

from ACNetLib.dicom.score import FIXED_T1_CODE, T1_QUANTITY_CODES, contrast_in, judge_header
from dicom_files import T1_MAP_TYPE, item, mapping, write_image

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
        ({"ImageType": ["DERIVED", "PRIMARY", "MAGNITUDE"], "SeriesDescription": "T1 Map MOLLI SAX"}, False),
        ({"ImageType": PROCESSED, "SeriesDescription": "T1 map [Loc:1] Post SAx MOLLI 4(1)3(1)2"}, False),
        ({"ImageType": PROCESSED, "SeriesDescription": "T1 map 15 min"}, False),
        ({"ImageType": PROCESSED, "SeriesDescription": "T2 map [Loc:1] SAx"}, False),
        ({"ImageType": RAW_TYPE, "SeriesDescription": "ORIG [Loc:1] Pre SAx MOLLI 5(3)3"}, False),
        ({"ImageType": RAW_TYPE, "SeriesDescription": "SASHA_SAX_T1", "ImageComments": "T1 Map"}, True),
        ({"SeriesDescription": "ShMOLLI_SAX_FITPARAMS", "ImageType": RAW_TYPE, "ImageComments": "T1 Map"}, False),
        ({"ImageType": T1_MAP_TYPE, "Modality": "CT"}, False),
        ({"ImageType": ["DERIVED", "PRIMARY", "T2_STAR_MAP"], "SeriesDescription": "T1 map protocol"}, False),
        ({"ImageType": [*T1_MAP_TYPE, "T2"], "ImageComments": "T1 Map"}, False),
        ({"ImageType": [*T1_MAP_TYPE, "MOSAIC"]}, False),
        ({"ImageType": [*T1_MAP_TYPE, "SCREEN SAVE"]}, False),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREENSHOT"], "ImageComments": "T1 Map"}, False),
        ({"ImageType": T1_MAP_TYPE, "BurnedInAnnotation": "YES"}, False),
        ({"ImageType": T1_MAP_TYPE, "BurnedInAnnotation": "NO"}, True),
        ({"ImageType": T1_MAP_TYPE, "SOPClassUID": MultiFrameGrayscaleWordSecondaryCaptureImageStorage}, False),
    ],
)
def test_an_image_is_known_as_a_t1_map_by_its_type_description_and_comments(
    attributes: dict[str, Any], is_map: bool, tmp_path: Path
) -> None:
    assert judge_header(header(tmp_path, **attributes)).is_t1_map == is_map


def test_the_score_is_the_sum_of_its_reasons(tmp_path: Path) -> None:
    score = judge_header(header(tmp_path, ImageComments="T1 Map", Modality="CT"))
    assert score.reasons == (
        "ImageType T1 MAP (+3)",
        "SeriesDescription ends in _MOCO_T1 (+3)",
        "ImageComments name a T1 map (+2)",
        "Modality CT (-5)",
    )
    assert (score.points, score.against, score.is_t1_map) == (3, True, False)


CONTRAST = [
    {"ContrastBolusAgent": "Gadobutrol"},
    {"ContrastBolusAgent": "0.1 mmol/kg Gadobutrol"},
    {"ContrastBolusAgent": "Novel agent"},
    {"ContrastBolusAgent": "non-ionic, 10 ml"},
    {"ContrastBolusAgent": "X"},
    {"ContrastBolusAgent": "ANONYMIZED", "ContrastBolusVolume": "12"},
    {"ContrastBolusAgent": "[REMOVED]", "ContrastBolusTotalDose": "0.2"},
    {"ContrastBolusAgentSequence": [item(CodeValue="387361003", CodingSchemeDesignator="SCT", CodeMeaning="Gd")]},
    {"SeriesDescription": "MOLLI T1Map_ShortT1 SA_mid_MOCO_T1"},
    {"SeriesDescription": "T1Map postcontrast SA_mid_MOCO_T1"},
    {"SeriesDescription": "T1Map_post15_SA_mid_MOCO_T1"},
    {"SeriesDescription": "T1Map PRE POST SA_mid_MOCO_T1"},
    {"SeriesDescription": "T1Map with contrast_MOCO_T1"},
    {"ImageComments": "T1 map after contrast"},
]
NO_CONTRAST = [
    *(
        {"ContrastBolusAgent": text}
        for text in ("None", "no contrast given", "NO", "not given", "n/a", "-", "0", "0 ml")
    ),
    *({"ContrastBolusAgent": text} for text in ("without contrast", "kein KM", "", None)),
    *({"ContrastBolusAgent": text, "ContrastBolusVolume": "0"} for text in ("ANONYMIZED", "[REMOVED]", "***", "xxx")),
    {"SeriesDescription": "T1Map postpone SA_mid_MOCO_T1"},
    {"SeriesDescription": "T1Map posterior wall_MOCO_T1"},
    {"SeriesDescription": "T1Map post-processed_MOCO_T1"},
    {"SeriesDescription": "T1Map no contrast_MOCO_T1"},
    {"SeriesDescription": "T1Map pre gado_MOCO_T1"},
    {"SeriesDescription": "T1Map not post contrast_MOCO_T1"},
    {"ImageComments": "T1 map, no contrast given"},
]


@pytest.mark.parametrize("comments", [None, "T1 Map"])
@pytest.mark.parametrize("attributes", CONTRAST)
def test_contrast_speaks_against_a_map_whatever_speaks_for_it_unless_it_is_asked_for(
    attributes: dict[str, Any], comments: str | None, tmp_path: Path
) -> None:
    after_contrast = header(tmp_path, **{"ImageComments": comments, **attributes})
    score = judge_header(after_contrast)
    assert (score.is_t1_map, score.post_contrast) == (False, True)
    assert judge_header(after_contrast, post_contrast=True).is_t1_map


@pytest.mark.parametrize("attributes", NO_CONTRAST)
def test_words_that_deny_contrast_or_only_begin_like_it_are_no_contrast(
    attributes: dict[str, Any], tmp_path: Path
) -> None:
    score = judge_header(header(tmp_path, **attributes))
    assert (score.is_t1_map, score.post_contrast) == (True, False)


DESCRIPTIONS = {
    "native": [
        *(
            "T1map native",
            "T1 map pre contrast",
            "T1map precontrast",
            "T1map (before Gd)",
            "T1map Gd-free",
            "T1map no gad",
        ),
        *("T1map without Gadovist", "T1 map nativ vor KM", "T1map prae KM", "T1map sans contraste", "T1map pre-Gd"),
        *("T1 map NON CONTRAST", "T1map noncontrast", "T1map no IV contrast", "T1map w/o contrast", "T1map unenhanced"),
        *("T1map non post", "T1map pre LGE", "T1Map_LongT1_PostProcessed", "T1map post proc", "T1map post moco"),
        *("T1map post MI", "T1map (post MI day 3)", "T1map post-op", "T1map postoperative", "T1map post transplant"),
        *("T1map post HTx", "post PCI T1map", "T1map post NSTEMI", "T1map posterolateral"),
        *("T1map 2 min breathhold", "T1map 2 min. breath-hold", "T1map 10 mm", "T1map_192i", "T1map_minor axis"),
        *("T1 map native ECV protocol", "T1map for ECV", "T2prep SASHA T1map"),
        *("T1 mapping nativ KM", "T1map_native_SAX_CE-", "T1map_CE-_MOCO_T1", "T1 map C-", "T1 mapping KM nativ SAX"),
        *(
            "T1 map native LGE protocol",
            "T1 map senza mdc",
            "T1 map pre mdc",
            "T1 map prima di mdc",
            "T1 map natif gado",
        ),
        *("T1 map avant injection", "T1 map sans injection", "T1 map vor Injektion", "T1 map senza contrasto"),
        *("MOLLI T1map pré-gado", "MOLLI T1map prégado", "MOLLI T1map pre\u0301-gado", "T1 mapping pre-CE T1map"),
        *("T1map PRÉ-CE", "T1map no CE", "T1map nonCE", "T1map pré contraste", "T1map avant l'injection de gado"),
        *("T1map avant l\u2019injection", "T1map pré-inj", "T1map non injecté", "T1map sans gado", "T1map sans PDC"),
        *(
            "T1map vor KM",
            "T1map ohne KM",
            "T1map KM-frei",
            "T1map präKM",
            "T1map pra\u0308 KM",
            "T1map vor der KM-Gabe",
        ),
        *("T1map natives KM", "T1map sin gadolinio", "T1map antes de la inyección", "T1map antes del gadolinio"),
        *("T1map senza gadolinio", "T1map prima dell'iniezione", "T1map senza mezzo di contrasto", "T1map blanco Gd"),
        *("T1map zonder contrast", "T1map zonder gado", "T1map voor gado", "T1map natief KM", "T1map geen KM"),
        *("MDC_T1map SAX", "T1map SAX C1", "T1map MAGIC+", "T1map base+mid", "T1map SAX iPAT_R2", "T1map GRAPPA R2"),
        *("T1_T2_MAP SAX", "T1map T2map", "T1map R2", "T1map ECV", "MOLLI_ECV_pre_SAX_MOCO_T1"),
    ],
    "contrast": [
        *(
            "T1map 15 minutes",
            "T1map 15 mins",
            "T1map 15min",
            "T1map_15_min",
            "T1map 10 Min.",
            "T1map 20 Minuten",
            "T1map 20'",
        ),
        *("T1map after Gd", "T1map_Gd", "T1map +Gd", "T1map with Gadavist", "T1map_Dotarem", "T1map apres gado"),
        *(
            "T1 map nach KM",
            "T1 map mit KM",
            "T1 map nach Kontrastmittel",
            "T1map avec contraste",
            "T1map con contraste",
        ),
        *(
            "T1map CE",
            "T1map p.c.",
            "T1map LGE",
            "T1map late enhancement",
            "T1map contrast enhanced",
            "T1map with contrast",
        ),
        *(
            "T1MAPPOST",
            "T1map_post",
            "T1map post 15",
            "T1map Post SAx",
            "T1map post mid",
            "T1map post-con",
            "T1map_postGd",
        ),
        *("T1map post MI post contrast", "T1map post MI 15 min", "T1map post MI nach KM", "T1map pre and post"),
        *("T1 map C+", "T1 map +C", "T1map_C+_SAX", "T1map (+C)", "T1 map apres injection", "T1 map après injection"),
        *("T1 map con mdc", "T1 map dopo mdc", "T1 map post-mdc", "T1 map dopo m.d.c.", "T1 map nach Injektion"),
        *("T1 map con contrasto", "T1 map dopo gadolinio", "T1 map despues de inyeccion +C", "T1map SAX CE+"),
        *("T1 map native post KM", "T1 mapping nativ nach KM", "T1 map native 15 min", "T1 map native +Gd"),
        *("T1map ECV protocol post", "T1map_pre_contrast_post_gado", "T1map_no_post_15min", "T1map ShortT1"),
        *(
            "T1map pre-CE CE",
            "T1map pré et post gado",
            "T1map avant-après gado",
            "T1map après l'injection",
            "T1map injecté",
        ),
        *(
            "T1map avec produit de contraste",
            "T1map avec et sans gado",
            "T1map sans et avec contraste",
            "T1map apres inj",
        ),
        *(
            "T1map mit und ohne KM",
            "T1map vor und nach KM",
            "T1map nach der Injektion",
            "T1map with and without contrast",
        ),
        *("T1map poscontraste", "T1map después de la inyección", "T1map con y sin contraste", "T1map tras gado"),
        *("T1map con e senza mdc", "T1map dopo l'iniezione", "T1map con mezzo di contrasto", "T1map senza/con mdc"),
        *("T1map met contrast", "T1map na gado", "T1map na injectie", "T1map met en zonder contrast", "T1map 15\u2019"),
        "T1map post ECV",
    ],
    "other": [
        *(
            "T1map error",
            "T1map errors",
            "T1map errormap",
            "T1map_ERR",
            "T1map stdev",
            "T1map std dev",
            "T1map std_dev",
        ),
        *("T1map standard deviation", "T1map SD", "T1map R1", "T1map_R1map", "T1map T1star", "T1map T1*"),
        *("T1map_ECVmap", "T1map ECV_MAP", "T1map_syntheticECV", "syntheticECVmap T1map", "ECV_from_T1map"),
        *("T1map T2*", "T1map residual", "T1map chi2", "T1map post ECV map", "T1map 15 min error"),
    ],
}
AGENTS = {
    "native": [
        *("NON CONTRAST", "non-contrast", "noncontrast", "Non", "native", "nativ", "natif", "nein", "aucun", "aucune"),
        *("natief", "nativo", "senza", "nessuno", "ningún", "zonder", "geen", "nee", "pré-gado", "non injecté"),
        *("unenhanced", "UNENHANCED", "none", "None given", "no", "No contrast", "no Gadovist", "kein KM", "keine"),
        *(
            "not applicable",
            "pre contrast",
            "PRE",
            "nil",
            "nihil",
            "N",
            "NA",
            "n/a",
            "off",
            "0",
            "0.0",
            "0,0 ml",
            "...",
            " ",
        ),
    ],
    "contrast": [
        *(
            "NO. 5 Gadovist",
            "No.5 agent",
            "N gadoterate",
            "without side effects: Gadovist",
            "none of the usual: Dotarem",
        ),
        *("0 Gadovist", "0.1 mmol/kg Gadovist", "0,1 ml/kg Dotarem", "Gd", "YES", "Kontrast", "Novist", "Naprodox"),
        *("Nogado", "Nativist", "Non-ionic", "Noncovist", "Nonagado", "Sinovist", "Offgad", "unknown"),
        *("Senzavist", "Neegad", "CE", "nach KM"),
    ],
}


@pytest.mark.parametrize(
    ("kind", "keyword", "text"),
    [
        *((kind, "SeriesDescription", text) for kind, texts in DESCRIPTIONS.items() for text in texts),
        *((kind, "ContrastBolusAgent", text) for kind, texts in AGENTS.items() for text in texts),
    ],
)
def test_words_tell_a_native_map_from_one_after_contrast_and_from_other_images(
    kind: str, keyword: str, text: str, tmp_path: Path
) -> None:
    named = {"SpecificCharacterSet": "ISO_IR 192", "SeriesDescription": "T1map", keyword: text}
    score = judge_header(header(tmp_path, **named))
    found = "native" if score.is_t1_map else "contrast" if score.post_contrast else "other"
    assert found == kind, score.reasons


@pytest.mark.parametrize(
    ("names", "is_native"),
    [
        ({"ProtocolName": "MOLLI_post_Gd"}, False),
        ({"ProtocolName": "MOLLI_post_Gd", "SeriesDescription": None}, False),
        ({"ProtocolName": "MOLLI_post_Gd", "SeriesDescription": "MOLLI_pre_MOCO_T1"}, True),
        ({"ProtocolName": "MOLLI KM", "SeriesDescription": "MOLLI nativ_MOCO_T1"}, True),
        ({"ProtocolName": "Heart with contrast", "Manufacturer": "GE MEDICAL SYSTEMS"}, True),
    ],
)
def test_the_name_of_a_protocol_tells_of_contrast_where_it_is_the_series_own_and_the_description_tells_nothing(
    names: dict[str, Any], is_native: bool, tmp_path: Path
) -> None:
    assert judge_header(header(tmp_path, **names)).is_t1_map == is_native


@pytest.mark.parametrize(
    ("description", "comments", "is_map"),
    [
        ("T1_T2_MAP SAX_MOCO_T1", None, False),
        ("T1map R2_MOCO_T1", None, False),
        ("MOLLI_ECV_pre_SAX_MOCO_T1", None, False),
        ("MOLLI SAX iPAT_R2_MOCO_T1", None, True),
        ("MOLLI SAX_MOCO_T1", "R2", False),
    ],
)
def test_t2_r2_and_ecv_speak_against_an_image_whose_type_does_not_tell_that_it_is_the_map(
    description: str, comments: str | None, is_map: bool, tmp_path: Path
) -> None:
    texts = {"SeriesDescription": description, "ImageComments": comments}
    assert judge_header(header(tmp_path, ImageType=["DERIVED", "PRIMARY"], **texts)).is_t1_map == is_map


@pytest.mark.parametrize("text", ["SIN" + "-" * 20_000, "NO IV " + "- " * 10_000, "CON " + "DE LA " * 5_000])
def test_a_long_description_takes_no_long_time(text: str) -> None:
    described, start = item(ImageComments=text), time.process_time()
    assert contrast_in(described) is None
    assert time.process_time() - start < 5


def test_t2_and_r2_in_type_or_comments_speak_against_every_image(tmp_path: Path) -> None:
    assert not judge_header(header(tmp_path, ImageType=[*T1_MAP_TYPE, "R2"])).is_t1_map
    assert not judge_header(header(tmp_path, ImageType=T1_MAP_TYPE, ImageComments="R2")).is_t1_map


@pytest.mark.parametrize(("code", "is_map"), [("113063", True), ("126350", True), ("126351", True), ("126352", False)])
def test_t1_of_a_fixed_value_is_no_measured_t1(code: str, is_map: bool, tmp_path: Path) -> None:
    concept = item(CodeValue=code, CodingSchemeDesignator="DCM", CodeMeaning="T1")
    quantity = item(ValueType="CODE", ConceptCodeSequence=[concept])
    mappings = [mapping("ms", 1.0, QuantityDefinitionSequence=[quantity])]
    score = judge_header(
        header(tmp_path, ImageType=PROCESSED, SeriesDescription="Maps", RealWorldValueMappingSequence=mappings)
    )
    assert score.is_t1_map == is_map


def test_the_code_of_a_fixed_t1_is_that_of_the_standard() -> None:
    assert codes.DCM.T1ByFixedValue.value == FIXED_T1_CODE
    by_measurement = (codes.DCM.T1, codes.DCM.T1ByMultipleFlipAngles, codes.DCM.T1ByInversionRecovery)
    assert {code.value for code in by_measurement} == T1_QUANTITY_CODES
