"""Scaling of columns: units, far values, constants."""

from __future__ import annotations

import numpy as np
import pytest

from kstest.kernels import SCALES, scale_columns


@pytest.mark.parametrize("unit", [1e-200, 1e-9, 1.0, 1e9, 1e12])
def test_without_scaling_columns_keep_their_units_whatever_these_are(unit, rng):
    rows = rng.normal(size=(50, 2)) * [1, 20]
    found = scale_columns(rows * unit, "none")
    np.testing.assert_allclose(found, (rows - np.median(rows, axis=0)) * unit, rtol=1e-9)


def test_without_scaling_a_shift_far_above_the_spread_is_no_constant(rng):
    x = np.arange(50.0)[:, None]
    np.testing.assert_array_equal(scale_columns(x + 1e15, "none"), x - 24.5)


@pytest.mark.parametrize("how", SCALES)
def test_far_values_keep_their_order_and_their_squares_fit_single_precision(how, rng):
    rows = np.r_[rng.normal(size=99), 1e7, 1e9, 1e100, 1e300][:, None]
    found = scale_columns(rows, how)[:, 0]
    assert np.isfinite(np.float32(found) ** 2).all()
    assert (np.diff(found[np.argsort(rows[:, 0])]) >= 0).all()
    if how != "standard":  # there the largest value alone is the unit
        assert (np.diff(found[-4:]) > 0).all()


@pytest.mark.parametrize("how", SCALES)
@pytest.mark.parametrize("value", [0.0, 0.1, -1e300])
def test_constant_column_becomes_zero(how, value):
    assert not scale_columns(np.full((7, 1), value), how).any()


@pytest.mark.parametrize("how", SCALES)
def test_missing_cells_take_no_part_and_become_the_centre(how, rng):
    rows = rng.normal(5, 2, size=(40, 3))
    missing = np.zeros((40, 3), bool)
    missing[:9, 1] = True
    missing[:, 2] = True
    found = scale_columns(np.where(missing, 0, rows), how, missing)
    assert not found[missing].any()
    np.testing.assert_allclose(found[9:, 1:2], scale_columns(rows[9:, 1:2], how))
    np.testing.assert_array_equal(found[:, :1], scale_columns(rows[:, :1], how))


def test_many_columns_are_scaled_as_each_alone(rng, monkeypatch):
    rows = rng.normal(size=(30, 7))
    rows[:, 3] = 4.0
    alone = np.hstack([scale_columns(rows[:, c : c + 1]) for c in range(7)])
    monkeypatch.setattr("kstest.kernels.scaling.BLOCK_VALUES", 60)
    np.testing.assert_array_equal(scale_columns(rows), alone)
