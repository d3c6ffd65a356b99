"""Likelihood ratios learned by a kernel model, and the distribution of their test statistic.

Are N events a batch of what a reference sample shows? The log density ratio f of batch and
reference is learned by weighted logistic regression on both, and the statistic is twice the log
likelihood ratio that f gives, with the same events that f was learned from: the New Physics
Learning Machine with kernels (Letizia et al. 2022, arXiv 2204.02317; for detectors Grosso et al.
2023, arXiv 2303.05413). As it is evaluated where it was learned, its null distribution has to be
found first: by toy batches, or from the spectrum of the features.

::

    reference --> features --> moments --+
                     |                   +--> fit: a --> statistic t, one per width --> combine
    batch, toys -----+--> features ------+                    |
                                                     distribution: weights of chi-squareds

`features` whitens kernel values at a few centres, so that the model is linear and the penalty a
plain ridge; `reference` is the side that never changes, computed once; `fit` solves, in one Newton
step or to convergence; `distribution` is the null distribution without toys; `combine` makes one
statistic of several widths; `toys` draws batches, `finite_pool` knows what they share; `explain`
takes a fit apart.

Nothing here knows of files, columns or verdicts: see `kstest.dqm`.
"""

from .combine import COMBINATIONS, combine, combined_tail
from .distribution import QuadraticDistribution, null_distribution
from .features import Features, choose_centres, choose_features, choose_widths, nystrom
from .fit import Fit, newton, one_step
from .reference import Reference, statistics
from .toys import DRAWS, Pool, draw_indices, toy_statistics

__all__ = [
    "COMBINATIONS",
    "DRAWS",
    "Features",
    "Fit",
    "Pool",
    "QuadraticDistribution",
    "Reference",
    "choose_centres",
    "choose_features",
    "choose_widths",
    "combine",
    "combined_tail",
    "draw_indices",
    "newton",
    "null_distribution",
    "nystrom",
    "one_step",
    "statistics",
    "toy_statistics",
]
