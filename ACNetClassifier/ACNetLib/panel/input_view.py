"""The upper part of the panel: what is to be classified and how, and what the check says of it before Apply."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import slicer
import slicer.util
import vtk
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _

from ACNetLib.errors import ACNetError
from ACNetLib.files import damage_named
from ACNetLib.inference.device import DEVICE_REQUESTS
from ACNetLib.inference.exam import check_one_exam, exam_reference, one_that_tells_its_field
from ACNetLib.models.header import read_card_values
from ACNetLib.panel.combo_boxes import ComboBoxes
from ACNetLib.panel.labels import say
from ACNetLib.panel.logic import ACNetClassifierLogic, Choices
from ACNetLib.panel.parameters import SECTION_CHOICES, ACNetParameters, reference_of, volumes_of
from ACNetLib.panel.texts import (
    device_text,
    field_strength_text,
    input_text,
    model_card_details,
    model_card_text,
    model_text,
    options_text,
    other_slices_text,
    refusal_text,
    section_choice_text,
    short_field_strength_text,
)
from ACNetLib.reference.store import remember_reference
from ACNetLib.scene.input import section_in_view, t1_map_from_volume_node
from ACNetLib.scene.output import RESULT_OF
from ACNetLib.scene.sources import (
    DICOM_INSTANCES,
    check_one_patient,
    field_strength_source,
    told_field_strength,
    told_fitted,
    told_scanner,
    told_sequence,
)
from ACNetLib.t1map.field_strength import nominal_field_strength
from ACNetLib.t1map.t1_map import FIELD_STRENGTH_KEY, SIMULATED_KEY, T1Map

FIELD_STRENGTHS = ("", "1.5", "3")
AUTOMATIC_MODEL = ""
REMOVED = "removed"
"""In the place of the ID of a T1 map that is gone: no node's."""


class InputView:
    """Shows the choices of the parameters, the check of the chosen volume, and the card of the model that will run.

    `tell` shows a sentence in the panel.
    """

    def __init__(self, ui: Any, logic: ACNetClassifierLogic, tell: Callable[[str], None]) -> None:
        self.ui = ui
        self._logic, self._tell = logic, tell
        self._parameters: ACNetParameters | None = None
        self._models: tuple[str, ...] = ()  # as listed: looking for them reads files
        self._checked: tuple[object, ...] = ()
        self.t1_maps: tuple[T1Map, ...] = ()
        """Of the chosen volume and the other slices of its exam; empty where there is none or one is refused."""
        self._map_id = ""  # of the T1 map that was chosen last, in this visit or an earlier one
        self._scanner: tuple[str, float, str, bool] | None = None  # of that map
        self._card: tuple[Any, ...] = ()  # for which model and field strength it was read, and its prevalence
        self._refusal = ""
        self._combo_boxes = ComboBoxes()
        self._combo_boxes.add("sections", self.ui.sectionsComboBox, SECTION_CHOICES, section_choice_text)
        self._combo_boxes.add("field_strength", self.ui.fieldComboBox, FIELD_STRENGTHS, field_strength_text)
        self._combo_boxes.add("model_name", self.ui.modelComboBox, (AUTOMATIC_MODEL,), model_text)
        self._combo_boxes.add("device", self.ui.deviceComboBox, DEVICE_REQUESTS, device_text)
        self.ui.otherSlicesSelector.connect("checkedNodesChanged()", self._other_slices_chosen)
        self.ui.prevalenceSpinBox.connect("valueChanged(double)", self._prevalence_chosen)
        self.ui.referenceMeanSpinBox.connect("valueChanged(double)", self._reference_mean_chosen)
        self.ui.referenceSdSpinBox.connect("valueChanged(double)", self._reference_sd_chosen)
        self.ui.rememberReferenceButton.connect("clicked(bool)", self._remember_reference)

    @property
    def t1_map(self) -> T1Map | None:
        """Of the chosen volume."""
        return self.t1_maps[0] if self.t1_maps else None

    def t1_map_of(self, volume: vtkMRMLScalarVolumeNode | None) -> T1Map | None:
        """Of one of the chosen volumes; None for any other, and where one was refused."""
        volumes = [] if self._parameters is None else volumes_of(self._parameters)
        return dict(zip(volumes, self.t1_maps, strict=False)).get(volume)

    def follow(self, parameters: ACNetParameters | None) -> None:
        """Show these parameters from now on. The models are looked for anew."""
        self._models, self._card = tuple(self._logic.models()), ()
        self._combo_boxes.offer("model_name", (AUTOMATIC_MODEL, *self._models), model_text)
        if parameters is not None and parameters.model_name not in self._models:
            parameters.model_name = AUTOMATIC_MODEL
        self._parameters = parameters
        if parameters is not None and parameters.t1_volume is None:
            parameters.center = None  # its map was removed while the user was elsewhere
        self._combo_boxes.follow(parameters)

    def forget_map(self) -> None:
        """What is chosen from now on belongs to the T1 map that is chosen with it, in another scene."""
        self._map_id, self._scanner = "", None

    def map_is_gone(self) -> None:
        """What is chosen belongs to a T1 map that was removed, whose ID another volume may have by now."""
        if self._map_id:
            self._map_id = REMOVED

    def show(self) -> None:
        """Make the widgets say what the parameters and the chosen volume are."""
        parameters = self._parameters
        if parameters is None:
            return
        self._combo_boxes.show()
        self._keep_or_end_exam(parameters)
        self._show_other_slices(parameters)
        self.ui.chosenSectionsLineEdit.enabled = parameters.sections == "chosen"
        _show_value(self.ui.prevalenceSpinBox, 100 * parameters.prevalence)
        _show_value(self.ui.referenceMeanSpinBox, parameters.reference_t1_mean)
        _show_value(self.ui.referenceSdSpinBox, parameters.reference_t1_sd)
        self._check(parameters)
        if self.t1_map is not None:
            text = input_text(self.t1_map, field_strength_source(parameters.t1_volume))
            say(self.ui.checkLabel, "\n".join([text, *map(other_slices_text, self.t1_maps[1:])]))
        else:
            say(self.ui.checkLabel, self._refusal)
        self.ui.rememberReferenceButton.enabled = bool(
            parameters.reference_t1_mean
            and self.t1_map
            and self.t1_map.scanner
            and self.t1_map.field_strength_tesla
            and not self.t1_map.fitted
        )
        self._show_card(parameters)
        self._show_options(parameters)

    def obstacle(self) -> str:
        """Why the choices can't be classified; empty when they can."""
        parameters = self._parameters
        if parameters is None or parameters.t1_volume is None:
            return _("Select a T1 map")
        if self._refusal or not self.t1_maps:
            return self._refusal
        try:
            reference = exam_reference(self.t1_maps, reference_of(parameters))
        except ACNetError as error:
            return refusal_text(error)
        if one_that_tells_its_field(self.t1_maps).field_strength_tesla is None and reference is None:
            return _("Choose the field strength: the T1 map does not tell it")
        if not self._models:
            return _("No model is installed")
        if len(self.t1_maps) > 1 and parameters.sections != "all":
            return _("Choose all slices: several T1 maps are classified together")
        try:
            if parameters.sections == "chosen":
                _section_numbers(parameters.chosen_sections)
        except ACNetError as error:
            return refusal_text(error)
        return ""

    def choices(self) -> Choices:
        """What the parameters say. Raises ACNetError when the red view shows no section."""
        parameters = self._parameters
        assert parameters is not None
        return Choices(
            model_name=parameters.model_name,
            device=parameters.device,
            center=parameters.center,
            field_strength_tesla=_field_strength(parameters),
            prevalence_dcm=parameters.prevalence or None,
            reference=reference_of(parameters),
            sections=_sections(parameters),
            other_slices=volumes_of(parameters)[1:],
        )

    def _check(self, parameters: ACNetParameters) -> None:
        """Read and check the volumes, unless nothing that matters has changed since."""
        volumes = volumes_of(parameters)
        state = (parameters.field_strength, *map(_state, volumes))
        if state == self._checked:
            return
        self._checked, self.t1_maps, self._refusal = (), (), ""
        try:
            check_one_patient(volumes)
            t1_maps = tuple(t1_map_from_volume_node(each, _field_strength(parameters)) for each in volumes)
            check_one_exam(t1_maps)
            self.t1_maps = t1_maps
        except ACNetError as error:
            self._refusal = refusal_text(error)
        self._checked = state

    def _show_card(self, parameters: ACNetParameters) -> None:
        """What the card of the model that will run says, in short and the rest. Finding it reads files."""
        t1_map = one_that_tells_its_field(self.t1_maps) if self.t1_maps else None
        field = None if t1_map is None else t1_map.field_strength_tesla
        if self._card[:2] == (parameters.model_name, field):
            return
        text = details = ""
        prior = None
        if t1_map is not None and field is not None:
            try:
                file = self._logic.model_file(parameters.model_name, t1_map)
                card = read_card_values(file)
                with damage_named(file, _("Choose another model.")):
                    text, details, prior = model_card_text(card), model_card_details(card), card["training_prior_dcm"]
            except ACNetError as error:
                text = refusal_text(error)
        self._card = parameters.model_name, field, prior
        self.ui.cardLabel.text, self.ui.cardLabel.toolTip = text, details

    def _show_options(self, parameters: ACNetParameters) -> None:
        """In one line beside the closed section."""
        volume, field = parameters.t1_volume, _field_strength(parameters)
        if self.t1_map is not None and volume is not None:
            field = self.t1_map.field_strength_tesla
            text = short_field_strength_text(field, field_strength_source(volume))
        else:
            text = short_field_strength_text(field, None)
        prevalence = parameters.prevalence or self._card[2]
        others = max(0, len(volumes_of(parameters)) - 1)
        self.ui.optionsLabel.text = options_text(parameters, text, prevalence, others)

    def _keep_or_end_exam(self, parameters: ACNetParameters) -> None:
        """Another T1 map is of the same exam where it was ticked. Else the ticked ones, the place of the left ventricle
        and the field strength may be another patient's, the reference T1 another scanner's: also where none was chosen
        in between, or the one before was removed.
        """
        scene, volume = slicer.mrmlScene, parameters.t1_volume
        if volume is None or volume.GetID() == self._map_id or scene.IsImporting():
            return
        before_id, scanner = self._map_id, self._scanner
        self._map_id, self._scanner = volume.GetID(), _scanner_of(volume)
        if not before_id:
            return
        others = [other for other in parameters.other_slices if other is not None]
        with slicer.util.NodeModify(parameters):
            if volume in others:
                of_exam = [scene.GetNodeByID(before_id), *others]
                parameters.other_slices = [each for each in of_exam if each is not None and each is not volume]
                return
            if others:
                parameters.other_slices = []
            center = parameters.center
            if center is not None and center.GetNodeReference(RESULT_OF) is not volume:
                parameters.center = None
            parameters.field_strength = ""
            if scanner is None or scanner != self._scanner:
                parameters.reference_t1_mean = parameters.reference_t1_sd = 0.0

    def _show_other_slices(self, parameters: ACNetParameters) -> None:
        """Tick the other slices of the exam, and nothing else."""
        selector, others = self.ui.otherSlicesSelector, volumes_of(parameters)[1:]
        ticked = selector.checkedNodes()  # the rest is as it is: the selector looks for each node among all
        selector.blockSignals(True)
        for node in others:
            if node not in ticked:
                selector.check(node)
        for node in ticked:
            if node not in others:
                selector.uncheck(node)
        selector.blockSignals(False)

    def _other_slices_chosen(self) -> None:
        if self._parameters is not None:
            first = self._parameters.t1_volume
            others = [node for node in self.ui.otherSlicesSelector.checkedNodes() if node is not first]
            self._parameters.other_slices = others

    def _prevalence_chosen(self, prevalence_percent: float) -> None:
        if self._parameters is not None:
            self._parameters.prevalence = prevalence_percent / 100

    def _reference_mean_chosen(self, mean_ms: float) -> None:
        if self._parameters is not None:
            self._parameters.reference_t1_mean = mean_ms

    def _reference_sd_chosen(self, sd_ms: float) -> None:
        if self._parameters is not None:
            self._parameters.reference_t1_sd = sd_ms

    def _remember_reference(self) -> None:
        with slicer.util.tryWithErrorDisplay(_("The reference T1 can't be remembered.")):
            assert self._parameters is not None
            assert self.t1_map is not None
            scanner, field = self.t1_map.scanner, self.t1_map.field_strength_tesla
            assert field is not None
            try:
                reference = reference_of(self._parameters)
                assert reference is not None
                remember_reference(scanner, field, reference, self.t1_map.sequence)
            except ACNetError as error:
                self._tell(refusal_text(error))
                return
            with slicer.util.NodeModify(self._parameters):  # the scanner has it now: for other maps it is not given
                self._parameters.reference_t1_mean = self._parameters.reference_t1_sd = 0.0
            remembered_for = ", ".join(filter(None, (scanner, f"{field:g} T", self.t1_map.sequence)))
            self._tell(
                _("Remembered for {scanner}: {mean} ms.").format(scanner=remembered_for, mean=f"{reference.mean_ms:g}")
            )


def _show_value(spin_box: Any, value: float) -> None:
    value = round(value, spin_box.decimals)
    if spin_box.value != value:  # else what is being typed would be written anew
        spin_box.value = value


def _state(volume: vtkMRMLScalarVolumeNode) -> tuple[object, ...]:
    """Differs when the volume's image, its place or what is known of it does; a new reference, say, changes nothing."""
    image, transform, ijk_to_ras = volume.GetImageData(), volume.GetParentTransformNode(), vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(ijk_to_ras)
    return (
        volume.GetID(),
        volume.GetName(),
        *(volume.GetAttribute(name) for name in (FIELD_STRENGTH_KEY, SIMULATED_KEY, DICOM_INSTANCES)),
        None if image is None else image.GetMTime(),
        None if transform is None else transform.GetTransformToWorldMTime(),
        slicer.util.arrayFromVTKMatrix(ijk_to_ras).tobytes(),
    )


def _scanner_of(volume: vtkMRMLScalarVolumeNode) -> tuple[str, float, str, bool] | None:
    """Manufacturer and model, and the field strength, where both are told; the sequence, and whether it was fitted."""
    try:
        scanner, field = told_scanner(volume), told_field_strength(volume)
    except ACNetError:
        return None
    if not scanner or not field:
        return None
    return scanner.casefold(), nominal_field_strength(field), told_sequence(volume), bool(told_fitted(volume))


def _field_strength(parameters: ACNetParameters) -> float | None:
    return float(parameters.field_strength) if parameters.field_strength else None


def _sections(parameters: ACNetParameters) -> tuple[int, ...] | None:
    if parameters.sections == "all":
        return None
    if parameters.sections == "chosen":
        return _section_numbers(parameters.chosen_sections)
    view = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceNode")
    return (section_in_view(parameters.t1_volume, view),)


def _section_numbers(text: str) -> tuple[int, ...]:
    """Section numbers with commas between. Raises ACNetError for anything else."""
    if not re.fullmatch(r"\s*\d+(\s*,\s*\d+)*\s*", text):
        raise ACNetError(_("Slices: found “{text}”; expected numbers such as 0, 2.").format(text=text.strip()))
    return tuple(int(part) for part in text.split(","))
