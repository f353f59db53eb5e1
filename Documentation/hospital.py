"""A hospital's export becomes a reading list: `make hospital`. Documentation/triage.md shows what came of it.

python Documentation/hospital.py FOLDER writes FOLDER/export: 200 simulated studies of mixed vendors and both field
strengths, 20 foreign ones and 10 that are broken, their files mixed and with names that say nothing. `acnet triage`
makes FOLDER/list of it. Which study got which answer is kept in results/hospital.json.
"""

from __future__ import annotations

import csv
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from ACNetLib.files import write_json
from ACNetLib.sample_data import sample_cases
from ACNetLib.triage.rows import ANSWERS
from ACNetLib.worker_pool import worker_pool
from ACNetTrainerLib.evaluation.provenance import provenance
from ACNetTrainerLib.simulation.cohort import map_image
from ACNetTrainerLib.simulation.dicom import FLAVOURS
from ACNetTrainerLib.simulation.dicom.series import write_dicom_series
from ACNetTrainerLib.simulation.patient import Label, draw_patient
from ACNetTrainerLib.simulation.section import LEVEL_NAMES, simulate_section
from table_cells import shipped_weights

DOCUMENTATION = Path(__file__).parent
SEED = 16
"""Of no cohort for training or evaluation."""
STUDIES, DCM_SHARE = 200, 0.2
Change = Callable[[pydicom.Dataset], None]


@dataclass(frozen=True)
class Simulated:
    """A study to simulate."""

    index: int
    label: Label
    field_strength_tesla: float
    flavour: str

    @property
    def kind(self) -> str:
        return {"dcm": "DCM", "normal": "normal"}[self.label]


def simulated_studies() -> list[Simulated]:
    """Vendors in turn; who has DCM and who was at 3 T is drawn."""
    random = np.random.default_rng(SEED)
    has_dcm = random.permutation(STUDIES) < STUDIES * DCM_SHARE
    at_3_t = random.random(STUDIES) < 0.5
    return [
        Simulated(index, "dcm" if dcm else "normal", 3.0 if three else 1.5, FLAVOURS[index % len(FLAVOURS)])
        for index, (dcm, three) in enumerate(zip(has_dcm, at_3_t, strict=True))
    ]


def write_simulated(study: Simulated, folder: Path) -> str:
    """Its files, with the images that a scanner writes beside the maps; returns the patient's number."""
    patient = draw_patient(SEED, study.index, study.label, study.field_strength_tesla).as_one_series()
    sections = [simulate_section(patient, level) for level in LEVEL_NAMES]
    images = [map_image(section) for section in sections]
    write_dicom_series(folder / patient.name, sections, images, study.flavour, with_other_images=True)
    return patient.name


def _described(description: str, *image_type: str, **attributes: object) -> Change:
    def change(dataset: pydicom.Dataset) -> None:
        dataset.SeriesDescription, dataset.ImageType, dataset.ImageComments = description, list(image_type), ""
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)

    return change


def _noise(dataset: pydicom.Dataset) -> None:
    random = np.random.default_rng([SEED, int(dataset.InstanceNumber)])
    shape = (dataset.Rows, dataset.Columns)
    dataset.PixelData = np.clip(random.normal(1000, 30, shape), 0, 4095).astype("<u2").tobytes()


def _without(keyword: str) -> Change:
    def change(dataset: pydicom.Dataset) -> None:
        delattr(dataset, keyword)

    return change


T1_MAP = ("DERIVED", "PRIMARY", "T1 MAP", "MOCO", "T1", "DIS2D")
FOREIGN: dict[str, tuple[int, Change]] = {
    "a cine": (5, _described("cine_sax", "ORIGINAL", "PRIMARY", "M", "ND")),
    "a T2 map": (5, _described("T2_map_sax", "DERIVED", "PRIMARY", "T2 MAP", "MOCO")),
    "a T1 map after contrast": (5, _described("t1map_post_MOCO_T1", *T1_MAP, ContrastBolusAgent="gadobutrol")),
    "a CT": (5, _described("thorax", "ORIGINAL", "PRIMARY", "AXIAL", Modality="CT")),
}
"""How many, and what makes each of a sample."""
BROKEN: dict[str, tuple[int, Change]] = {
    "without a position": (2, _without("ImagePositionPatient")),
    "without a field strength": (2, _without("MagneticFieldStrength")),
    "noise, no heart": (2, _noise),
}
CUT_OFF = {"cut off in its pixels": (2, 0.7), "cut off in its header": (2, 0.01)}
"""How many, and the share of each file that is left."""


def write_others(folder: Path) -> Iterator[tuple[str, str]]:
    """The foreign and the broken studies, made of a sample; the patient's number and the kind of each."""
    number = 0
    for group, kinds in (("foreign", FOREIGN), ("broken", BROKEN)):
        for kind, (count, change) in kinds.items():
            for _ in range(count):
                number += 1
                _write_changed(folder / f"other-{number}", number, change)
                yield f"other-{number}", f"{group}: {kind}"
    for kind, (count, share) in CUT_OFF.items():
        for _ in range(count):
            number += 1
            _write_changed(folder / f"other-{number}", number, lambda _dataset: None)
            first, *rest = (folder / f"other-{number}").iterdir()
            for file in rest:
                file.unlink()
            content = first.read_bytes()
            first.write_bytes(content[: int(share * len(content))])
            yield f"other-{number}", f"broken: {kind}"


def _write_changed(folder: Path, number: int, change: Change) -> None:
    folder.mkdir(parents=True)
    for file in sorted(sample_cases()[number % 2].folder.iterdir()):
        dataset = pydicom.dcmread(file)
        dataset.PatientID = folder.name
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"1.2.826.0.1.{number}", f"1.2.826.0.1.{number}.1"
        dataset.SOPInstanceUID = f"1.2.826.0.1.{number}.1.{dataset.InstanceNumber}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        change(dataset)
        dataset.save_as(folder / file.name)


def mix_files(folder: Path, export: Path) -> None:
    """All files in folders and by names that tell neither patient nor series, as a PACS exports them."""
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        name = sha256(file.relative_to(folder).as_posix().encode()).hexdigest()
        (export / name[:2]).mkdir(parents=True, exist_ok=True)
        file.rename(export / name[:2] / name[2:10])
    shutil.rmtree(folder)


def write_export(folder: Path) -> dict[str, str]:
    """The kind of each patient's study, by the patient's number."""
    studies = simulated_studies()
    with worker_pool() as pool:
        names = pool.map(write_simulated, studies, [folder / "made"] * len(studies), chunksize=2)
        kinds = {name: study.kind for name, study in zip(names, studies, strict=True)}
    kinds |= dict(write_others(folder / "made"))
    mix_files(folder / "made", folder / "export")
    return kinds


def answers_by_kind(rows: list[dict[str, str]], kinds: dict[str, str]) -> dict[str, dict[str, int]]:
    """How many studies of each kind have which answer. A file whose header is cut off tells no patient."""
    counts = Counter((kinds.get(row["patient"], "broken: cut off in its header"), row["answer"]) for row in rows)
    order = list(dict.fromkeys(kinds.values()))
    return {kind: {answer: counts[kind, answer] for answer in ANSWERS if counts[kind, answer]} for kind in order}


def share_read(rows: list[dict[str, str]], kinds: dict[str, str], found: float = 0.95) -> float:
    """The share of the list, from its top, that holds this share of the patients with DCM."""
    ranks = [rank for rank, row in enumerate(rows, start=1) if kinds.get(row["patient"]) == "DCM"]
    return ranks[int(np.ceil(found * len(ranks))) - 1] / len(rows)


def main() -> None:
    folder = Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    record: dict[str, Any] = provenance(shlex.join(["python", "Documentation/hospital.py", *sys.argv[1:]]))
    kinds = write_export(folder)
    command = [sys.executable, "-m", "ACNetLib.commands.main", "triage", str(folder / "export")]
    start = time.monotonic()
    subprocess.run([*command, "--output", str(folder / "list"), "--identify", "id", "--device", "cpu"], check=True)
    seconds = time.monotonic() - start
    with (folder / "list" / "worklist.csv").open(encoding="utf-8-sig") as table:
        rows = list(csv.DictReader(table))
    record |= {
        "seed": SEED,
        "simulated": True,
        "models": shipped_weights(),
        "files": sum(1 for file in (folder / "export").rglob("*") if file.is_file()),
        "studies": dict(Counter(kinds.values())),
        "rows": len(rows),
        "answers": answers_by_kind(rows, kinds),
        "share_read_for_95_percent_of_dcm": round(share_read(rows, kinds), 3),
        "reasons": sorted({f"{row['answer']}: {row['reason']}" for row in rows if row["reason"]}),
        "minutes": round(seconds / 60, 1),
    }
    write_json(DOCUMENTATION / "results" / "hospital.json", record)


if __name__ == "__main__":
    main()
