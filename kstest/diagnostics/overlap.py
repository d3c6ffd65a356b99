"""Rows that two samples share: one file, the same stretches, or more equal rows than chance."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from ..errors import DataError
from ..sample import Sample
from .digests import row_hashes

# Rows in file order that are compared as one: chance does not repeat them.
STRETCH = 8
# Share of the pool that may coincide with the reference beyond what the reference does with itself.
OVERLAP = 0.01


def require_disjoint(reference: Sample, pool: Sample) -> None:
    """Refuse a pool that holds rows of the reference.

    Rows of the reference fit it too well, so that a distribution of the null from them would let
    good batches alarm. Equal rows may be chance where columns take few values, so the pool may
    repeat as many as one half of the reference repeats of the other, and twice that; stretches of
    rows that both have in the same order are no chance.
    """
    digests = {i.sha256: i.path for i in reference.inputs if i.sha256 is not None}
    for source in pool.inputs:
        if source.sha256 in digests:
            raise DataError(
                f"pool: {source.path} and {digests[source.sha256]} of the reference are the same "
                "file; give good events that are not in the reference"
            )
    a, b = _hashes(reference), _hashes(pool)
    share = float(np.isin(b, a).mean())
    shuffled = np.random.default_rng(0).permutation(a)
    half = len(a) // 2
    chance = float(np.isin(shuffled[:half], shuffled[half:]).mean()) if half else 0.0
    runs = _stretches(a), _stretches(b)
    known, counts = np.unique(runs[0], return_counts=True)
    repeated = float(np.isin(runs[1], known[counts == 1]).mean()) if len(runs[1]) else 0.0
    if share > 2 * chance + OVERLAP or repeated > OVERLAP:
        raise DataError(
            f"pool: {100 * max(share, repeated):.3g} % of its rows are in the reference, too; give "
            "good events that are not in the reference"
        )


def _hashes(sample: Sample) -> Any:
    """A number per row; categories by their text, as codes differ between samples."""
    order = np.argsort(sample.columns)
    parts = [sample.values[:, order]]
    for k in np.argsort(sample.categorical):
        texts = [float(hash_text(level)) for level in (*sample.levels[k], "")]
        parts.append(np.array(texts)[sample.codes[:, k]][:, None])
    return row_hashes(np.hstack(parts))


def hash_text(text: str) -> int:
    """A number below 2^52 that is the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big")


def _stretches(hashes: Any) -> Any:
    """A number for every stretch of consecutive rows."""
    n = len(hashes) - STRETCH + 1
    if n < 1:
        return np.empty(0, np.uint64)
    total = np.zeros(n, np.uint64)
    for k in range(STRETCH):
        total = total * np.uint64(0x100000001B3) + hashes[k : k + n]
    return total
