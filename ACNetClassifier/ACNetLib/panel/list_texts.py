"""What the panel says of a reading list, as translatable sentences."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from slicer.i18n import tr as _

from ACNetLib.panel.texts import duration_text, percent, shorten, verdict_word
from ACNetLib.processes import Event
from ACNetLib.report.wording import septal_t1_text
from ACNetLib.triage.rows import ANSWERS, Row, in_one_text


def identify_text(identify: str) -> str:
    return {"none": _("No patient"), "id": _("Patient ID"), "name": _("Patient name")}[identify]


def answer_text(answer: str) -> str:
    """In one or two words: the column is narrow."""
    texts = {"outside": _("Outside"), "no answer": _("No answer"), "no T1 map": _("No T1 map")}
    return texts[answer] if answer in texts else verdict_word(answer)


def list_row_texts(row: Row, shortened: bool = False) -> tuple[str, ...]:
    """Answer, probability of DCM, septal T1 with its z-score, patient, notes."""
    t1_ms, z = (math.nan if value is None else value for value in (row.septal_t1_ms, row.septal_z))
    return (
        answer_text(row.answer),
        "-" if row.probability_dcm is None else percent(row.probability_dcm, row.limits),
        septal_t1_text(t1_ms, z),
        ", ".join(filter(None, (shorten(row.patient) if shortened else row.patient, row.study_date))),
        row.reason or in_one_text(row.warnings),
    )


def no_answer_text(row: Row) -> str:
    return f"{answer_text(row.answer)}: {row.reason}"


def source_text(source: Path | None, selected: int) -> str:
    """Which studies are to be listed; "" while none are chosen."""
    if selected:
        if selected == 1:
            return _("1 study of the DICOM database")
        return _("{count} studies of the DICOM database").format(count=selected)
    return "" if source is None else str(source)


def counts_text(rows: Sequence[Row]) -> str:
    """How many studies have which answer, and how many are read; "" for an empty list."""
    if not rows:
        return ""
    counts = Counter(row.answer for row in rows)
    told = ", ".join(f"{counts[answer]} {answer_text(answer)}" for answer in ANSWERS if counts[answer])
    return _("{counts}; read: {read} of {of}.").format(counts=told, read=sum(row.read for row in rows), of=len(rows))


def list_progress_text(event: Event | None) -> str:
    if event is None:
        return _("Looking for studies...")
    text = _("{done} of {of} studies.")
    if event["seconds_left"] is not None and event["done"] < event["of"]:
        text = _("{done} of {of} studies; {left} left.")
    return text.format(done=event["done"], of=event["of"], left=duration_text(event["seconds_left"] or 0.0))
