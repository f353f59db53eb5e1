"""A study's result as files: volumes on the T1 map's grid, pictures, a page to read, and result.json.

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
from ACNetLib.attention import BAND_NAMES
from ACNetLib.files import atomic_folder, without_nan, write_json, write_text_atomically
from ACNetLib.image_files import write_image
from ACNetLib.model import INTENDED_USE, ModelCard
from ACNetLib.probability import SCOPE
from ACNetLib.report_page import report_page
from ACNetLib.section_picture import SHOWN_MAP, section_picture
from ACNetLib.study import RANGE_SHIFT_MM, RANGE_TURN_DEGREES, SectionResult, StudyResult
from ACNetLib.wording import reference_text, verdict_rule

RESULT_FORMAT_VERSION = 2
SOFTWARE = "SlicerACNet"


def write_result(result: StudyResult, folder: Path, save_scene: Callable[[Path], None] | None = None) -> list[Path]:
    """Write everything into `folder` and return the files, result.json last: where it is, the result is complete.

    `save_scene` writes the Slicer scene to the path that it is given; it is left out where Slicer's packages are not
    installed.
    Raises ACNetError when `folder` holds anything already, or can't be written; when writing fails, nothing is left.
    """
    volumes: dict[str, NDArray[Any]] = {
        "attention.nrrd": result.attention[SHOWN_MAP],
        "attention-label.nrrd": result.bands[SHOWN_MAP],
        "ventricle-label.nrrd": result.ventricle,
    }
    pictures = {f"section-{section.section}.png": _png(result, section) for section in result.sections}
    scenes = {} if save_scene is None else {"scene.mrb": save_scene}
    with atomic_folder(folder) as room:
        for name, values in volumes.items():
            image = sitk.GetImageFromArray(values)
            image.CopyInformation(result.t1_map.image)
            write_image(image, room / name)
        for name, png in pictures.items():
            (room / name).write_bytes(png)
        for name, save in scenes.items():
            save(room / name)
        write_text_atomically(room / "report.html", report_page(result, list(pictures.values())))
        write_json(room / "result.json", result_values(result))
    return [folder / name for name in (*volumes, *pictures, *scenes, "report.html", "result.json")]


def result_values(result: StudyResult) -> dict[str, Any]:
    """The result as plain values, in the schema of result.json. What can't be measured is None, never NaN."""
    t1_map, card, reference = result.t1_map, result.card, result.reference
    low, high = result.stability
    return without_nan(
        {
            "format_version": RESULT_FORMAT_VERSION,
            "intended_use": INTENDED_USE,
            "scope": SCOPE,
            "software": {"name": SOFTWARE, "version": __version__},
            "t1_map": {
                # The name of a file, folder or node. Nothing else in a result could tell who was examined.
                "name": t1_map.name,
                "sections": t1_map.section_count,
                "field_strength_tesla": t1_map.field_strength_tesla,
                "scanner": t1_map.scanner,
                "simulated": t1_map.simulated,
            },
            "model": _model_values(card),
            "localizer": result.localizer,
            "center_source": result.center_source,
            "field_mismatch": result.field_mismatch,
            "reference_t1": {
                "source": "none" if reference is None else reference.source,
                "mean_ms": None if reference is None else reference.mean_ms,
                "sd_ms": None if reference is None else reference.sd_ms,
                "t1_factor": result.t1_factor,
                "words": reference_text(result),
            },
            "device": {"device": result.device.device, "reason": result.device.reason},
            "study": {
                "verdict": result.verdict,
                "probability_dcm": result.probability_dcm,
                "stability": {
                    "low": low,
                    "high": high,
                    "shift_mm": RANGE_SHIFT_MM,
                    "turn_degrees": RANGE_TURN_DEGREES,
                },
                "prevalence_dcm": result.prevalence_dcm,
                "septal_t1_ms": result.septal_t1_ms,
                "septal_z": result.septal_z(result.septal_t1_ms),
            },
            "verdict_rule": {
                "uncertain_range": list(result.uncertain_range),
                "words": verdict_rule(result.uncertain_range),
            },
            "sections": [_section_values(section, result) for section in result.sections],
            "attention": {
                "map": SHOWN_MAP,
                "band_thresholds": list(card.attention_thresholds[SHOWN_MAP]),
                "band_names": list(BAND_NAMES),
            },
            "warnings": list(result.warnings),
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
