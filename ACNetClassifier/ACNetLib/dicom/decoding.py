"""The process that decodes the compressed pixels of one DICOM file: `python -m ACNetLib.dicom.decoding FILE TARGET
BYTES`. It writes TARGET as a numpy file, or fails; `ACNetLib.dicom.guard` starts it and says how it ended.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import numpy as np

from ACNetLib.dicom.guard import check_pixel_count, read_dataset
from ACNetLib.dicom.pixels import decoded


def main(file: Path, target: Path, most_bytes: int) -> None:
    _limit_memory(most_bytes)
    dataset = read_dataset(file)
    check_pixel_count(dataset, file.name)
    np.save(target, decoded(dataset))


def _limit_memory(most_bytes: int) -> None:
    """Windows has no such limit, macOS refuses every value, and a job may have a lower one: the time limit holds."""
    with suppress(ModuleNotFoundError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
