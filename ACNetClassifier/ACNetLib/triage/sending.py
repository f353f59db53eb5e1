"""The DICOM objects of a reading list's studies to a server, each study once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ACNetLib.errors import ACNetError
from ACNetLib.files import write_json
from ACNetLib.triage.rows import Row

SENT_FILE, DICOM_FOLDER = "sent.json", "dicom"


def send_new(rows: Iterable[Row], studies: Path, url: str) -> tuple[int, list[str]]:
    """Send the objects of the rows' studies that were not sent yet. Returns how many studies were, and what failed.

    A study that is answered anew, because its files have changed, is sent anew. With a server that does not answer it
    stops at once; a study that is refused does not stop the others.
    """
    from ACNetLib.dicom_results.sending import ServerUnreachable, send

    sent, failures = 0, []
    for row in rows:
        folder = studies / row.study
        if row.answer == "no answer" or (folder / SENT_FILE).exists() or not (folder / DICOM_FOLDER).is_dir():
            continue  # a study that is to be answered anew may still have the objects of the answer before
        try:
            send(sorted((folder / DICOM_FOLDER).glob("*.dcm")), url)
        except ServerUnreachable as error:
            failures.append(str(error))
            break
        except ACNetError as error:
            failures.append(f"{row.study}: {error}")
            continue
        write_json(folder / SENT_FILE, {"server": url})
        sent += 1
    return sent, failures
