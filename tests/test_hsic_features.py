"""`hsic --features`: kernels summed as features at landmark rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import kstest
from kstest.errors import UsageError
from kstest.methods.dependence import low_rank, statistics


def pair(rng, n, strength=0.0):
    x = rng.normal(size=n)
    return x, rng.normal(size=n) + strength * (x**2 - 1)


def test_single_columns_lose_nothing(rng, monkeypatch):
    """The same permutations, the same p-value up to a permutation or two."""
    monkeypatch.setattr(low_rank, "LONG", 0.0)
    for strength in (0.0, 0.08):
        x, y = pair(rng, 1200, strength)
        full, low = (kstest.hsic(x, y, features=f, threads=1) for f in ("none", "auto"))
        assert (full.kernel.get("landmarks"), low.kernel["landmarks"]) == (None, 128)
        assert low.p_value == pytest.approx(full.p_value, abs=0.01)
        assert low.verdict == full.verdict


@pytest.mark.parametrize(
    ("longest", "options", "landmarks"),
    [
        (1e12, {}, None),
        (1e9, {}, 128),
        (1e9, {"features": "none"}, None),
        (1e9, {"kernel": "energy"}, None),
        (1e9, {"bandwidth": "median"}, None),  # one pair of bandwidths does not take long
    ],
)
def test_several_columns_get_features_where_all_pairs_take_long(
    longest, options, landmarks, rng, monkeypatch
):
    monkeypatch.setattr(low_rank, "VERY_LONG", longest)
    X = rng.normal(size=(2_000, 4))
    X[:, 2] += 0.3 * (X[:, 0] ** 2 - 1)
    options = {"permutations": 99, "threads": 1} | options
    found = kstest.hsic(X[:, :2], X[:, 2:], **options)
    assert found.kernel.get("landmarks") == landmarks
    assert found.verdict == "rejected"


def test_level_and_power_with_features():
    count = {0.0: 0, 0.25: 0}
    for strength in count:
        for seed in range(40):
            rng = np.random.default_rng([seed, 3])
            X = np.column_stack([rng.normal(size=600), rng.standard_cauchy(600)])
            Y = np.column_stack([rng.poisson(2, 600), rng.normal(size=600)])
            Y[:, 1] += strength * (X[:, 0] ** 2 - 1)
            found = kstest.hsic(X, Y, features="40", permutations=99, seed=seed, threads=1)
            count[strength] += found.p_value <= 0.05
    low, high = stats.binom.ppf([0.0005, 0.9995], 40, 0.05)
    assert low <= count[0.0] <= high
    assert count[0.25] > 32


def test_all_pairs_share_features(rng, monkeypatch):
    monkeypatch.setattr(low_rank, "LONG", 0.0)
    monkeypatch.setattr(statistics, "LEAST_COARSE", 99)  # the same permutations on both sides
    table = rng.normal(size=(700, 6))
    table[:, 1] += table[:, 0]
    full, low = (
        kstest.hsic(table, all_pairs=True, features=f, threads=1) for f in ("none", "auto")
    )
    assert low.kernel["landmarks"] == 128
    assert low.verdict == full.verdict == "rejected"
    p = [{(r["x"], r["y"]): r["p_value"] for r in found.explanation["all_pairs"]}
         for found in (full, low)]  # fmt: skip
    assert p[0].keys() == p[1].keys()
    assert max(abs(p[0][k] - p[1][k]) for k in p[0]) < 0.02


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"features": "few"}, "auto, none or a number"),
        ({"features": "200"}, "at most a tenth of the 1,000 rows"),
        ({"features": "20", "kernel": "energy"}, "kernel='energy'"),
        ({"features": "20", "permute": "rows"}, "1,000 rows"),
    ],
)
def test_what_cannot_be_is_refused(options, said, rng):
    with pytest.raises(UsageError, match=said):
        kstest.hsic(*pair(rng, 1000), **options)


def test_other_tests_of_dependence_refuse_a_number_and_auto_leaves_them_alone(rng):
    x, y = pair(rng, 300)
    for blocks in ((x, y, x + y), (x, y)):
        with pytest.raises(UsageError, match="features='20': is not for"):
            kstest.hsic(*blocks, features="20")
        assert "landmarks" not in kstest.hsic(*blocks, permutations=99).kernel


def test_all_pairs_go_through_stages_and_keep_the_level_of_every_pair(rng, monkeypatch):
    monkeypatch.setattr("kstest.methods.dependence.low_rank.LONG", 0)
    table = rng.normal(size=(200, 12))
    table[:, 3] += table[:, 2]
    table[:, 7] = table[:, 6] ** 2 + 0.3 * table[:, 7]
    found = kstest.hsic(table, all_pairs=True, threads=1, permutations=199)
    rows = {(r["x"], r["y"]): r for r in found.explanation["all_pairs"]}
    assert {pair for pair, r in rows.items() if r["reject"]} == {("3", "4"), ("7", "8")}
    assert found.null["replicates"] == 2 * 66 / 0.05 - 1
    p = np.array([r["p_value"] for r in rows.values()])
    # Stages: of 199, 726 and 2,639 permutations; few pairs reach the last.
    counts = [np.isclose(p * k, np.rint(p * k)).mean() for k in (200, 2640)]
    assert counts[0] > 0.7
    assert p.min() == 1 / 2640
