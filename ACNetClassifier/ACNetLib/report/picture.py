"""One picture a section: the T1 map with the crop box and the left ventricle, and the crop with the attention bands."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from ACNetLib.colors import BAND_COLORS
from ACNetLib.image_files import image_like
from ACNetLib.inference.attention import BAND_NAMES, SHOWN_MAP
from ACNetLib.inference.record import SectionRecord
from ACNetLib.inference.result import MapImages, StudyResult
from ACNetLib.models.card import INTENDED_USE
from ACNetLib.report.wording import VERDICT_WORDS, probability_text, quantity_text
from ACNetLib.t1map.section import SectionGrid, anatomical_axes
from ACNetLib.t1map.t1_map import DISPLAY_WINDOW_MS
from ACNetLib.ventricle.labels import CAVITY_LABEL, SEPTUM_LABEL, LabelArray
from ACNetLib.ventricle.shape import right_ventricle

OVERLAY_OPACITY = 0.45
WALL_COLOR, SEPTUM_COLOR, RIGHT_COLOR = (255, 255, 255), (255, 105, 190), (110, 190, 255)

_PANEL_PIXELS = 512
_MARGIN, _HEADER, _FOOTER = 16, 114, 120
_RIGHT_LABEL = 4
"""Of the right ventricle's blood, beside those of ACNetLib.ventricle.labels."""
_BACKGROUND, _TEXT, _DIM_TEXT, _BOX = (18, 18, 20), (235, 235, 235), (165, 165, 170), (255, 217, 26)
_WALL_LINE, _SEPTUM_LINE, _HALO = 1.6, 2.4, 1.4
_SMOOTHING_IN_MAP_PIXELS = 0.7
_LEAST_PART = 0.3
"""Of a direction: a smaller one along an axis of the body gets no letter."""
_SMOOTHING_REACHES = 4.0
"""So many of its widths a Gaussian is followed."""

Color = tuple[int, int, int]
Mask = NDArray[np.bool_]


def section_picture(study: StudyResult, map_index: int, section: SectionRecord) -> Image.Image:
    """Both panels of a section of a map, under the verdict, the probability and the T1 facts, above their scales."""
    images = study.images[map_index]
    grid = section.grid(images.t1_map)
    labels = _labels(images, grid.section)
    whole = _whole_section(images, grid, labels)
    crop = _crop_picture(images, grid, labels)
    left, right = _MARGIN, whole.width + 2 * _MARGIN
    picture = Image.new("RGB", (right + crop.width + _MARGIN, _HEADER + _PANEL_PIXELS + _FOOTER), _BACKGROUND)
    picture.paste(whole, (left, _HEADER))
    picture.paste(crop, (right, _HEADER))
    draw = ImageDraw.Draw(picture)
    width = picture.width - 2 * _MARGIN
    _draw_header(draw, study, map_index, section, width)
    below = _HEADER + _PANEL_PIXELS + 14
    _draw_gray_scale(draw, left, below)
    if images.ventricle[section.section].any():
        _draw_contour_key(draw, left, below + 22)
    _draw_band_scale(draw, right, below)
    names = f"{INTENDED_USE}   T1 map {study.maps[map_index].name}, model {study.model.name}"
    draw.text((left, picture.height - 28), _shortened(names, 14, width), _DIM_TEXT, _font(14))
    return picture


def crop_in(picture: Image.Image) -> Image.Image:
    """The crop of a `section_picture`, with all that is drawn over it."""
    right, bottom = picture.width - _MARGIN, _HEADER + _PANEL_PIXELS
    return picture.crop((right - _PANEL_PIXELS, _HEADER, right, bottom))


def _draw_header(
    draw: ImageDraw.ImageDraw, study: StudyResult, map_index: int, section: SectionRecord, width: int
) -> None:
    of_map = study.maps[map_index]
    title = (
        f"Slice {section.section}: {VERDICT_WORDS[section.verdict]}, probability of DCM "
        f"{probability_text(section.probability_dcm, study.uncertain_range)}"
    )
    probability, low, high = (
        probability_text(value, study.uncertain_range) for value in (study.probability_dcm, *study.stability)
    )
    simulated = "; SIMULATED T1 map" if of_map.simulated else ""
    trained = "; model trained on simulation" if study.model.simulated else ""
    mismatch = "; MODEL FOR ANOTHER FIELD STRENGTH" if of_map.field_mismatch else ""
    of_study = (
        f"Study: {VERDICT_WORDS[study.verdict]}, {probability} "
        f"(stability: {low} to {high} when moved and turned a little){mismatch}{simulated}{trained}"
    )
    for top, text, color, size in (
        (12, title, _TEXT, 26),
        (50, _facts(section), _TEXT, 17),
        (80, of_study, _DIM_TEXT, 15),
    ):
        draw.text((_MARGIN, top), _shortened(text, size, width), color, _font(size))


def _facts(section: SectionRecord) -> str:
    if section.measures is None:
        return "Not measured: the wall is not known"
    measures = section.measures
    return (
        f"Mid-wall T1: septum {quantity_text(measures.septal_t1_ms, 'ms')}, "
        f"whole myocardium {quantity_text(measures.myocardial_t1_ms, 'ms')}.  "
        f"LV cavity {quantity_text(measures.cavity_area_mm2, 'mm2')}, "
        f"wall {quantity_text(measures.wall_thickness_mm, 'mm', 1)}"
    )


def _gray(t1_ms: NDArray[np.float32]) -> NDArray[np.uint8]:
    low, high = DISPLAY_WINDOW_MS
    return (np.clip((t1_ms - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def _whole_section(images: MapImages, grid: SectionGrid, labels: LabelArray) -> Image.Image:
    """The section at its physical aspect, as high as a panel, with the crop box and both ventricles, turned in steps of
    90 degrees and mirrored as far as it is stored otherwise than readers look at it.
    """
    stored = images.t1_map.planes[grid.section]
    plane = _as_looked_at(stored)
    labels = sitk.GetArrayFromImage(_as_looked_at(image_like(stored, labels)))[0]
    column_mm, row_mm, _ = plane.GetSpacing()
    gray = _gray(sitk.GetArrayViewFromImage(plane)[0])
    rows, columns = gray.shape
    scale = _PANEL_PIXELS / (rows * row_mm)
    size = (round(columns * column_mm * scale), _PANEL_PIXELS)
    panel = Image.fromarray(gray).resize(size, Image.Resampling.BILINEAR).convert("RGB")
    enlarged = Image.fromarray(labels).resize(size, Image.Resampling.NEAREST)
    panel = _with_contours(panel, np.asarray(enlarged), scale * max(column_mm, row_mm))
    corners = [plane.TransformPhysicalPointToContinuousIndex(corner.tolist())[:2] for corner in grid.corners_mm()]
    outline = [((column + 0.5) * column_mm * scale, (row + 0.5) * row_mm * scale) for column, row in corners]
    draw = ImageDraw.Draw(panel)
    draw.line([*outline, outline[0]], fill=_BOX, width=2)
    if images.t1_map.is_placed:
        right, down, _ = np.reshape(plane.GetDirection(), (3, 3)).T
        _draw_directions(draw, panel.size, right, down)
    return panel


def _as_looked_at(plane: sitk.Image) -> sitk.Image:
    """The same pixels in the same place, their rows and columns exchanged or reversed to lie as near as they can to
    `anatomical_axes`: a slice that is stored from the bottom up would else be a mirror image.
    """
    row, column, normal = np.reshape(plane.GetDirection(), (3, 3)).T
    parts = np.array([row, column]) @ np.transpose(anatomical_axes(normal))
    if np.abs(parts.diagonal()).sum() < np.abs(parts[::-1].diagonal()).sum():
        plane, parts = sitk.PermuteAxes(plane, (1, 0, 2)), parts[::-1]
    return sitk.Flip(plane, [*(parts.diagonal() < 0).tolist(), False])


def direction_letters(direction: NDArray[np.float64]) -> str:
    """Where a direction (LPS, of length 1) leads in the body, its largest part first, such as "LP"."""
    parts = zip(direction.tolist(), ("LR", "PA", "HF"), strict=True)
    largest_first = sorted(parts, key=lambda part: -abs(part[0]))
    return "".join(letters[length < 0] for length, letters in largest_first if abs(length) > _LEAST_PART)


def _draw_directions(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], right: NDArray[np.float64], down: NDArray[np.float64]
) -> None:
    """At the middle of each edge of a panel, to which side of the body it lies."""
    width, height = size
    for place, anchor, direction in (
        ((6, height // 2), "lm", -right),
        ((width - 6, height // 2), "rm", right),
        ((width // 2, 6), "mt", -down),
        ((width // 2, height - 6), "mb", down),
    ):
        letters = direction_letters(direction)
        draw.text(place, letters, _TEXT, _font(14), anchor, stroke_width=3, stroke_fill=_BACKGROUND)


def _crop_picture(images: MapImages, grid: SectionGrid, labels: LabelArray) -> Image.Image:
    """The crop as the network sees it; over it the bands, in the map's own pixels, both ventricles, a 20 mm bar."""
    t1_map, plane = images.t1_map, images.t1_map.planes[grid.section]
    scale = _PANEL_PIXELS / (grid.size * grid.spacing_mm)
    display = replace(grid, section=0, size=_PANEL_PIXELS, spacing_mm=1 / scale)  # of the plane alone
    both = display.sample(image_like(plane, labels << 4 | images.bands[SHOWN_MAP][grid.section]))  # resampled once
    gray = Image.fromarray(_gray(grid.crop(t1_map).t1_ms))
    panel = gray.resize((_PANEL_PIXELS, _PANEL_PIXELS), Image.Resampling.BILINEAR).convert("RGBA")
    colors = np.array([(0, 0, 0, 0), *BAND_COLORS]) * 255
    colors[:, 3] *= OVERLAY_OPACITY
    overlay = Image.fromarray(colors.astype(np.uint8).take(both & 15, axis=0), "RGBA")
    panel = Image.alpha_composite(panel, overlay).convert("RGB")
    panel = _with_contours(panel, (both >> 4).astype(np.uint8), scale * max(plane.GetSpacing()[:2]))
    draw = ImageDraw.Draw(panel)
    bottom = _PANEL_PIXELS - 16
    for color, width in ((_BACKGROUND, 3), (_TEXT, 0)):  # its dark edge keeps it readable on lung
        draw.line([(16 - width, bottom), (16 + 20 * scale + width, bottom)], fill=color, width=3 + width)
        draw.text((16, bottom - 24), "20 mm", color, _font(14), stroke_width=width, stroke_fill=color)
    if t1_map.is_placed:
        _draw_directions(draw, panel.size, np.array(grid.row_axis), np.array(grid.column_axis))
    return panel


def _labels(images: MapImages, section: int) -> LabelArray:
    """Of the left ventricle, and of the right one's blood where that is measured (rows, columns)."""
    labels = images.ventricle[section].copy()
    column_mm, row_mm, _ = images.t1_map.image.GetSpacing()
    if (labels == CAVITY_LABEL).any():
        right = right_ventricle(images.t1_map.array[section], labels, (row_mm, column_mm))
        if right is not None:
            labels[right] = _RIGHT_LABEL
    return labels


def _with_contours(panel: Image.Image, labels: NDArray[np.uint8], map_pixel: float) -> Image.Image:
    """The outlines of both ventricles and the septum over a panel, from labels (rows, columns) of its own pixels.

    map_pixel: the width of a T1-map pixel in panel pixels.
    """
    contours: tuple[tuple[Mask, Color, float], ...] = (
        (labels == _RIGHT_LABEL, RIGHT_COLOR, _WALL_LINE),
        ((labels != 0) & (labels != _RIGHT_LABEL), WALL_COLOR, _WALL_LINE),
        (labels == CAVITY_LABEL, WALL_COLOR, _WALL_LINE),
        (labels == SEPTUM_LABEL, SEPTUM_COLOR, _SEPTUM_LINE),
    )
    for mask, color, width in contours:
        panel = _with_contour(panel, mask, color, width, _SMOOTHING_IN_MAP_PIXELS * map_pixel)
    return panel


def _with_contour(panel: Image.Image, mask: Mask, color: Color, width: float, smoothing: float) -> Image.Image:
    inside = Image.fromarray(mask).getbbox()
    if inside is None:
        return panel
    # Beyond the reach of the smoothing, and a pixel more for the slope, nothing is drawn: no need to compute it.
    reach = round(_SMOOTHING_REACHES * smoothing) + 2
    left, top, right, bottom = np.add(inside, (-reach, -reach, reach, reach))
    box = (max(0, left), max(0, top), min(panel.width, right), min(panel.height, bottom))
    part = panel.crop(box)
    # The contour runs within half a map pixel of the labels' own edge, without its stairs.
    near = Image.fromarray(mask[box[1] : box[3], box[0] : box[2]].astype(np.uint8) * 255)
    field = np.asarray(near.filter(ImageFilter.GaussianBlur(smoothing)), np.float32) / 255
    slope = np.hypot(*np.gradient(field))
    distance = np.abs(field - 0.5) / np.maximum(slope, np.finfo(np.float32).tiny)
    for half_width, line_color in ((width / 2 + _HALO, _BACKGROUND), (width / 2, color)):
        opacity = Image.fromarray((255 * np.clip(half_width + 0.5 - distance, 0, 1)).astype(np.uint8))
        part = Image.composite(Image.new("RGB", part.size, line_color), part, opacity)
    panel.paste(part, box)
    return panel


def _draw_gray_scale(draw: ImageDraw.ImageDraw, left: int, top: int) -> None:
    low, high = DISPLAY_WINDOW_MS
    draw.text((left, top - 2), f"T1 {low:.0f}", _DIM_TEXT, _font(14))
    for offset in range(128):
        draw.line([(left + 56 + offset, top), (left + 56 + offset, top + 14)], fill=(2 * offset,) * 3)
    draw.text((left + 192, top - 2), f"{high:.0f} ms", _DIM_TEXT, _font(14))


def _draw_contour_key(draw: ImageDraw.ImageDraw, left: int, top: int) -> None:
    for x, y, color, name in (
        (0, 0, WALL_COLOR, "endocardium, epicardium"),
        (224, 0, SEPTUM_COLOR, "septum, middle part"),
        (0, 22, RIGHT_COLOR, "right ventricle, where measured"),
    ):
        draw.line([(left + x, top + y + 7), (left + x + 28, top + y + 7)], fill=color, width=2)
        draw.text((left + x + 36, top + y - 2), name, _DIM_TEXT, _font(14))


def _draw_band_scale(draw: ImageDraw.ImageDraw, left: int, top: int) -> None:
    draw.text((left, top - 2), "attention, fixed scale:", _DIM_TEXT, _font(14))
    entries = list(zip(BAND_NAMES, BAND_COLORS, strict=True))[1:]
    for position, (name, color) in enumerate(entries):
        x, y = left + 150 + 180 * (position % 2), top + 22 * (position // 2)
        draw.rectangle([x, y, x + 14, y + 14], fill=tuple(round(255 * value) for value in color[:3]))
        draw.text((x + 20, y - 2), name, _DIM_TEXT, _font(14))


def _shortened(text: str, size: int, width: int) -> str:
    """The text, cut where it would leave the picture."""
    if _font(size).getlength(text) <= width:
        return text
    while text and _font(size).getlength(f"{text}...") > width:
        text = text[:-1]
    return f"{text}..."


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
