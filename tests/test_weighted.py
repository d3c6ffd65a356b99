"""Weights of another distribution on one side, negative weights, and counts of histograms."""

import numpy as np
import pandas as pd
import pytest

import kstest
from kstest.cli import run
from kstest.errors import DataError, UsageError
from kstest.methods.ks import STATISTICS as ROW_STATISTICS
from kstest.methods.two_samples.differences import STATISTICS
from kstest.nulls.hypergeometric import bin_counts, exact_draws
from kstest.nulls.multipliers import multipliers


def table(x, w=None, name="w"):
    columns = {f"x{k}": column for k, column in enumerate(np.atleast_2d(x.T))}
    return pd.DataFrame({**columns, name: np.ones(len(x)) if w is None else w})


def simulation(rng, n, shift=0.0):
    x = rng.normal(0.7, 1, (n, 2))
    return table(x + shift, np.exp(-0.7 * x[:, 0] + -0.7 * x[:, 1]))


def codes(result):
    return [w.code for w in result.warnings]


@pytest.mark.parametrize("test", [kstest.mmd, kstest.ks])
def test_a_simulation_is_compared_with_data(test, rng):
    data = table(rng.normal(size=(300, 2)))
    found = test(simulation(rng, 300), data, weights="w")
    assert found.verdict == "not rejected"
    assert found.null["exact"] is False
    shifted = test(simulation(rng, 300, 1.0), data, weights="w")
    assert (shifted.verdict, shifted.p_value) == ("rejected", pytest.approx(0.001, abs=0.002))
    assert shifted.explanation["columns"][0].words.startswith("mean ")


def test_weights_without_a_difference_leave_the_permutation(rng):
    X, Y = rng.normal(size=(2, 60, 1))
    plain = kstest.mmd(X, Y)
    evened = kstest.mmd(table(X, np.full(60, 3.0)), table(Y), weights="w")
    assert evened.p_value == plain.p_value
    assert evened.null["exact"] is True
    same = [table(x, rng.exponential(size=60)) for x in (X, Y)]
    assert kstest.mmd(*same, weights="w").null["scheme"].startswith("permutation")


def test_negative_weights_are_multiplied_and_cancelling_ones_refused(rng):
    x = rng.normal(size=(400, 1))
    w = np.where(rng.random(400) < 0.1, -1.0, 1.0)
    found = kstest.ks(table(x, w), table(rng.normal(size=(300, 1))), weights="w")
    side = found.explanation["weights"][0]
    assert found.null["scheme"] == "Gaussian multipliers of rows"
    assert side["negative"] == pytest.approx((w < 0).mean())
    assert side["effective"] == pytest.approx(w.sum() ** 2 / 400)
    w = np.where(np.arange(400) % 40 < 19, -1.0, 1.0)
    none = kstest.mmd(table(x, w), table(x + 9), weights="w")
    assert none.verdict == "no verdict"
    assert codes(none)[-1] == "too-little-weight"


def test_few_effective_rows_and_heavy_ones_are_named(rng):
    x, y = rng.normal(size=(60, 1)), table(rng.normal(size=(100, 1)))
    w = np.r_[np.full(15, 10.0), np.full(45, 0.01)]
    assert kstest.mmd(table(x, w), y, weights="w").verdict == "no verdict"
    w = np.r_[5.0, np.ones(59)]
    found = kstest.mmd(table(x, w), y, weights="w")
    assert {"heavy-row"} <= set(codes(found))
    w = rng.exponential(size=60)
    assert "few-effective-rows" in codes(kstest.mmd(table(x, w), y, weights="w"))


def test_groups_share_a_multiplier(rng):
    # twenty rows of each group are copies: as rows, they would be four hundred
    x = np.repeat(rng.normal(size=(40, 1)), 10, axis=0)
    X = table(x, np.repeat(rng.uniform(0.5, 1.5, 40), 10)).assign(g=np.repeat(np.arange(40), 10))
    Y = table(np.repeat(rng.normal(size=(40, 1)), 10, axis=0)).assign(
        g=100 + np.repeat(np.arange(40), 10)
    )
    by_group = kstest.ks(X, Y, weights="w", group="g")
    by_row = kstest.ks(X, Y, weights="w", exclude="g")
    assert by_group.null["scheme"] == "Gaussian multipliers of groups"
    assert by_group.p_value > by_row.p_value


def test_multipliers_sum_to_nothing_and_have_the_jackknife_variance(rng):
    share = np.r_[0.5, 0.3, 0.4, -0.2, 0.6, 0.4]
    side = np.array([1, 1, 1, -1, -1, -1], np.int8)
    side[3:], share[:3] = -1, [0.5, 0.3, 0.2]
    share[3:] = [-0.2, 0.7, 0.5]
    c = multipliers(share, side, np.arange(6), 200_000, rng)
    assert c[:, 0].tolist() == side.tolist()
    for one in (1, -1):
        np.testing.assert_allclose(share[side == one] @ c[side == one, 1:], 0, atol=1e-9)
    f = rng.normal(size=6)
    drawn = ((share * f) @ c[:, 1:]).var()
    expected = 0.0
    for one in (1, -1):
        p, v = share[side == one], f[side == one]
        whole = p @ v
        left_out = [(whole - p[i] * v[i]) / (1 - p[i]) for i in range(3)]
        expected += sum((whole - out) ** 2 for out in left_out)
    assert drawn == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("name", ROW_STATISTICS)
def test_statistics_of_equal_weights_are_those_of_rows(name, rng):
    x, y = np.round(rng.normal(size=40), 1), np.round(rng.normal(size=60) + 0.3, 1)
    values = np.unique(np.r_[x, y])
    f, g = ((np.equal.outer(values, z)).mean(axis=1) for z in (x, y))
    h = np.equal.outer(values, np.r_[x, y]).mean(axis=1)
    found = STATISTICS[name](values, h, (f - g)[:, None])[0]
    reference = kstest.ks(x, y, statistic=name, permutations=19).statistic
    if name == "cvm":
        assert found * 40 * 60 / 100 == pytest.approx(reference)
    elif name == "ad":
        from kstest.methods.two_samples.cell_statistics import standard_anderson_darling

        assert standard_anderson_darling(found * 24, 40, 60) == pytest.approx(reference)
    else:
        assert found == pytest.approx(reference)


def test_dealt_counts_are_hypergeometric(rng):
    both = np.array([3, 0, 10, 5, 7])
    drawn = bin_counts(both, 9, 40_000, rng)
    assert (drawn.sum(axis=0) == 9).all()
    assert (drawn <= both[:, None]).all()
    np.testing.assert_allclose(drawn.mean(axis=1), 9 * both / 25, atol=0.03)
    share = both / 25
    variance = 9 * share * (1 - share) * 16 / 24
    np.testing.assert_allclose(drawn.var(axis=1), variance, atol=0.05)


def test_counts_beyond_the_limit_keep_their_totals(rng):
    both = np.array([5, 4_000_000_000, 3_000_000_000, 2, 900_000_000])
    total = 4_000_000_000
    drawn = bin_counts(both, total, 500, rng)
    assert not exact_draws(both)
    assert (drawn.sum(axis=0) == total).all()
    assert ((drawn >= 0) & (drawn <= both[:, None])).all()
    share = total / both.sum()
    assert drawn[0].mean() == pytest.approx(5 * share, abs=0.3)
    spread = np.sqrt(both[2] * share * (1 - share) * (1 - both[2] / both.sum()))
    assert abs(drawn[2].mean() - both[2] * share) < 5 * spread / np.sqrt(500)
    assert drawn[2].std() == pytest.approx(spread, rel=0.15)


def histogram(rng, entries, shift=0.0, scale=1.0):
    edges = np.linspace(-4, 4, 21)
    x = np.round((edges[1:] + edges[:-1]) / 2, 6)
    return pd.DataFrame({"x": x, "n": np.histogram(rng.normal(shift, scale, entries), edges)[0]})


@pytest.mark.parametrize("test", [kstest.mmd, kstest.ks])
@pytest.mark.parametrize(("shift", "verdict"), [(0.0, "not rejected"), (0.2, "rejected")])
def test_histograms_by_their_counts(test, shift, verdict):
    rng = np.random.default_rng(5)
    found = test(histogram(rng, 10_000), histogram(rng, 10_000, shift), counts="n")
    assert found.verdict == verdict
    assert found.null["exact"] is True
    assert found.explanation["entries"]["reference"] > 9_900


@pytest.mark.parametrize("test", [kstest.mmd, kstest.ks])
def test_a_histogram_as_rows_has_no_verdict(test, rng):
    a, b = histogram(rng, 10_000), histogram(rng, 10_000, 0.2)
    for options in ({"weights": "n"}, {}):
        found = test(a, b, **options)
        assert found.verdict == "no verdict"
        assert "--counts" in found.warnings[-1].message


def test_counts_in_many_rows_are_joined_and_entries_are_what_counts(rng):
    x, y = rng.integers(0, 4, (2, 300)).astype(float)
    whole = [pd.DataFrame({"x": z, "n": np.ones(len(z))}) for z in (x, y)]
    joined = [t.groupby("x", as_index=False).sum() for t in whole]
    assert kstest.mmd(*whole, counts="n").p_value == kstest.mmd(*joined, counts="n").p_value


def test_level_of_counts():
    rejected = 0
    for seed in range(60):
        rng = np.random.default_rng([3, seed])
        a, b = histogram(rng, 60), histogram(rng, 400)
        rejected += bool(kstest.mmd(a, b, counts="n", permutations=99, seed=seed).reject)
    assert rejected <= 10  # of 60 at .05: more in 1 of 5,000 runs


def test_what_counts_and_weights_do_not_go_with(rng):
    a, b = histogram(rng, 100), histogram(rng, 100)
    with pytest.raises(UsageError, match="weights and counts"):
        kstest.mmd(a, b, weights="n", counts="n")
    with pytest.raises(DataError, match=r"counts: column 'n', row 1: found 0.5"):
        kstest.mmd(a.assign(n=0.5), b, counts="n")
    with pytest.raises(UsageError, match="block_length"):
        kstest.mmd(a, b, counts="n", block_length="4")
    with pytest.raises(UsageError, match="explain"):
        kstest.mmd(a, b, counts="n", explain="rows=3")
    with pytest.raises(UsageError, match="features='8': not with counts"):
        kstest.mmd(a, b, counts="n", features="8")


@pytest.mark.parametrize("test", [kstest.mmd, kstest.ks])
def test_entries_count_and_not_bins(test):
    """All entries in one bin are no verdict; a bin a side, or one against two, is data enough."""

    def histogram(**bins):
        return pd.DataFrame({"k": [float(b[1:]) for b in bins], "n": [*bins.values()]})

    one = histogram(b1=100)
    assert test(one, histogram(b1=200), counts="n").verdict == "no verdict"
    text = pd.DataFrame({"k": ["a"], "n": [100]})
    assert test(text, text.assign(n=50), counts="n").verdict == "no verdict"
    assert test(one, histogram(b2=200), counts="n").reject
    assert test(one, histogram(b1=200, b2=100), counts="n").reject
    # 2 of the 6 ways to deal 4 entries put the two of a bin on one side
    small = test(histogram(b1=2), histogram(b2=2), counts="n", permutations=1999)
    assert small.p_value == pytest.approx(1 / 3, abs=0.05)
    assert test(histogram(b1=1), histogram(b2=9), counts="n").verdict == "no verdict"


@pytest.mark.parametrize("test", [kstest.mmd, kstest.ks])
def test_constant_columns_with_weights_are_no_verdict(test, rng):
    X = pd.DataFrame({"x": np.ones(50), "w": np.ones(50)})
    result = test(X, X.assign(w=rng.gamma(2, size=50)), weights="w")
    assert result.verdict == "no verdict"


@pytest.mark.parametrize("test", [kstest.mmd, kstest.ks])
def test_groups_and_counts_exclude_each_other(test):
    X = pd.DataFrame({"k": [1.0, 2.0], "n": [5, 5], "g": [1, 2]})
    with pytest.raises(UsageError, match="group and counts"):
        test(X, X, counts="n", group="g")


def test_a_bin_without_its_number_of_entries_is_not_dropped():
    X = pd.DataFrame({"k": [1.0, 2.0, 3.0], "n": [100.0, 200.0, 100.0]})
    with pytest.raises(DataError, match="'n' is missing in 1 rows; a bin"):
        kstest.mmd(X, X.assign(n=[100.0, np.nan, 100.0]), counts="n", missing="drop")
    assert kstest.mmd(X, X.assign(k=[1.0, 2.0, np.nan]), counts="n", missing="drop").reject


def test_effective_groups_are_called_so(rng, tmp_path, capsys):
    group = np.arange(60) // 3
    X = pd.DataFrame({"x": rng.normal(size=60), "w": 1.0, "g": group})
    Y = X.assign(g=group + 100, w=rng.gamma(3, size=20)[group])
    X.to_csv(tmp_path / "a.csv")
    Y.to_csv(tmp_path / "b.csv")
    files = [str(tmp_path / name) for name in ("a.csv", "b.csv")]
    run(["mmd", *files, "--columns", "x", "--weights", "w", "--group", "g"])
    out = " ".join(capsys.readouterr().out.split())
    assert "20.0 effective groups in the reference" in out
    assert "effective groups of 60 rows ((sum w)^2" in out
