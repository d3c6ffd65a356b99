"""Dependence at an unknown delay: `hsic --lags`."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import binom

import kstest
from kstest.diagnostics.drift import drifting
from kstest.engine import Work
from kstest.errors import UsageError
from kstest.methods.dependence import delays
from kstest.methods.dependence.column_blocks import Block


def memory(rng, n, phi):
    """x_t = phi x_{t-1} + e_t, in units of its standard deviation."""
    return lfilter([1], [1, -phi], rng.normal(size=n + 500))[500:] * np.sqrt(1 - phi**2)


def linked(rng, n, kind, delay=7):
    """y follows x after `delay` rows, by a straight line, by the square, or in its spread."""
    x, e = memory(rng, n + delay, 0.7), memory(rng, n, 0.7)
    early = x[:n]
    y = {
        "line": e + 0.25 * early,
        "square": e + 0.35 * (early**2 - 1),
        "spread": e * np.exp(0.5 * early),
    }[kind]
    return x[delay:], y


def test_all_shifts_by_fourier_transforms_are_sums_over_rows(rng):
    n = 30
    A, B = rng.normal(size=(n, 3)), rng.normal(size=(n, 2))
    A, B = A - A.mean(axis=0), B - B.mean(axis=0)
    found = delays.shifted(np.fft.rfft(A, axis=0), np.fft.rfft(B, axis=0), n)
    slow = [
        sum(
            (sum(A[t, i] * B[(t + s) % n, j] for t in range(n)) / n) ** 2
            for i in range(3)
            for j in range(2)
        )
        for s in range(n)
    ]
    np.testing.assert_allclose(found, slow, rtol=1e-10)


@pytest.mark.parametrize(
    ("lags", "n"), [((0, 20), 800), ((-3, 5), 200), ((4, 6), 90), ((-8, -2), 301), ((0, 0), 40)]
)
def test_windows_are_disjoint_and_far_from_the_asked_lags_and_from_none(lags, n):
    asked = delays.Lags(*lags)
    first, *others = asked.windows(n)
    assert list(first) == [s % n for s in range(lags[0], lags[1] + 1)]
    shifts = np.concatenate(others)
    assert len(set(shifts)) == len(shifts)
    near = {0, *range(lags[0], lags[1] + 1)}
    gap = min(min((s - k) % n, (k - s) % n) for s in shifts for k in near)
    assert gap >= 3 * len(asked)
    assert len(asked.windows(asked.rows_needed(25))) == 26
    assert len(asked.windows(asked.rows_needed(25) - 1)) == 25


def test_p_value_counts_windows(rng):
    x, y = memory(rng, 400, 0.5), memory(rng, 400, 0.5)
    spectra = delays.spectra(
        [Block.of_array(v[:, None]) for v in (x, y)], "robust", rng, Work(threads=1)
    )
    asked = delays.Lags(0, 4)
    found = delays.delay(*spectra, asked, 0.05)
    curves = [
        delays.shifted(a, b, 400)[asked.windows(400)].max(axis=1)
        for a, b in zip(
            (spectra[0].gaussian, spectra[0].linear),
            (spectra[1].gaussian, spectra[1].linear),
            strict=True,
        )
    ]
    z = [(c - c.mean()) / c.std() for c in map(np.cbrt, curves)]
    T = np.max(z, axis=0)
    assert found.p_value == (1 + sum(T[1:] >= T[0])) / len(T)
    assert (found.p_value <= 0.05) == (T[0] > found.threshold)


@pytest.mark.parametrize("kind", ["line", "square", "spread"])
def test_a_link_is_found_with_its_delay(kind):
    """15 series of 1,200 rows: nearly all; the straight line is the weakest of the three."""
    found = [
        kstest.hsic(*linked(np.random.default_rng(seed), 1200, kind), lags="0:20")
        for seed in range(15)
    ]
    rejected = [f for f in found if f.reject]
    assert len(rejected) >= (11 if kind == "line" else 14)
    assert sum(f.explanation["delay"]["lag"] == 7 for f in rejected) >= len(rejected) - 1


@pytest.mark.parametrize("phi", [0.0, 0.7, 0.95])
def test_level_on_independent_series_with_memory(phi):
    """60 pairs of 800 rows: at most 9 of them (99.9 % binomial bound of .05)."""
    rejected = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        rejected += bool(
            kstest.hsic(memory(rng, 800, phi), memory(rng, 800, phi), lags="0:20").reject
        )
    assert rejected <= binom.ppf(0.999, 60, 0.05)


def test_two_trends_are_no_verdict_and_one_is_no_harm(rng):
    t = np.arange(800) / 100
    x, y = rng.normal(size=(2, 800))
    both = kstest.hsic(x + t, y + t, lags="0:20")
    assert both.verdict == "no verdict"
    assert both.warnings[0].code == "not-stationary"
    level = sum(
        bool(kstest.hsic(rng.normal(size=800) + t, rng.normal(size=800), lags="0:20").reject)
        for _ in range(40)
    )
    assert level <= binom.ppf(0.999, 40, 0.05)


def test_a_common_bump_in_the_middle_is_no_verdict(rng):
    bump = 2.0 * (np.abs(np.arange(800) - 400) < 100)
    found = [kstest.hsic(*(rng.normal(size=(2, 800)) + bump), lags="0:20") for _ in range(5)]
    assert {f.verdict for f in found} == {"no verdict"}


def test_walks_drift_and_stationary_series_do_not():
    walks, still = 0, 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        walk, calm = rng.normal(size=1000).cumsum(), memory(rng, 1000, 0.9)
        walks += drifting((walk - walk.mean())[:, None])
        still += drifting((calm - calm.mean())[:, None])
    assert walks >= 90
    assert still <= 10


def test_all_pairs_say_which_follows_which(rng):
    n = 3000
    x, y = linked(rng, n, "square")
    table = np.column_stack([x, y, memory(rng, n, 0.5)])
    found = kstest.hsic(table, all_pairs=True, lags="-10:10")
    by_pair = {(p["x"], p["y"]): p for p in found.explanation["all_pairs"]}
    assert [pair for pair, p in by_pair.items() if p["reject"]] == [("1", "2")]
    assert by_pair["1", "2"]["lag"] == 7
    back = kstest.hsic(table[:, 1], table[:, 0], lags="-20:0")
    assert back.explanation["delay"]["lag"] == -7


def test_too_few_rows_say_how_many(rng):
    found = kstest.hsic(*rng.normal(size=(2, 300)), lags="0:20")
    assert found.verdict == "no verdict"
    assert "take 565 rows" in found.warnings[0].message
    assert kstest.hsic(*rng.normal(size=(2, 565)), lags="0:20").verdict == "not rejected"


def test_a_constant_series_is_no_verdict(rng):
    found = kstest.hsic(rng.normal(size=600), np.ones(600), lags="0:20")
    assert found.verdict == "no verdict"
    assert found.warnings[0].code == "constant-statistic"


@pytest.mark.parametrize("text", ["5", "20:0", "a:b", "0:1.5", "0:20:2", ":"])
def test_lags_are_two_whole_numbers(text, rng):
    with pytest.raises(UsageError, match="two whole numbers"):
        kstest.hsic(*rng.normal(size=(2, 100)), lags=text)


@pytest.mark.parametrize(
    "options", [{"block_length": "auto"}, {"permutations": 99}, {"kernel": "laplace"}]
)
def test_options_of_the_plain_test_are_refused(options, rng):
    with pytest.raises(UsageError, match="lags"):
        kstest.hsic(*rng.normal(size=(2, 100)), lags="0:2", **options)


def test_the_picture_is_of_lags_and_not_of_unshifted_rows(rng, tmp_path):
    x, y = linked(rng, 1200, "square")
    found = kstest.hsic(x, y, lags="0:20", plot=tmp_path / "lags.svg")
    assert found.reject
    drawn = (tmp_path / "lags.svg").read_text()
    assert drawn.startswith("<?xml")
    page = tmp_path / "lags.html"
    kstest.hsic(x, y, lags="0:20", plot=page)
    assert "dependence by lag, largest at lag 7" in page.read_text()
