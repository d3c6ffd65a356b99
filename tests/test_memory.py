"""How long rows remember: the lag at which blocks of time end."""

from __future__ import annotations

import numpy as np
import pytest

from kstest.diagnostics import dependence


@pytest.mark.parametrize("q", [1, 2, 3, 7])
def test_the_memory_of_a_moving_sum_ends_where_the_sum_does(q):
    """A sum of q + 1 neighbours is alike up to lag q, and five quiet lags follow."""
    noise = np.random.default_rng(q).normal(size=20_000)
    x = np.convolve(noise, np.ones(q + 1), "valid")
    assert dependence.memory((x - x.mean())[:, None]) == q


def test_rows_without_memory_have_none():
    x = np.random.default_rng(5).normal(size=(20_000, 2))
    assert dependence.memory(x - x.mean(axis=0)) == 0


@pytest.mark.parametrize("seed", range(8))
def test_memory_is_that_of_its_definition(seed):
    """The smallest lag followed by five lags within the noise, looked up one by one."""
    rng = np.random.default_rng(seed)
    x = np.convolve(rng.normal(size=800), rng.uniform(size=3 + seed), "valid")
    x -= x.mean()
    n = len(x)
    r = [float(x[k:] @ x[: n - k] / (x @ x)) for k in range(1, n // 2)]
    loud = [abs(value) >= 2 * np.sqrt(np.log10(n) / n) for value in r]
    expected = next(k for k in range(len(r)) if not any(loud[k : k + 5]))
    assert dependence.memory(x[:, None]) == expected
