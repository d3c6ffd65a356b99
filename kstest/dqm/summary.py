"""What a calibration holds, as plain values: for `show`, and after `calibrate`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from .calibration import Calibration


def summary(calibration: Calibration) -> dict[str, Any]:
    """Describe a calibration.

    Returns
    -------
    dict
        Columns with type and range, widths, sizes with moments and tails of the toys beside those
        of the analytic law, settings, inputs with their hashes, provenance.
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
    for k, law in enumerate(calibration.laws[g]):
        tails = np.exp(calibration.toy_tails[g][k])
        widths.append(
            {
                "bandwidth": calibration.widths[k],
                "scale": calibration.scales[k],
                "toy_mean": float(toys[k].mean()),
                "mean": law.mean,
                "toy_variance": float(toys[k].var()),
                "variance": law.variance,
                # What the analytic law would reject at these levels, among good toys.
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
