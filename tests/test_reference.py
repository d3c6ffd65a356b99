"""Reference numbers from other implementations, on fixed rows and fixed permutations.

Made with the functions `fixed_rows` and `fixed_labellings` below (m = 12, n = 9, h = 1.3):

- Gaussian and Laplace: scikit-learn 1.9.1, `rbf_kernel(Z, gamma=1 / (2 * h**2))` and
  `laplacian_kernel(Z, gamma=1 / h)`, then the three averages of MMD^2_u. alibi-detect 0.13.0
  (`mmd2` with `GaussianRBF(sigma=h)`, torch 2.13.0) gives the same Gaussian numbers for all 100
  permutations to 1e-15, frouros 0.9.0 (`MMD` with `rbf_kernel(sigma=h)`) the observed one.
- Energy: dcor 0.7, `energy_distance(X, Y, estimation_stat=EstimationStatistic.U_STATISTIC)`.
- p: (1 + #{b >= 1: T_b >= T_0 - 1e-14}) / 100 from these packages' 100 values.
- Aggregates: over Gaussian kernels at h = 2.6, 1.3, 0.65 and Laplace kernels at 2, 1 from
  scikit-learn 1.9.1, with the formulas of Biggs, Schrab, Gretton 2023 (fuse, lambda =
  sqrt(n (n - 1)), n = 9) and Schrab et al. 2023 with equal weights (minp: one set of permutations;
  mmdagg: the first half gives the distributions, the second half calibrates).
"""

from __future__ import annotations

import naive
import numpy as np
import pytest

import kstest
from kstest.engine import Work, blocks, forms, quadratic_forms
from kstest.kernels import KERNELS, BandwidthGrid
from kstest.methods import mmd
from kstest.methods.two_samples.effect import Pairs, unbiased_mmd
from kstest.nulls import AGGREGATES, aggregate, p_value

M, N, H = 12, 9, 1.3

# kernel: observed, the first three permutations, p-value over 99 permutations
SINGLE = {
    "gaussian": (
        0.04662127176088754,
        [-0.08289014197504369, 0.09269068764859151, -0.048144569047390895],
        0.30,
    ),
    "laplace": (
        0.01568350850810571,
        [-0.0566892864778519, 0.08464401477006103, -0.035526159036052024],
        0.35,
    ),
    "energy": (
        -0.10576087314533389,
        [-0.4657074037525062, 0.40850005465601313, -0.19852416488993896],
        0.52,
    ),
}
# rule: permutations, p-value, observed statistic
AGGREGATED = {
    "fuse": (99, 0.35, 0.08579071109006521),
    "minp": (99, 0.39, -0.28),
    "mmdagg": (198, 0.30, -0.2727272727272727),
}


def fixed_rows():
    t = np.arange(1.0, 25.0)
    X = np.sin(7 * t**2).reshape(M, 2) * 2
    t = np.arange(41.0, 59.0)
    Y = np.sin(7 * t**2).reshape(N, 2) * 3.5 + [1.4, 0.7]
    return X, Y


def fixed_labellings(count):
    """Signs of the 21 rows, (21, count + 1): the first 12 rows of each ordering are X."""
    i = np.arange(1, M + N + 1)
    signs = np.full((M + N, count + 1), -1, np.int8)
    signs[:M, 0] = 1
    for b in range(1, count + 1):
        signs[np.argsort(np.sin(b * i**2), kind="stable")[:M], b] = 1
    return signs


def statistics(grids, count):
    """T of the engine, and the root mean square of the kernels from the naive matrix."""
    rows, starts = np.concatenate(fixed_rows()), np.arange(M + N + 1)
    signs = fixed_labellings(count)
    found = quadratic_forms(rows, starts, signs, grids, Work(threads=2))
    T = unbiased_mmd(found, Pairs.of(starts, signs, None))
    return T, root_mean_squares(rows, grids)


def root_mean_squares(rows, grids):
    kernels = [naive.kernel_matrix(rows, b.kernel.name, h) for b in grids for h in b.bandwidths]
    return np.sqrt([(K**2).sum() / (len(K) * (len(K) - 1)) for K in kernels])


@pytest.fixture(params=["numpy", "streamed", "compiled", "compiled product"])
def precision(request, monkeypatch):
    """Every way the engine can go; returns the relative precision to expect."""
    if request.param == "streamed":
        monkeypatch.setattr(forms, "MOST_STORED", 1)
    if request.param.startswith("compiled"):
        monkeypatch.setattr(blocks, "NUMPY_STEPS", 0)
        columns = 1 if request.param == "compiled product" else 10**9
        monkeypatch.setattr(blocks, "PRODUCT_COLUMNS", columns)
        monkeypatch.setattr(blocks, "PRODUCT_STEPS", 0)
    return 1e-12 if request.param == "numpy" else 1e-6


@pytest.mark.parametrize("name", SINGLE)
def test_statistic_and_p_value_of_one_kernel(name, precision):
    observed, first, p = SINGLE[name]
    width = H if KERNELS[name].has_bandwidth else 1.0
    T, _ = statistics([BandwidthGrid(KERNELS[name], (width,))], 99)
    np.testing.assert_allclose(T[0, :4], [observed, *first], rtol=0, atol=precision)
    assert p_value(T[0]) == p


@pytest.mark.parametrize("name", SINGLE)
def test_statistic_of_the_whole_test(name):
    width = str(H) if KERNELS[name].has_bandwidth else "aggregate"
    found = kstest.mmd(*fixed_rows(), kernel=name, bandwidth=width, scale="none")
    assert found.statistic == pytest.approx(SINGLE[name][0], abs=1e-12)


@pytest.mark.parametrize("rule", AGGREGATED)
def test_aggregates(rule, precision):
    count, p, observed = AGGREGATED[rule]
    grids = [
        BandwidthGrid(KERNELS["gaussian"], (2.6, 1.3, 0.65)),
        BandwidthGrid(KERNELS["laplace"], (2.0, 1.0), squaring=True),
    ]
    T, size = statistics(grids, count)
    found = aggregate(T, size, rule, N)
    assert found[0] == pytest.approx(observed, abs=10 * precision)
    assert p_value(found) == p


# The whole test against formulas written out once more, on the very permutations it drew.


def direct_fuse(T, size, n):
    lam = np.sqrt(n * (n - 1))
    return [np.log(np.mean([np.exp(lam * t / s) for t, s in zip(Tb, size, strict=True)])) / lam
            for Tb in T.T]  # fmt: skip


def direct_minp(T, size, n):
    def rank(k, b):
        return np.mean([t >= T[k, b] - 1e-13 for t in T[k]])

    return [-min(rank(k, b) for k in range(len(T))) for b in range(T.shape[1])]


def direct_mmdagg(T, size, n):
    half = (T.shape[1] - 1) // 2
    distribution, tested = T[:, 1 : half + 1], T[:, [0, *range(half + 1, T.shape[1])]]

    def rank(k, b):
        return np.mean([t >= tested[k, b] - 1e-13 for t in distribution[k]])

    return [-min(rank(k, b) for k in range(len(T))) for b in range(tested.shape[1])]


DIRECT = {"fuse": direct_fuse, "minp": direct_minp, "mmdagg": direct_mmdagg}


def naive_statistic(K, v, m, n):
    """MMD^2_u from a kernel matrix and signs; the side of m rows is the one with m signs."""
    x = v > 0 if np.count_nonzero(v > 0) == m else v < 0
    within_x = K[np.ix_(x, x)].sum() / (m * (m - 1))
    within_y = K[np.ix_(~x, ~x)].sum() / (n * (n - 1))
    return within_x + within_y - 2 * K[np.ix_(x, ~x)].mean()


@pytest.mark.parametrize("options", [{"permute": "rows"}, {"permute": "bins", "bins": 5}])
@pytest.mark.parametrize("rule", AGGREGATES)
def test_whole_test_equals_direct_formulas_on_its_own_labellings(rule, options, monkeypatch, rng):
    seen = []

    def spy(rows, starts, signs, grids, *rest):
        seen.append((rows.values, starts, signs, grids))
        return quadratic_forms(rows, starts, signs, grids, *rest)

    monkeypatch.setattr(mmd, "quadratic_forms", spy)
    m, n = 10, 13
    X, Y = rng.normal(size=(m, 2)), rng.normal(size=(n, 2)) * 1.8
    result = kstest.mmd(
        X, Y, kernel="gaussian,laplace", bandwidth="2,1,0.5", aggregate=rule, permutations=39,
        **options,
    )  # fmt: skip
    [(rows, starts, signs, grids)] = seen
    assert len(starts) - 1 == (23 if options["permute"] == "rows" else 12)
    V = np.repeat(signs, np.diff(starts), axis=0)
    kernels = [naive.kernel_matrix(rows, b.kernel.name, h) for b in grids for h in b.bandwidths]
    T = np.array([[naive_statistic(K, v, m, n) for v in V.T] for K in kernels])
    size = root_mean_squares(rows, grids)
    direct = DIRECT.get(rule) or (lambda T, size, n: aggregate(T, size, rule, n))
    expected = np.asarray(direct(T, size, m))
    assert result.statistic == pytest.approx(expected[0], rel=1e-9)
    assert len(expected) == 40
    assert result.p_value == naive.p_value(expected[0] - 1e-12, expected[1:])
