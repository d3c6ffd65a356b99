"""Kernels: how similar two rows are, as a profile of a distance.

A kernel is one entry in `radial.KERNELS`: a geometry (which distance) and a profile phi(u) of the
scaled distance u. Every test uses it from there. The room also holds what surrounds a kernel:
`rows` puts numbers and categories side by side, `scaling` gives columns comparable units,
`bandwidths` chooses the widths to try.

Nothing here walks over all pairs of rows; that is the engine's work.
"""

from .bandwidths import Bank, choose, ladder, pair_distances, stein_bandwidths
from .radial import KERNELS, Kernel
from .rows import MISMATCH, Rows
from .scaling import SCALES, robust_spread, scale_columns
from .whitening import Whitening, whitening

__all__ = [
    "KERNELS",
    "MISMATCH",
    "SCALES",
    "Bank",
    "Kernel",
    "Rows",
    "Whitening",
    "choose",
    "ladder",
    "pair_distances",
    "robust_spread",
    "scale_columns",
    "stein_bandwidths",
    "whitening",
]
