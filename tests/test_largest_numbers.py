"""Columns of the largest numbers there are: a verdict, and no warning of NumPy's."""

from __future__ import annotations

import numpy as np

import kstest


def test_a_column_of_the_largest_numbers_is_described_without_infinity():
    rng = np.random.default_rng(3)
    plain = rng.normal(size=(60, 2))
    large = np.column_stack([1e308 * np.sign(plain[:, 0]), plain[:, 1]])
    result = kstest.mmd(large, plain, permutations=99)
    assert str(result).startswith("REJECTED")
    assert "inf" not in str(result).replace("infer", "")
