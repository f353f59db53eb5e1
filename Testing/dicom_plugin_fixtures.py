"""The DICOM plugin and the files that Slicer's browser hands it, for its tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import slicer

from repository import REPOSITORY
from slicer_host import load_module

PLUGIN_FILE = REPOSITORY / "DICOMPlugins" / "DICOMACNetT1MapPlugin.py"


@pytest.fixture
def an_empty_scene_and_database(host: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from slicer_host.dicom_lib import DicomDatabase

    slicer.mrmlScene.Clear(0)
    monkeypatch.setattr(slicer, "dicomDatabase", DicomDatabase())


@pytest.fixture
def a_plugin(host: None) -> Iterator[Any]:
    load_module(PLUGIN_FILE)
    yield slicer.modules.dicomPlugins.pop("DICOMACNetT1MapPlugin")()
    slicer.mrmlScene.Clear(0)


def series_of(folder: Path) -> list[list[str]]:
    """A folder's files as Slicer's browser hands them over: imported into the database, in a list for each series."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    slicer.dicomDatabase.add(files)
    lists: dict[str, list[str]] = {}
    for file in map(str, files):
        lists.setdefault(slicer.dicomDatabase.fileValue(file, "0020,000E"), []).append(file)
    return list(lists.values())


def load(plugin: Any, folder: Path) -> Any:
    """The node of the one map that the plugin offers."""
    (loadable,) = plugin.examineForImport(series_of(folder))
    return plugin.load(loadable)
