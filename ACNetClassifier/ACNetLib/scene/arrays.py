"""Numpy arrays to and from matrices and volume nodes, as `slicer.util` has them, with few parts of VTK.

Those of `slicer.util` import all of VTK: half a second and 50 MB of a classification by command, whose scene needs
little of it. In the Slicer application everything is loaded already.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLVolumeNode
from vtkmodules.util.numpy_support import get_vtk_array_type, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkCommonMath import vtkMatrix4x4


def array_of_matrix(matrix: vtkMatrix4x4) -> np.ndarray:
    """A copy, (4, 4)."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def matrix_of_array(values: np.ndarray) -> vtkMatrix4x4:
    matrix = vtkMatrix4x4()
    matrix.DeepCopy(values.ravel().tolist())
    return matrix


def has_values(node: vtkMRMLScalarVolumeNode) -> bool:
    """Whether `array_of_volume` can read it: not without an image, nor an empty one, nor one of colours."""
    image = node.GetImageData()
    values = None if image is None else image.GetPointData().GetScalars()
    return values is not None and values.GetNumberOfComponents() == 1 and values.GetNumberOfTuples() > 0


def array_of_volume(node: vtkMRMLScalarVolumeNode) -> np.ndarray:
    """The node's own values (section, row, column), not copied."""
    image = node.GetImageData()
    values: np.ndarray[Any, Any] = vtk_to_numpy(image.GetPointData().GetScalars())
    return values.reshape(image.GetDimensions()[::-1])


def fill_volume(node: vtkMRMLScalarVolumeNode, values: np.ndarray) -> None:
    """Give the node a copy of the values (section, row, column), and tell those who observe it."""
    if node.GetImageData() is None:
        node.SetAndObserveImageData(vtkImageData())
    image = node.GetImageData()
    image.SetDimensions(values.shape[::-1])
    image.AllocateScalars(get_vtk_array_type(values.dtype), 1)
    array_of_volume(node)[:] = values
    node.StorableModified()
    node.Modified()
    node.InvokeEvent(vtkMRMLVolumeNode.ImageDataModifiedEvent, node)
