"""One statistic out of many kernels, so that there is no bandwidth to choose.

Every rule here treats the observed permutation like any other, so that the aggregated statistic is
exchangeable over the permutations whenever the single ones are: the p-value is valid at every
sample size, without splitting the data and without a second set of permutations (except
`mmdagg`, whose published form has one).

Notation: T_kb is the statistic of kernel k under permutation b, b = 0 the observed one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Statistics = NDArray[np.float64]

# A kernel whose statistic does not vary over the permutations by more than rounding says nothing.
# Comparing it would compare rounding errors.
ROUNDING = 1e-12

# Eigenvalues far below the largest one are mostly rounding and the luck of the permutations drawn.
# Chosen by power (benchmarks/power.py): 0.0003 to 0.003 differ little.
RIDGE = 1e-3


def informative(T: Statistics, size: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Kernels whose statistic varies: a rule that does not depend on the permutation.

    Parameters
    ----------
    T : ndarray (K, B + 1)
    size : ndarray (K,)
        Root mean square of the kernel's off-diagonal values; 0 if they vanish.
    """
    return np.asarray((size > 0) & (T.std(axis=1) > ROUNDING * size), dtype=np.bool_)


def aggregate(T: Statistics, size: NDArray[np.float64], rule: str, smaller: int) -> Statistics:
    """Combine the statistics of several kernels under every permutation.

    Parameters
    ----------
    T : ndarray (K, B + 1)
        All kernels informative.
    size : ndarray (K,)
        Root mean square of each kernel's off-diagonal values.
    rule : str
        One of `AGGREGATES`.
    smaller : int
        Rows of the smaller sample (used by ``fuse``).

    Returns
    -------
    ndarray (B' + 1,)
        Observed first; B' = B except for ``mmdagg``, which spends half of the permutations on
        its first stage.
    """
    return AGGREGATES[rule](T, size, smaller)


def _studentised(T: Statistics, size: NDArray[np.float64], smaller: int) -> Statistics:
    """S(max_k z_kb) + S(max_k w_kb), S standardising over the permutations.

    z_kb = (T_kb - mean_b T_kb) / sd_b T_kb finds what stands out against its own null, which
    favours smooth changes; w_kb = T_kb / size_k (as in MMD-FUSE) favours narrow kernels.
    """
    z = studentise(T)
    w = T / size[:, None]
    return standardise(z.max(axis=0)) + standardise(w.max(axis=0))


def _mahalanobis(T: Statistics, size: NDArray[np.float64], smaller: int) -> Statistics:
    """S(+-M_b) + S(max_k w_kb) / 4, M_b the distance of the z_kb from their mean over permutations.

    |M_b| = sum_i (v_i' z_b)^2 / (l_i + RIDGE l_1), with l_i, v_i the eigenvalues (largest first)
    and eigenvectors of the correlation of the kernels' statistics over the permutations; M_b is
    positive if some z_kb is, else negative: samples that agree more closely than draws of one
    distribution would, such as a file and its copy, are no evidence of a difference.

    Statistics of neighbouring bandwidths are nearly equal under the null, so a contrast between
    them is a sensitive sign, which no maximum sees: a change of scale, for example, raises narrow
    kernels and not wide ones. The small share of max w (see `_studentised`) adds power against
    narrow bumps. Mahalanobis aggregation of kernels: Chatterjee and Bhattacharya (2023, arXiv
    2302.13024), with an asymptotic covariance; here the permutations give it, so the test is exact.
    """
    w = T / size[:, None]
    return standardise(signed_distance(T)) + standardise(w.max(axis=0)) / 4


def signed_distance(T: Statistics) -> Statistics:
    """Return M_b of `_mahalanobis` for statistics (K, B + 1) that all vary."""
    z = studentise(T)
    values, vectors = np.linalg.eigh(z @ z.T / z.shape[1])
    along = vectors.T @ z
    distance = np.einsum("ib,ib,i->b", along, along, 1 / (values + RIDGE * values[-1]))
    distance[z.max(axis=0) <= 0] *= -1
    return np.asarray(distance)


def _fuse(T: Statistics, size: NDArray[np.float64], smaller: int) -> Statistics:
    """MMD-FUSE: a soft maximum of T_k / size_k (Biggs, Schrab, Gretton 2023, arXiv 2306.08777).

    (1 / lambda) log mean_k exp(lambda T_kb / size_k) with lambda = sqrt(n (n - 1)), n the rows
    of the smaller sample.
    """
    temperature = np.sqrt(smaller * (smaller - 1.0))
    exponents = temperature * T / size[:, None]
    top = exponents.max(axis=0)
    return np.asarray((top + np.log(np.exp(exponents - top).mean(axis=0))) / temperature)


def _min_p(T: Statistics, size: NDArray[np.float64], smaller: int) -> Statistics:
    """- min_k p_kb, with p_kb the rank of T_kb among all permutations (Westfall and Young 1993).

    The single-set form of MMDAgg with equal weights.
    """
    return np.asarray(-np.array([_ranks(row, row) for row in T]).min(axis=0))


def _mmdagg(T: Statistics, size: NDArray[np.float64], smaller: int) -> Statistics:
    """MMDAgg with two sets of permutations (Schrab et al. 2023, arXiv 2110.15073).

    The first half of the permutations gives each kernel's null distribution, the second half the
    distribution of the smallest p-value, which replaces the published bisection for one level by a
    p-value for all. Equal weights.
    """
    half = 1 + (T.shape[1] - 1) // 2
    ranks = [_ranks(np.r_[row[0], row[half:]], row[1:half]) for row in T]
    return np.asarray(-np.array(ranks).min(axis=0))


def _ranks(values: Statistics, distribution: Statistics) -> Statistics:
    """Share of `distribution` at or above each value, within rounding of equal values."""
    ordered = np.sort(distribution)
    tolerance = 100 * np.finfo(np.float64).eps * ordered.std()
    return np.asarray(
        (len(distribution) - np.searchsorted(ordered, values - tolerance)) / len(distribution)
    )


def studentise(T: Statistics) -> Statistics:
    """Every kernel in units of its own spread over the permutations, around its own mean."""
    return np.asarray((T - T.mean(axis=1, keepdims=True)) / T.std(axis=1, keepdims=True))


def standardise(values: Statistics) -> Statistics:
    """One statistic around its mean over the permutations, in units of its spread."""
    spread = values.std()
    return (values - values.mean()) / spread if spread > 0 else np.zeros_like(values)


AGGREGATES: dict[str, Callable[[Statistics, NDArray[np.float64], int], Statistics]] = {
    "mahalanobis": _mahalanobis,
    "studentised": _studentised,
    "fuse": _fuse,
    "minp": _min_p,
    "mmdagg": _mmdagg,
}
