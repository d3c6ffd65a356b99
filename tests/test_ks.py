"""The classical tests: statistics against SciPy's, p-values against enumeration, refusals."""

from __future__ import annotations

import itertools
from functools import partial

import naive
import numpy as np
import pandas as pd
import pytest
import scipy.signal
import scipy.stats

import kstest
from kstest.diagnostics import dependence, digests
from kstest.diagnostics.dependence import block_length, centred, spell, with_sizes
from kstest.errors import UsageError
from kstest.methods import ks as ks_module
from kstest.methods.ks import STATISTICS
from kstest.methods.two_samples import arranged as arranged_module
from kstest.methods.two_samples import cell_statistics as statistics_module
from kstest.methods.two_samples import cells as cells_module
from kstest.methods.two_samples.arranged import row_order
from kstest.methods.two_samples.cell_statistics import chi_squared, energy, kolmogorov_smirnov
from kstest.methods.two_samples.cells import (
    Layout,
    level_cells,
    merged,
    quantile_cells,
    value_cells,
)
from kstest.nulls import partition, permuted_labels
from kstest.report import render
from kstest.sample import Sample

# Of a statistic that SciPy does not have the naive twin is the reference.
SCIPY = {
    "ks": lambda x, y: scipy.stats.ks_2samp(x, y).statistic,
    "cvm": lambda x, y: scipy.stats.cramervonmises_2samp(x, y).statistic,
    "ad": lambda x, y: _anderson_ksamp(x, y),
    "energy": scipy.stats.energy_distance,
}


def _anderson_ksamp(x, y):
    import warnings

    with warnings.catch_warnings():  # its p-value is clipped, and its signature changes
        warnings.simplefilter("ignore")
        return scipy.stats.anderson_ksamp([x, y]).statistic


def listed(result):
    return {c["column"]: c for c in result.to_dict()["explanation"]["columns"]}


# --- statistics


@pytest.mark.parametrize("statistic", SCIPY)
@pytest.mark.parametrize(("m", "n"), [(6, 6), (5, 40), (300, 200), (5000, 6000)])
def test_statistic_is_that_of_scipy(statistic, m, n, rng):
    X, Y = rng.normal(size=m) + 7, 1.2 * rng.normal(size=n) + 7
    found = kstest.ks(X, Y, statistic=statistic, permutations=19)
    assert found.statistic == pytest.approx(SCIPY[statistic](X, Y), rel=1e-9)


@pytest.mark.parametrize("statistic", ["ks", "ad", "energy"])
def test_statistic_is_that_of_scipy_with_ties(statistic, rng):
    X, Y = rng.integers(0, 6, 40).astype(float), rng.integers(1, 7, 70).astype(float)
    found = kstest.ks(X, Y, statistic=statistic, permutations=19)
    assert found.statistic == pytest.approx(SCIPY[statistic](X, Y), rel=1e-9)


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("sizes", [(6, 5), (9, 3)])
@pytest.mark.parametrize("levels", [3, 1000])
def test_statistic_equals_its_naive_twin(statistic, sizes, levels, rng):
    X, Y = (rng.integers(0, levels, k).astype(float) for k in sizes)
    found = kstest.ks(X, Y, statistic=statistic, permutations=19).statistic
    expected = naive.COLUMN_STATISTICS[statistic](X, Y)
    if statistic == "ad":
        expected = (expected - 1) / naive.anderson_darling_deviation(*sizes)
    assert found == pytest.approx(expected, rel=1e-9)


def test_cramer_von_mises_with_ties_does_not_change_with_the_sign(rng):
    X, Y = rng.integers(0, 4, 11).astype(float), rng.integers(0, 5, 60).astype(float)
    a, b = (kstest.ks(s * X, s * Y, statistic="cvm", permutations=19).statistic for s in (1, -1))
    assert a == pytest.approx(b, rel=1e-12)


def test_categories_are_compared_by_chi_squared_as_scipy_does(rng):
    X, Y = (pd.DataFrame({"c": rng.choice(list("abcd"), k)}) for k in (50, 80))
    table = pd.concat([X.c.value_counts(), Y.c.value_counts()], axis=1).to_numpy()
    found = kstest.ks(X, Y, permutations=99)
    expected = scipy.stats.chi2_contingency(table, correction=False).statistic
    assert found.statistic == pytest.approx(expected, rel=1e-12)
    shares = table / table.sum(axis=0)
    variation = np.abs(shares[:, 0] - shares[:, 1]).sum() / 2
    assert listed(found)["c"]["distance"] == pytest.approx(variation)
    assert found.explanation["statistic"] == "chi-squared"


def test_energy_distance_of_huge_values_is_finite():
    values, first = np.array([-1.5e308, 0.0, 1.7e308]), np.array([[2.0], [1.0], [0.0]])
    found = energy(values, first, np.array([2.0, 2.0, 2.0]))
    assert np.isfinite(found).all()
    small = energy(values / 1e300, first, np.array([2.0, 2.0, 2.0]))
    assert found[0] == pytest.approx(1e150 * small[0])


# --- p-values


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("ties", [False, True])
def test_p_value_is_close_to_that_of_all_labellings(statistic, ties, rng):
    """All 462 or 924 splits by hand, against 9,999 permutations at random."""
    for m, n in ((5, 6), (6, 6)):
        X, Y = rng.normal(size=m), rng.normal(size=n) + 0.8
        if ties:
            X, Y = np.round(X), np.round(Y)
        z = np.r_[X, Y]
        splits = [list(s) for s in itertools.combinations(range(m + n), m)]
        twin = naive.COLUMN_STATISTICS[statistic]
        all_of_them = np.array([twin(z[s], np.delete(z, s)) for s in splits])
        exact = np.mean(all_of_them >= all_of_them[0] - 1e-9)
        found = kstest.ks(X, Y, statistic=statistic, permutations=9999).p_value
        if np.ptp(all_of_them) < 1e-9:  # as here with ties: nothing to be seen, no verdict
            assert found is None
            continue
        assert found == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 9999) + 2e-4)


def test_one_column_has_the_same_p_value_under_both_corrections_and_its_own(rng):
    X, Y = rng.normal(size=40), rng.normal(size=30) + 0.3
    a, b = (kstest.ks(X, Y, correction=c) for c in ("westfall-young", "holm"))
    assert a.p_value == b.p_value == listed(a)["1"]["p_value"]
    assert (a.p_value <= a.alpha) == (a.statistic > a.threshold)


def test_p_value_is_the_smallest_adjusted_one_and_decides(rng):
    X, Y = rng.normal(size=(2, 60, 4))
    Y[:, 2] += 1.0
    found = kstest.ks(X, Y)
    columns = found.explanation["columns"]
    assert (found.verdict, columns[0].column) == ("rejected", "3")
    assert found.p_value == min(c.adjusted_p_value for c in columns) == 0.004
    assert found.statistic == columns[0].statistic
    assert all(c.adjusted_p_value >= c.p_value for c in columns)
    text = render(found, "text")
    assert "Kolmogorov-Smirnov" in text
    assert "in column 3" in text
    assert "higher: median" in text


def test_a_joint_change_is_invisible_and_mmd_sees_it(rng):
    X = rng.normal(size=(300, 2))
    Y = X @ np.linalg.cholesky([[1, 0.8], [0.8, 1]]).T
    Y = np.column_stack([np.sort(X[:, c])[np.argsort(np.argsort(Y[:, c]))] for c in (0, 1)])
    assert not kstest.ks(X, Y).reject
    assert kstest.mmd(X, Y, explain="none").reject


# --- cells and permutations


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("size", [1, 4])
def test_counts_equal_a_loop_over_rows(weighted, size, monkeypatch, rng):
    cut = partition(23, 41, size, rng)
    signs = permuted_labels(cut, 30, rng)
    weights = rng.exponential(size=64) if weighted else np.ones(64)
    block = np.repeat(np.arange(len(cut.labels)), cut.sizes)
    layout = Layout(block.astype(np.int32), signs, cut.order, weights[cut.order])
    place = rng.integers(-1, 9, 64)
    cells = cells_module.Cells(place, np.arange(9.0))
    expected = np.zeros((9, 31))
    row_block = np.empty(64, int)
    row_block[cut.order] = block
    for row in range(64):
        if place[row] >= 0:
            expected[place[row]] += weights[row] * (signs[row_block[row]] > 0)
    both = np.bincount(place[place >= 0], weights[place >= 0], 9)
    for most in (1 << 21, 7, 100):  # both ways to add, in one piece and in several
        monkeypatch.setattr(cells_module, "MOST_COUNTS", most)
        for c in range(9):
            found = layout.over_permutations(cells, lambda first, total, c=c: first[c])
            np.testing.assert_allclose(found, expected[c], rtol=1e-5, atol=1e-6)
        first, total = layout.observed(cells)
        np.testing.assert_allclose(first[:, 0], expected[:, 0])
        np.testing.assert_allclose(total, both)
        totals = layout.over_permutations(cells, lambda first, total: total @ np.ones_like(first))
        np.testing.assert_allclose(totals, both.sum())


@pytest.mark.parametrize("values", [1, 2, 7, 10**6])
@pytest.mark.parametrize("rows", [1, 2, 3, 500])
def test_rows_are_ordered_as_by_all_keys(rows, values, rng):
    """One sort and a look at ties gives the order of NumPy's sort by many keys."""
    keys = [*rng.integers(values, size=(4, rows)).astype(float), rng.integers(2, size=rows)]
    keys[1][: rows // 2] = -0.0
    for some in (keys, keys[:1], keys[:2]):
        np.testing.assert_array_equal(row_order(some), np.lexsort(some[::-1]))


@pytest.mark.parametrize("statistic", STATISTICS)
def test_in_pieces_everything_is_the_same_to_the_bit(statistic, monkeypatch, rng):
    """Of millions of rows, columns, counts and cells are looked at in pieces."""
    X, Y = rng.standard_t(3, (700, 5)), rng.standard_t(3, (900, 5)) + 0.1
    X[:, 1], Y[:, 1] = np.rint(X[:, 1]), np.rint(Y[:, 1])
    first, both = rng.integers(0, 3, (50, 4)).astype(float), np.full(50, 4.0)
    whole, largest = kstest.ks(X, Y, statistic=statistic), kolmogorov_smirnov(first, both)
    monkeypatch.setattr(cells_module, "ROWS", 64)
    monkeypatch.setattr(statistics_module, "AT_ONCE", 7)
    monkeypatch.setattr(digests, "FEW", 50)
    monkeypatch.setattr(arranged_module, "LOOK", 1)
    pieces = kstest.ks(X, Y, statistic=statistic)
    assert pieces.explanation == whole.explanation
    assert pieces.p_value == whole.p_value
    np.testing.assert_array_equal(kolmogorov_smirnov(first, both), largest)


def test_a_warning_is_the_same_column_by_column(monkeypatch, rng):
    X = rng.normal(size=(2000, 6)).cumsum(axis=0)
    X[:, 2] = rng.normal(size=2000)
    Y = rng.normal(size=(500, 6))
    whole = kstest.ks(X, Y).warnings
    monkeypatch.setattr(dependence, "AT_ONCE", 1)
    assert kstest.ks(X, Y).warnings == whole
    assert "serial-dependence" in [w.code for w in whole]


def test_merged_cells_keep_the_order_the_ends_and_the_mean(rng):
    column = np.r_[rng.standard_cauchy(3000), np.full(500, 0.25)]
    cells = value_cells(column)
    few = merged(cells, 64)
    assert len(few.values) <= 64
    assert (np.diff(few.values) > 0).all()
    assert (np.diff(few.place[np.argsort(column)]) >= 0).all()
    np.testing.assert_allclose(few.values[:16], np.sort(column)[:16])
    np.testing.assert_allclose(few.values[-16:], np.sort(column)[-16:])
    inner = column[few.place == 30]
    assert few.values[30] == pytest.approx(inner.mean())
    assert merged(cells, len(cells.values)) is cells


@pytest.mark.parametrize("statistic", STATISTICS)
def test_many_distinct_values_change_the_p_value_little(statistic, monkeypatch, rng):
    X, Y = rng.standard_t(3, 900), rng.standard_t(3, 1100) + 0.12
    fine = kstest.ks(X, Y, statistic=statistic)
    monkeypatch.setattr(ks_module, "CELLS", 256)
    coarse = kstest.ks(X, Y, statistic=statistic)
    assert coarse.statistic == fine.statistic
    assert coarse.threshold == pytest.approx(fine.threshold, rel=0.03, abs=0.03)
    assert coarse.p_value == pytest.approx(fine.p_value, abs=0.01)


def test_levels_beyond_the_most_frequent_share_a_cell():
    codes = np.repeat(np.arange(150, dtype=np.int32), np.r_[np.full(100, 3), np.ones(50, int)])
    cells = level_cells(codes)
    assert len(cells.values) == 101
    assert np.bincount(cells.place)[100] == 50
    assert len(quantile_cells(codes.astype(float), 50).values) <= 50


@pytest.mark.parametrize("statistic", STATISTICS)
def test_many_labellings_at_once_equal_one_after_another(statistic, rng):
    both = rng.integers(1, 5, 40).astype(float)
    first = rng.binomial(both[:, None].astype(int), 0.4, (40, 100)).astype(float)
    compute = STATISTICS[statistic].of(np.sort(rng.normal(size=40)))
    single = [compute(first[:, [b]], both)[0] for b in range(100)]
    np.testing.assert_allclose(compute(first, both), single, rtol=1e-12)


def test_an_empty_side_has_statistic_zero():
    both = np.array([2.0, 3.0])
    first = np.array([[0.0, 2.0, 1.0], [0.0, 3.0, 1.0]])
    for f in (*(s.of(np.array([1.0, 2.0])) for s in STATISTICS.values()), chi_squared):
        values = f(first.copy(), both)
        assert (values[:2] == 0).all()
        assert values[2] > 0


# --- data of any kind, refusals


@pytest.mark.parametrize("statistic", STATISTICS)
def test_missing_cells_are_left_out_and_their_number_tested(statistic, rng):
    X, Y = pd.DataFrame({"x": rng.normal(size=80)}), pd.DataFrame({"x": rng.normal(size=90)})
    X.loc[:4, "x"], Y.loc[:59, "x"] = np.nan, np.nan
    found = listed(kstest.ks(X, Y, statistic=statistic, missing="indicator"))
    reference = SCIPY.get(statistic) or naive.COLUMN_STATISTICS[statistic]
    expected = reference(X.x.dropna(), Y.x.dropna())
    assert found["x"]["statistic"] == pytest.approx(expected, rel=1e-9)
    assert found["x missing"]["adjusted_p_value"] <= 0.01
    assert found["x"]["adjusted_p_value"] > 0.01


@pytest.mark.parametrize(
    "options", [{"group": "g"}, {"block_length": "5"}, {"permute": "bins", "bins": 6}]
)
def test_what_is_permuted_is_that_of_mmd(options, rng):
    X, Y = (pd.DataFrame({"x": rng.normal(size=60) + s}) for s in (0, 2))
    X["g"], Y["g"] = np.arange(60) // 5, 100 + np.arange(60) // 5
    if "group" not in options:
        X, Y = X[["x"]], Y[["x"]]
    a, b = kstest.ks(X, Y, **options), kstest.mmd(X, Y, explain="none", **options)
    assert a.null == b.null
    assert a.reject


@pytest.mark.parametrize("options", [{}, {"permute": "bins", "bins": 8}])
@pytest.mark.parametrize("statistic", STATISTICS)
def test_answer_does_not_depend_on_row_order_roles_threads_and_units(statistic, options, rng):
    X, Y = rng.normal(size=(60, 2)), rng.normal(size=(70, 2)) + 0.2
    ask = partial(kstest.ks, statistic=statistic, **options)
    base = ask(X, Y)
    others = [(X[::-1], Y), (X, rng.permutation(Y)), (Y, X)]
    for a, b in others:
        for threads in (1, 3):
            other = ask(a, b, threads=threads)
            assert (other.p_value, other.statistic) == (base.p_value, base.statistic)
    assert ask(X * [4, 0.5], Y * [4, 0.5]).p_value == base.p_value


def test_constant_columns_are_no_verdict_and_said():
    result = kstest.ks(np.ones((30, 2)), np.ones((40, 2)))
    assert (result.p_value, result.verdict) == (None, "no verdict")
    assert result.warnings[0].code == "constant-statistic"


def test_a_constant_column_beside_another_is_no_trouble(rng):
    X, Y = (np.c_[np.ones(40), rng.normal(size=40) + s] for s in (0, 2))
    found = listed(kstest.ks(X, Y))
    assert found["1"]["adjusted_p_value"] == 1.0
    assert found["2"]["adjusted_p_value"] <= 0.01


@pytest.mark.parametrize("n", [(1, 40), (3, 3), (2, 4)])
def test_too_few_rows_give_no_verdict(n, rng):
    result = kstest.ks(rng.normal(size=(n[0], 2)), rng.normal(size=(n[1], 2)))
    assert (result.verdict, result.p_value) == ("no verdict", None)
    assert "rows" in result.warnings[0].message


def test_equal_weights_change_nothing(rng):
    X = pd.DataFrame({"x": rng.normal(size=30), "w": 1.0})
    Y = pd.DataFrame({"x": rng.normal(size=30), "w": 2.0})
    found = kstest.ks(X, Y, weights="w")
    assert found.p_value == kstest.ks(X[["x"]], Y[["x"]]).p_value


def test_holm_draws_the_labellings_that_it_needs(rng):
    X, Y = rng.normal(size=(2, 30, 40))
    Y[:, 7] += 3
    found = kstest.ks(X, Y, permutations=99)
    assert found.null["replicates"] == 4 * 40 / 0.05
    first = found.explanation["columns"][0]
    assert (found.verdict, first.column) == ("rejected", "8")
    assert first.p_value == pytest.approx(1 / 3201)
    assert first.adjusted_p_value == pytest.approx(40 / 3201)


def test_columns_that_differ_in_their_dependence_alone_are_not_named():
    named = 0
    for seed in range(20):
        rng = np.random.default_rng([7, seed])
        X, Y = rng.normal(size=(20, 10)), np.repeat(rng.normal(size=(200, 1)), 10, axis=1)
        named += bool(kstest.ks(X, Y, seed=seed).reject)
    assert named <= 4  # of 20 at level .05: more than 4 in 1 of 390 runs


def volatile(rng, n, stay=0.98):
    """Independent signs, a spread of 1 or 4 that lasts."""
    return rng.normal(size=n) * np.where(np.cumsum(rng.random(n) > stay) % 2, 4.0, 1.0)


@pytest.mark.parametrize("test", [kstest.mmd, kstest.ks])
def test_spells_of_volatility_are_memory(test, rng):
    X, Y = volatile(rng, 600), volatile(rng, 600)
    assert "serial-dependence" in [w.code for w in test(X, Y).warnings]
    found = test(X, Y, block_length="auto")
    assert found.verdict == "no verdict" or found.null["rows_per_bin"] >= 20


def sample_of(values):
    values = np.reshape(values, (len(values), -1)).astype(float)
    return Sample("data", values, tuple(f"c{i}" for i in range(values.shape[1])))


def test_faint_memory_of_both_samples_makes_long_blocks():
    """Values a sixth of whose variance is an autoregression of .98: single lags hardly show it."""
    lengths = []
    for seed in range(10):
        rng = np.random.default_rng([12, seed])
        hidden = [scipy.signal.lfilter([1], [1, -0.98], rng.normal(size=2000)) for _ in range(2)]
        parts = [sample_of(0.09 * slow[500:] + rng.normal(size=1500)) for slow in hidden]
        lengths.append(block_length("auto", parts))
    assert np.median(lengths) >= 60


def test_independent_rows_have_no_spells():
    quiet = 0
    for seed in range(40):
        rng = np.random.default_rng([13, seed])
        draws = (
            [rng.normal(size=(n, 20)) for n in (400, 90)],
            [rng.standard_cauchy(n) for n in (9, 800)],
            [rng.integers(0, 3, n) for n in (500, 500)],
            [np.zeros(n) for n in (8, 30)],
        )
        parts = [[with_sizes(centred(sample_of(x))) for x in pair] for pair in draws]
        quiet += sum(spell(pair) == 0 for pair in parts)
    assert quiet >= 155  # of 160


@pytest.mark.parametrize("distribution", ["cauchy", "ties", "rare"])
def test_independent_rows_are_not_called_a_series(distribution, rng):
    draw = {
        "cauchy": lambda: rng.standard_cauchy(400),
        "ties": lambda: rng.integers(0, 3, 400).astype(float),
        "rare": lambda: (rng.random(400) < 0.03).astype(float),
    }[distribution]
    for _ in range(5):
        assert not kstest.ks(draw(), draw(), permutations=99).warnings


@pytest.mark.parametrize("options", [{"statistic": "t"}, {"correction": "none"}, {"bins": 1}])
def test_unusable_options_are_named(options):
    with pytest.raises(UsageError, match=next(iter(options))):
        kstest.ks(np.zeros((5, 1)), np.ones((5, 1)), **options)


@pytest.mark.parametrize("test", ["ks", "mmd"])
@pytest.mark.parametrize("same", [True, False])
def test_explain_all_shows_every_column_whatever_the_verdict(test, same, rng):
    X, Y = rng.normal(size=(2, 60, 3))
    Y[:, 1] += 0 if same else 2
    result = getattr(kstest, test)(X, Y, explain="all")
    rows = str(result).partition("All columns\n")[2].splitlines()
    assert len(rows) == 4
    assert rows[0].split()[:3] == ["column", "p,", "corrected"]
    assert len(result.explanation["columns"]) == 3
    assert "All columns" not in str(getattr(kstest, test)(X, Y))
