"""What several tests say about their data."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..kernels import scale_columns
from ..result import Notice
from ..sample import Sample

# Autocorrelation below this does little harm even when it is significant.
SMALLEST = 0.1
# Share of independent data sets in which the warning may appear.
FALSE_WARNINGS = 1e-3
# Values are cut here (in robust standard deviations), so that one outlier decides nothing.
CUT = 3.0


def serial_dependence(samples: Sequence[Sample]) -> tuple[Notice, ...]:
    """Warn when rows look like their neighbours in the file.

    The sign: the lag-1 autocorrelation of a column, in file order, above 0.1 and beyond what
    independent rows show in one of 1,000 data sets (normal tail bound, Bonferroni over columns).
    """
    worst: tuple[float, str, str] | None = None
    for sample in samples:
        if sample.n < 20:
            continue
        bound = math.sqrt(2 * math.log(2 * len(sample.columns) * len(samples) / FALSE_WARNINGS))
        x = np.clip(scale_columns(sample.values, "robust"), -CUT, CUT)
        x -= x.mean(axis=0)
        variance = np.einsum("ij,ij->j", x, x)
        lagged = np.einsum("ij,ij->j", x[1:], x[:-1])
        r = np.divide(lagged, variance, out=np.zeros_like(lagged), where=variance > 0)
        c = int(np.argmax(np.abs(r)))
        strong = abs(r[c]) > max(SMALLEST, bound / math.sqrt(sample.n))
        if strong and (worst is None or abs(r[c]) > abs(worst[0])):
            worst = (float(r[c]), sample.columns[c], sample.name)
    if worst is None:
        return ()
    return (
        Notice(
            "serial-dependence",
            f"neighbouring rows are alike (lag-1 autocorrelation {worst[0]:.2f} in column "
            f"{worst[1]!r} of the {worst[2]}). If the file is in order of time, rows are not "
            "exchangeable and false alarms are likely; if it is only sorted, ignore this",
        ),
    )
