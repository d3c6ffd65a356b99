"""Two-sample test by the maximum mean discrepancy (MMD) over many bandwidths.

Null hypothesis: the rows of both samples are exchangeable, for example independent draws from
one distribution. `run` reads like the method: scale, cut into bins, choose bandwidths, sum the
kernels once, evaluate all labellings, combine the kernels, calibrate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..engine import Forms, Work, quadratic_forms
from ..errors import UsageError
from ..kernels import KERNELS, SCALES, Bank, choose, pair_distances, scale_columns
from ..nulls import (
    AGGREGATES,
    BINS,
    Partition,
    aggregate,
    bin_size,
    informative,
    labellings,
    p_value,
    partition,
    threshold,
)
from ..params import alpha, check_common, option, permutations, seed
from ..result import Notice, Result
from ..sample import Sample
from .common import (
    DISTANCE_ROWS,
    bandwidth_numbers,
    fingerprint,
    kernel_names,
    serial_dependence,
)

SAMPLES = ("reference", "sample")
EXAMPLE = "kstest mmd reference.parquet batch.csv --columns 'temp,rate'"
REFERENCES = """\
@article{gretton2012kernel,
  title   = {A Kernel Two-Sample Test},
  author  = {Gretton, Arthur and Borgwardt, Karsten M. and Rasch, Malte J. and
             Sch{\\"o}lkopf, Bernhard and Smola, Alexander},
  journal = {Journal of Machine Learning Research},
  volume  = {13}, number = {25}, pages = {723--773}, year = {2012}
}
@inproceedings{biggs2023mmdfuse,
  title     = {{MMD-FUSE}: Learning and Combining Kernels for Two-Sample Testing Without Data
               Splitting},
  author    = {Biggs, Felix and Schrab, Antonin and Gretton, Arthur},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {36}, year = {2023}, note = {arXiv:2306.08777}
}
@article{schrab2023mmdagg,
  title   = {{MMD} Aggregated Two-Sample Test},
  author  = {Schrab, Antonin and Kim, Ilmun and Albert, M{\\'e}lisande and Laurent, B{\\'e}atrice
             and Guedj, Benjamin and Gretton, Arthur},
  journal = {Journal of Machine Learning Research},
  volume  = {24}, number = {194}, pages = {1--81}, year = {2023}
}
@inproceedings{domingoenrich2025cheap,
  title     = {Cheap Permutation Testing},
  author    = {Domingo-Enrich, Carles and Dwivedi, Raaz and Mackey, Lester},
  year      = {2025}, note = {arXiv:2502.07672}
}
"""

# A test that does not reject has not shown that the distributions are the same.
_SENTENCES = {
    True: "the samples differ: they are not draws from one distribution",
    False: "no evidence at this level that the samples' distributions differ",
}


@dataclass(frozen=True)
class Params:
    """Options of `run`; see the help of each field."""

    alpha: float = alpha()
    permutations: int = permutations()
    seed: int = seed()
    kernel: str = option(
        "gaussian",
        f"Kernel, or several separated by commas: {', '.join(KERNELS)}.",
        metavar="NAME[,NAME...]",
    )
    bandwidth: str = option(
        "aggregate",
        "Bandwidths: a ladder of them, combined (aggregate); one, the median distance of the "
        "pooled rows (median); or numbers, in units of the scaled columns.",
        metavar="aggregate|median|NUMBER[,NUMBER...]",
    )
    aggregate: str = option(
        "studentised", "How several kernels become one statistic.", choices=tuple(AGGREGATES)
    )
    scale: str = option(
        "robust",
        "Unit of each column: pooled median absolute deviation, standard deviation, or as it is.",
        choices=SCALES,
    )
    permute: str = option(
        "auto",
        "Permute rows, or random bins of rows (as valid, and the cost no longer grows with their "
        f"number); auto takes rows while the smaller sample has fewer than {2 * BINS}.",
        choices=("auto", "rows", "bins"),
    )
    bins: int = option(BINS, "Bins of the smaller sample, at least, when bins are permuted.")

    def __post_init__(self) -> None:
        check_common(self)
        if not 2 <= self.bins <= BINS * 4:
            raise UsageError(f"--bins {self.bins}: give a whole number from 2 to {BINS * 4}")
        kernel_names(self.kernel)
        bandwidth_numbers(self.bandwidth, "--bandwidth")


def run(samples: Sequence[Sample], params: Params, rng: np.random.Generator, work: Work) -> Result:
    """Test whether two samples are draws from the same distribution.

    Parameters
    ----------
    samples : two Samples
        With the same columns; m and n rows, d columns.
    params : Params
    rng : numpy.random.Generator
    work : Work

    Returns
    -------
    Result
        With one kernel and one bandwidth the statistic is the unbiased estimate of MMD^2,

            sum_{i != j} k(x_i, x_j) / (m (m - 1)) + sum_{i != j} k(y_i, y_j) / (n (n - 1))
            - 2 sum_{i, j} k(x_i, y_j) / (m n);

        with several it is their aggregate, without a unit. No verdict if either sample has
        fewer than 2 rows, or too few labellings exist to reach p <= alpha.

    Notes
    -----
    Exact: p <= alpha has probability at most alpha at every m, n and d, over the data and the
    seed, if rows are exchangeable under the null; ties and heavy tails do no harm. Scaling,
    bandwidths and the choice of informative kernels use the pooled rows without their labels.
    Rows that depend on their neighbours in time are not exchangeable: a warning says so.

    Rows are sorted by value before they are shuffled with the seed, so the answer does not
    depend on their order in the file, nor on which sample is called the reference.

    References
    ----------
    Gretton et al. (2012), JMLR 13; aggregation as described in `kstest.nulls.aggregate`; bins as
    in Domingo-Enrich, Dwivedi, Mackey (2025), arXiv 2502.07672.

    Examples
    --------
    >>> import kstest, numpy
    >>> rng = numpy.random.default_rng(1)
    >>> X, Y = rng.normal(size=(200, 2)), rng.normal(size=(200, 2)) + [0, 0.5]
    >>> kstest.mmd(X, Y).verdict
    'rejected'
    """
    base = Result(
        method="mmd",
        verdict="no verdict",
        alpha=params.alpha,
        n={s.name: s.n for s in samples},
        d=len(samples[0].columns),
        columns=samples[0].columns,
    )
    few = _too_few(samples, params)
    if few:
        return _refused(base, few)

    first, second = _canonical(samples)
    m, n = len(first), len(second)
    # Sorted data would meet the same shuffles in every data set, and the level would be that of
    # one set of permutations; so the pooled rows, which know no labels, enter the seed.
    drawn = int(rng.integers(2**63))
    rng = np.random.default_rng([drawn, fingerprint(first) + fingerprint(second)])
    cut = _partition(m, n, params, rng)
    if cut.distinct < 1 / params.alpha:
        return _refused(base, _too_few_labellings(cut, m, n, params))
    rows = scale_columns(np.concatenate([first, second]), params.scale)
    dependent = serial_dependence(samples)
    rows = rows[cut.order]

    banks = _banks(rows, params, rng)
    published_mmdagg = params.aggregate == "mmdagg" and sum(map(len, banks)) > 1
    signs = labellings(cut, params.permutations * (2 if published_mmdagg else 1), rng)
    forms = quadratic_forms(rows, cut.starts, signs, banks, work)
    T = unbiased_mmd(forms, m, n)
    size = np.sqrt(forms.squares / ((m + n) * (m + n - 1)))

    kernels = [(bank.kernel.name, h) for bank in banks for h in bank.bandwidths]
    keep = informative(T, size)
    if not keep.any():
        return _constant(base, cut, params, kernels, dependent)
    combined = (
        T[keep][0]
        if len(kernels) == 1
        else aggregate(T[keep], size[keep], params.aggregate, min(m, n))
    )
    p = p_value(combined)
    return replace(
        base,
        verdict="rejected" if p <= params.alpha else "not rejected",
        statistic=float(combined[0]),
        p_value=p,
        threshold=threshold(combined, params.alpha),
        kernel=_kernel_block(kernels, params),
        null=_null_block(cut, params),
        explanation={"summary": _SENTENCES[p <= params.alpha], **_explanation(T, keep, kernels)},
        warnings=dependent,
    )


def unbiased_mmd(forms: Forms, m: int, n: int) -> NDArray[np.float64]:
    """Return the U-statistic MMD^2 of every kernel and labelling; shape (L, B + 1).

    With v = +1 on the m rows of one sample and -1 on the n of the other, and K0 the kernel
    matrix without its diagonal, the within and between sums are (t + 2 r + q) / 4,
    (t - 2 r + q) / 4 and (t - q) / 4, where t = 1'K0 1, r = 1'K0 v, q = v'K0 v.
    """
    t, r, q = forms.total[:, None], forms.linear, forms.quadratic
    within_x, within_y, between = (t + 2 * r + q) / 4, (t - 2 * r + q) / 4, (t - q) / 4
    return np.asarray(within_x / (m * (m - 1)) + within_y / (n * (n - 1)) - 2 * between / (m * n))


def _canonical(samples: Sequence[Sample]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both samples' rows in sorted order, the smaller (or, tied, the lesser) sample first."""
    a, b = (s.values[np.lexsort(s.values.T[::-1])] for s in samples)
    if len(a) != len(b):
        return (a, b) if len(a) < len(b) else (b, a)
    different = np.argmax((a != b).ravel())
    return (a, b) if a.ravel()[different] <= b.ravel()[different] else (b, a)


def _partition(m: int, n: int, params: Params, rng: np.random.Generator) -> Partition:
    smaller = min(m, n)
    if params.permute == "rows":
        return partition(m, n, 1, rng, most=None)
    size = bin_size(smaller, params.bins)
    return partition(m, n, size, rng)


def _banks(rows: NDArray[np.float64], params: Params, rng: np.random.Generator) -> list[Bank]:
    """Kernels and bandwidths; rows are in an order that says nothing about their sample."""
    if len(rows) > DISTANCE_ROWS:
        rows = rows[rng.choice(len(rows), DISTANCE_ROWS, replace=False)]
    banks = []
    for name in kernel_names(params.kernel):
        kernel = KERNELS[name]
        numbers = bandwidth_numbers(params.bandwidth, "--bandwidth")
        if not kernel.has_bandwidth:
            banks.append(Bank(kernel, (1.0,)))
        elif numbers:
            banks.append(Bank(kernel, numbers))
        else:
            distances = pair_distances(rows, kernel.geometry)
            banks.append(choose(kernel, distances, params.bandwidth, params.aggregate))
    return banks


def _too_few(samples: Sequence[Sample], params: Params) -> str:
    small = [s for s in samples if s.n < 2]
    if not small:
        return ""
    found = " and ".join(f"{s.n} row{'s' * (s.n != 1)} in the {s.name}" for s in small)
    other = max(s.n for s in samples)
    return (
        f"{found}: the test needs at least 2, and {_enough(other, params.alpha)} to reject at "
        f"level {params.alpha}"
    )


def _enough(other: int, level: float) -> str:
    """How many rows a side must have, against `other` rows, for 1 / level labellings."""
    if other >= 2:
        for k in range(2, other):
            if math.comb(other + k, k) >= 1 / level:
                return f"{k} rows against {other}"
    k = 2
    while math.comb(2 * k, k) // 2 < 1 / level:
        k += 1
    return f"{k} rows on both sides"


def _too_few_labellings(cut: Partition, m: int, n: int, params: Params) -> str:
    what = "rows" if cut.size == 1 else "bins"
    text = (
        f"{m} against {n} rows: only {cut.distinct} different labellings of the {what} exist, "
        f"so no p-value can reach {params.alpha}"
    )
    if cut.size > 1:
        return f"{text}; raise --bins or use --permute rows"
    return f"{text}; it takes {_enough(max(m, n), params.alpha)}"


def _refused(base: Result, why: str) -> Result:
    explanation = {"summary": "too few rows to decide"}
    return replace(base, explanation=explanation, warnings=(Notice("too-few-rows", why),))


def _constant(
    base: Result,
    cut: Partition,
    params: Params,
    kernels: list[tuple[str, float]],
    notices: tuple[Notice, ...],
) -> Result:
    """No labelling differs from another: p = 1, which is exact, and a word about it."""
    return replace(
        base,
        verdict="not rejected",
        statistic=0.0,
        p_value=1.0,
        kernel=_kernel_block(kernels, params),
        null=_null_block(cut, params),
        explanation={"summary": _SENTENCES[False]},
        warnings=(
            Notice(
                "constant-statistic",
                "the statistic is the same under every labelling of the rows, as when all rows "
                "are equal or the bandwidth is far below or above their distances",
            ),
            *notices,
        ),
    )


def _kernel_block(kernels: list[tuple[str, float]], params: Params) -> dict[str, object]:
    names = {name for name, _ in kernels}
    return {
        "name": ",".join(name for name in KERNELS if name in names),
        "bandwidths": [h if KERNELS[name].has_bandwidth else None for name, h in kernels],
        "aggregate": params.aggregate if len(kernels) > 1 else None,
        "scale": params.scale,
    }


def _null_block(cut: Partition, params: Params) -> dict[str, object]:
    return {
        "scheme": "permutation of rows" if cut.size == 1 else "permutation of bins of rows",
        "replicates": params.permutations,
        "exact": True,
        "bins": cut.movable,
        "rows_per_bin": cut.size,
    }


def _explanation(
    T: NDArray[np.float64], keep: NDArray[np.bool_], kernels: list[tuple[str, float]]
) -> dict[str, object]:
    """MMD^2 of each kernel in units of its null's spread, and the kernel where it is largest."""
    rows: list[dict[str, object]] = []
    best, best_z = -1, -math.inf
    for l, (name, h) in enumerate(kernels):
        z = float((T[l, 0] - T[l].mean()) / T[l].std()) if keep[l] else None
        bandwidth = h if KERNELS[name].has_bandwidth else None
        rows.append({"kernel": name, "bandwidth": bandwidth, "mmd2": float(T[l, 0]), "z": z})
        if z is not None and z > best_z:
            best, best_z = l, z
    return {"strongest": rows[best], "kernels": rows}
