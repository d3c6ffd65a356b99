"""One entry per kernel: its parts agree, and every test uses it or says what it lacks."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import naive
import numpy as np
import pytest
from test_contract import NEEDED, samples_for

import kstest
from kstest.betting import payoffs
from kstest.engine import Work, block_sums
from kstest.errors import UsageError
from kstest.kernels import KERNELS, NEEDS, BandwidthGrid, missing, radial, serving
from kstest.registry import METHODS

# What a test with --kernel needs of one.
TESTS = {
    "mmd": (),
    "hsic": (),
    "moments": ("has_bandwidth",),
    "ksd": ("derivatives",),
    "pksd": ("derivatives",),
    "skit": ("spectrum", "pair_branch"),
    "smmd": ("spectrum",),
}


def refused(name, kernel):
    data = [np.arange(60.0).reshape(30, 2)] * len(METHODS[name].load().inputs.roles)
    with pytest.raises(UsageError) as error:
        getattr(kstest, name)(*data, kernel=kernel, **NEEDED.get(name, {}))
    return str(error.value)


def test_every_test_with_a_choice_of_kernel_is_walked_through():
    having = {
        name
        for name, entry in METHODS.items()
        if "kernel" in {f.name for f in fields(entry.load().inputs.params)}
    }
    assert having - {"seqksd"} == set(TESTS)  # seqksd has kernels of sequences


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", TESTS)
def test_a_test_runs_with_a_kernel_or_says_what_it_lacks(name, kernel, rng):
    lacks = missing(KERNELS[kernel], *TESTS[name])
    if lacks:
        assert f"kernel='{kernel}': {NEEDS[lacks]}; choose from" in refused(name, kernel)
        return
    data = samples_for(METHODS[name].load().inputs, rng)
    result = getattr(kstest, name)(*data, kernel=kernel, **NEEDED.get(name, {}))
    assert 0 < result.p_value <= 1


def test_the_command_says_so_too(capsys, tmp_path):
    from kstest.cli import run

    (tmp_path / "a.csv").write_text("x\n1\n2\n")
    assert run(["ksd", str(tmp_path / "a.csv"), "--target", "normal", "--kernel", "laplace"]) == 2
    assert NEEDS["derivatives"] in capsys.readouterr().err


@pytest.mark.parametrize("kernel", payoffs.CODES)
@pytest.mark.parametrize("payoff", payoffs.PAYOFFS)
def test_pairs_take_every_kernel_that_skit_names(payoff, kernel, rng):
    X, Y = rng.normal(size=(2, 60, 1))
    options = {"mode": "pairs", "symmetric": "tanh", "payoff": payoff, "kernel": kernel}
    assert 0 < kstest.skit(X, Y, **options).p_value <= 1


def test_far_values_are_compressed_alike_in_compiled_loops():
    from kstest.kernels import compiled, scaling

    assert compiled.FAR == scaling.FAR


@pytest.mark.parametrize("name", serving("derivatives"))
def test_derivatives_are_those_of_the_profile(name):
    kernel, a, step = KERNELS[name], 0.7, 1e-4
    r2 = np.linspace(0.1, 4, 20)

    def phi(values):
        u = a * values
        kernel.profile(u)
        return u

    value, first, second = kernel.derivatives(r2, a)
    np.testing.assert_allclose(value, phi(r2), rtol=1e-12)
    slope = (phi(r2 + step) - phi(r2 - step)) / (2 * step)
    np.testing.assert_allclose(first, -2 * slope, rtol=1e-6)
    bend = (phi(r2 + step) - 2 * phi(r2) + phi(r2 - step)) / step**2
    np.testing.assert_allclose(second, 4 * bend, rtol=1e-5)


@pytest.mark.parametrize("name", serving("spectrum"))
def test_frequencies_have_the_kernel_as_characteristic_function(name):
    kernel, u = KERNELS[name], np.random.default_rng(0).random(200_000)
    w, r = kernel.spectrum(u), np.linspace(0, 3, 13)
    expected = kernel.factor * (r if kernel.geometry == "cityblock" else r**2)
    kernel.profile(expected)
    np.testing.assert_allclose(np.cos(np.outer(r, w)).mean(axis=1), expected, atol=0.01)


@pytest.mark.parametrize("name", serving("pair_branch"))
def test_single_pairs_have_the_same_kernel(name, rng):
    from kstest.betting import pair_loops

    kernel, X, marks = KERNELS[name], rng.normal(size=(12, 3)), np.empty((12, 0), np.uint64)
    K = np.empty((12, 12))
    pair_loops.kernel_matrix(X, marks, kernel.pair_branch, kernel.scale(0.8), K)
    expected = naive.kernel_matrix(X, name, 0.8) + np.eye(12)
    np.testing.assert_allclose(K, expected, rtol=1e-12)


def test_a_kernel_is_added_as_contributing_says(monkeypatch, rng):
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
    code = re.search(r"\*\*Add a kernel\.\*\*.*?```python\n(.*?)```", text, re.S).group(1)
    function, _, entry = code.rpartition("\n\n")
    namespace = dict(vars(radial))
    exec(function, namespace)
    added = eval(entry.strip(), namespace)
    monkeypatch.setitem(KERNELS, added.name, added)
    monkeypatch.setitem(
        naive.PROFILES, added.name, lambda x, y, h: (1 + sum((x - y) ** 2) / h**2) ** -2
    )
    X, Y = rng.normal(size=(40, 2)), rng.normal(0.5, 1, size=(40, 2))
    sums = block_sums(X, np.arange(41), [BandwidthGrid(added, (1.3,))], Work(threads=1)).blocks[0]
    np.testing.assert_allclose(sums, naive.kernel_matrix(X, added.name, 1.3), rtol=1e-9)
    assert kstest.mmd(X, Y, kernel=added.name).p_value < 0.2
    assert kstest.hsic(X, Y, kernel=added.name).p_value > 0
    assert missing(added, "derivatives") == "derivatives"
