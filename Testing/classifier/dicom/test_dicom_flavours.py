"""The same simulated patient as scanners of several makers write it, with the images that lie beside the map."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import FileDataset
from pydicom.uid import EnhancedMRImageStorage, ParametricMapStorage

from ACNetLib.commands.main import main as acnet
from ACNetLib.errors import ACNetError
from ACNetLib.inference import load_pipeline
from ACNetLib.inference.classifier import Classifier
from ACNetLib.models.store import model_for_field
from ACNetLib.t1map.t1_map import Reading, T1Map, read_t1_map
from ACNetTrainerLib.simulation.cohort import map_image
from ACNetTrainerLib.simulation.dicom import FLAVOURS, PARAMETRIC_MAP
from ACNetTrainerLib.simulation.dicom.parametric_map import INTEGER_SLOPE_MS, parametric_map
from ACNetTrainerLib.simulation.dicom.series import FLAVOUR_IMAGES, PHILIPS_MAP_SLOPE, write_dicom_series
from ACNetTrainerLib.simulation.section import SimulatedSection

Made = Callable[..., FileDataset]
EXACT = [flavour for flavour in FLAVOURS if flavour != "philips"]


@pytest.fixture(scope="module")
def images(flavour_sections: list[SimulatedSection]) -> list[sitk.Image]:
    return [map_image(section) for section in flavour_sections]


@pytest.fixture(scope="module")
def a_map(
    flavour_sections: list[SimulatedSection], images: list[sitk.Image], tmp_path_factory: pytest.TempPathFactory
) -> T1Map:
    """The map alone, as Siemens writes it."""
    folder = tmp_path_factory.mktemp("alone") / "siemens"
    write_dicom_series(folder, flavour_sections, images)
    return read_t1_map(folder)


def assert_same_geometry(t1_map: T1Map, expected: T1Map) -> None:
    assert t1_map.image.GetSize() == expected.image.GetSize()
    for corner in ((0, 0, 0), [length - 1 for length in expected.image.GetSize()]):
        np.testing.assert_allclose(
            t1_map.image.TransformIndexToPhysicalPoint(corner),
            expected.image.TransformIndexToPhysicalPoint(corner),
            rtol=0,
            atol=1e-4,
        )


def test_the_command_offers_every_flavour() -> None:
    assert (*FLAVOUR_IMAGES, PARAMETRIC_MAP) == FLAVOURS


@pytest.mark.parametrize("flavour", EXACT)
def test_the_same_pixels_give_the_same_map_in_every_flavour(
    flavour: str, flavours: dict[str, Path], a_map: T1Map
) -> None:
    t1_map = read_t1_map(flavours[flavour])
    np.testing.assert_allclose(t1_map.array, a_map.array, rtol=1e-4)
    assert_same_geometry(t1_map, a_map)


def test_a_map_stored_with_a_slope_differs_by_half_a_quantum_at_most(flavours: dict[str, Path], a_map: T1Map) -> None:
    t1_map = read_t1_map(flavours["philips"])
    assert np.abs(t1_map.array - a_map.array).max() <= PHILIPS_MAP_SLOPE / 2 + 1e-3
    tissue = a_map.array > 200
    np.testing.assert_allclose(t1_map.array[tissue], a_map.array[tissue], rtol=1e-2)
    assert_same_geometry(t1_map, a_map)


@pytest.fixture(scope="module")
def shipped_classifier() -> Classifier:
    return load_pipeline(model_for_field(1.5), device="cpu")


@pytest.mark.parametrize(
    ("source", "tolerance"),
    [*((flavour, 1e-4) for flavour in EXACT), ("philips", 1e-2), (".nrrd", 1e-4), (".nii.gz", 1e-4)],
)
def test_the_same_pixels_give_the_same_result_in_every_format(
    source: str,
    tolerance: float,
    flavours: dict[str, Path],
    a_map: T1Map,
    shipped_classifier: Classifier,
    tmp_path: Path,
) -> None:
    """From the header to the probability: read, located, cut and classified."""
    if source in flavours:
        t1_map = read_t1_map(flavours[source])
    else:
        sitk.WriteImage(a_map.image, str(tmp_path / f"map{source}"))
        t1_map = read_t1_map(tmp_path / f"map{source}", Reading(field_strength_tesla=1.5))
    expected, found = shipped_classifier.classify(a_map), shipped_classifier.classify(t1_map)
    assert found.probability_dcm == pytest.approx(expected.probability_dcm, abs=tolerance)
    for section, same in zip(found.sections, expected.sections, strict=True):
        assert section.probability_dcm == pytest.approx(same.probability_dcm, abs=tolerance)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_every_flavour_tells_its_field_strength_and_that_it_is_simulated(
    flavour: str, flavours: dict[str, Path]
) -> None:
    t1_map = read_t1_map(flavours[flavour])
    assert (t1_map.field_strength_tesla, t1_map.simulated, t1_map.warnings) == (1.5, True, ())
    for file in flavours[flavour].iterdir():
        dataset = pydicom.dcmread(file, stop_before_pixels=True)
        assert "simulated" in dataset.ImageComments
        assert str(dataset.PatientName).startswith("Simulated^")


@pytest.mark.parametrize(
    ("flavour", "evidence"),
    [
        ("siemens", "series 3: ImageType T1 MAP (+3), SeriesDescription ends in _MOCO_T1 (+3)"),
        ("philips", "series 501: ImageType T1 MAP (+3)"),
        ("shmolli", "series 12: SeriesDescription names a T1 map (+2), ImageComments name a T1 map (+2)"),
        ("ge", "series 100, 200, 300: SeriesDescription names a T1 map (+2), ImageType DERIVED (+1)"),
        ("parametric-map", "series 30: real world values of the quantity T1 (+3), real world values in ms (+1)"),
    ],
)
def test_the_map_of_every_flavour_is_known_by_its_own_signs(
    flavour: str, evidence: str, flavours: dict[str, Path]
) -> None:
    assert read_t1_map(flavours[flavour]).evidence.startswith(evidence)


@pytest.mark.parametrize(
    ("flavour", "files"), [("siemens", 24), ("philips", 12), ("shmolli", 9), ("ge", 12), ("parametric-map", 2)]
)
def test_other_images_lie_beside_the_map_and_have_uids_of_their_own(
    flavour: str, files: int, flavours: dict[str, Path]
) -> None:
    written = [pydicom.dcmread(file, stop_before_pixels=True) for file in flavours[flavour].iterdir()]
    assert len({dataset.SOPInstanceUID for dataset in written}) == len(written) == files
    numbers = {(dataset.SeriesInstanceUID, dataset.SeriesNumber) for dataset in written}
    assert len({uid for uid, _ in numbers}) == len({number for _, number in numbers}) == len(numbers)
    assert len({dataset.StudyInstanceUID for dataset in written}) == 1


@pytest.mark.parametrize("flavour", ["philips", "shmolli"])
def test_map_and_other_images_of_one_series_are_told_apart(flavour: str, flavours: dict[str, Path]) -> None:
    number = {"philips": 501, "shmolli": 12}[flavour]
    written = [pydicom.dcmread(file, stop_before_pixels=True) for file in flavours[flavour].iterdir()]
    assert len([dataset for dataset in written if dataset.SeriesNumber == number]) > 3
    assert read_t1_map(flavours[flavour], Reading(series=[number])).section_count == 3


@pytest.fixture
def parametric(flavour_sections: list[SimulatedSection], images: list[sitk.Image]) -> Made:
    """A function that makes a Parametric Map of the slices, or of other images of theirs."""

    def made(slices: list[sitk.Image] = images, integers: bool = False, factor: float = 1.0) -> FileDataset:
        values = np.concatenate([sitk.GetArrayFromImage(image) for image in slices]) * factor
        return parametric_map(flavour_sections, slices, values.astype(np.float32), integers=integers)

    return made


@pytest.mark.parametrize("integers", [False, True], ids=["float", "uint16"])
def test_a_parametric_map_is_read_through_its_real_world_values(
    integers: bool, parametric: Made, a_map: T1Map, tmp_path: Path
) -> None:
    dataset = parametric(integers=integers)
    dataset.save_as(tmp_path / "map.dcm", enforce_file_format=True)
    assert pydicom.dcmread(tmp_path / "map.dcm").SOPClassUID == ParametricMapStorage
    t1_map = read_t1_map(tmp_path)
    np.testing.assert_allclose(t1_map.array, a_map.array, rtol=1e-4)
    assert_same_geometry(t1_map, a_map)


def test_a_parametric_map_in_seconds_is_converted(parametric: Made, a_map: T1Map, tmp_path: Path) -> None:
    dataset = parametric(factor=1e-3)
    mapping = dataset.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    mapping.MeasurementUnitsCodeSequence[0].CodeValue = "s"
    dataset.save_as(tmp_path / "map.dcm", enforce_file_format=True)
    np.testing.assert_allclose(read_t1_map(tmp_path).array, a_map.array, rtol=1e-4)


def test_a_parametric_map_without_a_quantity_is_known_by_its_label_and_unit(parametric: Made, tmp_path: Path) -> None:
    dataset = parametric()
    del dataset.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0].QuantityDefinitionSequence
    dataset.save_as(tmp_path / "map.dcm", enforce_file_format=True)
    evidence = "series 30: real world values labelled T1 (+2), real world values in ms (+1)"
    assert read_t1_map(tmp_path).evidence == evidence


def test_of_an_enhanced_mr_object_the_frames_of_the_map_are_taken(
    parametric: Made, images: list[sitk.Image], a_map: T1Map, tmp_path: Path
) -> None:
    """Frames of a magnitude image and of the map in one object, told apart by FrameType; a slope a frame."""
    dataset = parametric([*images, *images], integers=True)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    dataset.ImageType = ["DERIVED", "PRIMARY", "MIXED", "NONE"]
    dataset.ContentDescription = ""
    del dataset.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    for frame, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        kind, slope = ("M", 3.0) if frame < len(images) else ("T1 MAP", INTEGER_SLOPE_MS)
        frame_type, transformation = pydicom.Dataset(), pydicom.Dataset()
        frame_type.FrameType = ["DERIVED", "PRIMARY", kind, "NONE"]
        transformation.RescaleSlope, transformation.RescaleIntercept = slope, 0
        groups.MRImageFrameTypeSequence = [frame_type]
        groups.PixelValueTransformationSequence = [transformation]
    dataset.save_as(tmp_path / "enhanced.dcm", enforce_file_format=True)
    t1_map = read_t1_map(tmp_path)
    np.testing.assert_allclose(t1_map.array, a_map.array, rtol=1e-4)
    assert t1_map.evidence == "series 30: ImageType T1 MAP (+3)"


@pytest.mark.parametrize("unit", ["/s", "[HU]", "1"])
def test_a_parametric_map_in_another_unit_is_refused(unit: str, parametric: Made, tmp_path: Path) -> None:
    dataset = parametric(integers=True)
    mapping = dataset.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    mapping.MeasurementUnitsCodeSequence[0].CodeValue = unit
    dataset.save_as(tmp_path / "map.dcm", enforce_file_format=True)
    with pytest.raises(ACNetError, match=r"series 30: 3 images .*real world values in .*, not in ms or s"):
        read_t1_map(tmp_path)


def test_frames_of_a_parametric_map_are_sorted_along_their_normal(
    parametric: Made, images: list[sitk.Image], a_map: T1Map, tmp_path: Path
) -> None:
    dataset = parametric(images[::-1])
    dataset.save_as(tmp_path / "map.dcm", enforce_file_format=True)
    np.testing.assert_allclose(read_t1_map(tmp_path).array, a_map.array, rtol=1e-4)


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's own words on the end of the file
def test_a_truncated_parametric_map_is_refused(parametric: Made, tmp_path: Path) -> None:
    file = tmp_path / "map.dcm"
    parametric().save_as(file, enforce_file_format=True)
    content = file.read_bytes()
    for length in (200, 1000, 1500, 2000, 2300, len(content) // 2, len(content) - 1):
        file.write_bytes(content[:length])
        with pytest.raises(ACNetError, match=r"map\.dcm: .*complete"):
            read_t1_map(tmp_path)


def test_a_t2_map_alone_is_refused(flavours: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "t2-map.dcm").write_bytes((flavours["parametric-map"] / "t2-map.dcm").read_bytes())
    assert acnet(["classify", str(tmp_path), "--output", str(tmp_path / "out")]) == 2
    with pytest.raises(ACNetError, match=r"none of its 3 DICOM images .*series 31: 3 images"):
        read_t1_map(tmp_path)
    assert not (tmp_path / "out").exists()
