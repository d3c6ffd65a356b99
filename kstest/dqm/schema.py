"""What a calibration file may hold, checked before anything is computed from it.

See `kstest.archive.schema`. Whoever adds an array or a field to `Calibration.save` adds it here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from ..archive.schema import Number, Numbers, Word, real, typed
from ..columns import Pivot, Units
from ..likelihood_ratio.features import SCALES
from .layout import Layout
from .settings import Params

MOST = 1e300
# Of what is squared and multiplied a few times.
MODEST = 1e60
# Options of a calibration that a check looks at.
USED = {"count", "statistic", "fit", "aggregate", "draw", "tolerance", "cut", "seed"}
_SIZE, _WIDTH = Number(1), real(1e-300, MOST)


def require(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Compare header and arrays of a calibration with what they have to be.

    Raises
    ------
    KeyError, TypeError, ValueError
        Naming what is wrong.
    """
    layout, given = header["layout"], header["settings"]
    _require_layout(layout)
    widths, sizes = header["widths"], header["sizes"]
    _each("widths", widths, _WIDTH)
    _each("sizes", sizes, _SIZE)
    _each("ridges", header["ridges"], _WIDTH, len(sizes))
    scales = header.get("scales", [SCALES[0]] * len(widths))
    _each("scales", scales, Word(tuple(SCALES)), len(widths))
    if not (widths and sizes and sizes == sorted(set(sizes))):
        raise ValueError("widths or sizes are none, or not in order")
    # Earlier versions had fewer options.
    options = {f.name: given[f.name] for f in fields(Params) if f.name in given}
    settings = typed(Params, options)
    if not options.keys() >= USED:
        raise KeyError(min(USED - options.keys()))
    d, marks = len(layout["columns"]), len(layout["columns"]) * layout["marks"]
    lengths = {"d": d, "c": len(layout["categorical"]) + marks}
    rules = {
        **_rules_of_rows(arrays),
        **_rules_of_widths(len(widths), any(scale != SCALES[0] for scale in scales)),
        **_rules_of_sizes(len(sizes), len(widths), settings.tolerance),
    }
    if rules.keys() != arrays.keys():
        raise KeyError(min(rules.keys() ^ arrays.keys()))
    for name, rule in rules.items():
        rule.check(name, arrays[name], lengths)
    _require_codes(layout, arrays)
    _require_record(header["record"], len(sizes))


def _rules_of_rows(arrays: Mapping[str, np.ndarray]) -> dict[str, Numbers]:
    found = {"shares": Numbers(("N",), "f8", -MOST, MOST)}
    for side, rows in (("reference", "N"), ("centre", "M"), ("held_out", "A")):
        found[f"{side}_values"] = Numbers((rows, "d"), "f8", -MOST, MOST)
        found[f"{side}_codes"] = Numbers((rows, "c"), "i4", -1)
    if "held_out_weights" in arrays:
        found["held_out_weights"] = Numbers(("A",), "f8", 0, MOST)
    return found


def _rules_of_widths(widths: int, axes: bool) -> dict[str, Numbers]:
    found: dict[str, Numbers] = {}
    for k in range(widths):
        found |= {
            f"whitening_{k}": Numbers(("M", f"r{k}"), "f8", -MOST, MOST),
            f"gram_{k}": Numbers((f"r{k}", f"r{k}"), "f8", -MOST, MOST),
            f"mean_{k}": Numbers((f"r{k}",), "f8", -MOST, MOST),
        }
    return found | ({"axes": Numbers(("d", "d"), "f8", -MOST, MOST)} if axes else {})


def _rules_of_sizes(sizes: int, widths: int, runs: bool) -> dict[str, Numbers]:
    found: dict[str, Numbers] = {}
    for g in range(sizes):
        found |= {
            f"toys_{g}": Numbers((widths, f"B{g}"), "f8", -MOST, MOST),
            f"toy_tails_{g}": Numbers((widths, f"B{g}"), "f8", -MOST, 1e-9),
        }
        found |= {
            f"law_{g}_{k}": Numbers((2, f"l{g}_{k}"), "f8", -MODEST, MODEST) for k in range(widths)
        }
        if runs:
            found[f"runs_{g}"] = Numbers((f"B{g}",), "i8", 0, below=f"B{g}")
    return found


def _each(name: str, values: Any, rule: Any, length: int | None = None) -> None:
    if not isinstance(values, list) or (length is not None and len(values) != length):
        raise ValueError(f"{name} is no list, or of another length")
    for value in values:
        rule.check(name, value, {})


def _require_layout(layout: Mapping[str, Any]) -> None:
    d = len(layout["columns"])
    for name in ("columns", "categorical", "by_value"):
        _each(name, layout[name], Word())
    _each("mean", layout["mean"], real(), d)
    _each("sd", layout["sd"], _WIDTH, d)
    if len(layout["quantiles"]) != d or len(layout["levels"]) != len(layout["categorical"]):
        raise ValueError("quantiles or levels are of another number than the columns")
    for some in layout["quantiles"]:
        _each("quantiles", some, real(), 5)
    for levels in layout["levels"]:
        _each("levels", levels, Word())
    if type(layout["marks"]) is not bool:
        raise TypeError("marks is neither true nor false")
    Word(("error", "drop", "indicator")).check("missing", layout["missing"], {})
    if layout["weights"] is not None:
        Word().check("weights", layout["weights"], {})
    if layout.get("pivot") is not None:
        typed(Pivot, layout["pivot"])
    if layout.get("units") is not None:
        units = typed(Units, layout["units"])
        if type(units.rows) is not int or units.rows < 1:
            raise ValueError("units has no number of rows")
        _each("unit_columns", layout["unit_columns"], Word())
    Layout.from_dict(layout)


def _require_codes(layout: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Codes are places in lists of levels, of which one more stands for all others."""
    most = [len(levels) for levels in layout["levels"]]
    most += [1] * (len(layout["columns"]) if layout["marks"] else 0)
    for side in ("reference", "centre", "held_out"):
        codes = arrays[f"{side}_codes"]
        if codes.size and (codes.max(axis=0) > np.array(most)).any():
            raise ValueError(f"{side}_codes holds codes of no level")
    for name, array in arrays.items():
        if name.startswith("law_") and not (array.shape[1] and (array[0] > 0).all()):
            raise ValueError(f"{name} holds weights that are not positive")
        empty = name.startswith(("toys_", "whitening_")) and not array.size
        if empty or (name.endswith("_values") and not name.startswith("held") and not len(array)):
            raise ValueError(f"{name} is empty")


def _require_record(record: Mapping[str, Any], sizes: int) -> None:
    for name in ("reference_rows", "pool_rows"):
        Number().check(name, record[name], {})
    for name, kind in (("runs", list), ("warnings", list), ("inputs", list), ("provenance", dict)):
        if not isinstance(record[name], kind):
            raise TypeError(f"{name} is of another kind")
    for one in record["inputs"]:
        Word().check("sample", one["sample"], {})
        if one["sha256"] is not None:
            Word().check("sha256", one["sha256"], {})
    for one in record["warnings"]:
        Word().check("code", one["code"], {})
        Word().check("message", one["message"], {})
    Word().check("started", record["provenance"]["started"], {})
