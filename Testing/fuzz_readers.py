"""Small valid files of every kind that is read here, and how each is read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from openpyxl import Workbook
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGLosslessSV1, RLELossless

from ACNetLib.dicom.series import find_t1_maps
from ACNetLib.files import temporary_folder
from ACNetLib.fitting.images import read_recovery_images
from ACNetLib.models.header import read_card_values
from ACNetLib.models.model import load_model
from ACNetLib.models.store import find_model
from ACNetLib.reference.store import remember_reference, remembered_references
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.t1map.t1_map import T1Map, read_t1_map, t1_map_from_image
from ACNetLib.triage.studies import find_studies
from ACNetLib.ventricle.labels import Ventricle, ventricles_from_segmentation
from ACNetLib.ventricle.segments import read_segmentation
from ACNetTrainerLib.cases.csv_import import import_csv
from ACNetTrainerLib.cases.editing import add_maps, create_case_library
from ACNetTrainerLib.cases.library import read_case_library
from ACNetTrainerLib.cases.maps import nothing_found
from ACNetTrainerLib.evaluation.baselines import MEASURES, read_measures
from ACNetTrainerLib.kspace.k_space_file import open_k_space
from ACNetTrainerLib.kspace.labels import read_disease_sheet
from ACNetTrainerLib.simulation.cohort import map_image
from ACNetTrainerLib.simulation.dicom.series import write_dicom_series
from ACNetTrainerLib.simulation.patient import draw_patient
from ACNetTrainerLib.simulation.section import simulate_section
from ACNetTrainerLib.study.summary import read_runs
from ACNetTrainerLib.training.background import REQUEST_FILE, CrossValidation, Request, Training, read_events, state_of
from ACNetTrainerLib.training.recipe import read_recipe, shipped_recipes
from cmrxrecon_files import write_k_space
from dicom_files import GAP_MM, compress, without_preamble, write_section
from dicom_segment_files import write_dicom_segments
from made_up_maps import new_map
from nifti_files import write_nifti
from recovery_files import write_recovery
from repository import REPOSITORY

T1_MS = np.random.default_rng(1).integers(200, 1900, (3, 40, 30)).astype(np.uint16)
DIRECTION = np.array([[0.6, 0.64, 0.48], [-0.8, 0.48, 0.36], [0.0, -0.6, 0.8]])
SFORM = np.column_stack([DIRECTION @ np.diag([1.4, 2.1, 8.0]), (-30.0, 40.0, 50.0)])


@dataclass(frozen=True)
class Reader:
    """make: writes valid files into a folder and returns the one to damage. read: reads what was written there.
    header_bytes: where most of the damage goes. has_pixels: whether reading comes to pixels, which is counted.
    every: it gets only one of so many inputs, for it is slow.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], object]
    header_bytes: int = 500
    has_pixels: bool = False
    every: int = 1


def a_map() -> sitk.Image:
    image = sitk.GetImageFromArray(T1_MS)
    image.SetSpacing((1.4, 2.1, 8.0))
    image.SetDirection(DIRECTION.ravel())
    image.SetMetaData("ACNet_field_strength_tesla", "1.5")
    return image


def labels() -> np.ndarray:
    drawn = np.zeros(T1_MS.shape, np.uint8)
    drawn[:, 10:30, 6:24], drawn[:, 14:26, 10:20] = 1, 2
    return drawn


def _volume(name: str, is_compressed: bool, damaged: str = "") -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        sitk.WriteImage(a_map(), str(folder / name), useCompression=is_compressed)
        return folder / (damaged or name)

    return make


def _nifti(name: str) -> Callable[[Path], Path]:
    return lambda folder: write_nifti(folder / name, T1_MS, sform=SFORM, quatern=(0.1, 0.2, 0.3), slope=1.0)


def _sidecar(folder: Path) -> Path:
    _nifti("map.nii")(folder)
    values = {"Manufacturer": "Philips", "MagneticFieldStrength": 3, "UsePhilipsFloatNotDisplayScaling": 0}
    (folder / "map.json").write_text(json.dumps(values, indent=1), encoding="utf-8")
    return folder / "map.json"


def _segments(folder: Path) -> Path:
    image = sitk.GetImageFromArray(labels())
    image.SetSpacing((1.0, 1.0, 1.01))  # 1 mm along all axes would be none
    for number, name in enumerate(("Cavity", "Myocardium")):
        for key, text in (("Name", name), ("LabelValue", str(2 - number)), ("Layer", "0")):
            image.SetMetaData(f"Segment{number}_{key}", text)
    sitk.WriteImage(image, str(folder / "drawn.seg.nrrd"), useCompression=True)
    return folder / "drawn.seg.nrrd"


def _dicom(folder: Path) -> Path:
    for number, stored in enumerate(T1_MS):
        write_section(folder / f"{number}.dcm", stored, number * GAP_MM, RescaleSlope=1, RescaleIntercept=0)
    return folder / "1.dcm"


def _compressed_dicom(folder: Path) -> Path:
    dataset = pydicom.dcmread(write_section(folder / "0.dcm", T1_MS[0]))
    dataset.compress(RLELossless)
    dataset.save_as(folder / "0.dcm", enforce_file_format=True)
    return folder / "0.dcm"


def _deflated_dicom(folder: Path) -> Path:
    dataset = pydicom.dcmread(write_section(folder / "0.dcm", T1_MS[0]))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(folder / "0.dcm", enforce_file_format=True)
    return folder / "0.dcm"


def _jpeg_dicom(folder: Path) -> Path:
    """Decoded by SimpleITK's GDCM, in a process of its own."""
    return compress(write_section(folder / "0.dcm", T1_MS[0]), JPEGLosslessSV1)


def _parametric_map(folder: Path) -> Path:
    section = simulate_section(draw_patient(77, 1, "dcm", 1.5), "mid")
    write_dicom_series(folder, [section], [map_image(section)], "parametric-map")
    return folder / "t1-map.dcm"


def _dicom_segments(folder: Path) -> Path:
    t1_map = t1_map_from_image(a_map(), "map")
    frames = [(section, number, labels()[section] == 3 - number) for number in (1, 2) for section in range(3)]
    return write_dicom_segments(folder / "seg.dcm", t1_map, frames)


def _model(folder: Path) -> Path:
    path = folder / "acnet.safetensors"
    path.write_bytes(find_model("acnet-simulated-1.5T").read_bytes())
    return path


def _library(folder: Path) -> Path:
    create_case_library(folder / "library")
    add_maps(folder / "library", [new_map(seed, f"patient {seed}", ("normal", "dcm")[seed % 2]) for seed in range(3)])
    return folder / "library" / "cases.csv"


def _truth(folder: Path) -> Path:
    library = _library(folder).parent
    names = [line.partition(",")[0] for line in (library / "cases.csv").read_text("utf-8").splitlines()[1:]]
    header = "case,patient,level,septal_t1_ms,cavity_area_mm2,wall_thickness_mm"
    (library / "truth.csv").write_text("\n".join([header, *(f"{name},p,mid,1012.5,1400,9" for name in names)]), "utf-8")
    return library / "truth.csv"


def _import_table(folder: Path) -> Path:
    _library(folder)
    _volume("map.nrrd", True)(folder)
    row = "map.nrrd,anna,dcm,1,43.3,6.2,-18.8,1.5,2024-05-31"
    header = "file,patient,label,section,center_l_mm,center_p_mm,center_s_mm,field_strength_tesla,acquisition_date"
    (folder / "list.csv").write_text(f"{header}\n{row}\n", encoding="utf-8")
    return folder / "list.csv"


def _recipe(folder: Path) -> Path:
    (folder / "recipe.toml").write_bytes(shipped_recipes()["recommended"].read_bytes())
    return folder / "recipe.toml"


def _request(folder: Path) -> Path:
    request = Request("the cases", "the recipe", "the parent", "cpu", CrossValidation())
    (folder / REQUEST_FILE).write_text(json.dumps(asdict(request)), encoding="utf-8")
    return folder / REQUEST_FILE


def _events(folder: Path) -> Path:
    events = [
        {
            "event": "start",
            "epochs": 8,
            "steps_per_epoch": 5,
            "epochs_done": 0,
            "steps_done": 0,
            "precision": "32-true",
        },
        {"event": "step", "epoch": 1, "step": 1, "losses": {"loss": 0.7}, "learning_rate": 0.1, "seconds_left": 12.5},
        {"event": "stopped", "epoch": 1, "step": 1, "message": "Stopped."},
    ]
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events), "utf-8")
    return folder / "events.jsonl"


def _runs(folder: Path) -> Path:
    shipped = REPOSITORY / "Documentation" / "results" / "comparison" / "honest"
    return Path(shutil.copytree(shipped, folder / "comparison")) / "runs.json"


def read_map_beside(path: Path) -> object:
    return read_t1_map(next(file for file in path.parent.iterdir() if file.suffix in {".nii", ".nhdr", ".mhd"}))


def _studies(path: Path) -> object:
    return find_studies(path.parent, path.parent / "list")


def read_segments(path: Path) -> object:
    t1_map = T1Map(sitk.Cast(a_map(), sitk.sitkFloat32), "map")
    nothing = [Ventricle(number, t1_map.section_center(number), 0.0) for number in range(3)]
    return ventricles_from_segmentation(t1_map, read_segmentation(path), nothing)


def read_library(path: Path) -> object:
    return read_case_library(path.parent)


def read_truth(path: Path) -> object:
    library = read_library(path)
    return read_measures(library, library.cases, MEASURES)  # type: ignore[attr-defined, arg-type]


def read_import(path: Path) -> object:
    class NoLocalizer:
        confidence_threshold = 0.5

        @staticmethod
        def locate(t1_map: T1Map, sections: Sequence[int] | None = None) -> tuple[Ventricle, ...]:
            return tuple(each for each in nothing_found(t1_map) if sections is None or each.section in sections)

    with temporary_folder() as folder:  # what is imported once is refused the next time
        library = Path(shutil.copytree(path.parent / "library", folder / "library"))
        return import_csv(library, path, {}, NoLocalizer)  # type: ignore[arg-type]


def read_training_events(path: Path) -> object:
    training = Training(path.parent)
    return read_events(training), state_of(training, running=False)


def _recovery(folder: Path) -> Path:
    times_ms = np.array([100.0, 180.0, 260.0, 1000.0, 1900.0])
    write_recovery(folder, T1_MS[0] * np.abs(1 - 2 * np.exp(-times_ms / 1000))[:, None, None], times_ms)
    return sorted(folder.glob("*.dcm"))[1]


def _k_space(folder: Path) -> Path:
    rng = np.random.default_rng(1)
    values = rng.standard_normal((2, 4, 1, 2, 20, 24)).astype(np.float32)
    return write_k_space(folder / "T1map.mat", (values[0] + 1j * values[1]).astype(np.complex64))


def read_k_space(path: Path) -> object:
    with open_k_space(path) as file:
        return file.read_slice(0)


def _diseases(folder: Path) -> Path:
    book = Workbook()
    for row in (
        ["Center", "AnonPatientID", "Disease1"],
        ["Center001", "P001", "DCM"],
        ["Center001", "P002", "Healthy"],
    ):
        book.worksheets[0].append(row)
    book.save(folder / "sheet.xlsx")
    return folder / "sheet.xlsx"


READERS = {
    "NRRD": Reader(_volume("map.nrrd", False), read_t1_map, 350, True),
    "NRRD, gzip": Reader(_volume("map.nrrd", True), read_t1_map, 350, True),
    "NRRD, detached header": Reader(_volume("map.nhdr", False), read_t1_map, 400, True),
    "NRRD, detached pixels": Reader(_volume("map.nhdr", True, "map.raw.gz"), read_map_beside, 100, True),
    "MetaImage": Reader(_volume("map.mha", False), read_t1_map, 350, True),
    "MetaImage, zlib": Reader(_volume("map.mha", True), read_t1_map, 400, True),
    "MetaImage, detached header": Reader(_volume("map.mhd", False), read_t1_map, 400, True),
    "NIfTI": Reader(_nifti("map.nii"), read_t1_map, 352, True),
    "NIfTI, gzip": Reader(_nifti("map.nii.gz"), read_t1_map, 352, True),
    "dcm2niix JSON": Reader(_sidecar, read_map_beside, 200, True),
    "segments (.seg.nrrd)": Reader(_segments, read_segments, 600, True),
    "DICOM folder": Reader(_dicom, lambda path: read_t1_map(path.parent), 1200, True),
    "DICOM, no preamble": Reader(
        lambda folder: without_preamble(write_section(folder / "0.dcm", T1_MS[0])), read_t1_map, 1000, True
    ),
    "DICOM, RLE": Reader(_compressed_dicom, read_t1_map, 1200, True),
    "DICOM, deflated": Reader(_deflated_dicom, read_t1_map, 1200, True),
    "DICOM, JPEG Lossless": Reader(_jpeg_dicom, read_t1_map, 1200, True, every=10),
    "DICOM Parametric Map": Reader(_parametric_map, read_t1_map, 3000, True),
    "DICOM, headers alone": Reader(_dicom, lambda path: find_t1_maps(sorted(path.parent.iterdir())), 1200),
    "DICOM, studies of a reading list": Reader(_dicom, _studies, 1200),
    "DICOM, deflated, of a reading list": Reader(_deflated_dicom, _studies, 1200),
    "DICOM SEG": Reader(_dicom_segments, read_segments, 2500, True),
    "model": Reader(_model, load_model, 40_000, every=10),
    "model card": Reader(_model, read_card_values, 40_000),
    "cases.csv": Reader(_library, read_library),
    "truth.csv": Reader(_truth, read_truth),
    "table to import": Reader(_import_table, read_import),
    "recipe": Reader(_recipe, lambda path: read_recipe(str(path)), 2000),
    "reference-t1.json": Reader(
        lambda _folder: remember_reference("SIEMENS Avanto", 1.5, ReferenceT1(1012.0, 28.0)),
        lambda _path: remembered_references(),
    ),
    "training.json": Reader(_request, lambda path: Training(path.parent).request),
    "events.jsonl": Reader(_events, read_training_events),
    "runs.json": Reader(_runs, lambda path: read_runs(path.parent)),
    "inversion images": Reader(_recovery, lambda path: read_recovery_images(path.parent, sequence="MOLLI"), 1200),
    "k-space (MATLAB 7.3)": Reader(_k_space, read_k_space, 4000),
    "sheet of diseases (.xlsx)": Reader(_diseases, read_disease_sheet, 6000),
}
