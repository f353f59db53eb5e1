"""DICOM results go to a server by STOW-RS: all of them once, and no credentials anywhere else."""

from __future__ import annotations

import logging
import shutil
import socket
from base64 import b64encode
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.config import disable_value_validation

from ACNetLib.commands.main import main
from ACNetLib.dicom_results.files import write_dicom_results
from ACNetLib.dicom_results.sending import PASSWORD, TOKEN, USER, ServerUnreachable, require_sending, send
from ACNetLib.errors import ACNetError
from ACNetLib.sample_data import sample_cases
from ACNetLib.t1map.t1_map import read_t1_map
from conftest import made_up_study
from dicom_files import GAP_MM, write_section
from dicom_servers import StandIn, an_orthanc

SAMPLE = sample_cases()[1].folder


pytestmark = pytest.mark.usefixtures("no_credentials")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The DICOM objects of a made-up result."""
    folder = tmp_path_factory.mktemp("written")
    stored = np.random.default_rng(1).integers(200, 1900, (3, 40, 30)).astype(np.uint16)
    for section in range(3):
        file = folder / "stack" / f"{section}.dcm"
        write_section(file, stored[section], section * GAP_MM, FrameOfReferenceUID="1.2.3", InstanceNumber=section)
    return write_dicom_results(made_up_study(read_t1_map(folder / "stack")), folder / "dicom")


@pytest.fixture
def objects(written: list[Path], tmp_path: Path) -> list[Path]:
    """A copy of them, for a test may change them."""
    folder = Path(shutil.copytree(written[0].parent, tmp_path / "dicom"))
    return [folder / file.name for file in written]


def uids_of(files: list[Path]) -> set[str]:
    return {str(pydicom.dcmread(file).SOPInstanceUID) for file in files}


def test_all_objects_arrive_as_they_are(server: StandIn, objects: list[Path]) -> None:
    send(objects, server.url)
    assert server.stored.keys() == uids_of(objects)
    for file in objects:
        sent = pydicom.dcmread(file)
        assert server.stored[str(sent.SOPInstanceUID)] == sent


def test_what_the_server_has_is_not_sent_again(server: StandIn, objects: list[Path]) -> None:
    send(objects[:2], server.url)
    theirs = {uid: id(dataset) for uid, dataset in server.stored.items()}
    send(objects, server.url)
    assert server.stored.keys() == uids_of(objects)
    assert theirs.items() <= {uid: id(dataset) for uid, dataset in server.stored.items()}.items()
    posts = server.posts
    send(objects, server.url)
    assert server.posts == posts


def test_a_password_or_a_token_from_the_environment_goes_with_every_request(
    server: StandIn, objects: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(USER, "radiology")
    monkeypatch.setenv(PASSWORD, "geheim: ä")
    send(objects, server.url)
    expected = b64encode("radiology:geheim: ä".encode()).decode()
    assert set(server.authorizations) == {f"Basic {expected}"}
    server.authorizations.clear()
    monkeypatch.delenv(USER)
    monkeypatch.delenv(PASSWORD)
    monkeypatch.setenv(TOKEN, "abc.def")
    send(objects, server.url)
    assert set(server.authorizations) == {"Bearer abc.def"}


@pytest.mark.parametrize("status", [401, 403, 404, 409, 500])
def test_no_credentials_are_in_a_message_or_a_log(
    server: StandIn,
    objects: list[Path],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(USER, "radiology")
    monkeypatch.setenv(PASSWORD, "geheim")
    secrets = ("geheim", b64encode(b"radiology:geheim").decode())
    server.status = status
    with caplog.at_level(logging.DEBUG), pytest.raises(ACNetError, match=f"{status} ") as refused:
        send(objects, server.url)
    assert len(refused.value.lines) == 1
    printed = capfd.readouterr()
    for said in (str(refused.value), repr(refused.value.__context__), caplog.text, printed.out, printed.err):
        assert not any(secret in said for secret in secrets)


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_server_that_takes_nothing_is_told_from_one_that_refuses_an_object(
    server: StandIn, objects: list[Path], status: int
) -> None:
    server.status = status
    with pytest.raises(ServerUnreachable, match=server.url):
        send(objects, server.url)
    server.status, server.loses = 0, True
    with pytest.raises(ACNetError, match="did not store 4 of 4") as refused:
        send(objects, server.url)
    assert not isinstance(refused.value, ServerUnreachable)


@pytest.mark.parametrize("uid", ["ANON-0001", "1.2..3", f"1.2.{'3' * 61}"])
def test_a_study_with_an_odd_uid_is_one_line_without_it(server: StandIn, objects: list[Path], uid: str) -> None:
    for file in objects:
        with disable_value_validation():
            dataset = pydicom.dcmread(file)
            dataset.StudyInstanceUID = uid
            dataset.save_as(file)
    with pytest.raises(ACNetError, match=r"its StudyInstanceUID, .* is none by the standard") as refused:
        send(objects, server.url)
    assert uid not in str(refused.value)
    assert not isinstance(refused.value, ServerUnreachable)
    assert server.posts == 0


def test_an_object_that_can_not_be_read_is_not_the_servers_fault(server: StandIn, objects: list[Path]) -> None:
    objects[1].write_bytes(b"torn")
    objects[2].unlink()
    for files in (objects[1:2], objects[2:3]):
        with pytest.raises(ACNetError, match=f"{files[0].name}: it can't be read to be sent") as refused:
            send(files, server.url)
        assert not isinstance(refused.value, ServerUnreachable)


def test_a_server_that_is_not_there_is_one_line(objects: list[Path]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/dicom-web"
        with pytest.raises(ServerUnreachable, match=r"it does not answer \(ConnectionError\)") as refused:
            send(objects, url)
    assert len(refused.value.lines) == 1


@pytest.mark.parametrize(
    ("url", "environment", "said"),
    [
        ("pacs:8042", {}, "no address of a server"),
        ("ftp://pacs/dicom-web", {}, "no address of a server"),
        ("https://pacs:x/dicom-web", {}, "no address of a server"),
        ("https://me:geheim@pacs/dicom-web", {}, "holds a name or a password"),
        ("http://pacs/dicom-web", {USER: "me", PASSWORD: "geheim"}, "would go to pacs unencrypted"),
        ("https://pacs/dicom-web", {USER: "me"}, f"found some of {USER}"),
        ("https://pacs/dicom-web", {USER: "me", PASSWORD: "geheim", TOKEN: "geheim"}, f"found some of {USER}"),
        ("https://pacs/dicom-web", {TOKEN: "geheim\ngeheim"}, f"{TOKEN} holds blanks"),
    ],
)
def test_an_odd_address_or_odd_credentials_are_refused_before_anything_is_sent(
    url: str, environment: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ACNetError, match=said) as refused:
        require_sending(url)
    assert "geheim" not in str(refused.value)


def test_without_dicomweb_client_the_remedy_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ACNetLib.dicom_results.sending.find_spec", lambda _name: None)
    with pytest.raises(ACNetError, match=r'pip install "SlicerACNet\[dicom\]"'):
        require_sending("https://pacs/dicom-web")


def test_acnet_classify_sends_its_result_and_keeps_the_files(
    server: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    options = ["--stow", server.url, "--device", "cpu", "--output", str(output)]
    assert main(["classify", str(SAMPLE), *options]) == 0
    files = list((output / "dicom").iterdir())
    assert server.stored.keys() == uids_of(files)
    assert f"Sent to {server.url}: {len(files)} DICOM objects." in capsys.readouterr().out


def test_where_the_server_fails_the_result_is_there_and_the_exit_code_tells(
    server: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.status = 401
    output = tmp_path / "out"
    assert main(["classify", str(SAMPLE), "--stow", server.url, "--device", "cpu", "--output", str(output)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "does not let us in (401 Unauthorized)" in line
    assert (output / "result.json").is_file()
    assert (output / "dicom" / "report.dcm").is_file()


def test_an_orthanc_stores_all_objects_once(
    objects: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with an_orthanc(tmp_path / "orthanc", "radiology", "geheim") as orthanc:
        with pytest.raises(ServerUnreachable, match="401 Unauthorized"):
            send(objects, orthanc.url)
        monkeypatch.setenv(USER, "radiology")
        monkeypatch.setenv(PASSWORD, "geheim")
        send(objects, orthanc.url)
        send(objects, orthanc.url)
        assert orthanc.modalities() == ["OT", "OT", "SEG", "SR"]
        (study,) = orthanc.get("/studies")
        tags = orthanc.get(f"/studies/{study}")["MainDicomTags"]
        assert tags["StudyInstanceUID"] == str(pydicom.dcmread(objects[0]).StudyInstanceUID)
        assert len(orthanc.get("/instances")) == len(objects)
