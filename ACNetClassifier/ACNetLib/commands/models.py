"""`acnet models`: list, show, import, remove and verify the models that there are."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ACNetLib.errors import ACNetError
from ACNetLib.models.store import (
    FOLDER_VARIABLE,
    StoredModel,
    import_model,
    remove_model,
    stored_models,
    user_models_folder,
)

if TYPE_CHECKING:
    from ACNetLib.models.card import ModelCard
    from ACNetLib.networks.localizer import LocalizerCard

SIMULATED = "TRAINED ON SIMULATED DATA: not, or not only, on T1 maps of patients."
Row = tuple[str, str]


def add_model_commands(commands: argparse._SubParsersAction[Any]) -> None:
    """Add `models` and its own subcommands to those of the `acnet` command."""
    models = commands.add_parser(
        "models",
        help="list, show, import, remove or verify models",
        description="Models are shipped with ACNet or your own. The environment variable "
        f"{FOLDER_VARIABLE} puts your own into another folder than your user's.",
    )
    actions = models.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("list", help="which models there are").set_defaults(run=_list)
    show = actions.add_parser("show", help="the card of a model: what it is for, made from and worth")
    show.add_argument("name")
    show.set_defaults(run=_show)
    new = actions.add_parser("import", help="check a model file from elsewhere and copy it to your own")
    new.add_argument("file", type=Path)
    new.add_argument("--replace", action="store_true", help="take the place of your own model of that name")
    new.set_defaults(run=_import)
    remove = actions.add_parser("remove", help="delete one of your own models")
    remove.add_argument("name")
    remove.set_defaults(run=_remove)
    verify = actions.add_parser("verify", help="read models in full and run each once")
    verify.add_argument("name", nargs="?", help="one model (default: all)")
    verify.set_defaults(run=_verify)


def _list(_options: argparse.Namespace) -> None:
    models = stored_models()
    rows = [("name", "kind", "field", "trained on", "AUROC", "where"), *map(_list_row, models)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    for model in models:
        if model.problem:
            print(f"Damaged: {model.problem}")
    print(f"Your own models: {user_models_folder()}")


def _list_row(model: StoredModel) -> tuple[str, ...]:
    where = "shipped" if model.shipped else "own"
    if model.problem:
        return model.name, "damaged", "-", "-", "-", where
    auroc = "-" if model.auroc is None else f"{model.auroc:.3f}"
    trained_on = "simulation" if model.simulated else "patients"
    return model.name, model.kind, _tesla(model.field_strengths_tesla), trained_on, auroc, where


def _show(options: argparse.Namespace) -> None:
    from ACNetLib.models.card import ModelCard
    from ACNetLib.models.check import read_any_card

    model = _named(options.name)
    if model.problem:
        raise ACNetError(model.problem)
    card = read_any_card(model.path)
    print(f"{card.name}: {card.kind} for {_tesla(model.field_strengths_tesla)}")
    print(card.intended_use)
    if card.simulated:
        print(SIMULATED)
    _print_rows("How it works", _classifier_rows(card) if isinstance(card, ModelCard) else _localizer_rows(card))
    _print_rows("Training", _readable_rows(card.training))
    simulated = ", on simulated patients" if card.metrics.get("simulated") is True else ""
    _print_rows(f"How well it does{simulated} (95 % interval)", _readable_rows(card.metrics))
    file = [("file", str(model.path)), ("weights", f"SHA-256 {card.weights_sha256}"), ("licence", card.licence)]
    _print_rows("File", file)


def _import(options: argparse.Namespace) -> None:
    path = import_model(options.file, replace=options.replace)
    model = _named(path.stem)
    print(f"Imported {model.name}: {model.kind} for {_tesla(model.field_strengths_tesla)}.")
    if model.simulated:
        print(SIMULATED)
    print(f"Written:\n  {path}")


def _remove(options: argparse.Namespace) -> None:
    print(f"Removed:\n  {remove_model(options.name)}")


def _verify(options: argparse.Namespace) -> None:
    from ACNetLib.models.check import check_model

    models = [_named(options.name)] if options.name else stored_models()
    width = max((len(model.name) for model in models), default=0)
    problems = []
    for model in models:
        problem = model.problem
        if not problem:
            try:
                check_model(model.path)
            except ACNetError as error:
                problem = str(error)
        print(f"{model.name:<{width}}  {'FAILS' if problem else 'works'}")
        if problem:
            problems.append(problem)
    if problems:
        raise ACNetError(f"{len(problems)} of {len(models)} models can't be used.", *problems)


def _named(name: str) -> StoredModel:
    models = stored_models()
    for model in models:
        if model.name == name:
            return model
    raise ACNetError(f"model: found none named '{name}'; there are {', '.join(m.name for m in models) or 'none'}.")


def _classifier_rows(card: ModelCard) -> Iterator[Row]:
    from ACNetLib.models.attention_measures import attention_measures
    from ACNetLib.report.wording import coverage_text, fitted_text, mean_text, verdict_rule

    scaling = card.intensity
    network = {name: value for name, value in sorted(card.network.items()) if name != "outside"}
    yield "network", ", ".join(f"{name} {value}" for name, value in network.items()) or "the paper's"
    yield "section", f"{card.section_size} x {card.section_size} pixels of {card.section_spacing_mm:g} mm"
    yield "intensity", f"{scaling.kind}, {scaling.low_ms:g} to {scaling.high_ms:g} ms"
    temperatures = ", ".join(f"{temperature:.3f}" for temperature in card.temperatures)
    yield "temperatures", f"{temperatures} (of one slice, of two, and so on)"
    yield "training prior", f"{card.training_prior_dcm:.3f} DCM"
    if card.normal_t1_ms is not None:
        yield "normal T1", f"{mean_text(*card.normal_t1_ms)}, septal, of its normal training patients"
    yield "verdict", verdict_rule(card.uncertain_range)
    if card.uncertain_range_without_reference is not None:
        yield "without reference", verdict_rule(card.uncertain_range_without_reference)
    regions = card.network.get("outside")
    if isinstance(regions, int) and regions:
        where = "over the whole slice" + (" and around the left ventricle" if regions > 1 else "")
        yield "score of unlike", f"of the network's features {where}"
    for call, limits in (("normal", card.outside_limits.normal), ("DCM", card.outside_limits.dcm)):
        if limits.relative_wall and limits.rv_to_lv:
            wall, right = limits.relative_wall[-1], limits.rv_to_lv[-1]
            yield (
                f"unlike, if {call}",
                f"above a wall of {wall:.2f} of the cavity's radius, a right ventricle of {right:.2f} of the left",
            )
    met = [measure.met for measure in attention_measures(card)]
    status = "validated" if all(met) else "not validated"
    yield "attention", f"{status} as an explanation: {met.count(True)} of {len(met)} measures met"
    if told := coverage_text(card):
        yield "coverage", told
    yield "threshold", f"{card.decision_threshold:.3f}, where two classes must be told apart"
    if told := fitted_text(card):
        yield "held back", told


def _localizer_rows(card: LocalizerCard) -> Iterator[Row]:
    scaling = card.intensity
    yield "grid", f"{card.grid_size} x {card.grid_size} pixels of {card.grid_spacing_mm:g} mm"
    yield "intensity", f"{scaling.kind}, {scaling.low_ms:g} to {scaling.high_ms:g} ms"
    yield "confidence", f"{card.confidence_threshold:.3f} and more counts as found at the first look"


def _readable_rows(values: Mapping[str, Any]) -> Iterator[Row]:
    """What fits into a line each; what is nested deeper is named only."""
    texts = {name: _readable(value) for name, value in values.items()}
    yield from ((name, text) for name, text in texts.items() if text)
    if nested := [name for name, text in texts.items() if not text]:
        yield "also in the card", ", ".join(nested)


def _readable(value: object) -> str:
    """A text or number, an estimate with its interval, cases by class, folds, a recipe's name; "" for the rest."""
    match value:
        case bool():
            return "yes" if value else "no"
        case int() | str():
            return str(value)
        case float():
            return f"{value:.3f}"
        case {"value": float(estimate), "low": float(low), "high": float(high)}:
            return f"{estimate:.3f} ({low:.3f} to {high:.3f})"
        case {
            "patients_dcm": int(patients_dcm),
            "patients_normal": int(patients_normal),
            "sections_dcm": int(sections_dcm),
            "sections_normal": int(sections_normal),
        }:
            return (
                f"{patients_dcm} patients with DCM ({sections_dcm} slices), "
                f"{patients_normal} normal ({sections_normal} slices)"
            )
        case {"folds": int(folds), "repeats": int(repeats)}:
            return f"{folds} folds, {repeats} repeat{'s' * (repeats > 1)}"
        case {"name": str(name)}:
            return name
    return ""


def _print_rows(title: str, rows: Sequence[Row] | Iterator[Row]) -> None:
    rows = list(rows) or [("not in the card", "")]
    width = max(len(name) for name, _ in rows)
    print(f"\n{title}")
    for name, text in rows:
        print(f"  {name:<{width}}  {text}".rstrip())


def _tesla(field_strengths: Sequence[float]) -> str:
    return f"{' and '.join(f'{field:g}' for field in field_strengths)} T"
