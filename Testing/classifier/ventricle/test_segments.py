"""Segmentations in files: names and numbers of segments count, and a swapped cavity is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom.uid import MRImageStorage

from ACNetLib.errors import ACNetError
from ACNetLib.t1map.t1_map import Reading, T1Map, read_t1_map
from ACNetLib.ventricle.labels import Ventricle, measure_ventricle, ventricles_from_segmentation
from ACNetLib.ventricle.segments import WHOLE_LABEL, read_segmentation
from dicom_files import write_section
from dicom_segment_files import write_dicom_segments


def a_square(half: int) -> np.ndarray:
    mask = np.zeros((2, 150, 170), bool)
    mask[:, 80 - half : 80 + half, 60 - half : 60 + half] = True
    return mask


WALL, CAVITY = a_square(20), a_square(12)
LABELS = np.where(CAVITY, 2, WALL)


def nothing_found(t1_map: T1Map) -> list[Ventricle]:
    return [Ventricle(number, t1_map.section_center(number), 0.0) for number in range(t1_map.section_count)]


def write_segments(
    path: Path, t1_map: T1Map, layers: list[np.ndarray], segments: list[tuple[str, int | None, int | None]]
) -> Path:
    """As Slicer writes them: name, value and layer of each; Slicer 4.10 has neither value nor layer."""
    arrays = [layer.astype(np.uint8) for layer in layers]
    image = sitk.GetImageFromArray(np.stack(arrays, axis=-1) if len(arrays) > 1 else arrays[0])
    image.CopyInformation(t1_map.image)
    for number, (name, value, layer) in enumerate(segments):
        for field, text in (("ID", f"Segment_{number}"), ("Name", name), ("LabelValue", value), ("Layer", layer)):
            if text is not None:
                image.SetMetaData(f"Segment{number}_{field}", str(text))
    sitk.WriteImage(image, str(path), useCompression=True)
    return path


def assert_on_map(found: sitk.Image, t1_map: T1Map, labels: np.ndarray = LABELS) -> None:
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), labels)
    for part in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(found, part)(), getattr(t1_map.image, part)(), atol=1e-5)


def test_names_and_values_of_segments_count_and_not_the_order_of_drawing(
    an_oblique_t1_map: T1Map, tmp_path: Path
) -> None:
    cavity_first = np.where(CAVITY, 1, np.where(WALL, 2, 0))
    segments: list[tuple[str, int | None, int | None]] = [("LV cavity", 1, 0), ("Myocardium", 2, 0), ("aorta", 3, 0)]
    path = write_segments(tmp_path / "drawn.seg.nrrd", an_oblique_t1_map, [cavity_first], segments)
    assert_on_map(read_segmentation(path), an_oblique_t1_map)


def test_the_septal_t1_is_that_of_the_wall_whichever_was_drawn_first(an_oblique_t1_map: T1Map, tmp_path: Path) -> None:
    t1_ms = np.where(CAVITY, 1600, np.where(WALL, 1080, an_oblique_t1_map.array)).astype(np.float32)
    image = sitk.GetImageFromArray(t1_ms)
    image.CopyInformation(an_oblique_t1_map.image)
    t1_map = T1Map(image, "drawn", 1.5)
    septum = a_square(20) & ~a_square(12)
    septum[:, :, 60:] = False
    drawn = np.where(CAVITY, 1, np.where(septum, 3, np.where(WALL, 2, 0)))
    segments: list[tuple[str, int | None, int | None]] = [("cavity", 1, 0), ("myocardium", 2, 0), ("septum", 3, 0)]
    path = write_segments(tmp_path / "drawn.seg.nrrd", t1_map, [drawn], segments)
    (first, _) = ventricles_from_segmentation(t1_map, read_segmentation(path), nothing_found(t1_map))
    measures = measure_ventricle(t1_map, first)
    assert measures is not None
    assert measures.septal_t1_ms == pytest.approx(1080)


@pytest.mark.parametrize("is_old", [False, True], ids=["Slicer 5", "Slicer 4.10"])
def test_overlapping_segments_in_layers_are_read_from_theirs(
    an_oblique_t1_map: T1Map, tmp_path: Path, is_old: bool
) -> None:
    value, layers = (None, (None, None)) if is_old else (1, (0, 1))
    segments = [("Cavity", value, layers[0]), ("Myocardium", value, layers[1])]
    path = write_segments(tmp_path / "drawn.seg.nrrd", an_oblique_t1_map, [CAVITY, WALL], segments)
    assert_on_map(read_segmentation(path), an_oblique_t1_map)


def test_a_segment_alone_is_a_whole_and_others_are_refused_by_name(an_oblique_t1_map: T1Map, tmp_path: Path) -> None:
    path = write_segments(tmp_path / "one.seg.nrrd", an_oblique_t1_map, [WALL], [("Segment_1", 1, 0)])
    assert_on_map(read_segmentation(path), an_oblique_t1_map, WHOLE_LABEL * WALL)
    path = write_segments(tmp_path / "two.seg.nrrd", an_oblique_t1_map, [LABELS], [("aorta", 1, 0), ("liver", 2, 0)])
    with pytest.raises(ACNetError, match=r"two\.seg\.nrrd: its segments are aorta, liver; expected myocardium and"):
        read_segmentation(path)


def test_a_cavity_that_encloses_the_myocardium_is_refused_in_any_file(an_oblique_t1_map: T1Map, tmp_path: Path) -> None:
    swapped = np.where(CAVITY, 1, np.where(WALL, 2, 0))
    image = sitk.GetImageFromArray(swapped.astype(np.uint8))
    image.CopyInformation(an_oblique_t1_map.image)
    for name in ("labels.nrrd", "labels.nii.gz", "labels.mha"):
        sitk.WriteImage(image, str(tmp_path / name))
        with pytest.raises(ACNetError, match=r"segmentation: on slice 0 label 2 encloses label 1; expected 1 for the"):
            ventricles_from_segmentation(
                an_oblique_t1_map, read_segmentation(tmp_path / name), nothing_found(an_oblique_t1_map)
            )


def test_papillary_muscles_within_the_cavity_are_no_swap(an_oblique_t1_map: T1Map) -> None:
    labels = LABELS.copy()
    labels[:, 76:80, 56:60] = 1
    image = sitk.GetImageFromArray(labels.astype(np.uint8))
    image.CopyInformation(an_oblique_t1_map.image)
    ventricles = ventricles_from_segmentation(an_oblique_t1_map, image, nothing_found(an_oblique_t1_map))
    assert all(ventricle.has_wall for ventricle in ventricles)


def test_a_dicom_seg_is_read_by_its_own_rules(an_oblique_t1_map: T1Map, tmp_path: Path) -> None:
    frames = [(section, number, mask[section]) for number, mask in ((1, CAVITY), (2, WALL)) for section in (1, 0)]
    path = write_dicom_segments(tmp_path / "seg.dcm", an_oblique_t1_map, frames)
    assert_on_map(read_segmentation(path), an_oblique_t1_map)


def test_a_dicom_seg_of_a_single_slice_lies_on_that_slice(an_oblique_t1_map: T1Map, tmp_path: Path) -> None:
    frames = [(1, 1, CAVITY[1]), (1, 2, WALL[1])]
    image = read_segmentation(write_dicom_segments(tmp_path / "seg.dcm", an_oblique_t1_map, frames))
    (ventricle,) = ventricles_from_segmentation(an_oblique_t1_map, image, nothing_found(an_oblique_t1_map))
    assert ventricle.section == 1
    np.testing.assert_array_equal(ventricle.labels, LABELS[1])


def test_another_dicom_object_and_another_kind_of_seg_are_refused(an_oblique_t1_map: T1Map, tmp_path: Path) -> None:
    image = write_section(tmp_path / "image.dcm", np.ones((20, 20), np.uint16), SOPClassUID=MRImageStorage)
    with pytest.raises(ACNetError, match=r"image\.dcm: it is a DICOM object of another kind; expected a segmentation"):
        read_segmentation(image)
    seg = write_dicom_segments(tmp_path / "seg.dcm", an_oblique_t1_map, [(0, 1, CAVITY[0])], SegmentationType="SURFACE")
    with pytest.raises(ACNetError, match=r"seg\.dcm: its SegmentationType is 'SURFACE'; expected BINARY"):
        read_segmentation(seg)


@pytest.mark.parametrize("slices_first", [False, True])
def test_a_segmentation_without_spacing_has_that_which_is_given_for_its_map(slices_first: bool, tmp_path: Path) -> None:
    t1_ms = np.random.default_rng(1).integers(200, 1900, (2, 150, 170)).astype(np.uint16)
    for name, values in (("map", t1_ms), ("labels", LABELS.astype(np.uint16))):
        values = np.moveaxis(values, 0, 2) if slices_first else values
        sizes = " ".join(map(str, values.shape[::-1]))
        text = f"NRRD0004\ntype: ushort\ndimension: 3\nsizes: {sizes}\nendian: little\nencoding: raw\n\n"
        (tmp_path / f"{name}.nrrd").write_bytes(text.encode() + values.tobytes())
    t1_map = read_t1_map(tmp_path / "map.nrrd", Reading(spacing_mm=(1.4, 1.5, 8.0)))
    labels = read_segmentation(tmp_path / "labels.nrrd", (1.4, 1.5, 8.0))
    ventricles = ventricles_from_segmentation(t1_map, labels, nothing_found(t1_map))
    np.testing.assert_array_equal([ventricle.labels for ventricle in ventricles], LABELS)
    with pytest.raises(ACNetError, match=r"labels\.nrrd: its header does not tell the spacing"):
        read_segmentation(tmp_path / "labels.nrrd")


def test_a_spacing_that_is_given_for_the_map_leaves_that_of_a_segmentation_alone(
    an_oblique_t1_map: T1Map, tmp_path: Path
) -> None:
    path = write_segments(
        tmp_path / "a.seg.nrrd", an_oblique_t1_map, [LABELS], [("myocardium", 1, 0), ("cavity", 2, 0)]
    )
    assert_on_map(read_segmentation(path, (2.0, 2.0, 8.0)), an_oblique_t1_map)
