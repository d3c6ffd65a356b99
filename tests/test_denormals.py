"""Denormal numbers count as zero while kernels are summed, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from kstest.engine import Work, block_sums, blocks, denormals
from kstest.engine.work import run_tasks
from kstest.kernels import KERNELS, BandwidthGrid

SMALL = np.full(8, np.float32(1.2e-38))

supported = pytest.mark.skipif(
    denormals._control() is None, reason="the control register of this processor is not known"
)


def halves() -> bool:
    """Whether half of the smallest normal number is a number."""
    return bool((SMALL * np.float32(0.5)).all())


@supported
def test_denormals_count_as_zero_in_the_context_and_not_after_it():
    assert halves()
    with denormals.flushed_denormals():
        assert not halves()
        with denormals.flushed_denormals():
            assert not halves()
        assert not halves()
    assert halves()


@supported
def test_an_exception_restores_the_register():
    with pytest.raises(ValueError, match="x"), denormals.flushed_denormals():
        raise ValueError("x")
    assert halves()


@supported
@pytest.mark.parametrize("threads", [1, 2])
def test_tasks_flush_and_the_callers_thread_does_not(threads):
    assert list(run_tasks(halves, [()] * 5, Work(threads=threads))) == [False] * 5
    assert halves()


def test_an_unknown_processor_changes_nothing(monkeypatch):
    monkeypatch.setattr(denormals.platform, "machine", lambda: "vax")
    denormals._control.cache_clear()
    try:
        with denormals.flushed_denormals():
            assert halves()
        denormals.flush_denormals()
        assert halves()
    finally:
        monkeypatch.undo()
        denormals._control.cache_clear()


@pytest.mark.parametrize("steps", [0, 4e8], ids=["compiled", "numpy"])
@pytest.mark.parametrize("d", [1, 3])
def test_sums_are_those_with_denormals(monkeypatch, d, steps):
    monkeypatch.setattr(blocks, "NUMPY_STEPS", steps)
    rows = np.random.default_rng(3).normal(size=(400, d))
    grid = BandwidthGrid(
        KERNELS["gaussian"], tuple(3.0 / 2 ** (i / 2) for i in range(12)), squaring=True
    )
    starts = np.arange(0, 401, 50)
    got = block_sums(rows, starts, [grid], Work(threads=1)).blocks
    monkeypatch.setattr(denormals, "_control", lambda: None)
    np.testing.assert_allclose(
        got, block_sums(rows, starts, [grid], Work(threads=1)).blocks, rtol=1e-12
    )
