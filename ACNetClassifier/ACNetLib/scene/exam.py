"""An exam with several T1 maps in the scene: each volume has its own result nodes, and every table the one study.

Needs no Qt, like all of this package.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLTableNode

from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import SHOWN_MAP
from ACNetLib.inference.evidence import EVIDENCE
from ACNetLib.inference.record import MapRecord, Slice
from ACNetLib.inference.result import MapImages, StudyResult
from ACNetLib.scene.arrays import array_of_volume, has_values
from ACNetLib.scene.display import OUTSIDE_EVIDENCE, VENTRICLE, Display
from ACNetLib.scene.input import t1_map_from_volume_node
from ACNetLib.scene.made_of import is_made_of
from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.output import RESULT_OF, find_result, show_nodes, update_result
from ACNetLib.scene.table import leave_out, read_record
from ACNetLib.t1map.checks import POST_CONTRAST_WARNING

MAP = "ACNet.map."
"""A table refers to the volume of each of its exam's maps."""


def show_exam(
    study: StudyResult,
    input_nodes: Sequence[vtkMRMLScalarVolumeNode | None],
    scene: vtkMRMLScene,
    display: Display | None = None,
    shown: vtkMRMLScalarVolumeNode | None = None,
) -> list[ResultNodes]:
    """Put the nodes of each map beside its volume, see `update_result`, and show one of the volumes.

    input_nodes: one a map; None where the volume is gone. shown: by default the first.
    """
    every = update_exam(study, input_nodes, scene)
    for nodes in every:
        if nodes.t1_volume is (shown or every[0].t1_volume):
            show_nodes(nodes, scene, display or Display())
    return every


def update_exam(
    study: StudyResult, input_nodes: Sequence[vtkMRMLScalarVolumeNode | None], scene: vtkMRMLScene
) -> list[ResultNodes]:
    """The same without a change of what the views show."""
    found = {index: node for index, node in enumerate(input_nodes) if node is not None}
    every = [update_result(study, index, node, scene) for index, node in found.items()]
    for nodes in every:
        if len(study.maps) > 1:
            for index, node in found.items():
                nodes.table.SetNodeReferenceID(f"{MAP}{index + 1}", node.GetID())
    return every


def volume_of(each: Slice, table: vtkMRMLTableNode) -> vtkMRMLScalarVolumeNode | None:
    """The volume of a slice of the table's study, None where it is gone."""
    return volumes_of(table)[each.map_index]


def volumes_of(table: vtkMRMLTableNode) -> list[vtkMRMLScalarVolumeNode | None]:
    """Of each map of the table's study, None where it is gone."""
    count = len(read_record(table).maps)
    if count == 1:
        return [table.GetNodeReference(RESULT_OF)]
    return [table.GetNodeReference(f"{MAP}{number}") for number in range(1, count + 1)]


def results_of_exam(nodes: ResultNodes, scene: vtkMRMLScene) -> list[ResultNodes]:
    """The nodes of all maps of a result's exam. A map that was classified anew without the others is none of it."""
    volumes = volumes_of(nodes.table)
    found = [find_result(volume, scene) for volume in volumes if volume is not None]
    return [each for each in found if each is not None and volumes_of(each.table) == volumes]


def is_outdated(nodes: ResultNodes, scene: vtkMRMLScene) -> bool:
    """Whether a T1 map of the result's exam has another image, or another place, than the result was made of."""
    return not all(is_made_of(each.table, each.t1_volume) for each in (nodes, *results_of_exam(nodes, scene)))


def leave_out_of_exam(nodes: ResultNodes, places: Collection[int], scene: vtkMRMLScene) -> None:
    """Let all tables of the exam say what it is without these slices. Raises ACNetError when none would be left."""
    for each in results_of_exam(nodes, scene):
        leave_out(each.table, places)


def study_from_scene(nodes: ResultNodes, scene: vtkMRMLScene) -> StudyResult:
    """The study whose nodes these are, with its images: as it was made, also in a scene opened from a file.

    Raises ACNetError where a volume of it is gone or has been changed.
    """
    record = read_record(nodes.table)
    of_volume = {each.t1_volume: each for each in results_of_exam(nodes, scene)}
    images = tuple(
        _images(of_volume.get(volume), of_map)
        for volume, of_map in zip(volumes_of(nodes.table), record.maps, strict=True)
    )
    return StudyResult(**vars(record), images=images)


def _images(nodes: ResultNodes | None, of_map: MapRecord) -> MapImages:
    if nodes is None or VENTRICLE not in nodes.labels or EVIDENCE not in nodes.maps:
        raise _gone(of_map)
    if nodes.maps.keys() - {EVIDENCE} != nodes.labels.keys() - {VENTRICLE}:
        raise _gone(of_map)
    if not is_made_of(nodes.table, nodes.t1_volume):
        raise _gone(of_map)
    if not all(map(has_values, (*nodes.maps.values(), *nodes.labels.values()))):
        raise _gone(of_map)  # a scene whose volumes' files were not all there
    post_contrast = POST_CONTRAST_WARNING in of_map.warnings  # it was insisted on when the result was made
    t1_map = t1_map_from_volume_node(nodes.t1_volume, of_map.field_strength_tesla, post_contrast)
    attention = {key: array_of_volume(node).copy() for key, node in nodes.maps.items()}
    labels = {key: array_of_volume(node).copy() for key, node in nodes.labels.items()}
    shapes = {values.shape for values in (*attention.values(), *labels.values())}
    if SHOWN_MAP not in attention or shapes != {t1_map.array.shape}:
        raise _gone(of_map)
    evidence = attention.pop(EVIDENCE)
    evidence[evidence <= OUTSIDE_EVIDENCE] = 0.0
    return MapImages(t1_map, attention, {key: labels[key] for key in attention}, evidence, labels[VENTRICLE])


def _gone(of_map: MapRecord) -> ACNetError:
    return ACNetError(
        f"{of_map.name}: the T1 map of this result, or a volume of its attention or left ventricle, is gone or was "
        "changed; expected them as they were made. Classify the map again."
    )
