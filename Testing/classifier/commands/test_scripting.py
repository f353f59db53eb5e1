"""What the page for scripts promises: its ten lines run as they stand, `--json` can be piped."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ACNetLib.commands.main import main
from ACNetLib.commands.parser import OUR_ERROR, STOPPED, USER_ERROR
from ACNetLib.sample_data import sample_cases
from repository import REPOSITORY

PAGE = (REPOSITORY / "Documentation" / "scripting.md").read_text(encoding="utf-8")
API_PAGE = (REPOSITORY / "Documentation" / "api.md").read_text(encoding="utf-8")
DCM = sample_cases()[1]


def python_of(page: str) -> str:
    (code,) = re.findall(r"^```python\n(.+?)^```$", page, re.MULTILINE | re.DOTALL)
    return str(code)


@pytest.mark.parametrize("page", [PAGE, API_PAGE], ids=["scripting", "api"])
def test_the_python_of_a_page_runs_as_it_stands(page: str, tmp_path: Path) -> None:
    shutil.copytree(DCM.folder, tmp_path / "T1_MAP")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "ACNetClassifier")}
    command = [sys.executable, "-c", python_of(page)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "RESULT" / "result.json").read_text())
    assert result["verdict"] == DCM.label
    if page is PAGE:
        verdict, septum = done.stdout.splitlines()
        assert verdict == f"{result['verdict']}, probability of DCM {result['probability_dcm']:.2f}"
        assert septum == f"septal T1 {result['septal_t1_ms']:.0f} ms"


def test_it_is_ten_lines_and_begins_with_the_pipeline() -> None:
    lines = [line for line in python_of(PAGE).splitlines() if line]
    assert len(lines) == 10
    assert "from ACNetLib.inference import Settings, load_pipeline" in lines


def test_json_prints_the_result_and_nothing_else_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["classify", str(DCM.folder), "--json", "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed)["verdict"] == DCM.label
    assert list(tmp_path.iterdir()) == []


def test_json_with_an_output_prints_what_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out"
    assert main(["classify", str(DCM.folder), "--json", "--device", "cpu", "--output", str(output)]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((output / "result.json").read_text())


def test_json_prints_nothing_where_there_is_no_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", str(tmp_path / "missing.nrrd"), "--json"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1


def test_the_exit_codes_of_the_page_are_those_of_the_commands() -> None:
    told = {int(code): meaning for code, meaning in re.findall(r"^\| (\d+) \| (.+?) \|", PAGE, re.MULTILINE)}
    assert "user can correct" in told[USER_ERROR]
    assert "error of this software" in told[OUR_ERROR]
    assert "Ctrl-C" in told[STOPPED]
