"""The DICOM objects of a reading list's studies to servers, each study once to each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ACNetLib.errors import ACNetError
from ACNetLib.files import read_json, write_json
from ACNetLib.triage.rows import Row

SENT_FILE, DICOM_FOLDER, REPORT_FILE = "sent.json", "dicom", "report.dcm"
SERVERS = "servers"
FORMER_SERVER = "server"
"""In place of SERVERS in the files of earlier versions."""


def send_new(rows: Iterable[Row], studies: Path, url: str) -> tuple[int, list[str]]:
    """Send the objects of the rows' studies that were not sent to this server yet. Returns how many studies were, and
    what failed.

    A study that is answered anew, because its files have changed, is sent anew. With a server that does not answer it
    stops at once; a study that is refused does not stop the others.
    """
    from ACNetLib.dicom_results.sending import ServerUnreachable, send

    sent, failures = 0, []
    for row in rows:
        folder = studies / row.study
        if row.answer == "no answer" or not (folder / DICOM_FOLDER).is_dir():
            continue  # a study that is to be answered anew may still have the objects of the answer before
        servers = _servers(folder)
        if url.rstrip("/") in servers:
            continue
        try:
            send(sorted((folder / DICOM_FOLDER).glob("*.dcm")), url)
        except ServerUnreachable as error:
            failures.append(str(error))
            break
        except ACNetError as error:
            failures.append(f"{row.study}: {error}")
            continue
        write_json(folder / SENT_FILE, {SERVERS: [*servers, url.rstrip("/")]})
        sent += 1
    return sent, failures


def reports_sent(folder: Path, before: Sequence[Sequence[str]]) -> list[list[str]]:
    """The reports of a study that are on a server: those of the answers before, and that of the answer in its folder if
    it was sent; each by the UIDs of its series and its own.
    """
    reports = [list(report) for report in before]
    file = folder / DICOM_FOLDER / REPORT_FILE
    if not _servers(folder) or not file.is_file():
        return reports
    from pydicom.errors import InvalidDicomError

    from ACNetLib.dicom.guard import read_dataset
    from ACNetLib.dicom.pixels import ODD_VALUES

    try:
        header = read_dataset(file, specific_tags=["SeriesInstanceUID", "SOPInstanceUID"])
        return [*reports, [str(header.SeriesInstanceUID), str(header.SOPInstanceUID)]]
    except (InvalidDicomError, *ODD_VALUES):  # it was damaged since
        return reports


def _servers(folder: Path) -> list[str]:
    """To which a study was sent. Of a damaged file none are known: a server is asked what it has before it is sent."""
    if not (folder / SENT_FILE).is_file():
        return []
    try:
        values = read_json(folder / SENT_FILE, "")
    except ACNetError:
        return []
    servers = values.get(SERVERS, [values.get(FORMER_SERVER)])
    return [str(server).rstrip("/") for server in servers if server] if isinstance(servers, list) else []
