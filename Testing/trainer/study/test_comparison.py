"""A comparison of two networks on a few simulated patients: it is done once, resumes where it stopped, and its tables
need nothing but its small files."""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from io import StringIO
from pathlib import Path

import distributed
import numpy as np
import psutil
import pytest
import SimpleITK as sitk
import torch

from ACNetLib.errors import ACNetError
from ACNetTrainerLib.cases.library import CaseLibrary, read_case_library
from ACNetTrainerLib.cases.table import read_table
from ACNetTrainerLib.commands.main import main
from ACNetTrainerLib.evaluation.metrics import Resampling, bootstrap_all
from ACNetTrainerLib.evaluation.paired_tests import delong_test
from ACNetTrainerLib.study import HONEST, PAPER_2, comparison, protocols
from ACNetTrainerLib.study.cache import run_folder, run_key
from ACNetTrainerLib.study.comparison import compare
from ACNetTrainerLib.study.protocols import Request, plan
from ACNetTrainerLib.study.summary import DECISIONS, read_tested, summarize
from ACNetTrainerLib.study.training import CopiedCase, PaperDataset, Run, train_and_test
from ACNetTrainerLib.study.tuning import LEARNING_RATES, read_tuned, tune
from ACNetTrainerLib.study.workers import Workers
from ACNetTrainerLib.training.dataset import CaseDataset
from comparison_tables import COMPARED
from conftest import acnet_train, simulate_library
from keep_comparison import keep, resume
from repository import REPOSITORY
from tiny_training import CPU

NETWORKS = ("acnet", "resnet50", "acnet-one-module")
PATIENTS = {"home": 8, "abroad": 4}


@pytest.fixture(scope="module", autouse=True)
def few_draws() -> Iterator[None]:
    """How the intervals of the tables are drawn is tested elsewhere; two thousand draws took longer than a training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "ACNetTrainerLib.study.summary.bootstrap_all", partial(bootstrap_all, resampling=Resampling(samples=100))
        )
        yield


def said_by(arguments: Sequence[object]) -> str:
    """By a command that succeeds, in this process."""
    with redirect_stdout(StringIO()) as said:
        assert main([*map(str, arguments)]) == 0
    return said.getvalue()


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> CaseLibrary:
    """Eight patients to test on."""
    return simulate_library(tmp_path_factory.mktemp("fresh") / "home", patients=8, seed=78, levels=("mid",))


@pytest.fixture(scope="module")
def abroad(tmp_path_factory: pytest.TempPathFactory) -> CaseLibrary:
    """Four others, of another library."""
    return simulate_library(tmp_path_factory.mktemp("fresh") / "abroad", patients=4, seed=79, levels=("mid",))


@pytest.fixture(scope="module")
def arguments(
    simulated_library: CaseLibrary,
    fresh: CaseLibrary,
    abroad: CaseLibrary,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[object]:
    output = tmp_path_factory.mktemp("comparison") / "honest"
    return [
        *("compare", simulated_library.folder, "--protocol", "honest", "--networks", *NETWORKS, "--seeds", 1),
        *("--epochs", 1, "--slices", 12, "--test-cases", fresh.folder, abroad.folder),
        *("--output", output, "--device", "cpu"),
    ]


@pytest.fixture(scope="module")
def compared(arguments: list[object]) -> Path:
    """The output folder of a comparison that nobody interrupted."""
    assert said_by(arguments).startswith("3 trainings, 0 of them done before\n")
    output = arguments[arguments.index("--output") + 1]
    assert isinstance(output, Path)
    return output


def test_each_test_library_has_the_networks_the_baselines_and_their_paired_tests(compared: Path) -> None:
    summary = json.loads((compared / "comparison.json").read_text(encoding="utf-8"))
    baselines = {f"baseline-{name}" for name in ("majority-class", "septal-t1", "size", "septal-t1-and-size")}
    assert summary["simulated"] is True
    assert summary["command"].startswith("acnet-train compare ")
    assert {name: cohort["tested"]["patients"] for name, cohort in summary["cohorts"].items()} == PATIENTS
    for name, cohort in summary["cohorts"].items():
        assert set(cohort["networks"]) == {*NETWORKS, *baselines}
        for values in cohort["networks"].values():
            for measure in ("accuracy", "recall_normal", "recall_dcm", "balanced_accuracy", "auroc"):
                assert 0 <= values[measure]["low"] <= values[measure]["value"] <= values[measure]["high"] <= 1
        assert set(cohort["paired"]) == {"resnet50", *baselines} - {"baseline-majority-class"}
        assert set(cohort["paired_with_variants"]) == {"acnet-one-module"}
        assert {row["patients"] for row in cohort["paired"].values()} == {PATIENTS[name]}
        assert set(cohort["attention"]) == {"acnet", "acnet-one-module"}


def test_the_report_needs_no_other_file_and_says_that_all_is_simulated(compared: Path) -> None:
    page = (compared / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 5, "two of each test library, attention of the first"
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    titles = re.findall(r"<h3>([^<]*)</h3>", page)
    assert len(titles) == 2 * 5
    assert all("simulated" in title for title in titles)
    assert [sum(title.split(",")[0].endswith(name) for title in titles) > 0 for name in PATIENTS] == [True, True]
    outside_of_the_mapping = re.sub(r'<section aria-labelledby="mapping">.*?</section>', "", page, flags=re.DOTALL)
    assert not re.search(r"(sensitivity|specificity)(?! \(recall of )", outside_of_the_mapping)


def test_every_table_can_be_made_from_the_small_files_alone(compared: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(compared / "runs", copy / "runs")
    shutil.copy(compared / "runs.json", copy)
    assert sum(file.stat().st_size for file in (copy / "runs").rglob("*.csv")) < 5000
    said = said_by(["compare-tables", copy])
    assert "simulated patients of home" in said
    assert "simulated patients of abroad" in said
    for name in ("comparison.json", "report.html"):
        assert (copy / name).read_bytes() == (compared / name).read_bytes()


def test_what_is_done_is_not_done_again_and_what_is_missing_comes_out_the_same(
    compared: Path, arguments: list[object], tmp_path: Path
) -> None:
    output = tmp_path / "interrupted"
    shutil.copytree(compared, output)
    (lost,) = (output / "runs").glob("acnet-seed1-*")
    (kept,) = (output / "runs").glob("resnet50-*")
    predictions = (lost / "predictions-home.csv").read_bytes()
    before = (kept / "outcome.json").stat().st_mtime_ns
    shutil.rmtree(lost)
    said = said_by([*arguments, "--output", output])
    assert said.startswith("3 trainings, 2 of them done before\nacnet-seed1: ")
    assert (lost / "predictions-home.csv").read_bytes() == predictions
    assert (kept / "outcome.json").stat().st_mtime_ns == before


def test_what_is_done_of_an_unfinished_comparison_is_kept_and_taken_up_elsewhere(
    compared: Path, arguments: list[object], tmp_path: Path
) -> None:
    built, results, elsewhere = tmp_path / "honest", tmp_path / "results", tmp_path / "elsewhere"
    shutil.copytree(compared / "runs", built / "runs")
    (unfinished,) = (built / "runs").glob("resnet50-*")
    (unfinished / "outcome.json").unlink()
    (finished,) = (built / "runs").glob("acnet-seed1-*")
    (finished / "training").mkdir()
    keep(built, results)
    kept = results / "comparison" / "honest"
    assert not (kept / "runs" / unfinished.name).exists()
    assert not (kept / "runs" / finished.name / "training").exists()
    resume(kept, elsewhere)
    said = said_by([*arguments, "--output", elsewhere / "honest"])
    assert said.startswith("3 trainings, 2 of them done before\nresnet50-seed1: ")
    keep(elsewhere / "honest", results)
    again = tmp_path / "again"
    resume(kept, again)
    numbers = json.loads((results / "comparison-honest.json").read_text())
    assert summarize(again / "honest")["cohorts"] == numbers["cohorts"]


def test_every_network_is_tuned_alike_and_compared_at_its_best_learning_rate(
    simulated_library: CaseLibrary, abroad: CaseLibrary, tmp_path: Path
) -> None:
    tuning = tmp_path / "tuning"
    command = [
        *("compare-tune", simulated_library.folder, "--networks", "acnet", "--slices", 12, "--epochs", 1),
        *("--validation-cases", abroad.folder, "--output", tuning, "--device", "cpu"),
    ]
    code, said, error = acnet_train(command)
    assert code == 0, error
    assert said.startswith("5 trainings, 0 of them done before\n")
    rows = read_table(tuning / "tuning.csv").rows
    assert [float(row.cells["learning_rate"]) for row in rows] == list(LEARNING_RATES)
    best = min(rows, key=lambda row: float(row.cells["cross_entropy"])).cells["learning_rate"]
    tuned = json.loads((tuning / "tuned.json").read_text(encoding="utf-8"))
    assert tuned["learning_rates"] == {"acnet": float(best)}
    assert tuned["command"].startswith("acnet-train compare-tune ")
    assert sum(tuned["development"].values()) == 2 * len(abroad.cases)
    for each in (("acnet", "acnet-mask-only"), ("acnet-untaught",)):
        assert read_tuned(tuning / "tuned.json", each) == {"acnet": float(best)}, "a variant's is ACNet's"
    with pytest.raises(ACNetError, match=r"tuned\.json: a value in it is missing or wrong \(KeyError: 'vgg16'\)"):
        read_tuned(tuning / "tuned.json", ("acnet", "vgg16"))
    with pytest.raises(ACNetError, match=r"patients chose the learning rates of .*tuned\.json; expected others"):
        read_tuned(tuning / "tuned.json", ("acnet",), (abroad,))
    assert read_tuned(tuning / "tuned.json", ("acnet",), (simulated_library,)) == {"acnet": float(best)}

    said_again: list[str] = []
    request = Request(HONEST, ("acnet",), (1,), epochs=1, slices=12, test_libraries=(abroad,))
    rates = tune(simulated_library, request, tuning, Workers(CPU, say=said_again.append), {})
    assert (rates, said_again) == (tuned["learning_rates"], ["5 trainings, 5 of them done before"])


def test_a_comparison_whose_files_are_gone_says_what_to_do(compared: Path, tmp_path: Path) -> None:
    shutil.copy(compared / "runs.json", tmp_path)
    with pytest.raises(
        ACNetError, match=r"acnet-seed1-\w+: files of this training are missing. Run acnet-train compare"
    ):
        summarize(tmp_path)
    with pytest.raises(ACNetError, match=r"no runs\.json found; expected the output folder of acnet-train compare"):
        summarize(tmp_path / "elsewhere")


ELSEWHERE = (
    '{"runs": [{"network": "acnet", "number": 1, "folder": "../a"}], "protocol": "honest", "tests": {"home": {}}}',
    '{"runs": [{"network": "acnet", "number": 1, "folder": "a"}], "protocol": "honest", "tests": {"../home": {}}}',
)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"runs": 5}', '{"runs": [{}], "protocol": "honest"}', *ELSEWHERE]
)
def test_a_damaged_record_of_a_comparison_is_one_line(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs.json").write_text(text)
    assert main(["compare-tables", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "runs.json: " in error
    assert error.endswith("Run acnet-train compare once more.\n")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--protocol", "paper-1", "--seeds", "1"], "--seeds: found with --protocol paper-1"),
        (["--protocol", "honest", "--folds", "1"], "--folds: found with --protocol honest"),
        (["--protocol", "honest", "--networks", "alexnet"], "--networks: found 'alexnet'"),
        (["--protocol", "paper-1", "--networks", "acnet-untaught"], "--networks: found 'acnet-untaught'"),
        (["--protocol", "paper-1", "--slices", "12"], "--slices: found with --protocol paper-1"),
        (["--protocol", "honest", "--slices", "7"], "--slices: found 7; expected 8 to"),
        (["--protocol", "honest", "--tuning", "no.json"], "no.json: it can't be read"),
        (["--protocol", "paper-1", "--folds", "6"], "--folds: found 6; expected 1 to 5"),
        (["--protocol", "paper-1"], "found 18 slices labelled normal; expected 36"),
        (["--protocol", "honest"], "1 normal and 2 DCM patients to test on; expected at least 2 of each"),
    ],
)
def test_a_wrong_request_is_refused(
    simulated_library: CaseLibrary, wrong: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(simulated_library.folder), "--output", str(tmp_path / "out"), *wrong]) == 2
    assert message in capsys.readouterr().err


def test_an_interrupted_comparison_says_how_to_go_on(
    arguments: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(comparison, "complete_all", interrupt)
    assert main([*map(str, arguments), "--output", str(tmp_path / "out")]) == 3
    assert "Run the same command again: what is done is kept" in capsys.readouterr().err


@pytest.fixture
def small_paper(simulated_library: CaseLibrary, monkeypatch: pytest.MonkeyPatch) -> Run:
    """One of two folds of `paper-2` with 28 sections of 640, in 32 bit on every processor."""
    monkeypatch.setattr(protocols, "PAPER_SECTIONS", {"normal": 12, "dcm": 12})
    monkeypatch.setattr(protocols, "PAPER_2_NORMALS", 16)
    monkeypatch.setattr(protocols, "FOLDS", 2)
    run = plan(simulated_library, Request(PAPER_2, ("acnet",), (1,), epochs=3))[0]
    optimization = replace(run.recipe.optimization, precision="32-true")
    return replace(run, recipe=replace(run.recipe, optimization=optimization))


def test_the_papers_protocol_keeps_the_epoch_that_is_best_on_the_test_sections(
    small_paper: Run, tmp_path: Path
) -> None:
    outcome = train_and_test(small_paper, tmp_path / "work", CPU)
    errors = [row["validation_loss"] for row in outcome.epochs]
    assert len(errors) == 3
    assert outcome.best_epoch == 1 + int(np.argmin(errors))
    is_dcm = np.array([case.is_dcm for case in small_paper.tested])
    (log_odds,) = outcome.log_odds.values()
    assert np.mean((log_odds >= 0) != is_dcm) == pytest.approx(min(errors), abs=1e-5)
    assert (outcome.decision_threshold, outcome.temperatures) == (0.5, (1.0,))


def test_a_copy_is_turned_and_noisy_and_the_same_in_training_and_test(small_paper: Run) -> None:
    library = CaseLibrary(small_paper.training_folder, ())
    copy = next(case for case in small_paper.training if isinstance(case, CopiedCase))
    original = replace(copy, case=copy.copy_of)
    other = replace(copy, case=f"{copy.case}1")
    dataset = PaperDataset(library, [copy, other], small_paper.recipe.intensity)
    plain = CaseDataset(library, [original], small_paper.recipe.intensity)[(0, 0, 0)][0]
    first, second = dataset[(0, 0, 0)][0], dataset[(0, 1, 0)][0]
    assert torch.equal(dataset[(3, 0, 0)][0], first), "whatever the epoch"
    assert (first - plain).abs().mean() > 3
    assert (first - second).abs().mean() > 3


def test_a_training_is_known_by_its_recipe_its_cases_and_their_images(
    simulated_library: CaseLibrary, fresh: CaseLibrary, tmp_path: Path
) -> None:
    shutil.copytree(simulated_library.folder, tmp_path / "cases")
    library = read_case_library(tmp_path / "cases")
    request = Request(HONEST, ("acnet",), (1,), epochs=1, test_libraries=(fresh,))
    (run,) = plan(library, request)
    key = run_key(run)
    assert run_folder(tmp_path, run).name == f"acnet-seed1-{key}"
    assert run_key(plan(simulated_library, request)[0]) == key, "wherever the library lies"
    assert run_key(plan(library, replace(request, epochs=2))[0]) != key
    first, *others = run.training
    assert run_key(replace(run, training=(replace(first, center_l_mm=1.0), *others))) != key
    masks = library.masks_path(first)
    assert masks is not None
    drawn = masks.read_bytes()
    sitk.WriteImage(sitk.ReadImage(str(masks)) * 0, str(masks))
    assert run_key(run) != key, "masks turn a slice and teach attention"
    masks.write_bytes(drawn)
    path = library.path(first)
    image = sitk.ReadImage(str(path))
    sitk.WriteImage(image + 1, str(path))
    assert run_key(run) != key


@pytest.mark.parametrize("protocol", COMPARED)
def test_the_published_numbers_follow_from_the_published_predictions(protocol: str, tmp_path: Path) -> None:
    results = REPOSITORY / "Documentation" / "results"
    resume(results / "comparison" / protocol, tmp_path)
    summary = json.loads((results / f"comparison-{protocol}.json").read_text(encoding="utf-8"))
    for cohort, values in summary["cohorts"].items():
        tested = read_tested(tmp_path / protocol, cohort)
        assert list(values["networks"]) == list(tested)
        for name, one in tested.items():
            for measure, metric in DECISIONS.items():
                value = np.mean([metric(margins, one.truth) for margins in one.margins])
                assert values["networks"][name][measure]["value"] == round(float(value), 4), (name, measure)
        own, truth = tested["acnet"].of_patients()
        for name, row in (values["paired"] | values["paired_with_variants"]).items():
            p_value = delong_test(own, tested[name].of_patients()[0], truth).p_value
            assert row["p_delong"] == pytest.approx(p_value, rel=0.01)


def test_a_scheduler_that_does_not_answer_is_named(
    simulated_library: CaseLibrary, fresh: CaseLibrary, tmp_path: Path
) -> None:
    request = Request(HONEST, ("acnet",), (1,), test_libraries=(fresh,))
    with pytest.raises(ACNetError, match=r"--scheduler: no Dask scheduler answers at 'tcp://127\.0\.0\.1:9'"):
        compare(simulated_library, request, tmp_path, Workers(CPU, "tcp://127.0.0.1:9"), {})


def test_a_cluster_that_loses_a_worker_gives_the_same_table(
    simulated_library: CaseLibrary, fresh: CaseLibrary, tmp_path: Path
) -> None:
    request = Request(HONEST, ("acnet",), (1, 2), epochs=3, slices=12, test_libraries=(fresh,))
    here, there = tmp_path / "here", tmp_path / "there"
    compare(simulated_library, request, here, Workers(CPU), {})
    finished_at_the_loss: list[int] = []

    def kill_a_worker_in_the_middle(cluster: distributed.LocalCluster) -> None:
        while not list((there / "runs").glob("*/training/last.ckpt")):
            time.sleep(0.02)
        psutil.Process(cluster.workers[0].pid).kill()
        finished_at_the_loss.append(len(list((there / "runs").glob("*/outcome.json"))))

    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        killer = threading.Thread(target=kill_a_worker_in_the_middle, args=(cluster,), daemon=True)
        killer.start()
        compare(simulated_library, request, there, Workers(CPU, cluster.scheduler_address), {})
        killer.join()
    assert finished_at_the_loss == [0]
    assert summarize(there) == summarize(here)
    for folder in (here / "runs").iterdir():
        same = there / "runs" / folder.name
        assert (same / "predictions-home.csv").read_bytes() == (folder / "predictions-home.csv").read_bytes()
