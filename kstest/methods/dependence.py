"""What an independence test says besides its p-value: where, what kind, on what it rests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine import Work
from ..kernels import KERNELS
from ..params import smallest_permutations
from ..result import Notice
from ..sample import Sample
from .common import autocorrelation
from .independence import Plan, Statistics, Values, informative_z, largest_z, pair_statistics

# Pairs of columns described one by one, and those that get an HSIC of their own.
MOST_DESCRIBED = 400
MOST_TESTED = 16
# A correlation this many standard errors from 0 is worth a name.
NOTABLE = 3.0


@dataclass(frozen=True)
class Dependence:
    """Description of a pair of columns; not a test.

    Attributes
    ----------
    kind : str
        ``increasing``, ``decreasing``, ``U-shaped``, ``spread``, ``joint spread`` or ``other``.
    correlation : float
        The largest of the four correlations, in absolute value.
    spearman : float
        Spearman's rank correlation.
    """

    kind: str
    correlation: float
    spearman: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def centred_ranks(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return mid-ranks, from -1 to 1, with mean 0."""
    _, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2
    return np.asarray((2 * middle[inverse] - len(column) - 1) / max(1, len(column)))


def describe(x: NDArray[np.float64], y: NDArray[np.float64]) -> Dependence:
    """Name the kind of dependence of two columns.

    With u and v the centred ranks, corr(u, v) is Spearman's correlation; corr(|u|, v) and
    corr(u, |v|) are large where one column is highest or lowest at both ends of the other, or
    where the spread of one changes with the other; corr(|u|, |v|) where both are extreme together.
    """
    u, v = centred_ranks(x), centred_ranks(y)
    spearman = _correlation(u, v)
    candidates = {
        "increasing" if spearman > 0 else "decreasing": spearman,
        "U-shaped": _correlation(np.abs(u), v),
        "spread": _correlation(u, np.abs(v)),
        "joint spread": _correlation(np.abs(u), np.abs(v)),
    }
    kind = max(candidates, key=lambda name: abs(candidates[name]))
    largest = candidates[kind]
    if abs(largest) * math.sqrt(max(1, len(x) - 1)) < NOTABLE:
        kind = "other"
    return Dependence(kind, largest, spearman)


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    a, b = a - a.mean(), b - b.mean()
    norm = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / norm if norm > 0 else 0.0


def column_pairs(
    values: Sequence[Values],
    names: Sequence[tuple[str, ...]],
    how: Plan,
    params: Any,
    rng: np.random.Generator,
    work: Work,
) -> list[dict[str, Any]]:
    """Describe the pairs of columns from different blocks, the strongest first.

    `z` is the HSIC of the two columns at their median distances, in units of its spread under
    permutation; only for a few pairs. These are descriptions: the test is over all columns.
    """
    columns = [(l, c) for l, block in enumerate(names) for c in range(len(block))]
    pairs = [
        (i, j) for i, j in combinations(range(len(columns)), 2) if columns[i][0] != columns[j][0]
    ]
    pairs = pairs[:MOST_DESCRIBED]
    flat = [values[l][:, c : c + 1] for l, c in columns]
    labels = [names[l][c] for l, c in columns]
    z: list[float | None] = [None] * len(pairs)
    if len(pairs) <= MOST_TESTED:
        single = replace(
            params,
            x="", y="", block=(), all_pairs=True,
            kernel=params.kernel.split(",")[0], bandwidth="median", bandwidth_x="", bandwidth_y="",
            permutations=max(199, smallest_permutations(params.alpha)),
        )  # fmt: skip
        z = [largest_z(some) for some in pair_statistics(flat, pairs, how, single, rng, work)]
    rows = [
        {
            "x": labels[i],
            "y": labels[j],
            "z": z[k],
            **describe(flat[i][:, 0], flat[j][:, 0]).to_dict(),
        }
        for k, (i, j) in enumerate(pairs)
    ]
    return sorted(rows, key=lambda row: -(row["z"] or abs(row["correlation"])))


def strongest(found: Statistics) -> dict[str, Any]:
    """HSIC at each combination of bandwidths, and the one that stands out most."""
    z = informative_z(found)
    rows = [
        {"kernel": name, "bandwidths": list(widths), "hsic": float(found.T[k, 0]), "z": z[k]}
        for k, (name, widths) in enumerate(found.rungs)
    ]
    best = max((k for k in range(len(rows)) if z[k] is not None), key=lambda k: float(z[k] or 0))
    return {"strongest": rows[best], "kernels": rows}


def kernel_block(found: Statistics, params: Any, of_pairs: bool = False) -> dict[str, Any]:
    """The `kernel` of a result: bandwidths in combination, or their number for many pairs."""
    several = len(found.rungs) > 1
    return {
        "name": ",".join(name for name in KERNELS if name in {r[0] for r in found.rungs}),
        "bandwidths": [] if of_pairs else [list(widths) for _, widths in found.rungs],
        "combinations": len(found.rungs),
        "aggregate": params.aggregate if several else None,
        "scale": params.scale,
    }


def null_block(how: Plan, n: int, params: Any) -> dict[str, Any]:
    """The `null` of a result."""
    what = "rows" if how.size == 1 else "bins of rows"
    if how.consecutive:
        what = "blocks of consecutive rows"
    return {
        "scheme": f"permutation of {what}",
        "replicates": params.permutations,
        "exact": not how.consecutive,
        "bins": n // how.size,
        "rows_per_bin": how.size,
    }


def serial_notice(
    data: Sample, names: Sequence[tuple[str, ...]], params: Any
) -> tuple[Notice, ...]:
    """Warn when the rows of two or more blocks look like their neighbours in the file.

    One block may be a time series: permuting rows is exact as long as the rows of the others
    are exchangeable.
    """
    if params.block_length:
        return ()
    found = []
    for block in names:
        places = [data.columns.index(c) for c in block]
        part = replace(data, values=data.values[:, places], columns=block)
        found.append(autocorrelation(part, len(data.columns)))
    strong = sorted((f for f in found if f), key=lambda f: -abs(f.value))
    if len(strong) < 2:
        return ()
    lags = " and ".join(f"{f.value:.2f} in column {f.column!r}" for f in strong[:2])
    return (
        Notice(
            "serial-dependence",
            f"neighbouring rows are alike in both blocks (lag-1 autocorrelation {lags}). If the "
            "file is in order of time, rows are not exchangeable and false alarms are likely: use "
            "--block-length auto; if it is only sorted, ignore this",
        ),
    )
