"""The page "Run it beside your PACS" as it stands: Orthanc with its script, `acnet triage` as its service starts it."""

from __future__ import annotations

import configparser
import csv
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest

from ACNetLib.commands.main import _parser
from ACNetLib.dicom_results.sending import PASSWORD, TOKEN, USER
from ACNetLib.sample_data import sample_cases
from dicom_files import RAMP, RAW_TYPE, write_section
from dicom_servers import Orthanc, an_orthanc
from repository import REPOSITORY

PAGE = (REPOSITORY / "Documentation" / "pacs.md").read_text(encoding="utf-8")
INBOX, LIST, SERVER = "/srv/acnet/inbox", "/srv/acnet/list", "http://localhost:8042/dicom-web"
SECRET = "geheim-4711"
RESULTS = ["OT", "OT", "SEG", "SR"]
DCM = sample_cases()[1].folder


def block(language: str) -> str:
    (text,) = re.findall(rf"^```{language}\n(.+?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(text)


def service_arguments() -> list[str]:
    """Of `acnet`, as the service starts it."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(block("ini"))
    program, *arguments = shlex.split(unit["Service"]["ExecStart"])
    assert program == "/opt/acnet/bin/acnet"
    return arguments


def test_the_service_of_the_page_calls_a_command_that_there_is() -> None:
    options = _parser().parse_args(service_arguments())
    assert (str(options.folder), str(options.output), options.watch) == (INBOX, LIST, 60)
    assert options.stow == SERVER
    assert f"{USER}=acnet\n{PASSWORD}=" in PAGE


def test_systemd_finds_no_fault_in_the_service(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    unit = block("ini").replace("/opt/acnet/bin/acnet", sys.executable)
    (tmp_path / "acnet-triage.service").write_text(unit, encoding="utf-8")
    command = [program, "verify", "--man=no", str(tmp_path / "acnet-triage.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "acnet-triage" in line] == []


@contextmanager
def a_service(inbox: Path, output: Path, url: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The page's, looking every 2 s; ended by SIGTERM, as systemd does."""
    places = {INBOX: str(inbox), LIST: str(output), SERVER: url, "60": "2"}
    arguments = [places.get(each, each) for each in service_arguments()]
    environment = {name: value for name, value in os.environ.items() if name != TOKEN}
    environment |= {USER: "acnet", PASSWORD: SECRET, "PYTHONPATH": str(REPOSITORY / "ACNetClassifier")}
    command = [sys.executable, "-m", "ACNetLib.commands.main", *arguments, "--device", "cpu", "--processes", "1"]
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file)
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=60)


def wait_until(is_so: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 1200  # a computer may be busy
    while not is_so():
        assert process.poll() is None, log.read_text(errors="replace")
        assert time.monotonic() < end, log.read_text(errors="replace")
        time.sleep(0.5)


def send_study(orthanc: Orthanc, folder: Path) -> None:
    """The sample, a cine of the same study, and a CT of somebody else."""
    for file in DCM.iterdir():
        orthanc.send_file(file)
    first = pydicom.dcmread(next(DCM.iterdir()), stop_before_pixels=True)
    own = {"PatientID": first.PatientID, "StudyInstanceUID": first.StudyInstanceUID}
    cine = write_section(folder / "cine.dcm", RAMP, series=8, ImageType=RAW_TYPE, SeriesDescription="cine", **own)
    orthanc.send_file(cine)
    orthanc.send_file(write_section(folder / "ct.dcm", RAMP, series=9, Modality="CT", PatientID="p9"))


def answered(orthanc: Orthanc) -> bool:
    return [each for each in orthanc.modalities() if each not in {"MR", "CT"}] == RESULTS


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a service of systemd")
def test_a_study_that_reaches_orthanc_is_on_the_list_and_its_results_are_in_orthanc_once(tmp_path: Path) -> None:
    inbox, output, log = tmp_path / "inbox", tmp_path / "list", tmp_path / "log.txt"
    inbox.mkdir()
    (tmp_path / "to-folder.lua").write_text(block("lua").replace(INBOX, str(inbox)), encoding="utf-8")
    settings = {"LuaScripts": [str(tmp_path / "to-folder.lua")], "StableAge": 1}
    with (
        an_orthanc(tmp_path / "orthanc", "acnet", SECRET, **settings) as orthanc,
        a_service(inbox, output, orthanc.url, log) as service,
    ):
        send_study(orthanc, tmp_path)
        wait_until(lambda: answered(orthanc), service, log)
        rounds = log.read_text().count("worklist.html")
        # Meanwhile the study has become stable with its results in it, and the service has looked again.
        wait_until(lambda: log.read_text().count("worklist.html") >= rounds + 5, service, log)
        assert answered(orthanc)
        assert len(list(inbox.iterdir())) == 3
        service.send_signal(signal.SIGTERM)
        assert service.wait(timeout=300) == 3
        (row,) = csv.DictReader((output / "worklist.csv").open(encoding="utf-8-sig"))
        assert (row["answer"], row["patient"]) == ("dcm", pydicom.dcmread(next(DCM.iterdir())).PatientID)
        for file in (log, orthanc.log, *output.rglob("*")):
            assert file.is_dir() or SECRET.encode() not in file.read_bytes(), file
        assert row["patient"] not in log.read_text()
