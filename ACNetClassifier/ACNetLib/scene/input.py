"""From MRML to the core: a volume node becomes a T1 map; markups and segmentations tell where the left ventricle is.

Here and in output.py positions are RAS, nowhere else. It needs neither Qt nor the Slicer application.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import SimpleITK as sitk
import slicer
from slicer import (
    vtkMRMLLabelMapVolumeNode,
    vtkMRMLMarkupsNode,
    vtkMRMLMarkupsROINode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLSliceNode,
)
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkIntArray, vtkStringArray
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import ATTENTION_MAPS
from ACNetLib.scene.arrays import array_of_matrix
from ACNetLib.scene.sources import (
    check_spacing,
    check_values,
    is_told_simulated,
    told_field_strength,
    told_fitted,
    told_scanner,
    told_sequence,
)
from ACNetLib.t1map.t1_map import Reading, T1Map, t1_map_from_image
from ACNetLib.ventricle.segments import labels_of_names

# What an output of ours is, such as "table" or "labels.combined". The result's folder carries it too.
OUTPUT = "ACNet.output"

FLAT = 1e-6
"""An image whose axes span less than this part of a box has no volume."""

# From LPS to RAS and back.
LPS_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def t1_map_from_volume_node(
    node: vtkMRMLScalarVolumeNode, field_strength_tesla: float | None = None, post_contrast: bool = False
) -> T1Map:
    """The node's T1 map where the scene shows it: linear parent transforms are applied.

    `field_strength_tesla` is the user's, see `agreed_field_strength`; nothing is guessed. `post_contrast` lets
    a map from after contrast pass, with a warning. Raises ACNetError when the node holds no image, lies under a
    non-linear transform, has no volume in space, is no T1 map, is of another field strength than the user says,
    differs from the files that it was made of, or is refused for what their headers say (see ACNetLib.scene.sources).
    """
    name = node.GetName()
    t1_map = t1_map_from_image(
        _image_of_volume(node),
        name,
        told_field_strength(node),
        is_told_simulated(node),
        Reading(post_contrast=post_contrast, field_strength_tesla=field_strength_tesla),
    )
    check_spacing(node)
    warnings = dict.fromkeys((*t1_map.warnings, *check_values(node, t1_map, post_contrast)))
    return replace(
        t1_map,
        scanner=told_scanner(node),
        sequence=told_sequence(node),
        fitted=told_fitted(node),
        warnings=tuple(warnings),
    )


def section_in_view(node: vtkMRMLScalarVolumeNode, view: vtkMRMLSliceNode) -> int:
    """The section of the volume in the middle of a slice view. Raises ACNetError when the view shows none."""
    in_middle = array_of_matrix(view.GetSliceToRAS())[:, 3]
    section = round(float((np.linalg.inv(ijk_to_world(node)) @ in_middle)[2]))
    count = node.GetImageData().GetDimensions()[2] if node.GetImageData() is not None else 0
    if not 0 <= section < count:
        raise ACNetError(
            f"{node.GetName()}: the {view.GetName()} view shows none of its slices; expected one of 0 to "
            f"{count - 1}. Move the view to the slice, or choose other slices."
        )
    return section


def center_from_node(node: vtkMRMLMarkupsNode) -> np.ndarray:
    """The middle of an ROI, or another node's first placed control point, as LPS mm, (3,).

    Raises ACNetError when nothing is placed.
    """
    for index in range(node.GetNumberOfControlPoints()):
        if node.GetNthControlPointPositionStatus(index) == vtkMRMLMarkupsNode.PositionDefined:
            is_roi = isinstance(node, vtkMRMLMarkupsROINode)
            return flipped(np.array(node.GetCenterWorld() if is_roi else node.GetNthControlPointPositionWorld(index)))
    raise ACNetError(
        f"{node.GetName()}: it has no control point; expected one in the left ventricle. Place it, or choose another."
    )


def place_from_node(
    node: vtkMRMLMarkupsNode | vtkMRMLSegmentationNode | vtkMRMLLabelMapVolumeNode | None,
    t1_volume: vtkMRMLScalarVolumeNode,
) -> tuple[np.ndarray | None, sitk.Image | None]:
    """Where a person says that the left ventricle is: its centre (LPS mm), or its segmentation, or neither.

    Raises ACNetError like `center_from_node` and `segmentation_from_node`.
    """
    if node is None:
        return None, None
    if isinstance(node, vtkMRMLMarkupsNode):
        return center_from_node(node), None
    return None, segmentation_from_node(node, t1_volume)


def segmentation_from_node(
    node: vtkMRMLSegmentationNode | vtkMRMLLabelMapVolumeNode, t1_volume: vtkMRMLScalarVolumeNode
) -> sitk.Image:
    """Labels of the left ventricle as ACNetLib.ventricle.labels has them, where the scene shows them.

    A label map keeps its values and its grid. Segments get their labels by SEGMENT_LABELS, on the grid of the T1
    volume. Raises ACNetError when no segment is known by its name, and for the attention overlay of a result.
    """
    if isinstance(node, vtkMRMLSegmentationNode):
        return _image_of_segments(node, t1_volume)
    if node.GetAttribute(OUTPUT) in {f"labels.{key}" for key in ATTENTION_MAPS}:
        raise ACNetError(
            f"{node.GetName()}: it shows where the network looked; expected a label map of the left ventricle."
        )
    return _image_of_volume(node)


def segmentations_logic() -> Any:
    """The class that reads and makes segments. Raises ACNetError where the user has disabled Slicer's module of it.

    It enters `slicer` with that module, after our files have been imported.
    """
    if not hasattr(slicer, "vtkSlicerSegmentationsModuleLogic"):
        raise ACNetError(
            "The module Segmentations is disabled in Slicer's settings; expected it for segments. Enable it (Edit, "
            "Application Settings, Modules) and restart Slicer."
        )
    return slicer.vtkSlicerSegmentationsModuleLogic


def flipped(positions: np.ndarray) -> np.ndarray:
    """Positions (..., 3) from LPS to RAS or back."""
    return positions * (-1.0, -1.0, 1.0)


def _image_of_volume(node: vtkMRMLScalarVolumeNode) -> sitk.Image:
    image = node.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0 or image.GetPointData().GetScalars() is None:
        raise ACNetError(f"{node.GetName()}: the volume holds no image. Load it again.")
    values = vtk_to_numpy(image.GetPointData().GetScalars())  # one a pixel, or a row of several
    array = values.reshape(*image.GetDimensions()[::-1], *values.shape[1:])
    return _image_on_grid(array, node, is_vector=values.ndim > 1)


def _image_of_segments(node: vtkMRMLSegmentationNode, t1_volume: vtkMRMLScalarVolumeNode) -> sitk.Image:
    labels = _labels_of_segments(node)
    segments, values = vtkStringArray(), vtkIntArray()
    for segment, label in labels.items():
        segments.InsertNextValue(segment)
        values.InsertNextValue(label)
    if not node.CreateBinaryLabelmapRepresentation():  # of segments that are surfaces
        raise ACNetError(
            f"{node.GetName()}: its segments can't be made binary label maps. Convert them in Segmentations."
        )
    merged = slicer.vtkOrientedImageData()
    segmentations_logic().GenerateMergedLabelmapInReferenceGeometry(
        node, t1_volume, segments, slicer.vtkSegmentation.EXTENT_REFERENCE_GEOMETRY, merged, values
    )
    array = vtk_to_numpy(merged.GetPointData().GetScalars()).reshape(merged.GetDimensions()[::-1])
    return _image_on_grid(array, t1_volume)


def _labels_of_segments(node: vtkMRMLSegmentationNode) -> dict[str, int]:
    """The label of each segment that counts, by its ID. Where segments overlap the later one wins: the cavity."""
    segmentation = node.GetSegmentation()
    names = {
        segment: segmentation.GetSegment(segment).GetName()
        for segment in (segmentation.GetNthSegmentID(index) for index in range(segmentation.GetNumberOfSegments()))
    }
    return dict(sorted(labels_of_names(names, node.GetName()).items(), key=lambda item: item[1]))


def _image_on_grid(array: np.ndarray, node: vtkMRMLScalarVolumeNode, is_vector: bool = False) -> sitk.Image:
    """(section, row, column) values as an image with the node's geometry in the world, in LPS.

    Raises ACNetError where that has no volume, and under a non-linear transform.
    """
    ijk_to_lps = LPS_RAS @ ijk_to_world(node)
    spacing = np.linalg.norm(ijk_to_lps[:3, :3], axis=0)
    if not np.isfinite(ijk_to_lps).all() or abs(np.linalg.det(ijk_to_lps[:3, :3])) <= FLAT * spacing.prod():
        columns, rows, slices = spacing
        raise ACNetError(
            f"{node.GetName()}: its pixels measure {columns:g} x {rows:g} mm, its slices are {slices:g} mm apart; "
            "expected lengths above 0 along three directions. Correct its spacing, or the transform that it lies under."
        )
    image = sitk.GetImageFromArray(array, isVector=is_vector)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(ijk_to_lps[:3, 3].tolist())
    image.SetDirection((ijk_to_lps[:3, :3] / spacing).ravel().tolist())
    return image


def ijk_to_world(node: vtkMRMLScalarVolumeNode) -> np.ndarray:
    """From column, row and section index to RAS mm where the scene shows the node, (4, 4).

    Raises ACNetError under a non-linear transform.
    """
    matrix = vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    ijk_to_ras = array_of_matrix(matrix)
    transform = node.GetParentTransformNode()
    if transform is None:
        return ijk_to_ras
    if not transform.IsTransformToWorldLinear():
        raise ACNetError(
            f"{node.GetName()}: it lies under the non-linear transform {transform.GetName()}; "
            "expected a linear one or none. Harden the transform first."
        )
    transform.GetMatrixTransformToWorld(matrix)
    return array_of_matrix(matrix) @ ijk_to_ras
