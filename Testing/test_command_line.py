"""Exit codes: 0, 2 with one line for the user's error, 1 with a traceback for ours."""

from __future__ import annotations

import argparse

import pytest

from ACNetLib.command_line import run_command
from ACNetLib.errors import ACNetError


def a_command(outcome: BaseException | None) -> argparse.ArgumentParser:
    def run(options: argparse.Namespace) -> None:
        print("ran with", options.name)
        if outcome is not None:
            raise outcome

    parser = argparse.ArgumentParser("a-command")
    parser.add_argument("name")
    parser.set_defaults(run=run)
    return parser


def test_success_is_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(a_command(None), ["x"]) == 0
    assert capsys.readouterr() == ("ran with x\n", "")


def test_a_user_error_is_two_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(a_command(ACNetError("file.nrrd: it is no T1 map.")), ["x"]) == 2
    assert capsys.readouterr().err == "a-command: file.nrrd: it is no T1 map.\n"


def test_an_error_of_ours_is_one_and_shows_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(a_command(ZeroDivisionError("ours")), ["x"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("Traceback")
    assert "test_command_line.py" in error
    assert "ZeroDivisionError: ours" in error


def test_an_interrupt_is_neither(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(a_command(KeyboardInterrupt()), ["x"]) == 130
    assert capsys.readouterr().err == ""


def test_wrong_arguments_are_two(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        run_command(a_command(None), [])
    assert error.value.code == 2
    assert "the following arguments are required: name" in capsys.readouterr().err
