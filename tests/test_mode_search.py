"""The search for the modes of concentrated densities from a box."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import kstest
from kstest.engine import Work
from kstest.methods.pksd import Params
from kstest.methods.stein.starts import modes_of
from kstest.targets import resolve

# Five columns, sds of about .04 to .07, two modes that mirror each other in a.
POSTERIOR = (
    "logp: 300*a*b - 300*exp(a*b - 1) - 300*(a - b)**2 + 200*c - 200*exp(c)"
    " + 250*(d + a) - 250*exp(d + a) + 270*(e - a) - 270*exp(e - a)"
)
STEEP = {
    "exponentials": (POSTERIOR, 5, "-5:5", 2),
    "domain": ("logp: 200*log(1 - (a**2 - 1)**2/9) - 200*(b - a)**2", 2, "-5:5", 2),
    "few with a density": (
        "logp: -exp(10*((a**2 - 1)**2 + (b - a)**2 + (c - a)**2))",
        3,
        "-5:5",
        2,
    ),
    "quartic": ("logp: -50*(a**2 - 1)**2 - 200*(b - a)**2 - 200*(c - exp(b)/3)**2", 3, "-5:5", 2),
    "heavy tails": ("logp: -3*log1p(100*(a**2 - 1)**2) - 3*log1p(400*(b - a)**2)", 2, "-5:5", 2),
    "edge": ("logp: logsumexp(-200*(a - 5)**2, -200*(a + 5)**2) - 200*b**2", 2, "-5:5", 2),
    "units": (
        "logp: logsumexp(-0.5*(1e6*a - 10)**2 - 0.5*(b/1e4 - 30)**2,"
        " -0.5*(1e6*a + 10)**2 - 0.5*(b/1e4 + 30)**2)",
        2,
        "-0.00005:0.00005,-1000000:1000000",
        2,
    ),
    "three": ("logp: -400*(a*(a**2 - 4))**2 - 200*(b - a)**2", 2, "-5:5", 3),
    "one column": ("logp: logsumexp(-200*(a - 1)**2, -300*(a + 1)**2)", 1, "-5:5", 2),
    "ten columns": (
        "logp: logsumexp(-200*({plus}), log(2) - 200*({minus}))".format(
            plus=" + ".join(f"({c} - 1)**2" for c in "abcdefghij"),
            minus=" + ".join(f"({c} + 1)**2" for c in "abcdefghij"),
        ),
        10,
        "-5:5",
        2,
    ),
}


def count(text, d, box, seed):
    target = resolve(text, tuple("abcdefghijklmnopqrst"[:d]))
    params = Params(target=text, box=box)
    return len(modes_of(target, params, None, np.random.default_rng(seed), Work()))


@pytest.mark.parametrize("case", STEEP)
def test_all_modes_are_found(case):
    text, d, box, modes = STEEP[case]
    assert count(text, d, box, 1) == modes


@pytest.mark.slow
@pytest.mark.parametrize("case", STEEP)
def test_all_modes_are_found_whatever_the_seed(case):
    text, d, box, modes = STEEP[case]
    assert [count(text, d, box, seed) for seed in range(20)] == [modes] * 20


@pytest.mark.parametrize("text", ["logp: a**2 + 0*b", "logp: a + b"])
def test_a_density_without_a_mode_is_no_crash(text, rng):
    table = pd.DataFrame({"a": rng.normal(size=60), "b": rng.normal(size=60)})
    found = kstest.pksd(table, target=text, box="-5:5", draws=99)
    assert found.explanation["modes"] == []
    assert "no mode was found" in found.warnings[-1].message
