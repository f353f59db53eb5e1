"""A picture of who gets the third answer on patients of the second simulation, and who does not: `make failures`.

Of each library of one disease the mid slice of the first patient who is called unlike the training's hearts, and of the
first who is called DCM or normal, as the report shows them. Look at it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from ACNetLib.inference.classifier import Classifier
from ACNetLib.inference.pipeline import load_pipeline
from ACNetLib.inference.result import StudyResult
from ACNetLib.report.picture import section_picture
from ACNetTrainerLib.cases.library import CaseLibrary, read_case_library
from ACNetTrainerLib.evaluation.drawing import WEBP_QUALITY
from ACNetTrainerLib.study.answers import answer, maps_of_patients

MID = 1
"""The place of the mid slice among a patient's."""
SCALE = 0.4


def main() -> None:
    output, libraries = Path(sys.argv[1]), [read_case_library(Path(folder)) for folder in sys.argv[2:]]
    classifier = load_pipeline(f"acnet-simulated-{libraries[0].cases[0].field_strength_tesla:g}T", device="cpu")
    pictures = [picture for library in libraries for picture in _pictures(classifier, library)]
    sheet = Image.new("RGB", (max(each.width for each in pictures), sum(each.height for each in pictures)))
    top = 0
    for each in pictures:
        sheet.paste(each, (0, top))
        top += each.height
    sheet.save(output, quality=WEBP_QUALITY)


def _pictures(classifier: Classifier, library: CaseLibrary) -> Iterator[Image.Image]:
    first: dict[bool, StudyResult] = {}
    for t1_maps in maps_of_patients(library):
        study = answer(classifier, t1_maps)
        if study is not None and len(study.maps) > MID and study.verdict != "uncertain":
            first.setdefault(study.verdict == "outside", study)
        if len(first) == 2:
            break
    yield from (_mid_slice(first[unlike]) for unlike in (True, False) if unlike in first)


def _mid_slice(study: StudyResult) -> Image.Image:
    picture = section_picture(study, MID, study.maps[MID].sections[0])
    return picture.resize((round(SCALE * picture.width), round(SCALE * picture.height)), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
