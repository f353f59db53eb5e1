"""Which files are read together with a volume file: what dcm2niix tells of it, and pixels that lie apart."""

from __future__ import annotations

from pathlib import Path

from ACNetLib.volumes.header import VOLUME_SUFFIXES, DamagedFile
from ACNetLib.volumes.meta import read_meta_header
from ACNetLib.volumes.nrrd import read_nrrd_header

READERS = {(".nrrd", ".nhdr"): read_nrrd_header, (".mha", ".mhd"): read_meta_header}
"""Of the kinds whose header can name another file for the pixels."""


def sidecar_of(volume: Path) -> Path:
    """The JSON file that dcm2niix writes beside a volume file, whether or not it is there."""
    suffix = max((each for each in VOLUME_SUFFIXES if volume.name.lower().endswith(each)), key=len)
    return volume.with_name(volume.name[: -len(suffix)] + ".json")


def files_beside(volume: Path) -> tuple[Path, ...]:
    """The JSON file and, where the header names another file for the pixels, that one; neither need be there."""
    read = next((read for suffixes, read in READERS.items() if volume.name.lower().endswith(suffixes)), None)
    try:
        pixels = volume if read is None else read(volume).data.file
    except (DamagedFile, OSError):
        pixels = volume
    return (sidecar_of(volume),) if pixels == volume else (sidecar_of(volume), pixels)
