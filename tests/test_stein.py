"""The Stein sums of the engine, random signs, and whitening, against naive twins."""

from __future__ import annotations

import math

import naive
import numpy as np
import pytest

from kstest.engine import Work, signed_sums, stein
from kstest.engine.stein import SteinPoints, pair_numbers, stein_sums
from kstest.kernels import KERNELS, BandwidthGrid
from kstest.kernels.whitening import whitening
from kstest.methods.stein.explanation import contributions
from kstest.nulls import independent_signs, markov_signs, sign_bins

SMOOTH = ["imq", "gaussian"]


def cut(sizes):
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


@pytest.fixture(params=["numpy", "compiled"])
def way(request, monkeypatch):
    monkeypatch.setattr(stein, "NUMPY_STEPS", np.inf if request.param == "numpy" else 0)


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("d", [1, 3])
def test_matrix_of_the_twin_equals_finite_differences(name, d, rng):
    X, S = rng.normal(size=(4, d)), rng.normal(size=(4, d))
    U = naive.stein_matrix(X, S, name, 0.8)
    for i, j in ((0, 1), (2, 3), (1, 2)):
        expected = naive.stein_kernel(X[i], X[j], S[i], S[j], name, 0.8)
        assert U[i, j] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("sizes", [(1, 1), (4, 4, 5), (2, 300, 1), (1,) * 9, (513, 511)])
def test_block_sums_equal_the_matrix(way, name, sizes, rng):
    X = rng.normal(size=(sum(sizes), 3))
    S = rng.normal(size=X.shape) * 3 - X
    starts = cut(sizes)
    grid = BandwidthGrid(KERNELS[name], (2.0, 0.7))
    found = stein_sums(SteinPoints.of(X + 1e6, S), starts, grid, Work(threads=2))
    for l, h in enumerate(grid.bandwidths):
        U = naive.stein_matrix(X, S, name, h)
        blocks = np.add.reduceat(np.add.reduceat(U, starts[:-1], 0), starts[:-1], 1)
        np.testing.assert_allclose(found.blocks[l], blocks, rtol=1e-7, atol=1e-7 * abs(U).sum())
        np.testing.assert_allclose(found.squares[l], (U**2).sum() / 2, rtol=1e-7)


@pytest.mark.parametrize("d", [1, 10, 200])
def test_huge_scores_and_many_columns_agree_in_both_ways(d, monkeypatch, rng):
    X = rng.normal(size=(60, d))
    S = -X * rng.choice([1, 1e8], size=(60, 1))
    points, grid = SteinPoints.of(X, S), BandwidthGrid(KERNELS["imq"], (math.sqrt(d), 0.1))
    sums = []
    for steps in (np.inf, 0):
        monkeypatch.setattr(stein, "NUMPY_STEPS", steps)
        sums.append(stein_sums(points, np.arange(61), grid, Work(threads=1)).blocks)
    assert np.isfinite(sums[0]).all()
    np.testing.assert_allclose(sums[0], sums[1], rtol=1e-9, atol=1e-13 * abs(sums[0]).max())


def test_result_does_not_depend_on_threads(way, monkeypatch, rng):
    X = rng.normal(size=(700, 4))
    points, grid = SteinPoints.of(X, -X), BandwidthGrid(KERNELS["imq"], (1.0, 3.0))
    monkeypatch.setattr(stein, "CALL_STEPS", 1)
    one, three = (stein_sums(points, cut([70] * 10), grid, Work(threads=t)) for t in (1, 3))
    np.testing.assert_array_equal(one.blocks, three.blocks)
    np.testing.assert_array_equal(one.squares, three.squares)


@pytest.mark.parametrize("h", [0.5, 2.0])
@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_gaussian_kernel_and_shifted_normal_have_a_closed_form(h, shift):
    """For q = N(shift, 1), p = N(0, 1): E u = E[(s_p - s_q)(x) (s_p - s_q)(y) k(x, y)], which is
    shift^2 h / sqrt(h^2 + 2); the expectation by Gauss-Hermite quadrature instead of draws."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    x = nodes[:, None] + shift
    every = slice(0, len(x))
    numbers = pair_numbers(SteinPoints(x, -x, np.full(1, np.inf)), every, every)
    (U,) = numbers.stein(BandwidthGrid(KERNELS["gaussian"], (h,)))
    assert weights @ U @ weights == pytest.approx(shift**2 * h / math.sqrt(h * h + 2), abs=1e-9)


@pytest.mark.parametrize("radius", [1.0, 2.5])
def test_angles_equal_finite_differences_of_the_kernel_on_the_circle(radius, rng):
    """The kernel sees (radius cos, radius sin); derivatives are taken along the arc."""
    arcs, S = rng.uniform(0, 2 * math.pi * radius, (5, 2)), rng.normal(size=(5, 2))
    arcs[:, 1] = rng.normal(size=5)  # the second coordinate lies on a line
    radii = np.array([radius, np.inf])
    points, step, h = SteinPoints.of(arcs, S, radii), 1e-4, 1.3
    every = slice(0, 5)
    (U,) = pair_numbers(points, every, every).stein(BandwidthGrid(KERNELS["imq"], (h,)))

    def k(x, y):
        def place(z):
            return np.array([radius * np.cos(z[0] / radius), radius * np.sin(z[0] / radius), z[1]])

        return naive.PROFILES["imq"](place(x), place(y), h)

    e = np.eye(2) * step
    for i, j in ((0, 1), (2, 4), (3, 0)):
        x, y = arcs[i], arcs[j]
        expected = S[i] @ S[j] * k(x, y)
        for c in range(2):
            by_x = (k(x + e[c], y) - k(x - e[c], y)) / (2 * step)
            by_y = (k(x, y + e[c]) - k(x, y - e[c])) / (2 * step)
            corners = k(x + e[c], y + e[c]) - k(x + e[c], y - e[c])
            corners -= k(x - e[c], y + e[c]) - k(x - e[c], y - e[c])
            expected += S[i, c] * by_y + S[j, c] * by_x + corners / (4 * step * step)
        assert U[i, j] == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_diagonals_equal_the_formula(rng):
    X = rng.normal(size=(6, 3))
    points, grid = SteinPoints.of(X, 2 * X), BandwidthGrid(KERNELS["imq"], (0.5, 2.0))
    expected = [(4 * X**2).sum() + 6 * 3 / h**2 for h in grid.bandwidths]
    np.testing.assert_allclose(points.own(grid).sum(axis=1), expected)


def test_contributions_add_up_and_the_witness_is_the_mean_stein_feature(rng):
    X = rng.normal(size=(30, 3))
    S = rng.normal(size=X.shape)
    grid = BandwidthGrid(KERNELS["gaussian"], (1.1,))
    parts, witness = contributions(SteinPoints.of(X, S), grid)
    assert parts.sum() == pytest.approx(naive.stein_matrix(X, S, "gaussian", 1.1).sum() / 870)
    v = X[4]
    features = [
        S[i] * (k := naive.PROFILES["gaussian"](X[i], v, 1.1)) - k * (X[i] - v) / 1.1**2
        for i in range(30)
        if i != 4
    ]
    np.testing.assert_allclose(witness[4], np.mean(features, axis=0))
    for c in range(3):  # the part of one coordinate, every other score and step left out
        k = naive.PROFILES["gaussian"]
        part = 0.0
        for i in range(30):
            for j in range(30):
                r, u = X[i, c] - X[j, c], k(X[i], X[j], 1.1)
                slope = (S[i, c] - S[j, c]) * r / 1.21 + 1 / 1.21 - r * r / 1.21**2
                part += (i != j) * u * (S[i, c] * S[j, c] + slope)
        assert parts[c] == pytest.approx(part / 870)


def test_contributions_with_an_angle_add_up(rng):
    arcs, S = rng.uniform(0, 6, (20, 2)), rng.normal(size=(20, 2))
    points, grid = (
        SteinPoints.of(arcs, S, np.array([1.3, np.inf])),
        BandwidthGrid(KERNELS["imq"], (0.9,)),
    )
    parts, _ = contributions(points, grid)
    total = stein_sums(points, np.array([0, 20]), grid, Work(threads=1)).blocks[0, 0, 0]
    assert parts.sum() == pytest.approx(total / 380)


@pytest.mark.parametrize("correlated", [True, False])
def test_whitening_keeps_inner_products_of_gradients_and_steps(correlated, rng):
    X = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 3)) * [1e-5, 1.0, 1e8] + [0, 1e9, 5]
    G = rng.normal(size=(400, 3))
    found = whitening(X, correlated)
    Z, H = (X - found.centre) @ found.forward, G @ found.backward
    np.testing.assert_allclose(Z.std(axis=0), 1, rtol=1e-6)
    if correlated:
        np.testing.assert_allclose(Z.T @ Z / 400, np.eye(3), atol=1e-5)
    steps = np.diff(X, axis=0)
    old = np.einsum("ij,ij->i", steps, G[:-1])
    np.testing.assert_allclose(np.einsum("ij,ij->i", np.diff(Z, axis=0), H[:-1]), old, rtol=1e-6)


def test_whitening_of_constant_and_collinear_columns_stays_invertible(rng):
    x = rng.normal(size=50)
    found = whitening(np.column_stack([x, 2 * x, np.full(50, 3.0)]))
    assert np.isfinite(found.forward).all()
    np.testing.assert_allclose(found.forward @ found.backward.T, np.eye(3), atol=1e-6)


@pytest.mark.parametrize(("n", "groups"), [(2, 2), (511, 511), (512, 256), (100_001, 256)])
def test_bins_cover_all_rows_in_like_sizes(n, groups):
    starts = sign_bins(n)
    assert (len(starts) - 1, starts[0], starts[-1]) == (groups, 0, n)
    assert np.ptp(np.diff(starts)) <= 1


def test_signs_have_their_autocovariance():
    rng = np.random.default_rng(1)
    free = independent_signs(30, 20_000, rng).astype(float)
    chain = markov_signs(np.arange(31), 20_000, 0.1, rng).astype(float)
    wide = markov_signs(np.arange(0, 91, 3), 20_000, 0.1, rng).astype(float)
    assert (free[:, 0] == 1).all()
    assert (chain[:, 0] == 1).all()
    for signs, lag1 in ((free, 0.0), (chain, 0.8), (wide, 0.8**3)):
        product = (signs[:-1, 1:] * signs[1:, 1:]).mean()
        assert product == pytest.approx(lag1, abs=5 / math.sqrt(29 * 20_000) * 3)
        assert abs(signs[:, 1:].mean()) < 0.02


def test_signed_sums_equal_their_definition(rng):
    A, v = rng.normal(size=(2, 5, 5)), rng.choice([-1, 1], size=(5, 3))
    expected = [[x @ a @ x for x in v.T] for a in A]
    np.testing.assert_allclose(signed_sums(A, v), expected)
