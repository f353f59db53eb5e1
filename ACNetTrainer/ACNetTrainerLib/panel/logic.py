"""The module's logic: T1 volumes of the scene become cases of a library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from ACNetLib.errors import ACNetError
from ACNetLib.inference import load_finder
from ACNetLib.inference.torch_libraries import import_torch
from ACNetLib.panel.logic import Center
from ACNetLib.panel.worker import Progress
from ACNetLib.scene.input import place_from_node, t1_map_from_volume_node
from ACNetTrainerLib.panel.parameters import ACNetTrainerParameters

if TYPE_CHECKING:
    from ACNetTrainerLib.cases.csv_import import Imported
    from ACNetTrainerLib.cases.library import Case, CaseLibrary


class ACNetTrainerLogic(ScriptedLoadableModuleLogic):
    """Adds T1 volumes of the scene to a case library.

    `load_localizer` finds left ventricles where none are given.
    """

    def __init__(self) -> None:
        super().__init__()
        self.load_localizer = shipped_localizer

    def getParameterNode(self) -> ACNetTrainerParameters:
        return ACNetTrainerParameters(super().getParameterNode())

    def prepare_case(
        self, library: Path, volume: vtkMRMLScalarVolumeNode, label: str, patient: str, center: Center | None
    ) -> Callable[[Progress], Imported]:
        """Read the nodes; returns the work that adds every section with a left ventricle as a case, or none.

        Raises ACNetError for what a user can put right.
        """
        if not patient.strip():
            raise ACNetError(_("Patient: found nothing; expected a name or number. Only a code made of it is stored."))
        t1_map = t1_map_from_volume_node(volume)
        center_mm, segmentation = place_from_node(center, volume)

        def work(progress: Progress) -> Imported:
            progress("case", 0.0)
            from ACNetTrainerLib.cases.csv_import import Imported
            from ACNetTrainerLib.cases.editing import add_maps
            from ACNetTrainerLib.cases.maps import NewMap, at_point, by_localizer, check_near, in_segmentation

            if center_mm is not None:
                check_near([t1_map], center_mm)
                located = at_point(t1_map, center_mm, self.load_localizer().locate(t1_map))
            elif segmentation is not None:
                located = in_segmentation(t1_map, segmentation, self.load_localizer().locate(t1_map))
            else:
                located = by_localizer(t1_map, self.load_localizer())
            new = NewMap(t1_map, label, patient.strip(), located)
            return Imported(add_maps(library, [new]), new.notes)

        return work


def check_warnings(library: CaseLibrary) -> list[str]:
    """What is to be known of the library when every image has been read. Raises ACNetError when it is refused."""
    from ACNetTrainerLib.cases.checks import check_library

    return [*library.warnings, *check_library(library).warnings]


def give_other_label(folder: Path, cases: Sequence[Case]) -> None:
    """To all cases of the patients of these cases. Raises ACNetError when the library would be refused afterwards."""
    from ACNetTrainerLib.cases import editing as case_editing

    case_editing.edit_labels(folder, {case.case: "normal" if case.is_dcm else "dcm" for case in cases})


def remove_cases(folder: Path, names: Sequence[str]) -> None:
    """Remove cases and their files from a library. Raises ACNetError when it can't be changed."""
    from ACNetTrainerLib.cases import editing as case_editing

    case_editing.remove_cases(folder, names)


def shipped_localizer() -> Any:
    import_torch()
    return load_finder()
