"""The processes that make a reading list: one that ends by itself, that gets ready, that watches, that has the list."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from filelock import FileLock

from ACNetLib.commands.main import main
from ACNetLib.commands.triage import _Progress
from ACNetLib.triage import reading_list, studies, workers
from ACNetLib.triage.answer import Choices
from ACNetLib.triage.reading_list import LOCK_FILE, ReadingList
from ACNetLib.triage.rows import Row
from ACNetLib.triage.studies import Study
from ACNetLib.triage.workers import Workers
from ACNetLib.worker_pool import worker_pool
from dicom_files import RAMP, write_section


def answered_or_ended(study: Study, name: str, _choices: Choices) -> Row:
    """In place of the networks: some studies end their process, one is too much for the software."""
    if study.key.startswith("ends"):
        os._exit(9)
    if study.key.startswith("wrong"):
        raise ZeroDivisionError
    return Row(name, "normal", 0.1)


ONE_PROCESS = Workers(lambda: worker_pool(1, "fork"), 1)


@pytest.fixture(autouse=True)
def without_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_list, "answer", answered_or_ended)


def test_a_study_that_ends_its_process_is_one_row_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "ends 1", "c", "ends 2", "wrong", "d", "e"):
        write_section(tmp_path / "studies" / f"{name}.dcm", RAMP, PatientID=name)

    def start() -> AbstractContextManager[Executor]:
        return worker_pool(2, "fork")

    seen: list[tuple[int, int]] = []
    rows = ReadingList(tmp_path / "studies", tmp_path / "list", "id").update(
        Choices(tmp_path / "list" / "studies"), Workers(start, 2), lambda done, of, _left: seen.append((done, of))
    )
    reasons = {row.patient: row.reason for row in rows}
    assert {patient for patient, reason in reasons.items() if not reason} == {"a", "b", "c", "d", "e"}
    assert "ended by itself" in reasons["ends 1"]
    assert reasons["ends 2"] == reasons["ends 1"]
    assert "ZeroDivisionError" in reasons["wrong"]
    assert seen[-1] == (8, 8)


def get_no_further() -> None:
    os._exit(9)


def test_a_process_that_ends_while_it_gets_ready_costs_no_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "get_ready", get_no_further)
    for name in ("a", "b", "c"):
        write_section(tmp_path / "studies" / f"{name}.dcm", RAMP, PatientID=name)
    rows = ReadingList(tmp_path / "studies", tmp_path / "list", "id").update(
        Choices(tmp_path / "list" / "studies"), ONE_PROCESS, lambda *_told: None
    )
    assert {row.patient: row.reason for row in rows} == {"a": "", "b": "", "c": ""}


def test_processes_get_ready_while_the_studies_of_a_new_list_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "studies").mkdir()
    ready = tmp_path / "ready"
    monkeypatch.setattr(workers, "get_ready", ready.touch)
    waits, was_ready = [20.0, 0.5], []

    def find_none(*_where: object) -> list[Study]:
        end = time.monotonic() + waits.pop(0)
        while not ready.exists() and time.monotonic() < end:
            time.sleep(0.02)
        was_ready.append(ready.exists())
        return []

    monkeypatch.setattr(studies, "find_studies", find_none)
    for _ in range(2):
        ready.unlink(missing_ok=True)
        ReadingList(tmp_path / "studies", tmp_path / "list", "none").update(
            Choices(tmp_path / "list" / "studies"), ONE_PROCESS, lambda *_told: None
        )
    assert was_ready == [True, False], "a list that is there may have nothing new"


def test_the_search_for_studies_does_not_wait_until_a_process_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fork server loads the libraries before it starts one."""
    (tmp_path / "studies").mkdir()
    has_begun, waited = Event(), []

    class SlowToStart(ThreadPoolExecutor):
        def submit(self, *call: Any, **named: Any) -> Future[Any]:
            waited.append(has_begun.wait(20))
            return super().submit(*call, **named)

    def find_none(*_where: object) -> list[Study]:
        has_begun.set()
        return []

    monkeypatch.setattr(studies, "find_studies", find_none)
    monkeypatch.setattr(workers, "get_ready", lambda: None)
    ReadingList(tmp_path / "studies", tmp_path / "list", "none").update(
        Choices(tmp_path / "list" / "studies"), Workers(lambda: SlowToStart(1), 1), lambda *_told: None
    )
    assert waited == [True]


class CanNotStart(ThreadPoolExecutor):
    """Raises its error in the place of taking work."""

    error: Exception

    def submit(self, *_call: Any, **_named: Any) -> Future[Any]:
        raise self.error


def test_a_process_that_ends_before_all_have_started_costs_no_study(tmp_path: Path) -> None:
    write_section(tmp_path / "studies" / "a.dcm", RAMP, PatientID="a")
    broken = CanNotStart(1)
    broken.error = BrokenExecutor("it ended")
    executors: list[Executor] = [ThreadPoolExecutor(1), broken]
    rows = ReadingList(tmp_path / "studies", tmp_path / "list", "id").update(
        Choices(tmp_path / "list" / "studies"),
        Workers(lambda: executors.pop() if executors else ThreadPoolExecutor(1), 1),
        lambda *_told: None,
    )
    assert [(row.patient, row.reason) for row in rows] == [("a", "")]


def test_what_else_keeps_processes_from_starting_ends_the_run(tmp_path: Path) -> None:
    write_section(tmp_path / "studies" / "a.dcm", RAMP, PatientID="a")
    full = CanNotStart(1)
    full.error = OSError("no more processes")
    with pytest.raises(OSError, match="no more processes"):
        ReadingList(tmp_path / "studies", tmp_path / "list", "id").update(
            Choices(tmp_path / "list" / "studies"), Workers(lambda: full, 1), lambda *_told: None
        )


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each process loads its libraries")
def test_the_processes_are_copies_of_one_that_has_loaded_the_libraries() -> None:
    """Loaded for each of them they take most of the time before the first row, and most of the memory."""
    with workers.local_workers(1).start() as executor:
        assert executor.submit(eval, "'torch' in __import__('sys').modules").result()


def test_where_the_path_of_temporary_files_is_too_long_for_a_socket_each_process_loads_its_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    methods: list[str] = []
    monkeypatch.setattr(workers, "worker_pool", lambda _count, method: methods.append(method))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("long" * 20)))
    workers.local_workers(1).start()
    assert methods == ["spawn"]


def test_watching_finds_new_studies_until_it_is_stopped_and_says_nothing_where_nothing_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(workers, "local_workers", lambda _processes: ONE_PROCESS)
    write_section(tmp_path / "studies" / "a.dcm", RAMP, PatientID="a")
    write_section(tmp_path / "studies" / "ct.dcm", RAMP, PatientID="a", Modality="CT")
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 5:
            raise KeyboardInterrupt
        if len(waited) == 1:
            write_section(tmp_path / "studies" / "b.dcm", RAMP, PatientID="b")

    monkeypatch.setattr("ACNetLib.commands.triage.time.sleep", sleep)
    arguments = ["triage", str(tmp_path / "studies"), "--output", str(tmp_path / "list"), "--device", "cpu"]
    assert main([*arguments, "--watch", "60"]) == 3
    assert waited == [60.0] * 5
    printed = capsys.readouterr()
    kinds = [line.partition(":")[0] for line in printed.out.splitlines()]
    assert kinds.count("Note") == 1
    assert [kind for kind in kinds if kind != "Note"] == ["1 no answer", "1 no answer, 1 normal", "2 normal"], (
        "a study is answered at its second look"
    )
    assert "studies that are done are kept" in printed.err


def test_progress_is_told_once_where_all_stays_done(capsys: pytest.CaptureFixture[str]) -> None:
    progress = _Progress()
    for done, of in ((1, 2), (2, 2), (2, 2), (2, 3), (3, 3), (3, 3)):
        progress(done, of, None)
    assert [line for line in capsys.readouterr().err.splitlines() if line != "1 of 2 studies"] == [
        "2 of 2 studies",
        "3 of 3 studies",
    ]


def test_watching_goes_on_where_another_process_has_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(workers, "local_workers", lambda _processes: ONE_PROCESS)
    write_section(tmp_path / "studies" / "a.dcm", RAMP, PatientID="a")
    (tmp_path / "list").mkdir()
    other = FileLock(tmp_path / "list" / LOCK_FILE)
    other.acquire()

    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            raise KeyboardInterrupt
        other.release()

    monkeypatch.setattr("ACNetLib.commands.triage.time.sleep", sleep)
    arguments = ["triage", str(tmp_path / "studies"), "--output", str(tmp_path / "list"), "--device", "cpu"]
    assert main([*arguments, "--watch", "60"]) == 3
    printed = capsys.readouterr()
    assert "another process is bringing this list up to date" in printed.err
    assert [line.partition(":")[0] for line in printed.out.splitlines()] == ["1 no answer", "1 normal"]
