"""A reading list that the workers of a Dask cluster make."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from ACNetLib.commands.main import main
from ACNetLib.sample_data import sample_cases
from ACNetLib.triage.answer import Choices
from ACNetLib.triage.reading_list import ReadingList
from ACNetLib.triage.workers import cluster_workers
from exam_files import write_sample

if TYPE_CHECKING:
    from distributed import LocalCluster

NORMAL, DCM = sample_cases()


@pytest.fixture
def a_cluster() -> Iterator[LocalCluster]:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


def test_a_cluster_that_loses_a_worker_answers_every_study_as_this_computer_does(
    a_cluster: LocalCluster, tmp_path: Path
) -> None:
    for number in range(6):
        write_sample(tmp_path / "studies", (NORMAL, DCM)[number % 2].folder, f"patient-{number}")

    def lose_a_worker(done: int, _of: int, _seconds_left: float | None) -> None:
        if done == 1:
            psutil.Process(a_cluster.workers[0].pid).kill()

    rows = ReadingList(tmp_path / "studies", tmp_path / "list", "id").update(
        Choices(tmp_path / "list" / "studies", device="cpu"),
        cluster_workers(a_cluster.scheduler_address),
        lose_a_worker,
    )
    assert {row.patient: (row.answer, row.slices, row.reason) for row in rows} == {
        f"patient-{number}": (("normal", "dcm")[number % 2], 3, "") for number in range(6)
    }


def test_a_scheduler_that_does_not_answer_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("distributed")
    output = str(tmp_path / "list")
    assert main(["triage", str(tmp_path), "--output", output, "--scheduler", "nowhere", "--device", "cpu"]) == 2
    assert "no Dask scheduler answers at 'nowhere'" in capsys.readouterr().err
