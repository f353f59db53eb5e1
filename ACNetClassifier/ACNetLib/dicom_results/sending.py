"""A result's DICOM objects to a server by STOW-RS, with dicomweb-client; what the server has is never sent again.

Credentials come from the environment. They are in no option, no file, no message and no log.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pydicom
from pydicom.config import disable_value_validation
from pydicom.errors import InvalidDicomError

from ACNetLib.dicom.pixels import ODD_VALUES
from ACNetLib.errors import ACNetError

if TYPE_CHECKING:
    from dicomweb_client import DICOMwebClient

USER, PASSWORD, TOKEN = "ACNET_STOW_USER", "ACNET_STOW_PASSWORD", "ACNET_STOW_TOKEN"
SECONDS_TO_ANSWER = 60.0
LONGEST_UID, UID_FORM = 64, re.compile(r"[0-9]+(\.[0-9]+)*")
"""What dicomweb-client asks a server for; of others it raises an error with the UID in it."""


class ServerUnreachable(ACNetError):
    """The server does not answer, or takes nothing from us: there is no point in sending it more now."""


def require_sending(url: str) -> None:
    """Raises ACNetError, before long work, where nothing could be sent to this server."""
    if find_spec("dicomweb_client") is None:
        raise ACNetError(
            "--stow: the Python package dicomweb-client is not installed; expected it, for it sends the DICOM objects. "
            'Install it (pip install "SlicerACNet[dicom]"), or leave --stow out.'
        )
    try:
        parts = urlsplit(url)
        is_server = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_server = False
    if not is_server or parts.query or parts.fragment:
        raise ACNetError("--stow: found no address of a server; expected one such as https://pacs:8042/dicom-web.")
    if "@" in parts.netloc:
        raise ACNetError(
            f"--stow: the address holds a name or a password, which others can see; expected them in {USER} and "
            f"{PASSWORD}. Take them out of the address."
        )
    if _authorization(os.environ) and parts.scheme == "http" and not _is_this_computer(parts.hostname or ""):
        raise ACNetError(
            f"--stow: credentials would go to {parts.hostname} unencrypted; expected https. Use the server's https "
            "address."
        )


def send(files: Sequence[Path], url: str) -> None:
    """Send the objects in these files that the server does not have, and make sure that it has them afterwards.

    Raises ServerUnreachable where it does not answer or does not let us in, ACNetError where it refuses an object, or
    one can't be read or asked for.
    """
    require_sending(url)
    objects = [_read(file) for file in files]
    with disable_value_validation(), _failures_named(url):
        client = _client(url)
        new = [each for each in objects if not _has(client, each)]
        if new:
            client.store_instances(new)
        missing = [each for each in new if not _has(client, each)]
    if missing:
        raise ACNetError(
            f"{url}: it did not store {len(missing)} of {len(new)} DICOM objects; expected all. Look into its log."
        )


def _client(url: str) -> DICOMwebClient:
    from dicomweb_client import DICOMwebClient

    client = DICOMwebClient(url.rstrip("/"), headers=_authorization(os.environ), timeout=SECONDS_TO_ANSWER)
    client.set_http_retry_params(retry=False)  # it would send nothing the second time (0.61, findings/)
    return client


def _authorization(environment: Mapping[str, str]) -> dict[str, str]:
    """The header that tells who we are; none without credentials. Raises ACNetError, without them, for odd ones."""
    user, password, token = (environment.get(name, "") for name in (USER, PASSWORD, TOKEN))
    if bool(user) != bool(password) or (token and user):
        raise ACNetError(
            f"--stow: found some of {USER}, {PASSWORD} and {TOKEN} in the environment; expected the first two, the "
            "third, or none of them. Set them so."
        )
    if token:
        if not token.isascii() or not token.isprintable() or " " in token:
            raise ACNetError(f"--stow: {TOKEN} holds blanks, line ends or other signs; expected a token. Set it anew.")
        return {"Authorization": f"Bearer {token}"}
    if user:
        return {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}
    return {}


def _is_this_computer(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _read(file: Path) -> pydicom.Dataset:
    """Raises ACNetError, which names no patient, also for an object of a study that no server can be asked for."""
    try:
        with disable_value_validation():
            dataset = pydicom.dcmread(file)
            uid = str(dataset.StudyInstanceUID)
    except (InvalidDicomError, *ODD_VALUES) as error:
        raise ACNetError(
            f"{file.name}: it can't be read to be sent ({type(error).__name__}); expected a DICOM object."
        ) from error
    if len(uid) > LONGEST_UID or not UID_FORM.fullmatch(uid):
        raise ACNetError(
            f"{file.name}: its StudyInstanceUID, that of the images, is none by the standard; expected at most "
            f"{LONGEST_UID} digits and dots, no two dots side by side. Pseudonymize the images anew, with UIDs."
        )
    return dataset


def _has(client: DICOMwebClient, dataset: pydicom.Dataset) -> bool:
    """Whether the server has the object: it is asked for its UID within its study (QIDO-RS)."""
    found = client.search_for_instances(
        dataset.StudyInstanceUID, search_filters={"SOPInstanceUID": str(dataset.SOPInstanceUID)}
    )
    return any(each.get("00080018", {}).get("Value") == [str(dataset.SOPInstanceUID)] for each in found)


@contextmanager
def _failures_named(url: str) -> Iterator[None]:
    """What goes wrong with the server, in one line: the libraries' own texts go on for pages."""
    try:
        yield
    except OSError as error:  # as all of requests' errors are
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status is None:
            raise ServerUnreachable(
                f"{url}: it does not answer ({type(error).__name__}); expected a DICOMweb server. Is it running, and "
                "is the address right?"
            ) from None
        said = f"{status} {_phrase(status)}"
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise ServerUnreachable(
                f"{url}: it does not let us in ({said}); expected credentials in {USER} and {PASSWORD}, or in {TOKEN}. "
                "Set them in the environment."
            ) from None
        if status == HTTPStatus.NOT_FOUND or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise ServerUnreachable(
                f"{url}: it answers {said}; expected a DICOMweb server with QIDO-RS and STOW-RS. Is the address right?"
            ) from None
        raise ACNetError(f"{url}: it refuses the DICOM objects ({said}). Look into its log.") from None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "unknown"
