"""What the panel says, as translatable sentences."""

from __future__ import annotations

from html import escape

from slicer.i18n import tr as _

from ACNetLib.scene import SectionRow, StudySummary


def device_text(request: str) -> str:
    texts = {
        "auto": _("Automatic"),
        "cuda": _("NVIDIA GPU (CUDA)"),
        "mps": _("Apple GPU (MPS)"),
        "cpu": _("Processor (CPU)"),
    }
    return texts[request]


def attention_map_text(attention_map: str) -> str:
    texts = {
        "module_1": _("First attention module"),
        "module_2": _("Second attention module"),
        "combined": _("Both modules combined"),
    }
    return texts[attention_map]


def step_text(step: str) -> str:
    texts = {"model": _("Loading the model..."), "sections": _("Classifying the sections...")}
    return texts[step]


def decision_text(decision: str) -> str:
    return {"dcm": _("DCM"), "normal": _("Normal")}[decision]


def percent(fraction: float) -> str:
    return _("{percent} %").format(percent=f"{100 * fraction:.0f}")


def verdict_text(study: StudySummary) -> str:
    """The verdict as rich text."""
    return _("<b>{decision}</b>, probability of DCM {probability}").format(
        decision=escape(decision_text(study.decision)), probability=percent(study.probability_dcm)
    )


def study_text(study: StudySummary) -> str:
    """How the verdict came about, one sentence a line."""
    lines = [
        _("Decision threshold: {threshold}.").format(threshold=percent(study.decision_threshold)),
        _("Model: {model}, on {device} ({reason}).").format(
            model=study.model, device=study.device, reason=study.device_reason
        ),
    ]
    if study.center_source == "given":  # the other case is among the study's warnings
        lines.append(_("Heart centre: the control point."))
    if study.simulated_model:
        lines.append(_("The model was trained on simulated data."))
    if study.simulated_map:
        lines.append(_("The T1 map is simulated."))
    return "\n".join([*lines, *study.warnings])


def row_texts(row: SectionRow) -> tuple[str, str, str, str]:
    """A section's row: number, probability of DCM, decision, notes."""
    return str(row.section), percent(row.probability_dcm), decision_text(row.decision), row.warnings
