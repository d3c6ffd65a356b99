"""Null laws: what the statistic would do if the null hypothesis were true.

- `partition`: which rows move together, and the labellings drawn;
- `blocks`: the same where the data say what moves together: groups, stretches of time;
- `aggregate`: one statistic out of many kernels, from the labellings that are there anyway;
- `wild`: random signs for one-sample tests;
- `several`: many tests from the same labellings, corrected for their number;
- `calibrate`: p-value and threshold from observed and replicated statistics.

Convention of the whole room: column 0 is the observed statistic, the columns 1..B its replicates.
"""

from .aggregate import AGGREGATES, aggregate, informative
from .blocks import group_partition, time_partition
from .calibrate import p_value, threshold
from .partition import BINS, Partition, bin_size, labellings, partition
from .several import CORRECTIONS, holm, step_down, tie_ranks
from .wild import SIGN_BINS, independent_signs, markov_signs, sign_bins

__all__ = [
    "AGGREGATES",
    "BINS",
    "CORRECTIONS",
    "SIGN_BINS",
    "Partition",
    "aggregate",
    "bin_size",
    "group_partition",
    "holm",
    "independent_signs",
    "informative",
    "labellings",
    "markov_signs",
    "p_value",
    "partition",
    "sign_bins",
    "step_down",
    "threshold",
    "tie_ranks",
    "time_partition",
]
