"""DICOMweb servers for tests: a stand-in that does what it is told to, and Orthanc where it is installed."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pydicom
import pytest

from ACNetLib.dicom_results.sending import PASSWORD, TOKEN, USER

ORTHANC_PLUGIN = "libOrthancDicomWeb.so"
ORTHANC_PLUGIN_FOLDERS = ("/usr/share/orthanc/plugins", "/usr/local/share/orthanc/plugins")


class StandIn(ThreadingHTTPServer):
    """Stores what is sent by STOW-RS and finds instances by QIDO-RS.

    status: what it answers instead, where it is given. loses: whether it says that it stored objects and did not.
    authorizations: the header of every request.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.stored: dict[str, pydicom.Dataset] = {}
        self.posts, self.status, self.loses = 0, 0, False
        self.authorizations: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/dicom-web"


class _Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_GET(self) -> None:
        self.server.authorizations.append(self.headers.get("Authorization"))
        asked = parse_qs(urlsplit(self.path).query).get("SOPInstanceUID", [])
        found = [{"00080018": {"vr": "UI", "Value": [uid]}} for uid in asked if uid in self.server.stored]
        self._answer(found)

    def do_POST(self) -> None:
        self.server.authorizations.append(self.headers.get("Authorization"))
        self.server.posts += 1
        content = self._content()
        if not self.server.status and not self.server.loses:
            (boundary,) = re.findall(r'boundary="(.+?)"', self.headers["Content-Type"])
            for part in content.split(f"--{boundary}".encode())[1:-1]:
                dataset = pydicom.dcmread(BytesIO(part.split(b"\r\n\r\n", 1)[1]))
                self.server.stored[str(dataset.SOPInstanceUID)] = dataset
        self._answer({})

    def _content(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, values: Any) -> None:
        content = json.dumps(values).encode()
        self.send_response(self.server.status or 200)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_values: object) -> None:
        """Tests look at what was asked, not at a log."""


@contextmanager
def a_stand_in() -> Iterator[StandIn]:
    server = StandIn()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's own are not sent."""
    for name in (USER, PASSWORD, TOKEN):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server(no_credentials: None) -> Iterator[StandIn]:
    with a_stand_in() as running:
        yield running


class Orthanc:
    """A running Orthanc: its DICOMweb address, and its own interface. log: all that it printed."""

    def __init__(self, port: int, user: str, password: str, log: Path) -> None:
        self.url, self._root = f"http://127.0.0.1:{port}/dicom-web", f"http://127.0.0.1:{port}"
        self.log = log
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        passwords.add_password(None, self._root, user, password)
        self._opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))

    def get(self, path: str) -> Any:
        with self._opener.open(f"{self._root}{path}", timeout=20) as answer:
            return json.load(answer)

    def send_file(self, path: Path) -> Any:
        request = urllib.request.Request(f"{self._root}/instances", path.read_bytes(), method="POST")
        with self._opener.open(request, timeout=20) as answer:
            return json.load(answer)

    def modalities(self) -> list[str]:
        """Of each series that it has."""
        return sorted(self.get(f"/series/{each}")["MainDicomTags"]["Modality"] for each in self.get("/series"))


@contextmanager
def an_orthanc(folder: Path, user: str, password: str, **settings: Any) -> Iterator[Orthanc]:
    """Started for the block, with its storage in the folder; skips the test where Orthanc is not installed."""
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")
    plugins = [Path(place, ORTHANC_PLUGIN) for place in ORTHANC_PLUGIN_FOLDERS if Path(place, ORTHANC_PLUGIN).exists()]
    if program is None or not plugins:
        pytest.skip("Orthanc and its DICOMweb plugin are not installed (Debian: orthanc, orthanc-dicomweb)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir(parents=True)
    configuration = {
        "HttpPort": port,
        "DicomServerEnabled": False,
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "AuthenticationEnabled": True,
        "RegisteredUsers": {user: password},
        "Plugins": [str(plugins[0])],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        **settings,
    }
    (folder / "orthanc.json").write_text(json.dumps(configuration), encoding="utf-8")
    log = folder / "log.txt"
    with log.open("wb") as file:
        process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=file, stderr=file)
    try:
        orthanc = Orthanc(port, user, password, log)
        _wait_for(orthanc, process)
        yield orthanc
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait_for(orthanc: Orthanc, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while True:
        try:
            orthanc.get("/system")
            return
        except urllib.error.URLError:
            assert process.poll() is None, orthanc.log.read_text(errors="replace")
            assert time.monotonic() < end, "Orthanc does not answer"
            time.sleep(0.2)
