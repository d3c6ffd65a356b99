"""Planning: the change, the split, the search, and estimates against fresh draws of a known
distribution."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest

import kstest
from kstest.cli import run as shell
from kstest.engine import Work
from kstest.errors import DataError, UsageError
from kstest.kernels.scaling import robust_spread, scale_columns
from kstest.power import Params, plan
from kstest.power.alternative import Change
from kstest.power.answer import answer
from kstest.power.search import Size, _between, _search
from kstest.report import FORMATS, render
from kstest.sample import Sample


def sample(values, missing=None, **more):
    values = np.asarray(values, float).reshape(len(values), -1)
    names = tuple("abcdef"[: values.shape[1]])
    return Sample("reference", values, names, missing=missing, **more)


def change(reference, **options):
    given = {"change": None, "shift": 0.0, "scale_by": 1.0, "mix": 1.0, **options}
    return Change.of(reference, **given)


# --- the change


def test_shift_and_scale_are_in_robust_units_about_the_median(rng):
    x = rng.standard_cauchy((500, 2)) * [1, 50] + 3
    found = change(sample(x), shift=0.5, scale_by=2).apply(sample(x), rng).values
    middle = np.median(x, axis=0)
    spread = 1.4826 * np.median(np.abs(x - middle), axis=0)
    np.testing.assert_allclose(found, middle + 2 * (x - middle) + 0.5 * spread, rtol=1e-12)


def test_unit_is_that_of_the_scaling(rng):
    for x in (rng.normal(size=99), np.r_[np.zeros(60), rng.normal(size=30)], 1e300 * rng.random(9)):
        scaled = scale_columns(x[:, None])[:, 0]
        assert np.ptp(scaled) == pytest.approx(np.ptp(x) / robust_spread(x), rel=1e-9)
    assert robust_spread(np.ones(5)) == robust_spread(np.empty(0)) == 0


def test_only_named_columns_and_a_share_of_the_rows_change(rng):
    x = rng.normal(size=(4000, 3))
    made = change(sample(x), change="c,a", shift=1.0, mix=0.25)
    found = made.apply(sample(x), rng).values
    assert made.columns == ("c", "a")
    assert (found[:, 1] == x[:, 1]).all()
    changed = found[:, 0] != x[:, 0]
    np.testing.assert_array_equal(changed, found[:, 2] != x[:, 2])
    assert changed.mean() == pytest.approx(0.25, abs=4 * math.sqrt(0.1875 / 4000))


def test_whole_numbers_stay_whole_and_their_mean_moves_as_asked(rng):
    x = rng.binomial(100, 0.5, size=20_000).astype(float)
    made = change(sample(x), shift=0.3)
    found = made.apply(sample(x), rng).values[:, 0]
    assert set(found) <= set(x)
    expected = 0.3 * robust_spread(x)
    assert found.mean() - x.mean() == pytest.approx(expected, abs=4 * 0.5 / math.sqrt(20_000))


def test_a_column_of_two_values_keeps_to_them(rng):
    x = (rng.random(5000) < 0.3).astype(float)
    found = change(sample(x), shift=0.2).apply(sample(x), rng).values[:, 0]
    assert set(found) == {0.0, 1.0}
    assert found.mean() > x.mean()


def test_missing_cells_stay_and_do_not_count(rng):
    x = rng.normal(size=(300, 1))
    missing = rng.random((300, 1)) < 0.4
    x[missing] = 0.0
    made = change(sample(x, missing), shift=1.0)
    assert made.spread[0] == pytest.approx(robust_spread(x[~missing]))
    found = made.apply(sample(x, missing), rng)
    assert (found.values[missing] == 0).all()
    assert (found.values[~missing] != x[~missing]).all()


def test_huge_values_stay_finite(rng):
    x = np.r_[rng.normal(size=50), 1.7e308, -1.7e308]
    found = change(sample(x), scale_by=3).apply(sample(x), rng).values
    assert np.isfinite(found).all()


# --- the search


def test_search_finds_the_smallest_size_within_its_resolution():
    for wanted in (8, 9, 100, 777, 3999, 4000):
        seen = []

        def look(rows, begin, end, wanted=wanted, seen=seen):
            seen.append((begin, end))
            return Size(rows, float(rows >= wanted), 0.01, 0.001)

        sizes = _search(8, 4000, 0.9, look)
        reached = min(s.rows for s in sizes if s.power)
        assert wanted <= reached <= 1.1 * wanted + 1
        assert [s.rows for s in sizes] == sorted({s.rows for s in sizes})
        # Progress never goes back, and never beyond the end.
        assert all(a[1] == b[0] for a, b in itertools.pairwise(seen))
        assert seen[-1][1] <= 1


def test_search_ends_at_most_rows():
    sizes = _search(8, 100, 0.9, lambda rows, a, b: Size(rows, 0.1, 0.01, 0.001))
    assert [s.rows for s in sizes] == [8, 16, 32, 64, 100]


def test_range_is_two_standard_errors_wide():
    sizes = [Size(n, p, 0.03, 0.001) for n, p in ((8, 0.2), (16, 0.83), (32, 0.91), (64, 0.97))]
    assert _between(sizes, 0.9) == (16, 64)
    assert _between(sizes[:1], 0.9) == (8, None)


# --- the plan


@pytest.mark.parametrize("test", ["mmd", "ks"])
def test_power_is_that_of_fresh_samples(test, rng):
    """Split of one reference of 2,000 rows against independent samples of its distribution."""
    n, draws, shift = 64, 120, 0.6
    reference = sample(rng.normal(size=2000))
    params = Params(shift=shift, test=test, draws=draws, permutations=99, power=0.98, most_rows=n)
    found = plan(reference, params).sizes[-1]
    assert found.rows == n
    unit = robust_spread(reference.values[:, 0])
    more = {"explain": "none"} if test == "mmd" else {}
    fresh = 0
    for draw in range(draws):
        r = np.random.default_rng([draw, 17])
        X, Y = r.normal(size=n), r.normal(size=n) + shift * unit
        fresh += getattr(kstest, test)(X, Y, permutations=99, threads=1, **more).reject / draws
    assert 0.5 < fresh < 0.98
    error = math.hypot(found.standard_error, math.sqrt(fresh * (1 - fresh) / draws))
    assert found.power == pytest.approx(fresh, abs=3.5 * error)


def test_a_change_too_small_to_see_is_rejected_at_the_level(rng):
    params = Params(shift=1e-9, test="ks", draws=200, permutations=99, most_rows=64)
    found = plan(sample(rng.normal(size=1000)), params)
    assert found.rows is None
    assert found.between[0] == 64
    for size in found.sizes:
        assert size.power <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 200)


def test_whole_numbers_are_not_given_away_by_their_change(rng):
    """A shift by a tenth of a step must not be found at once, as off-grid values would be."""
    reference = sample(rng.binomial(40, 0.5, size=2000))
    found = plan(reference, Params(shift=0.03, draws=40, permutations=99, most_rows=64))
    assert all(size.power < 0.3 for size in found.sizes)


def test_same_seed_same_plan_whatever_the_threads(rng):
    reference, params = sample(rng.normal(size=(400, 2))), Params(shift=1.0, draws=20, seed=4)
    first, second = (plan(reference, params, work=Work(threads=t)) for t in (1, 3))
    assert first.sizes == second.sizes
    assert first.sizes != plan(reference, Params(shift=1.0, draws=20, seed=5)).sizes


def test_smallest_p_value_and_smallest_rows(rng):
    params = Params(shift=9.0, draws=20, alpha=0.001, permutations=99_999, test="ks")
    found = plan(sample(rng.normal(size=40)), params)
    assert found.smallest_rows == 7
    assert found.sizes[0].rows == 8
    assert found.sizes[0].smallest_p_value == pytest.approx(2 / math.comb(16, 8))
    text = render(answer(found), "text")
    assert "7 rows a side can reach level 0.001" in text


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_renders_it(form, rng):
    found = plan(sample(rng.normal(size=60)), Params(shift=0.01, draws=20, test="ks"))
    text = render(answer(found), form)
    assert text.endswith("\n")
    if form == "text":
        assert text.startswith("MORE THAN 30 ROWS: with these, ")
        assert "give more rows of the reference" in text
        assert max(map(len, text.splitlines())) <= 80
    elif form in ("json", "jsonl"):
        said = json.loads(text, parse_constant=lambda name: pytest.fail(name))
        assert (said["command"], said["rows"]) == ("plan", None)
        assert [s["rows"] for s in said["sizes"]] == [8, 16, 30]


def test_rows_in_order_of_time_are_a_warning(rng):
    walk = np.cumsum(rng.normal(size=300))
    found = plan(sample(walk), Params(shift=2.0, draws=20, test="ks"))
    assert [w.code for w in found.warnings] == ["serial-dependence"]


# --- refusals


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "--shift or --scale-by"),
        ({"shift": math.inf}, "--shift"),
        ({"scale_by": 0.0}, "--scale-by"),
        ({"shift": 1.0, "mix": 0.0}, "--mix"),
        ({"shift": 1.0, "mix": 1.5}, "--mix"),
        ({"shift": 1.0, "power": 0.05}, "--power"),
        ({"shift": 1.0, "draws": 5}, "--draws"),
        ({"shift": 1.0, "most_rows": 4}, "--most-rows"),
        ({"shift": 1.0, "test": "ksd"}, "--test"),
        ({"shift": 1.0, "permutations": 9}, "--permutations"),
    ],
)
def test_unusable_options_are_named(options, named):
    with pytest.raises(UsageError, match=named):
        Params(**options)


def test_references_that_cannot_be_used(rng):
    ask = Params(shift=1.0, draws=20)
    with pytest.raises(DataError, match=r"15 rows.*at least 16"):
        plan(sample(rng.normal(size=15)), ask)
    with pytest.raises(UsageError, match="--most-rows 8"):
        plan(
            sample(rng.normal(size=500)),
            Params(shift=1.0, most_rows=8, alpha=1e-5, permutations=99_999),
        )
    with pytest.raises(UsageError, match="--change b: these columns have one value"):
        plan(
            sample(np.c_[rng.normal(size=50), np.ones(50)]),
            Params(shift=1.0, draws=20, change="b"),
        )
    with pytest.raises(UsageError, match="--change"):
        plan(sample(rng.normal(size=50)), Params(shift=1.0, draws=20, change="z"))
    with pytest.raises(UsageError, match="none that varies"):
        plan(sample(np.ones(50)), ask)
    with pytest.raises(UsageError, match="--weights"):
        plan(sample(rng.normal(size=50), weights=np.ones(50)), ask)


@pytest.mark.parametrize("ending", [".svg", ".png", ".html"])
def test_the_power_curve_is_drawn(ending, rng, tmp_path, capsys):
    path, drawn = tmp_path / "a.csv", tmp_path / f"p{ending}"
    np.savetxt(path, rng.normal(size=(200, 1)), header="x", comments="")
    words = ["plan", str(path), "--shift", "1.5", "--draws", "20", "--permutations", "99"]
    assert shell([*words, "--plot", str(drawn)]) == 0
    if ending != ".png":
        for text in (b"ROWS A SIDE", b"broken line", b"rows a side"):
            assert text in drawn.read_bytes()
    assert shell([*words, "--plot", "p.gif"]) == 2
    assert ".svg, .png or .html" in capsys.readouterr().err


def test_the_picture_has_the_numbers_of_the_table(rng):
    from kstest.power.picture import picture

    plan = kstest.plan(rng.normal(size=(200, 1)), shift=1.5, draws=20, permutations=99)
    band = picture(plan).panels[0].drawings[0]
    assert [*band.x] == [s.rows for s in plan.sizes]
    assert [*band.y] == [s.power for s in plan.sizes]
    assert (band.low <= band.y).all()
    assert band.high.max() <= 1
