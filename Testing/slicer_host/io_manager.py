"""A stand-in for slicer.app.coreIOManager(), behind slicer.util.loadVolume and the sample data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
import vtk
from PySide6.QtCore import QObject

VOLUME_SUFFIXES = (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd", ".dcm")
LABEL_MAP_OPTION = 1
SINGLE_FILE_OPTION = 8


class qSlicerCoreIOManager(QObject):
    """Reads volumes and nothing else."""

    def fileType(self, file: str) -> str:
        return "VolumeFile" if str(file).lower().endswith(VOLUME_SUFFIXES) else "NoFile"

    def loadNodes(
        self,
        fileType: str,
        parameters: dict[str, Any],
        loadedNodes: vtk.vtkCollection | None = None,
        userMessages: object = None,
    ) -> bool:
        file = Path(parameters["fileName"])
        if fileType != "VolumeFile":
            return False
        options = LABEL_MAP_OPTION * bool(parameters.get("labelmap"))
        options += SINGLE_FILE_OPTION * bool(parameters.get("singleFile"))
        logic = slicer.vtkSlicerVolumesLogic()
        logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        logic.SetMRMLScene(slicer.mrmlScene)
        node = logic.AddArchetypeVolume(str(file), parameters.get("name") or file.name.split(".")[0], options)
        if node is not None and loadedNodes is not None:
            loadedNodes.AddItem(node)
        return node is not None
