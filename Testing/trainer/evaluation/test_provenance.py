"""What a record says of its own making."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ACNetTrainerLib.evaluation import provenance as provenance_module
from ACNetTrainerLib.evaluation.provenance import provenance
from repository import REPOSITORY


def head(folder: Path) -> str:
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_commit_is_that_of_our_working_copy() -> None:
    record = provenance("acnet-train")
    assert record["commit"] == head(REPOSITORY)
    assert re.fullmatch(r"\d+\.\d+\.\d+", record["versions"]["SlicerACNet"])


def test_it_is_ours_also_where_a_hook_of_another_repository_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    assert re.fullmatch("[0-9a-f]{40}", provenance("acnet-train")["commit"])


def test_a_copy_in_a_repository_around_us_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    identity = ["-c", "user.name=x", "-c", "user.email=x@y"]
    copy = tmp_path / "lib" / "site-packages" / "ACNetTrainerLib" / "evaluation" / "provenance.py"
    copy.parent.mkdir(parents=True)
    shutil.copy(provenance_module.__file__, copy)
    monkeypatch.setattr(provenance_module, "__file__", str(copy))
    subprocess.run(["git", *identity, "commit", "--quiet", "--allow-empty", "-m", "theirs"], cwd=tmp_path, check=True)
    assert provenance("acnet-train")["commit"] is None, "the copy is not tracked"
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    subprocess.run(["git", *identity, "commit", "--quiet", "-m", "with all their packages"], cwd=tmp_path, check=True)
    assert provenance("acnet-train")["commit"] is None, "it is tracked, but not where our working copy has it"


@pytest.mark.parametrize(
    ("changed", "is_change"),
    [
        ("Documentation/results/localizer-simulated.json", False),
        ("ACNetClassifier/Resources/Models/localizer-simulated.safetensors", False),
        ("ACNetClassifier/ACNetLib/errors.py", True),
        ("Documentation/tables.py", True),
    ],
)
def test_what_an_earlier_step_of_make_models_wrote_is_no_change_of_the_code(
    changed: str, is_change: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--shared", str(REPOSITORY), str(clone)], check=True)
    own = clone / "ACNetTrainer" / "ACNetTrainerLib" / "evaluation" / "provenance.py"
    monkeypatch.setattr(provenance_module, "__file__", str(own))
    assert provenance("acnet-train")["uncommitted_changes"] is False
    (clone / changed).write_bytes(b"other")
    assert provenance("acnet-train")["uncommitted_changes"] is is_change
