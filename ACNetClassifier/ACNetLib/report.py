"""A study's result as files: result.json, attention volumes on the T1 map's grid, and one picture a section.

The schema of result.json is documented in Documentation/result-format.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ACNetLib.attention import BAND_COLORS, BAND_NAMES
from ACNetLib.classifier import SectionResult, StudyResult
from ACNetLib.files import atomic_path, require_empty_folder, write_text_atomically
from ACNetLib.model import INTENDED_USE
from ACNetLib.t1map import DISPLAY_WINDOW_MS, T1Map

RESULT_FORMAT_VERSION = 1

SHOWN_MAP = "combined"
OVERLAY_OPACITY = 0.45

_PANEL_PIXELS = 512
_MARGIN, _HEADER, _FOOTER = 16, 84, 84
_BACKGROUND, _TEXT, _DIM_TEXT, _BOX = (18, 18, 20), (235, 235, 235), (165, 165, 170), (255, 217, 26)


def write_result(result: StudyResult, folder: Path, save_scene: Callable[[Path], None] | None = None) -> list[Path]:
    """Write everything into `folder` and return the files, result.json last: where it is, the result is complete.

    `save_scene` writes the Slicer scene to the path that it is given; it is left out where Slicer's packages are not
    installed.
    Raises ACNetError when `folder` holds anything already.
    """
    require_empty_folder(folder)
    files = [
        _write_volume(result.attention[SHOWN_MAP], result.t1_map, folder / "attention.nrrd"),
        _write_volume(result.bands[SHOWN_MAP], result.t1_map, folder / "attention-label.nrrd"),
    ]
    for section in result.sections:
        path = folder / f"section-{section.section}.png"
        with atomic_path(path) as temporary:
            section_picture(result, section).save(temporary, format="PNG")
        files.append(path)
    if save_scene is not None:
        save_scene(folder / "scene.mrb")
        files.append(folder / "scene.mrb")
    write_text_atomically(folder / "result.json", json.dumps(result_values(result), indent=2) + "\n")
    return [*files, folder / "result.json"]


def result_values(result: StudyResult) -> dict[str, Any]:
    """The result as plain values, in the schema of result.json."""
    t1_map, card = result.t1_map, result.card
    return {
        "format_version": RESULT_FORMAT_VERSION,
        "intended_use": INTENDED_USE,
        "t1_map": {
            "name": t1_map.name,
            "sections": t1_map.section_count,
            "field_strength_tesla": t1_map.field_strength_tesla,
            "simulated": t1_map.simulated,
        },
        "model": {
            "name": card.name,
            "weights_sha256": card.weights_sha256,
            "field_strength_tesla": card.field_strength_tesla,
            "trained_on_simulation": card.simulated,
            "training_prior_dcm": card.training_prior_dcm,
        },
        "device": {"name": result.device.device, "reason": result.device.reason},
        "center_source": result.center_source,
        "study": {
            "probability_dcm": result.probability_dcm,
            "decision": result.decision,
            "decision_threshold": result.decision_threshold,
        },
        "sections": [
            {
                "section": section.section,
                "probability_dcm": section.probability_dcm,
                "decision": section.decision,
                "log_odds_dcm": section.logit,
                "center_lps_mm": list(section.grid.center_mm),
                "outside_fraction": section.outside_fraction,
                "warnings": list(section.warnings),
            }
            for section in result.sections
        ],
        "attention": {
            "map": SHOWN_MAP,
            "band_thresholds": list(card.attention_thresholds[SHOWN_MAP]),
            "band_names": list(BAND_NAMES),
        },
        "warnings": list(result.warnings),
    }


def section_picture(result: StudyResult, section: SectionResult) -> Image.Image:
    """The whole section with the crop box beside the crop with the attention bands, probability and scales."""
    whole = _whole_section(result, section)
    crop = _crop_with_bands(result, section)
    width = whole.width + crop.width + 3 * _MARGIN
    picture = Image.new("RGB", (width, _PANEL_PIXELS + _HEADER + _FOOTER), _BACKGROUND)
    picture.paste(whole, (_MARGIN, _HEADER))
    picture.paste(crop, (whole.width + 2 * _MARGIN, _HEADER))
    draw = ImageDraw.Draw(picture)
    simulated = ", simulated map" if result.t1_map.simulated else ""
    model = f"{result.card.name}{', trained on simulation' if result.card.simulated else ''}"
    draw.text(
        (_MARGIN, 12), f"Section {section.section}: probability of DCM {section.probability_dcm:.3f}", _TEXT, _font(26)
    )
    draw.text(
        (_MARGIN, 50),
        f"study {result.probability_dcm:.3f} ({result.decision}); {result.t1_map.name}{simulated}; model {model}",
        _DIM_TEXT,
        _font(15),
    )
    _draw_gray_scale(draw, _MARGIN, _HEADER + _PANEL_PIXELS + 14)
    _draw_band_scale(draw, whole.width + 2 * _MARGIN, _HEADER + _PANEL_PIXELS + 14)
    draw.text((_MARGIN, picture.height - 26), INTENDED_USE, _DIM_TEXT, _font(14))
    return picture


def _write_volume(values: NDArray[Any], t1_map: T1Map, path: Path) -> Path:
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(t1_map.image)
    with atomic_path(path) as temporary:
        sitk.WriteImage(image, str(temporary), useCompression=True)
    return path


def _gray(t1_ms: NDArray[np.float32]) -> NDArray[np.uint8]:
    low, high = DISPLAY_WINDOW_MS
    return (np.clip((t1_ms - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def _whole_section(result: StudyResult, section: SectionResult) -> Image.Image:
    """The section at its physical aspect, as high as a panel, with the crop box."""
    t1_map = result.t1_map
    column_mm, row_mm, _ = t1_map.image.GetSpacing()
    gray = _gray(t1_map.array[section.section])
    rows, columns = gray.shape
    scale = _PANEL_PIXELS / (rows * row_mm)
    panel = Image.fromarray(gray).resize((round(columns * column_mm * scale), _PANEL_PIXELS), Image.Resampling.BILINEAR)
    panel = panel.convert("RGB")
    corners = [
        t1_map.image.TransformPhysicalPointToContinuousIndex(corner.tolist())[:2]
        for corner in section.grid.corners_mm()
    ]
    outline = [((column + 0.5) * column_mm * scale, (row + 0.5) * row_mm * scale) for column, row in corners]
    ImageDraw.Draw(panel).line([*outline, outline[0]], fill=_BOX, width=2)
    return panel


def _crop_with_bands(result: StudyResult, section: SectionResult) -> Image.Image:
    """The crop with the bands of the map's own pixels over it, and a 20 mm bar."""
    size = (_PANEL_PIXELS, _PANEL_PIXELS)
    gray = Image.fromarray(_gray(section.grid.crop(result.t1_map).t1_ms)).resize(size, Image.Resampling.BILINEAR)
    bands = sitk.GetImageFromArray(result.bands[SHOWN_MAP])
    bands.CopyInformation(result.t1_map.image)
    colors = np.array([(0, 0, 0, 0), *BAND_COLORS]) * 255
    colors[:, 3] *= OVERLAY_OPACITY
    overlay = Image.fromarray(colors.astype(np.uint8)[section.grid.sample(bands)], "RGBA")
    panel = Image.alpha_composite(gray.convert("RGBA"), overlay.resize(size, Image.Resampling.NEAREST)).convert("RGB")
    draw = ImageDraw.Draw(panel)
    bar = 20 / (section.grid.size * section.grid.spacing_mm) * _PANEL_PIXELS
    bottom = _PANEL_PIXELS - 16
    draw.line([(16, bottom), (16 + bar, bottom)], fill=_TEXT, width=3)
    draw.text((16, bottom - 22), "20 mm", _TEXT, _font(14))
    return panel


def _draw_gray_scale(draw: ImageDraw.ImageDraw, left: int, top: int) -> None:
    low, high = DISPLAY_WINDOW_MS
    draw.text((left, top - 2), f"T1 {low:.0f}", _DIM_TEXT, _font(14))
    for offset in range(128):
        draw.line([(left + 56 + offset, top), (left + 56 + offset, top + 14)], fill=(2 * offset,) * 3)
    draw.text((left + 192, top - 2), f"{high:.0f} ms", _DIM_TEXT, _font(14))


def _draw_band_scale(draw: ImageDraw.ImageDraw, left: int, top: int) -> None:
    draw.text((left, top - 2), "attention, fixed scale:", _DIM_TEXT, _font(14))
    entries = list(zip(BAND_NAMES, BAND_COLORS, strict=True))[1:]
    for position, (name, color) in enumerate(entries):
        x, y = left + 150 + 180 * (position % 2), top + 20 * (position // 2)
        draw.rectangle([x, y, x + 14, y + 14], fill=tuple(round(255 * value) for value in color[:3]))
        draw.text((x + 20, y - 2), name, _DIM_TEXT, _font(14))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
