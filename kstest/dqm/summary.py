"""What a calibration holds, as plain values: for `show`, and after `calibrate`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from ..errors import printable
from ..findings import Column, Facts, Finding, Line, Table, joined, listed, number
from ..result import Answer, Notice
from ..run import told_of_records
from .calibration import Calibration


def summary(calibration: Calibration) -> dict[str, Any]:
    """Describe a calibration.

    Returns
    -------
    dict
        Columns with type and range, widths, sizes with moments and tails of the toys beside those
        of the analytic distribution, settings, inputs with their hashes, provenance.
    """
    layout, record = calibration.layout, calibration.record
    columns: list[dict[str, Any]] = [
        {"name": n, "kind": "number", "mean": m, "sd": s, "smallest": q[0], "largest": q[-1]}
        for n, m, s, q in zip(layout.columns, layout.mean, layout.sd, layout.quantiles, strict=True)
    ]
    columns += [
        {"name": n, "kind": "category", "levels": len(known)}
        for n, known in zip(layout.categorical, layout.levels, strict=True)
    ]
    return {
        "digest": calibration.digest,
        "columns": columns,
        "missing": layout.missing,
        "pivot": None if layout.pivot is None else asdict(layout.pivot),
        "records": None if layout.units is None else asdict(layout.units),
        "rows": {
            "reference": record["reference_rows"],
            "effective_reference": calibration.reference.effective_rows,
            "pool": record["pool_rows"],
            "runs": len(record["runs"]),
            "centres": len(calibration.reference.centres),
        },
        "widths": calibration.widths,
        "scales": calibration.scales,
        "ranks": [f.rank for f in calibration.reference.features],
        "smallest_p_value": calibration.smallest_p_value,
        "sizes": [_size(calibration, g) for g in range(len(calibration.sizes))],
        "settings": calibration.settings,
        "warnings": record["warnings"],
        "inputs": record["inputs"],
        "provenance": record["provenance"],
    }


def _size(calibration: Calibration, g: int) -> dict[str, Any]:
    toys = calibration.toys[g]
    widths = []
    for k, distribution in enumerate(calibration.distributions[g]):
        tails = np.exp(calibration.toy_tails[g][k])
        widths.append(
            {
                "bandwidth": calibration.widths[k],
                "scale": calibration.scales[k],
                "toy_mean": float(toys[k].mean()),
                "mean": distribution.mean,
                "toy_variance": float(toys[k].var()),
                "variance": distribution.variance,
                # What the analytic distribution would reject at these levels, among good toys.
                "beyond_5": float((tails <= 0.05).mean()),
                "beyond_1": float((tails <= 0.01).mean()),
            }
        )
    return {
        "events": calibration.sizes[g],
        "toys": toys.shape[1],
        "stretch": calibration.record.get("stretches", {g: 1.0})[g],
        "ridge": calibration.ridges[g],
        "analytic_offered": calibration.analytic_offered(g),
        "widths": widths,
    }


SIZES = (
    Column("events", "events", width=10),
    Column("toys", "toys", width=8),
    Column("mean", "mean", width=16),
    Column("variance", "variance", width=16),
    Column("beyond_5", "beyond 5 %", width=12),
    Column("beyond_1", "1 %", width=8),
)


def answer(found: Mapping[str, Any]) -> Answer:
    """What a calibration holds, `summary`, as findings."""
    said = {**_columns(found), **_rows(found)}
    findings: list[Finding] = []
    for key, value in found.items():
        if key == "sizes":
            title = "toys against the analytic distribution, all widths"
            findings.append(Table(key, value, SIZES, title, cells=_cells(value), printed="middle"))
        else:
            findings.append(Facts(key, value, tuple(said.get(key, ()))))
    notices = tuple(Notice(w["code"], w["message"]) for w in found["warnings"])
    made = Answer(tuple(findings), warnings=notices)
    if found["records"] is None:
        return made
    about_files = [n for n in notices if n.code.startswith("records-")]
    told = told_of_records(made, [c["name"] for c in found["columns"]], about_files)
    return replace(told, findings=joined(told.findings, [_records(found["records"])]))


def _records(units: Mapping[str, Any]) -> Facts:
    """How rows became records."""
    order = f"in the order of {units['order']}" if units["order"] else "in the order of the file"
    text = f"{units['rows']:,} rows of each, told apart by {printable(units['unit'])}, {order}"
    return Facts("records", units, (Line("records", text, order=1),))


def _columns(found: Mapping[str, Any]) -> dict[str, list[Line]]:
    names = ", ".join(printable(c["name"]) for c in found["columns"])
    pivot = found["pivot"]
    return {
        "columns": [Line("columns", names, order=0)],
        "pivot": [Line("events", hits_text(pivot), order=1)] if pivot else [],
    }


def _rows(found: Mapping[str, Any]) -> dict[str, list[Line]]:
    settings, rows = found["settings"], found["rows"]
    by_kind: dict[str, list[str]] = {}
    for width, scale in zip(found["widths"], found["scales"], strict=True):
        by_kind.setdefault(scale, []).append(number(width))
    units = {"standard": "standard deviations", "whiten": "along whitened axes"}
    widths = [f"{', '.join(some)} {units[scale]}" for scale, some in by_kind.items()]
    widths[-1] += f", combined by {settings['aggregate']}" * (len(found["widths"]) > 1)
    pool = f"{rows['pool']:,} rows" + (f" in {rows['runs']} runs" if rows["runs"] else "")
    model = f"{settings['statistic']} statistic, {settings['fit']}, {rows['centres']} centres"
    toys = f"{settings['draw']}, count {settings['count']}, seed {settings['seed']}"
    runs = f"each toy from one of {rows['runs']} good runs"
    return {
        "rows": [
            Line("reference", f"{rows['reference']:,} rows", order=2),
            Line("pool", pool, order=2),
        ],
        "widths": listed("widths", widths, order=3),
        "settings": [
            Line("model", model, order=4),
            Line("toys", toys, order=4),
            *([Line("tolerance", runs, order=4)] if rows["runs"] else []),
        ],
        "smallest_p_value": [Line("smallest p", number(found["smallest_p_value"]), order=5)],
        "digest": [Line("digest", found["digest"], order=6)],
    }


def _cells(sizes: Any) -> tuple[tuple[Any, ...], ...]:
    return tuple(
        (
            s["events"],
            s["toys"],
            f"{number(w['toy_mean'])}/{number(w['mean'])}",
            f"{number(w['toy_variance'])}/{number(w['variance'])}",
            f"{100 * w['beyond_5']:.1f} %",
            f"{100 * w['beyond_1']:.1f} %",
        )
        for s in sizes
        for w in s["widths"]
    )


def hits_text(pivot: Mapping[str, Any]) -> str:
    """How hits become events."""
    order = f"the order of {pivot['order']}" if pivot["order"] else "the order of the file"
    if pivot["channel"]:
        text = f"the first of every {pivot['channel']}"
    else:
        text = f"the first {pivot['hits']}"
    return f"hits by {pivot['event']}, in {order}, {text}"
