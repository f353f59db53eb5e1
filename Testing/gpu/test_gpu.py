"""A GPU says what the processor says. `make benchmarks-cuda` runs these where there is one."""

from __future__ import annotations

import pytest
import torch

from ACNetLib.inference.pipeline import load_pipeline, model_for_map
from ACNetLib.sample_data import SampleCase, sample_cases
from ACNetLib.t1map.t1_map import read_t1_map

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU that this PyTorch can use"),
]

LARGEST_DIFFERENCE = 1e-3


@pytest.mark.parametrize("case", sample_cases(), ids=lambda case: case.name)
def test_probabilities_are_those_of_the_processor(case: SampleCase) -> None:
    t1_map = read_t1_map(case.folder)
    model = model_for_map(t1_map)
    on_gpu, on_processor = (load_pipeline(model, device=device).classify(t1_map) for device in ("cuda", "cpu"))
    assert on_gpu.device.device == "cuda"
    assert on_gpu.probability_dcm == pytest.approx(on_processor.probability_dcm, abs=LARGEST_DIFFERENCE)
    for ours, theirs in zip(on_gpu.sections, on_processor.sections, strict=True):
        assert ours.probability_dcm == pytest.approx(theirs.probability_dcm, abs=LARGEST_DIFFERENCE)


def test_the_second_study_takes_no_more_memory_than_the_first() -> None:
    t1_map = read_t1_map(sample_cases()[0].folder)
    classifier = load_pipeline(model_for_map(t1_map), device="cuda")
    classifier.classify(t1_map)
    before = torch.cuda.memory_allocated()
    classifier.classify(t1_map)
    assert torch.cuda.memory_allocated() <= before
