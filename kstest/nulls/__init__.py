"""Null laws: what the statistic would do if the null hypothesis were true.

- `partition`: which rows move together, and the labellings drawn;
- `wild`: random signs for one-sample tests;
- `aggregate`: one statistic out of many kernels, from the labellings that are there anyway;
- `calibrate`: p-value and threshold from observed and replicated statistics.

Convention of the whole room: column 0 is the observed statistic, the columns 1..B its replicates.
"""

from .aggregate import AGGREGATES, aggregate, informative
from .calibrate import p_value, threshold
from .partition import BINS, Partition, bin_size, labellings, partition
from .wild import SIGN_BINS, independent_signs, markov_signs, sign_bins

__all__ = [
    "AGGREGATES",
    "BINS",
    "SIGN_BINS",
    "Partition",
    "aggregate",
    "bin_size",
    "independent_signs",
    "informative",
    "labellings",
    "markov_signs",
    "p_value",
    "partition",
    "sign_bins",
    "threshold",
]
