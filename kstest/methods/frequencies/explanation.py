"""Which values a column holds too often or too rarely."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...targets import Cells

Array = NDArray[np.float64]

# Less than this many standard deviations is not worth a word.
NOTABLE = 2.0


def surprises(counts: Array, cells: Cells) -> list[dict[str, Any]]:
    """Return the stretch of cells with most too many rows and that with most too few.

    Parameters
    ----------
    counts : ndarray (L,)
    cells : Cells
        Where they are not ordered, stretches are single cells.

    Returns
    -------
    list of dict
        ``cells`` in words, ``rows``, ``share`` and ``target_share``, and ``z``, the signed root of
        the binomial deviance, which is a standard deviation where many rows are expected. It is no
        part of the test: the stretch is the most surprising of all. The more surprising first.
    """
    n, p = float(counts.sum()), cells.probability
    if cells.ordered:
        C, P = (np.concatenate([[0.0], np.cumsum(v)]) for v in (counts, p))
        rows, mass = C[None, 1:] - C[:-1, None], P[None, 1:] - P[:-1, None]  # first, last
        z = np.where(np.triu(np.ones(rows.shape, bool)), _deviance_root(rows, mass, n), 0.0)
        z[0, -1] = 0.0  # all rows are in some cell
    else:
        rows, mass = np.diag(counts), np.diag(p)
        z = np.diag(_deviance_root(counts, p, n))
    found = []
    for sign in (1, -1):
        first, last = np.unravel_index(int(np.argmax(sign * z)), z.shape)
        if sign * z[first, last] > NOTABLE:
            found.append(
                {
                    "cells": cells.name(int(first), int(last)),
                    "rows": round(float(rows[first, last])),
                    "share": float(rows[first, last]) / n,
                    "target_share": float(mass[first, last]),
                    "z": float(z[first, last]),
                }
            )
    return sorted(found, key=lambda f: -abs(f["z"]))


def words(found: list[dict[str, Any]]) -> str:
    """Say what `surprises` found; empty for nothing."""
    parts = []
    for f in found:
        often = "often" if f["z"] > 0 else "rarely"
        parts.append(
            f"{f['cells']} too {often} ({_percent(f['share'])} of the rows, "
            f"{_percent(f['target_share'])} of the target)"
        )
    return ", ".join(parts)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %" if share >= 1e-5 or not share else f"{100 * share:.1e} %"


def _deviance_root(rows: Array, mass: Array, n: float) -> Array:
    from scipy.special import xlogy

    mass = np.clip(mass, 0.0, 1.0)
    expected, left = np.maximum(n * mass, 1e-300), np.maximum(n * (1 - mass), 1e-300)
    others = np.maximum(n - rows, 0.0)
    deviance = 2 * (xlogy(rows, rows / expected) + xlogy(others, others / left))
    return np.asarray(np.sign(rows - n * mass) * np.sqrt(np.maximum(deviance, 0.0)))
