"""Exit codes: 0, 2 with one line for the user's error, 3 when it was stopped, 1 with a traceback for ours."""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ACNetLib.commands.main import main
from ACNetLib.commands.parser import (
    NOTHING_LEFT,
    interrupted_before_work,
    point,
    run_command,
    seed,
    spacing_in,
)
from ACNetLib.errors import ACNetError
from ACNetLib.files import atomic_path
from ACNetLib.sample_data import sample_cases
from repository import REPOSITORY


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


def test_a_stopped_command_is_three_and_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    command = a_command(KeyboardInterrupt())
    assert run_command(command, ["x"]) == 3
    assert capsys.readouterr().err == f"a-command: {NOTHING_LEFT}\n"
    command.set_defaults(when_stopped="Stopped. Run it again to go on.")
    assert run_command(command, ["x"]) == 3
    assert capsys.readouterr().err == "a-command: Stopped. Run it again to go on.\n"


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")
def test_sigterm_is_what_ctrl_c_is_and_its_handler_is_gone_afterwards(tmp_path: Path) -> None:
    def run(_options: argparse.Namespace) -> None:
        with atomic_path(tmp_path / "file") as temporary:
            temporary.touch()
            os.kill(os.getpid(), signal.SIGTERM)

    parser = argparse.ArgumentParser("a-command")
    parser.set_defaults(run=run)
    before = signal.getsignal(signal.SIGTERM)
    assert run_command(parser, []) == 3
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ENAMETOOLONG])
def test_a_disk_that_takes_no_more_is_one_line(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    reason = os.strerror(number)
    assert run_command(a_command(OSError(number, reason, "out/result.json")), ["x"]) == 2
    expected = f"a-command: out/result.json: it can't be written ({reason}). Make room, or give another output.\n"
    assert capsys.readouterr().err == expected


def test_another_error_of_the_system_is_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(a_command(FileNotFoundError(errno.ENOENT, "gone", "x")), ["x"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["nan,0,0", "0,inf,0", "1,2", "a,b,c", "1,2,3,4"])
def test_a_point_is_three_finite_numbers(text: str) -> None:
    assert point("-12.5,30,41") == (-12.5, 30.0, 41.0)
    with pytest.raises(argparse.ArgumentTypeError, match="expected three numbers, such as"):
        point(text)


@pytest.mark.parametrize("text", ["-1", "1.5", "nan", "9" * 5000, "one"])
def test_a_seed_is_a_whole_number_of_at_most_nine_digits(text: str) -> None:
    assert seed("77") == 77
    with pytest.raises(argparse.ArgumentTypeError, match="expected a whole number from 0 to 999999999"):
        seed(text)


def test_wrong_arguments_are_two(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        run_command(a_command(None), [])
    assert error.value.code == 2
    assert "the following arguments are required: name" in capsys.readouterr().err


def test_one_line_stays_one_line_whatever_a_name_holds(capsys: pytest.CaptureFixture[str]) -> None:
    error = ACNetError("a\nb\r\x1b[2J\u202e\u2028.nrrd: it is no T1 map.")
    assert run_command(a_command(error), ["x"]) == 2
    assert capsys.readouterr().err == "a-command: a\\nb\\r\\x1b[2J\\u202e\\u2028.nrrd: it is no T1 map.\n"
    assert str(error).isprintable()


def lines_said(error: ACNetError, capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert run_command(a_command(error), ["x"]) == 2
    lines = [line.removeprefix("a-command: ") for line in capsys.readouterr().err.splitlines()]
    assert max(map(len, lines)) <= 400
    return lines


def test_a_value_of_a_file_that_is_too_long_loses_its_middle_and_the_message_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = ACNetError(f"map.nrrd: found {'9' * 5000}; expected a number. Correct the header.")
    (line,) = lines_said(found, capsys)
    assert line.startswith("map.nrrd: found 999")
    assert line.endswith("999; expected a number. Correct the header.")
    (line,) = lines_said(ACNetError(f"/{'folder/' * 200}a.dcm: it can't be read."), capsys)
    assert line.endswith("/folder/a.dcm: it can't be read.")


def test_the_items_of_a_long_list_have_lines_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    items = [f"series {number} ({'word ' * 14}map)" for number in range(3, 11)]
    text = f"study: they form no stack. Found {'; '.join(items)}: give the folder of one series."
    lines = lines_said(ACNetError(text), capsys)
    assert lines[:2] == [f"study: they form no stack. Found {items[0]};", f"{items[1]};"]
    assert lines[-1] == f"{items[-1]}: give the folder of one series."
    assert " ".join(lines) == text == ACNetError(text).plain
    short = "study: found 1 slice; expected 3; give others."
    assert lines_said(ACNetError(short), capsys) == [short]


def test_what_a_hostile_file_makes_endless_keeps_its_beginning_and_its_remedy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = lines_said(ACNetError(f"a.dcm: found {'T1 ' * 100_000}; expected a map. Give another."), capsys)
    assert len(lines) == 24
    assert lines[0].startswith("a.dcm: found T1 T1")
    assert lines[-1] == "expected a map. Give another."
    assert sum("more lines]" in line for line in lines) == 1


def test_a_remedy_is_said_by_the_commands_that_have_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    error = ACNetError("study: two maps.", cli="Choose with --series, or --leave-out a--b.dcm.")
    assert lines_said(error, capsys) == ["study: two maps."]
    assert (error.shown, error.plain) == ("study: two maps.", "study: two maps.")
    command = a_command(error)
    command.add_argument("--series")
    assert run_command(command, ["x"]) == 2
    assert "--series" not in capsys.readouterr().err, "it has one of the two options"
    command.add_argument("--leave-out")
    assert run_command(command, ["x"]) == 2
    assert capsys.readouterr().err == "a-command: study: two maps. Choose with --series, or --leave-out a--b.dcm.\n"


def test_several_problems_get_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    run_command(a_command(ACNetError("Nothing was imported.", "row 2: no file", "row 3: no label")), ["x"])
    expected = "a-command: Nothing was imported.\na-command: row 2: no file\na-command: row 3: no label\n"
    assert capsys.readouterr().err == expected


def test_a_wrong_spacing_on_the_command_line_is_said() -> None:
    for text in ("1.4", "a,b", "0,1", "1,-1,8", "nan,1", "1,1,1,1", "1e9,1"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected two or three lengths in mm"):
            spacing_in(text)
    assert spacing_in("1.4,1.5,8") == (1.4, 1.5, 8.0)


def test_a_reader_that_ends_before_all_is_printed_is_no_error_of_ours() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "ACNetLib.commands.main", "models", "list"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "ACNetClassifier")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 3


@pytest.mark.parametrize("command", [["classify"], ["classify", "map.nrrd", "--model"]])
def test_a_name_that_is_longer_than_the_system_takes_is_not_there(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(sample_cases()[0].volume, "map.nrrd")
    assert main([*command, "x" * 300, "--output", "result"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "there is no such file" in said or "found neither a file nor a model" in said


def test_ctrl_c_while_the_parser_is_made_is_three_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, interrupted_before_work("acnet"):
        raise KeyboardInterrupt
    assert ended.value.code == 3
    assert capsys.readouterr().err == f"acnet: {NOTHING_LEFT}\n"


def test_ctrl_c_while_the_options_are_parsed_is_three_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_self: object, _arguments: object) -> None:
        raise KeyboardInterrupt

    command = a_command(None)
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", interrupted)
    assert run_command(command, ["x"]) == 3
    assert capsys.readouterr().err == f"a-command: {NOTHING_LEFT}\n"
