"""How much the header of a DICOM image speaks for a native T1 map, with the reasons.

The points follow what scanners write: Siemens names the map in ImageType and ends its description in _MOCO_T1; Philips
keeps map and magnitude in one series and tells them apart by ImageType; ShMOLLI (UK Biobank) by ImageComments; GE
derives a series whose description names the map; Parametric Map objects carry a quantity and a unit.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import pydicom
from pydicom.config import disable_value_validation
from pydicom.uid import (
    MRImageStorage,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    MultiFrameSingleBitSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
)

from ACNetLib.dicom.sequences import protocol_name
from ACNetLib.dicom.values import TIME_UNITS_MS, mapping_of, unit_of, values_of

# A sign alone reaches it only where scanners give it to nothing but the map: raw MOLLI series too are called "T1Map".
T1_MAP_SCORE = 3

T1_MAP_TYPES = {"T1 MAP", "T1MAP", "T1_MAP"}
"""Values of ImageType that scanners give to nothing else."""
OTHER_QUANTITIES = {
    "T2": "T2",
    "T2STAR": "T2*",
    "T1STAR": "T1*",
    **dict.fromkeys(("ECV", "ECVIMAGE"), "ECV"),
    **dict.fromkeys(("ERR", "ERROR", "ERRORS"), "the error of a fit"),
    **dict.fromkeys(("SD", "STDEV"), "a standard deviation"),
    "R1": "R1",
    "R2": "R2",
    **dict.fromkeys(("FITPARAMS", "RESIDUAL", "RESIDUALS", "CHI2"), "parameters of a fit"),
    "MAG": "a magnitude image",
    "PSIR": "a PSIR image",
    "CINE": "a cine",
}
"""By words, also with "map" behind them, of ImageType, description and comments."""
NAMED_BESIDE_T1 = {"T2", "R2", "ECV"}
"""Protocols may be named after these too ("T1_T2_MAP", "MOLLI_ECV_pre"): beside ImageType T1 MAP they don't count in
the description."""
SPELLINGS = (
    (re.compile(r"(T[12])(\*|[ _-]?STAR(?![A-Z]))"), r"\1STAR"),
    (re.compile(r"ST(D|ANDARD)[ _-]*DEV(IATION)?|STDDEV"), "STDEV"),
    (re.compile(r"(?<=[A-Z])ECV(?=MAP|[^A-Z]|$)"), " ECV"),  # syntheticECV
    (re.compile(r"SYNTH(ETIC)?[ _-]*ECV|(?<![A-Z])ECV[ _-]*(MAP|FROM)(?![A-Z])"), " ECVIMAGE "),  # no protocol's name
    (re.compile(r"(IPAT|GRAPPA|SENSE)[ _-]*R[ _=-]?\d"), " "),  # an acceleration is no relaxation rate
)
MEANT_FOR_ECV = re.compile(r"(?<![A-Z])FOR[ _-]*ECV|ECV[ _-]*PROT(OCOL)?(?![A-Z])", re.IGNORECASE)
"""The native map, too, is measured for the extracellular volume."""
T1_QUANTITY_CODES = {"113063", "126350", "126351"}  # DCM: T1; by multiple flip angles; by inversion recovery
FIXED_T1_CODE = "126352"  # DCM: T1 by a fixed value, as put into a calculation
PICTURE_BITS = 8
PICTURE_STORAGE = {
    SecondaryCaptureImageStorage,
    MultiFrameSingleBitSecondaryCaptureImageStorage,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
}
SCREENSHOT_TYPES = re.compile(r"SCREEN ?(SHOT|SAVE|CAPTURE)|SECONDARY CAPTURE")

# Words for contrast, in English, German, French, Spanish, Italian and Dutch, without accents (see `_plain`). Names of
# agents tell of it by themselves.
_AGENT = (
    r"(GADO[A-Z]*|GADA[A-Z]*|GAD(?![A-Z])|GD(?![A-Z])|KM(?![A-Z])|LGE(?![A-Z])|KONTRASTM[A-Z]*|DOTAREM|MAGNEVIST|OMNISCAN|PROHANCE|"
    r"MULTIHANCE|CLARISCAN|PRIMOVIST|EOVIST|ELUCIREM|VUEWAY)"
)
_AGENT_OR_CE = rf"({_AGENT}|CE(?![A-Z]))"
_INJECTED = r"INJECTE[DE]?(?![A-Z])"
_CONTRAST = (
    r"(((PRODUIT|MEZZO|MEDIO)[ _-]+D[EI][ _-]+)?[CK]ONTRAST[A-Z]*|INJE[CK]TI(ON|E)(?![A-Z])|INJ(?![A-Z])|"
    rf"{_INJECTED}|INYECCION|INIEZIONE|[MP]DC(?![A-Z])|M\.D\.C\.)"
)
_DENIED = (
    r"(NO|NON|NOT|WITHOUT|W/O|BEFORE|PRE|PRIOR[ _-]TO|OHNE|KEIN[A-Z]*|VOR|PRAE?|SANS|AVANT|AUCUNE?|SIN|ANTES|NINGUNA?|"
    r"SENZA|PRIMA|NESSUNA?|ZONDER|GEEN|VOOR)"
)
_GIVEN = r"(WITH|AFTER|MIT|NACH|AVEC|APRES|CON|TRAS|POS|DESPUES|DOPO|MET|NA)"
_THE = r"[ _-]*+((D(E[LMRS]?|ELLA|ELL|I|U)?|L[AE]?|IL|EL|THE|HET)['_ -]++)*+"
_INTRAVENOUS = r"(I\.?V\.?[ _-]++)?"
_NOT_OF_CONTRAST = (
    r"(PROC|MOCO|HOC|(N?ST?E|A)?MI(?![A-Z])|INFARCT|OP(?![A-Z])|OPERAT|SURG|H?TX(?![A-Z])|TRANSPLANT|PCI|CABG|TAV[IR]|ABLATION|"
    r"VACC|COVID|CHEMO|RADIATION|THERAP|TREATMENT|PARTUM|MORTEM)"
)
NAMED_AGENT = re.compile(rf"(?<![A-Z]){_AGENT}", re.IGNORECASE)
NO_CONTRAST = re.compile(
    rf"(?<![A-Z])({_DENIED}{_THE}{_INTRAVENOUS}({_CONTRAST}({_THE}(?<=[ _'-]){_AGENT})?|(?<=[ _'-]){_AGENT_OR_CE})|"
    rf"(PRE|PRAE?|NON){_AGENT_OR_CE}|"
    rf"({_CONTRAST}|{_AGENT})[ _-]*FRE[EI](?![A-Z])|({_AGENT}|CE|C)-(?=_|\W*$)|"
    rf"(NO|NON|NOT|WITHOUT|W/O)[ _-]*POST[A-Z]*)",
    re.IGNORECASE,
)
WITH_AND_WITHOUT = re.compile(
    rf"(?<![A-Z]){_GIVEN}[ _-]*(AND|UND|ET|EN|Y|E|[/&+])[ _-]*{_DENIED}(?![A-Z])", re.IGNORECASE
)
"""Its map may be from after contrast."""
NO_AGENT = re.compile(
    r"((NO|NONE|NOT|NIL|N/A|WITHOUT|W/O|NEIN|OHNE|KEIN[A-Z]*|AUCUNE?|SANS|SIN|NINGUN[OA]?|SENZA|NESSUN[OA]?|NEE|ZONDER|GEEN|"
    r"NATI(V[EOA]?|E?F)|UNENHANCED|NON[ _-]?ENHANCED)"
    r"(?![\w-]|\. ?\d)|(N|NA|NON|PRE|NIHIL|FALSE|OFF|0+([.,]0*)?( ?ML)?|[-./]+)$)",
    re.IGNORECASE,
)
"""What people write where no contrast was given; "No. 5" counts something."""
REPLACED = re.compile(
    r"\W*+(ANONYM\w*|PSEUDONYM\w*|DE-?IDENTIFIED|REMOVED|REDACTED|CLEARED|CONFIDENTIAL|HIDDEN|XX+)\W*+|\*\*+",
    re.IGNORECASE,
)
"""What programs that make images anonymous write in the place of a text."""
NATIVE = re.compile(r"(?<![A-Z])(NATI(V(E[NRS]?|[OA])?|E?F)|BLANCO)(?![A-Z])", re.IGNORECASE)
TOLD_NATIVE = re.compile(rf"{NATIVE.pattern}|(?<![A-Z])PRE(CON)?(?![A-Z])|{NO_CONTRAST.pattern}", re.IGNORECASE)
"""A description that says so wins over the name of a protocol, which may be older."""
NAMES_CONTRAST = re.compile(rf"(?<![A-Z]){_AGENT_OR_CE}", re.IGNORECASE)
"""Of an exam with contrast the native map may be so named, too: "nativ KM"."""
AFTER_CONTRAST = re.compile(
    rf"((?<![A-Z])|(?<=MAP))POST(?!PON|ER[IO]|URE|[ _-]*{_NOT_OF_CONTRAST})|"
    rf"(?<![A-Z])({_GIVEN}{_THE}{_INTRAVENOUS}({_CONTRAST}|{_AGENT})|{_INJECTED}|P\.C\.|C\+)|"
    rf"\+ ?{_AGENT}|\+C(?![A-Z0-9])|"
    r"CONTRAST[ _-]*ENHANCED|(LATE|DELAYED)[ _-]*(GAD|ENHANCE)|SHORT[ _]?T1|"
    r"\d[ _-]?MIN(S|UTEN?|UTES)?(?![A-Z])(?!\.?[ _-]*(BREATH|BH(?![A-Z])))|\d ?['\u2032](?!['\w])",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class HeaderScore:
    """Points for a native T1 map in ms, and their reasons.

    `against` tells that something speaks against it, which no sign outweighs; `post_contrast` that contrast does and
    nothing else.
    """

    points: int
    reasons: tuple[str, ...]
    against: bool
    post_contrast: bool

    @property
    def is_t1_map(self) -> bool:
        return self.points >= T1_MAP_SCORE and not self.against


def judge_header(header: pydicom.Dataset, post_contrast: bool = False) -> HeaderScore:
    """The score of one image's header (of one frame's, see `frames.frame_headers`).

    With `post_contrast`, contrast does not speak against the image.
    """
    signs, others, contrast = _signs(header), _other_images(header), contrast_in(header)
    points = sum(points for points, _ in signs + others)
    reasons = [f"{reason} ({value:+d})" for value, reason in signs + others]
    after_contrast = contrast is not None and not others and points >= T1_MAP_SCORE
    if contrast and not post_contrast:
        points -= 5
        reasons.append(f"{contrast} (-5)")
    against = bool(others) or (contrast is not None and not post_contrast)
    return HeaderScore(points, tuple(reasons), against, after_contrast)


def names_another_image(sop_class: str, image_type: str, description: str) -> bool:
    """Whether these three attributes speak against a T1 map already, whatever else the header says.

    image_type: its values with backslashes between. They decide only for an object of one frame: the frames of others
    have a type each. Without ImageType a description may mean less than it seems to, see NAMED_BESIDE_T1.
    """
    if sop_class != MRImageStorage or not image_type:
        return False
    header = pydicom.Dataset()
    with disable_value_validation():
        header.ImageType, header.SeriesDescription = image_type.split("\\"), description
        return bool(_other_images(header))


def _signs(header: pydicom.Dataset) -> list[tuple[int, str]]:
    """What speaks for a T1 map."""
    image_type = _image_type(header)
    description = str(header.get("SeriesDescription", "")).strip()
    signs = []
    if T1_MAP_TYPES.intersection(image_type):
        signs.append((3, "ImageType T1 MAP"))
    if re.search(r"_MOCO_T1$", description, re.IGNORECASE):
        signs.append((3, "SeriesDescription ends in _MOCO_T1"))
    elif re.search(r"T1[ _-]?MAP|SASHA.*T1", description, re.IGNORECASE):
        signs.append((2, "SeriesDescription names a T1 map"))
        # Raw and registered magnitude images too carry the protocol's name.
        if "DERIVED" in image_type and not {"M", "MAGNITUDE"} & {*image_type}:
            signs.append((1, "ImageType DERIVED"))
    if re.search(r"T1 ?MAP", str(header.get("ImageComments", "")), re.IGNORECASE):
        signs.append((2, "ImageComments name a T1 map"))
    if _quantity(header) in T1_QUANTITY_CODES:
        signs.append((3, "real world values of the quantity T1"))
    elif any(re.search(r"T1[ _-]?MAP|^T1$", label, re.IGNORECASE) for label in _value_labels(header)):
        signs.append((2, "real world values labelled T1"))
    unit = unit_of(mapping_of(header))
    if unit in TIME_UNITS_MS:
        signs.append((1, f"real world values in {unit}"))
    return signs


def _other_images(header: pydicom.Dataset) -> list[tuple[int, str]]:
    """What speaks for another kind of image."""
    others = []
    kinds = _other_quantities(header)
    if kinds:
        others.append((-5, f"named {' and '.join(kinds)}"))
    elif any(value.startswith("M_") for value in _image_type(header)):  # Philips: M_FFE, M_SE
        others.append((-5, "a magnitude image"))
    modality = str(header.get("Modality", "MR"))
    if modality not in {"MR", "OT", ""}:  # a parametric map may be of modality "other"
        others.append((-5, f"Modality {modality}"))
    if (
        str(header.get("PhotometricInterpretation", "")).startswith(("RGB", "YBR", "PALETTE"))
        or header.get("BitsAllocated") == PICTURE_BITS
        or header.get("SOPClassUID") in PICTURE_STORAGE
    ):
        others.append((-5, "a colour or 8-bit picture"))
    if any(SCREENSHOT_TYPES.search(value) for value in _image_type(header)) or _is_burned_in(header):
        others.append((-5, "a screenshot"))
    if "MOSAIC" in _image_type(header):
        others.append((-5, "a mosaic, several slices in one image"))
    if _quantity(header) == FIXED_T1_CODE:
        others.append((-5, "T1 of a fixed value, not measured"))
    unit = unit_of(mapping_of(header))
    if header.get("SOPClassUID") == ParametricMapStorage and unit not in TIME_UNITS_MS:
        others.append((-5, f"real world values in {unit or 'no unit'}, not in ms or s"))
    return others


def contrast_in(header: pydicom.Dataset) -> str | None:
    """What tells that the image is from after contrast."""
    administered = str(header.get("ContrastBolusAgentAdministered", "")).upper()
    if administered != "NO":
        agent = "" if agent_was_replaced(header) else _plain(header.get("ContrastBolusAgent")).strip()
        without_denials = NO_CONTRAST.sub("", agent).strip()
        if without_denials and (NAMED_AGENT.search(without_denials) or not NO_AGENT.match(agent)):
            return "ContrastBolusAgent is set: after contrast"
        if administered == "YES" or header.get("ContrastBolusAgentSequence") or _has_dose_of_replaced_agent(header):
            return "a contrast agent was administered: after contrast"
    for keyword in ("SeriesDescription", "ImageComments", "ContentDescription"):
        if _tells_of_contrast(_plain(header.get(keyword))):
            return f"{keyword} tells of contrast"
    if not TOLD_NATIVE.search(_plain(header.get("SeriesDescription"))) and _tells_of_contrast(
        _plain(protocol_name(header))
    ):
        return "ProtocolName tells of contrast"
    return None


def agent_was_replaced(header: pydicom.Dataset) -> bool:
    """Whether the name of the contrast agent was replaced to make the image anonymous, as an agent "none" is, too."""
    return bool(REPLACED.fullmatch(str(header.get("ContrastBolusAgent") or "").strip()))


def _has_dose_of_replaced_agent(header: pydicom.Dataset) -> bool:
    doses = (str(header.get(keyword) or "") for keyword in ("ContrastBolusVolume", "ContrastBolusTotalDose"))
    return agent_was_replaced(header) and any(re.search("[1-9]", dose) for dose in doses)


def _tells_of_contrast(text: str) -> bool:
    if WITH_AND_WITHOUT.search(text):
        return True
    text = NO_CONTRAST.sub("", text)
    return bool(AFTER_CONTRAST.search(text) or (NAMES_CONTRAST.search(text) and not NATIVE.search(text)))


def _plain(text: object) -> str:
    """Without accents, however they are written, and with plain apostrophes; "" for None."""
    letters = unicodedata.normalize("NFD", str(text or "").replace("\u2019", "'"))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _other_quantities(header: pydicom.Dataset) -> list[str]:
    image_type = _image_type(header)
    described = _words(header.get("SeriesDescription") or protocol_name(header))
    if T1_MAP_TYPES.intersection(image_type):
        described = [word for word in described if word not in NAMED_BESIDE_T1]
    words = [*_words(" ".join(image_type)), *described, *_words(header.get("ImageComments"))]
    return list(dict.fromkeys(OTHER_QUANTITIES[word] for word in words if word in OTHER_QUANTITIES))


def _words(text: object) -> list[str]:
    text = MEANT_FOR_ECV.sub("", str(text or "")).upper()
    for spelling, word in SPELLINGS:
        text = spelling.sub(word, text)
    return [word.removesuffix("MAP") for word in re.split(r"[^A-Z0-9]+", text)]


def _is_burned_in(header: pydicom.Dataset) -> bool:
    return str(header.get("BurnedInAnnotation", "")).upper() == "YES"


def _image_type(header: pydicom.Dataset) -> list[str]:
    return [str(value).upper() for value in values_of(header, "ImageType")]


def _quantity(header: pydicom.Dataset) -> str | None:
    """The code of the quantity that the real world values measure."""
    for item in mapping_of(header).get("QuantityDefinitionSequence") or []:
        for code in item.get("ConceptCodeSequence") or []:
            if code.get("CodingSchemeDesignator") == "DCM":
                return str(code.get("CodeValue", ""))
    return None


def _value_labels(header: pydicom.Dataset) -> list[str]:
    mapping = mapping_of(header)
    return [
        *(str(mapping.get(keyword, "")).strip() for keyword in ("LUTLabel", "LUTExplanation")),
        str(header.get("ContentDescription", "")).strip(),
    ]
