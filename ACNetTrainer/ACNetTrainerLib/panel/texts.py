"""What the trainer's panel says, as translatable sentences."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from slicer.i18n import tr as _

from ACNetLib.panel.texts import duration_text

from ..evaluation.wording import CHECKED, OTHER_LIBRARY, estimate_text

CHANCE = 0.5
"""The area under the ROC curve of one who guesses."""
MOST_NAMED = 3
"""Patients in a question, whose names are codes of 12 letters."""


def label_text(label: str) -> str:
    return {"dcm": _("DCM"), "normal": _("Normal")}[label]


def count_text(label: str, patients: int, sections: int) -> str:
    """On the bar of a class."""
    text = _("{label}: {patients} patients, {sections} slices")
    return text.format(label=label_text(label), patients=patients, sections=sections)


def relabel_question(patients: Collection[str]) -> str:
    text = _("Give all cases of {count} patients the other label: {patients}?")
    return text.format(count=len(patients), patients=_named(patients))


def remove_question(patients: Collection[str], cases: int) -> str:
    """Whose cases are to be removed."""
    text = _("Remove {count} cases from the library and delete its copies of their images? They are of {patients}.")
    return text.format(count=cases, patients=_named(patients))


def _named(patients: Collection[str]) -> str:
    """The first of them."""
    names = ", ".join(list(patients)[:MOST_NAMED])
    left_out = len(patients) - MOST_NAMED
    return _("{patients} and {count} more").format(patients=names, count=left_out) if left_out > 0 else names


def training_text(name: str, state: str) -> str:
    texts = {
        "running": _("{name} (running)"),
        "stopped": _("{name} (stopped, can be resumed)"),
        "failed": _("{name} (failed)"),
        "finished": _("{name} (finished)"),
    }
    return texts[state].format(name=name)


def progress_text(event: dict[str, Any] | None, numbers: tuple[int, int] | None = None) -> str:
    """What the last event of a training says: where it is, and how long it will take.

    numbers: of a cross-validation which training of how many is at work.
    """
    text = _progress_text(event)
    match event, numbers:
        case {"event": "start" | "step" | "epoch"}, (number, of):
            return _("Training {number} of {of}. {progress}").format(number=number, of=of, progress=text)
        case {"event": "training"}, (number, of):
            return _("Training {number} of {of} begins...").format(number=number, of=of)
        case {"event": "finished"}, (_number, _of):
            text = _("Finished: every patient was evaluated by a model trained without that patient. Ready to publish.")
            return f"{text} {_fitted_text(event)}".rstrip()
    return text


def _progress_text(event: dict[str, Any] | None) -> str:
    if event is None:
        return _("Loading the training's packages...")
    match event:
        case {"event": "step", "epoch": epoch, "step": step, "seconds_left": seconds}:
            left = duration_text(event.get("all_seconds_left", seconds))
            return _("Epoch {epoch}, step {step}; {left} left.").format(epoch=epoch, step=step, left=left)
        case {"event": "epoch", "epoch": epoch, "seconds_left": seconds}:
            left = duration_text(event.get("all_seconds_left", seconds))
            return _("Epoch {epoch} done; {left} left.").format(epoch=epoch, left=left)
        case {"event": "error", "message": str(message)}:
            return message
        case {"event": "stopped"}:
            return _("Stopped: a checkpoint is written. Resume it whenever you like.")
        case {"event": "finished"}:
            text = _("Finished. Evaluate the model on other patients, then publish it.")
            return f"{text} {_fitted_text(event)}".rstrip()
        case {"event": "start"}:
            return _("The first step has begun...")
    return _("Loading the training's packages...")


def _fitted_text(finished: dict[str, Any] | None) -> str:
    """On whom the model's probabilities were fitted; "" in events of before."""
    match finished:
        case {
            "fitted_on": {
                "temperatures": [{"fitted": bool(fitted), "patients_normal": normal, "patients_dcm": dcm}, *_more],
            },
        }:
            text = _(
                "{normal} normal and {dcm} DCM patients were held back, too few to sharpen its probabilities: more "
                "answers may be uncertain."
            )
            if fitted:
                text = _("Its probabilities are fitted to {normal} normal and {dcm} DCM patients who were held back.")
            return text.format(normal=normal, dcm=dcm)
    return ""


def failure_text(last_error: str, errors_file: str) -> str:
    return last_error or _("The process stopped without a message; see {file}.").format(file=errors_file)


def judged_text(metrics: dict[str, Any]) -> str:
    """On whom a model was evaluated, and a warning where that speaks against it; "" without an evaluation."""
    if not metrics:
        return ""
    if "cross_validated" in metrics:
        return _cross_validated_text(metrics)
    texts = [_("Evaluated on {dcm} DCM and {normal} normal simulated patients.")]
    if not metrics["simulated"]:
        texts = [_("Evaluated on {dcm} DCM and {normal} normal patients.")]
    if metrics["patients_unseen"] == OTHER_LIBRARY:
        text = _(
            "Whether it was trained on some of them can't be checked: its card names another case library or none."
        )
        texts.append(text)
    elif metrics["patients_unseen"] != CHECKED:
        texts.append(_("Whether it was trained on some of them can't be checked."))
    if metrics["auroc"]["low"] <= CHANCE:
        texts.append(_("It may be no better than chance: do not use it."))
    cases = metrics["cases"]
    return " ".join(texts).format(dcm=cases["patients_dcm"], normal=cases["patients_normal"])


def _cross_validated_text(metrics: dict[str, Any]) -> str:
    """Who was judged by whom, whether retraining helped, and whether more cases would."""
    done, present, cases = metrics["cross_validated"], metrics["present_model"], metrics["cases"]
    text = _("Cross-validated: {dcm} DCM and {normal} normal patients, each by a model trained without that patient.")
    if metrics["simulated"]:
        text = _(
            "Cross-validated: {dcm} DCM and {normal} normal simulated patients, each by a model without that patient."
        )
    texts = [text.format(dcm=cases["patients_dcm"], normal=cases["patients_normal"])]
    if metrics["auroc"]["low"] <= CHANCE:
        texts.append(_("It may be no better than chance: do not use it."))
    texts.append(
        _("AUROC, {start} minus {present} without retraining: {difference}.").format(
            start=_start_text(done["start"]),
            present=present["name"],
            difference=estimate_text(metrics["starts"][done["start"]]["minus_present"]["auroc"]),
        )
    )
    if (both := metrics.get("fine_tuned_minus_from_scratch")) is not None:
        text = _("AUROC, fine-tuned minus from scratch: {difference}.")
        texts.append(text.format(difference=estimate_text(both["auroc"])))
    match metrics.get("learning_curve", {}).get(done["start"]):
        case {"more_cases": str(answer)}:
            texts.append(_more_cases_text(answer))
    return "\n".join(texts)


def _more_cases_text(answer: str) -> str:
    texts = {
        "would help": _("More cases would help: see the learning curve."),
        "would hardly help": _("More cases would hardly help: see the learning curve."),
    }
    return texts.get(answer, _("Whether more cases would help can't be told from these patients."))


def _start_text(start: str) -> str:
    return {"from-scratch": _("from scratch"), "fine-tuned": _("fine-tuned")}[start]


def result_header(metrics: dict[str, Any]) -> tuple[str, str, str]:
    """Of the table of measures."""
    if "cross_validated" in metrics:
        return _("Measure"), _start_text(metrics["cross_validated"]["start"]), _("not retrained")
    return _("Measure"), _("Patients"), _("Slices")


def third_column_text(metrics: dict[str, Any]) -> str:
    """What the table's last column is."""
    if "cross_validated" in metrics:
        return _("{present}, without retraining.").format(present=metrics["present_model"]["name"])
    return _("Each slice by itself; intervals are in metrics.json in the folder.")


def result_texts(metrics: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Each measure, over patients with its 95 % interval and over sections; then how many were called what."""
    if not metrics:
        return []
    measures = {
        "auroc": _("AUROC"),
        "auprc": _("AUPRC"),
        "recall_dcm": _("Sensitivity (recall of DCM)"),
        "recall_normal": _("Specificity (recall of normal)"),
        "balanced_accuracy": _("Balanced accuracy"),
        "mcc": _("Matthews corr."),
        "brier": _("Brier score"),
        "ece": _("Calibration error"),
    }
    if "cross_validated" in metrics:
        present = metrics["present_model"]
        return [
            (text, estimate_text(metrics[name]), f"{present[name]['value']:.3f}")
            for name, text in measures.items()
            if name in present
        ]
    sections = metrics["sections"]
    rows = [(text, estimate_text(metrics[name]), f"{sections[name]['value']:.3f}") for name, text in measures.items()]
    for truth in ("dcm", "normal"):
        for said in ("dcm", "normal"):
            text = _("{truth}, called {said}").format(truth=label_text(truth), said=label_text(said))
            patients, of_sections = (level["confusion_matrix"][truth][said] for level in (metrics, sections))
            rows.append((text, str(patients), str(of_sections)))
    return rows
