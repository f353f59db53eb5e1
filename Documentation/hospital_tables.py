"""What a hospital gains: from a reading list, and from training on cases of its own."""

from __future__ import annotations

from collections.abc import Callable

from ACNetLib.triage.rows import ANSWER_WORDS, ANSWERS
from ACNetTrainerLib.evaluation.wording import estimate_text
from table_cells import Record, at_home_and_abroad, markdown, results


def reading() -> str:
    """How much of a list is read until 95 % of its patients with DCM are found."""
    heads, records = zip(*at_home_and_abroad("reading-order"), strict=True)

    def told(shares: Record) -> str:
        return "{mean:.0f} ({low:.0f} to {high:.0f})".format(**{key: 100 * shares[key] for key in shares})

    rows = []
    for prevalence in records[0]["share_read"]:
        for order, words in (("sorted", "sorted"), ("as_they_come", "as they come")):
            shares = [told(record["share_read"][prevalence][order]) for record in records]
            rows.append([f"{100 * float(prevalence):.0f} %, {words}", *shares])
    return markdown(["prevalence of DCM and order; share of the list read [%]", *heads], rows)


def hospital() -> str:
    """Which studies of a mixed export got which answer."""
    record = results("hospital")
    given = [answer for answer in ANSWERS if any(answer in each for each in record["answers"].values())]
    rows = []
    for kind, answers in record["answers"].items():
        count = record["studies"][kind]
        no_row = count - sum(answers.values())
        rows.append([kind, *(str(value or "") for value in (count, *map(answers.get, given), no_row))])
    table = markdown(["what it is", "studies", *(ANSWER_WORDS[answer] for answer in given), "no row"], rows)
    share = f"{100 * record['share_read_for_95_percent_of_dcm']:.0f} %"
    return f"{table}\n95 % of the patients with DCM stand in the first {share} of the {record['rows']} rows.\n"


def retraining() -> str:
    """What training on one's own cases gains at simulated hospitals."""
    ways = ("shipped as it is", "from scratch", "fine-tuned")
    measures = {"auroc": "AUROC", "balanced_accuracy": "balanced accuracy"}
    rows = [
        [
            f"{slices} ({found['training']['normal']} normal), {number}, {found['scanner_factor']:.3f}",
            name,
            *(estimate_text(found[way][measure]) for way in ways),
            estimate_text(found["AUROC, fine-tuned less shipped as it is"]) if measure == "auroc" else "",
        ]
        for slices, of_size in results("retraining")["slices"].items()
        for number, found in of_size.items()
        for measure, name in measures.items()
    ]
    head = "slices of one's own, hospital, its scanner's factor of T1"
    return markdown([head, "on 300 fresh patients", *ways, "fine-tuned less shipped"], rows)


def training_choices() -> str:
    """What choices of the classifier's training gain in a small one."""
    choices = results("training-choices-3T")["choices"]
    places = ("at home", "at home, T1 6 % too long", "abroad", "abroad, T1 6 % too long")
    rows = [[name, *(estimate_text(found[place]["auroc"]) for place in places)] for name, found in choices.items()]
    return markdown(["AUROC over patients", *places], rows)


def turning() -> str:
    """The shipped training with every turn of the heart, and with the septum to the left."""
    rows = []
    for every_turn, to_the_left in zip(
        at_home_and_abroad("every-turn"), at_home_and_abroad("acnet-simulated"), strict=True
    ):
        for way, (place, record) in (("every turn", every_turn), ("septum to the left", to_the_left)):
            aurocs = (record["auroc"], record["with_localizer"]["auroc"])
            measured = (*aurocs, record["recall_normal"], record["recall_dcm"])
            rows.append([place, way, *map(estimate_text, measured)])
    heads = (
        "AUROC, true centre",
        "AUROC, localizer",
        "specificity for DCM (recall_normal)",
        "sensitivity for DCM (recall_dcm)",
    )
    return markdown(["", "trained with", *heads], rows)


TABLES: dict[str, Callable[[], str]] = {
    "reading": reading,
    "hospital": hospital,
    "retraining": retraining,
    "training-choices": training_choices,
    "turning": turning,
}
