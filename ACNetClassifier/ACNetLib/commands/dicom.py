"""Options of `acnet classify` and `acnet triage` for results as DICOM objects, in the folder and on a server."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ACNetLib.errors import ACNetError

if TYPE_CHECKING:
    from ACNetLib.dicom_results.segmentation import SegmentationKind


def add_dicom_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dicom", action="store_true", help="write the result of DICOM images as DICOM objects, too (extra: dicom)"
    )
    parser.add_argument(
        "--dicom-segmentation",
        choices=("binary", "labelmap"),
        help="how the segments of --dicom are stored (default binary; few viewers read label maps)",
    )
    parser.add_argument(
        "--stow",
        metavar="URL",
        help="with --dicom, which it implies: send the objects to this DICOMweb server, too; credentials come from the "
        "environment, ACNET_STOW_USER and ACNET_STOW_PASSWORD or ACNET_STOW_TOKEN",
    )


def segmentation_asked_for(options: argparse.Namespace) -> SegmentationKind | None:
    """How segments are to be stored; None where no DICOM objects are asked for.

    Raises ACNetError, before long work, where they can't be written or nothing could be sent to the server.
    """
    if options.stow is not None:
        from ACNetLib.dicom_results.sending import require_sending

        require_sending(options.stow)
    if not options.dicom and options.stow is None:
        if options.dicom_segmentation is not None:
            raise ACNetError(
                "--dicom-segmentation: found no --dicom; expected both, for this says how that one stores segments."
            )
        return None
    from ACNetLib.dicom_results.files import require_highdicom

    require_highdicom()
    kind: SegmentationKind = options.dicom_segmentation or "binary"
    return kind
