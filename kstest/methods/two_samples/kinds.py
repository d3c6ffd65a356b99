"""What differs between records: level, spread, speed of change ..., by permuted labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...findings import Column, Finding, Line, Table
from ...sample import Sample

PERMUTATIONS = 499


def kinds_found(samples: Sequence[Sample], alpha: float, rng: np.random.Generator) -> list[Finding]:
    """Name the kinds of features whose means differ, for a test of records that rejected.

    For each kind, such as ``x: shape``, the largest |z| of its features over the labels' random
    permutations; the smallest p-value of all kinds corrects for their number (Westfall and Young,
    1993). Records count alike, whatever their weights.
    """
    both = np.concatenate([s.values for s in samples])
    labels = np.repeat([1.0, 0.0], [samples[0].n, samples[1].n])
    spread = both.std(axis=0)
    vary = spread > 0
    scaled = (both - both.mean(axis=0))[:, vary] / spread[vary]
    drawn = np.stack([labels, *(rng.permutation(labels) for _ in range(PERMUTATIONS))], axis=1)
    z = np.abs(scaled.T @ drawn)
    kinds = np.array([_kind(name) for name in samples[0].columns])[vary]
    names = list(dict.fromkeys(kinds.tolist()))
    largest = np.stack([z[kinds == name].max(axis=0) for name in names])
    ranked = np.sort(largest, axis=1)
    below = [np.searchsorted(ranked[k], largest[k] * (1 - 1e-12)) for k in range(len(names))]
    p = 1 - np.stack(below) / ranked.shape[1]
    adjusted = (p.min(axis=0) <= p[:, :1] * (1 + 1e-12)).mean(axis=1)
    rows = [
        {"kind": name, "adjusted_p_value": float(a), "reject": bool(a <= alpha)}
        for name, a in zip(names, adjusted, strict=True)
    ]
    rows.sort(key=lambda row: row["adjusted_p_value"])  # stable
    told = [f"{row['kind']} (p {row['adjusted_p_value']:.3g})" for row in rows if row["reject"]]
    text = ", ".join(told) or "no kind of feature by itself"
    columns = (Column("kind", "kind of feature", width=28),
               Column("adjusted_p_value", "p, corrected"), Column("reject", "differs"))  # fmt: skip
    line = Line("kinds", text)
    return [Table("record_kinds", rows, columns, "Kinds of features of records", (line,))]


def _kind(feature: str) -> str:
    """A feature without its number: ``x: shape 3`` is of the kind ``x: shape``."""
    name, space, last = feature.rpartition(" ")
    return name if space and last.isdecimal() else feature
