"""What decides all answers of a list besides the images: answers of two models or prevalences stand in no one order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ACNetLib.errors import ACNetError
from ACNetLib.triage.answer import Choices

FIELD = "field strength"
"""It decides the answers of those studies alone that do not tell theirs."""


def made_with(choices: Choices) -> dict[str, str]:
    """In words, to be compared and shown; models by their weights, "" for what was not chosen.

    Raises ACNetError for a model file that can't be read.
    """
    from ACNetLib.models.header import read_card_values
    from ACNetLib.models.store import default_localizer, stored_models

    if choices.model is None:
        files = [model.path for model in stored_models() if model.shipped]
    else:
        files = [Path(choices.model), default_localizer()]
    reference, field = choices.reference, choices.field_strength_tesla
    sd = "" if reference is None or reference.sd_ms is None else f",{reference.sd_ms:g}"
    return {
        "models": ", ".join(f"{file.stem} ({read_card_values(file)['weights_sha256'][:12]})" for file in sorted(files)),
        "prevalence": "" if choices.prevalence_dcm is None else f"{choices.prevalence_dcm:g}",
        "reference T1": "" if reference is None else f"{reference.mean_ms:g}{sd} ms",
        FIELD: "" if field is None else f"{field:g} T",
    }


def agreed(before: Any, now: dict[str, str], folder: Path) -> dict[str, str] | None:
    """What the list in `folder` is made with from now on; None for one of an older version, which does not tell it.

    before: what it tells. Raises ACNetError where the two differ, but for a field strength that only one of them has.
    """
    if not isinstance(before, dict):
        return None
    differing = [name for name in now if before.get(name, now[name]) != now[name]]
    if FIELD in differing and not (before[FIELD] and now[FIELD]):
        differing.remove(FIELD)
    if differing:
        was = ", ".join(f"{name} {before[name] or 'not given'}" for name in differing)
        found = ", ".join(f"{name} {now[name] or 'not given'}" for name in differing)
        raise ACNetError(
            f"{folder}: this list was made with {was}; found {found}. Its answers would not mean the same: choose "
            "what it was made with, or make a new list."
        )
    return {**now, FIELD: now[FIELD] or before.get(FIELD, "")}
