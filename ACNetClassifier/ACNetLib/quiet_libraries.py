"""What libraries print of unusual DICOM files, values of the patient among it: it must not come into a log."""

from __future__ import annotations

import logging
import warnings


def silence_libraries() -> None:
    """For each process that reads or writes DICOM, before it does: the user gets our own line.

    It stays so, for Python's way to restore the filters of warnings afterwards is not safe beside other threads.
    """
    for library in ("pydicom", "highdicom", "dicomweb_client"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
        warnings.filterwarnings("ignore", module=library)
