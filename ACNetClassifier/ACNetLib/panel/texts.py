"""What the panel says, as translatable sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from slicer.i18n import tr as _

from ACNetLib.errors import ACNetError, one_line
from ACNetLib.inference.record import Slice, StudyRecord
from ACNetLib.inference.verdict import decimals_beside
from ACNetLib.models.attention_measures import is_validated
from ACNetLib.panel.parameters import ACNetParameters
from ACNetLib.report.wording import reference_text
from ACNetLib.scene.sources import FieldStrengthSource
from ACNetLib.t1map.t1_map import T1Map

LONGEST_NAME = 14

# White letters on these can be read; blue and red differ for everybody.
VERDICT_COLORS = {"dcm": "#a63a24", "normal": "#2a64a0", "uncertain": "#7d6300", "outside": "#6b4a86"}


def section_choice_text(choice: str) -> str:
    texts = {"all": _("All"), "current": _("The one in the red view"), "chosen": _("These:")}
    return texts[choice]


def options_text(parameters: ACNetParameters, field_strength: str, prevalence: float | None, other_slices: int) -> str:
    """What is set under Options, in one line; what stays as it is by itself is left out behind the first three."""
    model_name, sections, device = parameters.model_name, parameters.sections, parameters.device
    parts = [field_strength, _("model {name}").format(name=model_name) if model_name else _("automatic model")]
    if prevalence is not None:
        parts.append(_("prevalence {prevalence} %").format(prevalence=f"{100 * prevalence:.3g}"))
    if parameters.reference_t1_mean:
        parts.append(_("reference T1 {mean} ms").format(mean=f"{parameters.reference_t1_mean:g}"))
    if other_slices:
        parts.append(
            _("with {count} other T1 maps").format(count=other_slices) if other_slices > 1 else _("with another T1 map")
        )
    if parameters.center is not None:
        parts.append(_("left ventricle by {name}").format(name=parameters.center.GetName()))
    if sections == "current":
        parts.append(_("the slice in the red view"))
    elif sections == "chosen":
        parts.append(_("slices {numbers}").format(numbers=parameters.chosen_sections or "-"))
    if device != "auto":
        parts.append(device_text(device))
    return ", ".join(parts)


def short_field_strength_text(field_strength_tesla: float | None, source: FieldStrengthSource | None) -> str:
    if field_strength_tesla is None:
        return _("field strength unknown")
    texts = {"dicom": _("{field} T from DICOM"), "file": _("{field} T from the file"), None: _("{field} T as chosen")}
    return texts[source].format(field=f"{field_strength_tesla:.3g}")


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
        "module_1": _("Attention, module 1"),
        "module_2": _("Attention, module 2"),
        "combined": _("Attention, both"),
        "evidence": _("Evidence: DCM red, normal blue"),
        "ventricle": _("Left ventricle"),
    }
    return texts[overlay]


def style_text(style: str) -> str:
    return {"bands": _("Bands"), "heat": _("Heat map")}[style]


def t1_colors_text(colors: str) -> str:
    texts = {"gray": _("Grey"), "lipari": _("Lipari"), "navia": _("Navia"), "perceptual": _("Inferno")}
    return texts[colors]


def step_text(step: str) -> str:
    texts = {
        "model": _("Loading the model..."),
        "ventricle": _("Finding the left ventricle..."),
        "sections": _("Classifying the slices..."),
        "range": _("Moving and turning the slices..."),
        "report": _("Writing the report..."),
        "images": _("Looking for the study's images..."),
        "dicom": _("Writing the DICOM objects..."),
        "fit": _("Fitting the T1 map..."),
    }
    return texts[step]


def duration_text(seconds: float) -> str:
    """How long something will still take."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return _("less than a minute")
    if minutes < 120:
        return _("{minutes} min").format(minutes=minutes)
    return _("{hours} h").format(hours=f"{minutes / 60:.1f}")


def disabled_modules_text(names: list[str]) -> str:
    """What is missing without these modules of Slicer; empty when there are none."""
    if not names:
        return ""
    lost = {
        "Markups": _("crop boxes and control points can't be seen or moved"),
        "Segmentations": _("segments can't be read or made"),
    }
    return _(
        "{names} is disabled in Slicer's settings: {lost}. To change that: Edit, Application Settings, Modules."
    ).format(names=_(" and ").join(names), lost="; ".join(lost[name] for name in names))


def other_copy_text(better: str) -> str:
    return _(
        "This is another copy of the DICOM files of {better}, with their stored values. Choose {better}: its values "
        "are T1 in ms."
    ).format(better=better)


def outdated_text(name: str) -> str:
    return _(
        "The image or the position of the T1 map {name} has changed since it was classified: its result is not shown. "
        "Click Apply, or undo the change."
    ).format(name=name)


def unforeseen_text(name: str | None) -> str:
    """Of the chosen volume; None where there is none."""
    return _("{name} can't be shown. See the error log.").format(name=name or _("The panel"))


def refusal_text(error: Exception) -> str:
    """What can't be done and why, and what to do about it in the panel."""
    if not isinstance(error, ACNetError):
        return one_line(str(error))
    return f"{error.shown} {remedy_text(error.panel)}".strip()


def remedy_text(key: str) -> str:
    """What to do in the panel, by the key that an ACNetError has for it."""
    texts = {
        "": "",
        "field strength": _('Choose it under "Field strength".'),
        "wrong field strength": _('If the header is wrong, choose the field strength under "Field strength".'),
        "centre": _("Place a control point in the left ventricle and choose it as its centre."),
        "native map": _("Give the native map."),
        "slices last": _("The module Orient Scalar Volume does that: choose the plane nearest to its slices."),
    }
    return texts[key]


def input_text(t1_map: T1Map, field_strength_source: FieldStrengthSource | None) -> str:
    """What the check found: sections, size, unit, and the field strength with where it was read."""
    columns, rows, slices = t1_map.image.GetSize()
    width, height, depth = t1_map.image.GetSpacing()
    lines = [
        _("A native T1 map in ms: {slices} of {columns} x {rows} pixels, {spacing} mm.").format(
            slices=_("1 slice") if slices == 1 else _("{count} slices").format(count=slices),
            columns=columns,
            rows=rows,
            spacing=f"{width:.3g} x {height:.3g} x {depth:.3g}",
        ),
        _field_strength_sentence(t1_map.field_strength_tesla, field_strength_source),
    ]
    if t1_map.simulated:
        lines.append(_("Simulated data."))
    return "\n".join([*lines, *t1_map.warnings])


def other_slices_text(t1_map: T1Map) -> str:
    """A further T1 map of the exam, in one line."""
    slices = _("1 slice") if t1_map.section_count == 1 else _("{count} slices").format(count=t1_map.section_count)
    return " ".join([_("Together with {name}: {slices}.").format(name=t1_map.name, slices=slices), *t1_map.warnings])


def model_card_text(card: dict[str, Any]) -> str:
    """What a model's card says for the one who chooses: name, field strength, training, how well it did."""
    lines = [_("{name}, for {field} T.").format(name=card["name"], field=f"{card['field_strength_tesla']:g}")]
    match card.get("training", {}).get("training"):
        case {"patients_dcm": int(dcm), "patients_normal": int(normal)}:
            text = _("Trained on {dcm} patients with DCM and {normal} normal ones.")
            if card["simulated"]:
                text = _("Trained on {dcm} simulated patients with DCM and {normal} normal ones.")
            lines.append(text.format(dcm=dcm, normal=normal))
        case _ if card["simulated"]:
            lines.append(_("Trained on simulated patients."))
    match card.get("metrics"):
        case {"auroc": {"value": float(value)}, "simulated": bool(simulated)}:
            text = _("AUROC {auroc} on simulated patients.") if simulated else _("AUROC {auroc}.")
            lines.append(text.format(auroc=f"{value:.3f}"))
    match card.get("metrics"):
        case {"cross_validated": {"folds": int(folds)}}:
            text = _("Cross-validated with {folds} folds: each patient by a model that was trained without it.")
            lines.append(text.format(folds=folds))
    return " ".join(lines)


def model_card_details(card: dict[str, Any]) -> str:
    """The rest of what the card says, a line each."""
    lines = [
        str(card["intended_use"]),
        _("Share of DCM in its training: {prior} %.").format(prior=f"{100 * card['training_prior_dcm']:g}"),
    ]
    names = {
        "recall_dcm": _("Sensitivity for DCM (recall_dcm)"),
        "recall_normal": _("Specificity for DCM (recall_normal)"),
    }
    for recall, name in names.items():
        match card.get("metrics", {}).get(recall):
            case {"value": float(value), "low": float(low), "high": float(high)}:
                text = _("{name}: {value} (95 % interval {low} to {high}).")
                lines.append(text.format(name=name, value=f"{value:.3f}", low=f"{low:.3f}", high=f"{high:.3f}"))
    lines.append(_("Licence: {licence}.").format(licence=card["licence"]))
    lines.append(_("Weights: SHA-256 {digest}...").format(digest=str(card["weights_sha256"])[:12]))
    return "\n".join(lines)


def verdict_word(verdict: str) -> str:
    texts = {
        "dcm": _("DCM"),
        "normal": _("Normal"),
        "uncertain": _("Uncertain"),
        "outside": _("Unlike the training's hearts"),
    }
    return texts[verdict]


def percent(fraction: float, limits: Sequence[float] = ()) -> str:
    """In whole percent, finer where these would lie on another side of one of the verdict's limits; never 0 or 100,
    which no network can know.
    """
    if fraction < 0.005:
        return _("< 1 %")
    decimals = decimals_beside(fraction, limits, 2) - 2
    return _("> 99 %") if fraction >= 0.995 else _("{percent} %").format(percent=f"{100 * fraction:.{decimals}f}")


def verdict_text(study: StudyRecord) -> str:
    """Verdict, in its colour, and probability as rich text."""
    low, high = study.stability
    badge = (
        f'<span style="background-color:{VERDICT_COLORS[study.verdict]}; color:#ffffff">'
        f"<b>&nbsp;{escape(verdict_word(study.verdict))}&nbsp;</b></span>"
    )
    probability = _("probability of DCM {probability} (stability: {low} to {high})").format(
        probability=f"<b>{escape(percent(study.probability_dcm, study.uncertain_range))}</b>",
        low=escape(percent(low, study.uncertain_range)),
        high=escape(percent(high, study.uncertain_range)),
    )
    return f"{badge} {probability}"


def study_text(study: StudyRecord) -> str:
    """How the verdict came about, one sentence a line; what to be warned of comes first."""
    low, high = study.uncertain_range
    left_out = ", ".join(slice_text(each, study) for each in study.slices if each.section.left_out)
    lines = [
        *([study.reason] if study.verdict == "uncertain" else []),  # that of an outside one is among the warnings
        *study.warnings,
        *(
            _("Slice {number}: {note}.").format(number=slice_text(each, study), note="; ".join(each.section.warnings))
            for each in study.slices
            if each.section.warnings
        ),
        *([_("Left out of the study: slice {sections}.").format(sections=left_out)] if left_out else []),
        _("Normal below {low}, DCM from {high} on, uncertain between.").format(low=percent(low), high=percent(high)),
        reference_text(study),
        *_septum_sentences(study),
        _prevalence_text(study),
        _ventricle_text(study),
        *_study_field_sentence(study),
        _("Model: {model}, on {device} ({reason}).").format(
            model=study.model.name, device=study.device.device, reason=study.device.reason
        ),
    ]
    lines.append(
        _("Attention: validated as an explanation.")
        if is_validated(study.model)
        else _("Attention: not validated as an explanation.")
    )
    if study.model.simulated:
        lines.append(_("The model was trained on simulated data."))
    if any(each.simulated for each in study.maps):
        lines.append(_("The T1 map is simulated."))
    return "\n".join(lines)


def shorten(name: str) -> str:
    """The beginning of a name that is too long for a narrow column."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def slice_text(each: Slice, study: StudyRecord, shortened: bool = False) -> str:
    """The number of a slice, and of an exam with several T1 maps the name of its map before it."""
    if len(study.maps) == 1:
        return str(each.section.section)
    name = shorten(each.of_map.name) if shortened else each.of_map.name
    return f"{name}: {each.section.section}"


def row_texts(each: Slice, study: StudyRecord) -> tuple[str, ...]:
    """A section's row: number, probability of DCM, decision, confidence, septal T1, wall attention, notes.

    A confidence of 1 is that of a person.
    """
    section, septal_t1_ms = each.section, each.section.known_measures.septal_t1_ms
    return (
        slice_text(each, study, shortened=True),
        percent(section.probability_dcm, study.uncertain_range),
        verdict_word(section.verdict),
        _("given") if section.confidence == 1 else percent(section.confidence),
        "-" if math.isnan(septal_t1_ms) else f"{septal_t1_ms:.0f}",
        "-" if math.isnan(section.wall_attention) else f"{section.wall_attention:.2f}",
        "; ".join(section.warnings),
    )


def _septum_sentences(study: StudyRecord) -> list[str]:
    """Septal T1 of the study, from the slices that count, and its z-scores; nothing where they are not known."""
    if math.isnan(study.septal_t1_ms):
        return []
    sentences = [_("Septal T1: {t1} ms, the median of the slices.").format(t1=f"{study.septal_t1_ms:.0f}")]
    z_score = study.septal_z(study.septal_t1_ms)
    if not math.isnan(z_score):
        known = {each: each.section.known_measures.septal_t1_ms for each in study.slices}
        of_slices = ", ".join(
            _("slice {number}: {z}").format(number=slice_text(each, study), z=f"{study.septal_z(t1_ms):+.1f}")
            for each, t1_ms in known.items()
            if not (each.section.left_out or math.isnan(t1_ms))
        )
        text = _("Its z-score against the reference T1: {z} ({of_rows}).")
        sentences.append(text.format(z=f"{z_score:+.1f}", of_rows=of_slices))
    return sentences


def _study_field_sentence(study: StudyRecord) -> list[str]:
    """Of a map that doesn't tell its field strength the warnings speak."""
    field = study.maps[0].field_strength_tesla
    return [] if field is None else [_("Field strength: {field} T.").format(field=f"{field:g}")]


def _field_strength_sentence(field_strength_tesla: float | None, source: FieldStrengthSource | None) -> str:
    if field_strength_tesla is None:
        return _("Field strength: unknown. Choose it under Options.")
    texts = {
        "dicom": _("Field strength: {field} T, by the DICOM header."),
        "file": _("Field strength: {field} T, by the file."),
        None: _("Field strength: {field} T, as chosen."),
    }
    return texts[source].format(field=f"{field_strength_tesla:g}")


def _prevalence_text(study: StudyRecord) -> str:
    prevalence = f"{100 * study.prevalence_dcm:g}"
    if study.prevalence_dcm == study.model.training_prior_dcm:
        return _("Prevalence of DCM: {prevalence} %, as in the model's training.").format(prevalence=prevalence)
    return _("Prevalence of DCM: {prevalence} %, as chosen.").format(prevalence=prevalence)


def _ventricle_text(study: StudyRecord) -> str:
    texts = {
        "localizer": _("Left ventricle: found by {localizer}."),
        "point": _("Left ventricle: around the chosen centre; its wall as found by {localizer}."),
        "segmentation": _("Left ventricle: the chosen segmentation."),
    }
    sources = dict.fromkeys(each.center_source for each in study.maps)
    return " ".join(texts[source].format(localizer=study.localizer) for source in sources)
