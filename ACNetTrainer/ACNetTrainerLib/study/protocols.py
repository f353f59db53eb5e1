"""What is trained and tested on what: the paper's two experiments, leaks included, and an honest protocol.

The protocols, and every leak, are described in Documentation/comparison.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
from sklearn.model_selection import StratifiedKFold

from ACNetLib.errors import ACNetError
from ACNetLib.files import is_plain_name

from ..cases.library import LABELS, Case, CaseLibrary, patients_by_label
from ..training.network import NETWORKS
from ..training.patients import shared_patients
from ..training.recipe import ACNET, Recipe, read_recipe, with_network
from ..training.split import split_patients
from . import HONEST, PAPER_2, VARIANTS
from .training import Cohort, CopiedCase, Run

PAPER_SECTIONS = {"normal": 36, "dcm": 449}
PAPER_2_NORMALS = 191
FOLDS = 5
SEEDS = (1, 2, 3)
"""Attention is kept as pictures of the first seed and fold: maps are large files."""
DRAW_SEED = 0
"""Which patients take part and which fold a section is in are the same for every network, seed and comparison."""
TEST_FRACTION = 0.25
HONEST_BATCH_SIZE = 16
"""Half of the recommended: of some hundred sections, larger batches make too few steps for so many epochs."""
TAUGHT = (ACNET, "residual-attention-56", "acnet-mask-only", "acnet-one-module")
"""The networks with attention are taught, where masks are known, to attend to the wall: as the shipped models are."""
MASK_LOSS_WEIGHT = 1.0
SHOWN_OF_EACH_CLASS = 2
FEWEST_TESTED = 2
"""Patients of each class: the spread of one has no estimate."""


@dataclass(frozen=True)
class Request:
    """What is asked for. numbers: folds or seeds, all of them when empty. epochs: the recipe's when None.

    For `honest` alone: slices, how many of CASES are trained on (all when None); test_libraries, fresh patients to test
    on (a quarter of CASES' when empty); learning_rates, by network (the recipes' when empty). There the networks may be
    VARIANTS, too.
    """

    protocol: str
    networks: tuple[str, ...]
    numbers: tuple[int, ...]
    epochs: int | None = None
    slices: int | None = None
    test_libraries: tuple[CaseLibrary, ...] = ()
    learning_rates: Mapping[str, float] = field(default_factory=dict)


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

    Raises ACNetError when there are too few of a class, test patients are among the training patients, two test
    libraries have one name or one has a name that no file can have, or the cases are of several field strengths.
    """
    runs = _honest(library, request) if request.protocol == HONEST else _paper(library, request)
    strengths = sorted({case.field_strength_tesla for case in (*runs[0].training, *runs[0].tested)})
    if len(strengths) > 1:
        found = ", ".join(f"{strength:g} T" for strength in strengths)
        raise ACNetError(
            f"{library.folder}: found cases of {found}; expected one field strength, for normal T1 differs."
        )
    for cohort in runs[0].tests:
        if not is_plain_name(cohort.name):
            raise ACNetError(f"{cohort.folder}: found the name '{cohort.name}'; expected one that files can have, too.")
        cases = [case for run in runs for each in run.tests if each.name == cohort.name for case in each.cases]
        normal, dcm = map(len, patients_by_label(cases).values())
        if min(normal, dcm) < FEWEST_TESTED:
            raise ACNetError(
                f"{cohort.folder}: {normal} normal and {dcm} DCM patients to test on; expected at least {FEWEST_TESTED}"
                " of each. Give a library with more patients."
            )
    return runs


def recipe_for(request: Request, network: str, seed: int, has_masks: bool) -> Recipe:
    """The paper's recipe, or the recommended one: VGG16 has its own, for it does not learn at that one's rate.

    has_masks: of the training cases. A variant of ACNet's is trained as ACNet is.
    """
    base = ACNET if network in VARIANTS else network
    name = "paper" if request.protocol != HONEST else {"vgg16": "vgg16"}.get(network, "recommended")
    recipe = with_network(read_recipe(name), base)
    if network in VARIANTS:
        recipe = replace(recipe, network=replace(recipe.network, **VARIANTS[network]))
    count = request.epochs or recipe.optimization.epochs
    # No network may stop early: they have the same number of epochs.
    optimization = replace(recipe.optimization, seed=seed, epochs=count, early_stopping_epochs=count)
    if request.protocol == HONEST:
        optimization = replace(
            optimization,
            learning_rate=request.learning_rates.get(base, optimization.learning_rate),
            batch_size=HONEST_BATCH_SIZE,
            least_steps=0,
            mask_loss_weight=MASK_LOSS_WEIGHT if has_masks and network in TAUGHT else 0.0,
        )
    return replace(recipe, optimization=optimization)


def leaks(runs: Sequence[Run]) -> Leaks:
    """Measured on the runs themselves. Every network has the same, so those of the first count."""
    runs = [run for run in runs if run.network == runs[0].network]
    same_patient, copied_normals, copies = [], [], []
    for run in runs:
        patients = {case.patient for case in run.training}
        originals = {_original(case) for case in run.training}
        normals = [case for case in run.tested if not case.is_dcm]
        same_patient.append(np.mean([case.patient in patients for case in run.tested]))
        copied_normals.append(np.mean([_original(case) in originals for case in normals]))
        copies.append(np.mean([isinstance(case, CopiedCase) for case in run.tested]))
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
            recipe=recipe_for(request, network, fold, has_masks=False),
            selection="test",
            training_folder=library.folder,
            training=tuple(training),
            tests=(Cohort(_name(library), library.folder, tuple(test), _shown(test) if fold == 1 else ()),),
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
                f"{library.folder}: found {len(of_label)} slices labelled {label}; expected {count} or more. "
                "Give a library with more patients."
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
    cohorts = tuple(_fresh(library, one) for one in request.test_libraries)
    names = [cohort.name for cohort in cohorts]
    if len(set(names)) < len(names):
        raise ACNetError(f"--test-cases: found the names {', '.join(names)}; expected folders of different names.")
    training = library.cases
    if not cohorts:
        training, test = split_patients(library, TEST_FRACTION, DRAW_SEED)
        cohorts = (Cohort(_name(library), library.folder, test),)
    if request.slices is not None:
        counts = dict(zip(LABELS, (request.slices - request.slices // 2, request.slices // 2), strict=True))
        training = draw_sections(replace(library, cases=training), counts)
    has_masks = any(library.masks_path(case) for case in training)
    first, *others = cohorts
    pictured = (replace(first, shown=_shown(first.cases)), *others)

    def run(network: str, seed: int) -> Run:
        return Run(
            name=f"{network}-seed{seed}",
            network=network,
            number=seed,
            recipe=recipe_for(request, network, seed, has_masks),
            selection="validation",
            training_folder=library.folder,
            training=training,
            tests=pictured if seed == SEEDS[0] and network in NETWORKS else cohorts,
        )

    return _runs(run, request, SEEDS)


def _fresh(library: CaseLibrary, test_library: CaseLibrary) -> Cohort:
    both = sorted(shared_patients(test_library, library))
    if both:
        raise ACNetError(
            f"{test_library.folder}: {len(both)} of its patients, '{both[0]}' first, are in {library.folder} as "
            "well; expected patients that no network is trained on."
        )
    return Cohort(_name(test_library), test_library.folder, test_library.cases)


def _name(library: CaseLibrary) -> str:
    return library.folder.resolve().name


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
