"""The DICOM plugin: native cardiac T1 maps in Slicer's DICOM browser, loaded as T1 in ms."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import slicer
import slicer.util
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _

from ACNetLib.dicom.score import names_another_image
from ACNetLib.dicom.series import T1MapSeries, find_t1_maps
from ACNetLib.dicom.volumes import DicomVolume, read_dicom_files
from ACNetLib.errors import ACNetError
from ACNetLib.scene.display import show_t1_window
from ACNetLib.scene.output import add_t1_map
from ACNetLib.scene.sources import DICOM_INSTANCES, note_headers
from ACNetLib.t1map.t1_map import Reading, T1Map, t1_map_from_image

try:
    from DICOMLib import DICOMLoadable, DICOMPlugin
except ModuleNotFoundError:  # a Slicer that was built without DICOM: the module loads and has nothing to register
    DICOMLoadable, DICOMPlugin = None, object

# Of the plugins that know a series, Slicer loads with the most confident one: its scalar volume plugin says 0.5 for a
# series and 0.45 for a part of it, parametric map 0.95, image sequence up to 1.05: gated images in several directions.
CONFIDENCE, LOW_CONFIDENCE = 1.06, 0.3

KINDS = ("sopClass", "imageType", "seriesDescription")
"""Of the plugin's tags those that may tell an image of another kind."""
MODALITIES = {"MR", "OT", ""}  # a parametric map may be of modality "other"


class DICOMACNetT1MapPluginClass(DICOMPlugin):
    """Offers the T1 maps of a series and loads them with real world values, field strength, the "simulated" mark and
    what the classifier has to say of their headers.

    No series is hidden from Slicer's other plugins. What the classifier would refuse by its header (after contrast,
    along the body, a field strength without a model) is offered below them and not selected, with the reason as
    warning; slices of a series that forms no stack are offered one by one. What it refuses by its pixels is known after
    reading only: it is loaded all the same, for a radiologist who opens a series expects to see it, and the reason is
    shown.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loadType = _("ACNet T1 map")
        # The database keeps these at hand.
        self.tags.update(modality="0008,0060", instanceUID="0008,0018", sopClass="0008,0016", imageType="0008,0008")

    def examineForImport(self, fileLists: list[list[str]]) -> list[DICOMLoadable]:
        """The T1 maps in lists of files, one a series. Older Slicers have no such loop of their own."""
        loadables: list[DICOMLoadable] = []
        for files in fileLists:
            found = self.getCachedLoadables(files)
            if found is None:
                found = self.examineFiles(files)
                self.cacheLoadables(files, found)
            loadables += found
        return loadables

    def examineFiles(self, files: list[str]) -> list[DICOMLoadable]:
        """The T1 maps in the files of one series; none, and no error, for other images and unreadable files."""
        if not files or slicer.dicomDatabase.fileValue(files[0], self.tags["modality"]) not in MODALITIES:
            return []
        # The database knows a file by its very name.
        names = {Path(file): file for file in files if not self._is_another_image(file)}
        return [loadable_of(series, names) for series in find_t1_maps(list(names))]

    def _is_another_image(self, file: str) -> bool:
        """By what the database has at hand: reading takes milliseconds a file, and a heart's study has thousands."""
        values = (slicer.dicomDatabase.fileValue(file, self.tags[tag]) for tag in KINDS)
        return names_another_image(*values)

    def load(self, loadable: DICOMLoadable) -> vtkMRMLScalarVolumeNode | None:
        """The volume, in the scene and shown. None, after a message, when the files can't be read as one stack."""
        try:
            files = [Path(file) for file in loadable.files]
            volume = read_dicom_files(files, loadable.name, loadable.postContrast, loadable.slices)
        except ACNetError as error:
            slicer.util.errorDisplay(error.shown, windowTitle=self.loadType)
            return None
        node = self._add_volume(volume, loadable)
        instances = [slicer.dicomDatabase.fileValue(file, self.tags["instanceUID"]) for file in loadable.files]
        node.SetAttribute(DICOM_INSTANCES, " ".join(instance or "Unknown" for instance in instances))
        self.addSeriesInSubjectHierarchy(loadable, node)
        # Left as it is, the overlay of another patient would lie over it.
        slicer.util.setSliceViewerLayers(background=node, foreground=None, label=None, fit=True)
        return node

    def _add_volume(self, volume: DicomVolume, loadable: DICOMLoadable) -> vtkMRMLScalarVolumeNode:
        source = (loadable.name, volume.field_strength_tesla, volume.simulated)
        try:
            t1_map = t1_map_from_image(volume.image, *source, Reading(post_contrast=loadable.postContrast))
        except ACNetError as refusal:
            advice = _("It was loaded to look at; ACNet will not classify it.")
            slicer.util.warningDisplay(f"{refusal.shown} {advice}", windowTitle=self.loadType)
            node = add_t1_map(T1Map(volume.image, *source), slicer.mrmlScene)
            note_headers(node, volume, (*loadable.notes, *volume.warnings))
            return node
        warnings = (*loadable.notes, *volume.warnings, *t1_map.warnings)
        for warning in warnings:
            logging.warning(f"{t1_map.name}: {warning}")
        node = add_t1_map(t1_map, slicer.mrmlScene)
        note_headers(node, volume, warnings)
        show_t1_window(node, t1_map.field_strength_tesla)
        return node


def loadable_of(series: T1MapSeries, names: dict[Path, str]) -> DICOMLoadable:
    """What the browser shows of a T1 map. `names`: of the files in the database."""
    loadable = DICOMLoadable()
    loadable.files = [names[file] for file in series.files]
    loadable.name = series.name
    loadable.tooltip = _("Slices: {count}. Taken as T1 map: {evidence}.").format(
        count=len(series.slices), evidence=series.evidence
    )
    loadable.warning = " ".join(series.warnings)
    loadable.selected = series.suits_classifier
    loadable.confidence = CONFIDENCE if series.suits_classifier else LOW_CONFIDENCE
    # Slicer keeps the object itself, also in its cache.
    loadable.slices, loadable.postContrast, loadable.notes = series.slices, series.post_contrast, series.notes
    return loadable


class DICOMACNetT1MapPlugin:
    """What Slicer shows of the module: nothing but its name among the DICOM plugins."""

    def __init__(self, parent: Any) -> None:
        # Not translated: only developers see them.
        parent.title = "ACNet T1 map DICOM plugin"
        parent.categories = ["Developer Tools.DICOM Plugins"]
        parent.dependencies = ["DICOM"]
        parent.contributors = ["The ACNet developers"]
        parent.helpText = (
            "Finds native cardiac T1 maps in the DICOM browser by their headers and loads them as T1 in ms, with what "
            "ACNet needs to know of them. It has no panel of its own. For research use only: not for diagnosis."
        )
        parent.acknowledgementText = (
            "Part of ACNet, after C. Luo et al., ACNET: Attention-based Convolution Network with Additional "
            "Discriminative Features for DCM Classification, SEKE 2019."
        )
        parent.hidden = True
        if DICOMLoadable is None:
            return
        # Slicer loads modules in any order: the DICOM module may not have made the list yet.
        if not hasattr(slicer.modules, "dicomPlugins"):
            slicer.modules.dicomPlugins = {}
        slicer.modules.dicomPlugins["DICOMACNetT1MapPlugin"] = DICOMACNetT1MapPluginClass
