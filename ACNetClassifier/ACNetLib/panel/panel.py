"""The panel: choices, Apply or Cancel, the result of the chosen volume, and how it is shown."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import slicer
import slicer.util
import vtk
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _

from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import ATTENTION_MAPS, SHOWN_MAP
from ACNetLib.inference.record import Slice
from ACNetLib.panel.box_moves import BoxMoves
from ACNetLib.panel.dependencies import ensure_packages
from ACNetLib.panel.display_view import DisplayView
from ACNetLib.panel.fitting_view import FittingView
from ACNetLib.panel.input_view import InputView
from ACNetLib.panel.labels import say
from ACNetLib.panel.list_view import ListView
from ACNetLib.panel.logic import ACNetClassifierLogic, Run
from ACNetLib.panel.needed_modules import disabled_modules_sentence
from ACNetLib.panel.observers import Observers
from ACNetLib.panel.outputs_view import OutputsView
from ACNetLib.panel.parameters import ACNetParameters, display_of, volumes_of
from ACNetLib.panel.result_view import ResultView
from ACNetLib.panel.sample_data import load_sample
from ACNetLib.panel.segments_view import SegmentsView
from ACNetLib.panel.texts import other_copy_text, outdated_text, refusal_text, step_text, unforeseen_text
from ACNetLib.panel.worker import CancelledByUser, Work, Worker
from ACNetLib.scene.copies import better_copy, volumes_of_our_plugin
from ACNetLib.scene.exam import is_outdated, volume_of
from ACNetLib.scene.list_study import open_study
from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.output import find_result
from ACNetLib.scene.table import read_record
from ACNetLib.scene.views import jump_to

VOLUME_EVENTS = (
    vtk.vtkCommand.ModifiedEvent,
    vtkMRMLScalarVolumeNode.ImageDataModifiedEvent,
    vtkMRMLScalarVolumeNode.TransformModifiedEvent,
)


class ACNetPanel:
    """The widgets of the .ui file brought to life.

    What it shows of a result it reads from the scene: after a run, for another volume and in an opened scene alike.
    """

    def __init__(self, ui_path: str, logic: ACNetClassifierLogic) -> None:
        self.widget = slicer.util.loadUI(ui_path)
        self.widget.setMRMLScene(slicer.mrmlScene)
        self.ui = slicer.util.childWidgetVariables(self.widget)
        self.logic = logic
        self._worker = Worker(self._progressed)
        self._parameters: ACNetParameters | None = None
        self._has_parameters = False  # the present scene, also while the user is elsewhere
        self._chosen_before_import: vtkMRMLScalarVolumeNode | None = None
        self._gui_tag: int | None = None
        # After the wrapper's own observers, which bring the values up to date that it keeps.
        self._of_parameters = Observers(self._update, (vtk.vtkCommand.ModifiedEvent,), priority=-1.0)
        self._of_volumes = Observers(self._update, VOLUME_EVENTS)
        self._box_moves = BoxMoves(self._cut_anew)
        self._running_volume_id: str | None = None  # "" for work on no volume, None once its scene is gone
        self._looked_at: tuple[str, str] | None = None  # of the exam of the first volume the second, by their IDs
        self._loaded_before: set[str] | None = None  # IDs, by our DICOM plugin, when the user left the module
        self._is_warm = False

        self._input_view = InputView(self.ui, logic, self._say)
        self._result_view = ResultView(self.ui, self._leave_out, self._show_section)
        self._segments_view = SegmentsView(self.ui)
        self._display_view = DisplayView(self.ui, self._update)
        self._list_view = ListView(self.ui, self._open_study, self._update)
        self._outputs_view = OutputsView(self.ui, self._start, self._say, self._list_view.images)
        self._fitting_view = FittingView(self.ui, self._start, self._choose, self._say)
        self.ui.sampleButton.connect("clicked(bool)", self._load_sample)
        self.ui.applyButton.connect("clicked(bool)", self._apply_or_cancel)
        self._say("")
        self._update()

    @property
    def running(self) -> bool:
        """Whether work goes on in the thread."""
        return self._worker.running

    @property
    def making_list(self) -> bool:
        """Whether a process makes a reading list."""
        return self._list_view.running

    def set_parameters(self, parameters: ACNetParameters | None) -> None:
        """Show and follow these parameters from now on; None while there is no scene or the user is elsewhere."""
        if self._parameters is not None:
            self._parameters.disconnectGui(self._gui_tag)
        self._parameters = parameters
        self._has_parameters |= parameters is not None
        self._input_view.follow(parameters)
        if parameters is not None:
            self._gui_tag = parameters.connectGui(self.ui)
        self._of_parameters.follow(() if parameters is None else (parameters.parameterNode,))
        self._display_view.follow(parameters)
        self._outputs_view.follow(parameters)
        self._list_view.follow(parameters)
        self._update()
        self._take_new_volume()
        if parameters is not None and not self._is_warm:
            self._is_warm = True
            self._worker.warm_up(self.logic.warm_up)  # while the user chooses a map and looks at it

    def _take_new_volume(self) -> None:
        """On entering, the T1 map that our DICOM plugin has loaded last since the user left the module, or the last of
        all where none is chosen; on leaving, note which there are. A scene that is opened brings its own choice."""
        scene, before = slicer.mrmlScene, self._loaded_before
        loaded = volumes_of_our_plugin(scene)
        self._loaded_before = None
        if self._parameters is None:
            self._loaded_before = None if scene.IsClosing() else {volume.GetID() for volume in loaded}
            return
        new = [] if before is None else [volume for volume in loaded if volume.GetID() not in before]
        if new or self._parameters.t1_volume is None:
            self._parameters.t1_volume = next(reversed(new or loaded), None)

    def leave_scene(self) -> None:
        """The scene closes: what is being computed, and what has been, belongs to a scene that is gone."""
        self._running_volume_id = self._looked_at = None
        self._has_parameters = False
        self._worker.cancel()
        self.logic.forget_runs()
        self._input_view.forget_map()

    def import_starts(self) -> None:
        """Slicer's selectors lose what is chosen in them when a scene has come in (Slicer issue 4570): they are not
        followed meanwhile."""
        self._chosen_before_import = self._chosen()
        if self._parameters is not None:
            self._parameters.disconnectGui(self._gui_tag)
            self._parameters = None
            self._input_view.follow(None)

    def scene_imported(self) -> None:
        """What is chosen is what the scene brought along, or, where it brought no parameters, what was chosen before;
        a volume of it may have taken the ID of one that was removed."""
        self._looked_at = None
        chosen = self._chosen()
        if not self._has_parameters or chosen is not self._chosen_before_import:
            self._input_view.forget_map()
        elif chosen is None:
            self._input_view.map_is_gone()
        self._chosen_before_import = None

    def _chosen(self) -> vtkMRMLScalarVolumeNode | None:
        """The T1 map of the scene's parameters, which are not kept beyond a visit."""
        return self.logic.getParameterNode().t1_volume if self._has_parameters else None

    def close(self) -> None:
        """The module is unloaded."""
        self.leave_scene()
        self._worker.close()
        self._box_moves.stop()
        self._display_view.close()
        self._list_view.close()
        for observers in (self._of_parameters, self._of_volumes):
            observers.follow(())
        if self._parameters is not None:
            self._parameters.disconnectGui(self._gui_tag)
        self._parameters = None

    def _load_sample(self, _checked: bool = False) -> None:
        with slicer.util.tryWithErrorDisplay(_("The sample could not be loaded."), waitCursor=True):
            volume = load_sample()
            if self._parameters is not None:
                self._parameters.t1_volume = volume

    def _open_study(self, folder: Path) -> None:
        """Of a reading list, by its folder. Raises ACNetError where a file of it is missing or damaged."""
        parameters = self._parameters
        if parameters is None:
            return
        self._say("")
        with slicer.util.RenderBlocker():
            first, *others = open_study(folder, slicer.mrmlScene, display_of(parameters))
            if parameters.overlay in ATTENTION_MAPS:  # the list has the combined one
                parameters.overlay = SHOWN_MAP
            parameters.t1_volume = first
            parameters.other_slices = others

    def _choose(self, volume: vtkMRMLScalarVolumeNode) -> None:
        self.logic.getParameterNode().t1_volume = volume  # the user may be in another module by now

    def _apply_or_cancel(self, _checked: bool = False) -> None:
        if self._worker.running:
            self._worker.cancel()
            self._say(_("Cancelling..."))
            self._update()
        elif self._parameters is not None:
            self._apply(self._parameters.t1_volume)

    def _apply(self, volume: vtkMRMLScalarVolumeNode) -> None:
        self._say("")
        with slicer.util.tryWithErrorDisplay(_("The classification could not be started.")):
            try:
                ensure_packages()
                work = self.logic.prepare(volume, self._input_view.choices(), self._input_view.t1_maps)
            except ACNetError as error:
                self._say(refusal_text(error))
                return
            self._start(work, volume, self._show_run, _("The classification failed."))

    def _start(
        self, work: Work, volume: vtkMRMLScalarVolumeNode | None, on_result: Callable[[Any, Any], None], failed: str
    ) -> None:
        """Do long work on a volume, or on none, then hand on its result if the scene is still there, with the volume:
        None where it was removed.

        failed: the sentence that says what did not come about, for an error that nobody foresaw.
        """
        if self._worker.running:  # it began behind a dialog
            self._say(_("Wait until what is being computed is done, or cancel it."))
            return
        self._say("")
        self.ui.progressBar.value = 0
        self._running_volume_id = "" if volume is None else volume.GetID()
        self._worker.start(work, lambda future: self._finished(future, on_result, failed))
        self._update()

    def _progressed(self, step: str, fraction: float) -> None:
        if not self._worker.cancelling:
            self._say(step_text(step))
            self.ui.progressBar.value = round(100 * fraction)

    def _finished(self, future: Future, on_result: Callable[[Any, Any], None], failed: str) -> None:
        volume_id, self._running_volume_id = self._running_volume_id, None
        volume = slicer.mrmlScene.GetNodeByID(volume_id) if volume_id else None
        self._say("")
        with slicer.util.tryWithErrorDisplay(failed):
            try:
                if volume_id is not None:
                    on_result(volume, future.result())
            except CancelledByUser:
                self._say(_("Cancelled: nothing was changed."))
            except ACNetError as error:
                self._say(refusal_text(error))
            except Exception:
                self._say(_("{failed} See the error log.").format(failed=failed))
                raise
            finally:
                self._put_boxes_back(volume)
                self._update()

    def _show_run(self, volume: vtkMRMLScalarVolumeNode | None, run: Run) -> None:
        parameters = self.logic.getParameterNode()  # the user may be in another module by now
        chosen = parameters.t1_volume
        is_of_exam = chosen is not None and (chosen is volume or chosen.GetID() in run.volume_ids)
        nodes = self.logic.show(run, volume, display_of(parameters), in_views=is_of_exam)
        if is_of_exam:  # else the user looks at another patient by now
            self._looked_at = chosen.GetID(), nodes.t1_volume.GetID()
        elif volume is None:
            self._say(_("The result is that of {name}: choose it as T1 map.").format(name=nodes.t1_volume.GetName()))

    def _leave_out(self, rows: Collection[int]) -> None:
        volume = self._shown_volume()
        if volume is None:
            return
        self._say("")
        try:
            self.logic.leave_out(volume, rows)
        except ACNetError as error:
            self._say(refusal_text(error))
        self._update()

    def _show_section(self, row: Slice) -> None:
        nodes = self._nodes()
        volume = None if nodes is None else volume_of(row, nodes.table)
        if volume is not None and volume is not self._shown_volume() and self._parameters is not None:
            self._looked_at = self._parameters.t1_volume.GetID(), volume.GetID()
            self._update()
        jump_to(row.section.center_lps_mm, slicer.mrmlScene)

    def _cut_anew(self) -> None:
        """Classify the sections again whose boxes the user has moved."""
        nodes = self._nodes()
        if nodes is None or self._worker.running:
            return
        moved = self.logic.moved_sections(nodes)
        if moved:
            work = self.logic.prepare_move(nodes.t1_volume, moved)
            self._start(work, nodes.t1_volume, self._show_run, _("The moved slices could not be classified."))

    def _put_boxes_back(self, volume: vtkMRMLScalarVolumeNode | None) -> None:
        """Where a box was moved and its section could not be classified there, it returns to its section."""
        nodes = find_result(volume, slicer.mrmlScene) if volume is not None else None
        run = self.logic.run(volume) if volume is not None else None
        if nodes is None or run is None or is_outdated(nodes, slicer.mrmlScene):
            return
        if self.logic.moved_sections(nodes):
            self._show_run(nodes.t1_volume, run)

    def _say(self, text: str) -> None:
        say(self.ui.statusLabel, text)

    def _shown_volume(self) -> vtkMRMLScalarVolumeNode | None:
        """The chosen volume, or the one of its exam that the user looks at."""
        volume = self._parameters.t1_volume if self._parameters is not None else None
        if volume is None or self._looked_at is None or self._looked_at[0] != volume.GetID():
            return volume
        return slicer.mrmlScene.GetNodeByID(self._looked_at[1]) or volume

    def _nodes(self) -> ResultNodes | None:
        """The result of the volume that is shown, if it has one and is as it was when that was made."""
        nodes = self._nodes_of_any_state()
        return None if nodes is None or is_outdated(nodes, slicer.mrmlScene) else nodes

    def _nodes_of_any_state(self) -> ResultNodes | None:
        volume = self._shown_volume()
        return find_result(volume, slicer.mrmlScene) if volume is not None else None

    def _update(self, *_event: object) -> None:
        """Make the widgets say what the parameters, the scene and the worker are."""
        try:
            self._show()
        except Exception:
            self._show_no_result()
            raise

    def _show(self) -> None:
        self._input_view.show()
        running, nodes = self._worker.running, self._nodes()
        self._observe(nodes)
        self._show_apply_button(running, self._input_view.obstacle())
        self.ui.progressBar.visible = running
        self._result_view.show(None if nodes is None else read_record(nodes.table), can_change=not running)
        self._segments_view.show(nodes)
        can_move = nodes is not None and not running and self.logic.run(nodes.t1_volume) is not None
        self._display_view.show(self._shown_volume(), nodes, self._input_view.t1_map_of(self._shown_volume()), can_move)
        self._outputs_view.show(nodes, running)
        self._list_view.show()
        self._fitting_view.show(running)
        self._show_notice(self._nodes_of_any_state() if nodes is None else None)

    def _show_no_result(self) -> None:
        """After an error that nobody foresaw: what is said of another patient must not stay beside this one's name."""
        running, volume = self._worker.running, self._shown_volume()
        obstacle = unforeseen_text(None if volume is None else volume.GetName())
        self._observe(None)
        say(self.ui.checkLabel, obstacle)
        say(self.ui.noticeLabel, "")
        self._show_apply_button(running, obstacle)
        self._result_view.show(None, can_change=False)
        self._segments_view.show(None)
        self._outputs_view.show(None, running)
        self._display_view.show(volume, None, None, can_move=False)

    def _show_notice(self, outdated: ResultNodes | None) -> None:
        """What Slicer itself lacks, that there is a better copy of the chosen volume, why a result is not shown."""
        volume = self._parameters.t1_volume if self._parameters is not None else None
        better = better_copy(volume, slicer.mrmlScene) if volume is not None else None
        sentences = [disabled_modules_sentence(), "" if better is None else other_copy_text(better.GetName())]
        if outdated is not None:
            sentences.append(outdated_text(outdated.t1_volume.GetName()))
        say(self.ui.noticeLabel, "\n".join(filter(None, sentences)))

    def _show_apply_button(self, running: bool, obstacle: str) -> None:
        button = self.ui.applyButton
        if running:
            button.text = _("Cancel")
            button.toolTip = _("Stop the work; an earlier result stays")
            button.enabled = not self._worker.cancelling
        else:
            button.text = _("Apply")
            button.toolTip = obstacle or _("Classify the T1 map")
            button.enabled = not obstacle

    def _observe(self, nodes: ResultNodes | None) -> None:
        """Follow the chosen volumes' images and places, and the boxes of the result that is shown."""
        self._of_volumes.follow(() if self._parameters is None else volumes_of(self._parameters))
        self._box_moves.follow(() if nodes is None else nodes.crop_boxes.values())
