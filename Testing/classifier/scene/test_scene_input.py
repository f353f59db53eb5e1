"""What the scene says of a T1 map, its field strength and the left ventricle, read from real MRML nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import slicer.util
import vtk
from slicer import vtkMRMLScalarVolumeNode as Volume
from slicer import vtkMRMLScene as Scene
from slicer import vtkMRMLSegmentationNode as Segmentation
from vtk.util.numpy_support import numpy_to_vtk

from ACNetLib.errors import ACNetError
from ACNetLib.scene.display import VENTRICLE
from ACNetLib.scene.exam import show_exam
from ACNetLib.scene.input import center_from_node, segmentation_from_node, t1_map_from_volume_node
from ACNetLib.scene.output import add_t1_map
from ACNetLib.scene.sources import NOT_CHECKED, field_strength_source
from ACNetLib.t1map.t1_map import FIELD_STRENGTH_KEY, Geometry, T1Map, t1_map_from_array
from ACNetLib.ventricle.segments import WHOLE_LABEL


@pytest.fixture
def a_volume_from_dicom(a_volume_node: Volume, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Volume]:
    """A function that makes the node one of files whose field strength the DICOM database tells so."""

    def from_dicom(field_strength: str) -> Volume:
        a_volume_node.RemoveAttribute(FIELD_STRENGTH_KEY)
        a_volume_node.SetAttribute("DICOM.instanceUIDs", "1.2.3.1 1.2.3.2")
        monkeypatch.setattr(slicer, "dicomDatabase", StandInDatabase(field_strength), raising=False)
        return a_volume_node

    return from_dicom


class StandInDatabase:
    """In place of Slicer's ctkDICOMDatabase."""

    def __init__(self, field_strength: str) -> None:
        self.values = {("1.2.3.1", "0018,0087"): field_strength}

    def instanceValue(self, instance: str, tag: str) -> str:
        return self.values.get((instance, tag), "")

    def fileForInstance(self, instance: str) -> str:
        return ""


def geometry(image: sitk.Image) -> np.ndarray:
    return np.concatenate([image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection()])


def ijk_to_ras(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def transform_node(to_parent: np.ndarray, scene: Scene) -> slicer.vtkMRMLLinearTransformNode:
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(to_parent))
    return node


def moved_by(offset: Sequence[float] | np.ndarray) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = offset
    return matrix


@pytest.mark.parametrize("flip", [(1, 1, 1), (-1, 1, 1), (1, -1, 1), (-1, -1, -1)])
def test_a_t1_map_comes_back_from_its_node_with_the_same_pixels_and_geometry(
    an_oblique_t1_map: T1Map, a_scene: Scene, flip: tuple[int, int, int]
) -> None:
    direction = np.reshape(an_oblique_t1_map.image.GetDirection(), (3, 3)) * flip
    t1_map = t1_map_from_array(
        an_oblique_t1_map.array,
        Geometry((1.4, 1.6, 8.0), (-80.5, 35.25, 410.125), direction),
        name="T1",
        field_strength_tesla=3.0,
    )
    again = t1_map_from_volume_node(add_t1_map(t1_map, a_scene))
    np.testing.assert_allclose(geometry(again.image), geometry(t1_map.image), atol=1e-6)
    np.testing.assert_array_equal(again.array, t1_map.array)
    assert (again.name, again.field_strength_tesla, again.simulated) == ("T1", 3.0, False)


def test_a_pixel_lies_in_slicer_where_it_lies_in_the_t1_map(an_oblique_t1_map: T1Map, a_volume_node: Volume) -> None:
    lps = an_oblique_t1_map.image.TransformIndexToPhysicalPoint((60, 80, 1))
    ras = ijk_to_ras(a_volume_node) @ (60, 80, 1, 1)
    np.testing.assert_allclose(ras[:3], np.multiply(lps, (-1, -1, 1)), atol=1e-6)


def test_a_simulated_map_is_still_simulated_after_its_way_through_the_scene(
    an_oblique_t1_map: T1Map, a_scene: Scene
) -> None:
    simulated = T1Map(an_oblique_t1_map.image, "T1", simulated=True)
    assert t1_map_from_volume_node(add_t1_map(simulated, a_scene)).simulated


def test_a_header_key_read_by_slicer_from_an_nrrd_file_is_the_field_strength(
    an_oblique_t1_map: T1Map, a_scene: Scene, tmp_path: Path
) -> None:
    image = sitk.Image(an_oblique_t1_map.image)
    image.SetMetaData("ACNet_field_strength_tesla", "3")
    sitk.WriteImage(image, tmp_path / "t1.nrrd")
    node = a_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T1")
    storage = slicer.vtkMRMLNRRDStorageNode()
    storage.SetFileName(str(tmp_path / "t1.nrrd"))
    assert storage.ReadData(node)
    t1_map = t1_map_from_volume_node(node)
    assert t1_map.field_strength_tesla == 3.0
    np.testing.assert_allclose(geometry(t1_map.image), geometry(an_oblique_t1_map.image), atol=1e-6)


def test_a_field_strength_that_is_no_number_is_named(a_volume_node: Volume) -> None:
    a_volume_node.SetAttribute("ACNet_field_strength_tesla", "high")
    with pytest.raises(ACNetError, match=r"short axis.*ACNet_field_strength_tesla is 'high'"):
        t1_map_from_volume_node(a_volume_node)


def test_linear_parent_transforms_are_applied(an_oblique_t1_map: T1Map, a_volume_node: Volume, a_scene: Scene) -> None:
    matrices = [np.eye(4), np.eye(4)]
    matrices[0][:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    matrices[1][:3, 3] = (5, -7, 11)
    child, parent = (transform_node(matrix, a_scene) for matrix in matrices)
    child.SetAndObserveTransformNodeID(parent.GetID())
    a_volume_node.SetAndObserveTransformNodeID(child.GetID())

    t1_map = t1_map_from_volume_node(a_volume_node)

    expected = matrices[1] @ matrices[0] @ ijk_to_ras(a_volume_node) @ (60, 80, 1, 1)
    found = np.multiply(t1_map.image.TransformIndexToPhysicalPoint((60, 80, 1)), (-1, -1, 1))
    np.testing.assert_allclose(found, expected[:3], atol=1e-6)
    np.testing.assert_allclose(t1_map.image.GetSpacing(), an_oblique_t1_map.image.GetSpacing(), atol=1e-6)


def test_a_non_linear_parent_transform_is_refused_by_name(a_volume_node: Volume, a_scene: Scene) -> None:
    transform = a_scene.AddNewNodeByClass("vtkMRMLTransformNode", "warp")
    spline = vtk.vtkThinPlateSplineTransform()
    spline.SetBasisToR()
    points = [vtk.vtkPoints(), vtk.vtkPoints()]
    for index in range(8):
        corner = [100.0 * (index >> axis & 1) for axis in range(3)]
        points[0].InsertNextPoint(corner)
        points[1].InsertNextPoint(corner if index else (10.0, 0.0, 0.0))
    spline.SetSourceLandmarks(points[0])
    spline.SetTargetLandmarks(points[1])
    transform.SetAndObserveTransformToParent(spline)
    a_volume_node.SetAndObserveTransformNodeID(transform.GetID())
    with pytest.raises(ACNetError, match=r"short axis.*non-linear transform warp"):
        t1_map_from_volume_node(a_volume_node)


def test_a_node_without_image_or_with_another_image_than_t1_is_refused_by_name(a_scene: Scene) -> None:
    empty = a_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    with pytest.raises(ACNetError, match=r"empty.*no image"):
        t1_map_from_volume_node(empty)
    color = a_scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "color")
    slicer.util.updateVolumeFromArray(color, np.zeros((1, 8, 8, 3), np.uint8))
    with pytest.raises(ACNetError, match="color"):
        t1_map_from_volume_node(color)


@pytest.mark.parametrize("chosen", [None, 3.0])
def test_the_field_strength_of_a_dicom_volume_is_looked_up_in_the_database(
    a_volume_from_dicom: Callable[[str], Volume], chosen: float | None
) -> None:
    assert t1_map_from_volume_node(a_volume_from_dicom("2.8936"), chosen).field_strength_tesla == 3.0


OF_ITS_FIELD = "Its header says 42 T; it was taken as 3 T, as you say."


@pytest.mark.parametrize(("told", "warnings"), [("0", ()), ("0.0", ()), ("42", (OF_ITS_FIELD,))])
def test_a_field_strength_that_no_model_covers_gives_way_to_the_users(
    a_volume_from_dicom: Callable[[str], Volume], told: str, warnings: tuple[str, ...]
) -> None:
    volume = a_volume_from_dicom(told)
    t1_map = t1_map_from_volume_node(volume, 3.0)
    # The database knows the volume's header, while its files are not there.
    assert (t1_map.field_strength_tesla, t1_map.warnings) == (3.0, (*warnings, NOT_CHECKED))
    assert field_strength_source(volume) is None


@pytest.mark.parametrize("has_database", [True, False], ids=["database", "no database"])
def test_a_field_strength_that_nobody_tells_is_the_users_and_is_never_guessed(
    a_volume_from_dicom: Callable[[str], Volume], monkeypatch: pytest.MonkeyPatch, has_database: bool
) -> None:
    volume = a_volume_from_dicom("")
    if not has_database:  # a build without DICOM
        monkeypatch.setattr(slicer, "dicomDatabase", None)
    assert t1_map_from_volume_node(volume).field_strength_tesla is None
    assert t1_map_from_volume_node(volume, 3.0).field_strength_tesla == 3.0


def test_another_field_strength_than_the_headers_is_refused_with_both(
    a_volume_node: Volume, a_volume_from_dicom: Callable[[str], Volume]
) -> None:
    with pytest.raises(ACNetError, match=r"short axis.* 1\.5 T, you say 3 T"):
        t1_map_from_volume_node(a_volume_node, 3.0)
    with pytest.raises(ACNetError, match=r"short axis.* 3 T, you say 1\.5 T"):
        t1_map_from_volume_node(a_volume_from_dicom("3"), 1.5)


def test_a_field_strength_in_a_dicom_header_that_is_no_number_is_named(
    a_volume_from_dicom: Callable[[str], Volume],
) -> None:
    with pytest.raises(ACNetError, match=r"short axis.*MagneticFieldStrength.*'high'"):
        t1_map_from_volume_node(a_volume_from_dicom("high"))


def test_a_map_from_after_contrast_passes_only_when_it_is_said(a_volume_node: Volume) -> None:
    slicer.util.arrayFromVolume(a_volume_node)[:] *= 0.45
    with pytest.raises(ACNetError, match="short axis"):
        t1_map_from_volume_node(a_volume_node)
    assert "after contrast" in t1_map_from_volume_node(a_volume_node, post_contrast=True).warnings[0]


def test_a_placed_control_point_is_given_in_lps(a_scene: Scene) -> None:
    node = a_scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "LV")
    with pytest.raises(ACNetError, match=r"LV.*no control point"):
        center_from_node(node)
    node.AddControlPoint(vtk.vtkVector3d(1.0, 2.0, 3.0))
    np.testing.assert_allclose(center_from_node(node), (-1.0, -2.0, 3.0))


def test_the_middle_of_an_roi_is_given_in_lps_where_the_scene_shows_it(a_scene: Scene) -> None:
    roi = a_scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
    with pytest.raises(ACNetError, match=r"box.*no control point"):
        center_from_node(roi)
    roi.SetCenter(1.0, 2.0, 3.0)
    roi.SetSize(90.0, 80.0, 70.0)
    roi.SetAndObserveTransformNodeID(transform_node(moved_by((10, 0, 0)), a_scene).GetID())
    np.testing.assert_allclose(center_from_node(roi), (-11.0, -2.0, 3.0))


def a_square(half: int) -> np.ndarray:
    """A mask on the grid of the T1 map: a square in its second section, with so many pixels from middle to edge."""
    mask = np.zeros((2, 150, 170), np.uint8)
    mask[1, 80 - half : 80 + half, 60 - half : 60 + half] = 1
    return mask


WALL, CAVITY = a_square(20), a_square(12)
LABELS = np.where(CAVITY, 2, WALL)


def a_segmentation(segments: dict[str, np.ndarray], volume: Volume, scene: Scene) -> Segmentation:
    """Segments by name, masks on the grid of the volume."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "reader")
    for name, mask in segments.items():
        image = slicer.vtkOrientedImageData()
        image.SetDimensions(*mask.shape[::-1])
        image.GetPointData().SetScalars(numpy_to_vtk(mask.ravel(), deep=True))
        image.SetImageToWorldMatrix(slicer.util.vtkMatrixFromArray(ijk_to_ras(volume)))
        node.AddSegmentFromBinaryLabelmapRepresentation(image, name, [1.0, 0.0, 0.0])
    return node


@pytest.mark.parametrize(
    "names",
    [
        ("Myocardium", "cavity"),
        ("LV_myocardium", "LV blood pool"),
        ("Free wall", "Blood"),
        ("non-septal wall", "cavity"),
    ],
)
def test_segments_become_labels_by_their_names_on_the_t1_map(
    an_oblique_t1_map: T1Map, a_volume_node: Volume, a_scene: Scene, names: tuple[str, str]
) -> None:
    wall, cavity = names
    node = a_segmentation({cavity: CAVITY, "aorta": a_square(30), wall: WALL}, a_volume_node, a_scene)
    count = a_scene.GetNumberOfNodes()
    labels = segmentation_from_node(node, a_volume_node)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(labels), LABELS)
    np.testing.assert_allclose(geometry(labels), geometry(an_oblique_t1_map.image), atol=1e-6)
    assert a_scene.GetNumberOfNodes() == count


def test_a_segment_of_any_name_that_stands_alone_counts_as_a_whole(a_volume_node: Volume, a_scene: Scene) -> None:
    node = a_segmentation({"Segment_1": WALL}, a_volume_node, a_scene)
    labels = sitk.GetArrayFromImage(segmentation_from_node(node, a_volume_node))
    np.testing.assert_array_equal(labels, WHOLE_LABEL * WALL)


@pytest.mark.parametrize("segments", [{}, {"aorta": WALL, "liver": CAVITY}], ids=["none", "others"])
def test_segments_that_tell_no_ventricle_are_refused_by_name(
    a_volume_node: Volume, a_scene: Scene, segments: dict[str, np.ndarray]
) -> None:
    node = a_segmentation(segments, a_volume_node, a_scene)
    with pytest.raises(ACNetError, match=f"reader.*segments are {', '.join(segments) or 'none'}"):
        segmentation_from_node(node, a_volume_node)


def test_segments_are_taken_from_where_the_scene_shows_them(
    a_volume_node: Volume, a_scene: Scene, an_oblique_t1_map: T1Map
) -> None:
    node = a_segmentation({"myocardium": WALL, "cavity": CAVITY}, a_volume_node, a_scene)
    ten_columns = 10 * ijk_to_ras(a_volume_node)[:3, 0]
    node.SetAndObserveTransformNodeID(transform_node(moved_by(ten_columns), a_scene).GetID())
    labels = segmentation_from_node(node, a_volume_node)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(labels), np.roll(LABELS, 10, axis=2))

    a_volume_node.SetAndObserveTransformNodeID(node.GetTransformNodeID())
    labels = segmentation_from_node(node, a_volume_node)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(labels), LABELS)
    np.testing.assert_allclose(geometry(labels), geometry(t1_map_from_volume_node(a_volume_node).image), atol=1e-6)


def test_segments_that_are_surfaces_become_labels(a_volume_node: Volume, a_scene: Scene) -> None:
    rules = slicer.vtkSegmentationConverterFactory.GetInstance()  # the application knows them
    rules.RegisterConverterRule(slicer.vtkClosedSurfaceToBinaryLabelmapConversionRule())
    sphere = vtk.vtkSphereSource()
    sphere.SetCenter(*(ijk_to_ras(a_volume_node) @ (60, 80, 1, 1))[:3])
    sphere.SetRadius(25.0)
    sphere.SetPhiResolution(50)
    sphere.SetThetaResolution(50)
    sphere.Update()
    node = a_scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "surface")
    node.GetSegmentation().SetSourceRepresentationName("Closed surface")
    node.AddSegmentFromClosedSurfaceRepresentation(sphere.GetOutput(), "LV", [1.0, 0.0, 0.0])
    labels = sitk.GetArrayFromImage(segmentation_from_node(node, a_volume_node))
    np.testing.assert_allclose(np.argwhere(labels[1]).mean(axis=0), (80, 60), atol=0.5)
    assert np.count_nonzero(labels[1]) * 1.4 * 1.6 == pytest.approx(np.pi * 25.0**2, rel=0.05)


def test_a_label_map_keeps_its_values_and_its_own_grid(a_volume_node: Volume, a_scene: Scene) -> None:
    node = a_scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "reader")
    with pytest.raises(ACNetError, match=r"reader.*no image"):
        segmentation_from_node(node, a_volume_node)
    slicer.util.updateVolumeFromArray(node, LABELS[:, ::2, ::2])
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(ijk_to_ras(a_volume_node) @ np.diag([2.0, 2.0, 1.0, 1.0])))
    labels = segmentation_from_node(node, a_volume_node)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(labels), LABELS[:, ::2, ::2])
    np.testing.assert_allclose(labels.GetSpacing(), (2.8, 3.2, 8.0))
    place = labels.TransformIndexToPhysicalPoint((30, 40, 1))
    expected = t1_map_from_volume_node(a_volume_node).image.TransformIndexToPhysicalPoint((60, 80, 1))
    np.testing.assert_allclose(place, expected, atol=1e-6)


def test_a_results_ventricle_is_understood_again_as_label_map_and_as_segments_made_of_it(
    an_oblique_t1_map: T1Map, a_volume_node: Volume, a_study: Callable, a_scene: Scene
) -> None:
    study = a_study(an_oblique_t1_map)
    label_map = show_exam(study, [a_volume_node], a_scene)[0].labels[VENTRICLE]
    segments = a_scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "corrected")
    assert slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(label_map, segments)
    for node in (label_map, segments):
        labels = sitk.GetArrayFromImage(segmentation_from_node(node, a_volume_node))
        np.testing.assert_array_equal(labels, study.images[0].ventricle)


def test_the_attention_of_a_result_is_refused_as_segmentation(
    an_oblique_t1_map: T1Map, a_volume_node: Volume, a_study: Callable, a_scene: Scene
) -> None:
    nodes = show_exam(a_study(an_oblique_t1_map), [a_volume_node], a_scene)[0]
    with pytest.raises(ACNetError, match=r"short axis attention combined.*where the network looked"):
        segmentation_from_node(nodes.labels["combined"], a_volume_node)


def test_the_scanner_is_that_of_the_dicom_database(a_volume_from_dicom: Callable[[str], Volume]) -> None:
    volume = a_volume_from_dicom("1.5")
    assert t1_map_from_volume_node(volume).scanner == ""
    slicer.dicomDatabase.values |= {("1.2.3.1", "0008,0070"): "SIEMENS", ("1.2.3.1", "0008,1090"): "Avanto"}
    assert t1_map_from_volume_node(volume).scanner == "SIEMENS Avanto"


@pytest.mark.parametrize(("order", "axis"), [((2, 0, 1), "first"), ((0, 2, 1), "second")])
def test_a_volume_whose_slices_lie_along_another_axis_is_told_what_to_do(
    an_oblique_t1_map: T1Map, a_scene: Scene, order: tuple[int, int, int], axis: str
) -> None:
    node = add_t1_map(T1Map(sitk.PermuteAxes(an_oblique_t1_map.image, order), "T1"), a_scene)
    with pytest.raises(
        ACNetError, match=rf"T1: its slices lie along its {axis} axis \(found .*along the third"
    ) as told:
        t1_map_from_volume_node(node)
    assert told.value.panel == "slices last"
