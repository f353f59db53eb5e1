"""Every writer on a disk that takes nothing, or only the first bytes: nothing looks whole, and the rerun works.

A limit on the size of files stands for the disk: what is beyond it can't be written, as on a full one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib import files
from ACNetLib.errors import ACNetError
from ACNetLib.files import WORLD_ERRORS, require_empty_folder, require_writable, write_json
from ACNetLib.image_files import write_image
from ACNetLib.models.header import WEIGHTS_SUFFIX
from ACNetLib.models.model import Model, save_model
from ACNetLib.models.store import SHIPPED_MODELS_FOLDER
from ACNetLib.report.files import write_result
from ACNetLib.t1map.t1_map import T1Map
from ACNetTrainerLib.cases.editing import add_maps, create_case_library
from ACNetTrainerLib.cases.library import read_case_library
from ACNetTrainerLib.cases.table import write_table
from ACNetTrainerLib.study.attention import Attention
from ACNetTrainerLib.study.files import is_done, write_outcome
from ACNetTrainerLib.study.training import Cohort, Outcome
from ACNetTrainerLib.training.checkpoints import write_checkpoint
from ACNetTrainerLib.training.publishing import publish
from disks import files_of_at_most
from made_up_maps import new_map

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no such limits")


def refused(write: Callable[[], object], size: int) -> None:
    """It says so in one line, or lets the command say it: `command_line.WORLD_ERRORS`."""
    with files_of_at_most(size), pytest.raises((ACNetError, OSError)) as error:
        write()
    assert "\n" not in str(error.value)
    if isinstance(error.value, OSError):
        assert error.value.errno in WORLD_ERRORS


def an_image() -> sitk.Image:
    return sitk.GetImageFromArray(np.random.default_rng(1).integers(0, 4000, (1, 64, 64)).astype(np.uint16))


def an_outcome() -> Outcome:
    maps = {"combined": np.full((1, 128, 128), 0.5, np.float32)}
    attention = Attention(("a",), np.zeros((1, 128, 128), np.float32), maps, {})
    return Outcome({"cases": np.zeros(0)}, (1.0,), 0.5, 0.5, 1, (), {"cases": attention})


WRITERS: dict[str, Callable[[Path, Model], object]] = {
    "json": lambda path, _: write_json(path, {"values": list(range(1000))}),
    "table": lambda path, _: write_table(path, ["a"], ({"a": number} for number in range(1000))),
    "image": lambda path, _: write_image(an_image(), path),
    "small image": lambda path, _: write_image(sitk.Image(8, 8, 1, sitk.sitkUInt8), path),
    "model": lambda path, model: save_model(model, path),
    "checkpoint": lambda path, _: write_checkpoint(path, {"epoch": 1, "text": "x" * 2000}),
}
SUFFIXES = {"image": ".nrrd", "small image": ".nrrd", "model": WEIGHTS_SUFFIX, "json": ".json", "table": ".csv"}


@pytest.mark.parametrize("size", [0, 300])
@pytest.mark.parametrize("name", WRITERS)
def test_a_file_is_whole_or_what_it_was(tmp_path: Path, a_model: Model, name: str, size: int) -> None:
    if (name, size) == ("small image", 300):
        size = 60  # within its header
    path = tmp_path / f"file{SUFFIXES.get(name, '.ckpt')}"
    for old in (None, b"old"):
        if old is not None:
            path.write_bytes(old)
        refused(lambda: WRITERS[name](path, a_model), size)
        assert list(tmp_path.iterdir()) == ([] if old is None else [path])
        assert old is None or path.read_bytes() == old
    WRITERS[name](path, a_model)
    assert path.stat().st_size > size


@pytest.mark.parametrize("size", [0, 300, 20_000])
def test_of_a_result_nothing_is_left(
    tmp_path: Path, an_oblique_t1_map: T1Map, a_study: Callable, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(files, "PROBE_BYTES", 0)  # the disk fills meanwhile
    study, folder = a_study(an_oblique_t1_map), tmp_path / "result"
    refused(lambda: write_result(study, folder), size)
    assert list(tmp_path.iterdir()) == []
    written = write_result(study, folder)
    assert sorted(folder.iterdir()) == sorted(written)


@pytest.mark.parametrize("size", [0, 300, 5000])
def test_a_case_library_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(files, "PROBE_BYTES", 0)
    folder = tmp_path / "library"
    if size == 0:
        refused(lambda: create_case_library(folder), size)
        assert list(tmp_path.iterdir()) == []
    create_case_library(folder)
    add_maps(folder, [new_map(1, "first")])
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    refused(lambda: add_maps(folder, [new_map(2, "second"), new_map(3, "third")]), min(size, 600))
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    add_maps(folder, [new_map(2, "second"), new_map(3, "third")])
    assert len(read_case_library(folder).patients) == 3


@pytest.mark.parametrize("size", [0, 300, 200_000])
def test_the_model_store_takes_whole_models_alone(own_folder: Path, size: int) -> None:
    shipped = SHIPPED_MODELS_FOLDER / "acnet-simulated-1.5T.safetensors"
    refused(lambda: publish(shipped, "mine"), size)
    assert not own_folder.exists() or list(own_folder.iterdir()) == []
    assert publish(shipped, "mine").is_file()


@pytest.mark.parametrize("size", [0, 60, 300])
def test_a_training_of_a_comparison_is_not_done(tmp_path: Path, size: int) -> None:
    tests = (Cohort("cases", tmp_path, ()),)
    refused(lambda: write_outcome(tmp_path / "run", tests, an_outcome()), size if size < 200 else 100)
    assert not is_done(tmp_path / "run")
    write_outcome(tmp_path / "run", tests, an_outcome())
    assert is_done(tmp_path / "run")


def test_a_disk_that_is_full_is_said_before_the_work(tmp_path: Path) -> None:
    with files_of_at_most(1000):
        for ask in (require_writable, require_empty_folder):
            with pytest.raises(ACNetError, match=r"it can't be written \(.*\)\. Make room, or give another output\."):
                ask(tmp_path / "new" / "output")
    assert list(tmp_path.iterdir()) == []
