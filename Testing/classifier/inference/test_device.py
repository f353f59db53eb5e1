"""Which device is chosen, and that it really works. GPU tests run where there is a GPU."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from ACNetLib.errors import ACNetError
from ACNetLib.inference import device as device_module
from ACNetLib.inference.classifier import Classifier
from ACNetLib.inference.device import (
    DEVICE_REQUESTS,
    DeviceChoice,
    choose_device,
    device_problem,
    infer,
    inference_autocast,
    may_be_gpu,
    work_on,
)
from ACNetLib.inference.torch_errors import torch_error
from ACNetLib.models.model import Model
from ACNetLib.t1map.t1_map import T1Map
from conftest import Finder

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU here")
without_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU here")
without_gpu = pytest.mark.skipif(
    torch.cuda.is_available() or torch.backends.mps.is_available(), reason="there is a GPU here"
)


def test_the_processor_can_be_asked_for() -> None:
    assert choose_device("cpu") == DeviceChoice("cpu", "asked for")
    assert device_problem("cpu") is None


def test_whether_a_gpu_may_be_chosen_is_never_denied_wrongly() -> None:
    assert may_be_gpu("auto") or choose_device().device == "cpu"
    assert [may_be_gpu(each) for each in ("cpu", "cuda", "mps")] == [False, True, True]


@pytest.mark.parametrize("request_text", ["gpu", "", "CPU", "cuda:0"])
def test_an_unknown_device_is_refused_with_the_known_ones(request_text: str) -> None:
    with pytest.raises(ACNetError, match=re.escape(f"found '{request_text}'; expected one of auto, cuda, mps, cpu")):
        choose_device(request_text)


@without_cuda
def test_asking_for_a_gpu_that_is_not_there_is_refused_with_the_reason() -> None:
    with pytest.raises(ACNetError, match=r"cuda can't be used: no CUDA GPU .* Choose 'auto' or 'cpu'"):
        choose_device("cuda")


@without_gpu
def test_auto_takes_the_processor_and_says_why() -> None:
    choice = choose_device()
    assert choice.device == "cpu"
    assert "cuda: no CUDA GPU" in choice.reason
    assert "mps: no Apple GPU" in choice.reason


def test_auto_chooses_a_device_that_can_also_be_asked_for_by_name() -> None:
    choice = choose_device("auto")
    assert choice.device in DEVICE_REQUESTS
    assert choice.reason
    assert choose_device(choice.device).device == choice.device


# PyTorch's device "meta" accepts tensors and computes nothing: a real device whose trial fails.
def test_a_device_whose_trial_fails_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_module, "_PREFERENCE", ("meta", "cpu"))
    choice = choose_device("auto")
    assert choice.device == "cpu"
    assert choice.reason.startswith("meta: a trial convolution failed (")


def test_when_no_device_works_the_reasons_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_module, "_PREFERENCE", ("meta",))
    with pytest.raises(ACNetError, match=r"none can be used \(meta: a trial convolution failed"):
        choose_device("auto")


@without_cuda
def test_a_gpu_that_is_listed_but_fails_its_first_kernel_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto").device != "cuda"
    with pytest.raises(ACNetError, match="cuda can't be used: a trial convolution failed"):
        choose_device("cuda")


def test_the_processor_computes_in_full_precision() -> None:
    with inference_autocast("cpu"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


class FullDevice(torch.nn.Module):
    """Has room on the processor alone. PyTorch's device "meta" stands for a GPU."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.device.type == "meta":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return 2 * x


def test_where_an_automatic_gpu_has_no_memory_left_the_processor_goes_on_and_says_so() -> None:
    output, choice = infer(FullDevice(), torch.ones(3), DeviceChoice("meta", "the fastest device", automatic=True))
    assert output.tolist() == [2, 2, 2]
    assert choice == DeviceChoice("cpu", "meta: out of memory", automatic=True)
    assert infer(FullDevice(), torch.ones(1), choice)[1] is choice


def test_where_a_gpu_that_was_asked_for_has_no_memory_left_the_remedy_is_told() -> None:
    with pytest.raises(ACNetError, match=r"too little memory \(CUDA out of memory.* choose the processor"):
        infer(FullDevice(), torch.ones(3), DeviceChoice("meta", "asked for"))


def too_much_for_a_gpu(choice: DeviceChoice) -> str:
    if choice.device != "cpu":
        torch.empty(1 << 55)  # no machine has so much
    return f"done: {choice.reason}"


def test_long_work_on_an_automatic_device_without_memory_is_done_by_the_processor() -> None:
    said: list[str] = []
    assert work_on(DeviceChoice("meta", "tried", automatic=True), too_much_for_a_gpu, said.append) == (
        "done: meta: out of memory"
    )
    assert said == ["meta: out of memory. The processor goes on, which is slower."]


def test_long_work_on_a_device_that_was_asked_for_ends_with_the_error_that_names_the_remedy() -> None:
    with pytest.raises(RuntimeError) as error:
        work_on(DeviceChoice("meta", "asked for"), too_much_for_a_gpu, pytest.fail)
    assert "choose the processor" in str(torch_error(error.value))


def test_a_classification_goes_on_with_the_processor(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    network = a_model.network
    expected = Classifier(a_model, Finder(), DeviceChoice("cpu", "asked for")).classify(an_oblique_t1_map)

    class Full(torch.nn.Module):
        def to(self, *_arguments: object, **_named: object) -> Full:
            return self  # "meta" would lose the weights

        def forward(self, x: torch.Tensor) -> object:
            if x.device.type == "meta":
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return network(x)

    classifier = Classifier(Model(Full(), a_model.card), Finder(), DeviceChoice("meta", "the fastest", automatic=True))
    result = classifier.classify(an_oblique_t1_map)
    assert result.probability_dcm == expected.probability_dcm
    assert result.device.reason == "meta: out of memory"
    assert any("meta" in warning and "processor" in warning for warning in result.warnings)


@needs_cuda
def test_a_gpu_passes_the_trial_and_is_preferred() -> None:
    assert device_problem("cuda") is None
    assert choose_device("auto").device == "cuda"


@needs_cuda
def test_a_gpu_computes_in_half_precision() -> None:
    with inference_autocast("cuda"):
        assert (torch.ones(2, 2, device="cuda") @ torch.ones(2, 2, device="cuda")).dtype == torch.float16


@needs_cuda
def test_a_gpu_gives_the_probability_that_the_processor_gives(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    on_cpu = Classifier(a_model, Finder(), choose_device("cpu")).classify(an_oblique_t1_map)
    on_gpu = Classifier(a_model, Finder(), choose_device("cuda")).classify(an_oblique_t1_map)
    assert on_gpu.probability_dcm == pytest.approx(on_cpu.probability_dcm, abs=1e-2)
    for name, attention in on_cpu.images[0].attention.items():
        np.testing.assert_allclose(on_gpu.images[0].attention[name], attention, atol=1e-2)
