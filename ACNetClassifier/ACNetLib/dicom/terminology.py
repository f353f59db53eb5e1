"""What the segments of a result show, in the codes of DICOM PS3.16: for the scene and for DICOM objects."""

from __future__ import annotations

from dataclasses import dataclass

from ACNetLib.ventricle.labels import CAVITY_LABEL, MYOCARDIUM_LABEL, SEPTUM_LABEL

Code = tuple[str, str, str]
"""Scheme, value and meaning, as in DICOM PS3.16."""

NO_CODE: Code = ("", "", "")

SPATIAL_CONCEPT: Code = ("SCT", "309825002", "Spatial and Relational Concept")
ANATOMICAL_STRUCTURE: Code = ("SCT", "123037004", "Anatomical Structure")
TISSUE: Code = ("SCT", "85756007", "Tissue")
SALIENCY: Code = ("DCM", "130404", "Saliency")
LEFT_VENTRICLE: Code = ("SCT", "87878005", "Left ventricle")
HEART: Code = ("SCT", "80891009", "Heart")
NO_UNITS: Code = ("UCUM", "1", "no units")


@dataclass(frozen=True)
class Terminology:
    """What a segment shows: DICOM's property category and type, and the region where the type is no anatomy."""

    category: Code
    kind: Code
    region: Code = NO_CODE


ATTENTION = Terminology(SPATIAL_CONCEPT, SALIENCY)
"""Attention is no anatomy: its type is what DICOM calls the weight of a place for a decision."""
PARTS_OF_THE_VENTRICLE = {
    MYOCARDIUM_LABEL: Terminology(ANATOMICAL_STRUCTURE, ("SCT", "49848007", "Left Ventricle Myocardium")),
    CAVITY_LABEL: Terminology(TISSUE, ("SCT", "87612001", "Blood"), LEFT_VENTRICLE),
    SEPTUM_LABEL: Terminology(ANATOMICAL_STRUCTURE, ("SCT", "589001", "Interventricular septum")),
}
"""The cavity is the blood (CID 7166) in the left ventricle: "Left ventricle" would be its wall as well."""
