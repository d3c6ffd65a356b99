"""The level of `kstest mmd` on many null data sets; the cells are those of benchmarks/level.py."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

import level


@pytest.mark.slow
@pytest.mark.parametrize("size", level.SIZES, ids=lambda size: "{}/{}".format(*size))
def test_rejections_lie_in_the_central_binomial_band(size):
    cells = [cell for cell in level.CELLS if (cell.m, cell.n) == size]
    wrong = {str(cell): level.verdict(cell, *counts) for cell, *counts in level.rejections(cells)}
    assert {cell: text for cell, text in wrong.items() if text} == {}


def test_the_band_would_catch_a_level_of_ten_percent():
    cell = level.Cell(50, 50, "gaussian", "rows", False)
    low, high = cell.band
    assert level.binom.cdf(high, cell.sets, 0.1) < 0.005
    assert level.verdict(cell, high + 1, high)
    assert level.verdict(cell, low - 1, low)
    assert not level.verdict(cell, low, high)
    ties = level.Cell(50, 50, "integers", "rows", False)
    assert not level.verdict(ties, low - 1, low)  # conservative, as announced
    assert level.verdict(ties, low, low - 1)
    assert level.verdict(ties, low, high + 1)


def test_randomised_p_value_is_uniform_over_the_place_of_the_observed_statistic():
    values = np.array([3.0, 1.0, 1.0, 2.0, 3.0, 5.0, 5.0, 5.0])
    found = [
        level.randomised_p(np.r_[values[b], np.delete(values, b)], u)
        for b in range(8)
        for u in (np.arange(300) + 0.5) / 300
    ]
    expected = (np.arange(2400) + 0.5) / 2400
    np.testing.assert_allclose(sorted(found), expected, atol=2 / 300)
