"""What the user chose. Slicer stores it in the scene; the patient's name or number is not among it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from slicer import vtkMRMLScalarVolumeNode
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

from ACNetLib.panel.parameters import CenterParameter


@parameterNodeWrapper
class ACNetTrainerParameters:
    """The choices of the panel.

    library - the folder of the case library.
    t1_volume, center, label - the T1 map to add, where its left ventricle is (None: it is searched), "dcm" or "normal".
    recipe - how a model is trained.
    parent - the published model that the recipe "fine-tune" trains on.
    model_name - of the model that a new training makes.
    folds, repeats, compare_fine_tuning, learning_curve - see ACNetTrainerLib.training.background.CrossValidation.
    training - the name of the training that is shown.
    judging_library - the folder of the case library that a model is evaluated on.
    """

    library: str = ""
    t1_volume: vtkMRMLScalarVolumeNode
    center: CenterParameter
    label: str = "normal"
    recipe: str = "recommended"
    parent: str = ""
    model_name: str = "my-model"
    folds: Annotated[int, WithinRange(2, 20)] = 5
    repeats: Annotated[int, WithinRange(1, 20)] = 1
    compare_fine_tuning: bool = True
    learning_curve: bool = True
    training: str = ""
    judging_library: str = ""

    if TYPE_CHECKING:  # some of what the decorator adds
        parameterNode: Any

        def __init__(self, parameterNode: Any) -> None: ...
        def connectGui(self, gui: Any) -> int: ...
        def disconnectGui(self, guiTag: int | None) -> None: ...
