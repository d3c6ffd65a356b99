"""Null distributions: what the statistic would do if the null hypothesis were true.

- `partition`: which rows move together, and the permutations drawn (two samples);
- `pairings`: the same for blocks of columns, whose rows are paired anew;
- `blocks`: the same where the data say what moves together: groups, stretches of time;
- `aggregate`: one statistic out of many kernels, from the permutations that are there anyway;
- `wild`: random signs for one-sample tests;
- `several`: many tests from the same permutations, corrected for their number;
- `online`: levels of tests that never end, for the share of false ones among the rejections;
- `bounds`, `rank_bounds`: p-values of effects that are not zero, and their confidence bounds;
- `calibrate`: p-value and threshold from observed and replicated statistics.

Convention of the whole room: column 0 is the observed statistic, the columns 1..B its replicates.
"""

from .aggregate import AGGREGATES, aggregate, informative
from .blocks import group_partition, time_partition
from .calibrate import p_value, threshold, varies
from .partition import BINS, Partition, bin_size, partition, permuted_labels
from .several import (
    CORRECTIONS,
    ENOUGH,
    besag_clifford,
    holm,
    holm_adjusted,
    replicates,
    step_down,
    tie_ranks,
)
from .wild import SIGN_BINS, chain_bins, independent_signs, markov_signs, sign_bins

__all__ = [
    "AGGREGATES",
    "BINS",
    "CORRECTIONS",
    "ENOUGH",
    "SIGN_BINS",
    "Partition",
    "aggregate",
    "besag_clifford",
    "bin_size",
    "chain_bins",
    "group_partition",
    "holm",
    "holm_adjusted",
    "independent_signs",
    "informative",
    "markov_signs",
    "p_value",
    "partition",
    "permuted_labels",
    "replicates",
    "sign_bins",
    "step_down",
    "threshold",
    "tie_ranks",
    "time_partition",
    "varies",
]
