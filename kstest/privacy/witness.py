"""Where a batch and a sketch differ: the witness of the statistic, from the batch's rows alone.

w(y) = delta . v(y) is large where the reference has more rows than the batch and small where it has
fewer. It is computed from the sketch and the batch, so it tells of no row of the reference what
the sketch does not. What follows are descriptions, without p-values.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import printable
from ..findings import Column, Finding, Line, Table
from ..sample import Sample
from ..wording import shown, value_text
from .features import Array, Whole, features
from .sketch import Sketch
from .units import Placed

# Parts of a column, by quantiles of the batch, and the share of the witness worth a sentence.
PARTS = 8
WORTH = 0.1
COLUMNS = (
    Column("column", "column", width=16),
    Column("share", "share", "share", 8),
    Column("more", "more rows in the batch", width=24),
    Column("fewer", "fewer rows in the batch", width=24),
)


def witness_found(sample: Sample, rows: Placed, sketch: Sketch, delta: Array) -> list[Finding]:
    """How much of the witness follows a column, and where it says more or fewer rows.

    Parameters
    ----------
    sample : Sample
        m rows.
    rows : Placed
        The same in declared units.
    sketch : Sketch
    delta : ndarray (D,)
        Reference less batch, per unit of `features`.
    """
    blocks = features(rows.values, rows.codes, sketch.frequencies)
    w = np.concatenate([block @ delta for block in blocks])
    if w.std() == 0:
        return []
    found = [_numeric(sample, c, w) for c in range(len(sample.columns))]
    found += [_levelled(sample, c, w) for c in range(len(sample.categorical))]
    found.sort(key=lambda row: -row["share"])
    worth = [row for row in found if row["share"] >= WORTH][:3]
    lines = tuple(
        Line("differ in" if k == 0 else "", _sentence(row), only=("rejected",))
        for k, row in enumerate(worth)
    )
    title = "columns by the share of the difference that follows each alone (no p-values)"
    return [Table("witness", found, COLUMNS, title, lines)]


def _sentence(row: dict[str, Any]) -> str:
    ends = [f"{what} rows at {row[what]}" for what in ("more", "fewer") if row[what]]
    return f"{printable(row['column'])} ({100 * row['share']:.0f} %): {', '.join(ends)}"


def _numeric(sample: Sample, c: int, w: Array) -> dict[str, Any]:
    x, name = sample.values[:, c], sample.columns[c]
    cuts = np.unique(np.quantile(x, np.arange(1, PARTS) / PARTS, method="lower"))
    place = np.searchsorted(cuts, x, side="left")
    kind = sample.kinds.get(name, "")

    def words(k: int) -> str:
        held = x[place == k]
        low, high = (value_text(v, kind) for v in (held.min(), held.max()))
        return low if low == high else f"{low} to {high}"

    return _row(name, place, w, words)


def _levelled(sample: Sample, c: int, w: Array) -> dict[str, Any]:
    levels = sample.levels[c]
    return _row(
        sample.categorical[c], sample.codes[:, c].astype(np.int64), w, lambda k: shown(levels[k])
    )


def _row(name: str, place: Whole, w: Array, words: Any) -> dict[str, Any]:
    """The share of the variance of w between the places, and the places of its extremes.

    The share is less what as many places of chance would have.
    """
    counts = np.bincount(place)
    there = np.flatnonzero(counts)
    means = np.bincount(place, w)[there] / counts[there]
    between = float(counts[there] @ (means - w.mean()) ** 2) / (len(w) * float(w.var()))
    least, most = int(means.argmin()), int(means.argmax())
    return {
        "column": name,
        "share": max(0.0, 1 - (1 - between) * (len(w) - 1) / max(len(w) - len(there), 1)),
        "more": words(there[least]) if means[least] < 0 else None,
        "fewer": words(there[most]) if means[most] > 0 else None,
    }
