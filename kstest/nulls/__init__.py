"""Null laws: what the statistic would do if the null hypothesis were true.

- `partition`: which rows move together, and the labellings drawn (two samples);
- `pairings`: the same for blocks of columns, whose rows are paired anew;
- `aggregate`: one statistic out of many kernels, from the labellings that are there anyway;
- `calibrate`: p-value and threshold from observed and replicated statistics.

Convention of the whole room: column 0 is the observed statistic, the columns 1..B its replicates.
"""

from .aggregate import AGGREGATES, aggregate, informative
from .calibrate import p_value, threshold
from .pairings import PAIR_BINS, Grid, Pairing, grid, pair_rows, table
from .partition import BINS, Partition, bin_size, labellings, partition

__all__ = [
    "AGGREGATES",
    "BINS",
    "PAIR_BINS",
    "Grid",
    "Pairing",
    "Partition",
    "aggregate",
    "bin_size",
    "grid",
    "informative",
    "labellings",
    "p_value",
    "pair_rows",
    "partition",
    "table",
    "threshold",
]
