"""What the panel says, as translatable sentences."""

from __future__ import annotations

import math
import re
from html import escape

from slicer.i18n import tr as _

from ACNetLib.scene_table import SectionRow, StudySummary

MINUS_OPTIONS = re.compile(r" \([^()]*--[a-z][^()]*\)")


def device_text(request: str) -> str:
    texts = {
        "auto": _("Automatic"),
        "cuda": _("NVIDIA GPU (CUDA)"),
        "mps": _("Apple GPU (MPS)"),
        "cpu": _("Processor (CPU)"),
    }
    return texts[request]


def field_strength_text(field_strength: str) -> str:
    return _("{field} T").format(field=field_strength) if field_strength else _("From the image")


def model_text(model_name: str) -> str:
    return model_name or _("Automatic, by field strength")


def overlay_text(overlay: str) -> str:
    texts = {
        "module_1": _("Attention, first module"),
        "module_2": _("Attention, second module"),
        "combined": _("Attention, both modules"),
        "ventricle": _("Left ventricle"),
    }
    return texts[overlay]


def step_text(step: str) -> str:
    texts = {"model": _("Loading the model..."), "sections": _("Classifying the sections...")}
    return texts[step]


def refusal_text(error: Exception) -> str:
    """What can't be done and why, without the command's options, which messages of the library give in parentheses."""
    return MINUS_OPTIONS.sub("", str(error))


def verdict_word(verdict: str) -> str:
    return {"dcm": _("DCM"), "normal": _("Normal"), "uncertain": _("Uncertain")}[verdict]


def percent(fraction: float) -> str:
    """In whole percent; never 0 or 100, which no network can know."""
    if fraction < 0.005:
        return _("< 1 %")
    return _("> 99 %") if fraction >= 0.995 else _("{percent} %").format(percent=f"{100 * fraction:.0f}")


def verdict_text(study: StudySummary) -> str:
    """Verdict and probability as rich text."""
    low, high = study.probability_range
    return _("<b>{verdict}</b>, probability of DCM {probability} ({low} to {high})").format(
        verdict=escape(verdict_word(study.verdict)),
        probability=escape(percent(study.probability_dcm)),
        low=escape(percent(low)),
        high=escape(percent(high)),
    )


def study_text(study: StudySummary) -> str:
    """How the verdict came about, one sentence a line; what to be warned of comes first."""
    low, high = study.uncertain_range
    lines = [
        *study.warnings,
        _("Normal below {low}, DCM from {high} on, uncertain between.").format(low=percent(low), high=percent(high)),
        _prevalence_text(study),
        _ventricle_text(study),
        _("Field strength: {field} T.").format(field=f"{study.field_strength_tesla:g}"),
        _("Model: {model}, on {device} ({reason}).").format(
            model=study.model, device=study.device, reason=study.device_reason
        ),
    ]
    if study.simulated_model:
        lines.append(_("The model was trained on simulated data."))
    if study.simulated_map:
        lines.append(_("The T1 map is simulated."))
    return "\n".join(lines)


def row_texts(row: SectionRow) -> tuple[str, ...]:
    """A section's row: number, probability of DCM, verdict, confidence, septal T1, notes.

    A confidence of 1 is that of a person.
    """
    return (
        str(row.section),
        percent(row.probability_dcm),
        verdict_word(row.verdict),
        _("given") if row.confidence == 1 else percent(row.confidence),
        "-" if math.isnan(row.septal_t1_ms) else _("{t1} ms").format(t1=f"{row.septal_t1_ms:.0f}"),
        row.warnings,
    )


def _prevalence_text(study: StudySummary) -> str:
    prevalence = f"{100 * study.prevalence_dcm:g}"
    if study.prevalence_dcm == study.training_prior_dcm:
        return _("Prevalence of DCM: {prevalence} %, as in the model's training.").format(prevalence=prevalence)
    return _("Prevalence of DCM: {prevalence} %, as chosen.").format(prevalence=prevalence)


def _ventricle_text(study: StudySummary) -> str:
    texts = {
        "localizer": _("Left ventricle: found by {localizer}."),
        "point": _("Left ventricle: around the chosen centre; its wall as found by {localizer}."),
        "segmentation": _("Left ventricle: the chosen segmentation."),
    }
    return texts[study.center_source].format(localizer=study.localizer)
