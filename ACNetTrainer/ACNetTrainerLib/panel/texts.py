"""What the trainer's panel says, as translatable sentences."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

CHANCE = 0.5
"""The area under the ROC curve of one who guesses."""
RESULT_ROWS = ("auroc", "recall_dcm", "recall_normal", "balanced_accuracy", "mcc", "auprc", "brier")


def label_text(label: str) -> str:
    return {"dcm": _("DCM"), "normal": _("Normal")}[label]


def network_text(network: str) -> str:
    texts = {
        "acnet": _("ACNet"),
        "residual-attention-56": _("Residual attention network"),
        "vgg16": "VGG16",
        "resnet50": "ResNet50",
        "resnet101": "ResNet101",
    }
    return texts[network]


def count_text(label: str, patients: int, sections: int) -> str:
    """On the bar of a class."""
    text = _("{label}: {patients} patients, {sections} sections")
    return text.format(label=label_text(label), patients=patients, sections=sections)


def training_text(name: str, state: str) -> str:
    texts = {
        "running": _("{name} (running)"),
        "stopped": _("{name} (stopped, can go on)"),
        "failed": _("{name} (failed)"),
        "finished": _("{name} (finished)"),
    }
    return texts[state].format(name=name)


def progress_text(event: dict[str, Any] | None) -> str:
    """What the last event of a training says: where it is, and how long it will take."""
    match event:
        case {"event": "step", "epoch": epoch, "step": step, "seconds_left": seconds}:
            text = _("Epoch {epoch}, step {step}; {left} left.")
            return text.format(epoch=epoch, step=step, left=duration_text(seconds))
        case {"event": "epoch", "epoch": epoch, "seconds_left": seconds}:
            return _("Epoch {epoch} done; {left} left.").format(epoch=epoch, left=duration_text(seconds))
        case {"event": "error", "message": str(message)}:
            return message
        case {"event": "stopped"}:
            return _("Stopped: a checkpoint is written. Go on whenever you like.")
        case {"event": "finished"}:
            return _("Finished. Judge the model on other patients, then publish it.")
        case {"event": "start"}:
            return _("The first step has begun...")
    return _("Loading the training's packages...")


def duration_text(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return _("less than a minute")
    if minutes < 120:
        return _("{minutes} min").format(minutes=minutes)
    return _("{hours} h").format(hours=f"{minutes / 60:.1f}")


def judged_text(library: str, metrics: dict[str, Any]) -> str:
    text = _("Judged on {library}.").format(library=library)
    match metrics.get("auroc"):
        case {"low": float(low)} if low <= CHANCE:
            return f"{text} {_('It may be no better than chance: do not use it.')}"
    return text


def result_texts(metrics: dict[str, Any]) -> list[tuple[str, str]]:
    """The measures that there are, each with its 95 % interval."""
    rows = []
    for name in RESULT_ROWS:
        match metrics.get(name):
            case {"value": float(value), "low": float(low), "high": float(high)}:
                rows.append((name, f"{value:.3f} ({low:.3f} - {high:.3f})"))
    return rows
