"""Several geometries in one level: sums against loops, what must not matter, what it finds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.linalg
import scipy.stats

import kstest
from kstest.errors import UsageError
from kstest.kernels import Rows
from kstest.methods.two_samples import geometries, marginals
from kstest.methods.two_samples.marginals import Blocked, Contrasts
from kstest.nulls import partition, permuted_labels


def distance2(K, first, w):
    """Squared distance of the weighted means, by the definition, over that of noise of variance 1.

    The kernel of a feature f is its outer product.
    """
    v = np.where(first, w / w[first].sum(), -w / w[~first].sum())
    return v @ K @ v / (v @ v)


@pytest.fixture(params=[1, 3])
def blocked(request, rng):
    cut = partition(15, 24, request.param, rng)
    signs = permuted_labels(cut, 12, rng)
    rows = Rows(rng.normal(size=(39, 4)), rng.integers(0, 3, (39, 1)).astype(np.int32))
    return Blocked(rows, None, cut.starts, signs, rng.exponential(size=39))


def sides(blocked):
    """First side by permutation, (B + 1, N)."""
    return np.repeat(blocked.signs > 0, np.diff(blocked.starts), axis=0).T


def mirrored(x, h):
    """Gaussian kernel between cells on an interval with mirrors at -3.2 and 3.2."""
    K = 0
    for k in range(-4, 5):
        for image in (x, 6.4 - x):
            K = K + np.exp(-((x[:, None] - image - 12.8 * k) ** 2) / (2 * h * h))
    return K


def test_columns_by_cells_are_sums_over_rows(blocked):
    z, w = blocked.rows.values, blocked.weights
    found = np.concatenate([*marginals.single(z, blocked, Contrasts.of(blocked))])
    assert len(found) == 5
    cells = np.clip(np.floor(z * 10) / 10 + 0.05, -3.15, 3.15)
    for column, T in zip(cells.T, found, strict=False):
        for row, h in zip(T, marginals.WIDTHS, strict=True):
            K = mirrored(column, h)
            expected = [distance2(K, first, w) for first in sides(blocked)]
            np.testing.assert_allclose(row, expected, atol=0.02 if h < 0.5 else 1e-6)
    codes = blocked.rows.codes[:, 0]
    K = (codes[:, None] == codes).astype(float)
    expected = [distance2(K, first, w) for first in sides(blocked)]
    np.testing.assert_allclose(found[-1], [expected] * 4, atol=1e-12)


@pytest.mark.parametrize("kept", [1, 4_000_000])
def test_pairs_are_linear_kernels_of_their_features(blocked, kept, monkeypatch):
    monkeypatch.setattr(marginals, "KEPT_PRODUCTS", kept)
    y, w = blocked.rows.values, blocked.weights
    every = []
    for j in range(3):
        a, b = y[:, [j]], y[:, j + 1 :]
        u, v = np.cos(np.pi / 4) * (a + b), np.sin(np.pi / 4) * (a - b)
        every += [a * b, a * b**2 - a, a**2 * b - b, u * v**2 - u, u**2 * v - v]
    features = np.concatenate(every, axis=1)
    expected = np.add.reduceat(features * w[:, None], blocked.starts[:-1], axis=0)
    found = np.concatenate([*marginals.pair_sums(y, blocked)], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    centred = features - w @ features / w.sum()
    T = np.array(
        [[distance2(np.outer(f, f), first, w) for first in sides(blocked)] for f in centred.T]
    )
    np.testing.assert_allclose(Contrasts.of(blocked).squared(found), T, atol=1e-12)
    z = lambda v: (v - v.mean()) / v.std()  # noqa: E731
    mean, spread = T.mean(axis=1, keepdims=True), T.std(axis=1, keepdims=True)
    expected = z(np.maximum(z((T / mean).sum(axis=0)), z(((T - mean) / spread).max(axis=0))))
    np.testing.assert_allclose(marginals.pairs_score(y, blocked), expected)


def test_pairs_depend_on_neither_signs_nor_order_of_columns(blocked):
    y = blocked.rows.values
    score = marginals.pairs_score(y, blocked)
    np.testing.assert_allclose(marginals.pairs_score(y[:, ::-1] * [1, -1, 1, -1], blocked), score)


@pytest.mark.parametrize("few", [0, 10_000])
def test_normal_scores_are_those_of_mean_ranks(few, rng, monkeypatch):
    monkeypatch.setattr(geometries, "FEW_RANKS", few)
    values = np.column_stack([rng.standard_cauchy(50), rng.poisson(1, 50), np.ones(50)])
    missing = rng.random(values.shape) < 0.2
    z = geometries.normal_scores(values, missing)
    assert z.shape == (50, 2)
    for c in (0, 1):
        there = ~missing[:, c]
        ranks = scipy.stats.rankdata(values[there, c])
        expected = scipy.stats.norm.ppf((ranks - 0.5) / there.sum())
        np.testing.assert_allclose(z[there, c], expected / expected.std())
    assert not z[missing[:, :2]].any()


def test_whitened_scores_have_no_correlation_and_keep_their_column(rng):
    z = rng.multivariate_normal(np.zeros(3), 0.8 + 0.2 * np.eye(3), 5000)
    y = geometries.whitened(z / z.std(axis=0))
    np.testing.assert_allclose(np.corrcoef(y.T), np.eye(3), atol=0.01)
    both = np.corrcoef(z.T, y.T)[:3, 3:]
    assert (both.argmax(axis=1) == range(3)).all()


@pytest.mark.parametrize("shape", [(60, 4), (8, 8), (9, 30)])
def test_whitened_scores_are_those_of_the_symmetric_root(shape, rng):
    z = rng.normal(size=shape)
    z[:3, 0] = 0
    share = shape[1] / sum(shape)
    R = (1 - share) * np.corrcoef(z.T) + share * np.eye(shape[1])
    root = scipy.linalg.inv(scipy.linalg.sqrtm(R))
    np.testing.assert_allclose(geometries.whitened(z.copy()), z @ root, atol=1e-10)


def test_order_of_rows_columns_and_files_does_not_matter(rng):
    X, Y = rng.standard_cauchy((60, 3)), rng.standard_cauchy((80, 3)) + 0.2
    frames = [pd.DataFrame(part, columns=list("abc")) for part in (X, Y)]
    first = kstest.mmd(*frames, scale="auto", permutations=199, explain="none")
    shuffled = [frame.sample(frac=1, random_state=1)[["b", "c", "a"]] for frame in frames]
    second = kstest.mmd(*shuffled[::-1], scale="auto", permutations=199, explain="none")
    assert second.p_value == first.p_value
    assert second.statistic == pytest.approx(first.statistic)
    assert set(first.explanation["geometry"]["scores"]) == set(geometries.TITLES)


def test_one_column_is_the_robust_geometry_to_the_bit(rng):
    X, Y = rng.normal(size=(60, 1)), rng.normal(size=(50, 1))
    auto, robust = (kstest.mmd(X, Y, scale=scale) for scale in ("auto", "robust"))
    assert (auto.p_value, auto.statistic) == (robust.p_value, robust.statistic)


def test_categories_by_themselves_are_single_columns(rng):
    tables = [pd.DataFrame(rng.choice(list("xyz"), (60, 4)), columns=list("abcd")) for _ in "XY"]
    found = kstest.mmd(*tables, permutations=99)
    assert set(found.explanation["geometry"]["scores"]) == {"robust", "columns"}
    two = kstest.mmd(*(table[["a", "b"]] for table in tables), permutations=99)
    assert two.kernel["scale"] == "robust"


def test_constant_columns_do_not_count(rng):
    X, Y = rng.normal(size=(2, 60, 3))
    some = kstest.mmd(X[:, :2], Y[:, :2], permutations=199)
    X[:, 2] = Y[:, 2] = 7
    every = kstest.mmd(X, Y, permutations=199)
    assert set(every.explanation["geometry"]["scores"]) == {"robust", "whitened", "pairs"}
    assert every.kernel["scale"] == some.kernel["scale"] == "auto"
    X[:, 1] = Y[:, 1] = 7
    assert kstest.mmd(X, Y, permutations=199).kernel["scale"] == "robust"


def test_one_changed_correlation_of_twenty_columns_is_found(rng):
    X, Y = rng.normal(size=(150, 20)), rng.normal(size=(150, 20))
    Y[:, 1] = 0.85 * Y[:, 0] + 0.53 * Y[:, 1]
    found = kstest.mmd(X, Y, scale="auto", explain="none")
    assert found.p_value == 0.001
    assert found.explanation["geometry"]["strongest"] == "pairs"
    assert not kstest.mmd(X, Y, scale="robust", explain="none").reject


def copula(rng, n):
    """Normal columns with the Gaussian, and with the Clayton copula of the same Kendall's tau, .5.

    Clayton's by conditional inversion, of v given u.
    """
    X = rng.multivariate_normal([0, 0], [[1, 0.5**0.5], [0.5**0.5, 1]], n)
    u, w = rng.random((2, n))
    v = ((w ** (-2 / 3) - 1) * u**-2.0 + 1) ** -0.5
    return X, scipy.stats.norm.ppf(np.column_stack([u, v]))


def test_another_copula_is_found_by_pairs(rng):
    X, Y = copula(rng, 500)
    found = kstest.mmd(X, Y, scale="auto", explain="none")
    assert found.p_value == 0.001
    assert found.explanation["geometry"]["strongest"] == "pairs"


@pytest.mark.slow
def test_power_against_another_copula():
    """Of 200 draws 74 to 124 are found: about half, and 10 % by robust units alone."""
    found = 0
    for seed in range(200):
        X, Y = copula(np.random.default_rng([19, seed]), 150)
        auto = kstest.mmd(X, Y, scale="auto", permutations=199, explain="none", threads=1)
        found += auto.reject
    assert 74 <= found <= 124


@pytest.mark.parametrize("options", [
    {"weights": "w"}, {"group": "g", "exclude": "w"}, {"permute": "rows", "exclude": "w,g"},
    {"features": "20", "exclude": "w,g"}, {"block_length": "5", "exclude": "w,g"},
])  # fmt: skip
def test_tables_of_all_kinds(options, rng):
    def draw(shift):
        frame = pd.DataFrame(rng.normal(size=(200, 3)) + shift, columns=list("abc"))
        frame["kind"] = rng.choice(list("xyz"), 200)
        frame.loc[rng.random(200) < 0.1, "a"] = np.nan
        frame["w"] = rng.exponential(size=200)
        frame["g"] = rng.integers(0, 40, 200).astype(str)
        return frame

    if "weights" in options:
        options = options | {"exclude": "g"}
    same = kstest.mmd(draw(0), draw(0), scale="auto", missing="indicator", **options)
    other = kstest.mmd(draw(0), draw(0.7), scale="auto", missing="indicator", **options)
    assert other.p_value < 0.02 < same.p_value
    assert other.kernel["scale"] == "auto"


@pytest.mark.parametrize(
    ("options", "scale"),
    [
        ({}, "auto"),
        ({"kernel": "laplace"}, "robust"),
        ({"bandwidth": "median"}, "robust"),
        ({"aggregate": "fuse"}, "robust"),
        ({"tolerance": 0.01}, "robust"),
        ({"scale": "standard"}, "standard"),
    ],
)
def test_default_is_several_geometries_where_other_options_let_it(options, scale, rng):
    X, Y = rng.normal(size=(2, 30, 2))
    found = kstest.mmd(X, Y, permutations=99, **options)
    same = kstest.mmd(X, Y, permutations=99, **{"scale": scale} | options)
    assert found.kernel["scale"] == scale
    assert (found.p_value, found.statistic) == (same.p_value, same.statistic)


def test_default_of_one_column_is_one_geometry(rng):
    X, Y = rng.normal(size=(2, 30, 1))
    found = kstest.mmd(X, Y, permutations=99)
    assert found.kernel["scale"] == "robust"
    assert found.statistic == kstest.mmd(X, Y, permutations=99, scale="robust").statistic


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"kernel": "laplace"}, "kernel.*laplace"),
        ({"bandwidth": "median"}, "bandwidth.*median"),
        ({"aggregate": "fuse"}, "aggregate.*fuse"),
        ({"tolerance": 0.01}, "tolerance.*0.01"),
    ],
)
def test_other_options_that_mean_one_geometry_are_refused(options, named, rng):
    with pytest.raises(UsageError, match=named):
        kstest.mmd(rng.normal(size=(30, 2)), rng.normal(size=(30, 2)), scale="auto", **options)


def test_weights_of_another_distribution_are_refused(rng):
    frames = [pd.DataFrame(rng.normal(size=(300, 3)), columns=list("abw")) for _ in range(2)]
    frames[0]["w"], frames[1]["w"] = rng.exponential(size=300), 1.0
    with pytest.raises(UsageError, match="scale='auto': not with weights"):
        kstest.mmd(*frames, weights="w", scale="auto")
    found = kstest.mmd(*frames, weights="w", permutations=99)
    assert found.kernel["scale"] == "robust"


@pytest.mark.parametrize("scale", ["robust", "auto"])
@pytest.mark.parametrize("weighty", [1, 3])
def test_sides_that_weigh_nothing_in_a_permutation(scale, weighty, rng):
    frames = [pd.DataFrame(rng.normal(size=(40, 3)), columns=list("abc")) for _ in range(2)]
    for frame in frames:
        frame["w"] = 1.0 * (np.arange(40) < weighty)
    found = kstest.mmd(*frames, weights="w", scale=scale, permutations=99)
    assert found.p_value >= 1 / 3 if weighty == 1 else 0.05 < found.p_value <= 1


def test_of_many_columns_no_pairs_are_looked_at(rng):
    found = kstest.mmd(rng.normal(size=(30, 60)), rng.normal(size=(30, 60)), scale="auto")
    assert set(found.explanation["geometry"]["scores"]) == {"robust", "whitened", "columns"}


def test_columns_that_hardly_vary():
    X, Y = np.zeros((2, 40, 3))
    X[0, 0], Y[1, 1] = 1, 1e300
    assert kstest.mmd(X, Y, scale="auto", permutations=99).p_value == 1


@pytest.mark.slow
@pytest.mark.parametrize("distribution", ["heavy", "discrete", "unequal"])
def test_level(distribution):
    """Of 1,000 null data sets 29 to 74 are rejected at .05 by an exact test (99.9 % band)."""
    rejected = 0
    for seed in range(1000):
        rng = np.random.default_rng([18, seed])
        m = 10 if distribution == "unequal" else 60
        sizes = ((m, 4), (150, 4))
        if distribution == "discrete":
            X, Y = (rng.poisson(1, size).astype(float) for size in sizes)
        else:
            X, Y = (np.exp(2 * rng.normal(size=size)) for size in sizes)
        found = kstest.mmd(X, Y, scale="auto", permutations=99, explain="none", threads=1)
        rejected += found.reject
    assert 29 <= rejected <= 74
