"""`mmd --explain region`: where the change is, by rows that were not used to find it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

import kstest
from kstest.methods.mmd import Params
from kstest.methods.regions import regions
from kstest.methods.two_samples.pooled import design, pool
from kstest.methods.two_samples.segments import segments
from kstest.sample import Sample

LEVELS = tuple("abcdefghij")
NAMES = ("amount", "age", "country")


def sample(name, values, codes, **more):
    return Sample(
        name, values, NAMES[:2], (), None, NAMES[2:], codes[:, None].astype(np.int32), (LEVELS,),
        **more,
    )  # fmt: skip


def side(rng, n, kind=""):
    """Amounts and ages, and a country of ten; a change is of one of them."""
    country = rng.integers(0, 10, n)
    values = rng.normal(size=(n, 2))
    own = country == 4
    if kind == "amount in a country":
        values[own, 0] += 1
    elif kind == "spread in a country":
        values[own, 1] *= 2
    elif kind == "amount of the old":
        values[values[:, 1] > 1.28, 0] += 1
    elif kind == "more of a country":
        country[rng.random(n) < 0.06] = 4
    return values, country


def found(first, second, seed=0, **more):
    samples = [sample("reference", *first), sample("sample", *second)]
    return judged(samples, seed, **more)


def judged(samples, seed=0, **options):
    params, rng = Params(**options), np.random.default_rng(seed)
    pooled = pool(samples, "robust", sort="block_length" not in options)
    cut, rng, _ = design(samples, pooled, params, rng, (0, 0))
    return segments(samples, pooled, cut, 0.05, rng)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("amount in a country", ("country = 'e'", "amount")),
        ("spread in a country", ("country = 'e'", "age")),
        ("amount of the old", ("age >=", "amount")),
        ("more of a country", ("country = 'e'",)),
    ],
)
def test_a_change_of_a_tenth_of_the_rows_is_named(kind, words):
    named = 0
    for k in range(10):
        rng = np.random.default_rng([5, k])
        rows = found(side(rng, 5000), side(rng, 5000, kind), k)
        named += any(all(w in row["where"] for w in words) for row in rows)
    assert named >= 8


def test_shares_are_those_of_rows_that_did_not_choose():
    """Where a region is named nearly always, its difference is right on average."""
    differences = []
    for k in range(12):
        rng = np.random.default_rng([6, k])
        rows = found(side(rng, 4000), side(rng, 4000, "more of a country"), k)
        differences += [r["difference"] for r in rows if r["where"] == "country = 'e'"]
    assert len(differences) > 8
    assert np.mean(differences) == pytest.approx(0.9 * 0.06, abs=0.009)  # 3 standard errors


def null(kind, rng):
    if kind == "few of one side":
        return [sample("reference", *side(rng, 1000)), sample("sample", *side(rng, 60))], {}
    if kind == "ties":
        sides = [(np.round(v), c % 2) for v, c in (side(rng, 150), side(rng, 150))]
        return [sample(name, *s) for name, s in zip("ab", sides, strict=True)], {}
    if kind == "groups":
        out = []
        for k, name in enumerate("ab"):
            of = np.repeat(np.arange(60), 5)
            values, country = side(rng, 60)
            values = values[of] + 0.2 * rng.normal(size=(300, 2))
            out.append(sample(name, values, country[of], groups=of + 1000 * k))
        return out, {}
    series = [np.cumsum(rng.normal(size=(900, 2)), axis=0) for _ in range(2)]
    steps = [s[20:] - s[:-20] for s in series]
    sides = [(s, side(rng, len(s))[1]) for s in steps]
    return [sample(n, *s) for n, s in zip("ab", sides, strict=True)], {"block_length": "40"}


@pytest.mark.parametrize("kind", ["few of one side", "ties", "groups", "series"])
def test_where_nothing_differs_hardly_a_region_is_named(kind):
    within_level(kind, 60)


def within_level(kind, sets):
    named = sum(bool(judged(s, k, **o)) for k, (s, o) in drawn(kind, sets))
    assert named <= binom.isf(0.0005, sets, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["few of one side", "ties", "groups", "series"])
def test_where_nothing_differs_regions_are_named_at_the_level(kind):
    within_level(kind, 1000)


def drawn(kind, sets):
    return ((k, null(kind, np.random.default_rng([11, k]))) for k in range(sets))


def test_few_rows_and_a_few_groups_name_none():
    rng = np.random.default_rng(1)
    first, second = side(rng, 12), (side(rng, 12)[0] + 9, side(rng, 12)[1])
    assert found(first, second) == []


def test_rare_and_many_levels(rng):
    """A level that only the smaller sample has; a column of more levels than are looked at."""
    n = 6000
    names = np.char.add("k", rng.integers(0, 2000, n).astype(str))
    first = pd.DataFrame({"key": names, "x": rng.normal(size=n)})
    second = pd.DataFrame({"key": ["new"] * 40 + list(names[:60]), "x": rng.normal(size=100)})
    result = kstest.mmd(first, second, explain="region", permutations=99, threads=1)
    assert result.explanation["regions"][0]["where"] == "key = 'new'"


def test_missing_cells_and_a_report(rng):
    x = rng.normal(size=(400, 2))
    y = np.where(rng.random((400, 1)) < [0.3, 0.0], np.nan, rng.normal(size=(400, 2)))
    x[:3, 0] = np.nan
    frames = [pd.DataFrame(v, columns=["a", "b"]) for v in (x, y)]
    result = kstest.mmd(*frames, explain="region", missing="indicator", permutations=199)
    assert result.explanation["regions"][0]["where"] == "a is missing"
    assert "rows where a is missing: " in str(result).replace("\n              ", " ")
    nothing = kstest.mmd(x[:, 1:], x[::-1, 1:], explain="region", permutations=99)
    assert "regions" not in nothing.explanation


def test_equal_weights_and_swapped_sides(rng):
    first, second = side(rng, 4000), side(rng, 4000, "amount in a country")
    plain = found(first, second)
    weighted = judged(
        [
            sample("reference", *first, weights=np.full(4000, 3.0)),
            sample("sample", *second, weights=np.full(4000, 3.0)),
        ]
    )
    assert [r["where"] for r in plain] == [r["where"] for r in weighted]
    assert plain[0]["low"] == pytest.approx(weighted[0]["low"])
    swapped = found(second, first)
    assert {r["where"] for r in plain} & {r["where"] for r in swapped}


def test_regions_are_the_best_of_all(rng):
    """Every interval of values and every level, alone and two by two, one after the other."""
    n = 300
    values, codes = rng.integers(0, 4, (n, 2)).astype(float), rng.integers(0, 10, n)
    r = rng.normal(size=n) + (values[:, 0] > 1) * (codes == 3)
    steps = [(a, b) for a in range(4) for b in range(a, 4) if b - a < 3]
    axes = [[(v >= a) & (v <= b) for a, b in steps] for v in values.T]
    axes.append([codes == c for c in range(10)])
    alone = [(m, 1) for axis in axes for m in axis]
    pairs = [(m & o, 2) for a in range(3) for b in range(a) for m in axes[a] for o in axes[b]]
    best = max(
        r[m].sum() / np.sqrt((r[m] ** 2).sum()) - conditions
        for m, conditions in [*alone, *pairs]
        if m.sum() >= 10
    )
    region = next(g for g in regions(sample("data", values, codes), NAMES, r) if g.mean > 0)
    assert region.z - 1 - (" and " in region.words) == pytest.approx(best)
    assert region.rows == region.inside.sum()
    assert region.mean == pytest.approx(r[region.inside].mean())


def test_regions_of_columns_that_do_not_vary(rng):
    table = sample("data", np.ones((50, 2)), np.zeros(50))
    found = regions(table, NAMES, rng.normal(size=50) + 1)
    assert [region.words for region in found] == [""]
    assert found[0].inside.all()
