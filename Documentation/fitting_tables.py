"""How right and how fast T1 is fitted to images."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce

from table_cells import Record, markdown, results, share


def fitting() -> str:
    measured: Record = results("fitting")["results"]
    header = ["", *(f"{kind} images" for kind in measured)]

    def row(label: str, text: str, *keys: str) -> list[str]:
        found = [reduce(operator.getitem, keys, each) for each in measured.values()]
        return [label, *(text.format(value) for value in found)]

    rows = [
        row("a slice of 192 x 256", "{:.3f} s", "seconds_a_slice"),
        row("the same with curve_fit", "{:.1f} s", "curve_fit_seconds_a_slice"),
        row("times as fast", "{:.0f}", "ratio"),
        row("difference to curve_fit, median", "{:.0e} ms", "difference_to_curve_fit_ms", "median"),
    ]
    compared: Record = results("fitting")["difference_to_qmrpy"]
    rows.append(["difference to qmrpy, median", *(f"{compared[kind]['median, ms']:.3f} ms" for kind in measured)])
    for tissue in ("myocardium", "blood"):
        rows += [
            row(f"{tissue}: bias", "{:z.1f} ms", "error_ms", tissue, "bias"),
            row(f"{tissue}: SD", "{:.1f} ms", "error_ms", tissue, "sd"),
            row(f"{tissue}: SD that the fit says, median", "{:.1f} ms", "error_ms", tissue, "sd by the fit, median"),
        ]
    return markdown(header, rows)


def fitting_motion() -> str:
    measured: Record = results("fitting-motion")["results"]
    error = measured["error_of_the_shift_mm"]
    rows = [
        ["error of the shift found: mean", f"{error['mean']:.2f} mm"],
        ["error of the shift found: 95th percentile", f"{error['95th percentile']:.2f} mm"],
        ["error of the shift found: largest", f"{error['largest']:.2f} mm"],
    ]
    for when, place in measured["residual_mm"].items():
        rows.append([f"distance from the fit, {when}", f"{place:.2f} mm"])
    for when, part in measured["heart_off_by_100_ms"].items():
        rows.append([f"heart off by more than 100 ms, {when}", share(part)])
    return markdown(["", "moving heart"], rows)


def fitting_bias() -> str:
    read: Record = results("fitting")["reads_myocardium_of_1150_ms_as"]
    return markdown(["sequence", "T1"], [[name, f"{t1_ms:.0f} ms"] for name, t1_ms in read.items()])


TABLES: dict[str, Callable[[], str]] = {
    "fitting": fitting,
    "fitting-motion": fitting_motion,
    "fitting-bias": fitting_bias,
}
