"""The maps and slices of one exam by their sequences: which reference T1 is taken, and what is said of two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ACNetLib.inference.exam import classify_exam, exam_reference
from ACNetLib.inference.exam_input import read_exam
from ACNetLib.inference.result import StudyResult
from ACNetLib.reference.store import remember_reference
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.t1map.t1_map import T1Map
from exam_files import write_exam


@pytest.fixture(scope="module")
def exam_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_exam(tmp_path_factory.mktemp("exam") / "exam")


def test_a_reference_that_is_remembered_for_another_sequence_is_named_and_not_taken(
    exam_folder: Path, a_study: Callable
) -> None:
    remember_reference("SIEMENS Avanto", 1.5, ReferenceT1(1012.0, 28.0), "SASHA")
    t1_maps = [replace(each, scanner="SIEMENS Avanto", sequence="MOLLI") for each in read_exam([exam_folder])]
    assert exam_reference(t1_maps, None) is None

    def warnings(count: int, reference: ReferenceT1 | None = None) -> list[str]:
        def classify(t1_map: T1Map, _progress: object) -> StudyResult:
            return replace(a_study(t1_map), reference=reference)

        said = classify_exam(classify, t1_maps[:count]).exam_warnings
        return [warning for warning in said if "is remembered for SASHA, this exam is of MOLLI" in warning]

    assert len(warnings(1)) == len(warnings(3)) == 1
    assert warnings(1, ReferenceT1(1000.0)) == []


@pytest.mark.parametrize(
    ("sequences", "taken_ms", "named"),
    [
        (("", "MOLLI", ""), 1012.0, []),
        (("", "SASHA", "MOLLI"), None, ["for MOLLI and ShMOLLI, this exam is of MOLLI and SASHA: it was not taken."]),
        (("", "", ""), None, ["for MOLLI and ShMOLLI, this exam does not tell its own: it was not taken."]),
    ],
)
def test_all_maps_of_an_exam_are_read_with_the_reference_of_its_only_sequence(
    sequences: Sequence[str], taken_ms: float | None, named: list[str], exam_folder: Path, a_study: Callable
) -> None:
    for sequence, mean_ms in (("MOLLI", 1012.0), ("ShMOLLI", 960.0)):
        remember_reference("SIEMENS Avanto", 1.5, ReferenceT1(mean_ms), sequence)
    maps = zip(read_exam([exam_folder]), sequences, strict=True)
    t1_maps = [replace(t1_map, scanner="SIEMENS Avanto", sequence=sequence) for t1_map, sequence in maps]
    reference = exam_reference(t1_maps, None)
    assert (reference and reference.mean_ms) == taken_ms
    study = classify_exam(lambda t1_map, _progress: replace(a_study(t1_map), reference=reference), t1_maps)
    assert [note.partition("remembered ")[2] for note in study.exam_warnings if "remembered" in note] == named


@pytest.mark.parametrize(
    ("sequences", "warned"),
    [
        (("MOLLI and SASHA",), True),
        (("MOLLI", "", "SASHA"), True),
        (("MOLLI and SASHA", "MOLLI", ""), True),
        (("MOLLI", "", "MOLLI"), False),
    ],
)
def test_slices_of_two_sequences_take_no_reference_and_are_warned_of_once(
    sequences: Sequence[str], warned: bool, exam_folder: Path, a_study: Callable
) -> None:
    remember_reference("SIEMENS Avanto", 1.5, ReferenceT1(985.0, 28.0), "MOLLI")
    maps = zip(read_exam([exam_folder]), sequences, strict=False)
    t1_maps = [replace(t1_map, scanner="SIEMENS Avanto", sequence=sequence) for t1_map, sequence in maps]
    reference = exam_reference(t1_maps, None)
    assert (reference is None) == warned
    for given in (reference, ReferenceT1(1000.0)):

        def classify(t1_map: T1Map, _progress: object, given: ReferenceT1 | None = given) -> StudyResult:
            return replace(a_study(t1_map), reference=given)

        study = classify_exam(classify, t1_maps)
        said = [note for note in study.exam_warnings if note.startswith("The slices are of MOLLI and SASHA, which")]
        assert len(said) == warned
