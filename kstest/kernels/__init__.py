"""Kernels: how similar two rows are, as a profile of a distance.

A kernel is one entry in `radial.KERNELS`: a geometry (which distance), a profile phi(u) of the
scaled distance u, and where they are known its derivatives and frequencies; `compiled` has the
branches of the compiled loops. Every test takes it from there, and a test that needs more than a
kernel has refuses it by `lacking`. The room also holds what surrounds a kernel:
`rows` puts numbers and categories side by side, `scaling` gives columns comparable units,
`bandwidths` chooses the widths to try.

Nothing here walks over all pairs of rows; that is the engine's work.
"""

from .bandwidths import (
    BandwidthGrid,
    bandwidth_grid,
    choose,
    median_distance,
    pair_distances,
    stein_bandwidths,
)
from .radial import KERNELS, NEEDS, Kernel, lacking, missing, serving
from .rows import MISMATCH, Rows
from .scaling import SCALES, Units, robust_spread, scale_columns

__all__ = [
    "KERNELS",
    "MISMATCH",
    "NEEDS",
    "SCALES",
    "BandwidthGrid",
    "Kernel",
    "Rows",
    "Units",
    "bandwidth_grid",
    "choose",
    "lacking",
    "median_distance",
    "missing",
    "pair_distances",
    "robust_spread",
    "scale_columns",
    "serving",
    "stein_bandwidths",
]
