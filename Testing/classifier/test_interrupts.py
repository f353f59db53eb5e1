"""Ctrl-C and SIGTERM in the moments that they must not cut."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from ACNetLib.files import atomic_folder, temporary_folder
from ACNetLib.interrupts import INTERRUPTS, interrupts_wait


@pytest.fixture(params=INTERRUPTS)
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal that raises KeyboardInterrupt here."""
    handler = signal.signal(request.param, signal.default_int_handler)
    yield request.param
    signal.signal(request.param, handler)


@pytest.fixture
def another_thread() -> Iterator[None]:
    """To it the system may give a signal as well."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    yield
    done.set()
    thread.join()


@pytest.mark.usefixtures("another_thread")
def test_an_interrupt_comes_after_what_must_not_be_interrupted(number: signal.Signals) -> None:
    done = []

    def interrupted() -> None:
        with interrupts_wait():
            signal.raise_signal(number)
            done.append("all of it")
        done.append("more")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done == ["all of it"]
    assert signal.getsignal(number) is signal.default_int_handler


def test_an_interrupt_comes_though_what_waited_for_it_failed(number: signal.Signals) -> None:
    def interrupted() -> None:
        with interrupts_wait():
            signal.raise_signal(number)
            raise ValueError("no")

    with pytest.raises(KeyboardInterrupt):
        interrupted()


def test_in_another_thread_nothing_waits() -> None:
    done = []

    def work() -> None:
        with interrupts_wait():
            done.append("all of it")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == ["all of it"]


def test_an_interrupt_while_a_temporary_folder_is_made_leaves_none(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = tempfile.mkdtemp

    def interrupted(*arguments: str | None) -> str:
        folder = make(*arguments)
        signal.raise_signal(number)
        return folder

    monkeypatch.setattr(tempfile, "mkdtemp", interrupted)
    with pytest.raises(KeyboardInterrupt), temporary_folder(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("made", [temporary_folder, atomic_folder])
def test_an_interrupt_while_files_are_removed_leaves_none(
    made: Callable[[Path], AbstractContextManager[Path]],
    number: signal.Signals,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unlink = os.unlink

    def interrupted(*arguments: object, **named: object) -> None:
        signal.raise_signal(number)
        unlink(*arguments, **named)  # type: ignore[arg-type]

    def fail() -> None:
        with made(tmp_path) as folder:
            for name in "abc":
                (folder / name).touch()
            monkeypatch.setattr(os, "unlink", interrupted)
            raise ValueError("no")

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []
