"""Image and geometry that do not fit each other are seen by where the septum and the widest cavity lie."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.inference import load_pipeline
from ACNetLib.inference.classifier import Classifier
from ACNetLib.inference.out_of_step import apex_to_base, turned_by
from ACNetLib.inference.record import record_from_values, record_values
from ACNetLib.sample_data import sample_cases
from ACNetLib.t1map.t1_map import T1Map

SIGNS = ("septum lies", "cavity at the end")
TO_RAS = np.diag([-1.0, -1.0, 1.0])


@pytest.fixture(scope="module")
def pipeline() -> Classifier:
    return load_pipeline("acnet-simulated-1.5T", device="cpu")


def lps_for_ras(image: sitk.Image) -> sitk.Image:
    image.SetOrigin((TO_RAS @ image.GetOrigin()).tolist())
    image.SetDirection((TO_RAS @ np.reshape(image.GetDirection(), (3, 3))).ravel().tolist())
    return image


def in_reversed_order(image: sitk.Image) -> sitk.Image:
    other = sitk.GetImageFromArray(np.ascontiguousarray(sitk.GetArrayFromImage(image)[::-1]))
    other.CopyInformation(image)
    return other


@pytest.mark.parametrize("index", [0, 1])
def test_a_sample_has_segments_and_with_lps_for_ras_none_and_one_warning(index: int, pipeline: Classifier) -> None:
    image = sitk.ReadImage(str(sample_cases()[index].volume), sitk.sitkFloat32)

    def signs(changed: sitk.Image) -> tuple[int, list[str]]:
        study = pipeline.classify(T1Map(changed, "sample", 1.5))
        return len(study.segments), [sign for sign in SIGNS for text in study.all_warnings if sign in text]

    assert signs(image) == (16, [])
    assert signs(in_reversed_order(image)) == (16, ["cavity at the end"])
    assert signs(lps_for_ras(sitk.Image(image))) == (0, ["septum lies"])


def test_most_slices_tell_whether_the_septum_lies_elsewhere() -> None:
    assert turned_by([-16.0, 4.0, 59.0]) is None
    assert turned_by([5.0, 170.0]) is None  # one of two may be found wrong
    assert turned_by([]) is None
    assert turned_by([-170.0, 5.0, 175.0]) == 172.5
    assert turned_by([-96.0]) == 96.0


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_cavity_of_a_heart_does_not_widen_towards_its_apex(sign: float) -> None:
    normal = np.array([-0.62, 0.60, 0.50]) * sign
    centers = [tuple((height * sign * normal).tolist()) for height in (30.0, 15.0, 0.0)]  # the base first
    assert apex_to_base(centers, (1900.0, 1700.0, 900.0), tuple(normal)) is None
    assert apex_to_base(centers, (1000.0, 1700.0, 1499.0), tuple(normal)) is None
    assert apex_to_base(centers, (1000.0, 1700.0, 2000.0), tuple(normal)) == pytest.approx(2.0)
    assert apex_to_base(centers, (math.nan, 1000.0, 2000.0), tuple(normal)) == pytest.approx(2.0)
    assert apex_to_base(centers, (math.nan,) * 3, tuple(normal)) is None


def test_a_record_from_before_tells_nothing_of_its_place(pipeline: Classifier) -> None:
    image = lps_for_ras(sitk.ReadImage(str(sample_cases()[0].volume), sitk.sitkFloat32))
    values = json.loads(json.dumps(record_values(pipeline.classify(T1Map(image, "sample", 1.5)))))
    assert any(SIGNS[0] in text for text in record_from_values(values).warnings)
    del values["maps"][0]["normal_lps"]
    assert not any(SIGNS[0] in text for text in record_from_values(values).warnings)
