"""What the DICOM objects of a result say of the software that made them."""

from __future__ import annotations

from typing import Any

from highdicom.sr import CodedConcept
from pydicom.uid import generate_uid

from ACNetLib import SOFTWARE, __version__
from ACNetLib.dicom.terminology import Code

DEVICE_UID = generate_uid(entropy_srcs=[SOFTWARE, __version__])
"""The same wherever this version runs."""
UTF_8 = "ISO_IR 192"
OUR_SCHEME = "99ACNET"
"""For what the standard has no code for."""


def coded(code: Code) -> CodedConcept:
    scheme, value, meaning = code
    return CodedConcept(value, scheme, meaning)


def identity(series_number: int, instance_number: int, description: str) -> dict[str, Any]:
    """What every object of ours is made with: new UIDs, its series and the software."""
    return {
        "series_instance_uid": generate_uid(),
        "sop_instance_uid": generate_uid(),
        "series_number": series_number,
        "instance_number": instance_number,
        "series_description": description,
        "manufacturer": SOFTWARE,
        "manufacturer_model_name": SOFTWARE,
        "software_versions": __version__,
        "device_serial_number": __version__,
        "specific_character_set": UTF_8,
    }
