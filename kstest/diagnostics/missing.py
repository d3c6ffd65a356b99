"""Cells that are missing, and weights, in one sample other than in the other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..result import Notice
from ..sample import Sample

Array = NDArray[np.float64]

# A warning beside the verdict: rarer than the test's own false alarms.
MISSINGNESS_LEVEL = 0.01


def weights_differ(weights: Array, m: int) -> float:
    """p-value of a Kolmogorov-Smirnov test of the first m weights against the others.

    Asymptotic, and conservative where weights are tied.
    """
    from scipy.special import kolmogorov

    a, b = np.sort(weights[:m]), np.sort(weights[m:])
    both = np.concatenate([a, b])
    share_a = np.searchsorted(a, both, side="right") / len(a)
    share_b = np.searchsorted(b, both, side="right") / len(b)
    distance = np.abs(share_a - share_b).max()
    return float(kolmogorov(distance * math.sqrt(len(a) * len(b) / len(both))))


def missingness(samples: Sequence[Sample]) -> tuple[Notice, ...]:
    """Warn when one sample misses more cells than the other, whatever the test makes of them.

    Fisher's exact test per column that has missing cells, Bonferroni over these columns.
    """
    names = sorted(set().union(*(s.n_missing for s in samples)))
    rows = [s.n + s.n_dropped for s in samples]
    worst: tuple[float, str, list[int]] | None = None
    for name in names:
        missing = [s.n_missing.get(name, 0) for s in samples]
        share = sum(missing) / sum(rows)
        spread = math.sqrt(share * (1 - share) * (1 / rows[0] + 1 / rows[1]))
        # scipy.stats takes a second to import: only for what might be worth a warning.
        if abs(missing[0] / rows[0] - missing[1] / rows[1]) <= 2 * spread:
            continue
        from scipy.stats import fisher_exact

        table = np.array([missing, np.subtract(rows, missing)])
        p = min(1.0, len(names) * float(fisher_exact(table).pvalue))
        if p <= MISSINGNESS_LEVEL and (worst is None or p < worst[0]):
            worst = (p, name, missing)
    if worst is None:
        return ()
    p, name, missing = worst
    shares = " and ".join(
        f"{100 * k / n:.3g} % of the {s.name}"
        for k, n, s in zip(missing, rows, samples, strict=True)
    )
    return (
        Notice(
            "missingness-differs",
            f"column {name!r} is missing in {shares} (p = {p:.2g}): the samples differ in what is "
            "missing, apart from what their values say",
        ),
    )
