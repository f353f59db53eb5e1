"""Base, mid and apex that were planned one by one are one study."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from ACNetLib.commands.main import main
from ACNetLib.errors import ACNetError, VentricleNotFound
from ACNetLib.inference.classifier import Classifier
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.exam import check_one_exam, classify_exam, pool_exam
from ACNetLib.inference.exam_input import read_exam, read_exam_among
from ACNetLib.inference.probability import calibrated, sigmoid
from ACNetLib.inference.result import StudyResult
from ACNetLib.inference.settings import Settings
from ACNetLib.models.model import Model
from ACNetLib.t1map.t1_map import Reading, T1Map
from conftest import Finder, with_map
from dicom_files import PATIENT_ID, write_image, write_study
from exam_files import HEIGHTS_MM, write_exam, write_slice


@pytest.fixture(scope="module")
def exam_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_exam(tmp_path_factory.mktemp("exam") / "exam")


@pytest.fixture(scope="module")
def a_result_folder(exam_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("result") / "out"
    assert main(["classify", str(exam_folder), "--device", "cpu", "--output", str(folder)]) == 0
    return folder


def test_the_maps_of_an_exam_keep_their_own_geometry(exam_folder: Path) -> None:
    t1_maps = read_exam([exam_folder])
    assert [t1_map.name for t1_map in t1_maps] == ["exam, series 3", "exam, series 5", "exam, series 7"]
    angle = np.degrees(np.arccos(t1_maps[0].normal @ t1_maps[1].normal))
    assert angle == pytest.approx(0.3, abs=1e-3)
    from_base = t1_maps[2].center - t1_maps[0].center
    assert abs(from_base @ t1_maps[0].normal) == pytest.approx(HEIGHTS_MM[2], abs=1e-3)


def test_the_slices_of_an_exam_are_pooled_as_those_of_one_map(exam_folder: Path, a_result_folder: Path) -> None:
    """Classified one by one their log odds give the same probability, with the temperature of three slices."""
    result = json.loads((a_result_folder / "result.json").read_text())
    model = result["model"]
    prior, temperatures = model["training_prior_dcm"], model["temperatures"]
    log_odds = [section["log_odds_dcm"] for each in result["maps"] for section in each["sections"]]
    prior_log_odds = np.log(prior / (1 - prior))
    of_network = [(each - prior_log_odds) * temperatures[0] + prior_log_odds for each in log_odds]
    assert len(of_network) == 3
    expected = sigmoid(calibrated(fmean(of_network), 3, temperatures, prior))
    assert result["probability_dcm"] == pytest.approx(expected, rel=1e-9)
    assert result["verdict"] == "dcm"
    assert result["warnings"] == []


def test_the_files_of_an_exam_lie_in_a_folder_for_each_map(a_result_folder: Path, exam_folder: Path) -> None:
    result = json.loads((a_result_folder / "result.json").read_text())
    assert [each["folder"] for each in result["maps"]] == ["map-1", "map-2", "map-3"]
    files = {"attention.nrrd", "attention-label.nrrd", "evidence.nrrd", "ventricle-label.nrrd", "section-0.jpg"}
    for each, t1_map in zip(result["maps"], read_exam([exam_folder]), strict=True):
        folder = a_result_folder / each["folder"]
        assert {path.name for path in folder.iterdir()} == files
        assert each["name"] == t1_map.name
        labels = sitk.ReadImage(str(folder / "ventricle-label.nrrd"))
        assert labels.GetOrigin() == pytest.approx(t1_map.image.GetOrigin())
        assert labels.GetDirection() == pytest.approx(t1_map.image.GetDirection())
    page = (a_result_folder / "report.html").read_text()
    assert page.count('<img src="data:image/') == 4, "three slices and the polar map"
    assert re.findall(r"Map \d, slice 0: DCM", page) == [f"Map {number}, slice 0: DCM" for number in (1, 2, 3)]
    assert "T1 map 2: <strong>exam, series 5</strong>" in page


def test_two_of_the_series_can_be_chosen(exam_folder: Path) -> None:
    assert [t1_map.name for t1_map in read_exam([exam_folder], Reading(series=[3, 5]))] == [
        "exam, series 3",
        "exam, series 5",
    ]


def test_series_that_happen_to_form_a_stack_are_one_map(exam_folder: Path) -> None:
    (t1_map,) = read_exam([exam_folder], Reading(series=[3, 7]))
    assert (t1_map.name, t1_map.section_count) == ("exam", 2)


def test_slices_of_one_series_that_form_no_stack_are_an_exam_too(tmp_path: Path) -> None:
    folder = write_exam(tmp_path / "exam", series=3)
    names = [f"exam, series 3, slice {number}" for number in (1, 2, 3)]
    assert [t1_map.name for t1_map in read_exam([folder])] == names


def test_one_stack_stays_one_map(tmp_path: Path, stored: np.ndarray) -> None:
    (t1_map,) = read_exam([write_study(tmp_path / "study", stored)])
    assert (t1_map.name, t1_map.section_count) == ("study", 3)


def test_files_are_an_exam_in_their_order_and_names_that_occur_twice_get_a_number(
    exam_folder: Path, tmp_path: Path
) -> None:
    files = []
    for index, t1_map in enumerate(read_exam([exam_folder])):
        files.append(tmp_path / str(index) / ("map.nrrd" if index else "base.nrrd"))
        files[-1].parent.mkdir()
        sitk.WriteImage(t1_map.image, str(files[-1]))
    assert [t1_map.name for t1_map in read_exam(files[::-1])] == ["map.nrrd", "map.nrrd (2)", "base.nrrd"]


def test_planes_16_degrees_apart_are_refused_with_the_series_to_choose_from(tmp_path: Path) -> None:
    folder = write_exam(tmp_path / "exam", (0.0, 16.0, 0.0))
    with pytest.raises(
        ACNetError, match=r"exam, series 3 and exam, series 5: their planes are 16 degrees apart.*--series"
    ):
        read_exam([folder])
    assert sum(t1_map.section_count for t1_map in read_exam([folder], Reading(series=[3, 7]))) == 2
    assert len(read_exam([write_exam(tmp_path / "tilted", (0.0, 14.0, 0.0))])) == 3


def test_a_repeated_slice_is_refused_by_name(tmp_path: Path) -> None:
    folder = write_exam(tmp_path / "exam")
    write_slice(folder / "again.dcm", 1, 0.5, series=9)
    with pytest.raises(
        ACNetError,
        match=r"exam, series 5 and exam, series 9: they lie at the same place \(0\.\d mm .*series 9 \(.*--se",
    ):
        read_exam([folder])
    t1_maps = read_exam([folder], Reading(series=[3, 5, 7]))
    with pytest.raises(ACNetError, match="exam, series 5 and again: they lie at the same place"):
        check_one_exam([*t1_maps, replace(t1_maps[1], name="again")])


@pytest.fixture
def files_without_places(exam_folder: Path, tmp_path: Path) -> list[Path]:
    """Base, mid and apex as files that do not tell where they lie."""
    files = [tmp_path / f"{level}.mha" for level in ("base", "mid", "apex")]
    for t1_map, file in zip(read_exam([exam_folder]), files, strict=True):
        image = sitk.GetImageFromArray(t1_map.array)
        image.SetSpacing(t1_map.image.GetSpacing())
        sitk.WriteImage(image, str(file))
    return files


def test_files_that_do_not_tell_where_they_lie_are_pooled_with_a_warning(
    files_without_places: list[Path], a_study: Callable
) -> None:
    t1_maps = read_exam(files_without_places, Reading(field_strength_tesla=1.5))
    elsewhere = {"mid.mha": t1_maps[1].center + 40 * t1_maps[1].row_axis}

    def classify(t1_map: T1Map, _progress: object) -> StudyResult:
        return a_study(t1_map, elsewhere.get(t1_map.name))

    exam = classify_exam(classify, t1_maps)
    assert len(exam.maps) == 3
    (warning,) = exam.exam_warnings
    assert warning.startswith("base.mha, mid.mha, apex.mha: the position of the slices is unknown.")
    assert exam.segments == ()


def test_of_files_that_do_not_tell_where_they_lie_the_same_pixels_are_refused(
    files_without_places: list[Path], exam_folder: Path
) -> None:
    base, mid, _ = files_without_places
    with pytest.raises(ACNetError, match=r"^base\.mha and base\.mha \(2\): a slice of the one has the pixels"):
        read_exam([base, mid, base])
    with pytest.raises(ACNetError, match=r"exam, series 5: a slice of the one has the pixels of the other"):
        read_exam([mid, exam_folder])
    assert len(read_exam([base, mid])) == 2


@pytest.mark.parametrize("plane", ["a long axis", "axial"])
def test_a_map_of_another_plane_beside_the_short_axis_is_left_out_with_a_note(plane: str, tmp_path: Path) -> None:
    folder = write_exam(tmp_path / "exam")
    if plane == "axial":
        middle = pydicom.dcmread(folder / "series-5.dcm")
        write_image(folder / "other.dcm", middle.pixel_array, middle.ImagePositionPatient, series=9)
    else:
        write_slice(folder / "other.dcm", 1, 88.0, series=9)
    alone = read_exam([write_exam(tmp_path / "alone" / "exam")])
    for t1_maps in (read_exam([folder]), read_exam_among(sorted(folder.iterdir()), "exam")):
        assert [t1_map.name for t1_map in t1_maps] == [t1_map.name for t1_map in alone]
        (note,) = set(t1_maps[0].warnings) - set(alone[0].warnings)
        assert re.fullmatch(
            r"exam, series 9 was left out: its plane is \d\d degrees from the short axis \(exam, series \d\)\.", note
        )
        assert not any("left out" in warning for t1_map in t1_maps[1:] for warning in t1_map.warnings)


def test_planes_of_which_none_is_clearly_the_short_axis_are_refused_with_the_series_to_choose_from(
    tmp_path: Path,
) -> None:
    folder = write_exam(tmp_path / "exam", (25.0, -25.0, 25.0))
    with pytest.raises(ACNetError, match=r"their planes are 50 degrees apart.*--series"):
        read_exam([folder])


@pytest.mark.parametrize(
    ("changed", "found"),
    [({"PatientID": "another"}, "two patients"), ({"StudyInstanceUID": "1.2.3"}, "two exams")],
)
def test_maps_of_two_patients_or_exams_are_refused_without_naming_them(
    changed: dict[str, Any], found: str, tmp_path: Path
) -> None:
    folder = write_exam(tmp_path / "exam")
    write_slice(folder / "series-7.dcm", 2, **changed)
    for inputs in ([folder], sorted(folder.iterdir())):
        with pytest.raises(ACNetError, match=found) as error:
            read_exam(inputs)
        assert not any(secret in str(error.value) for secret in ("another", "1.2.3", PATIENT_ID))


def test_maps_of_two_field_strengths_or_scanners_are_refused(exam_folder: Path) -> None:
    first, second, _ = read_exam([exam_folder])
    with pytest.raises(ACNetError, match=r"exam, series 3 and exam, series 5: they are from 1\.5 and 3 T"):
        check_one_exam([first, replace(second, field_strength_tesla=3.0)])
    check_one_exam([replace(first, field_strength_tesla=1.494), second])
    with pytest.raises(ACNetError, match=r"two scanners \(SIEMENS Avanto, GE Signa\)"):
        check_one_exam([replace(first, scanner="SIEMENS Avanto"), replace(second, scanner="GE Signa")])


@pytest.fixture
def classify(a_study: Callable) -> Callable[..., StudyResult]:
    """Another probability for every map; on some no ventricle is found, on others it lies elsewhere."""
    probabilities = {"exam, series 3": 0.9, "exam, series 5": 0.2, "exam, series 7": 0.6}

    def classify(
        t1_maps: tuple[T1Map, ...], without: tuple[str, ...] = (), centers_mm: dict[str, np.ndarray] | None = None
    ) -> StudyResult:
        def classify_map(t1_map: T1Map, _progress: object) -> StudyResult:
            if t1_map.name in without:
                raise VentricleNotFound(f"{t1_map.name}: the left ventricle was not found.")
            return a_study(t1_map, (centers_mm or {}).get(t1_map.name), probabilities[t1_map.name])

        return classify_exam(classify_map, t1_maps)

    return classify


def test_the_classifier_tells_a_map_without_a_heart_from_other_errors(a_model: Model, exam_folder: Path) -> None:
    classifier = Classifier(a_model, Finder(confidence=0.1), DeviceChoice("cpu", "asked for"))
    with pytest.raises(VentricleNotFound, match="exam, series 3: the left ventricle was not found"):
        classifier.classify(read_exam([exam_folder])[0])


def test_a_map_without_a_heart_is_a_note_and_does_not_stop_the_others(
    classify: Callable[..., StudyResult], exam_folder: Path
) -> None:
    t1_maps = read_exam([exam_folder])
    exam = classify(t1_maps, ("exam, series 5",))
    assert [each.name for each in exam.maps] == ["exam, series 3", "exam, series 7"]
    (note,) = exam.exam_warnings
    assert note == "exam, series 5 was left out: the left ventricle was not found."
    assert exam.probability_dcm == classify((t1_maps[0], t1_maps[2])).probability_dcm
    with pytest.raises(ACNetError, match="exam, series 3: the left ventricle was not found"):
        classify(t1_maps, tuple(t1_map.name for t1_map in t1_maps))


def test_a_segmentation_of_one_map_leaves_the_others_to_the_localizer(a_model: Model, exam_folder: Path) -> None:
    t1_maps = read_exam([exam_folder])
    classifier = Classifier(a_model, Finder(), DeviceChoice("cpu", "asked for"))
    segmentation = sitk.Cast(t1_maps[1].image > 0, sitk.sitkUInt8)

    def exam_of(t1_maps: Sequence[T1Map], segmentation: sitk.Image, fractions: list[float]) -> StudyResult:
        settings = Settings(segmentation=segmentation)
        return classify_exam(
            lambda t1_map, progress: classifier.classify(t1_map, settings, progress),
            t1_maps,
            lambda _step, fraction: fractions.append(fraction),
        )

    fractions = list[float]()
    exam = exam_of(t1_maps, segmentation, fractions)
    assert [each.name for each in exam.maps] == [each.name for each in t1_maps]
    assert [each.center_source for each in exam.maps] == ["localizer", "segmentation", "localizer"]
    assert exam.exam_warnings == tuple(
        f"exam, series {number}: it is not segmented, the localizer found its ventricle." for number in (3, 7)
    )
    assert fractions == sorted(fractions)
    assert fractions[-1] < 1
    segmentation.SetOrigin((900.0, 900.0, 900.0))
    for of_maps in (t1_maps, t1_maps[:1]):
        with pytest.raises(VentricleNotFound, match="none of its labels lies on a slice of exam, series 3"):
            exam_of(of_maps, segmentation, [])


def test_the_only_map_with_a_heart_has_the_note_in_its_result(
    classify: Callable[..., StudyResult], exam_folder: Path
) -> None:
    t1_maps = read_exam([exam_folder])
    exam = classify(t1_maps, ("exam, series 5", "exam, series 7"))
    assert exam.probability_dcm == classify(t1_maps[:1]).probability_dcm
    assert len([warning for warning in exam.warnings if "was left out" in warning]) == 2


def test_a_ventricle_far_from_those_of_the_other_maps_is_left_out_with_a_note(
    classify: Callable[..., StudyResult], exam_folder: Path
) -> None:
    t1_maps = read_exam([exam_folder])
    elsewhere = t1_maps[1].center + 40 * t1_maps[1].row_axis
    exam = classify(t1_maps, centers_mm={"exam, series 5": elsewhere})
    assert len(exam.maps) == 2
    assert re.fullmatch(r"exam, series 5 was left out: its ventricle lies 4\d mm from .*", exam.warnings[0])


def test_ventricles_farther_apart_than_a_heart_is_long_are_refused(
    classify: Callable[..., StudyResult], exam_folder: Path
) -> None:
    t1_maps = read_exam([exam_folder])
    image = sitk.Image(t1_maps[2].image)
    image.SetOrigin((np.array(image.GetOrigin()) + 130 * np.sign(HEIGHTS_MM[2]) * _away(t1_maps)).tolist())
    with pytest.raises(ACNetError, match=r"162 mm apart along the heart's axis; expected 120 mm or less"):
        classify((*t1_maps[:2], replace(t1_maps[2], image=image)))


def _away(t1_maps: tuple[T1Map, ...]) -> np.ndarray:
    away = t1_maps[2].center - t1_maps[0].center
    return np.sign(away @ t1_maps[0].normal) * t1_maps[0].normal


def test_progress_goes_on_over_the_maps(a_study: Callable, exam_folder: Path) -> None:
    def classify(t1_map: T1Map, progress: Callable[[str, float], None]) -> StudyResult:
        progress("range", 0.5)
        return a_study(t1_map)

    seen: list[float] = []
    classify_exam(classify, read_exam([exam_folder]), lambda _step, fraction: seen.append(fraction))
    assert seen == pytest.approx([1 / 6, 3 / 6, 5 / 6])


@pytest.fixture
def results(a_study: Callable, exam_folder: Path) -> Iterator[StudyResult]:
    return map(partial(a_study), read_exam([exam_folder]))


def test_a_slice_that_is_left_out_has_no_part_in_the_exam(results: Iterator[StudyResult]) -> None:
    first, second, third = results
    exam = pool_exam([first, with_map(second, sections=(replace(second.sections[0], left_out=True),)), third])
    assert exam.probability_dcm == pytest.approx(pool_exam([first, third]).probability_dcm)
    assert len(exam.maps) == 3
    with pytest.raises(ACNetError, match="at least one"):
        exam.leaving_out({0, 1, 2})


def test_what_holds_for_all_maps_is_said_once_and_else_with_the_map(results: Iterator[StudyResult]) -> None:
    first, *others = results
    exam = pool_exam([with_map(first, warnings=(*first.warnings, "It was converted.")), *others], ["Of the exam."])
    assert list(exam.warnings) == ["Of the exam.", "The map is odd.", "exam, series 3: It was converted."]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["again", "--series", "3"], "--series: found 2 inputs; expected one DICOM folder"),
        (["--sections", "0"], "--sections: found 3 T1 maps; expected one"),
    ],
)
def test_options_of_one_map_are_refused_for_several(
    arguments: list[str], found: str, exam_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(exam_folder) if each == "again" else each for each in arguments]
    assert main(["classify", str(exam_folder), *arguments, "--output", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert found in line
