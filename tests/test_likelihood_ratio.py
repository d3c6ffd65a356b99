"""The learned likelihood ratio: features, fits, null distribution, toys, combination."""

from __future__ import annotations

import itertools
from dataclasses import replace

import naive
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import binom, chi2

from kstest.datasets.drift_tubes import make
from kstest.engine import Work
from kstest.kernels import Rows
from kstest.likelihood_ratio import (
    Pool,
    QuadraticDistribution,
    Reference,
    choose_centres,
    choose_features,
    choose_widths,
    combine,
    combined_tail,
    draw_indices,
    null_distribution,
    nystrom,
    one_step,
    toy_statistics,
)
from kstest.likelihood_ratio.explain import choose_ridge
from kstest.likelihood_ratio.features import blocks_of, transform, whitened_axes
from kstest.likelihood_ratio.finite_pool import stretch_of, stretched
from kstest.nulls import p_value

ONE = Work(threads=1)


def side(X, centres=40, widths=(1.5,), cut=1e-12, weights=None, seed=0):
    rows = Rows.of(X)
    chosen = choose_centres(rows, centres, "uniform", np.random.default_rng(seed))
    return Reference.of(rows, weights, chosen, nystrom(chosen, widths, cut), ONE)


def statistic(reference, Y, ridge=1e-5, weights=None, expected=None, kind="extended", fit=False):
    pool = Pool(Rows.of(Y), weights)
    index = [np.arange(len(Y))]
    return toy_statistics(reference, pool, index, expected, ridge, kind, fit, ONE)[:, 0]


def drift(n, rng, **fault):
    table = make(n, rng, **fault)
    return np.stack([table[name] for name in ("t1", "t2", "t3", "t4", "theta")], axis=1)


def test_features_have_the_nystrom_kernel_as_inner_product(rng):
    X = rng.normal(size=(30, 2))
    centres = Rows.of(rng.normal(size=(12, 2)))
    (phi,) = transform(Rows.of(X), centres, nystrom(centres, (1.2,), 1e-13))
    gaussian = naive.PROFILES["gaussian"]
    K = np.array([[gaussian(x, c, 1.2) for c in centres.values] for x in X])
    KM = np.array([[gaussian(a, b, 1.2) for a in centres.values] for b in centres.values])
    assert phi @ phi.T == pytest.approx(K @ np.linalg.solve(KM, K.T), abs=1e-8)


def test_features_along_other_axes_have_the_kernel_of_the_turned_rows(rng):
    X, C = rng.normal(size=(20, 2)), rng.normal(size=(9, 2))
    codes = rng.integers(0, 2, size=(29, 1)).astype(np.int32)
    rows, centres = Rows(X, codes[:20]), Rows(C, codes[20:])
    A = np.array([[1.0, 0.5], [0.0, 3.0]])
    features = nystrom(centres, (2.0, 1.0), 1e-13) + nystrom(centres, (1.5,), 1e-13, A)
    found = transform(rows, centres, features)

    def kernel(a, i, b, j, h, turn):
        apart = sum(v**2 for v in (a - b) @ turn) + 2.0 * (codes[i, 0] != codes[j, 0])
        return np.exp(-apart / (2 * h * h))

    for phi, h, turn in zip(found, (2.0, 1.0, 1.5), (np.eye(2), np.eye(2), A), strict=True):
        K = np.array([[kernel(x, i, c, 20 + j, h, turn) for j, c in enumerate(C)]
                      for i, x in enumerate(X)])  # fmt: skip
        KM = np.array([[kernel(a, 20 + i, b, 20 + j, h, turn) for j, b in enumerate(C)]
                       for i, a in enumerate(C)])  # fmt: skip
        assert phi @ phi.T == pytest.approx(K @ np.linalg.solve(KM, K.T), abs=1e-7)


def test_half_of_the_chosen_widths_are_along_axes_without_correlation(rng):
    X = rng.normal(size=(300, 1)) + np.array([1.0, 1e-3, 1e-4]) * rng.normal(size=(300, 3))
    rows = Rows.of((X - X.mean(axis=0)) / X.std(axis=0))

    def chosen(some, widths=(), scale="auto"):
        features = choose_features(some, some.take(slice(0, 30)), widths, scale, 1e-12, rng)
        return ["standard" if f.axes is None else "whiten" for f in features]

    assert chosen(rows) == ["standard"] * 2 + ["whiten"] * 2
    # Where columns are not correlated, one width of the second kind lies between the others.
    apart = Rows.of(rng.normal(size=(1000, 4)))
    features = choose_features(apart, apart.take(slice(0, 9)), (), "auto", 1e-12, rng)
    h = np.array([f.bandwidth for f in features])
    assert h / h[1] == pytest.approx([2, 1, 32, 2**0.5], rel=0.02)
    assert chosen(rows, (2.0, 1.0, 0.5)) == ["standard"] * 3
    assert chosen(rows, (2.0,), "both") == ["standard", "whiten"]
    assert chosen(rows, (), "whiten") == ["whiten"] * 4
    for scale in ("auto", "both", "whiten"):
        assert chosen(Rows.of(rows.values[:, :1]), (), scale) == ["standard"] * 4
    turned = rows.values @ whitened_axes(rows)
    spread = np.sort(np.linalg.eigvalsh(np.cov(turned.T)))
    assert spread[1:] == pytest.approx(np.ones(2), rel=0.02)
    # The third is that of nearly equal columns: it is not blown up to the size of the others.
    assert np.linalg.norm(whitened_axes(rows), 2) == pytest.approx(10, rel=1e-3)
    assert spread[0] < 0.9


def test_widths_that_are_reached_by_squaring_have_the_same_values(rng):
    X, C = Rows.of(rng.normal(size=(50, 3))), Rows.of(rng.normal(size=(9, 3)))
    widths = (4.0, 2.0, 1.0)
    fast = [
        np.concatenate(parts)
        for parts in zip(*(v for _, v in blocks_of(X, C, widths, [None] * 3)), strict=True)
    ]
    for h, values in zip(widths, fast, strict=True):
        (alone,) = zip(*(v for _, v in blocks_of(X, C, (h,), [None])), strict=True)
        assert values == pytest.approx(np.concatenate(alone), rel=1e-12)


def test_widths_are_not_rounded_and_scale_with_the_data(rng):
    X = rng.normal(size=(400, 3))
    large = choose_widths(Rows.of(X), (4.0, 2.0, 1.0, 0.5), np.random.default_rng(1))
    small = choose_widths(Rows.of(X / 1000), (4.0, 2.0, 1.0, 0.5), np.random.default_rng(1))
    assert np.array(small) * 1000 == pytest.approx(np.array(large), rel=1e-9)
    assert len(large) == 4
    assert min(small) > 0


@pytest.mark.parametrize("how", ["uniform", "kmeans++"])
def test_centres_are_different_rows(how, rng):
    X = rng.integers(0, 4, size=(300, 2)).astype(float)
    centres = choose_centres(Rows.of(X), 10, how, rng)
    assert len(np.unique(centres.values, axis=0)) == 10
    assert len(choose_centres(Rows.of(X), 50, how, rng)) == 16


@pytest.mark.parametrize(("events", "centres"), [(300, 25), (400, 40), (800, 60)])
def test_one_step_is_that_of_falkon(events, centres, rng):
    # The recipe of logistic Falkon with conjugate gradients, written from the papers.
    X, Y = drift(1000, rng), drift(events, rng, cathode=0.5)
    mean, sd = X.mean(axis=0), X.std(axis=0)
    X, Y = (X - mean) / sd, (Y - mean) / sd
    penalty, n = 1e-6, 1000 + events
    reference = side(X, centres, (3.0,), cut=1e-14)
    expected = naive.falkon(X, Y, reference.centres.values, 3.0, penalty, events / 1000)
    found = statistic(reference, Y, ridge=penalty * n / (2 * events))[0]
    assert found == pytest.approx(expected, rel=5e-4)


def test_woodbury_and_direct_solution_agree(rng):
    reference = side(rng.normal(size=(500, 3)), 60, (1.0,))
    gram, mean = reference.grams[0], reference.means[0]
    phi = reference.transform(Rows.of(rng.normal(size=(9, 3)) + 0.5), 0)
    u = rng.random(9) + 0.1
    step = one_step(gram, mean, 9.0, 1e-3)
    H = step.gram + (phi.T * u / 4) @ phi
    direct = -np.linalg.solve(H, step.half_mean - u @ phi / 2)
    assert len(phi) < len(gram) / 2
    assert step.solve(phi, u) == pytest.approx(direct, rel=1e-6, abs=1e-9)


def test_converged_fit_is_the_minimum_of_the_loss(rng):
    X, Y = rng.normal(size=(60, 2)), rng.normal(size=(25, 2)) + 0.8
    u = rng.random(25) + 0.5
    reference = side(X, 6, (1.5,))
    phi_x, phi_y = (reference.transform(Rows.of(Z), 0) for Z in (X, Y))
    fit = reference.newton(0, phi_y, u, float(u.sum()), 0.1, ONE)
    args = (phi_x, phi_y, np.full(60, 1 / 60), u, float(u.sum()), 0.1)
    slow = minimize(naive.learned_ratio_loss, np.zeros(len(fit.coefficients)), args, tol=1e-10)
    assert fit.converged
    assert naive.learned_ratio_loss(fit.coefficients, *args) <= slow.fun + 1e-7
    assert fit.coefficients == pytest.approx(slow.x, abs=2e-3)


def test_converged_ratio_is_near_the_truth(rng):
    # Normal distributions shifted by 1: the log ratio is x - 1/2.
    X, Y = rng.normal(size=(20_000, 1)), rng.normal(size=(20_000, 1)) + 1
    reference = side(X, 50, (1.5,))
    phi = reference.transform(Rows.of(Y), 0)
    fit = reference.newton(0, phi, None, 20_000.0, 1.0, ONE)
    x = np.linspace(-1, 2, 7)
    learned = reference.transform(Rows.of(x[:, None]), 0) @ fit.coefficients
    assert learned == pytest.approx(x - 0.5, abs=0.15)


@pytest.mark.parametrize("kind", ["extended", "data"])
def test_integer_weights_are_duplicated_events(kind, rng):
    X, Y = rng.normal(size=(200, 2)), rng.normal(size=(80, 2)) + 0.3
    v, u = rng.integers(1, 4, 200), rng.integers(1, 4, 80)
    reference = side(X, 30)
    centres, features = reference.centres, reference.features
    weighted = Reference.of(Rows.of(X), v.astype(float), centres, features, ONE)
    repeated = Reference.of(Rows.of(np.repeat(X, v, axis=0)), None, centres, features, ONE)
    one = statistic(weighted, Y, weights=u.astype(float), kind=kind)
    other = statistic(repeated, np.repeat(Y, u, axis=0), kind=kind)
    assert one == pytest.approx(other, rel=1e-8)


def test_negative_reference_weights_subtract_events(rng):
    X, extra, Y = rng.normal(size=(300, 2)), rng.normal(size=(50, 2)) + 4, rng.normal(size=(90, 2))
    plain = side(X, 30)
    both = Rows.of(np.vstack([X, extra, extra]))
    v = np.r_[np.ones(350), -np.ones(50)]
    signed = Reference.of(both, v, plain.centres, plain.features, ONE)
    assert signed.signed
    assert signed.effective_rows < plain.effective_rows
    # Mean and normalisation are those without what cancels; curvature keeps both.
    assert signed.means[0] == pytest.approx(plain.means[0], abs=1e-9)  # W is 1e6 in size
    a = rng.normal(size=(plain.features[0].rank, 3)) / 10
    assert signed.excess([a], ONE) == pytest.approx(plain.excess([a], ONE), abs=1e-9)
    phi, ridge = signed.transform(Rows.of(Y), 0), 1e-5
    phi_x = signed.transform(both, 0)
    H = phi_x.T * np.abs(v) / v.sum() @ phi_x * 90 / 4 + phi.T @ phi / 4
    H += 180 * ridge * np.eye(len(H))
    f = np.linalg.solve(H, phi.sum(axis=0) / 2 - 45 * signed.means[0])
    t = 2 * ((phi @ f).sum() - 90 * (v @ np.exp(phi_x @ f) / v.sum() - 1))
    assert statistic(signed, Y, ridge=ridge)[0] == pytest.approx(t, rel=1e-6)


def test_cached_reference_equals_a_cold_one_whatever_the_threads(rng):
    X, Y = rng.normal(size=(9000, 2)), rng.normal(size=(150, 2))
    reference = side(X, 30, (2.0, 1.0))
    other = Reference.of(
        reference.rows, None, reference.centres, reference.features, Work(threads=3)
    )
    assert np.array_equal(other.grams[0], reference.grams[0])
    batches = np.vstack([Y, Y + 0.2, Y - 0.1])
    index = [np.arange(150), np.arange(150, 300), np.arange(300, 450)]
    together = toy_statistics(
        other, Pool(Rows.of(batches)), index, None, 1e-5, "extended", False, Work(threads=3)
    )
    for place, shift in enumerate((0, 0.2, -0.1)):
        assert together[:, place] == pytest.approx(statistic(reference, Y + shift), rel=1e-7)


def test_order_of_events_does_not_matter_and_the_batch_does(rng):
    X, Y = rng.normal(size=(400, 2)), rng.normal(size=(120, 2))
    reference = side(X)
    t = statistic(reference, Y)
    assert statistic(reference, Y[::-1]) == pytest.approx(t, rel=1e-9)
    shuffled = replace(reference, rows=reference.rows.take(np.arange(400)[::-1]))
    assert statistic(shuffled, Y) == pytest.approx(t, rel=1e-9)
    # The statistic looks at the batch: another batch gives another value, however small the change.
    changed = Y.copy()
    changed[7] += 1
    assert abs(statistic(reference, changed) - t)[0] > 1e-3
    assert statistic(reference, X[:120])[0] < statistic(reference, Y + 1)[0]


def test_a_change_of_rate_counts_only_where_it_is_expected_to(rng):
    reference = side(rng.normal(size=(4000, 2)), 30)
    half = rng.normal(size=(100, 2))
    shape, rate = statistic(reference, half), statistic(reference, half, expected=200.0)
    assert rate[0] > shape[0] + 30  # 2 (100 log(1/2) + 100) = 61


@pytest.mark.parametrize("t", [0.5, 2.0, 4.4, 9.0, 20.0])
def test_tail_of_a_quadratic_form_equals_its_inversion(t):
    weights = np.array([2.0, 1.0, 0.7, 0.3, 0.05])
    distribution = QuadraticDistribution(weights, np.zeros(5))
    assert distribution.tail(t) == pytest.approx(naive.quadratic_tail(weights, t), rel=0.04)


@pytest.mark.parametrize("dof", [3, 10, 200])
@pytest.mark.parametrize("p", [0.9, 0.5, 0.1, 1e-3, 1e-7, 1e-12])
def test_tail_equals_chi_squared_into_the_far_tail(dof, p):
    distribution = QuadraticDistribution(np.full(dof, 1.5), np.zeros(dof))
    assert distribution.tail(1.5 * chi2.isf(p, dof)) == pytest.approx(p, rel=0.03)
    assert distribution.tail(distribution.quantile(p)) == pytest.approx(p, rel=1e-5)


def test_tail_falls_and_never_is_zero():
    distribution = QuadraticDistribution(np.array([3.0, 1.0, 0.1]), np.array([0.5, 0.0, 0.2]))
    t = np.linspace(-2, 400, 600)
    tails = distribution.log_tails(t)
    assert (np.diff(tails) <= 1e-6).all()
    assert np.isfinite(tails).all()
    assert distribution.tail(1e6) > 0


def test_tail_with_a_linear_term_equals_simulation(rng):
    c, b = np.array([1.0, 0.5, 0.2]), np.array([1.0, -2.0, 0.5])
    distribution = QuadraticDistribution(c, b)
    x = rng.normal(size=(400_000, 3))
    draws = (c * x**2 + b * x).sum(axis=1)
    for p in (0.5, 0.1, 0.01):
        assert (draws >= distribution.quantile(p)).mean() == pytest.approx(p, rel=0.06)


@pytest.mark.parametrize("kind", ["extended", "data"])
@pytest.mark.parametrize("poisson", [False, True])
def test_analytic_distribution_has_the_moments_of_toys(kind, poisson, rng):
    # References are drawn anew: with one fixed reference the distribution is shifted.
    N, ridge, found, distributions = 300, 1e-4, [], []
    for _ in range(20):
        reference = side(rng.normal(size=(6000, 2)), 20, (1.5,))
        expected = float(N) if poisson else None
        sizes = rng.poisson(N, 30) if poisson else [N] * 30
        pool = Pool(Rows.of(rng.normal(size=(int(sum(sizes)), 2))))
        ends = np.cumsum([0, *sizes])
        index = [np.arange(a, b) for a, b in itertools.pairwise(ends)]
        found.append(toy_statistics(reference, pool, index, expected, ridge, kind, False, ONE)[0])
        distributions.append(
            null_distribution(
                reference.grams[0], reference.means[0], N, 2 * N * ridge, 6000, kind, poisson
            )
        )
    t = np.concatenate(found)
    error = t.std() / np.sqrt(len(t))
    assert t.mean() == pytest.approx(
        np.mean([one.mean for one in distributions]), abs=4 * error, rel=0.05
    )
    assert t.var() == pytest.approx(
        np.mean([distribution.variance for distribution in distributions]), rel=0.25
    )


def test_combinations_of_ranks():
    t = np.array([[9.0, 1.0, 2.0, 8.0], [5.0, 7.0, 1.0, 2.0]])
    logs = np.log(np.array([[1e-6, 0.6, 0.5, 1e-4], [0.2, 0.01, 0.8, 0.5]]))
    smallest = combine(t, logs, "minimum")  # ranks 1, 1, 3, 2
    assert list(np.argsort(-smallest)) == [0, 1, 3, 2]
    p = np.array([[1, 4, 3, 2], [2, 1, 4, 3]]) / 4
    assert combine(t, logs, "product") == pytest.approx(-np.log(p[0] * p[1]))
    assert combine(t, logs, "average") == pytest.approx(-np.log((p[0] + p[1]) / 2))
    assert combine(t[:1], logs[:1], "minimum") == pytest.approx(t[0])


def test_combined_analytic_tails():
    log_p = np.log(np.array([0.01, 0.02]))
    assert combined_tail(log_p, "minimum") == pytest.approx(0.02)
    assert combined_tail(log_p, "average") == pytest.approx(0.03)
    assert combined_tail(log_p[:1], "product") == pytest.approx(0.01)
    assert combined_tail(np.array([-1e5, -1e4]), "minimum") > 0


@pytest.mark.parametrize("how", ["minimum", "product", "average"])
def test_combined_p_value_is_uniform_where_batch_and_toys_are_exchangeable(how, rng):
    # 99 toys, two dependent widths; the analytic tails are wrong on purpose.
    p = []
    for _ in range(2000):
        t = rng.normal(size=(2, 100))
        t[1] += t[0]
        p.append(p_value(combine(t, -np.exp(t), how)))
    for alpha in (0.01, 0.05, 0.2):
        assert binom.sf(np.sum(np.array(p) <= alpha) - 1, 2000, alpha) > 1e-3
    assert np.mean(np.array(p) <= 0.2) > 0.17


def test_draws(rng):
    pool = Pool(Rows.of(rng.normal(size=(100, 1))))
    found, runs = draw_indices(pool, "subsets", 30, 5, False, rng)
    assert all(len(np.unique(part)) == 30 for part in found)
    assert runs is None
    found, _ = draw_indices(pool, "disjoint", 30, 5, False, rng)
    assert len(found) == 3
    assert len(np.unique(np.concatenate(found))) == 90
    found, _ = draw_indices(pool, "consecutive", 30, 5, False, rng)
    assert all((np.diff(part) == 1).all() for part in found)
    found, _ = draw_indices(pool, "replacement", 90, 1, False, rng)
    assert len(np.unique(found[0])) < 90
    sizes = [len(part) for part in draw_indices(pool, "subsets", 30, 200, True, rng)[0]]
    assert np.var(sizes) == pytest.approx(30, rel=0.5)
    of_runs = Pool(pool.rows, None, np.arange(100) % 4)
    found, runs = draw_indices(of_runs, "subsets", 10, 8, False, rng)
    assert all((part % 4 == run).all() for part, run in zip(found, runs, strict=True))


@pytest.mark.parametrize("how", ["subsets", "consecutive"])
@pytest.mark.parametrize("reference_rows", [40, 400])
def test_toys_of_one_pool_are_too_narrow_by_the_stretch(how, reference_rows, rng):
    # The quadratic form itself: t = |mean of 20 events - mean of the reference|^2 in 4 columns.
    N, rows, pools, toys = 20, 100, 1000, 60
    pool = Pool(Rows.of(np.zeros((rows, 1))))
    away, within = [], []
    for _ in range(pools):
        delta = rng.normal(size=4) / np.sqrt(reference_rows)
        X = rng.normal(size=(rows, 4))
        means = np.stack(
            [X[i].mean(axis=0) for i in draw_indices(pool, how, N, toys, False, rng)[0]]
        )
        t = ((means - delta) ** 2).sum(axis=1)
        fresh = ((rng.normal(size=(30, 4)) / np.sqrt(N) - delta) ** 2).sum(axis=1)
        away.append(((fresh - t.mean()) ** 2).mean())
        within.append(t.var())
    found = np.sqrt(np.mean(away) / np.mean(within))
    factor = stretch_of(how, N, rows, reference_rows)
    assert factor > 1.05
    assert found == pytest.approx(factor, rel=0.05)


def test_stretching_keeps_means_and_ranks(rng):
    t = rng.exponential(size=(2, 50))
    wide = stretched(t, 1.1)
    assert wide.mean(axis=1) == pytest.approx(t.mean(axis=1))
    assert wide.std(axis=1) == pytest.approx(1.1 * t.std(axis=1))
    assert np.array_equal(wide.argsort(axis=1), t.argsort(axis=1))
    assert stretch_of("disjoint", 50, 1000, 100) == 1.0
    assert np.isfinite(stretch_of("subsets", 50, 50, 100))


def test_a_described_ratio_does_not_follow_single_events(rng):
    # Normal distributions shifted by .5: the log ratio is x / 2 - 1 / 8, never beyond 2 here.
    X, Y = rng.normal(size=(800, 2)), rng.normal(size=(200, 2))
    Y[:, 0] += 0.5
    reference = side(X, 100, (0.7,))
    events, smallest = Pool(Rows.of(Y)), 1e-8
    ridge = choose_ridge(reference, events, None, smallest, ONE)
    error = {}
    for value in (smallest, ridge):
        fit = reference.newton(
            0, reference.transform(events.rows, 0), None, 200.0, 400 * value, ONE
        )
        error[value] = np.abs(reference.ratios(0, fit.coefficients) - (X[:, 0] / 2 - 0.125)).mean()
    assert ridge > 100 * smallest
    assert error[ridge] < 0.35
    assert error[smallest] > 2 * error[ridge]


def test_penalty_of_a_strong_difference_is_smaller(rng):
    X = rng.normal(size=(600, 1))
    reference = side(X, 40, (0.7,))
    same, bump = rng.normal(size=(300, 1)), np.r_[rng.normal(size=(200, 1)), np.full((100, 1), 1.0)]
    bump[200:] += rng.normal(size=(100, 1)) / 20
    found = [choose_ridge(reference, Pool(Rows.of(Y)), None, 1e-8, ONE) for Y in (same, bump)]
    assert found[1] < found[0]
    assert choose_ridge(reference, Pool(Rows.of(same[:2])), None, 1e-8, ONE) == pytest.approx(1e-2)
