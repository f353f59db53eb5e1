"""A study's result as files: volumes on the grids of its T1 maps, pictures, a page to read, and result.json.

The schema of result.json is documented in Documentation/result-format.md.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import SimpleITK as sitk
from numpy.typing import NDArray

from ACNetLib import __version__
from ACNetLib.files import atomic_folder, without_nan, write_json, write_text_atomically
from ACNetLib.image_files import write_image
from ACNetLib.inference.attention import BAND_NAMES
from ACNetLib.inference.exam import ExamResult, as_exam
from ACNetLib.inference.probability import SCOPE
from ACNetLib.inference.result import RANGE_SHIFT_MM, RANGE_TURN_DEGREES, SectionResult, StudyResult
from ACNetLib.models.card import INTENDED_USE, ModelCard
from ACNetLib.report.page import report_page
from ACNetLib.report.picture import SHOWN_MAP, section_picture
from ACNetLib.report.wording import reference_text, verdict_rule
from ACNetLib.t1map.t1_map import T1Map

RESULT_FORMAT_VERSION = 2
SOFTWARE = "SlicerACNet"


def write_result(
    study: StudyResult | ExamResult, folder: Path, save_scene: Callable[[Path], None] | None = None
) -> list[Path]:
    """Write everything into `folder` and return the files, result.json last: where it is, the result is complete.

    The volumes and pictures of an exam's maps lie in folders of their own, `map_folder`. `save_scene` writes the Slicer
    scene to the path that it is given; it is left out where Slicer's packages are not installed.
    Raises ACNetError when `folder` holds anything already, or can't be written; when writing fails, nothing is left.
    """
    exam = as_exam(study)
    names: list[str] = []
    pictures: list[bytes] = []
    with atomic_folder(folder) as room:
        for number, result in enumerate(exam.results, start=1):
            own = "" if len(exam.results) == 1 else f"{map_folder(number)}/"
            (room / own).mkdir(exist_ok=True)
            volumes: dict[str, NDArray[Any]] = {
                f"{own}attention.nrrd": result.attention[SHOWN_MAP],
                f"{own}attention-label.nrrd": result.bands[SHOWN_MAP],
                f"{own}ventricle-label.nrrd": result.ventricle,
            }
            for name, values in volumes.items():
                image = sitk.GetImageFromArray(values)
                image.CopyInformation(result.t1_map.image)
                write_image(image, room / name)
                names.append(name)
            for section in result.sections:
                names.append(f"{own}section-{section.section}.png")
                pictures.append(_png(result, section))
                (room / names[-1]).write_bytes(pictures[-1])
        if save_scene is not None:
            save_scene(room / "scene.mrb")
            names.append("scene.mrb")
        write_text_atomically(room / "report.html", report_page(exam, pictures))
        write_json(room / "result.json", result_values(exam))
    return [folder / name for name in (*names, "report.html", "result.json")]


def map_folder(number: int) -> str:
    """The folder of an exam's map, counted from 1. It tells nothing of file names, which may name a patient."""
    return f"map-{number}"


def result_values(study: StudyResult | ExamResult) -> dict[str, Any]:
    """The result as plain values, in the schema of result.json. What can't be measured is None, never NaN.

    Of an exam with several maps, what belongs to one of them stands in `maps`, with the map's folder.
    """
    exam = as_exam(study)
    first = exam.results[0]
    card, reference = first.card, first.reference
    low, high = exam.stability
    one_map = len(exam.results) == 1
    maps = [
        {
            "folder": map_folder(number),
            "t1_map": _t1_map_values(each.t1_map),
            **_center_values(each),
            "sections": _sections_values(each),
            "warnings": list(each.warnings),
        }
        for number, each in enumerate(exam.results, start=1)
    ]
    return without_nan(
        {
            "format_version": RESULT_FORMAT_VERSION,
            "intended_use": INTENDED_USE,
            "scope": SCOPE,
            "software": {"name": SOFTWARE, "version": __version__},
            **({"t1_map": _t1_map_values(first.t1_map)} if one_map else {}),
            "model": _model_values(card),
            "localizer": first.localizer,
            **(_center_values(first) if one_map else {}),
            "reference_t1": {
                "source": "none" if reference is None else reference.source,
                "mean_ms": None if reference is None else reference.mean_ms,
                "sd_ms": None if reference is None else reference.sd_ms,
                "t1_factor": first.t1_factor,
                "words": reference_text(first),
            },
            "device": {"device": first.device.device, "reason": first.device.reason},
            "study": {
                "verdict": exam.verdict,
                "probability_dcm": exam.probability_dcm,
                "stability": {
                    "low": low,
                    "high": high,
                    "shift_mm": RANGE_SHIFT_MM,
                    "turn_degrees": RANGE_TURN_DEGREES,
                },
                "prevalence_dcm": first.prevalence_dcm,
                "septal_t1_ms": exam.septal_t1_ms,
                "septal_z": exam.septal_z(exam.septal_t1_ms),
            },
            "verdict_rule": {
                "uncertain_range": list(first.uncertain_range),
                "words": verdict_rule(first.uncertain_range),
            },
            **({"sections": _sections_values(first)} if one_map else {"maps": maps}),
            "attention": {
                "map": SHOWN_MAP,
                "band_thresholds": list(card.attention_thresholds[SHOWN_MAP]),
                "band_names": list(BAND_NAMES),
            },
            "warnings": list(first.warnings if one_map else exam.warnings),
        }
    )


def _model_values(card: ModelCard) -> dict[str, Any]:
    return {
        "name": card.name,
        "weights_sha256": card.weights_sha256,
        "field_strength_tesla": card.field_strength_tesla,
        "trained_on_simulation": card.simulated,
        "training_prior_dcm": card.training_prior_dcm,
        "temperatures": list(card.temperatures),
        "normal_t1_ms": card.normal_t1_ms,
        "network": card.network,
        "auroc": card.metrics.get("auroc"),
        "auroc_on_simulation": card.metrics.get("simulated"),
    }


def _t1_map_values(t1_map: T1Map) -> dict[str, Any]:
    return {
        # The name of a file, folder or node. Nothing else in a result could tell who was examined.
        "name": t1_map.name,
        "sections": t1_map.section_count,
        "field_strength_tesla": t1_map.field_strength_tesla,
        "scanner": t1_map.scanner,
        "simulated": t1_map.simulated,
    }


def _center_values(result: StudyResult) -> dict[str, Any]:
    return {"center_source": result.center_source, "field_mismatch": result.field_mismatch}


def _sections_values(result: StudyResult) -> list[dict[str, Any]]:
    return [_section_values(section, result) for section in result.sections]


def _section_values(section: SectionResult, result: StudyResult) -> dict[str, Any]:
    measures = section.measures
    return {
        "section": section.section,
        "left_out": section.section in result.left_out,
        "verdict": section.verdict,
        "probability_dcm": section.probability_dcm,
        "log_odds_dcm": section.log_odds,
        "confidence": section.confidence,
        "wall_attention": section.wall_attention,
        "measures": None if measures is None else asdict(measures),
        "septal_z": None if measures is None else result.septal_z(measures.septal_t1_ms),
        "center_lps_mm": list(section.grid.center_mm),
        "outside_fraction": section.outside_fraction,
        "warnings": list(section.warnings),
    }


def _png(result: StudyResult, section: SectionResult) -> bytes:
    file = io.BytesIO()
    section_picture(result, section).save(file, format="PNG")
    return file.getvalue()
