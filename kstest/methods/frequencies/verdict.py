"""Columns against discrete distributions: impossible values, counts, simulated counts, verdict."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kstest.frozen import frozen

from ...diagnostics.dependence import strongest_lag
from ...errors import DataError, UsageError
from ...findings import summary
from ...findings import target as named
from ...nulls import holm_adjusted, p_value, threshold
from ...params import option_name
from ...result import Notice, Result
from ...sample import Sample
from ...targets import Cells, DiscreteTarget, joined
from ...wording import printable
from ..by_column import columns_found
from .explanation import surprises, words
from .statistic import MOST_CELLS, Evidence, evidence

Array = NDArray[np.float64]

FEWEST_DRAWS, MOST_DRAWS = 1999, 200_000
# Simulated counts per column and unit of 1 / alpha, so that Holm's correction has something to say.
DRAWS_PER_COLUMN = 20
# Options of tests of densities that have no meaning here.
UNUSED = (
    *("kernel", "bandwidth", "aggregate", "statistic", "scale", "features", "flip"),
    *("contamination", "bound", "param", "reference"),
)


@frozen
class Column:
    """One column in cells.

    Attributes
    ----------
    name : str
    cells : Cells
        At most `MOST_CELLS` if they are ordered.
    counts : ndarray (L,)
    """

    name: str
    cells: Cells
    counts: Array


def require_usable(params: Any) -> None:
    """Refuse options that a test of frequencies would silently ignore."""
    for f in fields(params):
        if f.name in UNUSED and getattr(params, f.name) != f.default:
            raise UsageError(
                f"{option_name(f.name)}: has no meaning with a discrete target, whose frequencies "
                "are compared by kernels of their own; leave it out"
            )
    if params.explain.startswith("places"):
        raise UsageError(
            f"--explain {params.explain}: a discrete target has cells and no places; give auto or "
            "none"
        )
    if params.null not in ("auto", "parametric"):
        raise UsageError(
            f"--null {params.null}: the null distribution of frequencies is simulated, which is "
            "exact; leave --null out. Rows that depend on their neighbours have to be thinned first"
        )


def run(sample: Sample, target: DiscreteTarget, params: Any, rng: np.random.Generator) -> Result:
    """Test whether columns are independent draws from discrete distributions; see `kstest.ksd`."""
    base = Result(
        method="ksd",
        verdict="no verdict",
        alpha=params.alpha,
        n={"data": sample.n},
        d=len(target.columns),
        columns=target.columns,
    )
    columns = []
    for name, cells in zip(target.columns, target.distributions, strict=True):
        place = placed(sample, name, cells)
        if (place < 0).any():
            return _impossible(base, sample, name, place, params, target)
        which = np.arange(len(cells))
        if cells.ordered:
            cells, which = joined(cells, MOST_CELLS)
        counts = np.bincount(which[place], minlength=len(cells)).astype(np.float64)
        columns.append(Column(name, cells, counts))
    return decided(base, columns, params, rng, target.name, _notices(sample, target))


def decided(
    base: Result,
    columns: list[Column],
    params: Any,
    rng: np.random.Generator,
    target: str,
    notices: tuple[Notice, ...],
) -> Result:
    """Simulate the counts of every column and decide."""
    draws = draws_of(params, len(columns))
    found = [evidence(c.counts, c.cells, draws, rng) for c in columns]
    able = [_able(f, params.alpha / len(columns)) for f in found]
    if not any(able):
        return _undecided(base, target, notices)
    p = np.array([p_value(f.T) if len(f.T) else 1.0 for f in found])
    adjusted = holm_adjusted(p)
    smallest = float(adjusted.min())
    rejected = smallest <= params.alpha
    table = []
    for k, c in enumerate(columns):
        cells = surprises(c.counts, c.cells) if params.explain != "none" else []
        ps = {"p_value": float(p[k]), "adjusted_p_value": float(adjusted[k])}
        table.append({"column": c.name, **ps, "cells": cells, "words": words(cells)})
    one = found[0] if len(found) == 1 else None
    return base.told(
        summary(_summary(rejected, table)),
        named(target),
        columns_found(table, params.alpha, rejected),
        verdict="rejected" if rejected else "not rejected",
        statistic=float(one.T[0]) if one else None,
        p_value=smallest,
        threshold=threshold(one.T, params.alpha) if one else None,
        kernel=_kernel(found[0] if one else None),
        null={
            "scheme": "counts simulated from the target"
            + f", Holm's correction for {len(columns)} columns" * (one is None),
            "replicates": draws,
            "exact": True,
        },
        warnings=notices,
    )


def draws_of(params: Any, columns: int) -> int:
    """Return the number of simulated counts: as asked for, or more where that is too few."""
    alpha = float(params.alpha)
    wanted = min(math.ceil(DRAWS_PER_COLUMN * columns / alpha), MOST_DRAWS)
    needed = math.ceil(columns / alpha)
    return max(int(params.draws), FEWEST_DRAWS, wanted if columns > 1 else 0, needed)


def placed(sample: Sample, name: str, cells: Cells) -> NDArray[np.int64]:
    """Return the cell of every row in a column, -1 where the distribution gives its value
    probability 0.

    Raises
    ------
    DataError
        For a column of names whose distribution is of numbers, or the reverse.
    """
    if name in sample.categorical:
        place = sample.categorical.index(name)
        if not cells.labels:
            raise DataError(
                f"data: column {name!r} holds names, the target is a distribution of numbers; give "
                "categorical(name=probability, ...)"
            )
        known = {label: k for k, label in enumerate(cells.labels)}
        table = np.array([known.get(level, -1) for level in sample.levels[place]], np.int64)
        return np.asarray(table[sample.codes[:, place]])
    if cells.labels:
        raise DataError(
            f"data: column {name!r} holds numbers, the target is a distribution of the names "
            f"{', '.join(map(repr, cells.labels[:5]))}; give categorical(p0, p1, ...) for the "
            f"numbers 0, 1, ..., or read the column as names with --categorical {name!r}"
        )
    return cells.place(sample.values[:, sample.columns.index(name)])


def _impossible(
    base: Result,
    sample: Sample,
    name: str,
    place: NDArray[np.int64],
    params: Any,
    target: DiscreteTarget,
) -> Result:
    row = int(np.argmax(place < 0))
    count = int((place < 0).sum())
    if name in sample.categorical:
        c = sample.categorical.index(name)
        value = repr(sample.level_name(c, int(sample.codes[row, c])))
    else:
        value = f"{sample.values[row, sample.columns.index(name)]:.10g}"
    more = f"; {count:,} rows have such values" if count > 1 else ""
    return base.told(
        summary(
            f"the data do not fit the target: {sample.where(row)} has {printable(name)} "
            f"= {value}, whose probability is 0{more}"
        ),
        named(target.name),
        verdict="rejected",
        p_value=1 / (1 + draws_of(params, len(target.columns))),
        null={
            "scheme": "support of the target",
            "replicates": draws_of(params, len(target.columns)),
            "exact": True,
        },
    )


def _able(found: Evidence, level: float) -> bool:
    """Whether some counts would be rejected: no value of the statistic is that common."""
    if not len(found.T):
        return False
    largest = found.T.max()
    return bool((largest - 1e-9 * found.T.std() <= found.T).mean() <= level)


def _undecided(base: Result, target: str, notices: tuple[Notice, ...]) -> Result:
    n = base.n["data"]
    why = Notice(
        "too-few-rows",
        f"{n} row{'s' * (n != 1)}: no counts of so few rows are rare enough under the target to "
        f"reject at level {base.alpha}",
    )
    said = summary("too few rows to decide"), named(target)
    return base.told(*said, warnings=(*notices, why))


def _kernel(found: Evidence | None) -> dict[str, object]:
    """Of one column by name; several have kernels of their own."""
    names: tuple[str, ...] = ()
    if found:
        names = (*("Gaussian",) * bool(found.bandwidths), *found.kernels)
    return {
        "name": f"frequencies: {', '.join(names)}" if names else "frequencies",
        "bandwidths": found.bandwidths if found else (),
        "aggregate": "mahalanobis",
    }


def _summary(rejected: bool, table: list[dict[str, Any]]) -> str:
    if not rejected:
        return "no evidence at this level against the target"
    worst = min(table, key=lambda c: (c["adjusted_p_value"], c["p_value"]))
    column = printable(worst["column"])
    if not worst["cells"]:
        return f"the data do not fit the target in column {column}"
    return f"the data do not fit the target: {column} is {words(worst['cells'][:1])}"


def _notices(sample: Sample, target: DiscreteTarget) -> tuple[Notice, ...]:
    numeric = [name for name in target.columns if name in sample.columns]
    if not numeric:
        return ()
    values = sample.values[:, [sample.columns.index(name) for name in numeric]]
    found = strongest_lag(values)
    if not found:
        return ()
    return (
        Notice(
            "serial-dependence",
            f"neighbouring rows are alike (lag-1 autocorrelation {found[0]:.2f} in column "
            f"{numeric[found[1]]!r}). If the file is in order of time, counts vary more than those "
            "of independent rows and false alarms are likely: thin the rows first; if it is only "
            "sorted, ignore this",
        ),
    )
