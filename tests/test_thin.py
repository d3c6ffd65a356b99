"""Thinning: halving, the certificate against all pairs, Stein thinning, files."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import kstest
from kstest.cli import run
from kstest.engine import Work
from kstest.errors import DataError, UsageError
from kstest.kernels import KERNELS, BandwidthGrid, Rows
from kstest.sample import Sample
from kstest.thinning import certificate, halving, loops

WORK = Work(threads=1)
GRID = BandwidthGrid(KERNELS["gaussian"], tuple(4 / math.sqrt(2) ** l for l in range(6)), True)


def kernel(x, y, codes=None):
    """The sum of the grid's kernels, from matrices."""
    square = ((x[:, None] - y[None]) ** 2).sum(-1)
    if codes is not None:
        square = square + 2.0 * (codes[0][:, None] != codes[1][None])
    return sum(np.exp(-square / (2 * h * h)) for h in GRID.bandwidths)


def squared_mmd(K, rows):
    return K.mean() - 2 * K[rows].mean() + K[np.ix_(rows, rows)].mean()


def loops_of(points):
    return (points.columns, points.norms, points.codes, points.apart, points.factor, points.count)


@pytest.fixture
def rows(rng):
    return Rows(rng.normal(size=(40, 3)), rng.integers(0, 2, (40, 1)).astype(np.int32))


def test_split_is_the_walk_of_the_paper(rows, rng):
    """Naive twin: f from the two halves anew at every pair."""
    K = kernel(rows.values, rows.values, (rows.codes[:, 0], rows.codes[:, 0]))
    draws, constant = rng.random(20), 2 * math.log(2 * 40 / 0.5)
    chosen = np.zeros(40, np.int8)
    loops.split(*loops_of(halving.Points.of(rows, GRID)), draws, constant, chosen)
    first, second, spread = [], [], 0.0
    for p in range(20):
        x, y = 2 * p, 2 * p + 1
        f = K[first].sum(0) - K[second].sum(0)
        b = K[x, x] + K[y, y] - 2 * K[x, y]
        a = max(math.sqrt(spread * b * constant), b)
        spread += b * max(0.0, 1 + (b / a - 2) * spread / a)
        if draws[p] < 0.5 * (1 - (f[x] - f[y]) / a):
            first.append(x), second.append(y)
        else:
            first.append(y), second.append(x)
    assert sorted(first) == np.flatnonzero(chosen).tolist()


def test_swap_takes_the_best_row_each_time(rows):
    K = kernel(rows.values, rows.values, (rows.codes[:, 0], rows.codes[:, 0]))
    chosen = np.zeros(40, np.int8)
    chosen[:15] = 1
    by_hand = chosen.copy()
    loops.swap(*loops_of(halving.Points.of(rows, GRID)), chosen)
    for i in range(40):
        if by_hand[i]:
            others = np.flatnonzero(by_hand == 0)
            kept = np.setdiff1d(np.flatnonzero(by_hand), i)
            scores = [squared_mmd(K, np.append(kept, j)) for j in [i, *others]]
            best = [i, *others][int(np.argmin(scores))]
            by_hand[i], by_hand[best] = 0, 1
    assert chosen.tolist() == by_hand.tolist()
    assert squared_mmd(K, np.flatnonzero(chosen)) < squared_mmd(K, np.arange(15))


@pytest.mark.parametrize(
    ("n", "wanted"), [(2, 1), (3, 2), (7, 3), (500, 499), (500, 251), (513, 64), (3000, 10),
                      (2100, 90), (5000, 2400), (515, 257), (2917, 729)],
)  # fmt: skip
def test_every_number_of_rows(n, wanted, rng):
    points = halving.Points.of(Rows.of(rng.normal(size=(n, 2))), GRID)
    kept = halving.thinned(points, wanted, rng, WORK)
    assert len(kept) == len(np.unique(kept)) == wanted
    assert kept.min() >= 0
    assert kept.max() < n


def test_nodes_of_parts(monkeypatch, rng):
    monkeypatch.setattr(halving, "LARGEST_NODE", 100)
    points = halving.Points.of(Rows.of(rng.normal(size=(1000, 2))), GRID)
    for wanted in (600, 500, 333, 499):
        kept = halving.thinned(points, wanted, rng, WORK)
        assert len(np.unique(kept)) == wanted


def test_certificate_is_the_mmd_from_matrices(rng):
    X = rng.normal(size=(300, 2))
    found = kstest.thin(X, rows=40, scale="none")
    centred = X - np.median(X, axis=0)
    for d in found.distances:
        square = ((centred[:, None] - centred[None]) ** 2).sum(-1)
        K = np.exp(-square / (2 * d.bandwidth**2))
        assert d.mmd == pytest.approx(math.sqrt(squared_mmd(K, found.index)), rel=2e-3, abs=2e-5)
        assert d.random == pytest.approx(math.sqrt((1 - K.mean()) / 40), rel=1e-4)
        assert d.worth == pytest.approx(40 * (d.random / d.mmd) ** 2)


@pytest.mark.parametrize("kind", ["normal", "cauchy", "categories"])
@pytest.mark.parametrize("kept", [100, 700])
def test_bounds_hold_the_sum_over_all_pairs(kind, kept, monkeypatch):
    rng = np.random.default_rng(4)
    data = pd.DataFrame(rng.normal(size=(2000, 3)) if kind != "cauchy"
                        else rng.standard_cauchy((2000, 3)))  # fmt: skip
    if kind == "categories":
        data["c"] = rng.choice(list("abc"), 2000)
    whole = kstest.thin(data, rows=kept)
    monkeypatch.setattr(certificate, "EXACT", 0)
    monkeypatch.setattr(certificate, "LANDMARKS", 100)
    monkeypatch.setattr(certificate, "SAMPLED", 512)
    part = kstest.thin(data, rows=kept)
    assert (part.index == whole.index).all()
    for p, q in zip(whole.distances, part.distances, strict=True):
        slack = 1e-5 + 2e-3 * p.mmd  # of single precision, in the sum over all pairs
        assert q.lower - slack <= p.mmd <= q.upper + slack
        assert q.random == pytest.approx(p.random, rel=5e-3)


def test_kept_rows_are_worth_many(rng):
    X = rng.normal(size=(4000, 4))
    found = kstest.thin(X, rows=125)
    worth = [d.worth for d in found.distances]
    assert found.by == "kernel"
    assert worth[0] > 4000
    assert worth[len(worth) // 2] > 3000
    assert min(worth) > 250
    assert found.worth == (min(worth), max(worth))


def test_chosen_rows_are_no_worse_than_every_kth(rng):
    """A sorted column: every k-th row is as good as it gets."""
    X = np.sort(rng.normal(size=2000))
    best = kstest.thin(X, rows=50)
    every = kstest.thin(X, rows=50, by="every")
    total = [sum(d.mmd**2 for d in found.distances) for found in (best, every)]
    assert total[0] <= total[1] * (1 + 1e-6)


@pytest.mark.parametrize("bandwidth", ["median", "0.7", 0.7])
def test_one_bandwidth(bandwidth, rng):
    X = rng.normal(size=(1000, 2))
    found = kstest.thin(X, rows=60, bandwidth=bandwidth, scale="none")
    (d,) = found.distances
    assert d.bandwidth == (0.7 if bandwidth != "median" else pytest.approx(1.7, abs=0.2))
    assert d.worth > 120
    with pytest.raises(UsageError, match="bandwidth='wide': give median, or a positive number"):
        kstest.thin(X, rows=60, bandwidth="wide")


def test_same_seed_same_rows_whatever_the_threads(rng):
    X = rng.normal(size=(3000, 2))
    first = kstest.thin(X, rows=70, threads=1)
    assert (kstest.thin(X, rows=70, threads=2).index == first.index).all()
    assert (kstest.thin(X, rows=70, seed=1).index != first.index).any()


@pytest.mark.parametrize("count", [1, 30, 31, 500])
def test_rows_that_are_all_equal_and_files_that_are_short(count):
    found = kstest.thin(np.ones((30, 2)), rows=count)
    assert found.rows == min(count, 30)
    assert found.by == ("all" if count >= 30 else found.by)


def chain(rng, n=4000, memory=0.9):
    """Starts 8 standard deviations away."""
    X = np.empty((n, 2))
    X[0] = 8
    for i in range(1, n):
        X[i] = memory * X[i - 1] + math.sqrt(1 - memory**2) * rng.normal(size=2)
    return X


def test_stein_thinning_leaves_the_start_behind(rng):
    X = chain(rng)
    found = kstest.thin(X, rows=100, target="normal()")
    assert found.by == "stein"
    assert found.stein["ksd"] < found.stein["every_kth"] / 2
    assert (np.abs(X[found.index]) < 4).all()
    assert np.abs(X[found.index].mean(0)).max() < 0.05
    once = kstest.thin(X, rows=100, target="normal()", distinct=True)
    assert len(np.unique(once.index)) == 100


def test_stein_discrepancy_by_hand(rng):
    """u(x, y) of (1 + |x - y|^2 / h^2)^(-1/2) for a standard normal target, in one column."""
    X = rng.normal(size=(50, 1))
    found = kstest.thin(X, rows=9, target="normal()", coordinates="none")
    a, x = found.stein["bandwidth"] ** -2, X[found.index, 0]
    gap = x[:, None] - x[None]
    k = (1 + a * gap**2) ** -0.5
    dx = -a * gap * k**3
    dxy = a * k**3 - 3 * a * a * gap**2 * k**5
    s = -x
    u = np.outer(s, s) * k + s[:, None] * -dx + s[None] * dx + dxy
    assert found.stein["ksd"] == pytest.approx(math.sqrt(u.mean()))


def test_angles_are_chosen_on_their_circle(rng):
    X = rng.vonmises(2.0, 1.0, size=(2000, 1))
    found = kstest.thin(X, rows=60, target="von_mises(mean=0, concentration=1)")
    assert found.stein["ksd"] < found.stein["every_kth"] / 2
    assert np.abs(np.sin(X[found.index]).mean()) < 0.05


def test_few_rows_of_the_target_are_told():
    X = np.r_[np.full((500, 1), 9.0) + np.linspace(0, 1, 500)[:, None], [[0.1], [-0.2]]]
    codes = {w.code for w in kstest.thin(X, rows=50, target="normal()").warnings}
    assert "repeated-rows" in codes


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rows": 0}, "rows=0: give a whole number"),
        ({"by": "magic"}, "by: found 'magic'|by='magic'"),
        ({"distinct": True}, "is for target"),
        ({"target": "normal()", "by": "every"}, "target and by"),
        ({"target": "gamma(2)"}, "outside the target's support"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_refused(options, words, rng):
    with pytest.raises((UsageError, DataError), match=words):
        kstest.thin(rng.normal(size=(30, 1)), **options)


def test_files(tmp_path, monkeypatch, capsys, rng):
    monkeypatch.chdir(tmp_path)
    table = pd.DataFrame({
        "x": np.where(rng.random(400) < 0.1, np.nan, rng.normal(size=400)),
        "day": pd.date_range("2026-01-01", periods=400), "kind": rng.choice(["a", "b"], 400),
    })  # fmt: skip
    table[:250].to_csv("one.csv", index=False)
    table[250:].to_csv("two.csv", index=False)
    both = ["--data", "one.csv", "--data", "two.csv", "--missing", "indicator"]
    assert run(["thin", *both, "--rows", "60", "-o", "kept.parquet"]) == 0
    assert "60 OF 400 ROWS" in capsys.readouterr().out
    kept = pq.read_table("kept.parquet").to_pandas()
    assert list(kept) == ["x", "day", "kind", "row", "file"]
    place = kept.row - 1 + 250 * (kept.file == "two.csv")
    original = table.loc[place].reset_index(drop=True)
    assert np.array_equal(kept.x, original.x, equal_nan=True)
    assert (kept.kind == original.kind).all()
    assert (pd.to_datetime(kept.day) == original.day).all()
    assert run(["thin", "one.csv", "--missing", "drop", "--rows", "9", "-o", "kept.csv"]) == 0
    assert len(pd.read_csv("kept.csv")) == 9
    assert run(["thin", "one.csv", "--missing", "drop", "-o", "one.csv"]) == 2
    assert run(["thin", "one.csv", "--missing", "drop", "-o", "kept.xlsx"]) == 2
    assert len(pd.read_csv("one.csv")) == 250


def drawing_of(data, **options):
    """The picture of thinned rows, as `--plot` has it."""
    from kstest.thinning.picture import picture

    found = kstest.thin(data, **options)
    sample = Sample("data", np.asarray(data, np.float64), tuple(map(str, data)))
    return found, sample, picture(sample, found)


def test_picture_has_rows_certificate_and_columns(rng):
    data = pd.DataFrame(rng.normal(size=(500, 3)) * [1, 2, 3], columns=list("abc"))
    data["c"] += data["a"] * 5
    found, sample, drawn = drawing_of(data, rows=20, scale="standard")
    plane, certificate, *columns = drawn.panels
    points = plane.drawings[0]
    assert [len(p) for p in points.places] == [500, 20]
    # The directions of the largest variance, of correlated columns in units of their spread.
    variances = np.linalg.eigvalsh(np.cov(sample.values.T / sample.values.std(axis=0)[:, None]))
    assert points.places[0].var(axis=0, ddof=1) == pytest.approx(variances[::-1][:2], rel=1e-6)
    assert re.fullmatch(r"0.7\d? [ac] \+ 0.7\d? [ac] [-+] 0.\d+ b", points.across)
    band = certificate.drawings[0]
    assert band.y.tolist() == [d.mmd for d in found.distances[::-1]]
    assert band.expected.tolist() == [d.random for d in found.distances[::-1]]
    assert sorted(panel.title for panel in columns) == ["a", "b", "c"]
    assert drawn.series == ("data: 500 rows", "kept: 20 rows")


def test_picture_of_two_columns_leaves_far_rows_out(rng):
    data = pd.DataFrame(rng.normal(size=(900, 2)), columns=["a", "b"])
    data.loc[0] = 1e6, 0.0
    found, _, drawn = drawing_of(data, rows=899)
    points = drawn.panels[0].drawings[0]
    assert (points.across, points.upwards) == ("a", "b")
    assert len(points.places[0]) == 899
    assert drawn.panels[0].words == (f"beyond the axes: 1, and {int(0 in found.index)}",)


@pytest.mark.parametrize(
    "data",
    [
        np.ones((20, 3)), np.ones((1, 3)), np.arange(30.0)[:, None], np.full((20, 3), 1e200),
        np.arange(16.0).reshape(2, 8),
    ],
)  # fmt: skip
def test_picture_of_whatever_there_is(data, tmp_path):
    pd.DataFrame(data).rename(columns=str).to_parquet(tmp_path / "a.parquet")
    target = tmp_path / "why.svg"
    line = ["thin", str(tmp_path / "a.parquet"), "--rows", "7", "--plot", str(target)]
    assert run([*line, "-q"]) == 0
    assert target.read_text().startswith("<?xml")
