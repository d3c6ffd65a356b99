"""Sums at landmark rows: equal to all pairs when all rows are landmarks, and to a plain loop."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

import naive
import numpy as np
import pytest

import kstest
from kstest.engine import Forms, Work, block_sums, landmarks, signed_sums
from kstest.engine.landmarks import RIDGE, landmark_count, landmark_sums
from kstest.kernels import KERNELS, BandwidthGrid, Rows, bandwidth_grid, pair_distances
from kstest.methods.two_samples.effect import Pairs, unbiased_mmd

STARTS = np.array([0, 20, 40, 55, 75, 95, 120])
SIGNS = np.array([[1, 1, -1, 1], [1, -1, 1, 1], [1, 1, 1, -1], [-1] * 4, [-1] * 4, [-1, 1, -1, 1]])


def statistics(blocks, weights=None):
    signs = SIGNS.astype(np.int8)
    linear = blocks.sum(axis=1) @ signs
    forms = Forms(signed_sums(blocks, signs), linear, blocks.sum(axis=(1, 2)), np.ones(len(blocks)))
    return unbiased_mmd(forms, Pairs.of(STARTS, signs, weights))


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("categories", [0, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_with_all_rows_as_landmarks_the_statistic_is_that_of_all_pairs(
    name, categories, weighted, rng
):
    codes = rng.integers(0, 3, size=(120, categories)).astype(np.int32)
    rows = Rows(rng.normal(size=(120, 2)) + 5, codes)
    w = rng.exponential(size=120) + 0.5 if weighted else None
    grid = bandwidth_grid(KERNELS[name], pair_distances(rows, KERNELS[name].geometry))
    grid = BandwidthGrid(grid.kernel, grid.bandwidths[:4], grid.squaring)
    full = block_sums(rows, STARTS, [grid], Work(threads=1), weights=w)
    blocks, size = landmark_sums(rows, STARTS, rows, [grid], Work(threads=2), w)
    np.testing.assert_allclose(size, np.sqrt(2 * full.squares / (120 * 119)), rtol=1e-9)
    expected = statistics(full.blocks, w)
    tolerance = 3e-3 * abs(expected).max(axis=1, keepdims=True)
    assert (abs(statistics(blocks, w) - expected) < tolerance).all()


@pytest.mark.parametrize("name", ["gaussian", "imq"])
def test_sums_equal_a_plain_loop(name, rng):
    rows, marks = rng.normal(size=(120, 3)), rng.normal(size=(20, 3))
    blocks, _ = landmark_sums(
        Rows.of(rows),
        STARTS,
        Rows.of(marks),
        [BandwidthGrid(KERNELS[name], (1.5,))],
        Work(threads=1),
    )
    both = np.vstack([marks, rows])
    K = naive.kernel_matrix(both, name, 1.5) + np.eye(140)
    C = K[:20, :20] + RIDGE * 20 * np.eye(20)
    kz = K[20:, :20] @ np.linalg.solve(C, K[:20, 20:])
    for a in range(6):
        for b in range(6):
            i, j = slice(STARTS[a], STARTS[a + 1]), slice(STARTS[b], STARTS[b + 1])
            expected = kz[i, j].sum()
            if a == b:
                expected -= (STARTS[a + 1] - STARTS[a]) * kz.diagonal().mean()
            assert blocks[0, a, b] == pytest.approx(expected, rel=2e-4, abs=1e-3)


@pytest.mark.parametrize("case", ["constant", "few values", "one landmark", "tiny unit"])
def test_degenerate_rows_give_finite_sums(case, rng):
    rows = rng.normal(size=(120, 2))
    marks = rows[:30]
    if case == "constant":
        rows, marks = np.ones((120, 2)), np.ones((30, 2))
    elif case == "few values":
        rows = np.round(rows)
        marks = rows[:50]
    elif case == "one landmark":
        marks = rows[:1]
    else:
        rows, marks = rows * 1e-3, marks * 1e-3
    grid = BandwidthGrid(KERNELS["gaussian"], (2.0, 2.0 / 2**0.5, 1.0), True)
    blocks, size = landmark_sums(Rows.of(rows), STARTS, Rows.of(marks), [grid], Work(threads=1))
    assert np.isfinite(blocks).all()
    assert np.isfinite(size).all()
    np.testing.assert_allclose(blocks, np.swapaxes(blocks, 1, 2))


def test_threads_change_nothing(rng):
    rows = Rows.of(rng.normal(size=(120, 2)))
    grid = BandwidthGrid(KERNELS["gaussian"], (1.0,), True)
    one, two = (
        landmark_sums(rows, STARTS, rows.take(slice(0, 40)), [grid], Work(threads=k))[0]
        for k in (1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert block_sums(rows, STARTS, [grid], Work(threads=1)).blocks.shape == one.shape


def test_number_of_landmarks():
    assert [landmark_count(n) for n in (1000, 65_537, 200_000, 10**6, 10**9)] == [
        256, 320, 448, 1024, 1024,
    ]  # fmt: skip


def test_the_compiled_loop_gives_the_same_sums_also_in_other_processes(rng, monkeypatch):
    X, Y = rng.normal(size=(600, 3)), rng.normal(size=(500, 3)) + 0.1
    options = {"features": "64", "permutations": 99, "explain": "none"}
    plain = kstest.mmd(X, Y, threads=1, **options)
    monkeypatch.setattr(landmarks, "COMPILED_ROWS", 1)
    with ProcessPoolExecutor(1) as executor:
        there = kstest.mmd(X, Y, executor=executor, **options)
    here = kstest.mmd(X, Y, threads=1, **options)
    assert here.statistic == there.statistic
    assert here.statistic == pytest.approx(plain.statistic, rel=1e-3, abs=1e-3)
    assert here.p_value == there.p_value
