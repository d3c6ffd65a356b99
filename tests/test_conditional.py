"""Conditional independence: residual kernels, cells, permutations within cells, level, power."""

from __future__ import annotations

import json
from itertools import permutations

import naive
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

import kstest
from kstest.cli import run
from kstest.engine import Work
from kstest.engine.margins import bare
from kstest.engine.products import grid_products
from kstest.engine.residuals import Basis, residuals
from kstest.errors import UsageError
from kstest.kernels import KERNELS, BandwidthGrid, Rows
from kstest.methods.dependence.column_blocks import Block
from kstest.methods.dependence.neighbourhoods import CELL_BINS, form_cells
from kstest.methods.dependence.smoothing import basis, features
from kstest.nulls.pairings import pair_rows, permutation_grid, permutations_of

WORK = Work(threads=2)


def gaussian(*widths):
    return BandwidthGrid(KERNELS["gaussian"], widths)


def bases_of(Z, widths, count):
    landmarks = np.linspace(0, len(Z) - 1, count).astype(np.int64)
    return [basis(features(Rows.of(Z), width, landmarks)) for width in widths]


def residual_matrix(K, smoother, penalty):
    """(I - H) K (I - H)', H = U diag(s / (s + penalty)) U'."""
    d = [1.0 if np.isinf(s) else s / (s + penalty) for s in smoother.strengths]
    R = np.eye(len(K)) - smoother.vectors @ np.diag(d) @ smoother.vectors.T
    return R @ K @ R.T, sum(d)


def values_of(margin):
    n = len(margin)
    out, index = np.empty((len(margin.grid), 1, n, n), margin.rows.dtype), np.arange(n)[None]
    margin.values(index, index, True, out)
    return out[:, 0]


@pytest.mark.parametrize("kernel", ["gaussian", "laplace", "energy"])
def test_residual_kernels_are_those_of_the_best_ridge_regression(kernel, rng):
    Z = rng.normal(size=(41, 1))
    X = np.column_stack([np.sin(2 * Z[:, 0]), Z[:, 0]]) + 0.5 * rng.normal(size=(41, 2))
    bases, penalties = bases_of(Z, (1.0, 0.3), 12), np.array([0.01, 1.0])
    (found,) = residuals(
        Rows.of(X), BandwidthGrid(KERNELS[kernel], (0.9,)), bases, penalties, [None], WORK
    )
    K = naive.kernel_matrix(X, kernel, 0.9) + np.eye(41) * (kernel != "energy")
    candidates = [residual_matrix(K, b, p) for b in bases for p in penalties]
    scores = [np.trace(M) / (1 - df / 41) ** 2 for M, df in candidates]
    best, freedom = candidates[int(np.argmin(scores))]
    inside = best * (1 - np.eye(41))
    np.testing.assert_allclose(values_of(found)[0], inside, atol=1e-10)
    np.testing.assert_allclose(found.centred_square, (inside**2).sum(), rtol=1e-9)
    np.testing.assert_allclose(found.freedom, freedom / 41)
    C = np.eye(41) - 1 / 41
    np.testing.assert_allclose(found.explained, 1 - np.trace(best) / np.trace(C @ K @ C))


def test_residual_kernel_agrees_with_another_package():
    """scikit-learn 1.9.1: KernelRidge(alpha=0.3) on the centred kernel of z, for the features of X.

    Features: eigenvectors of the Gaussian kernel matrix times roots of the eigenvalues, centred.
    With as many landmarks as rows the smoother is exact.
    """
    i = np.arange(30.0)
    z = np.sin(i * i)
    X = np.column_stack([np.cos(3 * i) + z, np.sin(2 * i * i)])
    bases = bases_of(z[:, None], (0.8,), 30)
    (found,) = residuals(Rows.of(X), gaussian(1.1), bases, np.array([0.3]), [None], WORK)
    K = values_of(found)[0]
    assert K[0, 1] == pytest.approx(-0.26761342205453376, abs=1e-6)
    assert K[3, 17] == pytest.approx(-0.2713923418703852, abs=1e-6)


@pytest.mark.parametrize(("n", "size"), [(24, 1), (29, 4)])
def test_products_of_residuals_equal_whole_matrices(n, size, rng):
    X, Y, Z = rng.normal(size=(3, n, 1))
    bases, penalties = bases_of(Z, (0.7,), 9), np.array([0.1])
    factor = bare(Rows.of(Z), gaussian(0.6))
    lefts = residuals(Rows.of(X), gaussian(1.0, 0.5), bases, penalties, [None, factor], WORK)
    (right,) = residuals(Rows.of(Y), gaussian(0.8), bases, penalties, [None], WORK)
    a, b = (np.array([rng.permutation(n // size) for _ in range(k)]) for k in (3, 4))
    L = values_of(right)[0]
    M = naive.kernel_matrix(Z, "gaussian", 0.6)
    for left, weight in zip(lefts, (1.0, M), strict=True):
        products = grid_products([left], [right], ([a], [b]), size, True, WORK)
        for r, i, j in np.ndindex(2, 3, 4):
            K = values_of(lefts[0])[r] * weight
            one, two = (moved(order, size, n) for order in (a[i], b[j]))
            expected = (K[np.ix_(one, one)] * L[np.ix_(two, two)]).sum()
            assert products[r, 0, i, j] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def moved(order, size, n):
    rows = (np.asarray(order)[:, None] * size + np.arange(size)).ravel()
    return np.concatenate([rows, np.arange(len(rows), n)])


def test_permutations_within_cells_are_uniform(rng):
    cells = np.array([0, 0, 0, 1, 2, 2])
    drawn = permutations_of(6, 6000, rng, cells)
    every = {(*p, 3, *q) for p in permutations((0, 1, 2)) for q in permutations((4, 5))}
    found, counts = np.unique(drawn, axis=0, return_counts=True)
    assert {tuple(row) for row in found} == every
    assert abs(counts - 500).max() < 5 * np.sqrt(500)


def test_pairings_keep_to_their_cells_and_begin_with_the_observed_one(rng):
    cells = np.repeat([0, 1, 2], [3, 2, 4])
    cut = pair_rows(rng.permutation(19), 2, 2, rng, cells)
    assert cut.distinct == 6 * 2 * 24
    drawn = permutation_grid(cut, 1, 19, rng)
    x, y = (cut.order[:18].reshape(9, 2)[cut.stored[block]] for block in (0, 1))
    np.testing.assert_array_equal(x[drawn.left[0][0]], y[drawn.right[0][0]])
    for order in (*drawn.left[0], *drawn.right[0], *cut.stored):
        np.testing.assert_array_equal(cells[order], cells)


def cells_of(frame, together=1, seed=0):
    """Row labels of the cells of all columns of a frame, -1 for rows that never move."""
    n, codes = len(frame), frame.select_dtypes(exclude="number")
    numbers = frame.drop(columns=codes.columns).to_numpy(np.float64).reshape(n, -1)
    levels = [np.unique(codes[c], return_inverse=True)[1] for c in codes]
    block = Block(tuple(frame), numbers, np.array(levels, np.int32).reshape(len(levels), n).T)
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    found = form_cells(block, block.scaled("robust"), order[:, None], together)
    label = np.full(n, -1)
    moving = found.order[: len(found.bins) * together]
    label[order[moving]] = np.repeat(found.bins, together)
    return label, found


def test_equal_values_form_cells_of_their_own(rng):
    frame = pd.DataFrame({"a": rng.integers(0, 3, 200), "b": rng.choice(["u", "v"], 200)})
    label, found = cells_of(frame)
    assert found.equal
    assert len(set(zip(label, frame.a, frame.b, strict=True))) == len(set(label)) == 6


def test_neighbours_are_near_and_share_their_category(rng):
    frame = pd.DataFrame({"z": rng.normal(size=400), "b": rng.choice(["u", "v"], 400)})
    label, found = cells_of(frame)
    assert not found.equal
    assert set(np.bincount(label)) <= set(range(CELL_BINS, 2 * CELL_BINS))
    groups = frame.groupby(label)
    assert (groups.b.nunique() == 1).all()
    # Cells of a category follow each other along z.
    for _, part in frame.assign(label=label).groupby("b"):
        ends = part.groupby("label").z.agg(["min", "max"]).sort_values("min")
        assert (ends["max"].to_numpy()[:-1] <= ends["min"].to_numpy()[1:]).all()


def test_bins_of_rows_hold_rows_of_one_cell(rng):
    frame = pd.DataFrame({"z": rng.integers(0, 5, 1000)})
    label, _ = cells_of(frame, 4)
    assert (frame.z[label >= 0].groupby(label[label >= 0]).nunique() == 1).all()
    assert (label < 0).sum() < 5 * 4


def linked(rng, n=150, own=0.0, z=None):
    z = rng.normal(size=n) if z is None else z
    e, f = rng.normal(size=(2, n))
    return pd.DataFrame({"x": 2 * z + e, "y": 2 * z + f + own * e, "z": z})


GIVEN = {"x": "x", "y": "y", "given": "z"}


def test_dependence_through_the_given_column_is_none_and_own_dependence_is_found(rng):
    assert kstest.hsic(linked(rng), x="x", y="y").reject
    kept = kstest.hsic(linked(rng), **GIVEN)
    assert kept.verdict == "not rejected"
    assert kept.null["exact"] is False
    assert "random signs of rows" in kept.null["scheme"]
    assert [len(some) for some in kept.explanation["learners"]] == [1, 1]
    assert all(0.5 < share < 0.95 for share in kept.explanation["explained"])
    found = kstest.hsic(linked(rng, own=0.7), **GIVEN)
    assert found.reject
    (row,) = found.explanation["dependence"]
    assert (row["kind"], row["strength"] > 0.3) == ("increasing", True)


def test_a_dependence_whose_sign_changes_with_z_is_found(rng):
    z, e, f = rng.normal(size=(3, 300))
    frame = pd.DataFrame({"x": z + e, "y": z + f + 0.8 * e * np.sign(z), "z": z})
    assert kstest.hsic(frame, **GIVEN).reject


@pytest.mark.parametrize("conditional", ["residuals", "permutation"])
def test_equal_values_make_the_test_exact(conditional, rng):
    k = rng.integers(0, 4, 160)
    found = kstest.hsic(linked(rng, 160, z=k), conditional=conditional, **GIVEN)
    assert (found.verdict, found.null["exact"], found.null["cells"]) == ("not rejected", True, 4)
    assert kstest.hsic(linked(rng, 160, 0.7, z=k), conditional=conditional, **GIVEN).reject


@pytest.mark.parametrize("n", [90, 700])
def test_answer_depends_neither_on_row_order_nor_units_nor_threads(n, rng):
    frame = linked(rng, n).round(1)
    options = {"permutations": 99, **GIVEN}
    base = kstest.hsic(frame, **options)
    for other, threads in ((frame[::-1], 1), (frame.sample(frac=1, random_state=0), 3)):
        found = kstest.hsic(other, threads=threads, **options)
        assert found.p_value == base.p_value
        assert found.statistic == pytest.approx(base.statistic, rel=1e-6)
    scaled = kstest.hsic(frame * [1e3, 1e-2, 8.0] + [5, 0, -3], **options)
    assert scaled.p_value == base.p_value


def test_categories_and_missing_cells_can_be_given(rng):
    k = rng.choice(["a", "b", "c"], 240)
    level = pd.Series(k).map({"a": 0.0, "b": 4.0, "c": -3.0})
    e, f = rng.normal(size=(2, 240))
    frame = pd.DataFrame({"x": level + e, "y": level**2 + f, "z": k})
    found = kstest.hsic(frame, **GIVEN)
    assert (found.verdict, found.null["exact"]) == ("not rejected", True)
    frame.loc[::5, "z"] = None
    frame.loc[::5, ["x", "y"]] = np.column_stack([f, f])[::5]
    assert kstest.hsic(frame, missing="indicator", **GIVEN).reject


def test_a_constant_given_column_is_the_plain_test(rng):
    frame = linked(rng, 100).assign(z=1.0)
    assert kstest.hsic(frame, **GIVEN).reject


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"given": "z"}, r"\bx\b"),
        ({"x": "x", "y": "y", "given": "y"}, "given"),
        ({"x": "x", "y": "y", "given": "w"}, "given"),
        ({"all_pairs": True, "given": "y,z,g"}, "besides given"),
        ({"all_pairs": True, "given": "z", "exclude": "z"}, "given"),
        ({"block": ("x", "y"), "given": "y"}, "given"),
        ({"conditional": "other", **GIVEN}, "conditional"),
        ({"group": "g", "block_length": "5", **GIVEN}, "block_length"),
    ],
)
def test_unusable_options_are_named(options, named, rng):
    with pytest.raises(UsageError, match=named):
        kstest.hsic(linked(rng).assign(g=1), **options)


def test_too_few_alike_rows_give_no_verdict(rng):
    for n, why in ((3, "3 rows: the test needs"), (30, "at least 50")):
        none = kstest.hsic(linked(rng, n), **GIVEN)
        assert (none.verdict, none.warnings[0].code) == ("no verdict", "too-few-rows")
        assert why in none.warnings[0].message


def test_the_command_says_what_was_given(tmp_path, capsys, rng):
    path = tmp_path / "data.csv"
    linked(rng, 200, own=0.8).to_csv(path, index=False)
    command = ["hsic", str(path), "--x", "x", "--y", "y", "--given", "z"]
    assert run(command) == 1
    shown = capsys.readouterr().out
    assert "the blocks are dependent given z" in shown
    assert "z: explains" in shown
    run([*command, "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    assert found["explanation"]["given"] == ["z"]
    assert found["null"]["exact"] is False


def rejections(draw, runs, **options):
    def rejects(run):
        data = draw(np.random.default_rng([17, run]))
        return kstest.hsic(data, threads=1, **{**GIVEN, "permutations": 39, **options}).reject

    found = [rejects(run) for run in range(runs)]
    assert found.count(None) <= max(1, 0.05 * runs)  # no verdict is rare, and no rejection
    return found.count(True)


def band(runs):
    return binom.ppf([0.0005, 0.9995], runs, 0.05)


def levels(rng, n=60):
    """Distribution of both blocks, the spread too, differs from level to level of z."""
    return linked(rng, n, z=rng.integers(0, 5, n)) * [1, 1, 1]


def test_level_with_equal_values_is_exact():
    low, high = band(400)
    assert low <= rejections(levels, 400, bandwidth="median") <= high


@pytest.mark.slow
@pytest.mark.parametrize("conditional", ["residuals", "permutation"])
def test_level_with_equal_values(conditional):
    low, high = band(1000)
    assert low <= rejections(levels, 1000, conditional=conditional) <= high


CONTINUOUS = {
    "3 z": lambda z: (3 * z, 1.0),
    "sine": lambda z: (2 * np.sin(z), 1.0),
    "spread": lambda z: (z, np.exp(z / 2)),
}


@pytest.mark.slow
@pytest.mark.parametrize("distribution", CONTINUOUS)
def test_level_with_one_smooth_given_column(distribution):
    """Bound: the band of an exact test. A true level of 0.1 exceeds it in 99.7 % of runs."""

    def draw(rng):
        z, e, f = rng.normal(size=(3, 100))
        mean, spread = CONTINUOUS[distribution](z)
        return pd.DataFrame({"x": mean + spread * e, "y": mean + spread * f, "z": z})

    assert rejections(draw, 1000) <= band(1000)[1]


def test_straight_lines_in_eight_given_columns_are_taken_out_whole():
    def draw(rng):
        Z, (e, f) = rng.normal(size=(320, 8)), rng.normal(size=(2, 320))
        frame = pd.DataFrame(Z, columns=list("abcdefgh"))
        return frame.assign(x=2 * Z[:, 0] + 0.3 * e, y=2 * Z[:, 0] + 0.3 * f)

    given = {"x": "x", "y": "y", "given": "a,b,c,d,e,f,g,h"}
    assert rejections(draw, 6, **given) <= binom.ppf(0.9995, 6, 0.05)
    found = kstest.hsic(draw(np.random.default_rng(0))[:319], **given)
    assert (found.verdict, found.warnings[0].code) == ("no verdict", "too-few-rows")
    assert "at least 320" in found.warnings[0].message


def test_permuting_blocks_as_they_are_warns_when_they_vary_with_z(rng):
    found = kstest.hsic(linked(rng, 300), conditional="permutation", **GIVEN)
    assert "given-not-taken-out" in [notice.code for notice in found.warnings]
    assert "exact" in found.warnings[0].message


def test_a_basis_moves_with_its_rows(rng):
    made = Basis(rng.normal(size=(5, 2)), np.ones(2))
    np.testing.assert_array_equal(made.take(np.array([3, 1])).vectors, made.vectors[[3, 1]])
