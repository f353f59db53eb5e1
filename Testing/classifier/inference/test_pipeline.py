"""Model, localizer and device are put together in one place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import SimpleITK as sitk

from ACNetLib.errors import ACNetError
from ACNetLib.inference import Settings, load_finder, load_pipeline
from ACNetLib.models.store import default_localizer, model_for_field
from ACNetLib.sample_data import sample_cases
from ACNetLib.t1map.t1_map import T1Map, read_t1_map
from repository import REPOSITORY


@pytest.fixture
def a_sample() -> T1Map:
    return read_t1_map(sample_cases()[0].volume)


def test_a_model_by_its_name_or_its_file_classifies_on_the_device_that_was_asked_for(a_sample: T1Map) -> None:
    by_name = load_pipeline("acnet-simulated-1.5T", device="cpu")
    by_file = load_pipeline(model_for_field(1.5), default_localizer(), "cpu")
    studies = [pipeline.classify(a_sample, Settings(prevalence_dcm=0.2)) for pipeline in (by_name, by_file)]
    assert studies[0].probability_dcm == studies[1].probability_dcm
    assert (studies[0].device.device, studies[0].prevalence_dcm) == ("cpu", 0.2)


def test_the_localizer_looks_at_the_chosen_slices_only(a_sample: T1Map) -> None:
    finder = load_finder(device="cpu")
    (of_one,) = finder.locate(a_sample, [1])
    assert of_one.section == 1
    assert of_one.center_mm == pytest.approx(finder.locate(a_sample)[1].center_mm, abs=1e-3)


def test_what_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ACNetError, match="acnet models list"):
        load_pipeline("no such model")
    with pytest.raises(ACNetError, match="localizer"):
        load_pipeline("acnet-simulated-1.5T", tmp_path / "localizer.safetensors")
    with pytest.raises(ACNetError, match="device"):
        load_finder(device="abacus")


def test_the_values_of_a_map_are_read_once_and_can_not_be_changed(a_sample: T1Map) -> None:
    assert a_sample.array is a_sample.array
    assert (a_sample.array == sitk.GetArrayFromImage(a_sample.image)).all()
    with pytest.raises(ValueError, match="read-only"):
        a_sample.array[0, 0, 0] = 0


def test_it_is_imported_without_torch_and_so_are_exams_and_results() -> None:
    start = f"import sys; sys.path.insert(0, {str(REPOSITORY / 'ACNetClassifier')!r})"
    needed = "import ACNetLib.inference.exam, ACNetLib.inference.result; from ACNetLib.inference import load_pipeline"
    code = f"{start}; {needed}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
