"""What libraries say of unusual files may name the patient, and comes into no log: of whichever process or thread."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.config import disable_value_validation

from ACNetLib.cluster import cluster_client
from ACNetLib.dicom_results.files import write_dicom_results
from ACNetLib.dicom_results.sources import read_sources
from ACNetLib.errors import ACNetError
from ACNetLib.inference.exam_input import check_one_patient
from ACNetLib.t1map.t1_map import read_t1_map
from ACNetLib.triage.studies import Study
from ACNetLib.worker_pool import worker_pool
from dicom_files import FRAME_OF_REFERENCE, write_study

NAME = "Mustermann Hans"
"""Without a caret, as many archives have it: highdicom warns of it, and says it."""


def libraries_say_the_name() -> None:
    warnings.warn_explicit(NAME, UserWarning, "base.py", 199, module="highdicom.base")
    logging.getLogger("highdicom.base").warning(NAME)
    logging.getLogger("pydicom").warning(NAME)


def test_a_worker_process_says_no_name(capfd: pytest.CaptureFixture[str]) -> None:
    with worker_pool(1, "spawn") as pool:
        pool.submit(libraries_say_the_name).result()
    assert "Mustermann" not in "".join(capfd.readouterr())


def test_a_worker_of_a_cluster_says_no_name(capfd: pytest.CaptureFixture[str]) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        cluster_client(cluster.scheduler_address) as client,
    ):
        client.submit(libraries_say_the_name, pure=False).result()
        study = Study(NAME, (Path(NAME),), True, NAME, NAME)
        with pytest.raises(ZeroDivisionError):
            client.submit(lambda _study: 1 / 0, study, pure=False).result()
    said = "".join(capfd.readouterr())
    assert "Compute Failed" in said
    assert "Mustermann" not in said


@pytest.fixture
def said() -> Iterator[list[warnings.WarningMessage]]:
    """The warnings that would be printed."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        yield said


def test_a_thread_that_writes_objects_without_a_command_as_the_panel_does_says_no_name(
    tmp_path: Path, stored: np.ndarray, a_study: Callable, said: list[warnings.WarningMessage]
) -> None:
    folder = write_study(tmp_path / "study", stored, FrameOfReferenceUID=FRAME_OF_REFERENCE, PatientName=NAME)
    with ThreadPoolExecutor(1) as threads:
        threads.submit(write_dicom_results, a_study(read_t1_map(folder)), tmp_path / "dicom").result()
    assert pydicom.dcmread(tmp_path / "dicom" / "report.dcm").PatientName == NAME
    assert "Mustermann" not in "".join(str(each.message) for each in said)


def test_values_that_are_none_by_the_standard_are_compared_and_refused_without_being_said(
    tmp_path: Path, stored: np.ndarray, said: list[warnings.WarningMessage]
) -> None:
    """As the panel does, which silences no library until it writes."""
    odd = {"StudyInstanceUID": f"1.2.{NAME}", "PatientBirthDate": NAME, "FrameOfReferenceUID": FRAME_OF_REFERENCE}
    with disable_value_validation():
        t1_map = read_t1_map(write_study(tmp_path / "study", stored, **odd))
    check_one_patient([t1_map], "")
    with pytest.raises(ACNetError, match="PatientBirthDate of its images is not valid"):
        read_sources(t1_map)
    assert "Mustermann" not in "".join(str(each.message) for each in said)
