"""`acnet ecv`: the extracellular volume from the native and the post-contrast T1 maps of an exam."""

from __future__ import annotations

import argparse
import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ACNetLib.commands.parser import print_written
from ACNetLib.errors import ACNetError, VentricleNotFound, one_line
from ACNetLib.files import atomic_folder, require_empty_folder, write_text_atomically

if TYPE_CHECKING:
    import SimpleITK as sitk

    from ACNetLib.fitting.ecv import Ecv
    from ACNetLib.t1map.t1_map import Reading, T1Map
    from ACNetLib.ventricle.labels import Ventricle

MAP_FILE, TABLE_FILE = "ecv.nrrd", "ecv.csv"
KEY = "ACNet_ecv"
OWN_FOLDER = "Give a file, or a folder that holds the images of this map, or of these slices, alone."


def add_ecv_command(commands: argparse._SubParsersAction[Any]) -> None:
    """Add `ecv` to the subcommands of the `acnet` command."""
    ecv = commands.add_parser(
        "ecv",
        help="measure the extracellular volume",
        description="ECV from native and post-contrast T1 of the same slices and the haematocrit, as a map and by AHA "
        "segments. It is shown only: the classifier takes native T1.",
    )
    ecv.add_argument("native", type=Path, metavar="NATIVE", help="native T1 map or exam, as acnet classify takes it")
    ecv.add_argument("post", type=Path, metavar="POST", help="the same from after contrast")
    ecv.add_argument("--hematocrit", type=float, required=True, help="fraction, such as 0.42")
    ecv.add_argument("--output", type=Path, required=True, help="new or empty folder")
    ecv.add_argument(
        "--segmentation", type=Path, metavar="FILE", help="left ventricle on the native map (default: the localizer)"
    )
    ecv.set_defaults(run=_ecv)


def _ecv(options: argparse.Namespace) -> None:
    from ACNetLib.fitting.ecv import measure_ecv
    from ACNetLib.image_files import write_image
    from ACNetLib.t1map.t1_map import AS_IT_IS, Reading
    from ACNetLib.ventricle.segments import read_segmentation

    require_empty_folder(options.output)
    segmentation = read_segmentation(options.segmentation) if options.segmentation else None
    natives, posts = _read(options.native, AS_IT_IS), _read(options.post, Reading(post_contrast=True))
    ecv = measure_ecv(natives, posts, _ventricles(natives, segmentation), options.hematocrit)
    files = _map_files(len(natives))
    with atomic_folder(options.output) as room:
        for name, image in zip(files, ecv.images, strict=True):
            image.SetMetaData(KEY, f"percent, haematocrit {ecv.hematocrit:g}")
            (room / name).parent.mkdir(exist_ok=True)
            write_image(image, room / name)
        write_text_atomically(room / TABLE_FILE, ecv_table(ecv))
    _print_ecv(ecv, natives)
    for warning in (*_warnings_of((*natives, *posts)), *ecv.warnings):
        print(one_line(f"Note: {warning}"))
    print_written(options.output / name for name in (*files, TABLE_FILE))


def _print_ecv(ecv: Ecv, natives: Sequence[T1Map]) -> None:
    blood = f"{ecv.blood_ms[0]:.0f} and {ecv.blood_ms[1]:.0f} ms"
    print(f"ECV with haematocrit {ecv.hematocrit:g}; T1 of blood native and after contrast: {blood}. Research only.")
    if len(natives) > 1:
        for number, native in enumerate(natives, start=1):
            print(one_line(f"Map {number}: {native.name}"))
    for each in ecv.slices:
        moved = "not moved" if each.shift_mm is None else f"moved by {each.shift_mm:.1f} mm"
        print(f"{each.title}: wall {_percent(each.wall)}, septum {_percent(each.septum)}; post-contrast map {moved}")
    for segment in ecv.segments:
        print(f"{segment.number:>2}  {segment.name:<22}  {_percent(segment.t1_ms)}")


def _map_files(count: int) -> list[str]:
    """Of several maps each has a folder of its own, as in a result of `acnet classify`."""
    return [MAP_FILE] if count == 1 else [f"map-{number}/{MAP_FILE}" for number in range(1, count + 1)]


def _read(path: Path, reading: Reading) -> tuple[T1Map, ...]:
    """The maps of one exam as `acnet classify` reads them. What it advises there by its options is none for us."""
    from ACNetLib.inference.exam_input import read_exam

    try:
        return read_exam([path], reading)
    except ACNetError as error:
        raise ACNetError(*error.args, cli=OWN_FOLDER if error.cli else "") from error


def _warnings_of(t1_maps: Sequence[T1Map]) -> list[str]:
    """Each with the name of its map; once what is said of all. That the one map is from after contrast is as it should
    be."""
    from ACNetLib.t1map.checks import POST_CONTRAST_WARNING

    said = dict.fromkeys(warning for t1_map in t1_maps for warning in t1_map.warnings)
    having = {warning: [t1_map.name for t1_map in t1_maps if warning in t1_map.warnings] for warning in said}
    return [
        warning if len(names) == len(t1_maps) else f"{', '.join(names)}: {warning}"
        for warning, names in having.items()
        if warning != POST_CONTRAST_WARNING
    ]


def _ventricles(natives: Sequence[T1Map], segmentation: sitk.Image | None) -> list[tuple[Ventricle, ...]]:
    """On each native map, by the localizer; a person's segmentation wins over it. None on a map where it is not found.

    Raises ACNetError where it is found on no map, and for blood after contrast.
    """
    from ACNetLib.inference.pipeline import load_finder
    from ACNetLib.inference.settings import Settings
    from ACNetLib.inference.ventricle_choice import choose_ventricles

    localizer, settings = load_finder(), Settings(segmentation=segmentation)
    found: list[tuple[Ventricle, ...]] = []
    missing: list[ACNetError] = []
    for native in natives:
        try:
            found.append(choose_ventricles(localizer, native, settings).ventricles)
        except VentricleNotFound as error:
            missing.append(ACNetError(*error.args, cli="Give it with --segmentation." if error.cli else ""))
            found.append(())
        except ACNetError as error:
            raise ACNetError(*error.args, cli="Give the native map first." if error.cli else "") from error
    if not any(found):
        raise missing[0]
    return found


def ecv_table(ecv: Ecv) -> str:
    """Slices and segments for spreadsheets, ECV in percent; what is not known is empty."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["place", "ecv_percent", "sd_percent", "pixels"])
    for each in ecv.slices:
        table.writerow([f"{each.title.lower()} wall", _cell(each.wall), "", ""])
        table.writerow([f"{each.title.lower()} septum", _cell(each.septum), "", ""])
    for segment in ecv.segments:
        name = f"AHA {segment.number} {segment.name}"
        table.writerow([name, _cell(segment.t1_ms), _cell(segment.sd_ms), segment.pixels])
    return text.getvalue()


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2f}"


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f} %"
