"""`acnet ecv`: the extracellular volume from a native and a post-contrast T1 map."""

from __future__ import annotations

import argparse
import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ACNetLib.errors import one_line
from ACNetLib.files import atomic_folder, require_empty_folder, write_text_atomically
from ACNetLib.t1map.checks import POST_CONTRAST_WARNING

if TYPE_CHECKING:
    from ACNetLib.fitting.ecv import Ecv
    from ACNetLib.t1map.t1_map import T1Map
    from ACNetLib.ventricle.labels import Ventricle

MAP_FILE, TABLE_FILE = "ecv.nrrd", "ecv.csv"
KEY = "ACNet_ecv"


def add_ecv_command(commands: argparse._SubParsersAction[Any]) -> None:
    """Add `ecv` to the subcommands of the `acnet` command."""
    ecv = commands.add_parser(
        "ecv",
        help="measure the extracellular volume",
        description="ECV from a native and a post-contrast T1 map of the same slices and the haematocrit, as a map and "
        "by AHA segments. It is shown only: the classifier takes native T1.",
    )
    ecv.add_argument("native", type=Path, metavar="NATIVE", help="native T1 map, as acnet classify takes it")
    ecv.add_argument("post", type=Path, metavar="POST", help="T1 map from after contrast")
    ecv.add_argument("--hematocrit", type=float, required=True, help="fraction, such as 0.42")
    ecv.add_argument("--output", type=Path, required=True, help="new or empty folder")
    ecv.add_argument(
        "--segmentation", type=Path, metavar="FILE", help="left ventricle on the native map (default: the localizer)"
    )
    ecv.set_defaults(run=_ecv)


def _ecv(options: argparse.Namespace) -> None:
    from ACNetLib.fitting.ecv import measure_ecv
    from ACNetLib.image_files import write_image
    from ACNetLib.t1map.t1_map import Reading, read_t1_map

    require_empty_folder(options.output)
    native, post = read_t1_map(options.native), read_t1_map(options.post, Reading(post_contrast=True))
    ecv = measure_ecv(native, post, _ventricles(native, options.segmentation), options.hematocrit)
    ecv.image.SetMetaData(KEY, f"percent, haematocrit {ecv.hematocrit:g}")
    with atomic_folder(options.output) as room:
        write_image(ecv.image, room / MAP_FILE)
        write_text_atomically(room / TABLE_FILE, ecv_table(ecv))
    blood = f"{ecv.blood_ms[0]:.0f} and {ecv.blood_ms[1]:.0f} ms"
    print(f"ECV with haematocrit {ecv.hematocrit:g}; T1 of blood native and after contrast: {blood}. Research only.")
    for each in ecv.slices:
        moved = "not moved" if each.shift_mm is None else f"moved by {each.shift_mm:.1f} mm"
        print(
            f"Slice {each.section}: wall {_percent(each.wall)}, septum {_percent(each.septum)}; "
            f"post-contrast map {moved}"
        )
    for segment in ecv.segments:
        print(f"{segment.number:>2}  {segment.name:<22}  {_percent(segment.t1_ms)}")
    for warning in (*_warnings_of((native, post)), *ecv.warnings):
        print(one_line(f"Note: {warning}"))
    print(f"Written:\n  {options.output / MAP_FILE}\n  {options.output / TABLE_FILE}")


def _warnings_of(t1_maps: Sequence[T1Map]) -> list[str]:
    """Each with the name of its map; once what is said of all. That the one map is from after contrast is as it should
    be."""
    said = dict.fromkeys(warning for t1_map in t1_maps for warning in t1_map.warnings)
    having = {warning: [t1_map.name for t1_map in t1_maps if warning in t1_map.warnings] for warning in said}
    return [
        warning if len(names) == len(t1_maps) else f"{', '.join(names)}: {warning}"
        for warning, names in having.items()
        if warning != POST_CONTRAST_WARNING
    ]


def _ventricles(native: T1Map, segmentation: Path | None) -> tuple[Ventricle, ...]:
    """On the native map, by the localizer; a person's segmentation wins over it."""
    from ACNetLib.inference.pipeline import load_finder
    from ACNetLib.ventricle.labels import ventricles_from_segmentation
    from ACNetLib.ventricle.segments import read_segmentation

    localizer = load_finder()
    found = localizer.locate(native)
    if segmentation is not None:
        return ventricles_from_segmentation(native, read_segmentation(segmentation), found)
    return tuple(each for each in found if each.confidence >= localizer.confidence_threshold)


def ecv_table(ecv: Ecv) -> str:
    """Slices and segments for spreadsheets, ECV in percent; what is not known is empty."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["place", "ecv_percent", "sd_percent", "pixels"])
    for each in ecv.slices:
        table.writerow([f"slice {each.section} wall", _cell(each.wall), "", ""])
        table.writerow([f"slice {each.section} septum", _cell(each.septum), "", ""])
    for segment in ecv.segments:
        name = f"AHA {segment.number} {segment.name}"
        table.writerow([name, _cell(segment.t1_ms), _cell(segment.sd_ms), segment.pixels])
    return text.getvalue()


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2f}"


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f} %"
