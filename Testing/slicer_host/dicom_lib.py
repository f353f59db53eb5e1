"""Stand-ins for DICOMLib and for Slicer's DICOM database, as far as a plugin for import needs them.

Where the environment variable SLICER_SOURCE names a checkout of Slicer, its own DICOMLib is used. Its `__init__` can't
be: it loads the DICOM browser, made of widgets that only the application has. What plugins use loads file by file.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pydicom
import slicer
from slicer import vtkMRMLSubjectHierarchyConstants as Constants

LOADABLE_FILES = ("DICOMPlugin", "DICOMUtils", "DICOMExportScalarVolume")
SOURCE_FOLDER = "Modules/Scripted/DICOMLib"


class DICOMLoadable:
    """One way to load some files, as a plugin offers it to the user."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.name = "Unknown"
        self.tooltip = "No further information available"
        self.warning = ""
        self.selected = False
        self.confidence = 0.5


class DICOMPlugin:
    """Base of the plugins of the DICOM browser."""

    def __init__(self) -> None:
        self.loadType = "Generic DICOM"
        self.tags = {"seriesDescription": "0008,103E", "seriesNumber": "0020,0011"}
        self.loadableCache: dict[tuple[str, ...], list[DICOMLoadable]] = {}

    def getCachedLoadables(self, files: list[str]) -> list[DICOMLoadable] | None:
        return self.loadableCache.get(tuple(files))

    def cacheLoadables(self, files: list[str], loadables: list[DICOMLoadable]) -> None:
        self.loadableCache[tuple(files)] = loadables

    def addSeriesInSubjectHierarchy(self, loadable: DICOMLoadable, dataNode: slicer.vtkMRMLNode) -> None:
        """Put the node's item under its patient and study, which are made when there are none."""
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)

        def value(tag: str) -> str:
            return slicer.dicomDatabase.fileValue(loadable.files[0], tag)

        patient, study, series = value("0010,0020"), value("0020,000D"), value("0020,000E")
        item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), dataNode)
        hierarchy.SetItemUID(item, Constants.GetDICOMUIDName(), series)
        hierarchy.SetItemAttribute(item, Constants.GetDICOMSeriesNumberAttributeName(), value("0020,0011"))
        instances = [slicer.dicomDatabase.fileValue(file, "0008,0018") for file in loadable.files]
        hierarchy.SetItemUID(item, Constants.GetDICOMInstanceUIDName(), " ".join(instances))
        slicer.vtkSlicerSubjectHierarchyModuleLogic.InsertDicomSeriesInHierarchy(hierarchy, patient, study, series)
        patient_item = hierarchy.GetItemByUID(Constants.GetDICOMUIDName(), patient)
        hierarchy.SetItemName(patient_item, value("0010,0010") or "No name")


class DicomDatabase:
    """In place of ctkDICOMDatabase: it knows the files that were added to it."""

    isOpen = True

    def __init__(self) -> None:
        self._headers: dict[str, pydicom.Dataset] = {}

    def add(self, files: Iterable[Path]) -> None:
        for file in files:
            self._headers[str(file)] = pydicom.dcmread(file, stop_before_pixels=True, force=True)

    def fileValue(self, file: str, tag: str) -> str:
        """An attribute as text, its values separated by backslashes; empty when it, or the file, is not known."""
        element = self._headers.get(file, pydicom.Dataset()).get(_tag(tag))
        if element is None or element.value is None:
            return ""
        return "\\".join(map(str, element.value)) if element.VM > 1 else str(element.value)

    def fileValueExists(self, file: str, tag: str) -> bool:
        return tag.upper() == "7FE0,0010" or _tag(tag) in self._headers[file]  # only images are added

    def instanceValue(self, instance: str, tag: str) -> str:
        for file in self._headers:
            if self.fileValue(file, "0008,0018") == instance:
                return self.fileValue(file, tag)
        return ""

    def fileForInstance(self, instance: str) -> str:
        return next((file for file in self._headers if self.fileValue(file, "0008,0018") == instance), "")

    def patients(self) -> list[str]:
        """Numbers that the database gives them."""
        return [str(number) for number, _ in enumerate(self._patient_ids(), start=1)]

    def fieldForPatient(self, field: str, patient: str) -> str:
        assert field == "PatientID"
        return self._patient_ids()[int(patient) - 1]

    def studiesForPatient(self, patient: str) -> list[str]:
        named = self.fieldForPatient("PatientID", patient)
        files = [file for file in self._headers if self._patient_of(file) == named]
        return list(dict.fromkeys(self.fileValue(file, "0020,000D") for file in files))

    def _patient_ids(self) -> list[str]:
        return list(dict.fromkeys(map(self._patient_of, self._headers)))

    def _patient_of(self, file: str) -> str:
        """As CTK does (ctkDICOMDatabase.cpp), by the study where the file has no PatientID."""
        return self.fileValue(file, "0010,0020") or self.fileValue(file, "0020,000D")

    def seriesForStudy(self, study: str) -> list[str]:
        files = [file for file in self._headers if self.fileValue(file, "0020,000D") == study]
        return list(dict.fromkeys(self.fileValue(file, "0020,000E") for file in files))

    def filesForSeries(self, series: str, hits: int = -1) -> list[str]:
        files = [file for file in self._headers if self.fileValue(file, "0020,000E") == series]
        return files if hits < 0 else files[:hits]


def make_module() -> ModuleType:
    """The module that plugins import as DICOMLib."""
    module = ModuleType("DICOMLib")
    source = os.environ.get("SLICER_SOURCE")
    if source is None:
        utils = SimpleNamespace(importDicom=import_dicom)
        vars(module).update(DICOMLoadable=DICOMLoadable, DICOMPlugin=DICOMPlugin, DICOMUtils=utils)
        return module
    module.__path__ = [str(Path(source) / SOURCE_FOLDER)]
    sys.modules["DICOMLib"] = module  # its files are found through it
    for name in LOADABLE_FILES:
        vars(module).update(_public(importlib.import_module(f"DICOMLib.{name}")))
    vars(module)["DICOMUtils"].importDicom = import_dicom  # its indexer is the application's
    slicer.qSlicerSubjectHierarchyPluginHandler = SimpleNamespace(instance=_default_plugin_handler)
    return module


def import_dicom(dicomDataDir: str, dicomDatabase: DicomDatabase | None = None, copyFiles: bool = False) -> bool:
    """A folder into the database; its files stay where they are."""
    assert not copyFiles
    database = slicer.dicomDatabase if dicomDatabase is None else dicomDatabase
    database.add(file for file in sorted(Path(dicomDataDir).rglob("*")) if file.is_file())
    return True


def _default_plugin_handler() -> SimpleNamespace:
    """What the user's settings say of names in the subject hierarchy."""
    return SimpleNamespace(
        displayPatientIDInSubjectHierarchyItemName=True,
        displayPatientBirthDateInSubjectHierarchyItemName=True,
        displayStudyIDInSubjectHierarchyItemName=False,
        displayStudyDateInSubjectHierarchyItemName=True,
    )


def _public(module: ModuleType) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if not name.startswith("_")}


def _tag(tag: str) -> int:
    return int(tag.replace(",", ""), 16)
