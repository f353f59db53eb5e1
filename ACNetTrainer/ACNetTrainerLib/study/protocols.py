"""What is trained and tested on what: the paper's two experiments, leaks included, and an honest protocol.

The protocols, and every leak, are described in Documentation/comparison.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from sklearn.model_selection import StratifiedKFold

from ACNetLib.errors import ACNetError

from ..cases.library import LABELS, Case, CaseLibrary
from ..training.recipe import Recipe, read_recipe, with_network
from ..training.split import split_patients
from . import HONEST, PAPER_2
from .training import CopiedCase, Run

PAPER_SECTIONS = {"normal": 36, "dcm": 449}
PAPER_2_NORMALS = 191
FOLDS = 5
SEEDS = (1, 2, 3)
DRAW_SEED = 0
"""Which patients take part and which fold a section is in are the same for every network, seed and comparison."""
TEST_FRACTION = 0.25
HONEST_BATCH_SIZE = 16
"""Half of the recommended: of some hundred sections, larger batches make too few steps for so many epochs."""
SHOWN_OF_EACH_CLASS = 2
FEWEST_TESTED = 2
"""Patients of each class: the spread of one has no estimate."""


@dataclass(frozen=True)
class Request:
    """What is asked for. networks, numbers (folds or seeds), epochs: all of them and the recipe's when empty or None.

    For `honest` alone: patients, how many of CASES take part (all when None); middle_sections, take of each patient
    only the middle one of its rows; test_library, fresh patients to test on (a quarter of CASES' when None).
    """

    protocol: str
    networks: tuple[str, ...]
    numbers: tuple[int, ...]
    epochs: int | None = None
    patients: int | None = None
    middle_sections: bool = False
    test_library: CaseLibrary | None = None


@dataclass(frozen=True)
class Leaks:
    """What makes a result look better than it is, as shares of the tested sections, the mean over the runs.

    same_patient: the training has another section of the patient. copied_normals: of the normal sections, the training
    has a copy or the original of the same section.
    """

    same_patient: float
    copied_normals: float
    epoch_chosen_on_test_sections: bool
    copies_among_test_sections: float


def plan(library: CaseLibrary, request: Request) -> tuple[Run, ...]:
    """The trainings of a comparison, each network's fold by fold or seed by seed.

    Raises ACNetError when there are too few of a class, test patients are among the training patients, or the
    cases are of several field strengths.
    """
    runs = _honest(library, request) if request.protocol == HONEST else _paper(library, request)
    strengths = sorted({case.field_strength_tesla for case in (*runs[0].training, *runs[0].test)})
    if len(strengths) > 1:
        found = ", ".join(f"{strength:g} T" for strength in strengths)
        raise ACNetError(
            f"{library.folder}: found cases of {found}; expected one field strength, for normal T1 differs."
        )
    labels = {case.patient: case.label for run in runs for case in run.test}
    normal, dcm = (list(labels.values()).count(label) for label in LABELS)
    if min(normal, dcm) < FEWEST_TESTED:
        raise ACNetError(
            f"{library.folder}: {normal} normal and {dcm} DCM patients to test on; expected at least {FEWEST_TESTED} "
            "of each. Give a library with more patients."
        )
    return runs


def recipe_for(protocol: str, network: str, seed: int, epochs: int | None) -> Recipe:
    """The paper's recipe, or the recommended one: VGG16 has its own, for it does not learn by that."""
    name = "paper" if protocol != HONEST else {"vgg16": "vgg16"}.get(network, "recommended")
    recipe = with_network(read_recipe(name), network)
    count = epochs or recipe.optimization.epochs
    # No network may stop early: they have the same number of epochs.
    optimization = replace(recipe.optimization, seed=seed, epochs=count, early_stopping_epochs=count)
    if protocol == HONEST:
        optimization = replace(optimization, batch_size=HONEST_BATCH_SIZE, least_steps=0)
    return replace(recipe, optimization=optimization)


def leaks(runs: Sequence[Run]) -> Leaks:
    """Measured on the runs themselves. Every network has the same, so those of the first count."""
    runs = [run for run in runs if run.network == runs[0].network]
    same_patient, copied_normals, copies = [], [], []
    for run in runs:
        patients = {case.patient for case in run.training}
        originals = {_original(case) for case in run.training}
        normals = [case for case in run.test if not case.is_dcm]
        same_patient.append(np.mean([case.patient in patients for case in run.test]))
        copied_normals.append(np.mean([_original(case) in originals for case in normals]))
        copies.append(np.mean([isinstance(case, CopiedCase) for case in run.test]))
    return Leaks(
        same_patient=round(float(np.mean(same_patient)), 4),
        copied_normals=round(float(np.mean(copied_normals)), 4),
        epoch_chosen_on_test_sections=runs[0].selection == "test",
        copies_among_test_sections=round(float(np.mean(copies)), 4),
    )


def _original(case: Case) -> str:
    return case.copy_of if isinstance(case, CopiedCase) else case.case


def _paper(library: CaseLibrary, request: Request) -> tuple[Run, ...]:
    cases = draw_sections(library, PAPER_SECTIONS)
    if request.protocol == PAPER_2:
        cases = with_copied_normals(cases, PAPER_2_NORMALS)
    is_dcm = [case.is_dcm for case in cases]
    splits = list(StratifiedKFold(FOLDS, shuffle=True, random_state=DRAW_SEED).split(is_dcm, is_dcm))

    def run(network: str, fold: int) -> Run:
        training, test = ([cases[number] for number in numbers] for numbers in splits[fold - 1])
        return Run(
            name=f"{network}-fold{fold}",
            network=network,
            number=fold,
            recipe=recipe_for(request.protocol, network, fold, request.epochs),
            selection="test",
            training_folder=library.folder,
            training=tuple(training),
            test_folder=library.folder,
            test=tuple(test),
            shown=_shown(test),
        )

    return _runs(run, request, tuple(range(1, FOLDS + 1)))


def draw_sections(library: CaseLibrary, counts: dict[str, int]) -> tuple[Case, ...]:
    """So many sections of each class: patients in an order drawn by DRAW_SEED, each with all sections until there are
    enough. Raises ACNetError when there are too few."""
    chosen: set[str] = set()
    for label, count in counts.items():
        of_label = [case for case in library.cases if case.label == label]
        if len(of_label) < count:
            raise ACNetError(
                f"{library.folder}: found {len(of_label)} slices labelled {label}; expected {count} or more, as the "
                "paper had. Simulate more patients, or compare by the honest protocol."
            )
        order = {patient: rank for rank, patient in enumerate(_shuffled({case.patient for case in of_label}))}
        of_label.sort(key=lambda case: order[case.patient])
        chosen |= {case.case for case in of_label[:count]}
    return tuple(case for case in library.cases if case.case in chosen)


def with_copied_normals(cases: Sequence[Case], count: int) -> tuple[Case, ...]:
    """The normals, each copied as often as any other or once more, until there are so many."""
    normals = [case for case in cases if not case.is_dcm]
    copies = []
    for number in range(count - len(normals)):
        turn, index = divmod(number, len(normals))
        case = normals[index]
        copies.append(CopiedCase(**{**asdict(case), "case": f"{case.case}-copy{turn + 1}"}, copy_of=case.case))
    return (*cases, *copies)


def _honest(library: CaseLibrary, request: Request) -> tuple[Run, ...]:
    if request.patients is not None:
        library = draw_patients(library, request.patients)
    if request.middle_sections:
        library = middle_sections(library)
    if request.test_library is None:
        training, test = split_patients(library, TEST_FRACTION, DRAW_SEED)
        test_folder = library.folder
    else:
        test_library = request.test_library
        both = sorted(set(library.patients) & set(test_library.patients))
        if both:
            raise ACNetError(
                f"{test_library.folder}: {len(both)} of its patients, '{both[0]}' first, are in {library.folder} as "
                "well; expected patients that no network is trained on."
            )
        training = library.cases
        test = (middle_sections(test_library) if request.middle_sections else test_library).cases
        test_folder = test_library.folder

    def run(network: str, seed: int) -> Run:
        return Run(
            name=f"{network}-seed{seed}",
            network=network,
            number=seed,
            recipe=recipe_for(HONEST, network, seed, request.epochs),
            selection="validation",
            training_folder=library.folder,
            training=training,
            test_folder=test_folder,
            test=test,
            shown=_shown(test),
        )

    return _runs(run, request, SEEDS)


def draw_patients(library: CaseLibrary, count: int) -> CaseLibrary:
    """So many patients, half of each class, drawn by DRAW_SEED. Raises ACNetError when there are too few."""
    chosen: set[str] = set()
    labels = {case.patient: case.label for case in library.cases}
    for label, wanted in zip(LABELS, (count - count // 2, count // 2), strict=True):
        patients = {patient for patient in labels if labels[patient] == label}
        if len(patients) < wanted:
            raise ACNetError(
                f"{library.folder}: found {len(patients)} patients labelled {label}; expected {wanted} or more, half "
                f"of the {count} that are asked for."
            )
        chosen |= set(_shuffled(patients)[:wanted])
    return replace(library, cases=tuple(case for case in library.cases if case.patient in chosen))


def middle_sections(library: CaseLibrary) -> CaseLibrary:
    """The middle one of each patient's rows: of a base, a middle and an apical section the middle one."""
    sections: dict[str, list[Case]] = {}
    for case in library.cases:
        sections.setdefault(case.patient, []).append(case)
    return replace(library, cases=tuple(rows[len(rows) // 2] for rows in sections.values()))


def _shuffled(patients: set[str]) -> list[str]:
    return [str(patient) for patient in np.random.default_rng(DRAW_SEED).permutation(sorted(patients))]


def _shown(test: Sequence[Case]) -> tuple[str, ...]:
    counts: Counter[str] = Counter()
    patients: set[str] = set()
    shown = []
    for case in test:
        if counts[case.label] < SHOWN_OF_EACH_CLASS and case.patient not in patients:
            counts[case.label] += 1
            patients.add(case.patient)
            shown.append(case.case)
    return tuple(shown)


def _runs(make: Callable[[str, int], Run], request: Request, every: tuple[int, ...]) -> tuple[Run, ...]:
    return tuple(make(network, number) for number in request.numbers or every for network in request.networks)
