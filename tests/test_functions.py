"""Densities given by functions of Python: `scores=` and `logdensity=` of ksd, pksd and thin."""

from __future__ import annotations

import math
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import kstest
from kstest.errors import DataError, UsageError
from kstest.targets.calls import understood
from kstest.targets.gradients import by_differences, gradient

ONE = {"scale": "none", "bandwidth": "1", "null": "wild", "draws": 99, "threads": 1}
TWO = "gaussian_mixture([0.5, 0.5], means=[[-3, -3], [3, 3]], covariances=1)"


def normal(X):
    return -0.5 * (X**2).sum(axis=1)


def two(X):
    return np.logaddexp(*(-0.5 * ((X - m) ** 2).sum(axis=1) for m in (-3, 3)))


def slope_of_two(X):
    right = 1 / (1 + np.exp(-6 * X.sum(axis=1, keepdims=True)))
    return -X + 3 * (2 * right - 1)


@pytest.fixture
def X(rng):
    return rng.normal(size=(200, 2))


@pytest.fixture
def bumps(rng):
    return rng.normal(size=(200, 2)) + rng.choice([-3, 3], (200, 1))


GIVEN = {
    "rows": {"scores": lambda X: -X},
    "a row": {"scores": lambda x: np.array([-x[0], -x[1]])},
    "density": {"logdensity": normal},
    "density of a row": {"logdensity": lambda x: -0.5 * x @ x},
    "of a row by math": {"logdensity": lambda x: -math.fsum(v * v / 2 for v in x)},
    "column": {"logdensity": lambda X: normal(X)[:, None]},
    "both": {"scores": lambda X: -X, "logdensity": normal},
    "list": {"scores": lambda X: (-X).tolist()},
    "method": {"target": SimpleNamespace(logpdf=normal)},
}


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
def test_functions_are_the_density(given, X):
    by_name = kstest.ksd(X, target="normal()", **ONE)
    found = kstest.ksd(X, **given, **ONE)
    assert found.statistic == pytest.approx(by_name.statistic, rel=1e-6)
    assert [w.code for w in found.warnings] == ["differences"] * (
        "scores" not in given
    )  # exact or said


def test_scores_may_be_an_array(X):
    by_name = kstest.ksd(X, target="normal()", **ONE)
    frame = pd.DataFrame(X, columns=["a", "b"])
    for data, scores in (
        (X, -X),
        (frame, -X),
        (frame, (-frame)[["b", "a"]]),
        (frame, -frame.rename(columns=str.upper)),
    ):
        assert kstest.ksd(data, scores=scores, **ONE).statistic == pytest.approx(by_name.statistic)
    holes = frame.copy()
    holes.iloc[3, 0] = np.nan
    some = kstest.ksd(holes, scores=-X, missing="drop", **ONE)
    rest = np.delete(X, 3, axis=0)
    assert some.statistic == pytest.approx(kstest.ksd(rest, scores=-rest, **ONE).statistic)
    chosen = kstest.ksd(frame, scores=-X, columns=["b"], **ONE)
    assert chosen.statistic == pytest.approx(
        kstest.ksd(X[:, 1], target="normal()", **ONE).statistic
    )


def test_columns_come_in_the_order_of_the_data(X):
    frame = pd.DataFrame(X, columns=["b", "a"])

    def wide(X):
        return -X / np.array([1, 4])

    found = kstest.ksd(frame, scores=wide, **ONE)
    assert found.statistic == pytest.approx(kstest.ksd(X, scores=wide, **ONE).statistic)
    assert found.params["order_of_columns"] == ["b", "a"] == list(found.columns)
    assert found.params["target"] == "wide"
    assert "test_functions" in found.params["scores"]


def test_names_in_reports(X):
    def banana(X):
        return -X

    for given, name in (
        ({"scores": banana}, "banana"),
        ({"scores": lambda X: -X}, "scores"),
        ({"logdensity": normal, "scores": banana}, "normal"),
        ({"scores": banana, "name": "posterior of run 7"}, "posterior of run 7"),
        ({"scores": -X}, "scores"),
    ):
        assert kstest.ksd(X, **given, **ONE).explanation["target"] == name


@pytest.mark.parametrize(
    "given", [{"logdensity": two}, {"logdensity": two, "scores": slope_of_two}]
)
def test_a_density_moves_rows(given, bumps):
    options = {"draws": 99, "threads": 1}
    right = kstest.pksd(bumps, **given, **options)
    by_name = kstest.pksd(bumps, target=TWO, **options)
    assert (right.verdict, by_name.verdict) == ("not rejected",) * 2
    assert [round(m["place"]["1"]) for m in right.explanation["modes"]] == [-3, 3]
    assert kstest.pksd(np.abs(bumps), **given, **options).reject


def test_thinning_takes_functions(bumps):
    by_name = kstest.thin(bumps, target=TWO, rows=8)
    assert kstest.thin(bumps, scores=slope_of_two, logdensity=two, rows=8).rows == by_name.rows
    assert kstest.thin(bumps, scores=slope_of_two, name="t", rows=4).params["target"] == "t"


def mixed(X):
    return -X / (X**2).sum()


def holed(X):
    out = -X.copy()
    out[7, 1] = np.nan
    return out


WRONG = {
    "sign": ({"scores": lambda X: X, "logdensity": normal}, "row 1 in column '1'.*turned round"),
    "jacobian": (
        {"scores": lambda X: 1 - X, "logdensity": normal},
        r"disagree: at row \d+ in column '1' the score is",
    ),
    "one column": (
        {"scores": lambda X: -X * [1, 2], "logdensity": normal},
        "column '2'.*0.5 times",
    ),
    "order": (
        {"scores": lambda X: -X[:, ::-1] * [1, 3], "logdensity": lambda X: normal(X * [1, 3**0.5])},
        "order of the columns 1, 2",
    ),
    "one number a row": ({"scores": lambda X: X[:, 0]}, r"in the shape \(3, 2\).*found \(3,\)"),
    "sum forgotten": ({"logdensity": lambda X: -(X**2)}, "sum over the columns"),
    "rows mixed": ({"scores": mixed}, "own row alone"),
    "rows centred": ({"logdensity": lambda X: normal(X - X.mean(axis=0))}, "own row alone"),
    "nothing": ({"logdensity": lambda X: None}, "returned nothing"),
    "text": ({"scores": lambda X: X.astype(str)}, "no array of real numbers"),
    "complex": ({"scores": lambda X: X * 1j}, "no array of real numbers"),
    "raises": ({"scores": lambda X: X @ np.ones(7)}, "raised ValueError"),
    "array too short": ({"scores": np.zeros((3, 2))}, r"shape \(3, 2\), expected \(200, 2\)"),
    "array of text": ({"scores": [["a", "b"]]}, "accepted: a function, or numbers"),
    "prefix": ({"scores": "score_"}, "score_prefix"),
    "two densities": ({"scores": lambda X: -X, "target": "normal()"}, "drop one"),
    "two kinds": ({"logdensity": normal, "score_prefix": "s"}, "drop one"),
    "no function": ({"logdensity": 3}, "accepted: a function"),
    "name alone": ({"name": "x", "target": "normal()"}, "names functions"),
    "name": ({"scores": lambda X: -X, "name": 3}, "accepted: text"),
    "a parameter": ({"scores": lambda X: -X, "param": {"s": 1}}, "is for a target that is a text"),
    "noise": (
        {"logdensity": lambda X: normal(X) + np.sin(1e9 * X).sum(axis=1)},
        "no numerical derivative",
    ),
}


@pytest.mark.parametrize(("given", "words"), WRONG.values(), ids=WRONG)
def test_contradictions_are_refused(given, words, X):
    with pytest.raises(UsageError, match=words):
        kstest.ksd(X, **given, **ONE)


def test_values_that_are_none_name_their_row(X):
    with pytest.raises(DataError, match="row 8 is nan in column 2"):
        kstest.ksd(X, scores=lambda X: np.where(np.abs(X) == np.abs(X[7, 1]), np.nan, -X)
                   if len(X) > 7 else -X, **ONE)  # fmt: skip
    with pytest.raises(DataError, match=r"-inf at row 8 \(1 = "):
        kstest.ksd(X, logdensity=lambda Z: np.where(Z[:, 0] == X[7, 0], -np.inf, normal(Z)), **ONE)


ENDS = {
    "exponential": (lambda X: np.where(X[:, 0] > 0, -X[:, 0], -np.inf), True),
    "by math": (lambda x: math.log(x[0]) * 0 - x[0], True),
    "two ends": (lambda X: np.where(X[:, 0] * (99 - X[:, 0]) > 0, 0.0, np.nan), True),
    "gamma": (lambda x: 2 * math.log(x[0]) - x[0], False),
    "normal": (normal, False),
}


@pytest.mark.parametrize(("density", "ends"), ENDS.values(), ids=ENDS)
def test_a_density_that_ends_without_vanishing_is_refused(density, ends, rng):
    data = rng.gamma(3, size=(200, 1))
    if ends:
        with pytest.raises(DataError, match="has not vanished there"):
            kstest.ksd(data, logdensity=density, **ONE)
    else:
        found = kstest.ksd(data, logdensity=density, **ONE)
        assert found.reject is (density is normal)


def test_what_cannot_take_functions_says_so(X):
    with pytest.raises(TypeError, match="nothing is proved of a function"):
        kstest.sksd(X, scores=lambda X: -X)
    with pytest.raises(UsageError, match="array cannot drive"):
        kstest.pksd(X, scores=-X)
    with pytest.raises(UsageError, match="scores alone"):
        kstest.pksd(X, scores=lambda X: -X)
    with pytest.raises(UsageError, match="reference"):
        kstest.ksd(X, scores=lambda X: -X, reference=X)


def test_few_rows_and_constant_columns():
    for data in (np.zeros((1, 2)), np.zeros((40, 2)), np.ones((2, 3))):
        found = kstest.ksd(data, logdensity=normal, threads=1)
        assert found.verdict in ("no verdict", "rejected")


def test_differences_are_the_derivative(rng):
    X = rng.normal(size=(50, 2)) * [1, 100]

    def density(X):
        return np.log1p(np.exp(-X[:, 0])) - np.log1p((X[:, 1] / 100) ** 2)

    true = np.column_stack(
        [-1 / (1 + np.exp(X[:, 0])), -2 * X[:, 1] / 1e4 / (1 + (X[:, 1] / 100) ** 2)]
    )
    call = understood(density, X, None, "density")
    G, error = by_differences(call, X, X.std(axis=0))
    assert np.abs(G - true).max() < 1e-9
    assert (np.abs(G - true) <= error + 1e-10).all()
    assert gradient(call, X) is None


def test_no_library_is_imported_for_a_function():
    """What the session has not imported, its functions cannot be written in."""
    code = (
        "import sys, numpy, kstest\n"
        "X = numpy.random.default_rng(1).normal(size=(30, 1))\n"
        "kstest.ksd(X, logdensity=lambda X: -X[:, 0] ** 2 / 2, threads=1)\n"
        "print({'jax', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def of_jax():
    jax = pytest.importorskip("jax")
    jnp = jax.numpy

    def one(x):
        return jnp.logaddexp(-0.5 * jnp.sum((x - 3) ** 2), -0.5 * jnp.sum((x + 3) ** 2))

    return one, jax.jit(jax.vmap(one)), jax.vmap(jax.grad(one)), jax.grad(one)


def of_torch():
    torch = pytest.importorskip("torch")

    def one(x):
        return torch.logaddexp(-0.5 * torch.sum((x - 3) ** 2), -0.5 * torch.sum((x + 3) ** 2))

    def rows(X):
        return torch.stack([one(x) for x in X])

    def slopes(X):
        X = X.clone().requires_grad_()
        return torch.autograd.grad(rows(X).sum(), X)[0]

    return one, rows, slopes, None


@pytest.mark.parametrize("library", [of_jax, of_torch])
def test_functions_of_other_libraries_are_exact(library, bumps):
    one, rows, slopes, mixing = library()
    by_name = kstest.ksd(bumps, target=TWO, **ONE)
    for given in (
        {"logdensity": one},
        {"logdensity": rows},
        {"scores": slopes},
        {"scores": slopes, "logdensity": one},
    ):
        found = kstest.ksd(bumps, **given, **ONE)
        assert found.statistic == pytest.approx(by_name.statistic, rel=1e-6)
        assert not found.warnings
    with pytest.raises(UsageError, match="disagree"):
        kstest.ksd(bumps, scores=lambda X: -X, logdensity=one, **ONE)
    assert kstest.pksd(np.abs(bumps), logdensity=rows, draws=99, starts=5, threads=1).reject
    if mixing is not None:  # a gradient of one row, called with many
        with pytest.raises(UsageError, match="own row alone"):
            kstest.ksd(bumps, scores=mixing, **ONE)
